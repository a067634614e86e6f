"""The messages in the patient's own pages: read, opened, answered to WeChat; opened by WeChat's own message."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from sandbox.people import person
from sandbox.phone import Control, Phone
from tests.screens.hand import Hand
from tests.screens.test_for_everyone import LARGE, NORMAL, problems

New = Callable[..., Hand]


@pytest.fixture
def told(control: Control, phone: Phone, patient: dict[str, Any], session: dict[str, Any]) -> dict[str, Any]:
    """A registration that is firm, told of by two messages."""
    held = phone.book(patient["id"], session)
    phone.thumb(phone.open_payment(held["id"]))
    control.settle()
    return {**held, "doctor": session["doctor_name"]}


def test_a_message_is_seen_from_the_home_page_read_and_opens_what_it_is_about(
        new_hand: New, phone: Phone, told: dict[str, Any]) -> None:
    hand = new_hand(phone).open("/").sees("2 条未读").shot("home-messages").tap(re.compile("^消息，2 条未读"))
    hand.sees("挂号成功").sees(told["doctor"]).shot("messages-normal").tap(re.compile("^未读，挂号成功"))
    hand.sees("取消挂号").back().sees("1 条未读")
    hand.button(re.compile("^已读，挂号成功"))
    hand.tap("全部已读").sees("没有未读").sees_no("● 未读")
    hand.open("/home/me").sees("没有未读").tap(re.compile("^消息"))
    hand.sees("挂号成功")


def test_home_does_not_move_when_the_number_comes(new_hand: New, phone: Phone, told: dict[str, Any]) -> None:
    hand, held = new_hand(phone), list[Route]()
    # Playwright looks at a handler's parameters, which a built-in method does not show.
    hand.context.route("**/api/booking/home", lambda route: held.append(route))  # noqa: PLW0108
    hand.page.goto(f"{hand.address}/")
    expect(hand.button("正在查看你的预约", "status")).to_be_visible()
    before = hand.button(re.compile("^消息")).bounding_box()
    for one in held:
        one.continue_()
    hand.sees("2 条未读")
    assert hand.button(re.compile("^消息")).bounding_box() == before


def test_the_home_page_of_somebody_new_needs_three_requests_at_most(new_hand: New) -> None:
    hand, asked = new_hand(), list[str]()
    hand.page.on("request", lambda one: asked.append(one.url.partition("/api/")[2]) if "/api/" in one.url else None)
    hand.page.goto(f"{hand.address}/")
    hand.sees("还没有预约").sees("没有未读")
    assert sorted(asked) == ["account/sessions", "booking/home", "content/hospital"]


def test_what_may_not_be_read_any_more_has_no_content(
        new_hand: New, phone: Phone, patient: dict[str, Any], told: dict[str, Any]) -> None:
    phone.call("POST", "account/consents/withdrawal", {"patient_id": patient["id"], "purpose": "HEALTH_DATA"})
    hand = new_hand(phone).open("/messages/inbox").sees("内容不再显示").sees_no(told["doctor"])
    hand.shot("messages-withheld").tap(re.compile("^未读，挂号成功")).sees("1 条未读")


def test_there_are_none_yet_and_without_a_network_that_is_said_with_a_way_on(new_hand: New, control: Control) -> None:
    hand = new_hand(Phone(control).sign_in()).open("/messages/inbox").sees("还没有消息").shot("messages-none")
    hand.tap("消息提醒设置").sees("未开启").back()
    hand.context.set_offline(True)
    hand.tap("消息提醒设置").sees("网络未连接").shot("messages-offline")
    hand.context.set_offline(False)
    hand.tap("重试").sees("未开启")


def test_what_was_answered_to_wechat_is_seen_and_switched_on_again_where_it_was_refused_for_good(
        new_hand: New, control: Control) -> None:
    phone = Phone(control).sign_in()
    hand = new_hand(phone).open("/messages/settings").sees("未开启")
    hand.tap("挂号成功，未开启，开启").sees("微信还会提醒 1 次")
    hand.tap(re.compile("^挂号成功，微信还会")).sees("微信还会提醒 2 次")
    hand.page.evaluate("localStorage.setItem('browser:messages', JSON.stringify({type: 'string', data: 'no'}))")
    hand.tap("取号成功，未开启，开启").sees("微信里关闭了").shot("message-settings-off")
    hand.tap("去微信设置打开").tap("允许").sees_no("微信里关闭了").tap("取号成功，已拒绝，开启").sees_no("已拒绝")
    kinds = {one["kind"]: one for one in phone.call("GET", "messages/subscriptions")["kinds"]}
    assert (kinds["booking_confirmed"]["allowed"], kinds["checked_in"]["allowed"]) == (2, 1)


def test_registering_tells_the_hospital_what_wechat_was_answered(
        new_hand: New, control: Control, session: dict[str, Any]) -> None:
    phone = Phone(control).sign_in()
    phone.add_patient(person(), relation="SELF")
    hand = new_hand(phone)
    with hand.page.expect_response(re.compile("messages/templates")):  # what a tap asks for was fetched before it
        hand.page.goto(f"{hand.address}/#/booking/confirm?doctor={session['doctor_id']}&session={session['id']}")
    hand.sees(session["doctor_name"])
    with hand.page.expect_request(re.compile("messages/subscriptions")):
        hand.tap("确认挂号 ¥25.00").tap("确认支付").sees("预约成功")
    control.settle()
    kinds = {one["kind"]: one["allowed"] for one in phone.call("GET", "messages/subscriptions")["kinds"]}
    assert (kinds["booking_confirmed"], kinds["booking_cancelled"]) == (0, 1)  # one was sent
    assert [one["template_name"] for one in phone.inbox()] == ["挂号成功通知"]


def test_wechats_message_opens_the_page_also_when_nothing_was_running_and_back_leads_home(
        new_hand: New, control: Control, phone: Phone, told: dict[str, Any], sql: Any) -> None:
    page = phone.inbox("挂号成功通知")[0]["page"]
    sql("DELETE FROM sessions")  # signed out everywhere
    hand = new_hand(phone).open(f"/{page}").sees(told["doctor"]).sees("取消挂号")
    hand.page.locator(".uni-page-head-hd .uni-page-head-btn").first.click()
    hand.sees("预约挂号")


def test_somebody_elses_message_opens_nothing_of_theirs_and_leads_on(
        new_hand: New, control: Control, told: dict[str, Any]) -> None:
    stranger = new_hand().open(f"/visit/registration?id={told['id']}")
    stranger.sees("没有成功").sees_no(told["doctor"]).shot("message-of-another").tap("返回首页").sees("还没有预约")


@pytest.mark.parametrize("size", ["normal", "large"])
def test_the_pages_of_messages_keep_nobody_out(new_hand: New, phone: Phone, told: dict[str, Any], size: str) -> None:
    hand = new_hand(phone).open("/").sees("2 条未读")
    if size == "large":
        hand.tap("长辈版，大字号").sees("标准版").shot("home-messages-large")
    found = []
    for page, text in (("inbox", "挂号成功"), ("settings", "未开启")):
        hand.open(f"/messages/{page}").sees(text).shot(f"messages-{page}-{size}")
        found += problems(hand, LARGE if size == "large" else NORMAL)
    assert found == []
