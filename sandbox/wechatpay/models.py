"""What WeChat Pay accepts: the bodies of its calls, with their documented limits."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime, timedelta, timezone
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

from flask import request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from sandbox.wechatpay.guard import Refused

BEIJING = timezone(timedelta(hours=8))
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)")
_LOOPBACK = {"127.0.0.1", "localhost"}
_SECRET_FIELDS = {"identity"}  # their values are never repeated in an error


def moment(text: str) -> datetime:
    """An RFC 3339 time. Raises ValueError."""
    if not _RFC3339.fullmatch(text):
        raise ValueError("not an RFC 3339 time")
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def written(at: datetime) -> str:
    """A time the way WeChat Pay writes it: RFC 3339, Beijing, whole seconds."""
    return at.astimezone(BEIJING).isoformat(timespec="seconds")


def _check_moment(text: str) -> str:
    moment(text)
    return text


def _check_notify_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.query or parts.fragment or not parts.hostname:
        raise ValueError("an address without a query")
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise ValueError("https is required (http only on this machine)")
    return url


NotifyUrl = Annotated[str, Field(max_length=255), AfterValidator(_check_notify_url)]
OutTradeNo = Annotated[str, Field(pattern=r"^[0-9A-Za-z_\-|*]{6,32}$")]
Fen = Annotated[int, Field(ge=1, le=10_000_000_000)]


class Body(BaseModel):
    """A request body; fields that are not modelled pass unread, as with the real system."""

    model_config = ConfigDict(strict=True, extra="ignore")


class Identity(Body):
    """Who alone may pay. ``number`` and ``name`` are RSA-encrypted."""

    type: Literal["IDCARD"]
    number: str = Field(min_length=1)
    name: str = Field(min_length=1)


class Payer(Body):
    """Whose phone may pay."""

    openid: str = Field(min_length=1, max_length=128)
    identity: Identity | None = None


class OrderAmount(Body):
    """``total`` in fen."""

    total: Fen
    currency: Literal["CNY"] = "CNY"


class NewOrder(Body):
    """POST /v3/pay/transactions/jsapi."""

    appid: str = Field(min_length=1, max_length=32)
    mchid: str = Field(min_length=1, max_length=32)
    description: str = Field(min_length=1, max_length=127)
    out_trade_no: OutTradeNo
    time_expire: Annotated[str, AfterValidator(_check_moment)] | None = None
    attach: str | None = Field(default=None, max_length=128)
    notify_url: NotifyUrl
    goods_tag: str | None = Field(default=None, max_length=32)
    support_fapiao: bool = False
    amount: OrderAmount
    payer: Payer
    detail: dict[str, Any] | None = None
    scene_info: dict[str, Any] | None = None
    settle_info: dict[str, Any] | None = None

    def fingerprint(self, identity: tuple[str, str] | None) -> str:
        """The same for the same parameters; ``identity``: decrypted, as its cipher always differs."""
        plain = self.model_copy(update={"payer": self.payer.model_copy(update={"identity": None})})
        return hashlib.sha256(repr((plain.model_dump(), identity)).encode()).hexdigest()


class CloseOrder(Body):
    """POST …/close."""

    mchid: str = Field(min_length=1, max_length=32)


class RefundAmount(Body):
    """``refund`` of ``total``, in fen."""

    refund: Fen
    total: Fen
    currency: Literal["CNY"]


class NewRefund(Body):
    """POST /v3/refund/domestic/refunds: of one order, named by either number."""

    transaction_id: str | None = Field(default=None, min_length=1, max_length=32)
    out_trade_no: OutTradeNo | None = None
    out_refund_no: str = Field(pattern=r"^[0-9A-Za-z_\-|*@]{1,64}$")
    reason: str | None = Field(default=None, max_length=80)
    notify_url: NotifyUrl | None = None
    funds_account: Literal["AVAILABLE", "UNSETTLED"] | None = None
    amount: RefundAmount

    @model_validator(mode="after")
    def _names_an_order(self) -> NewRefund:
        if self.transaction_id is None and self.out_trade_no is None:
            raise ValueError("transaction_id or out_trade_no is required")
        if self.amount.refund > self.amount.total:
            raise ValueError("amount.refund exceeds amount.total")
        return self


Some = TypeVar("Some", bound=Body)


def body_as(model: type[Some]) -> Some:
    """The running call's body as ``model``. Raises Refused (400 PARAM_ERROR) naming the first wrong field."""
    try:
        return model.model_validate_json(request.get_data())
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        path = [str(part) for part in first["loc"]]
        detail: dict[str, Any] = {"location": "body", "field": "/" + "/".join(path), "issue": first["msg"]}
        if path and not _SECRET_FIELDS & set(path) and isinstance(first["input"], (str, int)):
            detail["value"] = first["input"]
        raise Refused("PARAM_ERROR", "参数错误", 400, detail) from None


def param_error(field: str, issue: str, location: str = "body") -> Refused:
    """A parameter that is well formed and wrong all the same."""
    return Refused("PARAM_ERROR", "参数错误", 400, {"location": location, "field": field, "issue": issue})
