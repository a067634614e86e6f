"""The mini-program's own inbox: what was announced to an account, also when WeChat was not allowed to tell it.

Who may not read of a patient (any more) sees that there was a message, and when: kind and time, and nothing else.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from hospital.database.connection import Database
from hospital.messages import store, wording
from hospital.messages.service import OF_ACCOUNT, TELLS
from hospital.patients import access
from hospital.patients.model import Act
from hospital.runtime.errors import NotFound

PAGE = 20


class Shown(Struct, frozen=True):
    """A message as its account may read it. ``lines``: label and text. ``opens``: a page; empty: none."""

    id: str
    kind: str
    title: str
    lines: list[tuple[str, str]]
    opens: str
    at: datetime
    is_read: bool
    withheld: bool


def page(db: Database, account_id: str, before: str, now: datetime) -> tuple[list[Shown], str | None]:
    """A page of an account's messages, newest first, and the cursor of the one after it, if any."""
    letters = store.page_of_account(db, account_id, before, PAGE + 1)
    shown = letters[:PAGE]
    readable = {act: access.allowed(db, account_id, act, now) for act in {_needs(one) for one in shown}}
    return ([_shown(one, readable[_needs(one)]) for one in shown],
            shown[-1].id if len(letters) > PAGE else None)


def _needs(letter: store.Letter) -> Act:
    return TELLS.get(letter.kind) or "OWN"


def _shown(letter: store.Letter, readable: set[str]) -> Shown:
    withheld = letter.kind not in OF_ACCOUNT and letter.patient_id not in readable
    return Shown(letter.id, letter.kind, wording.title(letter.kind),
                 [] if withheld else wording.lines(letter.kind, letter.data),
                 "" if withheld else wording.opens(letter.about), letter.created_at, not letter.unread, withheld)


def read(db: Database, account_id: str, message_id: str) -> None:
    """One message has been read. Repeatable. Raises NotFound."""
    with db.transaction() as tx:
        if not store.mark_read(tx, account_id, message_id):
            raise NotFound("未找到该消息，请刷新后重试。", code="message_not_found")


def read_all(db: Database, account_id: str, newest: str) -> None:
    """All messages have been read up to the one with this id."""
    with db.transaction() as tx:
        store.mark_all_read(tx, account_id, newest)
