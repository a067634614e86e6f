"""Check-in (取号): within its time, once, paid first where the hospital wants it, told with number and place."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from sandbox.people import person
from sandbox.phone import Control, Phone, Refused
from tests.features.conftest import open_ward

Open = Callable[..., dict[str, Any]]
Ask = Callable[..., list[tuple[Any, ...]]]
TODAY, TOLD = "2026-11-23", "取号成功通知"


@pytest.fixture(scope="module")
def hall(world: Control) -> dict[str, Any]:
    """A session of 48 places this morning, 25 yuan, which the tests of this module share."""
    return open_ward(world, date=TODAY)


def arrival(phone: Phone, booking_id: str) -> dict[str, Any]:
    """A registration as the page of check-in shows it."""
    shown = phone.call("GET", "checkin/bookings")["bookings"]
    return next(one for one in shown if one["id"] == booking_id)


def place(phone: Phone, session: dict[str, Any], number: int) -> str:
    """The id of one of a session's places, by its number."""
    places = phone.call("GET", f"booking/sessions/{session['id']}/slots")["slots"]
    return str(next(one["id"] for one in places if one["number"] == number))


def refusal(phone: Phone, booking_id: str) -> tuple[int, str | None, str]:
    """How a check-in that can't be is answered: status, code, sentence."""
    with pytest.raises(Refused) as refused:
        phone.check_in(booking_id)
    return refused.value.status, refused.value.code, refused.value.error["message"]


def at(control: Control, moment: str) -> None:
    control("PUT", "/clock", now=f"{TODAY}T{moment}+08:00")


# -- in time, once ----------------------------------------------------------------------------------
@pytest.mark.feature("checkin.notify")
def test_who_has_checked_in_is_told_number_and_place_once(
        control: Control, phone: Phone, patient: dict[str, Any], new_session: Open, visit: Any, trade: Any,
        money_agrees: Callable[[Phone], None]) -> None:
    session = new_session(date=TODAY)
    booking = visit(phone, patient, session, slot_id=place(phone, session, 1))
    before = arrival(phone, booking)
    assert (before["state"], before["can_check_in"], before["reason_text"]) == ("CONFIRMED", True, "")
    assert (before["fee_to_pay_fen"], before["doctor_name"]) == (0, session["doctor_name"])
    assert before["patient_name"] != patient["name"] or "*" in patient["name"]
    answer = phone.check_in(booking)
    assert answer["payment"] is None
    shown = answer["booking"]
    assert (shown["state"], shown["queue_number"], shown["queue_ahead"], shown["late"]) == (
        "CHECKED_IN", "M001", 0, False)
    assert shown["queue_place"].endswith("候诊区")
    assert (shown["can_check_in"], shown["reason_text"]) == (False, "")
    assert trade(booking)["checked_in"] is True
    again = phone.check_in(booking)
    assert (again["payment"], again["booking"]) == (None, arrival(phone, booking))
    assert again["booking"]["checked_in_at"] is not None
    control.settle()
    control.advance(120)
    control.work()
    [message] = phone.inbox(TOLD)
    assert message["lines"][1:] == [
        f"医生: {session['doctor_name']}", "排队号: M001", f"候诊地点: {shown['queue_place']}",
        "温馨提示: 已取号，请到候诊区等候"]
    mine = phone.booking(booking)
    assert (mine["state"], mine["state_text"], mine["queue_number"]) == ("CHECKED_IN", "已取号", "M001")
    assert mine["can_cancel"] is False
    money_agrees(phone)


def test_who_comes_later_hears_how_many_are_before_them(
        control: Control, phone: Phone, patient: dict[str, Any], new_session: Open, visit: Any) -> None:
    session = new_session(date=TODAY)
    second = visit(phone, patient, session, slot_id=place(phone, session, 2))
    first = visit(phone, phone.add_patient(person()), session, slot_id=place(phone, session, 1))
    phone.check_in(first)
    assert phone.check_in(second)["booking"]["queue_ahead"] == 1
    control.settle()
    assert phone.inbox(TOLD)[-1]["lines"][-1] == "温馨提示: 已取号，前面还有1人"


