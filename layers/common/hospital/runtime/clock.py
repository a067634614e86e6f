"""Time: aware datetimes, UTC inside, the hospital's days in Asia/Shanghai (no summer time since 1991)."""

from __future__ import annotations

import math
from datetime import date, datetime, time, timedelta, timezone

BEIJING = timezone(timedelta(hours=8), "Asia/Shanghai")


def utc_now() -> datetime:
    """The present, aware, UTC. Use cases take it as an argument; only doors call this."""
    return datetime.now(timezone.utc)


def hospital_day(moment: datetime) -> date:
    """The calendar day at the hospital."""
    return moment.astimezone(BEIJING).date()


def later_text(wait: float, now: datetime) -> str:
    """When it is ``wait`` seconds from now, as a person is told: 30秒后, 5分钟后, 今天15:20后, 明天07:00后."""
    if wait <= 60:
        return f"{max(1, math.ceil(wait))}秒后"
    if wait <= 3600:
        return f"{math.ceil(wait / 60)}分钟后"
    at = (now + timedelta(seconds=wait + 60)).astimezone(BEIJING)  # told to the minute, never too early
    days = (at.date() - hospital_day(now)).days
    day = {0: "今天", 1: "明天"}.get(days, f"{at.month}月{at.day}日")
    return f"{day}{at:%H:%M}后"


def at_hospital(day: date, clock_time: time) -> datetime:
    """The moment (aware) of a wall-clock time at the hospital."""
    return datetime.combine(day, clock_time, BEIJING)
