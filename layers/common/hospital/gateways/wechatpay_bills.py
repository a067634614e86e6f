"""WeChat Pay's daily bill files, line by line: a file is never held whole. Amounts are fen.

A file's hash covers all of it, so what these iterators give is proven only when they have ended: whoever
reads commits nothing before.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from datetime import date
from hashlib import sha1
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from hospital.gateways import wechatpay
from hospital.gateways.outcome import Rejected, Unanswered

DOWNLOAD_TIMEOUT = (2.0, 30.0)  # seconds to connect, and without a byte
CHUNK = 16 * 1024  # bytes as sent, compressed
PIECE = 128 * 1024  # bytes unpacked, at most: what is held of a file at a time
GZIP = 31  # zlib's word for a gzip file
MARK = "`"  # before every value, so that spreadsheets take none for a number
SEPARATOR = ",`"
NONE = "0"  # where a payment's line has the refund's numbers
WAYS = {"收入": True, "支出": False}
TRADE_TOTALS, FLOW_TOTALS = "总交易单数", "资金流水总笔数"


class NotReady(Exception):
    """WeChat Pay has not made the bill yet: it comes after 10 o'clock of the next day."""


class TradeLine(NamedTuple):
    """A payment, or a refund when ``out_refund_no`` is set: SUCCESS, PROCESSING or FAIL.

    ``at`` is as the file has it: Beijing time, ``2026-11-23 09:05:00``.
    """

    at: str
    transaction_id: str
    out_trade_no: str
    refund_id: str
    out_refund_no: str
    paid_fen: int
    refund_fen: int
    refund_state: str


class FlowLine(NamedTuple):
    """Money that came into the merchant's account (``income``) or left it.

    ``business_id`` is WeChat's number of the payment or refund, ``kind`` what it was (交易, 退款, …), ``voucher``
    our number of it (业务凭证号).
    """

    at: str
    business_id: str
    kind: str
    income: bool
    amount_fen: int
    voucher: str


def trade_bill(day: date) -> Iterator[TradeLine]:
    """Every payment and refund in the bill of a hospital day; nothing when there is no bill because nothing happened.

    Raises NotReady before the first line; Unanswered, also at the end: hash, number of lines or sums are wrong.
    """
    file = _BillFile(f"/v3/bill/tradebill?bill_date={day}&bill_type=ALL&tar_type=GZIP", TRADE_TOTALS)
    count = paid_sum = refund_sum = 0
    for first, lines in file.blocks():
        width = len(file.columns)
        at, transaction, trade, refund, refund_no, state, paid_at, back_at = file.places(
            "交易时间", "微信订单号", "商户订单号", "微信退款单号", "商户退款单号", "退款状态", "订单金额",
            "申请退款金额", free="商品名称")
        for number, line in enumerate(lines, first):
            cells = line.split(SEPARATOR)
            try:
                paid_text, back_text = cells[paid_at], cells[back_at]
                if len(cells) < width or paid_text[-3] != "." or back_text[-3] != ".":
                    raise ValueError
                paid, back = int(paid_text.replace(".", "")), int(back_text.replace(".", ""))
            except (IndexError, ValueError):
                raise _unreadable(number) from None
            paid_sum += paid
            refund_sum += back
            if cells[refund_no] == NONE:
                yield TradeLine(cells[at].lstrip(MARK), cells[transaction], cells[trade], "", "", paid, back, "")
            else:
                yield TradeLine(cells[at].lstrip(MARK), cells[transaction], cells[trade], cells[refund],
                                cells[refund_no], paid, back, cells[state])
        count += len(lines)
    file.check({TRADE_TOTALS: count, "订单总金额": paid_sum, "申请退款总金额": refund_sum})


def fund_flow(day: date) -> Iterator[FlowLine]:
    """Every movement in the merchant's basic account on a hospital day; nothing when nothing moved.

    Raises NotReady before the first line; Unanswered, also at the end: hash, numbers of lines or sums are wrong.
    """
    file = _BillFile(f"/v3/bill/fundflowbill?bill_date={day}&account_type=BASIC&tar_type=GZIP", FLOW_TOTALS)
    incomes = expenses = income_sum = expense_sum = 0
    for first, lines in file.blocks():
        width = len(file.columns)
        at, business, kind, way, amount_at, voucher = file.places(
            "记账时间", "微信支付业务单号", "业务类型", "收支类型", "收支金额(元)", "业务凭证号", free="备注")
        for number, line in enumerate(lines, first):
            cells = line.split(SEPARATOR)
            try:
                text = cells[amount_at]
                income = WAYS[cells[way]]
                if len(cells) < width or text[-3] != ".":
                    raise ValueError
                amount = int(text.replace(".", ""))
            except (LookupError, ValueError):
                raise _unreadable(number) from None
            if income:
                incomes += 1
                income_sum += amount
            else:
                expenses += 1
                expense_sum += amount
            yield FlowLine(cells[at].lstrip(MARK), cells[business], cells[kind], income, amount, cells[voucher])
    file.check({FLOW_TOTALS: incomes + expenses, "收入笔数": incomes, "收入金额": income_sum, "支出笔数": expenses,
                "支出金额": expense_sum})


