"""Refunds begun at the hospital's desk (窗口退费): found, checked, paid back through WeChat, reported, told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pymupdf
import pytest

from sandbox.phone import Control
from tests.faults.conftest import Visit as Registration
from tests.faults.outpatient import NAMES, Care

Sql = Callable[..., list[tuple[Any, ...]]]


def at_his(care: Registration, refund_no: str) -> dict[str, Any]:
    """A refund as the desk's book has it."""
    return next(one for one in care.control("GET", "/his/desk-refunds") if one["refund_no"] == refund_no)


def ours(care: Registration, refund_no: str) -> tuple[str, str, int, bool]:
    """State, code, amount in fen of a refund of the desk's here, and whether its end is reported."""
    state, code, fen, reported = care.sql(
        "SELECT state, code, amount_fen, reported_at FROM desk_refunds WHERE refund_no = %s", (refund_no,))[0]
    return state, code, fen, reported is not None


def desk_tasks(care: Registration, refund_no: str) -> list[str]:
    """The kinds of the open tasks about a refund of the desk's."""
    return [row[0] for row in care.sql(
        "SELECT t.kind FROM staff_tasks t JOIN desk_refunds d ON d.id = t.subject_id WHERE t.state = 'OPEN' "
        "AND d.refund_no = %s", (refund_no,))]


def dropped(control: Control) -> None:
    """The hospital's events reach nobody."""
    control("PUT", "/his/events-mode", drop=True)


# -- of a bill --------------------------------------------------------------------------------------
@pytest.mark.feature("refund.desk")
def test_some_items_given_back_at_the_desk_reach_wechat_the_patient_and_the_e_bill(care: Care) -> None:
    charge = care.one_paid(9000, 1000, 550, kind="LABORATORY")
    begun = care.desk_refund(charge, item_nos=[2, 3])
    care.work()
    care.check("DONE")
    assert ours(care, begun["refund_no"]) == ("SUCCEEDED", "", 1550, True)
    reported = at_his(care, begun["refund_no"])
    [sent] = care.order()["refunds"]
    assert (reported["state"], reported["out_refund_no"]) == ("SUCCEEDED", sent["out_refund_no"])
    assert (sent["amount_fen"], sent["status"]) == (1550, "SUCCESS")
    shown = care.charge(charge)
    assert (shown["state"], shown["refunded_fen"]) == ("SETTLED", 1550)
    [message] = care.phone.inbox("退费通知")
    assert "¥15.50" in " ".join(message["lines"])
    assert "窗口退费，已原路退回" in " ".join(message["lines"])
    payment = care.phone.payments()[0]
    assert (payment["state_text"], [one["reason"] for one in payment["refunds"]]) == ("已部分退款", ["窗口退费"])
    receipt = care.phone.receipt(payment["id"])
    assert [(one["amount_fen"], one["refunded_fen"]) for one in receipt["settlements"]] == [(10550, 1550)]
    assert [(one["state"], one["amount_fen"]) for one in receipt["invoices"]] == [
        ("WRITTEN_OFF", 10550), ("ISSUED", 9000)]


def test_all_of_a_bill_given_back_at_the_desk_ends_it(care: Care) -> None:
    charge = care.one_paid(9000, 1000)
    care.desk_refund(charge)
    care.work()
    care.check("DONE")
    shown = care.charge(charge)
    assert (shown["state"], shown["state_text"], shown["reason"]) == ("CANCELLED", "已退费", "REFUNDED_AT_DESK")
    assert care.phone.payments()[0]["state_text"] == "已全额退款"
    assert care.invoices() == [("WRITTEN_OFF", 10000)]


def test_parts_given_back_one_after_the_other_end_it_with_the_last(care: Care) -> None:
    charge = care.one_paid(9000, 1000)
    for amount_fen, left in ((4000, 6000), (5500, 500), (500, 0)):
        care.desk_refund(charge, amount_fen=amount_fen)
        care.work()
        care.check("DONE")
        assert care.charge(charge)["state"] == ("SETTLED" if left else "CANCELLED")
        assert [fen for state, fen in care.invoices() if state == "ISSUED"] == ([left] if left else [])
    assert [fen for _, _, fen in care.refunds()] == [4000, 5500, 500]
    assert [fen for state, fen in care.invoices() if state == "WRITTEN_OFF"] == [10000, 6000, 500]


