"""Orders that stand still are found every ten minutes, moved on, or put on staff's list with what each side says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.phone import Control
from tests.faults.conftest import Visit as Registration
from tests.faults.outpatient import Care

Sql = Callable[..., list[tuple[Any, ...]]]
OVERDUE = 11 * 60  # seconds: the deadline is ten minutes
HOUR = 3600


def lose(one: Registration, *topics: str) -> None:
    """Arrows of these topics are gone, as if a fault of ours had swallowed them."""
    for topic in topics:
        waiting = [row for row in one.sql("SELECT id, subject_id FROM outbox WHERE topic = %s AND state = 'PENDING'",
                                          (topic,)) if row[1] in one._mine() or topic == "desk.take"]
        assert waiting, f"no {topic} was waiting"
        for job_id, _ in waiting:
            one.sql("DELETE FROM outbox WHERE id = %s", (job_id,))


def sweep(one: Registration, seconds: float = OVERDUE) -> int:
    """Time passes, the timer fires, and all that follows is done; how many were found or moved."""
    one.control("DELETE", "/faults")
    one.control.advance(seconds)
    answer = one.control("POST", "/scf/timers/reconcile/every-ten-minutes/fire")
    assert "error" not in answer, answer
    one.work()
    one.phone.sign_in()
    return int(answer["result"]["moved"])


def asleep(one: Registration) -> None:
    """Nobody is at work, and nobody can be woken: arrows wait for the timer."""
    one.control.settle()
    one.control.fault("cloud", "invoke", "error", times=-1)


# -- registrations ----------------------------------------------------------------------------------
@pytest.fixture
def registration(control: Control, sql: Sql, mysql: str, database_name: str, new_session: Callable[..., Any]
                 ) -> Registration:
    """An account with a patient, and a session with places."""
    return Registration(control, sql, new_session(), (mysql, database_name))


def held(one: Registration) -> None:
    """Held, and nobody will end it."""
    one.book()
    lose(one, "booking.expire")
    one.control.advance(15 * 60)


def confirming(one: Registration) -> None:
    """Paid, and nobody will confirm it."""
    one.control.fault("his", "confirm_registration", "error")
    one.held_and_paid()
    one.control.settle()
    lose(one, "registration.paid")


def paid_and_forgotten(one: Registration) -> None:
    """Paid in the last minute, and nobody has heard of it; the order's time is over when it is looked for."""
    one.book()
    assert one.open()
    one.control.advance(14 * 60)
    asleep(one)
    one.pay()
    one.control.settle()
    lose(one, "registration.paid", "booking.expire")
    one.control.advance(10 * 60)


def cancelling(one: Registration) -> None:
    """Being cancelled, and nobody does it."""
    one.held_and_paid()
    one.work()
    one.control.fault("his", "cancel_registration", "error")
    one.cancel()
    one.control.settle()
    lose(one, "booking.cancel")


@pytest.mark.parametrize(("stand_still", "ends"), [
    (held, "RELEASED"), (confirming, "CONFIRMED"), (paid_and_forgotten, "CONFIRMED"), (cancelling, "CANCELLED")])
def test_a_registration_that_stands_still_is_moved_on(registration: Registration, ends: str,
                                                      stand_still: Callable[[Registration], None]) -> None:
    stand_still(registration)
    assert sweep(registration) >= 1
    registration.check(ends)
    assert registration.tasks() == []


# -- check-in ---------------------------------------------------------------------------------------
@pytest.fixture
def arrived(control: Control, sql: Sql, mysql: str, database_name: str, new_session: Callable[..., Any],
            policy: Callable[..., None]) -> Registration:
    """Registered for today, to be paid on arrival, and arrived."""
    policy(payment="AT_CHECKIN")
    one = Registration(control, sql, new_session(date="2026-11-23", period="AFTERNOON"), (mysql, database_name))
    one.phone.allow_messages("checkin")
    one.book()
    one.again(lambda: one.phone.call("POST", f"booking/bookings/{one.id}/payment"))
    one.work()
    assert one.state == "CONFIRMED"
    control("PUT", "/clock", now="2026-11-23T13:00:00+08:00")
    return one


