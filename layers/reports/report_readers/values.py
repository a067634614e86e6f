"""What the text of a result means: number, comparator, range, titer, step; what is usual; how it is marked."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal

from hospital.reports.model import Comparator, Contradictory, Flag, Measure, Reference, Value
from msgspec.structs import replace

_NUMBER = r"[+-]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})(?:[eE][+-]?\d{1,3})?"
_TO = r"\s*(?:--?|~|–|—+|至|to)\s*"
_COMPARATOR = r"<=|>=|=<|=>|<|>|~|≤|≥|≦|≧|≈"
_ONE = re.compile(rf"({_COMPARATOR})?\s*({_NUMBER})", re.ASCII)
_RANGE = re.compile(rf"({_NUMBER}){_TO}({_NUMBER})", re.ASCII)
_RANGE_AND_MORE = re.compile(rf"{_RANGE.pattern}(.*)", re.ASCII | re.DOTALL)
_ONE_AND_MORE = re.compile(rf"{_ONE.pattern}(.*)", re.ASCII | re.DOTALL)
_TITER = re.compile(rf"({_COMPARATOR})?\s*1\s*:\s*(\d{{1,10}}(?:\.\d{{1,6}})?)", re.ASCII)
_STEP = re.compile(r"(?:(\d)\s*\+|(\+{1,4})|(-)|(\+-|\+/-|-/\+|±))", re.ASCII)
_WITH_STEP = re.compile(r"(.*?)\s*\(\s*([^()]*)\s*\)")
_WORDS = {"阴性": "-", "阳性": "+", "弱阳性": "±", "negative": "-", "neg": "-", "positive": "+", "pos": "+",
          "trace": "±"}
_COMPARATORS: dict[str, Comparator] = {
    "<": "<", ">": ">", "<=": "<=", "=<": "<=", "≤": "<=", "≦": "<=", ">=": ">=", "=>": ">=", "≥": ">=", "≧": ">=",
    "~": "~", "≈": "~"}

# HL7's table 0078 and FHIR's ObservationInterpretation, and what senders in Chinese write.
FLAGS: dict[str, Flag] = {
    "L": "low", "H": "high", "LL": "critical-low", "HH": "critical-high", "<": "off-scale-low", ">": "off-scale-high",
    "N": "normal", "A": "abnormal", "AA": "critical-abnormal", "S": "susceptible", "SDD": "susceptible-dose-dependent",
    "I": "intermediate", "R": "resistant", "NS": "non-susceptible", "MS": "intermediate", "VS": "susceptible",
    "SYN-S": "synergy", "SYN-R": "no-synergy", "U": "up", "D": "down", "B": "better", "W": "worse",
    "POS": "positive", "NEG": "negative", "IND": "indeterminate", "E": "indeterminate", "DET": "detected",
    "ND": "not-detected", "RR": "reactive", "WR": "reactive", "NR": "non-reactive", "IE": "insufficient",
    "HU": "high", "H>": "high", "HX": "high", "LU": "low", "L<": "low", "LX": "low",
    "↑": "high", "↓": "low", "↑↑": "high", "↓↓": "low", "H↑": "high", "L↓": "low", "高": "high", "低": "low",
    "偏高": "high", "偏低": "low", "正常": "normal", "异常": "abnormal", "*": "abnormal", "危急": "critical-abnormal",
    "危急值": "critical-abnormal", "HP": "critical-high", "LP": "critical-low", "敏感": "susceptible",
    "中介": "intermediate", "耐药": "resistant", "阳性": "positive", "阴性": "negative"}
# The rest of FHIR's ObservationInterpretation: known, and without a place of its own.
OTHER_FLAGS = frozenset({"CAR", "OBX", "EX", "EXP", "UNE", "QCF", "TOX", "NCL"})
_UNITS = {"iu": "u", "hr": "h", "hour": "h", "sec": "s"}
_SUPERSCRIPT = str.maketrans({one: f"^{number}" for number, one in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")})
_POWER = re.compile(r"(?:[x×*·]?10)(?:\^|\*|\*\*|e)(\d+)")
_UNIT_LIKE = re.compile(r"[A-Za-zµμ%°‰×*^/.\d⁰¹²³⁴-⁹·]{1,16}")


def value(text: str) -> Value:
    """What a result's text says, with its text as it is."""
    plain = _plain(text)
    told = Value(text)
    if not plain or len(plain) > 100:
        return told
    if one := _ONE.fullmatch(plain):
        return replace(told, number=Decimal(one[2]), comparator=_COMPARATORS.get(one[1] or "", ""))
    if both := _RANGE.fullmatch(plain):
        low, high = _ends(both)
        return replace(told, low=low, high=high)
    if titer := _TITER.fullmatch(plain):
        return replace(told, titer=Decimal(titer[2]), comparator=_COMPARATORS.get(titer[1] or "", ""))
    if step := _step(plain):
        return replace(told, ordinal=step)
    if inside := _WITH_STEP.fullmatch(plain):  # 阳性(1:320), 阴性(-), 弱阳性（±）
        word, within = _step(inside[1]), value(inside[2])
        if word and (within.titer is not None or within.ordinal):
            return replace(within, text=text, ordinal=within.ordinal or word)
    return told


