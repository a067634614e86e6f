"""The gateway to WeChat Pay's bill files: a line that is odd stands alone, and other layouts are read."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hospital.gateways import wechatpay_bills
from hospital.gateways.wechatpay_bills import Unread, fund_flow, trade_bill

from tests.sandbox.test_gateway_wechatpay_bills import (
    BACK,
    BOTH,
    DAY,
    FLOW,
    PAID,
    TRADE,
    Bill,
    control,
    failure,
    lines_of,
    pay,
    serve,
    text_of,
)

__all__ = ["control", "pay", "serve"]  # fixtures


# -- single lines that are odd ----------------------------------------------------------------------
@BOTH
@pytest.mark.parametrize("amount", ["", "123", "123.4", "123.455", "1,23.45", "x.45", "12.x5", ".", ".45", "12_3.45",
                                    "-1.00", "１２.45", "+1.00", "9" * 14 + ".00"])
def test_an_amount_that_is_none_makes_its_line_unread_and_the_rest_is_read(serve: Callable[..., None], bill: Bill,
                                                                          amount: str) -> None:
    serve(text_of(bill).replace("`123.45,", f"`{amount},"))
    assert list(bill(DAY)) == [Unread(2), *lines_of(bill)[1:]]


@BOTH
def test_a_line_with_too_few_values_is_unread_and_told_by_its_number(serve: Callable[..., None], bill: Bill) -> None:
    lines = text_of(bill).split("\r\n")
    for broken in ("", lines[3].replace(",`", ",", 1), lines[3][:20], "`" * 30):
        serve("\r\n".join([*lines[:3], broken, *lines[4:]]))
        assert list(bill(DAY)) == [*lines_of(bill)[:2], Unread(4)]


def test_a_movement_that_neither_comes_nor_goes_is_unread(serve: Callable[..., None]) -> None:
    serve(text_of(fund_flow).replace("`支出", "`冻结"))
    assert list(fund_flow(DAY)) == [*FLOW[:2], Unread(4)]


@pytest.mark.parametrize("feed", ["\n", "\r\n", "\n\n", "\n`\n"])
def test_a_line_that_a_text_breaks_in_pieces_is_read(serve: Callable[..., None], feed: str) -> None:
    serve(text_of(trade_bill).replace("`医院缴费", f"`医院{feed}缴费"))
    assert list(trade_bill(DAY)) == TRADE
    serve(text_of(fund_flow).replace("结算总金额", f"结算{feed}总金额"))
    assert list(fund_flow(DAY)) == FLOW


def test_the_pieces_of_one_line_are_not_taken_for_those_of_the_next(serve: Callable[..., None]) -> None:
    lines = text_of(trade_bill).split("\r\n")
    half = lines[1][:60]
    serve("\r\n".join([lines[0], half, *lines[2:]]))
    assert list(trade_bill(DAY)) == [Unread(2), *TRADE[1:]]
    serve("\r\n".join([lines[0], half, half, *lines[3:]]))
    assert list(trade_bill(DAY)) == [Unread(2), Unread(3), *TRADE[2:]]


@BOTH
def test_the_sums_are_checked_beside_a_line_that_is_unread(serve: Callable[..., None], bill: Bill) -> None:
    text = text_of(bill).replace("`123.45,", "`?,")
    title = "总交易单数" if bill is trade_bill else "资金流水总笔数"
    for true, false in (("`3,", "`5,"), ("`3,", "`2,"), ("`123.46", "`0.00"), ("`23.45", "`23.44"), ("`3,", "`x,")):
        head, found, end = text.rpartition(title)
        serve(head + found + end.replace(true, false))
        assert "add up" in failure(bill)[1], false


WHOLE = "`wx-{},`1900000001,`0,`,`4200001,`R-ORDER-0001,`o-patient,`JSAPI,`SUCCESS,`OTHERS,`{}"
ODD = {  # what a column says, and what of the line is odd then
    "app": ("`wx-app,", "`wx-kiosk,", wechatpay_bills.APP), "merchant": ("`1900000001,", "`1900000002,", "APP"),
    "currency": ("`CNY,", "`USD,", "CURRENCY"), "revoked": ("`SUCCESS,`OTHERS", "`REVOKED,`OTHERS", "STATE"),
    "a refund's state in a payment": ("`SUCCESS,`OTHERS", "`REFUND,`OTHERS", "STATE"),
    "day": ("`2026-11-23 09:00:00,", "`2026-11-22 09:00:00,", "DAY"),
    "another app's dollars": (WHOLE.format("app", "CNY"), WHOLE.format("kiosk", "USD"), "APP"),
}


@pytest.mark.parametrize("column", ODD)
def test_what_speaks_against_a_payments_line_is_said(serve: Callable[..., None], column: str) -> None:
    true, false, reason = ODD[column]
    text = text_of(trade_bill, [PAID])
    assert true in text
    serve(text.replace(true, false))
    [one] = trade_bill(DAY)
    assert one._replace(at=TRADE[0].at) == TRADE[0]._replace(odd=reason)


@pytest.mark.parametrize(("true", "false"), [("`REFUND,`OTHERS", "`REVOKED,`OTHERS"), ("`SUCCESS,`医院", "`WHAT,`医院"),
                                             ("`SUCCESS,`医院", "`,`医院")])
def test_what_speaks_against_a_refunds_line_is_said(serve: Callable[..., None], true: str, false: str) -> None:
    text = text_of(trade_bill, [BACK])
    assert true in text
    serve(text.replace(true, false))
    [one] = trade_bill(DAY)
    assert (one.back, one.out_refund_no, one.refund_fen, one.odd) == (True, "R-ORDER-0001-c", 2345, "STATE")


def test_a_refunds_line_without_our_number_is_a_refund_all_the_same(serve: Callable[..., None]) -> None:
    serve(text_of(trade_bill, [BACK]).replace("`R-ORDER-0001-c,", "`,"))
    [one] = trade_bill(DAY)
    assert (one.back, one.out_refund_no, one.refund_id, one.refund_fen) == (True, "", "5030001", 2345)


def test_a_movement_of_another_day_is_said_to_be(serve: Callable[..., None]) -> None:
    serve(text_of(fund_flow).replace("`2026-11-23 09:05:00", "`2026-11-24 00:00:00"))
    assert [one.odd for one in fund_flow(DAY)] == ["", "", "DAY"]


# -- other layouts ----------------------------------------------------------------------------------
def test_totals_may_be_written_as_wechats_own_sample_has_them(serve: Callable[..., None]) -> None:
    head, found, end = text_of(fund_flow).rpartition("资金流水总笔数")
    assert "`3,`2,`123.46,`1,`23.45" in end
    serve(head + found + end.replace("`3,`2,`123.46,`1,`23.45", "`3.0,`2.0,`123.46,`1.0,`23.45"))
    assert list(fund_flow(DAY)) == FLOW
    serve(head + found + end.replace("`3,`2,`123.46,`1,`23.45", "`3.5,`2.0,`123.46,`1.0,`23.45"))
    assert "add up" in failure(fund_flow)[1]


EARLY = ("交易时间,公众账号ID,商户号,子商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,"
         "货币种类,总金额,代金券或立减优惠金额,微信退款单号,商户退款单号,退款金额,代金券或立减优惠退款金额,退款类型,"
         "退款状态,商品名称,商户数据包,手续费,费率")
EARLY_LINES = [
    "`2026-11-23 09:00:00,`wx-app,`1900000001,`0,`,`4200001,`R-ORDER-0001,`o-patient,`JSAPI,`SUCCESS,`OTHERS,`CNY,"
    "`123.45,`0.0,`0,`0,`0,`0,`,`,`挂号费,`,`0,`0.60%",
    "`2026-11-23 09:00:00,`wx-app,`1900000001,`0,`,`4200002,`P-ORDER-0002,`o-patient,`JSAPI,`SUCCESS,`OTHERS,`CNY,"
    "`0.01,`0.0,`0,`0,`0.0,`0,`,`,`挂号费,`,`0,`0.60%",
    "`2026-11-23 09:05:00,`wx-app,`1900000001,`0,`,`4200001,`R-ORDER-0001,`o-patient,`JSAPI,`REFUND,`OTHERS,`CNY,"
    "`123.45,`0.0,`5030001,`R-ORDER-0001-c,`23.45,`0,`ORIGINAL,`SUCCESS,`挂号费,`,`0,`0.60%"]


def test_a_bill_of_the_early_layout_is_read(serve: Callable[..., None]) -> None:
    totals = ["总交易单数,总交易额,总退款金额,总代金券或立减优惠退款金额,手续费总金额", "`3,`123.46,`23.45,`0.0,`0"]
    serve("\r\n".join([EARLY, *EARLY_LINES, *totals, ""]))
    assert list(trade_bill(DAY)) == TRADE
    serve("\r\n".join([EARLY, *EARLY_LINES, totals[0], "`3,`123.45,`23.45,`0.0,`0", ""]))
    assert "总交易额" in failure(trade_bill)[1]
