"""What the outbox leads to: asking about orders, sending and checking refunds."""

from __future__ import annotations

from datetime import datetime

from hospital.database import outbox
from hospital.database.connection import Database
from hospital.payment import desk_refunds, refunds, service, store


def ask(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """No notice came: ask WeChat, again and again until the order is paid, or can't be paid any more.

    A closed order is asked for until its time is over: its opening may have been under way when it was closed.
    """
    payment = store.by_id(db, job.subject_id)
    if payment is None or payment.state == "PAID":
        return None
    service.ask(db, payment, now)
    payment = store.by_id(db, job.subject_id)
    if payment is None or payment.state == "PAID" or (payment.state == "CLOSED" and now > payment.expires_at):
        return None
    return outbox.Again(service.NEXT_QUESTIONS)


def send(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """Send a refund."""
    return refunds.send(db, job.subject_id, now)


def check(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """Ask about a refund."""
    return refunds.check(db, job.subject_id, now)


WORKER: dict[str, outbox.Handler] = {"payment.ask": ask, **desk_refunds.WORKER}
REFUND: dict[str, outbox.Handler] = {"refund.send": send, "refund.check": check}
