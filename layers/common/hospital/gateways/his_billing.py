"""The HIS's outpatient money: bills, charges, the desk's refunds, lists for reconciliation, events, codes on paper.

By the contract in ``docs/his-contract.yaml``; signing and the wire are in ``his.py``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import time
from collections.abc import Iterator
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote, urlencode

from pydantic import ValidationError

from hospital.gateways import his
from hospital.gateways.outcome import Rejected, Unanswered
from hospital.runtime.cloud import secret
from hospital.runtime.config import config

if TYPE_CHECKING:
    from werkzeug.datastructures import Headers

BILLS_SECONDS = 3.0  # a patient is looking at the screen; last known bills are shown instead
EVENTS_CLIENT = "his"  # whom the contract lets push
QR_MAC_BYTES = 16

BillState = Literal["UNPAID", "PAID", "CANCELLED", "REFUNDED", "PARTLY_REFUNDED"]


class BillItem(his.Answer):
    """One thing that a doctor ordered. ``amount_fen`` = quantity × unit price."""

    item_no: int
    code: str
    name: str
    specification: str = ""
    unit: str
    quantity: int
    unit_price_fen: int
    amount_fen: int
    executing_department_name: str = ""
    executing_place: str = ""
    insurance_class: str = ""
    executed: bool = False


class Bill(his.Answer):
    """A bill as it is now; ``version`` rises with every change of its items."""

    bill_no: str
    patient_code: str
    kind: Literal["PRESCRIPTION", "EXAMINATION", "LABORATORY", "TREATMENT"]
    department_name: str
    doctor_name: str
    created_at: datetime
    pay_before: datetime
    version: int
    total_fen: int
    state: BillState
    paid_by: Literal["WECHAT", "DESK"] | None = None
    locked_by_trade: str | None = None
    items: list[BillItem]


class Refundability(his.Answer):
    """Whether a paid bill may be refunded on line now, and the codes of what speaks against it."""

    refundable: bool
    reasons: list[str]


class DeskRefundItem(his.Answer):
    """How much of a desk refund falls on one item."""

    item_no: int
    amount_fen: int


class DeskRefund(his.Answer):
    """A refund that the hospital's desk has begun, of the whole or a part of what a trade paid."""

    refund_no: str
    trade_no: str
    kind: Literal["REGISTRATION", "CHARGE"]
    amount_fen: int
    items: list[DeskRefundItem] = []
    created_at: datetime
    state: Literal["REQUESTED", "SUCCEEDED", "FAILED"]
    out_refund_no: str | None = None


class MoneyTrade(his.Answer):
    """A trade as the day's list of money has it."""

    trade_no: str
    kind: Literal["REGISTRATION", "CHARGE"]
    state: str
    paid_fen: int
    refund_fen: int
    settled_at: datetime | None
    cancelled_at: datetime | None


class Event(his.Answer):
    """What a push says: where to look, never what is true."""

    event_id: str
    type: str
    occurred_at: datetime
    patient_code: str
    bill_no: str | None = None
    refund_no: str | None = None
    trade_no: str | None = None


class ScannedCode(his.Answer):
    """A genuine code of a prescription."""

    bill_no: str
    patient_code: str
    expires_at: datetime


class _Bills(his.Answer):
    bills: list[Bill]


class _DeskRefunds(his.Answer):
    desk_refunds: list[DeskRefund]
    next_cursor: str | None = None


class _Trades(his.Answer):
    trades: list[MoneyTrade]
    next_cursor: str | None = None


class NotGenuine(Exception):
    """Not signed by the hospital, or not readable. ``reason`` is for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


# -- bills ------------------------------------------------------------------------------------------
def unpaid_bills(patient_code: str) -> list[Bill]:
    """Every bill the patient has to pay, complete and as of this moment. Raises Rejected, Unanswered."""
    path = f"/patients/{quote(patient_code, safe='')}/bills?state=UNPAID"
    return his.get(path, _Bills, BILLS_SECONDS).bills


def bill(bill_no: str) -> Bill | None:
    """One bill; None when it does not exist. Raises Unanswered."""
    try:
        return his.get(f"/bills/{quote(bill_no, safe='')}", Bill, BILLS_SECONDS)
    except Rejected as refusal:
        if refusal.code == "BILL_UNKNOWN":
            return None
        raise Unanswered(f"his bill: {refusal.code}") from None


# -- charges ----------------------------------------------------------------------------------------
def lock_charge(trade_no: str, *, bill_no: str, version: int, amount_fen: int, hold_until: datetime) -> None:
    """Take a bill to pay it; the same request again gives the same answer.

    Raises Rejected (BILL_PAID, BILL_CHANGED, BILL_LOCKED, BILL_CANCELLED, BILL_UNKNOWN, TRADE_CLOSED), Unanswered.
    """
    his.post("/charges/lock", {"trade_no": trade_no, "bill_no": bill_no, "version": version, "amount_fen": amount_fen,
                               "hold_until": his.moment_text(hold_until)}, his.Trade)


def unlock_charge(trade_no: str) -> None:
    """Let a bill go. After this answers, nothing takes effect under the number any more.

    Raises Rejected (ALREADY_SETTLED, ALREADY_CANCELLED), Unanswered.
    """
    his.post("/charges/unlock", {"trade_no": trade_no}, his.Trade)


def settle_charge(trade_no: str, *, transaction_id: str, paid_fen: int, paid_at: datetime) -> his.Trade:
    """The bill is paid, by its part of a WeChat payment.

    Raises Rejected (LOCK_EXPIRED, BILL_CANCELLED, BILL_CHANGED, TRADE_CLOSED, …), Unanswered.
    """
    return his.post("/charges/settle", {"trade_no": trade_no, "payment": his.payment_part(
        transaction_id, paid_fen, paid_at)}, his.Trade)


def cancel_charge(trade_no: str, *, reason: str, refund_fen: int) -> None:
    """Take a whole paid bill back.

    Raises Rejected (EXECUTED, INVOICE_ON_PAPER, PARTLY_REFUNDED, ALREADY_REFUNDED, …), Unanswered.
    """
    his.post("/charges/cancel", {"trade_no": trade_no, "reason": reason, "refund_fen": refund_fen}, his.Trade)


def refundability(trade_no: str) -> Refundability:
    """May it be refunded on line now? The cancel decides. Raises Rejected, Unanswered."""
    return his.get(f"/charges/{quote(trade_no, safe='')}/refundability", Refundability, BILLS_SECONDS)


# -- the desk's refunds -----------------------------------------------------------------------------
def desk_refund(refund_no: str) -> DeskRefund | None:
    """One refund of the desk's; None when the HIS does not know it. Raises Unanswered."""
    try:
        return his.get(f"/desk-refunds/{quote(refund_no, safe='')}", DeskRefund)
    except Rejected as refusal:
        if refusal.code == "REFUND_UNKNOWN":
            return None
        raise Unanswered(f"his desk refund: {refusal.code}") from None


