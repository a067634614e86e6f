"""What goes wrong in the middle: the page says what is so, nothing is paid or taken twice, and there is a way on.

What can be said of one page alone stands with its page: a sheet that is closed, a place that goes or a fee that changes
while one chooses, two taps at once, off line, a session that ended, a hospital that is silent about bills.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Route, expect

from sandbox.phone import Control, Phone
from tests.screens.hand import Hand
from tests.screens.test_pages_of_registering import pay, to_confirm

TAKING = "**/api/booking/bookings"


def sheet(hand: Hand) -> Any:
    return hand.page.get_by_role("dialog")


def paid_once(control: Control) -> bool:
    """Whether one order was made at WeChat Pay, and paid."""
    return [one["state"] for one in control("GET", "/wechatpay/orders")] == ["SUCCESS"]


def test_while_word_of_the_money_is_late_nothing_is_called_booked_and_then_it_is(
        payer: Hand, control: Control, session: dict[str, Any]) -> None:
    control("POST", "/wechatpay/notices/mode", hold=True)
    pay(to_confirm(payer, session)).sees("正在确认支付结果").sees_no("预约成功").shot("wrong-money-late")
    control("POST", "/wechatpay/notices/mode", hold=False)
    payer.sees("预约成功")
    assert paid_once(control)


def test_an_answer_that_was_lost_is_asked_for_again_also_after_the_page_was_opened_anew(
        payer: Hand, control: Control, session: dict[str, Any]) -> None:
    def lose(route: Route) -> None:
        if route.request.method == "POST":
            route.fetch()  # it has arrived, and the place is taken
            route.abort()
        else:
            route.continue_()

    to_confirm(payer, session).sees("时间　最早")
    payer.page.route(TAKING, lose)
    payer.tap("确认挂号 ¥25.00").sees("网络未连接").shot("wrong-answer-lost")
    payer.page.unroute(TAKING)
    payer.page.reload()
    pay(payer.sees("时间　最早")).sees("预约成功")
    payer.open("/visit/registrations").sees(session["doctor_name"])
    expect(payer.page.get_by_role("button", name=re.compile(session["department_name"]))).to_have_count(1)


def test_a_page_that_is_opened_anew_while_one_pays_opens_no_sheet_by_itself(
        payer: Hand, control: Control, session: dict[str, Any]) -> None:
    to_confirm(payer, session).tap("确认挂号 ¥25.00")
    sheet(payer).wait_for()
    payer.page.reload()
    payer.sees("待支付").sees("为你保留还剩")
    expect(sheet(payer)).to_have_count(0)
    payer.tap("支付 ¥25.00").tap("确认支付").sees("预约成功")
    assert paid_once(control)


def test_bills_whose_page_is_opened_anew_are_paid_once(payer: Hand, control: Control, bill: Callable[..., Any]) -> None:
    bill("LABORATORY", 3000)
    payer.open("/bills/bills").tap("支付 ¥30.00")
    sheet(payer).wait_for()
    payer.page.reload()
    payer.sees("待支付").sees("还剩")
    expect(sheet(payer)).to_have_count(0)
    payer.tap("微信支付 ¥30.00").tap("确认支付").sees("缴费成功")
    assert paid_once(control)


def test_who_goes_back_from_the_sheet_has_paid_nothing_and_finds_the_place_on_the_home_page(
        payer: Hand, control: Control, session: dict[str, Any]) -> None:
    payer.open("/").sees("还没有预约")
    payer.page.evaluate("address => location.assign(address)",
                        f"#/booking/confirm?doctor={session['doctor_id']}&session={session['id']}")
    payer.tap("确认挂号 ¥25.00")
    sheet(payer).wait_for()
    payer.back().sees("待支付")
    expect(sheet(payer)).to_have_count(0)
    payer.tap("去支付").tap("支付 ¥25.00").tap("确认支付").sees("预约成功")
    assert paid_once(control)


def test_what_was_paid_in_another_tab_is_seen_in_this_one_and_not_paid_again(
        payer: Hand, control: Control, session: dict[str, Any], phone: Phone, patient: dict[str, Any]) -> None:
    held = phone.book(patient["id"], session)
    here = payer.open(f"/visit/registration?id={held['id']}").sees("为你保留还剩").page
    payer.page = payer.context.new_page()
    payer.open(f"/visit/registration?id={held['id']}").tap("支付 ¥25.00").tap("确认支付").sees("预约成功")
    payer.page = here
    payer.tap("支付 ¥25.00").sees("预约成功").sees_no("支付 ¥25.00")
    expect(sheet(payer)).to_have_count(0)
    assert paid_once(control)


def test_a_hospital_that_is_down_takes_no_money_and_the_place_is_paid_when_it_is_back(
        payer: Hand, control: Control, session: dict[str, Any]) -> None:
    control.fault("his", "lock_registration", "error", times=-1)
    to_confirm(payer, session).tap("确认挂号 ¥25.00").sees("为你保留还剩").sees(re.compile("稍后"))
    payer.shot("wrong-his-down")
    assert control("GET", "/wechatpay/orders") == []
    control("DELETE", "/faults")
    payer.tap("支付 ¥25.00").tap("确认支付").sees("预约成功")


def test_while_a_hospital_is_slow_the_button_says_so_and_another_tap_opens_no_second_sheet(
        payer: Hand, control: Control, session: dict[str, Any]) -> None:
    control.fault("his", "lock_registration", "delay", seconds=2)
    to_confirm(payer, session).tap("确认挂号 ¥25.00").sees("请稍候…")
    payer.button("支付 ¥25.00").dispatch_event("click")  # a finger does not look whether it may
    payer.tap("确认支付").sees("预约成功")
    expect(sheet(payer)).to_have_count(0)
    assert paid_once(control)
