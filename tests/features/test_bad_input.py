"""Wrong input at every endpoint: a 4xx with a code, a Chinese sentence and a request id; never a 500, nothing lost."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
import requests
from api_routes import DOORS, PRIVATE, WITH_BODY, Door, named
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.people import person
from sandbox.phone import Control, Phone

EVIL = ["' OR '1'='1", "\"; DROP TABLE bookings; --", "<script>alert(1)</script>", "\x00", "a\x00b", "😀", "%s%n",
        "{{7*7}}", "${jndi:ldap://x}", "../../etc/passwd", "\u202e", "\ufeff", "1\n2", "\u0130"]
BODIES = {
    "nothing": b"", "half": b"{", "no json": b"fee=1&x=2", "array": b"[]", "null": b"null", "text": b'"x"',
    "number": b"1e999", "not a number": b'{"a": NaN}', "not utf-8": b'{"code": "\xff\xfe"}', "nul": b"\x00",
    "nul inside": b'{"code": "\\u0000"}', "lone surrogate": b'{"code": "\\ud83d"}', "twice": b"{} {}",
    "deep array": b"[" * 30_000, "deep object": b'{"a":' * 8_000,
    "deep inside": b'{"code": ' + b"[" * 9_000 + b"]" * 9_000 + b"}", "long key": b'{"' + b"k" * 9000 + b'": 1}',
    "unknown field": b'{"is_admin": true}', "gzip": b"\x1f\x8b\x08\x00garbage", "bom": "\ufeff{}".encode(),
    "big number": b'{"fee_fen": ' + b"9" * 5000 + b"}"}


def check(answer: requests.Response, *wanted: int) -> dict[str, Any]:
    """The error of an answer, which must be one that a client can show and support can find."""
    assert 400 <= answer.status_code < 500, (answer.status_code, answer.text[:300])
    if wanted:
        assert answer.status_code in wanted, answer.text[:300]
    assert answer.headers["Content-Type"] == "application/json"
    content = answer.json()
    assert set(content) == {"error"}
    error: dict[str, Any] = content["error"]
    assert re.fullmatch(r"[a-z_]{3,40}", error["code"])
    assert re.search(r"[\u4e00-\u9fff]{4}", error["message"]), error
    assert error["request_id"] == answer.headers["X-Request-Id"]
    assert re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{26}", error["request_id"])
    return error


@pytest.fixture(scope="module")
def account(world: Control) -> tuple[Phone, str]:
    """A signed-in phone and the patient bound to it."""
    phone = Phone(world).sign_in()
    return phone, str(phone.add_patient(person(), relation="SELF")["id"])


@pytest.fixture
def guest(control: Control, account: tuple[Phone, str]) -> Iterator[Phone]:
    """The phone of this module; its account has the same after each test as before."""
    def everything() -> list[Any]:
        return [account[0].call("GET", path) for path in ("account/me", "account/patients", "account/consents",
                                                          "booking/bookings", "billing/payments")]
    before = everything()
    yield account[0]
    assert everything() == before


def send(phone: Phone, door: Door, data: bytes, **headers: str) -> requests.Response:
    return phone.raw(door.route.method, door.path(), data=data, key=secrets.token_hex(16),
                     headers={"Content-Type": "application/json", **headers})


# -- bodies -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("door", WITH_BODY, ids=named)
def test_a_body_that_is_none_is_refused(guest: Phone, door: Door) -> None:
    for name, data in BODIES.items():
        readable = name == "nul inside"  # a code like any other: WeChat does not know it
        error = check(send(guest, door, data), *((400, 401, 404, 422) if readable else (400, 422)))
        assert readable or error["code"] in ("malformed_json", "invalid"), name


@pytest.mark.parametrize("door", WITH_BODY, ids=named)
def test_a_field_of_a_wrong_type_is_named_or_its_request_refused(guest: Phone, door: Door) -> None:
    fields = list(door.route.takes["body"].model_fields)
    for name in fields:
        for value in (None, True, -1, 1.5, "", [[]], {"a": {}}, "x" * 20_000, *EVIL[::3]):
            check(send(guest, door, json.dumps({name: value}).encode()), 400, 401, 404, 422)
        check(send(guest, door, f'{{"{name}": "\\ud800"}}'.encode()), 400, 422)


@pytest.mark.parametrize("door", [door for door in DOORS if door in WITH_BODY
                                  or door.function in ("pay_callback", "his_events")], ids=named)
def test_a_huge_body_is_refused_wherever_a_body_is_read(guest: Phone, door: Door) -> None:
    assert check(send(guest, door, b'{"code": "' + b"a" * (64 * 1024) + b'"}'), 413)["code"] == "too_large"


@pytest.mark.parametrize("door", WITH_BODY, ids=named)
def test_a_huge_body_without_a_length_is_refused_too(guest: Phone, door: Door) -> None:
    answer = guest.raw(door.route.method, door.path(), data=(b"a" * 8192 for _ in range(20)))
    assert check(answer, 413)["code"] == "too_large"


@pytest.mark.parametrize("door", WITH_BODY, ids=named)
def test_no_body_of_any_shape_breaks_a_route(guest: Phone, account: tuple[Phone, str], door: Door) -> None:
    model = door.route.takes["body"]
    leaf = (st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.sampled_from(EVIL)
            | st.sampled_from(["SELF", "ID_CARD", "HEALTH_DATA", "0" * 26, "a" * 64, account[1], "2026-02-30"]))
    value = st.recursive(leaf, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["name", "id_type", "id_number", "purpose", "version"]), inner, max_size=4), max_leaves=6)
    # one name is misspelt, so that none of these can be a request that succeeds
    bodies = st.fixed_dictionaries({"codex": leaf}, optional=dict.fromkeys(model.model_fields, value))

    @settings(max_examples=15, derandomize=True, deadline=None, database=None,
              suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
    @given(bodies)
    def refuse(body: dict[str, Any]) -> None:
        check(send(guest, door, json.dumps(body).encode()), 400, 422)

    refuse()


@pytest.mark.parametrize("text", [*EVIL, "张\ud83d"])
def test_sql_html_and_strange_characters_are_no_name(guest: Phone, text: str) -> None:
    body = {**person(), "name": text, "phone": "13800000000", "relation": "OTHER",
            "consents": [{"purpose": "HEALTH_DATA", "version": 2}]}
    answer = guest.raw("POST", "account/patients", data=json.dumps(body).encode())
    error = check(answer, 400, 422)
    assert text not in answer.text or (text.isascii() and len(text) < 3)
    assert error.get("fields", ["name"]) == ["name"]


# -- addresses --------------------------------------------------------------------------------------
@pytest.mark.parametrize("door", [door for door in DOORS if door.ids], ids=named)
def test_an_id_that_is_none_is_not_found(guest: Phone, account: tuple[Phone, str], door: Door) -> None:
    honest = {"/proof": {}, "/rating": {"stars": 1}, "/reopening": {"text": "还是没有解决。"},
              "/survey": {"version": 1, "answers": {"overall": 5, "doctor": 5}}, "/<kind>": {"wanted": True},
              "/move": {"schedule_id": "0" * 26, "slot_id": "0" * 26, "fee_fen": 2500}}
    body = (next((one for end, one in honest.items() if str(door).endswith(end)), {"code": "x"})
            if "body" in door.route.takes else None)
    query = {"patient_id": account[1]} if "query" in door.route.takes else None
    query = {"sequence": "1"} if str(door).endswith("/trend") else query
    for text in ("0" * 26, "x", "-1", "ffffffffffffffffffffffffffffffff", "0" * 2000, "%ff%fe", "%ED%A0%80",
                 *(quote(one, safe="") for one in EVIL if not set(one) & set("/\n"))):
        answer = guest.raw(door.route.method, door.path(**dict.fromkeys(door.ids, text)), body,
                           key=secrets.token_hex(16), params=query)
        error = check(answer, 400, 404)
        assert answer.status_code == 404 or error["code"] == "wechat_code_invalid", text


@pytest.mark.parametrize(("path", "status"), [
    ("booking/nowhere", 404), ("booking/", 404), ("booking", 404), ("account/patients/a/b/c", 404),
    ("booking/bookings/%00", 404), ("account/patients/%2e%2e%2fme", 404), ("booking/days/2026-13-45/departments", 404),
    ("booking/days/today/departments", 404), ("booking/days/0/departments", 404)])
def test_an_address_that_is_none_is_not_found(guest: Phone, path: str, status: int) -> None:
    check(guest.raw("GET", path), status)


@pytest.mark.parametrize("door", DOORS, ids=named)
def test_a_method_that_an_address_has_not_is_refused(guest: Phone, door: Door) -> None:
    have = {other.route.method for other in DOORS if other.function == door.function
            and other.path() == door.path()}
    for method in {"GET", "POST", "PUT", "DELETE", "PATCH"} - have:
        assert guest.raw(method, door.path()).status_code in (404, 405)
    check(guest.raw("PATCH", door.path()), 405)


@pytest.mark.parametrize("door", [door for door in DOORS if "query" in door.route.takes], ids=named)
def test_a_query_that_is_none_is_refused_or_finds_nothing(guest: Phone, door: Door) -> None:
    check(guest.raw("GET", door.path(), params={"unheard_of": "1"}), 422)
    for name in door.route.takes["query"].model_fields:
        for text in (*EVIL, "x" * 1500, "\ud83d".encode("utf-8", "surrogatepass"), "null", "[]"):
            answer = guest.raw("GET", door.path(), params={name: text})
            if not (name == "q" and answer.json() == {"doctors": []}):
                check(answer, 404, 422)


@pytest.mark.parametrize("path", ["booking/bookings", "billing/payments", "invoice/invoices", "messages/inbox"])
def test_every_kind_of_wrong_page_is_refused(guest: Phone, path: str) -> None:
    for before in ("x", "-1", "0" * 25, "0" * 27, "I" * 26, "😀" * 26):
        assert check(guest.raw("GET", path, params={"before": before}), 422)["fields"] == ["before"]


# -- who asks ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("door", PRIVATE, ids=named)
def test_without_a_session_every_private_route_is_closed_whatever_is_sent(control: Control, door: Door) -> None:
    phone = Phone(control)
    for token, data in (("", b""), (secrets.token_urlsafe(32), b"{"), ("x" * 5000, b"{}"), ("' OR 1=1 --" * 3, b""),
                        ("", b"a" * 70_000), ("", b"")):
        headers = {"Authorization": f"Bearer {token}", "X-Client-Secret": "s" * 43} if token else {}
        error = check(phone.raw(door.route.method, door.path(), data=data, headers=headers), 401)
        assert error["code"] == "unauthorized"


@pytest.fixture
def late(control: Control, policy: Callable[..., None]) -> Phone:
    """A phone whose session has ended by itself."""
    policy(session_hours=1)
    phone = Phone(control).sign_in()
    control.advance(3601)
    return phone


def test_after_its_end_a_session_opens_no_private_route(late: Phone) -> None:
    for door in PRIVATE:
        check(late.raw(door.route.method, door.path(), key=secrets.token_hex(16)), 401)


@pytest.mark.parametrize("path", ["payment", "refund"])
def test_a_notice_that_is_not_wechats_is_refused(control: Control, path: str) -> None:
    phone = Phone(control)
    for data in (b"", b"{}", b"\xff", b'{"id": "EV-1", "event_type": "TRANSACTION.SUCCESS", "resource": {}}'):
        for headers in ({}, {"Wechatpay-Timestamp": "x"}, {
                "Wechatpay-Timestamp": "1795390200", "Wechatpay-Nonce": "n", "Wechatpay-Signature": "c2ln",
                "Wechatpay-Serial": "PUB_KEY_ID_TEST_0000000001"}):
            answer = phone.raw("POST", f"pay_callback/notices/{path}", data=data, headers=headers)
            assert check(answer, 403)["code"] == "signature_invalid"
