"""The province's platform for fiscal e-bills (财政电子票据): issuing, reversing, asking, lists, the PDF.

Every answer is signed as requests are, and an answer whose signature is wrong is none.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from msgspec import Struct
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hospital.gateways.outcome import Rejected, Unanswered
from hospital.runtime.clock import BEIJING
from hospital.runtime.cloud import secret
from hospital.runtime.config import config

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager

REGISTRATION, OUTPATIENT = "01", "02"  # busType: codes of our own, as the platform has them on file
CONNECT_SECONDS = 2.0
READ_SECONDS = 10.0  # the platform draws a QR code before it answers
LIST_SECONDS = 20.0
PAGE = 200  # bills on one page of a list: as many as the platform gives
LONGEST_FILE = 5 * 1024 * 1024
LONGEST_YUAN = 9  # digits before the point
VERSION, SUCCESS, UNKNOWN_BILL = "1.0", "S0000", "E1004"
# E00…: who asks and how, replays among them, so an earlier copy may have taken effect. E9…: the platform is in trouble.
UNDECIDED = ("E00", "E9")
WECHAT = "05"  # the channel's code
OPERATOR = "微信小程序"
# The platform takes codes of our own and has on file what they mean.
CARD_TYPES = {"ID_CARD": "1101", "PASSPORT": "1102", "HK_MACAU_PERMIT": "1103", "TAIWAN_PERMIT": "1104",
              "PERMANENT_RESIDENT": "1105", "BIRTH_CERTIFICATE": "1106", "MEDICAL_CARD": "1201"}

_OPERATIONS = {REGISTRATION: "invEBillRegistration", OUTPATIENT: "invoiceEBillOutpatient"}
_RED, _YES = "2", "1"
# What its column takes: of a number that is none, nothing is kept.
Number = Annotated[str, Field(pattern=r"^[!-~]{1,20}$")]
OptionalNumber = Annotated[str, Field(pattern=r"^[!-~]{0,20}$")]
MessageT = TypeVar("MessageT", bound="_Message")


class Item(Struct, frozen=True):
    """One thing paid for; ``category_code`` and ``category_name`` say under which line of the bill it falls."""

    code: str
    name: str
    specification: str
    unit: str
    quantity: int | float
    unit_price_fen: int | float
    amount_fen: int
    category_code: str
    category_name: str
    remark: str = ""


class Document(Struct, frozen=True):
    """What a bill says: all of it paid by the patient through WeChat; the items add up to ``total_fen``.

    ``bus_no`` is our number, used for one document only; ``department`` where the patient was seen. ``id_type`` is
    ``MEDICAL_CARD``, and ``id_number`` the hospital's card, of a child without a document.
    """

    bus_no: str
    bus_type: str
    bus_at: datetime
    payer: str
    id_type: str
    id_number: str
    phone: str
    patient_code: str
    department: str
    total_fen: int
    items: list[Item]
    remark: str = ""
    sex: str = ""  # 男, 女
    age: str = ""  # with its unit: 8天, 5个月, 36岁
    seen_on: str = ""  # the day of the visit, ISO


class Issued(Struct, frozen=True):
    """A bill's numbers (票据代码, 号码, 校验码) and where its PDF is; the address opens it to anybody."""

    batch_code: str
    number: str
    check_code: str
    issued_at: datetime
    file_url: str


class BillState(Struct, frozen=True):
    """What has become of a bill; the red numbers are empty unless it is written off."""

    issued: Issued
    written_off: bool
    red_batch_code: str
    red_number: str
    on_paper: bool


class ListedBill(Struct, frozen=True):
    """A bill in a day's list. A red one has the business number of the bill that it reverses, and a negative total."""

    bus_no: str
    bus_type: str
    batch_code: str
    number: str
    total_fen: int
    red: bool
    on_paper: bool


class OddBill(Struct, frozen=True):
    """A row of the list that can't be read; ``bus_no`` is empty where it has none."""

    bus_no: str


