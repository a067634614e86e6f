"""A fee that is paid on arrival: it goes back only by the proof that the HIS has it not in its books."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.faults.conftest import Visit

NewVisit = Callable[[dict[str, Any]], Visit]
TODAY = "2026-11-23"


@pytest.fixture
def arriving(new_visit: NewVisit, new_session: Callable[..., dict[str, Any]], policy: Callable[..., None]) -> Visit:
    """Confirmed, to be paid on arrival, and the payment is open."""
    policy(payment="AT_CHECKIN")
    visit = new_visit(new_session(slots=1, date=TODAY, period="EVENING"))
    visit.book()
    visit.phone.call("POST", f"booking/bookings/{visit.id}/payment")
    visit.work()
    assert visit.state == "CONFIRMED"
    visit.control("PUT", "/clock", now=f"{TODAY}T16:30:00+08:00")
    visit.payment = visit.phone.check_in(visit.id)["payment"]
    return visit


def attempts(visit: Visit) -> list[tuple[Any, ...]]:
    """Each attempt's state and reason, what was paid with it and what of that goes back."""
    return visit.sql("SELECT c.state, c.reason, COALESCE(p.paid_fen, 0), COALESCE(p.refunding_fen, 0) FROM checkins c "
                     "LEFT JOIN payments p ON p.subject_id = c.id WHERE c.booking_id = %s ORDER BY c.id", (visit.id,))


def purposes(visit: Visit) -> list[str]:
    """What the refunds of the attempts are for: the first letters."""
    return [row[0][:2] for row in visit.sql(
        "SELECT r.purpose FROM refunds r JOIN payments p ON p.id = r.payment_id WHERE p.account_id = %s",
        (visit.account_id,))]


def settled(visit: Visit) -> list[tuple[Any, ...]]:
    return visit.sql("SELECT amount_fen, reversed_fen FROM settlements WHERE trade_no = %s", (visit.trade_no,))


def checked_in_unheard(visit: Visit) -> None:
    """Paid; the HIS books the check-in, and we hear nothing of it."""
    visit.control.fault("his", "check_in", "cut_after")
    visit.control.fault("his", "check_trade", "cut_before")
    visit.pay()
    visit.control.settle()
    assert (attempts(visit), visit.his()["checked_in"]) == ([("CHECKING_IN", "", 2500, 0)], True)


def test_a_check_in_that_the_desk_has_given_back_unheard_is_paid_back_by_the_desk_alone(arriving: Visit) -> None:
    checked_in_unheard(arriving)
    arriving.control("POST", f"/his/registrations/{arriving.trade_no}/desk-refund")
    arriving.work()
    assert attempts(arriving) == [("REFUSED", "NOT_CONFIRMED", 2500, 2500)]
    assert (purposes(arriving), settled(arriving)) == (["d-"], [(2500, 2500)])
    arriving.check("CANCELLED")
    assert arriving.tasks() == []


@pytest.mark.parametrize("drop", [False, True])
def test_a_check_in_that_the_window_has_ended_unheard_is_a_task_that_refunds(arriving: Visit, drop: bool) -> None:
    checked_in_unheard(arriving)
    arriving.control("PUT", "/his/events-mode", drop=drop)  # heard first by the event, or by the refused check-in
    arriving.control("POST", f"/his/registrations/{arriving.trade_no}/end-at-desk")
    arriving.work()
    assert (arriving.state, purposes(arriving), settled(arriving)) == ("CANCELLED", [], [(2500, 0)])
    [(kind, task)] = arriving.tasks()
    assert kind == "registration.ended"
    arriving.operate("task.refund", task)
    arriving.work()
    assert (attempts(arriving), settled(arriving)) == ([("REFUSED", "NOT_CONFIRMED", 2500, 2500)], [(2500, 2500)])
    assert arriving.tasks() == []


def test_an_answer_that_does_not_say_checked_in_is_none(arriving: Visit) -> None:
    arriving.control.fault("his", "check_in", "override", remove=["checked_in"])
    arriving.pay()
    arriving.work()
    arriving.check("CHECKED_IN")
    assert (attempts(arriving), purposes(arriving)) == ([("DONE", "", 2500, 0)], [])


@pytest.mark.parametrize("staff", [False, True])
def test_a_fee_that_the_his_keeps_without_the_patient_in_the_queue_is_kept_here_and_a_task(
        arriving: Visit, staff: bool) -> None:
    checked_in_unheard(arriving)
    undone = {"checked_in": False, "checked_in_at": None, "queue_number": None, "queue_place": None, "ahead": None}
    if staff:
        arriving.control.fault("his", "check_in", "cut_before", times=-1)
        arriving.control.fault("his", "check_trade", "cut_before", times=-1)
        arriving.work(until=lambda: bool(arriving.tasks()))
        arriving.control("DELETE", "/faults")
        arriving.control.fault("his", "check_trade", "override", set=undone)
        [(kind, task)] = arriving.tasks()
        assert (kind, arriving.operate("task.refund", task)["state"]) == ("checkin.paid.hangs", "REFUSED")
    else:
        arriving.control.fault("his", "check_in", "refuse", code="SESSION_OVER", message="已结束", status=409)
        arriving.control.fault("his", "check_trade", "override", set=undone)
        arriving.work(until=lambda: attempts(arriving)[0][0] == "REFUSED")
    arriving.control("DELETE", "/faults")
    arriving.work()
    assert (attempts(arriving), purposes(arriving)) == ([("REFUSED", "FEE_TAKEN", 2500, 0)], [])
    assert (settled(arriving), arriving.state) == ([(2500, 0)], "CONFIRMED")
    assert [kind for kind, _ in arriving.tasks()] == ["checkin.his-refused"]
    arriving.phone.sign_in()
    assert arriving.phone.check_in(arriving.id)["payment"] is None  # nothing is to be paid a second time
    arriving.work()
    arriving.check("CHECKED_IN")


def test_late_money_goes_back_only_after_the_his_has_said_that_it_has_it_not(arriving: Visit) -> None:
    arriving.control.advance(15 * 60)
    arriving.work()
    assert attempts(arriving)[0][0] == "EXPIRED"
    [(number,)] = arriving.sql("SELECT out_trade_no FROM payments WHERE account_id = %s", (arriving.account_id,))
    arriving.control("POST", f"/wechatpay/orders/{number}/force-pay")
    arriving.control.fault("his", "check_trade", "cut_before")  # silence is no proof
    arriving.work()
    assert attempts(arriving) == [("REFUSED", "PAID_TOO_LATE", 2500, 2500)]
    arriving.check("CONFIRMED")


def test_an_attempt_of_an_old_row_without_an_amount_ends(arriving: Visit) -> None:
    checked_in = arriving.sql("SELECT id FROM checkins WHERE booking_id = %s", (arriving.id,))[0][0]
    arriving.control.fault("his", "check_in", "cut_before", times=-1)
    arriving.control.fault("his", "check_trade", "cut_before", times=-1)
    arriving.pay()
    arriving.control.settle()
    arriving.sql("UPDATE payments SET paid_fen = 0 WHERE subject_id = %s", (checked_in,))
    arriving.control("DELETE", "/faults")
    arriving.work()
    assert attempts(arriving) == [("REFUSED", "AMOUNT_DIFFERS", 0, 0)]
    assert arriving.phone.check_in(arriving.id)["payment"] is not None  # and a new one may begin
    arriving.sql("UPDATE payments SET paid_fen = 2500 WHERE subject_id = %s", (checked_in,))
