"""How values become a template's keyword data: WeChat refuses a whole message (47003) for one value that doesn't fit.

Source: WeChat's table of keyword types for subscription messages. A value is fitted to its keyword's type, and is
never empty; what a type could only hold by saying something else (letters out of a queue number) is refused when the
template is set.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Literal

from hospital.runtime.clock import BEIJING

_CHINESE = "\u4e00-\u9fff"

# Our names of values, by what they are.
_KINDS = {"patient": "person", "doctor": "person", "department": "text", "place": "text", "note": "text",
          "time": "moment", "amount": "money", "number": "number", "card": "code"}
# What can be told in a keyword of which type, and still be true.
_HOLDS: dict[str, set[str]] = {
    "thing": {"person", "text", "moment", "money", "number", "code"},
    "name": {"person"},
    "phrase": {"text"},
    "time": {"moment"},
    "date": {"moment"},
    "amount": {"money"},
    "number": {"money"},
    "character_string": {"money", "number", "code"},
}
MOST_KEYWORDS = 5  # of a template, as WeChat has it
MOST_ASKED = 3  # templates in one tap, likewise


def misfits(kind: str, keywords: Mapping[str, str], known: set[str]) -> list[str]:
    """What a template can't be filled with: the names in ``keywords`` (name of a value → keyword), each as a path.

    ``known`` are the values that messages of this kind have. Those past the fifth have no place in any template.
    """
    wrong = [name for name, keyword in keywords.items()
             if name not in known or _KINDS[name] not in _HOLDS.get(type_of(keyword), set())]
    twice = {keyword for keyword in keywords.values() if list(keywords.values()).count(keyword) > 1}
    wrong += [name for name, keyword in keywords.items() if keyword in twice and name not in wrong]
    wrong += [name for name in list(keywords)[MOST_KEYWORDS:] if name not in wrong]
    return [f"message_templates.{kind}.keywords.{name}" for name in wrong]


WITHHELD = {"patient": "就诊人", "doctor": "医生", "department": "门诊", "place": "-", "number": "-", "card": "-",
             "note": "详情请见小程序缴费记录"}


def withheld(data: Mapping[str, str]) -> dict[str, str]:
    """A message of money without a word of whom or what it was for: amount and time stay."""
    return {name: WITHHELD.get(name, text) for name, text in data.items()}


def nameless(data: Mapping[str, str]) -> dict[str, str]:
    """A message of a binding without a word of whose: what happened (the note) and when stay."""
    return {**withheld(data), "note": data["note"]}


def type_of(keyword: str) -> str:
    """``thing12`` → ``thing``; empty for what is no keyword."""
    found = re.fullmatch(r"([a-z_]+)[1-9][0-9]?", keyword)
    return found[1] if found else ""


def fit(keyword: str, text: str) -> str:
    """A value as its keyword's type takes it (``thing1``: 20 characters, …), never empty."""
    return _FITS.get(type_of(keyword), _thing)(unicodedata.normalize("NFC", text))


def _thing(text: str) -> str:
    plain = _one_line(text)
    return (plain if len(plain) <= 20 else _cut(plain, 19).rstrip() + "…") or "请在小程序中查看"


def _name(text: str) -> str:
    plain = re.sub(r"[\d]", "*", _one_line(text))
    if not re.search(f"[{_CHINESE}]", plain):
        return _cut(plain, 20).strip() or "*"
    # A name with Chinese characters may have letters and the middle dot besides, and nothing else.
    return re.sub(rf"[^{_CHINESE}A-Za-z·]", "*", re.sub(r"[ •.'’\-]", "·", plain))[:10]


def _phrase(text: str) -> str:
    return re.sub(rf"[^{_CHINESE}]", "", text)[:5] or "详见页面"


def _number(text: str) -> str:
    """The first number in it: of 上午12号 the 12."""
    found = re.search(r"[0-9]+(\.[0-9]+)?", _narrow(text))
    return found[0][:32].rstrip(".") if found else "0"


def _characters(text: str) -> str:
    """Letters, digits and signs: of 上午12号 the 12."""
    return re.sub(r"[^\x20-\x7e]", "", _narrow(text)).strip()[:32].strip() or "-"


def _phone(text: str) -> str:
    return re.sub(r"[^0-9+() -]", "", _narrow(text)).strip()[:17] or "-"


def _letters(text: str) -> str:
    return re.sub(r"[^A-Za-z]", "", _narrow(text))[:32] or "X"


def _cut(text: str, limit: int) -> str:
    """At most ``limit`` of its characters, and none without the marks that belong to it."""
    end = min(limit, len(text))
    while 0 < end < len(text) and (_joins(text[end]) or text[end - 1] == _JOINER):
        end -= 1
    return text[:end] or text[:limit]


_JOINER = "\u200d"


def _joins(mark: str) -> bool:
    """Whether it is part of the character before it: an accent, a variant's mark, a joiner."""
    return unicodedata.category(mark) in ("Mn", "Me", "Mc") or mark == _JOINER


def _as_it_is(text: str) -> str:
    return text.strip()


def _one_line(text: str) -> str:
    return re.sub(r"[\s\x00-\x1f\x7f]+", " ", text).strip()


def _narrow(text: str) -> str:
    """Full-width digits and letters as plain ones."""
    return unicodedata.normalize("NFKC", text)


_FITS: dict[str, Callable[[str], str]] = {
    "thing": _thing, "name": _name, "phrase": _phrase, "number": _number, "character_string": _characters,
    "phone_number": _phone, "letter": _letters, "amount": _as_it_is, "time": _as_it_is, "date": _as_it_is}


def time_text(moment: datetime) -> str:
    """As the type ``time`` wants it, hospital time."""
    local = moment.astimezone(BEIJING)
    return f"{local.year}年{local.month}月{local.day}日 {local:%H:%M}"


def yuan_text(fen: int) -> str:
    """As the type ``amount`` wants it."""
    return f"¥{fen // 100}.{fen % 100:02d}"


# -- what is asked for in one tap -------------------------------------------------------------------
Answer = Literal["accept", "reject", "ban", "filter"]  # as wx.requestSubscribeMessage tells it
# ON: WeChat would send it. OFF: has to be asked for. REJECTED: the person said no. BANNED: WeChat has closed it.
Standing = Literal["ON", "OFF", "REJECTED", "BANNED"]


def to_ask(chosen: Iterable[tuple[str, bool]], answers: Mapping[str, Answer]) -> list[str]:
    """Which of a scene's templates (id, whether it is long-term) to ask for now, by what was answered before.

    WeChat takes three at most, and never both sorts at once. A long-term one is asked for once: then it is known for
    good, or staying refused is the person's wish; so it comes first, and never stands before the others for ever.
    """
    templates = dict(chosen)
    lasting = [one for one, is_long_term in templates.items() if is_long_term and one not in answers]
    single = [one for one, is_long_term in templates.items() if not is_long_term and answers.get(one) != "ban"]
    return (lasting or single)[:MOST_ASKED]


def standing(answer: Answer | None, allowed: int, *, is_long_term: bool) -> Standing:
    """Where a template stands with an account. ``allowed``: how many more it has allowed, of one asked each time."""
    if answer == "ban":
        return "BANNED"
    if answer == "accept" if is_long_term else allowed > 0:
        return "ON"
    return "REJECTED" if answer == "reject" else "OFF"
