"""The control interface: the patient's thumb, the state of the books, and how notices and refunds behave."""

from __future__ import annotations

import json
import random
from typing import Any, Literal
from urllib.parse import urljoin

from flask import Response, jsonify
from pydantic import Field

from sandbox import overrides
from sandbox.latest import latest
from sandbox.wechat.control_json import ControlBody, Impossible, answer_errors, body_as
from sandbox.wechatpay.book import Order
from sandbox.wechatpay.counter import Counter
from sandbox.wechatpay.refunds import Policy, Refunds
from sandbox.wechatpay.sheets import Sheets, Shown, payable
from sandbox.wechatpay.transactions import Transactions


class Payment(Shown):
    """A sheet, and what becomes of it.

    ``force`` pays after the deadline all the same; ``notify`` false loses the notice; ``copies`` repeats it.
    """

    force: bool = False
    notify: bool = True
    copies: int = Field(default=1, ge=1, le=100)


class ForcedPayment(ControlBody):
    """Money that comes whatever the order's state."""

    notify: bool = True
    copies: int = Field(default=1, ge=1, le=100)


class Settle(ControlBody):
    """``timeout`` in real seconds."""

    timeout: float = Field(default=10, ge=0, le=600)


class Redelivery(ControlBody):
    """The same notice again."""

    copies: int = Field(default=1, ge=1, le=200)
    parallel: bool = True


class Replay(ControlBody):
    """Every notice about an order again, all at once."""

    out_trade_no: str
    copies: int = Field(default=16, ge=1, le=200)
    shuffle: bool = True


class Saying(ControlBody):
    """A notice of any content, rightly sealed and signed, sent once and at once.

    ``like`` names an order or a refund: its content, event type and address are taken where others are not given.
    ``set``, ``remove`` and ``add`` change the content, ``envelope`` (with the same three) what is around it;
    ``text`` is sealed as it is. ``url`` may be relative to the address that it would have gone to.
    """

    like: str = ""
    url: str = ""
    event_type: str = ""
    content: Any = None
    text: str | None = None
    set: dict[str, Any] = {}
    remove: list[str] = []
    add: dict[str, Any] = {}
    envelope: dict[str, Any] = {}


class Mode(ControlBody):
    """What is left out stays as it is."""

    hold: bool | None = None
    reorder: bool | None = None
    drop: bool | None = None
    duplicate: bool | None = None


class Fate(ControlBody):
    """What becomes of the next notice about a payment: comes so many seconds ``late``, or is ``lost``."""

    late: float = Field(default=0, ge=0)
    lost: bool = False


class Probe(ControlBody):
    """An endpoint to probe."""

    notify_url: str = Field(pattern=r"^https?://")


class RefundPolicy(ControlBody):
    """What becomes of the next ``times`` refunds; -1: of all from now on."""

    delay_seconds: float = Field(default=3, ge=0)
    outcome: Literal["SUCCESS", "ABNORMAL", "CLOSED"] = "SUCCESS"
    times: int = Field(default=-1, ge=-1)


class Balance(ControlBody):
    """Whether the merchant's account covers refunds."""

    enough: bool


