"""Pure decisions about reports: whose one is, what may be seen of it, and what its values mean."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from hospital.patients.model import Identity
from hospital.patients.rules import age, read_id_card
from hospital.reports.model import CRITICAL, WITH_CONTENT, Flag, Item, Person, Reference, Report, Status
from hospital.runtime import canonical
from hospital.runtime.clock import BEIJING

# PENDING: announced, not audited. CORRECTED: another stood there before, or its sender says so.
State = Literal["PENDING", "READY", "CORRECTED", "WITHDRAWN"]
MOVES: dict[State, set[State]] = {
    "PENDING": {"PENDING", "READY", "CORRECTED", "WITHDRAWN"},
    "READY": {"CORRECTED", "WITHDRAWN"},
    "CORRECTED": {"CORRECTED", "WITHDRAWN"},
    "WITHDRAWN": {"PENDING", "READY", "CORRECTED", "WITHDRAWN"},  # made again: under the same number, with its history
}
SHOWN: frozenset[State] = frozenset({"READY", "CORRECTED"})
_SEXES = {"male": "MALE", "female": "FEMALE"}
_NOT_A_PERSON = {"VN", "AN", "ACSN"}  # kinds of numbers: of a visit, an account, an examination
_RECORD_KINDS = {"MR", "PI"}


# -- whose it is ------------------------------------------------------------------------------------
def codes(person: Person) -> list[str]:
    """The numbers that may be theirs in the HIS: those that say so, else all that are of no other sort."""
    told = [one for one in person.identifiers if re.fullmatch(r"[!-~]{1,64}", one.value)
            and one.kind.upper() not in _NOT_A_PERSON and not _is_document(one.value)]
    sure = [one for one in told if one.kind.upper() in _RECORD_KINDS or one.assigner.upper() == "HIS"]
    return list(dict.fromkeys(one.value for one in sure or told))


def document(person: Person) -> str:
    """Their identity card's number, where it is told; else empty."""
    return next((number for one in person.identifiers
                 if _is_document(number := canonical.document_number(one.value))), "")


def _is_document(number: str) -> bool:
    return len(number) == 18 and read_id_card(number, date.max) is not None


def differs(person: Person, known: Identity) -> list[str]:
    """What of a person as the sender knows them is not so with the one we know; empty: it is the same one."""
    wrong = []
    if not any(canonical.same_name(name, known.name) for name in (person.name, *person.other_names) if name):
        wrong.append("name")
    if person.sex in _SEXES and _SEXES[person.sex] != known.sex:
        wrong.append("sex")
    if person.birth is not None:
        born = person.birth.at.astimezone(BEIJING).date()
        length = {"year": 4, "month": 7}.get(person.birth.precision, 10)
        if born.isoformat()[:length] != known.birth_date.isoformat()[:length]:
            wrong.append("birth date")
    number = document(person)
    if number and known.id_type == "ID_CARD" and number != known.id_number:
        wrong.append("document")
    return wrong


# -- versions ---------------------------------------------------------------------------------------
def state_of(status: Status, *, was_shown: bool) -> State:
    """What a report is in the version that is in force. ``was_shown``: there was one that could be seen."""
    if status in WITH_CONTENT:
        return "CORRECTED" if was_shown or status != "final" else "READY"
    if status in ("registered", "preliminary"):  # also one whose audit was taken back
        return "WITHDRAWN" if was_shown else "PENDING"
    return "WITHDRAWN"


# -- what may be seen -------------------------------------------------------------------------------
def is_sensitive(report: Report, words: Iterable[str]) -> bool:
    """Whether it is shown after a second check only."""
    if report.sensitivity.strip().upper() not in ("", "N", "NORMAL"):
        return True
    told = " ".join([*report.titles, *(f"{item.name} {item.panel}" for item in all_items(report.items))]).casefold()
    return any(word.casefold() in told for word in words)


def all_items(items: Iterable[Item], level: int = 0) -> Iterator[Item]:
    """Every result, with its members after it."""
    for item in items:
        yield item
        yield from all_items(item.members, level + 1)


def audited(items: Iterable[Item]) -> Iterator[tuple[Item, int]]:
    """The results that are finished, with how deep each stands below another; a panel of one is one."""
    def walk(some: Iterable[Item], level: int) -> Iterator[tuple[Item, int]]:
        for item in some:
            if item.status in WITH_CONTENT:
                yield item, level
                yield from walk(item.members, level + 1)
    return walk(items, 0)


# -- what a value means -----------------------------------------------------------------------------
_MEANS: dict[Flag, str] = {
    "critical-low": "危急值（过低）", "critical-high": "危急值（过高）", "critical-abnormal": "危急值", "low": "偏低",
    "high": "偏高",
    "off-scale-low": "低于可测范围", "off-scale-high": "高于可测范围", "abnormal": "异常",
    "positive": "阳性", "detected": "检出", "reactive": "有反应", "indeterminate": "不能确定",
    "insufficient": "标本不足",
    "susceptible": "敏感", "susceptible-dose-dependent": "剂量依赖敏感", "intermediate": "中介",
    "resistant": "耐药",
    "non-susceptible": "不敏感", "synergy": "有协同", "no-synergy": "无协同", "negative": "阴性",
    "not-detected": "未检出",
    "non-reactive": "无反应", "normal": "正常", "up": "较前升高", "down": "较前降低", "better": "较前好转",
    "worse": "较前加重"}
