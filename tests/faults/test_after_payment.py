"""Paid, and then the HIS refuses or is silent; and cancelling that the HIS refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.faults.conftest import Visit

NewVisit = Callable[[dict[str, Any]], Visit]


def test_a_session_stopped_after_payment_is_refunded_and_told(new_visit: NewVisit, session: dict[str, Any]) -> None:
    visit = new_visit(session)
    visit.control("POST", "/wechatpay/notices/mode", hold=True)
    visit.held_and_paid()
    visit.control("POST", f"/his/schedules/{session['his']['code']}/stop")
    visit.control("POST", "/wechatpay/notices/mode", hold=False)
    visit.work()
    visit.check("REJECTED")
    assert visit.shown()["reason"] == "SCHEDULE_STOPPED"
    assert visit.order()["refunded_fen"] == 2500
    assert [one["template_name"] for one in visit.phone.inbox()] == ["挂号失败通知"]


def test_a_lock_that_expired_while_the_his_was_silent_and_was_sold_is_refunded(visit: Visit) -> None:
    visit.book()
    assert visit.open()
    visit.control.fault("his", "confirm_registration", "error", times=-1)
    visit.pay()
    visit.control.settle()
    visit.control.advance(20 * 60)  # longer than the lock
    code = visit.sql("SELECT s.his_code FROM slots s JOIN bookings b ON b.slot_id = s.id WHERE b.id = %s",
                     (visit.id,))[0][0]
    visit.control("POST", f"/his/slots/{code}/take")
    visit.recover()
    visit.check("REJECTED")
    assert visit.shown()["reason"] == "LOCK_EXPIRED"


def test_a_lock_that_expired_while_the_his_was_silent_is_confirmed_if_the_place_is_free(visit: Visit) -> None:
    visit.control.fault("his", "confirm_registration", "error", times=-1)
    visit.held_and_paid()
    visit.control.settle()
    visit.control.advance(20 * 60)
    assert visit.his()["state"] == "EXPIRED"
    visit.recover()
    visit.check("CONFIRMED")


def test_an_answer_slower_than_we_wait_is_asked_for(visit: Visit) -> None:
    visit.control.fault("his", "confirm_registration", "delay", seconds=6.4)  # the gateway reads for 6 s
    visit.held_and_paid()
    visit.work()
    visit.recover()
    visit.check("CONFIRMED")


def test_a_refund_slower_than_we_wait_is_found(visit: Visit) -> None:
    visit.held_and_paid()
    visit.work()
    visit.control.fault("wechatpay", "create_refund", "delay", seconds=6.4)
    visit.cancel()
    visit.work()
    visit.recover()
    visit.check("CANCELLED")


# -- silent for hours -------------------------------------------------------------------------------
def hang(visit: Visit) -> str:
    """The HIS is silent until a person is asked; the task's id."""
    visit.control.fault("his", "*", "cut_before", times=-1)
    visit.pay()
    visit.work(until=lambda: bool(visit.tasks()))
    assert visit.state == "CONFIRMING"
    (kind, task), = visit.tasks()
    assert kind == "registration.paid.hangs"
    return task


@pytest.fixture
def payable(visit: Visit) -> Visit:
    """Locked, the payment open."""
    visit.book()
    assert visit.open()
    return visit


def test_a_his_silent_for_hours_is_a_task_and_the_operators_retry_confirms(payable: Visit) -> None:
    task = hang(payable)
    payable.check("CONFIRMING")
    payable.control("DELETE", "/faults")
    payable.operate("task.retry", task)
    payable.work()
    payable.check("CONFIRMED")
    assert payable.tasks() == []


def test_a_his_silent_for_hours_is_a_task_that_settles_itself_when_the_his_is_back(payable: Visit) -> None:
    hang(payable)
    payable.control("DELETE", "/faults")
    payable.work()
    payable.check("CONFIRMED")
    assert payable.tasks() == []


def test_a_his_silent_for_hours_is_a_task_and_the_operators_refund_refunds(payable: Visit) -> None:
    task = hang(payable)
    payable.control("DELETE", "/faults")
    payable.operate("task.refund", task)
    payable.work()
    payable.check("REJECTED")
    assert payable.order()["refunded_fen"] == 2500
    assert payable.tasks() == []


def test_the_operators_refund_does_not_refund_what_the_his_has_confirmed(payable: Visit) -> None:
    payable.control.fault("his", "confirm_registration", "cut_after")
    task = hang(payable)
    payable.control("DELETE", "/faults")
    assert payable.his()["state"] == "CONFIRMED"
    payable.operate("task.refund", task)
    payable.work()
    payable.check("CONFIRMED")
    assert payable.order()["refunds"] == []
    assert payable.tasks() == []


def test_the_operators_refund_waits_while_the_his_is_silent(payable: Visit) -> None:
    task = hang(payable)
    result = payable.control("POST", "/scf/invoke/operations", event={
        "action": "task.refund", "by": "operator", "task_id": task, "note": "in vain"})["result"]
    assert result["error"]["code"] == "unanswered"
    assert payable.tasks() == [("registration.paid.hangs", task)]
    assert payable.order()["refunds"] == []
    payable.control("DELETE", "/faults")
    payable.operate("task.retry", task)
    payable.work()
    payable.check("CONFIRMED")


# -- cancelling refused -----------------------------------------------------------------------------
def confirmed_late_in(visit: Visit) -> None:
    """Confirmed for the latest place of the session."""
    latest = visit.sql("SELECT id FROM slots WHERE schedule_id = %s AND booking_id IS NULL AND state = 'OPEN' "
                       "ORDER BY starts_at DESC LIMIT 1", (visit.session["id"],))[0][0]
    visit.book(slot_id=latest)
    assert visit.open()
    visit.pay()
    visit.work()


def go_to_the_session(visit: Visit, minutes: int) -> None:
    """So many minutes after it starts."""
    visit.control("PUT", "/clock", now=visit.session["his"]["starts_at"])
    visit.control.advance(60 * minutes)
    visit.phone.sign_in()  # the session of two days ago has ended


def test_cancelling_after_checking_in_is_undone_and_told(visit: Visit) -> None:
    confirmed_late_in(visit)
    go_to_the_session(visit, -10)
    visit.control("POST", f"/his/registrations/{visit.trade_no}/check-in")
    visit.cancel()
    visit.work()
    visit.check("CONFIRMED")
    assert visit.shown()["reason"] == "ALREADY_CHECKED_IN"
    assert "挂号失败通知" in [one["template_name"] for one in visit.phone.inbox()]
    assert visit.order()["refunds"] == []


def test_cancelling_after_the_session_began_is_undone_and_told(visit: Visit) -> None:
    confirmed_late_in(visit)
    go_to_the_session(visit, 1)
    visit.cancel()
    visit.work()
    visit.check("CONFIRMED")
    assert visit.shown()["reason"] == "SESSION_STARTED"
    assert "挂号失败通知" in [one["template_name"] for one in visit.phone.inbox()]


def test_a_cancellation_unanswered_for_hours_is_a_task_and_is_done_in_the_end(visit: Visit) -> None:
    visit.held_and_paid()
    visit.work()
    visit.control.fault("his", "*", "cut_before", times=-1)
    visit.cancel()
    visit.work(until=lambda: bool(visit.tasks()))
    assert visit.state == "CANCELLING"
    assert [kind for kind, _ in visit.tasks()] == ["booking.cancel.hangs"]
    assert visit.order()["refunds"] == []
    visit.recover()
    visit.check("CANCELLED")
    assert visit.order()["refunded_fen"] == 2500
