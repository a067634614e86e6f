"""A check-in and its states."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct

# EXPIRED: not paid in time; money that comes after all is refunded, and the check-in is REFUSED.
MOVES: dict[str, set[str]] = {
    "AWAITING_PAYMENT": {"CHECKING_IN", "EXPIRED"},
    "CHECKING_IN": {"DONE", "REFUSED"},
    "EXPIRED": {"REFUSED"},
    "DONE": set(),
    "REFUSED": set(),
}


class CheckIn(Struct, frozen=True):
    """One attempt of a registered patient to check in."""

    id: str
    booking_id: str
    account_id: str
    state: str
    reason: str
    expires_at: datetime
    created_at: datetime

    @classmethod
    def of(cls, row: dict[str, Any]) -> CheckIn:
        """From a row of the table."""
        return cls(**{name: row[name] for name in cls.__struct_fields__})
