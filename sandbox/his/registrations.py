"""Registrations (挂号): lock, unlock, confirm, cancel, and what became of a trade.

LOCKED -> CONFIRMED -> CANCELLED; LOCKED -> UNLOCKED; LOCKED -> EXPIRED (by time) -> CONFIRMED or
UNLOCKED. UNLOCKED and CANCELLED are final. Every operation is keyed by the caller's trade number.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

from sandbox.clock import Clock
from sandbox.his.model import BEIJING, LIVE, Refused, Registration, Slot, moment_of
from sandbox.his.patients import Patients
from sandbox.his.sessions import Sessions
from sandbox.his.wire import CODE, TRADE_NO, Fields, show, wrong

LONGEST_HOLD = timedelta(hours=24)
TRANSACTION = r"[0-9A-Za-z]{1,32}"
_Seat = tuple[str, str, date, str]  # patient, doctor, day, period: at most one live registration


class Registrations:
    """The book of registrations. The owner holds its lock around every call."""

    def __init__(self, clock: Clock, sessions: Sessions, patients: Patients) -> None:
        self._clock = clock
        self._sessions = sessions
        self._patients = patients
        self._trades: dict[str, Registration] = {}
        self._seats: dict[_Seat, Registration] = {}  # the last registration of each seat
        self._paid_by: dict[str, str] = {}  # transaction id -> trade number

    # -- operations -----------------------------------------------------------------------------
    def lock(self, body: dict[str, Any]) -> dict[str, Any]:
        """Hold one slot for one patient until ``hold_until``."""
        fields = Fields(body, ("trade_no", "slot_code", "patient_code", "fee_fen", "hold_until"))
        trade_no = fields.text("trade_no", TRADE_NO)
        slot_code, patient_code = fields.text("slot_code", CODE), fields.text("patient_code", CODE)
        fee_fen, hold_until = fields.fen("fee_fen"), fields.moment("hold_until")
        known, now = self._trades.get(trade_no), self._clock.now()
        if known is not None:
            return self._lock_again(known, slot_code, patient_code, fee_fen, hold_until)
        if not now < hold_until <= now + LONGEST_HOLD:
            raise wrong("hold_until", "应在当前时间之后二十四小时以内")
        if not self._patients.knows(patient_code):
            raise Refused("PATIENT_UNKNOWN", "患者不存在", 404)
        slot = self._sessions.slot(slot_code)
        if slot is None:
            raise Refused("SLOT_UNKNOWN", "号源不存在", 404)
        self._check_slot(slot, patient_code, fee_fen, now)
        day = now.astimezone(BEIJING)
        fresh = Registration(trade_no, f"R{day:%Y%m%d}{len(self._trades) + 1:06d}", slot, patient_code,
                             fee_fen, hold_until, "LOCKED", now)
        self._trades[trade_no] = fresh
        self._take(fresh)
        return _locked(fresh)

    def unlock(self, body: dict[str, Any]) -> dict[str, Any]:
        """Give a held slot back, and make the trade number useless for ever, known before or not."""
        trade_no = Fields(body, ("trade_no",)).text("trade_no", TRADE_NO)
        known, now = self._trades.get(trade_no), self._clock.now()
        if known is None:
            self._trades[trade_no] = Registration(trade_no, None, None, None, None, None, "UNLOCKED", now)
        elif known.stored == "CONFIRMED":
            raise Refused("ALREADY_CONFIRMED", "挂号已确认，不能解锁")
        elif known.stored == "CANCELLED":
            raise Refused("ALREADY_CANCELLED", "挂号已取消")
        elif known.stored == "LOCKED":
            known.stored, known.changed = "UNLOCKED", now
        return {"trade_no": trade_no, "state": "UNLOCKED"}

    def confirm(self, body: dict[str, Any]) -> dict[str, Any]:
        """Turn the hold into a registration, paid or to be paid at check-in."""
        fields = Fields(body, ("trade_no", "payment"))
        trade_no = fields.text("trade_no", TRADE_NO)
        mode, transaction_id, paid_fen, paid_at = _payment(fields)
        known, now = self._known(trade_no), self._clock.now()
        if known.stored in ("UNLOCKED", "CANCELLED") or known.slot is None:
            raise Refused("TRADE_CLOSED", "该交易号已解锁或取消，不能再确认")
        if mode == "PREPAID" and paid_fen != known.fee_fen:
            raise Refused("AMOUNT_MISMATCH", "支付金额与挂号费不一致")
        if known.stored == "CONFIRMED":
            if (known.mode, known.transaction_id) != (mode, transaction_id):
                raise Refused("PAYMENT_CONFLICT", "该挂号已由另一笔支付确认")
            return _confirmed(known)
        if transaction_id is not None and transaction_id in self._paid_by:
            raise Refused("PAYMENT_CONFLICT", "这笔支付已用于另一个挂号")
        if known.slot.schedule.state == "STOPPED":
            raise Refused("SCHEDULE_STOPPED", "医生已停诊")
        if known.state_at(now) == "EXPIRED" and not self._can_return(known, known.slot, now):
            raise Refused("LOCK_EXPIRED", "锁号已过期，号源已被占用或已过就诊时间")
        known.stored, known.changed, known.mode = "CONFIRMED", now, mode
        known.transaction_id, known.paid_fen, known.paid_at = transaction_id, paid_fen, paid_at
        known.visit_number = f"{known.slot.schedule.period[0]}{known.slot.number:03d}"
        if transaction_id is not None:
            self._paid_by[transaction_id] = trade_no
        self._take(known)
        return _confirmed(known)

    def cancel(self, body: dict[str, Any]) -> dict[str, Any]:
        """Take a confirmed registration back; the caller refunds ``refund_fen`` by itself."""
        fields = Fields(body, ("trade_no", "reason", "refund_fen"))
        trade_no = fields.text("trade_no", TRADE_NO)
        reason, refund_fen = fields.text("reason", r"(?s).{1,200}"), fields.fen("refund_fen")
        known, now = self._known(trade_no), self._clock.now()
        if known.stored == "CANCELLED":
            if known.refund_fen != refund_fen:
                raise Refused("TRADE_CONFLICT", "该挂号已按另一退款金额取消")
        elif known.stored != "CONFIRMED" or known.slot is None:
            raise Refused("NOT_CONFIRMED", "挂号尚未确认，不能退号")
        elif known.checked_in:
            raise Refused("ALREADY_CHECKED_IN", "患者已报到，不能退号")
        elif known.slot.schedule.starts_at <= now and known.slot.schedule.state == "OPEN":
            raise Refused("SESSION_STARTED", "出诊已开始，不能退号")
        elif refund_fen > known.paid_fen:
            raise Refused("AMOUNT_MISMATCH", "退款金额大于已付金额")
        else:
            known.stored, known.changed = "CANCELLED", now
            known.reason, known.refund_fen = reason, refund_fen
        return {"trade_no": trade_no, "state": "CANCELLED"}

    def trade(self, trade_no: str) -> dict[str, Any]:
        """What became of a trade (the trade check)."""
        return _trade(self._known(trade_no), self._clock.now())

    def trades_on(self, day: date) -> list[tuple[datetime, dict[str, Any]]]:
        """The trades whose present state began on this hospital day, oldest first."""
        now, begin, end = self._clock.now(), moment_of(day, 0), moment_of(day, 24 * 60)
        found = [
            (changed, one) for one in self._trades.values()
            if begin <= (changed := one.changed_at(now)) < end
        ]
        found.sort(key=lambda pair: (pair[0], pair[1].trade_no))
        return [(changed, _trade(one, now)) for changed, one in found]

    # -- for the control side -------------------------------------------------------------------
    def books(self) -> Iterator[dict[str, Any]]:
        """Every registration there ever was; bare marks of unused trade numbers are none."""
        now = self._clock.now()
        for one in self._trades.values():
            if one.slot is not None:
                session = one.slot.schedule
                yield {
                    "trade_no": one.trade_no, "slot_code": one.slot.code, "patient_code": one.patient_code,
                    "doctor_code": session.doctor.code, "date": session.day.isoformat(),
                    "period": session.period, "state": one.state_at(now), "fee_fen": one.fee_fen,
                    "paid_fen": one.paid_fen, "transaction_id": one.transaction_id,
                    "refund_fen": one.refund_fen, "reason": one.reason,
                }

    def check_in(self, trade_no: str) -> None:
        """The patient reports at the department: from now on cancelling is refused."""
        known = self._known(trade_no)
        if known.stored != "CONFIRMED":
            raise Refused("NOT_CONFIRMED", "挂号尚未确认，不能报到")
        known.checked_in = True

    # -- inside ---------------------------------------------------------------------------------
    def _known(self, trade_no: str) -> Registration:
        known = self._trades.get(trade_no)
        if known is None:
            raise Refused("TRADE_UNKNOWN", "交易不存在", 404)
        return known

    @staticmethod
    def _lock_again(known: Registration, slot_code: str, patient_code: str, fee_fen: int,
                    hold_until: datetime) -> dict[str, Any]:
        if known.stored in ("UNLOCKED", "CANCELLED") or known.slot is None:
            raise Refused("TRADE_CLOSED", "该交易号已解锁或取消，不能再使用")
        before = (known.slot.code, known.patient_code, known.fee_fen, known.hold_until)
        if before != (slot_code, patient_code, fee_fen, hold_until):
            raise Refused("TRADE_CONFLICT", "该交易号已用于不同的锁号请求")
        return _locked(known)

    def _check_slot(self, slot: Slot, patient_code: str, fee_fen: int, now: datetime) -> None:
        session = slot.schedule
        if session.state == "STOPPED":
            raise Refused("SCHEDULE_STOPPED", "医生已停诊")
        if slot.starts_at <= now:
            raise Refused("SCHEDULE_OVER", "号源时间已过")
        if fee_fen != session.fee_fen:
            raise Refused("FEE_CHANGED", "挂号费已调整")
        if self._seat_taken(_seat(slot, patient_code), now):
            raise Refused("DUPLICATE_REGISTRATION", "患者在该医生同一时段已有挂号")
        if not slot.is_free(now):
            raise Refused("SLOT_TAKEN", "号源已被占用")

    def _seat_taken(self, seat: _Seat, now: datetime) -> bool:
        last = self._seats.get(seat)
        return last is not None and last.state_at(now) in LIVE

    def _can_return(self, expired: Registration, slot: Slot, now: datetime) -> bool:
        """Whether an expired lock may still be confirmed: slot and patient are free, its time to come."""
        seat = _seat(slot, str(expired.patient_code))
        return slot.is_free(now) and slot.starts_at > now and not self._seat_taken(seat, now)

    def _take(self, one: Registration) -> None:
        if one.slot is not None:
            one.slot.holder = one
            self._seats[_seat(one.slot, str(one.patient_code))] = one


def _seat(slot: Slot, patient_code: str) -> _Seat:
    session = slot.schedule
    return patient_code, session.doctor.code, session.day, session.period


def _payment(fields: Fields) -> tuple[str, str | None, int, datetime | None]:
    names = ("mode", "channel", "transaction_id", "paid_fen", "paid_at")
    mode = fields.inner("payment", names).choice("mode", ("PREPAID", "AT_CHECKIN"))
    payment = fields.inner("payment", names if mode == "PREPAID" else ("mode",))
    if mode == "AT_CHECKIN":
        return mode, None, 0, None
    payment.choice("channel", ("WECHAT",))
    transaction_id = payment.text("transaction_id", TRANSACTION)
    return mode, transaction_id, payment.fen("paid_fen"), payment.moment("paid_at")


def _locked(one: Registration) -> dict[str, Any]:
    return {"trade_no": one.trade_no, "registration_code": one.code, "state": "LOCKED",
            "hold_until": show(one.hold_until) if one.hold_until else None}


def _place(one: Registration) -> dict[str, Any]:
    if one.slot is None or one.visit_number is None:
        return {"visit_number": None, "location": None, "clinic_room": None, "starts_at": None}
    session = one.slot.schedule
    return {"visit_number": one.visit_number, "location": session.department.location,
            "clinic_room": session.clinic_room, "starts_at": show(one.slot.starts_at)}


def _confirmed(one: Registration) -> dict[str, Any]:
    return {"trade_no": one.trade_no, "registration_code": one.code, "state": "CONFIRMED", **_place(one)}


def _trade(one: Registration, now: datetime) -> dict[str, Any]:
    return {
        "trade_no": one.trade_no, "kind": "REGISTRATION", "state": one.state_at(now),
        "registration_code": one.code, "slot_code": one.slot.code if one.slot else None,
        "fee_fen": one.fee_fen, "payment_mode": one.mode, "paid_fen": one.paid_fen,
        "transaction_id": one.transaction_id, "paid_at": show(one.paid_at) if one.paid_at else None,
        "refund_fen": one.refund_fen,
        "hold_until": show(one.hold_until) if one.hold_until else None,
        "updated_at": show(one.changed_at(now)), **_place(one),
    }
