"""The minute at seven in the patient's own pages: waiting for the release and one's turn, and what there is instead."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from sandbox.phone import Control, Phone
from tests.screens.hand import Hand
from tests.screens.test_pages_of_registering import to_confirm

Open = Callable[..., dict[str, Any]]


def with_early_turn(phone: Phone, control: Control, new_session: Open) -> tuple[dict[str, Any], str]:
    """A session that goes on sale at seven, at five to, for which the lot gives a turn long before the rush is over."""
    while True:
        control("PUT", "/clock", now="2026-11-23T07:30:00+08:00")
        session = new_session(date="2026-11-30")
        control("PUT", "/clock", now="2026-11-23T06:55:00+08:00")
        turn = phone.call("POST", "booking/tickets", {"schedule_id": session["id"]})["admitted_at"]
        if datetime.fromisoformat(turn) < datetime.fromisoformat("2026-11-23T07:05:00+08:00"):
            return session, turn


def test_who_waits_sees_the_moment_and_how_many_are_ahead_and_in_the_rush_shows_a_ticket(
        payer: Hand, phone: Phone, control: Control, new_session: Open, policy: Callable[..., None]) -> None:
    policy(waiting_room_per_second=10, waiting_room_crowd=6000)
    session, turn = with_early_turn(phone, control, new_session)
    hand = payer.open(f"/booking/doctors?department={session['department_id']}").sees("待放号")
    hand.tap(re.compile("^11月30日 周一 待放号"), role="tab").sees("的号还没放，今天 07:00 开始")
    hand.shot("release-doctors")
    hand.tap(re.compile(f"^{session['doctor_name']} .*07:00 放号$")).sees("还没放号，今天 07:00 开始")
    hand.tap("放号后自动挂号 ¥25.00").sees("不用反复点击").sees("距放号").sees("前面约").shot("release-waiting")
    hand.tap("不等了").sees_no("不用反复点击")
    control("PUT", "/clock", now=turn)
    to_confirm(hand, session)
    with hand.page.expect_request(lambda one: one.method == "POST" and bool(one.headers.get("x-ticket"))):
        hand.tap("确认挂号 ¥25.00")  # refused without a ticket, which is drawn then
    hand.tap("确认支付").sees("预约成功")


def test_who_looks_at_a_release_sees_the_places_when_they_are_there(
        payer: Hand, control: Control, new_session: Open) -> None:
    session = new_session(date="2026-11-30")
    control("PUT", "/clock", now="2026-11-23T06:59:57+08:00")
    payer.open(f"/booking/confirm?doctor={session['doctor_id']}&session={session['id']}&early=yes").sees("距放号")
    payer.sees("时间　最早").tap("确认挂号 ¥25.00").tap("取消").sees("待支付")


def test_when_the_place_is_gone_the_same_doctors_next_one_is_offered(
        payer: Hand, control: Control, new_session: Open) -> None:
    session = new_session(slots=1)
    new_session(date="2026-11-27", doctor_code=session["his"]["doctor_code"],
                department_code=session["his"]["department_code"])
    hand = to_confirm(payer, session).sees("时间　最早")
    control("POST", f"/his/slots/{session['his']['slots'][0]['code']}/take")
    control.operate("schedules.sync", schedule=session["his"]["code"])
    hand.tap("确认挂号 ¥25.00").sees("还有这些时间可以挂").shot("release-instead")
    hand.tap(re.compile(f"^{session['doctor_name']} 11月27日")).sees("时间　最早").sees("11月27日 周五 上午")
    hand.tap("确认挂号 ¥25.00").tap("确认支付").sees("预约成功")
