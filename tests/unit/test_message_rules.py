"""Values cut to what each keyword type of a subscription message takes, by the rules WeChat checks."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from hospital.messages import rules, wording
from hospital.messages.service import OF_ACCOUNT, SCENES, VALUES
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.templates import TEMPLATES, policy_templates
from sandbox.wechat.keywords import misfit
from sandbox.wechat.system import _PAGE

ROOT = Path(__file__).resolve().parent.parent.parent


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


def test_no_template_of_the_sandbox_has_more_keywords_than_wechat_takes() -> None:
    too_many = {one for one, template in TEMPLATES.items() if len(template["keywords"]) > rules.MOST_KEYWORDS}
    assert too_many == set()
    for number in (5, 6):
        keywords = {name: f"thing{place}" for place, name in enumerate(_TEXTS[:number], 1)}
        assert len(rules.misfits("checked_in", keywords, set(_TEXTS))) == number - 5


_TEXTS = ("patient", "doctor", "department", "place", "note", "time")


@pytest.mark.parametrize(("keyword", "text", "fitted"), [
    ("thing1", "老年心血管与代谢性疾病多学科联合诊疗示范中心", "老年心血管与代谢性疾病多学科联合诊疗示…"),
    ("thing1", "老年心血管与代谢性疾病多学科联合诊疗示范", "老年心血管与代谢性疾病多学科联合诊疗示范"),
    ("phrase1", "老年心血管内科门诊", "老年心血管"),
    ("thing1", "甲" * 18 + "g\u0323\u0302" + "乙", "甲" * 18 + "…"),
    ("thing1", "甲" * 17 + "👨\u200d⚕️" + "乙丙", "甲" * 17 + "…")])
def test_a_long_text_ends_with_a_whole_character(keyword: str, text: str, fitted: str) -> None:
    assert rules.fit(keyword, text) == fitted
    assert taken(keyword, text)


# -- what is asked for in one tap -------------------------------------------------------------------
A, B, C, D = (("once-a", False), ("once-b", False), ("once-c", False), ("once-d", False))
L, M = (("long-l", True), ("long-m", True))


@pytest.mark.parametrize(("chosen", "answers", "ids"), [
    ([], {}, []), ([A, B, C, D], {}, ["once-a", "once-b", "once-c"]), ([A, A], {}, ["once-a"]),
    ([A, B, C, D], {"once-a": "ban", "once-b": "reject", "once-c": "filter"}, ["once-b", "once-c", "once-d"]),
    ([A, L, B, M], {}, ["long-l", "long-m"]), ([A, L, B, M], {"long-l": "accept"}, ["long-m"]),
    ([A, L, B, M], {"long-l": "accept", "long-m": "reject"}, ["once-a", "once-b"]),
    ([L], {"long-l": "ban"}, []), ([L], {"long-l": "accept"}, [])])
def test_three_of_one_sort_are_asked_for_and_no_banned_one(
        chosen: list[tuple[str, bool]], answers: Any, ids: list[str]) -> None:
    assert rules.to_ask(chosen, answers) == ids


@pytest.mark.parametrize(("answer", "allowed", "is_long_term", "where"), [
    (None, 0, False, "OFF"), ("accept", 2, False, "ON"), ("accept", 0, False, "OFF"), ("reject", 0, False, "REJECTED"),
    ("reject", 1, False, "ON"), ("filter", 0, False, "OFF"), ("ban", 3, False, "BANNED"), (None, 0, True, "OFF"),
    ("accept", 0, True, "ON"), ("reject", 0, True, "REJECTED"), ("ban", 0, True, "BANNED"), ("filter", 0, True, "OFF")])
def test_where_a_template_stands(answer: Any, allowed: int, is_long_term: bool, where: str) -> None:
    assert rules.standing(answer, allowed, is_long_term=is_long_term) == where


# -- in the inbox -----------------------------------------------------------------------------------
def test_every_kind_has_a_title_and_lines_of_values_that_it_has() -> None:
    assert set(wording._KINDS) == set(VALUES)
    for kind, (_, labels) in wording._KINDS.items():
        assert set(labels) <= VALUES[kind]
        assert ({"note"} if kind in OF_ACCOUNT else {"patient", "note"}) <= set(labels)
        assert len(set(labels.values())) == len(labels)


def test_every_page_that_a_message_opens_is_one_of_the_mini_program_s() -> None:
    listed = json.loads((ROOT / "miniprogram" / "src" / "pages.json").read_text(encoding="utf-8"))
    pages = {f"/{one['root']}/{page['path']}" for one in listed["subPackages"] for page in one["pages"]}
    opened = [wording.opens(wording.about(subject, "0" * 26)) for subject in wording.PAGES] + [wording.INBOX]
    assert {page.partition("?")[0].removesuffix("0" * 26) for page in opened} <= pages
    for page in opened:
        assert _PAGE.fullmatch(page.removeprefix("/"))
    assert (wording.opens(None), wording.opens("a later time's:1")) == ("", "")


def test_what_says_nothing_has_no_line_and_a_name_is_masked() -> None:
    told = {"patient": "欧阳修", "amount": "¥25.00", "time": "2026年11月25日 08:00", "note": "退号，已原路退回"}
    assert wording.lines("refunded", told) == [
        ("就诊人", "**修"), ("退费金额", "¥25.00"), ("说明", "退号，已原路退回")]
    assert [label for label, _ in wording.lines("refunded", rules.withheld(told))] == ["退费金额"]


def test_every_message_says_what_its_templates_may_ask_for() -> None:
    kinds = {value for scene in SCENES.values() for value in scene}
    assert kinds <= set(VALUES)
    assert set().union(*VALUES.values()) == set(rules._KINDS)
