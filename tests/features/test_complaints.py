"""Complaints, suggestions, praise: received, answered by a time, rated, looked at once more; by their author alone."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from typing import Any

import pytest
import requests

from sandbox.phone import Control, Phone, Refused
from tests.features.conftest import Visit, refused
from tests.opened import account_of

Ask = Callable[..., list[tuple[Any, ...]]]
TEXT = "11月23日上午候诊三个多小时，叫号屏一直不动，问了分诊台也没人解释。"
ANSWER = "您好，叫号系统当日故障，已修复并增加人工叫号。给您带来不便，非常抱歉。"


def staff(control: Control, action: str, complaint: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A command about a complaint."""
    answer: dict[str, Any] = control.operate(f"complaint.{action}", complaint_id=complaint["id"], **more)
    control.settle()
    return answer


def way(phone: Phone, complaint: dict[str, Any]) -> list[str]:
    """What its author sees to have happened."""
    return [one["what"] for one in phone.complaint(complaint["id"])["entries"]]


def opened_by_staff(control: Control, complaint: dict[str, Any]) -> dict[str, Any]:
    """What staff read of it."""
    told = staff(control, "open", complaint, note="handling it")
    content: dict[str, Any] = requests.get(
        f"{control.addresses['control']}/cos/objects/{told['file']}",
        params={"bucket": control("GET", "/scf/env/operations")["COS_BUCKET"]}, timeout=30).json()
    return content


@pytest.mark.feature("feedback.complaint")
def test_a_complaint_is_received_answered_rated_and_closed(control: Control, phone: Phone, sql: Ask) -> None:
    filed = phone.complain(TEXT)
    control.settle()
    assert re.fullmatch(r"\d{3} \d{3} \d{4}", filed["number"])
    assert (filed["state"], filed["state_text"], filed["can_withdraw"], filed["can_rate"]) == (
        "RECEIVED", "已收到", True, False)
    assert filed["due_at"] == "2026-11-30T09:30:00Z"  # five working days after Monday, half past five in Beijing
    assert filed["entries"] == [{"at": filed["created_at"], "what": "RECEIVED", "what_text": "已提交", "text": TEXT}]
    [told] = phone.inbox("投诉建议受理通知")
    assert told["data"]["character_string1"] == filed["number"]
    assert staff(control, "take", filed) == {"state": "IN_HAND"}
    staff(control, "note", filed, text="电话问过护士长")
    assert opened_by_staff(control, filed)["entries"][-1]["text"] == "电话问过护士长"
    assert staff(control, "answer", filed, text=ANSWER) == {"state": "ANSWERED"}
    [told] = phone.inbox("投诉建议答复通知")
    assert told["data"]["thing3"] == "医院已答复，请查看并评价"
    shown = phone.complaint(filed["id"])
    assert (shown["state"], shown["entries"][-1]["text"], shown["can_withdraw"], shown["can_rate"]) == (
        "ANSWERED", ANSWER, False, True)
    assert way(phone, filed) == ["RECEIVED", "TAKEN", "ANSWERED"]  # the note is staff's own
    rated = phone.call("POST", f"feedback/complaints/{filed['id']}/rating", {"stars": 4})
    assert (rated["stars"], rated["can_rate"]) == (4, False)
    assert phone.call("POST", f"feedback/complaints/{filed['id']}/rating", {"stars": 4}) == rated
    control("PUT", "/clock", now="2026-11-30T08:00:00+08:00")
    phone.sign_in()
    control.work()
    assert phone.complaint(filed["id"])["state"] == "CLOSED"
    assert way(phone, filed)[-2:] == ["RATED", "CLOSED"]
    assert refused(lambda: reopen(phone, filed)) == (409, "not_reopenable")
    assert control.tasks(kind="complaint.*", subject_id=filed["id"]) == []


def reopen(phone: Phone, complaint: dict[str, Any], text: str = "问题没有解决，屏幕今天又不动了。") -> dict[str, Any]:
    """Ask for another look."""
    answer: dict[str, Any] = phone.call("POST", f"feedback/complaints/{complaint['id']}/reopening", {"text": text})
    return answer


