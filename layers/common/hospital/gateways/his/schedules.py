"""Sessions of doctors and their slots."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from msgspec import Struct, field
from pydantic import Field, model_validator

from hospital.gateways.his.wire import Answer, Code, Fen, Moment, Odd, Whole, get, pages, read_row
from hospital.gateways.outcome import Rejected
from hospital.runtime.clock import hospital_day

PAGE = 100  # sessions at once: what is held of a list of a hundred thousand slots


class Slot(Answer):
    """One place: one patient at one time."""

    code: Code
    number: Whole
    starts_at: Moment
    ends_at: Moment
    state: Literal["FREE", "TAKEN"]


class Schedule(Answer):
    """One session of one doctor in one department; ``fee_fen`` is the whole registration fee."""

    code: Code
    department_code: Code
    doctor_code: Code
    date: date
    period: Literal["MORNING", "AFTERNOON", "EVENING"]
    kind: Literal["ORDINARY", "EXPERT", "SPECIAL"]
    fee_fen: Fen
    starts_at: Moment
    ends_at: Moment
    state: Literal["OPEN", "STOPPED"]
    clinic_room: Annotated[str, Field(max_length=80)]  # empty: not assigned yet
    slots: list[Slot]

    @model_validator(mode="after")
    def _one_day(self) -> Schedule:
        if not (self.starts_at < self.ends_at and hospital_day(self.starts_at) == self.date):
            raise ValueError("hours of another day")
        return self


class _Schedules(Answer):
    schedules: list[Any]
    next_cursor: str | None = None


class Page(Struct):
    """A part of the list: sessions, and rows (sessions or slots) that can't be read.

    ``odd`` are sessions, ``odd_slots`` slots.
    """

    schedules: list[Schedule] = field(default_factory=list)
    odd: list[Odd] = field(default_factory=list)
    odd_slots: list[Odd] = field(default_factory=list)


def schedules(first: date, last: date) -> Iterator[Page]:
    """The sessions of some hospital days with their slots, page by page. Raises Unanswered, Rejected."""
    query = {"from": first.isoformat(), "to": last.isoformat(), "limit": str(PAGE)}

    def ask(cursor: str) -> _Schedules:
        return get(f"/schedules?{urlencode({**query, **({'cursor': cursor} if cursor else {})})}", _Schedules)

    for answer in pages(ask):
        yield _page(answer.schedules)


def schedule(code: str) -> Page | None:
    """One session, whatever its day; None when the HIS says that there is none. Raises Unanswered, Rejected."""
    try:
        return _page(get(f"/schedules?{urlencode({'schedule': code})}", _Schedules).schedules)
    except Rejected as refusal:
        if refusal.code == "SCHEDULE_UNKNOWN":
            return None
        raise


def _page(rows: list[Any]) -> Page:
    page = Page()
    for row in rows:
        slots = row.get("slots") if isinstance(row, dict) else None
        if isinstance(slots, list):
            read = [read_row(slot, Slot, "code") for slot in slots]
            page.odd_slots += [one for one in read if isinstance(one, Odd)]
            row = {**row, "slots": [one for one in read if not isinstance(one, Odd)]}
        session = read_row(row, Schedule, "code")
        if isinstance(session, Odd):
            page.odd.append(session)
        else:
            page.schedules.append(session)
    return page
