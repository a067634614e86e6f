"""Finding doctors: in each of their departments, by every spelling of the name, and those seen before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.people import person
from sandbox.phone import Control, Phone
from tests.features.names import unheard_name

TODAY, WEDNESDAY = "2026-11-23", "2026-11-25"
Open = Callable[..., dict[str, Any]]


def search(phone: Phone, text: str, **more: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = phone.call("GET", "booking/doctors", params={"q": text, **more})["doctors"]
    return found


def department(phone: Phone, name: str) -> dict[str, Any]:
    return next(one for group in phone.call("GET", "booking/departments")["groups"]
                for one in group["departments"] if one["name"] == name)


@pytest.mark.feature("booking.multi-department-doctor")
def test_a_doctor_of_two_departments_is_found_shown_and_booked_in_each(
        phone: Phone, new_session: Open, visit: Any, trade: Any, books_agree: Callable[..., None]) -> None:
    name = unheard_name("亓官")
    morning = new_session(doctor_code=None, doctor="new", doctor_name=name, fee_fen=5000,
                          department_code="1101", department_codes=["1101", "1108"])
    evening = new_session(doctor_code=morning["his"]["doctor_code"], department_code="1108", period="EVENING",
                          fee_fen=3000)
    assert morning["doctor_id"] == evening["doctor_id"]
    heart, joints = department(phone, "心血管内科"), department(phone, "风湿免疫科")
    # found: search shows the sessions of both, each under its own department
    [found] = search(phone, name)
    assert [(one["id"], one["department_id"], one["department_name"]) for one in found["sessions"]] == [
        (morning["id"], heart["id"], "心血管内科"), (evening["id"], joints["id"], "风湿免疫科")]
    assert {one["name"] for one in found["departments"]} == {"心血管内科", "风湿免疫科"}
    assert phone.call("GET", f"booking/doctors/{found['id']}") == found
    # shown: in each department with the sessions of that department only
    for place, session in ((heart, morning), (joints, evening)):
        shown = phone.call("GET", "booking/sessions", params={"department_id": place["id"], "day": WEDNESDAY})
        mine = [one for one in shown["sessions"] if one["doctor_id"] == found["id"]]
        assert [(one["id"], one["department_name"], one["fee_fen"]) for one in mine] == [
            (session["id"], place["name"], session["fee_fen"])]
        both = {"department_id": place["id"], "doctor_id": found["id"], "day": WEDNESDAY}
        assert [one["id"] for one in phone.call("GET", "booking/sessions", params=both)["sessions"]] == [session["id"]]
    booked = []
    # booked: in each, by one patient, with that department's fee and name, in that session of the HIS
    patient = phone.add_patient(person())
    for place, session in ((heart, morning), (joints, evening)):
        booked.append(visit(phone, patient, session))
        shown = phone.booking(booked[-1])
        assert (shown["department_name"], shown["fee_fen"]) == (place["name"], session["fee_fen"])
        assert trade(booked[-1])["slot_code"].startswith(session["his"]["code"] + "-")
        assert place["location"] in shown["location"]
    told = [one["lines"][2] for one in phone.inbox("挂号成功通知")]
    assert told == ["科室: 心血管内科", "科室: 风湿免疫科"]
    books_agree(*booked)


def test_two_departments_of_the_his_that_are_one_of_ours_are_shown_once(control: Control, guest: Phone,
                                                                        new_session: Open) -> None:
    made = new_session(doctor_code=None, doctor="new", doctor_name=unheard_name("亓官"), department_code="1101",
                       department_codes=["1101", "1102"])
    groups = control.operate("departments.show")["groups"]
    try:
        control.operate("departments.arrange", groups=[
            {"name": "内科", "departments": [{"name": "心肺门诊", "his_codes": ["1101", "1102"]}]}])
        shown = guest.call("GET", f"booking/doctors/{made['doctor_id']}")
        assert [one["name"] for one in shown["departments"]] == ["心肺门诊"]
    finally:
        control.operate("departments.arrange", groups=groups)


SPELLINGS = ["单湄筠", "单湄", "湄筠", "筠", "shanmeiyun", "danmeiyun", "ShanMei", "smy", "DMY", "shan mei yun",
             "shan'm"]


@pytest.mark.parametrize(("day", "only_today"), [
    pytest.param(TODAY, True, marks=pytest.mark.feature("same-day.doctor-search")),
    pytest.param(WEDNESDAY, False, marks=pytest.mark.feature("advance.doctor-search"))])
def test_a_doctor_is_found_by_characters_full_pinyin_and_initials(guest: Phone, new_session: Open, day: str,
                                                                  only_today: bool) -> None:
    made = new_session(doctor_code=None, doctor="new", doctor_name="单湄筠", department_code="1104", date=day,
                       period="AFTERNOON")
    other = new_session(doctor_code=made["his"]["doctor_code"], department_code="1104", date="2026-11-24")
    for text in SPELLINGS:
        found = {one["id"]: one for one in search(guest, text, today=only_today)}
        assert made["doctor_id"] in found, text
        shown = {one["id"] for one in found[made["doctor_id"]]["sessions"]}
        assert shown == ({made["id"]} if only_today else {made["id"], other["id"]})
    for text in ("湄单", "yunmei", "mys", "湄筠单"):
        assert made["doctor_id"] not in [one["id"] for one in search(guest, text)], text
    # what is found can be booked as it is shown
    session = found[made["doctor_id"]]["sessions"][-1]
    assert guest.book(guest.add_patient(person())["id"], session)["fee_fen"] == session["fee_fen"]


@pytest.mark.parametrize("text", ["%", "_", "%%%", "\\", "' OR 1=1 -- ", "<b>", "\x00", "😀", "\u202e", "·", "q" * 40])
def test_a_search_for_what_is_no_name_finds_nobody(guest: Phone, text: str) -> None:
    assert search(guest, text) == []


def test_namesakes_are_told_apart_by_department_and_title(control: Control, guest: Phone) -> None:
    names = [one["name"] for one in control("GET", "/his/doctors")["doctors"]]
    twice = next(name for name in names if names.count(name) == 2 and name != "曾试诊")
    one, other = search(guest, twice)
    assert one["id"] != other["id"]
    assert not {session["id"] for session in one["sessions"]} & {session["id"] for session in other["sessions"]}
    assert [where["name"] for where in one["departments"]] != [where["name"] for where in other["departments"]]


def test_an_unknown_doctor_is_not_found(guest: Phone) -> None:
    answer = guest.raw("GET", f"booking/doctors/{'0' * 26}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "doctor_not_found")


@pytest.mark.parametrize(("date", "params"), [
    pytest.param(TODAY, {"today": True}, marks=pytest.mark.feature("same-day.quick")),
    pytest.param("2026-11-27", {}, marks=pytest.mark.feature("advance.quick"))])
def test_doctors_seen_before_are_one_tap_away(guest: Phone, ill: dict[str, Any], new_session: Open, visit: Any,
                                              date: str, params: dict[str, Any]) -> None:
    def seen() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = guest.call("GET", "booking/doctors/seen", params=params)["doctors"]
        return found

    first, second, given_up = new_session(), new_session(), new_session()
    assert seen() == []
    visit(guest, ill, first)
    visit(guest, ill, second)
    held = guest.book(ill["id"], given_up)
    guest.call("POST", f"booking/bookings/{held['id']}/cancellation")
    again = new_session(doctor_code=first["his"]["doctor_code"], department_code="1101", date=date,
                        period="AFTERNOON")
    assert [one["id"] for one in seen()] == [second["doctor_id"], first["doctor_id"]]  # the latest first
    offered = {one["id"] for one in seen()[1]["sessions"]}
    assert offered == ({again["id"]} if params else {first["id"], again["id"]})
    session = next(one for one in seen()[1]["sessions"] if one["id"] == again["id"])
    booked = guest.booking(visit(guest, ill, session))
    assert (booked["doctor_id"], booked["visit_date"]) == (first["doctor_id"], date)


def test_doctors_seen_are_the_accounts_own(control: Control, guest: Phone, ill: dict[str, Any],
                                           session: dict[str, Any], visit: Any) -> None:
    visit(guest, ill, session)
    assert Phone(control).sign_in().call("GET", "booking/doctors/seen") == {"doctors": []}


@pytest.mark.parametrize(("name", "texts"), [
    ("古丽米热·艾比布力", ["gulimire", "glmr", "古丽米热•艾", "古丽米热艾比", "古丽米热.艾比", "gulimire·aibi",
                           "布力"]),
    ("鞠㛃萍", ["jjp", "jujieping", "㛃"]), ("贠小苏", ["yun", "yunxiaosu", "yxs", "贠\u200b小"]),
    ("吕律", ["lyu", "lvlv", "lü", "lulu", "LYULYU"]), ("靳\ue863", ["jinyan", "靳䶮", "靳\ue863"]),
    ("解⽥", ["xietian", "解田", "解⽥"])])
def test_a_doctor_with_a_dot_or_a_rare_character_is_found(guest: Phone, new_session: Open, name: str,
                                                          texts: list[str]) -> None:
    made = new_session(doctor_code=None, doctor="new", doctor_name=name, department_code="1104")
    assert [text for text in texts if made["doctor_id"] not in [one["id"] for one in search(guest, text)]] == []


def test_a_doctor_with_the_longest_name_is_taken_over_and_found(guest: Phone, new_session: Open) -> None:
    name = "庄" * 50
    made = new_session(doctor_code=None, doctor="new", doctor_name=name, department_code="1104")
    assert made["doctor_name"] == name
    for text in ("庄" * 40, "zhuang" * 6, "z" * 40):
        assert made["doctor_id"] in [one["id"] for one in search(guest, text)]


def test_spellings_of_an_older_edition_are_made_anew_by_the_next_sync(
        control: Control, guest: Phone, new_session: Open, sql: Callable[..., Any]) -> None:
    made = new_session(doctor_code=None, doctor="new", doctor_name="贠旧版", department_code="1104")
    sql("UPDATE doctors SET spelled_by = 0 WHERE id = %s", (made["doctor_id"],))
    sql("DELETE FROM doctor_spellings WHERE doctor_id = %s", (made["doctor_id"],))
    assert search(guest, "yunjiuban") == []
    control.operate("schedules.sync", schedule=made["his"]["code"])
    assert [one["id"] for one in search(guest, "yunjiuban")] == [made["doctor_id"]]
