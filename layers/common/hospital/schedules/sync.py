"""Taking sessions and slots over from the HIS: by a timer, and on demand for one session."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from hospital.database import outbox, policy, tasks
from hospital.database.connection import Database, Row, Transaction
from hospital.gateways.his import schedules as his_schedules
from hospital.gateways.his.schedules import Schedule
from hospital.runtime import log
from hospital.runtime.clock import hospital_day, utc_now
from hospital.schedules import store
from hospital.schedules import sync_store as schedules
from hospital.site import store as site

BATCH = 50  # sessions taken over in one transaction


def sync_schedules(db: Database, now: datetime, *, only: str = "") -> int:
    """Take over every session on sale and one day more, or (``only``) the one of a HIS code.

    Returns how many sessions or slots changed.

    A session that the HIS lists no more is GONE; one that is stopped, or gone, while patients are
    registered is also a staff task. Raises Unanswered.
    """
    first = hospital_day(now)
    last = first + timedelta(days=policy.load(db).days_ahead + 1)
    started = utc_now()
    return _take_over(db, his_schedules.schedules(first, last, schedule=only), first, last, started, only=only)


def refresh(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """Take one session over again, because the HIS refused something on it. Raises Unanswered."""
    session = store.session(db, job.subject_id)
    if session is not None:
        day = session.visit_date
        given = his_schedules.schedules(day, day, schedule=session.his_code)
        _take_over(db, given, day, day, now, only=session.his_code)
    return None


def _take_over(db: Database, given: list[Schedule], first: date, last: date, asked_at: datetime,
               only: str = "") -> int:
    doctors = {code: row["id"] for code, row in site.doctor_ids(db).items()}
    known, slots = schedules.known_schedules(db, first, last, only), schedules.known_slots(db, first, last, only)
    changed = 0
    for start in range(0, len(given), BATCH):
        with db.transaction() as tx:
            for schedule in given[start:start + BATCH]:
                doctor_id = doctors.get(schedule.doctor_code)
                if doctor_id is None:
                    log.event("sync.unknown-doctor", schedule=schedule.code)
                    continue
                schedule_id, count = _save(tx, schedule, doctor_id, known.pop(schedule.code, None), asked_at)
                changed += count + _save_slots(tx, schedule, schedule_id, slots.get(schedule_id, {}), asked_at)
    for old in known.values():
        if old["state"] != "GONE":
            with db.transaction() as tx:
                schedules.update_schedule(tx, old["id"], {"state": "GONE"})
                _tell_ended(tx, old["id"], asked_at)
            changed += 1
    return changed


def _save(tx: Transaction, schedule: Schedule, doctor_id: str, old: Row | None, now: datetime
          ) -> tuple[str, int]:
    values: dict[str, Any] = {
        "his_department": schedule.department_code, "doctor_id": doctor_id, "visit_date": schedule.date,
        "period": schedule.period, "kind": schedule.kind, "fee_fen": schedule.fee_fen,
        "starts_at": schedule.starts_at, "ends_at": schedule.ends_at, "clinic_room": schedule.clinic_room,
        "state": schedule.state}
    if old is None:
        return schedules.insert_schedule(tx, schedule.code, values), 1
    if all(old[name] == value for name, value in values.items()):
        return old["id"], 0
    schedules.update_schedule(tx, old["id"], values)
    if schedule.state == "STOPPED" and old["state"] == "OPEN":
        _tell_ended(tx, old["id"], now)
    return old["id"], 1


def _save_slots(tx: Transaction, schedule: Schedule, schedule_id: str, old: dict[str, Row],
                asked_at: datetime) -> int:
    changed, new = 0, []
    for slot in schedule.slots:
        row = old.pop(slot.code, None)
        moved = row is not None and (row["starts_at"], row["ends_at"]) != (slot.starts_at, slot.ends_at)
        if row is None:
            new.append(slot)
        elif row["booking_id"] is not None:  # the HIS has it taken because of us
            if moved:
                _tell_about_slot(tx, row, f"now {slot.starts_at.isoformat()}", asked_at)
        elif moved or row["state"] != schedules.state_of(slot):
            changed += schedules.update_slot(tx, slot.code, asked_at=asked_at, state=schedules.state_of(slot),
                                             starts_at=slot.starts_at, ends_at=slot.ends_at)
    for code, row in old.items():  # what the HIS lists no more
        if row["booking_id"] is not None:
            _tell_about_slot(tx, row, "no longer listed", asked_at)
        elif row["state"] == "OPEN":
            changed += schedules.update_slot(tx, code, asked_at=asked_at, state="CLOSED")
    schedules.insert_slots(tx, schedule_id, new, asked_at)
    return changed + len(new)


def _tell_ended(tx: Transaction, schedule_id: str, now: datetime) -> None:
    """Whoever has sold places of this session hears that it takes place no more."""
    outbox.publish(tx, "schedule.ended", schedule_id, due=now, now=now)


def _tell_about_slot(tx: Transaction, slot: Row, what: str, now: datetime) -> None:
    tasks.add(tx, kind="slot.moved", subject_id=slot["booking_id"], now=now,
              detail=f"HIS slot {slot['his_code']}, booked for {slot['starts_at'].isoformat()}: {what}")


WORKER: dict[str, outbox.Handler] = {"schedule.refresh": refresh}
