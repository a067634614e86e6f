"""WeChat Pay v3: orders, refunds, notices. Amounts are fen; times are aware.

wechatpayv3 in public-key mode, so that constructing it calls nobody. Wrapped, because by itself it
takes any timestamp on a notice, fetches certificates for any serial number it is shown, and reports a
bad signature as None or a bare Exception.
"""

from __future__ import annotations

import json
import threading
import time
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from msgspec import Struct

from hospital.gateways import wechatpay_read
from hospital.gateways.outcome import Rejected, Unanswered
from hospital.gateways.wechatpay_read import Order, Refund, Unreadable
from hospital.runtime.clock import BEIJING
from hospital.runtime.cloud import secret
from hospital.runtime.config import config

if TYPE_CHECKING:
    from wechatpayv3.core import Core
    from werkzeug.datastructures import Headers

TIMEOUT = (2.0, 6.0)  # seconds to connect, to read
_building = threading.Lock()
FRESH = 300  # seconds a notice's timestamp may differ
UNKNOWN_ORDER = {"ORDER_NOT_EXIST", "ORDERNOTEXIST", "RESOURCE_NOT_EXISTS"}
BUSY_CODES = {"SYSTEM_ERROR", "SYSTEMERROR", "BANK_ERROR"}  # "try again with the same number": unknown


class Notice(Struct, frozen=True):
    """A notice, checked and opened. ``kind`` is its event type; one of order and refund is set."""

    id: str
    kind: str
    order: Order | None
    refund: Refund | None


class NotGenuine(Exception):
    """A notice that is stale, not signed by WeChat Pay, or no notice at all. ``reason`` is for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def create_order(*, out_trade_no: str, description: str, total_fen: int, openid: str, expires_at: datetime
                 ) -> str:
    """Open a JSAPI order (or, with the same values, a fresh way to pay it). Returns the prepay_id.

    Raises Rejected (ORDERPAID, ORDER_CLOSED, INVALID_REQUEST, …), Unanswered.
    """
    settings = config()
    answer = _call("POST", "/v3/pay/transactions/jsapi", {
        "appid": settings.wechat_app_id, "mchid": settings.wechatpay_merchant_id,
        "description": description, "out_trade_no": out_trade_no,
        "time_expire": expires_at.astimezone(BEIJING).isoformat(timespec="seconds"),
        "notify_url": f"{settings.notify_base}/notices/payment",
        "amount": {"total": total_fen, "currency": "CNY"}, "payer": {"openid": openid}})
    return _field(answer, "prepay_id")


def payment_parameters(prepay_id: str) -> dict[str, str]:
    """What ``wx.requestPayment`` needs: signed over appid, time, nonce and package, four lines."""
    from secrets import token_hex

    app_id, timestamp, nonce = config().wechat_app_id, str(int(time.time())), token_hex(16)
    package = f"prepay_id={prepay_id}"
    return {"appId": app_id, "timeStamp": timestamp, "nonceStr": nonce, "package": package,
            "signType": "RSA", "paySign": str(_core().sign([app_id, timestamp, nonce, package]))}


def query_order(out_trade_no: str) -> Order | None:
    """The order, or None when WeChat does not know it. Raises Unanswered, also for what can't be read."""
    try:
        order = _order(_call("GET", f"/v3/pay/transactions/out-trade-no/{quote(out_trade_no, safe='')}"
                                    f"?mchid={config().wechatpay_merchant_id}"))
    except Rejected as refusal:
        if refusal.code in UNKNOWN_ORDER:
            return None
        raise Unanswered(f"wechatpay query: {refusal.code}") from None
    except Unreadable as problem:
        raise Unanswered(f"wechatpay query: {problem.reason}") from None
    if order.out_trade_no != out_trade_no:
        raise Unanswered("wechatpay query: names another order")
    return order


def close_order(out_trade_no: str) -> None:
    """Close an unpaid order: after this nobody can pay it. Raises Rejected (ORDERPAID), Unanswered."""
    _call("POST", f"/v3/pay/transactions/out-trade-no/{quote(out_trade_no, safe='')}/close",
          {"mchid": config().wechatpay_merchant_id})


def create_refund(*, out_trade_no: str, out_refund_no: str, refund_fen: int, total_fen: int, reason: str
                  ) -> Refund:
    """Ask for a refund; an answer means accepted, no more. Repeat only with the same out_refund_no.

    Raises Rejected (NOT_ENOUGH, USER_ACCOUNT_ABNORMAL, INVALID_REQUEST, RESOURCE_NOT_EXISTS,
    FREQUENCY_LIMITED, …), Unanswered.
    """
    return _answered(_call("POST", "/v3/refund/domestic/refunds", {
        "out_trade_no": out_trade_no, "out_refund_no": out_refund_no, "reason": reason,
        "notify_url": f"{config().notify_base}/notices/refund",
        "amount": {"refund": refund_fen, "total": total_fen, "currency": "CNY"}}), out_refund_no)


