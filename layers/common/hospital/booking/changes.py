"""What follows in registrations when the HIS changes what they were made for.

A registration carries what its patient was last told: doctor, day, period, time, room. When the HIS gives a session
to another doctor or moves it, or a place in it, whoever learns of it says ``schedule.changed``; then each live
registration is brought up to date, what it was is kept, its patient is told once, and may give it up until the
session starts, whatever the cut-off.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from hospital.booking import choices, rules, store
from hospital.booking.model import DOUBLED, LIVE, Booking
from hospital.booking.tell import tell
from hospital.database import outbox, tasks
from hospital.database.connection import Database, Duplicate, Transaction
from hospital.gateways.his.trades import Trade
from hospital.messages import service as messages
from hospital.runtime.clock import hospital_day
from hospital.schedules import store as schedule_store

LATE, MISSING = "booking.changed-late", "schedule.places-missing"


def session_changed(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """A session or some of its places are not what they were: compare every live registration in it."""
    for booking_id in store.live_of_session(db, job.subject_id):
        with db.transaction() as tx:
            catch_up(tx, booking_id, now)
    with db.transaction() as tx:
        session = schedule_store.session(tx, job.subject_id)
        if session is not None and session.state == "OPEN":
            tasks.settle(tx, kind=choices.STOPPED, subject_id=session.id, note="takes place after all", now=now)
            choices.takes_place(tx, session, now)
        if not schedule_store.missing_places(tx, job.subject_id):
            tasks.settle(tx, kind=MISSING, subject_id=job.subject_id, note="listed again", now=now)
    return None


def places_missing(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """Places that patients hold are listed by the HIS no more: staff ask what became of them."""
    with db.transaction() as tx:
        count = schedule_store.missing_places(tx, job.subject_id)
        if count:
            tasks.add(tx, kind=MISSING, subject_id=job.subject_id, now=now,
                      detail=f"the HIS lists {count} places no more in which patients are registered")
    return None


def catch_up(tx: Transaction, booking_id: str, now: datetime) -> None:
    """Bring one registration up to what its session and place are now; nothing happens when it is."""
    booking = store.booking(tx, booking_id, lock=True)
    if booking is None or booking.state not in LIVE:
        return
    seat = seat_now(tx, booking)
    if any(getattr(booking, name) != value for name, value in seat.items()):
        _reseat(tx, booking, seat, now)
    tell_changed(tx, booking, now)


def confirmed(tx: Transaction, booking_id: str, trade: Trade, now: datetime) -> None:
    """The HIS has made it firm, at the time and in the room that it says. The room is in the message that follows.

    At a time of another day, its session was moved before we heard of it: the time counts, the session is asked for.
    """
    booking = store.booking(tx, booking_id, lock=True)
    assert booking is not None
    slot = schedule_store.slot(tx, booking.slot_id)
    assert slot is not None
    if trade.starts_at is not None and trade.starts_at != slot["starts_at"]:
        schedule_store.move_slot(tx, booking.slot_id, trade.starts_at, now)
    seat = seat_now(tx, booking)
    if trade.starts_at is not None:
        seat["starts_at"], day = trade.starts_at, hospital_day(trade.starts_at)
        if day != seat["visit_date"]:
            seat["visit_date"] = day
            outbox.publish(tx, "schedule.refresh", booking.schedule_id, due=now, now=now)
    room = trade.clinic_room[:80] if trade.clinic_room else seat["clinic_room"]
    if room != booking.clinic_room:
        store.reseat(tx, booking.id, {"clinic_room": room})
    seat["clinic_room"] = None
    if rules.differences(booking, seat):
        _reseat(tx, booking, {**seat, "clinic_room": room}, now)
        tell_changed(tx, booking, now)


def seat_now(tx: Transaction, booking: Booking) -> dict[str, Any]:
    """Doctor, day, period, time and room of a registration's place as the HIS has them now.

    While it names no room, the one that the patient was told.
    """
    slot = schedule_store.slot(tx, booking.slot_id)
    assert slot is not None
    session = schedule_store.session(tx, slot["schedule_id"])
    assert session is not None
    return {"schedule_id": session.id, "doctor_id": session.doctor_id, "visit_date": session.visit_date,
            "period": session.period,
            "starts_at": rules.start_of(slot["starts_at"], session.visit_date, session.starts_at),
            "clinic_room": session.clinic_room or booking.clinic_room}


def tell_changed(tx: Transaction, was: Booking, now: datetime) -> None:
    """Keep what a registration was, tell its patient what it is, and let them give it up until the session starts.

    When it is what it was, nothing; but of one that was changed before, the session's start may only be known now.
    """
    booking = store.booking(tx, was.id)
    assert booking is not None
    session = schedule_store.session(tx, booking.schedule_id)
    assert session is not None
    parts = rules.differences(was, {name: getattr(booking, name) for name in rules.SEAT})
    begins = rules.free_until(booking.visit_date, booking.starts_at, session.starts_at)
    if not parts:
        if booking.free_cancel_until not in (None, begins):
            store.reseat(tx, was.id, {"free_cancel_until": begins})
        return
    change_id = store.insert_change(tx, was, now)
    store.reseat(tx, was.id, {"free_cancel_until": begins,
                              "location": rules.moved_location(booking.location, was.clinic_room, booking.clinic_room)})
    free = booking.state != "CHECKED_IN" and now < begins
    tell(tx, was.id, messages.BOOKING_CHANGED, now=now, key=f".{change_id}", note=rules.change_note(parts, free=free))
    if begins <= now and booking.state == "CONFIRMED":
        tasks.add(tx, kind=LATE, subject_id=was.id, now=now, detail="its session has begun before the change was known")


def _reseat(tx: Transaction, booking: Booking, seat: dict[str, Any], now: datetime) -> None:
    try:
        store.reseat(tx, booking.id, {**seat, "beside": ""})
        store.not_doubled(tx, booking, now)
    except Duplicate as other:  # the HIS has put it next to another registration of the patient
        store.reseat(tx, booking.id, {**seat, "beside": booking.id})
        tasks.add(tx, kind=DOUBLED, subject_id=booking.id, now=now,
                  detail=f"moved by the HIS to where the patient has another registration ({other.key})")
    store.stand_alone(tx, booking, now)


WORKER: dict[str, outbox.Handler] = {
    "schedule.changed": session_changed, "slot.missing": places_missing, **choices.WORKER}
