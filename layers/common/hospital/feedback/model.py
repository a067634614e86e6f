"""Types and states of surveys, complaints and their pictures."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from msgspec import Struct

QuestionKind = Literal["STARS", "CHOICE", "TEXT"]
ComplaintKind = Literal["COMPLAINT", "SUGGESTION", "PRAISE", "QUESTION"]
About = Literal["NOTHING", "VISIT", "DEPARTMENT", "DOCTOR"]
# What WeChat says of a text; UNCHECKED: it has not answered (yet).
TextState = Literal["PASSED", "REVIEW", "RISKY", "UNCHECKED"]

# Where a complaint may go from each state; whatever is not here raises IllegalMove.
MOVES: dict[str, set[str]] = {
    "RECEIVED": {"IN_HAND", "WITHDRAWN"},
    "IN_HAND": {"ANSWERED", "WITHDRAWN"},
    "ANSWERED": {"REOPENED", "CLOSED"},
    "REOPENED": {"IN_HAND", "WITHDRAWN"},
    "CLOSED": set(),
    "WITHDRAWN": set(),
}
OPEN = {"RECEIVED", "IN_HAND", "REOPENED"}  # the hospital owes an answer
ROUNDS = 2  # a complaint is reopened once

# Where a picture may go. READY: our own copy, drawn anew, is there; REMOVED: nothing of it is left.
PICTURE_MOVES: dict[str, set[str]] = {
    "AWAITED": {"UPLOADED", "REMOVED"},
    "UPLOADED": {"READY", "REFUSED", "REMOVED"},
    "READY": {"REMOVED"},
    "REFUSED": {"REMOVED"},
    "REMOVED": set(),
}


class Option(Struct, frozen=True):
    """One answer of a choice."""

    id: str
    label: str


class Question(Struct, frozen=True):
    """One question of a form. ``options`` belong to a choice."""

    id: str
    kind: QuestionKind
    title: str
    required: bool = False
    options: tuple[Option, ...] = ()


class Form(Struct, frozen=True):
    """A version of the questions."""

    version: int
    questions: tuple[Question, ...]


class Complaint(Struct, frozen=True):
    """A complaint, or another word to the hospital. ``about_id``: the booking, department or doctor that it is about.

    ``round`` is 2 once it was reopened. ``due_at`` is when the hospital owes the answer (None: it owes none),
    ``closes_at`` until when an answered one may be reopened.
    """

    id: str
    account_id: str
    number: str
    kind: ComplaintKind
    about: About
    about_id: str
    state: str
    text_state: TextState
    round: int
    warn_at: datetime | None
    due_at: datetime | None
    answered_at: datetime | None
    closes_at: datetime | None
    stars: int | None
    created_at: datetime

    @classmethod
    def of(cls, row: dict[str, Any]) -> Complaint:
        """From a row of the table."""
        return cls(**{name: row[name] for name in cls.__struct_fields__})


class Entry(Struct, frozen=True):
    """Something that happened to a complaint. ``actor`` is the operator, or empty."""

    what: str
    actor: str
    text: str
    at: datetime


class Picture(Struct, frozen=True):
    """A picture on its way from a phone into a complaint."""

    id: str
    account_id: str
    complaint_id: str | None
    state: str
    reason: str
    raw_key: str
    clean_key: str
    upload_until: datetime
    created_at: datetime

    @classmethod
    def of(cls, row: dict[str, Any]) -> Picture:
        """From a row of the table."""
        return cls(**{name: row[name] for name in cls.__struct_fields__})


class NewComplaint(Struct, frozen=True):
    """What somebody writes to the hospital."""

    kind: ComplaintKind
    about: About
    about_id: str
    text: str
    picture_ids: list[str]


class Group(Struct, frozen=True):
    """Answers of one week, department or doctor: how many, and how often each mark of each question was given."""

    key: str
    answers: int
    marks: dict[str, dict[str, int]]


Week = date  # its Monday