class _BillFile:
    """One bill that is being read: ``path`` applies for it, the line that begins with ``title`` ends its lines."""

    def __init__(self, path: str, title: str) -> None:
        self.columns: list[str] = []
        self._path = path
        self._title = title
        self._end = ""  # the totals' names and values, two lines

    def blocks(self) -> Iterator[tuple[int, list[str]]]:
        """Some lines at a time, with the number that the first has in the file. ``columns`` is known from then on.

        Raises NotReady, Unanswered.
        """
        applied = _apply(self._path)
        if applied is None:
            return
        number = 2
        for text in _texts(applied):
            if not self.columns:
                names, _, text = text.partition("\n")
                self.columns = _names(names)
            if not self._end:
                at = f"\n{text}".find(f"\n{self._title}")
                text, self._end = (text, "") if at < 0 else (text[:at], text[at:])
                lines = text.split("\n")
                lines.pop()
                if lines:
                    yield number, lines
                number += len(lines)
            else:
                self._end += text
        if not self._end:
            raise Unanswered(f"wechatpay bill: ends after line {number - 1} without totals")

    def places(self, *names: str, free: str) -> list[int]:
        """Where columns stand. Those behind the ``free`` text count from the end: it may hold what separates columns.

        Raises Unanswered when one is missing.
        """
        try:
            border, width = self.columns.index(free), len(self.columns)
            found = [self.columns.index(name) for name in names]
        except ValueError:
            raise _unreadable(1) from None
        return [place if place < border else place - width for place in found]

    def check(self, read: dict[str, int]) -> None:
        """Compare the totals with what was read: numbers of lines, sums in fen. Raises Unanswered."""
        if not self._end:
            return  # there is no bill
        names, _, values = self._end.strip().partition("\n")
        told = dict(zip(_names(names), values.lstrip(MARK).split(SEPARATOR), strict=False))
        for name, number in read.items():
            if name not in told or told[name].replace(".", "").lstrip("0") != str(number).lstrip("0"):
                raise Unanswered(f"wechatpay bill: {name} is not what its lines add up to")


def _unreadable(number: int) -> Unanswered:
    return Unanswered(f"wechatpay bill: line {number} is unreadable")


def _names(line: str) -> list[str]:
    return line.replace("（", "(").replace("）", ")").split(",")


# -- the wire ---------------------------------------------------------------------------------------
def _apply(path: str) -> dict[str, Any] | None:
    """Address and hash of a bill; None when there is none for that day. Raises NotReady, Unanswered."""
    try:
        return wechatpay._call("GET", path)
    except Rejected as refusal:
        if refusal.code == "NO_STATEMENT_EXIST":
            return None
        if refusal.code == "STATEMENT_CREATING":
            raise NotReady from None
        raise Unanswered(f"wechatpay bill: {refusal.code}") from None


def _texts(applied: dict[str, Any]) -> Iterator[str]:
    """The file in pieces that end where a line does. Raises Unanswered, at the end for a wrong hash."""
    wanted = str(applied.get("hash_value", "")).lower()
    if applied.get("hash_type") != "SHA1" or not wanted:
        raise Unanswered("wechatpay bill: no hash")
    digest, rest, first = sha1(usedforsecurity=False), b"", True
    for chunk in _plain(str(applied.get("download_url", ""))):
        digest.update(chunk)
        whole, end, rest = (rest + chunk).rpartition(b"\n")
        if end:
            yield _decoded(whole + end, first)
            first = False
    if digest.hexdigest() != wanted:
        raise Unanswered("wechatpay bill: its hash differs")
    if rest:
        yield _decoded(rest + b"\n", first)


def _plain(url: str) -> Iterator[bytes]:
    """What a file holds, unpacked piece by piece. Raises Unanswered."""
    import requests
    from wechatpayv3.utils import build_authorization

    core, address = wechatpay._core(), urlsplit(url)
    authorization = build_authorization(f"{address.path}?{address.query}", "GET", core._mchid, core._cert_serial_no,
                                        core._private_key)
    unzip = zlib.decompressobj(GZIP)
    try:
        with requests.get(url, headers={"Authorization": authorization, "Accept-Encoding": "identity"}, stream=True,
                          timeout=DOWNLOAD_TIMEOUT, allow_redirects=False) as response:
            if response.status_code != 200:
                raise Unanswered(f"wechatpay bill: status {response.status_code}")
            for chunk in response.iter_content(CHUNK):
                while plain := unzip.decompress(chunk, PIECE):
                    yield plain
                    chunk = unzip.unconsumed_tail
    except (requests.RequestException, zlib.error) as error:
        raise Unanswered(f"wechatpay bill: {type(error).__name__}") from None
    if not unzip.eof:
        raise Unanswered("wechatpay bill: it is cut short")


def _decoded(lines: bytes, first: bool) -> str:
    try:
        text = lines.decode("utf-8-sig" if first else "utf-8")
    except UnicodeDecodeError:
        raise Unanswered("wechatpay bill: not UTF-8") from None
    return text.replace("\r\n", "\n")