def test_two_refunds_begun_at_once_are_paid_back_a_minute_apart(care: Care) -> None:
    charge = care.one_paid(9000, 1000)
    care.desk_refund(charge, item_nos=[2])
    care.desk_refund(charge, amount_fen=3000)
    care.control.settle()
    assert len(care.order()["refunds"]) == 1
    care.work()
    care.check("DONE")
    assert sorted(one["amount_fen"] for one in care.order()["refunds"]) == [1000, 3000]
    assert care.charge(charge)["refunded_fen"] == 4000
    assert [fen for state, fen in care.invoices() if state == "ISSUED"] == [6000]


def test_a_refund_that_no_event_tells_of_is_found_in_the_list(care: Care) -> None:
    charge = care.one_paid()
    dropped(care.control)
    begun = care.desk_refund(charge)
    care.control.settle()
    assert care.sql("SELECT id FROM desk_refunds WHERE refund_no = %s", (begun["refund_no"],)) == []
    assert care.fire_stuck()["found"] >= 1
    care.work()
    care.check("DONE")
    assert ours(care, begun["refund_no"])[0] == "SUCCEEDED"
    assert care.charge(charge)["state"] == "CANCELLED"


def test_a_refund_of_yesterday_is_found_after_midnight(care: Care) -> None:
    charge = care.one_paid()
    dropped(care.control)
    care.control("PUT", "/clock", now="2026-11-23T23:58:00+08:00")
    begun = care.desk_refund(charge)
    care.control("PUT", "/clock", now="2026-11-24T00:02:00+08:00")
    care.fire_stuck()
    care.work()
    care.phone.sign_in()
    care.check("DONE")
    assert ours(care, begun["refund_no"])[0] == "SUCCEEDED"


def test_an_event_that_comes_twice_and_the_list_lead_to_one_refund(care: Care) -> None:
    charge = care.one_paid()
    care.control("PUT", "/his/events-mode", duplicate=True)
    care.desk_refund(charge)
    care.control.settle()
    care.fire_stuck()
    care.work()
    care.fire_stuck()
    care.check("DONE")
    assert [fen for _, _, fen in care.refunds()] == [2500]
    assert len(care.phone.inbox("退费通知")) == 1


def test_a_line_of_the_re_issued_e_bill_says_what_is_left_of_it(care: Care) -> None:
    charge = care.one_paid(9000, 1000, 500, kind="LABORATORY")
    care.desk_refund(charge, amount_fen=9300)  # the first item whole, 3 yuan of the second
    care.work()
    care.check("DONE")
    issued = next(one for one in care.phone.invoices() if one["state"] == "ISSUED")
    with pymupdf.open(stream=care.phone.invoice_file(issued["id"])) as paper:
        text = "".join(page.get_text() for page in paper)
    assert NAMES[0] not in text, "given back whole"
    assert [text.count(word) > 0 for word in (NAMES[1], "7.00", NAMES[2], "5.00", "化验费", "12.00")] == [True] * 6
    assert care.charge(charge)["refunded_fen"] == 9300


# -- of a registration ------------------------------------------------------------------------------
@pytest.fixture
def registered(control: Control, sql: Sql, mysql: str, database_name: str, new_session: Callable[..., Any]
               ) -> Registration:
    """Paid and confirmed for the only place of a session, 25 yuan."""
    one = Registration(control, sql, new_session(slots=1), (mysql, database_name))
    one.phone.allow_messages("refunds")
    one.held_and_paid()
    one.work()
    assert one.state == "CONFIRMED"
    return one


def desk_refund(one: Registration, **what: Any) -> str:
    """The desk gives a registration's fee back; the refund's number."""
    return str(one.control("POST", f"/his/registrations/{one.trade_no}/desk-refund", **what)["refund_no"])


