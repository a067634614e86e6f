"""The hospital information system (HIS), by the contract in ``docs/his-contract.yaml``."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from datetime import date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from urllib.parse import quote, urlencode

from pydantic import BaseModel, ConfigDict, ValidationError

from hospital.gateways.outcome import Rejected, Unanswered
from hospital.runtime.clock import BEIJING
from hospital.runtime.cloud import secret
from hospital.runtime.config import config

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager

CONNECT_SECONDS = 2.0
READ_SECONDS = 6.0
LIST_SECONDS = 20.0
CLOCK_SKEW = 300  # seconds by which an answer's timestamp may differ

TradeState = Literal["LOCKED", "EXPIRED", "UNLOCKED", "CONFIRMED", "SETTLED", "CANCELLED"]
AnswerT = TypeVar("AnswerT", bound="Answer")


class Answer(BaseModel):
    """What the HIS answers; fields that we don't read are ignored, so it may add some."""

    model_config = ConfigDict(extra="ignore", defer_build=True, frozen=True)


class Department(Answer):
    """A second-level department of the HIS, with its 诊疗科目 code."""

    code: str
    name: str
    parent_code: str
    parent_name: str
    specialty_code: str
    introduction: str = ""
    location: str = ""


class Doctor(Answer):
    """A doctor, who may sit in several departments."""

    code: str
    name: str
    sex: str = ""
    title: str
    department_codes: list[str]
    introduction: str = ""
    expertise: str = ""
    employed: bool = True


class Slot(Answer):
    """One place: one patient at one time."""

    code: str
    number: int
    starts_at: datetime
    ends_at: datetime
    state: Literal["FREE", "TAKEN"]


class Schedule(Answer):
    """One session of one doctor in one department; ``fee_fen`` is the whole registration fee."""

    code: str
    department_code: str
    doctor_code: str
    date: date
    period: Literal["MORNING", "AFTERNOON", "EVENING"]
    kind: Literal["ORDINARY", "EXPERT", "SPECIAL"]
    fee_fen: int
    starts_at: datetime
    ends_at: datetime
    state: Literal["OPEN", "STOPPED"]
    clinic_room: str = ""
    slots: list[Slot] = []


class MatchedPatient(Answer):
    """The HIS's own record of a person."""

    patient_code: str
    card_number: str
    created: bool


class Trade(Answer):
    """What became of a trade number: a registration's or a bill's."""

    trade_no: str
    state: TradeState
    registration_code: str | None = None  # none for a number that was killed before it was used
    paid_fen: int | None = None
    transaction_id: str | None = None
    settled_at: datetime | None = None
    refund_fen: int = 0
    cancelled_at: datetime | None = None
    # a registration's
    visit_number: int | str | None = None
    location: str | None = None
    clinic_room: str | None = None
    checked_in: bool = False
    checked_in_at: datetime | None = None
    queue_number: str | None = None
    queue_place: str | None = None
    ahead: int | None = None
    late: bool | None = None
    # a bill's
    settlement_no: str | None = None
    pharmacy_window: str | None = None


class _Departments(Answer):
    departments: list[Department]


class _Doctors(Answer):
    doctors: list[Doctor]


class _Schedules(Answer):
    schedules: list[Schedule]
    next_cursor: str | None = None


# -- master data ------------------------------------------------------------------------------------
def departments() -> list[Department]:
    """Every department. Raises Unanswered."""
    return get("/departments", _Departments).departments


def doctors() -> list[Doctor]:
    """Every doctor. Raises Unanswered."""
    return get("/doctors", _Doctors).doctors


def schedules(first: date, last: date, *, schedule: str = "") -> list[Schedule]:
    """The sessions of some hospital days with their slots; of one ``schedule`` when given.

    A ``schedule`` that the HIS does not know is none. Raises Unanswered.
    """
    found: list[Schedule] = []
    cursor: str | None = None
    while True:
        query = {"from": first.isoformat(), "to": last.isoformat(), "limit": "200"}
        if schedule:
            query["schedule"] = schedule
        if cursor:
            query["cursor"] = cursor
        try:
            page = get(f"/schedules?{urlencode(query)}", _Schedules)
        except Rejected as refusal:
            if refusal.code == "SCHEDULE_UNKNOWN":
                return []
            raise
        found += page.schedules
        cursor = page.next_cursor
        if cursor is None:
            return found


