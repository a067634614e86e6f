"""WeChat Pay's daily bills: when they exist, what stands in them, and how tests make them differ from the truth."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import secrets
from collections import deque
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import requests
import wechatpayv3.utils
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from flask import Flask
from wechatpayv3 import WeChatPayType

from sandbox.clock import Clock
from sandbox.faults import Fault, Faults
from sandbox.system import World
from sandbox.wechatpay import WeChatPay
from sandbox.wechatpay.models import BEIJING
from sandbox.wechatpay.statements import Synthetic

MERCHANT, SERIAL, APP_ID, OPENID = "1900000001", "5157F09EFDC096DE15EBE81A47057A7232F1B8E1", "wx-app", "o-patient"
KEY_ID, API_KEY = "PUB_KEY_ID_0119000000012026000000000001", "0123456789abcdef0123456789abcdef"
TRADE_COLUMNS = [
    "交易时间", "公众账号ID", "商户号", "特约商户号", "设备号", "微信订单号", "商户订单号", "用户标识", "交易类型",
    "交易状态", "付款银行", "货币种类", "应结订单金额", "代金券金额", "微信退款单号", "商户退款单号", "退款金额",
    "充值券退款金额", "退款类型", "退款状态", "商品名称", "商户数据包", "手续费", "费率", "订单金额", "申请退款金额",
    "费率备注"]
DAY = "2026-11-23"


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
    clock.set(datetime(2026, 11, 23, 9, 0, tzinfo=BEIJING))
    system = WeChatPay(
        World(clock, Faults(), deque()), app_id=APP_ID, merchant_id=MERCHANT, merchant_serial=SERIAL,
        merchant_public_key_pem=OURS[1], platform_private_key_pem=THEIRS[0], public_key_id=KEY_ID,
        api_v3_key=API_KEY,
    )
    system.serve()
    monkeypatch.setattr(wechatpayv3.utils, "time", SimpleNamespace(time=clock.timestamp))
    yield system
    system.stop()


@pytest.fixture
def client(pay: WeChatPay) -> Any:
    library = wechatpayv3.WeChatPay(
        WeChatPayType.MINIPROG, MERCHANT, OURS[0], SERIAL, APP_ID, API_KEY, "http://127.0.0.1:9/notice",
        public_key=THEIRS[1], public_key_id=KEY_ID, timeout=10)
    library._core._gate_way = pay.address
    return library


@pytest.fixture
def control(pay: WeChatPay) -> Any:
    app = Flask("control")
    app.register_blueprint(pay.control, url_prefix="/wechatpay")
    return app.test_client()


def paid(client: Any, control: Any, number: str, fen: int, **more: Any) -> str:
    client.pay("挂号费", number, {"total": fen, "currency": "CNY"}, {"openid": OPENID}, **more)
    answer = control.post(f"/wechatpay/orders/{number}/force-pay", json={"notify": False})
    assert answer.status_code == 200, answer.json
    return str(answer.json["transaction_id"])


def refunded(client: Any, number: str, of: str, fen: int, total: int) -> None:
    status, text = client._core.request("/v3/refund/domestic/refunds", wechatpayv3.core.RequestType.POST, {
        "out_refund_no": number, "out_trade_no": of, "amount": {"refund": fen, "total": total, "currency": "CNY"}})
    assert status == 200, text


def ask(client: Any, path: str) -> tuple[int, dict[str, Any]]:
    status, text = client._core.request(path)
    return status, json.loads(text)


def code_of(client: Any, path: str) -> tuple[int, str]:
    status, answer = ask(client, path)
    return status, answer["code"]


def fetched(client: Any, path: str) -> bytes:
    status, answer = ask(client, path)
    assert status == 200, answer
    status, content = client.download_bill(answer["download_url"])
    assert status == 200, content
    plain = gzip.decompress(content) if "GZIP" in path else content
    assert answer["hash_type"] == "SHA1"
    assert hashlib.sha1(plain).hexdigest() == answer["hash_value"]
    return bytes(plain)


def table(content: bytes) -> tuple[list[dict[str, str]], dict[str, str]]:
    """Lines and totals by column, without their backticks."""
    rows = [[cell.removeprefix("`") for cell in row] for row in csv.reader(io.StringIO(content.decode("utf-8-sig")))]
    return ([dict(zip(rows[0], row, strict=True)) for row in rows[1:-2]],
            dict(zip(rows[-2], rows[-1], strict=True)))


def next_day(pay: WeChatPay, hour: int = 10, days: int = 1) -> None:
    pay.clock.set(datetime(2026, 11, 23, hour, 0, 1, tzinfo=BEIJING) + timedelta(days=days))


TRADE, FLOW = f"/v3/bill/tradebill?bill_date={DAY}", f"/v3/bill/fundflowbill?bill_date={DAY}"


def test_a_days_trade_bill_has_the_documented_columns_totals_and_bytes(pay: WeChatPay, client: Any, control: Any
                                                                       ) -> None:
    transaction = paid(client, control, "ORDER-0001", 12345, attach="a,b")
    paid(client, control, "ORDER-0002", 5)
    pay.clock.advance(timedelta(minutes=5))
    refunded(client, "REFUND-1", "ORDER-0001", 2345, 12345)
    next_day(pay)
    content = fetched(client, f"{TRADE}&bill_type=ALL")
    text = content.decode()
    assert text.startswith("\ufeff交易时间,")
    assert text.endswith("\r\n")
    assert text.count("\r\n") == text.count("\n") == 6
    lines, totals = table(content)
    assert list(lines[0]) == TRADE_COLUMNS
    first = next(line for line in lines if line["商户订单号"] == "ORDER-0001" and line["交易状态"] == "SUCCESS")
    assert first | {"交易时间": ""} == {
        **dict.fromkeys(TRADE_COLUMNS, ""), "公众账号ID": APP_ID, "商户号": MERCHANT, "特约商户号": "0",
        "微信订单号": transaction, "商户订单号": "ORDER-0001", "用户标识": OPENID, "交易类型": "JSAPI",
        "交易状态": "SUCCESS", "付款银行": "OTHERS", "货币种类": "CNY", "应结订单金额": "123.45", "代金券金额": "0.00",
        "微信退款单号": "0", "商户退款单号": "0", "退款金额": "0.00", "充值券退款金额": "0.00", "商品名称": "医院缴费",
        "商户数据包": "a b", "手续费": "0.00000", "费率": "0.00%", "订单金额": "123.45", "申请退款金额": "0.00"}
    back = lines[-1]
    assert (back["交易时间"][:16], back["交易状态"], back["微信订单号"]) == (f"{DAY} 09:05", "REFUND", transaction)
    assert (back["商户退款单号"], back["退款金额"], back["退款状态"], back["订单金额"], back["申请退款金额"]) == (
        "REFUND-1", "23.45", "SUCCESS", "0.00", "23.45")
    assert totals == {"总交易单数": "3", "应结订单总金额": "123.50", "退款总金额": "23.45", "充值券退款总金额": "0.00",
                      "手续费总金额": "0.00000", "订单总金额": "123.50", "申请退款总金额": "23.45"}
    assert b"`0.05," in content


def test_payments_alone_and_refunds_alone_have_their_own_columns(pay: WeChatPay, client: Any, control: Any) -> None:
    paid(client, control, "ORDER-0001", 12345)
    refunded(client, "REFUND-1", "ORDER-0001", 12345, 12345)
    next_day(pay)
    payments, totals = table(fetched(client, f"{TRADE}&bill_type=SUCCESS"))
    assert ([line["商户订单号"] for line in payments], totals["总交易单数"]) == (["ORDER-0001"], "1")
    assert list(payments[0]) == [name for name in TRADE_COLUMNS if "退款" not in name]
    refunds, totals = table(fetched(client, f"{TRADE}&bill_type=REFUND"))
    assert ([line["商户退款单号"] for line in refunds], totals["退款总金额"]) == (["REFUND-1"], "123.45")
    assert list(refunds[0])[14:16] == ["退款申请时间", "退款成功时间"]


def test_the_fund_flow_bill_carries_the_balance_from_day_to_day(pay: WeChatPay, client: Any, control: Any) -> None:
    paid(client, control, "ORDER-0001", 12345)
    next_day(pay)
    paid(client, control, "ORDER-0002", 100)
    pay.clock.advance(timedelta(minutes=1))
    refunded(client, "REFUND-1", "ORDER-0001", 45, 12345)
    next_day(pay, days=2)
    lines, totals = table(fetched(client, f"{FLOW}&account_type=BASIC"))
    assert [line["账户结余(元)"] for line in lines] == ["123.45"]
    lines, totals = table(fetched(client, FLOW.replace("-23", "-24")))
    assert list(lines[0]) == ["记账时间", "微信支付业务单号", "资金流水单号", "业务名称", "业务类型", "收支类型",
                              "收支金额(元)", "账户结余(元)", "资金变更提交申请人", "备注", "业务凭证号"]
    assert [(line["收支类型"], line["收支金额(元)"], line["账户结余(元)"], line["业务凭证号"]) for line in lines] == [
        ("收入", "1.00", "124.45", "ORDER-0002"), ("支出", "0.45", "124.00", "REFUND-1")]
    assert totals == {"资金流水总笔数": "2", "收入笔数": "1", "收入金额": "1.00", "支出笔数": "1", "支出金额": "0.45"}


def test_a_bill_comes_at_ten_the_next_day_and_goes_after_three_months(pay: WeChatPay, client: Any, control: Any
                                                                      ) -> None:
    paid(client, control, "ORDER-0001", 100)
    assert code_of(client, TRADE) == (400, "PARAM_ERROR")
    next_day(pay, hour=9)
    for path in (TRADE, FLOW):
        assert code_of(client, path) == (400, "STATEMENT_CREATING")
    next_day(pay)
    for path in (TRADE, FLOW):
        assert ask(client, path)[0] == 200
        assert code_of(client, path.replace("-23", "-22")) == (400, "NO_STATEMENT_EXIST")
        assert code_of(client, path.replace("-23", "-25")) == (400, "PARAM_ERROR")
    pay.clock.set(datetime(2027, 2, 23, 12, tzinfo=BEIJING))
    assert ask(client, TRADE)[0] == 200
    pay.clock.set(datetime(2027, 2, 24, 12, tzinfo=BEIJING))
    assert code_of(client, TRADE) == (400, "PARAM_ERROR")


def test_wrong_parameters_are_refused(pay: WeChatPay, client: Any, control: Any) -> None:
    paid(client, control, "ORDER-0001", 100)
    next_day(pay)
    for path in (f"{TRADE}&bill_type=NONE", f"{TRADE}&tar_type=ZIP", f"{FLOW}&account_type=MINE",
                 "/v3/bill/tradebill", "/v3/bill/tradebill?bill_date=20261123",
                 "/v3/bill/tradebill?bill_date=2026-02-30"):
        assert code_of(client, path) == (400, "PARAM_ERROR"), path
    for path in (f"{TRADE}&bill_type=REFUND", f"{FLOW}&account_type=FEES"):
        assert code_of(client, path) == (400, "NO_STATEMENT_EXIST"), path


def test_a_compressed_bill_is_the_same_bill(pay: WeChatPay, client: Any, control: Any) -> None:
    paid(client, control, "ORDER-0001", 100)
    next_day(pay)
    assert fetched(client, f"{TRADE}&tar_type=GZIP") == fetched(client, TRADE)


def test_a_download_is_unsigned_needs_a_signed_request_and_lives_five_minutes(pay: WeChatPay, client: Any, control: Any
                                                                              ) -> None:
    paid(client, control, "ORDER-0001", 100)
    next_day(pay)
    link = ask(client, TRADE)[1]["download_url"]
    assert requests.get(link, timeout=5).status_code == 401
    path = link.removeprefix(pay.address)
    headers = {"Authorization": wechatpayv3.utils.build_authorization(
        path, "GET", MERCHANT, SERIAL, client._core._private_key)}
    answer = requests.get(link, headers=headers, timeout=5)
    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.startswith("Wechatpay")]
    pay.clock.advance(timedelta(seconds=299))
    assert client.download_bill(link)[0] == 200
    pay.clock.advance(timedelta(seconds=2))
    status, text = client.download_bill(link)
    assert (status, "INVALID_REQUEST" in text) == (400, True)
    assert client.download_bill(f"{pay.address}/v3/billdownload/file?token={secrets.token_hex(8)}")[0] == 400


def test_a_bill_can_come_broken_and_its_hash_tells(pay: WeChatPay, client: Any, control: Any) -> None:
    paid(client, control, "ORDER-0001", 100)
    next_day(pay)
    answer = ask(client, TRADE)[1]
    pay.world.faults.add(Fault("wechatpay", "download_bill", "garbage"))
    content = client.download_bill(answer["download_url"])[1]
    assert hashlib.sha1(content).hexdigest() != answer["hash_value"]
    assert hashlib.sha1(client.download_bill(answer["download_url"])[1]).hexdigest() == answer["hash_value"]


def test_a_refund_stands_on_the_day_it_succeeded_and_an_abnormal_one_nowhere(pay: WeChatPay, client: Any, control: Any
                                                                             ) -> None:
    paid(client, control, "ORDER-0001", 100)
    paid(client, control, "ORDER-0002", 100)
    control.post("/wechatpay/refunds/policy", json={"delay_seconds": 86_400.0, "times": 1})
    refunded(client, "REFUND-1", "ORDER-0001", 100, 100)
    control.post("/wechatpay/refunds/policy", json={"outcome": "ABNORMAL", "times": 1})
    refunded(client, "REFUND-2", "ORDER-0002", 100, 100)
    next_day(pay, days=2)
    for path in (TRADE, FLOW):
        assert len(table(fetched(client, path))[0]) == 2
        assert len(table(fetched(client, path.replace("-23", "-24")))[0]) == 1
    answer = control.post("/wechatpay/bills/mode", json={"refunds_on": "acceptance", "bom": False})
    assert answer.json == {"refunds_on": "acceptance", "bom": False}
    content = fetched(client, f"{TRADE}&bill_type=REFUND")
    assert content.startswith("交易时间".encode())
    assert {line["商户退款单号"]: line["退款状态"] for line in table(content)[0]} == {
        "REFUND-1": "SUCCESS", "REFUND-2": "FAIL"}
    assert code_of(client, TRADE.replace("-23", "-24")) == (400, "NO_STATEMENT_EXIST")


def test_tests_can_make_a_bill_differ_from_the_truth_and_true_again(pay: WeChatPay, client: Any, control: Any) -> None:
    for number in ("ORDER-0001", "ORDER-0002", "ORDER-0003"):
        paid(client, control, number, 100)
    next_day(pay)
    truth = fetched(client, TRADE)
    answer = control.post(f"/wechatpay/bills/{DAY}/amend", json={
        "remove": ["ORDER-0001"], "change": [{"out_trade_no": "ORDER-0002", "amount_fen": 99}],
        "add": [{"out_trade_no": "FOREIGN-1", "amount_fen": 777, "at": f"{DAY}T20:00:00+08:00"},
                {"out_trade_no": "ORDER-0003", "out_refund_no": "FOREIGN-R", "amount_fen": 100}]})
    assert (answer.status_code, answer.json["trade_lines"], answer.json["amended"]) == (200, 4, ["trade", "fundflow"])
    lines, totals = table(fetched(client, TRADE))
    assert [(line["商户订单号"], line["商户退款单号"], line["订单金额"]) for line in lines] == [
        ("ORDER-0002", "0", "0.99"), ("ORDER-0003", "0", "1.00"), ("ORDER-0003", "FOREIGN-R", "0.00"),
        ("FOREIGN-1", "0", "7.77")]
    assert (totals["订单总金额"], totals["退款总金额"]) == ("9.76", "1.00")
    assert table(fetched(client, FLOW))[0][-1]["账户结余(元)"] == "8.76"
    control.post(f"/wechatpay/bills/{DAY}/amend", json={"remove": ["FOREIGN-1"], "bills": ["trade"]})
    assert [control.get(f"/wechatpay/bills/{DAY}").json[name] for name in ("trade_lines", "flow_lines")] == [3, 4]
    assert control.delete(f"/wechatpay/bills/{DAY}").status_code == 204
    assert fetched(client, TRADE) == truth


def test_an_impossible_amendment_is_refused(control: Any) -> None:
    for day, body, status in (
        (DAY, {"remove": ["NOBODY-1"]}, 404), (DAY, {"change": [{"out_trade_no": "NOBODY-1", "amount_fen": 1}]}, 404),
        (DAY, {"change": [{"amount_fen": 1}]}, 400), (DAY, {"change": [{"out_trade_no": "X"}]}, 400),
        (DAY, {"add": [{"out_trade_no": "A,B", "amount_fen": 1}]}, 400), ("20261123", {}, 400),
        (DAY, {"add": [{"out_trade_no": "FOREIGN-1", "amount_fen": 1, "at": "noon"}]}, 400), (DAY, {"drop": []}, 400),
    ):
        answer = control.post(f"/wechatpay/bills/{day}/amend", json=body)
        assert (answer.status_code, list(answer.json)) == (status, ["error"]), body


def test_an_invented_day_is_always_the_same_and_can_be_amended(pay: WeChatPay, client: Any, control: Any) -> None:
    wish = {"date": DAY, "payments": 2000, "refunds": 10, "seed": 7}
    first = control.post("/wechatpay/bills/synthetic", json=wish).json
    assert (first["trade_lines"], first["flow_lines"], first["synthetic"]) == (2010, 2010, True)
    next_day(pay)
    content = fetched(client, TRADE)
    lines, totals = table(content)
    expected = list(Synthetic(date(2026, 11, 23), 2000, 10, 7).entries())
    assert [line["商户订单号"] for line in lines] == [entry.out_trade_no for entry in expected]
    assert [line["交易时间"] for line in lines] == sorted(line["交易时间"] for line in lines)
    assert len({line["微信订单号"] for line in lines}) == 2000
    assert int(totals["订单总金额"].replace(".", "")) == sum(entry.amount_fen for entry in expected[:2000])
    assert control.post("/wechatpay/bills/synthetic", json=wish).json == first
    assert control.post("/wechatpay/bills/synthetic", json={**wish, "seed": 8}).json != first
    control.post("/wechatpay/bills/synthetic", json=wish)
    number = expected[5].out_trade_no
    assert control.post(f"/wechatpay/bills/{DAY}/amend", json={"remove": [number]}).json["trade_lines"] == 2009
    assert control.post("/wechatpay/bills/synthetic", json={**wish, "refunds": 2001}).status_code == 400
