"""The one form of names, texts, numbers, phones and dates."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest
from hospital.runtime import canonical
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

GULIMIRE = "古丽米热·艾比布力"
WRITINGS = [GULIMIRE.replace("·", dot) for dot in (
    "·", "•", ".", " · ", "‧", "・", "．", "●", "⋅", "･", "。", " . ", "\u00b7\u200b", "··", "∙", "\u2024", "\u0387")]


@pytest.mark.parametrize("written", WRITINGS)
def test_every_dot_between_the_parts_of_a_name_is_one(written: str) -> None:
    assert canonical.name(written) == GULIMIRE
    assert canonical.same_name(written, GULIMIRE)


@pytest.mark.parametrize(("written", "name"), [
    ("Jose\u0301", "José"), ("李⽥", "李田"), ("⻢云", "马云"), ("⻰应台", "龙应台"), ("\ue863", "䶮"),
    ("\ue82b", "\u9fb6"),
    ("\ue831", "\U000215d7"), ("张\u200b三", "张三"), ("\u202d张三\u202c", "张三"), ("\ufeff张三\u2069", "张三"),
    ("葛\U000e0100城", "葛城"), ("\uf9e1", "李"), ("吴", "吴"), ("SMITH, JOHN", "SMITH, JOHN"),
    ("SMITH ,JOHN", "SMITH, JOHN"), ("ＳＭＩＴＨ，ＪＯＨＮ", "SMITH, JOHN"), ("李　明", "李明"), (" 张  三 ", "张三"),
    ("Anne  Marie", "Anne Marie"), ("O’Neil", "O'Neil"), ("Anne‐Marie", "Anne-Marie"),
    ("John F. Kennedy", "John F. Kennedy"), ("John Smith Jr.", "John Smith Jr."), ("A.古丽", "A·古丽"), ("", "")])
def test_a_name_has_one_form_however_it_is_written(written: str, name: str) -> None:
    assert canonical.name(written) == name


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.text(max_size=20, alphabet=st.one_of(
    st.sampled_from("古丽米热·•.‧・．●⋅･ ,'-\u200b\u202d⽥\ue863e\u0301李吴A"),
    st.characters(exclude_categories=["Cs"]))))
def test_the_form_of_a_form_is_itself(written: str) -> None:
    once = canonical.name(written)
    assert canonical.name(once) == once
    number = canonical.document_number(written)
    assert canonical.document_number(number) == number


def test_names_are_compared_without_case_and_spaces_and_not_further() -> None:
    assert canonical.same_name("Smith, John", "SMITH,JOHN")
    assert not canonical.same_name("古丽米热·艾比布力", "古丽米热·艾比布拉")
    assert not canonical.same_name("SMITH, JOHN", "JOHN, SMITH")


@pytest.mark.parametrize(("written", "stored"), [
    ("内科（东区）", "内科（东区）"), (" 门诊\u200b楼\u202e ", "门诊楼"), ("Cafe\u0301", "Café")])
def test_a_free_text_keeps_its_punctuation_and_loses_what_nobody_sees(written: str, stored: str) -> None:
    assert canonical.text(written) == stored


@pytest.mark.parametrize(("written", "number"), [
    ("449900 1990 0307 1112", "449900199003071112"), ("４４９９００１９９００３０７１１１２", "449900199003071112"),
    (" h1234 5678\u3000", "H12345678"), ("11010519491231002x", "11010519491231002X"),
    ("11010519491231002Ⅹ", "11010519491231002X"), ("\u202de12345678\u202c", "E12345678")])
def test_a_document_number_has_one_form(written: str, number: str) -> None:
    assert canonical.document_number(written) == number


@pytest.mark.parametrize(("written", "number"), [
    ("13800138000", "13800138000"), ("138 0013 8000", "13800138000"), ("138-0013-8000", "13800138000"),
    ("+8613800138000", "13800138000"),
    ("8613800138000", "13800138000"), ("86 138-0013-8000", "13800138000"), ("0086 138 0013 8000", "13800138000"),
    ("\u202d13800138000\u202c", "13800138000"), ("１３８００１３８０００", "13800138000"),
    ("13800138000\n", "13800138000"),
    ("+85261234567", "+85261234567"), ("+852 6123 4567", "+85261234567"), ("+853 6612 3456", "+85366123456"),
    ("+886 912 345 678", "+886912345678"), ("+4915112345678", "+4915112345678"), ("+1 (202) 555-0123", "+12025550123"),
    ("00852 6123 4567", "+85261234567"),
    ("12345678901", None), ("1380013800", None), ("138001380001", None), ("61234567", None), ("85261234567", None),
    ("+85212345678", None), ("+861012345678", None), ("+86138001380001", None), ("+999123456789", None), ("+", None),
    ("8612345678901", None), ("861380013800", None),
    ("", None), ("电话", None), ("+852612345678901234567", None)])
def test_a_phone_is_a_mainland_mobile_or_has_its_country(written: str, number: str | None) -> None:
    assert canonical.phone(written) == number


@pytest.mark.parametrize(("country", "national", "number"), [
    ("86", "13800138000", "13800138000"), ("+86", "138 0013 8000", "13800138000"),
    ("49", "15112345678", "+4915112345678"), ("49", "015112345678", "+4915112345678"),
    ("44", "07400 123456", "+447400123456"), ("39", "0612345678", "+390612345678"),
    ("49", "12345", "+4912345"), ("999", "123456789", "+999123456789"),  # kept as told: nobody else's number
    ("86", "12345", None), ("86", "861380013800", None), ("8", "613800138000", "+8613800138000"),
    ("852", "61234567", "+85261234567"), ("1", "2025550123", "+12025550123"), ("", "13800138000", None),
    ("49", "", None), ("四九", "15112345678", None), ("49", "+15112345678", None)])
def test_a_number_told_with_its_country_keeps_it(country: str, national: str, number: str | None) -> None:
    assert canonical.phone_of_country(country, national) == number


@pytest.mark.parametrize(("country", "national"), [("49", "015112345678"), ("44", "07400123456"), ("852", "61234567"),
                                                   ("39", "3123456789"), ("86", "13800138000")])
def test_a_number_told_with_its_country_is_the_one_that_is_written_with_it(country: str, national: str) -> None:
    assert canonical.phone_of_country(country, national) == canonical.phone(f"+{country} {national}") is not None


class _Inner(canonical.TextDates):
    at: datetime | None = None


class _Dated(canonical.TextDates):
    day: date | None = None
    days: list[date] = []
    inner: _Inner | None = None


@pytest.mark.parametrize("given_", [
    {"day": 636768000}, {"day": "636768000"}, {"day": 636768000.0}, {"day": True}, {"day": "1990-3-7"}, {"days": [7]},
    {"inner": {"at": 636768000}}, {"inner": {"at": "636768000"}}])
def test_a_number_is_no_date(given_: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as problem:
        _Dated.model_validate(given_)
    assert problem.value.errors()[0]["loc"][0] == next(iter(given_))


def test_dates_and_their_texts_are_dates() -> None:
    read = _Dated.model_validate({"day": "1990-03-07", "days": [date(2026, 1, 2)],
                                  "inner": {"at": "2026-01-02T03:04:05+08:00"}})
    assert (read.day, read.days) == (date(1990, 3, 7), [date(2026, 1, 2)])
    assert read.inner is not None and read.inner.at is not None
    assert read.model_dump_json() == ('{"day":"1990-03-07","days":["2026-01-02"],'
                                      '"inner":{"at":"2026-01-02T03:04:05+08:00"}}')