@pytest.mark.parametrize("minutes", [None, 30])
def test_check_in_opens_at_the_minute_that_the_hospital_has_set(
        control: Control, guest: Phone, ill: dict[str, Any], new_session: Open, visit: Any, minutes: int | None,
        policy: Callable[..., None]) -> None:
    booking = visit(guest, ill, new_session(date=TODAY, period="AFTERNOON"))  # from 13:30 on
    if minutes is not None:
        policy(checkin_opens_minutes=minutes)
    opens = datetime.fromisoformat(f"{TODAY}T13:30:00+08:00") - timedelta(minutes=minutes or 120)
    early = opens - timedelta(seconds=10)
    at(control, f"{early:%H:%M:%S}")
    shown = arrival(guest, booking)
    assert (shown["opens_at"], shown["can_check_in"]) == (f"{opens.astimezone(timezone.utc):%Y-%m-%dT%H:%M:%SZ}", False)
    said = f"尚未到取号时间，请于11月23日{opens:%H:%M}后取号。"
    assert refusal(guest, booking) == (409, "checkin_too_early", said)
    assert shown["reason_text"] == said
    at(control, f"{opens:%H:%M:%S}")
    assert arrival(guest, booking)["can_check_in"] is True
    assert guest.check_in(booking)["booking"]["state"] == "CHECKED_IN"


def test_a_registration_of_another_day_is_not_on_todays_list_and_too_early(
        guest: Phone, ill: dict[str, Any], ward: dict[str, Any], visit: Any) -> None:
    booking = visit(guest, ill, ward)
    assert guest.call("GET", "checkin/bookings") == {"bookings": []}
    assert refusal(guest, booking)[1:] == ("checkin_too_early", "尚未到取号时间，请于11月25日06:00后取号。")


def test_check_in_closes_when_the_session_ends(control: Control, guest: Phone, ill: dict[str, Any], new_session: Open,
                                               visit: Any, trade: Any) -> None:
    session = new_session(date=TODAY)
    early, late = visit(guest, ill, session), visit(guest, guest.add_patient(person()), session)
    at(control, "11:59:50")
    assert guest.check_in(early)["booking"]["state"] == "CHECKED_IN"
    at(control, "12:00:00")
    shown = arrival(guest, late)
    assert (shown["can_check_in"], shown["reason_text"]) == (False, "本次出诊已结束，请到人工窗口办理。")
    assert refusal(guest, late) == (409, "session_over", "本次出诊已结束，请到人工窗口办理。")
    assert trade(late)["checked_in"] is False


def test_who_comes_after_their_place_s_time_is_marked_and_told_so(
        control: Control, phone: Phone, patient: dict[str, Any], new_session: Open, visit: Any) -> None:
    session = new_session(date=TODAY)  # places of half an hour
    late = visit(phone, patient, session, slot_id=place(phone, session, 2))
    waiting = visit(phone, phone.add_patient(person()), session, slot_id=place(phone, session, 3))
    phone.check_in(waiting)
    at(control, "09:00:01")
    shown = phone.check_in(late)["booking"]
    assert (shown["late"], shown["queue_number"], shown["queue_ahead"]) == (True, "M002G", 1)
    assert phone.booking(late)["late"] is True
    control.settle()
    assert phone.inbox(TOLD)[-1]["lines"][-1] == "温馨提示: 过号后已排队，前面还有1人"


# -- what stands against it -------------------------------------------------------------------------
def test_what_is_not_confirmed_is_not_checked_in(control: Control, guest: Phone, ill: dict[str, Any],
                                                 hall: dict[str, Any], visit: Any) -> None:
    held = guest.book(ill["id"], hall)["id"]
    gone = visit(guest, guest.add_patient(person()), hall)
    guest.call("POST", f"booking/bookings/{gone}/cancellation")
    control.settle()
    assert guest.call("GET", "checkin/bookings") == {"bookings": []}
    for booking in (held, gone):
        assert refusal(guest, booking)[:2] == (409, "not_confirmed")


def test_a_registration_that_the_his_has_cancelled_is_refused(guest: Phone, ill: dict[str, Any], new_session: Open,
                                                              visit: Any, trade: Any, control: Control) -> None:
    booking = visit(guest, ill, new_session(date=TODAY))
    control("PUT", "/his/events-mode", drop=True)
    control("POST", f"/his/registrations/{trade(booking)['trade_no']}/desk-refund")
    assert refusal(guest, booking)[1] in ("not_confirmed", "checkin_refused")
    control.settle()
    shown = guest.booking(booking)  # the desk began to give it back, and no event told of that
    assert (shown["state"], shown["reason"]) == ("CANCELLED", "REFUNDED_AT_DESK")


