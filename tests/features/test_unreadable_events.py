"""A rightly signed event that can't be read: refused with the field's name, and kept whole for staff."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable
from typing import Any

import pytest
from hospital.runtime.ids import new_id
from hospital.security import cipher

from sandbox.his.signing import CLIENT, SIGNATURE
from sandbox.phone import Control, Phone, Refused
from sandbox.town import EVENTS_PATH
from tests.features.conftest import listening

Ask = Callable[..., list[tuple[Any, ...]]]
Push = Callable[[str], int]


def event(**changes: Any) -> str:
    """The text of an event, some of its fields another; ``"left out"`` leaves one out."""
    told = {"event_id": f"EV{secrets.token_hex(12)}", "type": "BILL_CHANGED", "patient_code": "P0000001",
            "occurred_at": "2026-11-23T07:30:00+08:00", "bill_no": "B1", "note": secrets.token_hex(4), **changes}
    return json.dumps({name: value for name, value in told.items() if value != "left out"}, ensure_ascii=False)


@pytest.fixture
def push(control: Control) -> Push:
    """``push(text)``: a text that the HIS has signed and sent once; the status it was answered."""
    return lambda text: int(control("POST", "/his/events/send", text=text)["status"])


def tasks(control: Control) -> list[dict[str, Any]]:
    """Open tasks about such events, the newest first."""
    return control.tasks(kind="event.unreadable", newest_first=True)


@pytest.fixture(autouse=True)
def nothing_before(control: Control) -> None:
    """What other tests left on the list is closed: a cause has one open task."""
    for one in tasks(control):
        control.operate("task.close", task_id=one["id"], note="before the test")


WRONG = [
    ("occurred_at", "2026-11-23T07:30:00"), ("occurred_at", "2026-11-23"), ("occurred_at", "0001-01-01T00:00:00+08:00"),
    ("occurred_at", "9999-12-31T23:59:59-08:00"), ("occurred_at", 636768000), ("occurred_at", None),
    ("event_id", ""), ("event_id", "x" * 65), ("event_id", "事件1"), ("event_id", 17), ("event_id", "left out"),
    ("type", "x" * 33), ("type", "新费用"), ("patient_code", "患者"), ("patient_code", "x" * 65), ("bill_no", "费用单"),
    ("bill_no", "x" * 65), ("refund_no", "退\n费"), ("trade_no", {"a": 1})]


@pytest.mark.parametrize(("field", "value"), WRONG)
def test_a_wrong_field_is_named_and_the_event_is_kept_once_however_often_it_comes(
        control: Control, push: Push, sql: Ask, field: str, value: Any) -> None:
    text = event(**{field: value})
    assert [push(text) for _ in range(2)] == [422] * 2
    [task] = tasks(control)
    assert (task["detail"], task["times"], task["ends_with"][0]) == (f"unreadable: {field}", 2, "task.retry")
    [(sealed, fields)] = sql("SELECT body_enc, fields FROM refused_events WHERE body_hash = %s",
                             (hashlib.sha256(text.encode()).digest(),))
    assert fields == field
    assert text.encode() not in sealed


def test_the_answer_names_the_field_and_never_its_value(control: Control, push: Push) -> None:
    heard: list[tuple[dict[str, str], bytes]] = []
    with listening(heard) as address:
        control("PUT", "/his/events-url", url=address + EVENTS_PATH)
        push(event(patient_code="患者甲"))
        control("PUT", "/his/events-url", url=control.addresses["scf"] + EVENTS_PATH)
    answer = Phone(control).raw("POST", "his_events/events", data=heard[0][1], headers=heard[0][0])
    assert answer.status_code == 422
    assert (answer.json()["error"]["code"], answer.json()["error"]["fields"]) == ("event_unreadable", ["patient_code"])
    assert "患者甲" not in answer.text


@pytest.mark.parametrize("text", ["{", "[1", "", '{"event_id": "\\ud83d"}', "null"])
def test_what_is_no_object_or_no_json_is_refused_and_kept_too(control: Control, push: Push, sql: Ask, text: str
                                                              ) -> None:
    assert push(text) in (400, 422)
    assert sql("SELECT COUNT(*) FROM refused_events WHERE body_hash = %s", (hashlib.sha256(text.encode()).digest(),)
               ) == [(1,)]


def test_an_unknown_type_and_unknown_fields_are_taken(push: Push, sql: Ask) -> None:
    number = f"EV{secrets.token_hex(12)}"
    assert push(event(event_id=number, type="WARD_MOVED", weather="fine", bill_no=None, refund_no="")) == 204
    assert sql("SELECT type, bill_no, refund_no FROM his_events WHERE event_id = %s", (number,)) == [
        ("WARD_MOVED", "", "")]


def test_staff_can_have_a_kept_event_read_again_or_close_it(control: Control, push: Push) -> None:
    assert push(event(occurred_at="yesterday morning")) == 422
    task = tasks(control)[0]
    with pytest.raises(Refused) as refusal:  # it still can't be read
        control.operate("task.retry", task_id=task["id"], note="once more")
    assert refusal.value.code == "nothing_to_retry"
    control.operate("task.close", task_id=task["id"], note="HIS told")
    assert task["id"] not in {one["id"] for one in tasks(control)}


def test_many_events_with_one_fault_are_one_task_that_counts(control: Control, push: Push) -> None:
    for number in range(12):
        assert push(event(occurred_at=f"2026-11-23T07:30:{number:02}")) == 422
    assert push(event(occurred_at="2026-11-23", patient_code="患者")) == 422
    assert {(one["subject_id"], one["times"]) for one in tasks(control)} == {
        ("occurred_at", 12), ("occurred_at, patient_code", 1)}


@pytest.fixture
def refused(control: Control, sql: Ask, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """``refused(text, fields)``: a push as a program of before would have kept it, sealed with the town's own key."""
    key = bytes.fromhex(control("GET", "/cloud/secrets/hospital/data-key")["value"])
    monkeypatch.setattr(cipher, "_data_key", lambda: key)

    def keep(text: str, fields: str) -> None:
        row_id, digest = new_id(), hashlib.sha256(text.encode()).digest()
        sql("INSERT INTO refused_events (id, body_hash, body_enc, fields, received_at) VALUES (%s, %s, %s, %s, NOW())",
            (row_id, digest, cipher.seal(text, f"refused_events.body:{row_id}"), fields))

    return keep


