"""Waiting for a place of a full session, and how somebody stands who has missed visits, in the patient's own pages."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from sandbox.people import person
from sandbox.phone import Control, Phone
from tests.opened import account_of, code_of
from tests.screens.hand import Hand
from tests.screens.test_for_everyone import LARGE, NORMAL, problems

Open = Callable[..., dict[str, Any]]
Ask = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def waiter(new_hand: Callable[..., Hand], phone: Phone, patient: dict[str, Any]) -> Hand:
    """The phone of somebody who has a proven patient."""
    return new_hand(phone)


class Full:
    """A session whose only place somebody else has."""

    def __init__(self, control: Control, session: dict[str, Any]) -> None:
        self.control, self.session = control, session
        self.holder = Phone(control).sign_in()
        self.booking = self.holder.book(self.holder.add_patient(person())["id"], session)["id"]

    def comes_back(self) -> None:
        """The place is given up."""
        self.holder.call("POST", f"booking/bookings/{self.booking}/cancellation")
        self.control.settle()


@pytest.fixture
def full(control: Control, new_session: Open) -> Full:
    """A full session on Wednesday morning."""
    return Full(control, new_session(slots=1))


def test_a_full_session_is_waited_for_from_the_doctors_card_and_the_offer_is_paid(waiter: Hand, full: Full) -> None:
    doctor = full.session["doctor_name"]
    waiter.open(f"/booking/doctor?id={full.session['doctor_id']}").sees("约满 候补").shot("doctor-full")
    waiter.tap(re.compile(f"^{doctor} .*候补$")).sees("还没有人").shot("wait").tap("登记候补")
    waiter.sees("你排在第一位").sees(doctor).shot("waitlist")
    full.comes_back()
    waiter.open("/").sees("你候补的号到了").shot("home-offer").tap("去支付").sees("为你保留还剩")
    waiter.tap("支付 ¥25.00").tap("确认支付").sees("预约成功")
    waiter.open("/visit/waitlist").sees("已为您留号").tap(f"查看 {doctor} 的留号").sees("预约成功")


def test_who_comes_next_is_told_how_many_are_before_and_leaves_knowing_what_it_means(
        control: Control, waiter: Hand, full: Full) -> None:
    other = Phone(control).sign_in()
    other.call("POST", "booking/waitlist", {"patient_id": other.add_patient(person())["id"],
                                            "schedule_id": full.session["id"]})
    waiter.open(f"/booking/wait?doctor={full.session['doctor_id']}&session={full.session['id']}").sees("1 人")
    waiter.tap("登记候补").sees("前面还有 1 人")
    waiter.tap(re.compile("^不等")).sees("要从最后排起").shot("waitlist-leave").tap("取消候补").sees("已取消候补")


def test_a_session_that_is_taken_while_one_confirms_leads_to_its_list(waiter: Hand, full: Full) -> None:
    waiter.open(f"/booking/confirm?doctor={full.session['doctor_id']}&session={full.session['id']}").sees("已约满")
    waiter.tap("登记候补").sees("等到号再付")


def test_any_session_of_the_day_may_be_waited_for(control: Control, waiter: Hand, full: Full, new_session: Open
                                                  ) -> None:
    Full(control, new_session(slots=1, doctor_code=full.session["his"]["doctor_code"], period="EVENING",
                              department_code=full.session["his"]["department_code"]))
    waiter.open(f"/booking/wait?doctor={full.session['doctor_id']}&session={full.session['id']}").sees("等哪个时段")
    waiter.tap("当天任一时段", role="radio").tap("登记候补").sees("任一时段")


@pytest.mark.feature("no-show.notice", screen=True)
@pytest.mark.feature("no-show.blacklist", screen=True)
def test_how_often_one_missed_is_said_before_booking_and_past_the_limit_why_and_until_when(
        control: Control, waiter: Hand, phone: Phone, patient: dict[str, Any], session: dict[str, Any], sql: Ask
        ) -> None:
    held = phone.book(patient["id"], session)["id"]
    phone.thumb(phone.open_payment(held))
    control.settle()
    sql("UPDATE bookings SET attendance = 'ABSENT' WHERE id = %s", (held,))
    sql("INSERT INTO no_shows (id, booking_id, account_id, patient_id, visit_date, is_proven, created_at) "
        "VALUES (%s, %s, %s, %s, '2026-11-20', 1, '2026-11-20 12:00:00')",
        (held, held, account_of(control, sql, phone.openid), patient["id"]))
    confirm = f"/booking/confirm?doctor={session['doctor_id']}&session={session['id']}"
    waiter.open(confirm).sees("1 次。一年内爽约满3次，暂停预约1个月").shot("confirm-missed")
    waiter.open(f"/visit/registration?id={held}").sees("未就诊").sees("没有来就诊").shot("registration-missed")
    control.operate("blacklist.add", patient_code=code_of(control, sql, patient["id"]), until="2026-12-24",
                    note="多次爽约")
    waiter.open(confirm).sees("暂停预约").sees("2026年12月24日前不能预约和候补").sees("服务台").shot("confirm-barred")
    waiter.sees_no(re.compile("^确认挂号 ¥"))


@pytest.mark.parametrize("size", ["normal", "large"])
def test_these_pages_keep_nobody_out(waiter: Hand, full: Full, control: Control, phone: Phone, sql: Ask,
                                     patient: dict[str, Any], size: str) -> None:
    if size == "large":
        waiter.open("/").sees("还没有预约").tap("长辈版，大字号").sees("标准版")
    join = f"/booking/wait?doctor={full.session['doctor_id']}&session={full.session['id']}"
    least, found = LARGE if size == "large" else NORMAL, list[str]()
    waiter.open(f"/booking/doctor?id={full.session['doctor_id']}").sees("候补").shot(f"doctor-full-{size}")
    found += problems(waiter, least)
    waiter.open(join).sees("登记候补").shot(f"wait-{size}")
    found += problems(waiter, least)
    waiter.tap("登记候补").sees("第一位").shot(f"waitlist-{size}")
    found += problems(waiter, least)
    control.operate("blacklist.add", patient_code=code_of(control, sql, patient["id"]), until="2026-12-24",
                    note="多次爽约")
    waiter.open(join).sees("登记候补").tap("登记候补").sees("前不能预约和候补").shot(f"wait-barred-{size}")
    found += problems(waiter, least)
    assert found == []
