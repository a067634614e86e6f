"""Paying bills: one or several in one WeChat payment, settled in the HIS one by one, or the money goes back."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hospital.billing import jobs, service
from hospital.database import outbox
from hospital.gateways import wechatpay
from hospital.gateways.his import wire

from sandbox.people import person
from sandbox.phone import Control, Phone, Refused
from tests.conftest import ROOT
from tests.features.conftest import charge_states, refused

Ordered = Callable[..., list[dict[str, Any]]]
Ask = Callable[..., list[tuple[Any, ...]]]
PAID = "缴费成功通知"
BEING_PAID = (409, "bill_being_paid")


# -- the straight way -------------------------------------------------------------------------------
@pytest.mark.feature("billing.pay")
def test_several_bills_are_paid_in_one_payment_and_settled_in_the_his_one_by_one(
        control: Control, phone: Phone, patient: dict[str, Any], ordered: Ordered, charge: Any, bill_in_his: Any,
        wechat_order: Any, money_agrees: Callable[[Phone], None]) -> None:
    made = ordered(patient, "PRESCRIPTION", "LABORATORY", "EXAMINATION", "TREATMENT")
    total = sum(one["total_fen"] for one in made)
    order = phone.order(patient["id"], phone.bills(patient["id"]))
    assert (order["state"], order["total_fen"]) == ("OPEN", total)
    shown = phone.charge_order(order["id"])
    assert (shown["state_text"], shown["can_pay"], shown["patient_id"]) == ("待支付", True, patient["id"])
    assert {one["order_id"] for one in phone.bills(patient["id"])} == {order["id"]}
    payment = phone.open_order(order["id"])
    assert {bill_in_his(one["bill_no"])["locked_by_trade"] is None for one in made} == {False}
    phone.thumb(payment)
    control.settle()
    paid = wechat_order(order["id"])
    assert (paid["state"], paid["total_fen"], paid["refunded_fen"]) == ("SUCCESS", total, 0)
    assert paid["out_trade_no"].startswith("P")
    for bill in made:
        theirs = charge(bill["bill_no"])
        assert (theirs["state"], theirs["paid_fen"], theirs["transaction_id"]) == (
            "SETTLED", bill["total_fen"], paid["transaction_id"])
        assert (bill_in_his(bill["bill_no"])["state"], bill_in_his(bill["bill_no"])["paid_by"]) == ("PAID", "WECHAT")
    done = phone.charge_order(order["id"])
    assert (done["state"], done["state_text"], done["can_pay"]) == ("DONE", "已完成", False)
    for one in done["charges"]:
        theirs = charge(one["bill_no"])
        assert (one["state"], one["state_text"], one["refunded_fen"]) == ("SETTLED", "已缴费", 0)
        assert (one["settlement_no"], one["pharmacy_window"]) == (theirs["settlement_no"],
                                                                  theirs["pharmacy_window"] or "")
    assert phone.bills(patient["id"]) == []
    money_agrees(phone)


@pytest.mark.feature("billing.pay")
def test_one_of_several_bills_is_paid_and_the_others_wait(control: Control, phone: Phone, patient: dict[str, Any],
                                                          ordered: Ordered, money_agrees: Any) -> None:
    first, second = ordered(patient, "PRESCRIPTION", "TREATMENT")
    order = phone.pay_bills(patient["id"], phone.bills(patient["id"])[:1])
    control.settle()
    assert charge_states(phone, order) == {first["bill_no"]: "SETTLED"}
    [left] = phone.bills(patient["id"])
    assert (left["bill_no"], left["being_paid"]) == (second["bill_no"], False)
    control.settle()
    control.advance(60)
    control.work()
    [message] = phone.inbox(PAID)
    window = phone.charge_order(order)["charges"][0]["pharmacy_window"]
    assert message["lines"][-1] == f"备注: 请到{window}取药"
    money_agrees(phone)


def test_a_bill_paid_is_told_once_however_often_wechat_says_it(
        control: Control, phone: Phone, patient: dict[str, Any], ordered: Ordered, wechat_order: Any,
        money_agrees: Any) -> None:
    ordered(patient, "LABORATORY", "TREATMENT")
    order = phone.pay_bills(patient["id"], phone.bills(patient["id"]))
    control.settle()
    control("POST", "/wechatpay/notices/replay", out_trade_no=wechat_order(order)["out_trade_no"], copies=4)
    control.advance(120)
    control.work()
    [message] = phone.inbox(PAID)
    yuan = wechat_order(order)["total_fen"]
    assert message["lines"][1] == f"缴费金额: ¥{yuan // 100}.{yuan % 100:02d}"
    assert message["lines"][-1] == "备注: 2笔已缴清"
    money_agrees(phone)


def test_drugs_at_two_windows_are_told_without_cutting_a_window_s_name(
        control: Control, phone: Phone, patient: dict[str, Any], ordered: Ordered) -> None:
    ordered(patient, "PRESCRIPTION", "PRESCRIPTION", items=[{"code": "Y0001"}])
    order = phone.pay_bills(patient["id"], phone.bills(patient["id"]))
    control.settle()
    windows = {one["pharmacy_window"] for one in phone.charge_order(order)["charges"]}
    assert len(windows) == 2
    assert phone.inbox(PAID)[0]["lines"][-1] == "备注: 请到多个窗口取药，详见缴费记录"


def test_a_payment_may_be_opened_again_until_it_is_paid_and_not_after(
        control: Control, guest: Phone, ill: dict[str, Any], ordered: Ordered, charge: Any) -> None:
    [bill] = ordered(ill, "TREATMENT")
    order = guest.order(ill["id"], guest.bills(ill["id"]))["id"]
    guest.open_order(order)
    control.advance(60)
    again = guest.open_order(order)
    assert charge(bill["bill_no"])["state"] == "LOCKED"
    guest.thumb(again)
    control.settle()
    assert refused(lambda: guest.open_order(order)) == (409, "not_payable")
    assert refused(lambda: guest.call("POST", f"billing/orders/{order}/cancellation")) == (409, "not_payable")
    assert charge_states(guest, order) == {bill["bill_no"]: "SETTLED"}


def test_a_payment_whose_notice_is_lost_is_found_by_asking(control: Control, guest: Phone, ill: dict[str, Any],
                                                           ordered: Ordered) -> None:
    ordered(ill, "TREATMENT")
    order = guest.order(ill["id"], guest.bills(ill["id"]))["id"]
    guest.thumb(guest.open_order(order), notify=False)
    control.settle()
    assert guest.charge_order(order)["state"] == "AWAITING_PAYMENT"
    control.advance(31)
    control.work()
    assert guest.charge_order(order)["state"] == "DONE"


# -- what is ordered is what was seen ---------------------------------------------------------------
@pytest.mark.parametrize(("what", "code"), [
    ("change", "bill_changed"), ("cancel", "bill_cancelled"), ("pay-at-desk", "bill_paid")])
def test_a_bill_that_is_another_than_it_was_shown_is_not_ordered(
        control: Control, guest: Phone, ill: dict[str, Any], ordered: Ordered, what: str, code: str) -> None:
    bill, other = ordered(ill, "PRESCRIPTION", "TREATMENT")
    seen = guest.bills(ill["id"])
    control("POST", f"/his/bills/{bill['bill_no']}/{what}", **({"amount_fen": 100} if what == "change" else {}))
    assert refused(lambda: guest.order(ill["id"], seen)) == (409, code)
    assert guest.payments() == []
    still = guest.bills(ill["id"])
    assert other["bill_no"] in [one["bill_no"] for one in still if not one["being_paid"]]
    assert guest.order(ill["id"], still)["total_fen"] == sum(one["total_fen"] for one in still)


@pytest.mark.parametrize("changes", [{"version": 2}, {"total_fen": 1}, {"total_fen": 0}])
def test_another_version_or_total_than_the_bills_is_refused(guest: Phone, ill: dict[str, Any], ordered: Ordered,
                                                            changes: dict[str, int]) -> None:
    ordered(ill, "PRESCRIPTION")
    [bill] = guest.bills(ill["id"])
    assert refused(lambda: guest.order(ill["id"], [{**bill, **changes}])) == (409, "bill_changed")


def test_the_same_bill_twice_is_refused(guest: Phone, ill: dict[str, Any], ordered: Ordered) -> None:
    ordered(ill, "PRESCRIPTION")
    assert refused(lambda: guest.order(ill["id"], guest.bills(ill["id"]) * 2)) == (422, "bill_twice")


def test_more_bills_than_the_hospital_takes_at_once_are_refused(
        guest: Phone, ill: dict[str, Any], ordered: Ordered, policy: Callable[..., None]) -> None:
    policy(bills_per_payment=2)
    ordered(ill, "PRESCRIPTION", "TREATMENT", "LABORATORY", count=1)
    bills = guest.bills(ill["id"])
    with pytest.raises(Refused) as refusal:
        guest.order(ill["id"], bills)
    assert (refusal.value.status, refusal.value.code) == (422, "too_many_bills")
    assert "最多支付2笔" in refusal.value.error["message"]
    assert guest.order(ill["id"], bills[:2])["total_fen"] == sum(one["total_fen"] for one in bills[:2])


def test_another_patients_bill_cannot_be_ordered_and_is_not_told_from_none(
        control: Control, guest: Phone, ill: dict[str, Any], ordered: Ordered) -> None:
    other = Phone(control).sign_in()
    theirs = other.add_patient(person())
    ordered(theirs, "PRESCRIPTION")
    [bill] = other.bills(theirs["id"])
    assert refused(lambda: guest.order(ill["id"], [bill])) == (409, "bill_gone")
    assert refused(lambda: guest.order(ill["id"], [{**bill, "bill_no": "B20261123999999"}])) == (409, "bill_gone")
    assert refused(lambda: guest.order(theirs["id"], [bill])) == (404, "patient_not_found")


def test_bills_of_two_patients_are_two_payments(guest: Phone, ill: dict[str, Any], ordered: Ordered) -> None:
    mother = guest.add_patient(person(age=60), relation="PARENT")
    ordered(ill, "PRESCRIPTION")
    ordered(mother, "TREATMENT")
    assert refused(lambda: guest.order(ill["id"], guest.bills(ill["id"]) + guest.bills(mother["id"]))) == (
        409, "bill_gone")
    assert guest.order(mother["id"], guest.bills(mother["id"]))["state"] == "OPEN"


def test_without_consent_nothing_is_ordered(guest: Phone, ill: dict[str, Any], ordered: Ordered) -> None:
    ordered(ill, "PRESCRIPTION")
    bills = guest.bills(ill["id"])
    guest.call("POST", "account/consents/withdrawal", {"patient_id": ill["id"], "purpose": "HEALTH_DATA"})
    assert refused(lambda: guest.order(ill["id"], bills))[1] == "consent_required"


# -- once -------------------------------------------------------------------------------------------
def test_a_repeated_order_is_given_the_first_answer(control: Control, guest: Phone, ill: dict[str, Any],
                                                    ordered: Ordered) -> None:
    ordered(ill, "PRESCRIPTION", "TREATMENT")
    bills, key = guest.bills(ill["id"]), secrets.token_hex(16)
    first = guest.order(ill["id"], bills, key)
    assert guest.order(ill["id"], bills, key) == first
    guest.thumb(guest.open_order(first["id"]))
    control.settle()
    assert guest.order(ill["id"], bills, key) == first
    assert refused(lambda: guest.order(ill["id"], bills[:1], key)) == (422, "idempotency_key_reused")
    assert len(guest.payments()) == 1


def test_an_order_without_a_key_is_refused(guest: Phone, ill: dict[str, Any], ordered: Ordered) -> None:
    ordered(ill, "PRESCRIPTION")
    chosen = [{name: one[name] for name in ("bill_no", "version", "total_fen")} for one in guest.bills(ill["id"])]
    assert refused(lambda: guest.call("POST", "billing/orders", {"patient_id": ill["id"], "bills": chosen})) == (
        400, "idempotency_key_required")


def test_of_two_phones_one_pays(control: Control, guest: Phone, ordered: Ordered, money_agrees: Any) -> None:
    someone, other = person(), Phone(control).sign_in()
    mine, theirs = guest.add_patient(someone), other.add_patient(someone)
    ordered(mine, "PRESCRIPTION", "TREATMENT")
    bills = guest.bills(mine["id"])
    order = guest.order(mine["id"], bills[:1])["id"]
    assert refused(lambda: other.order(theirs["id"], bills)) == BEING_PAID
    assert refused(lambda: guest.order(mine["id"], bills)) == BEING_PAID
    guest.thumb(guest.open_order(order))
    control.settle()
    assert refused(lambda: other.order(theirs["id"], bills)) == (409, "bill_paid")
    other.pay_bills(theirs["id"], bills[1:])
    control.settle()
    assert guest.bills(mine["id"]) == []
    for one in (guest, other):
        money_agrees(one)


# -- between order and payment ----------------------------------------------------------------------
@pytest.mark.feature("billing.pay")
@pytest.mark.parametrize(("what", "code"), [
    ("change", "bill_changed"), ("cancel", "bill_cancelled"), ("pay-at-desk", "bill_paid")])
def test_what_happens_to_a_bill_before_it_is_locked_ends_the_order_and_nothing_is_taken(
        control: Control, guest: Phone, ill: dict[str, Any], ordered: Ordered, bill_in_his: Any, what: str, code: str,
        money_agrees: Any) -> None:
    first, second = ordered(ill, "PRESCRIPTION", "TREATMENT")
    order = guest.order(ill["id"], guest.bills(ill["id"]))["id"]
    control("POST", f"/his/bills/{second['bill_no']}/{what}", **({"amount_fen": 100} if what == "change" else {}))
    assert refused(lambda: guest.open_order(order)) == (409, code)
    assert refused(lambda: guest.open_order(order)) == (409, code)  # and says so again
    control.settle()
    assert guest.charge_order(order)["state"] == "RELEASED"
    assert set(charge_states(guest, order).values()) == {"RELEASED"}
    assert bill_in_his(first["bill_no"])["locked_by_trade"] is None
    assert guest.payments() == []
    left = guest.bills(ill["id"])
    assert [one["order_id"] for one in left] == [None] * len(left)
    guest.pay_bills(ill["id"], left)
    control.settle()
    assert guest.bills(ill["id"]) == []
    money_agrees(guest)


def test_a_bill_that_another_holds_in_the_his_is_said_to_be_paid_elsewhere(
        control: Control, guest: Phone, ill: dict[str, Any], ordered: Ordered, sql: Ask) -> None:
    someone, other = person(), Phone(control).sign_in()
    mine, theirs = guest.add_patient(someone), other.add_patient(someone)
    ordered(mine, "PRESCRIPTION")
    held = other.order(theirs["id"], other.bills(theirs["id"]))["id"]
    other.open_order(held)
    sql("UPDATE charges SET state = 'RELEASED' WHERE order_id = %s", (held,))  # as if our books knew nothing of it
    order = guest.order(mine["id"], guest.bills(mine["id"]))["id"]
    assert refused(lambda: guest.open_order(order)) == BEING_PAID
    sql("DELETE FROM outbox WHERE subject_id = %s", (held,))


def test_while_the_his_is_silent_an_order_waits_and_locks_once(
        control: Control, guest: Phone, ill: dict[str, Any], ordered: Ordered, charge: Any) -> None:
    first, second = ordered(ill, "PRESCRIPTION", "TREATMENT")
    order = guest.order(ill["id"], guest.bills(ill["id"]))["id"]
    control.fault("his", "lock_charge", "cut_after", after=1)
    assert refused(lambda: guest.open_order(order)) == (503, "his_unavailable")
    assert guest.charge_order(order)["state"] == "OPEN"
    guest.thumb(guest.open_order(order))
    control.settle()
    assert {charge(one["bill_no"])["state"] for one in (first, second)} == {"SETTLED"}


# -- a slow HIS -------------------------------------------------------------------------------------
def test_ten_bills_are_locked_side_by_side_so_that_a_slow_his_does_not_outlast_the_function(
        control: Control, guest: Phone, ill: dict[str, Any], ordered: Ordered, charge: Any) -> None:
    made = ordered(ill, *["LABORATORY"] * 10, count=1)
    order = guest.order(ill["id"], guest.bills(ill["id"]))
    control.fault("his", "lock_charge", "delay", times=10, seconds=3)
    began = time.monotonic()
    guest.open_order(order["id"])  # one after the other they take thirty seconds: the function's end
    assert time.monotonic() - began < 28
    assert {charge(one["bill_no"])["state"] for one in made} == {"LOCKED"}
    assert guest.charge_order(order["id"])["state"] == "AWAITING_PAYMENT"


def test_when_the_his_is_too_slow_the_patient_is_told_in_time_and_the_same_request_goes_on_from_there(
        control: Control, guest: Phone, ill: dict[str, Any], ordered: Ordered, sql: Ask, charge: Any) -> None:
    made = ordered(ill, *["LABORATORY"] * 10, count=1)
    order = guest.order(ill["id"], guest.bills(ill["id"]))
    control.fault("his", "lock_charge", "delay", times=2, seconds=7)  # later than we listen
    assert refused(lambda: guest.open_order(order["id"])) == (503, "his_unavailable")
    assert guest.charge_order(order["id"])["state"] == "OPEN"
    assert sql("SELECT COUNT(*) FROM payments WHERE subject_id = %s", (order["id"],)) == [(0,)]
    guest.open_order(order["id"])
    assert guest.charge_order(order["id"])["state"] == "AWAITING_PAYMENT"
    assert {charge(one["bill_no"])["state"] for one in made} == {"LOCKED"}


def test_locks_that_were_given_up_are_all_undone(control: Control, guest: Phone, ill: dict[str, Any],
                                                 ordered: Ordered, bill_in_his: Any, charge: Any) -> None:
    made = ordered(ill, *["LABORATORY"] * 10, count=1)
    order = guest.order(ill["id"], guest.bills(ill["id"]))
    control.fault("his", "lock_charge", "cut_after", times=3, after=4)
    assert refused(lambda: guest.open_order(order["id"])) == (503, "his_unavailable")
    guest.call("POST", f"billing/orders/{order['id']}/cancellation")
    control.settle()
    assert {bill_in_his(one["bill_no"])["locked_by_trade"] for one in made} == {None}
    assert {charge(one["bill_no"])["state"] for one in made} == {"UNLOCKED"}


def test_the_step_of_opening_a_payment_fits_into_its_function_s_time() -> None:
    functions = yaml.safe_load((ROOT / "serverless.yml").read_text(encoding="utf-8"))["inputs"]
    limit = functions["functions"]["billing"].get("timeout", functions["timeout"])
    last_lock = service.LOCK_SECONDS + wire.CONNECT_SECONDS + wire.READ_SECONDS
    assert last_lock + sum(wechatpay.TIMEOUT) < limit - 3
    worker = functions["functions"]["worker"]["timeout"]
    last_unlock = jobs.UNLOCK_SECONDS + wire.CONNECT_SECONDS + wire.READ_SECONDS
    assert 60 + 3 * sum(wechatpay.TIMEOUT) + last_unlock < worker  # begun when work_off is about to stop
    assert 3 * sum(wechatpay.TIMEOUT) + last_unlock < outbox.LEASE.total_seconds()