def match_patient(*, id_type: str, id_number: str, name: str, sex: str, birth_date: date, phone: str,
                  guardian: dict[str, str] | None) -> MatchedPatient:
    """Find the person's record or create it; key is (id_type, id_number).

    Raises Rejected (PATIENT_MISMATCH: the name is another), Unanswered.
    """
    body: dict[str, Any] = {"id_type": id_type, "id_number": id_number, "name": name, "sex": sex,
                            "birth_date": birth_date.isoformat(), "phone": phone}
    if guardian:
        body["guardian"] = guardian
    return post("/patients/match-or-create", body, MatchedPatient)


# -- registration -----------------------------------------------------------------------------------
def lock_registration(trade_no: str, *, slot_code: str, patient_code: str, fee_fen: int,
                      hold_until: datetime) -> Trade:
    """Take a place for ``trade_no`` until ``hold_until``; the same request again gives the same answer.

    Raises Rejected (SLOT_TAKEN, SCHEDULE_STOPPED, FEE_CHANGED, DUPLICATE_REGISTRATION, TRADE_CLOSED, …),
    Unanswered.
    """
    return post("/registrations/lock", {
        "trade_no": trade_no, "slot_code": slot_code, "patient_code": patient_code, "fee_fen": fee_fen,
        "hold_until": moment_text(hold_until)}, Trade)


def unlock_registration(trade_no: str) -> Trade:
    """Give a place back. After this answers, nothing takes effect under the number any more.

    Raises Rejected (ALREADY_CONFIRMED, ALREADY_CANCELLED), Unanswered.
    """
    return post("/registrations/unlock", {"trade_no": trade_no}, Trade)


def confirm_registration(trade_no: str, *, transaction_id: str | None, paid_fen: int,
                         paid_at: datetime | None) -> Trade:
    """Make the registration firm, paid by WeChat or (no ``transaction_id``) to be paid at check-in.

    Raises Rejected (LOCK_EXPIRED, TRADE_CLOSED, SCHEDULE_STOPPED, AMOUNT_MISMATCH, …), Unanswered.
    """
    payment: dict[str, Any] = {"mode": "AT_CHECKIN"}
    if transaction_id and paid_at:
        payment = {"mode": "PREPAID", **payment_part(transaction_id, paid_fen, paid_at)}
    return post("/registrations/confirm", {"trade_no": trade_no, "payment": payment}, Trade)


def cancel_registration(trade_no: str, *, reason: str, refund_fen: int) -> Trade:
    """Cancel a firm registration.

    Raises Rejected (ALREADY_CHECKED_IN, SESSION_STARTED, NOT_CONFIRMED, …), Unanswered.
    """
    return post("/registrations/cancel",
                 {"trade_no": trade_no, "reason": reason, "refund_fen": refund_fen}, Trade)


def check_in(trade_no: str, *, payment: dict[str, Any] | None) -> Trade:
    """The patient has arrived; ``payment`` (see :func:`payment_part`) when the fee is paid with it.

    Raises Rejected (CHECKIN_TOO_EARLY, SESSION_OVER, SCHEDULE_STOPPED, NOT_CONFIRMED, PAYMENT_REQUIRED,
    PAYMENT_CONFLICT, …), Unanswered.
    """
    return post("/registrations/check-in", {"trade_no": trade_no, **({"payment": payment} if payment else {})}, Trade)


def payment_part(transaction_id: str, paid_fen: int, paid_at: datetime) -> dict[str, Any]:
    """The part of a WeChat payment that pays for one trade."""
    return {"channel": "WECHAT", "transaction_id": transaction_id, "paid_fen": paid_fen,
            "paid_at": moment_text(paid_at)}


