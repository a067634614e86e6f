"""Reports in the patient's own pages: found, read, opened, followed over time; kept close where they should be."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from sandbox.phone import Control, Phone
from tests.opened import code_of
from tests.screens.hand import Hand
from tests.screens.test_for_everyone import LARGE, NORMAL, problems

New = Callable[..., Hand]
Release = Callable[..., dict[str, Any]]


@pytest.fixture
def release(control: Control, patient: dict[str, Any], sql: Callable[..., list[tuple[Any, ...]]]) -> Release:
    """``release("lis", panel="blood", …)``: a report of the patient is out."""
    def make(system: str, **told: Any) -> dict[str, Any]:
        code = code_of(control, sql, patient["id"])
        one: dict[str, Any] = control("POST", f"/{system}/reports", patient_code=code, **told)
        control.settle()
        return one
    return make


@pytest.mark.feature("reports.lab", screen=True)
def test_a_laboratory_s_report_is_found_from_home_and_a_value_followed(
        new_hand: New, control: Control, phone: Phone, release: Release) -> None:
    for value in ("5.6", "7.9"):
        release("lis", panel="blood", values={"6690-2": value}, visit_number="MZ20261123001")
        control.advance(86_400)
    release("lis", panel="blood", values={"6690-2": "12.50", "718-7": "101"})
    hand = new_hand(phone).open("/").tap("报告查询").sees("1项偏高、1项偏低").sees("就诊号 MZ20261123001")
    hand.shot("reports-list")
    hand.tap(re.compile("^血常规 已出，5项中有1项偏高")).sees("请带给医生看").shot("report-laboratory")
    first = hand.page.get_by_role("button", name=re.compile("参考范围")).first
    expect(first).to_have_attribute("aria-label", re.compile("^白细胞计数，12.50 10\\*9/L，偏高，参考范围 3.5-9.5"))
    hand.tap(re.compile("^白细胞计数")).sees("只比较同一项目").sees("12.50 10*9/L（偏高）").shot("report-trend")
    hand.button(re.compile("^白细胞计数 的变化：.*12.50"), "img")
    hand.back().sees("血红蛋白")


@pytest.mark.feature("reports.exam", screen=True)
def test_an_examination_is_read_with_its_picture_and_file(new_hand: New, phone: Phone, release: Release) -> None:
    release("pacs")
    hand = new_hand(phone).open("/reports/reports").tap(re.compile("^胸部X线正位片 已出"))
    hand.sees("心肺膈未见明显异常。").sees("检查所见").tap("查看图片 胸部正位片")
    expect(hand.page.locator("uni-image.picture img")).to_have_js_property("naturalWidth", 360)
    hand.shot("report-examination")
    with hand.context.expect_page() as opened:
        hand.tap("打开文件 报告单")
    assert opened.value is not None


@pytest.mark.feature("reports.ready-push", screen=True)
@pytest.mark.feature("remind.report", screen=True)
def test_a_message_opens_the_report(new_hand: New, phone: Phone, release: Release) -> None:
    release("lis", panel="sugar")
    page = phone.inbox("报告已出通知")[0]["page"]
    new_hand(phone).open(f"/{page}").sees("空腹血糖")
    new_hand(phone).open("/messages/inbox").tap(re.compile("^未读，检验检查报告")).sees("空腹血糖")


def test_a_corrected_and_a_withdrawn_report_say_so(new_hand: New, control: Control, phone: Phone, release: Release
                                                   ) -> None:
    wrong, gone = release("lis", panel="blood", values={"718-7": "90"}), release("pacs")
    control.advance(60)
    control("POST", f"/lis/reports/{wrong['number']}/correct", values={"718-7": "150"})
    control("POST", f"/pacs/reports/{gone['number']}/withdraw")
    control.settle()
    hand = new_hand(phone).open("/reports/reports").sees("已更正").sees("已撤回").tap(re.compile("^血常规 已更正"))
    hand.sees("这份报告更正过").sees("这份报告的经过").shot("report-corrected").back()
    hand.tap(re.compile("^胸部X线正位片 已撤回")).sees("不要再用它").sees_no("未见明显异常").shot("report-withdrawn")


def test_a_sensitive_report_asks_for_the_phone_on_file_first(new_hand: New, phone: Phone, release: Release) -> None:
    release("lis", panel="hiv")
    hand = new_hand(phone).open("/reports/reports").sees_no("HIV").tap(re.compile("^检验检查报告 已出"))
    hand.sees("涉及隐私").sees_no("阴性").shot("report-hidden").tap("用微信手机号验证").tap("允许")
    hand.sees("HIV抗体筛查").sees("阴性")


def test_there_are_none_yet(new_hand: New, control: Control, phone: Phone, patient: dict[str, Any]) -> None:
    new_hand(phone).open("/reports/reports").sees("还没有报告").shot("reports-none")
    new_hand(Phone(control).sign_in()).open("/reports/reports").sees("添加就诊人")


@pytest.mark.parametrize("size", ["normal", "large"])
def test_the_pages_of_reports_keep_nobody_out(new_hand: New, phone: Phone, release: Release, size: str) -> None:
    release("pacs")
    release("lis", panel="blood", values={"6690-2": "12.50"})
    lines = phone.call("GET", "reports/reports", params={"patient_id": phone.call(
        "GET", "account/patients")["patients"][0]["id"]})["reports"]
    hand = new_hand(phone).open("/")
    if size == "large":
        hand.tap("长辈版，大字号").sees("标准版")
    found = []
    for page, text in [("reports/reports", "胸部X线正位片"), *((f"reports/report?id={one['id']}", one["title"])
                                                         for one in lines),
                       (f"reports/trend?id={lines[0]['id']}&item=1", "白细胞计数")]:
        hand.open(f"/{page}").sees(text).shot(f"{re.sub('[^a-z]', '-', page.partition('?')[0])}-{size}-{len(found)}")
        found += problems(hand, LARGE if size == "large" else NORMAL)
    assert found == []
