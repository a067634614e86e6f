"""The sandbox's WeChat Pay, seen by the real client library."""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections import deque
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest
import requests
import wechatpayv3.utils
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from flask import Flask
from wechatpayv3 import WeChatPayType

from sandbox.clock import Clock
from sandbox.faults import Fault, Faults
from sandbox.system import World
from sandbox.wechatpay import WeChatPay
from sandbox.wechatpay.models import written

MERCHANT, SERIAL = "1900000001", "5157F09EFDC096DE15EBE81A47057A7232F1B8E1"
APP_ID, OPENID = "wx-app", "o-patient"
KEY_ID, API_KEY = "PUB_KEY_ID_0119000000012026000000000001", "0123456789abcdef0123456789abcdef"
Answer = tuple[int, dict[str, Any]]


def keypair() -> tuple[str, str]:
    """Private and public key as PEM."""
    key = rsa.generate_private_key(65537, 2048)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return secret.decode(), public.decode()


OURS, THEIRS = keypair(), keypair()


class Receiver(ThreadingHTTPServer):
    """Our side's callback endpoint: keeps what came and answers ``answers`` in turn, then 204."""

    request_queue_size = 64  # a storm comes all at once

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _ReceiverHandler)
        self.came: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        self.url = f"http://127.0.0.1:{self.server_port}/pay/notice"


class _ReceiverHandler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Receiver)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.came.append((dict(self.headers), body))
        probe = self.headers["Wechatpay-Signature"].startswith("WECHATPAY/SIGNTEST/")
        self.send_response(401 if probe else self.server.answers.pop(0) if self.server.answers else 204)
        self.end_headers()

    def log_message(self, *args: Any) -> None: ...


@pytest.fixture
def pay(monkeypatch: pytest.MonkeyPatch) -> Iterator[WeChatPay]:
    system = WeChatPay(
        World(Clock(), Faults(), deque()), app_id=APP_ID, merchant_id=MERCHANT, merchant_serial=SERIAL,
        merchant_public_key_pem=OURS[1], platform_private_key_pem=THEIRS[0], public_key_id=KEY_ID,
        api_v3_key=API_KEY,
    )
    system.serve()
    # The library reads the machine's clock; here it lives in sandbox time, as the functions do.
    monkeypatch.setattr(wechatpayv3.utils, "time", SimpleNamespace(time=system.clock.timestamp))
    yield system
    system.stop()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def client(pay: WeChatPay, receiver: Receiver) -> Any:
    library = wechatpayv3.WeChatPay(
        WeChatPayType.MINIPROG, MERCHANT, OURS[0], SERIAL, APP_ID, API_KEY, receiver.url,
        public_key=THEIRS[1], public_key_id=KEY_ID, timeout=10,
    )
    library._core._gate_way = pay.address
    return library


@pytest.fixture
def control(pay: WeChatPay) -> Any:
    app = Flask("control")
    app.register_blueprint(pay.control, url_prefix="/wechatpay")
    return app.test_client()


def order(client: Any, number: str = "ORDER-0001", fen: int = 1500, **more: Any) -> Answer:
    status, text = client.pay("挂号费", number, {"total": fen, "currency": "CNY"}, {"openid": OPENID}, **more)
    return status, json.loads(text)


def slip(client: Any, prepay_id: str, **changes: Any) -> dict[str, Any]:
    stamp, nonce, package = "1700000000", secrets.token_hex(8), f"prepay_id={prepay_id}"
    return {"openid": OPENID, "appId": APP_ID, "timeStamp": stamp, "nonceStr": nonce, "package": package,
            "signType": "RSA", "paySign": client.sign([APP_ID, stamp, nonce, package]), **changes}


def paid(client: Any, control: Any, number: str = "ORDER-0001", **changes: Any) -> dict[str, Any]:
    prepay_id = order(client, number)[1]["prepay_id"]
    answer = control.post(f"/wechatpay/prepay/{prepay_id}/pay", json=slip(client, prepay_id, **changes))
    assert answer.status_code == 200, answer.json
    return dict(answer.json)


