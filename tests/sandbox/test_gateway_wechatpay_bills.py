"""The gateway to WeChat Pay's bill files: every line to the fen, and nothing believed that is not whole."""

from __future__ import annotations

import gzip
import hashlib
import tracemalloc
from collections import deque
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
import wechatpayv3.utils
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from flask import Flask
from hospital.gateways import wechatpay, wechatpay_bills
from hospital.gateways.outcome import Unanswered
from hospital.gateways.wechatpay_bills import FlowLine, NotReady, TradeLine, fund_flow, trade_bill

from sandbox.clock import Clock
from sandbox.faults import Fault, Faults
from sandbox.system import World
from sandbox.wechatpay import WeChatPay
from sandbox.wechatpay.models import BEIJING
from sandbox.wechatpay.statements import Entry, Form, Statement, Synthetic

KEY_ID, API_KEY = "PUB_KEY_ID_0119000000012026000000000001", "0123456789abcdef0123456789abcdef"
DAY, NEXT = date(2026, 11, 23), datetime(2026, 11, 24, 10, 0, 1, tzinfo=BEIJING)
PAID = Entry("2026-11-23 09:00:00", "4200001", "R-ORDER-0001", "o-patient", 12345, "a b")
BACK = PAID._replace(at="2026-11-23 09:05:00", amount_fen=2345, refund_id="5030001", out_refund_no="R-ORDER-0001-c",
                     refund_status="SUCCESS")
SMALL = PAID._replace(transaction_id="4200002", out_trade_no="P-ORDER-0002", amount_fen=1)
TRADE = [TradeLine("2026-11-23 09:00:00", "4200001", "R-ORDER-0001", "", "", 12345, 0, ""),
         TradeLine("2026-11-23 09:00:00", "4200002", "P-ORDER-0002", "", "", 1, 0, ""),
         TradeLine("2026-11-23 09:05:00", "4200001", "R-ORDER-0001", "5030001", "R-ORDER-0001-c", 0, 2345, "SUCCESS")]
FLOW = [FlowLine("2026-11-23 09:00:00", "4200001", "交易", True, 12345, "R-ORDER-0001"),
        FlowLine("2026-11-23 09:00:00", "4200002", "交易", True, 1, "P-ORDER-0002"),
        FlowLine("2026-11-23 09:05:00", "5030001", "退款", False, 2345, "R-ORDER-0001-c")]
BOTH = pytest.mark.parametrize("bill", [trade_bill, fund_flow])
Bill = Callable[[date], Iterator[Any]]


def keypair() -> tuple[str, str]:
    key = rsa.generate_private_key(65537, 2048)
    return (key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                              serialization.NoEncryption()).decode(),
            key.public_key().public_bytes(serialization.Encoding.PEM,
                                          serialization.PublicFormat.SubjectPublicKeyInfo).decode())


OURS, THEIRS = keypair(), keypair()


@pytest.fixture
def pay(monkeypatch: pytest.MonkeyPatch) -> Iterator[WeChatPay]:
    clock = Clock()
    clock.set(NEXT)
    system = WeChatPay(
        World(clock, Faults(), deque()), app_id="wx-app", merchant_id="1900000001", merchant_serial="5157F09E",
        merchant_public_key_pem=OURS[1], platform_private_key_pem=THEIRS[0], public_key_id=KEY_ID, api_v3_key=API_KEY)
    system.serve()
    monkeypatch.setattr(wechatpayv3.utils, "time", SimpleNamespace(time=clock.timestamp))
    monkeypatch.setattr(wechatpay, "secret", {"private": OURS[0], "public": THEIRS[1], "key": API_KEY}.__getitem__)
    settings = SimpleNamespace(
        wechatpay_base=system.address, wechat_app_id="wx-app", wechatpay_merchant_id="1900000001",
        wechatpay_cert_serial="5157F09E", wechatpay_private_key_secret="private", wechatpay_public_key_secret="public",
        wechatpay_api_v3_key_secret="key", wechatpay_public_key_id=KEY_ID, notify_base="http://127.0.0.1:9")
    for module in (wechatpay, wechatpay_bills):
        monkeypatch.setattr(module, "config", lambda: settings)
    wechatpay._built.cache_clear()
    yield system
    system.stop()
    wechatpay._built.cache_clear()


