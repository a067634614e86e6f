"""WeChat Pay's bill files: their lines, columns and totals, drawn up line by line so that no file is held whole."""

from __future__ import annotations

import hashlib
import heapq
import random
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
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
    """How one kind of bill is written: for whom, and with or without a byte order mark."""

    app_id: str
    merchant_id: str
    bill_type: str = "ALL"
    bom: bool = True

    def trade_lines(self, entries: Iterable[Entry]) -> Iterator[str]:
        """The trade bill, with header and totals."""
        yield (_BOM if self.bom else "") + TRADE_HEADERS[self.bill_type]
        count = paid = returned = 0
        for entry in entries:
            count += 1
            if entry.out_refund_no:
                returned += entry.amount_fen
            else:
                paid += entry.amount_fen
            yield self._trade_line(entry)
        yield TRADE_SUMMARY
        yield f"`{count},`{yuan(paid)},`{yuan(returned)},`0.00,`0.00000,`{yuan(paid)},`{yuan(returned)}"

    def flow_lines(self, entries: Iterable[Entry], opening_fen: int) -> Iterator[str]:
        """The fund-flow bill of the basic account, which begins the day with ``opening_fen``."""
        yield (_BOM if self.bom else "") + FLOW_HEADER
        balance, incomes, income, expenses, expense = opening_fen, 0, 0, 0, 0
        for place, entry in enumerate(entries):
            amount = yuan(entry.amount_fen)
            flow = f"{self.merchant_id}{entry.at[:4]}{entry.at[5:7]}{entry.at[8:10]}{place:010d}"
            if entry.out_refund_no:
                balance, expenses, expense = balance - entry.amount_fen, expenses + 1, expense + entry.amount_fen
                yield (f"`{entry.at},`{entry.refund_id},`{flow},`退款,`退款,`支出,`{amount},`{yuan(balance)},"
                       f"`{self.merchant_id}API,`退款总金额{amount}元;含手续费0.00元,`{entry.out_refund_no}")
            else:
                balance, incomes, income = balance + entry.amount_fen, incomes + 1, income + entry.amount_fen
                yield (f"`{entry.at},`{entry.transaction_id},`{flow},`交易,`交易,`收入,`{amount},`{yuan(balance)},"
                       f"`system,`结算总金额{amount}元;含手续费0.00元,`{entry.out_trade_no}")
        yield FLOW_SUMMARY
        yield f"`{incomes + expenses},`{incomes},`{yuan(income)},`{expenses},`{yuan(expense)}"

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
