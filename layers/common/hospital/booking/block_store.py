"""Who may not book for a while (黑名单): read here, written by what counts missed visits, and by staff.

A block is of a person, by whichever document, for all accounts; or (UNPROVEN) for those alone that have not proven
that the record is theirs, when only such accounts have missed too much: a stranger's no-shows bar strangers.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from hospital.booking.rules import day_text
from hospital.database.connection import Database, Row, Transaction
from hospital.patients.record_store import SAME
from hospital.runtime.errors import Forbidden
from hospital.security import cipher

Source = Database | Transaction
# Until when, as one row: for every account, and for those that have proven nothing. The patient, now.
IN_FORCE = ("SELECT MAX(CASE WHEN x.reach = 'ALL' THEN x.ends_at END) AS blocked_for_all, "
            "MAX(x.ends_at) AS blocked_unproven FROM booking_blocks x "
            f"WHERE x.patient_id IN {SAME} AND x.ends_at > %s AND x.lifted_at IS NULL")
SECOND_LOOK = "如有异议，请到门诊服务台申诉。"


class Blacklisted(Forbidden):
    """The person has missed too many visits, or staff have barred them, until a moment."""

    code = "blacklisted"

    def __init__(self, block: Block) -> None:
        why = f"已被医院暂停预约（{block.note}）" if block.note else "多次预约后未就诊"
        super().__init__(f"该就诊人{why}，{day_text(block.ends_at)}前不能预约和候补。已有的预约、取号、缴费、报告都不受影响。"
                         f"{SECOND_LOOK}")


class Block(Struct, frozen=True):
    """One block as its patient is told of it. ``note``: staff's words; empty when the rule made it."""

    id: str
    source: str
    missed: int
    note: str
    begins_at: datetime
    ends_at: datetime


def until(row: Row, *, proven: bool) -> datetime | None:
    """Until when an account may not book, of what ``IN_FORCE`` has found; None: it may."""
    ends_at: datetime | None = row["blocked_for_all"] if proven else row["blocked_unproven"]
    return ends_at


def in_force(source: Source, patient_id: str, *, proven: bool, now: datetime) -> Block | None:
    """What bars a patient now, the longest; None: nothing does."""
    reaches = "" if not proven else " AND x.reach = 'ALL'"
    row = source.one("SELECT x.id, x.source, x.missed, x.note_enc, x.begins_at, x.ends_at FROM booking_blocks x "
                     f"WHERE x.patient_id IN {SAME} AND x.ends_at > %s AND x.lifted_at IS NULL{reaches} "
                     "ORDER BY x.ends_at DESC LIMIT 1", (patient_id, now))
    if row is None:
        return None
    note = cipher.unseal(row["note_enc"], note_place(row["id"])) if row["note_enc"] else ""
    return Block(row["id"], row["source"], row["missed"], note, row["begins_at"], row["ends_at"])


def check(source: Source, patient_id: str, *, proven: bool, now: datetime) -> None:
    """Raise Blacklisted while the patient may not book."""
    block = in_force(source, patient_id, proven=proven, now=now)
    if block is not None:
        raise Blacklisted(block)


def note_place(block_id: str) -> str:
    """What a sealed note belongs to."""
    return f"booking_blocks.note:{block_id}"
