"""WeChat Pay's daily bill files, line by line: a file is never held whole. Amounts are fen.

A file's hash covers all of it, so what these iterators give is proven only when they have ended: whoever
reads commits nothing before.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from datetime import date
from hashlib import sha1
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from hospital.gateways import wechatpay
from hospital.gateways.outcome import Rejected, Unanswered
from hospital.runtime.config import config

DOWNLOAD_TIMEOUT = (2.0, 30.0)  # seconds to connect, and without a byte
CHUNK = 16 * 1024  # bytes as sent, compressed
PIECE = 128 * 1024  # bytes unpacked, at most: what is held of a file at a time
GZIP = 31  # zlib's word for a gzip file
MARK = "`"  # before every value, so that spreadsheets take none for a number
SEPARATOR = ",`"
NEW = "`20"  # what a line begins with: its time
NONE = "0"  # where a payment's line has the refund's numbers
WAYS = {"收入": True, "支出": False}
TRADE_TOTALS, FLOW_TOTALS = "总交易单数", "资金流水总笔数"


# What of a line that can be read speaks against it: it is listed, and nobody takes it for agreed.
APP, CURRENCY, STATE, DAY = "APP", "CURRENCY", "STATE", "DAY"
TRADE_STATES = {False: {"SUCCESS"}, True: {"REFUND"}}  # by whether it is a refund's line; REVOKED is neither
REFUND_STATES = {"SUCCESS", "PROCESSING", "FAIL"}
PIECES = 20  # of one broken line that are put together at most


LineT = TypeVar("LineT")


class NotReady(Exception):
    """WeChat Pay has not made the bill yet: it comes after 10 o'clock of the next day."""


class TradeLine(NamedTuple):
    """A payment, or a refund when ``out_refund_no`` is set: SUCCESS, PROCESSING or FAIL.

    ``at`` is as the file has it: Beijing time, ``2026-11-23 09:05:00``. ``odd`` says what of it is not as it should be:
    of another mini-program or merchant (APP), in another CURRENCY, of another DAY, REVOKED (STATE).
    """

    at: str
    transaction_id: str
    out_trade_no: str
    refund_id: str
    out_refund_no: str
    paid_fen: int
    refund_fen: int
    refund_state: str
    odd: str = ""

    @property
    def back(self) -> bool:
        """Whether it is a refund's line."""
        return self.refund_state != ""


class FlowLine(NamedTuple):
    """Money that came into the merchant's account (``income``) or left it.

    ``business_id`` is WeChat's number of the payment or refund, ``kind`` what it was (交易, 退款, …), ``voucher``
    our number of it (业务凭证号). ``odd`` as a trade line's; this bill names no mini-program and no currency.
    """

    at: str
    business_id: str
    kind: str
    income: bool
    amount_fen: int
    voucher: str
    odd: str = ""


class Unread(NamedTuple):
    """A line of the file that could not be read, by its number; the sums say whether it was worth anything."""

    number: int


def trade_bill(day: date) -> Iterator[TradeLine | Unread]:
    """Every payment and refund in the bill of a hospital day; nothing when there is no bill because nothing happened.

    Raises NotReady before the first line; Unanswered, also at the end: hash, number of lines or sums are wrong.
    """
    settings = config()
    file = _BillFile(f"/v3/bill/tradebill?bill_date={day}&bill_type=ALL&tar_type=GZIP", TRADE_TOTALS)
    count = paid_sum = refund_sum = 0

    def reader() -> Callable[[list[str]], TradeLine]:
        early = "订单金额" not in file.columns and "总金额" in file.columns  # before WeChat told coupons apart
        fen = _early_fen if early else _fen
        amounts = ("总金额", "退款金额") if early else ("订单金额", "申请退款金额")
        at, app, merchant, transaction, trade, trade_state, currency, refund, refund_no, state, paid_at, back_at = \
            file.places("交易时间", "公众账号ID", "商户号", "微信订单号", "商户订单号", "交易状态", "货币种类",
                        "微信退款单号", "商户退款单号", "退款状态", *amounts, free="商品名称")

        def read(cells: list[str]) -> TradeLine:
            back = cells[refund_no] != NONE
            if (cells[app], cells[merchant]) != (settings.wechat_app_id, settings.wechatpay_merchant_id):
                odd = APP
            elif cells[trade_state] not in TRADE_STATES[back] or (back and cells[state] not in REFUND_STATES):
                odd = STATE
            elif cells[currency] != "CNY":
                odd = CURRENCY
            else:
                odd = "" if cells[at].startswith(str_day) else DAY
            paid = 0 if back and early else fen(cells[paid_at])
            return TradeLine(cells[at], cells[transaction], cells[trade], cells[refund] if back else "",
                             cells[refund_no] if back else "", paid, fen(cells[back_at]),
                             (cells[state] or STATE) if back else "", odd)

        return read

    str_day = f"{day} "
    for one in file.read(reader):
        if isinstance(one, TradeLine):
            count += 1
            paid_sum += one.paid_fen
            refund_sum += one.refund_fen
        yield one
    paid_name, refund_name = (("总交易额", "总退款金额") if file.totals_of("总交易额")
                              else ("订单总金额", "申请退款总金额"))
    file.check({TRADE_TOTALS: count}, {paid_name: paid_sum, refund_name: refund_sum})


