"""Taking sessions and slots over from the HIS: by a timer, and on demand for one session.

The list is read page by page and never held. Each row stands alone: what can't be taken is a task with its
reason, stays as it was, and the rest goes on. Who holds a place of what has changed is told through the outbox.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hospital.database import outbox, policy
from hospital.database.connection import Database, Duplicate, Row, Transaction, Unfit
from hospital.database.odd_rows import OddRows
from hospital.gateways.his import schedules as his_schedules
from hospital.gateways.his.schedules import Page, Schedule
from hospital.gateways.outcome import Unanswered
from hospital.runtime.clock import hospital_day, utc_now
from hospital.runtime.errors import RetryWhole
from hospital.schedules import missing, store, strays
from hospital.schedules import sync_store as schedules
from hospital.schedules.strays import Stray
from hospital.schedules.sync_store import KnownSlot
from hospital.site import store as site

BATCH = 50  # sessions taken over in one transaction
TOLD = {"doctor_id", "visit_date", "period", "starts_at", "clinic_room", "state"}  # what a patient was told


def sync_schedules(db: Database, now: datetime, *, only: str = "") -> int:
    """Take over every session on sale and one day more, or (``only``) the one of a HIS code.

    Returns how many sessions or slots changed. Raises Unanswered.
    """
    if only:
        return look_at(db, only, now)
    settings = policy.load(db)
    first = hospital_day(now)
    last = first + timedelta(days=settings.days_ahead + 1)
    listed = schedules.listed(db, first, last, now)  # before the HIS is asked: what comes meanwhile is not missing
    reading = _Reading(db)
    asked_at = utc_now()
    for page in his_schedules.schedules(first, last):
        reading.take(page, asked_at)
        asked_at = utc_now()
    reading.end(now)
    if reading.nameless:  # any session may be the one that can't be read
        return reading.changed
    gone = [one for one in listed if one.his_code not in reading.seen]
    return reading.changed + missing.settle(db, listed, gone, settings.believed_drop_percent, now,
                                            look=lambda code: look_at(db, code, now))


def look_at(db: Database, code: str, now: datetime) -> int:
    """Take one session over, whatever its day; how much changed. One that the HIS does not know is gone.

    Raises Unanswered.
    """
    asked_at = utc_now()
    page = his_schedules.schedule(code)
    if page is None:
        return missing.unknown(db, schedules.known_schedules(db, [code]).get(code), asked_at, now)
    if [one.code for one in page.schedules] + [one.number for one in page.odd] != [code]:
        raise Unanswered("his schedule: not the one that was asked for")
    reading = _Reading(db, listed=False)
    reading.take(page, asked_at)
    reading.end(now, whole=False)
    return reading.changed


def refresh(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """Take one session over again, because the HIS refused something on it. Raises Unanswered."""
    session = store.session(db, job.subject_id)
    if session is not None:
        look_at(db, session.his_code, now)
    return None


class _Reading:
    """One reading of the list: what was seen, what changed, what could not be taken."""

    def __init__(self, db: Database, *, listed: bool = True) -> None:
        self._db = db
        self._listed = listed  # in the list, not asked for by name
        self._doctors = site.ids_by_code(db)
        self._odd, self._odd_slots = OddRows("schedule"), OddRows("slot")
        self._strays: list[Stray] = []
        self.seen: set[str] = set()
        self.nameless = False
        self.changed = 0

    def take(self, page: Page, asked_at: datetime) -> None:
        """Take a page over. Raises Unavailable."""
        for one in page.odd:
            self._odd.add(one.number, one.detail)
            self.seen.add(one.number)
            self.nameless |= not one.is_named
        for one in page.odd_slots:
            self._odd_slots.add(one.number, one.detail)
        wanted = [one for one in page.schedules if self._is_wanted(one)]
        kept = {one.number if one.is_named else "" for one in page.odd_slots}
        for start in range(0, len(wanted), BATCH):
            batch = wanted[start:start + BATCH]
            try:
                self.changed += self._take_over(batch, kept, asked_at)
            except (Duplicate, Unfit, RetryWhole):  # one of them is odd, or another reading is at it: each alone
                for schedule in batch:
                    self._take_alone(schedule, kept, asked_at)

    def end(self, now: datetime, *, whole: bool = True) -> None:
        """All was read: take slots that have gone to another session along, put what is odd on staff's list."""
        self.changed += strays.settle(self._db, self._strays, self._odd_slots, utc_now())
        self._odd.report(self._db, now, whole=whole)
        self._odd_slots.report(self._db, now, whole=whole)

    def _is_wanted(self, schedule: Schedule) -> bool:
        if schedule.code in self.seen:
            self._odd.add(schedule.code, "listed twice")
            return False
        self.seen.add(schedule.code)
        if schedule.doctor_code not in self._doctors:
            self._odd.add(schedule.code, f"unknown doctor {schedule.doctor_code}")
            return False
        return True

    def _take_alone(self, schedule: Schedule, kept: set[str], asked_at: datetime) -> None:
        try:
            self.changed += self._take_over([schedule], kept, asked_at)
        except Duplicate as refusal:
            self._odd.add(schedule.code, f"stands elsewhere already ({refusal.key})")
        except Unfit as refusal:
            self._odd.add(schedule.code, refusal.reason)

    def _take_over(self, batch: list[Schedule], kept: set[str], asked_at: datetime) -> int:
        known = schedules.known_schedules(self._db, [one.code for one in batch])
        slots = schedules.known_slots(self._db, [row["id"] for row in known.values()])
        changed = 0
        with self._db.transaction() as tx:
            for schedule in batch:
                schedule_id, count = self._save(tx, schedule, known.get(schedule.code), asked_at)
                changed += count + self._save_slots(tx, schedule, schedule_id, slots.get(schedule_id, {}), kept,
                                                    asked_at)
        return changed

    def _save(self, tx: Transaction, schedule: Schedule, old: Row | None, asked_at: datetime) -> tuple[str, int]:
        values: dict[str, Any] = {
            "his_department": schedule.department_code, "doctor_id": self._doctors[schedule.doctor_code],
            "visit_date": schedule.date, "period": schedule.period, "kind": schedule.kind,
            "fee_fen": schedule.fee_fen, "starts_at": schedule.starts_at, "ends_at": schedule.ends_at,
            "clinic_room": schedule.clinic_room, "state": schedule.state}
        if old is None:
            return schedules.insert_schedule(tx, schedule.code, values, asked_at), 1
        if self._listed and old["missing_since"] is not None:
            missing.back(tx, old["id"])
        changes = {name: value for name, value in values.items() if old[name] != value}
        if not changes or not schedules.update_schedule(tx, old["id"], changes, asked_at):
            return old["id"], 0
        if schedule.state == "STOPPED" and old["state"] == "OPEN":
            outbox.publish(tx, "schedule.ended", old["id"], due=asked_at, now=asked_at)
        if changes.keys() & TOLD:
            _tell_changed(tx, old["id"], asked_at)
        return old["id"], 1

    def _save_slots(self, tx: Transaction, schedule: Schedule, schedule_id: str, old: dict[str, KnownSlot],
                    kept: set[str], asked_at: datetime) -> int:
        changed, moved, given = 0, 0, {slot.code: slot for slot in schedule.slots}
        if len(given) < len(schedule.slots):
            self._odd_slots.add(schedule.code, "a slot of it is listed twice")
        new = [slot for code, slot in given.items() if code not in old]
        elsewhere = schedules.sessions_of(tx, [slot.code for slot in new])
        self._strays += [Stray(given[code], session, schedule.code) for code, session in elsewhere.items()]
        new = [slot for slot in new if slot.code not in elsewhere]
        for code, row in old.items():
            slot = given.get(code)
            if slot is not None:
                count = _save_slot(tx, slot, row, asked_at)
                moved += count if row.booking_id is not None else 0
                changed += count
            elif code not in kept and "" not in kept:
                changed += _close_slot(tx, row, asked_at)
        if moved:
            _tell_changed(tx, schedule_id, asked_at)
        schedules.insert_slots(tx, schedule_id, new, asked_at)
        return changed + len(new)


