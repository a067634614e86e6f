"""Registering in the patient's own pages: from the home page to a confirmed place, and the ways it may go wrong."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from sandbox.phone import Control, Phone
from tests.screens.hand import Hand

Open = Callable[..., dict[str, Any]]
TODAY, LATER = "2026-11-23", "2026-11-25"


def to_confirm(hand: Hand, session: dict[str, Any]) -> Hand:
    """The page where a session of a fresh doctor is confirmed, as the home page's button for it leads there."""
    hand.open(f"/booking/confirm?doctor={session['doctor_id']}&session={session['id']}")
    return hand.sees(session["doctor_name"])


def with_patient(hand: Hand, session: dict[str, Any]) -> Hand:
    """As ``to_confirm``, by somebody who has added a patient."""
    hand.open("/family/add").sees("与我的关系").add_patient()
    hand.sees("还需核验")
    return to_confirm(hand, session).sees("就诊人　")


def pay(hand: Hand, button: str = "确认支付") -> Hand:
    hand.tap("确认挂号 ¥25.00")
    return hand.tap(button)


@pytest.mark.feature("departments.two-level", screen=True)
@pytest.mark.feature("advance.by-department", screen=True)
@pytest.mark.feature("advance.pay", screen=True)
def test_from_the_home_page_a_place_is_booked_and_paid_in_five_taps(hand: Hand, new_session: Open) -> None:
    session = new_session(date=LATER)
    hand.open("/family/add").sees("与我的关系").add_patient()
    hand.sees("还需核验").open("/").sees("还没有预约")
    hand.taps = 0
    hand.tap("预约挂号").sees("外科").tap(session["department_name"])
    hand.tap(re.compile(f"^{session['doctor_name']} .*挂号$"))
    pay(hand).sees("预约成功")
    assert hand.taps <= 5
    hand.sees(session["doctor_name"]).sees("取消挂号").shot("registration-confirmed")


@pytest.mark.feature("same-day.by-department", screen=True)
@pytest.mark.feature("same-day.pay", screen=True)
def test_a_place_of_today_is_taken_and_paid(hand: Hand, new_session: Open) -> None:
    session = new_session(date=TODAY, period="AFTERNOON")
    pay(with_patient(hand, session)).sees("预约成功").sees("今天 下午").sees("就诊当天请先取号")


@pytest.mark.feature("advance.quick", screen=True)
@pytest.mark.feature("same-day.quick", screen=True)
def test_a_doctor_seen_before_is_booked_again_from_the_home_page_in_three_taps(hand: Hand, new_session: Open) -> None:
    first = new_session(date=TODAY, period="AFTERNOON")
    new_session(date=LATER, doctor_code=first["his"]["doctor_code"], department_code=first["his"]["department_code"])
    pay(with_patient(hand, first)).sees("预约成功")
    hand.open("/").sees("再约").shot("home-again")
    hand.taps = 0
    hand.tap(re.compile(f"^{first['doctor_name']} .*挂号$"))
    hand.sees("就诊人")
    pay(hand).sees("预约成功")
    assert hand.taps <= 3


@pytest.mark.feature("advance.by-date", screen=True)
def test_the_day_is_chosen_first(hand: Hand, new_session: Open) -> None:
    session = new_session(date=LATER)
    hand.tap("按日期挂号").sees("今天").shot("by-date")
    hand.tap(re.compile("^后天 周三"), role="tab").tap(re.compile(f"^{session['department_name']} 有号"))
    hand.sees(session["doctor_name"])
    assert "今天 上午" not in hand.text()


@pytest.mark.feature("advance.doctor-search", screen=True)
@pytest.mark.feature("same-day.doctor-search", screen=True)
def test_a_doctor_is_found_by_name_and_for_today_alone(hand: Hand, new_session: Open) -> None:
    session = new_session(date=LATER)
    hand.tap("找医生").fill("医生姓名或拼音", session["doctor_name"]).tap("搜索")
    hand.sees(session["doctor_name"]).sees("后天 上午").shot("search")
    hand.tap("全部日期").sees("只看今天").sees_no("后天 上午")


@pytest.mark.feature("booking.multi-department-doctor", screen=True)
def test_a_doctor_of_two_departments_is_shown_in_both(hand: Hand, control: Control, new_session: Open) -> None:
    departments = control("GET", "/his/departments")["departments"]
    first = new_session(date=LATER)
    other = next(one for one in departments if one["code"] != first["his"]["department_code"])
    second = new_session(date=LATER, period="AFTERNOON", doctor_code=first["his"]["doctor_code"],
                         department_code=other["code"])
    hand.open(f"/booking/doctor?id={first['doctor_id']}").sees(first["department_name"]).sees(second["department_name"])
    pay(with_patient(hand, second)).sees("预约成功").sees(second["department_name"])