@pytest.mark.feature("feedback.complaint")
def test_an_answered_one_is_looked_at_once_more_and_no_third_time(control: Control, phone: Phone) -> None:
    filed = phone.complain(TEXT)
    assert refused(lambda: reopen(phone, filed)) == (409, "not_answered_yet")
    staff(control, "answer", filed, text=ANSWER)
    phone.call("POST", f"feedback/complaints/{filed['id']}/rating", {"stars": 1})
    assert phone.complaint(filed["id"])["reopen_until"] is not None
    again = reopen(phone, filed)
    assert (again["state"], again["stars"], again["can_rate"], again["reopen_until"]) == ("REOPENED", 1, False, None)
    assert again["due_at"] is not None
    staff(control, "answer", filed, text="已更换叫号屏，并安排专人在候诊区引导。")
    shown = phone.complaint(filed["id"])
    assert (shown["state"], shown["stars"], shown["can_rate"], shown["reopen_until"]) == ("ANSWERED", None, True, None)
    assert refused(lambda: reopen(phone, filed)) == (409, "not_reopenable")
    assert len(phone.inbox("投诉建议答复通知")) == 2
    assert way(phone, filed) == ["RECEIVED", "ANSWERED", "RATED", "REOPENED", "ANSWERED"]


@pytest.mark.feature("feedback.complaint")
def test_staff_are_reminded_before_the_answer_is_owed_and_again_when_it_is(control: Control, phone: Phone) -> None:
    filed = phone.complain(TEXT)
    control.work()
    assert control.tasks(kind="complaint.*", subject_id=filed["id"]) == []
    control("PUT", "/clock", now="2026-11-28T09:00:00+08:00")  # three fifths of the time are over
    control.work()
    [task] = control.tasks(kind="complaint.*", subject_id=filed["id"])
    assert (task["kind"], task["ends_with"][0]) == ("complaint.due-soon", "complaint.take")
    assert TEXT not in str(task)
    control("PUT", "/clock", now="2026-11-30T17:31:00+08:00")
    control.work()
    assert [one["kind"] for one in control.tasks(kind="complaint.*", subject_id=filed["id"])] == ["complaint.overdue"]
    listed = control.operate("complaint.list", overdue=True)["complaints"]
    assert [one["overdue"] for one in listed if one["id"] == filed["id"]] == [True]
    staff(control, "answer", filed, text=ANSWER)
    assert control.tasks(kind="complaint.*", subject_id=filed["id"]) == []


def test_handed_over_it_has_more_time_and_its_author_sees_that(control: Control, phone: Phone) -> None:
    filed = phone.complain(TEXT)
    moved = staff(control, "hand_over", filed, to="信息科", more_days=5)
    assert moved == {"state": "IN_HAND", "due_at": "2026-12-07T09:30:00+00:00"}
    shown = phone.complaint(filed["id"])
    assert shown["due_at"] == "2026-12-07T09:30:00Z"
    assert (shown["entries"][-1]["what_text"], shown["entries"][-1]["text"]) == ("已转相关科室一同核实", "")
    control("PUT", "/clock", now="2026-11-30T17:31:00+08:00")  # the deadline that was
    control.work()
    assert "complaint.overdue" not in [one["kind"] for one in control.tasks(subject_id=filed["id"])]


def test_days_off_do_not_count_and_worked_weekends_do(control: Control, phone: Phone, policy: Callable[..., None]
                                                      ) -> None:
    policy(office_days_off=["2026-11-24", "2026-11-25"], office_days=["2026-11-28"], office_ends="16:00")
    assert phone.complain(TEXT)["due_at"] == "2026-12-01T08:00:00Z"
    assert phone.complain("护士小李非常细心，特别感谢！", kind="PRAISE")["due_at"] is None


