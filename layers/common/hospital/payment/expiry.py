"""The time to pay is over: one way for whatever waits to be paid.

Stop the payment, kill its numbers in the HIS, look again under lock, let it go. In this order: who is let go
before WeChat has closed the order can still be paid, and who is sold again before the HIS has let go meets our
own lock there.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Generic, TypeVar

from msgspec import Struct

from hospital.database import outbox
from hospital.database.connection import Database, Transaction
from hospital.payment import service, store

ProofT = TypeVar("ProofT")
Source = Database | Transaction


class Unpaid(Struct, Generic[ProofT], frozen=True):
    """What waits to be paid, as its feature knows it; ``kind`` is its payment's.

    ``until`` tells until when (None: it waits no more), locked in a transaction. ``kill`` makes its numbers
    useless in the HIS and returns the proof; ``release`` lets it go in the transaction that has it locked, with
    that proof, or None when there was no payment and so nothing was killed yet.
    """

    kind: str
    until: Callable[[Source, str, bool], datetime | None]
    kill: Callable[[Database, str], ProofT]
    release: Callable[[Transaction, str, ProofT | None, datetime], None]


def expire(db: Database, what: Unpaid[ProofT], subject_id: str, now: datetime) -> outbox.Again | None:
    """Let go what was not paid in time, if it can't be paid any more. Raises Unanswered."""
    until = what.until(db, subject_id, False)
    if until is None:
        return None
    if until > now:
        return outbox.Again(until - now)
    payment, proof = store.of_subject(db, what.kind, subject_id), None
    if payment is not None:  # without one it may be being opened now: its numbers must not be killed before we look
        if not service.stop(db, payment, now):
            return None  # paid after all: <kind>.paid goes on from here
        payment = store.of_subject(db, what.kind, subject_id)
        if payment is None or payment.state == "PAID":
            return None  # by a notice, since: likewise
        proof = what.kill(db, subject_id)
    with db.transaction() as tx:
        if what.until(tx, subject_id, True) is None:
            return None
        payment = store.of_subject(tx, what.kind, subject_id, lock=True)
        if payment is not None and payment.state != "CLOSED":
            # PAID: <kind>.paid goes on from here. OPEN: opened since we looked; come back for it.
            return None if payment.state == "PAID" else outbox.Again(outbox.BACK_OFF[0])
        what.release(tx, subject_id, proof, now)
    return None
