"""Both sides of each source: what the others list for a day, and what our books say of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, time

from hospital.database.connection import Database
from hospital.gateways import ebill, wechatpay_bills
from hospital.gateways.his import desk_refunds as his_desk_refunds
from hospital.gateways.his import trades as his_trades
from hospital.gateways.his.wire import Odd
from hospital.reconciliation import rules, sorting, store
from hospital.reconciliation.model import DESK, EBILL, FUND_FLOW, HIS, WECHAT, Tally
from hospital.runtime.clock import at_hospital, hospital_day
from hospital.runtime.ids import bounded

PROCESSING = "PROCESSING"  # the note of a refund that WeChat has accepted and not finished


def theirs(source: str, day: date, others: Tally) -> Iterator[str]:
    """The other side's movements, unsorted; what is not ours to compare is added to ``others``.

    Raises Unanswered, NotReady, Rejected, Unreadable, at the end too: nothing may be believed before it ended.
    """
    return _THEIRS[source](day, others)


@contextmanager
def ours(db: Database, source: str, day: date) -> Iterator[Iterator[tuple[str, int]]]:
    """Our movements in order: movement and number with a tab between, and fen."""
    if source in (WECHAT, FUND_FLOW):
        yield store.ledger(db, day, ("CAPTURE", "REFUND"))
    elif source == HIS:
        yield store.ledger(db, day, ("REVERSAL", "SETTLEMENT"))
    elif source == DESK:
        yield store.desk_refunds(db, day)
    else:
        first, last = at_hospital(day, time.min), at_hospital(day, time.max)
        lines = (rules.line(movement, store.OUR_BILLS + number, fen)
                 for movement, number, fen in store.invoices(db, first, last))
        with sorting.in_order(lines) as sorted_lines:
            yield ((key, fen) for key, fen, _ in rules.entries(sorted_lines))


def _trade_bill(day: date, others: Tally) -> Iterator[str]:
    """Refunds that failed moved nothing; one under way moves on another day."""
    for one in wechatpay_bills.trade_bill(day):
        if not one.out_refund_no:
            yield rules.line("CAPTURE", one.transaction_id, one.paid_fen, one.out_trade_no)
        elif one.refund_state == "SUCCESS":
            yield rules.line("REFUND", one.out_refund_no, -one.refund_fen)
        elif one.refund_state == PROCESSING:
            yield rules.line("REFUND", one.out_refund_no, -one.refund_fen, PROCESSING)


def _fund_flow(day: date, others: Tally) -> Iterator[str]:
    for one in wechatpay_bills.fund_flow(day):
        if one.kind == "交易" and one.income:
            yield rules.line("CAPTURE", one.business_id, one.amount_fen, one.voucher)
        elif one.kind == "退款" and not one.income:
            yield rules.line("REFUND", one.voucher, -one.amount_fen)
        else:
            others.add(0, one.amount_fen if one.income else -one.amount_fen)


def _his_trades(day: date, others: Tally) -> Iterator[str]:
    """A row that can't be read is a line without money: a difference, which is looked into like any other."""
    for one in his_trades.money_trades(day):
        if isinstance(one, Odd):
            yield rules.line("SETTLEMENT", bounded(one.number, rules.LONGEST_NUMBER), 0)
            continue
        if one.paid_fen and one.settled_at and hospital_day(one.settled_at) == day:
            yield rules.line("SETTLEMENT", one.trade_no, one.paid_fen)
        if one.refund_fen and one.cancelled_at and hospital_day(one.cancelled_at) == day:
            yield rules.line("REVERSAL", one.trade_no, -one.refund_fen)


def _desk_refunds(day: date, others: Tally) -> Iterator[str]:
    """As above."""
    for one in his_desk_refunds.desk_refunds_of(day):
        if isinstance(one, Odd):
            yield rules.line("REVERSAL", bounded(one.number, rules.LONGEST_NUMBER), 0)
        elif one.state == "SUCCEEDED":
            yield rules.line("REVERSAL", one.refund_no, -one.amount_fen)


def _ebills(day: date, others: Tally) -> Iterator[str]:
    """Bills of other numbers are the counter's."""
    for one in ebill.bills_of(at_hospital(day, time.min), at_hospital(day, time.max)):
        if one.bus_no.startswith(store.OUR_BILLS):
            yield rules.line("RED" if one.red else "INVOICE", one.bus_no, -abs(one.total_fen) if one.red
                             else one.total_fen)
        else:
            others.add(0, one.total_fen)


_THEIRS = {WECHAT: _trade_bill, FUND_FLOW: _fund_flow, HIS: _his_trades, DESK: _desk_refunds, EBILL: _ebills}
