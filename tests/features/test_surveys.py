"""Satisfaction: a finished visit is rated once, and nothing leads from the answer to who gave it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import requests

from sandbox.people import person
from sandbox.phone import Control, Phone, Refused
from tests.features.conftest import Visit, refused
from tests.opened import account_of, opened

Ask = Callable[..., list[tuple[Any, ...]]]
AFTER = "2026-11-23T13:00:00+08:00"  # the morning's sessions are over
MARKS = {"overall": 5, "doctor": 4, "again": "yes"}


@pytest.fixture
def visited(control: Control, new_session: Callable[..., dict[str, Any]], visit: Visit) -> Callable[..., str]:
    """``visited(phone, patient)``: registered for this morning, paid and checked in; the registration's id."""
    def make(phone: Phone, patient: dict[str, Any], session: dict[str, Any] | None = None) -> str:
        booking = visit(phone, patient, session or new_session(date="2026-11-23"))
        phone.check_in(booking)
        return booking

    return make


def look_round(control: Control) -> int:
    """What comes every ten minutes: how many were asked."""
    answer = control("POST", "/scf/timers/reconcile/every-ten-minutes/fire")
    assert "error" not in answer, answer
    control.settle()
    return int(answer["result"]["asked"])


@pytest.mark.feature("feedback.survey")
def test_a_finished_visit_is_rated_once_and_a_second_try_changes_nothing(
        control: Control, phone: Phone, patient: dict[str, Any], visited: Callable[..., str], sql: Ask) -> None:
    booking = visited(phone, patient)
    assert phone.survey(booking)["state"] == "TOO_EARLY"
    assert refused(lambda: phone.rate_visit(booking, **MARKS)) == (409, "visit_not_finished")
    control("PUT", "/clock", now=AFTER)
    shown = phone.survey(booking)
    assert (shown["state"], shown["version"], [one["kind"] for one in shown["questions"]]) == (
        "OPEN", 1, ["STARS"] * 4 + ["CHOICE", "TEXT"])
    assert shown["doctor_name"]
    before = sql("SELECT COUNT(*) FROM survey_answers")[0][0]
    assert phone.rate_visit(booking, **MARKS, words="医生很耐心，谢谢。") == "ANSWERED"
    assert phone.rate_visit(booking, overall=1, doctor=1) == "ANSWERED"
    assert phone.survey(booking)["state"] == "ANSWERED"
    assert sql("SELECT COUNT(*) FROM survey_answers")[0][0] == before + 1


@pytest.mark.feature("feedback.survey")
def test_who_was_here_is_asked_once_when_the_session_is_over(
        control: Control, phone: Phone, patient: dict[str, Any], visited: Callable[..., str]) -> None:
    booking = visited(phone, patient)
    look_round(control)
    assert phone.inbox("就诊评价提醒") == []
    control("PUT", "/clock", now=AFTER)
    assert look_round(control) >= 1
    look_round(control)
    [told] = phone.inbox("就诊评价提醒")
    letter = phone.call("GET", "messages/inbox")["messages"][0]
    assert (letter["title"], letter["opens"]) == ("请评价本次就诊", f"/feedback/survey?id={booking}")
    assert told["page"] == letter["opens"].removeprefix("/")
    assert told["data"]["thing5"].startswith("花一分钟评价")
    assert phone.rate_visit(booking, overall=4, doctor=4) == "ANSWERED"


def test_nobody_is_asked_who_has_answered_was_not_here_or_when_the_hospital_does_not_ask(
        control: Control, phone: Phone, patient: dict[str, Any], visited: Callable[..., str], visit: Visit,
        new_session: Callable[..., dict[str, Any]], policy: Callable[..., None]) -> None:
    booking = visited(phone, patient)
    away = Phone(control).sign_in()
    away.allow_every_message()
    missed = visit(away, away.add_patient(person()), new_session(date="2026-11-23"))
    policy(survey_invites=False)
    control("PUT", "/clock", now=AFTER)
    assert look_round(control) == 0
    policy(survey_invites=True)
    assert phone.rate_visit(booking, **MARKS) == "ANSWERED"
    look_round(control)
    assert phone.inbox("就诊评价提醒") == away.inbox("就诊评价提醒") == []
    assert away.survey(missed)["state"] == "TOO_EARLY"


def test_the_time_to_rate_ends(control: Control, phone: Phone, patient: dict[str, Any],
                               visited: Callable[..., str], policy: Callable[..., None]) -> None:
    booking = visited(phone, patient)
    policy(survey_days=2)
    control("PUT", "/clock", now="2026-11-24T13:00:00+08:00")
    phone.sign_in()
    assert phone.survey(booking)["state"] == "OPEN"
    control("PUT", "/clock", now="2026-11-25T13:00:00+08:00")
    phone.sign_in()
    assert phone.survey(booking)["state"] == "OVER"
    assert refused(lambda: phone.rate_visit(booking, **MARKS)) == (409, "survey_over")


