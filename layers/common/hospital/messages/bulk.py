"""Sending messages by the thousand: at one rate for all instances, each marked before it goes out.

What is marked QUEUED was certainly not sent and may be written anew; what is SENDING when its sender has died may have
been sent, and is not sent again (see ``service.py``). So a death costs at most the one message that was on its way.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta

from msgspec import Struct

from hospital.database.connection import Database, Transaction
from hospital.database.policy import Policy, Template
from hospital.gateways import wechat
from hospital.gateways.outcome import Rejected, Unanswered
from hospital.messages import rules, store, wording
from hospital.messages import service as messages
from hospital.runtime import log
from hospital.runtime.clock import utc_now
from hospital.security import limits

PACE = "bulk_messages"
GIVE_UP = 3  # in a row that certainly did not reach WeChat: then it is WeChat, not the message


class Letter(Struct, frozen=True):
    """A queued message as it goes out; ``about``: what it opens."""

    message_id: str
    account_id: str
    openid: str
    template: Template
    data: dict[str, str]
    about: str


class Outcome(Struct, frozen=True):
    """What became of one letter: its message's state, and why."""

    letter: Letter
    state: str
    code: str = ""


class Sent(Struct):
    """What became of some letters: those that are decided, and those that were certainly not sent."""

    ended: list[str]
    left: list[str]


def send(db: Database, letters: Sequence[Letter], settings: Policy, *, until: float) -> Sent:
    """Send queued messages, one after the other, not past ``until`` (monotonic seconds)."""
    each = timedelta(seconds=1) / settings.bulk_messages_per_second
    wait = limits.reserve(db, PACE, len(letters), each, utc_now()).total_seconds()
    if time.monotonic() + wait >= until:
        return Sent([], [one.message_id for one in letters])
    time.sleep(wait)
    sent, silent = Sent([], []), 0
    outcome: Outcome | None = None  # of the one before, told with the next one's mark
    for letter in letters:
        if silent >= GIVE_UP or time.monotonic() >= until:
            sent.left.append(letter.message_id)
            continue
        if not _mark(db, outcome, letter.message_id):
            outcome = None
            continue
        outcome = _post(letter)
        if outcome.state == "QUEUED":
            silent += 1
            sent.left.append(letter.message_id)
        else:
            silent = 0
            sent.ended.append(letter.message_id)
    _mark(db, outcome, "")
    return sent


def _mark(db: Database, before: Outcome | None, message_id: str) -> bool:
    """How the one before has ended, and that this one is being sent. False when somebody has taken this one back."""
    if before is None and not message_id:
        return True
    with db.transaction() as tx:
        if before is not None:
            _end(tx, before)
        return not message_id or store.begin(tx, message_id)


def _end(tx: Transaction, one: Outcome) -> None:
    """As it is kept of a message that is sent alone, what was allowed with it."""
    letter, template = one.letter, one.letter.template
    store.end_soon(tx, letter.message_id, one.state, one.code, utc_now() if one.state == "SENT" else None)
    if one.code == messages.NOT_ALLOWED:
        store.none_left(tx, letter.account_id, template.template_id, is_long_term=template.long_term)
    elif one.state in ("SENT", "UNCERTAIN") and not template.long_term:
        store.use_up(tx, letter.account_id, template.template_id, soon=True)


def _post(letter: Letter) -> Outcome:
    data = {keyword: rules.fit(keyword, letter.data[name]) for name, keyword in letter.template.keywords.items()}
    page = letter.template.page or wording.opens(letter.about) or wording.INBOX
    try:
        wechat.send_message(letter.openid, letter.template.template_id, data, page.removeprefix("/"))
    except Rejected as refusal:
        return Outcome(letter, "REFUSED", refusal.code)
    except Unanswered as silence:
        log.event("message.unanswered", message_id=letter.message_id, sent=silence.sent)
        return Outcome(letter, "UNCERTAIN", "unanswered") if silence.sent else Outcome(letter, "QUEUED", "not-sent")
    return Outcome(letter, "SENT")