def _ends(both: re.Match[str]) -> tuple[Decimal | None, Decimal | None]:
    """A range's; none where it is no range, or ``-3--1`` could be two."""
    low, high = Decimal(both[1]), Decimal(both[2])
    is_clear = low <= high and not (low < 0 and both[0][len(both[1]):].strip().startswith("--"))
    return (low, high) if is_clear else (None, None)


def _step(plain: str) -> str:
    if plain.lower() in _WORDS:
        return _WORDS[plain.lower()]
    found = _STEP.fullmatch(plain)
    if found is None:
        return ""
    if found[1]:
        return "+" * int(found[1]) if 1 <= int(found[1]) <= 4 else ""
    return found[2] or ("-" if found[3] else "±")


def _plain(text: str) -> str:
    """For reading only: half width, and one kind of space."""
    if text.isascii():
        return text.strip()
    return " ".join(unicodedata.normalize("NFKC", text.translate(_SUPERSCRIPT)).split())


_FOR_WHOM = re.compile(r"((?:男|女|成人|儿童|新生儿|婴儿|male|female|[MF])[^:\d<>≤≥]{0,12}?)\s*:?\s*(.+)",
                       re.IGNORECASE)


def references(text: str, unit: str, where: str) -> tuple[Reference, ...]:
    """What is usual, as a text tells it: one, or one for each of several kinds of people.

    Raises Contradictory when it is told in another unit than the value.
    """
    if not text.strip():
        return ()
    whole = _reference(text, unit, where)
    if whole.low is not None or whole.high is not None:
        return (whole,)
    parts = [part for part in re.split(r"[;；,，\n]", text) if part.strip()]
    found = []
    for part in parts:
        labelled = _FOR_WHOM.fullmatch(_plain(part))
        one = _reference(labelled[2], unit, where) if labelled else whole
        if labelled is None or (one.low is None and one.high is None):
            return (whole,)
        found.append(replace(one, text=part.strip(), note=labelled[1].strip()))
    return tuple(found) or (whole,)


def _reference(text: str, unit: str, where: str) -> Reference:
    plain = _plain(text).strip("()[]")
    told = Reference(text)
    if both := _RANGE_AND_MORE.fullmatch(plain):
        low, high = _ends(both)
        if low is None:
            return told
        found, rest = replace(told, low=low, high=high), both[3]
    elif (one := _ONE_AND_MORE.fullmatch(plain)) and one[1] and one[1] not in "~≈":
        number, rest = Decimal(one[2]), one[3]
        found = replace(told, high=number) if _COMPARATORS[one[1]] in ("<", "<=") else replace(told, low=number)
    else:
        return told
    rest = rest.strip()
    if rest and not _UNIT_LIKE.fullmatch(rest):
        return told  # more than a range and its unit: only its text is certain
    same_unit(rest, unit, where)
    return found


def same_unit(one: str, other: str, where: str) -> None:
    """Raises Contradictory when two units of one item are told and differ (10^9/L and 10*9/L do not)."""
    if one and other and folded_unit(one) != folded_unit(other):
        raise Contradictory("unit-changes", where, "value and reference range have different units")


def folded_unit(unit: str) -> str:
    """One spelling of a unit: for comparing, never for showing."""
    plain = unicodedata.normalize("NFKC", unit.translate(_SUPERSCRIPT)).replace("μ", "u").replace("µ", "u")
    plain = _POWER.sub(r"10*\1", "".join(plain.split()).lower()).strip("[]{}()")
    return "/".join(_UNITS.get(part, part) for part in plain.split("/"))


def flag(code: str) -> Flag | None:
    """The mark that a code means; None: a code that is not known."""
    plain = code.strip()
    return FLAGS.get(plain) or FLAGS.get(plain.upper())


def measure(unit: str, method: str, name: str) -> Measure:
    """What an antibiotic's number is: told by its unit, else by method or name."""
    told = f"{method} {name}".upper()
    if folded_unit(unit) == "mm" or "KB" in told or "纸片" in told or "ZONE" in told or "DISK" in told:
        return "zone"
    return "MIC" if unit or "MIC" in told else ""
