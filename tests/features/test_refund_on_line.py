"""Refunds on line (在线退费): a whole paid bill, not executed and not on paper, goes back the way it was paid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.phone import Control, Phone, Refused
from tests.faults.outpatient import Care

EXECUTED = "该费用中的项目已执行或已发药，不能在线退费，请到窗口咨询。"
ON_PAPER = "该费用已换开纸质发票，请携带纸质发票到窗口退费。"
PARTLY = "该费用已在窗口部分退费，如需再退请到窗口办理。"
TWICE = "该费用已退费。"


def refundability(care: Care, charge: dict[str, Any]) -> dict[str, Any]:
    """What the page says before the patient taps."""
    answer: dict[str, Any] = care.phone.call("GET", f"billing/charges/{charge['id']}/refundability")
    return answer


def refusal(care: Care, charge: dict[str, Any]) -> str:
    """Why a refund on line is refused; what is said before says the same."""
    told = refundability(care, charge)
    answer = care.phone.raw("POST", f"billing/charges/{charge['id']}/refund")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "not_refundable")
    assert not told["refundable"]
    sentence = str(answer.json()["error"]["message"])
    assert sentence == told["reasons"][0]["text"]
    assert care.charge(charge)["state"] == charge["state"]
    return sentence


# -- back the way it was paid -----------------------------------------------------------------------
@pytest.mark.feature("refund.online")
def test_a_paid_bill_is_given_back_and_everybody_knows(care: Care) -> None:
    charge = care.one_paid(12000, 3050)
    assert refundability(care, charge) == {"refundable": True, "reasons": []}
    assert care.refund(charge)["state"] == "CANCELLING"
    care.control.settle()
    shown = care.charge(charge)
    assert (shown["state"], shown["state_text"], shown["refunded_fen"]) == ("CANCELLED", "已退费", 15050)
    assert (care.his()["state"], care.his()["refund_fen"]) == ("CANCELLED", 15050)
    assert care.phone.payments()[0]["state_text"] == "退款中"
    care.work()
    care.check("DONE")
    payment = care.phone.payments()[0]
    assert (payment["state_text"], payment["refunded_fen"]) == ("已全额退款", 15050)
    assert [(one["state_text"], one["reason"]) for one in payment["refunds"]] == [("退款已到账", "门诊退费")]
    assert care.order()["refunded_fen"] == 15050
    [message] = care.phone.inbox("退费通知")
    assert "¥150.50" in " ".join(message["lines"])
    assert "门诊退费，已原路退回" in " ".join(message["lines"])
    [invoice] = care.phone.invoices()
    assert (invoice["state"], invoice["state_text"], bool(invoice["red_number"])) == ("WRITTEN_OFF", "已冲红", True)


def test_a_second_tap_changes_nothing(care: Care) -> None:
    charge = care.one_paid()
    care.refund(charge)
    assert care.refund(charge)["state"] in ("CANCELLING", "CANCELLED")
    care.work()
    assert care.refund(charge)["state"] == "CANCELLED"
    care.check("DONE")
    assert [(state, fen) for state, _, fen in care.refunds()] == [("SUCCEEDED", 2500)]
    assert refundability(care, charge) == {"refundable": False, "reasons": [
        {"code": "ALREADY_REFUNDED", "text": TWICE}]}


def test_the_bill_of_another_account_is_not_found(care: Care, guest: Phone) -> None:
    charge = care.one_paid()
    for method, path in (("GET", "refundability"), ("POST", "refund")):
        answer = guest.raw(method, f"billing/charges/{charge['id']}/{path}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "charge_not_found")
    assert care.charge(charge)["state"] == "SETTLED"


def test_two_bills_of_one_payment_are_given_back_one_after_the_other(care: Care) -> None:
    first, second = care.bill(4000), care.bill(1100)
    charges = care.paid(first, second)
    care.refund(charges[first])
    care.refund(charges[second])
    care.control.settle()
    parts = care.order()["refunds"]
    assert len(parts) == 1, "WeChat takes the parts of one order a minute apart"
    care.control.advance(45)
    care.control.work()
    assert len(care.order()["refunds"]) == 1
    care.work()
    care.check("DONE")
    assert sorted(one["amount_fen"] for one in care.order()["refunds"]) == [1100, 4000]
    assert care.asked("wechatpay", "create_refund", out_trade_no=care.out_trade_no) == 2, "never asked too early"
    assert care.phone.payments()[0]["state_text"] == "已全额退款"
    assert len(care.phone.inbox("退费通知")) == 2


def test_one_bill_of_a_payment_is_given_back_and_the_other_stays(care: Care) -> None:
    first, second = care.bill(4000), care.bill(1100)
    charges = care.paid(first, second)
    care.refund(charges[second])
    care.work()
    care.check("DONE")
    assert {number: one["state"] for number, one in care.charges().items()} == {first: "SETTLED", second: "CANCELLED"}
    assert (care.phone.payments()[0]["state_text"], care.order()["refunded_fen"]) == ("已部分退款", 1100)
    assert sorted(care.invoices()) == [("ISSUED", 4000), ("WRITTEN_OFF", 1100)]


# -- not on line ------------------------------------------------------------------------------------
def test_a_bill_of_which_something_was_done_is_the_desks(care: Care) -> None:
    charge = care.one_paid(9000, 1000)
    care.control("POST", f"/his/bills/{charge['bill_no']}/execute", item_no=2)
    assert refusal(care, charge) == EXECUTED
    care.check("DONE")


def test_a_bill_on_paper_is_the_desks(care: Care) -> None:
    charge = care.one_paid()
    care.control("POST", f"/his/bills/{charge['bill_no']}/paper-invoice")
    assert refusal(care, charge) == ON_PAPER


def test_a_bill_that_only_the_platform_knows_to_be_on_paper_is_the_desks(care: Care) -> None:
    charge = care.one_paid()
    [invoice] = care.phone.invoices()
    care.control("POST", f"/ebill/bills/{invoice['batch_code']}/{invoice['number']}/turn-paper")
    assert refusal(care, charge) == ON_PAPER
    assert care.his()["state"] == "SETTLED"


def test_a_bill_partly_refunded_at_the_desk_stays_the_desks(care: Care) -> None:
    charge = care.one_paid(9000, 1000)
    care.desk_refund(charge, item_nos=[2])
    assert refusal(care, charge) == PARTLY, "from the moment on that the desk has begun"
    care.work()
    assert refusal(care, care.charge(charge)) == PARTLY
    care.check("DONE")
    assert care.order()["refunded_fen"] == 1000


@pytest.mark.parametrize("operation", ["refundability", "states"])
def test_what_cannot_be_asked_now_is_asked_later(care: Care, operation: str) -> None:
    """The HIS must answer; the platform need not: the HIS decides, and the platform refuses in the end."""
    charge = care.one_paid()
    care.control.fault("his" if operation == "refundability" else "ebill", operation, "error")
    answer = care.phone.raw("POST", f"billing/charges/{charge['id']}/refund")
    if operation == "refundability":
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "his_unavailable")
        care.refund(charge)
    care.work()
    care.check("DONE")
    assert care.charge(charge)["state"] == "CANCELLED"


@pytest.mark.parametrize("code", ["TRADE_UNKNOWN", "TRADE_CONFLICT"])
def test_a_paid_bill_that_the_his_does_not_know_is_the_desks_and_staff_hear_of_it(care: Care, code: str) -> None:
    charge = care.one_paid()
    care.control.fault("his", "refundability", "refuse", code=code, message="交易不存在", status=404, times=3)
    assert refundability(care, charge)["refundable"] is False
    assert refusal(care, charge) == "该费用不能在线退费，请到窗口办理。"
    [(kind, task)] = care.tasks()
    [(detail, times)] = care.sql("SELECT detail, times FROM staff_tasks WHERE id = %s", (task,))
    assert (kind, times) == ("charge.his-refused", 3) and code in detail and "task.close" in detail
    assert care.charge(charge)["state"] == "SETTLED"


def test_a_refund_that_the_his_refuses_after_all_is_undone_and_told(care: Care) -> None:
    charge = care.one_paid()
    care.control.fault("his", "cancel_charge", "refuse", code="EXECUTED", status=409)
    care.refund(charge)
    care.work()
    care.check("DONE")
    shown = care.charge(charge)
    assert (shown["state"], shown["reason"], shown["refunded_fen"]) == ("SETTLED", "EXECUTED", 0)
    [message] = care.phone.inbox("缴费失败通知")
    assert "在线退费未成功，请到窗口办理" in " ".join(message["lines"])
    assert care.order()["refunds"] == []
    care.refund(charge)  # it may be tried again
    care.work()
    care.check("DONE")
    assert care.charge(charge)["state"] == "CANCELLED"


# -- WeChat's side ----------------------------------------------------------------------------------
def test_a_refund_without_funds_waits_for_hours_and_goes_out_when_there_are(care: Care) -> None:
    charge = care.one_paid()
    care.control("POST", "/wechatpay/balance", enough=False)
    care.refund(charge)
    care.control.settle()
    assert care.charge(charge)["state"] == "CANCELLED"
    for _ in range(4):
        care.control.advance(3600)
        care.control.work()
    assert care.refunds() == [("REQUESTED", "NOT_ENOUGH", 2500)]
    assert [kind for kind, _ in care.tasks()] == ["refund.slow"]
    assert care.invoices() == [("ISSUED", 2500)], "the bill is reversed when the money has gone back"
    care.control("POST", "/wechatpay/balance", enough=True)
    care.work()
    care.phone.sign_in()
    care.check("DONE")
    assert care.tasks() == []
    assert care.invoices() == [("WRITTEN_OFF", 2500)]


def test_an_unanswered_refund_is_asked_about_and_never_sent_under_another_number(care: Care) -> None:
    charge = care.one_paid()
    care.control.fault("wechatpay", "create_refund", "cut_after")
    care.refund(charge)
    care.work()
    care.check("DONE")
    assert len(care.order()["refunds"]) == 1
    assert care.asked("wechatpay", "create_refund", out_trade_no=care.out_trade_no) == 1


def test_an_abnormal_refund_that_staff_solve_at_wechat_ends_by_asking(care: Care) -> None:
    charge = care.one_paid()
    care.control("POST", "/wechatpay/refunds/policy", outcome="ABNORMAL", delay_seconds=3, times=1)
    care.refund(charge)
    care.work()
    assert care.refunds() == [("STUCK", "ABNORMAL", 2500)]
    [(kind, _)] = care.tasks()
    assert kind == "refund.stuck"
    assert care.phone.payments()[0]["refunds"][0]["state_text"] == "退款处理中，请耐心等待"
    care.control("POST", f"/wechatpay/refunds/{care.order()['refunds'][0]['out_refund_no']}/solve")
    care.control.advance(3600)
    care.control.work()
    assert care.refunds() == [("SUCCEEDED", "", 2500)]
    care.work()
    care.check("DONE")
    assert care.tasks() == []
    assert len(care.phone.inbox("退费通知")) == 1


def test_a_refund_that_wechat_closed_goes_out_under_a_new_number(care: Care) -> None:
    charge = care.one_paid()
    care.control("POST", "/wechatpay/refunds/policy", outcome="CLOSED", delay_seconds=3, times=1)
    care.refund(charge)
    care.work()
    [(kind, task)] = care.tasks()
    assert (kind, care.refunds()) == ("refund.stuck", [("STUCK", "CLOSED", 2500)])
    care.control.advance(60)
    care.operate("task.retry", task)
    care.work()
    care.check("DONE")
    numbers = [one["out_refund_no"] for one in care.order()["refunds"]]
    assert [number.partition("@")[2] for number in numbers] == ["", "2"]
    assert [one["status"] for one in care.order()["refunds"]] == ["CLOSED", "SUCCESS"]
    assert care.order()["refunded_fen"] == 2500


def test_refunds_of_a_payment_are_never_more_than_it(care: Care, sql: Callable[..., Any]) -> None:
    charge = care.one_paid()
    with pytest.raises(Exception, match=r"CONSTRAINT|constraint"):
        sql("UPDATE payments SET refunding_fen = paid_fen + 1 WHERE subject_id = %s", (care.id,))
    care.refund(charge)
    care.work()
    care.check("DONE")


def test_a_charge_that_was_not_settled_cannot_be_given_back(care: Care, control: Control) -> None:
    assert care.order_bills(care.bill())
    [charge] = care.charges().values()
    assert refundability(care, charge)["reasons"][0]["code"] == "NOT_SETTLED"
    with pytest.raises(Refused, match="尚未结算"):
        care.phone.refund_charge(charge["id"])
