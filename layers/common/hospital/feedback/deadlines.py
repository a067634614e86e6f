"""An answer is owed by a time: staff are reminded before it, and once more when it is over."""

from __future__ import annotations

from datetime import datetime

from hospital.database import outbox, tasks
from hospital.database.connection import Database, Transaction
from hospital.database.policy import Policy
from hospital.feedback import complaint_store as store
from hospital.feedback import rules
from hospital.feedback.model import OPEN, Complaint

DUE_SOON = "complaint.due-soon"  # the tasks about one that waits for its answer
OVERDUE = "complaint.overdue"
WARN, OWED = "complaint.warn", "complaint.owed"  # arrows: staff are reminded; the answer is owed now


def of(since: datetime, settings: Policy) -> tuple[datetime, datetime]:
    """When staff are reminded of what was received then, and when the answer is owed."""
    due = rules.deadline(since, settings.complaint_answer_days, settings)
    return rules.warn_at(since, due, settings), due


def watch(tx: Transaction, one: Complaint, now: datetime) -> None:
    """Have both moments noticed."""
    if one.warn_at is not None and one.due_at is not None:
        outbox.publish(tx, WARN, one.id, due=one.warn_at, now=now)
        outbox.publish(tx, OWED, one.id, due=one.due_at, now=now)


def settle(tx: Transaction, complaint_id: str, note: str, now: datetime) -> None:
    """Nothing is owed any more."""
    for kind in (DUE_SOON, OVERDUE):
        tasks.settle(tx, kind=kind, subject_id=complaint_id, note=note, now=now)


def warn(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """A share of the time is over."""
    with db.transaction() as tx:
        one = store.by_id(tx, job.subject_id, lock=True)
        if one is not None and one.state in OPEN and one.warn_at is not None and one.warn_at <= now:
            tasks.add(tx, kind=DUE_SOON, subject_id=one.id, now=now, detail=f"{one.number}: {_since(one)}")
    return None


def owed(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """All of it is over: the reminder gives way to what stands above it."""
    with db.transaction() as tx:
        one = store.by_id(tx, job.subject_id, lock=True)
        if one is not None and one.state in OPEN and one.due_at is not None and one.due_at <= now:
            tasks.settle(tx, kind=DUE_SOON, subject_id=one.id, note="overdue", now=now)
            tasks.add(tx, kind=OVERDUE, subject_id=one.id, now=now, detail=f"{one.number}: {_since(one)}")
    return None


def _since(one: Complaint) -> str:
    due = f", answer owed by {one.due_at.isoformat()}" if one.due_at is not None else ""
    return f"{one.kind} {one.state}{due}"