def test_an_answer_that_is_none_is_named(control: Control, phone: Phone, patient: dict[str, Any],
                                         visited: Callable[..., str]) -> None:
    booking = visited(phone, patient)
    control("PUT", "/clock", now=AFTER)
    for answers, fields in (
            ({"doctor": 5}, ["answers.overall"]), ({"overall": 6, "doctor": 5}, ["answers.overall"]),
            ({"overall": 5, "doctor": "5"}, ["answers.doctor"]), ({**MARKS, "again": "perhaps"}, ["answers.again"]),
            ({**MARKS, "words": "长" * 501}, ["answers.words"]), ({**MARKS, "other": 1}, ["answers.other"]),
            ({"overall": 0, "words": 3}, ["answers.doctor", "answers.overall", "answers.words"])):
        answer = phone.raw("POST", f"feedback/visits/{booking}/survey", {"version": 1, "answers": answers})
        assert (answer.status_code, answer.json()["error"]["fields"]) == (422, fields)
    for wrong in (True, 4.5, None, [5]):
        answer = phone.raw("POST", f"feedback/visits/{booking}/survey",
                           {"version": 1, "answers": {**MARKS, "overall": wrong}})
        assert answer.status_code == 422
    assert phone.survey(booking)["state"] == "OPEN"


@pytest.mark.feature("feedback.survey")
def test_nothing_leads_from_an_answer_to_who_gave_it(
        control: Control, phone: Phone, patient: dict[str, Any], visited: Callable[..., str], sql: Ask) -> None:
    booking = visited(phone, patient)
    control("PUT", "/clock", now=AFTER)
    known = {row[0] for row in sql("SELECT id FROM survey_answers")}
    phone.rate_visit(booking, **MARKS, words="候诊区有点冷。")
    [(answer, week)] = [row for row in sql("SELECT id, week FROM survey_answers") if row[0] not in known]
    account = account_of(control, sql, phone.openid)
    ours = {account, patient["id"], booking}
    tables = ("survey_answers", "survey_marks", "survey_visits")
    assert [(table, one) for table in tables for row in sql(f"SELECT * FROM {table}")
            for value in row for one in ours if one in str(value)] == []
    assert str(week) == "2026-11-23"  # the Monday of its week, and no other time
    columns = {row[0] for row in sql("SELECT column_name FROM information_schema.columns WHERE table_schema = "
                                     "DATABASE() AND table_name = 'survey_answers' AND data_type LIKE '%%time%%'")}
    assert columns == set()
    assert sql("SELECT subject FROM audit WHERE action = 'survey.answer' AND actor = %s", (f"account:{account}",)) == [
        (account,)]
    assert [row for row in sql("SELECT subject, result FROM audit") if answer in str(row)] == []
    [(sealed, state)] = sql("SELECT words_enc, words_state FROM survey_answers WHERE id = %s", (answer,))
    assert (json.loads(opened(control, sealed, f"survey_answers.words:{answer}")), state) == (
        {"words": "候诊区有点冷。"}, "PASSED")


def test_the_ids_of_answers_are_in_no_order_of_time(
        control: Control, phone: Phone, visited: Callable[..., str], new_session: Callable[..., dict[str, Any]],
        sql: Ask) -> None:
    session = new_session(date="2026-11-23", slots=12)
    bookings = [visited(phone, phone.add_patient(person()), session) for _ in range(5)]
    control("PUT", "/clock", now=AFTER)
    made = []
    for booking in bookings:
        known = {row[0] for row in sql("SELECT id FROM survey_answers")}
        phone.rate_visit(booking, **MARKS)
        made += [row[0] for row in sql("SELECT id FROM survey_answers") if row[0] not in known]
    assert len({one[:4] for one in made}) == 5  # ULIDs of one day have their first four characters in common


def results(control: Control, **which: Any) -> dict[str, Any]:
    """What staff are shown of this week."""
    answer: dict[str, Any] = control.operate("survey.results", since="2026-11-23", until="2026-11-23", **which)
    return answer


