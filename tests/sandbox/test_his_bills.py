"""Bills in the HIS of the sandbox: what doctors order, how it changes, the code on a prescription."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections import deque
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from sandbox.clock import Clock
from sandbox.faults import Faults
from sandbox.his import His
from sandbox.his.model import BEIJING
from sandbox.his.qr import picture_of, token_of
from sandbox.system import World
from tests.sandbox.his_till import VISIT_DAY_8, Till, code

KINDS = ("PRESCRIPTION", "EXAMINATION", "LABORATORY", "TREATMENT")


@pytest.fixture
def till() -> Iterator[Till]:
    made = Till()
    yield made
    made.caller.session.close()


def test_a_bill_of_each_kind_is_the_sum_of_its_items(till: Till) -> None:
    bills = [till.bill(kind, count=count) for kind in KINDS for count in (1, 3, 40)]
    for bill in bills:
        assert bill["total_fen"] == sum(item["amount_fen"] for item in bill["items"]) > 0
        assert all(item["amount_fen"] == item["quantity"] * item["unit_price_fen"] for item in bill["items"])
        assert [item["item_no"] for item in bill["items"]] == list(range(1, len(bill["items"]) + 1))
    listed = till.caller.get(f"/patients/{till.patient}/bills", state="UNPAID")[1]["bills"]
    assert listed == bills
    assert {item["insurance_class"] for bill in bills for item in bill["items"]} == {"A", "B", "C"}


def test_a_visits_orders_are_those_of_its_doctor_and_patient(till: Till) -> None:
    session = till.session(minutes=10)
    till.registered("T00001", session, 0)
    assert till.order_of("bills", {"trade_no": "T00001", "kind": "LABORATORY"})[0] == 409
    till.clock.set(VISIT_DAY_8)
    till.check_in("T00001")
    bill = till.bill("LABORATORY", trade_no="T00001")
    assert (bill["visit_trade_no"], bill["doctor_code"], bill["department_code"], bill["patient_code"]) == (
        "T00001", session["doctor_code"], session["department_code"], till.patient_named(0))


def test_items_come_from_the_price_list_or_are_made_up(till: Till) -> None:
    bill = till.bill(department_code="1101", items=[
        {"code": "Y0001", "quantity": 2}, {"name": "自制合剂", "unit_price_fen": 1234, "insurance_class": "B"}])
    assert bill["department_code"] == "1101"
    assert bill["items"][0]["name"] == "阿莫西林胶囊"
    assert bill["total_fen"] == 2 * bill["items"][0]["unit_price_fen"] + 1234
    for wrong in ([], [{}], [{"code": "Y0001", "quantity": 0}], [{"name": "x"}], "Y0001",
                  [{"name": "x", "unit_price_fen": 0}]):
        status, answer = till.order_of("bills", {"patient_code": till.patient, "kind": KINDS[0], "items": wrong})
        assert status == 422
        assert answer["error"]


def test_wrong_orders_are_answered_with_an_error(till: Till) -> None:
    body = {"patient_code": till.patient, "kind": "EXAMINATION"}
    for change, status in (({"kind": "MIRACLE"}, 422), ({"patient_code": "P1"}, 404), ({"trade_no": "T00001"}, 422),
                           ({"count": 0}, 422), ({"doctor_code": "D9"}, 404), ({"department_code": "9"}, 404),
                           ({"count": 1, "items": [{"code": "J0001"}]}, 422), ({"x": 1}, 422)):
        assert till.order_of("bills", {**body, **change})[0] == status
    for action in ("change", "cancel", "pay-at-desk", "execute", "paper-invoice"):
        assert till.order_of(f"bills/B1/{action}", {"amount_fen": 1} if action == "change" else {})[0] == 404
    assert till.order_of("charges/C00001/desk-refund", {})[0] == 404


def test_the_same_seed_orders_the_same(till: Till) -> None:
    assert till.bill()["items"] == Till().bill()["items"]


def test_a_change_raises_the_version_and_keeps_the_sum(till: Till) -> None:
    bill = till.bill(count=4)
    for amount in (bill["total_fen"] + 777, 1, 5000):
        status, changed = till.order_of(f"bills/{bill['bill_no']}/change", {"amount_fen": amount})
        assert (status, changed["total_fen"]) == (200, amount)
        assert sum(item["amount_fen"] for item in changed["items"]) == amount
    items = [{"code": "Y0002"}]
    assert till.order_of(f"bills/{bill['bill_no']}/change", {"items": items})[1]["version"] == 5
    assert till.bill_now(bill)["items"][0]["code"] == "Y0002"
    for wrong in ({}, {"amount_fen": 0}, {"amount_fen": 1, "items": items}, {"amount_fen": 1, "force": "x"}):
        assert till.order_of(f"bills/{bill['bill_no']}/change", wrong)[0] == 422


def test_bills_are_listed_by_state(till: Till) -> None:
    kept, cancelled, paid = till.bill(), till.bill("LABORATORY"), till.bill("EXAMINATION")
    till.order_of(f"bills/{cancelled['bill_no']}/cancel")
    assert till.order_of(f"bills/{paid['bill_no']}/pay-at-desk")[1]["paid_by"] == "DESK"
    path = f"/patients/{till.patient}/bills"
    states = {one["bill_no"]: one["state"] for one in till.caller.get(path)[1]["bills"]}
    assert states == {kept["bill_no"]: "UNPAID", cancelled["bill_no"]: "CANCELLED", paid["bill_no"]: "PAID"}
    assert [one["bill_no"] for one in till.caller.get(path, state="PAID")[1]["bills"]] == [paid["bill_no"]]
    assert code(till.caller.get(path, state="LOST")) == (422, "INVALID_FIELD")
    assert code(till.caller.get("/patients/P1/bills")) == (404, "PATIENT_UNKNOWN")
    assert code(till.caller.get("/bills/B1")) == (404, "BILL_UNKNOWN")
    assert till.caller.get(f"/patients/{till.patient_named(1)}/bills")[1] == {"bills": []}
    assert len(till.order_of("bills", method="GET")[1]) == 3


def test_an_unpaid_bill_ends_when_its_time_has_passed(till: Till) -> None:
    bill, other = till.bill(), till.bill()
    assert till.take("C00001", other, minutes=23 * 60)[0] == 200
    till.clock.advance(timedelta(days=3, hours=1))
    assert till.bill_now(bill)["state"] == till.bill_now(other)["state"] == "CANCELLED"
    assert code(till.take("C00002", bill)) == (409, "BILL_CANCELLED")
    assert code(till.settle("C00001", other["total_fen"])) == (409, "LOCK_EXPIRED")


def test_a_locked_bill_outlives_its_time_until_the_lock_ends(till: Till) -> None:
    bill = till.bill()
    till.clock.advance(timedelta(days=2, hours=23, minutes=58))
    assert till.take("C00001", bill)[0] == 200
    till.clock.advance(timedelta(minutes=5))
    assert till.bill_now(bill)["state"] == "UNPAID"
    assert till.settle("C00001", bill["total_fen"])[0] == 200


# -- the code on the prescription -------------------------------------------------------------------
def test_the_token_is_that_of_the_contracts_example() -> None:
    expiry = datetime(2026, 11, 26, 10, 0, tzinfo=BEIJING)
    token = token_of("example-key", "B20261123000001", "P10000001", expiry)
    contract = (Path(__file__).parents[2] / "docs" / "his-contract.yaml").read_text("utf-8")
    assert f"`{token}`" in contract
    head, _, mac = token.rpartition(".")
    right = hmac.new(b"example-key", head.encode(), hashlib.sha256).digest()[:16]
    assert base64.urlsafe_b64decode(mac + "==") == right
    payload = head.removeprefix("HQ1.")
    assert json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))) == {
        "b": "B20261123000001", "p": "P10000001", "e": int(expiry.timestamp())}


def test_a_prescriptions_code_is_a_real_picture_and_expires(till: Till) -> None:
    bill = till.bill()
    path = f"bills/{bill['bill_no']}/qr"
    assert till.order_of(path) == (409, {"error": "QR_DISABLED: 本院未启用处方二维码"})
    till.his.qr_key = "q" * 32
    for body, until in (({}, datetime.fromisoformat(bill["pay_before"])),
                        ({"expires_minutes": 5}, till.clock.now() + timedelta(minutes=5))):
        status, made = till.order_of(path, body)
        assert status == 200
        payload = made["token"].split(".")[1]
        expiry = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["e"]
        assert abs(expiry - until.timestamp()) < 5
        assert base64.b64decode(made["png_base64"]) == picture_of(made["token"])
        assert base64.b64decode(made["png_base64"]).startswith(b"\x89PNG\r\n\x1a\n")
    assert till.order_of(path, {"expires_minutes": -1})[0] == 422


def test_the_qr_key_is_given_at_construction() -> None:
    his = His(World(Clock(), Faults(), deque()), client_id="mini", key="k", qr_key="other key")
    assert his.qr_key == "other key"
