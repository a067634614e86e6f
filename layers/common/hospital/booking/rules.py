"""Pure decisions of registration: until when it may be paid and cancelled."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from hospital.database.policy import Policy
from hospital.runtime.clock import at_hospital


def cancel_deadline(visit_date: date, starts_at: datetime, policy: Policy) -> datetime:
    """Until when a registration may be cancelled on line; never after it starts."""
    if policy.cancel_until is not None:
        deadline = at_hospital(visit_date - timedelta(days=policy.cancel_days_before), policy.cancel_until)
    elif policy.cancel_days_before:  # "the day before" without a time: until that day's midnight
        deadline = at_hospital(visit_date - timedelta(days=policy.cancel_days_before - 1), time(0))
    else:
        deadline = starts_at
    return min(deadline, starts_at)


def payment_deadline(expires_at: datetime, now: datetime, policy: Policy) -> datetime:
    """Until when to pay: as long as the place is held, but never less than a sensible moment."""
    return max(expires_at, now + timedelta(minutes=policy.pay_minutes_at_least))