def test_it_is_taken_back_while_no_answer_is_there(control: Control, phone: Phone) -> None:
    filed, late = phone.complain(TEXT), phone.complain(TEXT + "另一件")
    gone = phone.call("POST", f"feedback/complaints/{filed['id']}/withdrawal")
    assert (gone["state"], gone["due_at"], gone["can_withdraw"]) == ("WITHDRAWN", None, False)
    assert phone.call("POST", f"feedback/complaints/{filed['id']}/withdrawal") == gone
    with pytest.raises(Refused) as refusal:
        staff(control, "answer", filed, text=ANSWER)
    assert refusal.value.code == "nothing_owed"
    staff(control, "answer", late, text=ANSWER)
    assert refused(lambda: phone.call("POST", f"feedback/complaints/{late['id']}/withdrawal")) == (
        409, "answered_already")
    control("PUT", "/clock", now="2026-11-30T17:31:00+08:00")
    control.work()
    assert control.tasks(kind="complaint.*", subject_id=filed["id"]) == []


def test_a_repeat_is_the_same_complaint_and_another_text_under_its_key_is_refused(phone: Phone, sql: Ask) -> None:
    key = secrets.token_hex(16)
    filed = phone.complain(TEXT, key=key)
    assert phone.complain(TEXT, key=key) == filed
    assert refused(lambda: phone.complain(TEXT + "还有", key=key)) == (422, "idempotency_key_reused")
    assert [one["id"] for one in phone.call("GET", "feedback/complaints")["complaints"]] == [filed["id"]]


@pytest.mark.feature("feedback.complaint")
def test_it_is_about_a_visit_a_department_a_doctor_or_nothing(
        control: Control, phone: Phone, patient: dict[str, Any], session: dict[str, Any], visit: Visit) -> None:
    booking = visit(phone, patient, session)
    groups = phone.call("GET", "booking/departments")["groups"]
    department = groups[0]["departments"][0]
    for about, about_id, words in (
            ("VISIT", booking, f"11月25日 {session['department_name']}就诊"), ("NOTHING", "", ""),
            ("DEPARTMENT", department["id"], department["name"]),
            ("DOCTOR", session["doctor_id"], f"{session['doctor_name']}医生")):
        filed = phone.complain(TEXT, kind="SUGGESTION", about=about, about_id=about_id)
        assert (filed["about_text"], filed["about_id"]) == (words, about_id)
    for about, about_id in (("VISIT", "0" * 26), ("DOCTOR", department["id"]), ("DEPARTMENT", booking),
                            ("NOTHING", booking)):
        assert refused(lambda one=about, of=about_id: phone.complain(TEXT, about=one, about_id=of)) == (
            422, "subject_not_found")
    stranger = Phone(control).sign_in()
    assert refused(lambda: stranger.complain(TEXT, about="VISIT", about_id=booking)) == (422, "subject_not_found")


def test_after_unbinding_it_stays_readable_without_a_word_of_the_visit(
        control: Control, phone: Phone, patient: dict[str, Any], session: dict[str, Any], visit: Visit) -> None:
    filed = phone.complain(TEXT, about="VISIT", about_id=visit(phone, patient, session))
    phone.call("DELETE", f"account/patients/{patient['id']}")
    control.settle()
    shown = phone.complaint(filed["id"])
    assert (shown["about_text"], shown["about_id"], shown["entries"][0]["text"]) == ("一次就诊", "", TEXT)
    assert session["department_name"] not in str(shown)
    staff(control, "answer", filed, text=ANSWER)
    assert len(phone.inbox("投诉建议答复通知")) == 1


def test_a_number_is_found_as_it_is_read_out_and_a_misheard_one_is_refused(control: Control, phone: Phone) -> None:
    filed = phone.complain(TEXT)
    for spoken in (filed["number"], filed["number"].replace(" ", ""), filed["number"].replace(" ", "-")):
        [found] = control.operate("complaint.list", number=spoken)["complaints"]
        assert found["id"] == filed["id"]
        assert TEXT not in str(found)
    wrong = filed["number"][:-1] + str((int(filed["number"][-1]) + 1) % 10)
    with pytest.raises(Refused) as refusal:
        control.operate("complaint.list", number=wrong)
    assert refusal.value.code == "number_wrong"


