"""Signing in: codes, tokens bound to the client's secret, their end; the account's phone number."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from typing import Any

import pytest

from sandbox.people import person
from sandbox.phone import Control, Phone, Refused

Ask = Callable[..., list[tuple[Any, ...]]]
EXPIRED = "登录已失效，请重新进入小程序。"


def status(phone: Phone, **headers: str) -> int:
    return phone.raw("GET", "account/me", headers=headers).status_code


def test_a_login_code_becomes_a_session_of_the_configured_hours(guest: Phone) -> None:
    code = guest.control("POST", f"/wechat/phones/{guest.openid}/login-code")["code"]
    digest = hashlib.sha256(guest.secret.encode()).hexdigest()
    answer = guest.raw("POST", "account/sessions", {"code": code, "secret_hash": digest})
    assert answer.status_code == 201
    assert answer.json()["expires_at"][:16] == "2026-11-23T11:30"  # 12 hours, UTC
    assert answer.headers["Cache-Control"] == "no-store"
    assert guest.call("GET", "account/me") == {"phone": None, "patients": 0}


def test_the_same_person_has_one_account_in_every_session(guest: Phone, ill: dict[str, Any]) -> None:
    first = guest.token
    guest.sign_in()
    assert guest.token != first
    assert guest.call("GET", "account/patients")["patients"][0]["id"] == ill["id"]
    assert status(guest, Authorization=f"Bearer {first}") == 200


@pytest.mark.parametrize("shown", ["", "wrong", "x" * 43])
def test_a_token_without_its_secret_is_useless(guest: Phone, shown: str) -> None:
    answer = guest.raw("GET", "account/me", headers={"X-Client-Secret": shown})
    assert answer.status_code == 401
    assert answer.json()["error"]["message"] == EXPIRED


def test_a_secret_opens_only_its_own_session(control: Control, guest: Phone) -> None:
    other = Phone(control).sign_in()
    assert status(guest, **{"X-Client-Secret": other.secret}) == 401
    assert status(guest, Authorization=f"Bearer {other.token}") == 401


@pytest.mark.parametrize("shown", [
    "", "Bearer", "Bearer ", "Bearer short", "Basic {token}", "{token}", "Bearer {other}", "Bearer {token}x",
    "Bearer {long}", "Bearer ' OR 1=1 -- aaaaaaaaaaaa", "Bearer \xff\xfe{token}"])
def test_a_forged_or_malformed_token_is_refused_like_every_missing_caller(guest: Phone, shown: str) -> None:
    header = shown.format(token=guest.token, other=secrets.token_urlsafe(32), long="A" * 3000)
    answer = guest.raw("GET", "account/me", headers={"Authorization": header.encode("latin-1")})
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "unauthorized"
    assert answer.json()["error"]["message"] == EXPIRED


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer "])
def test_the_scheme_of_a_token_may_be_written_in_any_case(guest: Phone, scheme: str) -> None:
    assert status(guest, Authorization=f"{scheme} {guest.token}") == 200


def test_signing_out_ends_that_session_and_no_other(guest: Phone) -> None:
    first = guest.token
    guest.sign_in()
    assert guest.call("DELETE", "account/sessions/current") is None
    assert status(guest) == 401
    assert status(guest, Authorization=f"Bearer {first}") == 200


def test_a_session_ends_by_itself(control: Control, policy: Callable[..., None]) -> None:
    policy(session_hours=1)
    phone = Phone(control).sign_in()
    control.advance(3590)
    assert status(phone) == 200
    control.advance(20)
    assert status(phone) == 401
    assert status(phone.sign_in()) == 200


def test_a_login_code_works_once_and_for_five_minutes(control: Control, guest: Phone) -> None:
    digest = hashlib.sha256(b"secret").hexdigest()
    used, old = (control("POST", f"/wechat/phones/{guest.openid}/login-code")["code"] for _ in range(2))
    guest.call("POST", "account/sessions", {"code": used, "secret_hash": digest})
    control.advance(301)
    for code in (used, old, "no-such-code"):
        with pytest.raises(Refused) as refusal:
            guest.call("POST", "account/sessions", {"code": code, "secret_hash": digest})
        assert (refusal.value.status, refusal.value.code) == (401, "wechat_code_invalid")


@pytest.mark.parametrize(("errcode", "answer"), [
    ("40226", (403, "wechat_risk")), ("45011", (503, "unavailable")), ("-1", (503, "unavailable"))])
def test_wechats_own_refusals_are_told_apart(control: Control, errcode: str, answer: tuple[int, str]) -> None:
    control.fault("wechat", "code2session", "refuse", code=errcode)
    with pytest.raises(Refused) as refusal:
        Phone(control).sign_in()
    assert (refusal.value.status, refusal.value.code) == answer


def test_the_phone_number_comes_from_wechat_and_is_shown_masked(guest: Phone) -> None:
    shown = guest.number[:3] + "****" + guest.number[-4:]
    code = guest.phone_code()
    assert guest.call("POST", "account/phone", {"code": code}) == {"phone": shown, "patients": 0}
    assert guest.call("GET", "account/me")["phone"] == shown
    with pytest.raises(Refused) as refusal:
        guest.call("POST", "account/phone", {"code": code})
    assert (refusal.value.status, refusal.value.code) == (400, "wechat_code_invalid")


def test_a_revoked_wechat_token_is_renewed_without_the_patient_noticing(
        guest: Phone, wechat_token_ends: Callable[[int], None]) -> None:
    guest.call("POST", "account/phone", {"code": guest.phone_code()})
    for errcode in (40001, 42001):
        wechat_token_ends(errcode)
        assert guest.call("POST", "account/phone", {"code": guest.phone_code()})["phone"]


def test_the_database_has_neither_tokens_nor_people_in_plain_text(guest: Phone, sql: Ask) -> None:
    someone = person()
    guest.call("POST", "account/phone", {"code": guest.phone_code()})
    guest.add_patient(someone)
    plain = [guest.token, guest.secret, guest.number, someone["name"], someone["id_number"]]
    tables = ("accounts", "sessions", "patients", "bindings", "messages", "audit", "outbox", "consents")
    stored = b"\n".join(value if isinstance(value, bytes) else str(value).encode()
                        for table in tables for row in sql(f"SELECT * FROM {table}") for value in row)
    assert [one for one in plain if one.encode() in stored] == []
    assert hashlib.sha256(guest.token.encode()).digest() in stored