@pytest.mark.feature("refund.desk")
def test_a_registration_given_back_at_the_desk_ends_and_its_place_is_free(registered: Registration) -> None:
    number = desk_refund(registered)
    registered.work()
    registered.check("CANCELLED")
    assert ours(registered, number) == ("SUCCEEDED", "", 2500, True)
    assert registered.shown()["reason"] == "REFUNDED_AT_DESK"
    assert registered.order()["refunded_fen"] == 2500
    slots = registered.phone.call("GET", f"booking/sessions/{registered.session['id']}/slots")["slots"]
    assert len(slots) == 1, "the place is on sale again"
    assert len(registered.phone.inbox("退费通知")) == 1
    assert registered.book()


def test_a_part_of_a_registrations_fee_given_back_leaves_it_firm(registered: Registration) -> None:
    number = desk_refund(registered, amount_fen=1000)
    registered.work()
    registered.check("CONFIRMED")
    assert ours(registered, number)[:3] == ("SUCCEEDED", "", 1000)
    assert (registered.his()["state"], registered.order()["refunded_fen"]) == ("CONFIRMED", 1000)
    invoices = registered.sql("SELECT state, amount_fen FROM invoices WHERE account_id = %s ORDER BY id",
                              (registered.account_id,))
    assert invoices == [("WRITTEN_OFF", 2500), ("ISSUED", 1500)]
    desk_refund(registered)
    registered.work()
    registered.agree()
    assert (registered.state, registered.order()["refunded_fen"]) == ("CANCELLED", 2500)


def test_a_patient_who_cancels_while_the_desk_gives_back_gets_the_fee_once(registered: Registration) -> None:
    registered.control("PUT", "/his/events-mode", hold=True)
    number = desk_refund(registered)
    registered.cancel()
    registered.work()
    registered.control("PUT", "/his/events-mode", hold=False)
    registered.work()
    assert registered.state == "CANCELLED"
    assert registered.order()["refunded_fen"] == 2500
    assert ours(registered, number)[0] in ("SUCCEEDED", "FAILED")
    registered.agree()


def test_a_fee_that_the_desk_gives_back_while_the_his_is_silent_about_our_cancel_goes_back_once(
        registered: Registration) -> None:
    registered.control.fault("his", "cancel_registration", "error", times=-1)
    registered.cancel()
    registered.control.settle()
    assert registered.state == "CANCELLING"
    number = desk_refund(registered)  # ends it in the HIS: the trade check now says CANCELLED, and not by us
    registered.work(until=lambda: registered.state == "CANCELLED")
    registered.control("DELETE", "/faults")
    registered.work()
    assert (registered.state, registered.shown()["reason"]) == ("CANCELLED", "REFUNDED_AT_DESK")
    assert [one["amount_fen"] for one in registered.order()["refunds"]] == [2500]
    assert ours(registered, number) == ("SUCCEEDED", "", 2500, True)
    registered.agree()


def test_a_fee_given_back_at_the_desk_before_we_heard_that_it_was_firm_goes_back_once(
        control: Control, sql: Sql, mysql: str, database_name: str, new_session: Callable[..., Any]) -> None:
    one = Registration(control, sql, new_session(), (mysql, database_name))
    control.fault("his", "confirm_registration", "cut_after")
    control.fault("his", "check_trade", "error", times=-1)
    one.held_and_paid()
    control.settle()
    assert (one.state, one.his()["state"]) == ("CONFIRMING", "CONFIRMED")
    number = desk_refund(one)
    control("DELETE", "/faults")
    one.work()
    assert (one.state, one.shown()["reason"]) == ("CANCELLED", "REFUNDED_AT_DESK")
    assert [refund["amount_fen"] for refund in one.order()["refunds"]] == [2500]
    assert ours(one, number) == ("SUCCEEDED", "", 2500, True)
    assert one.phone.inbox("挂号成功通知") == []
    one.agree()


def test_a_patient_who_gives_a_bill_back_while_the_desk_does_gets_the_money_once(care: Care) -> None:
    charge = care.one_paid()
    care.control.fault("his", "cancel_charge", "cut_before")
    care.refund(charge)
    care.control.settle()
    begun = care.desk_refund(charge)
    care.work()
    care.check("DONE")
    assert ours(care, begun["refund_no"])[0] == "SUCCEEDED"
    assert care.charge(charge)["state"] == "CANCELLED"
    assert [fen for _, _, fen in care.refunds()] == [2500]