class _Message(BaseModel):
    """What an answer says, in the platform's own names."""

    model_config = ConfigDict(extra="ignore", defer_build=True, frozen=True)


class _Numbers(_Message):
    billBatchCode: Number
    billNo: Number
    random: Number
    createTime: str
    pdfUrl: str = ""


class _State(_Numbers):
    busNo: str
    busType: str
    isScarlet: str
    eScarletBillBatchCode: OptionalNumber = ""
    eScarletBillNo: OptionalNumber = ""
    isPrint: str


class _Red(_Message):
    eScarletBillBatchCode: Number
    eScarletBillNo: Number


class _Row(_Message):
    busNo: str
    busType: str
    billBatchCode: str
    billNo: str
    totalAmt: str
    dataType: str
    isPrint: str


class _Page(_Message):
    total: Annotated[int, Field(strict=True, ge=0)]
    billList: list[Any]


# -- bills ------------------------------------------------------------------------------------------
def issue(document: Document) -> Issued:
    """The bill for this document: a new one, or the one that was issued for it before.

    Raises Rejected (E1002 the amounts don't agree, E1003 the number stands for another document, …), Unanswered.
    """
    return _issued(_call(_OPERATIONS[document.bus_type], _business_data(document), _Numbers, READ_SECONDS))


def state_of(bus_no: str, bus_type: str) -> BillState | None:
    """The bill issued under our number; None when the platform does not know one. Raises Unanswered."""
    try:
        state = _call("getEBillStatesByBillInfo", {"busNo": bus_no, "busType": bus_type}, _State, READ_SECONDS)
    except Rejected as refusal:
        if refusal.code == UNKNOWN_BILL:
            return None
        raise Unanswered(f"ebill state: {refusal.code}") from None
    if (state.busNo, state.busType) != (bus_no, bus_type):
        raise Unanswered("ebill: an answer about another bill")
    return BillState(_issued(state), state.isScarlet == _YES, state.eScarletBillBatchCode, state.eScarletBillNo,
                     state.isPrint == _YES)


def write_off(batch_code: str, number: str, *, reason: str, operator: str, at: datetime) -> tuple[str, str]:
    """Reverse a bill: batch code and number of the red one. The same request again gives the same answer.

    Raises Rejected (E1004 unknown, E1005 on paper, E1006 reversed by another request, …), Unanswered.
    """
    red = _call("writeOffEBill", {
        "billBatchCode": batch_code, "billNo": number, "reason": reason[:200], "operator": operator[:60],
        "busDateTime": _time(at), "placeCode": config().ebill_place_code}, _Red, READ_SECONDS)
    return red.eScarletBillBatchCode, red.eScarletBillNo


def bills_of(first: datetime, last: datetime) -> Iterator[ListedBill | OddBill]:
    """The bills whose business lies between two moments, both included; red ones too, the hospital's counter's too.

    Each row stands for itself. Raises Unanswered, perhaps after some.
    """
    period = {"busBgnDate": _time(first), "busEndDate": _time(last)}
    seen = page = 0
    while True:
        page += 1
        try:
            found = _call("getBillByBusDate", {**period, "pageNo": page, "pageSize": PAGE}, _Page, LIST_SECONDS)
        except Rejected as refusal:
            raise Unanswered(f"ebill list: {refusal.code}") from None
        yield from map(_listed, found.billList)
        seen += len(found.billList)
        if seen >= found.total:
            return
        if not found.billList:
            raise Unanswered(f"ebill list: {seen} of {found.total} bills")


def _listed(told: Any) -> ListedBill | OddBill:
    try:
        row = _Row.model_validate(told)
        return ListedBill(row.busNo, row.busType, row.billBatchCode, row.billNo, _fen(row.totalAmt),
                          row.dataType == _RED, row.isPrint == _YES)
    except (ValidationError, Unanswered):
        number = told.get("busNo") if isinstance(told, dict) else None
        return OddBill(number if isinstance(number, str) else "")


