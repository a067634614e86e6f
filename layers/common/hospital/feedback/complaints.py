"""What a patient does with a complaint: write it, take it back, rate the answer, have it looked at once more."""

from __future__ import annotations

import json
from datetime import datetime

from msgspec.structs import asdict

from hospital.booking import store as bookings
from hospital.database import outbox, policy, repeats
from hospital.database.connection import Database, Duplicate, Transaction
from hospital.feedback import complaint_store as store
from hospital.feedback import deadlines, picture_store, rules, texts
from hospital.feedback.model import Complaint, NewComplaint
from hospital.feedback.tell import tell_received
from hospital.patients import access
from hospital.runtime.errors import Conflict, Invalid, NotFound
from hospital.runtime.ids import new_id
from hospital.security import audit, limits
from hospital.site import store as site

CHECK = "complaint.check"  # an arrow: WeChat is asked again about a text


def file(db: Database, account_id: str, new: NewComplaint, *, key: str, now: datetime) -> str:
    """Receive a complaint; its id, the same for a repeat.

    Raises Invalid (what it is about, a picture, key used for another request), TextRefused, TooMany.
    """
    request = repeats.digest("complain", json.dumps(asdict(new), sort_keys=True))
    known = repeats.answered(db, owner=account_id, key=key, request=request)
    if known is not None:
        return known
    settings = policy.load(db)
    _check_subject(db, account_id, new, now)
    limits.take("words", account_id, settings, now)
    text_state = texts.look(db, account_id, new.text)
    limits.take("complaints", account_id, settings, now)  # last: what was refused is written anew
    try:
        with db.transaction() as tx:
            due = deadlines.of(now, settings) if rules.owes_answer(new.kind) else None
            one = store.insert(tx, new_id(), account_id, new, text_state, due=due, now=now)
            for position, picture_id in enumerate(new.picture_ids):
                if not picture_store.attach(tx, picture_id, account_id, one.id, position, now):
                    raise Invalid("有图片已失效，请删除后重新添加。", code="picture_gone",
                                  fields=[f"picture_ids.{position}"])
            deadlines.watch(tx, one, now)
            if text_state == "UNCHECKED":
                outbox.publish(tx, CHECK, one.id, due=now, now=now)
            tell_received(tx, one, now)
            audit.by_account(tx, account_id, "complaint.file", one.id, now, kind=one.kind, about=one.about)
            repeats.record(tx, owner=account_id, key=key, request=request, answer=one.id, now=now)
    except Duplicate:  # a twin of this request was first
        known = repeats.answered(db, owner=account_id, key=key, request=request)
        if known is None:
            raise
        return known
    return one.id


def _check_subject(db: Database, account_id: str, new: NewComplaint, now: datetime) -> None:
    """What it is about must be there, and a visit must be one the account may read of."""
    if new.about == "VISIT":
        booking = bookings.of_account(db, account_id, new.about_id)
        found = booking is not None and access.may(db, account_id, booking.patient_id, "OWN", now)
    elif new.about == "DOCTOR":
        found = bool(site.doctors(db, [new.about_id], employed_only=False))
    elif new.about == "DEPARTMENT":
        found = any(new.about_id in (root.id, *(one.id for one in root.children)) for root in site.tree(db))
    else:
        found = not new.about_id
    if not found:
        raise Invalid("未找到您要反映的对象，请重新选择。", code="subject_not_found", fields=["about_id"])


def withdraw(db: Database, account_id: str, complaint_id: str, now: datetime) -> Complaint:
    """Take it back. Raises NotFound, Conflict (answered already)."""
    with db.transaction() as tx:
        one = _mine(tx, account_id, complaint_id)
        if one.state == "WITHDRAWN":
            return one
        if not rules.may_withdraw(one):
            raise Conflict("医院已答复，无法撤回。如不满意可要求重新处理。", code="answered_already")
        one = store.move(tx, one, "WITHDRAWN", now)
        store.note(tx, one.id, "WITHDRAWN", "", now)
        deadlines.settle(tx, one.id, "withdrawn", now)
        audit.by_account(tx, account_id, "complaint.withdraw", one.id, now)
    return one


def rate(db: Database, account_id: str, complaint_id: str, stars: int, now: datetime) -> Complaint:
    """Say how the answer was (1 to 5), once for each answer; a repeat changes nothing. Raises NotFound, Conflict."""
    with db.transaction() as tx:
        one = _mine(tx, account_id, complaint_id)
        if one.stars == stars:
            return one
        if not rules.may_rate(one):
            raise Conflict("目前没有可以评价的答复，或您已评价过。", code="not_ratable")
        one = store.change(tx, one, now, stars=stars)
        store.note(tx, one.id, "RATED", str(stars), now)
        audit.by_account(tx, account_id, "complaint.rate", one.id, now, stars=stars)
    return one


def reopen(db: Database, account_id: str, complaint_id: str, text: str, now: datetime) -> Complaint:
    """Have it looked at once more, and say why. Raises NotFound, Conflict (too late, or a second time), TextRefused."""
    settings = policy.load(db)
    seen = store.of_account(db, account_id, complaint_id)
    if seen is None:
        raise _not_found()
    if not rules.may_reopen(seen, now):
        raise _closed(seen)
    limits.take("words", account_id, settings, now)
    text_state = texts.look(db, account_id, text)
    with db.transaction() as tx:
        one = _mine(tx, account_id, complaint_id)
        if not rules.may_reopen(one, now):
            raise _closed(one)
        warn_at, due_at = deadlines.of(now, settings)
        one = store.move(tx, one, "REOPENED", now, round=one.round + 1, warn_at=warn_at, due_at=due_at,
                         text_state=text_state)
        store.note(tx, one.id, "REOPENED", text, now)
        deadlines.watch(tx, one, now)
        if text_state == "UNCHECKED":
            outbox.publish(tx, CHECK, one.id, due=now, now=now)
        audit.by_account(tx, account_id, "complaint.reopen", one.id, now)
    return one


def _closed(one: Complaint) -> Conflict:
    if one.state in ("RECEIVED", "IN_HAND", "REOPENED"):
        return Conflict("医院正在处理，请等待答复。", code="not_answered_yet")
    return Conflict("该事项已重新处理过，或已超过可要求重新处理的时间。您可以提交新的投诉或建议。",
                    code="not_reopenable")


def _mine(tx: Transaction, account_id: str, complaint_id: str) -> Complaint:
    """One of the account's, locked. Raises NotFound."""
    one = store.of_account(tx, account_id, complaint_id, lock=True)
    if one is None:
        raise _not_found()
    return one


def _not_found() -> NotFound:
    return NotFound("未找到该投诉或建议，请返回重试。", code="complaint_not_found")
