"""Reading requests: JSON bodies and query values into Python values, each wrong one refused by its name."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Collection, Iterable
from datetime import date, datetime
from typing import Any

from sandbox.his.model import BEIJING, Refused

TRADE_NO = r"[0-9A-Za-z_-]{6,64}"
CODE = r"[0-9A-Za-z_-]{1,64}"
MAX_FEN = 100_000_000
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{3}|\.[0-9]{6})?\+08:00"
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def wrong(field: str, message: str) -> Refused:
    """The refusal of one field; says what is wrong, never the value."""
    return Refused("INVALID_FIELD", message, 422, field)


def json_object(raw: bytes) -> dict[str, Any]:
    """The JSON object in ``raw``. Raises Refused MALFORMED."""
    try:
        value = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError):
        raise Refused("MALFORMED", "请求体不是合法的 JSON", 400) from None
    if not isinstance(value, dict):
        raise Refused("MALFORMED", "请求体应为 JSON 对象", 400)
    return value


class Fields:
    """The fields of one JSON object, read one by one; ``path`` leads error names of nested objects."""

    def __init__(self, values: dict[str, Any], allowed: Collection[str], path: str = "") -> None:
        self._values = values
        self._path = path
        for name in values:
            if name not in allowed:
                shown = name if re.fullmatch(r"[0-9A-Za-z_]{1,64}", name) else "?"
                raise wrong(path + shown, "不认识的字段")

    def has(self, name: str) -> bool:
        """Whether the field is there and not null."""
        return self._values.get(name) is not None

    def text(self, name: str, pattern: str, message: str = "格式错误") -> str:
        """A string that matches ``pattern`` as a whole."""
        value = self._values.get(name)
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise wrong(self._path + name, "必填" if value is None else message)
        return value

    def choice(self, name: str, options: Iterable[str]) -> str:
        """One of ``options``."""
        value = self._values.get(name)
        if not isinstance(value, str) or value not in tuple(options):
            raise wrong(self._path + name, "必填" if value is None else "不在允许的取值之内")
        return value

    def number(self, name: str, low: int, high: int) -> int:
        """A whole number from ``low`` to ``high``; amounts are fen."""
        value = self._values.get(name)
        if type(value) is not int or not low <= value <= high:
            raise wrong(self._path + name, "必填" if value is None else f"应为 {low} 到 {high} 的整数")
        return value

    def decimal(self, name: str, high: int) -> float:
        """A number from 0 to ``high``, perhaps with a fraction."""
        value = self._values.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= high:
            raise wrong(self._path + name, "必填" if value is None else f"应为 0 到 {high} 的数")
        return value

    def fen(self, name: str) -> int:
        """An amount in fen, 0 or more."""
        return self.number(name, 0, MAX_FEN)

    def day(self, name: str) -> date:
        """A date YYYY-MM-DD."""
        return read_day(self._path + name, self._values.get(name))

    def moment(self, name: str) -> datetime:
        """A time, RFC 3339 with +08:00."""
        value = self._values.get(name)
        if not isinstance(value, str) or not _MOMENT.fullmatch(value):
            raise wrong(self._path + name, "必填" if value is None else "应为带 +08:00 的 RFC 3339 时间")
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            raise wrong(self._path + name, "没有这个时间") from None

    def inner(self, name: str, allowed: Collection[str]) -> Fields:
        """A nested object."""
        value = self._values.get(name)
        if not isinstance(value, dict):
            raise wrong(self._path + name, "必填" if value is None else "应为对象")
        return Fields(value, allowed, f"{self._path}{name}.")


def read_day(field: str, value: object) -> date:
    """A date YYYY-MM-DD. Raises Refused INVALID_FIELD."""
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        raise wrong(field, "应为 YYYY-MM-DD 格式的日期")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise wrong(field, "没有这一天") from None


def read_limit(value: str | None, default: int, most: int) -> int:
    """A page's size, 1 to ``most``."""
    if value is None:
        return default
    if not re.fullmatch(r"[0-9]{1,6}", value) or not 1 <= int(value) <= most:
        raise wrong("limit", f"应为 1 到 {most} 的整数")
    return int(value)


def show(moment: datetime) -> str:
    """A time as the interface shows it."""
    return moment.astimezone(BEIJING).isoformat()


def cursor_of(*parts: str) -> str:
    """An opaque mark of the last row of a page."""
    return base64.urlsafe_b64encode("|".join(parts).encode()).decode().rstrip("=")


def read_cursor(value: str, parts: int) -> tuple[str, ...]:
    """The ``parts`` that ``cursor_of`` was given. Raises Refused INVALID_FIELD."""
    try:
        padded = value.encode() + b"=" * (-len(value) % 4)
        found = tuple(base64.b64decode(padded, altchars=b"-_", validate=True).decode().split("|"))
    except (binascii.Error, ValueError):
        raise wrong("cursor", "不是上一页给出的游标") from None
    if len(found) != parts:
        raise wrong("cursor", "不是上一页给出的游标")
    return found
