"""Pure decisions of reminders: of which days and ages, and when."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from hospital.booking.rules import DAY, quiet_began, quiet_length
from hospital.database.policy import Policy
from hospital.runtime.clock import at_hospital, hospital_day

NEAR = timedelta(hours=1)  # what begins so soon after the quiet hours is told in them


def reminded_at(day: date, policy: Policy) -> datetime:
    """When patients are to be reminded of the visits of a day."""
    return at_hospital(day - DAY, policy.remind_visit_at)


def days_due(now: datetime, policy: Policy) -> list[date]:
    """The days of whose visits patients are to be reminded by now: today's too, for who was to run was late."""
    today = hospital_day(now)
    return [day for day in (today, today + DAY) if reminded_at(day, policy) <= now]


def quiet_ends(now: datetime, policy: Policy) -> datetime:
    """When the quiet hours end that one is in, or that come next."""
    begun = quiet_began(now, policy)
    if begun is None:
        begun = at_hospital(hospital_day(now), policy.quiet_from)
        begun += DAY if begun < now else timedelta(0)
    return begun + quiet_length(policy)


def is_quiet(now: datetime, policy: Policy) -> bool:
    """Whether people are asleep."""
    return quiet_began(now, policy) is not None


def is_near(starts_at: datetime, now: datetime, policy: Policy) -> bool:
    """Whether it is too late to wait for the end of the (next) quiet hours."""
    return starts_at <= quiet_ends(now, policy) + NEAR


def due(now: datetime, policy: Policy, *, urgent: bool) -> datetime:
    """When to tell what could be told now: not in the quiet hours, but for what is about the next hours."""
    return quiet_ends(now, policy) if is_quiet(now, policy) and not urgent else now


def age_due(known_since: datetime, now: datetime, policy: Policy) -> int | None:
    """The greatest of the configured ages, in hours, that a bill has reached; None: it has reached none."""
    ages = [hours for hours in policy.unpaid_reminder_hours if known_since + timedelta(hours=hours) <= now]
    return max(ages, default=None)


def age_text(hours: int) -> str:
    """How old a bill is, for its patient."""
    return f"已{hours // 24}天" if hours >= 24 else f"已{hours}小时"
