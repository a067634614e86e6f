"""A missed visit, and how a person stands."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from msgspec import Struct

By = Literal["HIS", "STAFF"]  # whose word takes a no-show back, or lifts a block


class NoShow(Struct, frozen=True):
    """A missed visit. ``block_id``: it has led to that block, and counts for no other."""

    id: str
    booking_id: str
    account_id: str
    patient_id: str
    visit_date: date
    is_proven: int
    block_id: str | None
    taken_back_at: datetime | None

    @classmethod
    def of(cls, row: dict[str, Any]) -> NoShow:
        """From a row of the table."""
        return cls(**{name: row[name] for name in cls.__struct_fields__})


class Standing(Struct, frozen=True):
    """How often a person missed as it counts now, what follows, and until when they may not book."""

    missed: int
    to_block: int  # 0: nobody is barred
    rule_text: str
    blocked_until: datetime | None
    blocked_text: str
