"""Stopped clinics in the patient's own pages: told, moved with one choice, paid the difference, or given up."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from sandbox.phone import Control, Phone
from tests.screens.hand import Hand
from tests.screens.test_for_everyone import LARGE, NORMAL, problems

Open = Callable[..., dict[str, Any]]


@pytest.fixture
def new_session(new_session: Open, control: Control) -> Open:
    """In a department that other tests leave alone: what is offered there is what this test has made."""
    code = control("GET", "/his/departments")["departments"][-2]["code"]
    return lambda **how: new_session(**{"department_code": code, **how})


@pytest.fixture
def stopped(control: Control, phone: Phone, patient: dict[str, Any], new_session: Open, new_hand: Callable[..., Hand]
            ) -> tuple[Hand, dict[str, Any], dict[str, Any]]:
    """A phone on the page of a registration whose clinic is stopped; a place of the same fee, and a dearer one."""
    session = new_session(date="2026-11-25")
    same = new_session(date="2026-11-26", doctor_name="同价生", slots=2)
    dearer = new_session(date="2026-11-26", doctor_name="差价生", fee_fen=4000, slots=2)
    held = phone.book(patient["id"], session)
    phone.thumb(phone.open_payment(held["id"]))
    control.settle()
    control("POST", f"/his/schedules/{session['his']['code']}/stop", tell=True)
    control.settle()
    hand = new_hand(phone).open(f"/visit/registration?id={held['id']}").sees("已停诊")
    return hand, same, dearer


@pytest.mark.feature("remind.clinic-stopped", screen=True)
def test_a_stopped_clinic_says_so_and_another_doctor_is_three_taps_away_without_paying_again(
        stopped: tuple[Hand, dict[str, Any], dict[str, Any]]) -> None:
    hand, same, _ = stopped
    hand.sees("今天 21:00 前改约或退号").shot("stopped")
    hand.taps = 0
    hand.tap("换其他医生或时间").sees("原来的号").shot("alternatives")
    hand.tap(re.compile(f"{same['doctor_name']} ¥25.00 不用再付钱")).sees("直接用于新的号").shot("alternatives-chosen")
    assert problems(hand, NORMAL) == []
    hand.tap(re.compile("^确认改约到"))
    hand.sees("预约成功").sees(same["doctor_name"]).sees_no("已停诊").shot("moved")
    assert hand.taps == 3


@pytest.mark.feature("remind.clinic-stopped", screen=True)
def test_a_difference_is_said_before_it_is_paid_and_can_be_paid_later(
        stopped: tuple[Hand, dict[str, Any], dict[str, Any]]) -> None:
    hand, _, dearer = stopped
    hand.tap("换其他医生或时间").tap(re.compile(f"{dearer['doctor_name']} ¥40.00 补差价 ¥15.00"))
    hand.sees("新的号贵 ¥15.00，需先支付这部分").tap(re.compile("^确认改约到")).tap("取消")
    hand.sees("号源已为你保留").shot("moving-unpaid")
    hand.tap("支付差价 ¥15.00").tap("确认支付").sees("预约成功").sees("¥40.00")


def test_with_large_type_nobody_is_kept_out(stopped: tuple[Hand, dict[str, Any], dict[str, Any]]) -> None:
    hand, same, _ = stopped
    page = hand.page.url.partition("#")[2]
    hand.open("/").sees("去选择").tap("长辈版，大字号").sees("标准版").open(page).sees("换其他医生或时间")
    hand.shot("stopped-large")
    assert problems(hand, LARGE) == []
    hand.tap("换其他医生或时间").tap(re.compile(f"{same['doctor_name']} ¥25.00 不用再付钱")).sees("直接用于新的号")
    hand.shot("alternatives-large")
    assert problems(hand, LARGE) == []


@pytest.mark.feature("remind.clinic-stopped", screen=True)
def test_a_stopped_clinic_is_given_up_for_all_of_the_money(stopped: tuple[Hand, dict[str, Any], dict[str, Any]]
                                                           ) -> None:
    hand, _, _ = stopped
    hand.tap("退号退费").sees("将全额原路退回").shot("stopped-sure").tap("确定退号").sees(re.compile("正在取消|已取消"))
    hand.control.settle()
    hand.control.advance(20)
    hand.control.work()
    hand.page.reload()
    hand.sees("已取消").sees("医生停诊，您已退号").sees("退回")


@pytest.mark.feature("remind.visit", screen=True)
def test_leave_to_be_told_is_asked_for_where_it_is_worth_having(
        control: Control, phone: Phone, patient: dict[str, Any], session: dict[str, Any],
        new_hand: Callable[..., Hand]) -> None:
    held = phone.book(patient["id"], session)
    phone.thumb(phone.open_payment(held["id"]))
    control.settle()
    hand = new_hand(phone).open(f"/visit/registration?id={held['id']}")
    hand.tap("停诊和就诊前一天通知我").sees("会通知你")
