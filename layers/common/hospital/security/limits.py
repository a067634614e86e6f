"""How often who may do what: token buckets that all instances share, one statement each.

A bucket is one moment in a row: when all that the limit allows will be there again. What is done puts it off by
the rate's ``seconds``; a moment further away than the burst's is a refusal, which writes nothing. A statement (for
several limits at once a transaction) of its own, not the caller's: what fails must count too. Who is refused is refused
again by the instance itself until the moment that it was told.

For whom each limit counts, and why none lets a stranger lock somebody out: docs/decisions/0016-limits.md.
"""

from __future__ import annotations

import threading
from datetime import datetime, timedelta, timezone
from typing import Any, Literal, NamedTuple, TypeVar, get_args

from hospital.database.connection import Database, database
from hospital.database.policy import Policy, Rate
from hospital.runtime import log, once
from hospital.runtime.clock import later_text
from hospital.runtime.errors import RetryWhole, TooMany, Unavailable
from hospital.security import cipher

Name = Literal["sign_in_per_address", "sign_in_per_account", "matching_per_account", "matching_per_document",
               "matching_per_address", "wrong_names", "phone", "reveal", "codes", "codes_per_account", "notices",
               "orders", "words", "complaints", "pictures"]
Here = Literal["booking"]  # counted by each instance for itself: no statement in the rush
NAMES: tuple[str, ...] = get_args(Name)
# When the database can't tell in time: these guess (signing in is proven by WeChat, orders are kept apart by keys, a
# word to the hospital is better taken twice than not at all), the others are refused, for each try may be a guess at
# somebody's record or costs money.
OPEN = {"sign_in_per_address", "sign_in_per_account", "wrong_names", "orders", "words", "complaints", "pictures"}

Bucket = TypeVar("Bucket")


class _Bucket(NamedTuple):
    """One that the database keeps."""

    name: str
    owner: bytes
    rate: Rate


_ALL, _AHEAD = bytes(16), timedelta(minutes=5)  # a pace that is everybody's, and how far ahead it is ever used up
_ASTRAY = timedelta(minutes=1)  # how far apart the clocks of two instances may be
_KEPT = 10_000  # how many an instance remembers
_told: dict[_Bucket, datetime] = {}  # until when
_one_at_a_time = threading.Lock()
_here: dict[tuple[str, str, Rate], datetime] = {}  # buckets of this instance alone

_SPEND = ("INSERT INTO buckets (name, owner, full_at) VALUES (%s, %s, %s) ON DUPLICATE KEY UPDATE full_at = CASE "
          "WHEN full_at <= %s OR full_at > %s THEN CAST(%s AS DATETIME(6)) "
          "WHEN full_at <= %s THEN full_at + INTERVAL %s MICROSECOND "
          "WHEN LAST_INSERT_ID(TIMESTAMPDIFF(MICROSECOND, %s, full_at)) > 0 THEN full_at ELSE full_at END")


def take(name: Name, key: str, settings: Policy, now: datetime) -> None:
    """Count one more of ``name`` by ``key``, whom the limit is for; an empty key is not known and not counted.

    A request counts once, also when it is run again.
    Never call it in a transaction. Raises TooMany (when it may be done again), Unavailable (the database does not
    tell, and this limit does not guess).
    """
    for bucket in _asked({name: key}, settings, now):
        wait = _spend(*bucket, now)
        if wait:
            raise _refused(bucket, wait, now)
        once.done(bucket.name, bucket.owner)


def take_all(keys: dict[Name, str], settings: Policy, now: datetime) -> None:
    """Count one more of each, or of none when one of them refuses: what others have used up costs nobody their own.

    Whom most share stands last, since each stays locked to the end. As :func:`take`; none of them guesses.
    """
    buckets = _asked(keys, settings, now)
    try:
        with database().transaction() as tx:
            for bucket in buckets:
                wait = tx.said(_SPEND, _spending(*bucket, now))
                if wait:
                    raise _refused(bucket, timedelta(microseconds=wait), now)
    except (RetryWhole, Unavailable) as silence:
        if isinstance(silence, RetryWhole) and not silence.waited:
            raise  # a deadlock: nothing is counted, and the request is run again
        log.event("limit.unknown", limit=",".join(keys), reason=type(silence).__name__)
        raise Unavailable from None
    for bucket in buckets:
        once.done(bucket.name, bucket.owner)


def _asked(keys: dict[Name, str], settings: Policy, now: datetime) -> list[_Bucket]:
    """What is to be counted. Raises TooMany when this instance knows that one refuses."""
    buckets = []
    for name, key in keys.items():
        if not key:
            log.event("limit.unknown", limit=name, reason="nobody")
            continue
        bucket = _Bucket(name, cipher.lookup(f"limit.{name}", key)[:16], getattr(settings, f"limit_{name}"))
        if not once.is_done(bucket.name, bucket.owner):  # else the request is run again: the database rolled it back
            buckets.append(bucket)
    for bucket in buckets:
        wait = _remembered(bucket, now)
        if wait:
            log.event("limit.reached", limit=bucket.name)
            raise refusal(wait, now)
    return buckets


