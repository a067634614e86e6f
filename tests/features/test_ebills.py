"""Fiscal e-bills (电子票据): one for each settlement, kept in COS, reversed and re-issued after refunds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import pymupdf
import pytest
import requests

from sandbox.phone import Control, Phone
from tests.faults.outpatient import Care

HOUR = 3600


def link(care: Care, invoice: dict[str, Any]) -> str:
    """The address of an e-bill's PDF, good for minutes."""
    return str(care.phone.call("POST", f"invoice/invoices/{invoice['id']}/link")["url"])


def opened(address: str) -> requests.Response:
    """What whoever has an address gets."""
    return requests.get(address, timeout=30)


def at_platform(care: Care) -> list[tuple[int, bool]]:
    """The account's bills there, in the order of issue: amount in fen, whether it is reversed; no red ones."""
    ours = {f"MP{row[0]}" for row in care.sql("SELECT id FROM invoices WHERE account_id = %s", (care.account_id,))}
    return [(one["total_fen"], one["red"] is not None) for one in care.control("GET", "/ebill/bills")["bills"]
            if one["busNo"] in ours and one["reverses"] is None]


def pause(care: Care, hours: int) -> None:
    """The platform is down, and hours pass."""
    care.control("POST", "/ebill/pause", paused=True)
    for _ in range(hours * 2):
        care.control.work()
        care.control.advance(HOUR / 2)


def back(care: Care) -> None:
    """It works again, and what has waited goes on."""
    care.control("POST", "/ebill/pause", paused=False)
    care.work()


# -- issued, shown, fetched -------------------------------------------------------------------------
@pytest.mark.feature("billing.ebill")
@pytest.mark.feature("ebill.screen")
def test_a_paid_bill_has_an_e_bill_that_can_be_opened_and_sent_on(care: Care) -> None:
    care.one_paid(12000, 3050)
    [invoice] = care.phone.invoices()
    assert (invoice["state"], invoice["state_text"], invoice["amount_fen"]) == ("ISSUED", "已开具", 15050)
    assert (invoice["has_file"], invoice["red_number"], invoice["jump"]) == (True, "", None)
    assert care.phone.call("GET", f"invoice/invoices/{invoice['id']}") == invoice
    receipt = care.phone.receipt(care.phone.payments()[0]["id"])
    assert receipt["invoices"] == [invoice]
    with pymupdf.open(stream=care.phone.invoice_file(invoice["id"])) as paper:
        text = "".join(page.get_text() for page in paper)
    assert [word in text for word in ("150.50", invoice["batch_code"], invoice["number"], invoice["check_code"])] == (
        [True] * 4)
    care.check("DONE")


@pytest.mark.feature("billing.ebill")
def test_a_registration_fee_has_an_e_bill_too(control: Control, phone: Phone, patient: dict[str, Any],
                                              new_session: Callable[..., Any], visit: Any, sql: Any) -> None:
    booking = visit(phone, patient, new_session())
    [invoice] = phone.invoices()
    assert (invoice["state"], invoice["amount_fen"], invoice["has_file"]) == ("ISSUED", 2500, True)
    [settlement] = sql("SELECT id FROM settlements WHERE kind = 'registration' AND subject_id = %s", (booking,))
    assert sql("SELECT id FROM invoices WHERE settlement_id = %s", settlement) == [(invoice["id"],)]
    [issued] = [one for one in control("GET", "/ebill/bills")["bills"] if one["busNo"] == f"MP{invoice['id']}"]
    assert (issued["busType"], issued["billNo"]) == ("01", invoice["number"])
    phone.call("POST", f"booking/bookings/{booking}/cancellation")
    control.settle()
    control.advance(20)
    control.work()
    assert [one["state"] for one in phone.invoices()] == ["WRITTEN_OFF"]


def test_several_bills_paid_together_have_an_e_bill_each(care: Care) -> None:
    care.paid(care.bill(4000), care.bill(1100, kind="LABORATORY"))
    assert sorted((one["state"], one["amount_fen"]) for one in care.phone.invoices()) == [
        ("ISSUED", 1100), ("ISSUED", 4000)]
    care.check("DONE")


