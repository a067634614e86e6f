"""How many places an account may have that nothing is paid for before the visit: from both sides, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.people import person
from sandbox.phone import Control, Phone
from tests.features.test_limits import book, refused

Open = Callable[..., dict[str, Any]]
Change = Callable[..., None]


def firm(control: Control, phone: Phone, patient: dict[str, Any], session: dict[str, Any]) -> str:
    """A registration without payment, confirmed by the HIS; its id."""
    held = phone.book(patient["id"], session)
    assert phone.call("POST", f"booking/bookings/{held['id']}/payment")["payment"] is None
    control.settle()
    assert phone.booking(held["id"])["state"] == "CONFIRMED"
    return str(held["id"])


@pytest.fixture(params=["AT_CHECKIN", "free"])
def on_trust(request: pytest.FixtureRequest, new_session: Open, policy: Change) -> dict[str, Any]:
    """A session whose places are firm without payment."""
    if request.param == "AT_CHECKIN":
        policy(payment="AT_CHECKIN")
        return new_session(slots=12)
    return new_session(slots=12, fee_fen=0)


def test_an_account_has_so_many_places_on_trust_whoever_they_are_for_bound_or_not(
        control: Control, guest: Phone, on_trust: dict[str, Any], policy: Change) -> None:
    policy(places_on_trust_per_account=3)
    people = [guest.add_patient(person()) for _ in range(3)]
    made = [firm(control, guest, one, on_trust) for one in people[:2]]
    held = guest.book(people[2]["id"], on_trust)  # what is held is about to be firm
    for one in people[:2]:
        guest.call("DELETE", f"account/patients/{one['id']}")
    control.settle()
    assert [guest.booking(one)["state"] for one in made] == ["CONFIRMED"] * 2  # what is firm stays to be visited
    another = guest.add_patient(person())
    wait = refused(book(guest, another["id"], on_trust), "too_many_on_trust")
    assert 64 * 3600 < wait <= 65 * 3600  # until the end of Wednesday, from half past seven on Monday
    assert guest.call("POST", f"booking/bookings/{held['id']}/payment")["payment"] is None
    control.settle()
    refused(book(guest, another["id"], on_trust), "too_many_on_trust")
    guest.call("POST", f"booking/bookings/{made[0]}/cancellation")
    control.settle()
    assert book(guest, another["id"], on_trust).status_code == 201


def test_what_is_paid_and_what_others_have_uses_up_nothing_of_it(
        control: Control, guest: Phone, new_session: Open, policy: Change, visit: Callable[..., str]) -> None:
    policy(places_on_trust_per_account=1)
    someone, other = person(), Phone(control).sign_in()
    mine, theirs = guest.add_patient(someone), other.add_patient(someone)
    visit(guest, mine, new_session())
    firm(control, other, theirs, new_session(fee_fen=0, date="2026-11-26"))
    firm(control, guest, mine, new_session(fee_fen=0))
    refused(book(guest, mine["id"], new_session(fee_fen=0)), "too_many_on_trust")
    control.advance(3 * 86400)  # its day is over
    guest.sign_in()
    assert book(guest, mine["id"], new_session(fee_fen=0, date="2026-11-27")).status_code == 201


def test_places_on_trust_that_are_cancelled_are_given_up(
        control: Control, guest: Phone, ill: dict[str, Any], on_trust: dict[str, Any], policy: Change) -> None:
    policy(given_up_places_per_account_and_day=2)
    for _ in range(2):
        made = firm(control, guest, ill, on_trust)
        guest.call("POST", f"booking/bookings/{made}/cancellation")
        control.settle()
        assert guest.booking(made)["state"] == "CANCELLED"
    refused(book(guest, ill["id"], on_trust), "too_many_given_up")


def test_places_count_as_given_up_from_when_they_were_however_long_ago_they_were_taken(
        control: Control, guest: Phone, ill: dict[str, Any], new_session: Open, policy: Change) -> None:
    policy(given_up_places_per_account_and_day=2)
    sessions = [new_session(fee_fen=0, date="2026-11-26") for _ in range(3)]
    made = [firm(control, guest, ill, one) for one in sessions[:2]]
    control.advance(25 * 3600)
    guest.sign_in()
    for one in made:
        guest.call("POST", f"booking/bookings/{one}/cancellation")
    control.settle()
    wait = refused(book(guest, ill["id"], sessions[2]), "too_many_given_up")
    assert 86400 - 600 < wait <= 86400
    control.advance(wait)
    guest.sign_in()
    assert book(guest, ill["id"], sessions[2]).status_code == 201


def test_what_the_hospital_cancels_nobody_has_given_up(
        control: Control, guest: Phone, ill: dict[str, Any], on_trust: dict[str, Any], policy: Change,
        trade: Callable[[str], dict[str, Any]]) -> None:
    policy(given_up_places_per_account_and_day=1)
    made = firm(control, guest, ill, on_trust)
    control("POST", f"/his/registrations/{trade(made)['trade_no']}/end-at-desk")
    control.settle()
    assert guest.booking(made)["state"] == "CANCELLED"
    assert book(guest, ill["id"], on_trust).status_code == 201