def _save_slot(tx: Transaction, slot: his_schedules.Slot, old: KnownSlot, asked_at: datetime) -> int:
    """A known slot as the HIS has it now. Whether it is free is ours to say while somebody holds it here."""
    held = old.booking_id is not None
    values: dict[str, Any] = {}
    if (old.number, old.starts_at, old.ends_at) != (slot.number, slot.starts_at, slot.ends_at):
        values = {"number": slot.number, "starts_at": slot.starts_at, "ends_at": slot.ends_at}
    if not held and old.state != schedules.state_of(slot):
        values["state"] = schedules.state_of(slot)
    if old.missing_since is not None:
        values["missing_since"] = None
    return schedules.update_slot(tx, slot.code, held=held, asked_at=asked_at, **values) if values else 0


def _close_slot(tx: Transaction, old: KnownSlot, asked_at: datetime) -> int:
    """A slot that the HIS lists no more: off sale, or (held here) told once."""
    if old.booking_id is None:
        return (schedules.update_slot(tx, old.his_code, held=False, asked_at=asked_at, state="CLOSED")
                if old.state == "OPEN" else 0)
    if old.missing_since is None and schedules.update_slot(tx, old.his_code, held=True, asked_at=asked_at,
                                                           missing_since=asked_at):
        outbox.publish(tx, "slot.missing", old.schedule_id, due=asked_at, now=asked_at)
    return 0


def _tell_changed(tx: Transaction, schedule_id: str, asked_at: datetime) -> None:
    """Whoever holds a place of this session hears that it, or the place, is not what it was."""
    outbox.publish(tx, "schedule.changed", schedule_id, due=asked_at, now=asked_at)


WORKER: dict[str, outbox.Handler] = {"schedule.refresh": refresh}
