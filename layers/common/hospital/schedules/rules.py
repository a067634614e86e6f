"""Pure decisions about what is on sale when."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta, timezone

from hospital.database.policy import Policy
from hospital.runtime.clock import BEIJING, at_hospital, hospital_day

READING_SECONDS = 300  # the timer reads the lists every five minutes


def last_open_day(now: datetime, policy: Policy) -> date:
    """The furthest hospital day on sale: a new one opens each day at the release time."""
    local = now.astimezone(BEIJING)
    days = policy.days_ahead if local.time() >= policy.release_time else policy.days_ahead - 1
    return local.date() + timedelta(days=days)


def next_release(now: datetime, policy: Policy) -> tuple[date, datetime]:
    """The day that goes on sale next, and when."""
    day = last_open_day(now, policy) + timedelta(days=1)
    return day, release_of(day, policy)


def release_of(day: date, policy: Policy) -> datetime:
    """When a day goes on sale."""
    return at_hospital(day - timedelta(days=policy.days_ahead), policy.release_time)


def is_open_day(day: date, now: datetime, policy: Policy) -> bool:
    """Whether a day is on sale."""
    return hospital_day(now) <= day <= last_open_day(now, policy)


def earliest_start(now: datetime, policy: Policy) -> datetime:
    """Places that start before this are no longer sold."""
    return now + timedelta(minutes=policy.same_day_closes_minutes)


def cancel_deadline(visit_date: date, starts_at: datetime, policy: Policy, free_until: datetime | None = None
                    ) -> datetime:
    """Until when a place may be given up on line once it is taken; never after it starts.

    ``free_until``: the hospital has changed it, so that the cut-off does not count before then.
    """
    if policy.cancel_until is not None:
        deadline = at_hospital(visit_date - timedelta(days=policy.cancel_days_before), policy.cancel_until)
    elif policy.cancel_days_before:  # "the day before" without a time: until that day's midnight
        deadline = at_hospital(visit_date - timedelta(days=policy.cancel_days_before - 1), time(0))
    else:
        deadline = starts_at
    deadline = min(deadline, starts_at)
    return (max(deadline, free_until) if free_until is not None else deadline).astimezone(timezone.utc)


def on_sale_again(now: datetime, policy: Policy, chance: float) -> datetime | None:
    """When a place given back is sold again; ``chance`` in [0, 1) is random, against scalpers."""
    if policy.resale_delay_max_seconds == 0:
        return None
    return now + timedelta(seconds=policy.resale_delay_max_seconds * chance)


def doubted_days(known: Mapping[date, int], missing: Mapping[date, int], percent: int) -> set[date]:
    """Days whose list has lost more than ``percent`` of what was known; every day when the whole list has."""
    if sum(missing.values()) * 100 > sum(known.values()) * percent:
        return set(missing)
    return {day for day, count in missing.items() if count * 100 > known[day] * percent}


def in_turn(codes: list[str], now: datetime, most: int) -> list[str]:
    """At most so many of ``codes``, beginning elsewhere in each reading: none is always last, nor always first."""
    if not codes:
        return []
    reading, rounds = int(now.timestamp()) // READING_SECONDS, -(-len(codes) // most)
    start = (reading if rounds == 1 else reading * most + reading // rounds) % len(codes)
    return (codes[start:] + codes[:start])[:most]
