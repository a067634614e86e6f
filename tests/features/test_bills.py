"""Bills to be paid (待缴费用): live from the HIS, item by item; the last known ones, marked so, while it is silent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.people import person
from sandbox.phone import Control, Phone, Refused

Ordered = Callable[..., list[dict[str, Any]]]
KINDS = {"PRESCRIPTION": "处方", "EXAMINATION": "检查", "LABORATORY": "检验", "TREATMENT": "治疗"}


def shown(phone: Phone, patient: dict[str, Any]) -> dict[str, Any]:
    """The list with what it says of itself."""
    answer: dict[str, Any] = phone.call("GET", "billing/bills", params={"patient_id": patient["id"]})
    return answer


def silent(control: Control) -> None:
    """The HIS answers nothing about bills any more."""
    for operation in ("list_bills", "get_bill"):
        control.fault("his", operation, "cut_before", times=-1)


def refusal(phone: Phone, path: str, patient_id: str) -> tuple[int, str | None]:
    with pytest.raises(Refused) as refused:
        phone.call("GET", path, params={"patient_id": patient_id})
    return refused.value.status, refused.value.code


# -- the list ---------------------------------------------------------------------------------------
@pytest.mark.feature("billing.list")
def test_a_patient_sees_every_bill_of_the_visit_that_is_to_be_paid(
        control: Control, phone: Phone, patient: dict[str, Any], seen: Any) -> None:
    assert shown(phone, patient)["bills"] == []
    trade = seen(phone, patient)
    made = [control("POST", "/his/bills", trade_no=trade, kind=kind) for kind in KINDS]
    control.settle()
    answer = shown(phone, patient)
    assert answer["live"] is True
    for bill, his in zip(answer["bills"], made, strict=True):
        assert {name: bill[name] for name in ("bill_no", "kind", "department_name", "doctor_name", "version",
                                              "total_fen")} == {
            name: his[name] for name in ("bill_no", "kind", "department_name", "doctor_name", "version", "total_fen")}
        assert bill["kind_text"] == KINDS[his["kind"]]
        assert bill["item_count"] == len(his["items"])
        assert bill["total_fen"] == sum(one["amount_fen"] for one in his["items"])
        assert (bill["order_id"], bill["being_paid"]) == (None, False)
    assert len(phone.inbox("待缴费提醒")) == 4


@pytest.mark.feature("billing.list")
def test_what_the_doctor_changes_or_takes_back_shows_at_once(control: Control, guest: Phone, ill: dict[str, Any],
                                                             ordered: Ordered) -> None:
    changed, gone, paid = ordered(ill, "TREATMENT", "EXAMINATION", "LABORATORY", count=2)
    control("PUT", "/his/events-mode", drop=True)  # nothing of it is pushed
    control("POST", f"/his/bills/{changed['bill_no']}/change", amount_fen=1234)
    control("POST", f"/his/bills/{gone['bill_no']}/cancel")
    control("POST", f"/his/bills/{paid['bill_no']}/pay-at-desk")
    [left] = guest.bills(ill["id"])
    assert (left["bill_no"], left["version"], left["total_fen"]) == (changed["bill_no"], 2, 1234)
    assert guest.bill(ill["id"], gone["bill_no"])["state_text"] == "已作废"
    assert guest.bill(ill["id"], paid["bill_no"])["state_text"] == "已缴费"


def test_a_bill_past_its_last_day_is_to_be_paid_no_more(control: Control, guest: Phone, ill: dict[str, Any],
                                                        ordered: Ordered) -> None:
    ordered(ill, "PRESCRIPTION")  # good for three days
    control.advance(3 * 24 * 3600 + 1)
    guest.sign_in()
    assert guest.bills(ill["id"]) == []


def test_each_family_member_has_bills_of_their_own(guest: Phone, ill: dict[str, Any], ordered: Ordered) -> None:
    mother = guest.add_patient(person(age=60), relation="PARENT")
    [mine], [hers] = ordered(ill, "PRESCRIPTION"), ordered(mother, "TREATMENT")
    assert [one["bill_no"] for one in guest.bills(ill["id"])] == [mine["bill_no"]]
    assert [one["bill_no"] for one in guest.bills(mother["id"])] == [hers["bill_no"]]
    path = f"billing/bills/{hers['bill_no']}"
    assert guest.call("GET", path, params={"patient_id": mother["id"]})["bill"]["bill_no"] == hers["bill_no"]
    assert refusal(guest, path, ill["id"]) == (404, "bill_not_found")


def test_without_consent_there_are_no_bills(guest: Phone, ill: dict[str, Any], ordered: Ordered) -> None:
    [bill] = ordered(ill, "PRESCRIPTION")
    guest.call("POST", "account/consents/withdrawal", {"patient_id": ill["id"], "purpose": "HEALTH_DATA"})
    for path in ("billing/bills", f"billing/bills/{bill['bill_no']}"):
        assert refusal(guest, path, ill["id"])[1] == "consent_required"


def test_who_is_no_longer_bound_has_no_bills_here(guest: Phone, ill: dict[str, Any], ordered: Ordered) -> None:
    ordered(ill, "PRESCRIPTION")
    guest.call("DELETE", f"account/patients/{ill['id']}")
    assert refusal(guest, "billing/bills", ill["id"]) == (404, "patient_not_found")


def test_a_bill_that_a_relative_is_paying_says_so_and_not_by_which_order(
        control: Control, guest: Phone, ordered: Ordered) -> None:
    someone, other = person(), Phone(control).sign_in()
    mine, theirs = guest.add_patient(someone), other.add_patient(someone)
    [bill] = ordered(mine, "LABORATORY")
    order = other.order(theirs["id"], other.bills(theirs["id"]))["id"]
    assert [(one["order_id"], one["being_paid"]) for one in other.bills(theirs["id"])] == [(order, True)]
    assert [(one["order_id"], one["being_paid"]) for one in guest.bills(mine["id"])] == [(None, True)]
    one = guest.bill(mine["id"], bill["bill_no"])
    assert (one["order_id"], one["being_paid"]) == (None, True)


# -- the detail -------------------------------------------------------------------------------------
@pytest.mark.feature("billing.detail")
def test_each_bill_opens_into_its_items(guest: Phone, ill: dict[str, Any], ordered: Ordered) -> None:
    for his in ordered(ill, *KINDS, count=3):
        bill = guest.bill(ill["id"], his["bill_no"])
        assert (bill["state"], bill["state_text"], len(bill["items"])) == ("UNPAID", "待缴费", 3)
        for item, theirs in zip(bill["items"], his["items"], strict=True):
            assert {**theirs, **item} == {**theirs, **item, **{name: theirs[name] for name in item if name in theirs}}
            assert item["amount_fen"] == item["quantity"] * item["unit_price_fen"]
            assert item["executing_department_name"]
            assert item["executing_place"]
        assert bill["total_fen"] == sum(one["amount_fen"] for one in bill["items"])


@pytest.mark.feature("billing.detail")
@pytest.mark.parametrize(("code", "text"), [("A", "甲类"), ("B", "乙类"), ("C", "丙类（自费）")])
def test_an_item_says_how_insurance_classes_it(guest: Phone, ill: dict[str, Any], ordered: Ordered, code: str,
                                               text: str) -> None:
    [his] = ordered(ill, "TREATMENT", items=[{
        "name": "静脉输液", "unit_price_fen": 1450, "quantity": 3, "specification": "含一次性输液器", "unit": "组",
        "insurance_class": code}])
    [item] = guest.bill(ill["id"], his["bill_no"])["items"]
    assert (item["name"], item["specification"], item["quantity"], item["unit"], item["unit_price_fen"],
            item["amount_fen"]) == ("静脉输液", "含一次性输液器", 3, "组", 1450, 4350)
    assert (item["insurance_class"], item["insurance_text"]) == (code, text)


@pytest.mark.parametrize("number", ["B20261123999999", "x" * 64, "x" * 65, "a.b", "张三", "%2e%2e%2f", "%00", "a%2Fb"])
def test_a_bill_that_does_not_exist_is_not_found(guest: Phone, ill: dict[str, Any], number: str) -> None:
    assert refusal(guest, f"billing/bills/{number}", ill["id"])[0] == 404


# -- while the HIS is silent ------------------------------------------------------------------------
@pytest.mark.feature("billing.list")
def test_while_the_his_is_silent_the_last_known_bills_are_shown_as_such(
        control: Control, guest: Phone, ill: dict[str, Any], ordered: Ordered, sql: Any) -> None:
    changed, gone, paid = ordered(ill, "EXAMINATION", "TREATMENT", "LABORATORY", count=2)
    read_at = control("GET", "/clock")["now"]
    control.advance(60)
    control("POST", f"/his/bills/{changed['bill_no']}/change", amount_fen=4321)
    control("POST", f"/his/bills/{gone['bill_no']}/cancel")
    control("POST", f"/his/bills/{paid['bill_no']}/pay-at-desk")
    control.settle()
    [untouched] = ordered(ill, "TREATMENT")
    control.advance(60)
    silent(control)
    answer = shown(guest, ill)
    assert answer["live"] is False
    assert read_at[:16] < answer["as_of"][:16] < control("GET", "/clock")["now"][:16]
    assert [(one["bill_no"], one["version"], one["total_fen"]) for one in answer["bills"]] == [
        (changed["bill_no"], 2, 4321), (untouched["bill_no"], 1, untouched["total_fen"])]
    detail = guest.call("GET", f"billing/bills/{changed['bill_no']}", params={"patient_id": ill["id"]})
    assert (detail["live"], detail["bill"]["total_fen"], len(detail["bill"]["items"])) == (
        False, 4321, detail["bill"]["item_count"])
    kept = sql("SELECT bill_enc FROM known_bills WHERE bill_no = %s", (changed["bill_no"],))[0][0]
    assert detail["bill"]["items"][0]["name"].encode() not in kept


def test_with_nothing_known_a_silent_his_is_said_to_be_silent(control: Control, guest: Phone, ill: dict[str, Any]
                                                              ) -> None:
    silent(control)
    assert refusal(guest, "billing/bills", ill["id"]) == (503, "his_unavailable")
    assert refusal(guest, "billing/bills/B1", ill["id"]) == (503, "his_unavailable")


def test_the_last_known_bills_are_the_patients_own_too(control: Control, guest: Phone, ill: dict[str, Any],
                                                       ordered: Ordered) -> None:
    mother = guest.add_patient(person(age=60), relation="PARENT")
    [hers] = ordered(mother, "PRESCRIPTION")
    silent(control)
    assert refusal(guest, "billing/bills", ill["id"]) == (503, "his_unavailable")
    assert refusal(guest, f"billing/bills/{hers['bill_no']}", ill["id"]) == (503, "his_unavailable")


def test_a_bill_that_was_paid_here_is_not_among_the_last_known(
        control: Control, guest: Phone, ill: dict[str, Any], ordered: Ordered) -> None:
    paid, left = ordered(ill, "LABORATORY", "TREATMENT")
    guest.pay_bills(ill["id"], [one for one in guest.bills(ill["id"]) if one["bill_no"] == paid["bill_no"]])
    control.settle()
    silent(control)
    assert [one["bill_no"] for one in shown(guest, ill)["bills"]] == [left["bill_no"]]
    assert refusal(guest, f"billing/bills/{paid['bill_no']}", ill["id"]) == (503, "his_unavailable")


def test_from_the_last_known_bills_nothing_is_paid(control: Control, guest: Phone, ill: dict[str, Any],
                                                   ordered: Ordered) -> None:
    ordered(ill, "PRESCRIPTION")
    silent(control)
    with pytest.raises(Refused) as refused:
        guest.order(ill["id"], shown(guest, ill)["bills"])
    assert (refused.value.status, refused.value.code) == (503, "his_unavailable")
    assert guest.payments() == []
