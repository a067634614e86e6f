"""What an account has allowed WeChat to send: answers kept by template, used up by sending, corrected by WeChat."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.people import person
from sandbox.phone import Control, Phone
from sandbox.templates import LONG_TERM, policy_templates

BOUND, BILL = "patient_bound", "bill_created"
IDS = {kind: one["template_id"] for kind, one in policy_templates().items()}


def answer(phone: Phone, key: str = "", **answers: str) -> None:
    """``answer(phone, patient_bound="accept")``: the client reports what one tap was answered."""
    phone.call("POST", "messages/subscriptions", {"answers": [
        {"template_id": IDS.get(kind, kind), "answer": word} for kind, word in answers.items()]},
        key=key or secrets.token_hex(16))


def standing(phone: Phone, kind: str = BOUND) -> tuple[str, int | None]:
    """Where a kind stands, and how many more are allowed."""
    kinds = {one["kind"]: one for one in phone.call("GET", "messages/subscriptions")["kinds"]}
    return kinds[kind]["standing"], kinds[kind]["allowed"]


def asked(phone: Phone, scene: str) -> list[str]:
    ids: list[str] = phone.call("GET", "messages/templates", params={"scene": scene})["template_ids"]
    return ids


@pytest.fixture
def long_term(control: Control) -> Iterator[str]:
    """The hospital has chosen a long-term template for new bills; its id."""
    chosen = policy_templates()
    chosen[BILL] = {**chosen[BILL], "template_id": LONG_TERM[BILL], "long_term": True}
    control.operate("settings.change", changes={"message_templates": chosen})
    yield LONG_TERM[BILL]
    control.operate("settings.change", changes={"message_templates": policy_templates()})


def test_every_kind_that_the_hospital_sends_is_listed_and_nothing_is_known_at_first(guest: Phone) -> None:
    kinds = guest.call("GET", "messages/subscriptions")["kinds"]
    assert {one["kind"]: one["template_id"] for one in kinds} == IDS
    assert {(one["standing"], one["allowed"]) for one in kinds} == {("OFF", 0)}
    assert all(one["title"] for one in kinds)


def test_each_consent_is_one_more_message_and_each_message_one_less(control: Control, guest: Phone) -> None:
    guest.allow_messages("patients", times=2)
    for _ in range(2):
        answer(guest, patient_bound="accept", patient_unbound="reject")
    assert standing(guest) == ("ON", 2)
    assert standing(guest, "patient_unbound") == ("REJECTED", 0)
    guest.add_patient(person())
    control.settle()
    assert standing(guest) == ("ON", 1)
    assert len(guest.inbox()) == 1


def test_what_was_not_answered_may_have_cost_one_all_the_same(control: Control, guest: Phone) -> None:
    guest.allow_messages("patients", times=2)
    answer(guest, patient_bound="accept")
    control.fault("wechat", "send_message", "cut_after")
    guest.add_patient(person())
    control.settle()
    assert standing(guest) == ("OFF", 0)


def test_wechats_refusal_goes_before_our_books(control: Control, guest: Phone) -> None:
    for _ in range(3):
        answer(guest, patient_bound="accept")  # on a phone on which WeChat has since been told no
    guest.add_patient(person())
    control.settle()
    assert standing(guest) == ("OFF", 0)


def test_it_is_tried_also_when_our_books_know_of_no_consent(control: Control, guest: Phone) -> None:
    guest.allow_messages("patients", times=1)
    guest.add_patient(person())
    control.settle()
    assert len(guest.inbox()) == 1
    assert standing(guest) == ("OFF", 0)


def test_a_banned_template_is_not_asked_for_again_and_a_refused_one_is(guest: Phone) -> None:
    before = asked(guest, "booking")
    answer(guest, booking_confirmed="ban", booking_cancelled="reject", booking_failed="filter")
    assert asked(guest, "booking") == [one for one in before if one != IDS["booking_confirmed"]]
    assert [standing(guest, kind)[0] for kind in ("booking_confirmed", "booking_cancelled", "booking_failed")] == [
        "BANNED", "REJECTED", "OFF"]


def test_an_answer_that_is_told_twice_counts_once_and_its_key_is_good_for_no_other(guest: Phone) -> None:
    key = secrets.token_hex(16)
    for _ in range(2):
        answer(guest, key, patient_bound="accept")
    assert standing(guest) == ("ON", 1)
    again = guest.raw("POST", "messages/subscriptions", {"answers": [
        {"template_id": IDS[BOUND], "answer": "reject"}]}, key=key)
    assert (again.status_code, again.json()["error"]["code"]) == (422, "idempotency_key_reused")
    assert standing(guest) == ("ON", 1)


def test_a_template_that_the_hospital_has_no_more_is_nobodys(guest: Phone) -> None:
    answer(guest, **{"T-of-last-year": "accept"})
    assert {one["standing"] for one in guest.call("GET", "messages/subscriptions")["kinds"]} == {"OFF"}


def test_a_long_term_template_is_asked_for_alone_and_once(control: Control, guest: Phone, long_term: str) -> None:
    assert asked(guest, "billing") == [long_term]
    answer(guest, **{long_term: "accept"})
    assert standing(guest, BILL) == ("ON", None)
    assert asked(guest, "billing") == [IDS["charges_paid"], IDS["charges_failed"]]


def test_a_long_term_template_that_was_refused_does_not_stand_before_the_others(guest: Phone, long_term: str) -> None:
    answer(guest, **{long_term: "reject"})
    assert standing(guest, BILL) == ("REJECTED", None)
    assert asked(guest, "billing") == [IDS["charges_paid"], IDS["charges_failed"]]


def test_a_long_term_consent_is_not_used_up_and_ends_when_wechat_says_so(
        control: Control, care: Any, long_term: str) -> None:
    answer(care.phone, **{long_term: "accept"})
    for _ in range(2):
        care.bill()
        control.settle()
        assert standing(care.phone, BILL) == ("ON", None)
    control("POST", f"/wechat/phones/{care.phone.openid}/consent", template_id=long_term, accept=False)
    care.bill()
    control.settle()
    assert standing(care.phone, BILL) == ("REJECTED", None)


def test_a_message_in_wechat_opens_what_it_is_about(control: Control, phone: Phone, patient: dict[str, Any],
                                                    session: dict[str, Any], visit: Any) -> None:
    booking = visit(phone, patient, session)
    control.settle()
    assert phone.inbox("挂号成功通知")[0]["page"] == f"visit/registration?id={booking}"
    phone.call("DELETE", f"account/patients/{patient['id']}")
    phone.call("POST", f"booking/bookings/{booking}/cancellation")
    for _ in range(3):
        control.settle()
        control.advance(10)
        control.work()
    withheld = phone.inbox("退费通知") + phone.inbox("取消预约通知")
    assert {one["page"] for one in withheld} == {"messages/inbox"}


def test_a_page_that_the_hospital_has_set_goes_before_ours(
        control: Control, guest: Phone, long_term: str) -> None:
    chosen = policy_templates()
    chosen[BOUND] = {**chosen[BOUND], "page": "family/patients"}
    control.operate("settings.change", changes={"message_templates": chosen})
    guest.allow_messages("patients")
    guest.add_patient(person())
    control.settle()
    assert [one["page"] for one in guest.inbox()] == ["family/patients"]
