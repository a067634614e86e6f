"""Identity documents, ages and masks."""

from __future__ import annotations

from datetime import date

import pytest
from hospital.patients import rules
from hypothesis import given, settings
from hypothesis import strategies as st

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
    ("TAIWAN_PERMIT", "12345678", True), ("TAIWAN_PERMIT", "1234567890B", True), ("TAIWAN_PERMIT", "1234567", False)])
def test_other_documents_have_their_forms(id_type: str, number: str, right: bool) -> None:
    assert rules.is_document_number(id_type, number) is right  # type: ignore[arg-type]


def test_a_number_is_compared_without_spaces_and_case() -> None:
    assert rules.normalise(" h1234 5678\u3000") == "H12345678"


@pytest.mark.parametrize(("born", "today", "years"), [
    (date(2012, 11, 23), date(2026, 11, 23), 14), (date(2012, 11, 24), date(2026, 11, 23), 13),
    (date(2012, 2, 29), date(2026, 2, 28), 13), (date(2012, 2, 29), date(2026, 3, 1), 14),
    (date(2026, 11, 23), date(2026, 11, 23), 0)])
def test_age_is_in_completed_years(born: date, today: date, years: int) -> None:
    assert rules.age(born, today) == years


@pytest.mark.parametrize(("number", "right"), [
    ("13800138000", True), ("19912345678", True), ("12345678901", False), ("1380013800", False),
    ("138001380001", False), ("+8613800138000", False), ("１３８００１３８０００", False), ("13800138000\n", False)])
def test_a_mobile_number_is_a_mainland_one(number: str, right: bool) -> None:
    assert rules.is_mobile(number) is right


@pytest.mark.parametrize(("name", "right"), [
    ("张三", True), ("欧阳修", True), ("买买提·艾力", True), ("Anne-Marie O'Neil", True), ("John Smith Jr.", True),
    ("\U00020bb7田", True), ("José", True), ("张", False), ("", False), ("张3", False), ("张_三", False),
    ("张三<b>", False),
    ("·张三", False), ("张三 ", False), ("张\x00三", False), ("张😀", False), ("甲" * 51, False), ("'; DROP", False)])
def test_a_name_is_letters_of_any_script(name: str, right: bool) -> None:
    assert rules.is_name(name) is right


@pytest.mark.parametrize(("plain", "masked"), [("张三丰", "**丰"), ("欧阳", "*阳")])
def test_a_masked_name_shows_its_last_character(plain: str, masked: str) -> None:
    assert rules.mask_name(plain) == masked


@pytest.mark.parametrize(("plain", "masked"), [
    ("11010519491231002X", "1101**********002X"), ("E12345678", "E******78"), ("12345", "1**45")])
def test_a_masked_number_shows_its_ends(plain: str, masked: str) -> None:
    assert rules.mask_number(plain) == masked


def test_a_masked_phone_shows_seven_digits() -> None:
    assert rules.mask_phone("13800138001") == "138****8001"
