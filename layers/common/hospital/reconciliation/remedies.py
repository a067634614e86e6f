"""What is done about a difference: find its counterpart, ask the other side, finish our own step, or tell a person.

Each may be done twice, and is only ever what the mini-program's own steps would do: nothing is booked because a
list says so, but because the other side confirms it when asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import date, datetime
from typing import TypeVar

from msgspec.structs import replace

from hospital.database import outbox
from hospital.database.connection import Database
from hospital.gateways import ebill, wechatpay, wechatpay_bills
from hospital.gateways.his import trades as his_trades
from hospital.gateways.outcome import Rejected, Unanswered
from hospital.payment import refunds
from hospital.payment import service as payments
from hospital.payment import store as payment_store
from hospital.payment.model import ENDED, REGISTRATION
from hospital.reconciliation import rules, store
from hospital.reconciliation.model import (
    AMOUNT_DIFFERS,
    ASKED_AGAIN,
    DESK,
    DETAIL_DIFFERS,
    EBILL,
    FUND_FLOW,
    HIS,
    LATE,
    NONE,
    ORDER,
    OURS_ONLY,
    PROCESSING,
    QUERIED,
    RECORDED,
    TASK,
    THEIRS_ONLY,
    UNREADABLE,
    WAITS,
    Difference,
    Finding,
    Line,
)
from hospital.reconciliation.sources import NO_TRANSACTION, ROW

QUESTIONS = 300  # that one statement may ask others, lists aside
SILENT = 3  # who did not answer so often is not asked again by this statement
# What the platform was to make and never will.
_DROPPED = {("INVOICE", "VOID"): "已作废，未开具", ("RED", "ON_PAPER"): "已换开纸质票据，由窗口冲红"}
# What speaks against a line of theirs, and what it means that both sides have it with another detail.
ODD_LINES = {wechatpay_bills.APP: "账单行属于其他公众账号或商户号", wechatpay_bills.CURRENCY: "账单行币种不是人民币",
             wechatpay_bills.STATE: "账单行交易状态异常（如已撤销）", wechatpay_bills.DAY: "账单行不属于当日",
             NO_TRANSACTION: "医院系统未记录微信支付订单号", ROW: "医院系统清单中该行无法识别"}
OTHER_DETAIL = {HIS: "医院系统记录的微信支付订单号与我方不同"}
T = TypeVar("T")


class Patience:
    """How much one statement may still ask."""

    def __init__(self) -> None:
        self._left = QUESTIONS
        self._silent: Counter[str] = Counter()

    def ask(self, whom: str, question: Callable[[], T]) -> T:
        """The answer. Raises Unanswered, without asking when there has been enough of it; Rejected."""
        if self._left == 0 or self._silent[whom] >= SILENT:
            raise Unanswered(f"{whom}: not asked any more", sent=False)
        self._left -= 1
        try:
            return question()
        except Unanswered:
            self._silent[whom] += 1
            raise


def look(db: Database, day: date, one: Difference, now: datetime, patience: Patience) -> Finding:
    """Look into a difference of ``day`` and do what can be done by itself."""
    if one.odd:
        return _task(one, ODD_LINES[one.odd])
    if one.movement == UNREADABLE:
        return _task(one, "该行无法识别，请对照账单原文" + (f"，金额{one.theirs_fen}分" if one.theirs_fen else ""))
    if one.state == AMOUNT_DIFFERS:
        return _elsewhere(db, day, one, day) or _task(one, "金额不一致")
    if one.state == DETAIL_DIFFERS:
        return _task(one, OTHER_DETAIL.get(one.source, "商户订单号或退款状态与我方不同"))
    return _elsewhere(db, day, one, day) or _act(db, day, one, day, now, patience)


def look_again(db: Database, line: Line, on: date, now: datetime, patience: Patience) -> Finding:
    """Look again, on the statement of a later day, into a line that is still open."""
    finding = Finding(line.state, line.action, line.detail)
    found = _elsewhere(db, line.day, line.difference, on)
    if found is not None and found.settled_on:
        return found
    if line.action == WAITS:
        finding = found or _act(db, line.day, line.difference, on, now, patience)
    elif line.source == EBILL and line.difference.state == OURS_ONLY:
        asked = _act(db, line.day, line.difference, on, now, patience)
        finding = asked if asked.settled_on else finding
    if rules.overdue(line.day, on) and finding.action != TASK and not finding.settled_on:
        return Finding(finding.state, TASK, finding.detail)
    return finding


# -- counterparts -----------------------------------------------------------------------------------
def _elsewhere(db: Database, day: date, one: Difference, on: date) -> Finding | None:
    """Its counterpart, if there is one: an open line of another day, or what stands in our books now."""
    others = rules.evened_by(one, store.counterparts(db, day, one))
    if others:
        days = [other.day for other in others]
        return Finding(LATE, NONE, _detail(one, f"与{days[0]}账单对平"), max(on, *days))
    if one.state not in (THEIRS_ONLY, AMOUNT_DIFFERS) or one.odd:
        return None
    ours = store.ours_of(db, one.source, one.movement, one.number)
    if ours is None:
        return None
    fen, booked_on, named = ours
    if one.state == AMOUNT_DIFFERS:  # it may be booked in turns, on several days
        return Finding(LATE, NONE, "我方分次记账，合计一致") if fen == one.theirs_fen else None
    if fen != one.theirs_fen:
        return _task(one, f"我方{booked_on}记账金额不同")
    if named and one.names and named != one.names:
        return _task(one, f"我方{booked_on}记账，{OTHER_DETAIL.get(one.source, '商户订单号与我方不同')}")
    if booked_on == day:
        return Finding(THEIRS_ONLY, RECORDED, _detail(one, "已补记"), on)
    return Finding(LATE, NONE, _detail(one, f"我方记于{booked_on}"))


# -- remedies ---------------------------------------------------------------------------------------
def _act(db: Database, day: date, one: Difference, on: date, now: datetime, patience: Patience) -> Finding:
    try:
        if one.source == DESK:
            return _task(one, "窗口退费一方记为成功，另一方没有")
        if one.source == HIS:
            return _push_step(db, one, now) if one.state == THEIRS_ONLY else _ask_his(db, one, patience)
        if one.source == EBILL:
            if one.state == THEIRS_ONLY:
                return _push_invoice(db, one, now)
            return _ask_ebill(db, day, one, on, patience)
        if one.state != THEIRS_ONLY:
            return _ask_wechat(db, one, patience)
        if one.movement == "CAPTURE":
            return _record_capture(db, day, one, on, now, patience)
        return _record_refund(db, day, one, on, now, patience)
    except (Unanswered, Rejected) as silence:
        return Finding(one.state, WAITS, _detail(one, f"对方未答复（{silence.reason}）"))


def _record_capture(db: Database, day: date, one: Difference, on: date, now: datetime, patience: Patience) -> Finding:
    payment = payment_store.of_trade(db, one.order)
    if payment is None or payment.state == "PAID":
        return _task(one, "微信有收款，系统无此订单" if payment is None else "该订单已由另一笔支付付清")
    state = patience.ask("wechatpay", lambda: payments.ask(db, payment, now))
    return _elsewhere(db, day, one, on) or _task(one, f"微信查询结果为{state}，与账单不符")


def _record_refund(db: Database, day: date, one: Difference, on: date, now: datetime, patience: Patience) -> Finding:
    refund = payment_store.refund_of_number(db, one.number)
    if refund is not None and refund.state in ENDED:
        return _task(one, "微信有退款，系统中该退款单未经微信退回")
    if refund is not None and one.note == PROCESSING:
        return Finding(LATE, NONE, "微信退款处理中")
    answer = patience.ask("wechatpay", lambda: wechatpay.query_refund(one.number))
    if answer is not None and refund is not None:
        refunds.record(db, answer, now)
    if answer is not None and answer.state == "CLOSED" and one.source == FUND_FLOW:
        return Finding(LATE, QUERIED, "微信已关闭此退款，资金账单应另有退款关闭入账")
    if answer is None or refund is None:
        return _task(one, "微信有退款，系统无此退款单" if refund is None else "微信查无此退款，与账单不符")
    if answer.state == PROCESSING:
        return Finding(LATE, QUERIED, "微信退款处理中")
    return _elsewhere(db, day, one, on) or _task(one, f"微信查询结果为{answer.state}，与账单不符")


def _ask_wechat(db: Database, one: Difference, patience: Patience) -> Finding:
    if one.movement == "CAPTURE":
        number = store.order_of_capture(db, one.number)
        order = patience.ask("wechatpay", lambda: wechatpay.query_order(number)) if number else None
        known = (order is not None and order.paid and not order.not_ours
                 and (order.transaction_id, order.total_fen) == (one.number, one.ours_fen))
    else:
        refund = payment_store.refund_of_number(db, one.number)
        payment = payment_store.by_id(db, refund.payment_id) if refund is not None else None
        told = patience.ask("wechatpay", lambda: wechatpay.query_refund(one.number))
        known = (refund is not None and payment is not None and told is not None and told.state == "SUCCESS"
                 and not refunds.differences(replace(refund, amount_fen=-(one.ours_fen or 0)), payment, told))
    return _known(one) if known else _task(one, "微信账单没有，查询也不符")


def _push_step(db: Database, one: Difference, now: datetime) -> Finding:
    steps = store.steps_under_way(db, one.number)
    if not steps:
        return _task(one, "医院系统已入账，系统没有进行中的步骤")
    with db.transaction() as tx:
        for topic, subject_id in steps:
            outbox.bring_forward(tx, topic, subject_id, now)
    return Finding(one.state, ASKED_AGAIN, "我方处理中，已催办")


def _ask_his(db: Database, one: Difference, patience: Patience) -> Finding:
    trade_no = rules.trade_of(one.number)  # older statements have a line for each turn
    transaction_id = store.transaction_of_trade(db, trade_no)
    trade = patience.ask("his", lambda: his_trades.check_trade(trade_no))
    if one.movement == "SETTLEMENT":
        known = (trade is not None and trade.settled_at is not None and trade.paid_fen == one.ours_fen
                 and trade.transaction_id == transaction_id)
    else:
        booked = store.ours_of(db, HIS, one.movement, trade_no)  # in all its turns
        known = trade is not None and booked is not None and (
            (trade.state, -trade.refund_fen, trade.transaction_id) == ("CANCELLED", booked[0], transaction_id))
    return _known(one) if known else _task(one, "医院系统清单没有，查询也不符")


def _push_invoice(db: Database, one: Difference, now: datetime) -> Finding:
    invoice_id = one.number.removeprefix(store.OUR_BILLS)
    invoice = store.invoice(db, invoice_id)
    if invoice is None or invoice["state"] != store.UNDER_WAY[one.movement]:
        return _task(one, "票据平台已开，系统没有进行中的开票")
    with db.transaction() as tx:
        if one.movement == "INVOICE":
            outbox.bring_forward(tx, "invoice.issue", invoice_id, now)
        else:
            outbox.bring_forward(tx, "invoice.write-off", invoice_id, now)
    return Finding(one.state, ASKED_AGAIN, "我方处理中，已催办")


def _ask_ebill(db: Database, day: date, one: Difference, on: date, patience: Patience) -> Finding:
    """The platform lists by the day of the business: what it made after it was asked for its list comes on no other."""
    invoice = store.invoice(db, one.number.removeprefix(store.OUR_BILLS))
    if invoice is None:
        return _task(one, "票据平台清单没有，系统也无此票据")
    if (one.movement, invoice["state"]) in _DROPPED:
        return Finding(LATE, NONE, _DROPPED[one.movement, invoice["state"]], on)
    bus_type = ebill.REGISTRATION if invoice["kind"] == REGISTRATION else ebill.OUTPATIENT
    bill = patience.ask("ebill", lambda: ebill.state_of(one.number, bus_type))
    if bill is not None and (one.movement == "INVOICE" or bill.written_off):
        return Finding(LATE, QUERIED, "票据平台查询有此票据", on if on > day else None)
    if invoice["state"] == store.UNDER_WAY[one.movement]:
        return Finding(LATE, WAITS, "开具中" if one.movement == "INVOICE" else "冲红中")
    return _task(one, "票据平台清单没有，查询也不符")


def _known(one: Difference) -> Finding:
    return Finding(LATE, QUERIED, _detail(one, "对方查询有此笔，应在其他日期的账单中"))


def _task(one: Difference, why: str) -> Finding:
    return Finding(one.state, TASK, _detail(one, why))


def _detail(one: Difference, text: str) -> str:
    return f"{ORDER}{one.order} {text}" if one.movement == "CAPTURE" and one.order else text


def unlooked(one: Difference) -> Finding:
    """For a difference that is one of too many."""
    return Finding(one.state, WAITS, _detail(one, "差异过多，未逐笔核查"))
