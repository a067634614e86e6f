"""Check-in in the HIS of the sandbox: when, who pays, in which order patients are called."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.sandbox.his_till import VISIT_DAY_8, Till, code


@pytest.fixture
def till() -> Iterator[Till]:
    made = Till()
    yield made
    made.caller.session.close()


@pytest.fixture
def session(till: Till) -> dict[str, Any]:
    return till.session(minutes=10)  # ten places from 8:00 to 9:40


def test_a_patient_checks_in_once_and_is_told_the_same_again(till: Till, session: dict[str, Any]) -> None:
    till.registered("T00001", session, 0)
    till.clock.set(VISIT_DAY_8 - timedelta(minutes=20))
    status, first = till.check_in("T00001")
    assert (status, first["queue_number"], first["ahead"], first["late"]) == (200, "M001", 0, False)
    assert session["clinic_room"] in first["queue_place"]
    till.clock.set(VISIT_DAY_8 + timedelta(hours=9))  # the session is over: the answer stays
    assert till.check_in("T00001") == (200, first)
    trade = till.caller.get("/trades/T00001")[1]
    assert (trade["state"], trade["checked_in"], trade["checked_in_at"]) == (
        "CONFIRMED", True, first["checked_in_at"])
    assert code(till.cancel("T00001")) == (409, "ALREADY_CHECKED_IN")


def test_check_in_is_open_from_two_hours_before_the_session_to_its_end(till: Till, session: dict[str, Any]) -> None:
    for slot in range(2):
        till.registered(f"T0000{slot}", session, slot)
    till.clock.set(VISIT_DAY_8 - timedelta(minutes=120, seconds=5))
    assert code(till.check_in("T00000")) == (409, "CHECKIN_TOO_EARLY")
    till.clock.set(VISIT_DAY_8 - timedelta(minutes=120))
    assert till.check_in("T00000")[0] == 200
    till.clock.set(VISIT_DAY_8 + timedelta(hours=4))
    assert code(till.check_in("T00001")) == (409, "SESSION_OVER")


def test_check_in_is_refused_for_what_is_unknown_unconfirmed_or_stopped(
        till: Till, session: dict[str, Any]) -> None:
    till.clock.set(VISIT_DAY_8 - timedelta(minutes=30))
    assert code(till.check_in("T00009")) == (404, "TRADE_UNKNOWN")
    till.let_go("T00008")
    assert code(till.check_in("T00008")) == (409, "TRADE_CONFLICT")
    till.lock(till.order(session, "T00001", 1))
    assert code(till.check_in("T00001")) == (409, "NOT_CONFIRMED")
    till.registered("T00002", session, 2)
    till.control.post(f"/his/schedules/{session['code']}/stop")
    assert code(till.check_in("T00002")) == (409, "SCHEDULE_STOPPED")


def test_what_was_to_be_paid_at_check_in_is_paid_once_and_in_full(till: Till, session: dict[str, Any]) -> None:
    till.registered("T00001", session, 0, prepaid=False)
    till.registered("T00002", session, 1)
    till.clock.set(VISIT_DAY_8 - timedelta(minutes=30))
    assert code(till.check_in("T00001")) == (409, "PAYMENT_REQUIRED")
    assert code(till.check_in("T00001", payment=till.payment("42000001", 4999))) == (409, "AMOUNT_MISMATCH")
    used = till.payment("RT00002", 5000)
    assert code(till.check_in("T00001", payment=used)) == (409, "PAYMENT_CONFLICT")
    assert code(till.check_in("T00002", payment=till.payment("42000001", 5000))) == (409, "PAYMENT_CONFLICT")
    payment = till.payment("42000001", 5000)
    first = till.check_in("T00001", payment=payment)
    assert first[0] == 200
    assert till.check_in("T00001", payment=payment) == till.check_in("T00001") == first
    assert code(till.check_in("T00001", payment={**payment, "transaction_id": "42000009"})) == (
        409, "PAYMENT_CONFLICT")
    trade = till.caller.get("/trades/T00001")[1]
    assert (trade["payment_mode"], trade["paid_fen"], trade["transaction_id"]) == ("AT_CHECKIN", 5000, "42000001")
    day = till.caller.get("/trades", date="2026-11-25", by="MONEY")[1]["trades"]
    assert [one["trade_no"] for one in day] == ["T00001"]


def test_a_registration_without_a_fee_needs_no_payment(till: Till) -> None:
    free = till.session(minutes=10, fee_fen=0, department_code="1102")
    till.registered("T00001", free, 0, prepaid=False)
    till.clock.set(VISIT_DAY_8)
    assert till.check_in("T00001")[0] == 200


def test_patients_wait_in_the_order_of_their_slots_and_late_ones_three_places_back(
        till: Till, session: dict[str, Any]) -> None:
    for slot in range(8):
        till.registered(f"T0000{slot}", session, slot)
    till.clock.set(VISIT_DAY_8)
    waiting = [till.check_in(f"T0000{slot}")[1]["ahead"] for slot in (3, 2, 5, 4)]
    assert waiting == [0, 0, 2, 2]  # each before those with later slots
    till.clock.set(VISIT_DAY_8 + timedelta(minutes=20, seconds=30))  # slots 0 and 1 are past
    late = [till.check_in(f"T0000{slot}")[1] for slot in (0, 1)]
    assert [(one["late"], one["queue_number"], one["ahead"]) for one in late] == [
        (True, "M001G", 3), (True, "M002G", 4)]
    assert till.check_in("T00006")[1]["ahead"] == 6
    for slot in (2, 3, 4):
        assert till.order_of("visits", {"trade_no": f"T0000{slot}"})[0] == 200
    assert till.check_in("T00007")[1]["ahead"] == 4  # the two late ones, the sixth and the seventh slot


def test_the_end_of_the_slot_is_still_in_time(till: Till, session: dict[str, Any]) -> None:
    till.registered("T00001", session, 0)
    till.clock.set(VISIT_DAY_8 + timedelta(minutes=9, seconds=50))
    assert till.check_in("T00001")[1]["late"] is False


def test_the_machine_at_the_department_follows_the_same_rule(till: Till, session: dict[str, Any]) -> None:
    till.registered("T00001", session, 0, prepaid=False)
    path = "registrations/T00001/check-in"
    assert till.order_of(path)[1]["error"].startswith("CHECKIN_TOO_EARLY")
    till.clock.set(VISIT_DAY_8)
    assert till.order_of(path)[1]["error"].startswith("PAYMENT_REQUIRED")
    answer = till.order_of(path, {"payment": till.payment("42000001", 5000)})
    assert answer == till.check_in("T00001")


def test_only_a_patient_who_is_here_is_seen(till: Till, session: dict[str, Any]) -> None:
    till.registered("T00001", session, 0)
    till.clock.set(VISIT_DAY_8)
    assert till.order_of("visits", {"trade_no": "T00001"})[0] == 409
    till.check_in("T00001")
    first = till.order_of("visits", {"trade_no": "T00001"})
    assert (first[0], first[1]["doctor_code"]) == (200, session["doctor_code"])
    assert till.order_of("visits", {"trade_no": "T00001"}) == first


def test_who_came_is_listed_by_the_day_and_put_right_by_staff(till: Till, session: dict[str, Any]) -> None:
    for slot in range(3):
        till.registered(f"T0000{slot}", session, slot)
    day = f"{VISIT_DAY_8:%Y-%m-%d}"

    def listed(query: str = "") -> tuple[list[tuple[str, str]], str | None]:
        status, page = till.caller.get(f"/attendance?date={day}{query}")
        assert status == 200
        return [(one["trade_no"], one["state"]) for one in page["attendances"]], page["next_cursor"]

    till.clock.set(VISIT_DAY_8 - timedelta(minutes=20))
    till.check_in("T00001")
    assert listed() == ([("T00000", "UNKNOWN"), ("T00001", "ATTENDED"), ("T00002", "UNKNOWN")], None)
    till.clock.set(VISIT_DAY_8 + timedelta(hours=4))  # the session's end
    assert listed()[0] == [("T00000", "ABSENT"), ("T00001", "ATTENDED"), ("T00002", "ABSENT")]
    assert till.control.post("/his/registrations/T00002/attendance", json={"state": "ATTENDED"}).status_code == 200
    first, cursor = listed("&limit=2")
    assert (first, listed(f"&limit=2&cursor={cursor}")) == (
        [("T00000", "ABSENT"), ("T00001", "ATTENDED")], ([("T00002", "ATTENDED")], None))
    assert code(till.caller.get("/attendance?date=2026-13-01")) == (422, "INVALID_FIELD")
    assert till.control.post("/his/registrations/T00002/attendance", json={"state": "MAYBE"}).status_code == 422
