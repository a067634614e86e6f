"""Sessions that were seen sold out a moment ago: whoever asks for a place of one is told so without the database.

The truth stays there: each process looks again every second, so that a place which comes back is seen within it.
Who holds a place of the session is let through: they may be asking for the answer that they never got.
"""

from __future__ import annotations

import hashlib
import threading
from datetime import datetime, timedelta

from msgspec import Struct

from hospital.booking import store
from hospital.database.connection import Database

REFUSED = timedelta(seconds=1)
LOOK_AGAIN = timedelta(milliseconds=800)  # one goes and looks before everybody would
ANOTHER = timedelta(milliseconds=50)  # and one more, should that one have been no honest request


class _Seen(Struct):
    at: datetime
    holders: frozenset[bytes]  # hashes of their sessions' tokens
    next_look: datetime  # from then on the next one goes and looks


_seen: dict[str, _Seen] = {}
_lock = threading.Lock()


def any_seen() -> bool:
    """Whether there is a session to be asked about at all."""
    return bool(_seen)


def refuses(schedule_id: str, token: str, now: datetime) -> bool:
    """Whether a session was sold out a moment ago, and nobody with this token holds a place of it."""
    seen = _seen.get(schedule_id)
    if seen is None:
        return False
    age = now - seen.at
    if not timedelta(0) <= age < REFUSED:
        _seen.pop(schedule_id, None)
        return False
    if hashlib.sha256(token.encode()).digest() in seen.holders:
        return False
    if age >= LOOK_AGAIN:
        with _lock:
            if seen.next_look > now:
                return True
            seen.next_look = now + ANOTHER
        return False
    return True


def saw(db: Database, schedule_id: str, now: datetime) -> None:
    """No place of a session was free ``now``. All of them were taken by what is committed."""
    with _lock:
        seen = _seen.get(schedule_id)
        if seen is not None and timedelta(0) <= now - seen.at < LOOK_AGAIN:
            return  # another one has just seen it
    _seen[schedule_id] = _Seen(now, frozenset(store.tokens_of_holders(db, schedule_id)), now + LOOK_AGAIN)


def forget(schedule_id: str) -> None:
    """A place of the session has come back by this process."""
    _seen.pop(schedule_id, None)
