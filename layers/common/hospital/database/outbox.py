"""The outbox: every arrow between systems is a row, written in the transaction that causes it.

``functions/worker`` (and ``functions/refund`` for its topics) works rows off: at least once, with
back-off, woken at once and every minute by a timer. A row that is given up becomes a staff task.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from hospital.database import tasks
from hospital.database.connection import Database, Transaction
from hospital.runtime import cloud, log
from hospital.runtime.clock import utc_now
from hospital.runtime.ids import new_id

LEASE = timedelta(seconds=90)  # longer than any handler may take
THREADS = 4
BACK_OFF = [timedelta(seconds=seconds) for seconds in (5, 15, 30, 60, 180, 600, 1200, 1800, 3600)]

REFUND_TOPICS = "refund."  # topics of this prefix belong to functions/refund, all others to functions/worker


@dataclass(frozen=True)
class Job:
    """One row at work. ``attempts`` counts this one, from 1."""

    id: str
    topic: str
    subject_id: str
    attempts: int


@dataclass(frozen=True)
class Again:
    """A handler's answer: not finished, come back ``after``. Not a failure; attempts start anew."""

    after: timedelta


Handler = Callable[[Database, Job, datetime], Again | None]


def publish(tx: Transaction, topic: str, subject_id: str, *, due: datetime, now: datetime) -> None:
    """Write an arrow. What is due now also wakes its function once the transaction is committed."""
    function = function_of(topic)
    tx.insert("outbox", id=new_id(), worker=function, topic=topic, subject_id=subject_id, state="PENDING",
              due_at=due, attempts=0, created_at=now)
    if due <= now:
        tx.after_commit[f"wake {function}"] = functools.partial(cloud.wake, function)


def bring_forward(tx: Transaction, topic: str, subject_id: str, now: datetime) -> None:
    """Make a pending arrow due now; one that is done or given up stays as it is."""
    tx.run("UPDATE outbox SET due_at = %s WHERE topic = %s AND subject_id = %s AND state = 'PENDING'",
           (now, topic, subject_id))
    function = function_of(topic)
    tx.after_commit[f"wake {function}"] = functools.partial(cloud.wake, function)


def function_of(topic: str) -> str:
    """The function that works a topic off."""
    return "refund" if topic.startswith(REFUND_TOPICS) else "worker"


def work_off(db: Database, handlers: Mapping[str, Handler], *, function: str, seconds: float = 60) -> int:
    """Work off what is due for ``function`` until nothing is, or ``seconds`` have passed.

    Outside calls dominate, so a few threads share the work. Returns how many rows were run.
    """
    deadline = time.monotonic() + seconds
    first = _claim(db, function, utc_now())
    if first is None:
        return 0
    helpers = [_pool().submit(_loop, db, handlers, function, deadline, None) for _ in range(THREADS - 1)]
    return _loop(db, handlers, function, deadline, first) + sum(helper.result() for helper in helpers)


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
    """Staff's order to try a given-up row again. False when there is none of that id."""
    changed = tx.run("UPDATE outbox SET state = 'PENDING', attempts = 0, due_at = %s "
                     "WHERE id = %s AND state = 'GIVEN_UP'", (now, job_id))
    return changed == 1


def _claim(db: Database, function: str, now: datetime) -> Job | None:
    with db.transaction() as tx:
        row = tx.one("SELECT id, topic, subject_id, attempts FROM outbox "
                     "WHERE worker = %s AND state = 'PENDING' AND due_at <= %s "
                     "ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED", (function, now))
        if row is None:
            return None
        # The lease is the due time itself: a worker that dies leaves the row to the next one.
        tx.run("UPDATE outbox SET due_at = %s, attempts = attempts + 1 WHERE id = %s",
               (now + LEASE, row["id"]))
    return Job(row["id"], row["topic"], row["subject_id"], row["attempts"] + 1)


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
            tx.run("UPDATE outbox SET due_at = %s, attempts = 0 WHERE id = %s AND state = 'PENDING'",
                   (now + answer.after, job.id))
    log.event("job.done", topic=job.topic, subject=job.subject_id, again=answer is not None,
              ms=round((time.perf_counter() - started) * 1000, 1))


def _postpone(db: Database, job: Job, error: Exception) -> None:
    now = utc_now()
    reason = getattr(error, "reason", type(error).__name__)[:200]
    with db.transaction() as tx:
        if job.attempts <= len(BACK_OFF):
            tx.run("UPDATE outbox SET due_at = %s, last_error = %s WHERE id = %s",
                   (now + BACK_OFF[job.attempts - 1], reason, job.id))
            return
        tx.run("UPDATE outbox SET state = 'GIVEN_UP', last_error = %s WHERE id = %s", (reason, job.id))
        tasks.add(tx, kind=f"{job.topic}.given-up", subject_id=job.subject_id, job_id=job.id,
                  detail=f"{job.attempts} attempts; last: {reason}", now=now)