def refund(client: Any, number: str = "R-1", fen: int = 1500, **more: Any) -> Answer:
    status, text = client.refund(
        out_refund_no=number, amount={"refund": fen, "total": 1500, "currency": "CNY"},
        out_trade_no=more.pop("out_trade_no", "ORDER-0001"), **more)
    return status, json.loads(text)


def settle(control: Any) -> dict[str, Any]:
    answer = dict(control.post("/wechatpay/notices/settle", json={"timeout": 5}).json)
    assert answer["settled"]
    return answer


# -- orders -------------------------------------------------------------------------------------
def test_an_order_can_be_created_paid_and_queried(
    client: Any, control: Any, receiver: Receiver
) -> None:
    status, made = order(client, attach="visit-7")
    assert status == 200
    before = json.loads(client.query(out_trade_no="ORDER-0001")[1])
    assert (before["trade_state"], before["attach"]) == ("NOTPAY", "visit-7")
    answer = control.post(f"/wechatpay/prepay/{made['prepay_id']}/pay", json=slip(client, made["prepay_id"]))
    number = answer.json["transaction_id"]
    after = json.loads(client.query(transaction_id=number)[1])
    assert after["trade_state"] == "SUCCESS" and after["payer"] == {"openid": OPENID}
    assert after["amount"] == {"total": 1500, "payer_total": 1500, "currency": "CNY", "payer_currency": "CNY"}
    settle(control)
    head, body = receiver.came[0]
    notice = client.callback(head, body)
    assert notice["event_type"] == "TRANSACTION.SUCCESS" and notice["resource"] == after
    assert control.get("/wechatpay/notices").json[0]["done"]


def test_the_same_order_again_gives_a_fresh_prepay_and_another_one_is_refused(
    client: Any, control: Any
) -> None:
    first, second = order(client)[1]["prepay_id"], order(client)[1]["prepay_id"]
    assert first != second
    assert order(client, fen=1600) == (400, {"code": "INVALID_REQUEST",
                                             "message": "请求重入时,参数与首次请求时不一致"})
    control.post(f"/wechatpay/prepay/{first}/pay", json=slip(client, first))
    assert order(client)[1]["code"] == "ORDERPAID"
    again = control.post(f"/wechatpay/prepay/{second}/pay", json=slip(client, second))
    assert again.status_code == 409


def test_a_closed_order_cannot_be_paid_and_a_paid_one_not_closed(client: Any, control: Any) -> None:
    prepay_id = order(client)[1]["prepay_id"]
    assert client.close("ORDER-0001")[0] == 204
    assert client.close("ORDER-0001")[0] == 204
    assert order(client)[1]["code"] == "ORDER_CLOSED"
    url = f"/wechatpay/prepay/{prepay_id}/pay"
    assert control.post(url, json=slip(client, prepay_id)).status_code == 409
    control.post("/wechatpay/orders/ORDER-0001/force-pay")
    assert client.close("ORDER-0001")[0] == 400
    assert control.get("/wechatpay/orders/ORDER-0001").json["late"] is True
    assert client.close("ORDER-NONE")[0] == 404


@pytest.mark.parametrize("wrong", [
    {"openid": "o-other"}, {"paySign": "AAAA"}, {"timeStamp": "1700000001"}, {"appId": "wx-other"},
    {"signType": "MD5"}, {"package": "prepay_id=other"},
])
def test_the_thumb_pays_only_what_we_signed_for_this_person(
    client: Any, control: Any, wrong: dict[str, str]
) -> None:
    prepay_id = order(client)[1]["prepay_id"]
    answer = control.post(f"/wechatpay/prepay/{prepay_id}/pay", json=slip(client, prepay_id, **wrong))
    assert answer.status_code in (400, 403)
    assert control.get("/wechatpay/orders").json[0]["state"] == "NOTPAY"


def test_after_the_deadline_only_forced_money_comes(
    pay: WeChatPay, client: Any, control: Any
) -> None:
    deadline = written(pay.clock.now() + timedelta(minutes=5))
    prepay_id = order(client, time_expire=deadline)[1]["prepay_id"]
    pay.clock.advance(timedelta(minutes=6))
    url = f"/wechatpay/prepay/{prepay_id}/pay"
    assert control.post(url, json=slip(client, prepay_id)).status_code == 409
    assert json.loads(client.query(out_trade_no="ORDER-0001")[1])["trade_state"] == "NOTPAY"
    assert control.post(url, json=slip(client, prepay_id, force=True)).status_code == 200
    assert control.get("/wechatpay/orders/ORDER-0001").json["late"] is True


