"""Cancelling: up to the hospital's cut-off; HIS told, money back the way it came, the place on sale again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from sandbox.people import person
from sandbox.phone import Control, Phone, Refused

Open = Callable[..., dict[str, Any]]
Ask = Callable[..., list[tuple[Any, ...]]]
BEIJING = timezone(timedelta(hours=8))


def cancel(phone: Phone, booking_id: str) -> str:
    return str(phone.call("POST", f"booking/bookings/{booking_id}/cancellation")["state"])


def free(phone: Phone, session: dict[str, Any]) -> list[int]:
    return [one["number"] for one in phone.call("GET", f"booking/sessions/{session['id']}/slots")["slots"]]


def closed(phone: Phone, booking_id: str) -> bool:
    """Whether cancelling is refused because of the cut-off; the view says the same."""
    promised = phone.booking(booking_id)["can_cancel"]
    answer = phone.raw("POST", f"booking/bookings/{booking_id}/cancellation")
    assert promised == (answer.status_code == 202)
    if answer.status_code == 202:
        return False
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "cancel_closed")
    return True


@pytest.mark.feature("advance.cancel")
def test_a_cancelled_registration_is_refunded_told_and_on_sale_again(
        control: Control, phone: Phone, patient: dict[str, Any], new_session: Open, visit: Any, trade: Any,
        order: Any, books_agree: Callable[..., None]) -> None:
    session = new_session(slots=1, fee_fen=3000)
    booking = visit(phone, patient, session)
    assert free(phone, session) == []
    assert cancel(phone, booking) == "CANCELLING"
    control.settle()
    shown = phone.booking(booking)
    assert (shown["state"], shown["state_text"], shown["can_cancel"]) == ("CANCELLED", "已取消", False)
    assert (trade(booking)["state"], trade(booking)["refund_fen"]) == ("CANCELLED", 3000)
    assert [(one["state"], one["amount_fen"]) for one in shown["refunds"]] == [("PROCESSING", 3000)]
    control.advance(20)
    control.work()
    [refund] = phone.booking(booking)["refunds"]
    assert (refund["state"], order(booking)["refunded_fen"]) == ("SUCCEEDED", 3000)
    [message] = phone.inbox("取消预约通知")
    assert message["lines"][-2:] == ["金额: ¥30.00", "备注: 预约已取消，费用原路退回"]
    assert free(phone, session) == [1]
    books_agree(booking, visit(phone, phone.add_patient(person()), session))


def test_cancelling_again_changes_nothing(control: Control, guest: Phone, ill: dict[str, Any], ward: dict[str, Any],
                                          visit: Any, order: Any) -> None:
    booking = visit(guest, ill, ward)
    cancel(guest, booking)
    assert cancel(guest, booking) in ("CANCELLING", "CANCELLED")
    control.settle()
    assert cancel(guest, booking) == "CANCELLED"
    control.advance(20)
    control.work()
    assert len(guest.booking(booking)["refunds"]) == 1
    assert order(booking)["refunded_fen"] == order(booking)["total_fen"]


def test_without_a_rule_a_registration_may_be_cancelled_until_its_place_starts(
        control: Control, guest: Phone, ill: dict[str, Any], new_session: Open, visit: Any) -> None:
    session = new_session(date="2026-11-23", slots=8)  # 8:00, 8:30, …
    places = {one["number"]: one["id"] for one in guest.call("GET", f"booking/sessions/{session['id']}/slots")["slots"]}
    early = visit(guest, ill, session, slot_id=places[1])
    late = visit(guest, guest.add_patient(person()), session, slot_id=places[2])
    assert guest.booking(early)["cancel_until"] == guest.booking(early)["starts_at"]
    assert not closed(guest, early)
    control.settle()
    control("PUT", "/clock", now="2026-11-23T08:30:00+08:00")
    assert closed(guest, late)


def test_the_cut_off_may_be_an_hour_of_a_day_before(control: Control, guest: Phone, ill: dict[str, Any],
                                                    new_session: Open, visit: Any, policy: Callable[..., None]) -> None:
    policy(cancel_days_before=1, cancel_until="09:00", hold_minutes=21)
    session = new_session(date="2026-11-24")
    offered = guest.call("GET", f"booking/sessions/{session['id']}/slots")
    first, second = visit(guest, ill, session), visit(guest, guest.add_patient(person()), session)
    until = datetime.fromisoformat(guest.booking(first)["cancel_until"].replace("Z", "+00:00"))
    assert until.astimezone(BEIJING).hour == 9
    # What was shown before it was taken is what holds after it.
    assert {one["cancel_until"] for one in offered["slots"]} == {guest.booking(first)["cancel_until"]}
    assert (offered["hold_minutes"], offered["pay_now"]) == (21, True)
    control("PUT", "/clock", now="2026-11-23T08:59:50+08:00")
    assert not closed(guest, first)
    control("PUT", "/clock", now="2026-11-23T09:00:00+08:00")
    assert closed(guest, second)
    assert guest.booking(second)["state"] == "CONFIRMED"


def test_the_cut_off_may_be_the_end_of_the_day_before(guest: Phone, ill: dict[str, Any], new_session: Open, visit: Any,
                                                      policy: Callable[..., None]) -> None:
    policy(cancel_days_before=1)
    today, tomorrow = (new_session(date=date, period="AFTERNOON") for date in ("2026-11-23", "2026-11-24"))
    assert closed(guest, visit(guest, ill, today))
    assert not closed(guest, visit(guest, ill, tomorrow))


def test_a_held_place_given_up_is_on_sale_at_once_and_dead_in_the_his(
        control: Control, guest: Phone, ill: dict[str, Any], new_session: Open) -> None:
    session = new_session(slots=1)
    held = guest.book(ill["id"], session)
    assert cancel(guest, held["id"]) == "RELEASED"
    assert guest.booking(held["id"])["reason"] == "GIVEN_UP"
    assert free(guest, session) == [1]
    control.settle()
    assert guest.book(ill["id"], session)["state"] == "HELD"
    with pytest.raises(Refused) as refusal:
        guest.open_payment(held["id"])
    assert refusal.value.code == "hold_expired"


def test_giving_up_while_paying_closes_the_order_first(control: Control, guest: Phone, ill: dict[str, Any],
                                                       new_session: Open, order: Any, trade: Any) -> None:
    session = new_session(slots=1)
    held = guest.book(ill["id"], session)
    payment = guest.open_payment(held["id"])
    assert cancel(guest, held["id"]) == "AWAITING_PAYMENT"
    control.settle()
    assert guest.booking(held["id"])["state"] == "RELEASED"
    assert (order(held["id"])["state"], trade(held["id"])["state"]) == ("CLOSED", "UNLOCKED")
    with pytest.raises(Refused):
        guest.thumb(payment)
    assert free(guest, session) == [1]


def test_after_check_in_the_his_refuses_and_the_registration_stands(
        control: Control, phone: Phone, patient: dict[str, Any], new_session: Open, visit: Any, trade: Any,
        order: Any, books_agree: Callable[..., None]) -> None:
    booking = visit(phone, patient, new_session(date="2026-11-23"))
    control("POST", f"/his/registrations/{trade(booking)['trade_no']}/check-in")
    cancel(phone, booking)
    control.settle()
    shown = phone.booking(booking)
    assert (shown["state"], shown["reason"], shown["refunds"]) == ("CONFIRMED", "ALREADY_CHECKED_IN", [])
    assert order(booking)["refunded_fen"] == 0
    assert phone.inbox("挂号失败通知")[0]["lines"][-1] == "原因: 取消未成功，请到人工窗口办理"
    assert phone.inbox("取消预约通知") == []
    books_agree(booking)


def test_a_place_given_back_is_sold_again_after_a_random_delay(
        control: Control, guest: Phone, new_session: Open, policy: Callable[..., None], sql: Ask) -> None:
    policy(resale_delay_max_seconds=3600)
    session = new_session(slots=6)
    held = [guest.book(guest.add_patient(person())["id"], session) for _ in range(4)]
    for one in held:
        cancel(guest, one["id"])
    until = {row[0] for row in sql("SELECT on_sale_at FROM slots WHERE schedule_id = %s AND on_sale_at IS NOT NULL",
                                   (session["id"],))}
    assert len(until) == 4  # each its own
    assert len(free(guest, session)) < 6
    wanted = guest.call("GET", "booking/doctors/" + session["doctor_id"])["sessions"][0]
    assert wanted["free"] == len(free(guest, session))
    control.advance(3600)
    assert len(free(guest, session)) == 6