def fetch_file(url: str) -> bytes:
    """A bill's PDF; only the platform is asked, whatever the address says.

    Raises Unanswered, also for a foreign address, a file above 5 MB and one that is no PDF.
    """
    from urllib3.exceptions import HTTPError
    from urllib3.util import parse_url

    try:
        asked, own = parse_url(url), parse_url(config().ebill_base)
    except HTTPError:
        raise Unanswered("ebill: the file's address is none", sent=False) from None
    foreign = asked.host != own.host or asked.auth is not None
    if foreign or (asked.scheme != "https" and (asked.scheme, asked.port) != (own.scheme, own.port)):
        raise Unanswered("ebill: the file's address is not the platform's", sent=False)
    response = _request("GET", url, None, LIST_SECONDS)
    try:
        content = response.read(LONGEST_FILE + 1)
    except HTTPError as error:
        raise Unanswered(f"ebill file: {type(error).__name__}") from None
    finally:
        response.close()
    if response.status != 200 or len(content) > LONGEST_FILE or not content.startswith(b"%PDF"):
        raise Unanswered(f"ebill file: status {response.status}, {len(content)} bytes, no PDF of ours")
    return content


# -- what a bill says, in the platform's words ------------------------------------------------------
def _business_data(document: Document) -> dict[str, Any]:
    """The same for the same document, byte for byte: the platform compares."""
    total = _yuan(document.total_fen)
    charges: dict[tuple[str, str], int] = {}
    for item in document.items:
        category = item.category_code, item.category_name
        charges[category] = charges.get(category, 0) + item.amount_fen
    return {
        "busNo": document.bus_no, "busType": document.bus_type, "payer": document.payer,
        "busDateTime": _time(document.bus_at), "placeCode": config().ebill_place_code, "payee": OPERATOR,
        "author": OPERATOR, "totalAmt": total, "payerType": "1", "cardType": CARD_TYPES[document.id_type],
        "cardNo": document.id_number, "tel": document.phone, "patientId": document.patient_code,
        "patientNo": document.patient_code[:30], "patientCategory": document.department[:60], "sex": document.sex,
        "age": document.age, "consultationDate": document.seen_on,
        "accountPay": "0.00", "fundPay": "0.00", "otherfundPay": "0.00", "ownPay": total, "selfPayAmt": "0.00",
        "payChannelDetail": [{"payChannelCode": WECHAT, "payChannelValue": total}],
        "chargeDetail": [
            {"sortNo": place, "chargeCode": code, "chargeName": name, "unit": "项", "std": _yuan(amount), "number": "1",
             "amt": _yuan(amount)} for place, ((code, name), amount) in enumerate(charges.items(), 1)],
        "listDetail": [_detail(place, item) for place, item in enumerate(document.items, 1)],
        "remark": document.remark[:200],
    }


def _detail(place: int, item: Item) -> dict[str, Any]:
    price, number = item.unit_price_fen, item.quantity
    if not isinstance(price, int) or price * Decimal(str(number)) != item.amount_fen:
        # The platform multiplies whole fen: what it can't (a part went back, a price with parts of a fen) is one piece.
        price, number = item.amount_fen, 1
    return {
        "sortNo": place, "chargeCode": item.category_code, "chargeName": item.category_name, "code": item.code[:50],
        "name": item.name[:100], "specification": item.specification[:100], "unit": item.unit[:20],
        "std": _yuan(price), "number": str(number), "amt": _yuan(item.amount_fen), "remark": item.remark[:200],
    }


def _issued(numbers: _Numbers) -> Issued:
    return Issued(numbers.billBatchCode, numbers.billNo, numbers.random, _moment(numbers.createTime), numbers.pdfUrl)


def _yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}"


def _fen(yuan: str) -> int:
    whole, _, cents = yuan.partition(".")
    digits = whole.removeprefix("-")
    if not (len(cents) == 2 and len(digits) <= LONGEST_YUAN and f"{digits}{cents}".isascii()
            and digits.isdecimal() and cents.isdecimal()):
        raise Unanswered("ebill: an amount that is none")
    return int(whole + cents)


