"""The ``checkin`` function: today's registrations, and checking in."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from hospital.booking import store as bookings
from hospital.booking.model import Booking
from hospital.checkin import service, store
from hospital.checkin.rules import checkin_refusal, checkin_window
from hospital.database import policy
from hospital.database.connection import Database, database
from hospital.patients import access
from hospital.patients import store as patients
from hospital.patients.rules import mask_name
from hospital.runtime.clock import hospital_day, utc_now
from hospital.runtime.errors import NotFound
from hospital.runtime.http import Api, Model
from hospital.schedules import store as schedule_store
from hospital.security.sessions import Caller, authenticate
from hospital.security.watch import watch
from hospital.site import store as site

api = Api("checkin", authenticate, watch)


class Arrival(Model):
    """A registration on its day. ``reason_text`` says why it can't be checked in now; names are masked."""

    id: str
    state: str
    patient_id: str
    patient_name: str
    doctor_name: str
    department_name: str
    visit_date: date
    starts_at: datetime
    clinic_room: str
    visit_number: str
    fee_to_pay_fen: int
    opens_at: datetime
    closes_at: datetime
    can_check_in: bool
    reason_text: str
    checked_in_at: datetime | None
    queue_number: str
    queue_place: str
    queue_ahead: int | None
    late: bool


class Arrivals(Model):
    """Today's registrations, the earliest first."""

    bookings: list[Arrival]


class Outcome(Model):
    """How check-in stands: ``payment`` holds the parameters of ``wx.requestPayment`` when the fee comes first."""

    booking: Arrival
    payment: dict[str, str] | None


@api.get("/bookings")
def today(caller: Caller) -> Arrivals:
    """My registrations of today, with when and whether they can be checked in (取号)."""
    db, now = database(), utc_now()
    mine = access.allowed(db, caller.account_id, "OWN", now)
    return Arrivals(bookings=_views(db, [one for one in store.of_day(db, caller.account_id, hospital_day(now))
                                         if one.patient_id in mine], now))


@api.post("/bookings/<booking_id>/checkin")
def check_in(caller: Caller, booking_id: str) -> Outcome:
    """Check in, or open the payment that comes before; may be repeated."""
    db, now = database(), utc_now()
    payment = service.check_in(db, booking_id, account_id=caller.account_id, now=now)
    booking = bookings.of_account(db, caller.account_id, booking_id)
    if booking is None:
        raise NotFound("未找到该挂号记录。", code="booking_not_found")
    return Outcome(booking=_views(db, [booking], now)[0], payment=payment)


def _views(db: Database, bookings: list[Booking], now: datetime) -> list[Arrival]:
    settings, departments = policy.load(db), site.names_of_his(db)
    rooms = schedule_store.rooms(db, [one.schedule_id for one in bookings])
    doctors = {one.id: one for one in site.doctors(db, [one.doctor_id for one in bookings], employed_only=False)}
    shown = []
    for one in bookings:
        opens, closes = checkin_window(*schedule_store.hours(db, one.schedule_id), settings)
        refusal = checkin_refusal(now, opens, closes)
        room: dict[str, Any] = rooms[one.schedule_id]
        unpaid = one.payment_policy == "AT_CHECKIN" and one.state == "CONFIRMED"
        shown.append(Arrival(
            id=one.id, state=one.state, patient_id=one.patient_id,
            patient_name=mask_name(patients.patient_name(db, one.patient_id)), doctor_name=doctors[one.doctor_id].name,
            department_name=departments.get(room["his_department"], ("", ""))[1], visit_date=one.visit_date,
            starts_at=one.starts_at, clinic_room=room["clinic_room"], visit_number=one.visit_number,
            fee_to_pay_fen=one.fee_fen if unpaid else 0, opens_at=opens, closes_at=closes,
            can_check_in=one.state == "CONFIRMED" and refusal is None,
            reason_text="" if one.state != "CONFIRMED" or refusal is None else refusal[1],
            checked_in_at=one.checked_in_at, queue_number=one.queue_number, queue_place=one.queue_place,
            queue_ahead=one.queue_ahead, late=bool(one.late)))
    return shown
