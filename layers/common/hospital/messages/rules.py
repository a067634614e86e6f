"""How values become a template's keyword data: WeChat refuses a whole message for one value too long."""

from __future__ import annotations

import re
from datetime import datetime

from hospital.runtime.clock import BEIJING

_LIMITS = {"thing": 20, "character_string": 32, "number": 32, "letter": 32, "phone_number": 17}


def fit(keyword: str, text: str) -> str:
    """A value cut to what its keyword's type allows (``thing1`` → 20 characters, …)."""
    kind = keyword.rstrip("0123456789")
    if kind == "name":
        if not re.search(r"[\u4e00-\u9fff]", text):
            return text[:20]
        # A name with Chinese characters may have letters and the middle dot besides, and nothing else.
        return re.sub(r"[^\u4e00-\u9fffA-Za-z·]", "*", re.sub(r"[ •.'’\-]", "·", text))[:10]
    if kind == "phrase":
        return re.sub(r"[^\u4e00-\u9fff]", "", text)[:5]
    limit = _LIMITS.get(kind, 0)
    if limit and len(text) > limit:
        return text[:limit - 1] + "…" if kind == "thing" else text[:limit]
    return text


def time_text(moment: datetime) -> str:
    """As the type ``time`` wants it, hospital time."""
    local = moment.astimezone(BEIJING)
    return f"{local.year}年{local.month}月{local.day}日 {local:%H:%M}"


def yuan_text(fen: int) -> str:
    """As the type ``amount`` wants it."""
    return f"¥{fen // 100}.{fen % 100:02d}"
