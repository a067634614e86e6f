"""Charges (缴费): lock a bill, settle it, give it back; keyed by the caller's trade number.

LOCKED -> SETTLED -> CANCELLED; LOCKED -> UNLOCKED; LOCKED -> EXPIRED (by time) -> SETTLED or UNLOCKED.
UNLOCKED and CANCELLED are final.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sandbox.clock import Clock
from sandbox.his.bills import Bills
from sandbox.his.model import Refused
from sandbox.his.money import Bill, Charge
from sandbox.his.payments import Payment
from sandbox.his.trades import LONGEST_HOLD, Trades, owner_of_bills
from sandbox.his.wire import CODE, TRADE_NO, Fields, show, wrong

_MESSAGES = {
    "NOT_SETTLED": "该交易尚未结算，不能退费", "ALREADY_REFUNDED": "该费用已退", "EXECUTED": "项目已执行，不能在线退费",
    "PARTLY_REFUNDED": "窗口已退过一部分，请到窗口办理", "INVOICE_ON_PAPER": "票据已换开纸质，请到窗口办理",
}
_MOST_VERSIONS = 1_000_000


class Charges:
    """The book of charges. The owner holds its lock around every call."""

    def __init__(self, clock: Clock, bills: Bills, trades: Trades) -> None:
        self._clock = clock
        self._bills = bills
        self._trades = trades

    def lock(self, body: dict[str, Any]) -> dict[str, Any]:
        """Take one unpaid bill until ``hold_until``: neither the desk nor another trade can pay it."""
        fields = Fields(body, ("trade_no", "bill_no", "version", "amount_fen", "hold_until"))
        trade_no, bill_no = fields.text("trade_no", TRADE_NO), fields.text("bill_no", CODE)
        version, amount_fen = fields.number("version", 1, _MOST_VERSIONS), fields.fen("amount_fen")
        hold_until = fields.moment("hold_until")
        known, now = self._trades.find(trade_no, Charge), self._clock.now()
        if known is not None:
            return _lock_again(known, (bill_no, version, amount_fen, hold_until))
        if not now < hold_until <= now + LONGEST_HOLD:
            raise wrong("hold_until", "应在当前时间之后二十四小时以内")
        bill = self._bills.known(bill_no)
        _check_unpaid(bill, now)
        if (version, amount_fen) != (bill.version, bill.total_fen):
            raise Refused("BILL_CHANGED", "费用已变更，请重新查询")
        fresh = Charge(trade_no=trade_no, patient_code=bill.patient_code, fee_fen=amount_fen,
                       hold_until=hold_until, stored="LOCKED", changed=now, bill=bill, version=version)
        self._trades.add(fresh)
        bill.lock = fresh
        return _locked(fresh)

    def unlock(self, body: dict[str, Any]) -> dict[str, Any]:
        """Let the bill go, and make the trade number useless for ever, known before or not."""
        trade_no = Fields(body, ("trade_no",)).text("trade_no", TRADE_NO)
        known, now = self._trades.find(trade_no, Charge), self._clock.now()
        if known is None:
            self._trades.add(Charge(trade_no=trade_no, stored="UNLOCKED", changed=now))
        elif known.stored == "SETTLED":
            raise Refused("ALREADY_SETTLED", "费用已结算，不能解锁")
        elif known.stored == "CANCELLED":
            raise Refused("ALREADY_CANCELLED", "费用已退")
        elif known.stored == "LOCKED":
            known.stored, known.changed = "UNLOCKED", now
        return {"trade_no": trade_no, "state": "UNLOCKED"}

    def settle(self, body: dict[str, Any]) -> dict[str, Any]:
        """The bill is paid: it goes to the pharmacy, the laboratory and so on."""
        fields = Fields(body, ("trade_no", "payment"))
        trade_no = fields.text("trade_no", TRADE_NO)
        payment = Payment.read(fields.inner("payment", Payment.NAMES))
        known, now = self._trades.known(trade_no, Charge), self._clock.now()
        bill = known.bill
        if known.stored in ("UNLOCKED", "CANCELLED") or bill is None:
            raise Refused("TRADE_CLOSED", "该交易号已解锁或退费，不能再结算")
        if payment.paid_fen != known.fee_fen:
            raise Refused("AMOUNT_MISMATCH", "支付金额与锁定金额不一致")
        if known.stored == "SETTLED":
            if known.transaction_id != payment.transaction_id:
                raise Refused("PAYMENT_CONFLICT", "该费用已由另一笔支付结算")
            return _settled(known)
        owner = owner_of_bills(bill.patient_code)
        self._trades.check_payment(payment, owner)
        _check_still_ours(known, bill, now)
        known.stored, known.changed = "SETTLED", now
        self._trades.book_payment(known, payment, owner, now)
        bill.lock = known
        known.settlement_no = self._bills.settle(bill, "WECHAT")
        known.pharmacy_window = self._bills.window_for(bill)
        return _settled(known)

    def cancel(self, body: dict[str, Any]) -> dict[str, Any]:
        """Take a settled bill back as a whole; the caller refunds ``refund_fen`` by itself."""
        fields = Fields(body, ("trade_no", "reason", "refund_fen"))
        trade_no = fields.text("trade_no", TRADE_NO)
        reason, refund_fen = fields.text("reason", r"(?s).{1,200}"), fields.fen("refund_fen")
        known = self._trades.known(trade_no, Charge)
        if known.stored == "CANCELLED":
            if known.refund_fen != refund_fen:
                raise Refused("TRADE_CONFLICT", "该费用已按另一金额退费")
            return {"trade_no": trade_no, "state": "CANCELLED"}
        refusals = known.refusals()
        if refusals or known.bill is None:
            raise Refused(refusals[0], _MESSAGES[refusals[0]])
        if refund_fen != known.paid_fen:
            raise Refused("AMOUNT_MISMATCH", "在线退费只能整单退")
        now = self._clock.now()
        known.stored, known.changed, known.cancelled_at = "CANCELLED", now, now
        known.reason, known.refund_fen = reason, refund_fen
        known.bill.stored = "REFUNDED"
        return {"trade_no": trade_no, "state": "CANCELLED"}

    def refundability(self, trade_no: str) -> dict[str, Any]:
        """Whether the patient may have it refunded on line now, and how far each item has gone."""
        known = self._trades.known(trade_no, Charge)
        reasons, items = known.refusals(), known.bill.items if known.bill and known.settled_at else []
        whole = known.stored == "CANCELLED"
        return {"trade_no": trade_no, "refundable": not reasons, "reasons": reasons, "items": [
            {"item_no": item.item_no, "executed": item.executed,
             "refunded_fen": item.amount_fen if whole else known.refunded_fen(item.item_no, "SUCCEEDED")}
            for item in items]}


def _check_unpaid(bill: Bill, now: datetime) -> None:
    state = bill.state_at(now)
    if state == "CANCELLED":
        raise Refused("BILL_CANCELLED", "费用已作废")
    if state != "UNPAID":
        raise Refused("BILL_PAID", "费用已支付")
    if bill.locked_by(now):
        raise Refused("BILL_LOCKED", "费用正由另一笔交易支付")


def _check_still_ours(known: Charge, bill: Bill, now: datetime) -> None:
    """Whether the locked bill may be settled: after the lock's end only if nothing has happened to it."""
    if known.state_at(now) == "EXPIRED":
        if bill.state_at(now) != "UNPAID" or bill.locked_by(now) or bill.version != known.version:
            raise Refused("LOCK_EXPIRED", "锁定已过期，费用已支付、作废、变更或正由他人支付")
    elif bill.stored == "CANCELLED":
        raise Refused("BILL_CANCELLED", "费用已作废")
    elif bill.version != known.version:
        raise Refused("BILL_CHANGED", "费用已变更")


def _lock_again(known: Charge, wanted: tuple[str, int, int, datetime]) -> dict[str, Any]:
    if known.stored in ("UNLOCKED", "CANCELLED") or known.bill is None:
        raise Refused("TRADE_CLOSED", "该交易号已解锁或退费，不能再使用")
    if (known.bill.bill_no, known.version, known.fee_fen, known.hold_until) != wanted:
        raise Refused("TRADE_CONFLICT", "该交易号已用于不同的请求")
    return _locked(known)


def _locked(one: Charge) -> dict[str, Any]:
    return {"trade_no": one.trade_no, "bill_no": one.bill.bill_no if one.bill else None, "state": "LOCKED",
            "hold_until": show(one.hold_until) if one.hold_until else None}


def _settled(one: Charge) -> dict[str, Any]:
    return {"trade_no": one.trade_no, "state": "SETTLED", "settlement_no": one.settlement_no,
            "bill_no": one.bill.bill_no if one.bill else None, "pharmacy_window": one.pharmacy_window,
            "settled_at": show(one.settled_at) if one.settled_at else None}
