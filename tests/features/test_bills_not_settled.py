"""Bills that are paid and not settled, or not paid: what the HIS does not take goes back, to the fen, and is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.phone import Control, Phone, Refused
from tests.features.conftest import charge_states, finish, refused

Ordered = Callable[..., list[dict[str, Any]]]
Ask = Callable[..., list[tuple[Any, ...]]]
PAID, FAILED, BACK = "缴费成功通知", "缴费失败通知", "退费通知"


# -- between lock and settlement --------------------------------------------------------------------
@pytest.mark.feature("billing.pay")
@pytest.mark.parametrize(("what", "code"), [("change", "BILL_CHANGED"), ("cancel", "BILL_CANCELLED")])
def test_of_several_bills_the_one_that_the_his_refuses_is_refunded_once_and_the_rest_stands(
        control: Control, phone: Phone, patient: dict[str, Any], ordered: Ordered, charge: Any, wechat_order: Any,
        what: str, code: str, money_agrees: Any) -> None:
    made = ordered(patient, "PRESCRIPTION", "LABORATORY", "TREATMENT")
    order = phone.order(patient["id"], phone.bills(patient["id"]))["id"]
    payment = phone.open_order(order)
    lost = made[1]
    control("POST", f"/his/bills/{lost['bill_no']}/{what}", force=True,
            **({"amount_fen": 100} if what == "change" else {}))
    phone.thumb(payment, copies=3)
    finish(control)
    assert charge_states(phone, order) == {one["bill_no"]: "REJECTED" if one is lost else "SETTLED" for one in made}
    shown = phone.charge_order(order)
    [rejected] = [one for one in shown["charges"] if one["state"] == "REJECTED"]
    assert (shown["state"], rejected["reason"], rejected["state_text"]) == ("DONE", code, "未缴费成功，已退回")
    assert charge(lost["bill_no"])["state"] == "UNLOCKED"
    assert wechat_order(order)["refunded_fen"] == lost["total_fen"]
    [paid] = phone.payments()
    assert [(one["amount_fen"], one["reason"], one["state"]) for one in paid["refunds"]] == [
        (lost["total_fen"], "缴费未成功退费", "SUCCEEDED")]
    assert paid["state_text"] == "已部分退款"
    [message] = phone.inbox(PAID)
    taken, back = (sum(one["total_fen"] for one in made if (one is lost) is gone) for gone in (False, True))
    assert message["lines"][1] == f"缴费金额: ¥{taken // 100}.{taken % 100:02d}"
    assert message["lines"][-1] == f"备注: 2笔已缴清，其余¥{back // 100}.{back % 100:02d}退回"
    assert phone.inbox(FAILED) + phone.inbox(BACK) == []
    again = [one["bill_no"] for one in phone.bills(patient["id"])]
    assert again == ([lost["bill_no"]] if what == "change" else [])
    money_agrees(phone)


@pytest.mark.feature("billing.pay")
def test_when_the_his_takes_none_of_it_all_goes_back_and_the_patient_is_told(
        control: Control, phone: Phone, patient: dict[str, Any], ordered: Ordered, wechat_order: Any,
        money_agrees: Any) -> None:
    made = ordered(patient, "PRESCRIPTION", "TREATMENT")
    order = phone.order(patient["id"], phone.bills(patient["id"]))["id"]
    payment = phone.open_order(order)
    for one in made:
        control("POST", f"/his/bills/{one['bill_no']}/cancel", force=True)
    phone.thumb(payment)
    finish(control)
    assert set(charge_states(phone, order).values()) == {"REJECTED"}
    assert wechat_order(order)["refunded_fen"] == sum(one["total_fen"] for one in made)
    assert phone.payments()[0]["state_text"] == "已全额退款"
    [message] = phone.inbox(FAILED)
    assert message["lines"][-1] == "原因: 缴费未成功，费用将原路退回"
    assert phone.inbox(PAID) == []
    money_agrees(phone)


def test_money_of_another_amount_goes_back_as_a_whole(
        control: Control, guest: Phone, ill: dict[str, Any], ordered: Ordered, wechat_order: Any, bill_in_his: Any,
        sql: Ask) -> None:
    made = ordered(ill, "PRESCRIPTION", "TREATMENT")
    order = guest.order(ill["id"], guest.bills(ill["id"]))["id"]
    payment = guest.open_order(order)
    paid = wechat_order(order)["total_fen"]
    sql("UPDATE payments SET amount_fen = amount_fen - 1 WHERE subject_id = %s", (order,))
    sql("UPDATE charge_orders SET total_fen = total_fen - 1 WHERE id = %s", (order,))
    guest.thumb(payment)
    finish(control)
    assert {one["reason"] for one in guest.charge_order(order)["charges"]} == {"AMOUNT_DIFFERS"}
    assert wechat_order(order)["refunded_fen"] == paid
    assert {bill_in_his(one["bill_no"])["state"] for one in made} == {"UNPAID"}


# -- not paid ---------------------------------------------------------------------------------------
@pytest.mark.feature("billing.pay")
@pytest.mark.parametrize("opened", [False, True])
def test_an_order_that_is_not_paid_in_time_lets_its_bills_go(
        control: Control, guest: Phone, ill: dict[str, Any], ordered: Ordered, bill_in_his: Any, opened: bool) -> None:
    [bill] = ordered(ill, "TREATMENT")
    order = guest.order(ill["id"], guest.bills(ill["id"]))["id"]
    payment = guest.open_order(order) if opened else None
    control.advance(15 * 60)
    assert guest.charge_order(order)["can_pay"] is False
    assert refused(lambda: guest.open_order(order)) == (409, "order_expired")
    control.work()
    shown = guest.charge_order(order)
    assert (shown["state"], shown["state_text"], shown["charges"][0]["state"]) == ("RELEASED", "已取消", "RELEASED")
    assert refused(lambda: guest.open_order(order)) == (409, "order_expired")
    assert bill_in_his(bill["bill_no"])["locked_by_trade"] is None
    if payment is not None:
        with pytest.raises(Refused, match="closed"):
            guest.thumb(payment)
        assert guest.payments()[0]["state_text"] == "已关闭"
    control("POST", f"/his/bills/{bill['bill_no']}/pay-at-desk")


@pytest.mark.parametrize("opened", [False, True])
def test_an_order_given_up_lets_its_bills_go(
        control: Control, guest: Phone, ill: dict[str, Any], ordered: Ordered, bill_in_his: Any, opened: bool,
        money_agrees: Any) -> None:
    [bill] = ordered(ill, "TREATMENT")
    order = guest.order(ill["id"], guest.bills(ill["id"]))["id"]
    payment = guest.open_order(order) if opened else None
    for _ in range(2):
        guest.call("POST", f"billing/orders/{order}/cancellation")
        control.settle()
        assert guest.charge_order(order)["state"] == "RELEASED"
    assert bill_in_his(bill["bill_no"])["locked_by_trade"] is None
    if payment is not None:
        with pytest.raises(Refused, match="closed"):
            guest.thumb(payment)
    assert refused(lambda: guest.open_order(order)) == (409, "order_expired")
    guest.pay_bills(ill["id"], guest.bills(ill["id"]))
    control.settle()
    assert bill_in_his(bill["bill_no"])["state"] == "PAID"
    money_agrees(guest)


def test_who_gives_up_while_paying_keeps_what_was_paid_for(
        control: Control, guest: Phone, ill: dict[str, Any], ordered: Ordered, money_agrees: Any) -> None:
    [bill] = ordered(ill, "TREATMENT")
    order = guest.order(ill["id"], guest.bills(ill["id"]))["id"]
    guest.thumb(guest.open_order(order), notify=False)
    guest.call("POST", f"billing/orders/{order}/cancellation")
    control.settle()
    control.work()
    assert charge_states(guest, order) == {bill["bill_no"]: "SETTLED"}
    money_agrees(guest)


@pytest.mark.feature("billing.pay")
def test_money_that_comes_after_the_end_goes_back_as_a_whole(
        control: Control, phone: Phone, patient: dict[str, Any], ordered: Ordered, wechat_order: Any, charge: Any,
        money_agrees: Any) -> None:
    first, second = ordered(patient, "PRESCRIPTION", "TREATMENT")
    order = phone.order(patient["id"], phone.bills(patient["id"]))["id"]
    phone.open_order(order)
    control.advance(15 * 60)
    control.work()
    other = phone.pay_bills(patient["id"], phone.bills(patient["id"])[:1])  # one of them is paid anew
    control.settle()
    control("POST", f"/wechatpay/orders/{wechat_order(order)['out_trade_no']}/force-pay", copies=3)
    finish(control)
    late = phone.charge_order(order)
    assert (late["state"], {(one["state"], one["reason"]) for one in late["charges"]}) == (
        "DONE", {("REJECTED", "PAID_TOO_LATE")})
    assert wechat_order(order)["refunded_fen"] == first["total_fen"] + second["total_fen"]
    assert charge_states(phone, other) == {first["bill_no"]: "SETTLED"}
    assert charge(first["bill_no"])["transaction_id"] == wechat_order(other)["transaction_id"]
    assert [one["bill_no"] for one in phone.bills(patient["id"])] == [second["bill_no"]]
    assert (len(phone.inbox(FAILED)), len(phone.inbox(PAID))) == (1, 1)
    money_agrees(phone)