ABNORMAL: frozenset[Flag] = CRITICAL | {
    "low", "high", "off-scale-low", "off-scale-high", "abnormal", "positive", "detected", "reactive", "worse"}
HIGH: frozenset[Flag] = frozenset({"high", "critical-high", "off-scale-high"})
LOW: frozenset[Flag] = frozenset({"low", "critical-low", "off-scale-low"})


def reference(item: Item, sex: str, years: int) -> Reference | None:
    """The range that is meant for this person; None: there is none, or none that can be told apart."""
    if len(item.references) == 1:
        return item.references[0]
    fitting = [one for one in item.references if _is_for(one.note, sex, years)]
    return fitting[0] if len(fitting) == 1 else None


def _is_for(note: str, sex: str, years: int) -> bool:
    told = note.casefold()
    is_male, is_female = bool(re.search(r"男|\bmale\b|^m$", told)), bool(re.search(r"女|\bfemale\b|^f$", told))
    if (is_male and sex != "MALE") or (is_female and sex != "FEMALE"):
        return False
    ages = re.search(r"(\d+)\s*[-~至到]\s*(\d+)\s*(?:岁|years?|y)", told)
    if ages and not int(ages[1]) <= years <= int(ages[2]):
        return False
    if ("儿童" in told and years >= 18) or ("成人" in told and years < 18):
        return False
    return is_male or is_female or bool(ages) or "儿童" in told or "成人" in told


def flags_of(item: Item, usual: Reference | None) -> tuple[Flag, ...]:
    """What the sender says of a value; where it says nothing, what its number and range say."""
    if item.flags or usual is None or item.value is None or item.value.number is None:
        return item.flags
    number, comparator = item.value.number, item.value.comparator
    if usual.high is not None and number > usual.high and comparator in ("", ">", ">="):
        return ("high",)
    if usual.low is not None and number < usual.low and comparator in ("", "<", "<="):
        return ("low",)
    return ()


def meaning(flags: Iterable[Flag]) -> str:
    """The most pressing of some flags in words; empty for none."""
    told = set(flags)
    return next((text for flag, text in _MEANS.items() if flag in told), "")


class Shown(Struct, frozen=True):
    """A result as it is judged for one person. ``level``: how deep it stands below another."""

    item: Item
    level: int
    usual: Reference | None
    flags: tuple[Flag, ...]

    @property
    def is_abnormal(self) -> bool:
        """Whether it is to be looked at first."""
        return not ABNORMAL.isdisjoint(self.flags)


def judged(report: Report, sex: str, born: date, day: date) -> list[Shown]:
    """The audited results, in the sender's order. ``day``: on which the person's age counts."""
    years = age(born, day)
    found = []
    for item, level in audited(report.items):
        usual = reference(item, sex, years)
        found.append(Shown(item, level, usual, flags_of(item, usual)))
    return found


def sentence(report: Report, shown: list[Shown]) -> str:
    """What a report says, first of all."""
    values = [one for one in shown if one.item.value is not None and one.item.role not in ("panel", "antibiotic")]
    wrong = [one for one in values if one.is_abnormal]
    if any(one.item.is_critical for one in shown):
        return f"{len(values)}项中有危急值，请马上联系您的医生，或到急诊就诊。"
    if any(one.item.role == "organism" for one in shown):
        return "培养有结果，请带给医生看；用什么药由医生决定。"
    if wrong:
        high = sum(not HIGH.isdisjoint(one.flags) for one in wrong)
        low = sum(not LOW.isdisjoint(one.flags) for one in wrong)
        other = len(wrong) - high - low
        parts = [f"{number}项{word}" for number, word in ((high, "偏高"), (low, "偏低"), (other, "异常")) if number]
        return f"{len(values)}项中有{'、'.join(parts)}，请带给医生看。"
    if values and all(one.usual is not None or one.flags for one in values):
        return f"{len(values)}项都在参考范围内。是否正常请听医生的判断。"
    if values:
        return f"共{len(values)}项结果，请带给医生看。"
    return "请把报告带给医生看，由医生结合您的情况判断。"


# -- the same item over time ------------------------------------------------------------------------
def unit_key(unit: str) -> str:
    """A unit as it is compared: 10*9/L, 10^9/L and ×10⁹/L are one; whatever is not surely the same stays another."""
    plain = re.sub(r"\s", "", unicodedata.normalize("NFKC", unit)).replace("µ", "u").replace("μ", "u")
    return re.sub(r"^[x×*]?10[*^]?(\d+)/", r"10^\1/", plain).lower()


def item_keys(item: Item, source: str) -> set[tuple[str, str]]:
    """The codes that say which item it is; one without a system is its sender's own."""
    return {(one.system or f"local:{source}", one.code) for one in item.codes if one.code}


def measured(item: Item) -> Decimal | None:
    """The number of a value that can stand in a line; one below or above what can be measured is at that limit."""
    return item.value.number if item.value is not None else None
