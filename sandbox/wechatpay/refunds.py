"""Refunds: accepted at once, settled later, in sandbox time."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import Response

from sandbox.wechatpay.book import Order, Refund, new_refund_id
from sandbox.wechatpay.counter import Counter
from sandbox.wechatpay.guard import Refused
from sandbox.wechatpay.models import NewRefund, body_as

_LATEST, _APART, _MOST_PARTS = timedelta(days=365), timedelta(minutes=1), 50
_BASE = "/v3/refund/domestic/refunds"
SUMMARIES = {"SUCCESS": "退款成功", "ABNORMAL": "退款异常", "CLOSED": "退款关闭"}


@dataclass
class Policy:
    """What becomes of the next ``times`` refunds (-1: of all): ``outcome`` after ``delay_seconds``."""

    delay_seconds: float = 3
    outcome: str = "SUCCESS"
    times: int = -1


class Refunds:
    """The routes under /v3/refund/domestic/refunds."""

    def __init__(self, pay: Counter) -> None:
        self._pay = pay
        self.policy = Policy()
        self.balance_enough = True
        pay.app.post(_BASE, endpoint="create_refund")(self._create)
        pay.app.get(f"{_BASE}/<out_refund_no>", endpoint="query_refund")(self._query)

    def _create(self) -> Response:
        pay = self._pay
        body = body_as(NewRefund)
        pay.note(out_refund_no=body.out_refund_no, amount_fen=body.amount.refund)
        with pay.lock:
            now = pay.clock.now()
            order = self._order(body)
            pay.note(out_trade_no=order.out_trade_no)
            fingerprint = _fingerprint(body, order)
            refund = pay.book.refunds.get(body.out_refund_no)
            if refund is None:
                self._check(body, order, now)
                refund = self._accept(body, order, fingerprint, now)
            elif refund.fingerprint != fingerprint:
                raise Refused("INVALID_REQUEST", "请求重入时,参数与首次请求时不一致", 400)
            return pay.answer(refund.answer(now))

    def _query(self, out_refund_no: str) -> Response:
        pay = self._pay
        with pay.lock:
            refund = pay.book.refunds.get(out_refund_no)
            if refund is None:
                raise Refused("RESOURCE_NOT_EXISTS", "退款单不存在", 404)
            now = pay.clock.now()
            pay.note(out_refund_no=out_refund_no, state=refund.status(now))
            return pay.answer(refund.answer(now))

    def _order(self, body: NewRefund) -> Order:
        book = self._pay.book
        order = (book.by_transaction.get(body.transaction_id) if body.transaction_id
                 else book.orders.get(body.out_trade_no or ""))
        if order is None or not order.paid_at:
            raise Refused("RESOURCE_NOT_EXISTS", "订单不存在", 404)
        if body.out_trade_no not in (None, order.out_trade_no):
            raise Refused("INVALID_REQUEST", "微信支付订单号与商户订单号不一致", 400)
        return order

    def _check(self, body: NewRefund, order: Order, now: datetime) -> None:
        taken = order.returned_fen(now, "PROCESSING", "SUCCESS", "ABNORMAL")
        if body.amount.total != order.total_fen:
            raise Refused("INVALID_REQUEST", "订单金额与原订单不一致", 400)
        if order.paid_at is None or now - order.paid_at > _LATEST:
            raise Refused("INVALID_REQUEST", "订单已超过可退款的期限", 400)
        if taken + body.amount.refund > order.total_fen:
            raise Refused("INVALID_REQUEST", "申请退款金额超过可退金额", 400)
        if len(order.refunds) >= _MOST_PARTS:
            raise Refused("INVALID_REQUEST", "退款次数超过50次", 400)
        if order.refunds and now - order.refunds[-1].created_at < _APART:
            raise Refused("FREQUENCY_LIMITED", "同一订单的退款请求需间隔1分钟", 429)
        if not self.balance_enough:
            raise Refused("NOT_ENOUGH", "基本账户余额不足,请充值后重新发起", 403)

    def _accept(self, body: NewRefund, order: Order, fingerprint: str, now: datetime) -> Refund:
        pay, policy = self._pay, self._use_policy()
        refund = Refund(
            body.out_refund_no, new_refund_id(now), order, body.amount.refund,
            body.funds_account or "AVAILABLE", body.notify_url, fingerprint, now,
            now + timedelta(seconds=policy.delay_seconds), policy.outcome,
        )
        pay.book.add_refund(refund)
        if refund.notify_url:
            pay.notices.announce(
                f"REFUND.{refund.outcome}", SUMMARIES[refund.outcome], order.out_trade_no, refund.notify_url,
                refund.notice(pay.merchant_id), refund.settles_at,
            )
        return refund

    def _use_policy(self) -> Policy:
        policy = self.policy
        if policy.times > 0:
            policy.times -= 1
            if policy.times == 0:
                self.policy = Policy()
        return policy


def _fingerprint(body: NewRefund, order: Order) -> str:
    """The same for the same refund, whichever number named the order."""
    rest = body.model_dump(exclude={"transaction_id", "out_trade_no"})
    return hashlib.sha256(repr((order.out_trade_no, rest)).encode()).hexdigest()
