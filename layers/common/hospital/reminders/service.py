"""Reminders: planned by a timer, told in the time that WeChat's rate permits, each exactly once.

Once: the plan is a row under a UNIQUE key, its message another, written together with what the row becomes. A run that
is cut goes on where it was; several run side by side. What a patient is told is looked at when it is told, not when it
was planned: who cancelled, paid or was unbound meanwhile is told nothing.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import timedelta

from hospital.database import policy
from hospital.database.connection import Database, Transaction
from hospital.database.policy import Policy
from hospital.gateways.his.bills import Bill
from hospital.messages import bulk, wording
from hospital.messages import service as messages
from hospital.messages import store as message_store
from hospital.messages.bulk import Letter
from hospital.messages.store import Queued
from hospital.patients import access, many_store
from hospital.reminders import rules, store, unpaid, visits
from hospital.reminders.store import Reminder
from hospital.runtime import log
from hospital.runtime.clock import utc_now
from hospital.security import cipher

SECONDS = 540  # of a run: the timer comes every ten minutes
CHUNK, THREADS = 20, 4
AT_IT = timedelta(minutes=5)  # longer than anybody is at a chunk
AT_IT_SECONDS = 240  # then who is at one leaves the rest of it
LATER = timedelta(minutes=1)


def run(db: Database, *, seconds: float = SECONDS) -> int:
    """Plan what is due, and tell it until nothing is left or the time is over; how many were told or dropped."""
    cipher.ready()
    until = time.monotonic() + seconds
    settings, now = policy.load(db), utc_now()
    planned = visits.plan(db, settings, now) + unpaid.plan(db, settings, now)
    taken_back = take_back(db)
    with ThreadPoolExecutor(THREADS - 1, "reminders") as pool:
        others = [pool.submit(copy_context().run, _tell_all, db, until) for _ in range(THREADS - 1)]
        done = _tell_all(db, until) + sum(one.result() for one in others)
    log.event("reminders.done", planned=planned, taken_back=taken_back, done=done)
    return done


def take_back(db: Database) -> int:
    """What somebody was at who is no more: what was certainly not sent is told anew. How many."""
    now = utc_now()
    with db.transaction() as tx:
        found = store.abandoned(tx, now - AT_IT, 1000)
        states = message_store.states_of(tx, [one.message_id for one in found if one.message_id])
        again = [one for one in found if states.get(one.message_id or "", "QUEUED") == "QUEUED"]
        message_store.forget_unsent(tx, [one.message_id for one in again if one.message_id])
        for message_id, state in states.items():
            if state == "SENDING":  # it may have reached WeChat: once is what was promised
                message_store.set_state(tx, message_id, "UNCERTAIN", "interrupted")
        gone = {one.id for one in again}
        store.plan_again(tx, sorted(gone), now, now)
        store.end(tx, [one.id for one in found if one.id not in gone], "TOLD", "", now)
    return len(found)


def _tell_all(db: Database, until: float) -> int:
    done = 0
    while time.monotonic() < until:
        told = _tell_some(db, until)
        if told is None:
            break
        done += told
    return done


def _tell_some(db: Database, until: float) -> int | None:
    """Tell a few that are due; how many are decided. None: nothing is due, or WeChat can't be reached."""
    until, now = min(until, time.monotonic() + AT_IT_SECONDS), utc_now()
    settings = policy.load(db)
    reminders = store.claim(db, CHUNK, only_urgent=rules.is_quiet(now, settings), now=now)
    if not reminders:
        return None
    said = unpaid.ask(db, [one for one in reminders if one.kind == unpaid.KIND], now)
    letters, dropped = dict[str, Letter](), 0
    with db.transaction() as tx:
        ours = store.still_ours(tx, reminders, now)
        for kind in (visits.KIND, unpaid.KIND):
            some = [one for one in ours if one.kind == kind]
            if some:
                texts, reasons = _texts(tx, kind, some, said, settings)
                letters |= _write(tx, kind, some, texts)
                for reason in set(reasons.values()):
                    store.end(tx, [one for one, why in reasons.items() if why == reason], "DROPPED", reason, now)
                silent = [one.id for one in some if one.id not in texts and one.id not in reasons]
                store.plan_again(tx, silent, now + unpaid.LATER, now)
                dropped += len(reasons)
    return dropped + _send(db, letters, settings, until)


def _texts(tx: Transaction, kind: str, some: list[Reminder], said: dict[str, Bill | str | None],
           settings: Policy) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    now = utc_now()
    act = messages.TELLS[kind]
    assert act is not None
    allowed = access.allowed_of(tx, [(one.account_id, one.patient_id) for one in some], act, settings, now)
    if kind == visits.KIND:
        return visits.tell(tx, some, allowed, now)
    return unpaid.tell(tx, some, said, allowed, now)


def _write(tx: Transaction, kind: str, some: list[Reminder], texts: dict[str, dict[str, str]]) -> dict[str, Letter]:
    """Write the messages, and what goes out of them, by reminder. Without a template they are only written."""
    now, told = utc_now(), [one for one in some if one.id in texts]
    if not told:
        return {}
    template = messages.fitting(tx, kind, set(messages.VALUES[kind]))
    if template is None:
        messages.lacks_template(tx, kind, now)
    ids = message_store.insert_many(tx, [
        Queued(one.account_id, one.patient_id, kind, f"{kind}.{one.subject_id}.{one.occasion}.{one.account_id}",
               texts[one.id], _about(one)) for one in told], "QUEUED" if template is not None else "NO_TEMPLATE", now)
    if template is None:
        store.end(tx, [one.id for one in told], "TOLD", "NO_TEMPLATE", now)
        return {}
    written = {one.id: message_id for one, message_id in zip(told, ids, strict=True)}
    store.written(tx, written)
    openids = many_store.openids(tx, sorted({one.account_id for one in told}))
    return {one.id: Letter(written[one.id], one.account_id, openids[one.account_id], template, texts[one.id],
                           _about(one)) for one in told}


def _about(one: Reminder) -> str:
    """What a reminder opens: the registration, the patient's bills."""
    if one.kind == visits.KIND:
        return wording.about("registration", one.subject_id)
    return wording.about("bills", one.patient_id)


def _send(db: Database, letters: dict[str, Letter], settings: Policy, until: float) -> int:
    if not letters:
        return 0
    sent = bulk.send(db, list(letters.values()), settings, until=until)
    reminder_of = {letter.message_id: reminder_id for reminder_id, letter in letters.items()}
    now = utc_now()
    with db.transaction() as tx:
        store.end(tx, [reminder_of[one] for one in sent.ended], "TOLD", "", now)
        message_store.forget_unsent(tx, sent.left)
        store.plan_again(tx, [reminder_of[one] for one in sent.left], now + LATER, now)
    return len(sent.ended)