def query_refund(out_refund_no: str) -> Refund | None:
    """The refund, or None when WeChat does not know it. Raises Unanswered."""
    try:
        return _answered(_call("GET", f"/v3/refund/domestic/refunds/{quote(out_refund_no, safe='')}"), out_refund_no)
    except Rejected as refusal:
        if refusal.code == "RESOURCE_NOT_EXISTS":
            return None
        raise Unanswered(f"wechatpay refund query: {refusal.code}") from None


def open_notice(headers: Headers, body: bytes) -> Notice:
    """Check a notice for freshness and signature over its raw bytes, then decrypt and read it.

    Raises NotGenuine; also for probes (``WECHATPAY/SIGNTEST/…``), whose signature never fits. Raises Unreadable for
    a genuine one that does not say what it should, or is of a kind that we don't know.
    """
    try:
        text = body.decode()
        fresh = abs(time.time() - int(headers.get("Wechatpay-Timestamp", "0"))) <= FRESH
    except (ValueError, OverflowError):
        raise NotGenuine("not text, or a timestamp that is none") from None
    if not fresh:
        raise NotGenuine("stale timestamp")
    if headers.get("Wechatpay-Serial") != config().wechatpay_public_key_id:
        raise NotGenuine("signed with another key")
    # Only the headers that are signed, in one spelling: the library looks at several.
    signed = {name: headers.get(name, "") for name in (
        "Wechatpay-Signature", "Wechatpay-Timestamp", "Wechatpay-Nonce", "Wechatpay-Serial")}
    signed["Wechatpay-Signature-Type"] = headers.get("Wechatpay-Signature-Type") or "WECHATPAY2-SHA256-RSA2048"
    core = _core()  # outside the try: no secret is no forgery
    try:
        opened = core.callback(signed, text)
    except Exception as error:  # noqa: BLE001 - the library raises bare ones for every kind of nonsense
        raise NotGenuine(f"unreadable: {type(error).__name__}") from None
    if not opened:
        raise NotGenuine("signature or ciphertext does not verify")
    resource, kind = opened.get("resource"), _plain(opened.get("event_type"))
    if kind.startswith("TRANSACTION."):
        return Notice(_plain(opened.get("id")), kind, _order(resource), None)
    if kind.startswith("REFUND."):
        return Notice(_plain(opened.get("id")), kind, None, _refund(resource))
    raise Unreadable("cannot read a field: event_type", resource)


# -- the wire ---------------------------------------------------------------------------------------
def _order(content: object) -> Order:
    return wechatpay_read.order(content, app_id=config().wechat_app_id, merchant_id=config().wechatpay_merchant_id)


def _refund(content: object) -> Refund:
    return wechatpay_read.refund(content, merchant_id=config().wechatpay_merchant_id)


def _answered(content: object, out_refund_no: str) -> Refund:
    try:
        refund = _refund(content)
    except Unreadable as problem:
        raise Unanswered(f"wechatpay refund: {problem.reason}") from None
    if refund.out_refund_no != out_refund_no:
        raise Unanswered("wechatpay refund: names another refund")
    return refund


def _plain(told: object) -> str:
    """A short word fit for a log; empty when it is none."""
    return told if isinstance(told, str) and len(told) <= 64 and told.isascii() and told.isprintable() else ""


def _field(answer: dict[str, Any], name: str) -> str:
    if not (isinstance(answer.get(name), str) and answer[name]):
        raise Unanswered(f"wechatpay: answer without {name}")
    return str(answer[name])


def _call(method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    import requests
    from wechatpayv3.type import RequestType

    try:
        status, text = _core().request(path, RequestType[method], body)
    except requests.ConnectionError as error:
        raise Unanswered(f"wechatpay: {type(error).__name__}",
                         sent="NewConnectionError" not in repr(error)) from None
    except requests.RequestException as error:
        raise Unanswered(f"wechatpay: {type(error).__name__}") from None
    except Exception as error:  # noqa: BLE001 - the library's bare Exception: an answer whose signature does not verify
        raise Unanswered(f"wechatpay: unverified answer ({type(error).__name__})") from None
    try:
        answer = json.loads(text) if text else {}
    except ValueError:
        raise Unanswered(f"wechatpay: status {status}, unreadable") from None
    if 200 <= status < 300 and isinstance(answer, dict):
        return answer
    code = str(answer.get("code", "")) if isinstance(answer, dict) else ""
    if status >= 500 or not code or code in BUSY_CODES:
        raise Unanswered(f"wechatpay: status {status} {code}")
    raise Rejected(code, str(answer.get("message", "")))


def _core() -> Core:
    with _building:  # a cold instance's threads would each load the private key
        return _built()


@lru_cache(maxsize=1)
def _built() -> Core:
    from wechatpayv3.core import Core

    settings = config()
    core = Core(
        mchid=settings.wechatpay_merchant_id, cert_serial_no=settings.wechatpay_cert_serial,
        private_key=secret(settings.wechatpay_private_key_secret),
        apiv3_key=secret(settings.wechatpay_api_v3_key_secret), timeout=TIMEOUT,
        public_key=secret(settings.wechatpay_public_key_secret),
        public_key_id=settings.wechatpay_public_key_id)
    core._gate_way = settings.wechatpay_base
    return core