@pytest.mark.feature("feedback.survey")
def test_what_few_have_answered_is_shown_to_nobody(
        control: Control, phone: Phone, visited: Callable[..., str], new_session: Callable[..., dict[str, Any]],
        policy: Callable[..., None]) -> None:
    policy(survey_smallest_group=2, patients_per_account=20)
    many, some, few = (new_session(date="2026-11-23") for _ in range(3))  # with the few the next larger may be hidden
    bookings = [visited(phone, phone.add_patient(person()), session) for session in (many, many, many, some, some, few)]
    control("PUT", "/clock", now=AFTER)
    for stars, booking in zip((5, 4, 4, 5, 5, 1), bookings, strict=True):
        phone.rate_visit(booking, overall=stars, doctor=5, words="说给医院听的话")
    shown = {one["key"]: one for one in results(control, group="doctor")["groups"]}
    assert few["doctor_id"] not in shown
    group = shown[many["doctor_id"]]
    assert (group["answers"], group["name"]) == (3, many["doctor_name"])
    assert group["questions"]["overall"] == {"marks": {"4": 2, "5": 1}, "average": 4.33}
    assert results(control, group="doctor")["hidden"] >= 1
    told = control.operate("survey.words", since="2026-11-23", until="2026-11-23", note="monthly report")
    content = requests.get(f"{control.addresses['control']}/cos/objects/{told['file']}",
                           params={"bucket": "hospital-1250000000"}, timeout=30).json()
    assert {"words": "说给医院听的话"} in [one["words"] for one in content["words"]]
    assert set(content["words"][0]) == {"department", "checked", "words"}


@pytest.mark.feature("feedback.survey")
def test_a_new_version_of_the_questions_is_asked_from_its_time_on_and_old_answers_keep_theirs(
        control: Control, phone: Phone, visited: Callable[..., str], sql: Ask) -> None:
    first, second = visited(phone, phone.add_patient(person())), visited(phone, phone.add_patient(person()))
    control("PUT", "/clock", now=AFTER)
    old = phone.survey(first)
    made = control.operate("survey.publish", questions=[
        {"id": "overall", "kind": "STARS", "title": "总体满意吗？", "required": True},
        {"id": "way", "kind": "CHOICE", "title": "您怎么来的？", "options": [{"id": "bus", "label": "公交"},
                                                                     {"id": "car", "label": "自驾"}]}])
    try:
        assert made["version"] == old["version"] + 1
        body = {"version": old["version"], "answers": MARKS}  # opened before, sent after
        assert phone.call("POST", f"feedback/visits/{first}/survey", body) == {"state": "ANSWERED"}
        assert [one["id"] for one in phone.survey(second)["questions"]] == ["overall", "way"]
        assert phone.rate_visit(second, overall=5, way="bus") == "ANSWERED"
        assert {row[0] for row in sql("SELECT version FROM survey_answers")} >= {old["version"], made["version"]}
        ahead = phone.raw("POST", f"feedback/visits/{first}/survey", {"version": 99, "answers": MARKS})
        assert ahead.json() == {"state": "ANSWERED"}
    finally:
        sql("DELETE FROM survey_forms WHERE version > 1")


def test_questions_that_can_not_be_asked_are_refused(control: Control) -> None:
    options = [{"id": "x", "label": "是"}, {"id": "y", "label": "否"}]
    for questions in (
            [], [{"id": "A b", "kind": "STARS", "title": "满意吗"}], [{"id": "a", "kind": "CHOICE", "title": "选哪个"}],
            [{"id": "a", "kind": "STARS", "title": "满意吗", "options": options}],
            [{"id": "a", "kind": "CHOICE", "title": "选哪个", "options": options[:1] * 2}],
            [{"id": "a", "kind": "STARS", "title": "满意吗"}] * 2,
            [{"id": f"t{number}", "kind": "TEXT", "title": "说说看"} for number in range(5)]):
        with pytest.raises(Refused) as refusal:
            control.operate("survey.publish", questions=questions)
        assert refusal.value.code == "invalid"


def test_words_that_wechat_calls_risky_are_not_taken_and_its_silence_keeps_none_back(
        control: Control, phone: Phone, patient: dict[str, Any], visited: Callable[..., str], sql: Ask) -> None:
    booking = visited(phone, patient)
    control("PUT", "/clock", now=AFTER)
    assert refused(lambda: phone.rate_visit(booking, **MARKS, words="欢迎访问赌博网站")) == (422, "text_refused")
    assert phone.survey(booking)["state"] == "OPEN"
    control.fault("wechat", "check_text", "cut_before")
    before = sql("SELECT COUNT(*) FROM survey_answers WHERE words_state = 'UNCHECKED'")[0][0]
    assert phone.rate_visit(booking, **MARKS, words="排队时间太长") == "ANSWERED"
    assert sql("SELECT COUNT(*) FROM survey_answers WHERE words_state = 'UNCHECKED'")[0][0] == before + 1


def test_a_survey_is_its_account_s_own_and_ends_with_the_binding(
        control: Control, phone: Phone, patient: dict[str, Any], visited: Callable[..., str]) -> None:
    booking = visited(phone, patient)
    control("PUT", "/clock", now=AFTER)
    stranger = Phone(control).sign_in()
    assert refused(lambda: stranger.survey(booking)) == (404, "booking_not_found")
    phone.call("DELETE", f"account/patients/{patient['id']}")
    look_round(control)
    assert phone.inbox("就诊评价提醒") == []
    assert refused(lambda: phone.survey(booking)) == (404, "patient_not_found")
