"""A rightly signed event that can't be read: refused with the field's name, and kept whole for staff."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
import requests

from sandbox.his.signing import CLIENT, NONCE, SIGNATURE, TIMESTAMP, sign_request
from sandbox.phone import Control, Phone, Refused
from sandbox.town import EVENTS_PATH

Ask = Callable[..., list[tuple[Any, ...]]]
Push = Callable[..., requests.Response]


@pytest.fixture
def push(control: Control, his_key: str) -> Push:
    """``push(occurred_at="…")``: an event as the HIS signs it, some of its fields another; or any bytes."""
    def send(body: bytes | None = None, **changes: Any) -> requests.Response:
        now = datetime.fromisoformat(control("GET", "/clock")["now"])
        event = {"event_id": f"EV{secrets.token_hex(12)}", "type": "BILL_CHANGED", "patient_code": "P0000001",
                 "occurred_at": "2026-11-23T07:30:00+08:00", "bill_no": "B1", **changes}
        raw = json.dumps({name: value for name, value in event.items() if value != "left out"}, ensure_ascii=False
                         ).encode() if body is None else body
        stamp, nonce = str(int(now.timestamp())), secrets.token_hex(16)
        return Phone(control).raw("POST", "his_events/events", data=raw, headers={
            "Content-Type": "application/json", CLIENT: "his", TIMESTAMP: stamp, NONCE: nonce,
            SIGNATURE: sign_request(his_key, "POST", EVENTS_PATH, stamp, nonce, raw)})
    return send


def tasks(control: Control) -> list[dict[str, Any]]:
    """Open tasks about such events, the newest first."""
    found: list[dict[str, Any]] = control.operate("tasks.list", kind="event.unreadable", newest_first=True)["tasks"]
    return found


WRONG = [
    ("occurred_at", "2026-11-23T07:30:00"), ("occurred_at", "2026-11-23"), ("occurred_at", "0001-01-01T00:00:00+08:00"),
    ("occurred_at", "9999-12-31T23:59:59-08:00"), ("occurred_at", 636768000), ("occurred_at", None),
    ("event_id", ""), ("event_id", "x" * 65), ("event_id", "事件1"), ("event_id", 17), ("event_id", "left out"),
    ("type", "x" * 33), ("type", "新费用"), ("patient_code", "患者"), ("patient_code", "x" * 65), ("bill_no", "费用单"),
    ("bill_no", "x" * 65), ("refund_no", "退\n费"), ("trade_no", {"a": 1})]


@pytest.mark.parametrize(("field", "value"), WRONG)
def test_a_wrong_field_is_named_and_the_event_is_kept_once_however_often_it_comes(
        control: Control, push: Push, sql: Ask, field: str, value: Any) -> None:
    body = json.dumps({name: one for name, one in {
        "event_id": f"EV{secrets.token_hex(12)}", "type": "BILL_CHANGED", "patient_code": "P0000001",
        "occurred_at": "2026-11-23T07:30:00+08:00", "bill_no": "B1", "note": secrets.token_hex(4), field: value}.items()
        if one != "left out"}, ensure_ascii=False).encode()
    before = {one["id"] for one in tasks(control)}
    for _ in range(2):
        answer = push(body)
        assert answer.status_code == 422, answer.text
        assert answer.json()["error"]["code"] == "event_unreadable"
        assert answer.json()["error"]["fields"] == [field]
        assert len(str(value)) < 12 or str(value) not in answer.text
    [task] = [one for one in tasks(control) if one["id"] not in before]
    assert (task["detail"], task["times"], task["ends_with"][0]) == (f"unreadable: {field}", 2, "task.retry")
    [(sealed, fields)] = sql("SELECT body_enc, fields FROM refused_events WHERE id = %s", (task["subject_id"],))
    assert fields == field
    assert body not in sealed


@pytest.mark.parametrize("body", [b"{", b"", b"\xff\xfe", b"[1", b'{"event_id": "\\ud83d"}'])
def test_what_is_no_json_is_refused_and_kept_too(control: Control, push: Push, body: bytes) -> None:
    before = len(tasks(control))
    answer = push(body)
    assert answer.status_code in (400, 422)
    assert len(tasks(control)) in (before, before + 1)  # the same bytes may be there from a test before
    assert tasks(control)


def test_an_unknown_type_and_unknown_fields_are_taken(push: Push, sql: Ask) -> None:
    number = f"EV{secrets.token_hex(12)}"
    assert push(event_id=number, type="WARD_MOVED", weather="fine", bill_no=None, refund_no="").status_code == 204
    assert sql("SELECT type, bill_no, refund_no FROM his_events WHERE event_id = %s", (number,)) == [
        ("WARD_MOVED", "", "")]


def test_staff_can_have_a_kept_event_read_again_and_it_still_cannot_be(control: Control, push: Push) -> None:
    assert push(occurred_at="yesterday morning").status_code == 422
    task = tasks(control)[0]
    with pytest.raises(Refused) as refusal:
        control.operate("task.retry", task_id=task["id"], note="once more")
    assert refusal.value.code == "nothing_to_retry"
    control.operate("task.close", task_id=task["id"], note="HIS told")
    assert task["id"] not in {one["id"] for one in tasks(control)}


def test_nothing_unsigned_is_kept(control: Control, sql: Ask) -> None:
    before = sql("SELECT COUNT(*) FROM refused_events")
    for headers in ({}, {SIGNATURE: "é" * 64, CLIENT: "his"}):
        answer = Phone(control).raw("POST", "his_events/events", data=b"{", headers={
            name: value.encode("latin-1") for name, value in headers.items()})
        assert answer.status_code == 401
    assert sql("SELECT COUNT(*) FROM refused_events") == before
