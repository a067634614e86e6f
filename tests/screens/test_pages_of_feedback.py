"""What patients think, in their own pages: rating a visit, writing to the hospital, following it to its answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sandbox.phone import Control, Phone
from tests.photos import photo
from tests.screens.hand import Hand
from tests.screens.test_for_everyone import LARGE, NORMAL, problems

TEXT = "11月23日上午候诊三个多小时，叫号屏一直不动，问了分诊台也没人解释。"


def booked(control: Control, phone: Phone, patient: dict[str, Any], session: dict[str, Any]) -> str:
    """A paid and confirmed registration; its id."""
    held: dict[str, Any] = phone.book(patient["id"], session)
    phone.thumb(phone.open_payment(held["id"]))
    control.settle()
    return str(held["id"])


@pytest.fixture
def seen_today(control: Control, phone: Phone, patient: dict[str, Any], new_session: Callable[..., dict[str, Any]]
               ) -> str:
    """A visit of this morning that is finished; the registration's id."""
    booking = booked(control, phone, patient, new_session(date="2026-11-23"))
    phone.check_in(booking)
    control("PUT", "/clock", now="2026-11-23T13:00:00+08:00")
    return booking


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """A photograph, and a file that is none."""
    (tmp_path / "leak.jpg").write_bytes(photo(120, 80))
    (tmp_path / "no.jpg").write_bytes(b"%PDF-1.7")
    return [str(tmp_path / "leak.jpg"), str(tmp_path / "no.jpg")]


@pytest.mark.feature("feedback.survey", screen=True)
def test_a_finished_visit_is_rated_with_stars_that_have_words(new_hand: Callable[..., Hand], phone: Phone,
                                                              seen_today: str) -> None:
    hand = new_hand(phone).open(f"/visit/registration?id={seen_today}").tap("评价本次就诊").sees("您总体满意吗")
    hand.shot("survey-normal").tap("提交评价").sees("还有 2 道必答题没有作答")
    for label, stars in (("这次就诊您总体满意吗？", "5 星，很满意"),
                         ("医生讲解病情和用药是否清楚、耐心？", "4 星，满意")):
        hand.page.get_by_role("radiogroup", name=label).get_by_role("radio", name=stars).click()
    hand.sees("很满意").fill("您的话", "谢谢，就是停车难。")
    assert problems(hand, NORMAL) == []
    hand.tap("提交评价").sees("感谢您的评价").shot("survey-done")
    hand.open(f"/feedback/survey?id={seen_today}").sees("感谢您的评价")


def choose(hand: Hand, *names: str) -> None:
    """Pick files where the phone asks for pictures."""
    with hand.page.expect_file_chooser() as asked:
        hand.tap(re.compile("添加图片"))
    asked.value.set_files(list(names))


@pytest.mark.feature("feedback.complaint", screen=True)
def test_a_complaint_is_written_with_a_picture_followed_answered_rated_and_reopened(
        new_hand: Callable[..., Hand], phone: Phone, control: Control, seen_today: str, files: list[str]) -> None:
    hand = new_hand(phone).open("/home/me").tap("投诉与建议").sees("还没有写过").tap("写给医院").sees("具体内容")
    hand.tap("提交").sees("至少 5 个字").fill("具体内容", TEXT)
    choose(hand, *files)
    hand.sees("第 1 张 ✓ 已添加").sees("未能使用").sees("不是可识别的图片").shot("write-normal")
    hand.tap("提交").sees("有图片没有添加成功").tap("移除第 2 张")
    assert problems(hand, NORMAL) == []
    hand.open("/feedback/write").sees("第 1 张 ✓ 已添加")  # left and come back: all of it is there
    assert hand.page.get_by_label("具体内容").input_value() == TEXT
    hand.tap(re.compile("11月23日"), "radio").tap("提交").sees("已收到").sees("前答复").sees("编号")
    [filed] = phone.call("GET", "feedback/complaints")["complaints"]
    assert phone.complaint(filed["id"])["about_id"] == seen_today
    control.operate("complaint.answer", complaint_id=filed["id"], text="叫号系统故障已修复，给您带来不便非常抱歉。")
    hand.open("/feedback/complaints").sees("已答复").shot("complaints-normal").tap(re.compile("已答复"))
    hand.sees("叫号系统故障已修复").sees("对这次答复满意吗").tap("2 星，不满意", "radio").tap("提交评价")
    hand.sees("2 星，不满意").shot("complaint-normal")
    assert problems(hand, NORMAL) == []
    hand.tap("要求重新处理").fill("哪里没有解决", "今天叫号屏又不动了。").tap("要求重新处理")
    hand.sees("您要求重新处理")
    hand.open("/feedback/write").sees("具体内容")
    assert hand.page.get_by_label("具体内容").input_value() == ""  # what was sent is no draft any more


def test_large_type_fits_and_nobody_is_kept_out(new_hand: Callable[..., Hand], phone: Phone, seen_today: str) -> None:
    filed = phone.complain(TEXT, about="VISIT", about_id=seen_today)
    hand = new_hand(phone).open("/home/me").tap("长辈版，大字号").sees("返回标准字号")
    found: dict[str, list[str]] = {}
    for name, address, text in (
            ("survey", f"/feedback/survey?id={seen_today}", "您总体满意吗"),
            ("complaints", "/feedback/complaints", "已收到"),
            ("write", f"/feedback/write?about=VISIT&id={seen_today}", "不指定"),
            ("complaint", f"/feedback/complaint?id={filed['id']}", "前答复")):
        hand.open(address).sees(text).shot(f"{name}-large")
        found[name] = problems(hand, LARGE)
        assert hand.page.evaluate("document.documentElement.scrollWidth") <= 390
    assert "\n".join(f"{name}: {one}" for name, some in found.items() for one in some) == ""


def test_off_line_nothing_that_was_written_is_lost(new_hand: Callable[..., Hand], phone: Phone) -> None:
    hand = new_hand(phone).open("/feedback/write").fill("具体内容", TEXT)
    hand.context.set_offline(True)
    hand.tap("提交").sees("内容已保存在本手机")
    hand.context.set_offline(False)
    hand.tap("提交").sees("已收到")
    assert len(phone.call("GET", "feedback/complaints")["complaints"]) == 1


def test_a_visit_that_is_not_finished_says_when_it_may_be_rated(
        new_hand: Callable[..., Hand], control: Control, phone: Phone, patient: dict[str, Any], session: dict[str, Any]
        ) -> None:
    address = f"/feedback/survey?id={booked(control, phone, patient, session)}"
    new_hand(phone).open(address).sees("还没有结束").tap("返回").sees("预约挂号")
    new_hand(phone).open(f"/feedback/complaint?id={'0' * 26}").sees("未找到该投诉或建议")
