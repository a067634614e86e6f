"""The reminder of a visit, on the day before."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from hospital.booking import move_store
from hospital.booking import store as bookings
from hospital.booking.model import Booking
from hospital.database.connection import Database, Row, Transaction
from hospital.database.policy import Policy
from hospital.messages import service as messages
from hospital.messages.rules import time_text, yuan_text
from hospital.patients import many_store
from hospital.reminders import rules, store
from hospital.reminders.store import Plan, Reminder
from hospital.schedules import store as schedules
from hospital.site import store as site

KIND = messages.VISIT_REMINDER


def plan(db: Database, settings: Policy, now: datetime) -> int:
    """Plan the reminders of the visits that patients are to be reminded of by now; how many are new."""
    planned = 0
    for day in rules.days_due(now, settings):
        for some in store.visits_of(db, day, KIND, rules.reminded_at(day, settings)):
            plans = []
            for booking_id, account_id, patient_id, starts_at in some:
                urgent = rules.is_near(starts_at, now, settings)
                if starts_at > now:
                    plans.append(Plan(KIND, booking_id, str(day), account_id, patient_id,
                                      rules.due(now, settings, urgent=urgent), urgent))
            planned += store.insert(db, plans, now)
    return planned


def tell(tx: Transaction, reminders: list[Reminder], allowed: set[tuple[str, str]], now: datetime
         ) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    """What to say, by reminder, and why the others are not told: what holds is looked at now."""
    found = bookings.of_ids(tx, [one.subject_id for one in reminders])
    stopped = move_store.choices_of(tx, list(found))
    said, dropped = dict[str, Booking](), dict[str, str]()
    for one in reminders:
        booking = found.get(one.subject_id)
        reason = _refusal(booking, one, now)
        if not reason and one.subject_id in stopped:
            reason = "STOPPED"
        if not reason and (one.account_id, one.patient_id) not in allowed:
            reason = "WITHHELD"
        if reason or booking is None:
            dropped[one.id] = reason
        else:
            said[one.id] = booking
    return _data(tx, said), dropped


def _refusal(booking: Booking | None, reminder: Reminder, now: datetime) -> str:
    if booking is None or booking.state != "CONFIRMED":
        return "NOT_CONFIRMED"
    if str(booking.visit_date) != reminder.occasion:
        return "ANOTHER_DAY"
    return "OVER" if booking.starts_at <= now else ""


def _data(tx: Transaction, told: dict[str, Booking]) -> dict[str, dict[str, str]]:
    rooms: dict[str, Row] = schedules.rooms(tx, sorted({one.schedule_id for one in told.values()}))
    doctors: dict[str, Any] = {one.id: one for one in site.doctors(
        tx, sorted({one.doctor_id for one in told.values()}), employed_only=False)}
    people = many_store.names(tx, sorted({one.patient_id for one in told.values()}))
    departments = site.names_of_his(tx)
    return {reminder_id: {
        "patient": people[one.patient_id], "doctor": doctors[one.doctor_id].name,
        "department": departments.get(rooms[one.schedule_id]["his_department"], ("", ""))[1],
        "time": time_text(one.starts_at), "amount": yuan_text(one.fee_fen), "number": one.visit_number or "-",
        "place": one.location or one.clinic_room or "-", "note": "请带好证件，提前到院取号候诊",
    } for reminder_id, one in told.items()}
