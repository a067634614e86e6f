"""LIS, PACS and COS answer late, wrongly or never, functions die: no report is lost, told twice or shown in part."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.phone import Control, Phone
from tests.features.of_reports import listed, shown
from tests.opened import code_of

Ask = Callable[..., list[tuple[Any, ...]]]
ANNOUNCED = "报告已出通知"
FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("error", {"status": 502}), ("refuse", {"status": 422}), ("cut_before", {}), ("cut_after", {}), ("garbage", {}),
    ("delay", {"seconds": 1})]


def poll(control: Control) -> None:
    control("POST", "/scf/timers/report_sync/every-five-minutes/fire")
    control.settle()


@pytest.fixture
def code(control: Control, patient: dict[str, Any], sql: Ask) -> str:
    """The patient's number in the HIS; whatever was listed before has been read."""
    poll(control)
    return code_of(control, sql, patient["id"])


@pytest.mark.parametrize(("kind", "how"), FAULTS, ids=[kind for kind, _ in FAULTS])
@pytest.mark.parametrize("system", ["lis", "pacs"])
def test_a_list_that_goes_wrong_is_read_the_next_time_and_nothing_is_skipped(
        control: Control, phone: Phone, patient: dict[str, Any], code: str, system: str, kind: str, how: dict[str, Any]
        ) -> None:
    control("POST", f"/{system}/reports", patient_code=code, panel="sugar" if system == "lis" else "chest", push=False)
    control.fault(system, "list_changes", kind, times=1, **how)
    poll(control)
    poll(control)
    assert len(listed(phone, patient)) == 1
    assert len(phone.inbox(ANNOUNCED)) == 1


def test_one_system_s_silence_does_not_keep_the_other_s_reports(
        control: Control, phone: Phone, patient: dict[str, Any], code: str) -> None:
    control("POST", "/pacs/reports", patient_code=code, push=False)
    control.fault("lis", "list_changes", "error", times=-1)
    poll(control)
    assert shown(phone, patient)["title"] == "胸部X线正位片"


@pytest.mark.parametrize(("kind", "how"), FAULTS[:5], ids=[kind for kind, _ in FAULTS[:5]])
def test_what_cos_does_not_take_is_not_kept_in_part_and_is_sent_again(
        control: Control, phone: Phone, patient: dict[str, Any], code: str, sql: Ask, kind: str, how: dict[str, Any]
        ) -> None:
    control.fault("cos", "put_object", kind, times=2, **how)
    control("POST", "/pacs/reports", patient_code=code, list=False)
    control.settle()
    control.advance(400)
    control.settle()
    report = shown(phone, patient)
    assert [one["media_type"] for one in report["files"]] == ["image/png", "application/pdf"]
    assert sql("SELECT COUNT(*) FROM report_versions WHERE report_id = %s", (report["id"],)) == [(1,)]
    assert len(phone.inbox(ANNOUNCED)) == 1


def test_a_message_in_which_one_report_contradicts_is_refused_whole_and_the_next_is_taken(
        control: Control, phone: Phone, patient: dict[str, Any], code: str) -> None:
    import base64

    made = control("POST", "/lis/reports", patient_code=code, panel="sugar", push=False, list=False)
    content = base64.b64decode(made["content"])
    doubtful = content.replace(b"|3.9-6.1|", b"|3.9-6.1 g/L|")
    assert control("POST", "/lis/say", content=base64.b64encode(doubtful).decode()) == {"status": 200}
    assert listed(phone, patient) == []
    assert control("POST", "/lis/say", content=base64.b64encode(content).decode()) == {"status": 200}
    assert len(listed(phone, patient)) == 1


@pytest.mark.parametrize("function", ["report_push", "worker"])
def test_a_function_that_dies_loses_no_report_and_tells_of_it_once(
        control: Control, phone: Phone, patient: dict[str, Any], code: str, function: str) -> None:
    if function == "worker":
        control.fault("wechat", "send_message", "cut_after", times=1)
    else:
        control.fault("cos", "put_object", "hold", times=1)
    control("POST", "/pacs/reports", patient_code=code)
    if function == "report_push":
        for _ in range(400):
            if any(one["kind"] == "hold" and one["hits"] for one in control("GET", "/faults")["faults"]):
                break
            control("GET", "/clock")
        assert control("POST", "/scf/instances/stop", function=function)["stopped"] >= 1
        control("DELETE", "/faults")
    control.settle()
    control.advance(400)
    control.settle()
    poll(control)
    assert len(listed(phone, patient)) == 1
    assert len(phone.inbox(ANNOUNCED)) == 1
