"""Types and states of payments and refunds."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct

# What a payment may be for: the kind is the prefix of its out_trade_no and of its outbox topics.
REGISTRATION = "registration"
CHECKIN = "checkin"  # a registration that is paid on arrival
OUTPATIENT = "outpatient"  # one or several bills
MOVE = "move"  # what a registration costs more since it was moved

PREFIXES = {REGISTRATION: "R", CHECKIN: "K", OUTPATIENT: "P", MOVE: "M"}

# What the HIS takes of a payment: a registration's fee (whenever it was paid), or one bill.
CHARGE = "charge"

# Payments: OPEN → PAID | CLOSED, CLOSED → PAID (money that comes after all is always recorded).
PAYMENT_MOVES = {"OPEN": {"PAID", "CLOSED"}, "CLOSED": {"PAID"}, "PAID": set[str]()}
# Refunds: STUCK waits for a person; everything else moves by itself. ELSEWHERE: not by WeChat Pay, but staff have
# paid it back in another way (or the rest of it, when WeChat paid another amount than was ordered).
REFUND_MOVES = {"REQUESTED": {"PROCESSING", "SUCCEEDED", "STUCK"}, "PROCESSING": {"SUCCEEDED", "STUCK"},
                "STUCK": {"REQUESTED", "PROCESSING", "SUCCEEDED", "GIVEN_UP", "ELSEWHERE"}, "SUCCEEDED": set[str](),
                "GIVEN_UP": set[str](), "ELSEWHERE": set[str]()}
ENDED = {state for state, moves in REFUND_MOVES.items() if not moves}
BACK = {"SUCCEEDED", "ELSEWHERE"}  # the patient has the money
# How staff may have paid it back, and how the patient is told.
WAYS_BACK = {"BANK_TRANSFER": "银行转账", "CASH": "现金", "OTHER": "其他方式"}
# Refunds that the desk has begun: FAILED ones moved no money.
DESK_MOVES = {"FOUND": {"REFUNDING", "FAILED"}, "REFUNDING": {"SUCCEEDED", "FAILED"}, "SUCCEEDED": set[str](),
              "FAILED": set[str]()}


class Payment(Struct, frozen=True):
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
    created_at: datetime

    @classmethod
    def of(cls, row: dict[str, Any]) -> Payment:
        """From a row of the table."""
        return cls(**{name: row[name] for name in cls.__struct_fields__})


class Purpose(Struct, frozen=True):
    """Why money goes back: of ``CANCELLED``, ``REJECTED`` and ``UNSETTLED`` a payment has one, the others name whose.

    ``key`` is how it is written in the database and behind an order's number; a payment has one refund of each. What
    was promised to the desk and is kept after all may go back later, for the same reason: the next ``turn``.
    """

    why: str
    id: str = ""
    turn: int = 1

    @property
    def key(self) -> str:
        """As it is written."""
        return f"{_KEYS[self.why]}{self.id}{f'-{self.turn}' if self.turn > 1 else ''}"

    @classmethod
    def of_key(cls, key: str) -> Purpose:
        """Read from what is written. Raises ValueError."""
        for why, begins in _KEYS.items():
            named, _, turn = key.removeprefix(begins).partition("-")
            if key.startswith(begins) and bool(named) == (why in NAMES_AN_ID) and (turn or "2").isdecimal():
                return cls(why, named, int(turn or 1))
        raise ValueError("no purpose of a refund")

    @property
    def of_desk(self) -> bool:
        """Whether the hospital's desk began it."""
        return self.why == DESK


CANCELLED, REJECTED, UNSETTLED = "CANCELLED", "REJECTED", "UNSETTLED"
DESK = "DESK"  # with the id of the desk's refund; CHARGE: with that of a bill's charge
CHEAPER = "CHEAPER"  # with the id of the move that made a registration cost less
NAMES_AN_ID = {CHARGE, DESK, CHEAPER}
_KEYS = {CANCELLED: "cancelled", REJECTED: "rejected", UNSETTLED: "unsettled", CHARGE: "c-", DESK: "d-", CHEAPER: "m-"}

# What the HIS takes out of its books at its desk has the desk's own number in the ledger, after this; what it takes
# out at our request has the trade number alone.
AT_DESK = "desk:"


class Refund(Struct, frozen=True):
    """Money on its way back, in fen. ``purpose`` is its key within the payment.

    ``how`` and ``reference``: in which way staff have paid it back (ELSEWHERE), and where that is proven.
    """

    id: str
    payment_id: str
    purpose: Purpose
    out_refund_no: str
    amount_fen: int
    reason: str
    state: str
    code: str
    created_at: datetime
    succeeded_at: datetime | None
    how: str | None = None
    reference: str | None = None

    @classmethod
    def of(cls, row: dict[str, Any]) -> Refund:
        """From a row of the table."""
        return cls(**{**{name: row[name] for name in cls.__struct_fields__},
                      "purpose": Purpose.of_key(row["purpose"])})


class Item(Struct, frozen=True):
    """A line of what was settled. Amounts are fen; ``category`` is REGISTRATION or the bill's kind."""

    item_no: int
    category: str
    code: str
    name: str
    specification: str
    unit: str
    quantity: int | float
    unit_price_fen: int | float
    amount_fen: int
    executing_department_name: str = ""
    executing_place: str = ""
    insurance_class: str = ""


class Settlement(Struct, frozen=True):
    """What the HIS has taken of a payment under one trade number, in fen.

    ``reversing_fen`` of it is promised back, ``reversed_fen`` is out of the HIS's books too.
    """

    id: str
    kind: str
    subject_id: str
    trade_no: str
    payment_id: str
    account_id: str
    patient_id: str
    amount_fen: int
    reversing_fen: int
    reversed_fen: int
    department_name: str
    items: list[Item]
    settled_at: datetime

    @property
    def open_fen(self) -> int:
        """What neither goes back nor is promised to the desk."""
        return self.amount_fen - self.reversing_fen

    @property
    def net_fen(self) -> int:
        """What the hospital keeps."""
        return self.amount_fen - self.reversed_fen


class DeskRefund(Struct, frozen=True):
    """A refund that the hospital's desk has begun; ``items``: item number → fen. Amounts are known once it is taken."""

    id: str
    refund_no: str
    trade_no: str
    settlement_id: str | None
    amount_fen: int
    items: dict[int, int]
    state: str
    code: str
    found_at: datetime
    reported_at: datetime | None
