"""SCF's timer expressions: seven fields, Beijing time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone

BEIJING = timezone(timedelta(hours=8), "Asia/Shanghai")  # no summer time since 1991

_FIELDS = (
    ("second", 0, 59), ("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12),
    ("weekday", 0, 6), ("year", 1970, 2099),
)


class CronError(ValueError):
    """The expression is not one that SCF accepts."""


@dataclass(frozen=True)
class Cron:
    """A parsed expression. Each field is the sorted tuple of its allowed values; weekday 0 is Sunday."""

    expression: str
    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]
    years: tuple[int, ...]

    @classmethod
    def parse(cls, expression: str) -> Cron:
        """Read ``second minute hour day month weekday year``.

        Each field is ``*``, a number, a range ``a-b``, a step ``*/n`` or ``a-b/n``, or a list of those.
        Raises CronError.
        """
        parts = expression.split()
        if len(parts) != len(_FIELDS):
            raise CronError(f"cron {expression!r} has {len(parts)} fields, needs 7")
        sets = [_values(part, *field, expression) for part, field in zip(parts, _FIELDS, strict=True)]
        return cls(expression, *sets)

    def next_after(self, moment: datetime) -> datetime | None:
        """The first fire time later than ``moment`` (aware), in UTC; None when there is none before 2100."""
        start = moment.astimezone(BEIJING).replace(microsecond=0) + timedelta(seconds=1)
        day, earliest = start.date(), start.time()
        while day.year <= self.years[-1]:
            if self._fires_on(day):
                found = self._time_from(earliest)
                if found is not None:
                    return datetime.combine(day, found, BEIJING).astimezone(timezone.utc)
            day, earliest = day + timedelta(days=1), time.min
        return None

    def _fires_on(self, day: date) -> bool:
        if day.year not in self.years or day.month not in self.months:
            return False
        in_month, in_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        if len(self.days) < 31 and len(self.weekdays) < 7:
            return in_month or in_week  # both restricted: either will do
        return in_month and in_week

    def _time_from(self, earliest: time) -> time | None:
        for hour in self.hours:
            if hour < earliest.hour:
                continue
            for minute in self.minutes:
                if (hour, minute) < (earliest.hour, earliest.minute):
                    continue
                for second in self.seconds:
                    candidate = time(hour, minute, second)
                    if candidate >= earliest:
                        return candidate
        return None


def _values(part: str, name: str, low: int, high: int, expression: str) -> tuple[int, ...]:
    values: set[int] = set()
    for item in part.split(","):
        span, slash, step = item.partition("/")
        first, dash, last = span.partition("-")
        try:
            width = int(step) if slash else 1
            if span == "*":
                start, end = low, high
            else:
                start = int(first)
                end = int(last) if dash else start
        except ValueError:
            raise CronError(f"cron {expression!r}: {item!r} is no {name}") from None
        if width < 1 or (slash and span != "*" and not dash) or not low <= start <= end <= high:
            raise CronError(f"cron {expression!r}: {name} {item!r} is outside {low}-{high} or malformed")
        values.update(range(start, end + 1, width))
    return tuple(sorted(values))
