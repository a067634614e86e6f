"""The order book: every order, capture and refund with its time and amount (fen)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sandbox.wechatpay.models import BEIJING, written

PREPAY_LIFE = timedelta(hours=2)
STATE_TEXT = {"SUCCESS": "支付成功", "REFUND": "转入退款", "NOTPAY": "订单未支付", "CLOSED": "订单已关闭"}


@dataclass
class Refund:
    """One refund. Its status follows from the time: PROCESSING until ``settles_at``, then ``outcome``."""

    out_refund_no: str
    refund_id: str
    order: Order
    amount_fen: int
    funds_account: str
    notify_url: str | None
    fingerprint: str
    created_at: datetime
    settles_at: datetime
    outcome: str  # SUCCESS, ABNORMAL or CLOSED

    def status(self, now: datetime) -> str:
        """The documented status at ``now``."""
        return "PROCESSING" if now < self.settles_at else self.outcome

    def answer(self, now: datetime) -> dict[str, Any]:
        """The documented body of the refund calls."""
        total, part = self.order.total_fen, self.amount_fen
        status = self.status(now)
        body: dict[str, Any] = {
            "refund_id": self.refund_id, "out_refund_no": self.out_refund_no,
            "transaction_id": self.order.transaction_id, "out_trade_no": self.order.out_trade_no,
            "channel": "ORIGINAL", "user_received_account": "支付用户零钱",
            "create_time": written(self.created_at), "status": status, "funds_account": self.funds_account,
            "amount": {"total": total, "refund": part, "from": [], "payer_total": total, "payer_refund": part,
                       "settlement_total": total, "settlement_refund": part, "discount_refund": 0,
                       "currency": "CNY", "refund_fee": 0},
            "promotion_detail": [],
        }
        if status == "SUCCESS":
            body["success_time"] = written(self.settles_at)
        return body

    def notice(self, merchant_id: str) -> dict[str, Any]:
        """The documented content of the notice about its outcome."""
        total, part = self.order.total_fen, self.amount_fen
        body: dict[str, Any] = {
            "mchid": merchant_id, "transaction_id": self.order.transaction_id,
            "out_trade_no": self.order.out_trade_no, "refund_id": self.refund_id,
            "out_refund_no": self.out_refund_no, "refund_status": self.outcome,
            "user_received_account": "支付用户零钱",
            "amount": {"total": total, "refund": part, "payer_total": total, "payer_refund": part},
        }
        if self.outcome == "SUCCESS":
            body["success_time"] = written(self.settles_at)
        return body

    def view(self, now: datetime) -> dict[str, Any]:
        """For the control interface."""
        return {"out_refund_no": self.out_refund_no, "refund_id": self.refund_id,
                "amount_fen": self.amount_fen, "status": self.status(now),
                "created_at": written(self.created_at), "settles_at": written(self.settles_at)}


@dataclass
class Order:
    """One order and what became of it. ``expires_at`` ends paying; it does not close the order."""

    out_trade_no: str
    total_fen: int
    openid: str
    notify_url: str
    attach: str | None
    fingerprint: str
    created_at: datetime
    expires_at: datetime
    description: str
    prepays: dict[str, datetime] = field(default_factory=dict)  # prepay_id → its end
    closed_at: datetime | None = None
    paid_at: datetime | None = None
    transaction_id: str | None = None
    refunds: list[Refund] = field(default_factory=list)

    def state(self, now: datetime) -> str:
        """The documented trade_state at ``now``."""
        if self.paid_at:
            return "REFUND" if any(refund.status(now) != "CLOSED" for refund in self.refunds) else "SUCCESS"
        return "CLOSED" if self.closed_at else "NOTPAY"

    def returned_fen(self, now: datetime, *statuses: str) -> int:
        """The sum of its refunds in one of ``statuses``."""
        return sum(refund.amount_fen for refund in self.refunds if refund.status(now) in statuses)

    def paid_late(self) -> bool:
        """Whether money came after the deadline or after closing."""
        return self.paid_at is not None and (self.paid_at >= self.expires_at or self.closed_at is not None)

    def answer(self, app_id: str, merchant_id: str, now: datetime) -> dict[str, Any]:
        """The documented body of the order queries, and of the notice of payment."""
        state = self.state(now)
        body: dict[str, Any] = {
            "appid": app_id, "mchid": merchant_id, "out_trade_no": self.out_trade_no,
            "trade_state": state, "trade_state_desc": STATE_TEXT[state],
            "amount": {"total": self.total_fen, "currency": "CNY", "payer_currency": "CNY"},
            "payer": {}, "promotion_detail": [],
        }
        if self.attach is not None:
            body["attach"] = self.attach
        if self.paid_at:
            body["amount"]["payer_total"] = self.total_fen
            body |= {"transaction_id": self.transaction_id, "trade_type": "JSAPI", "bank_type": "OTHERS",
                     "success_time": written(self.paid_at), "payer": {"openid": self.openid}}
        return body

    def view(self, now: datetime) -> dict[str, Any]:
        """For the control interface. ``refunding_fen`` is accepted or stuck, not yet back with the payer."""
        return {
            "out_trade_no": self.out_trade_no, "transaction_id": self.transaction_id,
            "state": self.state(now), "openid": self.openid, "total_fen": self.total_fen,
            "description": self.description,
            "refunded_fen": self.returned_fen(now, "SUCCESS"),
            "refunding_fen": self.returned_fen(now, "PROCESSING", "ABNORMAL"),
            "created_at": written(self.created_at), "expires_at": written(self.expires_at),
            "paid_at": written(self.paid_at) if self.paid_at else None,
            "closed_at": written(self.closed_at) if self.closed_at else None, "late": self.paid_late(),
            "prepay_ids": list(self.prepays), "refunds": [refund.view(now) for refund in self.refunds],
        }


class Book:
    """Orders and refunds by every number they go by. The caller holds the system's lock."""

    def __init__(self) -> None:
        self.orders: dict[str, Order] = {}
        self.by_transaction: dict[str, Order] = {}
        self.by_prepay: dict[str, Order] = {}
        self.refunds: dict[str, Refund] = {}

    def new_prepay(self, order: Order, now: datetime) -> str:
        """A fresh prepay_id of ``order``, good for 2 h."""
        prepay_id = f"wx{now.astimezone(BEIJING):%d%H%M%S}{secrets.token_hex(13)}"
        order.prepays[prepay_id] = now + PREPAY_LIFE
        self.by_prepay[prepay_id] = order
        return prepay_id

    def capture(self, order: Order, now: datetime) -> None:
        """The money is with the merchant."""
        order.paid_at = now
        order.transaction_id = f"42000{secrets.randbelow(10**5):05d}{_day(now)}{secrets.randbelow(10**9):09d}"
        self.by_transaction[order.transaction_id] = order

    def add_refund(self, refund: Refund) -> None:
        """A refund was accepted."""
        refund.order.refunds.append(refund)
        self.refunds[refund.out_refund_no] = refund


def new_refund_id(now: datetime) -> str:
    """WeChat Pay's own number of a refund."""
    return f"503{secrets.randbelow(10**6):06d}{_day(now)}{secrets.randbelow(10**11):011d}"


def _day(now: datetime) -> str:
    return f"{now.astimezone(BEIJING):%Y%m%d}"
