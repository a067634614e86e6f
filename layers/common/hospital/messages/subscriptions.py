"""What an account has allowed WeChat to send it: what to ask for in a tap, and what was answered.

These books say what to ask and what to show. Whether a message may be sent is WeChat's to say, each time: it is tried
whatever stands here, and WeChat's refusal (43101) corrects it.
"""

from __future__ import annotations

import json
from datetime import datetime

from msgspec import Struct, to_builtins

from hospital.database import policy, repeats
from hospital.database.connection import Database, Duplicate
from hospital.messages import rules, store, wording
from hospital.messages.rules import Answer, Standing
from hospital.messages.service import SCENES, VALUES
from hospital.runtime.errors import NotFound
from hospital.security import audit


class Answered(Struct, frozen=True):
    """What the person said to one template."""

    template_id: str
    answer: Answer


class Kind(Struct, frozen=True):
    """A kind of message and where its template stands. ``allowed``: so many more; None: for good."""

    kind: str
    title: str
    template_id: str
    standing: Standing
    allowed: int | None


def templates_of(db: Database, account_id: str, scene: str) -> list[str]:
    """Which templates to ask for before an action. Raises NotFound for an unknown scene."""
    if scene not in SCENES:
        raise NotFound
    chosen = policy.load(db).message_templates
    known = {template_id: row["answer"] for template_id, row in store.answers(db, account_id).items()}
    templates = [chosen[kind] for kind in SCENES[scene] if kind in chosen]
    return rules.to_ask([(one.template_id, one.long_term) for one in templates], known)


def kinds(db: Database, account_id: str) -> list[Kind]:
    """Every kind of message that the hospital sends by WeChat, and where it stands."""
    chosen, known = policy.load(db).message_templates, store.answers(db, account_id)
    found = []
    for kind in (one for one in VALUES if one in chosen):
        template, row = chosen[kind], known.get(chosen[kind].template_id)
        allowed = int(row["allowed"]) if row else 0
        found.append(Kind(kind, wording.title(kind), template.template_id,
                          rules.standing(row["answer"] if row else None, allowed, is_long_term=template.long_term),
                          None if template.long_term else allowed))
    return found


def report(db: Database, account_id: str, answers: list[Answered], *, key: str, now: datetime) -> None:
    """Keep what the person answered, once per ``key``; of templates that the hospital has no more, nothing.

    Raises Invalid (the key was used for other answers).
    """
    request = repeats.digest("subscriptions", json.dumps(to_builtins(answers), sort_keys=True))
    if repeats.answered(db, owner=account_id, key=key, request=request) is not None:
        return
    is_long_term = {one.template_id: one.long_term for one in policy.load(db).message_templates.values()}
    try:
        with db.transaction() as tx:
            for one in sorted((one for one in answers if one.template_id in is_long_term),
                              key=lambda one: one.template_id):
                more = 1 if one.answer == "accept" and not is_long_term[one.template_id] else 0
                store.answer(tx, account_id=account_id, template_id=one.template_id, answer=one.answer, more=more,
                             now=now)
            audit.by_account(tx, account_id, "messages.subscribe", account_id, now,
                             answers={one.template_id: one.answer for one in answers})
            repeats.record(tx, owner=account_id, key=key, request=request, answer="", now=now)
    except Duplicate:
        if repeats.answered(db, owner=account_id, key=key, request=request) is None:
            raise