def test_with_a_stopped_session_nobody_checks_in_and_another_try_is_free(
        control: Control, guest: Phone, ill: dict[str, Any], new_session: Open, visit: Any) -> None:
    session = new_session(date=TODAY)
    booking = visit(guest, ill, session)
    control("POST", f"/his/schedules/{session['his']['code']}/stop")
    for _ in range(2):
        assert refusal(guest, booking) == (409, "session_stopped", "该医生本次出诊已停诊，请到人工窗口办理退号或改号。")
    control("POST", f"/his/schedules/{session['his']['code']}/reopen")
    control.operate("schedules.sync", schedule=session["his"]["code"])
    assert guest.check_in(booking)["booking"]["state"] == "CHECKED_IN"


def test_who_has_checked_in_at_the_machine_is_found_in_the_queue(
        control: Control, phone: Phone, patient: dict[str, Any], new_session: Open, visit: Any, trade: Any) -> None:
    session = new_session(date=TODAY)
    booking = visit(phone, patient, session, slot_id=place(phone, session, 1))
    control("POST", f"/his/registrations/{trade(booking)['trade_no']}/check-in")
    shown = phone.check_in(booking)["booking"]
    assert (shown["state"], shown["queue_number"], shown["late"]) == ("CHECKED_IN", "M001", False)
    control.settle()
    assert len(phone.inbox(TOLD)) == 1


def test_who_has_checked_in_cannot_cancel_on_line(control: Control, guest: Phone, ill: dict[str, Any],
                                                  hall: dict[str, Any], visit: Any, order: Any) -> None:
    booking = visit(guest, ill, hall)
    guest.check_in(booking)
    answer = guest.raw("POST", f"booking/bookings/{booking}/cancellation")
    assert answer.status_code == 409
    assert (answer.json()["error"]["code"], answer.json()["error"]["message"]) == (
        "checked_in", "已取号，不能在线取消，请到人工窗口办理退号。")
    control.settle()
    assert (guest.booking(booking)["state"], order(booking)["refunded_fen"]) == ("CHECKED_IN", 0)


def test_while_the_his_is_silent_nothing_is_promised_and_the_worker_goes_on(
        control: Control, phone: Phone, patient: dict[str, Any], new_session: Open, visit: Any, trade: Any) -> None:
    booking = visit(phone, patient, new_session(date=TODAY))
    control.fault("his", "check_trade", "cut_before")
    assert refusal(phone, booking)[:2] == (503, "his_unavailable")
    control.fault("his", "check_in", "cut_before")
    control.fault("his", "check_trade", "cut_before", after=1)
    assert refusal(phone, booking) == (503, "his_unavailable", "医院系统繁忙，正在为您取号，请稍后刷新查看。")
    assert (arrival(phone, booking)["state"], trade(booking)["checked_in"]) == ("CONFIRMED", False)
    control.advance(16)
    control.work()
    assert (arrival(phone, booking)["state"], trade(booking)["checked_in"]) == ("CHECKED_IN", True)
    assert len(phone.inbox(TOLD)) == 1


def test_an_answer_that_is_lost_is_asked_for(control: Control, guest: Phone, ill: dict[str, Any], hall: dict[str, Any],
                                             visit: Any) -> None:
    booking = visit(guest, ill, hall)
    control.fault("his", "check_in", "cut_after")
    assert guest.check_in(booking)["booking"]["state"] == "CHECKED_IN"


# -- the fee on arrival -----------------------------------------------------------------------------
@pytest.fixture
def unpaid(control: Control, phone: Phone, patient: dict[str, Any], new_session: Open, policy: Callable[..., None]
           ) -> tuple[str, dict[str, Any]]:
    """A registration of this morning that is to be paid on arrival, and its session."""
    policy(payment="AT_CHECKIN")
    session = new_session(date=TODAY)
    held = phone.book(patient["id"], session, slot_id=place(phone, session, 1))
    phone.call("POST", f"booking/bookings/{held['id']}/payment")
    control.settle()
    assert phone.booking(held["id"])["state"] == "CONFIRMED"
    return held["id"], session


@pytest.fixture
def fees(sql: Ask) -> Callable[[str], list[tuple[Any, ...]]]:
    """``fees(booking_id)``: every attempt to check in, oldest first: its state, reason, and order at WeChat Pay."""
    return lambda booking_id: sql(
        "SELECT c.state, c.reason, p.out_trade_no FROM checkins c LEFT JOIN payments p ON p.subject_id = c.id "
        "WHERE c.booking_id = %s ORDER BY c.id", (booking_id,))


