"""Receipts and my payments (我的缴费): what was paid, for what, what came back, page by page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.people import person
from sandbox.phone import Control, Phone, Refused
from tests.opened import account_of

Ordered = Callable[..., list[dict[str, Any]]]
Ask = Callable[..., list[tuple[Any, ...]]]
PAID = "缴费成功通知"


def yuan(fen: int) -> str:
    return f"¥{fen // 100}.{fen % 100:02d}"


@pytest.mark.feature("billing.receipt")
def test_after_payment_a_receipt_with_every_item_exists_and_the_patient_is_told_once(
        control: Control, phone: Phone, patient: dict[str, Any], ordered: Ordered, charge: Any,
        money_agrees: Callable[[Phone], None]) -> None:
    made = ordered(patient, "PRESCRIPTION", "LABORATORY", count=2)
    order = phone.pay_bills(patient["id"], phone.bills(patient["id"]))
    control.settle()
    [payment] = phone.payments()
    total = sum(one["total_fen"] for one in made)
    assert (payment["kind"], payment["kind_text"], payment["state"], payment["state_text"]) == (
        "outpatient", "门诊缴费", "PAID", "已支付")
    assert (payment["amount_fen"], payment["paid_fen"], payment["refunded_fen"], payment["subject_id"]) == (
        total, total, 0, order)
    assert [(one["name"], one["amount_fen"]) for one in payment["items"]] == [
        (item["name"], item["amount_fen"]) for bill in made for item in bill["items"]]
    receipt = phone.receipt(payment["id"])
    assert {name: receipt[name] for name in payment} == payment
    assert receipt["transaction_id"] == charge(made[0]["bill_no"])["transaction_id"]
    assert receipt["patient_name"] == patient["name"]
    settled = {one["trade_no"]: one for one in receipt["settlements"]}
    for bill in made:
        theirs = charge(bill["bill_no"])
        mine = settled[theirs["trade_no"]]
        assert (mine["amount_fen"], mine["refunded_fen"], mine["department_name"]) == (
            bill["total_fen"], 0, bill["department_name"])
        for item, his in zip(mine["items"], bill["items"], strict=True):
            assert {name: his[name] for name in item if name in his} == {
                name: value for name, value in item.items() if name in his}
    assert sorted(one["amount_fen"] for one in receipt["invoices"]) == sorted(one["total_fen"] for one in made)
    control.advance(120)
    control.work()
    [message] = phone.inbox(PAID)
    assert message["lines"][1] == f"缴费金额: {yuan(total)}"
    assert message["lines"][2].startswith("缴费时间: 2026年11月23日 07:3")
    money_agrees(phone)


@pytest.mark.feature("billing.receipt")
@pytest.mark.feature("me.payments")
def test_a_refund_shows_in_the_list_and_on_the_receipt(
        control: Control, phone: Phone, patient: dict[str, Any], ordered: Ordered,
        money_agrees: Callable[[Phone], None]) -> None:
    first, second = ordered(patient, "EXAMINATION", "TREATMENT")
    order = phone.pay_bills(patient["id"], phone.bills(patient["id"]))
    control.settle()
    charges = {one["bill_no"]: one["id"] for one in phone.charge_order(order)["charges"]}
    phone.refund_charge(charges[first["bill_no"]])
    control.settle()
    [payment] = phone.payments()
    [refund] = payment["refunds"]
    assert (payment["state_text"], refund["state"], refund["state_text"], refund["amount_fen"], refund["succeeded_at"]
            ) == ("退款中", "PROCESSING", "退款处理中", first["total_fen"], None)
    control.advance(20)
    control.work()
    [payment] = phone.payments()
    assert (payment["state_text"], payment["refunded_fen"]) == ("已部分退款", first["total_fen"])
    [refund] = payment["refunds"]
    assert (refund["state_text"], refund["reason"]) == ("退款已到账", "门诊退费")
    assert refund["requested_at"] < refund["succeeded_at"]
    receipt = phone.receipt(payment["id"])
    assert sorted((one["amount_fen"], one["refunded_fen"]) for one in receipt["settlements"]) == sorted(
        [(first["total_fen"], first["total_fen"]), (second["total_fen"], 0)])
    control.advance(70)  # WeChat takes the parts of one order's refund a minute apart
    phone.refund_charge(charges[second["bill_no"]])
    control.settle()
    control.advance(20)
    control.work()
    assert phone.payments()[0]["state_text"] == "已全额退款"
    money_agrees(phone)


@pytest.mark.feature("me.payments")
def test_registrations_and_bills_stand_in_one_list_newest_first_with_their_states(
        control: Control, phone: Phone, patient: dict[str, Any], new_session: Any, visit: Any, ordered: Ordered
        ) -> None:
    session = new_session()
    cancelled, kept = visit(phone, patient, session), visit(phone, phone.add_patient(person()), session)
    phone.call("POST", f"booking/bookings/{cancelled}/cancellation")
    control.settle()
    control.advance(20)
    control.work()
    ordered(patient, "TREATMENT")
    waiting = phone.order(patient["id"], phone.bills(patient["id"]))["id"]
    phone.open_order(waiting)
    shown = phone.payments()
    assert [(one["subject_id"], one["kind_text"], one["state_text"]) for one in shown] == [
        (waiting, "门诊缴费", "待支付"), (kept, "挂号费", "已支付"), (cancelled, "挂号费", "已全额退款")]
    assert [one["paid_fen"] - one["refunded_fen"] for one in shown] == [0, 2500, 0]
    receipt = phone.receipt(shown[1]["id"])
    assert [(one["name"], one["amount_fen"]) for one in receipt["settlements"][0]["items"]] == [("门诊挂号费", 2500)]
    assert [one["amount_fen"] for one in receipt["invoices"]] == [2500]
    phone.call("POST", f"billing/orders/{waiting}/cancellation")
    control.settle()
    assert phone.payments()[0]["state_text"] == "已关闭"
    assert phone.receipt(shown[0]["id"])["settlements"] == []


@pytest.mark.feature("me.payments")
@pytest.mark.parametrize("count", [19, 20, 21, 45])
def test_a_long_list_is_turned_page_by_page_and_nothing_is_left_out_or_shown_twice(
        control: Control, guest: Phone, sql: Ask, count: int) -> None:
    account = account_of(control, sql, guest.openid)
    ids = [f"{account[:20]}{number:06d}" for number in range(count)]
    for one in ids:
        sql("INSERT INTO payments (id, kind, subject_id, account_id, openid, out_trade_no, description, amount_fen, "
            "state, expires_at, created_at) VALUES (%s, 'registration', %s, %s, %s, %s, '挂号费', 100, 'CLOSED', "
            "NOW(), NOW())", (one, one, account, guest.openid, f"R{one}"))
    found: list[str] = []
    before = ""
    for _ in range(count // 20 + 2):
        page = guest.call("GET", "billing/payments", params={"before": before} if before else None)
        assert len(page["payments"]) <= 20
        found += [one["id"] for one in page["payments"]]
        before = page["next"]
        if before is None:
            break
    assert before is None
    assert found == ids[::-1]
    sql("DELETE FROM payments WHERE account_id = %s", (account,))


def test_who_has_paid_nothing_has_an_empty_list(guest: Phone) -> None:
    assert guest.call("GET", "billing/payments") == {"payments": [], "next": None}
    assert guest.call("GET", "invoice/invoices") == {"invoices": [], "next": None}


def test_when_the_patient_is_no_longer_bound_the_payment_stays_and_its_receipt_is_closed(
        control: Control, guest: Phone, ill: dict[str, Any], ordered: Ordered) -> None:
    [bill] = ordered(ill, "TREATMENT")
    guest.pay_bills(ill["id"], guest.bills(ill["id"]))
    control.settle()
    guest.call("DELETE", f"account/patients/{ill['id']}")
    [payment] = guest.payments()
    assert (payment["paid_fen"], [one["name"] for one in payment["items"]]) == (bill["total_fen"], ["门诊缴费"])
    with pytest.raises(Refused) as refusal:
        guest.receipt(payment["id"])
    assert refusal.value.code == "patient_not_found"
    with pytest.raises(Refused):
        guest.bills(ill["id"])


def test_the_names_of_items_are_sealed_in_the_database(control: Control, guest: Phone, ill: dict[str, Any],
                                                       ordered: Ordered, sql: Ask) -> None:
    [bill] = ordered(ill, "TREATMENT")
    order = guest.pay_bills(ill["id"], guest.bills(ill["id"]))
    control.settle()
    kept = [value for row in sql("SELECT * FROM charges c JOIN settlements s ON s.subject_id = c.id JOIN invoices i ON "
                                 "i.settlement_id = s.id WHERE c.order_id = %s", (order,)) for value in row]
    assert kept
    for item in bill["items"]:
        assert not [one for one in kept if isinstance(one, bytes) and item["name"].encode() in one]
        assert item["name"] not in str(kept)
