"""The payment sheet on a patient's phone: shown by the mini-program, closed by the thumb, a refusal, or the patient.

Where somebody sits at the desk beside the phone the sheet may lie there instead; either hand may close it.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any, Literal

from flask import Response, jsonify, request

from sandbox.wechat.control_json import ControlBody, Impossible, body_as
from sandbox.wechatpay.book import Order
from sandbox.wechatpay.counter import Counter
from sandbox.wechatpay.transactions import Transactions

Place = Literal["phone", "desk"]


class Shown(ControlBody):
    """What the mini-program hands to wx.requestPayment, and on whose phone."""

    openid: str
    appId: str
    timeStamp: str
    nonceStr: str
    package: str
    signType: Literal["RSA"]
    paySign: str
    when: Literal["now"] = "now"

    @property
    def prepay_id(self) -> str:
        """The order that it is for."""
        return self.package.removeprefix("prepay_id=")


class Where(ControlBody):
    """On which side a phone's sheets are shown from now on."""

    at: Place


@dataclass
class Sheet:
    """One sheet, from OPEN to PAID, REFUSED or CLOSED. A phone shows one at a time."""

    id: str
    shown: Shown
    order: Order
    state: str = "OPEN"

    def view(self, at: Place) -> dict[str, Any]:
        """For whoever draws it."""
        return {"id": self.id, "at": at, "state": self.state, "out_trade_no": self.order.out_trade_no,
                "description": self.order.description, "total_fen": self.order.total_fen}


def payable(pay: Counter, shown: Shown, *, late: bool = False) -> Order:
    """The order that a sheet is for, when this phone may pay it now (``late``: also after its time). Raises Impossible.

    The caller holds the system's lock.
    """
    message = f"{shown.appId}\n{shown.timeStamp}\n{shown.nonceStr}\n{shown.package}\n".encode()
    if shown.appId != pay.app_id or shown.package != f"prepay_id={shown.prepay_id}":
        raise Impossible("appId or package is not this order's")
    if not pay.keys.merchant_signed(message, shown.paySign):
        raise Impossible("paySign is wrong")
    order = pay.book.by_prepay.get(shown.prepay_id)
    if order is None:
        raise Impossible("no such prepay_id", 404)
    if shown.openid != order.openid:
        raise Impossible("this order is somebody else's to pay", 403)
    if order.paid_at:
        raise Impossible("the order is paid", 409)
    if order.closed_at:
        raise Impossible("the order is closed", 409)
    if not late and pay.clock.now() >= min(order.expires_at, order.prepays[shown.prepay_id]):
        raise Impossible("the time for paying is over", 409)
    return order


class Sheets:
    """Every sheet that was shown, and where each phone's are."""

    def __init__(self, pay: Counter, transactions: Transactions) -> None:
        self._pay = pay
        self._transactions = transactions
        self._sheets: dict[str, Sheet] = {}
        self._newest: dict[str, Sheet] = {}  # by openid
        self._places: dict[str, Place] = {}
        control = pay.control
        control.post("/sheets")(self._show)
        control.get("/sheets")(self._of_phone)
        control.get("/sheets/<number>")(self._look)
        control.post("/sheets/<number>/pay")(self._paid)
        control.post("/sheets/<number>/refuse")(self._refused)
        control.post("/sheets/<number>/close")(self._closed)
        control.put("/phones/<openid>/sheet")(self._place)

    def _show(self) -> Response:
        shown = body_as(Shown)
        with self._pay.lock:
            order = payable(self._pay, shown)
            if shown.openid in self._newest:
                self._end(self._newest[shown.openid], "CLOSED")
            one = Sheet(secrets.token_hex(8), shown, order)
            self._sheets[one.id] = self._newest[shown.openid] = one
            return self._answer(one)

    def _of_phone(self) -> Response:
        """Where the sheets of the phone ``?openid=`` are, and the open one (null: none that can still be paid)."""
        openid = request.args.get("openid", "")
        with self._pay.lock:
            at, one = self._places.get(openid, "phone"), self._newest.get(openid)
            is_open = one is not None and one.state == "OPEN" and one.order.state(self._pay.clock.now()) == "NOTPAY"
            return jsonify(at=at, sheet=one.view(at) if one and is_open else None)

    def _look(self, number: str) -> Response:
        with self._pay.lock:
            return self._answer(self._known(number))

    def _paid(self, number: str) -> Response:
        with self._pay.lock:
            one = self._open(number)
            self._transactions.capture(payable(self._pay, one.shown))
            self._end(one, "PAID")
            return self._answer(one)

    def _refused(self, number: str) -> Response:
        """No money: too little in the account."""
        with self._pay.lock:
            one = self._open(number)
            self._end(one, "REFUSED")
            return self._answer(one)

    def _closed(self, number: str) -> Response:
        """The patient closed it. One that has ended is not changed."""
        with self._pay.lock:
            one = self._known(number)
            self._end(one, "CLOSED")
            return self._answer(one)

    def _place(self, openid: str) -> Response:
        wish = body_as(Where)
        with self._pay.lock:
            self._places[openid] = wish.at
        return jsonify(wish.model_dump())

    # -- inside -------------------------------------------------------------------------------------
    def _known(self, number: str) -> Sheet:
        if number not in self._sheets:
            raise Impossible("no such sheet", 404)
        return self._sheets[number]

    def _open(self, number: str) -> Sheet:
        one = self._known(number)
        if one.state != "OPEN":
            raise Impossible("the sheet is closed", 409)
        return one

    @staticmethod
    def _end(one: Sheet, state: str) -> None:
        one.state = state if one.state == "OPEN" else one.state

    def _answer(self, one: Sheet) -> Response:
        return jsonify(one.view(self._places.get(one.shown.openid, "phone")))
