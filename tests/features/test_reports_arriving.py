"""Reports by push and by list, once; whose they are; what can't be read is kept and answered so that it ends."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Callable
from typing import Any

import pytest

from sandbox.phone import Control, Phone, Refused
from sandbox.town import REPORTS_PATH
from tests.features.of_reports import listed, shown
from tests.opened import code_of, hashed

Ask = Callable[..., list[tuple[Any, ...]]]
Make = Callable[..., dict[str, Any]]
ANNOUNCED = "报告已出通知"


def poll(control: Control) -> None:
    control("POST", "/scf/timers/report_sync/every-five-minutes/fire")
    control.settle()


@pytest.fixture
def fresh(control: Control) -> None:
    """Whatever was listed before has been read."""
    poll(control)


def say(control: Control, system: str, content: bytes) -> int | None:
    """What a system is answered to these bytes."""
    status: int | None = control("POST", f"/{system}/say", content=base64.b64encode(content).decode())["status"]
    return status


# -- both ways ---------------------------------------------------------------------------------------
@pytest.mark.feature("remind.report")
def test_a_report_that_was_never_pushed_is_found_in_the_list_and_announced(
        control: Control, phone: Phone, patient: dict[str, Any], made: Make, fresh: None) -> None:
    made(patient, push=False)
    assert listed(phone, patient) == []
    poll(control)
    assert [one["title"] for one in listed(phone, patient)] == ["血常规"]
    assert len(phone.inbox(ANNOUNCED)) == 1


@pytest.mark.parametrize(("system", "form"), [("lis", "hl7"), ("pacs", "json"), ("pacs", "fhir")])
def test_push_and_list_meet_at_one_key(control: Control, phone: Phone, patient: dict[str, Any], made: Make, sql: Ask,
                                       fresh: None, system: str, form: str) -> None:
    made(patient, system, form=form)
    for _ in range(2):
        poll(control)
    report = shown(phone, patient)
    assert len(phone.inbox(ANNOUNCED)) == 1
    assert sql("SELECT came_by FROM report_versions WHERE report_id = %s", (report["id"],)) == [("PUSH",)]


def test_a_list_is_read_on_from_where_it_was_left(control: Control, patient: dict[str, Any], made: Make, sql: Ask,
                                                  fresh: None) -> None:
    for _ in range(23):  # more than a page
        control("POST", "/lis/reports", patient_code=code_of_patient(control, sql, patient), panel="sugar", push=False)
    poll(control)
    [(position,)] = sql("SELECT position FROM report_cursors WHERE sender = 'lis'")
    control("POST", "/lis/reports", patient_code=code_of_patient(control, sql, patient), panel="sugar", push=False)
    poll(control)
    assert int(sql("SELECT position FROM report_cursors WHERE sender = 'lis'")[0][0]) == int(position) + 1
    assert sql("SELECT COUNT(*) FROM reports WHERE patient_id = %s", (patient["id"],)) == [(24,)]


def code_of_patient(control: Control, sql: Ask, patient: dict[str, Any]) -> str:
    return code_of(control, sql, patient["id"])


# -- whose it is --------------------------------------------------------------------------------------
def test_a_report_waits_for_its_patient_and_is_theirs_once_they_are_bound(
        control: Control, phone: Phone, stranger: dict[str, Any], sql: Ask) -> None:
    control("POST", "/lis/reports", patient_code=stranger["patient_code"], panel="blood")
    control.settle()
    mine = phone.add_patient({name: stranger[name] for name in ("id_type", "id_number", "name")},
                             phone=stranger["phone"])
    control.settle()
    assert [one["title"] for one in listed(phone, mine)] == ["血常规"]
    assert len(phone.inbox(ANNOUNCED)) == 1


def mismatch(control: Control, sql: Ask, patient: dict[str, Any]) -> dict[str, Any]:
    """The task about the one report that names a patient's number."""
    code = hashed(control, "patient_code", code_of_patient(control, sql, patient))
    [(report_id, owner)] = sql("SELECT id, owner FROM reports WHERE code_hash = %s", (code,))
    [task] = control.tasks(kind="report.mismatch", subject_id=report_id)
    assert owner == "MISMATCH"
    return task


@pytest.mark.parametrize("wrong", [{"name": "另一人"}, {"sex": "other"}, {"birth_date": "1931-02-03"}], ids=str)
def test_a_number_of_one_person_with_facts_of_another_is_a_task_and_shown_to_nobody(
        control: Control, phone: Phone, patient: dict[str, Any], made: Make, sql: Ask, wrong: dict[str, str]) -> None:
    if wrong == {"sex": "other"}:
        [(sex,)] = sql("SELECT sex FROM patients WHERE id = %s", (patient["id"],))
        wrong = {"sex": "MALE" if sex == "FEMALE" else "FEMALE"}
    made(patient, person=wrong)
    assert listed(phone, patient) == []
    assert phone.inbox(ANNOUNCED) == []
    task = mismatch(control, sql, patient)
    assert next(iter(wrong)).replace("_", " ") in task["detail"]
    assert all(value not in task["detail"] for value in wrong.values())
    control.operate("task.close", task_id=task["id"], note="told the LIS")