def test_a_closed_sheet_leaves_the_place_held_to_be_paid_later(hand: Hand, session: dict[str, Any]) -> None:
    pay(with_patient(hand, session), "取消").sees("待支付").sees("为你保留还剩").shot("registration-unpaid")
    hand.open("/").sees("待支付").tap("去支付").tap("支付 ¥25.00").tap("确认支付").sees("预约成功")


def test_money_that_the_hospital_has_not_confirmed_yet_is_not_called_a_place(
        hand: Hand, control: Control, session: dict[str, Any]) -> None:
    with_patient(hand, session)
    control.fault("his", "confirm_registration", "error", times=-1)
    pay(hand).sees("已支付，医院确认中").sees_no("预约成功").shot("registration-confirming")


def test_a_place_that_goes_while_one_chooses_is_said_and_nothing_is_paid(
        hand: Hand, control: Control, new_session: Open) -> None:
    session = new_session(slots=1)
    with_patient(hand, session)
    control("POST", f"/his/slots/{session['his']['slots'][0]['code']}/take")
    control.operate("schedules.sync", schedule=session["his"]["code"])
    hand.tap("确认挂号 ¥25.00").sees("约满")
    assert control("GET", "/wechatpay/orders") == []


def test_a_fee_that_changed_is_shown_before_anything_is_paid(
        hand: Hand, control: Control, session: dict[str, Any]) -> None:
    with_patient(hand, session)
    control("POST", f"/his/schedules/{session['his']['code']}/fee", fee_fen=3000)
    control.operate("schedules.sync", schedule=session["his"]["code"])
    hand.tap("确认挂号 ¥25.00").sees("¥30.00")
    assert control("GET", "/wechatpay/orders") == []


def test_two_taps_at_once_take_one_place(hand: Hand, session: dict[str, Any]) -> None:
    with_patient(hand, session)
    hand.button("确认挂号 ¥25.00").dblclick()
    hand.tap("取消").sees("待支付")
    hand.open("/visit/registrations").sees(session["doctor_name"])
    expect(hand.page.get_by_role("button", name=re.compile(session["department_name"]))).to_have_count(1)


def test_off_line_is_said_with_a_way_on_that_works(hand: Hand, session: dict[str, Any]) -> None:
    hand.tap("按日期挂号").sees("余")
    hand.context.set_offline(True)
    hand.tap(re.compile("^后天 周三"), role="tab").sees("网络未连接").shot("offline")
    hand.context.set_offline(False)
    hand.tap("重试").sees(session["department_name"])


def test_a_session_that_ended_is_renewed_without_a_word(hand: Hand, session: dict[str, Any],
                                                        sql: Callable[..., Any]) -> None:
    with_patient(hand, session)
    sql("DELETE s FROM sessions s JOIN accounts a ON a.id = s.account_id WHERE a.openid_hash IS NOT NULL")
    pay(hand).sees("预约成功")


@pytest.mark.feature("advance.cancel", screen=True)
@pytest.mark.feature("me.bookings", screen=True)
def test_a_registration_is_cancelled_knowing_what_it_means_and_the_money_comes_back(
        hand: Hand, control: Control, session: dict[str, Any]) -> None:
    pay(with_patient(hand, session)).sees("预约成功")
    hand.open("/visit/registrations").sees(session["doctor_name"]).shot("registrations").tap(re.compile("预约成功"))
    hand.tap("取消挂号").sees("挂号费 ¥25.00 将原路退回").shot("registration-cancel").tap("不取消了").sees("取消挂号")
    hand.tap("取消挂号").tap("确定取消").sees(re.compile("取消中|已取消"))
    control.settle()
    control.advance(10)
    control.settle()
    hand.open("/visit/registrations").sees("已取消").tap(re.compile("已取消")).sees("退回")


def test_a_page_of_somebody_elses_registration_shows_nothing(
        new_hand: Callable[[], Hand], phone: Phone, patient: dict[str, Any], session: dict[str, Any]) -> None:
    held = phone.book(patient["id"], session)
    stranger = new_hand().open(f"/visit/registration?id={held['id']}")
    stranger.sees("没有成功").sees_no(session["doctor_name"])