@pytest.mark.feature("checkin.pay")
@pytest.mark.feature("checkin.notify")
def test_the_fee_is_paid_on_arrival_and_then_the_number_comes(
        control: Control, phone: Phone, unpaid: tuple[str, Any], trade: Any, fees: Any,
        money_agrees: Callable[[Phone], None]) -> None:
    booking, session = unpaid
    assert arrival(phone, booking)["fee_to_pay_fen"] == 2500
    answer = phone.check_in(booking)
    assert answer["booking"]["state"] == "CONFIRMED"
    assert trade(booking)["checked_in"] is False
    assert phone.check_in(booking)["payment"]["package"].startswith("prepay_id=")  # may be opened again
    paid = phone.thumb(answer["payment"])
    control.settle()
    shown = arrival(phone, booking)
    assert (shown["state"], shown["queue_number"], shown["fee_to_pay_fen"]) == ("CHECKED_IN", "M001", 0)
    assert phone.check_in(booking)["payment"] is None
    firm = trade(booking)
    assert (firm["checked_in"], firm["paid_fen"], firm["transaction_id"]) == (True, 2500, paid["transaction_id"])
    assert fees(booking) == [("DONE", "", paid["out_trade_no"])]
    assert paid["out_trade_no"].startswith("K")
    assert len(phone.inbox(TOLD)) == 1
    [payment] = phone.payments()
    assert (payment["kind"], payment["kind_text"], payment["paid_fen"]) == ("checkin", "挂号费（取号时支付）", 2500)
    receipt = phone.receipt(payment["id"])
    assert [(one["trade_no"], one["amount_fen"]) for one in receipt["settlements"]] == [(firm["trade_no"], 2500)]
    assert [(one["state"], one["amount_fen"]) for one in receipt["invoices"]] == [("ISSUED", 2500)]
    assert session["fee_fen"] == 2500
    money_agrees(phone)


def test_a_fee_that_is_not_paid_in_time_may_be_paid_anew(
        control: Control, phone: Phone, unpaid: tuple[str, Any], fees: Any, money_agrees: Callable[[Phone], None]
        ) -> None:
    booking, _ = unpaid
    old = phone.check_in(booking)["payment"]
    control.advance(15 * 60)
    assert refusal(phone, booking)[:2] == (503, "payment_closing")
    control.work()
    with pytest.raises(Refused):
        phone.thumb(old)
    phone.thumb(phone.check_in(booking)["payment"])
    control.settle()
    assert [one[0] for one in fees(booking)] == ["EXPIRED", "DONE"]
    assert arrival(phone, booking)["state"] == "CHECKED_IN"
    assert sorted((one["state_text"], one["paid_fen"]) for one in phone.payments()) == [("已关闭", 0), ("已支付", 2500)]
    money_agrees(phone)


def test_a_fee_that_comes_after_its_time_goes_back_and_the_patient_is_told(
        control: Control, phone: Phone, unpaid: tuple[str, Any], fees: Any, trade: Any,
        money_agrees: Callable[[Phone], None]) -> None:
    booking, _ = unpaid
    phone.check_in(booking)
    control.advance(15 * 60)
    control.work()
    control("POST", f"/wechatpay/orders/{fees(booking)[0][2]}/force-pay")
    control.settle()
    control.advance(20)
    control.work()
    assert [one[:2] for one in fees(booking)] == [("REFUSED", "PAID_TOO_LATE")]
    [payment] = phone.payments()
    assert (payment["state_text"], payment["refunded_fen"]) == ("已全额退款", 2500)
    assert [one["lines"][-1] for one in phone.inbox("退费通知")] == ["备注: 取号未成功退费，已原路退回"]
    assert (arrival(phone, booking)["state"], trade(booking)["paid_fen"]) == ("CONFIRMED", 0)
    money_agrees(phone)


def test_for_a_session_that_is_known_to_be_stopped_no_fee_is_taken(
        control: Control, phone: Phone, unpaid: tuple[str, Any], fees: Any) -> None:
    booking, session = unpaid
    control("POST", f"/his/schedules/{session['his']['code']}/stop")
    control.operate("schedules.sync", schedule=session["his"]["code"])
    assert refusal(phone, booking)[:2] == (409, "session_stopped")
    assert (fees(booking), phone.payments()) == ([], [])