def test_a_report_is_theirs_once_the_two_agree_and_the_task_has_ended(
        control: Control, phone: Phone, patient: dict[str, Any], made: Make, sql: Ask) -> None:
    made(patient, person={"name": "王改名"})
    task = mismatch(control, sql, patient)
    with pytest.raises(Refused) as refusal:
        control.operate("task.retry", task_id=task["id"], note="compare once more")
    assert refusal.value.code == "nothing_to_retry"
    control("POST", f"/his/patients/{code_of_patient(control, sql, patient)}/correct", name="王改名")
    control.settle()
    assert [one["title"] for one in listed(phone, patient)] == ["血常规"]
    assert control.tasks(kind="report.mismatch", subject_id=task["subject_id"]) == []
    assert len(phone.inbox(ANNOUNCED)) == 1


# -- what can't be read -------------------------------------------------------------------------------
def test_an_unreadable_message_is_kept_whole_sealed_once_with_a_task_and_answered(
        control: Control, phone: Phone, patient: dict[str, Any], made: Make, sql: Ask) -> None:
    content = base64.b64decode(made(patient, push=False, list=False)["content"])
    broken = content.replace(b"|F|", b"|Q|")
    assert [say(control, "lis", broken) for _ in range(2)] == [200, 200]  # an ACK with AE: HTTP has done its part
    [task] = control.tasks(kind="report.unreadable", subject_id="lis:status-unknown")
    assert task["times"] >= 2
    rows = sql("SELECT id, body_enc, state FROM report_refusals WHERE reason = 'status-unknown' AND sender = 'lis'")
    assert all(row[2] == "OPEN" for row in rows)
    assert all(b"PID" not in bytes(row[1]) for row in rows)
    assert listed(phone, patient) == []
    control.operate("task.retry", task_id=task["id"], note="read them again")
    poll(control)
    [again] = control.tasks(kind="report.unreadable", subject_id="lis:status-unknown")
    assert again["id"] != task["id"]
    control.operate("task.close", task_id=again["id"], note="the LIS sends a state of its own")


def test_a_message_that_can_be_read_after_all_is_taken(control: Control, phone: Phone, patient: dict[str, Any],
                                                       made: Make, sql: Ask) -> None:
    report = made(patient, push=False, list=False)
    other = made(patient, push=False, list=False)
    used, reused = (base64.b64decode(one["content"]) for one in (report, other))
    same = reused.replace(other["number"].encode(), report["number"].encode()).replace(b"6.20", b"7.20")
    assert (say(control, "lis", used), say(control, "lis", same)) == (200, 200)
    [task] = control.tasks(kind="report.unreadable", subject_id="lis:version-reused")
    sql("DELETE FROM report_versions WHERE report_id IN (SELECT id FROM reports WHERE patient_id = %s)",
        (patient["id"],))
    sql("DELETE FROM reports WHERE patient_id = %s", (patient["id"],))
    control.operate("task.retry", task_id=task["id"], note="the first one was wrong")
    poll(control)
    kept = hashlib.sha256(b"lis\n" + same).digest()
    assert sql("SELECT state FROM report_refusals WHERE body_hash = %s", (kept,)) == [("TAKEN",)]
    assert next(one["value"] for one in shown(phone, patient)["items"]) == "7.20"


@pytest.mark.parametrize(("content", "form", "status"), [
    (b"{}", "json", 422), (b"not json", "json", 422), (b'{"resourceType": "Patient"}', "fhir", 422)], ids=str)
def test_what_is_no_report_is_answered_with_its_reason(control: Control, content: bytes, form: str, status: int
                                                       ) -> None:
    assert say(control, "pacs", content) == status


def test_only_who_signs_is_heard(control: Control, phone: Phone) -> None:
    for headers in ({}, {"X-Report-Client": "lis"}, {"X-Report-Client": "his"},
                    {"X-Report-Client": "lis", "X-Report-Timestamp": "1", "X-Report-Nonce": "0" * 32,
                     "X-Report-Signature": "0" * 64}):
        answer = phone.raw("POST", REPORTS_PATH.removeprefix("/api/"), data=b"MSH|", headers={
            "Content-Type": "text/plain", **headers})
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "signature_invalid")


def test_a_message_of_megabytes_is_read_and_a_larger_one_refused_before_it_is(
        control: Control, phone: Phone, patient: dict[str, Any], made: Make) -> None:
    content = json.loads(base64.b64decode(made(patient, "pacs", push=False, list=False)["content"]))
    picture = base64.b64decode(content["reports"][0]["attachments"][0]["data"]) + secrets.token_bytes(3_000_000)
    content["reports"][0]["attachments"][0]["data"] = base64.b64encode(picture).decode()
    assert say(control, "pacs", json.dumps(content).encode()) == 200
    assert len(shown(phone, patient)["files"]) == 2
    assert say(control, "pacs", b" " * (6 * 1024 * 1024 + 1)) == 413


def test_a_training_message_is_answered_and_is_about_nobody(control: Control, phone: Phone, patient: dict[str, Any],
                                                            made: Make) -> None:
    content = base64.b64decode(made(patient, push=False, list=False)["content"])
    assert say(control, "lis", content.replace(b"|P|2.4", b"|T|2.4")) == 200
    assert listed(phone, patient) == []
