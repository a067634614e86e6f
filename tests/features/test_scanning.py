"""Scanning the code on a prescription (处方单扫码): it opens that bill; a forged or foreign one opens nothing."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest

from sandbox.people import person
from sandbox.phone import Control, Phone, Refused

Ordered = Callable[..., list[dict[str, Any]]]
INVALID = (422, "code_invalid", "该二维码不是本院处方码，或已损坏，请核对后重新扫描。")


@pytest.fixture
def bill(ill: dict[str, Any], ordered: Ordered) -> dict[str, Any]:
    """A prescription of the patient's, as the HIS has it."""
    return ordered(ill, "PRESCRIPTION")[0]


@pytest.fixture
def code(control: Control) -> Callable[..., str]:
    """``code(bill, expires_minutes=5)``: the text of the code that the hospital prints for a bill."""
    return lambda bill, **how: str(control("POST", f"/his/bills/{bill['bill_no']}/qr", **how)["token"])


def refusal(phone: Phone, text: str) -> tuple[int, str | None, str]:
    with pytest.raises(Refused) as refused:
        phone.scan(text)
    return refused.value.status, refused.value.code, refused.value.error["message"]


def payload(text: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text.split(".")[1] + "=="))
    return content


def written(content: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content, separators=(",", ":")).encode()).decode().rstrip("=")


@pytest.mark.feature("billing.scan")
def test_a_scanned_prescription_opens_its_bill_and_is_paid(
        control: Control, guest: Phone, ill: dict[str, Any], bill: dict[str, Any], code: Any, bill_in_his: Any,
        money_agrees: Callable[[Phone], None]) -> None:
    scanned = guest.scan(code(bill))
    assert scanned["patient_id"] == ill["id"]
    assert (scanned["bill"]["bill_no"], scanned["bill"]["total_fen"]) == (bill["bill_no"], bill["total_fen"])
    assert [one["name"] for one in scanned["bill"]["items"]] == [one["name"] for one in bill["items"]]
    guest.pay_bills(scanned["patient_id"], [scanned["bill"]])
    control.settle()
    assert bill_in_his(bill["bill_no"])["state"] == "PAID"
    assert refusal(guest, code(bill)) == (409, "bill_paid", "该处方费用已缴清，无需重复支付。")
    money_agrees(guest)


@pytest.mark.feature("billing.scan")
def test_a_relatives_prescription_is_opened_once_they_are_bound(control: Control, guest: Phone, ordered: Ordered,
                                                                code: Any) -> None:
    grandma, other = person(age=70), Phone(control).sign_in()
    [bill] = ordered(other.add_patient(grandma), "PRESCRIPTION")
    text = code(bill)
    assert refusal(guest, text) == (404, "code_of_another", "该处方不属于您绑定的就诊人，请先添加就诊人或核对处方。")
    bound = guest.add_patient(grandma, relation="PARENT")
    assert guest.scan(text)["patient_id"] == bound["id"]
    guest.call("DELETE", f"account/patients/{bound['id']}")
    assert refusal(guest, text)[1] == "code_of_another"


@pytest.mark.feature("billing.scan")
def test_a_changed_or_shortened_code_is_refused(control: Control, guest: Phone, ill: dict[str, Any], code: Any,
                                                bill: dict[str, Any], ordered: Ordered) -> None:
    text = code(bill)
    head, body, mac = text.split(".")
    other = ordered(ill, "TREATMENT")[0]["bill_no"]
    swapped = "A" if mac[0] != "A" else "B"
    for forged in (
            f"{head}.{written({**payload(text), 'b': other})}.{mac}",
            f"{head}.{written({**payload(text), 'e': payload(text)['e'] + 86400})}.{mac}",
            f"{head}.{body}.{mac[:-1]}", f"{head}.{body}.{mac[:11]}", f"{head}.{body}.", f"{head}.{body}",
            f"{head}.{body}.{swapped}{mac[1:]}", f"{head}.{body}.{mac}A", f"{head}.{body}=.{mac}",
            f"HQ2.{body}.{mac}", f"hq1.{body}.{mac}", f"{text}.{mac}"):
        assert refusal(guest, forged) == INVALID, forged


