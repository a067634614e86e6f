"""What WeChat Pay says of an order or a refund, read strictly: a field that is missing or odd never becomes a value.

Notices, answers to queries and answers to refunds all come through here.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Struct
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

PAID = ("SUCCESS", "REFUND")  # trade states in which money has come in; REFUND: some of it went back since
_RFC3339 = re.compile(r"(20\d\d-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_ORDER, _REFUND_NO = re.compile(r"[!-~]{1,32}"), re.compile(r"[!-~]{1,64}")


class Unreadable(Exception):
    """Genuine, and not what it should be. ``reason`` names the field, never a value.

    ``out_trade_no`` and ``out_refund_no`` are what it is about, where that could be read.
    """

    def __init__(self, reason: str, content: object = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.out_trade_no = _number(content, "out_trade_no", _ORDER)
        self.out_refund_no = _number(content, "out_refund_no", _REFUND_NO)


class Order(Struct, frozen=True):
    """An order as WeChat sees it. ``state`` is SUCCESS, NOTPAY, CLOSED, REFUND or another of theirs.

    A paid one has transaction and amount. ``payer`` is who paid; ``not_ours`` says what of it belongs to another
    merchant, mini-program or currency: then nothing of it is to be booked.
    """

    out_trade_no: str
    state: str
    transaction_id: str
    total_fen: int
    success_at: datetime | None
    payer: str = ""
    not_ours: str = ""

    @property
    def paid(self) -> bool:
        """Whether its money has come in."""
        return self.state in PAID


class Refund(Struct, frozen=True):
    """A refund as WeChat sees it. ``state`` is PROCESSING, SUCCESS, ABNORMAL or CLOSED; ``not_ours`` as an order's."""

    out_refund_no: str
    state: str
    refund_id: str
    refund_fen: int
    success_at: datetime | None
    out_trade_no: str
    transaction_id: str = ""
    not_ours: str = ""


def order(answer: object, *, app_id: str, merchant_id: str) -> Order:
    """An order, read. Raises Unreadable."""
    told = _read(_Order, answer)
    if told.trade_state in PAID and not (told.transaction_id and told.amount and told.amount.total):
        raise Unreadable("lacks a field: transaction_id" if not told.transaction_id else
                         "lacks a field: amount.total", answer)
    amount = told.amount or _OrderAmount()
    return Order(told.out_trade_no, told.trade_state, told.transaction_id or "", amount.total or 0, told.success_time,
                 told.payer.openid if told.payer else "", _others(
                     ("mchid", told.mchid, merchant_id), ("appid", told.appid, app_id),
                     ("currency", amount.currency, "CNY")))


def refund(answer: object, *, merchant_id: str) -> Refund:
    """A refund, read; of an answer or of a notice. Raises Unreadable."""
    told = _read(_Refund, answer)
    state = told.status or told.refund_status  # a query says "status", a notice "refund_status"
    if state is None:
        raise Unreadable("lacks a field: status", answer)
    return Refund(told.out_refund_no, state, told.refund_id or "", told.amount.refund, told.success_time,
                  told.out_trade_no, told.transaction_id or "", _others(
                      ("mchid", told.mchid or merchant_id, merchant_id), ("currency", told.amount.currency, "CNY")))


def _others(*compared: tuple[str, str, str]) -> str:
    return ", ".join(f"{name} {told}" for name, told, ours in compared if told != ours)


def _number(content: object, name: str, pattern: re.Pattern[str]) -> str:
    told = content.get(name) if isinstance(content, dict) else None
    return told if isinstance(told, str) and pattern.fullmatch(told) else ""


# -- the fields -------------------------------------------------------------------------------------
def _moment(told: Any) -> datetime | None:
    """An RFC 3339 moment, with or without a fraction of a second. Raises ValueError: it must name its zone."""
    if told is None or told == "":
        return None
    found = _RFC3339.fullmatch(told) if isinstance(told, str) else None
    if found is None:
        raise ValueError("not an RFC 3339 moment")
    day, clock, fraction, zone = found.groups()
    return datetime.fromisoformat(f"{day}T{clock}{(fraction or '.')[:7]:0<7}{zone.upper().replace('Z', '+00:00')}")


def _absent(told: Any) -> Any:
    return None if told == "" else told


Fen = Annotated[int, Field(ge=1, le=10**12)]
Moment = Annotated[datetime | None, BeforeValidator(_moment)]
Number = Annotated[str, Field(pattern=r"^[!-~]{1,32}$")]
Transaction = Annotated[str | None, Field(pattern=r"^[0-9A-Za-z]{1,32}$"), BeforeValidator(_absent)]
Word = Annotated[str, Field(pattern=r"^[A-Z_]{1,32}$")]
State = Literal["PROCESSING", "SUCCESS", "ABNORMAL", "CLOSED"]


class _Content(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", frozen=True, defer_build=True)


class _OrderAmount(_Content):
    total: Fen | None = None
    currency: Word = "CNY"  # WeChat may leave it out: a merchant in China has no other


class _Payer(_Content):
    openid: str = ""


class _Order(_Content):
    appid: Number
    mchid: Number
    out_trade_no: Number
    trade_state: Word
    transaction_id: Transaction = None
    amount: _OrderAmount | None = None
    payer: _Payer | None = None
    success_time: Moment = None


class _RefundAmount(_Content):
    refund: Fen
    currency: Word = "CNY"


class _Refund(_Content):
    out_refund_no: Annotated[str, Field(pattern=r"^[!-~]{1,64}$")]
    out_trade_no: Number
    transaction_id: Transaction = None
    refund_id: Transaction = None
    mchid: Number | None = None  # a notice has it, an answer has not
    status: State | None = None
    refund_status: State | None = None
    amount: _RefundAmount
    success_time: Moment = None


def _read(model: type[Any], content: object) -> Any:
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "content"
        missing = first["type"] == "missing"
        raise Unreadable(f"{'lacks' if missing else 'cannot read'} a field: {field}", content) from None
