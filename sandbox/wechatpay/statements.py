"""WeChat Pay's bill files: their lines, columns and totals, drawn up line by line so that no file is held whole."""

from __future__ import annotations

import hashlib
import heapq
import random
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import islice
from typing import Any, NamedTuple

PRODUCT = "医院缴费"  # the books do not keep each order's description
FLOW_HEADER = ("记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),"
               "资金变更提交申请人,备注,业务凭证号")
FLOW_SUMMARY = "资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额"
TRADE_SUMMARY = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"
_COMMON = ("交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,"
           "货币种类,应结订单金额,代金券金额,")
_REFUND = "微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,"
_TAIL = "商品名称,商户数据包,手续费,费率,订单金额,"
TRADE_HEADERS = {
    "ALL": f"{_COMMON}{_REFUND}{_TAIL}申请退款金额,费率备注",
    "SUCCESS": f"{_COMMON}{_TAIL}费率备注",
    "REFUND": f"{_COMMON}退款申请时间,退款成功时间,{_REFUND}{_TAIL}申请退款金额,费率备注",
}
COLUMNS = frozenset(f"{FLOW_HEADER},{TRADE_HEADERS['ALL']},{TRADE_HEADERS['REFUND']}".split(","))
TOTALS = frozenset(f"{FLOW_SUMMARY},{TRADE_SUMMARY}".split(","))
# The layout before vouchers: fewer columns, some under other names.
_EARLY = {"应结订单金额": "总金额", "代金券金额": "代金券或立减优惠金额", "充值券退款金额": "代金券或立减优惠退款金额"}
_LATER = ("订单金额", "申请退款金额", "费率备注")
_EARLY_SUMMARY = {"总交易单数": "总交易单数", "应结订单总金额": "总交易额", "退款总金额": "总退款金额",
                  "充值券退款总金额": "总代金券或立减优惠退款金额", "手续费总金额": "手续费总金额"}
_BOM = "\ufeff"
_CHUNK_LINES = 400
_SYNTHETIC = re.compile(r"SYN([RT])(\d{8})(\d{6})(\d{7})")


class Entry(NamedTuple):
    """One line: a payment, or a refund when ``out_refund_no`` is there. Times as the file writes them."""

    at: str
    transaction_id: str
    out_trade_no: str
    openid: str
    amount_fen: int  # what was paid, or what goes back
    attach: str = ""
    refund_id: str = ""
    out_refund_no: str = ""
    refund_status: str = ""
    asked_at: str = ""  # of a refund: when it was accepted
    succeeded_at: str = ""
    closed: bool = False  # a refund's money that came back to the merchant; in the fund flow only
    columns: tuple[tuple[str, str], ...] = ()  # what the file says instead, whatever is true

    @property
    def number(self) -> str:
        """The merchant's number that names this line."""
        return self.out_refund_no or self.out_trade_no


