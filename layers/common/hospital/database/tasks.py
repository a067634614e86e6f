"""Staff's task list: what the system can't decide by itself. Open until a person resolves it."""

from __future__ import annotations

import re
from datetime import datetime

from msgspec import Struct

from hospital.database.connection import Database, Row, Transaction
from hospital.runtime import log
from hospital.runtime.ids import bounded, new_id

SUBJECT = 64  # characters; longer ones are told apart by a hash


class Filter(Struct, frozen=True):
    """Which open tasks: of a ``kind`` (``refund.*``: all that begin so), about a subject, first seen ``before``."""

    kind: str = ""
    subject_id: str = ""
    before: datetime | None = None


def add(tx: Transaction, *, kind: str, subject_id: str, detail: str, now: datetime, job_id: str = "") -> None:
    """Put a task on the list; one open task a kind and subject, which counts how often its cause was seen.

    ``detail`` (the latest) has no personal data. ``job_id`` is the row that hangs (the latest), if it is about one.
    """
    subject_id = bounded(subject_id, SUBJECT)
    tx.run("INSERT INTO staff_tasks (id, kind, subject_id, job_id, detail, state, created_at, last_seen_at) "
           "VALUES (%s, %s, %s, %s, %s, 'OPEN', %s, %s) "
           "ON DUPLICATE KEY UPDATE detail = %s, job_id = %s, times = times + 1, last_seen_at = %s",
           (new_id(), kind, subject_id, job_id, detail[:500], now, now, detail[:500], job_id, now))
    log.event("task.added", kind=kind, subject=subject_id)


def kinds(source: Database) -> list[Row]:
    """Every kind of open task: how many, first seen when, last seen when."""
    return source.all("SELECT kind, COUNT(*) AS number, MIN(created_at) AS first_seen_at, "
                      "MAX(COALESCE(last_seen_at, created_at)) AS last_seen_at "
                      "FROM staff_tasks WHERE state = 'OPEN' GROUP BY kind ORDER BY kind")


def page(source: Database, wanted: Filter, *, after: str, newest: bool, limit: int) -> list[Row]:
    """Open tasks in the order in which they were put on the list (or the other way round), from one's id on."""
    conditions = ["state = 'OPEN'"]
    args: list[object] = []
    if wanted.kind.endswith("*"):
        conditions.append("kind LIKE %s ESCAPE '!'")
        args.append(re.sub("([!_%])", r"!\1", wanted.kind[:-1]) + "%")
    elif wanted.kind:
        conditions.append("kind = %s")
        args.append(wanted.kind)
    if wanted.subject_id:
        conditions.append("subject_id = %s")
        args.append(bounded(wanted.subject_id, SUBJECT))
    if wanted.before is not None:
        conditions.append("created_at < %s")
        args.append(wanted.before)
    if after:
        conditions.append("id < %s" if newest else "id > %s")
        args.append(after)
    return source.all("SELECT id, kind, subject_id, job_id, detail, times, created_at, "
                      "COALESCE(last_seen_at, created_at) AS last_seen_at FROM staff_tasks "
                      f"WHERE {' AND '.join(conditions)} ORDER BY id{' DESC' if newest else ''} LIMIT %s",
                      (*args, limit))


def find(source: Database | Transaction, task_id: str, *, lock: bool = False) -> Row | None:
    """One task. Who changes what it is about as well locks that first, and the task last."""
    return source.one(f"SELECT * FROM staff_tasks WHERE id = %s{' FOR UPDATE' if lock else ''}", (task_id,))


def resolve(tx: Transaction, task_id: str, *, by: str, note: str, now: datetime) -> bool:
    """Close a task. False when it is not open."""
    return tx.run("UPDATE staff_tasks SET state = 'RESOLVED', resolved_by = %s, resolution = %s, "
                  "resolved_at = %s WHERE id = %s AND state = 'OPEN'", (by, note[:500], now, task_id)) == 1


def was_put_away(source: Transaction, *, kind: str, subject_id: str) -> bool:
    """Whether staff have closed a task of this kind and subject, so that they know of it."""
    return source.one("SELECT id FROM staff_tasks WHERE kind = %s AND subject_id = %s AND state = 'RESOLVED' "
                      "AND resolved_by <> 'system' LIMIT 1", (kind, bounded(subject_id, SUBJECT))) is not None


def settle(tx: Transaction, *, kind: str, subject_id: str, note: str, now: datetime) -> None:
    """Close the open task of a kind and subject, if any: what it asked for has happened by itself."""
    tx.run("UPDATE staff_tasks SET state = 'RESOLVED', resolved_by = 'system', resolution = %s, "
           "resolved_at = %s WHERE kind = %s AND subject_id = %s AND state = 'OPEN'",
           (note[:500], now, kind, bounded(subject_id, SUBJECT)))
