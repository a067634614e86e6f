"""Identity documents, ages and masks."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hospital.patients import rules
from hospital.patients.model import Identity, IdType
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

TODAY = date(2026, 11, 23)


@pytest.mark.parametrize(("number", "born", "sex"), [
    ("11010519491231002X", date(1949, 12, 31), "FEMALE"),  # GB 11643-1999, its own examples
    ("440524188001010014", date(1880, 1, 1), "MALE"),
    ("34052419800101001X", date(1980, 1, 1), "MALE"),
    ("449900200002290028", date(2000, 2, 29), "FEMALE")])
def test_a_right_number_gives_birth_date_and_sex(number: str, born: date, sex: str) -> None:
    assert rules.read_id_card(number, TODAY) == (born, sex)


@pytest.mark.parametrize("number", [
    "110105194912310021", "11010519491231002x", "110105491231002", "11010519491231002", "11010519491231002XX", "",
    "00010519491231002X", "16010519491231002X", "11010519490231002X", "110105187912310027", "11010519491331002X",
    "１１０１０５１９４９１２３１００２X", "1101051949123100 X", "11010519491231002X\n"])
def test_a_wrong_number_is_none(number: str) -> None:
    assert rules.read_id_card(number, TODAY) is None


def test_nobody_is_born_tomorrow() -> None:
    number = "44990020261124001"
    whole = next(number + last for last in "0123456789X" if rules.read_id_card(number + last, date(2026, 11, 24)))
    assert rules.read_id_card(whole, TODAY) is None


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.integers(0, 16), st.integers(1, 9), st.dates(date(1900, 1, 1), TODAY), st.integers(0, 999))
def test_one_wrong_digit_is_always_found(at: int, by: int, born: date, order: int) -> None:
    body = f"449900{born:%Y%m%d}{order:03d}"
    [number] = [body + last for last in "0123456789X" if rules.read_id_card(body + last, TODAY)]
    changed = number[:at] + str((int(number[at]) + by) % 10) + number[at + 1:]
    assert rules.read_id_card(changed, TODAY) is None


@settings(max_examples=40, derandomize=True, deadline=None)
@given(st.integers(6, 15), st.dates(date(1900, 1, 1), TODAY), st.integers(0, 999))
def test_two_exchanged_neighbours_are_always_found(at: int, born: date, order: int) -> None:
    body = f"449900{born:%Y%m%d}{order:03d}"
    [number] = [body + last for last in "0123456789X" if rules.read_id_card(body + last, TODAY)]
    changed = number[:at] + number[at + 1] + number[at] + number[at + 2:]
    assert changed == number or rules.read_id_card(changed, TODAY) is None


@pytest.mark.parametrize(("id_type", "number", "right"), [
    ("PASSPORT", "E12345678", True), ("PASSPORT", "G1234", True), ("PASSPORT", "e12345678", False),
    ("PASSPORT", "E123-5678", False), ("PASSPORT", "1234", False), ("PASSPORT", "A" * 18, False),
    ("HK_MACAU_PERMIT", "H12345678", True), ("HK_MACAU_PERMIT", "M1234567890", True),
    ("HK_MACAU_PERMIT", "X12345678", False), ("HK_MACAU_PERMIT", "H123456789", False),
    ("TAIWAN_PERMIT", "12345678", True), ("TAIWAN_PERMIT", "1234567890B", True), ("TAIWAN_PERMIT", "1234567", False),
    ("PERMANENT_RESIDENT", "911840199003071236", True), ("PERMANENT_RESIDENT", "911840199003071237", False),
    ("PERMANENT_RESIDENT", "900840199003071234", False), ("PERMANENT_RESIDENT", "DEU110190030712", True),
    ("PERMANENT_RESIDENT", "DEU000190030712", False), ("PERMANENT_RESIDENT", "DEU110190133712", False),
    ("PERMANENT_RESIDENT", "DE1110190030712", False), ("PERMANENT_RESIDENT", "449900199003071112", False),
    ("PASSPORT", "DEU110190030712", False), ("BIRTH_CERTIFICATE", "Q110123456", True),
    ("BIRTH_CERTIFICATE", "Q11012345", False), ("BIRTH_CERTIFICATE", "1101234567", False), ("NONE", "", True),
    ("NONE", "Q110123456", False), ("ID_CARD", "810000199408230021", True), ("ID_CARD", "830000199201300022", True),
    ("ID_CARD", "449900199003071112", True), ("ID_CARD", "", False)])
def test_other_documents_have_their_forms(id_type: str, number: str, right: bool) -> None:
    assert rules.is_document_number(id_type, number, TODAY) is right  # type: ignore[arg-type]


@pytest.mark.parametrize(("number", "born", "sex"), [
    ("911840199003071236", date(1990, 3, 7), "MALE"), ("DEU110190030712", date(1990, 3, 7), "MALE"),
    ("DEU110126112321", date(2026, 11, 23), "FEMALE"), ("DEU110126112421", date(1926, 11, 24), "FEMALE")])
def test_a_residence_card_says_birth_date_and_sex(number: str, born: date, sex: str) -> None:
    assert rules.read_document("PERMANENT_RESIDENT", number, TODAY) == (born, sex)


@pytest.mark.parametrize(("number", "born", "sex", "wrong"), [
    ("911840199003071236", date(1990, 3, 7), "MALE", False), ("911840199003071236", None, "FEMALE", True),
    ("DEU110115030712", date(1915, 3, 7), "FEMALE", False), ("DEU110115030712", date(1915, 3, 8), None, True)])
def test_who_has_an_old_residence_card_knows_their_century(number: str, born: date | None, sex: str | None,
                                                           wrong: bool) -> None:
    read = rules.read_document("PERMANENT_RESIDENT", number, TODAY)
    assert read is not None
    assert rules.contradicts("PERMANENT_RESIDENT", number, read, born, sex) is wrong  # type: ignore[arg-type]


@pytest.mark.parametrize(("born", "today", "years"), [
    (date(2012, 11, 23), date(2026, 11, 23), 14), (date(2012, 11, 24), date(2026, 11, 23), 13),
    (date(2012, 2, 29), date(2026, 2, 28), 13), (date(2012, 2, 29), date(2026, 3, 1), 14),
    (date(2026, 11, 23), date(2026, 11, 23), 0)])
def test_age_is_in_completed_years(born: date, today: date, years: int) -> None:
    assert rules.age(born, today) == years


@pytest.mark.parametrize(("born", "today", "text"), [
    (date(2026, 11, 23), date(2026, 11, 23), "0天"), (date(2026, 11, 15), date(2026, 11, 23), "8天"),
    (date(2026, 10, 24), date(2026, 11, 23), "30天"), (date(2026, 10, 23), date(2026, 11, 23), "1个月"),
    (date(2026, 6, 23), date(2026, 11, 23), "5个月"), (date(2026, 6, 24), date(2026, 11, 23), "4个月"),
    (date(2025, 11, 24), date(2026, 11, 23), "11个月"), (date(2025, 11, 23), date(2026, 11, 23), "1岁"),
    (date(2026, 1, 31), date(2026, 2, 27), "27天"), (date(2026, 1, 31), date(2026, 2, 28), "1个月"),
    (date(2024, 2, 29), date(2025, 2, 28), "11个月"), (date(2024, 2, 29), date(2025, 3, 1), "1岁"),
    (date(1990, 3, 7), date(2026, 11, 23), "36岁")])
def test_an_age_below_a_year_is_in_months_and_below_a_month_in_days(born: date, today: date, text: str) -> None:
    assert rules.age_text(born, today) == text


@pytest.mark.parametrize(("name", "right"), [
    ("张三", True), ("欧阳修", True), ("买买提·艾力", True), ("Anne-Marie O'Neil", True), ("John Smith Jr.", True),
    ("\U00020bb7田", True), ("José", True), ("吴", True), ("SMITH, JOHN", True), ("\U0003149a明", True),
    ("คำ", True), ("〇", True), ("x", False), ("X", False), ("", False), ("张3", False), ("张_三", False),
    ("张三<b>", False),
    ("·张三", False), ("张三 ", False), ("张\x00三", False), ("张😀", False), ("甲" * 51, False), ("'; DROP", False)])
def test_a_name_is_letters_of_any_script(name: str, right: bool) -> None:
    assert rules.is_name(name) is right


@pytest.mark.parametrize(("plain", "masked"), [("张三丰", "**丰"), ("欧阳", "*阳"), ("吴", "*")])
def test_a_masked_name_shows_its_last_character(plain: str, masked: str) -> None:
    assert rules.mask_name(plain) == masked


@pytest.mark.parametrize(("plain", "masked"), [
    ("11010519491231002X", "1101**********002X"), ("E12345678", "E******78"), ("12345", "1**45"), ("", "")])
def test_a_masked_number_shows_its_ends(plain: str, masked: str) -> None:
    assert rules.mask_number(plain) == masked


@pytest.mark.parametrize(("plain", "masked"), [
    ("13800138001", "138****8001"), ("+85261234567", "+852******67"), ("+4915112345678", "+491********78"),
    ("+29012345", "+290****5"), ("61234567", "*******7"), ("12345", "****5")])
def test_a_masked_phone_shows_the_less_the_shorter_it_is(plain: str, masked: str) -> None:
    assert rules.mask_phone(plain) == masked


CHILD = Identity("NONE", "", "张三之子", "MALE", date(2026, 11, 15))


@pytest.mark.parametrize(("change", "same"), [
    ({}, True), ({"name": "张三 之子"}, True), ({"name": "张三之子二"}, False), ({"sex": "FEMALE"}, False),
    ({"birth_date": date(2026, 11, 14)}, False), ({"id_type": "PASSPORT", "id_number": "E12345678"}, False)])
def test_a_file_without_a_document_shows_the_child_of_whom_all_else_agrees(change: dict[str, Any], same: bool) -> None:
    assert rules.shows(replace(CHILD, **change), CHILD) is same


@pytest.mark.parametrize("change", [{}, {"name": "李四"}, {"sex": "FEMALE"}, {"birth_date": date(1990, 1, 1)}])
def test_a_file_with_a_persons_document_shows_them_whatever_was_corrected(change: dict[str, Any]) -> None:
    mine = replace(CHILD, id_type="PASSPORT", id_number="E12345678")
    assert rules.shows(replace(mine, **change), mine)
    assert not rules.shows(replace(mine, **{"id_number": "E87654321", **change}), mine)


@pytest.mark.parametrize(("file", "given"), [
    ({"id_type": "BIRTH_CERTIFICATE", "id_number": "Q110123456", "name": "张小宝"}, True),
    ({"id_type": "PASSPORT", "id_number": "E12345678"}, True), ({"id_type": "PASSPORT", "id_number": ""}, False),
    ({"id_type": "ID_CARD", "id_number": "449900202611150000"}, False), ({"id_type": "OTHER", "id_number": "1"}, False),
    ({}, False), ({"id_type": "PASSPORT", "id_number": "E12345678", "sex": "FEMALE"}, False),
    ({"id_type": "PASSPORT", "id_number": "E12345678", "birth_date": date(2026, 11, 14)}, False)])
def test_a_document_is_given_only_to_who_was_born_so_if_it_can_be_one(file: dict[str, Any], given: bool) -> None:
    assert rules.may_have_given(replace(CHILD, **file), CHILD, TODAY) is given


@pytest.mark.parametrize(("mine", "other", "can"), [
    ("NONE", "BIRTH_CERTIFICATE", True), ("BIRTH_CERTIFICATE", "ID_CARD", True), ("PASSPORT", "PASSPORT", True),
    ("PASSPORT", "PERMANENT_RESIDENT", True), ("PERMANENT_RESIDENT", "ID_CARD", True), ("ID_CARD", "ID_CARD", True),
    ("ID_CARD", "PASSPORT", False), ("PERMANENT_RESIDENT", "PASSPORT", False),
    ("PASSPORT", "BIRTH_CERTIFICATE", False)])
def test_a_document_takes_the_place_of_one_that_is_not_more_lasting(mine: IdType, other: IdType, can: bool) -> None:
    assert rules.replaces(replace(CHILD, id_type=other), replace(CHILD, id_type=mine)) is can
