"""The desk beside the phone: the phone in a frame, and the world around it worked by the other hand."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, FrameLocator, Locator, Page, expect

from sandbox.people import person
from sandbox.phone import Control, Phone
from scripts.client import CLIENT
from tests.screens.conftest import SIZE
from tests.screens.hand import SHOTS, WAITS, Hand

AXE = (CLIENT / "node_modules" / "axe-core" / "axe.min.js").read_text()
SERIOUS = """async () => {
  const {violations} = await axe.run(document, {resultTypes: ['violations'], iframes: false})
  return violations.filter(one => ['serious', 'critical'].includes(one.impact))
    .map(one => `${one.id}: ${one.nodes.map(node => node.html.slice(0, 160)).join(' | ')}`)
}"""
WIDE = {"width": 1440, "height": 1080}


class Desk:
    """The page, with a phone of somebody in its frame."""

    def __init__(self, hand: Hand) -> None:
        self.hand = hand
        self.page: Page = hand.page
        self.phone: FrameLocator = self.page.frame_locator("#phone")
        self.page.goto(f"{hand.address}/town/desk/")
        expect(self.page.locator("#whose")).to_contain_text("手机号", timeout=WAITS)

    def card(self, title: str) -> Locator:
        """A part of the panel, by its title."""
        return self.page.get_by_role("region", name=title, exact=True)

    def press(self, title: str, button: str | re.Pattern[str]) -> Locator:
        """Press a button of a card; where it says what came of it."""
        card = self.card(title)
        card.get_by_role("button", name=button, exact=isinstance(button, str)).first.click()
        return card.locator(".said")

    def open(self, page: str) -> Desk:
        """A page in the phone."""
        self.phone.locator("html").evaluate("(_, to) => { location.replace(to); location.reload() }", f"/#{page}")
        return self

    def tap(self, name: str | re.Pattern[str]) -> Desk:
        """Press something in the phone."""
        self.phone.get_by_role("button", name=name, exact=isinstance(name, str)).locator("visible=true").first.click()
        return self

    def shot(self, name: str, *, full_page: bool = False) -> None:
        """A picture of the page as it is."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=str(SHOTS / f"{name}.png"), animations="disabled", full_page=full_page)

    def problems(self) -> list[str]:
        """What axe finds on the page around the phone."""
        self.page.evaluate(AXE)
        found: list[str] = self.page.evaluate(SERIOUS)
        return found

    def sees(self, text: str | re.Pattern[str]) -> Desk:
        """Wait until the phone shows a text."""
        expect(self.phone.get_by_text(text).locator("visible=true").first).to_be_visible(timeout=WAITS)
        return self


@pytest.fixture
def desk(browser: Browser, pages: str, control: Control, phone: Phone, patient: dict[str, Any]) -> Any:
    """The desk with the phone of somebody who has a proven patient; the payment sheet lies on the desk."""
    hand = Hand(browser.new_context(viewport=WIDE, locale="zh-CN"), pages, control, phone)  # type: ignore[arg-type]
    yield Desk(hand)
    hand.let_go()


def said(where: Locator, text: str | re.Pattern[str]) -> None:
    expect(where).to_contain_text(text, timeout=WAITS)


def test_the_panels_thumb_refuses_and_pays_and_the_phone_is_told(
        desk: Desk, control: Control, session: dict[str, Any]) -> None:
    pay = desk.card("微信支付")
    pay.get_by_label("付款单显示在").select_option("desk")
    said(pay.locator(".said"), "显示在这里")
    desk.open(f"/booking/confirm?doctor={session['doctor_id']}&session={session['id']}").tap("确认挂号 ¥25.00")
    desk.sees("请在手机旁边的面板上付款")
    said(desk.press("微信支付", "拒付（余额不足）"), "没有付款")
    desk.sees("号源已为你保留").tap("支付 ¥25.00").sees("请在手机旁边的面板上付款")
    expect(pay.get_by_role("button", name="按指纹付款")).to_be_visible(timeout=WAITS)
    desk.shot("desk")
    said(desk.press("微信支付", "按指纹付款"), "¥25.00 已付")
    desk.sees("预约成功")
    said(desk.press("刚刚发生了什么", "等手头的事都办完"), "都办完了")
    inbox = desk.card("手机收到的消息")
    expect(inbox).to_contain_text("挂号成功通知", timeout=WAITS)
    said(desk.press("医院", re.compile("^医生停诊")), "停诊了。")
    expect(desk.card("医院").get_by_text("已停诊")).to_be_visible(timeout=WAITS)
    said(desk.press("刚刚发生了什么", "等手头的事都办完"), "都办完了")
    message = control("GET", f"/wechat/phones/{desk.hand.openid()}/inbox")[-1]
    desk.press("手机收到的消息", re.compile(message["template_name"]))
    desk.page.frames[1].wait_for_url(f"**/#/{message['page']}", timeout=WAITS)
    desk.sees("可以改约或退号")


