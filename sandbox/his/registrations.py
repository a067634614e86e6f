"""Registrations (挂号): lock, unlock, confirm, cancel, and what became of a trade.

LOCKED -> CONFIRMED -> CANCELLED; LOCKED -> UNLOCKED; LOCKED -> EXPIRED (by time) -> CONFIRMED or
UNLOCKED. UNLOCKED and CANCELLED are final. Every operation is keyed by the caller's trade number.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from sandbox.clock import Clock
from sandbox.his.model import BEIJING, LIVE, Refused, Registration, Schedule, Slot
from sandbox.his.patients import Patients
from sandbox.his.payments import Payment
from sandbox.his.sessions import Sessions
from sandbox.his.trades import LONGEST_HOLD, Trades, common
from sandbox.his.wire import CODE, TRADE_NO, Fields, show, wrong

_Seat = tuple[str, str, date, str]  # patient, doctor, day, period: at most one live registration


class Registrations:
    """The book of registrations. The owner holds its lock around every call."""

    def __init__(self, clock: Clock, sessions: Sessions, patients: Patients, trades: Trades) -> None:
        self._clock = clock
        self._sessions = sessions
        self._patients = patients
        self._trades = trades
        self._made = 0
        self._seats: dict[_Seat, Registration] = {}  # the last registration of each seat

    # -- operations -----------------------------------------------------------------------------
    def lock(self, body: dict[str, Any]) -> dict[str, Any]:
        """Hold one slot for one patient until ``hold_until``."""
        fields = Fields(body, ("trade_no", "slot_code", "patient_code", "fee_fen", "hold_until"))
        trade_no = fields.text("trade_no", TRADE_NO)
        slot_code, patient_code = fields.text("slot_code", CODE), fields.text("patient_code", CODE)
        fee_fen, hold_until = fields.fen("fee_fen"), fields.moment("hold_until")
        known, now = self._trades.find(trade_no, Registration), self._clock.now()
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
        fresh = Registration(trade_no=trade_no, code=self._code(day), slot=slot,
                             patient_code=patient_code, fee_fen=fee_fen, hold_until=hold_until, stored="LOCKED",
                             changed=now)
        self._trades.add(fresh)
        self._take(fresh)
        return _locked(fresh)

    def unlock(self, body: dict[str, Any]) -> dict[str, Any]:
        """Give a held slot back, and make the trade number useless for ever, known before or not."""
        trade_no = Fields(body, ("trade_no",)).text("trade_no", TRADE_NO)
        known, now = self._trades.find(trade_no, Registration), self._clock.now()
        if known is None:
            self._trades.add(Registration(trade_no=trade_no, stored="UNLOCKED", changed=now))
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
        mode, payment = _payment(fields)
        transaction_id = payment.transaction_id if payment else None
        known, now = self.known(trade_no), self._clock.now()
        if known.stored in ("UNLOCKED", "CANCELLED") or known.slot is None:
            raise Refused("TRADE_CLOSED", "该交易号已解锁或取消，不能再确认")
        if payment is not None and payment.paid_fen != known.fee_fen:
            raise Refused("AMOUNT_MISMATCH", "支付金额与挂号费不一致")
        if known.stored == "CONFIRMED":
            if (known.mode, known.transaction_id) != (mode, transaction_id):
                raise Refused("PAYMENT_CONFLICT", "该挂号已由另一笔支付确认")
            return confirmed(known)
        if payment is not None:
            self._trades.check_payment(payment, trade_no)
        self.check_lock(known)
        self.make_firm(known, mode)
        if payment is not None:
            self._trades.book_payment(known, payment, trade_no, now)
        return confirmed(known)

    def check_lock(self, known: Registration) -> None:
        """Raise Refused SCHEDULE_STOPPED, LOCK_EXPIRED when a lock can't be made firm any more."""
        assert known.slot is not None
        now = self._clock.now()
        if known.slot.schedule.state == "STOPPED":
            raise Refused("SCHEDULE_STOPPED", "医生已停诊")
        if known.state_at(now) == "EXPIRED" and not self._can_return(known, known.slot, now):
            raise Refused("LOCK_EXPIRED", "锁号已过期，号源已被占用或已过就诊时间")

    def make_firm(self, known: Registration, mode: str) -> None:
        """Turn a lock into a registration; ``mode`` is how it is paid."""
        assert known.slot is not None
        known.stored, known.changed, known.mode = "CONFIRMED", self._clock.now(), mode
        known.visit_number = f"{known.slot.schedule.period[0]}{known.slot.number:03d}"
        self._take(known)

    def cancel(self, body: dict[str, Any]) -> dict[str, Any]:
        """Take a confirmed registration back; the caller refunds ``refund_fen`` by itself."""
        fields = Fields(body, ("trade_no", "reason", "refund_fen"))
        trade_no = fields.text("trade_no", TRADE_NO)
        reason, refund_fen = fields.text("reason", r"(?s).{1,200}"), fields.fen("refund_fen")
        known, now = self.known(trade_no), self._clock.now()
        if known.stored == "CANCELLED" and not self.is_open(known):
            if known.refund_fen != refund_fen:
                raise Refused("TRADE_CONFLICT", "该挂号已按另一退款金额取消")
        elif known.stored not in ("CONFIRMED", "CANCELLED") or (known.slot is None and known.part_of is None):
            raise Refused("NOT_CONFIRMED", "挂号尚未确认，不能退号")
        elif known.arrival is not None:
            raise Refused("ALREADY_CHECKED_IN", "患者已报到，不能退号")
        elif known.slot is not None and known.slot.schedule.starts_at <= now and known.slot.schedule.state == "OPEN":
            raise Refused("SESSION_STARTED", "出诊已开始，不能退号")
        elif known.desk_fen("REQUESTED", "SUCCEEDED"):
            raise Refused("PARTLY_REFUNDED", "窗口已退过一部分，请到窗口办理")
        elif refund_fen > known.paid_fen:
            raise Refused("AMOUNT_MISMATCH", "退款金额大于已付金额")
        else:
            known.stored, known.changed, known.cancelled_at = "CANCELLED", now, now
            known.reason, known.refund_fen = reason, refund_fen
        return {"trade_no": trade_no, "state": "CANCELLED"}

    @staticmethod
    def is_open(known: Registration) -> bool:
        """Whether it ended with its session, and what the caller was paid for it is still the caller's to decide."""
        return known.stopped and known.moved_to is None and not known.refund_fen

    # -- for the control side -------------------------------------------------------------------
    def stop(self, session: Schedule) -> list[Registration]:
        """The session is stopped and the hospital cancels what is firm in it; those registrations.

        What the caller was paid for them stays in the books until the caller cancels or moves them.
        """
        now, ended = self._clock.now(), []
        for one in self._trades.of_kind(Registration):
            if one.stored == "CONFIRMED" and one.slot is not None and one.slot.schedule is session \
                    and one.arrival is None:
                one.stored, one.changed, one.cancelled_at = "CANCELLED", now, now
                one.reason, one.stopped = "停诊", True
                ended.append(one)
        return ended

    def end(self, trade_no: str, reason: str) -> Registration:
        """The window ends it (退号), whatever was paid: a hold is given back, a firm one cancelled.

        Raises Refused TRADE_UNKNOWN, TRADE_CONFLICT, TRADE_CLOSED.
        """
        known, now = self.known(trade_no), self._clock.now()
        if known.stored not in LIVE:
            raise Refused("TRADE_CLOSED", "该挂号已结束")
        if known.stored == "CONFIRMED":
            known.cancelled_at, known.reason = now, reason
        known.stored, known.changed = "UNLOCKED" if known.stored == "LOCKED" else "CANCELLED", now
        return known

    def hand_over(self, patient_code: str, to: str) -> None:
        """A merged record's seats are another one's."""
        self._seats = {(to if seat[0] == patient_code else seat[0], *seat[1:]): one
                       for seat, one in self._seats.items()}

    def all(self) -> Iterator[Registration]:
        """Every registration there ever was, oldest first; bare marks of unused trade numbers are none."""
        return (one for one in self._trades.of_kind(Registration) if one.slot is not None or one.part_of is not None)

    def view(self, one: Registration) -> dict[str, Any]:
        """A registration as the books have it."""
        session = one.slot.schedule if one.slot is not None else None
        return {
            "trade_no": one.trade_no, "slot_code": one.slot.code if one.slot else None,
            "patient_code": one.patient_code, **(_session(session) if session else {}),
            "moved_to": one.moved_to, "part_of": one.part_of,
            "state": one.state_at(self._clock.now()), "fee_fen": one.fee_fen,
            "paid_fen": one.paid_fen, "transaction_id": one.transaction_id,
            "refund_fen": one.refund_fen, "reason": one.reason,
            "desk_refund_fen": one.desk_fen("SUCCEEDED"), "checked_in": one.arrival is not None,
        }

    # -- inside ---------------------------------------------------------------------------------
    def _code(self, day: datetime) -> str:
        self._made += 1
        return f"R{day:%Y%m%d}{self._made:06d}"

    def known(self, trade_no: str) -> Registration:
        """The registration of this trade number. Raises Refused TRADE_UNKNOWN, TRADE_CONFLICT."""
        return self._trades.known(trade_no, Registration)

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
        if last is None or last.slot is None or last.state_at(now) not in LIVE:
            return False
        return _seat(last.slot, str(last.patient_code)) == seat  # else its session has moved since

    def _can_return(self, expired: Registration, slot: Slot, now: datetime) -> bool:
        """Whether an expired lock may still be confirmed: slot and patient are free, its time to come."""
        seat = _seat(slot, str(expired.patient_code))
        return slot.is_free(now) and slot.starts_at > now and not self._seat_taken(seat, now)

    def _take(self, one: Registration) -> None:
        if one.slot is not None:
            one.slot.holder = one
            self._seats[_seat(one.slot, str(one.patient_code))] = one


