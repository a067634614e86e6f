"""Taking sessions and slots over from the HIS: by a timer, and on demand for one session."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from hospital.booking import store
from hospital.database import outbox, policy, tasks
from hospital.database.connection import Database, Row, Transaction
from hospital.gateways import his
from hospital.runtime import log
from hospital.runtime.clock import hospital_day, utc_now
from hospital.runtime.ids import new_id
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
    return _take_over(db, his.schedules(first, last, schedule=only), first, last, started, only=only)


def refresh(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """Take one session over again, because the HIS refused something on it. Raises Unanswered."""
    session = store.session(db, job.subject_id)
    if session is not None:
        day = session.visit_date
        _take_over(db, his.schedules(day, day, schedule=session.his_code), day, day, now, only=session.his_code)
    return None


def _take_over(db: Database, given: list[his.Schedule], first: date, last: date, asked_at: datetime,
               only: str = "") -> int:
    doctors = {code: row["id"] for code, row in site.doctor_ids(db).items()}
    where, args = ("his_code = %s", (only,)) if only else ("visit_date BETWEEN %s AND %s", (first, last))
    known = {row["his_code"]: row for row in db.all(f"SELECT * FROM schedules WHERE {where}", args)}
    slots: dict[str, dict[str, Row]] = {}
    for row in db.all("SELECT x.schedule_id, x.his_code, x.state, x.starts_at, x.ends_at, x.booking_id FROM slots x "
                      f"JOIN schedules s ON s.id = x.schedule_id WHERE s.{where}", args):
        slots.setdefault(row["schedule_id"], {})[row["his_code"]] = row
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
                tx.run("UPDATE schedules SET state = 'GONE' WHERE id = %s", (old["id"],))
                _tell_staff(tx, old["id"], "GONE", asked_at)
            changed += 1
    return changed


def _save(tx: Transaction, schedule: his.Schedule, doctor_id: str, old: Row | None, now: datetime
          ) -> tuple[str, int]:
    values: dict[str, Any] = {
        "his_department": schedule.department_code, "doctor_id": doctor_id, "visit_date": schedule.date,
        "period": schedule.period, "kind": schedule.kind, "fee_fen": schedule.fee_fen,
        "starts_at": schedule.starts_at, "ends_at": schedule.ends_at, "clinic_room": schedule.clinic_room,
        "state": schedule.state}
    if old is None:
        schedule_id = new_id()
        tx.insert("schedules", id=schedule_id, his_code=schedule.code, **values)
        return schedule_id, 1
    if all(old[name] == value for name, value in values.items()):
        return old["id"], 0
    tx.run(f"UPDATE schedules SET {', '.join(f'{name} = %s' for name in values)} WHERE id = %s",
           (*values.values(), old["id"]))
    if schedule.state == "STOPPED" and old["state"] == "OPEN":
        _tell_staff(tx, old["id"], "STOPPED", now)
    return old["id"], 1


def _save_slots(tx: Transaction, schedule: his.Schedule, schedule_id: str, old: dict[str, Row],
                asked_at: datetime) -> int:
    changed, new = 0, []
    for slot in schedule.slots:
        state = "OPEN" if slot.state == "FREE" else "CLOSED"
        row = old.pop(slot.code, None)
        if row is None:
            new.append({"id": new_id(), "schedule_id": schedule_id, "his_code": slot.code, "number": slot.number,
                        "starts_at": slot.starts_at, "ends_at": slot.ends_at, "state": state,
                        "changed_at": asked_at})
        elif row["booking_id"] is None and (row["state"], row["starts_at"], row["ends_at"]) != (
                state, slot.starts_at, slot.ends_at):
            # Held here: the HIS has it taken because of us. Changed since we asked: the answer is old.
            changed += tx.run("UPDATE slots SET state = %s, starts_at = %s, ends_at = %s, changed_at = %s "
                              "WHERE his_code = %s AND booking_id IS NULL AND changed_at <= %s",
                              (state, slot.starts_at, slot.ends_at, asked_at, slot.code, asked_at))
    for code, row in old.items():
        if row["state"] == "OPEN" and row["booking_id"] is None:
            changed += tx.run("UPDATE slots SET state = 'CLOSED', changed_at = %s WHERE his_code = %s "
                              "AND booking_id IS NULL AND changed_at <= %s", (asked_at, code, asked_at))
    tx.insert_many("slots", new)
    return changed + len(new)


def _tell_staff(tx: Transaction, schedule_id: str, state: str, now: datetime) -> None:
    live = store.live_on_schedule(tx, schedule_id)
    if live:
        tasks.add(tx, kind="schedule.stopped", subject_id=schedule_id, now=now,
                  detail=f"{state} with {live} live registrations")


WORKER: dict[str, outbox.Handler] = {"schedule.refresh": refresh}
