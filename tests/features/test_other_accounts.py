"""One account never sees or touches another's patients, registrations, consents: every route has a case."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import pytest
from api_routes import APIS, DOORS, PRIVATE, Door, named

from sandbox.people import person
from sandbox.phone import Control, Phone

# What anybody may read or do: nothing of it belongs to an account.
PUBLIC = {
    "POST account/sessions", "GET booking/departments", "GET booking/days", "GET booking/days/<day>/departments",
    "GET booking/sessions", "GET booking/sessions/<schedule_id>/slots", "GET booking/doctors",
    "GET booking/doctors/<doctor_id>", "POST pay_callback/notices/payment", "POST pay_callback/notices/refund"}

Owner = dict[str, Any]
Case = Callable[[Phone, Owner], tuple[int, Any]]


def ask(method: str, path: str, **more: Any) -> Case:
    """The stranger asks for what is the owner's; ``{patient}`` and ``{booking}`` stand for the owner's ids."""
    def run(stranger: Phone, owner: Owner) -> tuple[int, Any]:
        body = more.get("body")
        answer = stranger.raw(method, path.format(**owner["ids"]), body(stranger, owner) if body else None,
                              key=secrets.token_hex(16))
        return answer.status_code, answer.json() if answer.content else None
    return run


def code(_: Phone, owner: Owner) -> dict[str, Any]:
    return {"code": owner["phone"].phone_code()}  # even with a code of the owner's own phone


CASES: dict[str, tuple[Case, int]] = {
    "DELETE account/sessions/current": (ask("DELETE", "account/sessions/current"), 204),
    "GET account/me": (ask("GET", "account/me"), 200),
    "POST account/phone": (ask("POST", "account/phone", body=lambda me, _: {"code": me.phone_code()}), 200),
    "GET account/message-templates": (ask("GET", "account/message-templates?scene=booking"), 200),
    "GET account/patients": (ask("GET", "account/patients"), 200),
    "POST account/patients": (ask("POST", "account/patients", body=lambda me, _: {
        **person(), "phone": me.number, "relation": "SELF",
        "consents": [{"purpose": "HEALTH_DATA", "version": 1}]}), 201),
    "GET account/patients/<patient_id>": (ask("GET", "account/patients/{patient}"), 404),
    "POST account/patients/<patient_id>/reveal": (ask("POST", "account/patients/{patient}/reveal", body=code), 404),
    "PUT account/patients/<patient_id>/default": (ask("PUT", "account/patients/{patient}/default"), 404),
    "DELETE account/patients/<patient_id>": (ask("DELETE", "account/patients/{patient}"), 404),
    "GET account/consents": (ask("GET", "account/consents"), 200),
    "POST account/consents": (ask("POST", "account/consents", body=lambda _, owner: {
        "patient_id": owner["ids"]["patient"], "purpose": "HEALTH_DATA", "version": 1}), 404),
    "POST account/consents/withdrawal": (ask("POST", "account/consents/withdrawal", body=lambda _, owner: {
        "patient_id": owner["ids"]["patient"], "purpose": "HEALTH_DATA"}), 404),
    "GET booking/doctors/seen": (ask("GET", "booking/doctors/seen"), 200),
    "POST booking/bookings": (ask("POST", "booking/bookings", body=lambda _, owner: {
        "patient_id": owner["ids"]["patient"], "schedule_id": owner["session"]["id"],
        "fee_fen": owner["session"]["fee_fen"]}), 404),
    "POST booking/bookings/<booking_id>/payment": (ask("POST", "booking/bookings/{held}/payment"), 404),
    "POST booking/bookings/<booking_id>/cancellation": (ask("POST", "booking/bookings/{booking}/cancellation"), 404),
    "GET booking/bookings": (ask("GET", "booking/bookings"), 200),
    "GET booking/bookings/<booking_id>": (ask("GET", "booking/bookings/{booking}"), 404),
}


@pytest.fixture(scope="module")
def owner(world: Control, ward: dict[str, Any]) -> Owner:
    """An account with a patient, a confirmed registration and a held place."""
    phone = Phone(world).sign_in()
    patient, child = phone.add_patient(person(), relation="SELF"), phone.add_patient(person())
    booking = phone.book(patient["id"], ward)["id"]
    phone.thumb(phone.open_payment(booking))
    world.settle()
    return {"phone": phone, "session": ward, "ids": {
        "patient": patient["id"], "booking": booking, "held": phone.book(child["id"], ward)["id"]}}


def state(owner: Owner) -> list[Any]:
    """Everything of the owner's."""
    return [owner["phone"].call("GET", path) for path in (
        "account/me", "account/patients", "account/consents", "booking/bookings", "booking/doctors/seen")]


def test_every_route_is_public_on_purpose_or_has_a_case() -> None:
    assert {str(door) for door in DOORS if door.route.public} == PUBLIC
    assert {str(door) for door in PRIVATE} == set(CASES)
    assert len(APIS) == 3


@pytest.mark.parametrize("door", PRIVATE, ids=named)
def test_another_account_neither_sees_nor_touches_what_is_mine(guest: Phone, owner: Owner, door: Door) -> None:
    case, expected = CASES[str(door)]
    before = state(owner)
    assert before[3]["bookings"][-1]["state"] == "CONFIRMED"
    status, content = case(guest, owner)
    assert status == expected
    if status == 404:
        assert set(content) == {"error"}
        assert content["error"]["code"] in ("patient_not_found", "booking_not_found")
    shown = str(content)
    assert [one for one in owner["ids"].values() if one in shown] == []
    assert owner["phone"].number not in shown
    assert state(owner) == before


@pytest.mark.parametrize("door", PRIVATE, ids=named)
def test_unknown_and_another_accounts_are_answered_alike(guest: Phone, owner: Owner, door: Door) -> None:
    case, expected = CASES[str(door)]
    nobody = {**owner, "ids": dict.fromkeys(owner["ids"], "0" * 26)}
    _, theirs = case(guest, owner)
    if expected != 404:
        assert "error" not in str(theirs)
        return
    status, unknown = case(guest, nobody)
    assert status == 404
    assert [unknown["error"][name] for name in ("code", "message")] == [
        theirs["error"][name] for name in ("code", "message")]


def test_the_same_patient_in_two_accounts_keeps_each_ones_phone_consents_and_registrations_apart(
        control: Control, guest: Phone, ward: dict[str, Any]) -> None:
    someone, other = person(), Phone(control).sign_in()
    mine, theirs = guest.add_patient(someone), other.add_patient(someone)
    assert mine["id"] == theirs["id"]
    assert mine["phone"][-4:] == guest.number[-4:] != theirs["phone"][-4:] == other.number[-4:]
    booked = guest.book(mine["id"], ward)["id"]
    assert other.call("GET", "booking/bookings")["bookings"] == []
    assert other.raw("POST", f"booking/bookings/{booked}/cancellation").status_code == 404
    other.call("POST", "account/consents/withdrawal", {"patient_id": theirs["id"], "purpose": "HEALTH_DATA"})
    assert guest.call("GET", f"account/patients/{mine['id']}")["consents_missing"] == []
    other.call("DELETE", f"account/patients/{theirs['id']}")
    assert guest.call("GET", f"account/patients/{mine['id']}")["id"] == mine["id"]
