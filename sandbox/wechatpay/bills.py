"""Daily bills: applying for them, downloading them, and making them differ from the truth."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Literal

from flask import Response, jsonify, request
from pydantic import Field

from sandbox.wechat.control_json import ControlBody, Impossible, body_as
from sandbox.wechatpay.book import Refund
from sandbox.wechatpay.counter import Counter
from sandbox.wechatpay.guard import Refused
from sandbox.wechatpay.models import BEIJING, moment, param_error
from sandbox.wechatpay.statements import COLUMNS, TOTALS, TRADE_HEADERS, Amendment, Entry, Form, Statement, Synthetic

READY, LINK_LIFE, MONTHS_BACK = time(10), timedelta(minutes=5), 3
DOWNLOAD = "/v3/billdownload/file"
TRADE, FLOW = "trade", "fundflow"
_ACCOUNTS = ("BASIC", "OPERATION", "FEES")
_STATUS = {"SUCCESS": "SUCCESS", "PROCESSING": "PROCESSING", "ABNORMAL": "FAIL", "CLOSED": "FAIL"}
_NUMBER = r"^[0-9A-Za-z_\-|*@]{1,64}$"


Columns = dict[str, str]


class Added(ControlBody):
    """A line that WeChat never had: a payment, or a refund when ``out_refund_no`` is given.

    ``closed``: the money of a refund that came back (退款关闭; the fund flow alone has such lines). ``columns`` says,
    by the file's own column names, what the line has instead, as it is.
    """

    out_trade_no: str = Field(pattern=_NUMBER)
    amount_fen: int = Field(ge=1)
    out_refund_no: str | None = Field(default=None, pattern=_NUMBER)
    transaction_id: str | None = Field(default=None, pattern=r"^[0-9]{1,32}$")
    refund_id: str | None = Field(default=None, pattern=r"^[0-9]{1,32}$")
    openid: str = Field(default="oUnknown", pattern=r"^[0-9A-Za-z_-]{1,128}$")
    at: str | None = None
    closed: bool = False
    columns: Columns = {}


class Changed(ControlBody):
    """Another value for the payment's line (``out_trade_no``) or the refund's (``out_refund_no``)."""

    out_trade_no: str | None = None
    out_refund_no: str | None = None
    amount_fen: int | None = Field(default=None, ge=0)
    transaction_id: str | None = Field(default=None, pattern=r"^[0-9]{1,32}$")
    refund_status: Literal["SUCCESS", "FAIL", "PROCESSING"] | None = None
    at: str | None = None
    columns: Columns = {}


class Amend(ControlBody):
    """``remove`` names payments by out_trade_no and refunds by out_refund_no; ``totals`` are said instead of sums.

    ``layout`` is the trade bill's; with ``decimal_counts`` the fund flow counts its lines ``3.0``.
    """

    remove: list[str] = []
    add: list[Added] = []
    change: list[Changed] = []
    totals: dict[str, str] = {}
    layout: Literal["present", "early"] | None = None
    decimal_counts: bool | None = None
    bills: list[Literal["trade", "fundflow"]] = ["trade", "fundflow"]


class Invent(ControlBody):
    """A day to invent."""

    date: str
    payments: int = Field(ge=1, le=9_999_999)
    refunds: int = Field(default=0, ge=0)
    seed: int = Field(default=1, ge=0)


class BillMode(ControlBody):
    """What is left out stays as it is.

    ``refunds_on``: refunds stand on the day they succeeded, or (as WeChat's documentation has it) on the day they
    were accepted with the state they had when the bill was made. ``bom``: whether files begin with one.
    """

    refunds_on: Literal["success", "acceptance"] | None = None
    bom: bool | None = None


@dataclass(frozen=True)
class _Link:
    statement: Statement
    gzip: bool
    ends: float  # sandbox time


class Bills:
    """The routes under /v3/bill, the download, and /wechatpay/bills of the control interface."""

    def __init__(self, pay: Counter) -> None:
        self._pay = pay
        self._links: dict[str, _Link] = {}
        self._amendments: dict[tuple[date, str], Amendment] = {}
        self._synthetic: dict[date, Synthetic] = {}
        self._read: dict[tuple[date, str, str], Statement] = {}  # of synthetic days: reading them again is slow
        self._changes = 0  # how often the control interface changed anything
        self._mode = {"refunds_on": "success", "bom": True}
        pay.app.get("/v3/bill/tradebill", endpoint="trade_bill")(self._trade_bill)
        pay.app.get("/v3/bill/fundflowbill", endpoint="fund_flow_bill")(self._flow_bill)
        pay.app.get(DOWNLOAD, endpoint="download_bill")(self._download)
        pay.control.post("/bills/synthetic", endpoint="bills_synthetic")(self._invent)
        pay.control.post("/bills/mode", endpoint="bills_mode")(self._set_mode)
        pay.control.get("/bills/<day>", endpoint="bills_day")(self._show)
        pay.control.post("/bills/<day>/amend", endpoint="bills_amend")(self._amend)
        pay.control.delete("/bills/<day>", endpoint="bills_reset")(self._reset)

    # -- the merchant's calls -------------------------------------------------------------------
    def _trade_bill(self) -> Response:
        bill_type = _one_of("bill_type", "ALL", tuple(TRADE_HEADERS))
        day = self._billed_day()
        return self._apply(self._statement(day, TRADE, bill_type))

    def _flow_bill(self) -> Response:
        account = _one_of("account_type", "BASIC", _ACCOUNTS)
        day = self._billed_day()
        if account != "BASIC":  # nothing ever moves there
            raise _none()
        return self._apply(self._statement(day, FLOW, "ALL"))

    def _apply(self, statement: Statement) -> Response:
        pay = self._pay
        gzip = "tar_type" in request.args and _one_of("tar_type", "GZIP", ("GZIP",)) == "GZIP"
        if statement.count == 0:
            raise _none()
        token = secrets.token_urlsafe(32)
        with pay.lock:
            now = pay.clock.timestamp()
            self._links = {name: link for name, link in self._links.items() if link.ends > now}
            self._links[token] = _Link(statement, gzip, now + LINK_LIFE.total_seconds())
        pay.note(lines=statement.count)
        return pay.answer({"hash_type": "SHA1", "hash_value": statement.sha1,
                           "download_url": f"{pay.address}{DOWNLOAD}?token={token}"})

    def _download(self) -> Response:
        with self._pay.lock:
            link = self._links.get(request.args.get("token", ""))
            if link is None or link.ends <= self._pay.clock.timestamp():
                raise Refused("INVALID_REQUEST", "账单下载地址无效或已过期,请重新申请账单", 400)
        kind = "application/x-gzip" if link.gzip else "text/plain; charset=utf-8"
        return Response(link.statement.content(gzip=link.gzip), content_type=kind)

    def _billed_day(self) -> date:
        """The asked day. Raises Refused PARAM_ERROR out of range, STATEMENT_CREATING before 10:00 of the next."""
        text = request.args.get("bill_date", "")
        day = _day_of(text)
        if day is None:
            raise param_error("bill_date", "must be yyyy-MM-dd", "query")
        self._pay.note(bill_date=text)
        now = self._pay.clock.now().astimezone(BEIJING)
        if not _months_before(now.date(), MONTHS_BACK) <= day < now.date():
            raise param_error("bill_date", "must lie within the last 3 months, before today", "query")
        if day == now.date() - timedelta(days=1) and now.time() < READY:
            raise Refused("STATEMENT_CREATING", "账单生成中,请稍后再试", 400)
        return day

    # -- drawing up -----------------------------------------------------------------------------
    def _statement(self, day: date, kind: str, bill_type: str) -> Statement:
        with self._pay.lock:
            known = self._read.get((day, kind, bill_type))
            lines = self._lines(day, kind, bill_type)
            invented, changes = day in self._synthetic, self._changes
        if known:
            return known
        statement = Statement.of(lines)  # outside the lock: a synthetic day takes seconds
        with self._pay.lock:
            if invented and changes == self._changes:
                self._read[day, kind, bill_type] = statement
        return statement

    def _lines(self, day: date, kind: str, bill_type: str) -> Callable[[], Iterator[str]]:
        """What begins the file; it reads nothing that may still change."""
        pay = self._pay
        mode, frozen = self._mode, self._amendments.get((day, kind), Amendment()).copy()
        form = Form(pay.app_id, pay.merchant_id, bill_type, bom=bool(mode["bom"]), early=frozen.early,
                    decimal_counts=frozen.decimal_counts, totals=frozen.totals)
        synthetic = self._synthetic.get(day)
        true = [] if synthetic else self._true_entries(day, kind)
        opening = 0 if kind == TRADE else self._opening_fen(day)

        def entries() -> Iterator[Entry]:
            every = frozen.apply(synthetic.entries() if synthetic else true)
            return (one for one in every if bill_type == "ALL" or bool(one.out_refund_no) is (bill_type == "REFUND")
                    if kind == FLOW or not one.closed)

        if kind == TRADE:
            return lambda: form.trade_lines(entries())
        return lambda: form.flow_lines(entries(), opening)

    def _true_entries(self, day: date, kind: str) -> list[Entry]:
        """The day's payments and refunds as the books have them, in order of time."""
        pay = self._pay
        made = datetime.combine(day + timedelta(days=1), READY, BEIJING)
        found = [(order.paid_at, Entry(_written(order.paid_at), order.transaction_id or "", order.out_trade_no,
                                       order.openid, order.total_fen, _plain(order.attach)))
                 for order in pay.book.orders.values() if order.paid_at and _day(order.paid_at) == day]
        for refund in pay.book.refunds.values():
            at = self._stands_at(refund, kind)
            if at is None or _day(at) != day:
                continue
            status, order = refund.status(made), refund.order
            found.append((at, Entry(
                _written(at), order.transaction_id or "", order.out_trade_no, order.openid, refund.amount_fen,
                _plain(order.attach), refund.refund_id, refund.out_refund_no, _STATUS[status],
                _written(refund.created_at), _written(refund.settles_at) if status == "SUCCESS" else "")))
        return [entry for _, entry in sorted(found, key=lambda pair: pair[0])]

    def _stands_at(self, refund: Refund, kind: str) -> datetime | None:
        """When a refund stands in the bills; None when it does not (yet)."""
        if self._mode["refunds_on"] == "success":
            return refund.settles_at if refund.status(self._pay.clock.now()) == "SUCCESS" else None
        if kind == FLOW and refund.status(self._pay.clock.now()) == "CLOSED":
            return None
        return refund.created_at

    def _opening_fen(self, day: date) -> int:
        """The account's balance when the day began."""
        book = self._pay.book
        paid = sum(order.total_fen for order in book.orders.values() if order.paid_at and _day(order.paid_at) < day)
        stood = ((refund.amount_fen, self._stands_at(refund, FLOW)) for refund in book.refunds.values())
        return paid - sum(amount for amount, at in stood if at is not None and _day(at) < day)

    # -- the control interface ------------------------------------------------------------------
    def _invent(self) -> Response:
        wish = body_as(Invent)
        day = _control_day(wish.date)
        if wish.refunds > wish.payments:
            raise Impossible("refunds: more than payments")
        with self._pay.lock:
            self._forget(day)
            self._synthetic[day] = Synthetic(day, wish.payments, wish.refunds, wish.seed)
        return self._summary(day)

    def _amend(self, day: str) -> Response:
        wish = body_as(Amend)
        on = _control_day(day)
        changes = dict(_change(one) for one in wish.change)
        added = [_added(one, on) for one in wish.add]
        columns = [one.columns for one in wish.add] + [one.columns for one in wish.change]
        for said, known in ((wish.totals, TOTALS), *((one, COLUMNS) for one in columns)):
            if said.keys() - known:
                raise Impossible(f"no such column: {', '.join(sorted(said.keys() - known))}")
        with self._pay.lock:
            for number in [*wish.remove, *changes]:
                if not any(self._has(on, kind, number) for kind in wish.bills):
                    raise Impossible(f"no line of that day bears {number!r}", 404)
            for kind in wish.bills:
                amendment = self._amendments.setdefault((on, kind), Amendment())
                amendment.removed |= set(wish.remove)
                amendment.removed -= {one.number for one in added}
                for number, values in changes.items():
                    amendment.changed[number] = {**amendment.changed.get(number, {}), **values}
                amendment.added += added
                amendment.totals |= wish.totals
                amendment.early = amendment.early if wish.layout is None else wish.layout == "early"
                amendment.decimal_counts = (amendment.decimal_counts if wish.decimal_counts is None
                                            else wish.decimal_counts)
            self._drop_read(on)
        return self._summary(on)

    def _has(self, day: date, kind: str, number: str) -> bool:
        synthetic, amendment = self._synthetic.get(day), self._amendments.get((day, kind), Amendment())
        true = () if synthetic else self._true_entries(day, kind)
        return any(one.number == number for one in (*true, *amendment.added)) or \
            bool(synthetic and synthetic.has(number))

    def _show(self, day: str) -> Response:
        return self._summary(_control_day(day))

    def _summary(self, day: date) -> Response:
        trade, flow = self._statement(day, TRADE, "ALL"), self._statement(day, FLOW, "ALL")
        with self._pay.lock:
            amended = [kind for kind in (TRADE, FLOW) if (day, kind) in self._amendments]
            return jsonify(date=str(day), synthetic=day in self._synthetic, amended=amended,
                           trade_lines=trade.count, trade_sha1=trade.sha1, flow_lines=flow.count, flow_sha1=flow.sha1)

    def _reset(self, day: str) -> tuple[str, int]:
        with self._pay.lock:
            self._forget(_control_day(day))
        return "", 204

    def _set_mode(self) -> Response:
        wish = body_as(BillMode)
        with self._pay.lock:
            self._mode |= wish.model_dump(exclude_none=True)
            self._read.clear()
            self._changes += 1
            return jsonify(self._mode)

    def _forget(self, day: date) -> None:
        self._synthetic.pop(day, None)
        for kind in (TRADE, FLOW):
            self._amendments.pop((day, kind), None)
        self._drop_read(day)

    def _drop_read(self, day: date) -> None:
        self._changes += 1
        self._read = {key: read for key, read in self._read.items() if key[0] != day}


def _none() -> Refused:
    return Refused("NO_STATEMENT_EXIST", "账单文件不存在", 400)


def _one_of(name: str, default: str, allowed: tuple[str, ...]) -> str:
    value = request.args.get(name, default)
    if value not in allowed:
        raise param_error(name, f"must be one of {', '.join(allowed)}", "query")
    return value


def _day_of(text: str) -> date | None:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _control_day(text: str) -> date:
    day = _day_of(text)
    if day is None:
        raise Impossible("date: must be yyyy-MM-dd")
    return day


def _day(at: datetime) -> date:
    return at.astimezone(BEIJING).date()


def _written(at: datetime) -> str:
    return f"{at.astimezone(BEIJING):%Y-%m-%d %H:%M:%S}"


def _plain(text: str | None) -> str:
    """A text that cannot break the file's columns or lines."""
    return " ".join((text or "").replace(",", " ").split())


def _months_before(day: date, months: int) -> date:
    """The same day of an earlier month, or that month's last."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    last = (date(year + (month == 11), (month + 1) % 12 + 1, 1) - timedelta(days=1)).day
    return date(year, month + 1, min(day.day, last))


def _at(text: str) -> str:
    try:
        return _written(moment(text))
    except ValueError:
        raise Impossible("at: must be RFC 3339, as 2026-11-23T12:00:00+08:00") from None


def _added(wish: Added, day: date) -> Entry:
    at = _at(wish.at) if wish.at else f"{day} 12:00:00"
    paid = Entry(at, wish.transaction_id or f"42000{day:%Y%m%d}{secrets.randbelow(10**15):015d}", wish.out_trade_no,
                 wish.openid, wish.amount_fen, columns=tuple(wish.columns.items()))
    if wish.out_refund_no is None:
        if wish.closed:
            raise Impossible("closed: only a refund can be")
        return paid
    refund_id = wish.refund_id or f"503{day:%Y%m%d}{secrets.randbelow(10**17):017d}"
    return paid._replace(refund_id=refund_id, out_refund_no=wish.out_refund_no, refund_status="SUCCESS",
                         asked_at=at, succeeded_at=at, closed=wish.closed)


def _change(wish: Changed) -> tuple[str, dict[str, Any]]:
    """The line's number and its new values. Raises Impossible."""
    named = [number for number in (wish.out_trade_no, wish.out_refund_no) if number]
    if len(named) != 1:
        raise Impossible("change: name one line, by out_trade_no or out_refund_no")
    values = wish.model_dump(exclude={"out_trade_no", "out_refund_no"}, exclude_none=True)
    values["columns"] = tuple(values["columns"].items())
    if not values["columns"]:
        del values["columns"]
    if not values:
        raise Impossible("change: nothing to change")
    if "at" in values:
        values["at"] = _at(values["at"])
    return named[0], values
