"""Bills as hospitals really write them: decimals, kinds of their own, one row that can't be read, long numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.people import person
from sandbox.phone import Control, Phone
from tests.faults.outpatient import Care

Ordered = Callable[..., list[dict[str, Any]]]
Ask = Callable[..., list[tuple[Any, ...]]]
LONG = "B" + "0123456789abcdef" * 3 + "2026112300001-Z"  # 64 characters


@pytest.fixture
def told(control: Control) -> Callable[..., None]:
    """``told("list_bills", **{"bills.0.kind": "MATERIAL"})``: what the HIS says in its next answers to this call."""
    def change(operation: str, times: int = 1, headers: dict[str, str] | None = None, **changes: Any) -> None:
        control.fault("his", operation, "override", times=times, set=changes, headers=headers or {})
    return change


def odd(control: Control, source: str, number: str = "") -> list[dict[str, Any]]:
    """Open tasks about odd rows of a list, or about the row of this number."""
    return [one for one in control.tasks(kind=f"list.odd-row.{source}")
            if not number or one["detail"].startswith(f"{source} {number}")]


@pytest.fixture(autouse=True)
def nothing_before(control: Control) -> None:
    """What other tests left on the list is closed."""
    for source in ("bill", "desk-refund"):
        for one in odd(control, source):
            control.operate("task.close", task_id=one["id"], note="before the test")


# -- decimals ---------------------------------------------------------------------------------------
DECIMALS = {"items.0.quantity": 0.5, "items.0.unit_price_fen": 12.5, "items.0.amount_fen": 6}


def test_a_quantity_and_a_price_may_have_decimals_and_the_amount_decides(
        guest: Phone, ill: dict[str, Any], ordered: Ordered, told: Callable[..., None]) -> None:
    [bill] = ordered(ill, "TREATMENT", items=[{"name": "膏方", "unit_price_fen": 6}])
    told("get_bill", **DECIMALS)
    told("list_bills", **{f"bills.0.{path}": value for path, value in DECIMALS.items()})
    [shown] = guest.bills(ill["id"])
    assert (shown["bill_no"], shown["total_fen"]) == (bill["bill_no"], 6)
    [item] = guest.bill(ill["id"], bill["bill_no"])["items"]
    assert (item["quantity"], item["unit_price_fen"], item["amount_fen"]) == (0.5, 12.5, 6)


@pytest.mark.parametrize(("quantity", "shown"), [("0.5", 0.5), (3, 3), ("2.0000", 2), (0.33333333, 0.3333), (0, 0)])
def test_a_quantity_is_read_in_every_form_and_shown_in_one(
        guest: Phone, ill: dict[str, Any], ordered: Ordered, told: Callable[..., None], quantity: Any, shown: float
        ) -> None:
    [bill] = ordered(ill, "TREATMENT", items=[{"name": "膏方", "unit_price_fen": 600}])
    told("get_bill", **{"items.0.quantity": quantity})
    [item] = guest.bill(ill["id"], bill["bill_no"])["items"]
    assert item["quantity"] == shown
    assert isinstance(item["quantity"], type(shown))


def test_a_bill_with_decimals_is_paid_settled_shown_and_has_its_e_bill(
        control: Control, guest: Phone, ill: dict[str, Any], ordered: Ordered, told: Callable[..., None],
        money_agrees: Callable[[Phone], None]) -> None:
    [bill] = ordered(ill, "TREATMENT", items=[
        {"name": "膏方", "unit_price_fen": 600}, {"name": "煎药", "unit_price_fen": 50}])
    changed = {"bills.0.items.0.quantity": 0.5, "bills.0.items.0.unit_price_fen": 1200,
               "bills.0.items.1.quantity": 4, "bills.0.items.1.unit_price_fen": 12.5}
    told("list_bills", times=2, **changed)
    order = guest.order(ill["id"], guest.bills(ill["id"]))
    guest.thumb(guest.open_order(order["id"]))
    control.settle()
    [charge] = guest.charge_order(order["id"])["charges"]
    assert (charge["state"], charge["bill_no"]) == ("SETTLED", bill["bill_no"])
    items = [(one["quantity"], one["unit_price_fen"], one["amount_fen"]) for one in charge["items"]]
    assert items == [(0.5, 1200, 600), (4, 12.5, 50)]
    [receipt] = [guest.receipt(one["id"]) for one in guest.payments()]
    assert [(one["quantity"], one["amount_fen"]) for one in receipt["settlements"][0]["items"]] == [(0.5, 600), (4, 50)]
    [invoice] = guest.invoices()
    assert (invoice["state"], invoice["amount_fen"]) == ("ISSUED", 650)
    money_agrees(guest)


# -- kinds and rows ---------------------------------------------------------------------------------
def test_a_kind_that_nobody_has_heard_of_is_shown_as_other_and_can_be_paid(
        control: Control, guest: Phone, ill: dict[str, Any], ordered: Ordered, told: Callable[..., None]) -> None:
    ordered(ill, "TREATMENT")
    told("list_bills", times=2, **{"bills.0.kind": "MATERIAL"})
    [shown] = guest.bills(ill["id"])
    assert (shown["kind"], shown["kind_text"]) == ("MATERIAL", "其他")
    order = guest.order(ill["id"], [shown])
    guest.thumb(guest.open_order(order["id"]))
    control.settle()
    [charge] = guest.charge_order(order["id"])["charges"]
    assert (charge["state"], charge["kind_text"]) == ("SETTLED", "其他")
    assert [one["state"] for one in guest.invoices()] == ["ISSUED"]


@pytest.mark.parametrize(("path", "value"), [
    ("items.0.quantity", "half"), ("items.0.quantity", -1), ("items.0.quantity", "NaN"), ("items.0.amount_fen", 6.5),
    ("total_fen", None), ("created_at", 636768000), ("pay_before", "2026-11-27"), ("state", "FROZEN"),
    ("pay_before", "0001-01-01T00:00:00+08:00"), ("items", None), ("version", "two"), ("bill_no", "费用1"),
    ("total_fen", "26.00"), ("total_fen", 10**30), ("version", "1"), ("items.0.amount_fen", -5)])
def test_a_bill_that_cannot_be_read_is_left_out_with_a_task_and_the_others_are_shown(
        control: Control, guest: Phone, ill: dict[str, Any], ordered: Ordered, told: Callable[..., None], sql: Ask,
        path: str, value: Any) -> None:
    bad, good = ordered(ill, "TREATMENT", "EXAMINATION")
    told("list_bills", times=2, **{f"bills.0.{path}": value})
    for _ in range(2):
        answer = guest.call("GET", "billing/bills", params={"patient_id": ill["id"]})
        assert [one["bill_no"] for one in answer["bills"]] == [good["bill_no"]]
        assert (answer["live"], answer["left_out"]) == (True, 1)
    [task] = odd(control, "bill", bad["bill_no"] if path != "bill_no" else "费用1")
    assert (task["times"], task["ends_with"]) == (2, ["task.close"])
    assert task["detail"].endswith(f": unreadable: {path}")
    order = guest.order(ill["id"], guest.bills(ill["id"])[1:])
    assert order["state"] == "OPEN"
    assert len(guest.bills(ill["id"])) == 2
    assert odd(control, "bill") == [], "it could be read"


def test_a_patient_s_bills_say_nothing_of_another_s_odd_one_and_too_many_are_one_task(
        control: Control, guest: Phone, ill: dict[str, Any], ordered: Ordered, told: Callable[..., None]) -> None:
    ordered(ill, *["TREATMENT"] * 12)
    told("list_bills", **{"bills.0.version": "two"})
    guest.bills(ill["id"])
    [one] = odd(control, "bill")
    other = guest.add_patient(person(), relation="CHILD")
    ordered(other, "TREATMENT")
    assert len(guest.bills(other["id"])) == 1
    assert [task["id"] for task in odd(control, "bill")] == [one["id"]]
    told("list_bills", **{f"bills.{place}.version": "two" for place in range(12)})
    assert guest.bills(ill["id"]) == []
    told("list_bills", **{"bills.0.version": "two"})
    guest.bills(other["id"])
    assert len(odd(control, "bill")) <= 3
    assert "12 rows" in " ".join(task["detail"] for task in odd(control, "bill"))


def test_what_is_only_shown_may_be_missing(guest: Phone, ill: dict[str, Any], ordered: Ordered,
                                           told: Callable[..., None]) -> None:
    ordered(ill, "TREATMENT")
    told("list_bills", **{"bills.0.doctor_name": None, "bills.0.items.0.unit": None, "bills.0.items.0.code": None,
                          "bills.0.created_at": "2026-11-23T07:00:00"})
    [shown] = guest.bills(ill["id"])
    assert shown["doctor_name"] == ""
    assert shown["created_at"] == "2026-11-23T07:00:00+08:00"


def test_a_desk_refund_that_cannot_be_read_is_a_task_and_the_others_are_found(
        care: Care, told: Callable[..., None]) -> None:
    charges = [care.one_paid(2500), care.one_paid(1400)]
    care.control("PUT", "/his/events-mode", drop=True)
    begun = [care.desk_refund(charges[1])["refund_no"], care.desk_refund({"id": care.sql(
        "SELECT id FROM charges WHERE bill_no = %s", (charges[0]["bill_no"],))[0][0]})["refund_no"]]
    told("list_desk_refunds", **{f"desk_refunds.refund_no={begun[0]}.amount_fen": "all"})
    care.fire_stuck()
    [task] = odd(care.control, "desk-refund", begun[0])
    assert (task["detail"], task["ends_with"]) == (
        f"desk-refund {begun[0]}: unreadable: amount_fen", ["task.close"])
    known = {row[0] for row in care.sql("SELECT refund_no FROM desk_refunds")}
    assert begun[1] in known
    assert begun[0] not in known
    care.fire_stuck()
    assert odd(care.control, "desk-refund") == [], "it could be read"
    assert begun[0] in {row[0] for row in care.sql("SELECT refund_no FROM desk_refunds")}


# -- numbers and signatures ---------------------------------------------------------------------------
def test_a_bill_number_of_64_characters_is_told_like_any_other(
        control: Control, phone: Phone, patient: dict[str, Any], ordered: Ordered, told: Callable[..., None], sql: Ask
        ) -> None:
    control("PUT", "/his/events-mode", hold=True)
    ordered(patient, "TREATMENT")
    told("get_bill", bill_no=LONG)
    control("PUT", "/his/events-mode", hold=False)
    control.settle()
    [message] = phone.inbox("待缴费提醒")
    assert message["lines"][3] == "备注: 请及时缴费"
    assert sql("SELECT state FROM known_bills WHERE bill_no = %s", (LONG,)) == [("UNPAID",)]
    assert sql("SELECT LENGTH(message_key) FROM messages WHERE message_key LIKE %s", (f"bill_created.{LONG[:40]}%",)
               ) == [(96,)]


@pytest.mark.parametrize("signature", ["é" * 64, "签名", ""])
def test_an_answer_with_a_signature_that_is_no_text_of_ours_is_none(
        guest: Phone, ill: dict[str, Any], ordered: Ordered, told: Callable[..., None], signature: str) -> None:
    [bill] = ordered(ill, "TREATMENT")
    told("list_bills", headers={"X-His-Signature": signature})
    told("get_bill", headers={"X-His-Signature": signature, "X-His-Timestamp": "\u00b2\u00b2"})
    assert guest.raw("GET", "billing/bills", params={"patient_id": ill["id"]}).status_code in (200, 503)
    answer = guest.raw("GET", f"billing/bills/{bill['bill_no']}", params={"patient_id": ill["id"]})
    assert answer.status_code in (200, 503)
    assert guest.bills(ill["id"])[0]["bill_no"] == bill["bill_no"]
