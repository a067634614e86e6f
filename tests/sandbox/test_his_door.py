"""The door of the HIS: signatures both ways, freshness, replay, limits, wrong input, faults."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox.clock import Clock
from sandbox.faults import Fault, Faults
from sandbox.his import His
from sandbox.his.client import Caller, Forged
from sandbox.his.model import BEIJING
from sandbox.his.signing import sign_answer, sign_request
from sandbox.system import World

KEY = "0123456789abcdef0123456789abcdef"
DEPARTMENTS = "/his/v1/departments"
LOCK = "/his/v1/registrations/lock"


@pytest.fixture
def world() -> World:
    clock = Clock()
    clock.set(datetime(2026, 11, 23, 8, 0, tzinfo=BEIJING))
    return World(clock, Faults(), deque())


@pytest.fixture
def caller(world: World) -> Caller:
    return Caller(His(world, client_id="mini", key=KEY).serve(), "mini", KEY, world.clock)


def code(answer: tuple[int, Any]) -> tuple[int, str]:
    return answer[0], answer[1]["code"]


def test_the_signatures_are_those_of_the_contracts_example() -> None:
    nonce, body = "0123456789abcdef", '{"code":"TRADE_UNKNOWN","message":"交易不存在"}'.encode()
    asked = sign_request("example-key", "GET", "/his/v1/trades/T20261123000001", "1795392000", nonce, b"")
    answered = sign_answer("example-key", 404, "1795392001", nonce, body)
    contract = (Path(__file__).parents[2] / "docs" / "his-contract.yaml").read_text("utf-8")
    assert f"`{asked}`" in contract
    assert f"`{answered}`" in contract


def test_a_request_with_a_wrong_signature_part_is_not_let_in(caller: Caller) -> None:
    assert caller.send("GET", DEPARTMENTS, b"")[0] == 200
    for header, value, refused in (
        ("X_His_Client", "someone", "CLIENT_UNKNOWN"),
        ("X_His_Signature", "0" * 64, "SIGNATURE_INVALID"),
        ("X_His_Timestamp", "soon", "SIGNATURE_INVALID"),
        ("X_His_Nonce", "short", "SIGNATURE_INVALID"),
        ("X_His_Nonce", "another-nonce-than-signed", "SIGNATURE_INVALID"),
    ):
        assert code(caller.send("GET", DEPARTMENTS, b"", **{header: value})) == (401, refused)


def test_query_and_body_are_part_of_the_signature(caller: Caller) -> None:
    nonce, stamp = "n" * 20, str(int(caller.clock.timestamp()))
    for method, signed, sent, body in (
        ("GET", "/his/v1/schedules?limit=1", "/his/v1/schedules?limit=2", b""),
        ("POST", LOCK, LOCK, b"{}"),
    ):
        wrong = sign_request(KEY, method, signed, stamp, nonce, b"")
        answer = caller.send(method, sent, body, X_His_Nonce=nonce, X_His_Signature=wrong)
        assert code(answer) == (401, "SIGNATURE_INVALID")


def test_a_nonce_is_accepted_once_in_ten_minutes(caller: Caller, world: World) -> None:
    def signed() -> dict[str, str]:
        stamp = str(int(world.clock.timestamp()))
        return {"X_His_Nonce": "n" * 16, "X_His_Timestamp": stamp,
                "X_His_Signature": sign_request(KEY, "GET", DEPARTMENTS, stamp, "n" * 16, b"")}

    assert caller.send("GET", DEPARTMENTS, b"", **signed())[0] == 200
    assert code(caller.send("GET", DEPARTMENTS, b"", **signed())) == (401, "NONCE_REPLAYED")
    world.clock.advance(timedelta(minutes=9))
    assert code(caller.send("GET", DEPARTMENTS, b"", **signed())) == (401, "NONCE_REPLAYED")
    world.clock.advance(timedelta(minutes=2))
    assert caller.send("GET", DEPARTMENTS, b"", **signed())[0] == 200


def test_a_request_older_or_newer_than_five_minutes_is_refused(caller: Caller, world: World) -> None:
    for ahead in (-302, 302):
        stamp, nonce = str(int(world.clock.timestamp()) + ahead), f"nonce-of-{ahead:+010d}".replace("+", "0")
        signature = sign_request(KEY, "GET", DEPARTMENTS, stamp, nonce, b"")
        answer = caller.send("GET", DEPARTMENTS, b"", X_His_Timestamp=stamp, X_His_Nonce=nonce,
                             X_His_Signature=signature)
        assert code(answer) == (401, "TIMESTAMP_EXPIRED")


def test_every_answer_below_500_is_signed_under_the_requests_nonce(caller: Caller) -> None:
    for headers in ({}, {"X-His-Nonce": "n" * 16}):
        answer = requests.get(caller.address + DEPARTMENTS, headers=headers, timeout=5)
        assert answer.status_code == 401
        assert answer.headers["X-His-Nonce"] == headers.get("X-His-Nonce", "")
        assert answer.headers["X-His-Signature"] == sign_answer(
            KEY, 401, answer.headers["X-His-Timestamp"], headers.get("X-His-Nonce", ""), answer.content)


def test_an_answer_under_another_key_is_recognised_as_forged(caller: Caller) -> None:
    caller.key = "another key"
    with pytest.raises(Forged):
        caller.send("GET", DEPARTMENTS, b"")


@pytest.mark.parametrize(("body", "refused"), [
    (b"", (400, "MALFORMED")),
    (b"{", (400, "MALFORMED")),
    (b"[1]", (400, "MALFORMED")),
    (b"\xff\xfe", (400, "MALFORMED")),
    (b"[" * 5000, (400, "MALFORMED")),
    (b"x" * 70_000, (413, "BODY_TOO_LARGE")),
    (b'{"\\ud800": 1}', (422, "INVALID_FIELD")),
    (b'{"trade_no": 7}', (422, "INVALID_FIELD")),
    (b'{"trade_no": "T00001\\n"}', (422, "INVALID_FIELD")),
    (b'{"trade_no": "T00001", "extra": 1}', (422, "INVALID_FIELD")),
])
def test_a_wrong_body_is_refused_definitely(caller: Caller, body: bytes, refused: tuple[int, str]) -> None:
    assert code(caller.send("POST", "/his/v1/registrations/unlock", body)) == refused


@pytest.mark.parametrize(("field", "value"), [
    ("fee_fen", 1.0), ("fee_fen", True), ("fee_fen", -1), ("fee_fen", "5000"), ("fee_fen", None),
    ("hold_until", "2026-11-23T08:10:00Z"), ("hold_until", "2026-13-23T08:10:00+08:00"), ("hold_until", 0),
    ("slot_code", "'; DROP TABLE slots; --"), ("patient_code", ""), ("trade_no", "T1"),
])
def test_a_wrong_field_is_named_and_its_value_never_repeated(caller: Caller, field: str, value: Any) -> None:
    body = {"trade_no": "T00001", "slot_code": "S1", "patient_code": "P1", "fee_fen": 1,
            "hold_until": "2026-11-23T08:10:00+08:00", field: value}
    status, answer = caller.post("/registrations/lock", **body)
    assert (status, answer["code"], answer["field"]) == (422, "INVALID_FIELD", field)
    assert not (isinstance(value, str) and len(value) > 2 and value in answer["message"])


@pytest.mark.parametrize("query", [
    {"limit": "0"}, {"limit": "201"}, {"limit": "x"}, {"cursor": "%%%"}, {"cursor": "é"}, {"from_": "today"},
    {"from_": "2026-02-30"}, {"from_": "2026-11-25", "to": "2026-11-24"},
])
def test_a_wrong_query_is_refused(caller: Caller, query: dict[str, str]) -> None:
    assert code(caller.get("/schedules", **query)) == (422, "INVALID_FIELD")


def test_unknown_paths_methods_and_things_are_refused_with_their_codes(caller: Caller) -> None:
    assert code(caller.get("/nothing")) == (404, "PATH_UNKNOWN")
    assert code(caller.post("/departments")) == (405, "METHOD_NOT_ALLOWED")
    assert code(caller.get("/schedules", department="9999")) == (404, "DEPARTMENT_UNKNOWN")
    assert code(caller.get("/schedules", doctor="D0")) == (404, "DOCTOR_UNKNOWN")
    assert code(caller.get("/schedules", schedule="20269999-D0001-M")) == (404, "SCHEDULE_UNKNOWN")
    assert code(caller.get("/trades", date="")) == (422, "INVALID_FIELD")


def test_faults_strike_by_operation_and_a_refusal_on_demand_is_signed(caller: Caller, world: World) -> None:
    world.faults.add(Fault("his", "list_departments", "refuse",
                           params={"code": "SLOT_TAKEN", "status": 409, "message": "号源已被占用"}))
    assert code(caller.send("GET", DEPARTMENTS, b"")) == (409, "SLOT_TAKEN")
    world.faults.add(Fault("his", "list_departments", "error"))
    assert caller.send("GET", DEPARTMENTS, b"") == (500, None)
    world.faults.add(Fault("his", "list_departments", "garbage"))
    with pytest.raises(Forged):
        caller.send("GET", DEPARTMENTS, b"")
    assert caller.send("GET", DEPARTMENTS, b"")[0] == 200


def test_the_journal_tells_trade_and_outcome_but_no_personal_data(caller: Caller, world: World) -> None:
    person = {"id_type": "PASSPORT", "id_number": "E12345678", "name": "查无名", "sex": "MALE",
              "birth_date": "1990-01-01", "phone": "13900000001"}
    caller.post("/patients/match-or-create", **person)
    caller.post("/registrations/unlock", trade_no="T00001")
    caller.get("/trades/T00002")
    last = list(world.journal)[-3:]
    assert [line["operation"] for line in last] == ["match_patient", "unlock_registration", "check_trade"]
    assert (last[1]["trade_no"], last[1]["state"], last[2]["code"]) == ("T00001", "UNLOCKED", "TRADE_UNKNOWN")
    assert not any(word in str(last) for word in ("E12345678", "查无名", "13900000001"))
