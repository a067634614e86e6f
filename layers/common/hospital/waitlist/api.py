"""Routes of the ``booking`` function: waiting for a place (候补).

They are that function's, not another's: whoever sees a full session stands before its warm instances already, and a
join is a short transaction like a booking. Those who rush for places are not held up: a session on sale has no list.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from pydantic import model_validator

from hospital.booking.api import api
from hospital.database.connection import database
from hospital.runtime.canonical import Id
from hospital.runtime.clock import utc_now
from hospital.runtime.http import Model
from hospital.security.sessions import Caller
from hospital.waitlist import service, views
from hospital.waitlist.model import Wish

__all__ = ["api"]


class WishIn(Model):
    """What to wait for: a session, or any session of a doctor on a day."""

    patient_id: Id
    schedule_id: Id | None = None
    doctor_id: Id | None = None
    day: date | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> WishIn:
        doctors_day = self.doctor_id is not None and self.day is not None
        if (self.schedule_id is None) != doctors_day or (self.schedule_id and (self.doctor_id or self.day)):
            raise ValueError("either a session, or a doctor and a day")
        return self


class EntryView(Model):
    """A place in a waiting list. ``ahead``: how many come first; null once it has ended.

    OFFERED: ``booking_id`` is the place, held for some minutes. ``period`` is null when any of the day will do.
    ``withheld``: the account may not read of the patient any more.
    """

    id: str
    state: Literal["WAITING", "OFFERED", "LEFT", "SKIPPED", "ENDED"]
    state_text: str
    reason_text: str
    patient_id: str
    patient_name: str
    schedule_id: str | None
    doctor_id: str
    doctor_name: str
    doctor_title: str
    department_name: str
    visit_date: date
    period: str | None
    starts_at: datetime
    fee_fen: int
    ahead: int | None
    booking_id: str | None
    can_leave: bool
    created_at: datetime
    withheld: bool


class Entries(Model):
    """Those that wait, and those that have ended in the last days, the newest first."""

    entries: list[EntryView]


class Joined(Model):
    """The place in the list."""

    id: str


@api.post("/waitlist", status=201)
def join(caller: Caller, body: WishIn) -> Joined:
    """Wait for a place of a full session, or of a doctor's full day. A repeat is given the same entry."""
    wish = Wish(body.patient_id, body.schedule_id, body.doctor_id, body.day)
    return Joined(id=service.join(database(), wish, caller=caller, now=utc_now()))


@api.get("/waitlist")
def list_waitlist(caller: Caller) -> Entries:
    """My waiting (我的候补) with how many come before."""
    return Entries(entries=[EntryView(**one) for one in views.of_account(database(), caller.account_id, utc_now())])


@api.delete("/waitlist/<entry_id>")
def leave(caller: Caller, entry_id: str) -> None:
    """Wait no longer. May be repeated."""
    service.leave(database(), entry_id, account_id=caller.account_id, now=utc_now())
