"""What a subscribe message's keywords may hold: one rule per keyword type (``thing1`` is of type thing)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

_CHINESE = "\u4e00-\u9fff"
_DAY = r"(?:(\d{4})年(\d{1,2})月(\d{1,2})日|(\d{4})-(\d{1,2})-(\d{1,2}))"
_HOUR = r"(\d{1,2}):(\d{2})(?::(\d{2}))?"
_TIME = re.compile(rf"(?:{_DAY} ?)?{_HOUR}")
_DATE = re.compile(rf"{_DAY}(?: ?{_HOUR})?")
_AMOUNT = re.compile(r"[¥￥$€£]?(\d+)(?:\.(\d+))?元?")


def _matches(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern)
    return lambda value: compiled.fullmatch(value) is not None


def _is_moment(text: str, pattern: re.Pattern[str]) -> bool:
    found = pattern.fullmatch(text)
    if found is None:
        return False
    year, month, day, iso_year, iso_month, iso_day, hour, minute, second = found.groups()
    try:
        datetime(int(year or iso_year or 2000), int(month or iso_month or 1), int(day or iso_day or 1),
                 int(hour or 0), int(minute or 0), int(second or 0))
    except ValueError:
        return False
    return True


def _moments(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    """One moment, or a period: two of them joined by ``~``."""
    def check(value: str) -> bool:
        parts = value.split("~")
        return len(parts) <= 2 and all(_is_moment(part.strip(), pattern) for part in parts)
    return check


def _is_amount(value: str) -> bool:
    found = _AMOUNT.fullmatch(value)
    return found is not None and len(found[1]) + len(found[2] or "") <= 10


def _is_name(value: str) -> bool:
    if re.search(f"[{_CHINESE}]", value):
        return re.fullmatch(rf"[{_CHINESE}A-Za-z·*]{{1,10}}", value) is not None
    return re.fullmatch(r"[^\d]{1,20}", value) is not None


RULES: dict[str, Callable[[str], bool]] = {
    "thing": lambda value: len(value) <= 20,
    "number": _matches(r"(?=.{1,32}$)\d+(\.\d+)?"),
    "letter": _matches(r"[A-Za-z]{1,32}"),
    "symbol": _matches(rf"[^\w\s{_CHINESE}]{{1,5}}"),
    "character_string": _matches(r"[\x20-\x7e]{1,32}"),
    "time": _moments(_TIME),
    "date": _moments(_DATE),
    "amount": _is_amount,
    "phone_number": _matches(r"[\d+\-() ]{1,17}"),
    "car_number": _matches(rf"[{_CHINESE}A-Z0-9]{{1,8}}"),
    "name": _is_name,
    "phrase": _matches(rf"[{_CHINESE}]{{1,5}}"),
}


def keyword_type(keyword: str) -> str:
    """``character_string2`` → ``character_string``. Raises ValueError for a type WeChat has not."""
    kind = keyword.rstrip("0123456789")
    if kind not in RULES or kind == keyword:
        raise ValueError(f"no keyword of a subscribe message: {keyword!r}")
    return kind


def misfit(data: object, keywords: dict[str, str]) -> str | None:
    """Why ``data`` ({keyword: {"value": …}}) cannot fill a template with ``keywords``; None when it can.

    The sentence is WeChat's form of it and names the field, never the value.
    """
    if not isinstance(data, dict):
        return "argument invalid! data is empty"
    for keyword in keywords:
        value = value_of(data.get(keyword))
        if not value.strip():
            return f"argument invalid! data.{keyword}.value is empty"
        if not RULES[keyword_type(keyword)](value):
            return f"argument invalid! data.{keyword}.value invalid"
    strange = sorted(str(key) for key in data if key not in keywords)
    return f"argument invalid! data.{strange[0]} is not in the template" if strange else None


def value_of(entry: object) -> str:
    """The text of one ``{"value": …}``; empty when there is none."""
    value = entry.get("value") if isinstance(entry, dict) else None
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return ""
    return str(value)
