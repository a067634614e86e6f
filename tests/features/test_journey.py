"""A visit as one timeline of what really happened, its next step first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.people import person
from sandbox.phone import Control, Phone
from tests.features.conftest import finish, refused
from tests.features.whose import Record, steal

TODAY = "2026-11-23"


def steps(phone: Phone) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = phone.call("GET", "guide/journey")["steps"]
    return shown


def timeline(phone: Phone, booking: str) -> dict[str, Any]:
    shown: dict[str, Any] = phone.call("GET", f"guide/journey/{booking}")
    return shown


def next_name(phone: Phone, booking: str) -> str | None:
    step = timeline(phone, booking)["next"]
    return step and str(step["name"])


@pytest.mark.feature("journey.assistant")
def test_a_visit_is_told_from_the_place_taken_to_the_drugs_handed_out_with_the_next_step_first(
        control: Control, phone: Phone, patient: dict[str, Any], new_session: Callable[..., dict[str, Any]],
        trade: Callable[[str], dict[str, Any]]) -> None:
    control("PUT", "/clock", now=f"{TODAY}T07:40:00+08:00")
    booking = phone.book(patient["id"], new_session(date=TODAY))["id"]
    [step] = steps(phone)
    assert (step["name"], step["action"], step["opens"]) == ("PAY_FEE", "去支付", f"/visit/registration?id={booking}")
    phone.thumb(phone.open_payment(booking))
    control.settle()
    assert next_name(phone, booking) == "CHECK_IN"
    phone.check_in(booking)
    assert steps(phone)[0]["opens"] == f"/way/queue?id={booking}"
    number = trade(booking)["trade_no"]
    control("POST", "/his/visits", trade_no=number)
    made = [control("POST", "/his/bills", trade_no=number, kind=kind, items=[{"code": code}])
            for kind, code in (("LABORATORY", "H0005"), ("PRESCRIPTION", "Y0001"))]
    control.settle()
    assert (steps(phone)[0]["name"], steps(phone)[0]["title"]) == ("PAY_BILLS", "有2笔费用待缴")
    control.advance(60)
    order = phone.pay_bills(patient["id"], phone.bills(patient["id"]))
    finish(control)
    assert (next_name(phone, booking), steps(phone)[0]["opens"]) == ("EXECUTE", f"/way/stops?patient={patient['id']}")
    control("POST", f"/his/bills/{made[0]['bill_no']}/execute")
    control.settle()
    assert next_name(phone, booking) == "PICK_UP"
    control.advance(60)
    control("POST", f"/his/bills/{made[1]['bill_no']}/execute")
    control.settle()
    control.work()
    shown = timeline(phone, booking)
    assert (shown["next"], steps(phone)) == (None, [])
    told = [one["title"] for one in reversed(shown["facts"])]
    assert told[:4] == ["已占号", "已支付挂号费", "预约成功", "已取号"]
    assert set(told[4:6]) == {"医生开了检验单", "医生开了处方"}
    assert [one for one in told[6:] if one != "电子票据已开具"] == ["已支付门诊费用", "检验已采样", "已取药"]
    assert told.count("电子票据已开具") == 2
    assert [one["at"] for one in shown["facts"]] == sorted((one["at"] for one in shown["facts"]), reverse=True)
    assert any(one["opens"] == f"/bills/order?id={order}" for one in shown["facts"])


def test_a_visit_that_was_cancelled_tells_what_became_of_the_money(
        control: Control, phone: Phone, patient: dict[str, Any], new_session: Any, visit: Any) -> None:
    booking = visit(phone, patient, new_session())
    assert next_name(phone, booking) == "COME"
    phone.call("POST", f"booking/bookings/{booking}/cancellation")
    finish(control)
    shown = timeline(phone, booking)
    assert shown["next"] is None
    assert {"申请取消", "挂号已取消", "开始退款", "退款已到账"} <= {one["title"] for one in shown["facts"]}


def test_of_several_visits_the_one_to_be_paid_comes_first(
        control: Control, guest: Phone, ill: dict[str, Any], new_session: Any, visit: Any) -> None:
    visit(guest, ill, new_session())
    held = guest.book(guest.add_patient(person())["id"], new_session())["id"]
    assert [(one["name"], one["booking_id"] == held) for one in steps(guest)] == [("PAY_FEE", True), ("COME", False)]


def test_bills_of_another_visit_do_not_hang_on_this_one(
        control: Control, guest: Phone, ill: dict[str, Any], seen: Any, ordered: Any,
        sql: Callable[..., list[tuple[Any, ...]]]) -> None:
    number = seen(guest, ill)
    booking = sql("SELECT id FROM bookings WHERE trade_no = %s", (number,))[0][0]
    [other] = ordered(ill, "LABORATORY", department_code="1301")
    assert other["department_name"] == "妇科"
    assert next_name(guest, booking) == "WAIT_TURN"
    assert all("开了" not in one["title"] for one in timeline(guest, booking)["facts"])


def test_who_may_not_read_the_record_sees_the_registration_and_no_bills(
        control: Control, thief: Phone, record: Record, new_session: Any, visit: Any, trade: Any) -> None:
    booking = visit(thief, steal(thief, record), new_session(date=TODAY))
    thief.check_in(booking)
    control("POST", "/his/bills", trade_no=trade(booking)["trade_no"], kind="LABORATORY")
    control.settle()
    shown = timeline(thief, booking)
    assert (shown["next"]["name"], shown["facts"][0]["title"]) == ("WAIT_TURN", "已取号")


def test_anothers_visit_is_not_found(control: Control, guest: Phone, ill: dict[str, Any], new_session: Any,
                                     visit: Any) -> None:
    booking = visit(guest, ill, new_session())
    stranger = Phone(control).sign_in()
    assert refused(lambda: timeline(stranger, booking)) == (404, "booking_not_found")
    assert steps(stranger) == []


def test_of_a_clinic_that_was_stopped_there_is_a_choice_and_no_way(
        control: Control, guest: Phone, ill: dict[str, Any], new_session: Any, visit: Any) -> None:
    session = new_session()
    booking = visit(guest, ill, session)
    control("POST", f"/his/schedules/{session['his']['code']}/stop")
    control.operate("schedules.sync", schedule=session["his"]["code"])
    assert [(one["name"], one["action"]) for one in steps(guest)] == [("CHOOSE", "去选择")]
    assert guest.call("GET", f"guide/bookings/{booking}")["steps"] == []
