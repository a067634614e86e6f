"""Values cut to what each keyword type of a subscription message takes, by the rules WeChat checks."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from hospital.messages import rules
from hospital.messages.service import SCENES, VALUES
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.templates import policy_templates
from sandbox.wechat.keywords import misfit


def taken(keyword: str, text: str) -> bool:
    """Whether WeChat takes the value."""
    return misfit({keyword: {"value": rules.fit(keyword, text)}}, {keyword: "x"}) is None


@pytest.mark.parametrize(("keyword", "text", "fitted"), [
    ("thing1", "甲" * 20, "甲" * 20), ("thing12", "甲" * 21, "甲" * 19 + "…"), ("name1", "欧阳修", "欧阳修"),
    ("name1", "阿" * 11, "阿" * 10), ("name1", "A" * 21, "A" * 20), ("phrase3", "预约 成功!", "预约成功"),
    ("phrase3", "预约成功了吗", "预约成功了"), ("character_string2", "A" * 40, "A" * 32),
    ("number1", "1" * 40, "1" * 32),
    ("phone_number1", "1" * 20, "1" * 17), ("time4", "2026年11月25日 08:00", "2026年11月25日 08:00"),
    ("amount5", "¥25.00", "¥25.00")])
def test_a_value_is_cut_to_its_type(keyword: str, text: str, fitted: str) -> None:
    assert rules.fit(keyword, text) == fitted
    assert taken(keyword, text)


@pytest.mark.parametrize(("moment", "text"), [
    (datetime(2026, 11, 24, 23, 30, tzinfo=timezone.utc), "2026年11月25日 07:30"),
    (datetime(2026, 1, 1, 0, 5, tzinfo=timezone.utc), "2026年1月1日 08:05")])
def test_times_are_the_hospitals(moment: datetime, text: str) -> None:
    assert rules.time_text(moment) == text
    assert taken("time1", text)


@pytest.mark.parametrize(("fen", "text"), [(0, "¥0.00"), (5, "¥0.05"), (2500, "¥25.00"), (123456789, "¥1234567.89")])
def test_money_is_written_from_fen_without_rounding(fen: int, text: str) -> None:
    assert rules.yuan_text(fen) == text
    assert taken("amount1", text)


@settings(max_examples=80, derandomize=True, deadline=None)
@given(st.text(min_size=1, max_size=60).filter(lambda text: text.strip()))
def test_a_thing_always_fits(text: str) -> None:
    assert len(rules.fit("thing1", text)) <= 20


@pytest.mark.parametrize("name", ["买买提 艾力", "张\U00020bb7", "玛利亚-李", "李·O'Neil", "José María", "Ольга",
                                  "キム"])
def test_every_name_that_may_be_bound_fits_a_name(name: str) -> None:
    assert taken("name1", name)


# -- every kind of value in every type that may hold it ------------------------------------------------
ODD = ["上午12号", "甲号", "１２号", "M009", "", " ", "\n", "A" * 40, "1" * 40, "👍", "a\tb\r\nc", "No. 12 / 3",
       "请在20分钟内缴费", "wait", "\u202e12", "José", "ф" * 30]
_HOLDING = {"thing1": "text", "phrase1": "text", "name1": "person", "character_string1": "number"}


@pytest.mark.parametrize("keyword", _HOLDING)
@pytest.mark.parametrize("text", ODD)
def test_whatever_the_text_wechat_takes_it(keyword: str, text: str) -> None:
    assert rules.fit(keyword, text).strip()
    assert taken(keyword, text)


@pytest.mark.parametrize(("keyword", "text", "fitted"), [
    ("character_string4", "上午12号", "12"), ("character_string4", "Ｍ００９", "M009"),
    ("character_string4", "甲号", "-"), ("phrase1", "wait", "详见页面"), ("phrase1", "请等3分钟", "请等分钟"),
    ("thing1", "", "请在小程序中查看"), ("thing1", "一行\n两行", "一行 两行"), ("number1", "¥25.00", "25.00"),
    ("character_string1", "¥25.00", "25.00")])
def test_a_value_keeps_what_its_type_has_characters_for_and_is_never_empty(
        keyword: str, text: str, fitted: str) -> None:
    assert rules.fit(keyword, text) == fitted
    assert taken(keyword, text)


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.text(max_size=60), st.sampled_from(sorted(_HOLDING)))
def test_any_text_at_all_is_taken(text: str, keyword: str) -> None:
    assert taken(keyword, text)


def test_the_sandbox_s_templates_can_be_filled() -> None:
    for kind, template in policy_templates().items():
        assert rules.misfits(kind, template["keywords"], VALUES[kind]) == []


@pytest.mark.parametrize(("kind", "keywords", "wrong"), [
    ("checked_in", {"number": "letter4"}, ["number"]), ("checked_in", {"number": "number4"}, ["number"]),
    ("checked_in", {"number": "phrase4"}, ["number"]), ("refunded", {"amount": "phrase1"}, ["amount"]),
    ("refunded", {"note": "time1"}, ["note"]), ("refunded", {"time": "name1"}, ["time"]),
    ("refunded", {"patient": "phone_number1"}, ["patient"]), ("refunded", {"patient": "thing"}, ["patient"]),
    ("refunded", {"patient": "thing1", "note": "thing1"}, ["note", "patient"]),
    ("refunded", {"department": "thing1"}, ["department"]), ("refunded", {"weather": "thing1"}, ["weather"]),
    ("refunded", {"amount": "amount1", "time": "date2", "note": "phrase3", "patient": "name4"}, [])])
def test_a_template_is_told_what_its_keywords_cannot_hold(
        kind: str, keywords: dict[str, str], wrong: list[str]) -> None:
    assert sorted(rules.misfits(kind, keywords, VALUES[kind])) == [
        f"message_templates.{kind}.keywords.{name}" for name in wrong]


def test_every_message_says_what_its_templates_may_ask_for() -> None:
    kinds = {value for scene in SCENES.values() for value in scene}
    assert kinds <= set(VALUES)
    assert set().union(*VALUES.values()) == set(rules._KINDS)