def test_when_the_his_refuses_after_the_payment_the_fee_goes_back_once(
        control: Control, phone: Phone, unpaid: tuple[str, Any], fees: Any, trade: Any,
        money_agrees: Callable[[Phone], None]) -> None:
    booking, session = unpaid
    payment = phone.check_in(booking)["payment"]
    control("POST", f"/his/schedules/{session['his']['code']}/stop")
    phone.thumb(payment, copies=3)
    control.settle()
    control.advance(20)
    control.work()
    assert [one[:2] for one in fees(booking)] == [("REFUSED", "SCHEDULE_STOPPED")]
    [shown] = phone.payments()
    assert [(one["amount_fen"], one["reason"], one["state"]) for one in shown["refunds"]] == [
        (2500, "取号未成功退费", "SUCCEEDED")]
    assert trade(booking)["checked_in"] is False
    assert len(phone.inbox("退费通知")) == 1
    assert phone.inbox(TOLD) == []
    assert phone.receipt(shown["id"])["settlements"] == []
    money_agrees(phone)


def test_who_has_paid_at_the_machine_meanwhile_keeps_the_number_and_gets_the_second_payment_back(
        control: Control, phone: Phone, unpaid: tuple[str, Any], fees: Any, trade: Any) -> None:
    booking, _ = unpaid
    payment = phone.check_in(booking)["payment"]
    control("POST", f"/his/registrations/{trade(booking)['trade_no']}/check-in", payment={
        "channel": "WECHAT", "transaction_id": "4200009999202611230000000001", "paid_fen": 2500,
        "paid_at": f"{TODAY}T07:30:00+08:00"})
    phone.thumb(payment)
    control.settle()
    control.advance(20)
    control.work()
    assert [one[:2] for one in fees(booking)] == [("REFUSED", "PAYMENT_CONFLICT")]
    assert phone.payments()[0]["refunded_fen"] == 2500
    assert phone.booking(booking)["state"] == "CHECKED_IN"
    answer = phone.check_in(booking)
    assert (answer["payment"], answer["booking"]["state"]) == (None, "CHECKED_IN")
    assert len(fees(booking)) == 1


def test_a_fee_of_another_amount_goes_back(control: Control, phone: Phone, unpaid: tuple[str, Any], fees: Any,
                                           trade: Any, sql: Ask) -> None:
    booking, _ = unpaid
    payment = phone.check_in(booking)["payment"]
    sql("UPDATE payments SET amount_fen = 2400 WHERE out_trade_no = %s", (fees(booking)[0][2],))
    sql("UPDATE bookings SET fee_fen = 2400 WHERE id = %s", (booking,))
    phone.thumb(payment)
    control.settle()
    control.advance(20)
    control.work()
    assert [one[:2] for one in fees(booking)] == [("REFUSED", "AMOUNT_DIFFERS")]
    assert phone.payments()[0]["refunded_fen"] == 2500
    assert trade(booking)["checked_in"] is False


def test_a_session_without_a_fee_needs_no_payment_on_arrival(
        control: Control, guest: Phone, ill: dict[str, Any], new_session: Open, policy: Callable[..., None]) -> None:
    policy(payment="AT_CHECKIN")
    held = guest.book(ill["id"], new_session(date=TODAY, fee_fen=0))
    guest.call("POST", f"booking/bookings/{held['id']}/payment")
    control.settle()
    assert arrival(guest, held["id"])["fee_to_pay_fen"] == 0
    answer = guest.check_in(held["id"])
    assert (answer["payment"], answer["booking"]["state"]) == (None, "CHECKED_IN")
    assert guest.payments() == []


@pytest.mark.parametrize(("number", "told"), [("上午12号", "12"), ("Ａ１２", "A12"), ("甲", "-")])
def test_a_queue_number_that_its_keyword_cannot_hold_is_told_as_far_as_it_can(
        control: Control, phone: Phone, patient: dict[str, Any], new_session: Open, visit: Any, number: str, told: str
        ) -> None:
    session = new_session(date=TODAY)
    booking = visit(phone, patient, session, slot_id=place(phone, session, 1))
    control.fault("his", "check_in", "override", set={"queue_number": number})
    assert phone.check_in(booking)["booking"]["queue_number"] == number
    control.settle()
    [message] = phone.inbox(TOLD)
    assert f"排队号: {told}" in message["lines"]
