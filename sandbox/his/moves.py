"""Moving a registration (改约): the patient, and what the caller was paid for them, go to another number at once."""

from __future__ import annotations

from typing import Any

from sandbox.clock import Clock
from sandbox.his.model import Refused, Registration
from sandbox.his.payments import TRANSACTION, Payment
from sandbox.his.registrations import Registrations, confirmed
from sandbox.his.trades import Trades
from sandbox.his.wire import TRADE_NO, Fields

_DIFFERENCE = ("trade_no", *Payment.NAMES)


class Moves:
    """The operation. The owner holds its lock around every call."""

    def __init__(self, clock: Clock, registrations: Registrations, trades: Trades) -> None:
        self._clock = clock
        self._registrations = registrations
        self._trades = trades

    def move(self, body: dict[str, Any]) -> dict[str, Any]:
        """Make a lock firm with what was paid for another registration, which ends by it; all of it or nothing."""
        fields = Fields(body, ("trade_no", "from_trade_no", "transaction_id", "difference"))
        new = self._registrations.known(fields.text("trade_no", TRADE_NO))
        old = self._registrations.known(fields.text("from_trade_no", TRADE_NO))
        transaction_id = fields.text("transaction_id", TRANSACTION) if fields.has("transaction_id") else None
        extra = self._difference(fields)
        if new.slot is None or old.slot is None or new.stored in ("UNLOCKED", "CANCELLED"):
            raise Refused("TRADE_CLOSED", "该交易号已解锁或取消，不能再使用")
        if new.stored == "CONFIRMED":
            if old.moved_to != new.trade_no:
                raise Refused("TRADE_CONFLICT", "该交易号已另行确认")
            return confirmed(new)
        self._check_old(old, transaction_id)
        self._registrations.check_lock(new)
        parts = [one for one in self._trades.of_kind(Registration) if one.part_of == old.trade_no
                 and one.stored == "CONFIRMED"]
        along_fen = self._along_fen(old, new, parts, extra[1].paid_fen if extra else 0)
        if extra:
            self._trades.check_payment(extra[1], extra[0])
            if self._trades.find(extra[0], Registration) is not None:
                raise Refused("TRADE_CONFLICT", "补差交易号已使用")
        self._carry_out(old, new, parts, along_fen, extra)
        return confirmed(new)

    def _difference(self, fields: Fields) -> tuple[str, Payment] | None:
        if not fields.has("difference"):
            return None
        inner = fields.inner("difference", _DIFFERENCE)
        return inner.text("trade_no", TRADE_NO), Payment.read(inner)

    def _check_old(self, old: Registration, transaction_id: str | None) -> None:
        now, session = self._clock.now(), old.slot.schedule if old.slot is not None else None
        if old.stored != "CONFIRMED" and not self._registrations.is_open(old):
            raise Refused("NOT_CONFIRMED", "原挂号未生效或已退号，不能改约")
        if old.arrival is not None:
            raise Refused("ALREADY_CHECKED_IN", "患者已报到，不能改约")
        if session is not None and session.state == "OPEN" and session.starts_at <= now:
            raise Refused("SESSION_STARTED", "出诊已开始，不能改约")
        if old.desk_fen("REQUESTED", "SUCCEEDED"):
            raise Refused("PARTLY_REFUNDED", "窗口已退过一部分，请到窗口办理")
        if old.transaction_id != transaction_id:
            raise Refused("PAYMENT_CONFLICT", "原挂号不是由这笔支付付清")

    @staticmethod
    def _along_fen(old: Registration, new: Registration, parts: list[Registration], extra_fen: int) -> int:
        """What of the payment is the new number's; with all that was and is paid besides it makes up the fee."""
        if old.transaction_id is None:
            if extra_fen:
                raise Refused("AMOUNT_MISMATCH", "到院支付的挂号没有差价")
            return 0
        before, fee = sum(one.paid_fen for one in parts), new.fee_fen or 0
        if before:  # the parts go along whole
            if extra_fen or old.paid_fen + before != fee:
                raise Refused("AMOUNT_MISMATCH", "补过差价的挂号只能改到同价号源")
            return old.paid_fen
        if extra_fen != max(0, fee - old.paid_fen) or not fee:
            raise Refused("AMOUNT_MISMATCH", "支付金额与挂号费不一致")
        return min(old.paid_fen, fee)

    def _carry_out(self, old: Registration, new: Registration, parts: list[Registration], along_fen: int,
                   extra: tuple[str, Payment] | None) -> None:
        now = self._clock.now()
        self._registrations.make_firm(new, old.mode or "AT_CHECKIN")
        if old.transaction_id is not None and old.paid_at is not None:
            self._trades.book_payment(new, Payment(old.transaction_id, along_fen, old.paid_at), new.trade_no, now)
        if extra is not None:
            number, payment = extra
            part = Registration(trade_no=number, code=new.code, patient_code=new.patient_code,
                                fee_fen=payment.paid_fen, stored="CONFIRMED", changed=now, mode="PREPAID",
                                part_of=new.trade_no)
            self._trades.add(part)
            self._trades.book_payment(part, payment, number, now)
        for one in parts:
            one.part_of = new.trade_no
        old.stored, old.changed, old.cancelled_at, old.reason = "CANCELLED", now, now, "改约"
        old.refund_fen, old.moved_to = old.paid_fen, new.trade_no
