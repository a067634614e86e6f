"""Money at the edge of the deadline, and after it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.phone import Refused
from tests.faults.conftest import Visit

AFTER_THE_HOLD = 16 * 60  # seconds


@pytest.fixture
def released(visit: Visit) -> Visit:
    """A place that was not paid in time and is on sale again; the order can be paid only by force."""
    visit.book()
    assert visit.open()
    visit.control.advance(AFTER_THE_HOLD)
    visit.work()
    assert visit.state == "RELEASED"
    return visit


def pay_after_all(visit: Visit, **how: Any) -> None:
    """The money comes although the order is closed."""
    visit.control("POST", f"/wechatpay/orders/{visit.out_trade_no}/force-pay", **how)
    visit.work()


def slot_of(visit: Visit) -> str:
    """The place's id."""
    return str(visit.sql("SELECT slot_id FROM bookings WHERE id = %s", (visit.id,))[0][0])


def test_what_is_not_paid_in_time_is_unlocked_and_cannot_be_paid(released: Visit) -> None:
    released.check("RELEASED")
    assert released.his()["state"] == "UNLOCKED"
    with pytest.raises(Refused):
        released.pay()


def test_late_money_takes_the_place_again_under_a_new_number(released: Visit) -> None:
    old = released.trade_no
    pay_after_all(released)
    released.check("CONFIRMED")
    assert released.trade_no != old
    assert released.his()["state"] == "CONFIRMED"
    assert "RELEASED>CONFIRMING" in released.history()


def test_late_money_told_of_four_times_takes_the_place_once(released: Visit) -> None:
    pay_after_all(released, copies=4)
    released.check("CONFIRMED")


def test_late_money_for_a_place_that_is_gone_goes_back(released: Visit,
                                                       new_visit: Callable[[dict[str, Any]], Visit]) -> None:
    other = new_visit(released.session)
    other.book(slot_id=slot_of(released))
    pay_after_all(released)
    released.check("REJECTED")
    assert released.shown()["reason"] == "PAID_TOO_LATE"
    assert released.order()["refunded_fen"] == 2500
    assert [one["template_name"] for one in released.phone.inbox()] == ["挂号失败通知"]
    other.cancel()


def test_late_money_of_who_may_not_register_the_patient_any_more_goes_back(released: Visit) -> None:
    patient = released.shown()["patient_id"]
    released.phone.call("POST", "account/consents/withdrawal", {"patient_id": patient, "purpose": "HEALTH_DATA"})
    pay_after_all(released)
    released.check("REJECTED")
    assert released.order()["refunded_fen"] == 2500


def test_late_money_for_a_place_sold_at_the_window_goes_back(released: Visit) -> None:
    code = released.sql("SELECT his_code FROM slots WHERE id = %s", (slot_of(released),))[0][0]
    released.control("POST", f"/his/slots/{code}/take")
    pay_after_all(released)
    released.check("REJECTED")
    assert released.order()["refunded_fen"] == 2500


def test_late_money_of_a_patient_who_has_booked_the_doctor_again_goes_back(released: Visit) -> None:
    first = released.id
    second = released.book()
    assert released.open()
    released.pay()
    released.control.settle()
    released.id = first
    pay_after_all(released)
    released.check("REJECTED")
    assert released.order()["refunded_fen"] == 2500
    released.id = second
    assert released.state == "CONFIRMED"


def test_late_money_while_the_his_is_silent_waits_for_it(released: Visit) -> None:
    released.control.fault("his", "*", "cut_before", times=4)
    pay_after_all(released)
    released.recover()
    released.check("CONFIRMED")


def test_paying_at_the_moment_the_hold_expires_is_in_time(visit: Visit) -> None:
    visit.held_and_paid(notify=False)
    visit.control.advance(AFTER_THE_HOLD)
    visit.work()
    visit.check("CONFIRMED")
    assert "AWAITING_PAYMENT>RELEASED" not in visit.history()


def test_paying_between_the_question_and_the_closing_is_in_time(visit: Visit) -> None:
    visit.book()
    assert visit.open()
    visit.control.fault("wechatpay", "close_order", "hold")
    visit.cancel()
    visit.waiting_for("wechatpay", "close_order")  # WeChat has said "not paid" just now
    visit.pay(notify=False)
    visit.recover()
    visit.check("CONFIRMED")


def test_what_wechat_calls_paid_and_not_paid_at_once_is_not_given_up(visit: Visit) -> None:
    visit.book()
    assert visit.open()
    visit.control.fault("wechatpay", "query_order", "override", set={"trade_state": "NOTPAY"}, times=-1)
    visit.pay(notify=False)
    visit.control.advance(AFTER_THE_HOLD)
    visit.control.work()
    assert (visit.state, visit.his()["state"]) == ("AWAITING_PAYMENT", "LOCKED")
    visit.recover()
    visit.check("CONFIRMED")
    assert "AWAITING_PAYMENT>RELEASED" not in visit.history()


@pytest.mark.parametrize("staff", [False, True])
def test_late_money_that_the_window_has_entered_makes_it_firm_here_too(released: Visit, staff: bool) -> None:
    number = released.out_trade_no
    paid = released.control("POST", f"/wechatpay/orders/{number}/force-pay", notify=False)
    if staff:
        released.control.fault("his", "unlock_registration", "cut_before", times=-1)
        released.notice()
        released.work(until=lambda: bool(released.tasks()))
        released.control("DELETE", "/faults")
    released.control.fault("his", "unlock_registration", "refuse", code="ALREADY_CONFIRMED", message="已确认",
                           status=409, times=-1)
    released.control.fault("his", "check_trade", "override", times=-1, set={
        "state": "CONFIRMED", "transaction_id": paid["transaction_id"], "paid_fen": 2500})
    if staff:
        [(kind, task)] = released.tasks()
        assert kind == "registration.paid.hangs"
        assert released.operate("task.refund", task)["state"] == "CONFIRMED"
    else:
        released.notice()
    released.work()
    assert (released.state, released.order()["refunds"]) == ("CONFIRMED", [])
    assert released.sql("SELECT amount_fen FROM settlements WHERE trade_no = %s", (released.trade_no,)) == [(2500,)]


def test_a_patient_who_cancels_while_paying_keeps_what_was_paid_for(visit: Visit) -> None:
    visit.held_and_paid(notify=False)
    visit.cancel()
    visit.work()
    visit.check("CONFIRMED")
    visit.cancel()
    visit.work()
    visit.check("CANCELLED")


def test_a_patient_who_gives_up_before_paying_cannot_pay_any_more(visit: Visit) -> None:
    visit.book()
    assert visit.open()
    visit.cancel()
    visit.work()
    visit.check("RELEASED")
    with pytest.raises(Refused):
        visit.pay()
