"""Queue a message in the transaction that causes it; send it once.

WeChat has no key and no query for subscription messages. So a message whose sending got no answer is
not sent again: two of the same frighten a patient more than one that must be looked up in the app.
It ends as UNCERTAIN. What certainly never reached WeChat is tried again.
"""

from __future__ import annotations

import json
from datetime import datetime

from hospital.database import outbox, policy
from hospital.database.connection import Database, Duplicate, Transaction
from hospital.gateways import wechat
from hospital.gateways.outcome import Rejected, Unanswered
from hospital.messages import rules
from hospital.runtime import log
from hospital.runtime.ids import new_id
from hospital.security import cipher

BOOKING_CONFIRMED = "booking_confirmed"
BOOKING_FAILED = "booking_failed"
BOOKING_CANCELLED = "booking_cancelled"
PATIENT_BOUND = "patient_bound"
PATIENT_UNBOUND = "patient_unbound"

# What the client asks consent for in one tap (WeChat allows three).
SCENES = {"booking": [BOOKING_CONFIRMED, BOOKING_CANCELLED, BOOKING_FAILED],
          "patients": [PATIENT_BOUND, PATIENT_UNBOUND]}


def queue(tx: Transaction, *, account_id: str, kind: str, key: str, data: dict[str, str], now: datetime) -> None:
    """Announce something, once per ``key``. ``data`` leads from our names of values to texts."""
    message_id = new_id()
    sealed = cipher.seal(json.dumps(data, ensure_ascii=False), f"messages.data:{message_id}")
    try:
        tx.insert("messages", id=message_id, account_id=account_id, kind=kind, message_key=key,
                  data_enc=sealed, state="QUEUED", created_at=now)
    except Duplicate:
        return
    outbox.publish(tx, "message.send", message_id, due=now, now=now)


def send(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """Send a queued message. Raises Unanswered only when it certainly was not sent."""
    with db.transaction() as tx:
        row = tx.one("SELECT m.*, a.openid FROM messages m JOIN accounts a ON a.id = m.account_id "
                     "WHERE m.id = %s FOR UPDATE", (job.subject_id,))
        if row is None or row["state"] != "QUEUED":
            if row is not None and row["state"] == "SENDING":  # a worker died while sending
                tx.run("UPDATE messages SET state = 'UNCERTAIN', code = 'interrupted' WHERE id = %s", (row["id"],))
            return None
        template = policy.load(tx).message_templates.get(row["kind"])
        state = "SENDING" if template else "NO_TEMPLATE"
        tx.run("UPDATE messages SET state = %s WHERE id = %s", (state, row["id"]))
    if template is None:
        log.event("message.no-template", kind=row["kind"])
        return None
    values = json.loads(cipher.unseal(row["data_enc"], f"messages.data:{row['id']}"))
    data = {keyword: rules.fit(keyword, values[name]) for name, keyword in template.keywords.items()}
    try:
        wechat.send_message(row["openid"], template.template_id, data, template.page)
    except Rejected as refusal:
        _finish(db, row["id"], "REFUSED", refusal.code, now)
        return None
    except Unanswered as silence:
        if not silence.sent:
            _finish(db, row["id"], "QUEUED", silence.reason[:32], now)
            raise
        _finish(db, row["id"], "UNCERTAIN", "unanswered", now)
        return None
    _finish(db, row["id"], "SENT", "", now)
    return None


def _finish(db: Database, message_id: str, state: str, code: str, now: datetime) -> None:
    with db.transaction() as tx:
        tx.run("UPDATE messages SET state = %s, code = %s, sent_at = %s WHERE id = %s AND state = 'SENDING'",
               (state, code, now if state == "SENT" else None, message_id))
    log.event("message", message_id=message_id, state=state, code=code)


WORKER: dict[str, outbox.Handler] = {"message.send": send}