# -- refused, silent, in conflict -------------------------------------------------------------------
def test_more_than_is_left_is_refused_reported_and_a_task(care: Care) -> None:
    charge = care.one_paid()
    care.sql("UPDATE settlements SET reversing_fen = 1000 WHERE subject_id = %s", (charge["id"],))
    begun = care.desk_refund(charge)
    care.work()
    assert ours(care, begun["refund_no"]) == ("FAILED", "MORE_THAN_PAID", 2500, True)
    assert (at_his(care, begun["refund_no"])["state"], at_his(care, begun["refund_no"])["code"]) == (
        "FAILED", "MORE_THAN_PAID")
    assert desk_tasks(care, begun["refund_no"]) == ["desk-refund.refused"]
    assert care.order()["refunds"] == []
    care.sql("UPDATE settlements SET reversing_fen = 0 WHERE subject_id = %s", (charge["id"],))
    care.desk_refund(charge)
    care.work()
    assert care.charge(charge)["state"] == "CANCELLED"
    care.check("DONE")


def test_a_refund_of_a_trade_that_we_do_not_know_is_refused_after_an_hour(care: Care) -> None:
    charge = care.one_paid()
    number = care.number_of(charge)
    care.sql("UPDATE settlements SET trade_no = 'nobody-knows' WHERE trade_no = %s", (number,))
    begun = care.desk_refund(charge)
    care.control.settle()
    assert ours(care, begun["refund_no"])[0] == "FOUND", "our own answer may be late"
    care.control.advance(3601)
    care.control.work()
    assert ours(care, begun["refund_no"]) == ("FAILED", "TRADE_UNKNOWN", 2500, True)
    assert at_his(care, begun["refund_no"])["state"] == "FAILED"
    assert desk_tasks(care, begun["refund_no"]) == ["desk-refund.refused"]
    assert care.order()["refunds"] == []
    care.sql("UPDATE settlements SET trade_no = %s WHERE trade_no = 'nobody-knows'", (number,))
    care.check("DONE")


def test_a_refund_of_what_we_hear_of_a_little_later_is_paid(care: Care) -> None:
    charge = care.one_paid()
    number = care.number_of(charge)
    care.sql("UPDATE settlements SET trade_no = 'not-yet-known' WHERE trade_no = %s", (number,))
    begun = care.desk_refund(charge)
    care.control.settle()
    care.sql("UPDATE settlements SET trade_no = %s WHERE trade_no = 'not-yet-known'", (number,))
    care.work()
    care.check("DONE")
    assert ours(care, begun["refund_no"])[0] == "SUCCEEDED"


def test_a_refund_that_the_his_does_not_know_is_a_task(care: Care) -> None:
    charge = care.one_paid()
    care.control.fault("his", "get_desk_refund", "refuse", code="REFUND_UNKNOWN", status=404, times=-1)
    begun = care.desk_refund(charge)
    care.control.settle()
    assert ours(care, begun["refund_no"])[0] == "FOUND", "its event may be faster than its book"
    care.control.advance(601)
    care.control.work()
    assert ours(care, begun["refund_no"])[:2] == ("FAILED", "UNKNOWN_AT_HIS")
    assert desk_tasks(care, begun["refund_no"]) == ["desk-refund.refused"]
    assert care.order()["refunds"] == []


def test_a_result_that_the_his_cannot_be_told_is_told_later(care: Care) -> None:
    charge = care.one_paid()
    care.control.fault("his", "report_desk_refund", "error", times=-1)
    begun = care.desk_refund(charge)
    care.work(until=lambda: bool(care.tasks()))
    assert [kind for kind, _ in care.tasks()] == ["desk.report.hangs"]
    assert (ours(care, begun["refund_no"])[0], care.order()["refunded_fen"]) == ("REFUNDING", 2500)
    assert care.charge(charge)["state"] == "SETTLED", "it ends in the HIS's books first"
    care.control("DELETE", "/faults")
    care.work()
    care.check("DONE")
    assert care.tasks() == []
    assert care.charge(charge)["state"] == "CANCELLED"
    assert len(care.phone.inbox("退费通知")) == 1