@dataclass
class Amendment:
    """How a bill differs from the truth, for tests."""

    removed: set[str] = field(default_factory=set)
    changed: dict[str, dict[str, Any]] = field(default_factory=dict)
    added: list[Entry] = field(default_factory=list)
    totals: dict[str, str] = field(default_factory=dict)  # by column, instead of the sums
    early: bool = False  # the trade bill's layout of before
    decimal_counts: bool = False  # the fund flow counts its lines as in WeChat Pay's sample, 3.0

    def copy(self) -> Amendment:
        """As it is now."""
        return replace(self, removed=set(self.removed), changed=dict(self.changed), added=list(self.added),
                       totals=dict(self.totals))

    def apply(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """The amended lines, in order of time."""
        for entry in heapq.merge(entries, sorted(self.added), key=lambda one: one.at):
            if entry.number not in self.removed:
                changes = self.changed.get(entry.number)
                yield entry._replace(**changes) if changes else entry


@dataclass(frozen=True)
class Synthetic:
    """An invented day of ``payments``, the first ``refunds`` of which go back in full at its end."""

    day: date
    payments: int
    refunds: int
    seed: int

    def entries(self) -> Iterator[Entry]:
        """The day's lines, always the same for the same day, number and seed."""
        yield from self._paid()
        late = f"{self.day} 23:59:30"
        for index, paid in enumerate(islice(self._paid(), self.refunds)):
            yield paid._replace(
                at=late, refund_id=f"5030{self.day:%Y%m%d}{self.seed % 10**6:06d}{index:010d}",
                out_refund_no=paid.out_trade_no.replace("SYNT", "SYNR", 1), refund_status="SUCCESS",
                asked_at=late, succeeded_at=late)

    def has(self, number: str) -> bool:
        """Whether a line of the day bears this merchant's number."""
        match = _SYNTHETIC.fullmatch(number)
        if match is None or (match[2], match[3]) != (f"{self.day:%Y%m%d}", f"{self.seed % 10**6:06d}"):
            return False
        return int(match[4]) < (self.refunds if match[1] == "R" else self.payments)

    def _paid(self) -> Iterator[Entry]:
        draw = random.Random(f"{self.seed}/{self.day}").random
        mark, day, last = f"{self.day:%Y%m%d}{self.seed % 10**6:06d}", str(self.day), 86_340
        for index in range(self.payments):
            minute, second = divmod(index * last // self.payments, 60)
            yield Entry(f"{day} {minute // 60:02d}:{minute % 60:02d}:{second:02d}", f"4200{mark}{index:010d}",
                        f"SYNT{mark}{index:07d}", f"oSynthetic{index % 50_000:018d}", 100 + int(draw() * 99_900))


def yuan(fen: int) -> str:
    """Fen as yuan with two decimals."""
    return f"{'-' if fen < 0 else ''}{abs(fen) // 100}.{abs(fen) % 100:02d}"


@dataclass(frozen=True)
class Form:
    """How one kind of bill is written: for whom, and with or without a byte order mark.

    ``early``: the trade bill's layout of before; ``decimal_counts``: the fund flow's numbers of lines as in WeChat
    Pay's sample, ``3.0``; ``totals`` are said instead of the sums.
    """

    app_id: str
    merchant_id: str
    bill_type: str = "ALL"
    bom: bool = True
    early: bool = False
    decimal_counts: bool = False
    totals: Mapping[str, str] = field(default_factory=dict)

    def trade_lines(self, entries: Iterable[Entry]) -> Iterator[str]:
        """The trade bill, with header and totals."""
        header = TRADE_HEADERS[self.bill_type]
        names = _of_early(header) if self.early else header.split(",")
        yield (_BOM if self.bom else "") + ",".join(_EARLY.get(name, name) if self.early else name for name in names)
        count = paid = returned = 0
        for entry in entries:
            count += 1
            if entry.out_refund_no:
                returned += entry.amount_fen
            else:
                paid += entry.amount_fen
            line = self._trade_line(entry)
            yield _rewritten(line, header, entry.columns, names) if entry.columns or self.early else line
        sums = f"`{count},`{yuan(paid)},`{yuan(returned)},`0.00,`0.00000,`{yuan(paid)},`{yuan(returned)}"
        said = tuple(self.totals.items())
        yield ",".join(_EARLY_SUMMARY.values()) if self.early else TRADE_SUMMARY
        yield _rewritten(sums, TRADE_SUMMARY, said, [*_EARLY_SUMMARY] if self.early else TRADE_SUMMARY.split(","))

    def flow_lines(self, entries: Iterable[Entry], opening_fen: int) -> Iterator[str]:
        """The fund-flow bill of the basic account, which begins the day with ``opening_fen``."""
        yield (_BOM if self.bom else "") + FLOW_HEADER
        names = FLOW_HEADER.split(",")
        balance, incomes, income, expenses, expense = opening_fen, 0, 0, 0, 0
        for place, entry in enumerate(entries):
            if entry.out_refund_no and not entry.closed:
                balance, expenses, expense = balance - entry.amount_fen, expenses + 1, expense + entry.amount_fen
            else:
                balance, incomes, income = balance + entry.amount_fen, incomes + 1, income + entry.amount_fen
            line = self._flow_line(entry, place, balance)
            yield _rewritten(line, FLOW_HEADER, entry.columns, names) if entry.columns else line
        every, some, others = (f"{number}.0" if self.decimal_counts else str(number)
                               for number in (incomes + expenses, incomes, expenses))
        sums = f"`{every},`{some},`{yuan(income)},`{others},`{yuan(expense)}"
        yield FLOW_SUMMARY
        yield _rewritten(sums, FLOW_SUMMARY, tuple(self.totals.items()), FLOW_SUMMARY.split(","))

    def _flow_line(self, entry: Entry, place: int, balance: int) -> str:
        amount = yuan(entry.amount_fen)
        flow = f"{self.merchant_id}{entry.at[:4]}{entry.at[5:7]}{entry.at[8:10]}{place:010d}"
        if not entry.out_refund_no:
            return (f"`{entry.at},`{entry.transaction_id},`{flow},`交易,`交易,`收入,`{amount},`{yuan(balance)},"
                    f"`system,`结算总金额{amount}元;含手续费0.00元,`{entry.out_trade_no}")
        business, way = ("退款关闭", "收入") if entry.closed else ("退款", "支出")
        return (f"`{entry.at},`{entry.refund_id},`{flow},`{business},`{business},`{way},`{amount},`{yuan(balance)},"
                f"`{self.merchant_id}API,`退款总金额{amount}元;含手续费0.00元,`{entry.out_refund_no}")

    def _trade_line(self, entry: Entry) -> str:
        amount, refund = yuan(entry.amount_fen), bool(entry.out_refund_no)
        paid, state = ("0.00", "REFUND") if refund else (amount, "SUCCESS")
        line = (f"`{entry.at},`{self.app_id},`{self.merchant_id},`0,`,`{entry.transaction_id},`{entry.out_trade_no},"
                f"`{entry.openid},`JSAPI,`{state},`OTHERS,`CNY,`{paid},`0.00,")
        tail = f"`{PRODUCT},`{entry.attach},`0.00000,`0.00%,`{paid},"
        if self.bill_type == "SUCCESS":
            return f"{line}{tail}`"
        if not refund:
            return f"{line}`0,`0,`0.00,`0.00,`,`,{tail}`0.00,`"
        if self.bill_type == "REFUND":
            line += f"`{entry.asked_at},`{entry.succeeded_at},"
        return (f"{line}`{entry.refund_id},`{entry.out_refund_no},`{amount},`0.00,`ORIGINAL,`{entry.refund_status},"
                f"{tail}`{amount},`")


def _of_early(header: str) -> list[str]:
    """The present names of the columns that the early layout has."""
    return [name for name in header.split(",") if name not in _LATER]


def _rewritten(line: str, header: str, said: tuple[tuple[str, str], ...], names: list[str]) -> str:
    """The cells of ``names`` in their order, with what is said instead, as it is."""
    cells = dict(zip(header.split(","), line.split(","), strict=True))
    cells |= {name: f"`{value}" for name, value in said if name in cells}
    return ",".join(cells[name] for name in names)


@dataclass(frozen=True)
class Statement:
    """One bill file: ``lines`` begins it anew each time. ``sha1`` is of the plain file."""

    lines: Callable[[], Iterator[str]]
    count: int
    sha1: str

    @classmethod
    def of(cls, lines: Callable[[], Iterator[str]]) -> Statement:
        """Reads the file once for its hash and the number of its entries."""
        digest, count = hashlib.sha1(), -3  # header and two lines of totals
        for chunk, size in _chunks(lines()):
            digest.update(chunk)
            count += size
        return cls(lines, count, digest.hexdigest())

    def content(self, *, gzip: bool) -> Iterator[bytes]:
        """The file in pieces, UTF-8 with CRLF, compressed when wanted."""
        if not gzip:
            yield from (chunk for chunk, _ in _chunks(self.lines()))
            return
        packer = zlib.compressobj(1, zlib.DEFLATED, 31)
        for chunk, _ in _chunks(self.lines()):
            packed = packer.compress(chunk)
            if packed:
                yield packed
        yield packer.flush()


def _chunks(lines: Iterator[str]) -> Iterator[tuple[bytes, int]]:
    while some := list(islice(lines, _CHUNK_LINES)):
        yield ("\r\n".join(some) + "\r\n").encode(), len(some)
