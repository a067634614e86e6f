"""Who came: what the HIS says of a day's registrations."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any, Literal

from hospital.gateways.his.wire import Answer, Code, Odd, day_query, get, pages, read_row


class Attendance(Answer):
    """Of one registration: the patient came, did not come, or that is not known (yet)."""

    trade_no: Code
    state: Literal["ATTENDED", "ABSENT", "UNKNOWN"]


class _Attendances(Answer):
    attendances: list[Any]
    next_cursor: str | None = None


def attendance_of(day: date) -> Iterator[Attendance | Odd]:
    """Every firm registration of a hospital day, as it is known now: a later answer corrects an earlier one.

    Raises Unanswered, Rejected.
    """
    for page in pages(lambda cursor: get(f"/attendance?{day_query(day, cursor)}", _Attendances)):
        yield from (read_row(row, Attendance, "trade_no") for row in page.attendances)
