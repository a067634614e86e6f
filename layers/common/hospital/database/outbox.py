"""The outbox: every arrow between systems is a row, written in the transaction that causes it.

``functions/worker`` (and those of ``OWNERS`` for their topics) works rows off: at least once, with
back-off, woken at once and every minute by a timer. A row that fails for two hours becomes a staff task,
and is still tried every hour: when the other system is back, nobody has to push hundreds of buttons.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import datetime, timedelta

from msgspec import Struct

from hospital.database import tasks
from hospital.database.connection import Database, Transaction
from hospital.runtime import cloud, log
from hospital.runtime.clock import utc_now
from hospital.runtime.ids import new_id

LEASE = timedelta(seconds=90)  # longer than any handler may take
THREADS = 4
BACK_OFF = [timedelta(seconds=seconds) for seconds in (5, 15, 30, 60, 180, 600, 1200, 1800, 3600)]
HANGING = timedelta(hours=1)  # between tries once it is on a person's list

# By a topic's beginning, whose it is; all others are the worker's.
OWNERS = {"refund.": "refund", "clinic.": "clinic_changes", "picture.": "pictures"}


class Job(Struct, frozen=True):
    """One row at work. ``attempts`` counts this one, from 1; ``lease`` is when others may take it over."""

    id: str
    topic: str
    subject_id: str
    attempts: int
    lease: datetime


class Again(Struct, frozen=True):
    """A handler's answer: not finished, come back ``after``. Not a failure; attempts start anew."""

    after: timedelta


Handler = Callable[[Database, Job, datetime], Again | None]


def publish(tx: Transaction, topic: str, subject_id: str, *, due: datetime, now: datetime) -> None:
    """Write an arrow. What is due now also wakes its function once the transaction is committed."""
    function = function_of(topic)
    tx.insert_soon("outbox", id=new_id(), worker=function, topic=topic, subject_id=subject_id, state="PENDING",
                   due_at=due, attempts=0, created_at=now)
    if due <= now:
        tx.after_commit[f"wake {function}"] = functools.partial(cloud.wake, function)


def bring_forward(tx: Transaction, topic: str, subject_id: str, now: datetime) -> bool:
    """Make a pending arrow due now; one that is done stays as it is. False when there is none pending."""
    found = tx.run("UPDATE outbox SET due_at = %s WHERE topic = %s AND subject_id = %s AND state = 'PENDING'",
                   (now, topic, subject_id))
    function = function_of(topic)
    tx.after_commit[f"wake {function}"] = functools.partial(cloud.wake, function)
    return found > 0


def holds(tx: Transaction, job: Job) -> bool:
    """Is a row still ours: not taken over or brought forward since it was claimed. Locks it."""
    return tx.one("SELECT id FROM outbox WHERE id = %s AND state = 'PENDING' AND due_at = %s FOR UPDATE",
                  (job.id, job.lease)) is not None


def function_of(topic: str) -> str:
    """The function that works a topic off."""
    return next((function for beginning, function in OWNERS.items() if topic.startswith(beginning)), "worker")


def work_off(db: Database, handlers: Mapping[str, Handler], *, function: str, ready: Callable[[], None],
             seconds: float = 60) -> int:
    """Work off what is due for ``function`` until nothing is, or ``seconds`` have passed.

    ``ready`` fetches what handlers need in their transactions and must not wait for there; when it fails, the row comes
    back later. Outside calls dominate, so a few threads share the work. Returns how many rows were run.
    """
    handlers = {topic: functools.partial(_after, ready, handler) for topic, handler in handlers.items()}
    deadline = time.monotonic() + seconds
    first = _claim(db, function, utc_now())
    if first is None:
        return 0
    helpers = [_pool().submit(copy_context().run, _loop, db, handlers, function, deadline, None)
               for _ in range(THREADS - 1)]
    return _loop(db, handlers, function, deadline, first) + sum(helper.result() for helper in helpers)


