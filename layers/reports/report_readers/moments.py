"""Times as HL7, FHIR and careless senders write them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from functools import lru_cache

from hospital.reports.model import Moment, Precision
from hospital.runtime.clock import BEIJING

EARLIEST, LATEST = 1850, 2200
_PACKED = re.compile(
    r"(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(\.\d{1,9})?)?)?)?)?)?([+-]\d{4})?", re.ASCII)
_WRITTEN = re.compile(
    r"(\d{4})(?:[-/](\d{1,2})(?:[-/](\d{1,2})(?:[T ]+(\d{1,2})(?::(\d\d)(?::(\d\d)(\.\d{1,9})?)?)?)?)?)?"
    r" ?(Z|[+-]\d\d:?\d\d)?", re.ASCII)
_PRECISIONS: tuple[Precision, ...] = ("year", "month", "day", "hour", "minute", "second")


@lru_cache(maxsize=256)  # a report's results have few times between them
def moment(text: str) -> Moment | None:
    """The time that a text tells; None when it tells none. Without a zone it is the hospital's."""
    found = _PACKED.fullmatch(text) or _WRITTEN.fullmatch(text.strip())
    if found is None:
        return None
    *parts, fraction, zone = found.groups()
    told = [int(part) for part in parts if part is not None]
    year, month, day, hour, minute, second = [*told, *(0, 1, 1, 0, 0, 0)[len(told):]]
    if not EARLIEST <= year < LATEST:
        return None
    try:
        at = datetime(year, month, day, hour, minute, min(second, 59), int(float(fraction or 0) * 1_000_000),
                      _zone(zone))
    except ValueError:
        return None
    if second > 60:  # 60: a leap second, shown as the last of its minute
        return None
    return Moment(text, at, _PRECISIONS[len(told) - 1], zone is not None)


def _zone(told: str | None) -> timezone:
    if told is None:
        return BEIJING
    if told == "Z":
        return timezone.utc
    hours, minutes = int(told[1:3]), int(told[-2:])
    by = timedelta(hours=hours, minutes=minutes)
    return timezone(-by if told[0] == "-" else by)
