"""Types of what is on sale."""

from __future__ import annotations

from datetime import date, datetime

from msgspec import Struct


class Session(Struct, frozen=True):
    """A session (出诊) of a doctor on a hospital day."""

    id: str
    his_code: str
    his_department: str
    doctor_id: str
    visit_date: date
    period: str
    fee_fen: int
    state: str
    starts_at: datetime
    ends_at: datetime
    clinic_room: str
    waiting: int  # how many people wait for a place
