"""Invented people with documents that pass every check."""

from __future__ import annotations

import random
from datetime import date, timedelta
from typing import Any

_SURNAMES = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜"
_GIVEN = "安宁佳怡子涵浩然梓轩欣妍宇航诗琪明哲雨桐嘉禾文博思远静姝若溪俊杰"
_WEIGHTS = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]


def id_number(born: date, male: bool, chance: random.Random) -> str:
    """An 18-digit number with a right check digit, in an area code that no county has."""
    body = f"449900{born:%Y%m%d}{chance.randrange(100):02d}{chance.randrange(5) * 2 + male}"
    return body + "10X98765432"[sum(w * int(d) for w, d in zip(_WEIGHTS, body, strict=True)) % 11]


def person(*, age: int = 36, chance: random.Random | None = None, today: date = date(2026, 11, 1)) -> dict[str, Any]:
    """Somebody of about this age: name, id_type, id_number."""
    chance = chance or random.Random()
    born = today - timedelta(days=age * 365 + chance.randrange(30, 300))
    name = chance.choice(_SURNAMES) + "".join(chance.sample(_GIVEN, 2))
    return {"name": name, "id_type": "ID_CARD", "id_number": id_number(born, chance.random() < 0.5, chance)}
