"""Staff's task list: what the system can't decide by itself. Open until a person resolves it."""

from __future__ import annotations

from datetime import datetime

from hospital.database.connection import Database, Duplicate, Row, Transaction
from hospital.runtime import log
from hospital.runtime.ids import new_id


def add(tx: Transaction, *, kind: str, subject_id: str, detail: str, now: datetime, job_id: str = "") -> None:
    """Put a task on the list; one open task a kind and subject. ``detail`` has no personal data."""
    try:
        tx.insert("staff_tasks", id=new_id(), kind=kind, subject_id=subject_id, job_id=job_id,
                  detail=detail[:500], state="OPEN", created_at=now)
    except Duplicate:
        tx.run("UPDATE staff_tasks SET detail = %s WHERE kind = %s AND subject_id = %s AND state = 'OPEN'",
               (detail[:500], kind, subject_id))
    log.event("task.added", kind=kind, subject=subject_id)


def open_tasks(db: Database, limit: int = 100) -> list[Row]:
    """The oldest open tasks."""
    return db.all("SELECT id, kind, subject_id, job_id, detail, created_at FROM staff_tasks "
                  "WHERE state = 'OPEN' ORDER BY created_at LIMIT %s", (limit,))


def find(tx: Transaction, task_id: str) -> Row | None:
    """One task, locked."""
    return tx.one("SELECT * FROM staff_tasks WHERE id = %s FOR UPDATE", (task_id,))


def resolve(tx: Transaction, task_id: str, *, by: str, note: str, now: datetime) -> bool:
    """Close a task. False when it is not open."""
    return tx.run("UPDATE staff_tasks SET state = 'RESOLVED', resolved_by = %s, resolution = %s, "
                  "resolved_at = %s WHERE id = %s AND state = 'OPEN'", (by, note[:500], now, task_id)) == 1


def settle(tx: Transaction, *, kind: str, subject_id: str, note: str, now: datetime) -> None:
    """Close the open task of a kind and subject, if any: what it asked for has happened by itself."""
    tx.run("UPDATE staff_tasks SET state = 'RESOLVED', resolved_by = 'system', resolution = %s, "
           "resolved_at = %s WHERE kind = %s AND subject_id = %s AND state = 'OPEN'",
           (note[:500], now, kind, subject_id))
