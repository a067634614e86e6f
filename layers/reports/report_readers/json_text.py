"""JSON as it was sent: numbers keep their digits, nothing is there twice, and it does not nest without end."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

from hospital.reports.model import Unreadable

from report_readers.limits import Limits, at_most, unpacked

_LONGEST = 60  # digits of a number
_NAME = re.compile(r"_?[A-Za-z][A-Za-z_]{0,63}")


def parse(content: bytes, limits: Limits) -> dict[str, Any]:
    """The object that a body holds. Raises Unreadable."""
    try:
        told = json.loads(unpacked(content, limits).decode("utf-8-sig"), parse_float=_decimal, parse_int=_whole,
                          parse_constant=_no_number, object_pairs_hook=_once)
    except UnicodeDecodeError:
        raise Unreadable("charset", "body", "the text is not UTF-8") from None
    except RecursionError:
        raise Unreadable("too-deep", "body", "it nests deeper than any honest message") from None
    except json.JSONDecodeError as error:
        raise Unreadable("not-json", f"line {error.lineno} column {error.colno}", "it is no JSON") from None
    if not isinstance(told, dict):
        raise Unreadable("not-an-object", "body", "it is no JSON object")
    level: list[Any] = [told]
    elements = 0
    for _ in range(limits.depth):
        elements += len(level)
        at_most(elements, limits.elements, "objects and lists", "body")
        level = [child for one in level for child in (one.values() if isinstance(one, dict) else one)
                 if isinstance(child, dict | list)]
        if not level:
            return told
    raise Unreadable("too-deep", "body", "it nests deeper than any honest message")


def _decimal(text: str) -> Decimal:
    if len(text) > _LONGEST or abs(Decimal(text).adjusted()) > _LONGEST:
        raise Unreadable("number", "body", "a number has more digits than any result")
    return Decimal(text)


def _whole(text: str) -> int:
    if len(text) > _LONGEST:
        raise Unreadable("number", "body", "a number has more digits than any result")
    return int(text)


def _no_number(_: str) -> None:
    raise Unreadable("number", "body", "a number is none")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    told = dict(pairs)
    if len(told) != len(pairs):
        raise Unreadable("doubled-name", "body", "an object has one name twice, so one of its values would be lost")
    return told


def place(parts: tuple[int | str, ...]) -> str:
    """Where in a document something is; a name that no document has is not repeated."""
    return "".join(f"[{part}]" if isinstance(part, int) else "." + (part if _NAME.fullmatch(part) else "?")
                   for part in parts)
