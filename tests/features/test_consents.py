"""Consents: a version per purpose, given, withdrawn, outdated; without one in force nothing is booked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import pytest

from sandbox.people import id_number, person
from sandbox.phone import Control, Phone, Refused
from tests.opened import account_of

Ask = Callable[..., list[tuple[Any, ...]]]
HEALTH = {"purpose": "HEALTH_DATA", "version": 2}


def refused(call: Callable[[], Any]) -> tuple[int, str | None, list[str]]:
    with pytest.raises(Refused) as refusal:
        call()
    return refusal.value.status, refusal.value.code, refusal.value.error.get("fields", [])


@pytest.fixture
def new_text(sql: Ask) -> Iterator[Callable[[str, str], None]]:
    """``new_text(purpose, effective_at)``: version 3 of a text, from a moment (UTC) on."""
    def publish(purpose: str, effective_at: str) -> None:
        sql("INSERT INTO consent_texts (purpose, version, title, body, effective_at) "
            "VALUES (%s, 3, '新版', '新版正文', %s)", (purpose, effective_at))

    yield publish
    sql("DELETE FROM consent_texts WHERE version > 2")


def test_the_texts_in_force_are_shown_with_what_was_consented_to(guest: Phone, ill: dict[str, Any]) -> None:
    shown = guest.call("GET", "account/consents")
    assert [(one["purpose"], one["version"]) for one in shown["texts"]] == [("CHILD_GUARDIAN", 2), ("HEALTH_DATA", 2)]
    assert all(one["title"] and len(one["body"]) > 50 for one in shown["texts"])
    assert [(one["patient_id"], one["purpose"], one["version"], one["withdrawn_at"]) for one in shown["given"]] == [
        (ill["id"], "HEALTH_DATA", 2, None)]


@pytest.mark.parametrize("consents", [
    [], [{"purpose": "CHILD_GUARDIAN", "version": 2}], [{"purpose": "HEALTH_DATA", "version": 3}]])
def test_nobody_is_added_without_consent_to_the_text_in_force(guest: Phone, consents: list[dict[str, Any]]) -> None:
    assert refused(lambda: guest.add_patient(person(), consents=consents)) == (
        403, "consent_required", ["HEALTH_DATA"])


def test_consent_to_a_text_that_does_not_exist_is_refused(guest: Phone) -> None:
    consents = [HEALTH, {"purpose": "HEALTH_DATA", "version": 99}]
    assert refused(lambda: guest.add_patient(person(), consents=consents)) == (422, "invalid", ["consents"])


def test_after_withdrawal_booking_is_refused_until_consent_is_given_again(
        guest: Phone, ill: dict[str, Any], ward: dict[str, Any]) -> None:
    assert ill["consents_missing"] == []
    withdrawal = {"patient_id": ill["id"], "purpose": "HEALTH_DATA"}
    assert guest.call("POST", "account/consents/withdrawal", withdrawal) is None
    assert guest.call("GET", f"account/patients/{ill['id']}")["consents_missing"] == ["HEALTH_DATA"]
    assert refused(lambda: guest.book(ill["id"], ward)) == (403, "consent_required", ["HEALTH_DATA"])
    assert refused(lambda: guest.call("POST", "account/consents/withdrawal", withdrawal))[:2] == (
        404, "consent_not_found")
    assert guest.call("POST", "account/consents", {"patient_id": ill["id"], **HEALTH}) is None
    assert guest.book(ill["id"], ward)["state"] == "HELD"
    given = guest.call("GET", "account/consents")["given"]
    assert [one["withdrawn_at"] is None for one in given] == [True, False]  # newest first; the old one is kept


def test_consenting_twice_is_one_consent(guest: Phone, ill: dict[str, Any]) -> None:
    guest.call("POST", "account/consents", {"patient_id": ill["id"], **HEALTH})
    assert len(guest.call("GET", "account/consents")["given"]) == 1


def test_a_new_version_binds_from_its_day_on_and_needs_new_consent(
        guest: Phone, ill: dict[str, Any], ward: dict[str, Any], new_text: Callable[[str, str], None]) -> None:
    new_text("HEALTH_DATA", "2026-11-23 00:30:00")  # an hour from now
    held = guest.book(ill["id"], ward)
    guest.call("POST", f"booking/bookings/{held['id']}/cancellation")
    three = {"patient_id": ill["id"], "purpose": "HEALTH_DATA", "version": 3}
    assert refused(lambda: guest.call("POST", "account/consents", three))[:2] == (409, "consent_outdated")
    guest.control.advance(3605)
    assert refused(lambda: guest.book(ill["id"], ward)) == (403, "consent_required", ["HEALTH_DATA"])
    assert refused(lambda: guest.call("POST", "account/consents", {**three, "version": 2}))[:2] == (
        409, "consent_outdated")
    assert guest.call("GET", "account/patients")["patients"][0]["consents_missing"] == ["HEALTH_DATA"]
    guest.call("POST", "account/consents", three)
    assert guest.book(ill["id"], ward)["state"] == "HELD"


def test_for_a_child_the_guardians_consent_is_needed_too(guest: Phone, ward: dict[str, Any]) -> None:
    little = {**person(), "id_number": id_number(date(2019, 5, 5), False)}
    child = guest.add_patient({**little, "relation": "CHILD", "guardian": person()})
    guest.call("POST", "account/consents/withdrawal", {"patient_id": child["id"], "purpose": "CHILD_GUARDIAN"})
    assert refused(lambda: guest.book(child["id"], ward)) == (403, "consent_required", ["CHILD_GUARDIAN"])
    guest.call("POST", "account/consents", {"patient_id": child["id"], "purpose": "CHILD_GUARDIAN", "version": 2})
    assert guest.book(child["id"], ward)["state"] == "HELD"


def test_removing_a_patient_withdraws_what_was_consented_to(guest: Phone, ill: dict[str, Any],
                                                            ward: dict[str, Any]) -> None:
    guest.call("DELETE", f"account/patients/{ill['id']}")
    assert [one["withdrawn_at"] is None for one in guest.call("GET", "account/consents")["given"]] == [False]
    assert refused(lambda: guest.book(ill["id"], ward))[:2] == (404, "patient_not_found")


def test_giving_and_withdrawing_are_audited(control: Control, guest: Phone, ill: dict[str, Any], sql: Ask) -> None:
    guest.call("POST", "account/consents/withdrawal", {"patient_id": ill["id"], "purpose": "HEALTH_DATA"})
    guest.call("POST", "account/consents", {"patient_id": ill["id"], **HEALTH})
    account = account_of(control, sql, guest.openid)
    assert sql("SELECT actor, action, result FROM audit WHERE subject = %s AND action LIKE 'consent.%%' ORDER BY id",
               (ill["id"],)) == [(f"account:{account}", "consent.withdraw.HEALTH_DATA", "done"),
                                 (f"account:{account}", "consent.grant.HEALTH_DATA", "version 2")]
