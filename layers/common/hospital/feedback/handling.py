"""What staff do with a complaint: take it in hand, hand it on, note, answer. What follows by itself is here too."""

from __future__ import annotations

from datetime import datetime, timedelta

from hospital.database import outbox, policy
from hospital.database.connection import Database, Transaction
from hospital.feedback import complaint_store as store
from hospital.feedback import deadlines, rules
from hospital.feedback.complaints import CHECK
from hospital.feedback.model import OPEN, Complaint
from hospital.feedback.tell import tell_answered
from hospital.gateways import wechat
from hospital.gateways.outcome import Rejected
from hospital.patients import store as patients
from hospital.runtime import log
from hospital.runtime.errors import Conflict, NotFound

CLOSE = "complaint.close"  # an arrow: the answer stands


def take(tx: Transaction, complaint_id: str, *, actor: str, now: datetime) -> Complaint:
    """Somebody looks into it. Raises NotFound, Conflict (in hand already, or nothing is owed)."""
    one = locked(tx, complaint_id)
    if one.state not in ("RECEIVED", "REOPENED"):
        raise Conflict("该事项已在处理中，或已办结。", code="not_waiting")
    one = store.move(tx, one, "IN_HAND", now)
    store.note(tx, one.id, "TAKEN", "", now, actor=actor)
    return one


def hand_over(tx: Transaction, complaint_id: str, *, to: str, more_days: int, actor: str, now: datetime) -> Complaint:
    """Another department looks into it too; with ``more_days`` the answer is owed so many working days later.

    Raises NotFound, Conflict (nothing is owed).
    """
    one = locked(tx, complaint_id)
    _check_open(one)
    if one.state != "IN_HAND":
        one = store.move(tx, one, "IN_HAND", now)
    if more_days and one.due_at is not None:
        settings = policy.load(tx)
        due_at = rules.deadline(one.due_at, more_days, settings)
        one = store.change(tx, one, now, due_at=due_at, warn_at=rules.warn_at(now, due_at, settings))
        deadlines.settle(tx, one.id, "more time was given", now)
        deadlines.watch(tx, one, now)
    store.note(tx, one.id, "HANDED_OVER", to, now, actor=actor)
    return one


def note(tx: Transaction, complaint_id: str, text: str, *, actor: str, now: datetime) -> Complaint:
    """Keep what was found out, for staff alone. Raises NotFound."""
    one = locked(tx, complaint_id)
    store.note(tx, one.id, "NOTED", text, now, actor=actor)
    return one


def answer(tx: Transaction, complaint_id: str, text: str, *, actor: str, now: datetime) -> Complaint:
    """Answer it; its author is told. Raises NotFound, Conflict (answered already, or withdrawn)."""
    one = locked(tx, complaint_id)
    _check_open(one)
    if one.state != "IN_HAND":
        one = store.move(tx, one, "IN_HAND", now)
    closes_at = now + timedelta(days=policy.load(tx).complaint_reopen_days)
    one = store.move(tx, one, "ANSWERED", now, answered_at=now, closes_at=closes_at, stars=None)
    store.note(tx, one.id, "ANSWERED", text, now, actor=actor)
    deadlines.settle(tx, one.id, "answered", now)
    outbox.publish(tx, CLOSE, one.id, due=closes_at, now=now)
    tell_answered(tx, one, now)
    return one


def locked(tx: Transaction, complaint_id: str) -> Complaint:
    """One, for staff. Raises NotFound."""
    one = store.by_id(tx, complaint_id, lock=True)
    if one is None:
        raise NotFound("没有该投诉或建议。", code="complaint_not_found")
    return one


def _check_open(one: Complaint) -> None:
    if one.state not in OPEN:
        raise Conflict("该事项已答复、办结或撤回。", code="nothing_owed")


# -- by itself --------------------------------------------------------------------------------------
def close(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """The time in which it might have been reopened is over: the answer stands."""
    with db.transaction() as tx:
        one = store.by_id(tx, job.subject_id, lock=True)
        if one is not None and one.state == "ANSWERED" and one.closes_at is not None and one.closes_at <= now:
            store.move(tx, one, "CLOSED", now)
            store.note(tx, one.id, "CLOSED", "", now)
    return None


def check(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """Ask WeChat about a text that was taken while it was silent. Raises Unanswered: it is asked again.

    What it calls risky now stays, with a mark: what a patient has written to the hospital is not lost any more.
    """
    one = store.by_id(db, job.subject_id)
    if one is None or one.text_state != "UNCHECKED":
        return None
    written = [entry.text for entry in store.entries(db, one.id) if entry.what in ("RECEIVED", "REOPENED")]
    try:
        state = wechat.check_text(patients.openid_of(db, one.account_id), written[-1])
    except Rejected as refusal:  # it looks only at texts of who was here two hours ago: staff see that it has not
        log.event("text.unchecked", reason=refusal.reason)
        return None
    with db.transaction() as tx:
        current = store.by_id(tx, one.id, lock=True)
        if current is not None and current.text_state == "UNCHECKED" and current.round == one.round:
            store.change(tx, current, now, text_state=state)
    return None


WORKER: dict[str, outbox.Handler] = {
    CHECK: check, CLOSE: close, deadlines.WARN: deadlines.warn, deadlines.OWED: deadlines.owed}
