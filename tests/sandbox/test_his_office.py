"""What moves under everybody in the HIS: sessions, places, records, registrations, odd bills."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.his.client import Caller
from tests.sandbox.his_till import PATIENT, Till, code


@pytest.fixture
def till() -> Iterator[Till]:
    made = Till()
    yield made
    made.caller.session.close()


def shown(till: Till, session: str) -> dict[str, Any]:
    [one] = till.caller.get("/schedules", schedule=session)[1]["schedules"]
    return dict(one)


def change(till: Till, session: dict[str, Any], **body: Any) -> dict[str, Any]:
    status, answer = till.order_of(f"schedules/{session['code']}/change", body)
    assert status == 200, answer
    return dict(answer)


def days_of(till: Till, session: str, **asked: Any) -> list[str]:
    found: list[dict[str, Any]] = []
    cursor: dict[str, Any] = {}
    while True:
        page = till.caller.get("/schedules", limit=200, **asked, **cursor)[1]
        found += page["schedules"]
        if page["next_cursor"] is None:
            return [one["date"] for one in found if one["code"] == session]
        cursor = {"cursor": page["next_cursor"]}


# -- sessions -----------------------------------------------------------------------------------
def test_a_substitute_sees_the_patients_and_the_codes_stay(till: Till) -> None:
    session, other = till.session(), till.session(doctor_name="艾则孜·买买提")
    till.registered("T00001", session, 0)
    change(till, session, doctor_code=other["doctor_code"])
    now = shown(till, session["code"])
    assert now["doctor_code"] == other["doctor_code"] != session["doctor_code"]
    assert [slot["code"] for slot in now["slots"]] == [slot["code"] for slot in session["slots"]]
    assert till.state("T00001") == "CONFIRMED"
    # The seat at the old doctor is nobody's now, and the new doctor's place can be had beside the old one.
    assert till.lock(till.order(session, "T00002", 1, patient_code=till.patient_named(0)))[0] == 200


def test_a_session_moves_in_time_and_room_and_its_registrations_with_it(till: Till) -> None:
    session = till.session(minutes=10)
    till.registered("T00001", session, 1)
    change(till, session, starts_at="09:30", clinic_room="2楼9诊室")
    now = shown(till, session["code"])
    assert (now["starts_at"][11:16], now["slots"][1]["starts_at"][11:16], now["clinic_room"]) == (
        "09:30", "09:40", "2楼9诊室")
    trade = till.caller.get("/trades/T00001")[1]
    assert (trade["starts_at"], trade["clinic_room"]) == (now["slots"][1]["starts_at"], "2楼9诊室")
    change(till, session, period="AFTERNOON")
    assert shown(till, session["code"])["starts_at"][11:16] == "13:30"


@pytest.mark.parametrize(("day", "seen"), [
    ("2026-11-24", ["2026-11-24"]), ("2026-12-02", ["2026-12-02"]), ("2027-01-20", [])])
def test_a_session_is_put_off_to_any_day_under_its_old_code(till: Till, day: str, seen: list[str]) -> None:
    session = till.session()
    till.registered("T00001", session, 0)
    change(till, session, date=day)
    assert shown(till, session["code"])["date"] == day
    assert days_of(till, session["code"]) == seen
    assert till.caller.get("/trades/T00001")[1]["starts_at"][:10] == day
    change(till, session, date="2026-11-25")
    assert days_of(till, session["code"], from_="2026-11-25", to="2026-11-25") == ["2026-11-25"]


def test_a_slot_code_can_reappear_under_another_session(till: Till) -> None:
    session, other = till.session(), till.session(date="2026-11-26", slots=3)
    till.registered("T00001", session, 2)
    moved = session["slots"][2]["code"]
    assert till.order_of(f"slots/{moved}/move", {"schedule": other["code"]})[0] == 200
    assert moved not in [slot["code"] for slot in shown(till, session["code"])["slots"]]
    last = shown(till, other["code"])["slots"][-1]
    assert (last["code"], last["number"], last["state"]) == (moved, 4, "TAKEN")
    assert till.caller.get("/trades/T00001")[1]["starts_at"] == last["starts_at"]


def test_a_doctor_may_have_a_long_name_with_dots_and_rare_characters(till: Till) -> None:
    for name in ("古丽米热·艾比布拉" * 5 + "阿依古丽", "䶮" * 50, "贠小雨"):
        made = till.session(doctor_name=name[:50])
        doctors = {one["code"]: one["name"] for one in till.caller.get("/doctors")[1]["doctors"]}
        assert doctors[made["doctor_code"]] == name[:50]


# -- records ------------------------------------------------------------------------------------
def test_a_merged_record_is_unknown_and_all_of_it_is_under_the_new_one(till: Till) -> None:
    session = till.session()
    old = till.patient
    assert till.lock(till.order(session, "T00001"))[0] == 200
    bill = till.paid()
    status, into = till.order_of(f"patients/{old}/merge")
    assert (status, into["patient_code"] != old) == (200, True)
    assert code(till.lock(till.order(session, "T00002", 1, patient_code=old)))[1] == "PATIENT_UNKNOWN"
    assert code(till.caller.get(f"/patients/{old}/bills"))[1] == "PATIENT_UNKNOWN"
    matched = till.caller.post("/patients/match-or-create", **PATIENT)[1]
    assert matched == {"patient_code": into["patient_code"], "card_number": into["card_number"], "created": False}
    assert [one["bill_no"] for one in till.caller.get(f"/patients/{into['patient_code']}/bills")[1]["bills"]] == [
        bill["bill_no"]]
    again = till.order(session, "T00002", 1, patient_code=into["patient_code"])
    assert code(till.lock(again))[1] == "DUPLICATE_REGISTRATION"
    fresh = till.patient_named(9)
    assert fresh not in (old, into["patient_code"])


def test_two_records_of_one_person_become_one(till: Till) -> None:
    other = till.patient_named(3)
    assert till.order_of(f"patients/{till.patient}/merge", {"into": other})[1]["patient_code"] == other
    assert till.caller.post("/patients/match-or-create", **PATIENT)[1]["patient_code"] == other
    assert [one["patient_code"] for one in till.order_of("patients", method="GET")[1]["patients"]].count(other) == 1
    assert till.order_of(f"patients/{till.patient}/merge")[0] == 404


def test_a_corrected_name_is_what_a_match_asks_for(till: Till) -> None:
    right = {**PATIENT, "name": "单晓雨"}
    assert code(till.caller.post("/patients/match-or-create", **right))[1] == "PATIENT_MISMATCH"
    assert till.order_of(f"patients/{till.patient}/correct", {"name": "单晓雨"})[1]["name"] == "单晓雨"
    assert code(till.caller.post("/patients/match-or-create", **PATIENT))[1] == "PATIENT_MISMATCH"
    assert till.caller.post("/patients/match-or-create", **right)[1]["patient_code"] == till.patient


# -- the window ---------------------------------------------------------------------------------
def test_the_window_makes_a_held_registration_firm_with_its_own_payment(till: Till) -> None:
    till.lock(till.order(till.session()))
    status, firm = till.order_of("registrations/T00001/confirm-at-desk")
    assert (status, firm["state"], firm["paid_fen"]) == (200, "CONFIRMED", 5000)
    assert code(till.confirm("T00001"))[1] == "PAYMENT_CONFLICT"
    assert till.caller.get("/trades/T00001")[1]["transaction_id"] == firm["transaction_id"] != "42000001"
    till.lock(till.order(till.session(), "T00002"))
    chosen = till.order_of("registrations/T00002/confirm-at-desk", {"transaction_id": "42000002"})[1]
    assert chosen["transaction_id"] == "42000002"


@pytest.mark.parametrize(("fee", "prepaid"), [(5000, True), (5000, False), (0, False)])
def test_the_window_ends_registrations_paid_unpaid_and_free(till: Till, fee: int, prepaid: bool) -> None:
    session = till.session(fee_fen=fee)
    till.registered("T00001", session, 0, prepaid=prepaid)
    status, ended = till.order_of("registrations/T00001/end-at-desk", {"reason": "窗口退号"})
    assert (status, ended["state"], ended["refund_fen"]) == (200, "CANCELLED", 0)
    assert till.slot_state(session) == "FREE"
    assert till.order_of("registrations/T00001/end-at-desk")[0] == 409
    till.lock(till.order(session, "T00002", 1))
    assert till.order_of("registrations/T00002/end-at-desk")[1]["state"] == "UNLOCKED"


# -- bills --------------------------------------------------------------------------------------
def test_bills_come_with_fractions_odd_kinds_and_long_numbers(till: Till) -> None:
    number = "B" * 64
    status, bill = till.order_of("bills", {
        "patient_code": till.patient, "kind": "MATERIAL", "bill_no": number, "items": [
            {"name": "纱布", "quantity": 0.5, "unit_price_fen": 12.5}, {"name": "绷带", "unit_price_fen": 700},
            {"name": "敷料", "quantity": 3, "unit_price_fen": 33.3, "amount_fen": 101}]})
    assert status == 201, bill
    items = [(one["quantity"], one["unit_price_fen"], one["amount_fen"]) for one in bill["items"]]
    assert items == [(0.5, 12.5, 6), (1, 700, 700), (3, 33.3, 101)]
    assert (bill["bill_no"], bill["kind"], bill["total_fen"]) == (number, "MATERIAL", 807)
    again = {"patient_code": till.patient, "kind": "MATERIAL", "bill_no": number}
    assert till.order_of("bills", again)[0] == 409
    plain = Caller(till.caller.address, "mini", "k" * 32, till.clock)  # the contract has neither
    assert plain.get(f"/bills/{number}")[1] == bill
    assert till.take("C00001", bill)[0] == 200
    assert till.settle("C00001", 807)[0] == 200


@pytest.mark.parametrize(("action", "body"), [
    ("schedules/20261125-D0001-X/change", {}), ("slots/none/move", {"schedule": "x"}),
    ("patients/P0/merge", {}), ("patients/P0/correct", {"name": "李"}), ("registrations/T99999/end-at-desk", {}),
    ("registrations/T99999/confirm-at-desk", {}),
])
def test_what_is_not_there_is_answered_with_an_error(till: Till, action: str, body: dict[str, Any]) -> None:
    status, answer = till.order_of(action, body)
    assert (status, "UNKNOWN" in answer["error"]) == (404, True)


@pytest.mark.parametrize("body", [{"starts_at": "25:00"}, {"date": "soon"}, {"doctor": "new"}, {"period": "NIGHT"}])
def test_a_wrong_change_is_answered_with_the_field(till: Till, body: dict[str, str]) -> None:
    session = till.session()
    status, answer = till.order_of(f"schedules/{session['code']}/change", body)
    assert (status, next(iter(body)) in answer["error"]) == (422, True)
