"""From bytes to reports: which reader, and the list that is read where no push came.

Only for functions that bind the readers' layer.
"""

from __future__ import annotations

from datetime import datetime

from report_readers.contract import read_contract
from report_readers.fhir_report import read_fhir
from report_readers.hl7_report import read_hl7

from hospital.database.connection import Database
from hospital.gateways import report_systems
from hospital.gateways.outcome import Rejected, Unanswered
from hospital.gateways.report_systems import SENDERS, Form, Sender
from hospital.reports import service, store
from hospital.reports.model import NotTaken
from hospital.reports.store import Way
from hospital.runtime import log
from hospital.security import cipher

_READERS = {"hl7": read_hl7, "fhir": read_fhir, "json": read_contract}
PAGES = 50  # of a list in one run: the rest comes with the next
AT_ONCE = 50  # messages that staff want read again, likewise


def take(db: Database, sender: Sender, form: Form, content: bytes, by: Way, now: datetime) -> NotTaken | None:
    """Read and keep a message; what can't be shown is kept for staff, and why it can't is the answer.

    Raises Rejected, Unanswered (files could not be stored): nothing is kept, and it may be sent again.
    """
    try:
        service.take(db, sender, _READERS[form](content), by, now)
    except NotTaken as problem:
        service.refuse(db, sender, form, content, problem, now)
        return problem
    return None


def poll(db: Database, now: datetime) -> int:
    """Read each system's list from where it was left; how many messages were read. A silent one comes next time."""
    cipher.ready()
    return _again(db, now) + sum(_poll(db, sender, now) for sender in SENDERS)


def _poll(db: Database, sender: Sender, now: datetime) -> int:
    count = 0
    try:
        for _ in range(PAGES):
            before = store.position(db, sender)
            page = report_systems.changes(sender, before)
            for one in page.sent:
                take(db, sender, one.form, one.content, "POLL", now)
            count += len(page.sent)
            with db.transaction() as tx:
                store.set_position(tx, sender, page.position, now)
            if not page.has_more or page.position == before:  # a list whose position comes again has no end
                break
    except (Rejected, Unanswered) as silence:
        log.event("reports.unanswered", sender=sender, reason=silence.reason)
    return count


def _again(db: Database, now: datetime) -> int:
    """Messages that staff want read once more: the program may know more by now."""
    rows = store.to_read_again(db, AT_ONCE)
    for row in rows:
        try:
            problem = take(db, row["sender"], row["form"], row["body"], "PUSH", now)
        except (Rejected, Unanswered) as silence:
            log.event("reports.unanswered", sender=row["sender"], reason=silence.reason)
            continue
        if problem is None:
            with db.transaction() as tx:
                store.refusal_taken(tx, row["id"], now)
    return len(rows)
