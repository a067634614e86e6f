"""WeChat Pay takes only calls that are ours byte for byte and well formed, and signs whatever it answers."""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections import deque
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from sandbox.clock import Clock
from sandbox.faults import Faults
from sandbox.system import World
from sandbox.wechatpay import WeChatPay

MERCHANT, SERIAL = "1900000001", "5157F09EFDC096DE15EBE81A47057A7232F1B8E1"
KEY_ID = "PUB_KEY_ID_0119000000012026000000000001"
OURS, THEIRS = rsa.generate_private_key(65537, 2048), rsa.generate_private_key(65537, 2048)


@pytest.fixture(scope="module")
def pay() -> Iterator[WeChatPay]:
    public = OURS.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    private = THEIRS.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    system = WeChatPay(
        World(Clock(), Faults(), deque()), app_id="wx-app", merchant_id=MERCHANT, merchant_serial=SERIAL,
        merchant_public_key_pem=public.decode(), platform_private_key_pem=private.decode(),
        public_key_id=KEY_ID, api_v3_key="0123456789abcdef0123456789abcdef",
    )
    system.serve()
    yield system
    system.stop()


def signed(method: str, target: str, body: bytes, **changes: str) -> dict[str, str]:
    fields = {"mchid": MERCHANT, "nonce_str": secrets.token_hex(8), "timestamp": str(int(time.time())),
              "serial_no": SERIAL, **changes}
    message = f"{method}\n{target}\n{fields['timestamp']}\n{fields['nonce_str']}\n".encode() + body + b"\n"
    fields.setdefault("signature", base64.b64encode(
        OURS.sign(message, padding.PKCS1v15(), SHA256())).decode())
    pairs = ",".join(f'{name}="{value}"' for name, value in fields.items())
    return {"Authorization": f"WECHATPAY2-SHA256-RSA2048 {pairs}"}


def post(pay: WeChatPay, target: str, content: dict[str, Any]) -> requests.Response:
    body = json.dumps(content).encode()
    headers = {**signed("POST", target, body), "Wechatpay-Serial": KEY_ID}
    return requests.post(pay.address + target, data=body, headers=headers, timeout=5)


def assert_signed_by_platform(answer: requests.Response) -> None:
    head = answer.headers
    assert head["Wechatpay-Serial"] == KEY_ID
    message = f"{head['Wechatpay-Timestamp']}\n{head['Wechatpay-Nonce']}\n".encode() + answer.content + b"\n"
    THEIRS.public_key().verify(
        base64.b64decode(head["Wechatpay-Signature"]), message, padding.PKCS1v15(), SHA256())


CREATE = "/v3/pay/transactions/jsapi"
ORDER: dict[str, Any] = {
    "appid": "wx-app", "mchid": MERCHANT, "description": "挂号费", "out_trade_no": "ORDER-0001",
    "notify_url": "https://h.example/x", "amount": {"total": 1}, "payer": {"openid": "o-patient"},
}
TARGET = f"/v3/pay/transactions/out-trade-no/NONE-0001?mchid={MERCHANT}"


@pytest.mark.parametrize("changes", [
    {"mchid": "1900000002"}, {"serial_no": "00"}, {"signature": "AAAA"},
    {"timestamp": "-400"}, {"timestamp": "+400"},
])
def test_a_call_that_is_not_ours_or_not_fresh_is_refused(pay: WeChatPay, changes: dict[str, str]) -> None:
    if "timestamp" in changes:  # seconds from the moment of the call, which may be minutes after collection
        changes = {"timestamp": str(int(time.time()) + int(changes["timestamp"]))}
    answer = requests.get(pay.address + TARGET, headers=signed("GET", TARGET, b"", **changes), timeout=5)
    assert (answer.status_code, answer.json()["code"]) == (401, "SIGN_ERROR")
    assert_signed_by_platform(answer)


def test_one_changed_byte_or_a_second_use_is_refused(pay: WeChatPay) -> None:
    head = signed("GET", TARGET, b"")
    changed = requests.get(pay.address + TARGET.replace("0001", "0002", 1), headers=head, timeout=5)
    assert changed.status_code == 401
    assert requests.get(pay.address + TARGET, headers=head, timeout=5).status_code == 404
    assert requests.get(pay.address + TARGET, headers=head, timeout=5).status_code == 401
    assert requests.get(pay.address + TARGET, timeout=5).status_code == 401
    path, body = "/v3/pay/transactions/out-trade-no/NONE-0001/close", b'{"mchid":"1900000001"}'
    spaced = requests.post(pay.address + path, data=body.replace(b":", b": "), timeout=5,
                           headers=signed("POST", path, body))
    assert spaced.status_code == 401


def test_every_answer_is_signed_also_errors_and_empty_ones(pay: WeChatPay) -> None:
    close = "/v3/pay/transactions/out-trade-no/ORDER-0001/close"
    calls: list[tuple[str, dict[str, Any], int]] = [
        (CREATE, ORDER, 200), (CREATE, {}, 400), (close, {"mchid": MERCHANT}, 204), ("/v3/no", {}, 404)]
    for target, content, status in calls:
        answer = post(pay, target, content)
        assert answer.status_code == status
        assert_signed_by_platform(answer)


@pytest.mark.parametrize(("change", "field"), [
    ({"amount": {"total": 0}}, "/amount/total"), ({"amount": {"total": "15"}}, "/amount/total"),
    ({"amount": {"total": 1, "currency": "USD"}}, "/amount/currency"), ({"mchid": "19"}, "/mchid"),
    ({"out_trade_no": "short"}, "/out_trade_no"), ({"out_trade_no": "ORDER 0001"}, "/out_trade_no"),
    ({"notify_url": "http://example.com/x"}, "/notify_url"), ({"payer": {}}, "/payer/openid"),
    ({"notify_url": "https://example.com/x?a=1"}, "/notify_url"), ({"description": ""}, "/description"),
    ({"time_expire": "2026-11-23 08:00"}, "/time_expire"),
    ({"time_expire": "2020-01-01T00:00:00+08:00"}, "/time_expire"),
])
def test_a_wrong_order_is_refused_by_field(pay: WeChatPay, change: dict[str, Any], field: str) -> None:
    answer = post(pay, CREATE, {**ORDER, "out_trade_no": "ORDER-0002", **change})
    assert (answer.status_code, answer.json()["code"]) == (400, "PARAM_ERROR")
    assert answer.json()["detail"]["field"] == field


def test_an_encrypted_payer_identity_is_taken_again_though_its_cipher_differs(pay: WeChatPay) -> None:
    oaep = padding.OAEP(mgf=padding.MGF1(algorithm=SHA1()), algorithm=SHA1(), label=None)

    def create(number: str, name: str | None = None) -> tuple[int, str]:
        def cipher(text: str) -> str:
            return base64.b64encode(THEIRS.public_key().encrypt(text.encode(), oaep)).decode()
        identity = {"type": "IDCARD", "number": cipher(number), "name": name or cipher("张三")}
        payer = {"openid": "o-patient", "identity": identity}
        answer = post(pay, CREATE, {**ORDER, "out_trade_no": "ORDER-0003", "payer": payer})
        return answer.status_code, answer.json().get("code", "")

    assert [create("440300"), create("440300")] == [(200, ""), (200, "")]
    assert create("440301") == (400, "INVALID_REQUEST")
    assert create("440300", name="plain") == (400, "PARAM_ERROR")
