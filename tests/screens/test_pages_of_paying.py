"""Bills, their money and their e-bills in the patient's own pages."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from sandbox.phone import Control, Phone
from tests.screens.hand import Hand

Bill = Callable[..., dict[str, Any]]


def paid(payer: Hand, amount: str) -> Hand:
    return payer.open("/bills/bills").tap(f"支付 {amount}").tap("确认支付").sees("缴费成功")


@pytest.mark.feature("billing.list", screen=True)
@pytest.mark.feature("billing.detail", screen=True)
@pytest.mark.feature("billing.pay", screen=True)
def test_bills_are_read_item_by_item_and_paid_together(payer: Hand, bill: Bill) -> None:
    bill("LABORATORY", 3000, 1250)
    bill("EXAMINATION", 20000)
    payer.open("/").tap("门诊缴费").sees("已选 2 笔").shot("bills").tap(re.compile("^查看明细 检验"))
    payer.sees("项目2").sees("¥12.50").shot("bill").back().sees("已选 2 笔")
    paid(payer, "¥242.50").shot("order-settled")
    payer.open("/bills/bills").sees("没有待缴费用")


def test_one_of_several_bills_is_paid_alone(payer: Hand, bill: Bill) -> None:
    bill("LABORATORY", 3000)
    bill("EXAMINATION", 20000)
    payer.open("/bills/bills").sees("已选 2 笔").page.get_by_role("checkbox").first.click()
    payer.sees("已选 1 笔").tap(re.compile("^支付 ¥")).tap("确认支付").sees("缴费成功")
    payer.open("/bills/bills").sees("已选 1 笔")


@pytest.mark.feature("billing.receipt", screen=True)
@pytest.mark.feature("billing.ebill", screen=True)
@pytest.mark.feature("ebill.screen", screen=True)
@pytest.mark.feature("me.payments", screen=True)
def test_a_payment_has_its_receipt_and_its_e_bill(payer: Hand, control: Control, bill: Bill) -> None:
    bill("LABORATORY", 3000)
    paid(payer, "¥30.00")
    control.settle()
    payer.open("/money/payments").sees("¥30.00").shot("payments").tap(re.compile("门诊缴费")).sees("项目1").shot("receipt")
    payer.open("/ebills/ebills").sees("¥30.00").shot("ebills").tap(re.compile("¥30.00")).sees("票据号码").shot("ebill")
    files = control.addresses["cos"]
    with payer.context.expect_event("response", lambda answer: answer.url.startswith(files)) as fetched:
        payer.tap("打开票据（PDF）")
    assert (fetched.value.status, fetched.value.headers["content-type"]) == (200, "application/pdf")


@pytest.mark.feature("billing.scan", screen=True)
def test_the_code_on_a_prescription_opens_its_bill_and_a_forged_one_nothing(
        payer: Hand, control: Control, bill: Bill) -> None:
    token = control("POST", f"/his/bills/{bill('PRESCRIPTION', 8800)['bill_no']}/qr")["token"]
    for text, seen in (("https://example.com/x", "不是本院处方码"), (token, "项目1")):
        payer.open("/bills/bills").tap("扫处方单上的二维码缴费")
        payer.page.get_by_role("dialog").get_by_role("textbox").fill(text)
        payer.tap("确定").sees(seen)
    payer.tap("支付 ¥88.00").tap("确认支付").sees("缴费成功")


@pytest.mark.feature("refund.online", screen=True)
@pytest.mark.feature("refund.desk", screen=True)
def test_what_is_not_done_yet_goes_back_on_line_and_what_is_done_by_the_desk(
        payer: Hand, control: Control, bill: Bill) -> None:
    done = bill("EXAMINATION", 20000)
    bill("LABORATORY", 3000)
    paid(payer, "¥230.00")
    order = payer.page.url.partition("#")[2]
    control("POST", f"/his/bills/{done['bill_no']}/execute")
    payer.tap(re.compile("退费.*检查")).sees("不能在手机上退").shot("refund-desk")
    payer.open(order).tap(re.compile("退费.*检验")).sees("可以在手机上退").shot("refund-online")
    payer.tap("确认退费 ¥30.00").sees(re.compile("退费中|已退费"))
    control.settle()
    control.advance(10)
    control.settle()
    payer.open("/money/payments").sees("¥30.00").tap(re.compile("门诊缴费")).sees("退款")


def test_a_closed_sheet_leaves_the_bills_to_be_paid_later(payer: Hand, bill: Bill) -> None:
    bill("LABORATORY", 3000)
    payer.open("/bills/bills").tap("支付 ¥30.00").tap("取消").sees("还没有付款").shot("order-unpaid")
    payer.open("/bills/bills").tap(re.compile("^查看或继续支付")).tap("微信支付 ¥30.00")
    payer.tap("确认支付").sees("缴费成功")


def test_a_bill_that_changed_is_said_before_anything_is_paid(payer: Hand, control: Control, bill: Bill) -> None:
    made = bill("LABORATORY", 3000)
    payer.open("/bills/bills").sees("已选 1 笔")
    control("POST", f"/his/bills/{made['bill_no']}/change", amount_fen=777)
    payer.tap("支付 ¥30.00").sees("已变更").sees("¥7.77")
    assert control("GET", "/wechatpay/orders") == []


def test_a_silent_hospital_is_said_and_nothing_can_be_paid(payer: Hand, control: Control, bill: Bill) -> None:
    bill("LABORATORY", 3000)
    control.fault("his", "list_bills", "error", times=-1)
    payer.open("/bills/bills").sees("暂时没有回应").sees_no(re.compile("^支付 ¥")).shot("bills-silent")


@pytest.mark.feature("checkin.pay", screen=True)
def test_on_the_day_the_fee_is_paid_and_the_number_taken(
        new_hand: Callable[..., Hand], phone: Phone, patient: dict[str, Any], control: Control,
        new_session: Callable[..., dict[str, Any]], policy: Callable[..., None]) -> None:
    policy(payment="AT_CHECKIN")
    session = new_session(date="2026-11-23", period="MORNING")
    held = phone.book(patient["id"], session)
    phone.call("POST", f"booking/bookings/{held['id']}/payment")
    control.settle()
    payer = new_hand(phone).open(f"/visit/registration?id={held['id']}").sees("预约成功").shot("check-in")
    payer.tap("支付 ¥25.00 并取号").tap("确认支付").sees("已取号").shot("checked-in")


@pytest.mark.feature("me.patients", screen=True)
@pytest.mark.feature("me.patient", screen=True)
def test_a_patient_is_added_proven_shown_masked_and_whole_and_removed(
        new_hand: Callable[..., Hand], phone: Phone) -> None:
    hand = new_hand(phone).open("/family/add").sees("与我的关系")
    one = hand.add_patient(number=phone.number)
    hand.sees("还需核验").shot("patient-limited").tap("用微信手机号核验").tap("允许").sees("查看完整信息").sees_no(one["id_number"])
    hand.tap("查看完整信息").tap("允许").sees(one["id_number"]).shot("patient-whole")
    hand.tap("移除就诊人").sees("未支付的挂号会释放").tap("确定移除")
    hand.open("/family/patients").sees("添加就诊人").sees_no(re.compile("本人"))
