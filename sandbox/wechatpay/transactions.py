"""Orders: create, query, close; and what happens when the patient pays."""

from __future__ import annotations

from datetime import datetime, timedelta

from flask import Response, request

from sandbox.wechatpay.book import Order
from sandbox.wechatpay.counter import Counter
from sandbox.wechatpay.guard import Refused
from sandbox.wechatpay.models import CloseOrder, Identity, NewOrder, body_as, moment, param_error

_SHORTEST, _LONGEST, _DEFAULT = timedelta(minutes=1), timedelta(days=90), timedelta(days=7)
_BASE = "/v3/pay/transactions"


class Transactions:
    """The routes under /v3/pay/transactions."""

    def __init__(self, pay: Counter) -> None:
        self._pay = pay
        app = pay.app
        app.post(f"{_BASE}/jsapi", endpoint="create_order")(self._create)
        app.get(f"{_BASE}/out-trade-no/<out_trade_no>", endpoint="query_order")(self._query)
        app.get(f"{_BASE}/id/<transaction_id>", endpoint="query_transaction")(self._query_transaction)
        app.post(f"{_BASE}/out-trade-no/<out_trade_no>/close", endpoint="close_order")(self._close)

    def capture(self, order: Order, *, notify: bool = True, copies: int = 1) -> None:
        """Book the payment and send its notice (``copies`` times; none when it gets lost)."""
        pay = self._pay
        now = pay.clock.now()
        pay.book.capture(order, now)
        late, lost = pay.notices.next_fate()
        pay.notices.announce(
            "TRANSACTION.SUCCESS", "支付成功", order.out_trade_no, order.notify_url,
            order.answer(pay.app_id, pay.merchant_id, now), now + late, lost=lost or not notify,
            copies=copies,
        )

    def _create(self) -> Response:
        pay = self._pay
        body = body_as(NewOrder)
        pay.note(out_trade_no=body.out_trade_no, total_fen=body.amount.total)
        if body.appid != pay.app_id:
            raise Refused("APPID_MCHID_NOT_MATCH", "appid和mchid不匹配", 400)
        pay.check_merchant(body.mchid, "/mchid", "body")
        fingerprint = body.fingerprint(self._open_identity(body.payer.identity))
        with pay.lock:
            now = pay.clock.now()
            order = pay.book.orders.get(body.out_trade_no)
            if order is None:
                order = Order(
                    body.out_trade_no, body.amount.total, body.payer.openid, body.notify_url, body.attach,
                    fingerprint, now, _deadline(body.time_expire, now), body.description,
                )
                pay.book.orders[order.out_trade_no] = order
            elif order.paid_at:
                raise Refused("ORDERPAID", "该订单已支付", 400)
            elif order.closed_at:
                raise Refused("ORDER_CLOSED", "该订单已关闭", 400)
            elif order.fingerprint != fingerprint:
                raise Refused("INVALID_REQUEST", "请求重入时,参数与首次请求时不一致", 400)
            elif now >= order.expires_at:
                raise param_error("/time_expire", "is over")
            return pay.answer({"prepay_id": pay.book.new_prepay(order, now)})

    def _query(self, out_trade_no: str) -> Response:
        return self._answer(self._pay.book.orders, out_trade_no)

    def _query_transaction(self, transaction_id: str) -> Response:
        return self._answer(self._pay.book.by_transaction, transaction_id)

    def _answer(self, orders: dict[str, Order], number: str) -> Response:
        pay = self._pay
        pay.check_merchant(request.args.get("mchid"), "mchid", "query")
        with pay.lock:
            order = _known(orders, number)
            now = pay.clock.now()
            pay.note(out_trade_no=order.out_trade_no, state=order.state(now))
            return pay.answer(order.answer(pay.app_id, pay.merchant_id, now))

    def _close(self, out_trade_no: str) -> Response:
        pay = self._pay
        pay.note(out_trade_no=out_trade_no)
        pay.check_merchant(body_as(CloseOrder).mchid, "/mchid", "body")
        with pay.lock:
            order = _known(pay.book.orders, out_trade_no)
            if order.paid_at:
                raise Refused("ORDERPAID", "该订单已支付", 400)
            order.closed_at = order.closed_at or pay.clock.now()
        return Response(status=204)

    def _open_identity(self, identity: Identity | None) -> tuple[str, str] | None:
        """The payer's decrypted number and name, for comparing only."""
        if identity is None:
            return None
        keys = self._pay.keys
        if request.headers.get("Wechatpay-Serial") != keys.public_key_id:
            raise param_error("Wechatpay-Serial", "must name the key that encrypts", "header")
        try:
            return keys.open_field(identity.number), keys.open_field(identity.name)
        except ValueError:
            raise param_error("/payer/identity", "cannot be decrypted") from None


def _deadline(time_expire: str | None, now: datetime) -> datetime:
    if time_expire is None:
        return now + _DEFAULT
    deadline = moment(time_expire)
    if not now + _SHORTEST <= deadline <= now + _LONGEST:
        raise param_error("/time_expire", "must lie between 1 minute and 90 days ahead")
    return deadline


def _known(orders: dict[str, Order], number: str) -> Order:
    if number not in orders:
        raise Refused("ORDER_NOT_EXIST", "订单不存在", 404)
    return orders[number]
