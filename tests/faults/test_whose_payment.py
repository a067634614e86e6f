"""Firm in the HIS, but by whose payment? Only ours counts; otherwise ours goes back, and people are told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.faults.conftest import Visit
from tests.faults.outpatient import Care

NewVisit = Callable[[dict[str, Any]], Visit]
WINDOWS = "4200009999202611230000000777"


@pytest.fixture
def payable(new_visit: NewVisit, new_session: Callable[..., dict[str, Any]]) -> Visit:
    """The only place of a session, locked in the HIS, its payment open."""
    visit = new_visit(new_session(slots=1))
    visit.phone.allow_messages("refunds")
    visit.book()
    assert visit.open()
    return visit


def at_the_window(visit: Visit, **how: Any) -> None:
    """The window makes it firm."""
    visit.control("POST", f"/his/registrations/{visit.trade_no}/confirm-at-desk", **how)


def free_places(visit: Visit) -> int:
    return len(visit.phone.call("GET", f"booking/sessions/{visit.session['id']}/slots")["slots"])


def settlements(visit: Visit) -> list[tuple[Any, ...]]:
    return visit.sql("SELECT id FROM settlements WHERE account_id = %s", (visit.account_id,))


# -- a registration ---------------------------------------------------------------------------------
@pytest.mark.parametrize("mode", ["PREPAID", "AT_CHECKIN"])
@pytest.mark.parametrize("silent", [False, True])
def test_what_the_window_made_firm_is_the_windows_and_our_payment_goes_back(payable: Visit, mode: str, silent: bool
                                                                            ) -> None:
    at_the_window(payable, mode=mode)
    if silent:  # then it is the trade check that says by which payment
        payable.control.fault("his", "confirm_registration", "error")
    payable.pay()
    payable.work()
    payable.check("REJECTED")
    shown = payable.shown()
    assert (shown["reason"], shown["state_text"], shown["can_cancel"]) == ("FIRM_ELSEWHERE", "已由窗口办理", False)
    assert "窗口" in shown["reason_text"] and "退回" in shown["reason_text"]
    assert payable.order()["refunded_fen"] == 2500
    assert settlements(payable) == []
    assert [kind for kind, _ in payable.tasks()] == ["booking.his-refused"]
    [message] = payable.phone.inbox("挂号失败通知")
    assert any("窗口已办妥该挂号，微信支付将退回" in line for line in message["lines"])
    # It is not sold again, it does not stand in our way, and nobody cancels the window's money from here.
    assert free_places(payable) == 0
    assert payable.cancel()["state"] == "REJECTED"
    payable.work()
    assert payable.his()["state"] == "CONFIRMED"
    [(_, task)] = payable.tasks()
    payable.operate("task.close", task)


def test_staff_who_end_one_that_the_window_made_firm_send_our_payment_back(payable: Visit) -> None:
    payable.control.fault("his", "confirm_registration", "cut_before", times=-1)
    payable.control.fault("his", "check_trade", "cut_before", times=-1)
    payable.pay()
    payable.work(until=lambda: bool(payable.tasks()))
    [(kind, task)] = payable.tasks()
    assert (kind, payable.state) == ("registration.paid.hangs", "CONFIRMING")
    payable.control("DELETE", "/faults")
    at_the_window(payable)
    assert payable.operate("task.refund", task)["state"] == "REJECTED"
    payable.work()
    payable.check("REJECTED")
    assert payable.order()["refunded_fen"] == 2500


def test_what_nobody_paid_here_and_the_window_made_firm_is_not_sold_again(payable: Visit) -> None:
    at_the_window(payable)
    payable.control.advance(16 * 60)
    payable.work()
    payable.check("RELEASED")
    assert (payable.shown()["reason"], free_places(payable)) == ("FIRM_ELSEWHERE", 0)
    payable.control("POST", f"/wechatpay/orders/{payable.out_trade_no}/force-pay")  # money after all
    payable.work()
    payable.check("REJECTED")
    assert (payable.shown()["reason"], payable.order()["refunded_fen"]) == ("FIRM_ELSEWHERE", 2500)


def test_one_without_payment_that_the_window_made_firm_is_the_windows(
        new_visit: NewVisit, new_session: Callable[..., dict[str, Any]], policy: Callable[..., None]) -> None:
    policy(payment="AT_CHECKIN")
    visit = new_visit(new_session(slots=1))
    visit.book()
    visit.control.fault("his", "confirm_registration", "cut_before", times=1)
    visit.phone.call("POST", f"booking/bookings/{visit.id}/payment")
    visit.control.settle()
    at_the_window(visit)
    visit.work()
    visit.check("REJECTED")
    assert (visit.shown()["reason"], visit.his()["state"]) == ("FIRM_ELSEWHERE", "CONFIRMED")
    [message] = visit.phone.inbox("挂号失败通知")
    assert any("窗口已办妥该挂号，请到窗口取号" in line for line in message["lines"])


def test_one_that_was_paid_at_the_window_is_not_cancelled_from_here(
        new_visit: NewVisit, new_session: Callable[..., dict[str, Any]], policy: Callable[..., None]) -> None:
    policy(payment="AT_CHECKIN")
    visit = new_visit(new_session())
    visit.book()
    visit.phone.call("POST", f"booking/bookings/{visit.id}/payment")
    visit.work()
    assert visit.state == "CONFIRMED"
    visit.control.fault("his", "check_trade", "override", set={"transaction_id": WINDOWS, "paid_fen": 2500})
    visit.cancel()
    visit.work()
    visit.check("CONFIRMED")
    assert visit.his()["state"] == "CONFIRMED"
    assert (visit.shown()["reason"], "退费" in visit.shown()["reason_text"]) == ("PAID_AT_HOSPITAL", True)


# -- what the contract wants staff to hear ----------------------------------------------------------
@pytest.mark.parametrize("code", ["AMOUNT_MISMATCH", "PAYMENT_CONFLICT", "TRADE_CONFLICT"])
def test_a_refusal_to_confirm_that_means_books_differ_is_a_task(payable: Visit, code: str) -> None:
    payable.control.fault("his", "confirm_registration", "refuse", code=code, message="不一致", status=409)
    payable.pay()
    payable.work()
    payable.check("REJECTED")
    assert (payable.shown()["reason"], payable.order()["refunded_fen"]) == (code, 2500)
    assert [kind for kind, _ in payable.tasks()] == ["booking.his-refused"]
    [(detail,)] = payable.sql("SELECT detail FROM staff_tasks WHERE subject_id = %s AND state = 'OPEN'", (payable.id,))
    assert code in detail and "task.close" in detail


def test_a_number_that_the_his_calls_another_kind_s_is_let_go_and_a_task(payable: Visit) -> None:
    for operation in ("confirm_registration", "unlock_registration"):
        payable.control.fault("his", operation, "refuse", code="TRADE_CONFLICT", message="不一致", status=409, times=-1)
    payable.control.fault("his", "check_trade", "override", set={"kind": "CHARGE", "state": "SETTLED"}, times=-1)
    payable.pay()
    payable.work()
    assert (payable.state, payable.shown()["reason"], payable.order()["refunded_fen"]) == (
        "REJECTED", "TRADE_CONFLICT", 2500)
    [(kind, task)] = payable.tasks()
    assert kind == "booking.his-refused"
    [(detail,)] = payable.sql("SELECT detail FROM staff_tasks WHERE id = %s", (task,))
    assert "AnotherKinds" in detail and payable.trade_no in detail


def test_a_number_that_one_answer_alone_calls_another_kind_s_is_asked_again(payable: Visit) -> None:
    payable.control.fault("his", "confirm_registration", "cut_before")
    payable.control.fault("his", "check_trade", "override", set={"kind": "CHARGE"})
    payable.pay()
    payable.work()
    payable.check("CONFIRMED")


def test_an_answer_about_another_number_is_none(payable: Visit) -> None:
    payable.control.fault("his", "confirm_registration", "cut_before")
    payable.control.fault("his", "check_trade", "override", set={
        "trade_no": "ANOTHER-1", "state": "CONFIRMED", "transaction_id": WINDOWS})
    payable.pay()
    payable.work()
    payable.check("CONFIRMED")


def test_an_unpaid_number_that_the_his_calls_another_kind_s_is_released(payable: Visit) -> None:
    payable.control.fault("his", "unlock_registration", "refuse", code="TRADE_CONFLICT", message="不一致", status=409,
                          times=-1)
    payable.control.fault("his", "check_trade", "override", set={"kind": "CHARGE", "state": "SETTLED"}, times=-1)
    payable.control.advance(16 * 60)
    payable.work()
    assert payable.state == "RELEASED"


def test_a_lock_that_the_his_has_for_another_order_is_a_task(visit: Visit) -> None:
    visit.book()
    visit.control.fault("his", "lock_registration", "refuse", code="TRADE_CONFLICT", message="不一致", status=409)
    assert not visit.open()
    visit.work()
    visit.check("RELEASED")
    assert [kind for kind, _ in visit.tasks()] == ["booking.his-refused"]


@pytest.mark.parametrize("code", ["TRADE_UNKNOWN", "TRADE_CONFLICT"])
def test_a_refusal_to_cancel_that_means_books_differ_is_a_task(payable: Visit, code: str) -> None:
    payable.pay()
    payable.work()
    payable.control.fault("his", "cancel_registration", "refuse", code=code, message="不一致", status=409)
    payable.cancel()
    payable.work()
    payable.check("CONFIRMED")
    assert payable.order()["refunds"] == []
    [(kind, task)] = payable.tasks()
    assert kind == "booking.his-refused"
    [(detail,)] = payable.sql("SELECT detail FROM staff_tasks WHERE id = %s", (task,))
    assert code in detail and "task.refund" in detail
    # Staff can't give back what the HIS has firm with our payment.
    assert payable.operate("task.refund", task)["state"] == "CONFIRMED"
    payable.work()
    assert payable.order()["refunds"] == []
    payable.cancel()
    payable.work()
    payable.check("CANCELLED")


def test_one_that_the_his_does_not_know_any_more_is_cancelled_refunded_and_a_task(payable: Visit) -> None:
    payable.pay()
    payable.work()
    number = payable.trade_no
    for table in ("bookings", "settlements"):
        payable.sql(f"UPDATE {table} SET trade_no = CONCAT(trade_no, 'X') WHERE trade_no = %s", (number,))
    payable.cancel()
    payable.work()
    assert (payable.state, payable.order()["refunded_fen"]) == ("CANCELLED", 2500)
    assert [kind for kind, _ in payable.tasks()] == ["booking.his-refused"]
    for table in ("bookings", "settlements"):
        payable.sql(f"UPDATE {table} SET trade_no = %s WHERE trade_no = CONCAT(%s, 'X')", (number, number))


# -- a bill -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("silent", [False, True])
def test_a_bill_that_the_his_has_settled_by_another_payment_is_given_back_and_a_task(care: Care, silent: bool) -> None:
    bill = care.bill(2500)
    assert care.order_bills(bill)
    care.control.fault("his", "settle_charge", *(["error"] if silent else ["refuse"]), times=-1,
                       **({} if silent else {"code": "PAYMENT_CONFLICT", "message": "另一笔", "status": 409}))
    care.control.fault("his", "unlock_charge", "refuse", code="ALREADY_SETTLED", message="已结算", status=409, times=-1)
    care.control.fault("his", "check_trade", "override", times=-1,
                       set={"state": "SETTLED", "transaction_id": WINDOWS, "paid_fen": 2500})
    care.pay()
    care.work()
    assert (care.state, care.order()["refunded_fen"]) == ("DONE", 2500)
    assert [kind for kind, _ in care.tasks()] == ["charge.his-refused"]
    assert care.sql("SELECT id FROM settlements WHERE account_id = %s", (care.account_id,)) == []


def test_a_bill_of_which_not_all_is_there_any_more_is_not_cancelled_in_the_his(care: Care) -> None:
    charge = care.one_paid()
    care.sql("UPDATE settlements SET reversing_fen = 1 WHERE account_id = %s", (care.account_id,))
    [(charge_id,)] = care.sql("SELECT id FROM charges WHERE order_id = %s", (care.id,))
    care.phone.refund_charge(charge_id)
    care.work()
    assert care.sql("SELECT state, reason FROM charges WHERE id = %s", (charge_id,)) == [("SETTLED", "PARTLY_REFUNDED")]
    assert care.charge(charge)["state"] == "SETTLED"
    care.sql("UPDATE settlements SET reversing_fen = 0 WHERE account_id = %s", (care.account_id,))