def report_desk_refund(refund_no: str, *, out_refund_no: str, code: str = "") -> None:
    """Say that the money has gone back, or (with a ``code``) that it can't.

    Raises Rejected (RESULT_CONFLICT: another result is on file), Unanswered.
    """
    body = {"state": "SUCCEEDED", "out_refund_no": out_refund_no}
    if code:
        body |= {"state": "FAILED", "code": code}
    his.post(f"/desk-refunds/{quote(refund_no, safe='')}/result", body, DeskRefund)


# -- lists ------------------------------------------------------------------------------------------
def desk_refunds_of(day: date) -> Iterator[DeskRefund]:
    """The refunds that the desk began on a hospital day, with their state now. Raises Unanswered."""
    cursor = ""
    while True:
        page = his.get(f"/desk-refunds?{_query(day, cursor)}", _DeskRefunds)
        yield from page.desk_refunds
        if page.next_cursor is None:
            return
        cursor = page.next_cursor


def money_trades(day: date) -> Iterator[MoneyTrade]:
    """Every trade that the HIS wrote into its books, or took out, on a hospital day. Raises Unanswered."""
    cursor = ""
    while True:
        page = his.get(f"/trades?by=MONEY&{_query(day, cursor)}", _Trades)
        yield from page.trades
        if page.next_cursor is None:
            return
        cursor = page.next_cursor


def _query(day: date, cursor: str) -> str:
    return urlencode({"date": day.isoformat(), "limit": "200", **({"cursor": cursor} if cursor else {})})


# -- what comes from the hospital -------------------------------------------------------------------
def open_event(headers: Headers, body: bytes) -> Event:
    """Check a push for client, freshness and signature over its raw bytes, then read it. Raises NotGenuine.

    The signed path is that of our address as the hospital has it on file, whatever gateways made of it since.
    """
    timestamp, nonce = headers.get("X-His-Timestamp", ""), headers.get("X-His-Nonce", "")
    if headers.get("X-His-Client") != EVENTS_CLIENT:
        raise NotGenuine("another client")
    if not (re.fullmatch(r"[0-9]{1,12}", timestamp) and abs(time.time() - int(timestamp)) <= his.CLOCK_SKEW):
        raise NotGenuine("stale timestamp")
    if not re.fullmatch(r"[0-9A-Za-z_-]{16,64}", nonce):
        raise NotGenuine("no nonce")
    key = secret(config().his_key_secret)
    expected = his.sign(key, "POST", config().his_events_path, timestamp, nonce, hashlib.sha256(body).hexdigest())
    if not hmac.compare_digest(headers.get("X-His-Signature", "").encode(), expected.encode()):
        raise NotGenuine("signature does not verify")
    try:
        return Event.model_validate_json(body)
    except ValidationError:
        raise NotGenuine("unreadable") from None


def read_code(text: str) -> ScannedCode:
    """What the code on a prescription says, once its signature holds. Expiry is the caller's to judge.

    Raises NotGenuine.
    """
    match = re.fullmatch(r"(HQ1\.([0-9A-Za-z_-]{1,400}))\.([0-9A-Za-z_-]{1,64})", text)
    if match is None:
        raise NotGenuine("another form")
    mac = hmac.new(secret(config().his_qr_key_secret).encode(), match[1].encode(), hashlib.sha256).digest()
    if not hmac.compare_digest(_unpadded(mac[:QR_MAC_BYTES]), match[3]):
        raise NotGenuine("signature does not verify")
    try:
        content = json.loads(base64.urlsafe_b64decode(match[2] + "=" * (-len(match[2]) % 4)))
        return ScannedCode(bill_no=str(content["b"]), patient_code=str(content["p"]),
                           expires_at=datetime.fromtimestamp(int(content["e"]), timezone.utc))
    except (ValueError, KeyError, TypeError, OverflowError, OSError):
        raise NotGenuine("unreadable") from None


def _unpadded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
