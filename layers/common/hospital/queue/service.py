"""One question to the HIS serves all who ask within seconds, in however many instances they ask.

What an instance knows it tells for ``EVERY`` without asking anybody. Then one of its requests looks into the shared
row, and asks the HIS when nobody else has for as long; the others tell what is known meanwhile, with its time. When the
HIS is silent the last numbers stay, with their time, until they are too old to be of any use.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from hospital.booking import store as bookings
from hospital.booking.tell import tell
from hospital.database import outbox, policy
from hospital.database.connection import Database
from hospital.gateways import together
from hospital.gateways.his import queues as his_queues
from hospital.gateways.outcome import Unanswered
from hospital.messages import service as messages
from hospital.queue import rules, store
from hospital.queue.rules import MOST, Screen
from hospital.runtime import log
from hospital.runtime.clock import hospital_day
from hospital.schedules import store as schedule_store

EVERY = timedelta(seconds=3)
TOO_OLD = timedelta(minutes=10)  # numbers that say nothing any more
_FIRST, _PIECES = 2.0, 10  # seconds to wait for another instance that asks for the first time, and how often to look
_MANY = 2000  # queues that an instance remembers
WATCH = "queue.watch"


class _Known(Struct, frozen=True):
    """What an instance knows of a queue. ``screen`` None: there is none, or nothing was told yet."""

    at: datetime
    screen: Screen | None


_known: dict[str, _Known] = {}
_under_way: set[str] = set()
_turns = threading.Condition()


def screens(db: Database, codes: Sequence[str], now: datetime) -> dict[str, Screen]:
    """Queues as they are told now, by code; those that can't be told (no such queue, silence) stay out.

    Not in a transaction: the HIS may be asked.
    """
    stale = [code for code in dict.fromkeys(codes) if not _is_fresh(code, now)]
    if stale:
        with _turns:
            mine = [code for code in stale if code not in _under_way]
            _under_way.update(mine)
        try:
            _refresh(db, mine, now)
        finally:
            with _turns:
                _under_way.difference_update(mine)
                _turns.notify_all()
        first = [code for code in stale if code not in _known]
        with _turns:  # others of this instance ask for these, and nothing is known yet
            _turns.wait_for(lambda: not _under_way.intersection(first), timeout=his_queues.QUEUE_SECONDS + _FIRST)
    found = {code: known.screen for code in codes if (known := _known.get(code)) is not None}
    return {code: one for code, one in found.items() if one is not None and now - one.as_of <= TOO_OLD}


def screen(db: Database, code: str, now: datetime) -> Screen | None:
    """One queue, as :func:`screens`."""
    return screens(db, [code], now).get(code)


def _is_fresh(code: str, now: datetime) -> bool:
    known = _known.get(code)
    return known is not None and timedelta(0) <= now - known.at < EVERY


def _refresh(db: Database, codes: list[str], now: datetime) -> None:
    rows = store.last_told(db, codes)
    ask = []
    for code in codes:
        row = rows.get(code)
        is_recent = row is not None and now - EVERY < row["asked_at"] <= now + EVERY
        if not is_recent and store.take_turn(db, code, now, EVERY, is_new=row is None):
            ask.append(code)
        else:
            told = row["screen"] if row is not None else None
            _remember(code, row["asked_at"] if row is not None and told else now, told or _wait_for_other(db, code))
    for code, answer in zip(ask, together.each(his_queues.queue, ask, seconds=his_queues.QUEUE_SECONDS), strict=True):
        before = rows[code]["screen"] if code in rows else None
        if isinstance(answer, Unanswered):
            log.event("his.unanswered", operation="queue", queue=code, reason=answer.reason)
            _remember(code, now, before)
        elif isinstance(answer, his_queues.Queue):
            told = _told(answer, before, now)
            store.keep(db, told)
            _remember(code, now, told)
        else:
            _remember(code, now, None)


def _wait_for_other(db: Database, code: str) -> Screen | None:
    """What another instance is being told for the first time: a second's patience instead of an empty page."""
    for _ in range(_PIECES):
        time.sleep(_FIRST / _PIECES)
        row = store.last_told(db, [code]).get(code)
        if row is not None and row["screen"] is not None:
            found: Screen = row["screen"]
            return found
    return None


def _remember(code: str, at: datetime, told: Screen | None) -> None:
    if len(_known) >= _MANY:
        for old in sorted(_known, key=lambda one: _known[one].at)[:_MANY // 2]:
            _known.pop(old, None)
    _known[code] = _Known(at, told)


def _told(answer: his_queues.Queue, before: Screen | None, now: datetime) -> Screen:
    """A queue's answer; calls that it does not tell are those that were seen from question to question today."""
    if before is not None and hospital_day(before.as_of) != hospital_day(now):
        before = None
    called = answer.calling.number if answer.calling else ""
    calls = sorted(one.called_at for one in answer.calls)
    earlier = [one.number for one in answer.calls]
    if not calls:
        calls = list(before.calls) if before else []
        earlier = [*(before.earlier if before else ()), *([before.called] if before and before.called else [])]
        if answer.calling is not None and (before is None or before.called != called):
            calls.append(min(answer.calling.called_at, now))
    return Screen(answer.queue_code, answer.state, now, called, tuple(answer.waiting), tuple(answer.passed),
                  tuple(one for one in dict.fromkeys(earlier) if one != called), tuple(calls[-MOST:]),
                  answer.seconds_each)


# -- whose turn is near -----------------------------------------------------------------------------
def watch(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """Tell who has checked in when their turn is near, once; look again until then, or until it is over."""
    booking = bookings.booking(db, job.subject_id)
    near = policy.load(db).queue_near
    if booking is None or booking.state != "CHECKED_IN" or near == 0 or hospital_day(now) != booking.visit_date:
        return None
    session = schedule_store.session(db, booking.schedule_id)
    told = screen(db, session.his_code, now) if session is not None else None
    if told is None:
        return outbox.Again(rules.NEAR_AT_MOST)
    where, ahead = rules.standing(booking.queue_number, told)
    if where in ("CALLED", "SEEN"):
        return None
    if ahead is None or ahead > near or told.state not in ("CALLING", "PAUSED"):
        return outbox.Again(rules.look_again(ahead if ahead is not None else near, near, rules.pace(told.calls)))
    with db.transaction() as tx:
        tell(tx, booking.id, messages.QUEUE_NEAR, now=now, subject="queue",
             note=f"前面还有{ahead}人，请到诊室门口" if ahead else "下一个就是您，请到诊室门口")
    return None


WORKER: dict[str, outbox.Handler] = {WATCH: watch}