def test_a_check_in_that_nobody_ends_is_ended(arrived: Registration) -> None:
    assert arrived.phone.check_in(arrived.id)["payment"]
    lose(arrived, "checkin.expire")
    sweep(arrived, 15 * 60 + OVERDUE)
    assert arrived.sql("SELECT state FROM checkins WHERE booking_id = %s", (arrived.id,)) == [("EXPIRED",)]
    arrived.check("CONFIRMED")


def test_a_paid_check_in_that_nobody_carries_out_is_carried_out(arrived: Registration) -> None:
    payment = arrived.phone.check_in(arrived.id)["payment"]
    arrived.control.fault("his", "check_in", "error")
    arrived.phone.thumb(payment)
    arrived.control.settle()
    lose(arrived, "checkin.paid")
    sweep(arrived)
    arrived.check("CHECKED_IN")
    assert len(arrived.phone.inbox("取号成功通知")) == 1


# -- bills ------------------------------------------------------------------------------------------
def ordered(care: Care) -> None:
    """Ordered, not paid, and nobody will let the bill go."""
    assert care.order_bills(care.bill())
    lose(care, "outpatient.expire", "payment.ask")
    care.control.advance(15 * 60)


def paid_unheard(care: Care) -> None:
    """Paid, the notice lost, and nobody asks."""
    assert care.order_bills(care.bill())
    care.pay(notify=False)
    lose(care, "outpatient.expire", "payment.ask")
    care.control.advance(15 * 60)


def paid_late(care: Care) -> None:
    """Paid in the last minute; nobody goes on from there."""
    assert care.order_bills(care.bill())
    care.control.advance(14 * 60)
    asleep(care)
    care.pay()
    care.control.settle()
    lose(care, "outpatient.paid", "outpatient.expire")
    care.control.advance(10 * 60)


def settling(care: Care) -> None:
    """Paid, and nobody settles it."""
    care.control.fault("his", "settle_charge", "error")
    care.paid(care.bill())
    lose(care, "charge.settle")


def giving_back(care: Care) -> None:
    """Being given back, and nobody does it."""
    charge = care.one_paid()
    care.control.fault("his", "cancel_charge", "error")
    care.refund(charge)
    care.control.settle()
    lose(care, "charge.cancel")


def not_sent(care: Care) -> None:
    """Given back, and nobody sends the money."""
    charge = care.one_paid()
    care.control.fault("wechatpay", "create_refund", "error")
    care.refund(charge)
    care.control.settle()
    lose(care, "refund.send")


def not_heard_of(care: Care) -> None:
    """Sent, the notice lost, and nobody asks how it stands."""
    charge = care.one_paid()
    care.control("POST", "/wechatpay/notices/mode", drop=True)
    care.refund(charge)
    care.control.settle()
    lose(care, "refund.check")


def not_taken_up(care: Care) -> None:
    """Begun at the desk, and nobody takes it up."""
    charge = care.one_paid()
    care.control.fault("his", "get_desk_refund", "error")
    care.desk_refund(charge)
    care.control.settle()
    lose(care, "desk.take")


def not_reported(care: Care) -> None:
    """The desk's refund has arrived, and nobody reports it."""
    charge = care.one_paid()
    care.control.fault("his", "report_desk_refund", "error", times=-1)
    care.desk_refund(charge)
    care.control.settle()
    care.control.advance(5)
    care.control.settle()
    lose(care, "desk.report")