class Control:
    """The routes on the system's control blueprint."""

    def __init__(self, pay: Counter, transactions: Transactions, refunds: Refunds) -> None:
        self._pay = pay
        self._transactions = transactions
        self._refunds = refunds
        control = pay.control
        answer_errors(control)
        Sheets(pay, transactions)
        control.post("/prepay/<prepay_id>/pay")(self._thumb)
        control.post("/orders/<out_trade_no>/force-pay")(self._force_pay)
        control.get("/orders")(self._orders)
        control.get("/orders/<out_trade_no>")(self._one_order)
        control.post("/notices/settle")(self._settle)
        control.get("/notices")(self._notices)
        control.post("/notices/<number>/redeliver")(self._redeliver)
        control.post("/notices/replay")(self._replay)
        control.post("/notices/send")(self._say)
        control.post("/notices/mode")(self._mode)
        control.get("/notices/next")(self._next)
        control.put("/notices/next")(self._choose_next)
        control.post("/probes")(self._probe)
        control.post("/refunds/policy")(self._policy)
        control.post("/refunds/<out_refund_no>/solve")(self._solve)
        control.post("/balance")(self._balance)

    def _thumb(self, prepay_id: str) -> Response:
        wish = body_as(Payment)
        pay = self._pay
        if wish.prepay_id != prepay_id:
            raise Impossible("appId or package is not this order's")
        with pay.lock:
            order = payable(pay, wish, late=wish.force)
            self._transactions.capture(order, notify=wish.notify, copies=wish.copies)
            return _receipt(order)

    def _force_pay(self, out_trade_no: str) -> Response:
        wish = body_as(ForcedPayment)
        pay = self._pay
        with pay.lock:
            order = self._order(out_trade_no)
            if order.paid_at:
                raise Impossible("the order is paid", 409)
            self._transactions.capture(order, notify=wish.notify, copies=wish.copies)
            return _receipt(order)

    def _orders(self) -> Response:
        with self._pay.lock:
            now = self._pay.clock.now()
            return jsonify([order.view(now) for order in latest(self._pay.book.orders.values(), "openid")])

    def _one_order(self, out_trade_no: str) -> Response:
        with self._pay.lock:
            return jsonify(self._order(out_trade_no).view(self._pay.clock.now()))

    def _settle(self) -> Response:
        return jsonify(self._pay.notices.settle(body_as(Settle).timeout))

    def _notices(self) -> Response:
        return jsonify(latest(self._pay.notices.deliveries.listing()))

    def _redeliver(self, number: str) -> Response:
        wish = body_as(Redelivery)
        notice = self._pay.notices.deliveries.get(number)
        if notice is None:
            raise Impossible("no such notice", 404)
        return jsonify({"deliveries": self._pay.notices.storm([notice] * wish.copies, wish.parallel)})

    def _replay(self) -> Response:
        wish = body_as(Replay)
        notices = self._pay.notices.deliveries.about(out_trade_no=wish.out_trade_no) * wish.copies
        if not notices:
            raise Impossible("no notice about this order", 404)
        if wish.shuffle:
            random.shuffle(notices)
        return jsonify({"deliveries": self._pay.notices.storm(notices, parallel=True)})

    def _say(self) -> Response:
        wish = body_as(Saying)
        with self._pay.lock:
            url, event_type, content, about = self._true_notice(wish.like) if wish.like else ("", "", None, "")
        changes = wish.model_dump(include={"set", "remove", "add"})
        try:
            if any(changes.values()):
                overrides.check(changes)
            content, _ = overrides.applied(content if wish.content is None else wish.content, changes)
            plain = json.dumps(content, ensure_ascii=False) if wish.text is None else wish.text
            url, event_type = urljoin(url, wish.url), wish.event_type or event_type
            if not url.startswith("http") or not event_type:
                raise Impossible("url and event_type are needed where like names nothing")
            number, status = self._pay.notices.say(url, event_type, plain, about, wish.envelope)
        except ValueError as error:
            raise Impossible(str(error)) from None
        return jsonify(id=number, status=status)

    def _true_notice(self, number: str) -> tuple[str, str, dict[str, Any], str]:
        """Address, event type, content and order of the notice about a payment or a refund."""
        pay = self._pay
        refund = pay.book.refunds.get(number)
        if refund is not None:
            return (refund.notify_url or "", f"REFUND.{refund.outcome}", refund.notice(pay.merchant_id),
                    refund.order.out_trade_no)
        order = self._order(number)
        return (order.notify_url, "TRANSACTION.SUCCESS",
                order.answer(pay.app_id, pay.merchant_id, pay.clock.now()), number)

    def _mode(self) -> Response:
        wish = body_as(Mode)
        return jsonify(self._pay.notices.deliveries.set_mode(**wish.model_dump(exclude_none=True)))

    def _next(self) -> Response:
        return jsonify(late=self._pay.notices.next_late, lost=self._pay.notices.next_lost)

    def _choose_next(self) -> Response:
        wish, notices = body_as(Fate), self._pay.notices
        notices.next_late, notices.next_lost = wish.late, wish.lost
        return self._next()

    def _probe(self) -> Response:
        return jsonify({"status": self._pay.notices.probe(body_as(Probe).notify_url)})

    def _policy(self) -> Response:
        wish = body_as(RefundPolicy)
        with self._pay.lock:
            self._refunds.policy = Policy(wish.delay_seconds, wish.outcome, wish.times)
        return jsonify(wish.model_dump())

    def _solve(self, out_refund_no: str) -> Response:
        """An ABNORMAL refund is brought to the patient in another way, on the merchant platform."""
        pay = self._pay
        with pay.lock:
            refund, now = pay.book.refunds.get(out_refund_no), pay.clock.now()
            if refund is None or refund.status(now) != "ABNORMAL":
                raise Impossible("no such refund, or it is not ABNORMAL", 409)
            refund.outcome, refund.settles_at = "SUCCESS", now
            return jsonify(refund.view(now))

    def _balance(self) -> Response:
        wish = body_as(Balance)
        with self._pay.lock:
            self._refunds.balance_enough = wish.enough
        return jsonify(wish.model_dump())

    def _order(self, out_trade_no: str) -> Order:
        order = self._pay.book.orders.get(out_trade_no)
        if order is None:
            raise Impossible("no such order", 404)
        return order


def _receipt(order: Order) -> Response:
    return jsonify({"transaction_id": order.transaction_id, "out_trade_no": order.out_trade_no})
