"""Sessions of doctors and their slots."""

from __future__ import annotations

from datetime import date
from typing import Literal
from urllib.parse import urlencode

from hospital.gateways.his.wire import Answer, Moment, get
from hospital.gateways.outcome import Rejected


class Slot(Answer):
    """One place: one patient at one time."""

    code: str
    number: int
    starts_at: Moment
    ends_at: Moment
    state: Literal["FREE", "TAKEN"]


class Schedule(Answer):
    """One session of one doctor in one department; ``fee_fen`` is the whole registration fee."""

    code: str
    department_code: str
    doctor_code: str
    date: date
    period: Literal["MORNING", "AFTERNOON", "EVENING"]
    kind: Literal["ORDINARY", "EXPERT", "SPECIAL"]
    fee_fen: int
    starts_at: Moment
    ends_at: Moment
    state: Literal["OPEN", "STOPPED"]
    clinic_room: str = ""
    slots: list[Slot] = []


class _Schedules(Answer):
    schedules: list[Schedule]
    next_cursor: str | None = None


def schedules(first: date, last: date, *, schedule: str = "") -> list[Schedule]:
    """The sessions of some hospital days with their slots; of one ``schedule`` when given.

    A ``schedule`` that the HIS does not know is none. Raises Unanswered.
    """
    found: list[Schedule] = []
    cursor: str | None = None
    while True:
        query = {"from": first.isoformat(), "to": last.isoformat(), "limit": "200"}
        if schedule:
            query["schedule"] = schedule
        if cursor:
            query["cursor"] = cursor
        try:
            page = get(f"/schedules?{urlencode(query)}", _Schedules)
        except Rejected as refusal:
            if refusal.code == "SCHEDULE_UNKNOWN":
                return []
            raise
        found += page.schedules
        cursor = page.next_cursor
        if cursor is None:
            return found