def test_both_messages_lie_in_the_inbox_and_open_the_complaint_without_any_patient(
        control: Control, guest: Phone, policy: Callable[..., None]) -> None:
    filed = guest.complain(TEXT)  # a guest has no patient, and has allowed WeChat nothing
    staff(control, "answer", filed, text=ANSWER)
    answered, received = guest.call("GET", "messages/inbox")["messages"]
    assert [(one["title"], one["opens"], one["withheld"]) for one in (received, answered)] == [
        (title, f"/feedback/complaint?id={filed['id']}", False) for title in ("投诉建议已受理", "医院已答复")]
    assert {"label": "受理编号", "text": filed["number"]} in answered["lines"]


# -- WeChat's look at the text ----------------------------------------------------------------------
def test_a_text_that_wechat_calls_risky_is_not_taken_and_a_doubted_one_is_marked(control: Control, phone: Phone,
                                                                                  sql: Ask) -> None:
    assert refused(lambda: phone.complain("这里有赌博网站，快来看看吧")) == (422, "text_refused")
    assert phone.call("GET", "feedback/complaints")["complaints"] == []
    filed = phone.complain("分诊台的人说加我微信才给加号，请查一查。")
    listed = control.operate("complaint.list")["complaints"]
    assert [one["text_state"] for one in listed if one["id"] == filed["id"]] == ["REVIEW"]
    assert "REVIEW" not in str(phone.complaint(filed["id"]))


def test_what_wechat_calls_risky_later_stays_with_a_mark(control: Control, phone: Phone, sql: Ask) -> None:
    control.fault("wechat", "check_text", "cut_before")
    filed = phone.complain("保安在推销赌博网站，太不像话了。")
    control.settle()
    assert sql("SELECT text_state, state FROM complaints WHERE id = %s", (filed["id"],)) == [("RISKY", "RECEIVED")]
    assert phone.complaint(filed["id"])["entries"][0]["text"].startswith("保安")


# -- limits, strangers, what is sealed --------------------------------------------------------------
def test_complaints_of_one_account_have_a_limit(control: Control, phone: Phone, policy: Callable[..., None]) -> None:
    policy(limit_complaints={"burst": 2, "seconds": 3600})
    for number in range(2):
        phone.complain(f"{TEXT}{number}")
    assert refused(lambda: phone.complain(TEXT)) == (429, "too_many_requests")
    Phone(control).sign_in().complain(TEXT)


def test_a_stranger_sees_and_moves_nothing(control: Control, phone: Phone) -> None:
    filed = phone.complain(TEXT)
    stranger, path = Phone(control).sign_in(), f"feedback/complaints/{filed['id']}"
    for method, more, body in (("GET", "", None), ("POST", "/withdrawal", None), ("POST", "/rating", {"stars": 1}),
                               ("POST", "/reopening", {"text": "让我也说两句吧"})):
        assert refused(lambda way=method, to=path + more, what=body: stranger.call(way, to, what)) == (
            404, "complaint_not_found")
    assert phone.complaint(filed["id"]) == filed


def test_what_was_written_stands_nowhere_open(control: Control, phone: Phone, sql: Ask) -> None:
    words = f"只有我知道的话{secrets.token_hex(4)}"
    filed = phone.complain(words)
    staff(control, "note", filed, text=words)
    staff(control, "answer", filed, text=words)
    reopen(phone, filed, words)
    control.settle()
    tables = [row[0] for row in sql("SELECT table_name FROM information_schema.tables "
                                    "WHERE table_schema = DATABASE()")]
    assert [table for table in tables for row in sql(f"SELECT * FROM `{table}`") for value in row
            if words in (value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value))] == []
    account = account_of(control, sql, phone.openid)
    assert {row[0] for row in sql("SELECT action FROM audit WHERE actor = %s AND action LIKE 'complaint.%%'",
                                  (f"account:{account}",))} == {"complaint.file", "complaint.reopen"}
    assert {row[0] for row in sql("SELECT action FROM audit WHERE subject = %s AND actor LIKE 'operator:%%'",
                                  (filed["id"],))} == {"complaint.note", "complaint.answer"}
