"""Pure decisions about missed visits: what counts, since when, and what follows."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, datetime, time, timedelta

from hospital.booking.model import Booking
from hospital.database.policy import Policy
from hospital.runtime.clock import at_hospital, hospital_day
from hospital.schedules.model import Session

_MONTHS = {1: "一个月", 3: "三个月", 6: "半年", 12: "一年"}
_CALENDAR = {1: "当月", 3: "当季", 6: "本半年", 12: "当年"}


def is_over(session: Session, now: datetime, policy: Policy) -> bool:
    """Whether a session has ended long enough ago for the HIS to know who came."""
    return session.ends_at + timedelta(minutes=policy.no_show_grace_minutes) <= now


def counts(booking: Booking, session: Session) -> bool:
    """Whether missing it counts: not when the hospital called it off or changed it."""
    return session.state == "OPEN" and booking.free_cancel_until is None


def later(day: date, months: int) -> date:
    """The same day some months later (or earlier), or the last one of a month that is shorter."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def counted_since(day: date, policy: Policy) -> date:
    """The first day whose missed visits count with one of ``day``."""
    months = policy.no_show_window_months
    if policy.no_show_window == "CALENDAR":
        return date(day.year, (day.month - 1) // months * months + 1, 1)
    return later(day, -months) + timedelta(days=1)


def block_ends(now: datetime, policy: Policy) -> datetime:
    """When a block that begins now is over: at a hospital day's beginning."""
    today, months = hospital_day(now), policy.no_show_block_months
    return at_hospital(later(today, months) if months else later(today.replace(day=1), 1), time(0))


def window_text(policy: Policy) -> str:
    """Within which time, in a few characters."""
    if policy.no_show_window == "CALENDAR":
        return _CALENDAR[policy.no_show_window_months]
    return f"{_MONTHS[policy.no_show_window_months]}内"


def rule_text(policy: Policy) -> str:
    """The rule as a patient is told it."""
    if not policy.no_shows_to_block:
        return "预约后不来，请提前取消，把号留给其他人。"
    months = policy.no_show_block_months
    until = f"暂停预约{months}个月" if months else "暂停预约到当月底"
    return f"{window_text(policy)}爽约满{policy.no_shows_to_block}次，{until}。来不了请提前取消，不算爽约。"


def missed_note(missed: int, policy: Policy) -> str:
    """What a patient is told after a missed visit, in the 20 characters that a message has for it."""
    if not policy.no_shows_to_block:
        return "来不了请提前取消预约"
    return f"{window_text(policy)}第{missed}次，满{policy.no_shows_to_block}次暂停预约"