@pytest.mark.feature("ebill.screen")
def test_the_way_to_the_provinces_mini_program_is_the_hospitals_setting(care: Care, policy: Callable[..., None]
                                                                         ) -> None:
    policy(ebill_app_id="wx1234567890abcdef", ebill_path="pages/bill?code={batch_code}&no={number}&check={check_code}")
    care.one_paid()
    [invoice] = care.phone.invoices()
    assert invoice["jump"] == {"app_id": "wx1234567890abcdef", "path": (
        f"pages/bill?code={invoice['batch_code']}&no={invoice['number']}&check={invoice['check_code']}")}


def test_a_pdf_is_private_and_encrypted_at_rest(care: Care) -> None:
    care.one_paid()
    [invoice] = care.phone.invoices()
    address = link(care, invoice)
    answer = opened(address)
    assert (answer.status_code, answer.content[:5]) == (200, b"%PDF-")
    assert answer.headers["x-cos-server-side-encryption"] == "AES256"
    assert f"{invoice['batch_code']}-{invoice['number']}.pdf" in unquote(answer.headers["Content-Disposition"])
    plain = address.partition("?")[0]
    assert opened(plain).status_code == 403
    assert opened(address.replace("q-signature=", "q-signature=0")).status_code == 403


def test_a_link_ends_after_minutes_and_a_new_one_works(care: Care) -> None:
    care.one_paid()
    [invoice] = care.phone.invoices()
    address = link(care, invoice)
    care.control.advance(9 * 60)
    assert opened(address).status_code == 200
    care.control.advance(2 * 60)
    assert opened(address).status_code == 403
    assert opened(link(care, invoice)).status_code == 200


def test_another_accounts_e_bill_is_not_found(care: Care, guest: Phone) -> None:
    care.one_paid()
    [invoice] = care.phone.invoices()
    assert guest.invoices() == []
    for method, path in (("GET", ""), ("POST", "/link")):
        answer = guest.raw(method, f"invoice/invoices/{invoice['id']}{path}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "invoice_not_found")


def test_e_bills_come_in_pages_newest_first(care: Care) -> None:
    care.one_paid()
    [newest] = care.phone.invoices()
    ids = [f"00000000000000000000000{number:03d}" for number in range(21)]
    for one in ids:
        care.sql("INSERT INTO invoices (id, settlement_id, account_id, amount_fen, state, document_enc, bus_at, "
                 "number, created_at, changed_at) SELECT %s, settlement_id, account_id, amount_fen, 'WRITTEN_OFF', "
                 "document_enc, bus_at, number, created_at, changed_at FROM invoices WHERE id = %s",
                 (one, newest["id"]))
    try:
        first = care.phone.call("GET", "invoice/invoices")
        second = care.phone.call("GET", "invoice/invoices", params={"before": first["next"]})
    finally:
        care.sql("DELETE FROM invoices WHERE id LIKE %s", ("0000000000%",))
    assert [one["id"] for one in first["invoices"]] == [newest["id"], *ids[:1:-1]]
    assert ([one["id"] for one in second["invoices"]], second["next"]) == (ids[1::-1], None)


# -- the platform is down ---------------------------------------------------------------------------
def test_a_platform_that_is_down_for_hours_loses_nothing(care: Care) -> None:
    care.control("POST", "/ebill/pause", paused=True)
    charge = care.one_paid()
    [invoice] = care.phone.invoices()
    assert (invoice["state"], invoice["state_text"], invoice["number"], invoice["has_file"]) == (
        "ORDERED", "开具中", "", False)
    answer = care.phone.raw("POST", f"invoice/invoices/{invoice['id']}/link")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "file_not_ready")
    assert len(care.phone.inbox("缴费成功通知")) == 1, "the payment does not wait for it"
    care.work(until=lambda: bool(care.tasks()))
    assert [kind for kind, _ in care.tasks()] == ["invoice.issue.hangs"]
    back(care)
    care.check("DONE")
    assert care.tasks() == []
    assert at_platform(care) == [(2500, False)]
    assert care.charge(charge)["state"] == "SETTLED"


