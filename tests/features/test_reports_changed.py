"""A report that is corrected or withdrawn replaces the old one for all to see; sensitive ones; a value over time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.phone import Control, Phone
from tests.features.conftest import refused
from tests.features.of_reports import listed, shown

Ask = Callable[..., list[tuple[Any, ...]]]
Make = Callable[..., dict[str, Any]]
ANNOUNCED = "报告已出通知"


def change(control: Control, number: str, what: str, system: str = "lis", **told: Any) -> None:
    control.advance(60)
    control("POST", f"/{system}/reports/{number}/{what}", **told)
    control.settle()


def notes(phone: Phone) -> list[str]:
    """What each announcement says."""
    return [line.partition(": ")[2] for one in phone.inbox(ANNOUNCED) for line in one["lines"] if "备注" in line]


def test_a_corrected_report_replaces_the_old_one_says_so_and_keeps_its_history(
        control: Control, phone: Phone, patient: dict[str, Any], made: Make) -> None:
    one = made(patient, values={"718-7": "90"})
    change(control, one["number"], "correct", values={"718-7": "150"})
    report = shown(phone, patient)
    assert (report["state_text"], report["sentence"][:16]) == ("已更正", "这份报告更正过，请以现在的为准。")
    assert next(item["value"] for item in report["items"] if item["name"] == "血红蛋白") == "150"
    assert [version["status_text"] for version in report["history"]] == ["已审核发布", "已更正"]
    assert sorted(notes(phone)) == ["报告已出，请进入小程序查看", "报告有更正，请以新报告为准"]


def test_a_withdrawn_report_shows_nothing_but_that(control: Control, phone: Phone, patient: dict[str, Any], made: Make
                                                   ) -> None:
    one = made(patient, "pacs")
    change(control, one["number"], "withdraw", "pacs")
    report = shown(phone, patient)
    assert (report["state_text"], report["items"], report["files"], report["conclusion"]) == ("已撤回", [], [], "")
    assert "不要再用" in report["sentence"]
    assert notes(phone)[-1] == "报告已撤回，请勿使用"
    assert refused(lambda: phone.call("POST", f"reports/reports/{report['id']}/files/0/link")) == (
        404, "file_not_found")


def test_what_is_not_audited_is_listed_as_not_out_and_shown_once_it_is(
        control: Control, phone: Phone, patient: dict[str, Any], made: Make) -> None:
    one = made(patient, status="preliminary")
    report = shown(phone, patient)
    assert (report["state_text"], report["items"]) == ("未出", [])
    assert notes(phone) == []
    change(control, one["number"], "audit")
    assert shown(phone, patient)["state_text"] == "已出"
    assert len(notes(phone)) == 1


def test_an_earlier_version_that_comes_late_is_only_history(control: Control, phone: Phone, patient: dict[str, Any],
                                                            made: Make, sql: Ask) -> None:
    control("PUT", "/lis/mode", hold=True)
    one = made(patient, values={"718-7": "90"}, list=False)
    control.advance(60)
    control("PUT", "/lis/mode", drop=True, hold=True)
    corrected = control("POST", f"/lis/reports/{one['number']}/correct", values={"718-7": "150"}, push=False,
                        list=False)
    control("PUT", "/lis/mode", drop=False)
    control("POST", "/lis/say", content=corrected["content"])
    control("PUT", "/lis/mode", hold=False)
    control.settle()
    report = shown(phone, patient)
    assert next(item["value"] for item in report["items"] if item["name"] == "血红蛋白") == "150"
    assert len(report["history"]) == 2
    assert len(notes(phone)) == 1


def test_the_same_content_sent_under_another_number_is_no_correction(control: Control, phone: Phone,
                                                                    patient: dict[str, Any], made: Make) -> None:
    one = made(patient)
    change(control, one["number"], "audit")  # final again, with the next number
    assert shown(phone, patient)["state_text"] == "已出"
    assert len(notes(phone)) == 1


# -- sensitive kinds ----------------------------------------------------------------------------------
def test_a_sensitive_report_is_announced_and_listed_without_content_and_shown_after_a_second_check(
        control: Control, phone: Phone, patient: dict[str, Any], made: Make) -> None:
    made(patient, panel="hiv")
    [line] = listed(phone, patient)
    report = phone.call("GET", f"reports/reports/{line['id']}")
    told = f"{line} {report} {phone.inbox(ANNOUNCED)} {phone.call('GET', 'messages/inbox')}"
    assert "HIV" not in told
    assert "阴性" not in told
    assert (line["is_hidden"], report["is_hidden"], report["items"]) == (True, True, [])
    path = f"reports/reports/{line['id']}"
    assert refused(lambda: phone.call("GET", f"{path}/trend", params={"sequence": 1})) == (404, "trend_not_found")
    other = Phone(control).sign_in()
    assert refused(lambda: phone.call("POST", f"{path}/reveal", {"code": other.phone_code()}))[0] in (400, 403)
    assert refused(lambda: phone.call("POST", f"{path}/reveal", {"sms_code": "000000"}))[0] == 400
    revealed = phone.call("POST", f"{path}/reveal", {"code": phone.phone_code()})["report"]
    assert (revealed["title"], revealed["items"][0]["value"]) == ("HIV抗体筛查", "阴性")


def test_what_is_sensitive_is_the_hospital_s_to_say(phone: Phone, patient: dict[str, Any], made: Make,
                                                    policy: Callable[..., None]) -> None:
    made(patient, panel="sugar")
    assert [one["is_hidden"] for one in listed(phone, patient)] == [False]
    policy(report_sensitive_words=["血糖"])
    assert [one["is_hidden"] for one in listed(phone, patient)] == [True]


def test_files_of_a_sensitive_report_come_with_the_second_check_alone(phone: Phone, patient: dict[str, Any], made: Make
                                                                      ) -> None:
    made(patient, "pacs", sensitivity="R")
    [line] = listed(phone, patient)
    path = f"reports/reports/{line['id']}"
    assert refused(lambda: phone.call("POST", f"{path}/files/0/link")) == (403, "second_check_required")
    links = phone.call("POST", f"{path}/reveal", {"code": phone.phone_code()})["links"]
    assert [one["media_type"] for one in links] == ["image/png", "application/pdf"]


# -- over time ----------------------------------------------------------------------------------------
@pytest.mark.feature("reports.lab")
def test_a_value_is_followed_by_code_and_unit_and_different_units_are_never_joined(
        control: Control, phone: Phone, patient: dict[str, Any], made: Make) -> None:
    for value in ("5.2", "6.8"):
        made(patient, panel="sugar", values={"14771-0": value})
        control.advance(3600)
    made(patient, panel="sugar_mg", values={"14771-0": "99"})
    newest, second, _ = listed(phone, patient)
    trend = phone.call("GET", f"reports/reports/{second['id']}/trend", params={"sequence": 1})
    assert (trend["unit"], trend["low"], trend["high"]) == ("mmol/L", "3.9", "6.1")
    assert [(point["value"], point["flag_text"]) for point in trend["points"]] == [("5.2", "正常"), ("6.8", "偏高")]
    other = phone.call("GET", f"reports/reports/{newest['id']}/trend", params={"sequence": 1})
    assert [point["value"] for point in other["points"]] == ["99"]


def test_a_text_has_no_course(phone: Phone, patient: dict[str, Any], made: Make) -> None:
    made(patient, values={"1988-5": "未检出"})
    report = shown(phone, patient)
    item = next(one for one in report["items"] if one["name"] == "C反应蛋白")
    assert not item["has_trend"]
    assert refused(lambda: phone.call("GET", f"reports/reports/{report['id']}/trend",
                                      params={"sequence": item["sequence"]})) == (404, "trend_not_found")


def test_a_withdrawn_report_s_values_are_followed_no_more(control: Control, phone: Phone, patient: dict[str, Any],
                                                          made: Make) -> None:
    gone = made(patient, panel="sugar")
    made(patient, panel="sugar", values={"14771-0": "5.9"})
    change(control, gone["number"], "withdraw")
    latest = listed(phone, patient)[0]
    trend = phone.call("GET", f"reports/reports/{latest['id']}/trend", params={"sequence": 1})
    assert [point["value"] for point in trend["points"]] == ["5.9"]
