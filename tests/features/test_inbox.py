"""The mini-program's own inbox: what was announced lies there once, whether WeChat may tell it or not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
from hospital.messages.rules import time_text
from hospital.runtime.ids import new_id

from sandbox.people import person
from sandbox.phone import Control, Phone
from tests.opened import account_of

Ask = Callable[..., list[tuple[Any, ...]]]


def inbox(phone: Phone, **which: str) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = phone.call("GET", "messages/inbox", params=which)["messages"]
    return messages


def unread(phone: Phone) -> int:
    number: int = phone.call("GET", "messages/unread")["unread"]
    assert number == phone.call("GET", "booking/home")["unread"]
    return number


def lines(message: dict[str, Any]) -> dict[str, str]:
    return {one["label"]: one["text"] for one in message["lines"]}


@pytest.fixture
def put(control: Control, sql: Ask) -> Callable[..., str]:
    """``put(phone, kind=…, …)``: a message that is there, as other columns say; its id."""
    def write(phone: Phone, **columns: Any) -> str:
        one = {"id": new_id(), "account_id": account_of(control, sql, phone.openid), "kind": "refunded",
               "data_enc": b"", "state": "SENT", "created_at": "2026-11-23 00:00:00", **columns}
        one.setdefault("message_key", one["id"])
        sql(f"INSERT INTO messages ({', '.join(one)}) VALUES ({', '.join(['%s'] * len(one))})", tuple(one.values()))
        return str(one["id"])

    return write


def test_what_wechat_may_not_tell_is_told_in_the_inbox_in_full(
        control: Control, guest: Phone, ill: dict[str, Any], session: dict[str, Any], visit: Any) -> None:
    booking = visit(guest, ill, session)
    control.settle()
    assert guest.inbox() == []
    confirmed, bound = inbox(guest)
    assert (confirmed["kind"], confirmed["title"], confirmed["opens"]) == (
        "booking_confirmed", "挂号成功", f"/visit/registration?id={booking}")
    assert (confirmed["is_read"], confirmed["withheld"]) == (False, False)
    shown = guest.booking(booking)
    starts_at = datetime.fromisoformat(shown["starts_at"].replace("Z", "+00:00"))
    assert lines(confirmed) == {
        "就诊人": ill["name"], "就诊时间": time_text(starts_at), "科室": shown["department_name"],
        "医生": shown["doctor_name"], "就诊序号": shown["visit_number"], "就诊地点": shown["location"],
        "提示": "请提前到院取号候诊"}
    assert (bound["kind"], bound["opens"]) == ("patient_bound", f"/family/patient?id={ill['id']}")
    assert unread(guest) == 2


def test_it_is_there_at_once_also_when_wechat_is_dead(control: Control, guest: Phone) -> None:
    control.fault("wechat", "send_message", "cut_before", times=-1)
    guest.add_patient(person())
    assert [one["kind"] for one in inbox(guest)] == ["patient_bound"]


def test_it_is_there_once_however_often_it_is_announced_and_sent(
        control: Control, phone: Phone, patient: dict[str, Any], session: dict[str, Any], visit: Any, sql: Ask) -> None:
    visit(phone, patient, session)
    sql("UPDATE outbox o JOIN messages m ON m.id = o.subject_id SET o.state = 'PENDING', o.due_at = '2026-01-01' "
        "WHERE m.account_id = %s", (account_of(control, sql, phone.openid),))
    sql("UPDATE outbox SET state = 'PENDING', due_at = '2026-01-01' WHERE topic = 'registration.paid' "
        "AND subject_id = (SELECT MAX(id) FROM bookings WHERE patient_id = %s)", (patient["id"],))
    control.work()
    assert [one["kind"] for one in inbox(phone)] == ["booking_confirmed", "patient_bound"]
    assert len(phone.inbox()) == 2


@pytest.mark.parametrize("way", ["bill", "order", "refund"])
def test_a_message_of_money_opens_what_it_is_about(control: Control, care: Any, way: str) -> None:
    number = care.bill()
    if way != "bill":
        care.paid(number)
    control.settle()
    told = {one["kind"]: one for one in inbox(care.phone)}
    if way == "bill":
        assert told["bill_created"]["opens"] == f"/bills/bills?patient={care.patient_id}"
        assert lines(told["bill_created"])["待缴金额"].startswith("¥")
        return
    order = care.id
    if way == "refund":
        care.phone.refund_charge(care.phone.charge_order(order)["charges"][0]["id"])
        for _ in range(2):
            control.settle()
            control.advance(10)
            control.work()
        told = {one["kind"]: one for one in inbox(care.phone)}
    kind = {"order": "charges_paid", "refund": "refunded"}[way]
    assert told[kind]["opens"] == f"/bills/order?id={order}"


def test_reading_one_or_all_up_to_the_newest_shown(guest: Phone, put: Callable[..., str]) -> None:
    first, second, third = (put(guest, unread=1) for _ in range(3))
    assert unread(guest) == 3
    for _ in range(2):
        guest.call("POST", f"messages/inbox/{second}/read")
        assert unread(guest) == 2
    assert [one["is_read"] for one in inbox(guest)] == [False, True, False]
    later = put(guest, unread=1)
    guest.call("POST", "messages/inbox/read-all", {"newest": third})
    assert [one["id"] for one in inbox(guest) if not one["is_read"]] == [later]
    assert [one["id"] for one in inbox(guest)] == [later, third, second, first]


def test_all_that_is_read_is_the_accounts_own(control: Control, guest: Phone, put: Callable[..., str]) -> None:
    other = Phone(control).sign_in()
    mine, theirs = put(guest, unread=1), put(other, unread=1)
    guest.call("POST", "messages/inbox/read-all", {"newest": theirs})
    assert guest.raw("POST", f"messages/inbox/{theirs}/read").status_code == 404
    assert (unread(guest), unread(other)) == (0, 1)
    assert [one["id"] for one in inbox(guest)] == [mine]


def test_pages_go_back_to_the_first_message(guest: Phone, put: Callable[..., str]) -> None:
    ids = [put(guest) for _ in range(41)]
    found, before = list[str](), ""
    for number in (20, 20, 1):
        page = guest.call("GET", "messages/inbox", params={"before": before})
        assert len(page["messages"]) == number
        found += [one["id"] for one in page["messages"]]
        before = page["next"] or ""
    assert (found, before) == (sorted(ids, reverse=True), "")


@pytest.mark.parametrize("situation", ["withdrawn", "unbound"])
def test_of_whom_the_account_may_not_read_kind_and_time_are_left_and_nothing_else(
        control: Control, phone: Phone, patient: dict[str, Any], session: dict[str, Any], visit: Any, situation: str
        ) -> None:
    visit(phone, patient, session)
    kept = phone.add_patient(person())
    control.settle()
    before = inbox(phone)
    if situation == "withdrawn":
        phone.call("POST", "account/consents/withdrawal", {"patient_id": patient["id"], "purpose": "HEALTH_DATA"})
    else:
        phone.call("DELETE", f"account/patients/{patient['id']}")
    control.settle()
    messages = inbox(phone)
    assert [(one["kind"], one["withheld"]) for one in messages if one["kind"] != "patient_unbound"] == [
        ("patient_bound", False), ("booking_confirmed", True), ("patient_bound", True)]
    assert [(one["lines"], one["opens"]) for one in messages if one["withheld"]] == [([], "")] * (
        3 if situation == "unbound" else 2)
    assert session["doctor_name"] not in str(messages)
    assert patient["id"] not in str(messages)
    assert messages[-3]["opens"].endswith(kept["id"])
    if situation == "withdrawn":  # given again, all of it is there again
        phone.call("POST", "account/consents", {"patient_id": patient["id"], "purpose": "HEALTH_DATA", "version": 2})
        assert inbox(phone) == before


def test_who_has_proven_nothing_reads_of_its_registrations_and_not_of_bills(
        control: Control, care: Any, sql: Ask) -> None:
    care.bill()
    control.settle()
    sql("UPDATE bindings SET level = 'LIMITED', proof = NULL WHERE patient_id = %s", (care.patient_id,))
    withheld = {one["kind"]: one["withheld"] for one in inbox(care.phone)}
    assert withheld == {"bill_created": True, "patient_bound": False}


def test_a_message_from_before_there_was_an_inbox_counts_as_read_and_opens_nothing(
        guest: Phone, put: Callable[..., str]) -> None:
    put(guest)
    put(guest, kind="of a later time", unread=1)
    later, before = inbox(guest)
    assert (before["is_read"], before["opens"], before["title"]) == (True, "", "退费通知")
    assert (later["title"], later["lines"]) == ("消息", [])
    assert unread(guest) == 1


@pytest.fixture
def half_a_year_later(control: Control) -> Iterator[None]:
    control.fault("cloud", "invoke", "error", times=-1)
    control.advance(181 * 24 * 3600)
    yield


def test_messages_go_when_they_have_lain_there_for_as_long_as_the_hospital_says(
        control: Control, guest: Phone, ill: dict[str, Any], policy: Callable[..., None], sql: Ask,
        half_a_year_later: None) -> None:
    policy(inbox_days=200)
    guest.sign_in()
    assert len(inbox(guest)) == 1
    control("POST", "/scf/timers/housekeeping/every-night/fire")
    assert len(inbox(guest)) == 1
    policy(inbox_days=180)
    control("POST", "/scf/timers/housekeeping/every-night/fire")
    assert inbox(guest) == []
    assert unread(guest) == 0


def test_nothing_of_a_message_stands_open_in_the_database(
        control: Control, guest: Phone, session: dict[str, Any], visit: Any, sql: Ask) -> None:
    someone = person()
    visit(guest, guest.add_patient(someone), session)
    rows = sql("SELECT * FROM messages WHERE account_id = %s", (account_of(control, sql, guest.openid),))
    assert len(rows) == 2
    for fact in (someone["name"], someone["id_number"], session["doctor_name"]):
        assert fact.encode() not in b" ".join(one if isinstance(one, bytes) else str(one).encode()
                                              for row in rows for one in row)