def _after(ready: Callable[[], None], handler: Handler, db: Database, job: Job, now: datetime) -> Again | None:
    ready()
    return handler(db, job, now)


def _loop(db: Database, handlers: Mapping[str, Handler], function: str, deadline: float,
          job: Job | None) -> int:
    done = 0
    while time.monotonic() < deadline:
        job = job or _claim(db, function, utc_now())
        if job is None:
            break
        _run(db, job, handlers)
        job = None
        done += 1
    return done


@functools.lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS - 1, "outbox")  # kept: each thread has a warm connection


def retry(tx: Transaction, job_id: str, now: datetime) -> bool:
    """Staff's order to try a hanging row now. False when it has been done or given up."""
    return tx.run("UPDATE outbox SET attempts = 0, due_at = %s WHERE id = %s AND state = 'PENDING'",
                  (now, job_id)) == 1


def give_up(tx: Transaction, job_id: str) -> None:
    """Staff have settled by hand what a hanging row was to do."""
    tx.run("UPDATE outbox SET state = 'GIVEN_UP' WHERE id = %s AND state = 'PENDING'", (job_id,))


def _claim(db: Database, function: str, now: datetime) -> Job | None:
    with db.transaction() as tx:
        row = tx.one("SELECT id, topic, subject_id, attempts FROM outbox "
                     "WHERE worker = %s AND state = 'PENDING' AND due_at <= %s "
                     "ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED", (function, now))
        if row is None:
            return None
        # The lease is the due time itself: a worker that dies leaves the row to the next one.
        lease = now + LEASE
        tx.run("UPDATE outbox SET due_at = %s, attempts = attempts + 1 WHERE id = %s", (lease, row["id"]))
    return Job(row["id"], row["topic"], row["subject_id"], row["attempts"] + 1, lease)


def _run(db: Database, job: Job, handlers: Mapping[str, Handler]) -> None:
    started = time.perf_counter()
    try:
        answer = handlers[job.topic](db, job, utc_now())
    except Exception as error:  # noqa: BLE001 - whatever it was: recorded, tried again, in the end on a person's list
        log.failure("job.failed", error, topic=job.topic, subject=job.subject_id, attempts=job.attempts)
        _postpone(db, job, error)
        return
    now = utc_now()
    with db.transaction() as tx:
        if answer is None:
            tx.run("UPDATE outbox SET state = 'DONE', done_at = %s WHERE id = %s AND state = 'PENDING'",
                   (now, job.id))
        else:
            _come_back(tx, job, now + answer.after, attempts=0)
        if job.attempts > len(BACK_OFF):
            tasks.settle(tx, kind=hanging(job.topic), subject_id=job.subject_id, note="done after all", now=now)
    log.event("job.done", topic=job.topic, subject=job.subject_id, again=answer is not None,
              ms=round((time.perf_counter() - started) * 1000, 1))


def _postpone(db: Database, job: Job, error: Exception) -> None:
    now = utc_now()
    reason = getattr(error, "reason", type(error).__name__)[:200]
    hangs = job.attempts > len(BACK_OFF)
    with db.transaction() as tx:
        due = now + (HANGING if hangs else BACK_OFF[job.attempts - 1])
        if _come_back(tx, job, due, last_error=reason) and hangs:
            tasks.add(tx, kind=hanging(job.topic), subject_id=job.subject_id, job_id=job.id,
                      detail=f"{job.attempts} attempts; last: {reason}", now=now)


def _come_back(tx: Transaction, job: Job, due: datetime, **changes: object) -> bool:
    """Postpone, unless the row was taken over or brought forward since it was claimed."""
    columns = {"due_at": due, **changes}
    return tx.run(f"UPDATE outbox SET {', '.join(f'{name} = %s' for name in columns)} "
                  "WHERE id = %s AND state = 'PENDING' AND due_at = %s",
                  (*columns.values(), job.id, job.lease)) == 1


def hanging(topic: str) -> str:
    """The kind of the staff task about a row that fails again and again."""
    return f"{topic}.hangs"
