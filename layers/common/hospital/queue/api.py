"""The ``queue`` function: the number that was called, who is before me, and about how long it takes."""

from __future__ import annotations

from datetime import datetime, timedelta

from hospital.database import policy
from hospital.database.connection import database
from hospital.patients import access
from hospital.queue import rules, service, store
from hospital.runtime.clock import utc_now
from hospital.runtime.errors import NotFound
from hospital.runtime.http import Api, Model
from hospital.security.sessions import Caller, authenticate
from hospital.security.watch import watch

api = Api("queue", authenticate, watch)

STALE = timedelta(seconds=15)
NO_NUMBER = {"CONFIRMED": "取号后可以在这里看到叫号进度。", "CHECKED_IN": "暂时查不到叫号，请留意候诊区屏幕和广播。"}


class Turn(Model):
    """Where a registration stands in its queue. ``standing`` null: it can't be told (yet). ``text`` says what to do.

    ``low`` and ``high``: minutes until one is called, most likely between the two; null: too little was seen today.
    ``as_of``: when the numbers were so; ``stale``: the hospital has not answered since.
    """

    booking_id: str
    number: str
    standing: rules.Standing | None
    ahead: int | None
    low: int | None
    high: int | None
    text: str
    called: str
    waiting: int | None
    doctor_name: str
    department_name: str
    clinic_room: str
    queue_place: str
    as_of: datetime | None
    stale: bool


@api.get("/bookings/<booking_id>")
def turn(caller: Caller, booking_id: str) -> Turn:
    """The queue of one of my registrations (排队候诊)."""
    db, now = database(), utc_now()
    found = store.registration(db, caller.account_id, booking_id)
    if found is None:
        raise NotFound("未找到该挂号记录。", code="booking_not_found")
    access.check(db, caller.account_id, found["patient_id"], "OWN", now, policy.load(db, caller.policy))
    screen = service.screen(db, found["his_code"], now) if found["state"] == "CHECKED_IN" else None
    shown = Turn(
        booking_id=found["id"], number=found["queue_number"], standing=None, ahead=None, low=None, high=None,
        text=NO_NUMBER.get(found["state"], "该挂号当前没有排队。"), called="", waiting=None,
        doctor_name=found["doctor_name"], department_name=found["department_name"],
        clinic_room=found["clinic_room"], queue_place=found["queue_place"], as_of=None, stale=False)
    return shown if screen is None else _told(shown, screen, now)


def _told(shown: Turn, screen: rules.Screen, now: datetime) -> Turn:
    standing, ahead, wait = rules.told(screen, shown.number, now)
    return shown.model_copy(update={
        "standing": standing, "ahead": ahead, "text": rules.sentence(screen, standing, ahead),
        "low": wait.low if wait else None, "high": wait.high if wait else None, "called": screen.called,
        "waiting": len(screen.waiting), "as_of": screen.as_of, "stale": now - screen.as_of > STALE})
