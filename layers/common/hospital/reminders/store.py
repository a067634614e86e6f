"""SQL of reminders: planned once, taken by one, told or dropped."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import NamedTuple

from hospital.database.connection import Database, Duplicate, Transaction
from hospital.runtime.ids import new_id

BATCH = 500  # rows in one statement


class Plan(NamedTuple):
    """Of what whom to remind, and when."""

    kind: str
    subject_id: str
    occasion: str
    account_id: str
    patient_id: str
    due_at: datetime
    urgent: bool


class Reminder(NamedTuple):
    """One that somebody is at; ``message_id`` once its message is written."""

    id: str
    kind: str
    subject_id: str
    occasion: str
    account_id: str
    patient_id: str
    message_id: str | None


_COLUMNS = ", ".join(Reminder._fields)


# -- planning ---------------------------------------------------------------------------------------
def visits_of(db: Database, day: date, kind: str, made_before: datetime
              ) -> Iterator[list[tuple[str, str, str, datetime]]]:
    """The firm registrations of a day, made before then, without this reminder: id, account, patient, start.

    By some sessions at a time, so that little of it is held.
    """
    sessions = [row[0] for row in db.tuples("SELECT id FROM schedules WHERE visit_date = %s ORDER BY id", (day,))]
    for start in range(0, len(sessions), 50):
        some = sessions[start:start + 50]
        found = db.tuples(
            "SELECT b.id, b.account_id, b.patient_id, b.starts_at FROM bookings b LEFT JOIN reminders r "
            "ON r.kind = %s AND r.subject_id = b.id AND r.occasion = %s AND r.account_id = b.account_id "
            f"WHERE b.schedule_id IN ({_marks(some)}) AND b.live_flag = 1 AND b.state = 'CONFIRMED' "
            "AND b.created_at < %s AND r.id IS NULL", (kind, str(day), *some, made_before))
        yield found


def insert(db: Database, plans: list[Plan], now: datetime) -> int:
    """Plan them, each once: what is planned already, by another run, stays as it is. How many are new."""
    return sum(_insert(db, plans[start:start + BATCH], now) for start in range(0, len(plans), BATCH))


def _insert(db: Database, plans: list[Plan], now: datetime) -> int:
    rows = [{"id": new_id(), **plan._asdict(), "urgent": int(plan.urgent), "state": "PLANNED", "created_at": now,
             "changed_at": now} for plan in plans]
    try:
        with db.transaction() as tx:
            tx.insert_many("reminders", rows)
    except Duplicate:  # another run is at it: each alone
        return sum(_insert(db, [one], now) for one in plans) if len(plans) > 1 else 0
    return len(rows)


# -- telling ----------------------------------------------------------------------------------------
def claim(db: Database, number: int, *, only_urgent: bool, now: datetime) -> list[Reminder]:
    """Some that are due, for who asks alone; they are SENDING since ``now``."""
    with db.transaction() as tx:
        rows = [Reminder(*row) for row in tx.tuples(
            f"SELECT {_COLUMNS} FROM reminders WHERE state = 'PLANNED' AND due_at <= %s AND urgent >= %s "
            "ORDER BY due_at, id LIMIT %s FOR UPDATE SKIP LOCKED", (now, int(only_urgent), number))]
        if rows:
            tx.run("UPDATE reminders SET state = 'SENDING', changed_at = %s, message_id = NULL "
                   f"WHERE id IN ({_marks(rows)})", (now, *(one.id for one in rows)))
    return rows


def still_ours(tx: Transaction, reminders: list[Reminder], since: datetime) -> list[Reminder]:
    """Those that nobody has taken back meanwhile, locked."""
    ids = {row[0] for row in tx.tuples(
        f"SELECT id FROM reminders WHERE id IN ({_marks(reminders)}) AND state = 'SENDING' AND changed_at = %s "
        "FOR UPDATE", (*(one.id for one in reminders), since))} if reminders else set()
    return [one for one in reminders if one.id in ids]


def written(tx: Transaction, messages: dict[str, str]) -> None:
    """The messages of some reminders, by reminder."""
    if messages:
        cases = " ".join(["WHEN %s THEN %s"] * len(messages))
        tx.run(f"UPDATE reminders SET message_id = CASE id {cases} END WHERE id IN ({_marks(list(messages))})",
               (*(part for pair in messages.items() for part in pair), *messages))


def end(tx: Transaction, ids: list[str], state: str, reason: str, now: datetime) -> None:
    """They are told, or dropped for a reason."""
    if ids:
        tx.run(f"UPDATE reminders SET state = %s, reason = %s, changed_at = %s WHERE id IN ({_marks(ids)}) "
               "AND state = 'SENDING'", (state, reason, now, *ids))


def plan_again(tx: Transaction, ids: list[str], due_at: datetime, now: datetime) -> None:
    """They were not told, and are to be told later."""
    if ids:
        tx.run("UPDATE reminders SET state = 'PLANNED', due_at = %s, changed_at = %s, message_id = NULL "
               f"WHERE id IN ({_marks(ids)}) AND state = 'SENDING'", (due_at, now, *ids))


def abandoned(tx: Transaction, before: datetime, limit: int) -> list[Reminder]:
    """Those at which somebody was before then, and is no more; locked."""
    return [Reminder(*row) for row in tx.tuples(
        f"SELECT {_COLUMNS} FROM reminders WHERE state = 'SENDING' AND changed_at < %s ORDER BY id LIMIT %s "
        "FOR UPDATE SKIP LOCKED", (before, limit))]


def _marks(values: list[str] | list[Reminder]) -> str:
    return ", ".join(["%s"] * len(values))
