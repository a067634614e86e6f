"""Pure decisions of registration: what is on sale when, and until when it may be cancelled."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from hospital.database.policy import Policy
from hospital.runtime.clock import BEIJING, at_hospital, hospital_day


def last_open_day(now: datetime, policy: Policy) -> date:
    """The furthest hospital day on sale: a new one opens each day at the release time."""
    local = now.astimezone(BEIJING)
    days = policy.days_ahead if local.time() >= policy.release_time else policy.days_ahead - 1
    return local.date() + timedelta(days=days)


def is_open_day(day: date, now: datetime, policy: Policy) -> bool:
    """Whether a day is on sale."""
    return hospital_day(now) <= day <= last_open_day(now, policy)


def earliest_start(now: datetime, policy: Policy) -> datetime:
    """Places that start before this are no longer sold."""
    return now + timedelta(minutes=policy.same_day_closes_minutes)


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


def on_sale_again(now: datetime, policy: Policy, chance: float) -> datetime | None:
    """When a place given back is sold again; ``chance`` in [0, 1) is random, against scalpers."""
    if policy.resale_delay_max_seconds == 0:
        return None
    return now + timedelta(seconds=policy.resale_delay_max_seconds * chance)


def checkin_window(starts_at: datetime, ends_at: datetime, policy: Policy) -> tuple[datetime, datetime]:
    """From when to when a session's patients may check in."""
    return starts_at - timedelta(minutes=policy.checkin_opens_minutes), ends_at


def checkin_refusal(now: datetime, opens: datetime, closes: datetime) -> tuple[str, str] | None:
    """Why now is not the time to check in: a code and a sentence; None when it is."""
    if now < opens:
        local = opens.astimezone(BEIJING)
        return "checkin_too_early", f"尚未到取号时间，请于{local.month}月{local.day}日{local:%H:%M}后取号。"
    if now >= closes:
        return "session_over", "本次出诊已结束，请到人工窗口办理。"
    return None
