"""The hospital that the HIS invents: its size, its rota, its patients, and what its staff can do."""

from __future__ import annotations

from collections import Counter, deque
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from sandbox.clock import Clock
from sandbox.faults import Faults
from sandbox.his import His
from sandbox.his.client import Caller
from sandbox.his.model import BEIJING
from sandbox.his.patients import check_digit
from sandbox.his.sessions import Sessions
from sandbox.system import World

MONDAY_8 = datetime(2026, 11, 23, 8, 0, tzinfo=BEIJING)
CHILD = {"id_type": "PASSPORT", "id_number": "E00000009", "name": "曾小小", "sex": "FEMALE",
         "birth_date": "2020-01-01", "phone": "13800000000"}


@pytest.fixture
def clock() -> Clock:
    made = Clock()
    made.set(MONDAY_8)
    return made


@pytest.fixture
def his(clock: Clock) -> His:
    return His(World(clock, Faults(), deque()), client_id="mini", key="key")


@pytest.fixture
def caller(his: His) -> Caller:
    return Caller(his.serve(), "mini", "key", his.clock)


@pytest.fixture
def control(his: His) -> FlaskClient:
    door = Flask("control")
    door.register_blueprint(his.control, url_prefix="/his")
    return door.test_client()


def everything(caller: Caller, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        page = caller.get("/schedules", limit=200, **query)[1]
        found += page["schedules"]
        if page["next_cursor"] is None:
            return found
        query["cursor"] = page["next_cursor"]


def test_it_is_a_large_hospital(caller: Caller) -> None:
    departments = caller.get("/departments")[1]["departments"]
    doctors = caller.get("/doctors")[1]["doctors"]
    assert len({one["parent_code"] for one in departments}) >= 12
    assert len({one["code"] for one in departments}) == len(departments) >= 40
    assert {"03.04", "10", "50.13"} <= {one["specialty_code"] for one in departments}
    assert len(doctors) >= 150
    assert sum(len(one["department_codes"]) >= 2 for one in doctors) >= 20
    names = Counter(one["name"] for one in doctors)
    assert 1 <= sum(times == 2 for times in names.values()) <= 6
    surnames = {name[0] for name in names}
    assert {"曾", "单", "仇", "解", "查", "吕"} <= surnames


def test_fourteen_days_of_sessions_are_on_show_and_nobody_is_in_two_places(caller: Caller) -> None:
    sessions = everything(caller)
    assert 1200 <= len(sessions) <= 1500
    days = {one["date"] for one in sessions}
    assert (min(days), max(days), len(days)) == ("2026-11-23", "2026-12-06", 14)
    assert len({one["code"] for one in sessions}) == len(sessions)
    assert max(Counter((one["doctor_code"], one["date"], one["period"]) for one in sessions).values()) == 1
    assert {one["kind"] for one in sessions} == {"ORDINARY", "EXPERT", "SPECIAL"}
    slots = [slot for one in sessions for slot in one["slots"]]
    assert all(10 <= len(one["slots"]) <= 40 for one in sessions)
    assert 0.08 < sum(slot["state"] == "TAKEN" for slot in slots) / len(slots) < 0.12
    for one in sessions:
        first, last = one["slots"][0], one["slots"][-1]
        assert one["starts_at"] == first["starts_at"]
        assert last["ends_at"] <= one["ends_at"]
        length = datetime.fromisoformat(first["ends_at"]) - datetime.fromisoformat(first["starts_at"])
        assert timedelta(0) < length <= timedelta(minutes=30)


def test_a_doctor_of_several_departments_sits_in_each_of_them(his: His) -> None:
    sits: dict[str, set[str]] = {}
    for one in his.sessions.between(date.min, date.max):
        sits.setdefault(one.doctor.code, set()).add(one.department.code)
    assert all(set(doctor.department_codes) == sits[doctor.code] for doctor in his.sessions.doctors.values())


def test_a_day_is_the_same_whenever_it_is_first_asked_for_and_other_with_another_seed(clock: Clock) -> None:
    day = date(2026, 11, 27)

    def shown(sessions: Sessions) -> list[dict[str, Any]]:
        return [one.wire(MONDAY_8) for one in sessions.between(day, day)]

    first, second, other = Sessions(clock, 1, None), Sessions(clock, 1, None), Sessions(clock, 2, None)
    early = shown(first)
    clock.advance(timedelta(days=4))
    assert shown(second) == early
    assert shown(other) != early


def test_the_days_on_show_roll_with_the_clock_and_filters_narrow_them(caller: Caller, clock: Clock) -> None:
    assert everything(caller, from_="2026-12-07") == []
    clock.advance(timedelta(days=1))
    assert {one["date"] for one in everything(caller, from_="2026-12-07")} == {"2026-12-07"}
    assert everything(caller, to="2026-11-23") == []
    some = everything(caller, from_="2026-11-25", to="2026-11-25", department="1101")
    assert {(one["date"], one["department_code"]) for one in some} == {("2026-11-25", "1101")}
    doctor = some[0]["doctor_code"]
    assert {one["doctor_code"] for one in everything(caller, doctor=doctor)} == {doctor}


def test_before_its_start_the_hospital_has_no_sessions(clock: Clock) -> None:
    sessions = Sessions(clock, 1, date(2026, 12, 1))
    assert min(one.day for one in sessions.between(date.min, date.max)) == date(2026, 12, 1)


def test_a_patient_is_found_by_document_and_made_once(caller: Caller) -> None:
    person = {**CHILD, "birth_date": "1980-01-01"}
    status, made = caller.post("/patients/match-or-create", **person)
    assert (status, made["created"]) == (200, True)
    again = caller.post("/patients/match-or-create", **{**person, "phone": "13800000001"})[1]
    assert again == {**made, "created": False}
    for other in ({"name": "曾大大"}, {"birth_date": "1980-01-02"}):
        status, answer = caller.post("/patients/match-or-create", **{**person, **other})
        assert (status, answer["code"]) == (409, "PATIENT_MISMATCH")


def test_seeded_patients_are_on_file_with_right_documents(caller: Caller, control: FlaskClient) -> None:
    seeded = [one for one in control.get("/his/patients").get_json()["patients"] if one["seeded"]]
    assert len(seeded) > 100
    assert all(check_digit(one["id_number"][:17]) == one["id_number"][17] for one in seeded)
    query = {name: seeded[0][name] for name in ("id_type", "id_number", "name", "sex", "birth_date", "phone")}
    answer = caller.post("/patients/match-or-create", **query)[1]
    assert answer == {"patient_code": seeded[0]["patient_code"], "created": False,
                      "card_number": seeded[0]["card_number"]}


def test_a_child_under_fourteen_needs_a_guardian(caller: Caller) -> None:
    guardian = {"name": "曾大大", "id_type": "PASSPORT", "id_number": "E00000008"}
    status, answer = caller.post("/patients/match-or-create", **CHILD)
    assert (status, answer["code"], answer["field"]) == (422, "GUARDIAN_REQUIRED", "guardian")
    itself = {**guardian, "id_number": CHILD["id_number"]}
    answer = caller.post("/patients/match-or-create", **CHILD, guardian=itself)[1]
    assert answer["field"] == "guardian.id_number"
    assert caller.post("/patients/match-or-create", **CHILD, guardian=guardian)[0] == 200
    grown = {**CHILD, "id_number": "E00000007", "birth_date": "2012-11-23"}
    assert caller.post("/patients/match-or-create", **grown)[0] == 200  # fourteen today


@pytest.mark.parametrize(("change", "field"), [
    ({"id_number": "449900199001010013"}, "id_number"), ({"birth_date": "1990-01-02"}, "birth_date"),
    ({"sex": "FEMALE"}, "sex"), ({"name": " "}, "name"), ({"phone": "123"}, "phone"),
    ({"id_type": "X"}, "id_type"),
    ({"birth_date": "2027-01-01"}, "birth_date"), ({"guardian": []}, "guardian"),
])
def test_a_wrong_patient_is_refused_by_the_field(caller: Caller, change: dict[str, Any], field: str) -> None:
    first = "44990019900101001"
    person = {"id_type": "ID_CARD", "id_number": first + check_digit(first), "name": "解大山", "sex": "MALE",
              "birth_date": "1990-01-01", "phone": "13800000000"}
    assert caller.post("/patients/match-or-create", **person)[0] == 200
    status, answer = caller.post("/patients/match-or-create", **{**person, **change})
    assert (status, answer["code"], answer["field"]) == (422, "INVALID_FIELD", field)


def test_a_session_for_a_test_appears_with_a_doctor_of_its_own(caller: Caller, control: FlaskClient) -> None:
    body = {"doctor": "new", "doctor_name": "仇试", "department_codes": ["1101", "2501"], "slots": 3,
            "minutes": 10, "date": "2026-11-24", "period": "EVENING", "kind": "SPECIAL", "fee_fen": 1}
    made = control.post("/his/schedules", json=body).get_json()
    again = control.post("/his/schedules", json={
        **{name: value for name, value in body.items() if not name.startswith("doctor")},
        "doctor_code": made["doctor_code"], "department_code": "2501"}).get_json()
    assert again["code"] != made["code"]
    assert everything(caller, doctor=made["doctor_code"]) == [made, again]
    assert [slot["state"] for slot in made["slots"]] == ["FREE"] * 3
    assert made["slots"][2]["ends_at"] == "2026-11-24T18:30:00+08:00"
    doctor = next(one for one in control.get("/his/doctors").get_json()["doctors"] if one["name"] == "仇试")
    assert doctor["department_codes"] == ["1101", "2501"]
    changed = control.post(f"/his/schedules/{made['code']}/fee", json={"fee_fen": 2}).get_json()
    stopped = control.post(f"/his/schedules/{made['code']}/stop").get_json()
    assert (changed["fee_fen"], stopped["state"]) == (2, "STOPPED")


def test_a_slot_sold_at_the_window_is_taken_until_it_is_given_back(control: FlaskClient, his: His) -> None:
    sessions = his.sessions.between(date.min, date.max)
    slot = next(slot for one in sessions for slot in one.slots if not slot.sold)
    path = f"/his/slots/{slot.code}"
    assert control.post(f"{path}/take").get_json()["state"] == "TAKEN"
    assert control.post(f"{path}/take").status_code == 409
    assert control.post(f"{path}/free").get_json()["state"] == "FREE"


def test_wrong_control_requests_are_answered_with_an_error(control: FlaskClient) -> None:
    body = {"doctor": "new", "department_code": "1101", "slots": 3, "date": "2026-11-24",
            "period": "EVENING", "kind": "SPECIAL", "fee_fen": 1}
    for change in ({"date": "2027-11-24"}, {"slots": 0}, {"slots": 6, "minutes": 30},
                   {"department_code": "9"}, {"doctor": "old"}, {"doctor_code": "D9"},
                   {"department_codes": "1101"}, {"x": 1}):
        answer = control.post("/his/schedules", json={**body, **change})
        assert 400 <= answer.status_code < 500
        assert answer.get_json()["error"]
    for path in ("/schedules/x/stop", "/slots/x/take", "/registrations/x/check-in"):
        assert control.post(f"/his{path}").status_code == 404
    assert control.post("/his/schedules", data=b"{").status_code == 400
