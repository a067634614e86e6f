"""What the HIS keeps: departments, doctors, sessions with their slots, patients, registrations."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from typing import Any, ClassVar

BEIJING = timezone(timedelta(hours=8))  # the hospital's own time; no summer time since 1991

PERIODS: dict[str, tuple[int, int]] = {  # start and end, in minutes of the hospital day
    "MORNING": (8 * 60, 12 * 60),
    "AFTERNOON": (13 * 60 + 30, 17 * 60),
    "EVENING": (18 * 60, 20 * 60 + 30),
}
KINDS = ("ORDINARY", "EXPERT", "SPECIAL")
LIVE = ("LOCKED", "CONFIRMED")  # the states that keep a slot


@dataclass(frozen=True)
class Department:
    """A second-level department; ``parent_*`` is its first-level group."""

    code: str
    name: str
    parent_code: str
    parent_name: str
    specialty_code: str
    specialty_name: str
    focus: str  # what it treats, for people's texts
    size: int  # 1 to 3
    introduction: str
    location: str
    phone: str | None

    def wire(self) -> dict[str, Any]:
        """The department as the interface shows it."""
        shown: dict[str, Any] = {
            "code": self.code, "name": self.name, "parent_code": self.parent_code,
            "parent_name": self.parent_name, "specialty_code": self.specialty_code,
            "specialty_name": self.specialty_name, "introduction": self.introduction,
            "location": self.location,
        }
        return shown if self.phone is None else {**shown, "phone": self.phone}


@dataclass(frozen=True)
class Doctor:
    """A doctor who sees outpatients in one department or several."""

    code: str
    name: str
    sex: str
    title: str
    department_codes: tuple[str, ...]
    introduction: str
    expertise: str

    def wire(self) -> dict[str, Any]:
        """The doctor as the interface shows them."""
        return {
            "code": self.code, "name": self.name, "sex": self.sex, "title": self.title,
            "department_codes": list(self.department_codes), "introduction": self.introduction,
            "expertise": self.expertise, "employed": True,
        }


@dataclass(eq=False, kw_only=True)
class DeskRefund:
    """A refund begun by the hospital's desk: the caller moves the money and reports the result."""

    refund_no: str
    trade: Trade
    amount_fen: int
    parts: tuple[tuple[int, int], ...]  # (item number, fen) of a bill; empty for a registration
    reason: str
    operator_code: str
    created_at: datetime
    state: str = "REQUESTED"  # then SUCCEEDED or FAILED
    out_refund_no: str | None = None
    code: str | None = None  # why it failed, in the caller's words


@dataclass(eq=False, kw_only=True)
class Trade:
    """What happens under one trade number of the caller, whatever its kind.

    ``stored`` is the last state written; the state seen at a moment is ``state_at``. A trade without a
    patient is the mark that its number must never be used.
    """

    kind: ClassVar[str]

    trade_no: str
    patient_code: str | None = None
    fee_fen: int | None = None
    hold_until: datetime | None = None
    stored: str
    changed: datetime
    paid_fen: int = 0
    transaction_id: str | None = None
    paid_at: datetime | None = None
    settled_at: datetime | None = None  # when the payment was written into these books
    refund_fen: int = 0  # what the caller gives back since it cancelled
    cancelled_at: datetime | None = None
    reason: str | None = None
    desk_refunds: list[DeskRefund] = field(default_factory=list)

    def state_at(self, now: datetime) -> str:
        """The state seen at ``now``: a lock past its ``hold_until`` is EXPIRED."""
        if self.stored == "LOCKED" and self.hold_until is not None and self.hold_until <= now:
            return "EXPIRED"
        return self.stored

    def changed_at(self, now: datetime) -> datetime:
        """When the state seen at ``now`` began; a lock expires at its ``hold_until``."""
        if self.state_at(now) == "EXPIRED" and self.hold_until is not None:
            return self.hold_until
        return self.changed

    def desk_fen(self, *states: str) -> int:
        """The sum of the desk's refunds in these states, in fen."""
        return sum(one.amount_fen for one in self.desk_refunds if one.state in states)

    @property
    def left_fen(self) -> int:
        """What could still be given back: paid, less all refunds that succeeded or are under way."""
        return self.paid_fen - self.refund_fen - self.desk_fen("REQUESTED", "SUCCEEDED")


