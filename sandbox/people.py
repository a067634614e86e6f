"""Invented people with documents that pass every check. Nobody is made twice in one process."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from datetime import date, timedelta
from typing import Any

_SURNAMES = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜"
_GIVEN = "安宁佳怡子涵浩然梓轩欣妍宇航诗琪明哲雨桐嘉禾文博思远静姝若溪俊杰"
_WEIGHTS = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]
_AREA = "449901"  # no county has it; the people whom the sandbox's HIS knows from the start are of 449900
_DAYS = 269  # on which people of one age are born; odd, so that both sexes come to each

_serials = itertools.count()
_born: Counter[tuple[date, bool]] = Counter()
_lock = threading.Lock()


def serial() -> int:
    """A number that nobody else in this process is given."""
    return next(_serials)


def id_number(born: date, male: bool) -> str:
    """A new 18-digit number with a right check digit. Raises ValueError when a day's 500 of a sex are used up."""
    with _lock:
        order = _born[born, male]
        _born[born, male] += 1
    if order >= 500:
        raise ValueError(f"nobody more can be born on {born}")
    body = f"{_AREA}{born:%Y%m%d}{order * 2 + male:03d}"
    return body + "10X98765432"[sum(w * int(d) for w, d in zip(_WEIGHTS, body, strict=True)) % 11]


def person(*, age: int = 36, today: date = date(2026, 11, 1)) -> dict[str, Any]:
    """Somebody new of about this age: name, id_type, id_number."""
    number = serial()
    born = today - timedelta(days=age * 365 + 30 + number % _DAYS)
    first, step = number * 7 % len(_GIVEN), 1 + number // len(_GIVEN) % (len(_GIVEN) - 1)
    name = _SURNAMES[number % len(_SURNAMES)] + _GIVEN[first] + _GIVEN[(first + step) % len(_GIVEN)]
    return {"name": name, "id_type": "ID_CARD", "id_number": id_number(born, number % 2 == 0)}
