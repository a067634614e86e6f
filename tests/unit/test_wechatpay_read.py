"""What WeChat Pay says, read: nothing that is missing or odd becomes a value, whatever else stands beside it."""

from __future__ import annotations

import contextlib
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hospital.gateways import wechatpay_read
from hospital.gateways.wechatpay_read import Order, Refund, Unreadable
from hospital.payment.model import CHARGE, DESK, NAMES_AN_ID, Purpose
from hypothesis import given
from hypothesis import strategies as st

NUMBER = "R01M82SJGG227PVYTYCFQQK8FCJ"
AT = datetime(2026, 11, 23, 9, 5, tzinfo=timezone(timedelta(hours=8)))
PAID: dict[str, Any] = {
    "appid": "wx-app", "mchid": "1900000001", "out_trade_no": NUMBER, "trade_state": "SUCCESS", "trade_type": "JSAPI",
    "transaction_id": "420008326120261123275334618", "success_time": "2026-11-23T09:05:00+08:00", "bank_type": "OTHERS",
    "amount": {"total": 2500, "payer_total": 2500, "currency": "CNY", "payer_currency": "CNY"},
    "payer": {"openid": "o-payer"}, "promotion_detail": []}
BACK: dict[str, Any] = {
    "mchid": "1900000001", "out_trade_no": NUMBER, "transaction_id": "420008326120261123275334618",
    "out_refund_no": f"{NUMBER}-cancelled", "refund_id": "50300000012026112312345678901", "refund_status": "SUCCESS",
    "success_time": "2026-11-23T09:05:00+08:00",
    "amount": {"total": 2500, "refund": 2500, "payer_total": 2500, "payer_refund": 2500}}
GONE = object()


