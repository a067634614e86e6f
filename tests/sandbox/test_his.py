"""Registrations in the HIS of the sandbox; every request and answer is held against the contract."""

from __future__ import annotations

import json
import re
import threading
from collections import deque
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from flask import Flask
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import validate

from sandbox.clock import Clock
from sandbox.faults import Fault, Faults
from sandbox.his import His
from sandbox.his.client import Caller
from sandbox.his.model import BEIJING
from sandbox.system import World

CONTRACT = yaml.safe_load((Path(__file__).parents[2] / "docs" / "his-contract.yaml").read_text("utf-8"))
MONDAY_8 = datetime(2026, 11, 23, 8, 0, tzinfo=BEIJING)
PATIENT = {"id_type": "PASSPORT", "id_number": "E12345678", "name": "单小雨", "sex": "FEMALE",
           "birth_date": "1990-05-01", "phone": "13800000000"}


def operation(method: str, path: str) -> dict[str, Any]:
    """The contract's operation for a path below the base path."""
    path = path.split("?", maxsplit=1)[0]
    for known, methods in CONTRACT["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", known), path) and method in methods:
            found: dict[str, Any] = methods[method]
            return found
    raise AssertionError(f"{method} {path} is not in the contract")


def hold_against(schema: dict[str, Any], value: object) -> None:
    """Fail unless ``value`` is what ``schema``, a part of the contract, says."""
    whole = {**schema, "components": CONTRACT["components"]}
    Draft202012Validator(whole, format_checker=FormatChecker()).validate(value)


class Checked(Caller):
    """A caller that fails when an answer, or a request that was accepted, is not what the contract says."""

    def send(self, method: str, path: str, body: bytes, **headers: str) -> tuple[int, Any]:
        status, answer = super().send(method, path, body, **headers)
        if status >= 500:
            return status, answer
        asked = operation(method.lower(), path.removeprefix("/his/v1"))
        said = asked["responses"][str(status)]
        response = CONTRACT["components"]["responses"][said["$ref"].rsplit("/", 1)[1]]
        hold_against(response["content"]["application/json"]["schema"], answer)
        if status == 200 and body:
            hold_against(asked["requestBody"]["content"]["application/json"]["schema"], json.loads(body))
        if status != 200:
            listed = {(one["code"], one["status"]) for one in asked["x-errors"] + CONTRACT["x-common-errors"]}
            assert (answer["code"], status) in listed
        return status, answer


