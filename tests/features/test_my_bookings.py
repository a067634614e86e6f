"""My registrations (我的挂号): every one, with its state and what can be done; page by page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.people import person
from sandbox.phone import Control, Phone

Open = Callable[..., dict[str, Any]]


@pytest.mark.feature("me.bookings")
def test_every_registration_is_listed_with_its_state(control: Control, guest: Phone, ill: dict[str, Any],
                                                     new_session: Open, visit: Any) -> None:
    sessions = [new_session(fee_fen=1000 + at, period=period) for at, period in enumerate(
        ["MORNING", "AFTERNOON", "EVENING"])]
    mother = guest.add_patient(person(age=70), relation="PARENT")
    confirmed = visit(guest, ill, sessions[0])
    cancelled = visit(guest, mother, sessions[0])
    guest.call("POST", f"booking/bookings/{cancelled}/cancellation")
    control.settle()
    given_up = guest.book(ill["id"], sessions[1])["id"]
    guest.call("POST", f"booking/bookings/{given_up}/cancellation")
    paying = guest.book(mother["id"], sessions[1])["id"]
    guest.open_payment(paying)
    held = guest.book(ill["id"], sessions[2])["id"]
    listed = guest.call("GET", "booking/bookings")
    assert listed["next"] is None
    assert [(one["id"], one["state"], one["state_text"]) for one in listed["bookings"]] == [
        (held, "HELD", "待支付"), (paying, "AWAITING_PAYMENT", "待支付"), (given_up, "RELEASED", "已释放"),
        (cancelled, "CANCELLED", "已取消"), (confirmed, "CONFIRMED", "预约成功")]
    assert [(one["can_pay"], one["can_cancel"]) for one in listed["bookings"]] == [
        (True, True), (True, True), (False, False), (False, False), (False, True)]
    assert [len(one["refunds"]) for one in listed["bookings"]] == [0, 0, 0, 1, 0]
    last = listed["bookings"][-1]
    assert last == guest.booking(confirmed)
    assert (last["patient_name"], last["fee_fen"], last["doctor_id"]) == (ill["name"], 1000, sessions[0]["doctor_id"])
    assert (last["department_name"], last["period"], last["visit_number"]) == ("心血管内科", "MORNING", "M001") or (
        last["visit_number"][0] == "M")
    assert last["clinic_room"] and last["location"].endswith(last["clinic_room"])


def test_registrations_come_in_pages_each_once_newest_first(
        guest: Phone, ill: dict[str, Any], ward: dict[str, Any], policy: Callable[..., None]) -> None:
    policy(given_up_places_per_account_and_day=21)
    made = []
    for _ in range(21):
        made.append(guest.book(ill["id"], ward)["id"])
        guest.call("POST", f"booking/bookings/{made[-1]}/cancellation")
    first = guest.call("GET", "booking/bookings")
    second = guest.call("GET", "booking/bookings", params={"before": first["next"]})
    assert (len(first["bookings"]), len(second["bookings"]), second["next"]) == (20, 1, None)
    shown = [one["id"] for one in first["bookings"] + second["bookings"]]
    assert shown == made[::-1] == sorted(made, reverse=True)


def test_a_page_after_the_last_is_empty(guest: Phone, ill: dict[str, Any], ward: dict[str, Any]) -> None:
    guest.book(ill["id"], ward)
    assert guest.call("GET", "booking/bookings", params={"before": "0" * 26}) == {"bookings": [], "next": None}


def test_registrations_stay_after_the_patient_is_removed(control: Control, guest: Phone, ill: dict[str, Any],
                                                         session: dict[str, Any], visit: Any) -> None:
    booking = visit(guest, ill, session)
    guest.call("DELETE", f"account/patients/{ill['id']}")
    left = guest.booking(booking)
    assert (left["withheld"], left["patient_name"], left["doctor_name"], left["state"]) == (True, "", "", "CONFIRMED")
    guest.call("POST", f"booking/bookings/{booking}/cancellation")
    control.settle()
    assert guest.booking(booking)["state"] == "CANCELLED"


def test_every_step_is_written_down(guest: Phone, ill: dict[str, Any], session: dict[str, Any], visit: Any,
                                    sql: Callable[..., list[tuple[Any, ...]]], control: Control) -> None:
    booking = visit(guest, ill, session)
    guest.call("POST", f"booking/bookings/{booking}/cancellation")
    control.settle()
    steps = sql("SELECT from_state, to_state FROM booking_history WHERE booking_id = %s ORDER BY id", (booking,))
    assert steps == [("HELD", "AWAITING_PAYMENT"), ("AWAITING_PAYMENT", "CONFIRMING"), ("CONFIRMING", "CONFIRMED"),
                     ("CONFIRMED", "CANCELLING"), ("CANCELLING", "CANCELLED")]