def fund_flow(day: date) -> Iterator[FlowLine | Unread]:
    """Every movement in the merchant's basic account on a hospital day; nothing when nothing moved.

    Raises NotReady before the first line; Unanswered, also at the end: hash, numbers of lines or sums are wrong.
    """
    file = _BillFile(f"/v3/bill/fundflowbill?bill_date={day}&account_type=BASIC&tar_type=GZIP", FLOW_TOTALS)
    counts, sums = {True: 0, False: 0}, {True: 0, False: 0}

    def reader() -> Callable[[list[str]], FlowLine]:
        at, business, kind, way, amount_at, voucher = file.places(
            "记账时间", "微信支付业务单号", "业务类型", "收支类型", "收支金额(元)", "业务凭证号", free="备注")

        def read(cells: list[str]) -> FlowLine:
            return FlowLine(cells[at], cells[business], cells[kind], WAYS[cells[way]], _fen(cells[amount_at]),
                            cells[voucher], "" if cells[at].startswith(str_day) else DAY)

        return read

    str_day = f"{day} "
    for one in file.read(reader):
        if isinstance(one, FlowLine):
            counts[one.income] += 1
            sums[one.income] += one.amount_fen
        yield one
    file.check({FLOW_TOTALS: counts[True] + counts[False], "收入笔数": counts[True], "支出笔数": counts[False]},
               {"收入金额": sums[True], "支出金额": sums[False]})


def _fen(text: str) -> int:
    """Fen of an amount in yuan with two decimals. Raises ValueError for anything else."""
    digits = text[:-3] + text[-2:]
    if not (3 < len(text) < 16 and text[-3] == "." and digits.isascii() and digits.isdigit()):
        raise ValueError
    return int(digits)


def _early_fen(text: str) -> int:
    """The same of the early layout, which writes ``0``, ``0.0`` and ``0.01``."""
    whole, _, part = text.partition(".")
    return _fen(f"{whole}.{part:0<2}")


def _count(text: str) -> int:
    """A number of lines, which WeChat also writes as ``3.0``. Raises ValueError."""
    whole, _, part = text.partition(".")
    if not (whole.isascii() and whole.isdigit() and len(whole) < 12 and not part.strip("0")):
        raise ValueError
    return int(whole)


class _BillFile:
    """One bill that is being read: ``path`` applies for it, the line that begins with ``title`` ends its lines."""

    def __init__(self, path: str, title: str) -> None:
        self.columns: list[str] = []
        self._path = path
        self._title = title
        self._end = ""  # the totals' names and values, two lines
        self._pieces = 0  # lines that could not be read

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

    def read(self, reader: Callable[[], Callable[[list[str]], LineT]]) -> Iterator[LineT | Unread]:
        """Every line, read by what ``reader`` gives once the columns are known; each that can't be read as Unread.

        A text with a line feed in it breaks a line in pieces: those are put together again.
        """
        held: list[str] = []  # pieces of a broken line
        number, began, read_line = 1, 0, None
        for number, lines in self.blocks():
            read_line = read_line or self._whole(reader())
            for place, line in enumerate(lines, number):
                try:
                    one = read_line(line)
                except (LookupError, ValueError):
                    pass
                else:
                    if held:
                        yield self._unread(began, held)
                    yield one
                    continue
                if held and (line.startswith(NEW) or len(held) == PIECES):
                    yield self._unread(began, held)
                began = began if held else place
                held.append(line)
                try:
                    one = read_line(" ".join(held))
                except (LookupError, ValueError):
                    continue
                held.clear()
                yield one
        if held:
            yield self._unread(began, held)

    def _whole(self, read: Callable[[list[str]], LineT]) -> Callable[[str], LineT]:
        width = len(self.columns)

        def read_line(line: str) -> LineT:
            cells = line.split(SEPARATOR)
            if len(cells) < width or not line.startswith(MARK):
                raise ValueError
            cells[0] = cells[0][1:]
            return read(cells)

        return read_line

    def _unread(self, number: int, held: list[str]) -> Unread:
        self._pieces += len(held)
        held.clear()
        return Unread(number)

    def places(self, *names: str, free: str) -> list[int]:
        """Where columns stand. Those behind the ``free`` text count from the end: it may hold what separates columns.

        Raises Unanswered when one is missing.
        """
        missing = [name for name in (*names, free) if name not in self.columns]
        if missing:
            raise Unanswered(f"wechatpay bill: without {'、'.join(missing)}")
        border, width = self.columns.index(free), len(self.columns)
        found = [self.columns.index(name) for name in names]
        return [place if place < border else place - width for place in found]

    def totals_of(self, name: str) -> bool:
        """Whether the totals have a sum of that name."""
        return name in _names(self._end.strip().partition("\n")[0])

    def check(self, counts: dict[str, int], sums: dict[str, int]) -> None:
        """Compare the totals with what was read: numbers of lines, sums in fen. Raises Unanswered.

        Lines that could not be read may hold what is missing, and no more lines than they are.
        """
        if not self._end:
            return  # there is no bill
        names, _, values = self._end.strip().partition("\n")
        told = dict(zip(_names(names), values.lstrip(MARK).split(SEPARATOR), strict=False))
        rests = []
        for read, parse in ((counts, _count), (sums, _early_fen)):
            for name, number in read.items():
                try:
                    rests.append(parse(told[name]) - number)
                except (KeyError, ValueError):
                    raise Unanswered(f"wechatpay bill: {name} is not what its lines add up to") from None
                if rests[-1] < 0 or (rests[-1] and not self._pieces) or (read is counts and rests[-1] > self._pieces):
                    raise Unanswered(f"wechatpay bill: {name} is not what its lines add up to")
        if rests[0] == 0 and any(rests):
            raise Unanswered("wechatpay bill: all its lines were read, and they don't add up")


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