@pytest.mark.feature("billing.scan")
@pytest.mark.parametrize("key", ["", "0", "test-only", "hospital/his-qr-key"])
def test_a_code_of_another_key_is_refused(guest: Phone, code: Any, bill: dict[str, Any], key: str) -> None:
    head = code(bill).rpartition(".")[0]
    mac = hmac.new(key.encode(), head.encode(), hashlib.sha256).digest()[:16]
    assert refusal(guest, f"{head}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}") == INVALID


@pytest.mark.parametrize("text", [
    "x", "HQ1", "HQ1..", "https://example.org/B20261123000001", "6901234567892", "张三", "😀", "\x00", "' OR 1=1 --",
    "HQ1." + "A" * 400 + "." + "A" * 22, "HQ1." + "A" * 507, "null", "{}"])
def test_what_is_no_code_of_the_hospitals_is_refused(guest: Phone, text: str) -> None:
    assert refusal(guest, text) == INVALID


@pytest.mark.parametrize("body", [{"code": ""}, {"code": "x" * 513}, {"code": 1}, {}])
def test_what_is_no_text_is_refused(guest: Phone, body: dict[str, Any]) -> None:
    answer = guest.raw("POST", "billing/scans", body)
    assert (answer.status_code, answer.json()["error"]["fields"]) == (422, ["code"])


@pytest.mark.feature("billing.scan")
def test_an_expired_code_opens_nothing_and_the_bill_stays_on_the_list(
        control: Control, guest: Phone, ill: dict[str, Any], bill: dict[str, Any], code: Any) -> None:
    text = code(bill, expires_minutes=5)
    assert guest.scan(text)["bill"]["bill_no"] == bill["bill_no"]
    control.advance(5 * 60 + 1)
    assert refusal(guest, text) == (409, "code_expired", "该二维码已过期，请在待缴费用中查看，或到窗口办理。")
    assert refusal(Phone(control).sign_in(), text)[1] == "code_expired"
    assert [one["bill_no"] for one in guest.bills(ill["id"])] == [bill["bill_no"]]


def test_the_code_of_a_bill_that_was_taken_back_opens_nothing(control: Control, guest: Phone, bill: dict[str, Any],
                                                              code: Any) -> None:
    control("POST", f"/his/bills/{bill['bill_no']}/cancel")
    assert refusal(guest, code(bill)) == (409, "bill_cancelled", "该处方费用已作废，请咨询开单医生。")


def test_the_code_of_a_bill_that_was_paid_at_the_desk_opens_nothing(control: Control, guest: Phone,
                                                                    bill: dict[str, Any], code: Any) -> None:
    control("POST", f"/his/bills/{bill['bill_no']}/pay-at-desk")
    assert refusal(guest, code(bill))[1] == "bill_paid"


def test_a_changed_bill_is_shown_as_it_is_now(control: Control, guest: Phone, bill: dict[str, Any], code: Any) -> None:
    text = code(bill)
    control("POST", f"/his/bills/{bill['bill_no']}/change", amount_fen=777)
    assert (guest.scan(text)["bill"]["total_fen"], guest.scan(text)["bill"]["version"]) == (777, 2)


def test_without_consent_a_code_opens_nothing(guest: Phone, ill: dict[str, Any], bill: dict[str, Any], code: Any
                                              ) -> None:
    text = code(bill)
    guest.call("POST", "account/consents/withdrawal", {"patient_id": ill["id"], "purpose": "HEALTH_DATA"})
    assert refusal(guest, text)[1] == "consent_required"


def test_while_the_his_is_silent_a_code_opens_nothing(control: Control, guest: Phone, bill: dict[str, Any], code: Any
                                                      ) -> None:
    text = code(bill)
    control.fault("his", "get_bill", "cut_before")
    assert refusal(guest, text)[:2] == (503, "his_unavailable")
    assert guest.scan(text)["bill"]["bill_no"] == bill["bill_no"]


def test_the_printed_picture_holds_the_token(control: Control, bill: dict[str, Any]) -> None:
    printed = control("POST", f"/his/bills/{bill['bill_no']}/qr")
    assert base64.b64decode(printed["png_base64"]).startswith(b"\x89PNG\r\n\x1a\n")
    assert printed["token"].startswith("HQ1.")
    assert len(printed["token"]) < 512
