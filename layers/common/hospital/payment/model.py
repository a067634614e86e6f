"""Types and states of payments and refunds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

# What a payment may be for: the kind is the prefix of its out_trade_no and of its outbox topics.
REGISTRATION = "registration"

PREFIXES = {REGISTRATION: "R"}

# Payments: OPEN → PAID | CLOSED, CLOSED → PAID (money that comes after all is always recorded).
PAYMENT_MOVES = {"OPEN": {"PAID", "CLOSED"}, "CLOSED": {"PAID"}, "PAID": set[str]()}
# Refunds: STUCK waits for a person; everything else moves by itself.
REFUND_MOVES = {"REQUESTED": {"PROCESSING", "SUCCEEDED", "STUCK"}, "PROCESSING": {"SUCCEEDED", "STUCK"},
                "STUCK": {"REQUESTED", "PROCESSING", "SUCCEEDED"}, "SUCCEEDED": set[str]()}


@dataclass(frozen=True)
class Payment:
    """An order to pay, in fen. ``subject_id`` is what it is for, of that ``kind``."""

    id: str
    kind: str
    subject_id: str
    account_id: str
    openid: str
    out_trade_no: str
    description: str
    amount_fen: int
    state: str
    expires_at: datetime
    transaction_id: str | None
    paid_fen: int
    paid_at: datetime | None
    refunding_fen: int

    @classmethod
    def of(cls, row: dict[str, Any]) -> Payment:
        """From a row of the table."""
        return cls(**{name: row[name] for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class Refund:
    """Money on its way back, in fen. ``purpose`` is its key within the payment."""

    id: str
    payment_id: str
    purpose: str
    out_refund_no: str
    amount_fen: int
    reason: str
    state: str
    code: str
    created_at: datetime
    succeeded_at: datetime | None

    @classmethod
    def of(cls, row: dict[str, Any]) -> Refund:
        """From a row of the table."""
        return cls(**{name: row[name] for name in cls.__dataclass_fields__})