# -- refunds ------------------------------------------------------------------------------------
def test_a_refund_is_accepted_then_settled_in_sandbox_time_and_announced(
    pay: WeChatPay, client: Any, control: Any, receiver: Receiver
) -> None:
    transaction_id = paid(client, control)["transaction_id"]
    settle(control)
    status, made = refund(client, notify_url=receiver.url)
    assert (status, made["status"], made["transaction_id"]) == (200, "PROCESSING", transaction_id)
    assert json.loads(client.query(out_trade_no="ORDER-0001")[1])["trade_state"] == "REFUND"
    assert len(control.get("/wechatpay/notices").json) == 1  # nothing to tell yet
    pay.clock.advance(timedelta(seconds=3))
    assert json.loads(client.query_refund("R-1")[1])["status"] == "SUCCESS"
    settle(control)
    notice = client.callback(*receiver.came[-1])
    assert notice["event_type"] == "REFUND.SUCCESS" and notice["resource"]["refund_status"] == "SUCCESS"
    assert refund(client, notify_url=receiver.url)[1]["status"] == "SUCCESS"  # the same refund, not a second
    view = control.get("/wechatpay/orders/ORDER-0001").json
    assert (view["refunded_fen"], len(view["refunds"])) == (1500, 1)


def test_refunds_keep_the_documented_rules(pay: WeChatPay, client: Any, control: Any) -> None:
    order(client)
    assert refund(client) == (404, {"code": "RESOURCE_NOT_EXISTS", "message": "订单不存在"})  # not paid
    prepay_id = order(client)[1]["prepay_id"]
    control.post(f"/wechatpay/prepay/{prepay_id}/pay", json=slip(client, prepay_id))
    assert client.query_refund("R-1")[0] == 404
    assert refund(client, fen=500)[0] == 200
    assert refund(client, fen=600)[1]["code"] == "INVALID_REQUEST"
    assert refund(client, "R-2", 500)[1]["code"] == "FREQUENCY_LIMITED"
    pay.clock.advance(timedelta(seconds=61))
    assert refund(client, "R-2", 1001)[1]["code"] == "INVALID_REQUEST"
    control.post("/wechatpay/balance", json={"enough": False})
    assert refund(client, "R-2", 1000)[1]["code"] == "NOT_ENOUGH"
    control.post("/wechatpay/balance", json={"enough": True})
    assert refund(client, "R-2", 1000)[0] == 200
    paid(client, control, "ORDER-0002")
    pay.clock.advance(timedelta(days=366))
    assert refund(client, "R-3", out_trade_no="ORDER-0002")[1]["code"] == "INVALID_REQUEST"


@pytest.mark.parametrize("outcome", ["ABNORMAL", "CLOSED"])
def test_a_refund_can_go_wrong_on_demand(
    pay: WeChatPay, client: Any, control: Any, receiver: Receiver, outcome: str
) -> None:
    control.post("/wechatpay/refunds/policy", json={"delay_seconds": 0, "outcome": outcome, "times": 1})
    paid(client, control)
    assert refund(client, notify_url=receiver.url)[1]["status"] == outcome
    settle(control)
    assert sorted(client.callback(*came)["event_type"] for came in receiver.came) == [
        f"REFUND.{outcome}", "TRANSACTION.SUCCESS"]
    pay.clock.advance(timedelta(seconds=61))
    again = refund(client, "R-2")
    assert again[0] == (200 if outcome == "CLOSED" else 400)  # a closed refund gives its money back