def _refused(bucket: _Bucket, wait: timedelta, now: datetime) -> TooMany:
    _remember(bucket, now + wait, now)
    log.event("limit.reached", limit=bucket.name)
    return refusal(wait, now)


def here(name: Here, key: str, settings: Policy, now: datetime) -> None:
    """The same by this instance alone, without the database. Raises TooMany."""
    if once.is_done(name, key):
        return
    rate: Rate = getattr(settings, f"limit_{name}")
    bucket, cost = (name, key, rate), timedelta(seconds=rate.seconds)
    with _one_at_a_time:
        full_at = _here.get(bucket, now)
        if full_at <= now or full_at > now + cost * rate.burst + _ASTRAY:
            full_at = now
        wait = full_at - (now + cost * (rate.burst - 1))
        if wait <= timedelta(0):
            if len(_here) >= _KEPT:
                _forget(_here, now)
            _here[bucket] = full_at + cost
    if wait > timedelta(0):
        log.event("limit.reached", limit=name)
        raise refusal(wait, now)
    once.done(name, key)


def reserve(db: Database, name: str, number: int, each: timedelta, now: datetime) -> timedelta:
    """Let ``number`` of something be done at a pace that all instances share; how long to wait before the first.

    A pace of which nobody has made use since is not saved up. A moment that lies further ahead than all instances
    together ever reserve is another clock's, and begins anew.
    """
    cost = each * number
    with db.transaction() as tx:
        tx.run("INSERT INTO buckets (name, owner, full_at) VALUES (%s, %s, %s) ON DUPLICATE KEY UPDATE full_at = "
               "CASE WHEN full_at BETWEEN %s AND %s THEN full_at ELSE CAST(%s AS DATETIME(6)) END "
               "+ INTERVAL %s MICROSECOND",
               (name, _ALL, _column(now + cost), _column(now), _column(now + _AHEAD), _column(now),
                cost // timedelta(microseconds=1)))
        row = tx.one("SELECT full_at FROM buckets WHERE name = %s AND owner = %s", (name, _ALL))
    assert row is not None
    ready_at: datetime = row["full_at"] - cost
    return max(timedelta(0), ready_at - now)


def refusal(wait: timedelta, now: datetime) -> TooMany:
    """What who comes too early is told."""
    seconds = wait.total_seconds()
    return TooMany(f"操作过于频繁，请于{later_text(seconds, now)}再试。", wait=seconds)


def _spend(name: str, owner: bytes, rate: Rate, now: datetime) -> timedelta | None:
    """One statement; None, or how long it is until it is allowed. Raises Unavailable."""
    try:
        wait = database().alone(_SPEND, _spending(name, owner, rate, now))
    except (RetryWhole, Unavailable) as silence:
        log.event("limit.unknown", limit=name, reason=type(silence).__name__)
        if name in OPEN:
            return None
        raise Unavailable from None
    return timedelta(microseconds=wait) if wait else None


def _spending(name: str, owner: bytes, rate: Rate, now: datetime) -> tuple[Any, ...]:
    cost = timedelta(seconds=rate.seconds)
    all_of_it = cost * rate.burst
    fresh, latest = _column(now + cost), _column(now + all_of_it - cost)
    return (name, owner, fresh, _column(now), _column(now + all_of_it + _ASTRAY), fresh, latest,
            cost // timedelta(microseconds=1), latest)


def _column(moment: datetime) -> str:
    """As the column has it: written once, where the connection would write each argument by itself (a tenth of all)."""
    return moment.astimezone(timezone.utc).isoformat(" ", "microseconds")[:26]


def _remembered(bucket: _Bucket, now: datetime) -> timedelta | None:
    until = _told.get(bucket)
    if until is None:
        return None
    wait = until - now
    # A clock that was put back makes nobody wait for longer than the limit itself would.
    return wait if timedelta(0) < wait <= timedelta(seconds=bucket.rate.seconds * bucket.rate.burst) else None


def _remember(bucket: _Bucket, until: datetime, now: datetime) -> None:
    if len(_told) >= _KEPT:
        _forget(_told, now)
    _told[bucket] = until


def _forget(kept: dict[Bucket, datetime], now: datetime) -> None:
    """Room for more: first what is over, then all of it."""
    for bucket in [one for one, until in list(kept.items()) if until <= now]:
        kept.pop(bucket, None)
    if len(kept) >= _KEPT:
        kept.clear()
