"""The waiting room (off unless the policy sets a rate): who comes when in the rush after a release is drawn by lot.

A ticket is an HMAC over account, session and release, so that each account has one a session however often it asks,
and nothing is stored. The number in it says after how many others its holder comes; the rate turns that into a moment.
Who comes before it is told when to come again, before anything is asked of the database. Once all that were expected
have had their turn there is no waiting room any more.
"""

from __future__ import annotations

import hmac
import re
import time
from datetime import date, datetime

from msgspec import Struct

from hospital.booking import rules
from hospital.database import policy
from hospital.database.connection import Database
from hospital.runtime.errors import Forbidden, TooMany
from hospital.schedules import rules as schedule_rules
from hospital.schedules import store as schedules
from hospital.security import cipher

HEADER = "X-Ticket"
KNOWN = 1000  # sessions whose day a process remembers
FRESH = 5.0  # seconds for which it does: the hospital may move a session to another day


class Ticket(Struct, frozen=True):
    """``text`` is to be sent along with the booking, from ``admitted_at`` on; an empty one is not needed.

    ``ahead``: how many at most are admitted from now on (or from the release) before.
    """

    text: str
    admitted_at: datetime
    ahead: int


class TicketRequired(TooMany):
    """The rush is on, and this one has no ticket, or none for this session."""

    code, message = "ticket_required", "放号高峰期间请先排队取号，再按提示的时间提交挂号。"


class NotYet(TooMany):
    """The ticket's turn has not come."""

    code, message = "not_your_turn", "尚未轮到您，请按提示的时间再提交挂号。"


_days: dict[str, tuple[date, float]] = {}  # by session, and when it was looked at
_looked_at = float("-inf")  # when the policy was last asked for


def draw(account_id: str, schedule_id: str, day: date, settings: policy.Policy, now: datetime) -> Ticket:
    """The account's ticket for a session of a day."""
    release = schedule_rules.release_of(day, settings)
    if not settings.waiting_room_per_second or now >= rules.rush_ends(release, settings):
        return Ticket("", max(now, release), 0)
    mac = _mac(account_id, schedule_id, release)
    turn = rules.admitted_at(_number(mac), release, settings)
    return Ticket(f"{account_id}.{mac.hex()}", turn, rules.ahead(turn, release, settings, now))


def is_on(db: Database) -> bool:
    """Whether there is a waiting room. As long as there is one, the policy is asked for once a second."""
    return _settings(db).waiting_room_per_second > 0


def check(db: Database, ticket: str, schedule_id: str, now: datetime) -> None:
    """Turn away who comes before their turn. Raises TicketRequired, NotYet."""
    settings = _settings(db)
    day = _day(db, schedule_id)
    if day is None or not settings.waiting_room_per_second:
        return
    release = schedule_rules.release_of(day, settings)
    if not rules.is_rush(release, settings, now):
        return
    account_id, mac = _parts(ticket)
    expected = _mac(account_id, schedule_id, release)
    if not hmac.compare_digest(mac, expected):
        raise TicketRequired(wait=1)
    turn = rules.admitted_at(_number(expected), release, settings)
    if now < turn:
        raise NotYet(wait=(turn - now).total_seconds())


def check_owner(ticket: str, account_id: str) -> None:
    """A ticket is for the account that drew it. Raises Forbidden."""
    if ticket and _parts(ticket)[0] != account_id:
        raise Forbidden("该排队号不属于当前账号，请重新取号。", code="ticket_of_another")


def _parts(ticket: str) -> tuple[str, bytes]:
    found = re.fullmatch(r"([0-9A-Z]{26})\.([0-9a-f]{64})", ticket)
    return (found[1], bytes.fromhex(found[2])) if found else ("", b"")


def _mac(account_id: str, schedule_id: str, release: datetime) -> bytes:
    return cipher.lookup("waiting-room", f"{account_id}:{schedule_id}:{release.isoformat()}")


def _number(mac: bytes) -> float:
    """In [0, 1), by the lot."""
    return int.from_bytes(mac[:6], "big") / (1 << 48)


def _settings(db: Database) -> policy.Policy:
    """The policy as it was a second ago, or, where there is no waiting room, when it was last asked for."""
    global _looked_at  # noqa: PLW0603 - threads that look at the same moment find the same
    known = policy.last_known()
    if known is None or (known.waiting_room_per_second and time.monotonic() - _looked_at >= 1):
        _looked_at = time.monotonic()
        known = policy.load_version(db)
    return known


def _day(db: Database, schedule_id: str) -> date | None:
    found = _days.get(schedule_id)
    if found is not None and time.monotonic() - found[1] < FRESH:
        return found[0]
    session = schedules.session(db, schedule_id)
    if session is None:
        return None
    if len(_days) >= KNOWN:
        _days.clear()
    _days[schedule_id] = session.visit_date, time.monotonic()
    return session.visit_date
