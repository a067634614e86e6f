"""What the hospital pushes: signed or refused, noted once, in any order; a new bill is told once to its patient's."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from sandbox.people import person
from sandbox.phone import Control, Phone
from sandbox.town import EVENTS_PATH
from tests.features.conftest import listening
from tests.opened import code_of, key_of

Ordered = Callable[..., list[dict[str, Any]]]
Ask = Callable[..., list[tuple[Any, ...]]]
Event = tuple[dict[str, str], bytes]
NEW = "待缴费提醒"


@pytest.fixture
def caught(control: Control, ill: dict[str, Any], ordered: Ordered) -> Event:
    """Headers and body of a genuine event that was caught on its way to us: a new bill."""
    heard: list[Event] = []
    with listening(heard) as address:
        control("PUT", "/his/events-url", url=address + EVENTS_PATH)
        ordered(ill, "PRESCRIPTION")
        control("PUT", "/his/events-url", url=control.addresses["scf"] + EVENTS_PATH)
    return heard[0]


@pytest.fixture
def noted(sql: Ask) -> Callable[[bytes], int]:
    """``noted(body)``: how often an event is noted."""
    return lambda body: int(sql("SELECT COUNT(*) FROM his_events WHERE event_id = %s",
                                (json.loads(body)["event_id"],))[0][0])


def push(control: Control, headers: dict[str, str], body: bytes) -> int:
    answer = Phone(control).raw("POST", "his_events/events", data=body, headers=headers)
    if answer.status_code != 204:
        assert answer.json()["error"]["code"] == "signature_invalid"
    return answer.status_code


# -- who pushes -------------------------------------------------------------------------------------
def test_an_event_is_taken_and_noted_once_however_often_it_comes(
        control: Control, caught: Event, noted: Callable[[bytes], int]) -> None:
    assert [push(control, *caught) for _ in range(3)] == [204] * 3
    assert noted(caught[1]) == 1


@pytest.mark.parametrize("changes", [
    {"X-His-Client": "miniprogram"}, {"X-His-Client": None}, {"X-His-Timestamp": "1795390100"},
    {"X-His-Timestamp": "x"}, {"X-His-Timestamp": "١٧٩٥"}, {"X-His-Timestamp": None}, {"X-His-Nonce": "0" * 32},
    {"X-His-Nonce": "short"}, {"X-His-Nonce": None}, {"X-His-Signature": "0" * 64}, {"X-His-Signature": ""},
    {"X-His-Signature": None}], ids=str)
def test_an_event_with_another_client_time_nonce_or_signature_is_refused_and_not_noted(
        control: Control, caught: Event, noted: Callable[[bytes], int], changes: dict[str, str | None]) -> None:
    headers = {name: value.encode() for name, value in {**caught[0], **changes}.items() if value is not None}
    assert push(control, headers, caught[1]) == 401  # type: ignore[arg-type]
    assert noted(caught[1]) == 0


def test_another_body_under_the_same_signature_is_refused(control: Control, caught: Event,
                                                          noted: Callable[[bytes], int]) -> None:
    headers, body = caught
    for other in (body + b" ", body.replace(b"BILL_CREATED", b"BILL_CHANGED"), b"", b"{}", b"\xff"):
        assert push(control, headers, other) == 401
    assert noted(body) == 0


@pytest.mark.parametrize("seconds", [301, 86_400])
def test_a_stale_event_is_refused(control: Control, caught: Event, noted: Callable[[bytes], int], seconds: int) -> None:
    control.advance(seconds)
    assert push(control, *caught) == 401
    assert noted(caught[1]) == 0


def test_an_event_within_the_clock_s_tolerance_is_taken(control: Control, caught: Event) -> None:
    control.advance(240)
    assert push(control, *caught) == 204


# -- what follows -----------------------------------------------------------------------------------
def test_a_new_bill_is_told_once_to_every_account_that_has_the_patient(
        control: Control, phone: Phone, ordered: Ordered) -> None:
    someone, other, stranger = person(), Phone(control).sign_in(), Phone(control).sign_in()
    for one in (other, stranger):
        for scene in ("billing", "checkin"):
            one.allow_messages(scene)
    mine, _ = phone.add_patient(someone), other.add_patient(someone)
    stranger.add_patient(person())
    control("PUT", "/his/events-mode", duplicate=True)
    [bill] = ordered(mine, "EXAMINATION")
    control.settle()
    control.advance(60)
    control.work()
    for one in (phone, other):
        [message] = one.inbox(NEW)
        fen = bill["total_fen"]
        assert message["lines"] == [f"就诊人: {someone['name']}", f"开单科室: {bill['department_name']}",
                                    f"待缴金额: ¥{fen // 100}.{fen % 100:02d}", "备注: 请及时缴费"]
    assert stranger.inbox(NEW) == []


def test_a_changed_bill_is_no_new_one(control: Control, phone: Phone, patient: dict[str, Any], ordered: Ordered
                                      ) -> None:
    [bill] = ordered(patient, "EXAMINATION")
    control("POST", f"/his/bills/{bill['bill_no']}/change", amount_fen=99)
    control.settle()
    assert len(phone.inbox(NEW)) == 1


def test_a_bill_that_was_paid_or_taken_back_before_its_event_came_is_not_told(
        control: Control, phone: Phone, patient: dict[str, Any], ordered: Ordered) -> None:
    control("PUT", "/his/events-mode", hold=True)
    paid, gone, left = ordered(patient, "PRESCRIPTION", "TREATMENT", "LABORATORY")
    control("POST", f"/his/bills/{paid['bill_no']}/pay-at-desk")
    control("POST", f"/his/bills/{gone['bill_no']}/cancel")
    control("PUT", "/his/events-mode", hold=False)
    control.settle()
    [message] = phone.inbox(NEW)
    fen = left["total_fen"]
    assert message["lines"][2] == f"待缴金额: ¥{fen // 100}.{fen % 100:02d}"


def test_events_in_any_order_lead_to_what_is_true(control: Control, guest: Phone, ill: dict[str, Any],
                                                  ordered: Ordered, sql: Ask) -> None:
    control("PUT", "/his/events-mode", hold=True, reorder=True, duplicate=True)
    changed, gone = ordered(ill, "PRESCRIPTION", "TREATMENT", count=2)
    for fen in (200, 100):
        control("POST", f"/his/bills/{changed['bill_no']}/change", amount_fen=fen)
    control("POST", f"/his/bills/{gone['bill_no']}/cancel")
    control("PUT", "/his/events-mode", hold=False)
    control.settle()
    known = {row[0]: row[1:] for row in sql("SELECT bill_no, state, version FROM known_bills WHERE patient_code = %s",
                                            (key_of(control, code_of(control, sql, ill["id"])),))}
    assert known == {changed["bill_no"]: ("UNPAID", 3), gone["bill_no"]: ("CANCELLED", 1)}


def test_of_a_patient_whom_nobody_has_bound_nothing_is_kept(control: Control, guest: Phone, ill: dict[str, Any],
                                                            ordered: Ordered, sql: Ask,
                                                            stranger: dict[str, Any]) -> None:
    guest.call("DELETE", f"account/patients/{ill['id']}")
    [bill] = ordered(ill, "PRESCRIPTION")
    another = control("POST", "/his/bills", patient_code=stranger["patient_code"], kind="TREATMENT")
    control.settle()
    numbers = (bill["bill_no"], another["bill_no"])
    assert sql("SELECT bill_no FROM known_bills WHERE bill_no IN (%s, %s)", numbers) == []
    assert sql("SELECT o.state FROM outbox o JOIN his_events e ON e.id = o.subject_id WHERE e.bill_no IN (%s, %s)",
               numbers) == [("DONE",)] * 2


def test_while_the_his_is_silent_an_event_waits(control: Control, phone: Phone, patient: dict[str, Any],
                                                ordered: Ordered) -> None:
    control.fault("his", "get_bill", "cut_before", times=2)
    ordered(patient, "PRESCRIPTION")
    assert phone.inbox(NEW) == []
    for _ in range(2):
        control.advance(20)
        control.work()
    assert len(phone.inbox(NEW)) == 1


def test_without_any_event_a_patient_sees_and_pays_everything(control: Control, guest: Phone, ill: dict[str, Any],
                                                              ordered: Ordered) -> None:
    control("PUT", "/his/events-mode", drop=True)
    ordered(ill, "PRESCRIPTION", "TREATMENT")
    guest.pay_bills(ill["id"], guest.bills(ill["id"]))
    control.settle()
    assert guest.bills(ill["id"]) == []
