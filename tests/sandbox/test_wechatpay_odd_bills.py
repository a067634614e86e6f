"""What merchants really find in their bills, written by the sandbox's WeChat Pay on demand."""

from __future__ import annotations

from typing import Any

from sandbox.wechatpay import WeChatPay
from tests.sandbox.test_wechatpay_bills import (
    APP_ID,
    DAY,
    FLOW,
    TRADE,
    client,
    control,
    fetched,
    next_day,
    paid,
    pay,
    refunded,
    table,
)

__all__ = ["client", "control", "pay"]  # fixtures
EARLY = ["交易时间", "公众账号ID", "商户号", "特约商户号", "设备号", "微信订单号", "商户订单号", "用户标识", "交易类型",
         "交易状态", "付款银行", "货币种类", "总金额", "代金券或立减优惠金额", "微信退款单号", "商户退款单号",
         "退款金额", "代金券或立减优惠退款金额", "退款类型", "退款状态", "商品名称", "商户数据包", "手续费", "费率"]


def amend(control: Any, **wish: Any) -> None:
    answer = control.post(f"/wechatpay/bills/{DAY}/amend", json=wish)
    assert answer.status_code == 200, answer.json


def test_lines_of_others_and_odd_values_stand_beside_ours_and_the_sums_agree(pay: WeChatPay, client: Any, control: Any
                                                                             ) -> None:
    paid(client, control, "ORDER-0001", 12345)
    paid(client, control, "ORDER-0002", 100)
    next_day(pay)
    amend(control, add=[
        {"out_trade_no": "KIOSK-1129-001", "amount_fen": 2500, "columns": {"公众账号ID": "wxkiosk"}},
        {"out_trade_no": "ORDER-DOLLAR", "amount_fen": 300, "columns": {"货币种类": "USD"}},
        {"out_trade_no": "ORDER-LATE", "amount_fen": 1, "at": "2026-11-22T12:00:00+08:00"},
        {"out_trade_no": "ORDER-0001", "out_refund_no": "R-BARE", "amount_fen": 45, "columns": {"业务凭证号": ""}},
    ], change=[
        {"out_trade_no": "ORDER-0001", "columns": {"商品名称": "挂号费\n内科"}},
        {"out_trade_no": "ORDER-0002", "columns": {"交易状态": "REVOKED", "订单金额": "2_5.00"}}])
    content = fetched(client, TRADE).decode("utf-8-sig")
    assert "`挂号费\n内科," in content
    lines, totals = table(content.replace("挂号费\n内科", "挂号费").encode())
    by_order = {line["商户订单号"]: line for line in lines if line["商户退款单号"] == "0"}
    assert (by_order["KIOSK-1129-001"]["公众账号ID"], by_order["ORDER-0001"]["公众账号ID"]) == ("wxkiosk", APP_ID)
    assert by_order["ORDER-DOLLAR"]["货币种类"] == "USD"
    assert by_order["ORDER-LATE"]["交易时间"] == "2026-11-22 12:00:00"
    assert (by_order["ORDER-0002"]["交易状态"], by_order["ORDER-0002"]["订单金额"]) == ("REVOKED", "2_5.00")
    assert (totals["总交易单数"], totals["订单总金额"], totals["退款总金额"]) == ("6", "152.46", "0.45")
    flow, sums = table(fetched(client, FLOW))
    assert "" in [line["业务凭证号"] for line in flow]
    assert "KIOSK-1129-001" in [line["业务凭证号"] for line in flow]
    assert (sums["资金流水总笔数"], sums["收入金额"], sums["支出金额"]) == ("6", "152.46", "0.45")


def test_a_closed_refund_goes_out_and_comes_back_in_the_fund_flow_alone(pay: WeChatPay, client: Any, control: Any
                                                                        ) -> None:
    paid(client, control, "ORDER-0001", 2500)
    next_day(pay)
    back = {"out_trade_no": "ORDER-0001", "out_refund_no": "R-CLOSED", "refund_id": "50300001", "amount_fen": 2500}
    amend(control, add=[back, {**back, "closed": True, "at": f"{DAY}T13:00:00+08:00"}], bills=["fundflow"])
    flow, sums = table(fetched(client, FLOW))
    assert [(line["业务名称"], line["收支类型"], line["收支金额(元)"], line["账户结余(元)"]) for line in flow] == [
        ("交易", "收入", "25.00", "25.00"), ("退款", "支出", "25.00", "0.00"), ("退款关闭", "收入", "25.00", "25.00")]
    assert {line["业务凭证号"] for line in flow[1:]} == {"R-CLOSED"}
    assert {line["微信支付业务单号"] for line in flow[1:]} == {"50300001"}
    assert sums == {"资金流水总笔数": "3", "收入笔数": "2", "收入金额": "50.00", "支出笔数": "1", "支出金额": "25.00"}
    amend(control, add=[{**back, "closed": True}], bills=["trade"])
    assert len(table(fetched(client, TRADE))[0]) == 1


def test_counts_can_be_written_as_in_wechats_sample(pay: WeChatPay, client: Any, control: Any) -> None:
    paid(client, control, "ORDER-0001", 2500)
    next_day(pay)
    amend(control, add=[{"out_trade_no": "ORDER-0009", "amount_fen": 2500},
                        {"out_trade_no": "ORDER-0009", "out_refund_no": "R-9", "amount_fen": 2500}],
          decimal_counts=True, bills=["fundflow"])
    assert fetched(client, FLOW).decode().splitlines()[-1] == "`3.0,`2.0,`50.00,`1.0,`25.00"
    control.delete(f"/wechatpay/bills/{DAY}")
    assert fetched(client, FLOW).decode().splitlines()[-1] == "`1,`1,`25.00,`0,`0.00"


def test_the_trade_bill_can_have_its_early_layout(pay: WeChatPay, client: Any, control: Any) -> None:
    paid(client, control, "ORDER-0001", 12345)
    refunded(client, "REFUND-1", "ORDER-0001", 2345, 12345)
    next_day(pay)
    amend(control, layout="early", add=[{"out_trade_no": "ORDER-0002", "amount_fen": 5, "columns": {"商品名称": "药"}}])
    lines, totals = table(fetched(client, TRADE))
    assert list(lines[0]) == EARLY
    assert sorted((line["商户订单号"], line["总金额"], line["退款金额"], line["商品名称"]) for line in lines) == [
        ("ORDER-0001", "0.00", "23.45", "医院缴费"), ("ORDER-0001", "123.45", "0.00", "医院缴费"),
        ("ORDER-0002", "0.05", "0.00", "药")]
    assert totals == {"总交易单数": "3", "总交易额": "123.50", "总退款金额": "23.45",
                      "总代金券或立减优惠退款金额": "0.00", "手续费总金额": "0.00000"}


def test_sums_differ_from_the_lines_only_when_that_is_asked_for(pay: WeChatPay, client: Any, control: Any) -> None:
    paid(client, control, "ORDER-0001", 100)
    next_day(pay)
    amend(control, totals={"订单总金额": "9.99"}, bills=["trade"])
    assert table(fetched(client, TRADE))[1]["订单总金额"] == "9.99"
    assert table(fetched(client, FLOW))[1]["收入金额"] == "1.00"
    line = {"out_trade_no": "X-1", "amount_fen": 1}
    for wrong in ({"totals": {"总数": "1"}}, {"add": [{**line, "columns": {"车牌": ""}}]},
                  {"add": [{**line, "closed": True}]}, {"layout": "late"}):
        assert control.post(f"/wechatpay/bills/{DAY}/amend", json=wrong).status_code == 400, wrong
