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
from hospital.gateways.wechatpay_bills import TradeLine, Unread
from hospital.reconciliation import rules, sorting, store
from hospital.reconciliation.model import DESK, EBILL, FUND_FLOW, HIS, PROCESSING, UNREADABLE, WECHAT, Difference, Tally
from hospital.runtime.clock import at_hospital, hospital_day
from hospital.runtime.ids import bounded

NO_TRANSACTION = "TRANSACTION"  # speaks against a trade of the HIS that names no payment
ROW = "ROW"  # speaks against a row of the HIS's that can't be read
MONEY_BACK = {"退款", "退款关闭"}  # kinds of the fund flow: out, and in again when WeChat closed it


Movement = tuple[str, str, int, str]  # movement, number, fen, note


def theirs(source: str, day: date, others: Tally) -> Iterator[str]:
    """The other side's movements, unsorted; what is not ours to compare is added to ``others``.

    A line that can't be read is one of its own. Raises Unanswered, NotReady, Rejected, at the end too: nothing may be
    believed before it ended.
    """
    for place, one in enumerate(_THEIRS[source](day, others), 1):
        movement, number, fen, note = one
        try:
            yield rules.line(movement, number, fen, note)
        except rules.Unreadable:
            yield rules.line(UNREADABLE, f"{day}:N{place}", fen)


class Strangers:
    """Tells lines of WeChat's that our books don't have from those of others under the same merchant number."""

    def __init__(self, day: date) -> None:
        self._day = day
        self._numbers: set[str] | None = None

    def has(self, one: Difference) -> bool:
        """Whether a difference is somebody else's business. Raises as the trade bill does."""
        if one.source not in (WECHAT, FUND_FLOW) or one.ours_fen is not None or one.movement == UNREADABLE:
            return False
        if one.odd == wechatpay_bills.APP or not rules.of_our_form(one):
            return True
        return one.source == FUND_FLOW and one.number in self._listed()

    def _listed(self) -> set[str]:
        """Numbers of others' lines in the day's trade bill: the fund-flow bill names no mini-program."""
        if self._numbers is None:
            lines = [one for one in wechatpay_bills.trade_bill(self._day)
                     if isinstance(one, TradeLine) and one.odd == wechatpay_bills.APP]
            self._numbers = {one.out_refund_no or one.transaction_id for one in lines}
        return self._numbers


@contextmanager
def ours(db: Database, source: str, day: date) -> Iterator[Iterator[rules.Entry]]:
    """Our movements in order: movement and number with a tab between, fen, and the order or transaction."""
    if source in (WECHAT, FUND_FLOW):
        yield store.ledger(db, day, ("CAPTURE", "REFUND"), source)
    elif source == HIS:
        yield rules.by_trade(store.ledger(db, day, ("REVERSAL", "SETTLEMENT"), source))
    elif source == DESK:
        yield store.desk_refunds(db, day)
    else:
        first, last = at_hospital(day, time.min), at_hospital(day, time.max)
        lines = (rules.line(movement, store.OUR_BILLS + number, fen)
                 for movement, number, fen in store.invoices(db, first, last))
        with sorting.in_order(lines) as sorted_lines:
            yield rules.entries(sorted_lines)


def _trade_bill(day: date, others: Tally) -> Iterator[Movement]:
    """Refunds that failed moved nothing; one under way moves on another day."""
    for one in wechatpay_bills.trade_bill(day):
        if isinstance(one, Unread):
            yield _unread(day, one)
        elif not one.back:
            yield "CAPTURE", one.transaction_id, one.paid_fen, rules.odd(one.odd, one.out_trade_no)
        elif one.refund_state == PROCESSING and not one.odd:
            yield "REFUND", one.out_refund_no, -one.refund_fen, PROCESSING
        elif one.refund_state != "FAIL":
            yield "REFUND", one.out_refund_no, -one.refund_fen, rules.odd(one.odd, one.out_trade_no)


def _fund_flow(day: date, others: Tally) -> Iterator[Movement]:
    for one in wechatpay_bills.fund_flow(day):
        if isinstance(one, Unread):
            yield _unread(day, one)
        elif one.kind == "交易" and one.income:
            yield "CAPTURE", one.business_id, one.amount_fen, rules.odd(one.odd, one.voucher)
        elif one.kind in MONEY_BACK:
            yield "REFUND", one.voucher, one.amount_fen if one.income else -one.amount_fen, rules.odd(one.odd, "")
        else:
            others.add(0, one.amount_fen if one.income else -one.amount_fen)


def _unread(day: date, one: Unread) -> Movement:
    return UNREADABLE, f"{day}:L{one.number}", 0, ""


def _his_trades(day: date, others: Tally) -> Iterator[Movement]:
    """A row that can't be read is a line without money: a difference, which is a person's business."""
    for one in his_trades.money_trades(day):
        if isinstance(one, Odd):
            yield "SETTLEMENT", bounded(one.number, rules.LONGEST_NUMBER), 0, rules.odd(ROW, "")
            continue
        paid_with = one.transaction_id or rules.odd(NO_TRANSACTION, "")
        if one.paid_fen and one.settled_at and hospital_day(one.settled_at) == day:
            yield "SETTLEMENT", one.trade_no, one.paid_fen, paid_with
        if one.refund_fen and one.cancelled_at and hospital_day(one.cancelled_at) == day:
            yield "REVERSAL", one.trade_no, -one.refund_fen, paid_with


def _desk_refunds(day: date, others: Tally) -> Iterator[Movement]:
    """As above."""
    for one in his_desk_refunds.desk_refunds_of(day):
        if isinstance(one, Odd):
            yield "REVERSAL", bounded(one.number, rules.LONGEST_NUMBER), 0, rules.odd(ROW, "")
        elif one.state == "SUCCEEDED":
            yield "REVERSAL", one.refund_no, -one.amount_fen, ""


def _ebills(day: date, others: Tally) -> Iterator[Movement]:
    """Bills of other numbers are the counter's; one that can't be read and has no number may be ours."""
    for one in ebill.bills_of(at_hospital(day, time.min), at_hospital(day, time.max)):
        if isinstance(one, ebill.OddBill):
            if one.bus_no.startswith(store.OUR_BILLS) or not one.bus_no:
                yield "INVOICE", bounded(one.bus_no or f"{day}:?", rules.LONGEST_NUMBER), 0, rules.odd(ROW, "")
            else:
                others.add(0, 0)
        elif one.bus_no.startswith(store.OUR_BILLS):
            movement, fen = ("RED", -abs(one.total_fen)) if one.red else ("INVOICE", one.total_fen)
            yield movement, one.bus_no, fen, ""
        else:
            others.add(0, one.total_fen)


_THEIRS = {WECHAT: _trade_bill, FUND_FLOW: _fund_flow, HIS: _his_trades, DESK: _desk_refunds, EBILL: _ebills}