def test_what_a_doctor_orders_comes_to_the_phone_and_is_paid_there(desk: Desk) -> None:
    expect(desk.card("医院").locator("optgroup").first).to_have_attribute("label", "这部手机的就诊人", timeout=WAITS)
    said(desk.press("医院", "开单"), "开了检验")
    desk.open("/bills/bills").sees("已选 1 笔").tap(re.compile("^支付 ¥"))
    desk.tap("确认支付").sees("缴费成功")
    desk.press("刚刚发生了什么", "等手头的事都办完")
    expect(desk.card("医院").get_by_text("已缴费")).to_be_visible(timeout=WAITS)
    said(desk.press("医院", re.compile("^窗口退费")), "退了费")


def test_a_code_for_a_patient_of_the_phone_is_read_there_and_nobody_elses(
        desk: Desk, control: Control, phone: Phone) -> None:
    number = "13900001234"
    control("DELETE", f"/sms/phones/{number}/limits")
    bound = phone.add_patient(person(), proven=False, phone=number)
    phone.call("POST", f"account/patients/{bound['id']}/proof-codes")
    stranger = Phone(control).sign_in()
    other = stranger.add_patient(person(), proven=False, phone="13900005678")
    control("DELETE", "/sms/phones/13900005678/limits")
    stranger.call("POST", f"account/patients/{other['id']}/proof-codes")
    inbox = desk.card("手机收到的消息")
    expect(inbox.get_by_text(re.compile(r"^\d{6}为您的就诊人核验码")).first).to_be_visible(timeout=WAITS)
    expect(inbox.get_by_text(f"发到 {number}").first).to_be_visible()
    expect(inbox.get_by_text("发到 13900005678")).to_have_count(0)


def test_a_silent_hospital_is_said_by_the_phone_until_it_works_again(desk: Desk) -> None:
    said(desk.press("医院", "开单"), "开了检验")
    desk.card("系统").get_by_role("group", name=re.compile("医院 HIS")).get_by_role("radio", name="断开").click()
    said(desk.card("系统").locator(".said"), "医院 HIS：断开")
    desk.open("/bills/bills").sees(re.compile("暂时无法查询|暂时没有回应"))
    expect(desk.card("系统").get_by_text("已影响")).to_be_visible(timeout=WAITS)
    said(desk.press("系统", "全部恢复正常"), "都正常了")
    desk.open("/bills/bills").sees("已选 1 笔")


def test_time_leaps_and_an_unpaid_place_is_let_go(desk: Desk, phone: Phone, patient: dict[str, Any],
                                                  session: dict[str, Any]) -> None:
    booking = phone.book(patient["id"], session)
    phone.open_payment(booking["id"])
    expect(desk.card("微信支付").get_by_text("待支付")).to_be_visible(timeout=WAITS)
    desk.open(f"/visit/registration?id={booking['id']}").sees("待支付")
    for _ in range(2):
        said(desk.press("时间", "过 10 分钟"), "现在是")
        expect(desk.card("时间").get_by_role("button", name="过 10 分钟")).to_be_enabled(timeout=WAITS)
    desk.card("时间").get_by_text("接下来的定时任务").click()
    said(desk.press("时间", "现在就做 后台任务"), "做完了")
    desk.press("刚刚发生了什么", "等手头的事都办完")
    desk.open(f"/visit/registration?id={booking['id']}").sees(re.compile("超时|未支付|已释放"))
    said(desk.press("微信支付", re.compile("^钱还是来了")), "到账")


def test_the_desk_keeps_nobody_out_and_says_errors_in_sentences(desk: Desk) -> None:
    said(desk.press("医院", "开单"), "开了检验")
    price = desk.card("医院").get_by_label(re.compile("改为多少元"))
    price.fill("99999999")
    price.press("Enter")
    said(desk.card("医院").locator(".said.bad"), re.compile("^没有成功：.*[一-鿿]"))
    assert desk.problems() == []


def test_on_a_narrow_screen_the_world_is_below_the_phone_which_can_be_thrown_away(
        new_hand: Callable[..., Hand]) -> None:
    desk = Desk(new_hand())
    whose = desk.page.locator("#whose")
    number = whose.inner_text()
    assert desk.page.evaluate("document.documentElement.scrollWidth") <= SIZE["width"]
    desk.shot("desk-narrow", full_page=True)
    assert desk.problems() == []
    desk.page.evaluate("localStorage.setItem('browser:phone', JSON.stringify({data: {openid: 'gone', phone: '1'}}))")
    expect(desk.page.locator("#trouble")).to_contain_text("请点「换一部新手机」", timeout=WAITS)
    desk.page.get_by_role("button", name="换一部新手机").click()
    expect(whose).not_to_have_text(number, timeout=WAITS)
    expect(whose).to_contain_text("手机号", timeout=WAITS)
    desk.sees("还没有预约")