def test_a_result_that_contradicts_the_hiss_is_a_task(care: Care) -> None:
    charge = care.one_paid()
    care.control.fault("his", "report_desk_refund", "refuse", code="RESULT_CONFLICT", status=409)
    begun = care.desk_refund(charge)
    care.work()
    assert ours(care, begun["refund_no"]) == ("SUCCEEDED", "", 2500, True)
    assert desk_tasks(care, begun["refund_no"]) == ["desk-refund.report-refused"]
    assert care.order()["refunded_fen"] == 2500
    care.check("DONE")  # what the HIS has not booked waits for staff


def test_a_result_that_the_his_refuses_for_another_reason_is_told_again(care: Care) -> None:
    charge = care.one_paid()
    care.control.fault("his", "report_desk_refund", "refuse", code="SYSTEM_BUSY", status=409)
    begun = care.desk_refund(charge)
    care.work()
    care.check("DONE")
    assert ours(care, begun["refund_no"]) == ("SUCCEEDED", "", 2500, True)
    assert at_his(care, begun["refund_no"])["state"] == "SUCCEEDED"
    assert care.tasks() == []


def test_a_refund_that_wechat_will_never_make_is_given_up_and_the_desk_told(care: Care) -> None:
    charge = care.one_paid()
    care.control("POST", "/wechatpay/refunds/policy", outcome="CLOSED", delay_seconds=3, times=1)
    begun = care.desk_refund(charge)
    care.work()
    [(kind, task)] = care.tasks()
    assert (kind, ours(care, begun["refund_no"])[0]) == ("refund.stuck", "REFUNDING")
    assert care.operate("refund.give_up", task)["state"] == "GIVEN_UP"
    care.work()
    assert ours(care, begun["refund_no"]) == ("FAILED", "WECHAT_CLOSED", 2500, True)
    assert at_his(care, begun["refund_no"])["state"] == "FAILED"
    assert care.tasks() == []
    late = care.control("POST", "/wechatpay/notices/replay", out_trade_no=care.out_trade_no, copies=2)["deliveries"]
    assert {one["status"] for one in late} == {204}
    care.check("DONE")
    assert care.charge(charge)["refunded_fen"] == 0
    care.control.advance(60)
    care.desk_refund(charge)  # begun anew
    care.work()
    care.check("DONE")
    assert care.charge(charge)["state"] == "CANCELLED"
    assert care.order()["refunded_fen"] == 2500


def test_a_refund_that_wechat_made_in_another_amount_ends_and_the_desk_is_told(care: Care) -> None:
    charge = care.one_paid()
    care.control("POST", "/wechatpay/notices/mode", drop=True)
    care.control.fault("wechatpay", "query_refund", "override", times=-1, set={"amount.refund": 1000})
    begun = care.desk_refund(charge)
    care.work()
    [(kind, task)] = care.tasks()
    assert (kind, care.refunds()[0][:2]) == ("refund.stuck", ("STUCK", "ANSWER_DIFFERS"))
    [(detail,)] = care.sql("SELECT detail FROM staff_tasks WHERE id = %s", (task,))
    assert "refund.paid_elsewhere" in detail
    assert care.operate("refund.give_up", task)["state"] == "STUCK", "WeChat has paid something"
    assert care.control.operate("refund.paid_elsewhere", task_id=task, note="the desk paid the rest", how="CASH",
                                reference="desk 2026-0042", wechat_fen=1000)["state"] == "ELSEWHERE"
    care.work()
    assert ours(care, begun["refund_no"]) == ("SUCCEEDED", "", 2500, True)
    assert at_his(care, begun["refund_no"])["state"] == "SUCCEEDED"
    assert care.tasks() == []


def test_a_refund_is_taken_up_once_the_his_answers(care: Care) -> None:
    charge = care.one_paid()
    care.control.fault("his", "get_desk_refund", "error", times=3)
    begun = care.desk_refund(charge)
    began_at = datetime.fromisoformat(begun["created_at"])
    care.work()
    care.check("DONE")
    assert ours(care, begun["refund_no"])[0] == "SUCCEEDED"
    assert care.sql("SELECT begun_on FROM desk_refunds WHERE refund_no = %s",
                    (begun["refund_no"],)) == [(began_at.date(),)]
