"""One canonical form of what people and other systems send: names, texts, document numbers, phones, dates.

Everything that comes in is brought to it before it is checked, stored, compared or searched for.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import core_schema

DOT = "·"  # U+00B7, between the parts of a name
# Dots that keyboards, web pages and other systems write for it. The plain one is told from an abbreviation's below.
_DOTS = "·•‧∙⋅●○◦・･᛫⸱⸳ꞏ⦁▪⚫🞄\u2024\u0387\uf0b7"
_IDEOGRAPH = r"[\u3007\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003fffd]"  # planes 2 and 3 whole: new ones still come
# A text, not a pattern: compiling its sets takes 4 ms, which a cold start need not pay. re.sub keeps what it compiled.
_PLAIN_DOT = rf"(?<={_IDEOGRAPH})\s*[.。]\s*(?={_IDEOGRAPH}|\w)|(?<=\w)\s*[.。]\s*(?={_IDEOGRAPH})"
_MARKS = str.maketrans(dict.fromkeys("‘’ʼ`´′", "'") | dict.fromkeys("‐‑‒–—−﹣", "-") | dict.fromkeys("，、﹐", ","))
# Variation selectors and fillers have no category of their own, and are as invisible as format characters.
_INVISIBLE = "[\u034f\u115f\u1160\u180b-\u180f\u3164\uffa0\ufe00-\ufe0f\U000e0100-\U000e01ef]"

# CJK radicals that stand for a whole character and that NFKC does not fold.
# Source: the Unicode Character Database, EquivalentUnifiedIdeograph.txt.
_RADICALS = str.maketrans(dict(zip(
    "⺁⺄⺈⺊⺌⺍⺎⺒⺓⺜⺝⺟⺠⺧⺩⺫⺬⺶⺻⺼⻁⻄⻅⻆⻉⻊⻋⻑⻓⻔"
    "⻗⻘⻙⻚⻛⻜⻝⻢⻣⻤⻥⻦⻧⻨⻩⻪⻫⻬⻭⻮⻯⻰⻱⻲⻳",
    "厂乙刀卜小小兀巳幺日月母民牛王目示羊聿肉虎西见角贝足车長长门"
    "雨青韦页风飞食马骨鬼鱼鸟卤麦黄黾斉齐歯齿竜龙龜亀龟", strict=True)))

# The private characters U+E815 to U+E864, by which old systems write rare characters of names, are row FE of
# GB 18030. Python's codec knows what stands there, but for those that got their own code after its edition.
_LATER = {0xe816: 0x20087, 0xe817: 0x20089, 0xe818: 0x200cc, 0xe81e: 0x9fb4, 0xe826: 0x9fb5, 0xe82b: 0x9fb6,
          0xe82c: 0x9fb7, 0xe831: 0x215d7, 0xe832: 0x9fb8, 0xe83b: 0x2298f, 0xe843: 0x9fb9, 0xe854: 0x9fba,
          0xe855: 0x241fe, 0xe864: 0x9fbb}
_PRIVATE = "[\ue815-\ue864]"

_MAINLAND = re.compile(r"1[3-9]\d{9}", re.ASCII)


# -- texts ------------------------------------------------------------------------------------------
def text(value: str) -> str:
    """A free text: composed, without invisible characters, trimmed; full-width punctuation stays as it is."""
    return _visible(unicodedata.normalize("NFC", value)).strip()


def name(value: str) -> str:
    """A person's name.

    Width, composition and radicals are folded, rare characters have their public code, invisible characters are
    gone, every dot between parts is U+00B7 without spaces, and ideographs have none between them.
    """
    plain = re.sub(_PRIVATE, _public, _visible(value)).translate(_RADICALS).translate(_MARKS)
    plain = _visible(unicodedata.normalize("NFKC", plain))
    plain = re.sub(rf"\s*[{_DOTS}][{_DOTS}\s]*", DOT, plain)
    plain = re.sub(_PLAIN_DOT, DOT, plain)
    plain = re.sub(r"\s*,\s*", ", ", " ".join(plain.split()))
    return re.sub(rf"(?<={_IDEOGRAPH}) (?={_IDEOGRAPH})", "", plain).strip()


def same_name(one: str, other: str) -> bool:
    """Whether two names are one, however they are written; letters' case and spaces don't tell people apart."""
    return _key(one) == _key(other)


def _key(value: str) -> str:
    return re.sub(r"[\s,]", "", name(value)).casefold()


def _visible(value: str) -> str:
    return "".join(char for char in re.sub(_INVISIBLE, "", value) if unicodedata.category(char) != "Cf")


def _public(found: re.Match[str]) -> str:
    code = ord(found.group())
    if code in _LATER:
        return chr(_LATER[code])
    at = code - 0xe815
    return bytes([0xfe, 0x50 + at + (at >= 0x2f)]).decode("gb18030")  # 7F is no trail byte


# -- numbers ----------------------------------------------------------------------------------------
def document_number(value: str) -> str:
    """A document's number: half width, upper case, without spaces and invisible characters."""
    digits = re.sub(r"\s", "", _visible(unicodedata.normalize("NFKC", value))).upper()
    return unicodedata.normalize("NFKC", digits)