def not_reported_as_refused(care: Care) -> None:
    """The desk's refund can't be, and nobody says so."""
    charge = care.one_paid()
    care.sql("UPDATE settlements SET reversing_fen = amount_fen WHERE subject_id = %s", (charge["id"],))
    care.control.fault("his", "report_desk_refund", "error")
    begun = care.desk_refund(charge)
    care.control.settle()
    care.sql("UPDATE settlements SET reversing_fen = 0 WHERE subject_id = %s", (charge["id"],))
    care.sql("DELETE FROM outbox WHERE topic = 'desk.report' AND state = 'PENDING' AND subject_id = "
             "(SELECT id FROM desk_refunds WHERE refund_no = %s)", (begun["refund_no"],))


def not_issued(care: Care) -> None:
    """Settled, and nobody asks for the e-bill."""
    care.control.fault("ebill", "invoice_outpatient", "error")
    care.one_paid()
    lose(care, "invoice.issue")


def not_ordered(care: Care) -> None:
    """Settled, and there is no e-bill to ask for."""
    care.control.fault("ebill", "invoice_outpatient", "refuse", code="E1010")
    care.one_paid()
    lose(care, "invoice.issue")
    care.sql("UPDATE invoices SET state = 'VOID' WHERE account_id = %s", (care.account_id,))


def not_kept(care: Care) -> None:
    """Issued, and nobody fetches the PDF."""
    care.control.fault("ebill", "pdf", "error")
    care.one_paid()
    lose(care, "invoice.fetch")


def not_reversed(care: Care) -> None:
    """Given back, and nobody reverses the e-bill."""
    charge = care.one_paid()
    care.control.fault("ebill", "write_off", "error")
    care.refund(charge)
    care.control.settle()
    care.control.advance(5)
    care.control.settle()
    lose(care, "invoice.write-off")


@pytest.mark.parametrize(("stand_still", "charge", "refunded_fen", "invoices"), [
    (ordered, "RELEASED", 0, []), (paid_unheard, "SETTLED", 0, ["ISSUED"]), (paid_late, "SETTLED", 0, ["ISSUED"]),
    (settling, "SETTLED", 0, ["ISSUED"]), (giving_back, "CANCELLED", 2500, ["WRITTEN_OFF"]),
    (not_sent, "CANCELLED", 2500, ["WRITTEN_OFF"]), (not_heard_of, "CANCELLED", 2500, ["WRITTEN_OFF"]),
    (not_taken_up, "CANCELLED", 2500, ["WRITTEN_OFF"]), (not_reported, "CANCELLED", 2500, ["WRITTEN_OFF"]),
    (not_reported_as_refused, "SETTLED", 0, ["ISSUED"]), (not_issued, "SETTLED", 0, ["ISSUED"]),
    (not_ordered, "SETTLED", 0, ["VOID", "ISSUED"]), (not_kept, "SETTLED", 0, ["ISSUED"]),
    (not_reversed, "CANCELLED", 2500, ["WRITTEN_OFF"])])
def test_what_stands_still_of_a_bill_is_moved_on(care: Care, stand_still: Callable[[Care], None], charge: str,
                                                 refunded_fen: int, invoices: list[str]) -> None:
    stand_still(care)
    assert sweep(care) >= 1
    care.check()
    assert [one["state"] for one in care.charges().values()] == [charge]
    assert care.order()["refunded_fen"] == refunded_fen
    assert [state for state, _ in care.invoices()] == invoices
    assert care.tasks() == []
    assert care.sql("SELECT reported_at FROM desk_refunds d JOIN settlements s ON s.trade_no = d.trade_no "
                    "WHERE s.account_id = %s AND reported_at IS NULL", (care.account_id,)) == []


def test_an_e_bill_that_says_what_it_said_before_a_refund_is_replaced(care: Care) -> None:
    charge = care.one_paid(9000, 1000)
    care.desk_refund(charge, item_nos=[2])
    care.work()
    care.sql("UPDATE invoices SET amount_fen = 9500 WHERE account_id = %s AND state = 'ISSUED'", (care.account_id,))
    sweep(care)
    assert care.invoices() == [("WRITTEN_OFF", 10000), ("WRITTEN_OFF", 9500), ("ISSUED", 9000)]


