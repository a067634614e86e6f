"""Time: aware datetimes, UTC inside, the hospital's days in Asia/Shanghai (no summer time since 1991)."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone

BEIJING = timezone(timedelta(hours=8), "Asia/Shanghai")


def utc_now() -> datetime:
    """The present, aware, UTC. Use cases take it as an argument; only doors call this."""
    return datetime.now(timezone.utc)


def hospital_day(moment: datetime) -> date:
    """The calendar day at the hospital."""
    return moment.astimezone(BEIJING).date()


def at_hospital(day: date, clock_time: time) -> datetime:
    """The moment (aware) of a wall-clock time at the hospital."""
    return datetime.combine(day, clock_time, BEIJING)
