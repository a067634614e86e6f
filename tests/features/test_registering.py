"""Registering by department and by date, today and for a coming day: taken, paid, confirmed, announced once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.people import person
from sandbox.phone import Control, Phone

TODAY, THURSDAY = "2026-11-23", "2026-11-26"
Open = Callable[..., dict[str, Any]]


def both(what: str) -> Any:
    """The same for today (same-day.*) and for a coming day (advance.*)."""
    return pytest.mark.parametrize("date", [
        pytest.param(TODAY, marks=pytest.mark.feature(f"same-day.{what}"), id="same-day"),
        pytest.param(THURSDAY, marks=pytest.mark.feature(f"advance.{what}"), id="advance")])


@both("by-department")
def test_a_patient_registers_by_department(phone: Phone, patient: dict[str, Any], new_session: Open, visit: Any,
                                           trade: Any, date: str) -> None:
    made = new_session(date=date, period="AFTERNOON", slots=4)
    groups = phone.call("GET", "booking/departments")["groups"]
    chosen = next(one for group in groups if group["name"] == "内科" for one in group["departments"]
                  if one["name"] == "心血管内科")
    day = next(one for one in phone.call("GET", "booking/days", params={"department_id": chosen["id"]})["days"]
               if one["day"] == date)
    shown = phone.call("GET", "booking/sessions", params={"department_id": chosen["id"], "day": date})["sessions"]
    assert {one["department_id"] for one in shown} == {chosen["id"]}
    assert {one["visit_date"] for one in shown} == {date}
    assert (day["sessions"], day["free"]) == (sum(one["state"] == "OPEN" for one in shown),
                                              sum(one["free"] for one in shown))
    session = next(one for one in shown if one["id"] == made["id"])
    places = phone.call("GET", f"booking/sessions/{session['id']}/slots")["slots"]
    assert [one["number"] for one in places] == [1, 2, 3, 4]
    booked = phone.booking(visit(phone, patient, session, slot_id=places[2]["id"]))
    assert (booked["state"], booked["visit_date"], booked["starts_at"]) == ("CONFIRMED", date, places[2]["starts_at"])
    assert booked["visit_number"] == "A003"
    assert trade(booked["id"])["slot_code"] == made["his"]["slots"][2]["code"]
    left = phone.call("GET", f"booking/sessions/{session['id']}/slots")["slots"]
    assert [one["number"] for one in left] == [1, 2, 4]


@pytest.mark.feature("advance.by-date")
def test_a_patient_picks_a_date_first_and_sees_who_is_on_duty(phone: Phone, patient: dict[str, Any], new_session: Open,
                                                              visit: Any) -> None:
    made = new_session(date=THURSDAY, period="EVENING", slots=3)
    days = phone.call("GET", "booking/days")
    assert (days["today"], days["last_open_day"]) == (TODAY, "2026-11-30")
    assert days["days"][0]["day"] == TODAY
    assert THURSDAY in [one["day"] for one in days["days"] if one["free"] > 0]
    duty = phone.call("GET", f"booking/days/{THURSDAY}/departments")["departments"]
    chosen = next(one for one in duty if one["name"] == "心血管内科")
    on_duty = phone.call("GET", "booking/sessions", params={"day": THURSDAY, "department_id": chosen["id"]})["sessions"]
    assert (chosen["sessions"], chosen["free"]) == (sum(one["state"] == "OPEN" for one in on_duty),
                                                    sum(one["free"] for one in on_duty))
    everybody = phone.call("GET", "booking/sessions", params={"day": THURSDAY})["sessions"]
    assert {one["id"] for one in on_duty} < {one["id"] for one in everybody}
    assert sorted(everybody, key=lambda one: one["starts_at"]) == everybody
    session = next(one for one in on_duty if one["id"] == made["id"])
    assert (session["free"], session["period"]) == (3, "EVENING")
    assert phone.booking(visit(phone, patient, session))["visit_date"] == THURSDAY


@both("pay")
def test_the_fee_is_paid_and_the_registration_is_confirmed_in_the_his(
        phone: Phone, patient: dict[str, Any], new_session: Open, visit: Any, trade: Any, order: Any, date: str,
        books_agree: Callable[..., None]) -> None:
    booking = visit(phone, patient, new_session(date=date, period="AFTERNOON", fee_fen=4321))
    paid = order(booking)
    assert (paid["state"], paid["total_fen"], paid["refunded_fen"]) == ("SUCCESS", 4321, 0)
    firm = trade(booking)
    assert (firm["state"], firm["paid_fen"], firm["transaction_id"]) == ("CONFIRMED", 4321, paid["transaction_id"])
    shown = phone.booking(booking)
    assert (shown["fee_fen"], shown["can_pay"], shown["can_cancel"], shown["refunds"]) == (4321, False, True, [])
    assert shown["location"].startswith("门诊楼3层A区")
    books_agree(booking)


@both("pay")
def test_or_the_money_goes_back(control: Control, phone: Phone, patient: dict[str, Any], new_session: Open, trade: Any,
                                order: Any, date: str, books_agree: Callable[..., None]) -> None:
    made = new_session(date=date, period="AFTERNOON", fee_fen=4321)
    held = phone.book(patient["id"], made)
    payment = phone.open_payment(held["id"])
    control("POST", f"/his/schedules/{made['his']['code']}/stop")  # while the patient pays
    phone.thumb(payment)
    control.settle()
    control.advance(20)
    control.work()
    shown = phone.booking(held["id"])
    assert (shown["state"], shown["reason"]) == ("REJECTED", "SCHEDULE_STOPPED")
    assert [(one["state"], one["amount_fen"]) for one in shown["refunds"]] == [("SUCCEEDED", 4321)]
    assert (order(held["id"])["refunded_fen"], trade(held["id"])["state"]) == (4321, "UNLOCKED")
    [message] = phone.inbox("挂号失败通知")
    assert message["lines"][-1] == "原因: 挂号未成功，费用将原路退回"
    assert phone.inbox("挂号成功通知") == []
    books_agree(held["id"])


@both("notify")
def test_after_success_a_message_arrives_once(control: Control, phone: Phone, patient: dict[str, Any],
                                              new_session: Open, visit: Any, order: Any, date: str) -> None:
    session = new_session(date=date, period="AFTERNOON")
    booking = visit(phone, patient, session)
    control("POST", "/wechatpay/notices/replay", out_trade_no=order(booking)["out_trade_no"], copies=4)
    control.advance(120)
    control.work()
    [message] = phone.inbox("挂号成功通知")
    assert message["lines"][0].startswith("就诊人: ")
    assert message["lines"][0][-1] == patient["name"][-1]
    assert message["lines"][1:3] == [f"医生: {session['doctor_name']}", "科室: 心血管内科"]
    day = int(date[-2:])
    assert message["lines"][3].startswith(f"就诊时间: 2026年11月{day}日 1")


def test_a_payment_may_be_opened_again_until_it_is_paid(control: Control, guest: Phone, ill: dict[str, Any],
                                                        ward: dict[str, Any], order: Any, trade: Any) -> None:
    held = guest.book(ill["id"], ward)
    guest.open_payment(held["id"])
    control.advance(60)
    again = guest.open_payment(held["id"])
    assert trade(held["id"])["state"] == "LOCKED"
    guest.thumb(again)
    control.settle()
    assert guest.booking(held["id"])["state"] == "CONFIRMED"
    assert order(held["id"])["total_fen"] == ward["fee_fen"]
    answer = guest.raw("POST", f"booking/bookings/{held['id']}/payment")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "not_payable")


def test_a_payment_whose_notice_is_lost_is_found_by_asking(control: Control, guest: Phone, ill: dict[str, Any],
                                                           ward: dict[str, Any]) -> None:
    held = guest.book(ill["id"], ward)
    guest.thumb(guest.open_payment(held["id"]), notify=False)
    control.settle()
    assert guest.booking(held["id"])["state"] == "AWAITING_PAYMENT"
    control.advance(31)
    control.work("worker")
    assert guest.booking(held["id"])["state"] == "CONFIRMED"


def test_with_payment_at_check_in_a_registration_is_confirmed_without_paying(
        control: Control, phone: Phone, patient: dict[str, Any], ward: dict[str, Any], policy: Callable[..., None],
        trade: Any, books_agree: Callable[..., None]) -> None:
    policy(payment="AT_CHECKIN")
    held = phone.book(patient["id"], ward)
    assert (held["needs_payment"], held["fee_fen"]) == (False, 2500)
    answer = phone.call("POST", f"booking/bookings/{held['id']}/payment")
    assert answer["payment"] is None
    control.settle()
    assert phone.booking(held["id"])["state"] == "CONFIRMED"
    assert (trade(held["id"])["state"], trade(held["id"])["paid_fen"]) == ("CONFIRMED", 0)
    assert len(phone.inbox("挂号成功通知")) == 1
    books_agree(held["id"])


def test_a_session_without_a_fee_is_confirmed_without_paying_and_cancelled_without_a_refund(
        control: Control, phone: Phone, patient: dict[str, Any], new_session: Open, trade: Any,
        books_agree: Callable[..., None]) -> None:
    held = phone.book(patient["id"], new_session(fee_fen=0))
    assert held["needs_payment"] is False
    assert phone.call("POST", f"booking/bookings/{held['id']}/payment")["payment"] is None
    control.settle()
    assert phone.booking(held["id"])["state"] == "CONFIRMED"
    phone.call("POST", f"booking/bookings/{held['id']}/cancellation")
    control.settle()
    assert (phone.booking(held["id"])["state"], phone.booking(held["id"])["refunds"]) == ("CANCELLED", [])
    assert (trade(held["id"])["state"], trade(held["id"])["refund_fen"]) == ("CANCELLED", 0)
    assert len(phone.inbox("取消预约通知")) == 1
    books_agree(held["id"])


def test_family_members_have_registrations_of_their_own(guest: Phone, ill: dict[str, Any],
                                                        ward: dict[str, Any]) -> None:
    mother = guest.add_patient(person(age=60), relation="PARENT")
    ids = {guest.book(one["id"], ward)["id"] for one in (ill, mother)}
    shown = guest.call("GET", "booking/bookings")["bookings"]
    assert {one["id"]: one["patient_id"] for one in shown}.keys() == ids
    assert {one["patient_id"] for one in shown} == {ill["id"], mother["id"]}