def _time(moment: datetime) -> str:
    """17 digits in Beijing, to the millisecond."""
    local = moment.astimezone(BEIJING)
    return f"{local:%Y%m%d%H%M%S}{local.microsecond // 1000:03d}"


def _moment(digits: str) -> datetime:
    try:
        if len(digits) != 17:
            raise ValueError
        return datetime.strptime(digits[:14], "%Y%m%d%H%M%S").replace(
            microsecond=int(digits[14:]) * 1000, tzinfo=BEIJING)
    except ValueError:
        raise Unanswered("ebill: a time that is none") from None


# -- the wire ---------------------------------------------------------------------------------------
def sign(app_id: str, key: str, data: str, noise: str) -> str:
    """Upper-case MD5, as the platform has it, over the fields in its order; ``data`` as sent (base64)."""
    text = f"appid={app_id}&data={data}&noise={noise}&key={key}&version={VERSION}"
    return hashlib.md5(text.encode(errors="replace"), usedforsecurity=False).hexdigest().upper()


def _call(operation: str, business: dict[str, Any], message: type[MessageT], seconds: float) -> MessageT:
    from urllib3.exceptions import HTTPError

    settings = config()
    key = secret(settings.ebill_key_secret)
    data = base64.b64encode(json.dumps(business, ensure_ascii=False).encode()).decode()
    noise = secrets.token_hex(16)
    envelope = {"appid": settings.ebill_app_id, "data": data, "noise": noise, "version": VERSION,
                "sign": sign(settings.ebill_app_id, key, data, noise)}
    response = _request("POST", f"{settings.ebill_base}/api/medical/{operation}", json.dumps(envelope).encode(),
                        seconds)
    try:
        content = response.data
    except HTTPError as error:
        raise Unanswered(f"ebill: {type(error).__name__}") from None
    if response.status != 200:
        raise Unanswered(f"ebill: status {response.status}")
    return _read(content, settings.ebill_app_id, key, message)


def _read(content: bytes, app_id: str, key: str, message: type[MessageT]) -> MessageT:
    try:
        answer = json.loads(content)
        data, noise, given = str(answer["data"]), str(answer["noise"]), str(answer["sign"])
    except (ValueError, KeyError, TypeError) as error:
        raise Unanswered(f"ebill: unreadable answer ({type(error).__name__})") from None
    if not hmac.compare_digest(sign(app_id, key, data, noise).encode(), given.encode(errors="replace")):
        raise Unanswered("ebill: an answer without a valid signature")
    try:
        opened = json.loads(base64.b64decode(data))
        result, said = str(opened["result"]), base64.b64decode(opened["message"]).decode()
        if result == SUCCESS:
            return message.model_validate_json(said)
    except (ValidationError, ValueError, KeyError, TypeError) as error:
        raise Unanswered(f"ebill: unreadable answer ({type(error).__name__})") from None
    if result.startswith(UNDECIDED):
        raise Unanswered(f"ebill: {result}")
    raise Rejected(result, said)


def _request(method: str, url: str, body: bytes | None, seconds: float) -> BaseHTTPResponse:
    from urllib3 import Timeout
    from urllib3.exceptions import HTTPError, NewConnectionError

    try:
        return _pool().request(method, url, body=body, headers={"Content-Type": "application/json"} if body else None,
                               timeout=Timeout(connect=CONNECT_SECONDS, read=seconds), retries=False, redirect=False,
                               preload_content=False)
    except NewConnectionError as error:
        raise Unanswered(f"ebill: {type(error).__name__}", sent=False) from None
    except HTTPError as error:
        raise Unanswered(f"ebill: {type(error).__name__}") from None


@lru_cache(maxsize=1)
def _pool() -> PoolManager:
    from urllib3 import PoolManager

    return PoolManager(num_pools=4, maxsize=8)
