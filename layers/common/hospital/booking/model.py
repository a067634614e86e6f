"""A registration and its states. The picture of the table is in ``docs/booking-states.svg``."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from msgspec import Struct

# Where a registration may go from each state; whatever is not here raises IllegalMove.
MOVES: dict[str, set[str]] = {
    "HELD": {"AWAITING_PAYMENT", "CONFIRMING", "RELEASED"},
    "AWAITING_PAYMENT": {"CONFIRMING", "RELEASED"},
    "CONFIRMING": {"CONFIRMED", "REJECTED"},
    "CONFIRMED": {"CANCELLING", "CHECKED_IN", "CANCELLED"},  # CANCELLED at once: the desk gave the whole fee back
    "CHECKED_IN": {"CANCELLED"},
    "CANCELLING": {"CANCELLED", "CONFIRMED"},  # back when the HIS refuses
    "RELEASED": {"CONFIRMING", "REJECTED"},  # only by money that came after all
    "REJECTED": set(),
    "CANCELLED": set(),
}
# Reasons that a patient is told of.
FIRM_ELSEWHERE = "FIRM_ELSEWHERE"  # firm in the HIS without our payment: the window's registration, not ours
ENDED_AT_HOSPITAL = "ENDED_AT_HOSPITAL"  # the hospital has cancelled it, without giving our payment back
REFUNDED_AT_DESK = "REFUNDED_AT_DESK"  # likewise, and the desk has begun to give our payment back
PAID_AT_HOSPITAL = "PAID_AT_HOSPITAL"  # it can't be cancelled here: what was paid for it is not ours to give back
OFFER_ENDS = {"GIVEN_UP": "OFFER_GIVEN_UP", "EXPIRED": "OFFER_EXPIRED"}  # of a place that was offered, not asked for
DOUBLED = "booking.doubled"  # the task about one that the hospital has put next to another of its patient
LOOK = "registration.look"  # the arrow that has the HIS asked what became of one
LIVE = {"HELD", "AWAITING_PAYMENT", "CONFIRMING", "CONFIRMED", "CHECKED_IN", "CANCELLING"}


class NewBooking(Struct, frozen=True):
    """What a patient asks for. ``fee_fen`` is what they were shown; ``slot_id`` None: any free place."""

    patient_id: str
    schedule_id: str
    slot_id: str | None
    fee_fen: int


class Counts(Struct, frozen=True):
    """How many registrations there are already: a patient's, and an account's places that were not paid for."""

    live: int  # of the patient, from today on
    that_day: int
    unpaid: int  # held by the account now, for whomever, bound or not
    unpaid_until: datetime | None  # when the first of them ends
    given_up: int  # by the account since a day: given up, or not paid in time; on trust and cancelled
    given_up_since: datetime | None  # when the first of them was
    on_trust: int = 0  # the account's, from today on, that nothing is paid for before the visit
    on_trust_until: date | None = None  # the day of the first of them


class Place(Struct, frozen=True):
    """One place of a session."""

    id: str
    starts_at: datetime


class Offer(Struct, frozen=True):
    """What is known of a session, and of the patient who wants one of its places, at one moment.

    ``twice``: by another of their documents they have a registration like it. ``places``: the chosen one (not looked
    at whether it is free), or some that seem free.
    """

    schedule_id: str
    doctor_id: str
    visit_date: date
    period: str
    fee_fen: int
    state: str
    clinic_room: str
    consents: set[str]
    counts: Counts
    twice: bool
    places: list[Place]
    blocked: dict[str, Any]  # what ``block_store.until`` reads


class Booking(Struct, frozen=True):
    """A registration. ``trade_no`` is our number for it in the HIS; a re-taken one gets a new number."""

    id: str
    account_id: str
    patient_id: str
    schedule_id: str
    slot_id: str
    doctor_id: str
    visit_date: date
    period: str
    starts_at: datetime
    fee_fen: int
    payment_policy: str
    state: str
    reason: str
    trade_no: str
    his_locked: bool
    expires_at: datetime
    visit_number: str
    location: str
    created_at: datetime
    checked_in_at: datetime | None = None
    queue_number: str = ""
    queue_place: str = ""
    queue_ahead: int | None = None  # how many were to be called before, at that moment
    late: int = 0  # came after the end of the slot's time (过号)
    clinic_room: str | None = None  # as the patient was told; None: of before it was kept
    free_cancel_until: datetime | None = None  # the hospital has changed it: may be given up whatever the cut-off
    hold_until: datetime | None = None  # how long the HIS keeps the lock; None: begun before we kept that
    cancel_until: datetime | None = None  # the cut-off it was made under; None: likewise
    waitlist_id: str | None = None  # made by the house for who waited (候补): an offer until it is paid or confirmed
    attendance: str | None = None  # ATTENDED or ABSENT, once the HIS has said it
    beside: str = ""  # its own id while the hospital has it where its patient has another one (DOUBLED)

    @classmethod
    def of(cls, row: dict[str, Any]) -> Booking:
        """From a row of the table."""
        return cls(**{name: row[name] for name in cls.__struct_fields__})

    def ends_as(self, reason: str) -> str:
        """The reason of a held place's end: an offer that lapses is not held against who got it."""
        return OFFER_ENDS.get(reason, reason) if self.waitlist_id else reason

    @property
    def needs_payment(self) -> bool:
        """Whether WeChat Pay comes before the HIS confirms."""
        return self.payment_policy == "AT_BOOKING" and self.fee_fen > 0


