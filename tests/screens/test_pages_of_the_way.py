"""The way through a visit in the patient's own pages: where to go, the queue, the order, what happened."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from sandbox.people import person
from sandbox.phone import Control, Phone
from tests.screens.hand import Hand
from tests.screens.test_for_everyone import LARGE, NORMAL, problems

New = Callable[..., Hand]
TODAY = "2026-11-23"
ORDERS = {"LABORATORY": ["H0005", "H0001"], "EXAMINATION": ["B0002", "C0001"], "PRESCRIPTION": ["Y0001"]}


class Visit:
    """Somebody's visit of this morning, up to where a test wants it."""

    def __init__(self, control: Control, session: dict[str, Any]) -> None:
        self.control, self.session = control, session
        self.phone = Phone(control).sign_in()
        self.phone.allow_every_message()
        self.patient = self.phone.add_patient(person(), relation="SELF")
        self.booking = self.phone.book(self.patient["id"], session)["id"]
        self.phone.thumb(self.phone.open_payment(self.booking))
        control.settle()

    def arrive(self, ahead: int = 0) -> None:
        """Checked in, behind so many walk-ins."""
        self.phone.check_in(self.booking)
        self.arrange(waiting=ahead)

    def arrange(self, **how: Any) -> None:
        self.control("PUT", f"/his/queues/{self.session['his']['code']}", **how)
        self.control.advance(4)

    def call(self, times: int, minutes: float = 5) -> None:
        """The next ones are called in."""
        for _ in range(times):
            self.control("POST", f"/his/queues/{self.session['his']['code']}/next")
            self.control.advance(minutes * 60)

    def order(self, trade_no: str) -> list[dict[str, Any]]:
        """What the doctor orders in it."""
        self.control("POST", "/his/visits", trade_no=trade_no)
        made = [self.control("POST", "/his/bills", trade_no=trade_no, kind=kind,
                             items=[{"code": code} for code in codes]) for kind, codes in ORDERS.items()]
        for code, waiting in (("8201", 3), ("8302", 5), ("8303", 1), ("8101", 2)):
            self.control("PUT", f"/his/queues/{code}", waiting=waiting, seconds_each=240)
        self.control.settle()
        self.control.advance(4)
        return made


@pytest.fixture
def visit(control: Control, new_session: Callable[..., dict[str, Any]]) -> Visit:
    """A registration of this morning, paid and firm."""
    control("PUT", "/clock", now=f"{TODAY}T07:45:00+08:00")
    return Visit(control, new_session(date=TODAY))


@pytest.fixture
def number(sql: Callable[..., list[tuple[Any, ...]]]) -> Callable[[Visit], str]:
    """The HIS's number of a visit."""
    return lambda one: str(sql("SELECT trade_no FROM bookings WHERE id = %s", (one.booking,))[0][0])


@pytest.mark.feature("guide.booked", screen=True)
def test_who_has_booked_is_told_when_where_and_with_what_and_goes_there_from_the_home_page(
        new_hand: New, visit: Visit) -> None:
    hand = new_hand(visit.phone).open("/").sees("到院后取号").shot("way-home").tap("去取号")
    hand.sees("先取号").sees("请带上：身份证或医保卡").tap("怎么走").sees("门诊楼3层A区")
    hand.sees("从大门走过去约 3 分钟").sees("别迟到").shot("way-booked-normal").tap("就诊进度")
    hand.sees("已支付挂号费").sees("预约成功").shot("way-timeline-booked")


@pytest.mark.feature("guide.checked-in", screen=True)
@pytest.mark.feature("queue.outpatient", screen=True)
def test_who_has_checked_in_sees_the_called_number_those_ahead_a_range_and_when_that_was_so(
        new_hand: New, control: Control, visit: Visit) -> None:
    visit.arrive(ahead=6)
    hand = new_hand(visit.phone).open("/").sees("候诊中").tap("看叫号").sees("前面还有 6 人").sees("还没有开始叫号")
    visit.call(4)
    hand.tap("刷新").sees("前面还有 2 人").sees("W004").sees(re.compile("预计还要 .+ 分钟|预计 .+ 分钟以内"))
    hand.sees("每隔几秒自动刷新").shot("way-queue-waiting")
    visit.call(2)
    hand.sees("下一个就是您")  # by itself
    visit.call(1, minutes=0.1)
    hand.tap("刷新").sees("正在叫您的号").shot("way-queue-called")
    control("POST", f"/his/queues/{visit.session['his']['code']}/skip")
    control.advance(4)
    hand.tap("刷新").sees("过号了").sees("请到分诊台说明").shot("way-queue-passed")
    control.fault("his", "show_queue", "error", times=-1)
    control.advance(60)
    hand.tap("刷新").sees("之后还没有新的消息").shot("way-queue-stale")
    control("DELETE", "/faults")
    hand.tap("怎么走").sees("去候诊").sees("听叫号")
    hand.open("/way/queue").sees("过号了")  # the only one of today needs no choosing


