"""Taking a place: held for a while, never sold twice, limits, the server's price, repeated requests."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import pytest

from sandbox.people import person
from sandbox.phone import Control, Phone, Refused

Open = Callable[..., dict[str, Any]]
Ask = Callable[..., list[tuple[Any, ...]]]


def refusal(call: Callable[[], Any]) -> tuple[int, str | None]:
    with pytest.raises(Refused) as refused:
        call()
    return refused.value.status, refused.value.code


def free(phone: Phone, session: dict[str, Any]) -> int:
    return len(phone.call("GET", f"booking/sessions/{session['id']}/slots")["slots"])


def count(phone: Phone) -> int:
    return len(phone.call("GET", "booking/bookings")["bookings"])


# -- the hold ---------------------------------------------------------------------------------------
def test_a_place_that_is_not_paid_in_time_goes_back_on_sale_and_is_unlocked_in_the_his(
        control: Control, guest: Phone, ill: dict[str, Any], new_session: Open, trade: Any, order: Any,
        books_agree: Callable[..., None]) -> None:
    session = new_session(slots=1)
    held = guest.book(ill["id"], session)
    payment = guest.open_payment(held["id"])
    control.advance(14 * 60)
    control.work("worker")
    assert (guest.booking(held["id"])["state"], free(guest, session)) == ("AWAITING_PAYMENT", 0)
    assert trade(held["id"])["state"] == "LOCKED"
    control.advance(61)
    control.work("worker")
    shown = guest.booking(held["id"])
    assert (shown["state"], shown["reason"], shown["can_pay"], shown["expires_at"]) == (
        "RELEASED", "EXPIRED", False, None)
    assert (order(held["id"])["state"], trade(held["id"])["state"], free(guest, session)) == ("CLOSED", "UNLOCKED", 1)
    with pytest.raises(Refused):
        guest.thumb(payment)
    assert refusal(lambda: guest.open_payment(held["id"])) == (409, "hold_expired")
    assert guest.book(ill["id"], session)["state"] == "HELD"
    books_agree(held["id"])


def test_a_hold_that_was_never_paid_for_ends_after_the_configured_minutes(
        control: Control, guest: Phone, ill: dict[str, Any], new_session: Open, policy: Callable[..., None]) -> None:
    policy(hold_minutes=2)
    session = new_session(slots=1)
    held = guest.book(ill["id"], session)
    control.advance(121)
    assert refusal(lambda: guest.open_payment(held["id"])) == (409, "hold_expired")  # before the worker came
    control.work("worker")
    assert (guest.booking(held["id"])["state"], free(guest, session)) == ("RELEASED", 1)


def test_who_opens_the_payment_at_the_last_moment_still_has_time_to_pay(
        control: Control, guest: Phone, ill: dict[str, Any], ward: dict[str, Any]) -> None:
    held = guest.book(ill["id"], ward)
    control.advance(14 * 60 + 55)
    payment = guest.open_payment(held["id"])
    control.advance(120)
    control.work("worker")
    guest.thumb(payment)
    control.settle()
    assert guest.booking(held["id"])["state"] == "CONFIRMED"


def test_a_place_is_sold_once(control: Control, guest: Phone, ill: dict[str, Any], new_session: Open) -> None:
    session, other = new_session(slots=1), Phone(control).sign_in()
    place = guest.call("GET", f"booking/sessions/{session['id']}/slots")["slots"][0]["id"]
    second = other.add_patient(person())
    guest.book(ill["id"], session)
    for slot_id in (place, None):
        assert refusal(lambda slot_id=slot_id: other.book(second["id"], session, slot_id=slot_id)) == (  # type: ignore[misc]
            409, "slot_gone")
    assert (count(other), free(guest, session)) == (0, 0)


def test_without_a_wish_the_places_are_all_sold_and_no_more(guest: Phone, new_session: Open) -> None:
    session = new_session(slots=5)
    starts = {guest.book(guest.add_patient(person())["id"], session)["starts_at"] for _ in range(5)}
    assert len(starts) == 5
    last = guest.add_patient(person())
    assert refusal(lambda: guest.book(last["id"], session)) == (409, "slot_gone")


def test_a_place_of_another_session_is_not_found(guest: Phone, ill: dict[str, Any], ward: dict[str, Any],
                                                 new_session: Open) -> None:
    other = guest.call("GET", f"booking/sessions/{new_session()['id']}/slots")["slots"][0]["id"]
    assert refusal(lambda: guest.book(ill["id"], ward, slot_id=other)) == (404, "slot_not_found")


@pytest.mark.parametrize("fee_fen", [0, 1, 2499, 2501, 10_000_000])
def test_the_price_is_the_servers(guest: Phone, ill: dict[str, Any], ward: dict[str, Any], fee_fen: int) -> None:
    assert refusal(lambda: guest.book(ill["id"], ward, fee_fen=fee_fen)) == (409, "fee_changed")
    assert count(guest) == 0


# -- limits -----------------------------------------------------------------------------------------
def test_a_patient_has_one_live_registration_for_a_doctor_and_period(
        control: Control, guest: Phone, ill: dict[str, Any], new_session: Open) -> None:
    session = new_session()
    twin = new_session(doctor_code=session["his"]["doctor_code"], department_code="1102")  # same doctor and morning
    evening = new_session(doctor_code=session["his"]["doctor_code"], department_code="1101", period="EVENING")
    held = guest.book(ill["id"], session)
    for one in (session, twin):
        assert refusal(lambda one=one: guest.book(ill["id"], one)) == (409, "already_booked")  # type: ignore[misc]
    assert guest.book(ill["id"], evening)["state"] == "HELD"
    guest.call("POST", f"booking/bookings/{held['id']}/cancellation")
    assert guest.book(ill["id"], twin)["state"] == "HELD"


def test_the_limit_is_the_patients_whichever_account_books(control: Control, guest: Phone, ward: dict[str, Any]
                                                           ) -> None:
    someone, other = person(), Phone(control).sign_in()
    mine, theirs = guest.add_patient(someone), other.add_patient(someone)
    guest.book(mine["id"], ward)
    assert refusal(lambda: other.book(theirs["id"], ward)) == (409, "already_booked")
    assert count(other) == 0


def test_a_patient_has_no_more_live_registrations_than_the_hospital_allows(
        guest: Phone, ill: dict[str, Any], new_session: Open, policy: Callable[..., None]) -> None:
    policy(live_bookings_per_patient=2, live_bookings_per_patient_and_day=1)
    first, same_day, next_day, third = (new_session(date=date) for date in (
        "2026-11-25", "2026-11-25", "2026-11-26", "2026-11-27"))
    held = guest.book(ill["id"], first)
    assert refusal(lambda: guest.book(ill["id"], same_day)) == (409, "too_many_that_day")
    guest.book(ill["id"], next_day)
    assert refusal(lambda: guest.book(ill["id"], third)) == (409, "too_many_bookings")
    assert guest.book(guest.add_patient(person())["id"], third)["state"] == "HELD"  # the limit is each patient's
    guest.call("POST", f"booking/bookings/{held['id']}/cancellation")
    assert guest.book(ill["id"], same_day)["state"] == "HELD"


# -- repeated requests ------------------------------------------------------------------------------
def test_a_repeated_request_gives_the_first_answer_and_takes_one_place(
        guest: Phone, ill: dict[str, Any], new_session: Open) -> None:
    session, key = new_session(slots=3), secrets.token_hex(16)
    first = guest.book(ill["id"], session, key=key)
    assert [guest.book(ill["id"], session, key=key) for _ in range(3)] == [first] * 3
    assert (count(guest), free(guest, session)) == (1, 2)


def test_a_repeat_is_answered_even_when_the_place_the_day_or_the_registration_is_gone(
        control: Control, guest: Phone, ill: dict[str, Any], new_session: Open, policy: Callable[..., None]) -> None:
    session, key = new_session(slots=1), secrets.token_hex(16)
    first = guest.book(ill["id"], session, key=key)
    policy(days_ahead=0)
    assert guest.book(ill["id"], session, key=key) == first
    policy(days_ahead=7)
    guest.call("POST", f"booking/bookings/{first['id']}/cancellation")
    assert guest.book(ill["id"], session, key=key) == first
    assert (count(guest), free(guest, session)) == (1, 1)
    control.advance(25 * 3600)
    assert guest.sign_in().book(ill["id"], session, key=key) == first


@pytest.mark.parametrize("change", ["patient_id", "slot_id", "fee_fen", "schedule_id"])
def test_a_key_used_for_another_request_is_refused(guest: Phone, ill: dict[str, Any], new_session: Open, change: str
                                                   ) -> None:
    session, key = new_session(slots=6), secrets.token_hex(16)
    guest.book(ill["id"], session, key=key)
    if change == "schedule_id":
        session = new_session()
    other: dict[str, Any] = {
        "patient_id": lambda: guest.add_patient(person())["id"], "fee_fen": lambda: 2600,
        "slot_id": lambda: guest.call("GET", f"booking/sessions/{session['id']}/slots")["slots"][-1]["id"],
        "schedule_id": lambda: session["id"]}[change]()
    wish = {"patient_id": ill["id"], "schedule_id": session["id"], "slot_id": None, "fee_fen": session["fee_fen"]}
    assert refusal(lambda: guest.call("POST", "booking/bookings", {**wish, change: other}, key=key)) == (
        422, "idempotency_key_reused")
    assert count(guest) == 1


def test_the_keys_of_two_phones_do_not_mix(control: Control, guest: Phone, ill: dict[str, Any], ward: dict[str, Any]
                                           ) -> None:
    key, other = secrets.token_hex(16), Phone(control).sign_in()
    theirs = other.add_patient(person())
    first, second = guest.book(ill["id"], ward, key=key), other.book(theirs["id"], ward, key=key)
    assert first["id"] != second["id"]
    assert guest.book(ill["id"], ward, key=key) == first
    assert other.raw("GET", f"booking/bookings/{first['id']}").status_code == 404


@pytest.mark.parametrize("key", ["", "short", "x" * 65, "with space in the key", "1234567890123456;"])
def test_a_request_without_a_proper_key_is_refused(guest: Phone, ill: dict[str, Any], ward: dict[str, Any], key: str
                                                   ) -> None:
    answer = guest.raw("POST", "booking/bookings", {"patient_id": ill["id"], "schedule_id": ward["id"],
                                                    "fee_fen": ward["fee_fen"]}, headers={"Idempotency-Key": key})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "idempotency_key_required")
    assert count(guest) == 0


def test_a_repeat_is_answered_even_when_the_patient_is_no_longer_mine(guest: Phone, ill: dict[str, Any],
                                                                      ward: dict[str, Any]) -> None:
    key = secrets.token_hex(16)
    first = guest.book(ill["id"], ward, key=key)
    guest.call("DELETE", f"account/patients/{ill['id']}")
    assert guest.book(ill["id"], ward, key=key) == first
