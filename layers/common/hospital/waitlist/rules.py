"""Pure decisions of waiting lists: when offers are made, how long they are good."""

from __future__ import annotations

from datetime import datetime, timedelta

from hospital.database.policy import Policy
from hospital.runtime.clock import BEIJING, at_hospital, hospital_day


def quiet_until(now: datetime, starts_at: datetime, policy: Policy) -> datetime | None:
    """At night, when offers for a session are made again; None: now.

    A session that begins within ``waitlist_night_hours`` can't wait for the morning.
    """
    first, last = policy.waitlist_offers_from, policy.waitlist_offers_until
    clock = now.astimezone(BEIJING).time()
    awake = first <= clock < last if first <= last else clock >= first or clock < last
    if awake or starts_at <= now + timedelta(hours=policy.waitlist_night_hours):
        return None
    today = at_hospital(hospital_day(now), first)
    morning = today if today > now else at_hospital(hospital_day(now) + timedelta(days=1), first)
    return min(morning, starts_at - timedelta(hours=policy.waitlist_night_hours))


def offer_ends(now: datetime, starts_at: datetime, policy: Policy) -> datetime:
    """Until when an offered place is kept: so many minutes, and not past its beginning."""
    return min(now + timedelta(minutes=policy.waitlist_offer_minutes), starts_at)
