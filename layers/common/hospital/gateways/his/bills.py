"""Outpatient bills, and the codes that lead to them on paper."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from datetime import datetime, timezone
from typing import Annotated, Any, Literal
from urllib.parse import quote

from pydantic import ValidationError

from hospital.gateways.his.wire import (
    BILLS_SECONDS,
    Answer,
    Code,
    Fen,
    Legible,
    LocalMoment,
    NotGenuine,
    Odd,
    Price,
    Quantity,
    Whole,
    Words,
    get,
    get_as,
    read_json,
    read_row,
)
from hospital.gateways.outcome import Rejected, Unanswered
from hospital.runtime.cloud import secret
from hospital.runtime.config import config

QR_MAC_BYTES = 16

BillState = Literal["UNPAID", "PAID", "CANCELLED", "REFUNDED", "PARTLY_REFUNDED"]


class BillItem(Answer):
    """One thing that a doctor ordered. ``amount_fen`` is what it costs: quantity and unit price are only shown."""

    item_no: Whole
    code: Words = ""
    name: Annotated[str, Legible]
    specification: Words = ""
    unit: Words = ""
    quantity: Quantity
    unit_price_fen: Price
    amount_fen: Fen
    executing_department_code: Words = ""
    executing_department_name: Words = ""
    executing_place: Words = ""
    insurance_class: Words = ""
    executed: bool = False


class Bill(Answer):
    """A bill as it is now; ``version`` rises with every change of its items."""

    bill_no: Code
    patient_code: Code
    kind: str  # PRESCRIPTION, EXAMINATION, LABORATORY, TREATMENT, or one that we have not heard of: shown as 其他
    department_name: Words = ""
    doctor_name: Words = ""
    created_at: LocalMoment
    pay_before: LocalMoment
    version: Whole
    total_fen: Fen
    state: BillState
    paid_by: str | None = None
    locked_by_trade: str | None = None
    visit_trade_no: str | None = None  # the registration that it was ordered in, if that was made here
    items: list[BillItem]


class ScannedCode(Answer):
    """A genuine code of a prescription."""

    bill_no: Code
    patient_code: Code
    expires_at: datetime


class _Bills(Answer):
    bills: list[Any]


class _GoodBills(Answer):
    bills: list[Bill]


def unpaid_bills(patient_code: str) -> list[Bill | Odd]:
    """Every bill the patient has to pay, complete and as of this moment. Raises Rejected, Unanswered."""
    path = f"/patients/{quote(patient_code, safe='')}/bills?state=UNPAID"
    return get_as(path, read_bills, BILLS_SECONDS)


def read_bills(content: bytes) -> list[Bill | Odd]:
    """A list of bills: read at once, and row by row where one of them can't be read. Raises ValidationError."""
    try:
        return list(_GoodBills.model_validate_json(content).bills)
    except ValidationError:
        return [read_row(row, Bill, "bill_no") for row in read_json(content, _Bills).bills]


def bill(bill_no: str) -> Bill | None:
    """One bill; None when it does not exist. Raises Unanswered."""
    try:
        return get(f"/bills/{quote(bill_no, safe='')}", Bill, BILLS_SECONDS)
    except Rejected as refusal:
        if refusal.code == "BILL_UNKNOWN":
            return None
        raise Unanswered(f"his bill: {refusal.code}") from None


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