# -- stopped and changed --------------------------------------------------------------------------------
SESSION_STOPPED = "SESSION_STOPPED"  # given up by its patient because it does not take place
NOT_CHOSEN = "NOT_CHOSEN"  # likewise, by itself: nothing was chosen in time
OF_STOPPED = {SESSION_STOPPED, NOT_CHOSEN}

# A move to another place: HELD here, AWAITING_PAYMENT of what it costs more, MOVING: the HIS is being asked. Until it
# is DONE the registration is what it was; RELEASED and REJECTED have changed nothing about it.
MOVE_MOVES: dict[str, set[str]] = {
    "HELD": {"AWAITING_PAYMENT", "MOVING", "RELEASED"},
    "AWAITING_PAYMENT": {"MOVING", "RELEASED"},
    "MOVING": {"DONE", "REJECTED"},
    "RELEASED": {"REJECTED"},  # only by money that came after all: it goes back
    "DONE": set(),
    "REJECTED": set(),
}


class Choice(Struct, frozen=True):
    """What is open to the patient of a registration that does not take place: until ``choose_until`` they choose."""

    id: str
    booking_id: str
    schedule_id: str
    state: str
    choose_until: datetime

    @classmethod
    def of(cls, row: dict[str, Any]) -> Choice:
        """From a row of the table."""
        return cls(**{name: row[name] for name in cls.__struct_fields__})


class Move(Struct, frozen=True):
    """One try to move a registration to another place, under a new trade number.

    ``difference_fen`` is to be paid besides, or (negative) comes back.
    """

    id: str
    booking_id: str
    account_id: str
    from_trade_no: str
    trade_no: str
    schedule_id: str
    slot_id: str
    fee_fen: int
    difference_fen: int
    state: str
    reason: str
    expires_at: datetime
    hold_until: datetime
    created_at: datetime

    @classmethod
    def of(cls, row: dict[str, Any]) -> Move:
        """From a row of the table."""
        return cls(**{name: row[name] for name in cls.__struct_fields__})

    @property
    def difference_trade_no(self) -> str:
        """The number in the HIS of what is paid besides."""
        return f"{self.trade_no}-D"


class NewPlace(Struct, frozen=True):
    """Where a patient wants to go instead. ``fee_fen`` is what they were shown; ``slot_id`` None: any free place."""

    schedule_id: str
    slot_id: str | None
    fee_fen: int
