"""The ``messages`` function: the mini-program's own inbox, and what WeChat may send."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec.structs import asdict
from pydantic import Field

from hospital.database import repeats
from hospital.database.connection import database
from hospital.messages import inbox, store, subscriptions
from hospital.runtime.canonical import Id, OptionalId
from hospital.runtime.clock import utc_now
from hospital.runtime.http import Api, Call, Model
from hospital.security.sessions import Caller, authenticate
from hospital.security.watch import watch

api = Api("messages", authenticate, watch)


class Cursor(Model):
    """Where a page starts: the last id of the page before."""

    before: OptionalId = ""


class Line(Model):
    """A label and what stands beside it."""

    label: str
    text: str


class MessageView(Model):
    """A message. ``opens`` is the mini-program's page about it, with its query; empty: there is none.

    ``withheld``: the account may not read of the patient any more (unbound, or consent is missing): kind and time are
    all that is left.
    """

    id: str
    kind: str
    title: str
    lines: list[Line]
    opens: str
    at: datetime
    is_read: bool
    withheld: bool


class Inbox(Model):
    """A page of messages, newest first. ``next`` is the cursor of the page after, if any."""

    messages: list[MessageView]
    next: str | None


class Unread(Model):
    """How many messages have not been read."""

    unread: int


class UpTo(Model):
    """The newest message that was shown: what came later stays unread."""

    newest: Id


class Scene(Model):
    """Where the client is about to ask for subscription consent."""

    scene: str


class Templates(Model):
    """WeChat template ids to ask consent for: at most three a tap, one-time and long-term ones never together."""

    template_ids: list[str]


class AnswerIn(Model):
    """What ``wx.requestSubscribeMessage`` answered for one template."""

    template_id: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[\x21-\x7e]+$")]
    answer: Literal["accept", "reject", "ban", "filter"]


class AnswersIn(Model):
    """What one tap was answered."""

    answers: Annotated[list[AnswerIn], Field(min_length=1, max_length=3)]


class KindView(Model):
    """A kind of message, by its template. ``allowed``: WeChat may send so many more; null: it is not counted.

    ``standing``: ON (it would be sent), OFF (has to be asked for), REJECTED (the person said no), BANNED (WeChat has
    closed the template: it is not asked for).
    """

    kind: str
    title: str
    template_id: str
    standing: Literal["ON", "OFF", "REJECTED", "BANNED"]
    allowed: int | None


class Kinds(Model):
    """Every kind of message that the hospital sends by WeChat."""

    kinds: list[KindView]


@api.get("/inbox")
def list_messages(caller: Caller, query: Cursor) -> Inbox:
    """My messages (消息), newest first."""
    shown, after = inbox.page(database(), caller.account_id, query.before, utc_now())
    return Inbox(messages=[MessageView(**{**asdict(one), "lines": [Line(label=label, text=text)
                                                                   for label, text in one.lines]}) for one in shown],
                 next=after)


@api.get("/unread", personal=False)
def unread(caller: Caller) -> Unread:
    """How many messages I have not read."""
    return Unread(unread=store.unread(database(), caller.account_id))


@api.post("/inbox/<message_id>/read")
def read(caller: Caller, message_id: str) -> None:
    """I have read one message."""
    inbox.read(database(), caller.account_id, message_id)


@api.post("/inbox/read-all")
def read_all(caller: Caller, body: UpTo) -> None:
    """I have read all messages up to the newest one that was shown (全部已读)."""
    inbox.read_all(database(), caller.account_id, body.newest)


@api.get("/templates", personal=False)
def templates(caller: Caller, query: Scene) -> Templates:
    """Which subscription templates to ask consent for before an action."""
    return Templates(template_ids=subscriptions.templates_of(database(), caller.account_id, query.scene))


@api.get("/subscriptions", personal=False)
def list_subscriptions(caller: Caller) -> Kinds:
    """Which kinds of message WeChat may send me (消息提醒设置)."""
    return Kinds(kinds=[KindView(**asdict(one)) for one in subscriptions.kinds(database(), caller.account_id)])


@api.post("/subscriptions")
def report(call: Call, caller: Caller, body: AnswersIn) -> None:
    """What I answered when WeChat asked. Needs an Idempotency-Key: each consent counts once."""
    subscriptions.report(
        database(), caller.account_id, [subscriptions.Answered(one.template_id, one.answer) for one in body.answers],
        key=repeats.check_key(call.header("Idempotency-Key")), now=utc_now())
