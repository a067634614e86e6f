"""Whose a report is, what state it is in, and what its values mean."""

from __future__ import annotations

from datetime import date, datetime, timezone
from decimal import Decimal

import pytest
from hospital.patients.model import Identity
from hospital.reports import rules
from hospital.reports.model import (
    Code,
    Identifier,
    Item,
    Moment,
    Person,
    Reference,
    Report,
    Status,
    Value,
    Version,
)

KNOWN = Identity("ID_CARD", "11010519491231002X", "张三", "FEMALE", date(1949, 12, 31))


def born(text: str, precision: str = "day") -> Moment:
    return Moment(text, datetime(int(text[:4]), int(text[4:6] or 1), int(text[6:8] or 1), 4, tzinfo=timezone.utc),
                  precision, has_zone=False)  # type: ignore[arg-type]


def person(**facts: object) -> Person:
    return Person(**{"identifiers": (Identifier("P1", "HIS", "MR"),), "name": "张三", **facts})  # type: ignore[arg-type]


@pytest.mark.parametrize(("facts", "wrong"), [
    ({}, []), ({"sex": "female", "birth": born("19491231")}, []), ({"name": "李四"}, ["name"]),
    ({"name": ""}, ["name"]),
    ({"name": "ZHANG SAN", "other_names": ("张三",)}, []), ({"sex": "male"}, ["sex"]), ({"sex": "unknown"}, []),
    ({"birth": born("19491230")}, ["birth date"]), ({"birth": born("1949", "year")}, []),
    ({"birth": born("1950", "year")}, ["birth date"]),
    ({"identifiers": (Identifier("110101199003070433", "", "NI"),)}, ["document"]),
    ({"identifiers": (Identifier("11010519491231002x", "", "NI"),)}, [])], ids=str)
def test_the_whole_identity_is_compared(facts: dict[str, object], wrong: list[str]) -> None:
    assert rules.differs(person(**facts), KNOWN) == wrong


def test_a_number_of_a_visit_or_of_a_document_is_no_number_of_a_patient() -> None:
    told = person(identifiers=(Identifier("V1", "", "VN"), Identifier("11010519491231002X", "", "NI"),
                               Identifier("L7", "LIS", ""), Identifier("P1", "HIS", "MR")))
    assert (rules.codes(told), rules.document(told)) == (["P1"], "11010519491231002X")
    assert rules.codes(person(identifiers=(Identifier("L7", "LIS", ""),))) == ["L7"]


@pytest.mark.parametrize(("status", "was_shown", "state"), [
    ("registered", False, "PENDING"), ("preliminary", False, "PENDING"), ("preliminary", True, "WITHDRAWN"),
    ("final", False, "READY"), ("final", True, "CORRECTED"), ("corrected", False, "CORRECTED"),
    ("amended", True, "CORRECTED"), ("cancelled", False, "WITHDRAWN"), ("entered-in-error", True, "WITHDRAWN")])
def test_only_what_is_audited_is_shown(status: Status, was_shown: bool, state: str) -> None:
    assert rules.state_of(status, was_shown=was_shown) == state


def item(name: str, number: str, *, flags: tuple[str, ...] = (), references: tuple[Reference, ...] = (),
         status: str = "final", comparator: str = "") -> Item:
    return Item(1, name, (Code("1", "LN", ""),), Value(number, Decimal(number), comparator), status,  # type: ignore[arg-type]
                references=references, flags=flags)  # type: ignore[arg-type]


def report(*items: Item, **facts: object) -> Report:
    return Report(source="LIS", number="L1", kind="laboratory", status="final", patient=person(), titles=("血常规",),
                  version=Version("1", None, ""), items=items, **facts)  # type: ignore[arg-type]


USUAL = Reference("3.5-9.5", Decimal("3.5"), Decimal("9.5"))
MEN = Reference("130-175", Decimal(130), Decimal(175), "男")
WOMEN = Reference("115-150", Decimal(115), Decimal(150), "女")
CHILD, ADULT = Reference("1-2", note="1-12岁"), Reference("2-3", note="13-99岁")


@pytest.mark.parametrize(("references", "sex", "years", "chosen"), [
    ((USUAL,), "MALE", 30, USUAL), ((MEN, WOMEN), "FEMALE", 30, WOMEN), ((MEN, WOMEN), "MALE", 30, MEN),
    ((CHILD, ADULT), "MALE", 9, CHILD), ((CHILD, ADULT), "MALE", 40, ADULT), ((USUAL, MEN), "FEMALE", 30, None),
    ((), "MALE", 30, None)])
def test_the_range_is_the_one_for_this_sex_and_age(references: tuple[Reference, ...], sex: str, years: int,
                                                  chosen: Reference | None) -> None:
    assert rules.reference(item("a", "1", references=references), sex, years) == chosen


@pytest.mark.parametrize(("number", "comparator", "flags", "found"), [
    ("12", "", (), ("high",)), ("3", "", (), ("low",)), ("5", "", (), ()), ("12", "", ("normal",), ("normal",)),
    ("12", "<", (), ()), ("12", ">", (), ("high",)), ("3", ">", (), ())])
def test_the_sender_s_mark_counts_and_without_one_number_and_range(
        number: str, comparator: str, flags: tuple[str, ...], found: tuple[str, ...]) -> None:
    assert rules.flags_of(item("a", number, flags=flags, comparator=comparator), USUAL) == found


@pytest.mark.parametrize(("items", "begins"), [
    ([item("a", "12", references=(USUAL,)), item("b", "5", references=(USUAL,))], "2项中有1项偏高，请带给医生看"),
    ([item("a", "5", references=(USUAL,))], "1项都在参考范围内"), ([item("a", "5")], "共1项结果"),
    ([item("a", "99", flags=("critical-high",))], "1项中有危急值，请马上"), ([], "请把报告带给医生看"),
    ([item("a", "12", references=(USUAL,), status="preliminary")], "请把报告带给医生看")], ids=str)
def test_a_sentence_says_what_matters_first(items: list[Item], begins: str) -> None:
    one = report(*items)
    shown = rules.judged(one, "MALE", date(1990, 1, 1), date(2026, 11, 23))
    assert rules.sentence(one, shown).startswith(begins)


@pytest.mark.parametrize(("one", "other", "same"), [
    ("10*9/L", "10^9/L", True), ("×10⁹/L", "10*9/L", True), ("μmol/L", "umol/L", True), ("mmol/L", "mg/dL", False),
    ("g/L", "mg/L", False), ("", "g/L", False)])
def test_units_that_are_surely_one_are_one(one: str, other: str, same: bool) -> None:
    assert (rules.unit_key(one) == rules.unit_key(other)) is same


def test_a_code_without_a_system_is_its_sender_s_own() -> None:
    bare = Item(1, "a", (Code("7", "", ""),), None, "final")
    assert rules.item_keys(bare, "LIS").isdisjoint(rules.item_keys(bare, "OTHER"))


@pytest.mark.parametrize(("facts", "hidden"), [
    ({}, False), ({"sensitivity": "R"}, True), ({"sensitivity": "N"}, False)])
def test_what_its_sender_marks_is_sensitive_and_so_is_what_the_hospital_names(facts: dict[str, object], hidden: bool
                                                                              ) -> None:
    assert rules.is_sensitive(report(**facts), ["HIV"]) is hidden
    assert rules.is_sensitive(report(item("hiv抗体", "1"), **facts), ["HIV"])
