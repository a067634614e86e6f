"""What the hospital ends by itself ends here too: place free, patient told, the money somebody's business."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.phone import Control, Refused
from tests.faults.conftest import Visit
from tests.faults.outpatient import Care

Open = Callable[..., dict[str, Any]]
NewVisit = Callable[[dict[str, Any]], Visit]


@pytest.fixture
def new_visit(control: Control, sql: Callable[..., list[tuple[Any, ...]]], mysql: str, database_name: str) -> NewVisit:
    """``new_visit(session)``: another account with a patient, who may book there."""
    return lambda session: Visit(control, sql, session, (mysql, database_name))


def confirmed(visit: Visit) -> Visit:
    """Nothing to pay now."""
    visit.book()
    visit.phone.call("POST", f"booking/bookings/{visit.id}/payment")
    visit.work()
    assert visit.state == "CONFIRMED"
    return visit


def paid(visit: Visit) -> Visit:
    visit.phone.allow_messages("refunds")
    visit.held_and_paid()
    visit.work()
    assert visit.state == "CONFIRMED"
    return visit


def ended(visit: Visit) -> None:
    """The window ends it; nothing of ours goes back by that."""
    visit.control("POST", f"/his/registrations/{visit.trade_no}/end-at-desk")


def look_through(visit: Visit) -> int:
    """What comes every ten minutes: how many ended ones it found."""
    visit.control.settle()
    return int(visit.control("POST", "/scf/timers/reconcile/every-ten-minutes/fire")["result"]["ended"])


def gone(visit: Visit) -> None:
    """Ended here, its place free, its patient told once."""
    visit.check("CANCELLED")
    assert visit.shown()["reason"] == "ENDED_AT_HOSPITAL"
    assert "医院已取消该挂号" in visit.shown()["reason_text"]
    [message] = visit.phone.inbox("取消预约通知")
    assert any("医院已取消该挂号" in line for line in message["lines"])
    assert len(visit.phone.call("GET", f"booking/sessions/{visit.session['id']}/slots")["slots"]) == 1
    assert visit.tasks() == []


def test_a_free_one_that_the_window_ends_is_heard_of_by_the_event(new_visit: NewVisit, new_session: Open) -> None:
    visit = confirmed(new_visit(new_session(slots=1, fee_fen=0)))
    ended(visit)
    visit.work()
    gone(visit)
    assert visit.book()  # and it may be taken anew


def test_one_to_be_paid_on_arrival_that_the_window_ends_is_found_in_the_list(
        new_visit: NewVisit, new_session: Open, policy: Callable[..., None]) -> None:
    policy(payment="AT_CHECKIN")
    visit = confirmed(new_visit(new_session(slots=1)))
    visit.control("PUT", "/his/events-mode", drop=True)
    ended(visit)
    assert visit.state == "CONFIRMED"
    assert look_through(visit) >= 1
    visit.work()
    gone(visit)
    assert look_through(visit) == 0


def test_one_that_the_window_ends_before_arrival_is_found_at_check_in(
        new_visit: NewVisit, new_session: Open, policy: Callable[..., None]) -> None:
    policy(payment="AT_CHECKIN")
    visit = confirmed(new_visit(new_session(slots=1, date="2026-11-23", period="AFTERNOON")))
    visit.control("PUT", "/his/events-mode", drop=True)
    ended(visit)
    visit.control("PUT", "/clock", now="2026-11-23T12:30:00+08:00")
    assert visit.again(lambda: visit.phone.check_in(visit.id)) is None
    visit.work()
    gone(visit)


def test_a_paid_one_that_the_window_ends_without_a_refund_is_a_task_that_refunds(new_visit: NewVisit, new_session: Open
                                                                               ) -> None:
    visit = paid(new_visit(new_session(slots=1)))
    ended(visit)
    visit.work()
    assert (visit.state, visit.shown()["reason"], visit.order()["refunds"]) == ("CANCELLED", "ENDED_AT_HOSPITAL", [])
    [(kind, task)] = visit.tasks()
    assert kind == "registration.ended"
    assert visit.operate("task.refund", task)["state"] == "CANCELLED"
    visit.work()
    assert visit.order()["refunded_fen"] == 2500
    assert visit.tasks() == []
    assert [row[0] for row in visit.sql("SELECT state FROM invoices WHERE account_id = %s", (visit.account_id,))] in (
        ["WRITTEN_OFF"], ["VOID"])


def test_cancelling_what_the_window_has_ended_meanwhile_is_a_task(new_visit: NewVisit, new_session: Open) -> None:
    visit = paid(new_visit(new_session(slots=1)))
    visit.control("PUT", "/his/events-mode", drop=True)
    ended(visit)
    visit.cancel()
    visit.work()
    assert (visit.state, [kind for kind, _ in visit.tasks()]) == ("CANCELLED", ["registration.ended"])
    assert visit.order()["refunds"] == []


# -- the desk's refund ends it when it begins -------------------------------------------------------
def test_one_whose_desk_refund_wechat_will_never_make_stays_ended_and_may_be_booked_again(
        new_visit: NewVisit, new_session: Open) -> None:
    visit = paid(new_visit(new_session(slots=1)))
    visit.control("POST", "/wechatpay/refunds/policy", outcome="CLOSED", delay_seconds=3, times=1)
    visit.control("POST", f"/his/registrations/{visit.trade_no}/desk-refund")
    visit.work()
    [(kind, task)] = visit.tasks()
    assert (kind, visit.state) == ("refund.stuck", "CANCELLED")
    assert visit.operate("refund.give_up", task)["state"] == "GIVEN_UP"
    visit.work()
    assert (visit.state, visit.his()["state"], visit.shown()["reason"]) == (
        "CANCELLED", "CANCELLED", "REFUNDED_AT_DESK")
    first, number = visit.id, visit.trade_no
    assert visit.book()
    visit.control.advance(60)
    visit.control("POST", f"/his/registrations/{number}/desk-refund")  # the desk begins another
    visit.work(until=lambda: bool(visit.sql(
        "SELECT r.id FROM refunds r JOIN payments p ON p.id = r.payment_id WHERE p.subject_id = %s "
        "AND r.state = 'SUCCEEDED'", (first,))))
    visit.id = first
    assert visit.order()["refunded_fen"] == 2500


@pytest.mark.parametrize("begun_before", [False, True])
def test_what_the_desk_gives_back_in_part_leaves_the_rest_a_task_that_refunds(
        new_visit: NewVisit, new_session: Open, begun_before: bool) -> None:
    visit = paid(new_visit(new_session(slots=1)))
    visit.control("PUT", "/his/events-mode", drop=True)
    visit.control("POST", f"/his/registrations/{visit.trade_no}/desk-refund", amount_fen=1000)
    if begun_before:  # heard of, so it is promised; otherwise it is found in the list
        look_through(visit)
        visit.work()
    ended(visit)
    look_through(visit)
    visit.work()
    assert (visit.state, visit.shown()["reason"]) == ("CANCELLED", "ENDED_AT_HOSPITAL")
    [(kind, task)] = visit.tasks()
    [(detail,)] = visit.sql("SELECT detail FROM staff_tasks WHERE id = %s", (task,))
    assert kind == "registration.ended" and "1500 fen of ours" in detail
    assert [one["amount_fen"] for one in visit.order()["refunds"]] == [1000]
    assert visit.operate("task.refund", task)["state"] == "CANCELLED"
    visit.work()
    assert sorted(one["amount_fen"] for one in visit.order()["refunds"]) == [1000, 1500]
    assert visit.tasks() == []


def test_what_the_desk_could_not_give_back_after_all_is_given_back_by_staff_as_well(
        new_visit: NewVisit, new_session: Open) -> None:
    visit = paid(new_visit(new_session(slots=1)))
    visit.control("POST", "/wechatpay/refunds/policy", outcome="CLOSED", delay_seconds=3, times=1)
    visit.control("POST", f"/his/registrations/{visit.trade_no}/desk-refund", amount_fen=1000)
    visit.work()
    ended(visit)
    visit.work()
    named = dict(visit.tasks())
    assert set(named) == {"refund.stuck", "registration.ended"}
    visit.operate("task.refund", named["registration.ended"])
    visit.work()
    assert visit.operate("refund.give_up", named["refund.stuck"])["state"] == "GIVEN_UP"
    visit.work()
    visit.sql("INSERT INTO staff_tasks (id, kind, subject_id, job_id, detail, state, created_at, last_seen_at) SELECT "
              "%s, kind, subject_id, '', detail, 'OPEN', created_at, created_at FROM staff_tasks WHERE id = %s",
              ("T" + visit.id[1:], named["registration.ended"]))
    assert visit.operate("task.refund", "T" + visit.id[1:])["state"] == "CANCELLED"
    visit.work()
    assert visit.sql("SELECT r.purpose, r.amount_fen, r.state FROM refunds r JOIN payments p ON p.id = r.payment_id "
                     "WHERE p.subject_id = %s AND r.purpose NOT LIKE 'd-%%' ORDER BY r.id", (visit.id,)) == [
        ("cancelled", 1500, "SUCCEEDED"), ("cancelled-2", 1000, "SUCCEEDED")]
    assert visit.ledger("REVERSAL", "REFUND") == [
        ("REVERSAL", -1500), ("REFUND", -1500), ("REVERSAL", -1000), ("REFUND", -1000)]
    assert visit.tasks() == []


# -- from before there were settlements -------------------------------------------------------------
def without_settlement(visit: Visit) -> Visit:
    """As it stood when it was confirmed by the release before settlements."""
    number = visit.trade_no
    visit.sql("DELETE i FROM invoices i JOIN settlements s ON s.id = i.settlement_id WHERE s.trade_no = %s", (number,))
    visit.sql("DELETE FROM ledger WHERE movement = 'SETTLEMENT' AND movement_key = %s", (number,))
    visit.sql("DELETE FROM settlements WHERE trade_no = %s", (number,))
    return visit


def refunded_once(visit: Visit) -> None:
    assert visit.state == "CANCELLED"
    assert [one["amount_fen"] for one in visit.order()["refunds"]] == [2500]
    assert visit.sql("SELECT amount_fen, reversed_fen FROM settlements WHERE trade_no = %s", (visit.trade_no,)) == [
        (2500, 2500)]
    assert visit.tasks() == []


def test_an_old_one_without_a_settlement_is_cancelled_and_refunded(new_visit: NewVisit, new_session: Open) -> None:
    visit = without_settlement(paid(new_visit(new_session())))
    visit.cancel()
    visit.work()
    refunded_once(visit)


def test_an_old_one_whose_cancelling_stopped_half_way_goes_on(new_visit: NewVisit, new_session: Open) -> None:
    visit = without_settlement(paid(new_visit(new_session())))
    visit.control.fault("his", "cancel_registration", "cut_after")
    visit.control.fault("his", "check_trade", "cut_before", after=1)
    visit.cancel()
    visit.control.settle()
    assert (visit.state, visit.his()["state"]) == ("CANCELLING", "CANCELLED")
    without_settlement(visit)
    visit.work()
    refunded_once(visit)


def test_a_hanging_cancellation_is_ended_by_staff(new_visit: NewVisit, new_session: Open) -> None:
    visit = paid(new_visit(new_session()))
    visit.control.fault("his", "cancel_registration", "cut_after")
    visit.control.fault("his", "check_trade", "cut_before", times=-1, after=1)
    visit.cancel()
    visit.work(until=lambda: bool(visit.tasks()))
    [(kind, task)] = visit.tasks()
    assert kind == "booking.cancel.hangs"
    visit.control("DELETE", "/faults")
    assert visit.operate("task.refund", task)["state"] == "CANCELLED"
    visit.work()
    refunded_once(visit)


def test_an_old_one_that_the_desk_gives_back_is_paid_back(new_visit: NewVisit, new_session: Open) -> None:
    visit = without_settlement(paid(new_visit(new_session())))
    visit.control("POST", f"/his/registrations/{visit.trade_no}/desk-refund")
    visit.work()
    refunded_once(visit)


def test_one_paid_on_arrival_that_staff_refund_has_its_e_bill_written_off_when_the_money_is_back(
        new_visit: NewVisit, new_session: Open, policy: Callable[..., None]) -> None:
    policy(payment="AT_CHECKIN")
    visit = confirmed(new_visit(new_session(date="2026-11-23", period="EVENING")))
    visit.control("PUT", "/clock", now="2026-11-23T16:30:00+08:00")
    visit.phone.thumb(visit.phone.check_in(visit.id)["payment"])
    visit.work()
    assert visit.state == "CHECKED_IN"
    ended(visit)
    visit.work()
    [(kind, task)] = visit.tasks()
    assert kind == "registration.ended"
    assert visit.operate("task.refund", task)["state"] == "CANCELLED"
    visit.work()
    assert visit.sql("SELECT r.state FROM refunds r JOIN payments p ON p.id = r.payment_id WHERE p.account_id = %s",
                     (visit.account_id,)) == [("SUCCEEDED",)]
    assert visit.sql("SELECT state FROM invoices WHERE account_id = %s", (visit.account_id,)) == [("WRITTEN_OFF",)]


# -- a check-in that hangs --------------------------------------------------------------------------
def test_a_hanging_check_in_is_refused_and_refunded_by_staff(new_visit: NewVisit, new_session: Open,
                                                             policy: Callable[..., None]) -> None:
    policy(payment="AT_CHECKIN")
    visit = confirmed(new_visit(new_session(date="2026-11-23", period="EVENING")))
    visit.control("PUT", "/clock", now="2026-11-23T16:30:00+08:00")
    payment = visit.phone.check_in(visit.id)["payment"]
    visit.control.fault("his", "check_in", "cut_before", times=-1)
    visit.control.fault("his", "check_trade", "cut_before", times=-1)
    visit.phone.thumb(payment)
    visit.work(until=lambda: bool(visit.tasks()))
    [(kind, task)] = visit.tasks()
    assert kind == "checkin.paid.hangs"
    visit.control("DELETE", "/faults")
    assert visit.operate("task.refund", task)["state"] == "REFUSED"
    visit.work()
    assert visit.tasks() == []
    assert visit.sql("SELECT p.paid_fen, p.refunding_fen FROM payments p JOIN checkins c ON c.id = p.subject_id "
                     "WHERE c.booking_id = %s", (visit.id,)) == [(2500, 2500)]
    assert visit.state == "CONFIRMED"


def test_a_bill_whose_cancelling_hangs_is_ended_by_staff(care: Care) -> None:
    care.one_paid()
    [(charge_id,)] = care.sql("SELECT id FROM charges WHERE order_id = %s", (care.id,))
    care.control.fault("his", "cancel_charge", "cut_after", times=-1)
    care.control.fault("his", "check_trade", "cut_before", times=-1)
    care.phone.refund_charge(charge_id)
    care.work(until=lambda: bool(care.tasks()))
    [(kind, task)] = care.tasks()
    assert kind == "charge.cancel.hangs"
    care.control("DELETE", "/faults")
    assert care.operate("task.refund", task)["state"] == "CANCELLED"
    care.work()
    care.check("DONE")
    assert care.order()["refunded_fen"] == 2500


# -- a bill that the HIS has cancelled --------------------------------------------------------------
def cancelled_otherwise(care: Care) -> tuple[dict[str, Any], str]:
    """A paid bill that was to be cancelled, and which the HIS says is cancelled with another refund; its task."""
    charge = care.one_paid()
    care.control.fault("his", "cancel_charge", "refuse", code="TRADE_CONFLICT", message="不一致", status=409)
    care.refund(charge)
    care.work()
    [(kind, task)] = care.tasks()
    assert (kind, care.charge(charge)["state"]) == ("charge.his-refused", "SETTLED")
    return charge, task


def test_a_bill_that_the_desk_has_begun_to_give_back_is_not_given_back_by_staff_too(care: Care) -> None:
    charge, task = cancelled_otherwise(care)
    care.control("PUT", "/his/events-mode", drop=True)
    care.desk_refund(charge)
    care.control.fault("his", "check_trade", "override", set={"state": "CANCELLED"})
    with pytest.raises(Refused) as refused:
        care.operate("task.refund", task)
    assert refused.value.code == "refunded_at_desk"
    care.work()
    assert [one[2] for one in care.refunds()] == [2500]
    assert care.sql("SELECT COUNT(*) FROM refunds r JOIN payments p ON p.id = r.payment_id WHERE p.account_id = %s "
                    "AND r.purpose LIKE 'd-%%'", (care.account_id,)) == [(1,)]


def test_a_paid_bill_that_the_his_does_not_know_any_more_is_given_back_by_staff(care: Care) -> None:
    charge, task = cancelled_otherwise(care)
    care.sql("UPDATE charges SET trade_no = CONCAT(trade_no, 'X') WHERE id = %s", (charge["id"],))
    care.sql("UPDATE settlements SET trade_no = CONCAT(trade_no, 'X') WHERE subject_id = %s", (charge["id"],))
    assert care.operate("task.refund", task)["state"] == "CANCELLED"
    care.work()
    assert [one[2] for one in care.refunds()] == [2500]
    care.sql("UPDATE charges SET trade_no = LEFT(trade_no, CHAR_LENGTH(trade_no) - 1) WHERE id = %s", (charge["id"],))
    care.sql("UPDATE settlements SET trade_no = LEFT(trade_no, CHAR_LENGTH(trade_no) - 1) WHERE subject_id = %s",
             (charge["id"],))