# -- notices ------------------------------------------------------------------------------------
def test_a_refused_notice_is_repeated_on_the_schedule_as_time_advances(
    pay: WeChatPay, client: Any, control: Any, receiver: Receiver
) -> None:
    receiver.answers = [500, 500]
    paid(client, control)
    settle(control)
    assert len(receiver.came) == 1
    pay.clock.advance(timedelta(seconds=15))
    settle(control)
    assert len(receiver.came) == 2
    receiver.answers = [500] * 100
    pay.clock.advance(timedelta(hours=25))
    settle(control)
    assert len(receiver.came) == 16  # the first and fifteen repetitions, then no more
    assert len({json.loads(body)["id"] for _, body in receiver.came}) == 1
    assert len({head["Wechatpay-Nonce"] for head, _ in receiver.came}) == 16


def test_what_falls_due_goes_out_by_itself(
    pay: WeChatPay, client: Any, control: Any, receiver: Receiver
) -> None:
    paid(client, control, notify=False)
    control.post("/wechatpay/refunds/policy", json={"delay_seconds": 3600})
    refund(client, notify_url=receiver.url)
    pay.clock.advance(timedelta(hours=1))
    end = time.monotonic() + 5
    while not receiver.came and time.monotonic() < end:
        time.sleep(0.01)
    assert client.callback(*receiver.came[0])["event_type"] == "REFUND.SUCCESS"


def test_an_accepted_notice_is_not_repeated_unless_ordered(
    pay: WeChatPay, client: Any, control: Any, receiver: Receiver
) -> None:
    paid(client, control, copies=3)
    settle(control)
    pay.clock.advance(timedelta(hours=1))
    settle(control)
    assert len(receiver.came) == 3
    wish = {"out_trade_no": "ORDER-0001", "copies": 16, "shuffle": True}
    replayed = control.post("/wechatpay/notices/replay", json=wish).json
    assert [delivery["status"] for delivery in replayed["deliveries"]] == [204] * 16
    number = control.get("/wechatpay/notices").json[0]["id"]
    control.post(f"/wechatpay/notices/{number}/redeliver", json={"copies": 2})
    assert len(receiver.came) == 21


def test_notices_can_be_lost_held_and_come_later(
    client: Any, control: Any, receiver: Receiver
) -> None:
    paid(client, control, "ORDER-0001", notify=False)
    control.post("/wechatpay/notices/mode", json={"drop": True})
    paid(client, control, "ORDER-0002")
    control.post("/wechatpay/notices/mode", json={"drop": False, "hold": True})
    paid(client, control, "ORDER-0003")
    assert settle(control)["held"] == 1
    assert receiver.came == []
    control.post("/wechatpay/notices/mode", json={"hold": False})
    settle(control)
    notices = [client.callback(*came)["resource"]["out_trade_no"] for came in receiver.came]
    assert notices == ["ORDER-0003"]
    assert [notice["lost"] for notice in control.get("/wechatpay/notices").json] == [True, True, False]


def test_a_probe_carries_a_signature_that_does_not_verify(
    client: Any, control: Any, receiver: Receiver
) -> None:
    assert control.post("/wechatpay/probes", json={"notify_url": receiver.url}).json == {"status": 401}
    head, body = receiver.came[0]
    assert head["Wechatpay-Signature"].startswith("WECHATPAY/SIGNTEST/")
    assert client.callback(head, body) is None


def test_an_endpoint_that_is_down_counts_as_no_answer(client: Any, control: Any) -> None:
    client._notify_url = "http://127.0.0.1:9/pay/notice"
    paid(client, control)
    assert settle(control)["later"] == 1
    assert control.get("/wechatpay/notices").json[0]["deliveries"][0]["status"] is None


# -- faults -------------------------------------------------------------------------------------
def test_a_call_cut_after_its_effect_has_had_it(pay: WeChatPay, client: Any, control: Any) -> None:
    pay.world.faults.add(Fault("wechatpay", "close_order", "cut_after"))
    order(client)
    with pytest.raises(requests.ConnectionError):
        client.close("ORDER-0001")
    assert control.get("/wechatpay/orders/ORDER-0001").json["state"] == "CLOSED"
    refusal = {"code": "NO_AUTH", "status": 403}
    pay.world.faults.add(Fault("wechatpay", "create_order", "refuse", params=refusal))
    assert order(client, "ORDER-0002") == (403, {"code": "NO_AUTH", "message": "refused on demand"})
    assert {line["operation"] for line in pay.world.journal} == {"create_order", "close_order"}