def test_nothing_is_moved_that_moves_by_itself(care: Care) -> None:
    care.control.fault("his", "settle_charge", "error", times=-1)
    care.paid(care.bill())
    care.control.advance(OVERDUE)
    care.control("POST", "/scf/timers/reconcile/every-ten-minutes/fire")
    assert care.sql("SELECT COUNT(*) FROM outbox WHERE subject_id IN (SELECT id FROM charges WHERE order_id = %s)",
                    (care.id,)) == [(1,)]
    care.recover()
    care.check("DONE")


def test_what_staff_have_given_up_is_not_begun_again_but_stays_on_their_list(care: Care) -> None:
    care.control.fault("his", "settle_charge", "error", times=-1)
    number = care.bill()
    care.paid(number)
    care.work(until=lambda: bool(care.tasks()))
    [(_, task)] = care.tasks()
    care.operate("task.close", task)
    care.control("DELETE", "/faults")
    care.control.advance(HOUR + OVERDUE)
    care.fire_stuck()
    care.phone.sign_in()
    assert care.charges()[number]["state"] == "SETTLING"
    [(kind, _)] = care.tasks()
    assert kind == "order.stuck"


def test_a_refund_that_takes_the_bank_a_day_is_nobodys_task(care: Care) -> None:
    charge = care.one_paid()
    care.control("POST", "/wechatpay/refunds/policy", outcome="SUCCESS", delay_seconds=20 * HOUR, times=1)
    care.refund(charge)
    care.control.settle()
    care.control.advance(10 * HOUR)
    care.fire_stuck()
    assert care.tasks() == []
    care.control.advance(11 * HOUR)
    care.work()
    care.phone.sign_in()
    care.check("DONE")


# -- what a person must look at ---------------------------------------------------------------------
def test_what_cannot_be_moved_is_a_task_with_what_each_side_says_until_it_moves(care: Care) -> None:
    care.control.fault("his", "settle_charge", "error", times=-1)
    number = care.bill()
    charge = care.paid(number)[number]
    lose(care, "charge.settle")
    care.control.advance(3 * HOUR + OVERDUE)
    assert care.fire_stuck()["moved"] >= 1
    care.phone.sign_in()
    [(kind, task)] = care.tasks()
    [(subject, detail)] = care.sql("SELECT subject_id, detail FROM staff_tasks WHERE id = %s", (task,))
    assert (kind, subject) == ("order.stuck", charge["id"])
    for word in ("charge SETTLING since 2026-11-22 23:3", "WeChat Pay: SUCCESS, 2500 fen", "HIS: EXPIRED",
                 "charge.settle PENDING ×"):
        assert word in detail, detail
    care.fire_stuck()
    assert care.tasks() == [(kind, task)], "once"
    care.control("DELETE", "/faults")
    care.work()
    assert care.charges()[number]["state"] == "SETTLED"
    assert care.tasks() == [(kind, task)], "until the next look"
    care.fire_stuck()
    assert care.tasks() == []
    care.check("DONE")


def test_what_a_side_does_not_say_is_said(care: Care) -> None:
    care.control.fault("his", "settle_charge", "error", times=-1)
    care.paid(care.bill())
    lose(care, "charge.settle")
    care.control.advance(3 * HOUR + OVERDUE)
    care.control.fault("his", "check_trade", "error", times=-1)
    care.control.fault("wechatpay", "query_order", "error", times=-1)
    care.fire_stuck()
    care.phone.sign_in()
    [(_, task)] = care.tasks()
    [(detail,)] = care.sql("SELECT detail FROM staff_tasks WHERE id = %s", (task,))
    assert "WeChat Pay: unanswered" in detail
    assert "HIS: unanswered" in detail
    care.recover()
    care.fire_stuck()
    assert care.tasks() == []
    care.check("DONE")