def test_all_events_of_a_cause_are_read_again_with_one_order(
        control: Control, push: Push, sql: Ask, refused: Callable[[str, str], None]) -> None:
    good, bad = [f"EV{secrets.token_hex(12)}" for _ in range(3)], event(bill_no="费用单")
    assert push(bad) == 422
    for number in good:  # refused by a program that knew less
        assert push(event(event_id=number)) == 204
        sql("DELETE FROM his_events WHERE event_id = %s", (number,))
        refused(event(event_id=number), "bill_no")
    [task] = tasks(control)
    assert control.operate("task.retry", task_id=task["id"], note="a new program")["left"] >= 1
    assert sql("SELECT COUNT(*) FROM his_events WHERE event_id IN (%s, %s, %s)", tuple(good)) == [(3,)]
    assert [one["id"] for one in tasks(control)] == [task["id"]], "one of them still can't be read"


def test_nothing_unsigned_is_kept(control: Control, sql: Ask) -> None:
    before = sql("SELECT COUNT(*) FROM refused_events")
    for headers in ({}, {SIGNATURE: "é" * 64, CLIENT: "his"}):
        answer = Phone(control).raw("POST", "his_events/events", data=b"{", headers={
            name: value.encode("latin-1") for name, value in headers.items()})
        assert answer.status_code == 401
    assert sql("SELECT COUNT(*) FROM refused_events") == before