@pytest.mark.feature("guide.pharmacy", screen=True)
@pytest.mark.feature("guide.execution", screen=True)
@pytest.mark.feature("journey.assistant", screen=True)
def test_what_was_paid_is_shown_in_order_with_why_and_the_visit_ends_as_it_went(
        new_hand: New, control: Control, visit: Visit, number: Callable[[Visit], str]) -> None:
    visit.arrive()
    made = visit.order(number(visit))
    hand = new_hand(visit.phone).open("/").sees("有3笔费用待缴").tap("去缴费").sees("已选 3 笔")
    order = visit.phone.pay_bills(visit.patient["id"], visit.phone.bills(visit.patient["id"]))
    control.settle()
    hand.open(f"/bills/order?id={order}").sees("先去 门诊楼2层采血处").sees(re.compile("取药：门诊楼1层西药房 .+窗口"))
    hand.shot("way-order").tap("看顺序和路线").sees("共 3 处，按这个顺序去最合适。")
    text = hand.text()
    assert text.index("肝功能十一项") < text.index("常规十二导联心电图") < text.index("泌尿系彩色多普勒超声")
    hand.sees("要空腹，所以先做；做完就可以吃东西了。").sees(re.compile("要憋尿：现在开始喝水"))
    hand.sees("现在 3 人在等，约 12 分钟")
    hand.sees("喝500～800毫升水").shot("way-stops-whole")
    for bill in made:
        control("POST", f"/his/bills/{bill['bill_no']}/execute")
    control.settle()
    control.work()
    hand.open(f"/way/timeline?id={visit.booking}").sees("这次就诊没有要做的了").sees("已取药").sees("检查已做")
    hand.sees("已支付门诊费用").shot("way-timeline-whole")
    hand.open("/way/stops").sees("没有要去的地方了").sees("已做完")


def test_which_steps_one_is_told_of_is_ones_own_choice(new_hand: New, visit: Visit) -> None:
    hand = new_hand(visit.phone).open("/messages/settings")
    hand.tap("快叫到我了，会告诉我，关掉").sees("不告诉我")
    wanted = {one["kind"]: one["wanted"] for one in visit.phone.call("GET", "guide/steps")["steps"]}
    assert wanted["queue_near"] is False
    hand.shot("way-wishes").tap("快叫到我了，不告诉我，打开").sees_no("不告诉我")


@pytest.mark.parametrize("size", ["normal", "large"])
def test_the_pages_of_the_way_keep_nobody_out(
        new_hand: New, control: Control, visit: Visit, number: Callable[[Visit], str], size: str) -> None:
    visit.arrive(ahead=6)
    visit.call(4)
    visit.order(number(visit))
    visit.phone.pay_bills(visit.patient["id"], visit.phone.bills(visit.patient["id"]))
    control.settle()
    hand = new_hand(visit.phone).open("/").sees("还有4项要做")
    if size == "large":
        hand.tap("长辈版，大字号").sees("标准版")
    found = []
    for name, page, text in (
            ("home", "/", "看顺序和路线"), ("visit", f"/way/visit?id={visit.booking}", "听叫号"),
            ("queue", f"/way/queue?id={visit.booking}", "我的号"), ("stops", "/way/stops", "要空腹"),
            ("timeline", f"/way/timeline?id={visit.booking}", "已取号"),
            ("registration", f"/visit/registration?id={visit.booking}", "去候诊")):
        hand.open(page).sees(text).shot(f"way-{name}-{size}")
        found += [f"{name}: {one}" for one in problems(hand, LARGE if size == "large" else NORMAL)]
    assert found == []
