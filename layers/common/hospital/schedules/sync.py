"""Taking sessions and slots over from the HIS: by a timer, and on demand for one session.

The list is read page by page and never held. Each row stands alone: what can't be taken is a task with its
reason, stays as it was, and the rest goes on. Who holds a place of what has changed is told through the outbox.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from msgspec import Struct, field

from hospital.database import outbox, policy
from hospital.database.connection import Database, Duplicate, Row, Transaction, Unfit
from hospital.database.odd_rows import OddRows
from hospital.gateways.his import schedules as his_schedules
from hospital.gateways.his.schedules import Page, Schedule
from hospital.gateways.outcome import Unanswered
from hospital.runtime.clock import hospital_day, utc_now
from hospital.runtime.errors import RetryWhole
from hospital.schedules import kept_store as waiting
from hospital.schedules import missing, store, strays
from hospital.schedules import sync_store as schedules
from hospital.schedules.strays import Stray
from hospital.schedules.sync_store import KnownSlot
from hospital.site import store as site
from hospital.site.rules import is_doubted, is_second_look

BATCH = 50  # sessions taken over in one transaction
TOLD = {"doctor_id", "visit_date", "period", "starts_at", "clinic_room", "state"}  # what a patient was told


def sync_schedules(db: Database, now: datetime, *, only: str = "") -> int:
    """Take over every session on sale and one day more, or (``only``) the one of a HIS code.

    Returns how many sessions or slots changed. Raises Unanswered, Rejected.
    """
    if only:
        return look_at(db, only, now)
    settings = policy.load(db)
    first = hospital_day(now)
    last = first + timedelta(days=settings.days_ahead + 1)
    listed = schedules.listed(db, first, last, now)  # before the HIS is asked: what comes meanwhile is not missing
    reading = _Reading(db, settings.believed_drop_percent)
    whole = False
    try:
        asked_at = utc_now()
        for page in his_schedules.schedules(first, last):
            reading.take(page, asked_at)
            asked_at = utc_now()
        reading.changed += reading.take_strays(now)
        if not reading.nameless:  # otherwise any session may be the one that can't be read
            gone = [one for one in listed if one.his_code not in reading.seen]
            reading.changed += missing.settle(
                db, listed, gone, settings.believed_drop_percent, now, today_listed=first in reading.days,
                look=lambda code: _look(db, code, reading.by_name(), now))
        reading.changed += reading.take_strays(now)
        whole = True
    finally:  # what is odd is said, however far it came
        reading.report(now, whole=whole)
    return reading.changed


def look_at(db: Database, code: str, now: datetime) -> int:
    """Take one session over, whatever its day; how much changed. One that the HIS does not know is gone.

    Raises Unanswered, Rejected.
    """
    reading = _Reading(db, policy.load(db).believed_drop_percent, listed=False)
    changed = _look(db, code, reading, now)
    moved = reading.take_strays(now)
    reading.report(now, whole=False)
    return changed + moved


def _look(db: Database, code: str, reading: _Reading, now: datetime) -> int:
    asked_at = utc_now()
    page = his_schedules.schedule(code)
    if page is None:
        return missing.unknown(db, schedules.known_schedules(db, [code]).get(code), asked_at, now)
    if [one.code for one in page.schedules] + [one.number for one in page.odd] != [code]:
        raise Unanswered("his schedule: not the one that was asked for")
    reading.take(page, asked_at)
    return reading.changed


def refresh(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """Take one session over again, because the HIS refused something on it. Raises Unanswered."""
    session = store.session(db, job.subject_id)
    if session is not None:
        look_at(db, session.his_code, now)
    return None


class _Found(Struct):
    """What a reading has found beside what it took over, in the list and by name."""

    odd: OddRows = field(default_factory=lambda: OddRows("schedule"))
    odd_slots: OddRows = field(default_factory=lambda: OddRows("slot"))
    strays: list[Stray] = field(default_factory=list)
    emptied: set[str] = field(default_factory=set)  # sessions of which so many missing places were believed to be gone


class _Reading:
    """One reading of the list: what was seen, what changed, what could not be taken."""

    def __init__(self, db: Database, percent: int, *, listed: bool = True, of: _Reading | None = None) -> None:
        self._db = db
        self._percent = percent
        self._listed = listed  # in the list, not asked for by name
        self._doctors: dict[str, str] = of._doctors if of else site.ids_by_code(db)
        self._found: _Found = of._found if of else _Found()
        self._odd, self._odd_slots = self._found.odd, self._found.odd_slots
        self.seen: set[str] = set()
        self.days: set[date] = set()  # of the sessions that are listed
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

    def by_name(self) -> _Reading:
        """A session is asked for by name in the course of this reading; what is odd in it is said together."""
        return _Reading(self._db, self._percent, listed=False, of=self)

    def take_strays(self, now: datetime) -> int:
        """Take slots along that have gone to another session; how many."""
        found, self._found.strays = self._found.strays, []
        return strays.settle(self._db, found, self._odd_slots, now)

    def report(self, now: datetime, *, whole: bool) -> None:
        """Put on staff's list what is odd or doubted; with the ``whole`` list read, close what was taken since."""
        self._odd.report(self._db, now, whole=whole)
        self._odd_slots.report(self._db, now, whole=whole)
        missing.say_places(self._db, len(self._found.emptied), now)

    def _is_wanted(self, schedule: Schedule) -> bool:
        if schedule.code in self.seen:
            self._odd.add(schedule.code, "listed twice")
            return False
        self.seen.add(schedule.code)
        self.days.add(schedule.date)
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
        except RetryWhole:  # another reading is at it: next time
            self._odd.put_off()
            self._odd_slots.put_off()

    def _take_over(self, batch: list[Schedule], kept: set[str], asked_at: datetime) -> int:
        known = schedules.known_schedules(self._db, [one.code for one in batch])
        slots = schedules.known_slots(self._db, [row["id"] for row in known.values()])
        changed, opened = 0, list[str]()
        with self._db.transaction() as tx:
            for schedule in batch:
                row = known.get(schedule.code)
                schedule_id, count = self._save(tx, schedule, row, asked_at)
                seat = self._doctors[schedule.doctor_code], schedule.date
                if (_opens(schedule, slots.get(schedule_id, {}))
                        or (row is not None and (row["doctor_id"], row["visit_date"]) != seat)):
                    opened.append(schedule_id)
                changed += count + self._save_slots(tx, schedule, schedule_id, slots.get(schedule_id, {}), kept,
                                                    asked_at, row["places_missing_since"] if row else None)
            waiting.count_again(tx, opened, now=asked_at)
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
                    kept: set[str], asked_at: datetime, doubted_since: datetime | None) -> int:
        changed, moved, given = 0, 0, {slot.code: slot for slot in schedule.slots}
        if len(given) < len(schedule.slots):
            self._odd_slots.add(schedule.code, "a slot of it is listed twice")
        new = [slot for code, slot in given.items() if code not in old]
        elsewhere = schedules.sessions_of(tx, [slot.code for slot in new])
        self._found.strays += [Stray(given[code], session, schedule.code) for code, session in elsewhere.items()]
        new = [slot for slot in new if slot.code not in elsewhere]
        closing = self._believes(tx, schedule, schedule_id, old, given.keys() | kept, asked_at, doubted_since)
        for code, row in old.items():
            slot = given.get(code)
            if slot is not None:
                count = _save_slot(tx, slot, row, asked_at)
                moved += count if row.booking_id is not None else 0
                changed += count
            elif closing and code not in kept and "" not in kept:
                changed += _close_slot(tx, row, asked_at)
        if moved:
            _tell_changed(tx, schedule_id, asked_at)
        schedules.insert_slots(tx, schedule_id, new, asked_at)
        return changed + len(new)

    def _believes(self, tx: Transaction, schedule: Schedule, schedule_id: str, old: dict[str, KnownSlot],
                  given: set[str], asked_at: datetime, since: datetime | None) -> bool:
        """Whether what a session lists no more is gone; so many places at once only when it says so twice."""
        lost = [code for code, row in old.items() if code not in given and _is_there(row)]
        known = len(lost) + sum(code in given for code in old)
        doubted = schedule.state == "OPEN" and "" not in given and is_doubted(len(lost), known, self._percent)
        believed = not doubted or is_second_look(since, asked_at)
        if doubted and believed:
            self._found.emptied.add(schedule.code)
        mark = None if believed else since or asked_at
        if mark != since:
            schedules.doubt_places(tx, schedule_id, mark)
        return believed


def _opens(schedule: Schedule, old: dict[str, KnownSlot]) -> bool:
    """Whether the HIS has a place free that was not on sale here: whoever waits for the session comes first."""
    known = ((slot.state, old.get(slot.code)) for slot in schedule.slots)
    return any(state == "FREE" and (row is None or (row.booking_id is None and row.state != "OPEN"))
               for state, row in known)


def _is_there(old: KnownSlot) -> bool:
    """Whether the HIS is thought to list it: one that nobody holds here and that is off sale may be gone long since."""
    return old.state == "OPEN" if old.booking_id is None else old.missing_since is None


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
