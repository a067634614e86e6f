"""Values cut to what each keyword type of a subscription message takes, by the rules WeChat checks."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from hospital.messages import rules
from hypothesis import given, settings
from hypothesis import strategies as st

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