@pytest.fixture
def control(pay: WeChatPay) -> Any:
    app = Flask("control")
    app.register_blueprint(pay.control, url_prefix="/wechatpay")
    return app.test_client()


@pytest.fixture
def serve(pay: WeChatPay, control: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """``serve(text)``: the day's file is this; ``packed`` or ``sha1`` instead of the true ones."""
    control.post("/wechatpay/bills/synthetic", json={"date": str(DAY), "payments": 1})

    def change(text: str | bytes, packed: bytes | None = None, sha1: str | None = None) -> None:
        plain = text if isinstance(text, bytes) else text.encode()
        told, content = sha1 or hashlib.sha1(plain).hexdigest(), gzip.compress(plain) if packed is None else packed
        monkeypatch.setattr(Statement, "of", classmethod(lambda cls, lines: cls(lines, 1, told)))
        monkeypatch.setattr(Statement, "content", lambda self, *, gzip: iter([content]))
        control.post(f"/wechatpay/bills/{DAY}/amend", json={"remove": []})  # it is drawn up anew

    return change


def text_of(bill: Bill, entries: list[Entry] | None = None, *, bom: bool = True) -> str:
    """The file as the sandbox writes it."""
    form, lines = Form("wx-app", "1900000001", bom=bom), [PAID, SMALL, BACK] if entries is None else entries
    return "\r\n".join(form.trade_lines(lines) if bill is trade_bill else form.flow_lines(lines, 0)) + "\r\n"


def lines_of(bill: Bill) -> list[Any]:
    return TRADE if bill is trade_bill else FLOW


def failure(bill: Bill) -> tuple[int, str]:
    """How many lines came before the file was given up, and why it was."""
    seen: list[Any] = []
    with pytest.raises(Unanswered) as problem:
        for line in bill(DAY):
            seen.append(line)
    return len(seen), problem.value.reason


# -- true bills -------------------------------------------------------------------------------------
def test_a_days_payments_and_refunds_stand_in_both_bills(pay: WeChatPay, control: Any) -> None:
    pay.clock.set(datetime(2026, 11, 23, 9, 0, tzinfo=BEIJING))
    ends = datetime(2026, 11, 23, 3, tzinfo=timezone.utc)
    transactions = []
    for number, fen in (("R-ORDER-0001", 12345), ("P-ORDER-0002", 1), ("P-ORDER-0003", 10**8)):
        wechatpay.create_order(out_trade_no=number, description="挂号费", total_fen=fen, openid="o", expires_at=ends)
        paid = control.post(f"/wechatpay/orders/{number}/force-pay", json={"notify": False}).json
        transactions.append(paid["transaction_id"])
    control.post("/wechatpay/refunds/policy", json={"delay_seconds": 0.0})
    back = wechatpay.create_refund(out_trade_no="R-ORDER-0001", out_refund_no="R-ORDER-0001-c", refund_fen=2345,
                                   total_fen=12345, reason="退费")
    pay.clock.set(NEXT)
    trade, flow = list(trade_bill(DAY)), list(fund_flow(DAY))
    assert [(one.transaction_id, one.out_trade_no, one.paid_fen) for one in trade if not one.out_refund_no] == list(
        zip(transactions, ("R-ORDER-0001", "P-ORDER-0002", "P-ORDER-0003"), (12345, 1, 10**8), strict=True))
    assert [one[1:-1] for one in trade if one.out_refund_no] == [
        (transactions[0], "R-ORDER-0001", back.refund_id, "R-ORDER-0001-c", 0, 2345, "SUCCESS")]
    assert {one.odd for one in (*trade, *flow)} == {""}
    assert sorted(one[1:-1] for one in flow) == sorted([
        (transactions[0], "交易", True, 12345, "R-ORDER-0001"), (transactions[1], "交易", True, 1, "P-ORDER-0002"),
        (transactions[2], "交易", True, 10**8, "P-ORDER-0003"),
        (back.refund_id, "退款", False, 2345, "R-ORDER-0001-c")])
    assert all(one.at.startswith("2026-11-23 09:00:0") for one in (*trade, *flow))


@BOTH
def test_a_day_without_movement_has_no_lines(pay: WeChatPay, bill: Bill) -> None:
    assert list(bill(DAY)) == []


@BOTH
def test_before_ten_the_next_day_there_is_no_bill_yet(pay: WeChatPay, bill: Bill) -> None:
    pay.clock.advance(timedelta(hours=-1))
    with pytest.raises(NotReady):
        next(bill(DAY))


@BOTH
@pytest.mark.parametrize("bom", [True, False])
@pytest.mark.parametrize("chunk", [1, 7, 32 * 1024])
@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_the_file_is_read_alike_however_it_is_cut_and_begins(
        bill: Bill, serve: Callable[..., None], monkeypatch: pytest.MonkeyPatch, bom: bool, chunk: int, end: str
) -> None:
    monkeypatch.setattr(wechatpay_bills, "CHUNK", chunk)
    monkeypatch.setattr(wechatpay_bills, "PIECE", chunk)
    text = text_of(bill, bom=bom).replace("\r\n", end)
    for whole in (text, text.rstrip(), f"{text}{end}"):
        serve(whole)
        assert list(bill(DAY)) == lines_of(bill)


def test_texts_may_hold_commas_quotes_and_what_separates_values(serve: Callable[..., None]) -> None:
    serve(text_of(trade_bill).replace("`医院缴费", "`挂号费,\"专家\",`总交易单数,`1.00,`"))
    assert list(trade_bill(DAY)) == TRADE
    serve(text_of(fund_flow).replace(";含手续费", ",`资金流水总笔数,含手续费").replace("(元)", "（元）"))
    assert list(fund_flow(DAY)) == FLOW


def test_columns_are_found_by_their_names(serve: Callable[..., None]) -> None:
    """A hospital's bill may have more columns than the sandbox's."""
    first, *rest = text_of(trade_bill).split("\r\n")
    lines = [f"\ufeff渠道,{first[1:]}", *(f"`x,{line}" if line.startswith("`2026") else line for line in rest)]
    serve("\r\n".join(lines))
    assert list(trade_bill(DAY)) == TRADE
    serve(text_of(trade_bill).replace("商户退款单号", "退款单号"))
    assert failure(trade_bill) == (0, "unanswered: wechatpay bill: without 商户退款单号")


def test_refunds_under_way_or_failed_say_so(serve: Callable[..., None]) -> None:
    serve(text_of(trade_bill, [BACK._replace(refund_status=state) for state in ("PROCESSING", "FAIL")]))
    assert [one.refund_state for one in trade_bill(DAY)] == ["PROCESSING", "FAIL"]


def test_other_movements_of_the_account_are_told_by_their_kind(serve: Callable[..., None]) -> None:
    text = text_of(fund_flow, [BACK]).replace("`退款,`退款,", "`扣除交易手续费,`手续费,")
    serve(text)
    assert [(one.kind, one.income, one.amount_fen) for one in fund_flow(DAY)] == [("手续费", False, 2345)]


@BOTH
def test_a_large_day_is_read_line_by_line(pay: WeChatPay, control: Any, bill: Bill) -> None:
    control.post("/wechatpay/bills/synthetic", json={"date": str(DAY), "payments": 20_000, "refunds": 500})
    expected = [(one.amount_fen, one.number) for one in Synthetic(DAY, 20_000, 500, 1).entries()]
    found = [(one.paid_fen + one.refund_fen, one.out_refund_no or one.out_trade_no) if isinstance(one, TradeLine)
             else (one.amount_fen, one.voucher) for one in bill(DAY)]
    assert found == expected


@BOTH
def test_no_file_is_held_whole(serve: Callable[..., None], bill: Bill) -> None:
    text = text_of(bill, list(Synthetic(DAY, 20_000, 0, 1).entries()))
    serve(text)
    lines = bill(DAY)
    next(lines)
    tracemalloc.start()
    count = sum(1 for _ in lines)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 19_999
    assert len(text) > 3_000_000 > 2 * peak


# -- bills that are not whole -----------------------------------------------------------------------
@BOTH
def test_a_wrong_hash_is_found_when_all_lines_were_read(serve: Callable[..., None], bill: Bill) -> None:
    serve(text_of(bill), sha1="0" * 40)
    assert failure(bill) == (3, "unanswered: wechatpay bill: its hash differs")
    many = list(Synthetic(DAY, 20_000, 0, 1).entries())
    altered = text_of(bill, many).replace("0000019,", "0000018,", 1)
    serve(text_of(bill, many), packed=gzip.compress(altered.encode()))
    seen, reason = failure(bill)
    assert seen > 10_000
    assert "hash" in reason


@BOTH
@pytest.mark.parametrize("size", [0, 5, 30, -9, -1])
def test_a_file_cut_short_is_none(serve: Callable[..., None], bill: Bill, size: int) -> None:
    packed = gzip.compress(text_of(bill).encode())
    serve(text_of(bill), packed=packed[:size])
    assert "cut short" in failure(bill)[1]


@BOTH
def test_what_is_no_bill_is_none(serve: Callable[..., None], pay: WeChatPay, bill: Bill) -> None:
    for text, packed, reason in (
        (text_of(bill), text_of(bill).encode(), "error"), ("", None, "without totals"),
        ("\r\n", None, "without totals"),
        (b"\xff\xfe\r\n", None, "UTF-8"), ("{}", None, "without totals"), ("{}\r\n`1\r\n", None, "without"),
        (text_of(bill).rpartition("总")[0].rpartition("\r\n")[0], None, "without totals"),
    ):
        serve(text, packed=packed)
        assert reason in failure(bill)[1], text


@BOTH
@pytest.mark.parametrize("operation", ["trade_bill", "fund_flow_bill", "download_bill"])
@pytest.mark.parametrize("kind", ["error", "cut_before", "cut_after", "garbage"])
def test_a_fault_on_the_way_is_no_bill(pay: WeChatPay, control: Any, bill: Bill, operation: str, kind: str) -> None:
    control.post("/wechatpay/bills/synthetic", json={"date": str(DAY), "payments": 3})
    mine = "fund_flow_bill" if bill is fund_flow else "trade_bill"
    pay.world.faults.add(Fault("wechatpay", operation, kind))
    if operation in (mine, "download_bill"):
        assert failure(bill)[0] == 0
    pay.world.faults.clear()
    assert len(list(bill(DAY))) == 3


@BOTH
def test_a_refusal_is_no_bill(pay: WeChatPay, bill: Bill) -> None:
    with pytest.raises(Unanswered, match="PARAM_ERROR"):
        next(bill(DAY + timedelta(days=1)))
    pay.world.faults.add(Fault("wechatpay", "*_bill", "refuse", params={"code": "FREQUENCY_LIMITED", "status": 429}))
    with pytest.raises(Unanswered, match="FREQUENCY_LIMITED"):
        next(bill(DAY))


@BOTH
def test_an_answer_without_hash_or_of_somebody_else_is_no_bill(pay: WeChatPay, control: Any, bill: Bill,
                                                               monkeypatch: pytest.MonkeyPatch) -> None:
    control.post("/wechatpay/bills/synthetic", json={"date": str(DAY), "payments": 1})
    genuine = pay.answer
    for changes in ({"hash_type": "MD5"}, {"hash_value": ""}, {"download_url": ""}, {"download_url": "http://x y/"}):
        monkeypatch.setattr(pay, "answer", lambda body, status=200, changes=changes: genuine(body | changes, status))
        assert failure(bill)[0] == 0
    monkeypatch.setattr(pay, "answer", genuine)
    sealed = pay.keys.stamp
    monkeypatch.setattr(pay.keys, "stamp", lambda body, now: sealed(b"other", now))
    assert "unverified" in failure(bill)[1]


@BOTH
def test_totals_that_the_lines_do_not_add_up_to_are_found(serve: Callable[..., None], bill: Bill) -> None:
    text = text_of(bill)
    totals = text.split("\r\n")[-2]
    for true, false in (("`3,", "`4,"), ("`123.46,", "`123.45,"), ("`23.45", "`23.44"), (totals, ""), (totals, "`3"),
                        ("金额", "额")):
        head, found, end = text.rpartition("总交易单数" if bill is trade_bill else "资金流水总笔数")
        serve(head + found + end.replace(true, false))
        seen, reason = failure(bill)
        assert (seen, "add up" in reason or "without totals" in reason) == (3, True), (true, reason)


def test_no_failure_tells_what_stands_in_a_file(serve: Callable[..., None]) -> None:
    for told in ("`123.46", "`3,"):
        head, found, end = text_of(trade_bill).rpartition("总交易单数")
        serve(head + found + end.replace(told, f"`secret{told[-1:]}"))
        assert "secret" not in failure(trade_bill)[1]