@dataclass(frozen=True)
class CheckIn:
    """A patient's arrival, as it was answered."""

    at: datetime
    queue_number: str
    queue_place: str
    ahead: int
    late: bool


@dataclass(eq=False, kw_only=True)
class Registration(Trade):
    """A slot for a patient: LOCKED, EXPIRED, UNLOCKED, CONFIRMED or CANCELLED."""

    kind: ClassVar[str] = "REGISTRATION"

    code: str | None = None
    slot: Slot | None = None
    mode: str | None = None  # PREPAID or AT_CHECKIN once confirmed
    visit_number: str | None = None
    arrival: CheckIn | None = None
    seen_at: datetime | None = None  # when the doctor began the visit
    stopped: bool = False  # cancelled by the hospital, along with its session
    moved_to: str | None = None  # the number that its patient, and what was paid for it, went to
    part_of: str | None = None  # this is the difference (补差) that was paid for another registration
    attendance: str | None = None  # as staff have put it right; None: as it follows from the arrival


@dataclass(slots=True, eq=False)
class Slot:
    """One place in a session, for one patient."""

    code: str
    number: int
    starts_at: datetime
    ends_at: datetime
    schedule: Schedule
    sold: bool = False  # taken by another channel: the window, the phone
    holder: Registration | None = None  # the last registration that took it

    def held_by(self, now: datetime) -> Registration | None:
        """The live registration on this slot; an expired lock is none."""
        return self.holder if self.holder and self.holder.state_at(now) in LIVE else None

    def is_free(self, now: datetime) -> bool:
        """Whether a patient may have it."""
        return not self.sold and self.held_by(now) is None

    def wire(self, now: datetime) -> dict[str, Any]:
        """The slot as the interface shows it."""
        return {
            "code": self.code, "number": self.number, "starts_at": self.starts_at.isoformat(),
            "ends_at": self.ends_at.isoformat(), "state": "FREE" if self.is_free(now) else "TAKEN",
        }


@dataclass(eq=False)
class Schedule:
    """One session (班次): a doctor in a department in one period of one day."""

    code: str
    department: Department
    doctor: Doctor
    day: date
    period: str
    kind: str
    fee_fen: int
    starts_at: datetime
    ends_at: datetime
    clinic_room: str
    state: str = "OPEN"
    slots: list[Slot] = field(default_factory=list)

    def cut_slots(self, number: int, each: timedelta) -> None:
        """Make ``number`` slots of length ``each`` from the start."""
        self.slots = [
            Slot(f"{self.code}-{at + 1:02d}", at + 1, self.starts_at + at * each,
                 self.starts_at + (at + 1) * each, self)
            for at in range(number)
        ]

    def wire(self, now: datetime) -> dict[str, Any]:
        """The session as the interface shows it."""
        return {
            "code": self.code, "department_code": self.department.code, "doctor_code": self.doctor.code,
            "date": self.day.isoformat(), "period": self.period, "kind": self.kind,
            "fee_fen": self.fee_fen, "starts_at": self.starts_at.isoformat(),
            "ends_at": self.ends_at.isoformat(), "state": self.state, "clinic_room": self.clinic_room,
            "slots": [slot.wire(now) for slot in self.slots],
        }


def moment_of(day: date, minutes: int) -> datetime:
    """The moment ``minutes`` after the hospital day's midnight."""
    return datetime(day.year, day.month, day.day, tzinfo=BEIJING) + timedelta(minutes=minutes)


class Refused(Exception):
    """A definite refusal: this call changed nothing. ``field`` names the one field that was wrong, if any."""

    def __init__(self, code: str, message: str, status: int = 409, field: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.message = message
        self.status = status
        self.field = field