def changed(content: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The content with another value at a path of names; GONE takes it out."""
    name, _, rest = path.partition(".")
    others = {key: one for key, one in content.items() if key != name}
    if rest:
        return {**others, name: changed(content[name], rest, value)}
    return others if value is GONE else {**others, name: value}


def order(path: str = "", value: Any = None) -> Order:
    return wechatpay_read.order(changed(PAID, path, value) if path else PAID, app_id="wx-app", merchant_id="1900000001")


def refund(path: str = "", value: Any = None) -> Refund:
    return wechatpay_read.refund(changed(BACK, path, value) if path else BACK, merchant_id="1900000001")


def test_a_payment_is_read_as_it_is_told() -> None:
    assert order() == Order(NUMBER, "SUCCESS", "420008326120261123275334618", 2500, AT, "o-payer", "")
    assert order().paid
    assert order("trade_state", "REFUND").paid


@pytest.mark.parametrize("path", ["appid", "mchid", "out_trade_no", "trade_state", "transaction_id", "amount",
                                  "amount.total"])
def test_a_payment_that_lacks_what_decides_is_unreadable_and_named(path: str) -> None:
    for value in (GONE, None, "", {}, []):
        with pytest.raises(Unreadable) as problem:
            order(path, value)
        assert problem.value.reason.endswith(path) or path == "amount"
        assert problem.value.out_trade_no == ("" if path == "out_trade_no" else NUMBER)


@pytest.mark.parametrize("total", [
    2500.7, 2500.0, "2500", "二十五元", -2500, 0, True, 10**13, 10**30, [2500], {"fen": 1}])
def test_only_a_whole_number_of_fen_is_an_amount(total: Any) -> None:
    with pytest.raises(Unreadable, match=r"amount\.total"):
        order("amount.total", total)
    with pytest.raises(Unreadable, match=r"amount\.refund"):
        refund("amount.refund", total)


@pytest.mark.parametrize(("told", "moment"), [
    ("2026-11-23T09:05:00.5+08:00", AT + timedelta(milliseconds=500)),
    ("2026-11-23T09:05:00.123456789+08:00", AT + timedelta(microseconds=123456)),
    ("2026-11-23T01:05:00Z", AT), ("2026-11-23t01:05:00.000z", AT), ("", None), (None, None), (GONE, None)])
def test_every_rfc_3339_moment_is_read(told: Any, moment: datetime | None) -> None:
    assert order("success_time", told).success_at == moment
    assert refund("success_time", told).success_at == moment


@pytest.mark.parametrize("told", [
    "2026-11-23T09:05:00", "2026-11-23", "20261123090500", "2026-11-23 09:05:00+08:00", "2026-13-23T09:05:00Z",
    "2026-11-23T25:05:00Z", "0001-01-01T00:00:00+08:00", "9999-12-31T23:59:59-12:00", "２０26-11-23T09:05:00Z",
    1795395900, ["2026-11-23T09:05:00Z"], "2026-11-23T09:05:00+99:99"])
def test_a_moment_without_a_zone_or_none_at_all_is_unreadable(told: Any) -> None:
    with pytest.raises(Unreadable, match="success_time"):
        order("success_time", told)
    with pytest.raises(Unreadable, match="success_time"):
        refund("success_time", told)


@pytest.mark.parametrize("number", ["R" * 64, "R" * 33, "挂号一一", "R 1", "R\n1", 42, ["R1"]])
def test_a_number_that_no_order_can_have_is_unreadable(number: Any) -> None:
    with pytest.raises(Unreadable, match="out_trade_no") as problem:
        order("out_trade_no", number)
    assert problem.value.out_trade_no == ""
    with pytest.raises(Unreadable, match="out_trade_no"):
        refund("out_trade_no", number)
    with pytest.raises(Unreadable, match="transaction_id"):
        order("transaction_id", number)


@pytest.mark.parametrize("content", [[], [PAID], "SUCCESS", None, 42, {}, True])
def test_what_is_no_order_is_unreadable(content: Any) -> None:
    with pytest.raises(Unreadable):
        wechatpay_read.order(content, app_id="wx-app", merchant_id="1900000001")
    with pytest.raises(Unreadable):
        wechatpay_read.refund(content, merchant_id="1900000001")


@pytest.mark.parametrize(("path", "value", "said"), [
    ("mchid", "1900000002", "mchid 1900000002"), ("appid", "wx-kiosk", "appid wx-kiosk"),
    ("amount.currency", "HKD", "currency HKD")])
def test_what_belongs_to_somebody_else_says_so(path: str, value: str, said: str) -> None:
    assert order(path, value).not_ours == said
    if path in ("mchid", "amount.currency"):
        assert refund(path, value).not_ours == said


def test_an_order_that_is_not_paid_needs_no_amount_and_no_transaction() -> None:
    told = {name: PAID[name] for name in ("appid", "mchid", "out_trade_no")}
    for state in ("NOTPAY", "CLOSED", "USERPAYING", "PAYERROR"):
        one = wechatpay_read.order(
            {**told, "trade_state": state, "payer": {}, "amount": {"currency": "CNY"}, "transaction_id": "",
             "success_time": ""}, app_id="wx-app", merchant_id="1900000001")
        assert (one.state, one.paid, one.not_ours) == (state, False, "")


def test_a_refund_is_read_from_a_notice_and_from_an_answer() -> None:
    assert refund() == Refund(f"{NUMBER}-cancelled", "SUCCESS", BACK["refund_id"], 2500, AT, NUMBER,
                              PAID["transaction_id"], "")
    answer = {**changed(changed(BACK, "refund_status", GONE), "mchid", GONE), "status": "PROCESSING"}
    assert wechatpay_read.refund(answer, merchant_id="1900000001").state == "PROCESSING"


@pytest.mark.parametrize("path", ["out_refund_no", "out_trade_no", "refund_status", "amount", "amount.refund"])
def test_a_refund_that_lacks_what_decides_is_unreadable(path: str) -> None:
    for value in (GONE, None, "", []):
        with pytest.raises(Unreadable) as problem:
            refund(path, value)
        assert problem.value.out_refund_no == ("" if path == "out_refund_no" else f"{NUMBER}-cancelled")


def test_a_refund_in_a_state_that_nobody_knows_is_unreadable() -> None:
    with pytest.raises(Unreadable, match="refund_status"):
        refund("refund_status", "DONE")


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
                        st.sampled_from([*PAID, *BACK, "total", "refund", "currency", "openid"]), inner, max_size=6),
                    max_leaves=12), st.sampled_from([*PAID, *BACK, "amount.total", "amount.refund"]))
def test_whatever_is_said_it_is_read_or_unreadable_and_never_anything_else(said: Any, path: str) -> None:
    for content, read in ((PAID, order), (BACK, refund)):
        if path.partition(".")[0] in content:
            with contextlib.suppress(Unreadable):
                assert read(path, said).out_trade_no


# -- why money goes back ----------------------------------------------------------------------------
@pytest.mark.parametrize(("key", "why", "name"), [
    ("cancelled", "CANCELLED", ""), ("rejected", "REJECTED", ""), ("unsettled", "UNSETTLED", ""),
    ("c-01M82SJGG227PVYTYCFQQK8FCJ", CHARGE, "01M82SJGG227PVYTYCFQQK8FCJ"), ("d-01M8", DESK, "01M8")])
def test_a_purpose_is_written_as_rows_of_old_have_it_and_read_again(key: str, why: str, name: str) -> None:
    purpose = Purpose(why, name)
    assert (purpose.key, Purpose.of_key(key)) == (key, purpose)
    assert purpose.of_desk is (why == DESK)
    assert bool(name) is (why in NAMES_AN_ID)


@pytest.mark.parametrize("key", ["", "cancelled2", "x-01M8", "cancel"])
def test_what_is_no_purpose_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="purpose"):
        Purpose.of_key(key)
