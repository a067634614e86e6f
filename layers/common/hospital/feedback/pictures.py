"""Pictures: from the phone straight into COS, then looked at and drawn anew before anybody sees them.

The phone is given a form for one file of a type and size under a random key (``order``), says when it has posted it
(``uploaded``), and a job of a function of its own decodes it. What is no picture is refused with its reason. The file
as it came is removed at once, and once more when no upload can come any more; what is never sent off goes at night.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from hospital.database import outbox, policy
from hospital.database.connection import Database
from hospital.feedback import picture_store as store
from hospital.feedback.decoding import NoPicture, drawn_anew
from hospital.feedback.model import Picture
from hospital.gateways import cos
from hospital.runtime import log
from hospital.runtime.errors import Conflict, NotFound
from hospital.security import audit, limits

TYPES = ("image/jpeg", "image/png", "image/webp")
MOST_BYTES = 10 * 1024 * 1024
UPLOAD_LIFE = timedelta(minutes=10)
AFTERWARDS = timedelta(minutes=1)  # an upload that began in time may end a little later
BATCH = 200
CHECK, DROP = "picture.check", "picture.drop"  # arrows: it is uploaded; what is not wanted any more goes


def order(db: Database, account_id: str, content_type: str, now: datetime) -> tuple[Picture, cos.UploadForm]:
    """A place for one picture, and the form that fills it. Raises TooMany."""
    limits.take("pictures", account_id, policy.load(db), now)
    with db.transaction() as tx:
        one = store.insert(tx, account_id, now + UPLOAD_LIFE, now)
        audit.by_account(tx, account_id, "picture.order", one.id, now)
    return one, cos.upload_form(one.raw_key, content_type=content_type, at_most=MOST_BYTES,
                                seconds=int(UPLOAD_LIFE.total_seconds()), now=now)


def uploaded(db: Database, account_id: str, picture_id: str, now: datetime) -> Picture:
    """The phone has posted it; a repeat changes nothing. Raises NotFound."""
    with db.transaction() as tx:
        one = _mine(store.of_account(tx, account_id, picture_id, lock=True))
        if one.state == "AWAITED":
            store.move(tx, one, "UPLOADED", now)
            outbox.publish(tx, CHECK, one.id, due=now, now=now)
            audit.by_account(tx, account_id, "picture.uploaded", one.id, now)
    return mine(db, account_id, picture_id)


def discard(db: Database, account_id: str, picture_id: str, now: datetime) -> None:
    """Take a picture back that was not sent off. Raises NotFound, Conflict (it belongs to a complaint)."""
    with db.transaction() as tx:
        one = _mine(store.of_account(tx, account_id, picture_id, lock=True))
        if one.complaint_id is not None:
            raise Conflict("图片已随投诉或建议提交，不能单独删除。", code="picture_sent")
        store.move(tx, one, "REMOVED", now)
        outbox.publish(tx, DROP, one.id, due=now, now=now)
        audit.by_account(tx, account_id, "picture.discard", one.id, now)


def mine(db: Database, account_id: str, picture_id: str) -> Picture:
    """One of the account's. Raises NotFound."""
    return _mine(store.of_account(db, account_id, picture_id))


def _mine(one: Picture | None) -> Picture:
    if one is None:
        raise NotFound("未找到该图片，请重新添加。", code="picture_not_found")
    return one


# -- by itself --------------------------------------------------------------------------------------
def check(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """Decode what was uploaded and keep our own copy. Raises Rejected, Unanswered (COS): it is tried again."""
    one = store.by_id(db, job.subject_id)
    if one is None or one.state != "UPLOADED":
        return None
    try:
        content = cos.get(one.raw_key, at_most=MOST_BYTES)
    except cos.TooLong:
        _refuse(db, one, "TOO_LARGE", now)
        return None
    if content is None:
        _refuse(db, one, "NOT_UPLOADED", now)
        return None
    try:
        clean = drawn_anew(content)
    except NoPicture as refusal:
        _refuse(db, one, refusal.reason, now)
        return None
    cos.put(one.clean_key, clean, content_type="image/jpeg")  # the same key every time: a job that dies leaves no other
    with db.transaction() as tx:
        current = store.by_id(tx, one.id, lock=True)
        if current is not None and current.state == "UPLOADED":
            store.move(tx, current, "READY", now)
        outbox.publish(tx, DROP, one.id, due=now, now=now)  # discarded meanwhile: our copy goes too
    log.event("picture.ready", picture_id=one.id, received=len(content), kept=len(clean))
    return None


def _refuse(db: Database, one: Picture, reason: str, now: datetime) -> None:
    with db.transaction() as tx:
        current = store.by_id(tx, one.id, lock=True)
        if current is not None and current.state == "UPLOADED":
            store.move(tx, current, "REFUSED", now, reason=reason)
            outbox.publish(tx, DROP, one.id, due=now, now=now)
    log.event("picture.refused", picture_id=one.id, reason=reason)


def drop(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """Remove the file as it came, and our copy too when the picture is wanted no more. Raises Rejected, Unanswered."""
    one = store.by_id(db, job.subject_id)
    if one is None:
        return None
    cos.remove(one.raw_key)
    if one.state == "REMOVED":
        cos.remove(one.clean_key)
    late = one.upload_until + AFTERWARDS - now  # until then the form may be used once more
    return outbox.Again(late) if late > timedelta(0) else None


def sweep(db: Database, now: datetime) -> int:
    """Let go of the pictures that were never sent off; how many."""
    before = now - timedelta(hours=policy.load(db).pictures_kept_hours)
    gone = 0
    while True:
        batch = store.left_over(db, before, BATCH)
        for picture_id in batch:
            with db.transaction() as tx:
                one = store.by_id(tx, picture_id, lock=True)
                if one is not None and one.complaint_id is None and one.state != "REMOVED":
                    store.move(tx, one, "REMOVED", now)
                    outbox.publish(tx, DROP, one.id, due=now, now=now)
                    gone += 1
        if len(batch) < BATCH:
            return gone


PICTURES: dict[str, outbox.Handler] = {CHECK: check, DROP: drop}
