"""Cultures: an organism with what was tested against it, in one order or in a child order."""

from __future__ import annotations

from typing import Any

import pytest
from hospital.reports.model import Item
from report_readers.hl7_report import read_hl7

from tests.unit.senders import message, one

GROWN = "OBX|{0}|CE|600-7^细菌鉴定^LN|{1}|{2}^{3}^L||||||F"
TESTED = "OBX|{0}|{1}|{2}^{2}^L|{3}|{4}|{5}||{6}|||F"


def shape(items: tuple[Item, ...]) -> list[Any]:
    """Names, marks and what stands below."""
    return [(item.role, item.value.text if item.value else "", item.flags[:1], shape(item.members)) for item in items]


def test_antibiotics_stand_below_the_organism_with_their_mark() -> None:
    found = one(message(
        GROWN.format(1, 1, "ECO", "大肠埃希菌"), TESTED.format(2, "SN", "AMP", 1, ">=^32", "ug/mL", "R"),
        TESTED.format(3, "ST", "CIP", "1.2", "22", "mm", "S"), "OBX|4|ST|COL^菌落计数^L|1|>10^5|CFU/mL|||||F",
        GROWN.format(5, 2, "KPN", "肺炎克雷伯菌"), TESTED.format(6, "NM", "MEM", 2, "8", "ug/mL", "I")))
    assert found.kind == "microbiology"
    assert shape(found.items) == [
        ("organism", "大肠埃希菌", (), [
            ("antibiotic", ">=32", ("resistant",), []), ("antibiotic", "22", ("susceptible",), []),
            ("", ">10^5", (), [])]),
        ("organism", "肺炎克雷伯菌", (), [("antibiotic", "8", ("intermediate",), [])])]
    assert [one.measure for one in found.items[0].members] == ["MIC", "zone", ""]
    assert found.items[0].members[0].value is not None
    assert (found.items[0].members[0].value.comparator, found.items[0].members[0].value.number) == (">=", 32)


def test_without_a_mark_nothing_is_put_below_anything() -> None:
    found = one(message(GROWN.format(1, "", "ECO", "大肠埃希菌"),
                        TESTED.format(2, "SN", "AMP", "", "^4", "ug/mL", "S")))
    assert [(item.role, len(item.members)) for item in found.items] == [("", 0), ("antibiotic", 0)]


def test_a_mark_alone_makes_no_organism() -> None:
    found = one(message("OBX|1|ST|A^血压|1|高||||||F", "OBX|2|NM|B^脉搏|1|80||||||F"))
    assert [item.role for item in found.items] == ["", ""]


def test_results_of_a_child_order_stand_below_the_result_that_it_names() -> None:
    found = one(message(
        GROWN.format(1, 1, "ECO", "大肠埃希菌"), GROWN.format(2, 2, "KPN", "肺炎克雷伯菌"),
        "OBR|2|O9|L0001-1|SUS^药敏^L|||||||||||||||||||||F|600-7&细菌鉴定&LN^2^肺炎克雷伯菌|||O0001^L0001",
        TESTED.format(1, "NM", "MEM", "", "8", "ug/mL", "R")))
    assert found.titles == ("血常规", "药敏")
    assert shape(found.items) == [
        ("", "大肠埃希菌", (), []), ("organism", "肺炎克雷伯菌", (), [("antibiotic", "8", ("resistant",), [])])]


def test_results_of_a_child_order_whose_parent_is_not_there_are_a_report_of_their_own() -> None:
    first, second = read_hl7(message(
        "OBX|1|ST|A||1||||||F", "OBR|2|O9|L0009|SUS^药敏^L|||||||||||||||||||||F|600-7^1^某菌|||O7^L7",
        TESTED.format(1, "NM", "MEM", "", "8", "ug/mL", "R")))
    assert (first.number, second.number, second.items[0].role) == ("L0001", "L0009", "antibiotic")
    assert {"某菌", "L7"} <= {note.text for note in second.notes}


@pytest.mark.parametrize(("unit", "method", "measure"), [
    ("mm", "", "zone"), ("ug/mL", "", "MIC"), ("", "K^KB法", "zone"), ("", "M^MIC", "MIC"), ("", "", ""),
    ("", "D^纸片扩散", "zone")])
def test_what_an_antibiotic_s_number_is_is_told_by_unit_or_method(unit: str, method: str, measure: str) -> None:
    found = one(message(GROWN.format(1, 1, "E", "菌"),
                        f"OBX|2|NM|AMP^氨苄西林|1|20|{unit}||S|||F||||||{method}"))
    assert found.items[0].members[0].measure == measure
