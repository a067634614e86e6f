"""Queue a message in the transaction that causes it; send it once.

WeChat has no key and no query for subscription messages. So a message whose sending got no answer is
not sent again: two of the same frighten a patient more than one that must be looked up in the app.
It ends as UNCERTAIN. What certainly never reached WeChat is tried again.

An account's messages are sent one after the other, in the order they were queued: who reads "cancelled"
before "confirmed" believes the wrong one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from hospital.database import outbox, policy, tasks
from hospital.database.connection import Database, Duplicate, Row, Transaction
from hospital.gateways import wechat
from hospital.gateways.outcome import Rejected, Unanswered
from hospital.messages import rules, store, wish_store, wording
from hospital.patients import access
from hospital.patients.model import Act
from hospital.runtime import log
from hospital.runtime.errors import Invalid

BOOKING_CONFIRMED = "booking_confirmed"
BOOKING_FAILED = "booking_failed"
BOOKING_CANCELLED = "booking_cancelled"
BOOKING_CHANGED = "booking_changed"
CLINIC_STOPPED = "clinic_stopped"
VISIT_REMINDER = "visit_reminder"
UNPAID_REMINDER = "unpaid_reminder"
CHECKED_IN = "checked_in"
BILL_CREATED = "bill_created"
CHARGES_PAID = "charges_paid"
CHARGES_FAILED = "charges_failed"
REFUNDED = "refunded"
WAITLIST_OFFER = "waitlist_offer"
WAITLIST_ENDED = "waitlist_ended"
NO_SHOW = "no_show"
BLACKLISTED = "blacklisted"
REPORT_READY = "report_ready"
PATIENT_BOUND = "patient_bound"
PATIENT_UNBOUND = "patient_unbound"
SURVEY_ASKED = "survey_asked"
COMPLAINT_RECEIVED = "complaint_received"
COMPLAINT_ANSWERED = "complaint_answered"
QUEUE_NEAR = "queue_near"
NEXT_STOP = "next_stop"
TASK = "message.template"  # the staff task about a message that no template can tell

TOPIC = "message.send"
NOT_ALLOWED = "43101"  # WeChat: refused, or what was allowed is used up
TURN = timedelta(minutes=1)  # until a waiting message looks again by itself; the one before it calls it at once

# What the client asks consent for in one tap (WeChat allows three).
SCENES = {"booking": [BOOKING_CONFIRMED, BOOKING_CANCELLED, BOOKING_FAILED],
          "changes": [BOOKING_CHANGED, CLINIC_STOPPED, VISIT_REMINDER],
          "no-shows": [NO_SHOW, BLACKLISTED],
          "waitlist": [WAITLIST_OFFER, WAITLIST_ENDED, BOOKING_CONFIRMED],
          "checkin": [CHECKED_IN, REFUNDED, QUEUE_NEAR],
          "way": [NEXT_STOP],
          "billing": [CHARGES_PAID, CHARGES_FAILED, BILL_CREATED],
          "reports": [REPORT_READY],
          "refunds": [REFUNDED, CHARGES_FAILED, UNPAID_REMINDER],
          "patients": [PATIENT_BOUND, PATIENT_UNBOUND],
          "feedback": [COMPLAINT_RECEIVED, COMPLAINT_ANSWERED, SURVEY_ASKED]}

_VISIT = {"patient", "doctor", "department", "time", "amount", "number", "place", "note"}
_MONEY = {"patient", "amount", "note", "time", "department"}
_REPORT = {"patient", "department", "time", "note"}
_PATIENT = {"patient", "card", "time", "note"}
_OWN_WORD = {"number", "time", "note"}
# What each message can tell: the names that a template's keywords may be given.
VALUES: dict[str, set[str]] = {
    BOOKING_CONFIRMED: _VISIT, BOOKING_FAILED: _VISIT, BOOKING_CANCELLED: _VISIT, BOOKING_CHANGED: _VISIT,
    CHECKED_IN: _VISIT, CLINIC_STOPPED: _VISIT, VISIT_REMINDER: _VISIT, UNPAID_REMINDER: _MONEY,
    WAITLIST_OFFER: _VISIT, NO_SHOW: _VISIT,
    WAITLIST_ENDED: {"patient", "doctor", "department", "time", "note"}, BLACKLISTED: {"patient", "time", "note"},
    QUEUE_NEAR: _VISIT, NEXT_STOP: {"patient", "place", "note", "time"},
    BILL_CREATED: _MONEY, CHARGES_PAID: _MONEY, CHARGES_FAILED: _MONEY, REFUNDED: _MONEY - {"department"},
    REPORT_READY: _REPORT, PATIENT_BOUND: _PATIENT, PATIENT_UNBOUND: _PATIENT,
    SURVEY_ASKED: _VISIT, COMPLAINT_RECEIVED: _OWN_WORD, COMPLAINT_ANSWERED: _OWN_WORD}


# What an account must be allowed to do for the patient to be told of it. Of an end whoever it is about is told, as it
# was allowed until then.
TELLS: dict[str, Act | None] = {
    BOOKING_CONFIRMED: "OWN", BOOKING_FAILED: "OWN", BOOKING_CANCELLED: "OWN", BOOKING_CHANGED: "OWN",
    CLINIC_STOPPED: "OWN", VISIT_REMINDER: "OWN", UNPAID_REMINDER: "RECORD",
    CHECKED_IN: "OWN", WAITLIST_OFFER: "OWN", WAITLIST_ENDED: "OWN", NO_SHOW: "OWN", BLACKLISTED: "OWN",
    QUEUE_NEAR: "OWN", NEXT_STOP: "RECORD",
    BILL_CREATED: "RECORD", CHARGES_PAID: "RECORD", CHARGES_FAILED: "RECORD", REFUNDED: "OWN",
    REPORT_READY: "RECORD", PATIENT_BOUND: "OWN", PATIENT_UNBOUND: None,
    SURVEY_ASKED: "OWN", COMPLAINT_RECEIVED: None, COMPLAINT_ANSWERED: None}
OF_ACCOUNT = {COMPLAINT_RECEIVED, COMPLAINT_ANSWERED}  # of the account's own word: no patient is in it
# Of what was paid who paid is told in any case, without a word of the patient.
OF_MONEY = {BOOKING_FAILED, BOOKING_CANCELLED, CHARGES_PAID, CHARGES_FAILED, REFUNDED}


def check_templates(templates: Mapping[str, policy.Template]) -> None:
    """Refuse templates that can't be filled: of no message of ours, or with a keyword that can't hold its value.

    Raises Invalid with the path of each.
    """
    wrong = [f"message_templates.{kind}" for kind in templates if kind not in VALUES]
    for kind, template in templates.items():
        wrong += rules.misfits(kind, template.keywords, VALUES.get(kind, set())) if kind in VALUES else []
    if wrong:
        raise Invalid("模板的关键词放不下对应的内容，请换一个模板或关键词。", code="template_unfit",
                      fields=sorted(wrong))


def queue(tx: Transaction, *, account_id: str, patient_id: str | None, kind: str, key: str, data: dict[str, str],
          about: str, now: datetime) -> None:
    """Announce something of a patient (None: of the account itself), once per ``key``.

    From now on it lies in the inbox, and waits for WeChat.

    ``data`` leads from our names of values to texts; ``about`` is what it opens (:func:`wording.about`).
    An account that may not read of the patient (any more) is told of its money, and that somebody was bound, without
    a word of whom; and of nothing else.
    """
    if kind in wish_store.STEPS and not wish_store.is_wanted(tx, account_id, kind):
        return
    told = data if patient_id is None or _may_read(tx, account_id, patient_id, kind, now) else _less(kind, data)
    if told is None:
        return
    try:
        message_id = store.insert(tx, account_id=account_id, patient_id=patient_id, kind=kind, key=key, data=told,
                                  about=about, now=now)
    except Duplicate:
        return
    outbox.publish(tx, TOPIC, message_id, due=now, now=now)


def _may_read(source: Database | Transaction, account_id: str, patient_id: str, kind: str, now: datetime) -> bool:
    """Whether an account may be told now of what a message of this kind says of a patient."""
    act = TELLS[kind]
    return act is None or access.may(source, account_id, patient_id, act, now)


def _less(kind: str, data: dict[str, str]) -> dict[str, str] | None:
    """What an account is told that may not read of the patient; None: nothing."""
    if kind == PATIENT_BOUND:
        return rules.nameless(data)
    return rules.withheld(data) if kind in OF_MONEY else None


def send(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """Send a queued message when it is its turn. Raises Unanswered only when it certainly was not sent."""
    with db.transaction() as tx:
        row = store.locked(tx, job.subject_id)
        if row is None or row["state"] not in ("QUEUED", "SENDING"):
            return None
        if row["state"] == "SENDING":  # a worker died while sending
            _end(tx, row, "UNCERTAIN", "interrupted", now)
            return None
        if store.next_unsent(tx, row["account_id"], TOPIC) != row["id"] or not outbox.holds(tx, job):
            return outbox.Again(TURN)  # another's turn, or this one's came meanwhile and who was called has it
        row["may_open"] = row["patient_id"] is None or _may_read(tx, row["account_id"], row["patient_id"], row["kind"],
                                                                 now)
        if not row["may_open"]:
            told = _less(row["kind"], row["data"])
            if told is None:  # withdrawn or unbound since
                _end(tx, row, "WITHHELD", "", now)
                return None
            row["data"] = told
        template = policy.load(tx).message_templates.get(row["kind"])
        unfit = rules.misfits(row["kind"], template.keywords, set(row["data"])) if template else []
        if template is None or unfit:
            _end(tx, row, "NO_TEMPLATE", "unfit" if unfit else "", now)
            tasks.add(tx, kind=TASK, subject_id=row["kind"], now=now,
                      detail=f"can't fill {', '.join(unfit)}" if unfit else "no template is set")
            return None
        store.set_state(tx, row["id"], "SENDING", "")
    data = {keyword: rules.fit(keyword, row["data"][name]) for name, keyword in template.keywords.items()}
    page = template.page or (wording.opens(row["about"]) if row["may_open"] else "") or wording.INBOX
    try:
        wechat.send_message(row["openid"], template.template_id, data, page.removeprefix("/"))
    except Rejected as refusal:
        _finish(db, row, "REFUSED", refusal.code, template, now)
        return None
    except Unanswered as silence:
        if not silence.sent:
            _finish(db, row, "QUEUED", "not-sent", template, now)
            raise
        _finish(db, row, "UNCERTAIN", "unanswered", template, now)
        return None
    _finish(db, row, "SENT", "", template, now)
    return None


def fitting(source: Database | Transaction, kind: str, known: set[str]) -> policy.Template | None:
    """The template that can tell messages of a kind with these values; None when there is none."""
    template = policy.load(source).message_templates.get(kind)
    return template if template is not None and not rules.misfits(kind, template.keywords, known) else None


def lacks_template(tx: Transaction, kind: str, now: datetime) -> None:
    """Put it on staff's list that messages of a kind can't be told."""
    tasks.add(tx, kind=TASK, subject_id=kind, now=now, detail="no template is set, or none that can be filled")


def _finish(db: Database, row: Row, state: str, code: str, template: policy.Template, now: datetime) -> None:
    with db.transaction() as tx:
        if code == NOT_ALLOWED:
            store.none_left(tx, row["account_id"], template.template_id, is_long_term=template.long_term)
        elif state in ("SENT", "UNCERTAIN") and not template.long_term:  # what may have arrived may have cost one
            store.use_up(tx, row["account_id"], template.template_id)
        if store.is_sending(tx, row["id"]):
            _end(tx, row, state, code, now)


def _end(tx: Transaction, row: Row, state: str, code: str, now: datetime) -> None:
    """How it ended, for now; the account's next one is called when it is that one's turn."""
    store.set_state(tx, row["id"], state, code, sent_at=now if state == "SENT" else None)
    waiting = store.next_unsent(tx, row["account_id"], TOPIC)
    if waiting not in (None, row["id"]):
        outbox.bring_forward(tx, TOPIC, str(waiting), now)
    log.event("message", message_id=row["id"], state=state, code=code)


WORKER: dict[str, outbox.Handler] = {TOPIC: send}
