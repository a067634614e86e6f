"""Reports arrive, by whichever way, once; find whose they are; and are announced once.

Push and list meet at one key (sender, source, number) and each sending at its own (the sender's number of it). A later
sending replaces the one in force; an earlier one that comes late is only history.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from hospital.database import outbox, policy, tasks
from hospital.database.connection import Database, Duplicate, Transaction
from hospital.gateways import cos
from hospital.gateways.report_systems import Form, Sender
from hospital.messages import service as messages
from hospital.messages.rules import time_text
from hospital.messages.wording import about
from hospital.patients import access
from hospital.patients import store as patients
from hospital.reports import rules, store
from hospital.reports.model import Contradictory, NotTaken, Report
from hospital.reports.store import Content, File, Kept, Owner, Way
from hospital.runtime import log
from hospital.runtime.ids import new_id
from hospital.security import cipher, sealed

UNREADABLE = "report.unreadable"  # a kind of task: a message that can't be shown, kept whole
MISMATCH = "report.mismatch"  # another: the number is one person's, name, sex or birth date another's
FIND = "reports.find"  # the subject is a patient who was bound, or whose record has changed
LOOK = "report.look"  # the subject is a report whose patient may just have been bound
LOOK_AFTER = timedelta(minutes=2)  # longer than a binding's transaction takes
LATEST = 20  # reports that who was just proven is told of, at most
READY = "报告已出，请进入小程序查看"
CHANGES: dict[rules.State, str] = {"WITHDRAWN": "报告已撤回，请勿使用", "CORRECTED": "报告有更正，请以新报告为准"}
NEWS = timedelta(days=7)  # what is older was no news when its patient was bound: it lies there, and is not announced


# -- arriving ---------------------------------------------------------------------------------------
def take(db: Database, sender: Sender, reports: Sequence[Report], by: Way, now: datetime) -> int:
    """Keep what a system has sent; how many sendings were new. All of a message is kept, or nothing.

    Raises Contradictory, and of the files Rejected, Unanswered: nothing was kept, and it may be sent again.
    """
    cipher.ready()
    real = [one for one in reports if one.processing == "production"]  # others are about nobody
    for report in real:
        if not report.number:
            raise Contradictory("no-number", "OBR-3", "the report has no number to be known by")
    new = [one for one in real if not _came_before(db, sender, one)]
    contents = [_stored(sender, one) for one in new]
    with db.transaction() as tx:
        in_order = sorted(contents, key=lambda one: store.key_of(sender, one.report))  # locks in one order
        kept = sum(_keep(tx, sender, one, by, now) for one in in_order)
    if real:
        log.event("reports.taken", sender=sender, by=by, sent=len(reports), new=kept)
    return kept


def _came_before(db: Database, sender: Sender, report: Report) -> bool:
    known = store.known_version(db, store.key_of(sender, report), store.version_key(report))
    if known is not None and known != store.content_hash(report):
        raise _reused()
    return known is not None


def _reused() -> Contradictory:
    return Contradictory("version-reused", "version", "the same version of the report was sent with another content")


def _stored(sender: Sender, report: Report) -> Content:
    """The report with its files in COS. Raises Rejected, Unanswered."""
    files = []
    for one in report.attachments:
        key = store.file_key(sender, report, one.data) if one.data else ""
        if key:
            cos.put(key, one.data, content_type=one.media_type)
        files.append(File(key, one.media_type, one.title))
    return Content(report, tuple(files))


def _keep(tx: Transaction, sender: Sender, content: Content, by: Way, now: datetime) -> bool:
    report = content.report
    content = replace(content, report=replace(report, attachments=tuple(
        replace(one, data=b"") for one in report.attachments)))
    key, at = store.key_of(sender, report), report.version.at.at if report.version.at else None
    row = store.locked(tx, key)
    if row is None:
        owner, patient_id, wrong = whose(tx, report)
        try:
            report_id, version_id = store.insert(
                tx, sender=sender, key=key, codes=rules.codes(report.patient),
                document=rules.document(report.patient), owner=owner, patient_id=patient_id,
                state=rules.state_of(report.status, was_shown=False), now=now)
        except Duplicate:  # by the other way, in this moment
            row = store.locked(tx, key)
            assert row is not None
        else:
            _insert_version(tx, report_id, version_id, report, content, by, now)
            _follow(tx, report_id, wrong, now)
            return True
    version_id = new_id()
    if not _insert_version(tx, row["id"], version_id, report, content, by, now):
        return False
    if at is not None and row["told_at"] is not None and at < row["told_at"]:
        return True  # what came late is history
    owner, patient_id, wrong = whose(tx, report)
    if row["owner"] == "MATCHED" and owner == "WAITING":  # it was found before, and says no more now than it did then
        owner, patient_id = "MATCHED", row["patient_id"]
    store.set_owner(tx, row["id"], owner, patient_id, now)
    if store.content_hash(report) == row["content_hash"]:
        store.put_in_force(tx, row["id"], version_id, row["state"], row["state"], now)
    else:
        state = rules.state_of(report.status, was_shown=row["shown_at"] is not None)
        store.put_in_force(tx, row["id"], version_id, row["state"], state, now)
        if owner == "MATCHED":
            _settle(tx, row["id"], now)
        _follow(tx, row["id"], wrong, now)
    return True


def _insert_version(tx: Transaction, report_id: str, version_id: str, report: Report, content: Content, by: Way,
                    now: datetime) -> bool:
    try:
        store.insert_version(tx, report_id, version_id, content, by=by, now=now)
    except Duplicate:
        known = store.known_of(tx, report_id, store.version_key(report))
        if known != store.content_hash(content.report):
            raise _reused() from None
        return False
    return True


# -- whose it is ------------------------------------------------------------------------------------
def whose(tx: Transaction, report: Report) -> tuple[Owner, str | None, list[str]]:
    """Whose a report is by all that its sender tells: owner, patient, and what differs where it is nobody's."""
    found: list[str] = []
    for code in rules.codes(report.patient):
        found += patients.of_code(tx, code)
    number = rules.document(report.patient)
    by_document = patients.with_identity(tx, patients.document_key("ID_CARD", number)) if number else None
    if by_document is not None:
        found.append(by_document)
    wrong: list[str] = []
    for patient_id in dict.fromkeys(found):
        differing = rules.differs(report.patient, patients.record(tx, patient_id).identity)
        if not differing:
            return "MATCHED", patient_id, []
        wrong = wrong or differing
    return ("MISMATCH" if found else "WAITING"), None, wrong


