"""What the text of a result means: never guessed, its text always kept."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hospital.reports.model import Contradictory, Value
from hypothesis import given
from hypothesis import strategies as st
from report_readers.moments import moment
from report_readers.values import FLAGS, flag, folded_unit, references, same_unit, value


@pytest.mark.parametrize(("text", "number", "comparator"), [
    ("5.40", "5.40", ""), ("-0.5", "-0.5", ""), ("+3", "3", ""), (".5", "0.5", ""), ("1e-3", "0.001", ""),
    ("<0.5", "0.5", "<"),
    ("＜0.5", "0.5", "<"), ("≥100", "100", ">="), (">= 100", "100", ">="), ("=<3", "3", "<="), ("~5", "5", "~"),
    ("１２", "12", ""),
    (" 5 ", "5", "")])
def test_a_number_is_read_with_its_comparator(text: str, number: str, comparator: str) -> None:
    found = value(text)
    assert (found.text, found.number, found.comparator) == (text, Decimal(number), comparator)


@pytest.mark.parametrize("text", ["5,4", "1,234", "5.4.1", "5 4", "0x10", "１２a", "五", "5mg", "NaN", "inf", "1_000",
    "5-", "5-3", "-2--1", "-3--3", "9-3", "见附页", "", "²"])
def test_what_is_no_number_is_not_made_one(text: str) -> None:
    found = value(text)
    assert (found.text, found.number, found.low, found.titer) == (text, None, None, None)


@pytest.mark.parametrize(("text", "low", "high"), [
    ("3-5", "3", "5"), ("3～5", "3", "5"), ("3.9--6.1", "3.9", "6.1"), ("-2-1", "-2", "1"), ("-2~-1", "-2", "-1"),
    ("3至5", "3", "5"),
    ("3—5", "3", "5")])
def test_a_range_has_two_ends(text: str, low: str, high: str) -> None:
    found = value(text)
    assert (found.low, found.high, found.number) == (Decimal(low), Decimal(high), None)


@pytest.mark.parametrize(("text", "titer", "comparator", "ordinal"), [
    ("1:80", "80", "", ""), ("1：320", "320", "", ""), ("<1:20", "20", "<", ""), ("阳性(1:320)", "320", "", "+"),
    ("阳性（1：80）", "80", "", "+"), ("≥1:640", "640", ">=", "")])
def test_a_titer_is_its_dilution(text: str, titer: str, comparator: str, ordinal: str) -> None:
    assert value(text) == Value(text, titer=Decimal(titer), comparator=comparator,
        ordinal=ordinal)  # type: ignore[arg-type]


@pytest.mark.parametrize(("text", "ordinal"), [
    ("-", "-"), ("+", "+"), ("++", "++"), ("3+", "+++"), ("＋＋", "++"), ("±", "±"), ("+-", "±"), ("+/-", "±"),
    ("阴性", "-"),
    ("阳性", "+"), ("弱阳性", "±"), ("阴性(-)", "-"), ("阳性(++)", "++"), ("Negative", "-"), ("5+", ""), ("+++++", ""),
    ("阴性可能", ""), ("非阴性", "")])
def test_a_step_is_one_of_a_scale(text: str, ordinal: str) -> None:
    assert value(text) == Value(text, ordinal=ordinal)


@pytest.mark.parametrize(("text", "low", "high"), [
    ("3.9-6.1", "3.9", "6.1"), ("3.9~6.1", "3.9", "6.1"), ("3.9～6.1 mmol/L", "3.9", "6.1"),
    ("(3.9-6.1)", "3.9", "6.1"),
    ("[3.9-6.1]", "3.9", "6.1"), ("<5.2", None, "5.2"), ("≤5.2", None, "5.2"), (">1.0", "1.0", None),
    ("≥ 1.0", "1.0", None),
    ("0-40", "0", "40")])
def test_a_reference_range_has_its_bounds(text: str, low: str | None, high: str | None) -> None:
    (found,) = references(text, "mmol/L", "OBX-7")
    assert (found.text, found.low, found.high) == (text, low and Decimal(low), high and Decimal(high))


@pytest.mark.parametrize("text",
    ["阴性", "见说明", "5", "9-3", "3.9-6.1(空腹) 或 <7.8(餐后)", "3-5-7", "成人 见附页", "1:80"])
def test_what_is_no_plain_range_is_only_its_text(text: str) -> None:
    (found,) = references(text, "", "OBX-7")
    assert (found.text, found.low, found.high) == (text, None, None)


def test_ranges_for_several_kinds_of_people_are_several() -> None:
    found = references("男:130-175；女:115-150", "g/L", "OBX-7")
    assert [(one.note, str(one.low), str(one.high), one.text) for one in found] == [
        ("男", "130", "175", "男:130-175"), ("女", "115", "150", "女:115-150")]
    assert len(references("男:130-175；其他", "g/L", "OBX-7")) == 1


@pytest.mark.parametrize(("one", "other"), [
    ("mmol/L", "mg/dL"), ("umol/L", "mmol/L"), ("g/L", "mg/L"), ("10^9/L", "10^12/L"), ("pg/mL", "ng/mL")])
def test_two_units_are_two(one: str, other: str) -> None:
    with pytest.raises(Contradictory) as told:
        same_unit(one, other, "OBX[1]-7")
    assert (told.value.reason, told.value.where) == ("unit-changes", "OBX[1]-7")


@pytest.mark.parametrize(("one", "other"), [
    ("10^9/L", "10*9/L"), ("×10⁹/L", "10E9/L"), ("μmol/L", "µmol/l"), ("IU/L", "u/l"), ("mm/hr", "mm/h"),
    ("{score}", "score"),
    ("", "mg"), ("％", "%")])
def test_one_unit_is_one_however_it_is_written(one: str, other: str) -> None:
    same_unit(one, other, "OBX-7")


def test_folding_a_unit_twice_changes_nothing() -> None:
    for unit in ("10^9/L", "×10⁹/L", "IU/L", "mm/hr", "μg/mL"):
        assert folded_unit(folded_unit(unit)) == folded_unit(unit)


def test_marks_are_read_in_either_case_and_in_chinese_and_never_guessed() -> None:
    assert [flag(code) for code in ("H", "h", "HH", "↑", "偏低", "危急值", "SDD", "<")] == [
        "high", "high", "critical-high", "high", "low", "critical-abnormal", "susceptible-dose-dependent",
        "off-scale-low"]
    assert [flag(code) for code in ("", "X", "HIGHLY", "？")] == [None] * 4
    assert len(set(FLAGS.values())) == 28


@given(st.text(max_size=30))
def test_no_text_is_ever_lost_or_fails(text: str) -> None:
    assert value(text).text == text
    assert flag(text) is None or flag(text) in FLAGS.values()
    moment(text)


@pytest.mark.parametrize(("text", "iso", "precision"), [
    ("2026", "2026-01-01T00:00:00+08:00", "year"), ("2026-11", "2026-11-01T00:00:00+08:00", "month"),
    ("20261128", "2026-11-28T00:00:00+08:00", "day"), ("2026112809", "2026-11-28T09:00:00+08:00", "hour"),
    ("2026-11-28T09:30", "2026-11-28T09:30:00+08:00", "minute"),
    ("2026/11/8 9:30:05", "2026-11-08T09:30:05+08:00", "second"),
    ("2026-11-28T09:30:00Z", "2026-11-28T09:30:00+00:00", "second"),
    ("2026-11-28T09:30:60+08:00", "2026-11-28T09:30:59+08:00", "second"),
    ("20261128093000.25-0500", "2026-11-28T09:30:00.250000-05:00", "second")])
def test_a_time_says_how_exactly_it_is_known(text: str, iso: str, precision: str) -> None:
    found = moment(text)
    assert found is not None
    assert (found.at.isoformat(), found.precision, found.text) == (iso, precision, text)


@pytest.mark.parametrize("text", ["", "2026-13", "20260230", "1849", "2200", "09:30", "0000", "2026-11-28T25:00",
    "20261128093061",
                                  "2026-11-28T09:30:00+99:00", "２０２６", "20261128 foo"])
def test_what_is_no_time_is_none(text: str) -> None:
    assert moment(text) is None
