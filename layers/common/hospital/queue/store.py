"""SQL of queues as they were last told: one row each, which all instances share. No names: numbers of a day."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from hospital.database.connection import Database, Duplicate, Row
from hospital.queue.rules import Screen


def registration(db: Database, account_id: str, booking_id: str) -> Row | None:
    """One of the account's registrations with all that its queue's page says of it; None when unknown or another's.

    One statement: thousands look at once.
    """
    return db.one(
        "SELECT b.id, b.patient_id, b.state, b.queue_number, b.queue_place, s.his_code, d.name AS doctor_name, "
        "COALESCE(b.clinic_room, s.clinic_room) AS clinic_room, COALESCE((SELECT t.name FROM department_sources x "
        "JOIN departments t ON t.id = x.department_id WHERE x.his_code = s.his_department ORDER BY t.position "
        "LIMIT 1), (SELECT h.name FROM his_departments h WHERE h.code = s.his_department), '') AS department_name "
        "FROM bookings b JOIN schedules s ON s.id = b.schedule_id JOIN doctors d ON d.id = b.doctor_id "
        "WHERE b.id = %s AND b.account_id = %s", (booking_id, account_id))


def last_told(db: Database, codes: Sequence[str]) -> dict[str, Row]:
    """The rows of some queues: what was told (``screen``, None: nothing yet), and when they were asked for last."""
    if not codes:
        return {}
    marks = ", ".join(["%s"] * len(codes))
    return {row["code"]: {"asked_at": row["asked_at"], "screen": _screen(row["code"], row["told"])} for row in db.all(
        f"SELECT code, asked_at, told FROM queue_screens WHERE code IN ({marks})", tuple(codes))}


def take_turn(db: Database, code: str, now: datetime, every: timedelta, *, is_new: bool) -> bool:
    """Whether it is ours to ask: of many who would one has it, until ``every`` has passed. ``is_new``: no row yet."""
    if is_new:
        try:
            with db.transaction() as tx:
                tx.insert("queue_screens", code=code, asked_at=now)
        except Duplicate:
            return False
        return True
    with db.transaction() as tx:
        return tx.run("UPDATE queue_screens SET asked_at = %s WHERE code = %s AND (asked_at <= %s OR asked_at > %s)",
                      (now, code, now - every, now + every)) == 1


def keep(db: Database, screen: Screen) -> None:
    """What was told to who had the turn at ``as_of``; nothing when another one has had it since."""
    told: dict[str, Any] = {
        "state": screen.state, "as_of": screen.as_of.isoformat(), "called": screen.called,
        "waiting": screen.waiting, "passed": screen.passed, "earlier": screen.earlier,
        "calls": [one.isoformat() for one in screen.calls], "seconds_each": screen.seconds_each}
    with db.transaction() as tx:
        tx.run("UPDATE queue_screens SET told = %s, told_at = %s WHERE code = %s AND asked_at = %s",
               (json.dumps(told, ensure_ascii=False), screen.as_of, screen.code, screen.as_of))


def _screen(code: str, told: str | None) -> Screen | None:
    if told is None:
        return None
    one = json.loads(told)
    return Screen(code, one["state"], datetime.fromisoformat(one["as_of"]), one["called"], tuple(one["waiting"]),
                  tuple(one["passed"]), tuple(one["earlier"]),
                  tuple(datetime.fromisoformat(at) for at in one["calls"]), one["seconds_each"])
