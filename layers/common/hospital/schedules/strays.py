"""Slots that the HIS lists under another session than the one they stand in: moved there, or listed twice."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from hospital.database import outbox
from hospital.database.connection import Database, Unfit
from hospital.database.odd_rows import OddRows
from hospital.gateways.his import schedules as his_schedules
from hospital.gateways.outcome import Unanswered
from hospital.runtime.clock import utc_now
from hospital.runtime.errors import RetryWhole
from hospital.schedules import kept_store as kept
from hospital.schedules import looks
from hospital.schedules import sync_store as schedules


class Stray(Struct, frozen=True):
    """A slot that stands in one session and is listed in another (HIS codes)."""

    slot: his_schedules.Slot
    stands_in: str
    listed_in: str


def settle(db: Database, strays: list[Stray], odd: OddRows, now: datetime) -> int:
    """Move those that their old session lists no more; how many. The others are odd and stay where they are.

    Where the HIS has not said what the old session lists, they stay as they are until the next reading.
    """
    asked_at = utc_now()
    lists = looks.each(list(dict.fromkeys(stray.stands_in for stray in strays)), now, _codes)
    moved = 0
    for stray in strays:
        code, reason = stray.slot.code, f"listed in session {stray.listed_in}, stands in {stray.stands_in}"
        if stray.stands_in not in lists:
            odd.keep(code, reason)
        elif code in lists[stray.stands_in]:
            odd.add(code, reason)
        else:
            try:
                moved += _move(db, stray, asked_at)
            except RetryWhole:  # another reading is at it
                odd.keep(code, reason)
            except Unfit as refusal:
                odd.add(code, refusal.reason)
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
        if moved:  # whoever holds it hears of it, and who waits for either session comes first
            kept.count_again(tx, sorted(session["id"] for session in known.values()), now=asked_at)
            for session in known.values():
                outbox.publish(tx, "schedule.changed", session["id"], due=asked_at, now=asked_at)
    return moved
