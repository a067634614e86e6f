"""Removing what has served its time."""

from __future__ import annotations

from datetime import datetime, timedelta

from hospital.database import policy
from hospital.database.connection import Database
from hospital.runtime.ids import first_of

BATCH = 1000
# Table, column of age, further condition, how long it is kept.
KEPT = [
    ("repeats", "created_at", "", timedelta(hours=48)),  # WeChat and clients retry for up to 25 h
    ("sessions", "expires_at", "", timedelta(days=1)),
    ("his_events", "received_at", "", timedelta(days=30)),
    ("refused_events", "received_at", "", timedelta(days=180)),
    ("known_bills", "pay_before", "", timedelta(days=7)),
    ("buckets", "full_at", "", timedelta(hours=1)),  # no index: at night hardly any is of this hour
    ("reminders", "created_at", " AND state IN ('TOLD', 'DROPPED')", timedelta(days=90)),  # longer than a bill may wait
    ("queue_screens", "asked_at", "", timedelta(days=2)),
    ("proof_codes", "sent_at", "", timedelta(days=2)),
    ("proof_tries", "tried_at", "", timedelta(days=2)),
    ("waitlist", "changed_at", " AND state <> 'WAITING'", timedelta(days=180)),  # no index: a few thousand rows
    ("no_shows", "created_at", "", timedelta(days=1096)),  # a year is the most that is counted; then it is for disputes
    ("booking_blocks", "ends_at", "", timedelta(days=1096)),
    ("outbox", "done_at", " AND state = 'DONE'", timedelta(days=30)),
]


def clean(db: Database, now: datetime) -> int:
    """Delete in small transactions, so that nobody waits. Returns how many rows went."""
    removed = sum(_remove(db, table, f"{column} < %s{condition}", now - age) for table, column, condition, age in KEPT)
    # By id, which begins with the time: these need no index for this.
    settings = policy.load(db)
    removed += _remove(db, "messages", "id < %s", first_of(now - timedelta(days=settings.inbox_days)))
    return removed + _remove(db, "audit", "id < %s", first_of(now - timedelta(days=settings.audit_days)))


def _remove(db: Database, table: str, condition: str, limit: object) -> int:
    removed = 0
    while True:
        with db.transaction() as tx:
            gone = tx.run(f"DELETE FROM {table} WHERE {condition} LIMIT {BATCH}", (limit,))
        removed += gone
        if gone < BATCH:
            return removed