def _follow(tx: Transaction, report_id: str, wrong: list[str], now: datetime) -> None:
    """What follows from who it is, and how it stands: a task, a second look, an announcement."""
    kept = store.by_id(tx, report_id)
    assert kept is not None
    if kept.owner == "MISMATCH":
        tasks.add(tx, kind=MISMATCH, subject_id=report_id, now=now,
                  detail=f"the number is of a patient here, and differs in {', '.join(wrong)}: not shown to anybody. "
                         "task.retry compares again, once one of the two was corrected")
        return
    if kept.owner == "WAITING":
        outbox.publish(tx, LOOK, report_id, due=now + LOOK_AFTER, now=now)
        return
    announce(tx, kept, now)


def _settle(tx: Transaction, report_id: str, now: datetime) -> None:
    tasks.settle(tx, kind=MISMATCH, subject_id=report_id, note="the same person now", now=now)


def announce(tx: Transaction, kept: Kept, now: datetime) -> None:
    """Tell who may read the record that there is something to be seen, or something else than before; each once."""
    if kept.state in rules.SHOWN and kept.shown_at is None:
        store.set_shown(tx, kept.id, now)
        _tell(tx, kept, f"report.{kept.id}", READY, now)
    elif kept.shown_at is not None and kept.state in CHANGES:
        _tell(tx, kept, f"report.{kept.id}.{kept.version_id}", CHANGES[kept.state], now)


def _tell(tx: Transaction, kept: Kept, key: str, note: str, now: datetime) -> None:
    assert kept.patient_id is not None
    report = kept.content.report
    moment = report.reported or report.audited or report.version.at
    at = moment.at if moment else kept.received_at
    if note == READY and now - at > NEWS:
        return
    hidden = rules.is_sensitive(report, policy.load(tx).report_sensitive_words)
    for account_id, patient_id in access.of_patient(tx, kept.patient_id, "RECORD", now):
        messages.queue(tx, account_id=account_id, patient_id=patient_id, kind=messages.REPORT_READY,
                       key=f"{key}.{account_id}", about=about("report", kept.id), now=now, data={
                           "patient": patients.patient_name(tx, patient_id), "time": time_text(at), "note": note,
                           "department": "本院" if hidden else report.department or "本院"})


# -- a patient who came later -----------------------------------------------------------------------
def find(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """Somebody was bound or proven, has another number or name: what waited is theirs, and they are told what is new.
    """
    record = patients.record(db, job.subject_id)
    codes = [sealed.hash_of(patients.CODE, one) for one in patients.codes_of(db, job.subject_id)]
    document = patients.document_key(record.identity.id_type, record.identity.id_number)
    for report_id in store.waiting_for(db, codes, document):
        with db.transaction() as tx:
            if look(tx, report_id, now):
                _settle(tx, report_id, now)
    with db.transaction() as tx:
        for kept in store.page_of_patient(tx, job.subject_id, "", LATEST):
            if kept.state in rules.SHOWN:
                _tell(tx, kept, f"report.{kept.id}", READY, now)  # once an account: who was told before is not again
    return None


def look(tx: Transaction, report_id: str, now: datetime) -> bool:
    """See once more whose a report is; whether it is somebody's now."""
    kept = store.by_id(tx, report_id, lock=True)
    if kept is None or kept.owner == "MATCHED":
        return kept is not None
    owner, patient_id, wrong = whose(tx, kept.content.report)
    if owner != kept.owner:
        store.set_owner(tx, report_id, owner, patient_id, now)
        _follow(tx, report_id, wrong, now)
    return owner == "MATCHED"


def look_again(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """Its patient may have been bound while it was kept."""
    with db.transaction() as tx:
        look(tx, job.subject_id, now)
    return None


# -- what is no report ------------------------------------------------------------------------------
def refuse(db: Database, sender: Sender, form: Form, body: bytes, problem: NotTaken, now: datetime) -> None:
    """Keep a genuine message that can't be shown, once, whole and sealed, and tell staff: one task a cause, counted."""
    cipher.ready()
    with db.transaction() as tx:
        store.keep_refused(tx, sender=sender, form=form, body=body, reason=problem.reason, place=problem.where, now=now)
        tasks.add(tx, kind=UNREADABLE, subject_id=f"{sender}:{problem.reason}", now=now,
                  detail=f"{problem}. Kept whole; task.retry has all of this cause read once more")
    log.event("report.refused", sender=sender, reason=problem.reason, place=problem.where)


WORKER: dict[str, outbox.Handler] = {FIND: find, LOOK: look_again}