def check_trade(trade_no: str) -> Trade | None:
    """What became of a trade number; None when the HIS has never seen it. Raises Unanswered."""
    try:
        return get(f"/trades/{quote(trade_no, safe='')}", Trade)
    except Rejected as refusal:
        if refusal.code == "TRADE_UNKNOWN":
            return None
        raise Unanswered(f"trade check: {refusal.code}") from None


# -- the wire ---------------------------------------------------------------------------------------
def sign(key: str, *parts: str) -> str:
    """Lower hex HMAC-SHA256 over the parts, one a line."""
    return hmac.new(key.encode(), "\n".join(parts).encode(), hashlib.sha256).hexdigest()


def moment_text(moment: datetime) -> str:
    """As the HIS writes times."""
    return moment.astimezone(BEIJING).isoformat(timespec="seconds")


def get(path: str, answer: type[AnswerT], seconds: float | None = None) -> AnswerT:
    """Read; waits ``seconds`` for an answer, or as long as such a read may take. Raises Rejected, Unanswered."""
    return _call("GET", path, b"", answer, seconds or (
        LIST_SECONDS if "?" in path or path in ("/departments", "/doctors") else READ_SECONDS))


def post(path: str, body: dict[str, Any], answer: type[AnswerT]) -> AnswerT:
    """Write. Raises Rejected, Unanswered."""
    return _call("POST", path, json.dumps(body, ensure_ascii=False).encode(), answer, READ_SECONDS)


def _call(method: str, path: str, body: bytes, answer: type[AnswerT], seconds: float) -> AnswerT:
    from urllib3 import Timeout
    from urllib3.exceptions import HTTPError, NewConnectionError

    settings = config()
    key = secret(settings.his_key_secret)
    target = f"/his/v1{path}"
    timestamp, nonce = str(int(time.time())), secrets.token_hex(16)
    headers = {
        "Content-Type": "application/json", "X-His-Client": settings.his_client_id,
        "X-His-Timestamp": timestamp, "X-His-Nonce": nonce,
        "X-His-Signature": sign(key, method, target, timestamp, nonce, hashlib.sha256(body).hexdigest()),
    }
    try:
        response = _pool().request(method, settings.his_base + target, body=body, headers=headers,
                                   timeout=Timeout(connect=CONNECT_SECONDS, read=seconds), retries=False,
                                   redirect=False)
        content = response.data
    except NewConnectionError as error:
        raise Unanswered(f"his: {type(error).__name__}", sent=False) from None
    except HTTPError as error:
        raise Unanswered(f"his: {type(error).__name__}") from None
    return _read(response, content, key, nonce, answer)


def _read(response: BaseHTTPResponse, content: bytes, key: str, nonce: str, answer: type[AnswerT]) -> AnswerT:
    given = response.headers
    timestamp = given.get("X-His-Timestamp", "")
    expected = sign(key, str(response.status), timestamp, nonce, hashlib.sha256(content).hexdigest())
    if not (hmac.compare_digest(given.get("X-His-Signature", ""), expected)
            and timestamp.isdecimal() and abs(time.time() - int(timestamp)) <= CLOCK_SKEW):
        raise Unanswered(f"his: status {response.status} without a valid signature")
    if response.status >= 500 or response.status == 401:
        # 401 is about our clock or nonce, not about the business: an earlier copy may have taken effect.
        raise Unanswered(f"his: status {response.status}")
    try:
        if response.status >= 400:
            refusal = json.loads(content)
            raise Rejected(str(refusal["code"]), str(refusal.get("message", "")))
        return answer.model_validate_json(content)
    except (ValidationError, ValueError, KeyError, TypeError) as error:
        raise Unanswered(f"his: unreadable answer ({type(error).__name__})") from None


@lru_cache(maxsize=1)
def _pool() -> PoolManager:
    from urllib3 import PoolManager

    return PoolManager(num_pools=4, maxsize=32)