def _session(session: Schedule) -> dict[str, Any]:
    """What of a session the books show with a registration in it."""
    return {"schedule_code": session.code, "schedule_state": session.state, "doctor_name": session.doctor.name,
            "doctor_code": session.doctor.code, "date": session.day.isoformat(), "period": session.period}


def _seat(slot: Slot, patient_code: str) -> _Seat:
    session = slot.schedule
    return patient_code, session.doctor.code, session.day, session.period


def _payment(fields: Fields) -> tuple[str, Payment | None]:
    names = ("mode", *Payment.NAMES)
    mode = fields.inner("payment", names).choice("mode", ("PREPAID", "AT_CHECKIN"))
    inner = fields.inner("payment", names if mode == "PREPAID" else ("mode",))
    return mode, Payment.read(inner) if mode == "PREPAID" else None


def _locked(one: Registration) -> dict[str, Any]:
    return {"trade_no": one.trade_no, "registration_code": one.code, "state": "LOCKED",
            "hold_until": show(one.hold_until) if one.hold_until else None}


def _place(one: Registration) -> dict[str, Any]:
    if one.slot is None or one.visit_number is None:
        return {"visit_number": None, "location": None, "clinic_room": None, "starts_at": None}
    session = one.slot.schedule
    return {"visit_number": one.visit_number, "location": session.department.location,
            "clinic_room": session.clinic_room, "starts_at": show(one.slot.starts_at)}


def confirmed(one: Registration) -> dict[str, Any]:
    """The answer that a registration is firm."""
    return {"trade_no": one.trade_no, "registration_code": one.code, "state": "CONFIRMED", **_place(one)}


def wire_registration(one: Registration, now: datetime) -> dict[str, Any]:
    """The registration as the trade check shows it."""
    arrival = one.arrival
    return {
        **common(one, now), "registration_code": one.code, "slot_code": one.slot.code if one.slot else None,
        "payment_mode": one.mode, **_place(one), "checked_in": arrival is not None,
        "checked_in_at": show(arrival.at) if arrival else None,
        "queue_number": arrival.queue_number if arrival else None,
        "queue_place": arrival.queue_place if arrival else None, "late": arrival.late if arrival else None,
        "stopped": one.stopped, "moved_to": one.moved_to, "part_of": one.part_of,
    }
