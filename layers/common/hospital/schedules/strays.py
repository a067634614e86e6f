"""Slots that the HIS lists under another session than the one they stand in: moved there, or listed twice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hospital.database import outbox
from hospital.database.connection import Database
from hospital.database.odd_rows import OddRows
from hospital.gateways.his import schedules as his_schedules
from hospital.gateways.outcome import Unanswered
from hospital.runtime import log
from hospital.schedules import sync_store as schedules

LOOKS = 50  # sessions that the HIS is asked for in one reading; the others wait for the next


@dataclass(frozen=True)
class Stray:
    """A slot that stands in one session and is listed in another (HIS codes)."""

    slot: his_schedules.Slot
    stands_in: str
    listed_in: str


def settle(db: Database, strays: list[Stray], odd: OddRows, asked_at: datetime) -> int:
    """Move those that their old session lists no more; how many. The others are odd and stay where they are."""
    lists: dict[str, set[str]] = {}
    moved = 0
    try:
        for stray in strays:
            if stray.stands_in not in lists:
                if len(lists) == LOOKS:
                    break
                lists[stray.stands_in] = _codes(stray.stands_in)
            if stray.slot.code in lists[stray.stands_in]:
                odd.add(stray.slot.code, f"listed in session {stray.listed_in}, stands in {stray.stands_in}")
            else:
                moved += _move(db, stray, asked_at)
    except Unanswered as silence:  # they stay as they are until the next reading
        log.event("his.unanswered", operation="schedule", reason=silence.reason)
    return moved


def _codes(session: str) -> set[str]:
    """The slots that a session has now, readable or not."""
    page = his_schedules.schedule(session)
    if page is None:
        return set()
    if page.odd or any(not one.is_named for one in page.odd_slots):
        raise Unanswered("his schedule: unreadable")
    return {slot.code for one in page.schedules for slot in one.slots} | {one.number for one in page.odd_slots}


def _move(db: Database, stray: Stray, asked_at: datetime) -> int:
    known = schedules.known_schedules(db, [stray.stands_in, stray.listed_in])
    if len(known) < 2:
        return 0
    with db.transaction() as tx:
        moved = schedules.move_slot(tx, stray.slot, known[stray.listed_in]["id"], asked_at)
        if moved:  # whoever holds it hears of it
            for session in known.values():
                outbox.publish(tx, "schedule.changed", session["id"], due=asked_at, now=asked_at)
    return moved
