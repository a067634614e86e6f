"""Check-in (取号、报到): who has arrived, in which order they are called, and whom the doctor has seen."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from sandbox.clock import Clock
from sandbox.his.model import CheckIn, Refused, Registration, Slot
from sandbox.his.payments import Payment
from sandbox.his.registrations import Registrations
from sandbox.his.trades import Trades
from sandbox.his.wire import TRADE_NO, Fields, show

LATE_PLACES = 3  # a late patient (过号) is called after this many who are waiting


class CheckIns:
    """The waiting patients of each session. The owner holds its lock around every call."""

    def __init__(self, clock: Clock, registrations: Registrations, trades: Trades, lead: timedelta) -> None:
        self._clock = clock
        self._registrations = registrations
        self._trades = trades
        self._lead = lead  # how long before the session's start it begins
        self._waiting: dict[str, list[Registration]] = {}  # by session, in the order of calling

    def check_in(self, body: dict[str, Any]) -> dict[str, Any]:
        """The operation: the patient has arrived, and has paid what was to be paid now."""
        fields = Fields(body, ("trade_no", "payment"))
        return self.arrive(fields.text("trade_no", TRADE_NO), fields)

    def arrive(self, trade_no: str, fields: Fields) -> dict[str, Any]:
        """The rule, for the interface and the machine at the department; ``fields`` may hold a payment."""
        payment = Payment.read(fields.inner("payment", Payment.NAMES)) if fields.has("payment") else None
        known, now = self._registrations.known(trade_no), self._clock.now()
        if known.stored != "CONFIRMED" or known.slot is None:
            raise Refused("NOT_CONFIRMED", "挂号尚未确认，不能报到")
        if known.arrival is None:
            self._check_time(known.slot, now)
        due = known.mode == "AT_CHECKIN" and known.transaction_id is None
        if payment is not None:
            self._check_payment(known, payment, due)
        elif due and known.fee_fen and known.arrival is None:
            raise Refused("PAYMENT_REQUIRED", "报到时须先支付挂号费")
        if known.arrival is None:
            if payment is not None and due:
                self._trades.book_payment(known, payment, trade_no, now)
            known.arrival = self._arrive(known, known.slot, now)
        return _answer(known, known.arrival)

    def see(self, trade_no: str) -> Registration:
        """The doctor calls the patient in; again is harmless. Raises Refused NOT_CHECKED_IN."""
        known = self._registrations.known(trade_no)
        if known.arrival is None or known.stored != "CONFIRMED":
            raise Refused("NOT_CHECKED_IN", "患者尚未报到")
        if known.seen_at is None:
            known.seen_at = self._clock.now()
            self.leave(known)
        return known

    def waiting(self, code: str) -> list[Registration]:
        """Who waits in a session, in the order of calling."""
        return self._waiting.get(code, [])

    def again(self, known: Registration) -> None:
        """Who was called and did not come waits again, as one who came late."""
        if known.slot is not None:
            queue = self._waiting.setdefault(known.slot.schedule.code, [])
            known.seen_at = None
            queue.insert(_place_of_late(queue), known)

    def leave(self, known: Registration) -> None:
        """The patient waits no longer."""
        if known.slot is not None:
            queue = self._waiting.get(known.slot.schedule.code, [])
            if known in queue:
                queue.remove(known)

    def attendance(self, day: date) -> list[dict[str, str]]:
        """Who came of a hospital day's firm registrations, by their trade numbers.

        Who arrived has come; who had not when the session ended has not, unless staff have put it right.
        """
        now = self._clock.now()
        return sorted(({"trade_no": one.trade_no, "state": one.attendance or _came(one, one.slot, now)}
                       for one in self._registrations.all()
                       if one.stored == "CONFIRMED" and one.slot is not None and one.slot.schedule.day == day),
                      key=lambda row: row["trade_no"])

    def put_right(self, trade_no: str, state: str) -> dict[str, str]:
        """Staff say who came, whatever the machine at the department says. Raises Refused TRADE_UNKNOWN."""
        known = self._registrations.known(trade_no)
        known.attendance = state
        return {"trade_no": trade_no, "state": state}

    # -- inside ---------------------------------------------------------------------------------
    def _check_time(self, slot: Slot, now: datetime) -> None:
        session = slot.schedule
        if session.state == "STOPPED":
            raise Refused("SCHEDULE_STOPPED", "医生已停诊")
        if now < session.starts_at - self._lead:
            raise Refused("CHECKIN_TOO_EARLY", "未到报到时间")
        if now >= session.ends_at:
            raise Refused("SESSION_OVER", "出诊已结束，不能报到")

    def _check_payment(self, known: Registration, payment: Payment, due: bool) -> None:
        if not due and known.transaction_id != payment.transaction_id:
            raise Refused("PAYMENT_CONFLICT", "该挂号不需再付，或已由另一笔支付付清")
        if payment.paid_fen != known.fee_fen:
            raise Refused("AMOUNT_MISMATCH", "支付金额与挂号费不一致")
        self._trades.check_payment(payment, known.trade_no)

    def _arrive(self, known: Registration, slot: Slot, now: datetime) -> CheckIn:
        session = slot.schedule
        queue = self._waiting.setdefault(session.code, [])
        late = now > slot.ends_at
        at = _place_of_late(queue) if late else _place_of(slot.number, queue)
        queue.insert(at, known)
        # The visit number is the slot's; a late patient's is marked, as it's called out of its order.
        number = f"{known.visit_number}G" if late else str(known.visit_number)
        return CheckIn(now, number, f"{session.department.location} {session.clinic_room}候诊区", at, late)


def _came(one: Registration, slot: Slot, now: datetime) -> str:
    if one.arrival is not None or one.seen_at is not None:
        return "ATTENDED"
    return "ABSENT" if slot.schedule.ends_at <= now else "UNKNOWN"


def _place_of(number: int, queue: list[Registration]) -> int:
    """On time: before the first on-time patient with a later slot."""
    for at, other in enumerate(queue):
        if other.slot is not None and other.arrival and not other.arrival.late and other.slot.number > number:
            return at
    return len(queue)


def _place_of_late(queue: list[Registration]) -> int:
    """Late: after ``LATE_PLACES`` who wait, and after who came late before."""
    at = min(LATE_PLACES, len(queue))
    while at < len(queue) and (arrival := queue[at].arrival) and arrival.late:
        at += 1
    return at


def _answer(known: Registration, arrival: CheckIn) -> dict[str, Any]:
    return {
        "trade_no": known.trade_no, "registration_code": known.code, "state": "CONFIRMED", "checked_in": True,
        "checked_in_at": show(arrival.at), "queue_number": arrival.queue_number,
        "queue_place": arrival.queue_place, "ahead": arrival.ahead, "late": arrival.late,
    }
