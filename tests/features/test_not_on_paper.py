"""What the app itself has told somebody is no paper in their hand: it proves nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.people import person
from sandbox.phone import Control, Phone
from tests.features.conftest import refused
from tests.features.whose import prove
from tests.opened import code_of

Ask = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def made(thief: Phone) -> dict[str, Any]:
    """A record that the thief has made, by a name and a number."""
    return thief.add_patient(person())


def on_file(control: Control, sql: Ask, patient: dict[str, Any]) -> dict[str, Any]:
    code = code_of(control, sql, patient["id"])
    return dict(next(one for one in control("GET", "/his/patients")["patients"] if one["patient_code"] == code))


def test_the_number_of_a_bill_that_was_paid_here_proves_nothing_to_any_account(
        control: Control, owner: Phone, thief: Phone, made: dict[str, Any], sql: Ask) -> None:
    file = on_file(control, sql, made)
    control("POST", "/his/bills", patient_code=file["patient_code"], kind="PRESCRIPTION")
    control.settle()
    order = thief.pay_bills(made["id"], thief.bills(made["id"]))
    control.settle()
    [charge] = thief.charge_order(order)["charges"]
    assert charge["settlement_no"]
    other = owner.add_patient({"name": file["name"], "id_type": "ID_CARD", "id_number": file["id_number"]},
                              proven=False)
    for phone, mine in ((thief, made), (owner, other)):
        for number in (charge["settlement_no"], charge["settlement_no"].lower()):
            visit = {"card_number": file["card_number"], "number": number}
            assert refused(lambda phone=phone, mine=mine, visit=visit: prove(phone, mine, visit=visit)) == (
                403, "proof_refused")
    bill = control("POST", "/his/bills", patient_code=file["patient_code"], kind="TREATMENT")
    control("POST", f"/his/bills/{bill['bill_no']}/pay-at-desk")
    paper = next(one["settlement_no"] for one in control("GET", "/his/bills") if one["bill_no"] == bill["bill_no"])
    shown = prove(owner, other, visit={"card_number": file["card_number"], "number": paper})
    assert (shown["level"], shown["proof"]) == ("FULL", "VISIT")


def test_the_number_of_a_paid_bill_goes_with_all_else_that_is_withheld(
        control: Control, thief: Phone, made: dict[str, Any], sql: Ask) -> None:
    control("POST", "/his/bills", patient_code=code_of(control, sql, made["id"]), kind="PRESCRIPTION")
    control.settle()
    order = thief.pay_bills(made["id"], thief.bills(made["id"]))
    control.settle()
    assert thief.charge_order(order)["charges"][0]["settlement_no"]
    thief.call("DELETE", f"account/patients/{made['id']}")
    [charge] = thief.charge_order(order)["charges"]
    assert (charge["settlement_no"], charge["kind_text"], charge["state"]) == ("", "", "SETTLED")


def test_who_only_made_a_record_is_not_told_its_card_number_but_why_and_what_to_do(
        control: Control, thief: Phone, made: dict[str, Any], sql: Ask) -> None:
    at = f"account/patients/{made['id']}/reveal"
    card = on_file(control, sql, made)["card_number"]
    full = thief.call("POST", at, {"code": thief.phone_code()})
    assert (full["card_number"], "人工窗口" in full["card_note"]) == ("", True)
    assert card not in str(full)
    [one] = control.operate("bindings.show", patient_code=code_of(control, sql, made["id"]))["bindings"]
    control.operate("binding.vouch", binding_id=one["binding"], note="seen with ID card")
    full = thief.call("POST", at, {"code": thief.phone_code()})
    assert (full["card_number"], full["card_note"]) == (card, "")