def test_what_is_refunded_while_the_platform_is_down_is_never_issued(care: Care) -> None:
    care.control("POST", "/ebill/pause", paused=True)
    charge = care.one_paid()
    care.refund(charge)
    pause(care, 3)
    assert care.charge(charge)["state"] == "CANCELLED"
    assert care.order()["refunded_fen"] == 2500, "the money does not wait for the platform"
    back(care)
    care.check("DONE")
    assert care.invoices() == [("VOID", 2500)]
    assert at_platform(care) == []
    assert care.phone.invoices() == []


def test_a_part_refunded_while_the_platform_is_down_is_not_on_the_bill(care: Care) -> None:
    care.control("POST", "/ebill/pause", paused=True)
    charge = care.one_paid(9000, 1000)
    care.desk_refund(charge, item_nos=[2])
    pause(care, 3)
    back(care)
    care.check("DONE")
    assert care.invoices() == [("VOID", 10000), ("ISSUED", 9000)]
    assert at_platform(care) == [(9000, False)]


def test_a_bill_refunded_while_its_answer_is_lost_is_reversed(care: Care) -> None:
    care.control.fault("ebill", "invoice_outpatient", "cut_after")
    charge = care.one_paid()
    care.refund(charge)
    care.work()
    care.check("DONE")
    assert care.invoices() == [("WRITTEN_OFF", 2500)]
    assert at_platform(care) == [(2500, True)]


def test_a_platform_that_is_down_when_a_bill_is_to_be_reversed_reverses_it_later(care: Care) -> None:
    charge = care.one_paid()
    care.control("POST", "/ebill/pause", paused=True)
    care.refund(charge)
    pause(care, 3)
    assert [one["state_text"] for one in care.phone.invoices()] == ["冲红中"]
    back(care)
    care.check("DONE")
    assert care.invoices() == [("WRITTEN_OFF", 2500)]


# -- answers that are lost --------------------------------------------------------------------------
@pytest.mark.parametrize("fault", ["cut_after", "garbage"])
def test_a_bill_whose_answer_is_lost_is_asked_for_and_issued_once(care: Care, fault: str) -> None:
    params = {"effect": True} if fault == "garbage" else {}
    care.control.fault("ebill", "invoice_outpatient", fault, **params)
    care.one_paid()
    care.work()
    care.check("DONE")
    assert (care.invoices(), at_platform(care)) == ([("ISSUED", 2500)], [(2500, False)])


def test_a_reversal_whose_answer_is_lost_is_asked_for_and_done_once(care: Care) -> None:
    charge = care.one_paid()
    care.control.fault("ebill", "write_off", "cut_after")
    care.refund(charge)
    care.work()
    care.check("DONE")
    assert (care.invoices(), at_platform(care)) == ([("WRITTEN_OFF", 2500)], [(2500, True)])


def test_a_bill_that_the_counter_has_reversed_is_not_reversed_again(care: Care) -> None:
    charge = care.one_paid()
    [invoice] = care.phone.invoices()
    care.control("POST", f"/ebill/bills/{invoice['batch_code']}/{invoice['number']}/write-off")
    care.refund(charge)
    care.work()
    care.check("DONE")
    assert care.invoices() == [("WRITTEN_OFF", 2500)]


def test_a_bill_on_paper_that_is_to_be_reversed_is_the_desks(care: Care) -> None:
    charge = care.one_paid()
    [invoice] = care.phone.invoices()
    care.control("POST", f"/ebill/bills/{invoice['batch_code']}/{invoice['number']}/turn-paper")
    care.control.fault("ebill", "states", "error")  # so nobody knew of the paper when the refund was asked for
    care.refund(charge)
    care.work()
    [(kind, task)] = care.tasks()
    assert kind == "invoice.on-paper"
    assert care.invoices() == [("ON_PAPER", 2500)]
    assert [one["state_text"] for one in care.phone.invoices()] == ["已换开纸质票据"]
    assert care.order()["refunded_fen"] == 2500, "the money is back all the same"
    care.check("DONE")
    care.operate("task.close", task)