def phone(value: str) -> str | None:
    """A phone number that messages reach: a mainland mobile as its 11 digits, any other as ``+`` country and number.

    Without a country it is a mainland number, also with a bare 86 before it. None when it can't be one.
    """
    digits = re.sub(r"[\s().\-]", "", _visible(unicodedata.normalize("NFKC", value.translate(_MARKS))))
    digits = "+" + digits[2:] if digits.startswith("00") else digits
    digits = "+" + digits if digits.startswith("86") and _MAINLAND.fullmatch(digits[2:]) else digits
    if _MAINLAND.fullmatch(digits):
        return digits
    if not re.fullmatch(r"\+[1-9]\d{5,17}", digits, re.ASCII):
        return None
    if digits.startswith("+86"):
        return digits[3:] if _MAINLAND.fullmatch(digits[3:]) else None
    import phonenumbers  # 0.2 s of a cold start, for the few who need it

    try:
        number = phonenumbers.parse(digits)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def phone_of_country(country: str, national: str) -> str | None:
    """As :func:`phone`, of a number whose country code (``86``, ``852``) is told beside it.

    A foreign number that :func:`phone` does not know stays as it was told: whoever has it is no other for that.
    """
    code = re.sub(r"[\s+]", "", unicodedata.normalize("NFKC", country))
    number = re.sub(r"[\s().\-]", "", _visible(unicodedata.normalize("NFKC", national)))
    if not (re.fullmatch(r"[1-9]\d{0,3}", code, re.ASCII) and re.fullmatch(r"\d{3,14}", number, re.ASCII)):
        return None
    told = f"+{code}{number}"
    known = phone(told)
    if code == "86":
        return known
    return known if known is not None and known.startswith(f"+{code}") else told


# -- dates ------------------------------------------------------------------------------------------
def _guarded(schema: Any) -> Any:
    if isinstance(schema, list | tuple):
        return type(schema)(_guarded(one) for one in schema)
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") in ("date", "datetime"):
        return core_schema.no_info_before_validator_function(_as_text, schema)
    return {key: _guarded(one) if key not in ("metadata", "default", "serialization") else one
            for key, one in schema.items()}


_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d").match  # asked of each moment in a list of a hundred thousand slots


def _as_text(value: Any) -> Any:
    if isinstance(value, int | float) or (isinstance(value, str) and not _ISO_DATE(value)):
        raise ValueError("not an ISO date")
    return value


class TextDates(BaseModel):
    """Base of models whose dates and times are read from ISO texts only.

    pydantic reads numbers, and texts of digits, as seconds since 1970: ``636768000`` became a birth date.
    """

    model_config = ConfigDict(defer_build=True)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> core_schema.CoreSchema:
        """The model's schema with every date of its own guarded; models inside it guard their own."""
        schema: core_schema.CoreSchema = _guarded(handler(source))
        return schema


# -- fields -----------------------------------------------------------------------------------------
def _short(form: Any) -> BeforeValidator:
    """Of what is far too long the form is not worth finding: its field refuses it as it is."""
    return BeforeValidator(lambda value: form(value) if isinstance(value, str) and len(value) <= 256 else value)


Text = Annotated[str, BeforeValidator(lambda value: text(value) if isinstance(value, str) else value)]
Name = Annotated[str, _short(name)]
DocumentNumber = Annotated[str, _short(document_number)]
ID = r"[0-9A-HJKMNP-TV-Z]{26}"  # of ours; OptionalId may be empty: not given
Id = Annotated[str, Field(pattern=f"^{ID}$")]
OptionalId = Annotated[str, Field(pattern=f"^({ID})?$")]
