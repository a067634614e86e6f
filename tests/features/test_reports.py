"""Reports that LIS and PACS push: shown to whom they are of and to nobody else, once, announced once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from sandbox.people import person
from sandbox.phone import Control, Phone
from tests.features.conftest import refused
from tests.features.of_reports import listed, shown

Make = Callable[..., dict[str, Any]]
ANNOUNCED = "报告已出通知"


@pytest.mark.feature("reports.lab")
@pytest.mark.feature("reports.ready-push")
def test_a_laboratory_s_report_is_shown_with_a_sentence_and_each_result(control: Control, phone: Phone,
                                                                        patient: dict[str, Any], made: Make) -> None:
    made(patient, values={"6690-2": "12.50", "718-7": "101"})
    [line] = listed(phone, patient)
    assert line["title"] == "血常规"
    assert (line["state_text"], line["is_abnormal"], line["is_hidden"]) == ("已出", True, False)
    assert line["sentence"] == "5项中有1项偏高、1项偏低，请带给医生看。"
    report = phone.call("GET", f"reports/reports/{line['id']}")
    high = next(one for one in report["items"] if one["name"] == "白细胞计数")
    assert (high["value"], high["unit"], high["reference"], high["flag_text"]) == ("12.50", "10*9/L", "3.5-9.5", "偏高")
    assert (high["low"], high["high"], high["number"]) == ("3.5", "9.5", "12.50")
    assert [one["name"] for one in report["items"] if one["is_abnormal"]] == ["白细胞计数", "血红蛋白"]


@pytest.mark.feature("remind.report")
def test_a_report_is_announced_once_to_whom_it_is_of(control: Control, phone: Phone, patient: dict[str, Any],
                                                     made: Make) -> None:
    one = made(patient)
    control("POST", f"/lis/reports/{one['number']}/resend")
    control.settle()
    [message] = phone.inbox(ANNOUNCED)
    assert "备注: 报告已出，请进入小程序查看" in message["lines"]
    assert len(listed(phone, patient)) == 1


@pytest.mark.feature("reports.exam")
@pytest.mark.parametrize("form", ["json", "fhir"])
def test_an_examination_is_shown_with_its_texts_pictures_and_pdf(
        control: Control, phone: Phone, patient: dict[str, Any], made: Make, form: str) -> None:
    made(patient, "pacs", form=form)
    report = shown(phone, patient)
    assert (report["kind"], report["title"]) == ("imaging", "胸部X线正位片")
    assert report["conclusion"] == "心肺膈未见明显异常。"
    assert [one["media_type"] for one in report["files"]] == ["image/png", "application/pdf"]
    for number, begin in ((0, b"\x89PNG"), (1, b"%PDF")):
        link = phone.call("POST", f"reports/reports/{report['id']}/files/{number}/link")
        file = requests.get(link["url"], timeout=10)
        assert (file.status_code, file.content[:4]) == (200, begin)
        assert report["number"] not in link["url"]


def test_nobody_else_sees_a_report_or_its_files(control: Control, phone: Phone, patient: dict[str, Any], made: Make
                                                ) -> None:
    made(patient, "pacs")
    report = shown(phone, patient)
    other = Phone(control).sign_in()
    other.add_patient(person())
    assert refused(lambda: other.call("GET", f"reports/reports/{report['id']}")) == (404, "report_not_found")
    assert refused(lambda: other.call("POST", f"reports/reports/{report['id']}/files/0/link")) == (
        404, "report_not_found")
    assert refused(lambda: listed(other, patient)) == (404, "patient_not_found")


def test_a_stranger_s_number_or_a_file_that_is_not_there_is_refused(phone: Phone, patient: dict[str, Any], made: Make
                                                                    ) -> None:
    made(patient)
    report = shown(phone, patient)
    for number in ("0", "99", "x", "-1"):
        assert refused(lambda number=number: phone.call(  # type: ignore[misc]
            "POST", f"reports/reports/{report['id']}/files/{number}/link")) == (404, "file_not_found")


def test_only_who_has_proven_whose_record_it_is_reads_reports(control: Control, phone: Phone, made: Make) -> None:
    someone = person()
    mine = phone.add_patient(someone)
    made(mine)
    other = Phone(control).sign_in()
    theirs = other.add_patient(someone, proven=False)
    assert refused(lambda: listed(other, theirs)) == (403, "proof_required")
    assert refused(lambda: other.call("GET", f"reports/reports/{listed(phone, mine)[0]['id']}")) == (
        403, "proof_required")
