"""Somebody's wish for a place that may come back, and its states."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from msgspec import Struct

# Where an entry may go. OFFERED: what became of it is its registration's state; back when the place was none.
MOVES: dict[str, set[str]] = {
    "WAITING": {"OFFERED", "LEFT", "SKIPPED", "ENDED"}, "OFFERED": {"WAITING"}, "LEFT": set(), "SKIPPED": set(),
    "ENDED": set()}
# Reasons that are ours; an entry that was skipped carries the code of what spoke against the offer.
STOPPED, OVER, LET_GO, ALREADY = "STOPPED", "OVER", "LET_GO", "already_booked"


class Wish(Struct, frozen=True):
    """What somebody waits for: one session, or (without one) any of a doctor's on a day."""

    patient_id: str
    schedule_id: str | None
    doctor_id: str | None = None
    visit_date: date | None = None


class Entry(Struct, frozen=True):
    """A place in the line. Who came first has the lower id."""

    id: str
    account_id: str
    patient_id: str
    schedule_id: str | None
    doctor_id: str | None
    visit_date: date | None
    state: str
    reason: str
    booking_id: str | None
    created_at: datetime
    changed_at: datetime

    @classmethod
    def of(cls, row: dict[str, Any]) -> Entry:
        """From a row of the table."""
        return cls(**{name: row[name] for name in cls.__struct_fields__})

    @property
    def wish(self) -> Wish:
        """What they wait for."""
        return Wish(self.patient_id, self.schedule_id, self.doctor_id, self.visit_date)


class Covered(Struct, frozen=True):
    """A session that somebody waits for."""

    id: str
    his_department: str
    doctor_id: str
    visit_date: date
    period: str
    state: str
    fee_fen: int
    starts_at: datetime
    ends_at: datetime
    waiting: int
