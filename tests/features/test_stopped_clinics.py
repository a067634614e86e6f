"""A stopped clinic: every patient is told at once and chooses; the money is right whatever they choose, or don't."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.phone import Control, Phone
from tests.features.conftest import finish, refused
from tests.features.test_schedules_move import sync, tasks

Open = Callable[..., dict[str, Any]]
Ask = Callable[..., list[tuple[Any, ...]]]
TITLE = "停诊通知"


@pytest.fixture
def new_session(new_session: Open, control: Control) -> Open:
    """In a department that other tests leave alone: what is offered there is what this test has made."""
    code = control("GET", "/his/departments")["departments"][-1]["code"]
    return lambda **how: new_session(**{"department_code": code, **how})


def stop(control: Control, session: dict[str, Any], *, tell: bool = True, cancel: bool = False) -> None:
    """The hospital stops a session, and pushes that or not; with ``cancel`` it also cancels what is firm in it."""
    control("POST", f"/his/schedules/{session['his']['code']}/stop", tell=tell, cancel=cancel)
    if tell:
        control.settle()
    else:
        sync(control)


def offers(phone: Phone, booking: str) -> list[dict[str, Any]]:
    """Where else there is a place."""
    found: list[dict[str, Any]] = phone.call("GET", f"booking/bookings/{booking}/alternatives")["offers"]
    return found


def move(phone: Phone, booking: str, offer: dict[str, Any], **how: Any) -> dict[str, Any]:
    """Choose one of them: ``booking``, and ``payment`` when the difference is to be paid first."""
    answer: dict[str, Any] = phone.call("POST", f"booking/bookings/{booking}/move", {
        "schedule_id": offer["id"], "fee_fen": offer["fee_fen"], **how})
    return answer


def with_fee(phone: Phone, booking: str, session: dict[str, Any]) -> dict[str, Any]:
    """The offer of a session."""
    return next(one for one in offers(phone, booking) if one["id"] == session["id"])


def refunds_of(sql: Ask, booking: str) -> list[tuple[Any, ...]]:
    """Every refund of a registration: purpose (without the id it names), fen, state."""
    return [(purpose.split("-")[0], fen, state) for purpose, fen, state in sql(
        "SELECT r.purpose, r.amount_fen, r.state FROM refunds r JOIN payments p ON p.id = r.payment_id "
        "WHERE p.subject_id = %s OR p.subject_id IN (SELECT id FROM booking_moves WHERE booking_id = %s) "
        "ORDER BY r.id", (booking, booking))]


@pytest.mark.feature("remind.clinic-stopped")
@pytest.mark.parametrize("tell", [True, False], ids=["pushed", "found by comparing"])
def test_each_patient_of_a_stopped_clinic_is_told_at_once_and_moves_without_paying_again(
        control: Control, phone: Phone, patient: dict[str, Any], new_session: Open, visit: Any, sql: Ask, trade: Any,
        policy: Callable[..., None], books_agree: Callable[..., None], tell: bool) -> None:
    policy(cancel_days_before=2, cancel_until="07:00")  # the cut-off is over
    session, other = new_session(), new_session(doctor_name="赵替诊", date="2026-11-26")
    booking = visit(phone, patient, session)
    stop(control, session, tell=tell)
    shown = phone.booking(booking)
    assert (shown["state"], shown["can_move"], shown["can_cancel"]) == ("CONFIRMED", True, True)
    assert shown["stopped"] == {"choose_until": "2026-11-23T13:00:00Z"} or tell is False
    [message] = phone.inbox(TITLE)
    assert message["lines"][-1] == "温馨提示: 请11月23日21:00前改约或退号"
    old = sql("SELECT slot_id, trade_no FROM bookings WHERE id = %s", (booking,))[0]
    offer = with_fee(phone, booking, other)
    assert (offer["difference_fen"], offer["fee_fen"], offer["free"]) == (0, 2500, 6)
    time = phone.call("GET", f"booking/sessions/{offer['id']}/slots")["slots"][2]
    answer = move(phone, booking, offer, slot_id=time["id"])
    assert answer["payment"] is None
    control.settle()
    shown = phone.booking(booking)
    assert (shown["state"], shown["doctor_name"], shown["visit_date"], shown["starts_at"]) == (
        "CONFIRMED", "赵替诊", "2026-11-26", time["starts_at"])
    assert (shown["stopped"], shown["moving"], shown["can_move"], shown["refunds"]) == (None, None, False, [])
    assert (trade(booking)["state"], trade(booking)["paid_fen"]) == ("CONFIRMED", 2500)
    [before] = [one for one in control("GET", "/his/books") if one["trade_no"] == old[1]]
    assert (before["state"], before["refund_fen"]) == ("CANCELLED", 2500)
    assert before["moved_to"] == trade(booking)["trade_no"]
    assert "温馨提示: 已改约，请按新时间就诊" in phone.inbox("挂号成功通知")[-1]["lines"]
    assert refunds_of(sql, booking) == []
    assert sql("SELECT booking_id, state FROM slots WHERE id = %s", (old[0],)) == [(None, "CLOSED")]
    control.advance(20)
    control.work()
    books_agree(booking)
    assert tasks(control, booking, session["id"]) == []


@pytest.mark.feature("remind.clinic-stopped")
def test_who_chooses_nothing_in_time_is_paid_back_and_told(
        control: Control, phone: Phone, patient: dict[str, Any], new_session: Open, visit: Any, order: Any,
        books_agree: Callable[..., None]) -> None:
    session = new_session()
    booking = visit(phone, patient, session)
    stop(control, session)
    control("PUT", "/clock", now="2026-11-23T20:59:00+08:00")
    control.work()
    phone.sign_in()
    assert phone.booking(booking)["state"] == "CONFIRMED"
    control("PUT", "/clock", now="2026-11-23T21:00:30+08:00")
    control.work()
    finish(control)
    shown = phone.booking(booking)
    assert (shown["state"], shown["reason"], shown["stopped"]) == ("CANCELLED", "NOT_CHOSEN", None)
    assert "未在规定时间内选择" in shown["reason_text"]
    assert order(booking)["refunded_fen"] == 2500
    assert phone.inbox("取消预约通知")[-1]["lines"][-1] == "备注: 未在时限内选择，费用已原路退回"
    books_agree(booking)


@pytest.mark.feature("remind.clinic-stopped")
def test_a_dearer_place_costs_the_difference_and_a_cheaper_one_gives_it_back(
        control: Control, phone: Phone, patient: dict[str, Any], new_session: Open, visit: Any, sql: Ask, trade: Any,
        books_agree: Callable[..., None]) -> None:
    session = new_session()
    dearer, cheaper = new_session(fee_fen=4000, date="2026-11-26"), new_session(fee_fen=1000, date="2026-11-27")
    booking, second = visit(phone, patient, session), None
    stop(control, session)
    fees = [one["difference_fen"] for one in offers(phone, booking) if one["id"] in (dearer["id"], cheaper["id"])]
    assert sorted(fees) == [-1500, 1500]
    answer = move(phone, booking, with_fee(phone, booking, dearer))
    assert answer["booking"]["moving"]["difference_fen"] == 1500
    assert (answer["booking"]["state"], answer["booking"]["moving"]["state"]) == ("CONFIRMED", "AWAITING_PAYMENT")
    phone.thumb(answer["payment"])
    control.settle()
    shown = phone.booking(booking)
    assert (shown["fee_fen"], shown["visit_date"], shown["moving"]) == (4000, "2026-11-26", None)
    assert trade(booking)["paid_fen"] == 2500
    control.advance(20)
    control.work()
    books_agree(booking)
    assert [(one["kind"], one["amount_fen"]) for one in phone.payments()[:2]] == [
        ("move", 1500), ("registration", 2500)]
    # stopped once more: what was paid in parts goes along whole, or comes back whole
    stop(control, dearer)
    assert cheaper["id"] not in [one["id"] for one in offers(phone, booking)]
    phone.call("POST", f"booking/bookings/{booking}/cancellation")
    finish(control)
    control.work()
    finish(control)
    assert phone.booking(booking)["reason"] == "SESSION_STOPPED"
    assert sorted(refunds_of(sql, booking)) == [("cancelled", 1500, "SUCCEEDED"), ("cancelled", 2500, "SUCCEEDED")]
    books_agree(booking)
    third = new_session()
    second = visit(phone, patient, third)
    stop(control, third)
    assert move(phone, second, with_fee(phone, second, cheaper))["payment"] is None
    finish(control)
    shown = phone.booking(second)
    assert (shown["fee_fen"], shown["visit_date"]) == (1000, "2026-11-27")
    assert refunds_of(sql, second) == [("m", 1500, "SUCCEEDED")]
    assert phone.inbox("退费通知")[-1]["lines"][-1] == "备注: 改约退差价，已原路退回"
    books_agree(second)
    phone.call("POST", f"booking/bookings/{second}/cancellation")
    finish(control)
    assert phone.booking(second)["state"] == "CANCELLED"
    control.advance(70)  # WeChat takes the parts of a payment a minute apart
    finish(control)
    finish(control)
    assert sorted(refunds_of(sql, second)) == [("cancelled", 1000, "SUCCEEDED"), ("m", 1500, "SUCCEEDED")]
    books_agree(second)


@pytest.mark.feature("remind.clinic-stopped")
@pytest.mark.parametrize("ends", ["moved", "cancelled", "lapsed"])
def test_what_the_hospital_has_cancelled_along_with_its_session_is_still_the_patients_to_choose(
        control: Control, phone: Phone, patient: dict[str, Any], new_session: Open, visit: Any, sql: Ask, order: Any,
        books_agree: Callable[..., None], ends: str) -> None:
    session, other = new_session(), new_session(date="2026-11-26")
    booking = visit(phone, patient, session)
    stop(control, session, cancel=True)
    control("POST", "/scf/timers/reconcile/every-ten-minutes/fire")  # its list says what was cancelled, too
    control.settle()
    shown = phone.booking(booking)
    assert (shown["state"], shown["can_move"], refunds_of(sql, booking)) == ("CONFIRMED", True, [])
    assert len(phone.inbox(TITLE)) == 1
    if ends == "moved":
        move(phone, booking, with_fee(phone, booking, other))
        control.settle()
        assert phone.booking(booking)["visit_date"] == "2026-11-26"
    elif ends == "cancelled":
        phone.call("POST", f"booking/bookings/{booking}/cancellation")
    else:
        control("PUT", "/clock", now="2026-11-23T21:00:30+08:00")
        control.work()
        phone.sign_in()
    finish(control)
    if ends != "moved":
        assert (phone.booking(booking)["state"], order(booking)["refunded_fen"]) == ("CANCELLED", 2500)
    assert tasks(control, booking, session["id"]) == []
    books_agree(booking)


@pytest.mark.feature("remind.clinic-stopped")
def test_what_is_not_paid_yet_is_let_go_and_who_has_checked_in_is_for_the_window(
        control: Control, phone: Phone, patient: dict[str, Any], new_session: Open, visit: Any,
        books_agree: Callable[..., None]) -> None:
    later, today = new_session(), new_session(date="2026-11-23")
    held = phone.book(patient["id"], later)
    payment = phone.open_payment(held["id"])
    arrived = visit(phone, patient, today)
    phone.check_in(arrived)
    control.settle()
    for session in (later, today):
        stop(control, session)
    shown = phone.booking(held["id"])
    assert (shown["state"], shown["stopped"]) == ("RELEASED", None)
    assert sorted(one["lines"][-1] for one in phone.inbox(TITLE)) == [
        "温馨提示: 已停诊，未支付的挂号自动取消", "温馨提示: 已取号，请到人工窗口改号或退号"]
    assert [kind for kind, _ in tasks(control, today["id"])] == ["schedule.stopped"]
    assert phone.booking(arrived)["can_move"] is False
    assert refused(lambda: offers(phone, arrived)) == (409, "not_movable")
    assert payment
    books_agree(held["id"], arrived)


@pytest.mark.feature("remind.clinic-stopped")
def test_more_stopped_clinics_than_are_believed_are_a_task_and_nobody_is_told_before_staff_say_so(
        control: Control, phone: Phone, patient: dict[str, Any], new_session: Open, visit: Any,
        policy: Callable[..., None], sql: Ask) -> None:
    policy(believed_stopped_sessions=1, believed_stopped_percent=1, live_bookings_per_patient_and_day=6)
    sessions = [new_session(slots=2) for _ in range(2)]
    bookings = [visit(phone, patient, one) for one in sessions]
    for session in sessions:
        control("POST", f"/his/schedules/{session['his']['code']}/stop")
    sync(control)
    assert phone.inbox(TITLE) == []
    assert [phone.booking(one)["stopped"] for one in bookings] == [None, None]
    [task] = control.tasks(kind="clinic.many-stopped")
    assert task["ends_with"] == ["task.retry", "task.close"]
    control.operate("task.retry", task_id=task["id"], note="停电，全部停诊")
    control.settle()
    assert len(phone.inbox(TITLE)) == 2
    assert all(phone.booking(one)["can_move"] for one in bookings)


@pytest.mark.feature("remind.clinic-stopped")
def test_a_wave_of_stopped_clinics_that_was_a_wrong_list_is_over_by_itself(
        control: Control, phone: Phone, patient: dict[str, Any], new_session: Open, visit: Any,
        policy: Callable[..., None]) -> None:
    policy(believed_stopped_sessions=1, believed_stopped_percent=1, live_bookings_per_patient_and_day=6)
    sessions = [new_session(slots=2) for _ in range(2)]
    bookings = [visit(phone, patient, one) for one in sessions]
    for way in ("stop", "reopen"):
        for session in sessions:
            control("POST", f"/his/schedules/{session['his']['code']}/{way}")
        sync(control)
        assert len(control.tasks(kind="clinic.many-stopped")) == 1
    control.advance(601)
    control.work()
    assert control.tasks(kind="clinic.many-stopped") == []
    assert phone.inbox(TITLE) == []
    assert [phone.booking(one)["stopped"] for one in bookings] == [None, None]


@pytest.mark.feature("remind.clinic-stopped")
def test_a_session_that_takes_place_after_all_is_kept_and_who_was_moved_by_the_hospital_may_move_too(
        control: Control, phone: Phone, patient: dict[str, Any], new_session: Open, visit: Any,
        books_agree: Callable[..., None]) -> None:
    session, other = new_session(slots=1), new_session(date="2026-11-27")
    booking = visit(phone, patient, session)
    stop(control, session)
    control("POST", f"/his/schedules/{session['his']['code']}/reopen")
    sync(control)
    shown = phone.booking(booking)
    assert (shown["stopped"], shown["can_move"]) == (None, False)
    assert phone.inbox(TITLE)[-1]["lines"][-1] == "温馨提示: 恢复出诊，原预约继续有效"
    control("POST", f"/his/schedules/{session['his']['code']}/change", starts_at="10:00", tell=True)
    control.settle()
    shown = phone.booking(booking)
    assert (shown["starts_at"][11:13], shown["stopped"], shown["can_move"]) == ("02", None, True)
    move(phone, booking, with_fee(phone, booking, other))
    control.settle()
    assert phone.booking(booking)["visit_date"] == "2026-11-27"
    control.advance(20)
    control.work()
    books_agree(booking)


@pytest.mark.feature("remind.clinic-stopped")
def test_a_difference_that_is_not_paid_in_time_changes_nothing_and_late_money_goes_back(
        control: Control, phone: Phone, patient: dict[str, Any], new_session: Open, visit: Any, sql: Ask,
        books_agree: Callable[..., None]) -> None:
    session, dearer = new_session(), new_session(fee_fen=4000, date="2026-11-26", slots=1)
    booking = visit(phone, patient, session)
    stop(control, session)
    move(phone, booking, with_fee(phone, booking, dearer))
    assert dearer["id"] not in [one["id"] for one in offers(phone, booking)]  # the only place is held
    control.advance(16 * 60)
    control.work()
    shown = phone.booking(booking)
    assert (shown["state"], shown["moving"], shown["can_move"], shown["fee_fen"]) == ("CONFIRMED", None, True, 2500)
    assert sql("SELECT state, reason FROM booking_moves WHERE booking_id = %s", (booking,)) == [("RELEASED", "EXPIRED")]
    again = with_fee(phone, booking, dearer)
    answer = move(phone, booking, again)
    phone.thumb(answer["payment"])
    control.settle()
    assert phone.booking(booking)["fee_fen"] == 4000
    control.advance(20)
    control.work()
    books_agree(booking)