class Desk:
    """The hospital with its caller and its control side."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.clock.set(MONDAY_8)
        self.faults = Faults()
        self.his = His(World(self.clock, self.faults, deque()), client_id="mini", key="k" * 32)
        self.caller = Checked(self.his.serve(), "mini", "k" * 32, self.clock)
        door = Flask("control")
        door.register_blueprint(self.his.control, url_prefix="/his")
        self.control: FlaskClient = door.test_client()
        self.patient = self.caller.post("/patients/match-or-create", **PATIENT)[1]["patient_code"]

    def session(self, **more: Any) -> dict[str, Any]:
        body = {"department_code": "1101", "doctor": "new", "date": "2026-11-25", "period": "MORNING",
                "kind": "EXPERT", "fee_fen": 5000, "slots": 10, **more}
        answer = self.control.post("/his/schedules", json=body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.get_json()
        return made

    def order(self, session: dict[str, Any], trade_no: str = "T00001", slot: int = 0,
              **more: Any) -> dict[str, Any]:
        hold = (self.clock.now().astimezone(BEIJING) + timedelta(minutes=10)).isoformat(timespec="seconds")
        return {"trade_no": trade_no, "slot_code": session["slots"][slot]["code"],
                "patient_code": self.patient, "fee_fen": session["fee_fen"], "hold_until": hold, **more}

    def lock(self, order: dict[str, Any]) -> tuple[int, Any]:
        return self.caller.post("/registrations/lock", **order)

    def confirm(self, trade_no: str, paid_fen: int = 5000, transaction: str = "42000001") -> tuple[int, Any]:
        return self.caller.post("/registrations/confirm", trade_no=trade_no, payment={
            "mode": "PREPAID", "channel": "WECHAT", "transaction_id": transaction, "paid_fen": paid_fen,
            "paid_at": "2026-11-23T08:01:00+08:00"})

    def unlock(self, trade_no: str) -> tuple[int, Any]:
        return self.caller.post("/registrations/unlock", trade_no=trade_no)

    def cancel(self, trade_no: str, refund_fen: int = 5000) -> tuple[int, Any]:
        return self.caller.post("/registrations/cancel", trade_no=trade_no, reason="患者退号",
                                refund_fen=refund_fen)

    def state(self, trade_no: str) -> str:
        return str(self.caller.get(f"/trades/{trade_no}")[1]["state"])

    def slot_state(self, session: dict[str, Any], slot: int = 0) -> str:
        found = self.caller.get("/schedules", schedule=session["code"])[1]["schedules"][0]
        return str(found["slots"][slot]["state"])


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.caller.session.close()


def code(answer: tuple[int, Any]) -> tuple[int, str]:
    return answer[0], answer[1]["code"]


def test_the_contract_is_valid_openapi_and_every_operation_defines_what_interfaces_leave_open() -> None:
    validate(CONTRACT)
    defined = {"x-idempotency-key", "x-unit", "x-terminal-states", "x-errors", "x-trade-check", "description"}
    operations = [one for methods in CONTRACT["paths"].values() for one in methods.values()]
    assert len(operations) == 26
    for one in operations:
        assert defined <= one.keys()
        assert all(error.keys() == {"code", "status", "caller"} for error in one["x-errors"])


def test_every_operation_of_the_contract_is_an_endpoint_of_the_his(desk: Desk) -> None:
    contract = {one["operationId"] for methods in CONTRACT["paths"].values() for one in methods.values()}
    assert contract == set(desk.his.app.view_functions) - {"static"}


def test_a_registration_is_locked_confirmed_and_cancelled_and_the_slot_is_free_again(desk: Desk) -> None:
    session = desk.session()
    order = desk.order(session)
    status, locked = desk.lock(order)
    assert (status, locked["hold_until"]) == (200, order["hold_until"])
    assert desk.slot_state(session) == "TAKEN"
    status, confirmed = desk.confirm("T00001")
    assert (status, confirmed["state"], confirmed["visit_number"]) == (200, "CONFIRMED", "M001")
    assert confirmed["starts_at"] == session["slots"][0]["starts_at"]
    assert desk.cancel("T00001") == (200, {"trade_no": "T00001", "state": "CANCELLED"})
    assert desk.slot_state(session) == "FREE"
    book = desk.control.get("/his/books").get_json()
    assert [(one["state"], one["paid_fen"], one["refund_fen"]) for one in book] == [("CANCELLED", 5000, 5000)]
    assert desk.caller.get("/trades/T00001")[1]["transaction_id"] == "42000001"


def test_the_same_request_again_gives_the_same_answer(desk: Desk) -> None:
    order = desk.order(desk.session())
    first = desk.lock(order)
    assert first[0] == 200
    assert desk.lock(order) == first
    assert desk.confirm("T00001") == desk.confirm("T00001")
    assert desk.lock(order) == first
    assert desk.cancel("T00001") == desk.cancel("T00001")
    for _ in range(2):
        assert desk.unlock("T00002") == (200, {"trade_no": "T00002", "state": "UNLOCKED"})
    assert len(desk.control.get("/his/books").get_json()) == 1


def test_a_lock_that_arrives_after_its_unlock_is_refused(desk: Desk) -> None:
    session = desk.session()
    assert desk.unlock("T00001")[0] == 200
    assert code(desk.lock(desk.order(session))) == (409, "TRADE_CLOSED")
    assert code(desk.confirm("T00001")) == (409, "TRADE_CLOSED")
    assert desk.slot_state(session) == "FREE"
    assert desk.caller.get("/trades/T00001")[1]["registration_code"] is None


def test_a_lock_is_refused_for_each_reason_of_the_contract(desk: Desk) -> None:
    session = desk.session()
    order = desk.order(session)
    assert code(desk.lock({**order, "patient_code": "P1"})) == (404, "PATIENT_UNKNOWN")
    assert code(desk.lock({**order, "slot_code": "20261125-D0001-M-99"})) == (404, "SLOT_UNKNOWN")
    assert code(desk.lock({**order, "fee_fen": 1})) == (409, "FEE_CHANGED")
    assert code(desk.lock({**order, "hold_until": "2026-11-23T07:00:00+08:00"})) == (422, "INVALID_FIELD")
    assert desk.lock(order)[0] == 200
    assert code(desk.lock({**order, "fee_fen": 1})) == (409, "TRADE_CONFLICT")
    assert code(desk.lock(desk.order(session, "T00002", 1))) == (409, "DUPLICATE_REGISTRATION")
    other = desk.caller.post("/patients/match-or-create", **{**PATIENT, "id_number": "E99999999"})[1]
    twin = desk.order(session, "T00003", patient_code=other["patient_code"])
    assert code(desk.lock(twin)) == (409, "SLOT_TAKEN")
    sold = session["slots"][4]["code"]
    assert desk.control.post(f"/his/slots/{sold}/take").status_code == 200
    assert code(desk.lock({**twin, "slot_code": sold})) == (409, "SLOT_TAKEN")
    desk.control.post(f"/his/schedules/{session['code']}/stop")
    assert code(desk.lock({**twin, "slot_code": session["slots"][5]["code"]})) == (409, "SCHEDULE_STOPPED")
    desk.control.post(f"/his/schedules/{session['code']}/reopen")
    desk.clock.set(datetime(2026, 11, 25, 8, 30, tzinfo=BEIJING))
    assert code(desk.lock(desk.order(session, "T00004", 0))) == (409, "SCHEDULE_OVER")


def test_an_expired_lock_frees_its_slot_and_is_confirmed_only_while_that_is_free(desk: Desk) -> None:
    session = desk.session()
    for number in (1, 2):
        desk.lock(desk.order(session, f"T0000{number}"))
        desk.clock.advance(timedelta(minutes=11))
        assert desk.state(f"T0000{number}") == "EXPIRED"
        assert desk.slot_state(session) == "FREE"
    assert desk.confirm("T00001")[0] == 200
    assert code(desk.confirm("T00002", transaction="42000002")) == (409, "LOCK_EXPIRED")
    assert desk.unlock("T00002")[0] == 200
    assert (desk.state("T00001"), desk.state("T00002")) == ("CONFIRMED", "UNLOCKED")


def test_an_expired_lock_is_not_confirmed_beside_the_patients_other_registration(desk: Desk) -> None:
    session = desk.session()
    desk.lock(desk.order(session, "T00001", 0))
    desk.clock.advance(timedelta(minutes=11))
    desk.lock(desk.order(session, "T00002", 1))
    assert code(desk.confirm("T00001")) == (409, "LOCK_EXPIRED")
    assert desk.confirm("T00002")[0] == 200


def test_a_confirmation_is_refused_for_each_reason_of_the_contract(desk: Desk) -> None:
    session = desk.session()
    assert code(desk.confirm("T00009")) == (404, "TRADE_UNKNOWN")
    desk.lock(desk.order(session))
    assert code(desk.confirm("T00001", paid_fen=4999)) == (409, "AMOUNT_MISMATCH")
    desk.control.post(f"/his/schedules/{session['code']}/stop")
    assert code(desk.confirm("T00001")) == (409, "SCHEDULE_STOPPED")
    desk.control.post(f"/his/schedules/{session['code']}/reopen")
    assert desk.confirm("T00001")[0] == 200
    assert code(desk.confirm("T00001", transaction="42000002")) == (409, "PAYMENT_CONFLICT")
    desk.lock(desk.order(desk.session(), "T00002"))
    assert code(desk.confirm("T00002")) == (409, "PAYMENT_CONFLICT")
    assert code(desk.unlock("T00001")) == (409, "ALREADY_CONFIRMED")


def test_a_cancellation_is_refused_for_each_reason_of_the_contract(desk: Desk) -> None:
    session = desk.session()
    assert code(desk.cancel("T00001")) == (404, "TRADE_UNKNOWN")
    desk.lock(desk.order(session))
    assert code(desk.cancel("T00001")) == (409, "NOT_CONFIRMED")
    desk.confirm("T00001")
    assert code(desk.cancel("T00001", 5001)) == (409, "AMOUNT_MISMATCH")
    desk.clock.set(datetime(2026, 11, 25, 8, 0, tzinfo=BEIJING))
    assert code(desk.cancel("T00001")) == (409, "SESSION_STARTED")
    assert desk.control.post("/his/registrations/T00001/check-in").status_code == 200
    assert code(desk.cancel("T00001")) == (409, "ALREADY_CHECKED_IN")


def test_a_stopped_sessions_registration_is_cancelled_even_after_its_time(desk: Desk) -> None:
    session = desk.session()
    desk.lock(desk.order(session))
    desk.confirm("T00001")
    desk.control.post(f"/his/schedules/{session['code']}/stop")
    desk.clock.set(datetime(2026, 11, 25, 9, 0, tzinfo=BEIJING))
    assert desk.cancel("T00001")[0] == 200
    assert code(desk.cancel("T00001", 0)) == (409, "TRADE_CONFLICT")
    assert code(desk.unlock("T00001")) == (409, "ALREADY_CANCELLED")


def test_a_registration_to_be_paid_at_check_in_is_confirmed_without_money(desk: Desk) -> None:
    desk.lock(desk.order(desk.session()))
    answer = desk.caller.post("/registrations/confirm", trade_no="T00001", payment={"mode": "AT_CHECKIN"})
    assert answer[0] == 200
    assert code(desk.confirm("T00001")) == (409, "PAYMENT_CONFLICT")
    assert desk.cancel("T00001", 0)[0] == 200


def test_after_a_cut_answer_the_trade_check_tells_the_effect(desk: Desk) -> None:
    order = desk.order(desk.session())
    desk.faults.add(Fault("his", "lock_registration", "cut_after"))
    with pytest.raises(requests.ConnectionError):
        desk.lock(order)
    assert desk.state("T00001") == "LOCKED"
    desk.faults.add(Fault("his", "confirm_registration", "cut_before"))
    with pytest.raises(requests.ConnectionError):
        desk.confirm("T00001")
    assert desk.state("T00001") == "LOCKED"
    assert code(desk.caller.get("/trades/T00009")) == (404, "TRADE_UNKNOWN")


def test_the_trades_of_a_day_come_in_pages_and_each_once(desk: Desk) -> None:
    session = desk.session()
    for number in range(5):
        desk.unlock(f"TU000{number}")
    desk.lock(desk.order(session))
    desk.clock.advance(timedelta(minutes=11))  # expired: changed at its hold_until, still today
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = desk.caller.get("/trades", date="2026-11-23", limit=2, **cursor)[1]
        seen += [one["trade_no"] for one in page["trades"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert seen == [f"TU000{number}" for number in range(5)] + ["T00001"]
    assert desk.caller.get("/trades", date="2026-11-24")[1]["trades"] == []
    only = desk.caller.get("/trades", date="2026-11-23", state="EXPIRED")[1]
    assert ([one["trade_no"] for one in only["trades"]], only["next_cursor"]) == (["T00001"], None)
    assert desk.caller.get("/trades", date="2026-11-23", state="CANCELLED")[1]["trades"] == []
    assert code(desk.caller.get("/trades", date="2026-11-23", state="GONE")) == (422, "INVALID_FIELD")


def test_of_many_locks_on_one_slot_at_once_exactly_one_succeeds(desk: Desk) -> None:
    session = desk.session(slots=1)
    orders = []
    for number in range(8):
        query = {**PATIENT, "id_number": f"E0000000{number}"}
        found = desk.caller.post("/patients/match-or-create", **query)[1]
        orders.append(desk.order(session, f"TR000{number}", patient_code=found["patient_code"]))
    results: list[int] = []

    def run(order: dict[str, Any]) -> None:
        caller = Checked(desk.caller.address, "mini", "k" * 32, desk.clock)
        results.append(caller.post("/registrations/lock", **order)[0])

    threads = [threading.Thread(target=run, args=(order,)) for order in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [200] + [409] * 7
