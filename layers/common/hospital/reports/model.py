"""A report as the house knows it, whichever form it came in: HL7 v2, FHIR, or our own JSON.

The readers (``layers/reports``) make these; ``docs/reports.md`` says what comes from where. Nothing that was sent is
dropped: what has no place here stands in ``notes``, in its order.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal

from msgspec import Struct

Kind = Literal["laboratory", "microbiology", "imaging", "pathology", "ecg", "endoscopy", "genetics", "other"]
Status = Literal["registered", "preliminary", "final", "amended", "corrected", "cancelled", "entered-in-error"]
ItemStatus = Literal["registered", "preliminary", "final", "amended", "corrected", "cancelled", "entered-in-error",
                     "deleted"]  # deleted: the sender takes back one that was sent before
Sex = Literal["male", "female", "other", "unknown", ""]
Comparator = Literal["", "<", "<=", ">", ">=", "~"]
Precision = Literal["year", "month", "day", "hour", "minute", "second"]
Processing = Literal["production", "training", "debugging"]  # only the first is about a patient
Role = Literal["", "panel", "organism", "antibiotic"]
Measure = Literal["", "MIC", "zone"]  # of an antibiotic: the least concentration that stops growth, or a diameter
Flag = Literal[
    "low", "high", "critical-low", "critical-high", "off-scale-low", "off-scale-high", "normal", "abnormal",
    "critical-abnormal", "susceptible", "susceptible-dose-dependent", "intermediate", "resistant", "non-susceptible",
    "synergy", "no-synergy", "up", "down", "better", "worse", "positive", "negative", "indeterminate", "detected",
    "not-detected", "reactive", "non-reactive", "insufficient"]

CRITICAL: frozenset[Flag] = frozenset({"critical-low", "critical-high", "critical-abnormal"})
SUSCEPTIBILITY: frozenset[Flag] = frozenset({
    "susceptible", "susceptible-dose-dependent", "intermediate", "resistant", "non-susceptible", "synergy",
    "no-synergy"})
# A report in one of these says something: it has a value, a text or a file.
WITH_CONTENT: frozenset[Status] = frozenset({"final", "amended", "corrected"})


class Note(Struct, frozen=True):
    """A text that has no place of its own. ``where``: the field it came from (``OBX[3]-17``, ``NTE``)."""

    where: str
    text: str


class Moment(Struct, frozen=True):
    """A time as it was told. ``at`` is aware; what was not told (a day's hour) is its beginning."""

    text: str
    at: datetime
    precision: Precision
    has_zone: bool  # False: none was told, so it is the hospital's


class Code(Struct, frozen=True):
    """A code of a system, and how it is written there."""

    code: str
    system: str
    text: str


class Identifier(Struct, frozen=True):
    """A number with who gave it and what kind it is, both as sent (``MR``, ``NI``, ``PI``; empty where not told)."""

    value: str
    assigner: str
    kind: str


class Person(Struct, frozen=True):
    """The patient, as the sender knows them. Whose record it is decides who receives it."""

    identifiers: tuple[Identifier, ...] = ()
    name: str = ""
    other_names: tuple[str, ...] = ()
    sex: Sex = ""
    birth: Moment | None = None


class Value(Struct, frozen=True):
    """A result: always its text as sent, and what can be computed with where it is a number."""

    text: str
    number: Decimal | None = None
    comparator: Comparator = ""
    low: Decimal | None = None  # of a range
    high: Decimal | None = None
    titer: Decimal | None = None  # 1:n
    ordinal: str = ""  # "-", "±", "+" to "++++": how much of it, told in steps
    codes: tuple[Code, ...] = ()
    absent: str = ""  # why there is no value, as sent


class Reference(Struct, frozen=True):
    """What is usual: as sent, and its bounds. ``note`` says for whom (sex, age) or what it means."""

    text: str
    low: Decimal | None = None
    high: Decimal | None = None
    note: str = ""


class Item(Struct, frozen=True):
    """One result, or a group of them.

    ``members``: those of a panel, or the antibiotics of an organism. ``sequence`` counts from 1 over the report, as
    sent.
    """

    sequence: int
    name: str
    codes: tuple[Code, ...]
    value: Value | None
    status: ItemStatus
    unit: str = ""
    references: tuple[Reference, ...] = ()
    flags: tuple[Flag, ...] = ()
    method: str = ""
    note: str = ""
    group: str = ""  # the sender's own mark of what belongs together (OBX-4)
    panel: str = ""  # the title it stands under
    role: Role = ""
    measure: Measure = ""
    observed: Moment | None = None
    members: tuple[Item, ...] = ()

    @property
    def is_critical(self) -> bool:
        """Whether the sender calls it critical (危急值)."""
        return not CRITICAL.isdisjoint(self.flags)


class Attachment(Struct, frozen=True):
    """A file that belongs to the report: its bytes, or where it lies."""

    media_type: str
    title: str
    data: bytes = b""
    url: str = ""


class Version(Struct, frozen=True):
    """Which sending it was: the sender's own number and time of it, and the SHA-256 of its bytes in hex."""

    id: str
    at: Moment | None
    digest: str


class Report(Struct, frozen=True):
    """One report of one patient. ``source`` and ``number`` together say which; of several versions, ``version``."""

    source: str
    number: str  # empty where the sender gave none
    kind: Kind
    status: Status
    patient: Person
    titles: tuple[str, ...]
    version: Version
    items: tuple[Item, ...] = ()
    findings: str = ""
    conclusion: str = ""
    attachments: tuple[Attachment, ...] = ()
    order_number: str = ""  # of who ordered it
    accession_number: str = ""  # of the specimen or the examination
    visit_number: str = ""
    collected: Moment | None = None
    received: Moment | None = None
    reported: Moment | None = None
    audited: Moment | None = None
    specimen: str = ""
    department: str = ""  # that made it
    ordering_department: str = ""
    ordered_by: str = ""
    author: str = ""
    auditor: str = ""
    sensitivity: str = ""  # the sender's code of how closely it is kept
    processing: Processing = "production"
    notes: tuple[Note, ...] = ()


class NotTaken(Exception):
    """What was sent is not a report that can be shown. ``reason`` is a stable code, ``where`` the field.

    The sentence names the field and never a value: it goes into logs, tasks and answers.
    """

    def __init__(self, reason: str, where: str, sentence: str) -> None:
        super().__init__(f"{where}: {sentence}" if where else sentence)
        self.reason = reason
        self.where = where
        self.sentence = sentence


class Unreadable(NotTaken):
    """It can't be read: not the form it should have, or larger than any honest one."""


class Contradictory(NotTaken):
    """It can be read and can't be true as it stands: it says two things at once, or leaves out what decides."""
