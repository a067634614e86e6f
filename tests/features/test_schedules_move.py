"""A session or a place that the HIS moves reaches the patients: told, shown, free to give it up, never held twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from sandbox.phone import Control, Phone
from tests.features.conftest import finish, refused

Open = Callable[..., dict[str, Any]]
Ask = Callable[..., list[tuple[Any, ...]]]
TITLE = "就诊变更通知"
FREE = "开诊前可免费取消"


def take_over(control: Control, *sessions: dict[str, Any]) -> None:
    """Take sessions over from the HIS, and what follows."""
    for session in sessions:
        control.operate("schedules.sync", schedule=session["his"]["code"])
    control.settle()


def sync(control: Control) -> None:
    """The timer takes everything over, and what follows."""
    answer = control("POST", "/scf/timers/schedule_sync/every-five-minutes/fire")
    assert "error" not in answer, answer
    control.settle()


def change(control: Control, session: dict[str, Any], **what: str) -> None:
    """The hospital's office changes a session."""
    control("POST", f"/his/schedules/{session['his']['code']}/change", **what)


def tasks(control: Control, *subjects: str) -> list[tuple[str, str]]:
    """Kind and detail of the open tasks about these."""
    return [(one["kind"], one["detail"]) for subject in subjects for one in control.tasks(subject_id=subject)]


def told(phone: Phone) -> list[list[str]]:
    """What its owner was told of changes: doctor, time and note of each."""
    return [[line.partition(": ")[2] for line in one["lines"] if line[:2] in ("医生", "就诊", "变更")][-3:]
            for one in phone.inbox(TITLE)]


def place(booking: dict[str, Any]) -> tuple[str, str, str, str]:
    """Doctor, day, time of day (UTC) and room."""
    return booking["doctor_name"], booking["visit_date"], booking["starts_at"][11:16], booking["clinic_room"]


def test_a_substitute_doctor_is_told_shown_and_may_be_given_up_past_the_cut_off(
        control: Control, phone: Phone, patient: dict[str, Any], new_session: Open, visit: Any, order: Any,
        policy: Callable[..., None], books_agree: Callable[..., None]) -> None:
    policy(cancel_days_before=2, cancel_until="07:00")  # the cut-off of Wednesday's session is over
    session = new_session()
    booking = visit(phone, patient, session)
    before = phone.booking(booking)
    assert (before["changes"], before["can_cancel"]) == ([], False)
    other = new_session(doctor_name="李代诊", period="EVENING")
    change(control, session, doctor_code=other["his"]["doctor_code"])
    for _ in range(2):
        take_over(control, session)
    shown = phone.booking(booking)
    assert (shown["doctor_id"], shown["doctor_name"]) == (other["doctor_id"], "李代诊")
    assert [(one["doctor_name"], one["starts_at"], one["clinic_room"]) for one in shown["changes"]] == [
        (before["doctor_name"], before["starts_at"], before["clinic_room"])]
    [message] = phone.inbox(TITLE)  # once, however often it is taken over
    assert "医生: 李代诊" in message["lines"]
    assert message["lines"][-1] == f"变更内容: 医生有变，{FREE}"
    assert tasks(control, booking, session["id"]) == []
    # the same session is not sold to the same patient again, though it is another doctor's
    listed = phone.call("GET", "booking/sessions", params={"doctor_id": other["doctor_id"]})["sessions"]
    again = next(one for one in listed if one["id"] == session["id"])
    assert refused(lambda: phone.book(patient["id"], again)) == (409, "already_booked")
    # free until the session starts
    assert (shown["can_cancel"], shown["cancel_until"]) == (True, "2026-11-25T00:00:00Z")
    phone.call("POST", f"booking/bookings/{booking}/cancellation")
    finish(control)
    assert (phone.booking(booking)["state"], order(booking)["refunded_fen"]) == ("CANCELLED", 2500)
    assert phone.booking(booking)["doctor_name"] == "李代诊"
    books_agree(booking)


def test_whatever_is_moved_reaches_its_patient_once(control: Control, phone: Phone, patient: dict[str, Any],
                                                    new_session: Open, visit: Any, policy: Callable[..., None]) -> None:
    policy(cancel_days_before=2, cancel_until="07:00", live_bookings_per_patient_and_day=6)
    moves = [{"starts_at": "09:30"}, {"date": "2026-11-26"}, {"date": "2026-12-28"}, {"period": "AFTERNOON"},
             {"clinic_room": "新楼301诊室"}]
    sessions = [new_session(slots=2) for _ in moves]
    bookings = [visit(phone, patient, one) for one in sessions]
    before = [phone.booking(one) for one in bookings]
    for session, move in zip(sessions, moves, strict=True):
        change(control, session, **move)
    for _ in range(2):
        sync(control)
    shown = [phone.booking(one) for one in bookings]
    first = [one["starts_at"][11:16] == "00:00" for one in before]  # which of the two places it was: 8:00 or 8:30
    assert [(one["visit_date"], one["period"], one["starts_at"][:16], one["clinic_room"]) for one in shown] == [
        ("2026-11-25", "MORNING", f"2026-11-25T{'01:30' if first[0] else '02:00'}", before[0]["clinic_room"]),
        ("2026-11-26", "MORNING", f"2026-11-26T{'00:00' if first[1] else '00:30'}", before[1]["clinic_room"]),
        ("2026-12-28", "MORNING", f"2026-12-28T{'00:00' if first[2] else '00:30'}", before[2]["clinic_room"]),
        ("2026-11-25", "AFTERNOON", f"2026-11-25T{'05:30' if first[3] else '06:00'}", before[3]["clinic_room"]),
        ("2026-11-25", "MORNING", before[4]["starts_at"][:16], "新楼301诊室")]
    assert [[one["starts_at"] for one in each["changes"]] for each in shown] == [[one["starts_at"]] for one in before]
    assert all(one["can_cancel"] and not old["can_cancel"] for one, old in zip(shown, before, strict=True))
    assert shown[4]["location"].endswith("新楼301诊室")
    notes = sorted(one["lines"][-1] for one in phone.inbox(TITLE))
    assert notes == sorted([f"变更内容: 时间有变，{FREE}"] * 4 + [f"变更内容: 诊室有变，{FREE}"])
    assert tasks(control, *bookings, *(one["id"] for one in sessions)) == []


def test_a_place_that_goes_to_another_session_takes_its_patient_along(
        control: Control, phone: Phone, patient: dict[str, Any], new_session: Open, visit: Any, trade: Any,
        books_agree: Callable[..., None]) -> None:
    session, other = new_session(slots=2), new_session(slots=2, period="AFTERNOON", doctor_name="王接诊")
    booking = visit(phone, patient, session)
    control("POST", f"/his/slots/{trade(booking)['slot_code']}/move", schedule=other["his"]["code"])
    take_over(control, session, other)
    take_over(control, session, other)
    shown = phone.booking(booking)
    assert (shown["doctor_name"], shown["period"], shown["starts_at"][:16]) == (
        "王接诊", "AFTERNOON", "2026-11-25T06:30")
    assert shown["clinic_room"] == other["clinic_room"]
    assert [one["lines"][-1][6:11] for one in phone.inbox(TITLE)] == ["医生、时间"]
    assert tasks(control, booking, session["id"], other["id"]) == []
    assert refused(lambda: phone.book(patient["id"], other)) == (409, "already_booked")
    phone.call("POST", f"booking/bookings/{booking}/cancellation")
    finish(control)
    books_agree(booking)


def test_what_the_his_says_when_it_confirms_is_taken_over(control: Control, phone: Phone, patient: dict[str, Any],
                                                          new_session: Open) -> None:
    session = new_session(slots=1)
    held = phone.book(patient["id"], session)
    payment = phone.open_payment(held["id"])
    control.fault("his", "confirm_registration", "override",
                  set={"starts_at": "2026-11-25T10:15:00+08:00", "clinic_room": "特需9诊室"})
    phone.thumb(payment)
    control.settle()
    shown = phone.booking(held["id"])
    assert (shown["state"], shown["starts_at"], shown["clinic_room"]) == (
        "CONFIRMED", "2026-11-25T02:15:00Z", "特需9诊室")
    assert [one["starts_at"] for one in shown["changes"]] == ["2026-11-25T00:00:00Z"]
    assert "就诊时间: 2026年11月25日 10:15" in phone.inbox("挂号成功通知")[0]["lines"]
    assert len(phone.inbox(TITLE)) == 1


def test_another_day_that_the_his_says_when_it_confirms_is_what_the_patient_is_told(
        control: Control, phone: Phone, patient: dict[str, Any], new_session: Open) -> None:
    session = new_session(slots=1)
    held = phone.book(patient["id"], session)
    payment = phone.open_payment(held["id"])
    change(control, session, date="2026-11-26", starts_at="09:00")
    phone.thumb(payment)
    control.settle()
    shown = phone.booking(held["id"])
    assert (shown["state"], shown["visit_date"], shown["starts_at"]) == (
        "CONFIRMED", "2026-11-26", "2026-11-26T01:00:00Z")
    assert "就诊时间: 2026年11月26日 09:00" in phone.inbox("挂号成功通知")[0]["lines"]
    [message] = phone.inbox(TITLE)
    assert "就诊时间: 2026年11月26日 09:00" in message["lines"]
    assert shown["cancel_until"] == "2026-11-26T01:00:00Z"
    take_over(control, session)
    assert len(phone.inbox(TITLE)) == 1


@pytest.mark.parametrize(("period", "starts", "hour"), [("AFTERNOON", "05:30", 14), ("MORNING", "00:00", 8)])
def test_a_session_that_was_moved_to_another_day_is_given_up_freely_until_it_starts_whatever_place_one_has(
        control: Control, phone: Phone, patient: dict[str, Any], new_session: Open, order: Any, sql: Ask,
        policy: Callable[..., None], books_agree: Callable[..., None], period: str, starts: str, hour: int) -> None:
    policy(cancel_days_before=2, cancel_until="07:00")
    session = new_session(slots=2)
    last = max(phone.call("GET", f"booking/sessions/{session['id']}/slots")["slots"], key=lambda one: one["starts_at"])
    held = phone.book(patient["id"], session, slot_id=last["id"])
    payment = phone.open_payment(held["id"])
    change(control, session, date="2026-11-26", period=period)
    phone.thumb(payment)
    control.settle()
    shown = phone.booking(held["id"])
    assert (shown["state"], shown["visit_date"], shown["period"], shown["starts_at"]) == (
        "CONFIRMED", "2026-11-26", period, f"2026-11-26T{hour - 8:02}:{'00' if hour == 14 else '30'}:00Z")
    assert sql("SELECT visit_date, period FROM schedules WHERE id = %s", (session["id"],)) == [
        (date(2026, 11, 26), period)]
    assert (shown["can_cancel"], shown["cancel_until"]) == (True, f"2026-11-26T{starts}:00Z"), "its session's start"
    [message] = phone.inbox(TITLE)
    assert f"就诊时间: 2026年11月26日 {hour:02}:{'00' if hour == 14 else '30'}" in message["lines"]
    control("PUT", "/clock", now=f"2026-11-26T{'13:29' if hour == 14 else '07:59'}:00+08:00")
    phone.sign_in()
    phone.call("POST", f"booking/bookings/{held['id']}/cancellation")
    finish(control)
    assert (phone.booking(held["id"])["state"], order(held["id"])["refunded_fen"]) == ("CANCELLED", 2500)
    books_agree(held["id"])


def test_a_day_that_the_his_confirmed_and_its_list_does_not_know_is_what_the_list_says_and_the_patient_is_told(
        control: Control, phone: Phone, patient: dict[str, Any], new_session: Open) -> None:
    session = new_session(slots=1)
    held = phone.book(patient["id"], session)
    payment = phone.open_payment(held["id"])
    control.fault("his", "confirm_registration", "override", set={"starts_at": "2026-11-26T10:15:00+08:00"})
    phone.thumb(payment)
    control.settle()
    shown = phone.booking(held["id"])
    assert (shown["state"], shown["visit_date"], shown["starts_at"]) == (
        "CONFIRMED", "2026-11-25", "2026-11-25T00:00:00Z")
    assert [one["starts_at"] for one in shown["changes"]] == ["2026-11-25T00:00:00Z", "2026-11-26T02:15:00Z"]
    assert [time for _, time, _ in told(phone)][-1] == "2026年11月25日 08:00"
    assert shown["cancel_until"] == "2026-11-25T00:00:00Z"


def test_a_room_that_is_assigned_in_the_morning_is_shown_and_is_no_change(
        control: Control, phone: Phone, patient: dict[str, Any], new_session: Open, visit: Any,
        policy: Callable[..., None]) -> None:
    policy(cancel_days_before=2, cancel_until="07:00")
    session = new_session()
    row = f"schedules.code={session['his']['code']}"
    control.fault("his", "list_schedules", "override", times=-1, set={f"{row}.clinic_room": ""})
    control.fault("his", "confirm_registration", "override", set={"clinic_room": ""})
    take_over(control, session)
    booking = visit(phone, patient, session)
    assert phone.booking(booking)["clinic_room"] == ""
    for _ in range(2):
        control("DELETE", "/faults")
        take_over(control, session)
        shown = phone.booking(booking)
        assert (shown["clinic_room"], shown["changes"], shown["can_cancel"]) == (session["clinic_room"], [], False)
        control.fault("his", "list_schedules", "override", times=-1, set={f"{row}.clinic_room": ""})
        take_over(control, session)
        assert phone.booking(booking)["clinic_room"] == session["clinic_room"]  # the last that the patient was told
    assert phone.inbox(TITLE) == []
    control("DELETE", "/faults")


def test_a_place_that_is_taken_again_has_the_time_that_it_has_now(control: Control, phone: Phone,
                                                                  patient: dict[str, Any], new_session: Open,
                                                                  order: Any) -> None:
    session = new_session(slots=1)
    held = phone.book(patient["id"], session)
    phone.open_payment(held["id"])
    control.advance(16 * 60)
    control.work()
    assert phone.booking(held["id"])["state"] == "RELEASED"
    change(control, session, starts_at="10:00")
    take_over(control, session)
    assert phone.booking(held["id"])["starts_at"] == "2026-11-25T00:00:00Z"  # it is nobody's any more
    control("POST", f"/wechatpay/orders/{order(held['id'])['out_trade_no']}/force-pay")
    control.work()
    shown = phone.booking(held["id"])
    assert (shown["state"], shown["starts_at"]) == ("CONFIRMED", "2026-11-25T02:00:00Z")
    assert "就诊时间: 2026年11月25日 10:00" in phone.inbox("挂号成功通知")[0]["lines"]
    assert [one["lines"][-1] for one in phone.inbox(TITLE)] == [f"变更内容: 时间有变，{FREE}"]


def test_sessions_that_are_moved_onto_each_other_are_shown_as_they_are_and_a_task(
        control: Control, phone: Phone, patient: dict[str, Any], new_session: Open, visit: Any) -> None:
    morning = new_session()
    evening = new_session(period="EVENING", doctor_code=morning["his"]["doctor_code"], department_code="1101")
    first, second = visit(phone, patient, morning), visit(phone, patient, evening)
    change(control, evening, period="MORNING")
    for _ in range(2):
        take_over(control, evening)
    assert phone.booking(first)["period"] == phone.booking(second)["period"] == "MORNING"
    assert phone.booking(second)["starts_at"][:11] == "2026-11-25T"
    assert [kind for kind, _ in tasks(control, first, second)] == ["booking.doubled"]
    assert len(phone.inbox(TITLE)) == 1
    for booking in (second, first):
        phone.call("POST", f"booking/bookings/{booking}/cancellation")
        control.settle()
        assert phone.booking(booking)["state"] == "CANCELLED"


def doubled(control: Control, phone: Phone, patient: dict[str, Any], new_session: Open, visit: Any, number: int = 2
            ) -> tuple[dict[str, Any], list[str]]:
    """Registrations of a patient that the hospital has moved onto each other: the first one's session, and all."""
    first = new_session()
    bookings = [visit(phone, patient, first)]
    for period in ("EVENING", "AFTERNOON")[:number - 1]:
        other = new_session(period=period, doctor_code=first["his"]["doctor_code"], department_code="1101")
        bookings.append(visit(phone, patient, other))
        change(control, other, period="MORNING")
        take_over(control, other)
    return first, bookings


def cancel(control: Control, phone: Phone, booking: str) -> None:
    """The patient gives it up."""
    phone.call("POST", f"booking/bookings/{booking}/cancellation")
    control.settle()
    assert phone.booking(booking)["state"] == "CANCELLED"


def beside(sql: Ask, bookings: list[str]) -> list[str]:
    """Which of these stand beside another."""
    return [row[0] for row in sql("SELECT id FROM bookings WHERE beside <> ''") if row[0] in bookings]


def test_of_two_that_the_hospital_has_put_together_the_one_that_is_left_can_t_be_booked_twice(
        control: Control, phone: Phone, patient: dict[str, Any], new_session: Open, visit: Any, sql: Ask) -> None:
    session, [first, second] = doubled(control, phone, patient, new_session, visit)
    assert beside(sql, [first, second]) == [second]
    cancel(control, phone, first)
    assert beside(sql, [first, second]) == tasks(control, first, second) == []
    assert refused(lambda: phone.book(patient["id"], session)) == (409, "already_booked")
    cancel(control, phone, second)
    held = phone.book(patient["id"], session)
    assert held["state"] == "HELD"


def test_of_three_that_the_hospital_has_put_together_two_still_stand_beside_each_other(
        control: Control, phone: Phone, patient: dict[str, Any], new_session: Open, visit: Any, sql: Ask,
        policy: Callable[..., None]) -> None:
    policy(live_bookings_per_patient_and_day=4)
    session, bookings = doubled(control, phone, patient, new_session, visit, number=3)
    assert beside(sql, bookings) == bookings[1:]
    for number in (0, 1):
        cancel(control, phone, bookings[number])
        assert beside(sql, bookings) == bookings[number + 2:]
        assert [kind for kind, _ in tasks(control, *bookings)] == ["booking.doubled"] * (1 - number)
        assert refused(lambda: phone.book(patient["id"], session)) == (409, "already_booked")


@pytest.mark.parametrize("gone", [0, 1])
def test_a_task_about_two_that_were_put_together_ends_when_either_is_cancelled(
        control: Control, phone: Phone, patient: dict[str, Any], new_session: Open, visit: Any, gone: int) -> None:
    _, bookings = doubled(control, phone, patient, new_session, visit)
    [task] = control.tasks(subject_id=bookings[1])
    assert task["kind"] == "booking.doubled"
    cancel(control, phone, bookings[gone])
    assert tasks(control, *bookings) == []


def test_of_two_that_were_put_together_the_one_that_stays_is_alone_when_the_other_is_moved_on(
        control: Control, phone: Phone, patient: dict[str, Any], new_session: Open, visit: Any, sql: Ask) -> None:
    session, [first, second] = doubled(control, phone, patient, new_session, visit)
    change(control, session, period="AFTERNOON")
    take_over(control, session)
    assert beside(sql, [first, second]) == tasks(control, first, second) == []


def test_one_that_is_moved_from_beside_one_to_beside_another_stays_a_task(
        control: Control, phone: Phone, patient: dict[str, Any], new_session: Open, visit: Any, sql: Ask) -> None:
    session, [first, second] = doubled(control, phone, patient, new_session, visit)
    third = visit(phone, patient, evening := new_session(
        period="EVENING", doctor_code=session["his"]["doctor_code"], department_code="1101"))
    [(code,)] = sql("SELECT s.his_code FROM bookings b JOIN schedules s ON s.id = b.schedule_id WHERE b.id = %s",
                    (second,))
    change(control, moved := {"his": {"code": code}}, period="EVENING")
    take_over(control, moved)
    assert beside(sql, [first, second, third]) == [second]
    assert [kind for kind, _ in tasks(control, first, second, third)] == ["booking.doubled"]
    change(control, evening, period="AFTERNOON")
    take_over(control, evening)
    assert beside(sql, [first, second, third]) == tasks(control, first, second, third) == []


def test_places_with_patients_that_are_listed_no_more_are_one_task_once(
        control: Control, phone: Phone, patient: dict[str, Any], new_session: Open, visit: Any, trade: Any,
        policy: Callable[..., None]) -> None:
    policy(believed_drop_percent=50)  # one of two is no reason to doubt
    session = new_session(slots=2)
    booking = visit(phone, patient, session)
    control.fault("his", "list_schedules", "override", times=-1, remove=[
        f"schedules.code={session['his']['code']}.slots.code={trade(booking)['slot_code']}"])
    for _ in range(2):
        take_over(control, session)
    [task] = control.tasks(subject_id=session["id"])
    assert task["kind"] == "schedule.places-missing"
    control.operate("task.close", task_id=task["id"], note="已电话确认")
    take_over(control, session)
    assert tasks(control, session["id"]) == []
    assert (phone.booking(booking)["state"], phone.inbox(TITLE)) == ("CONFIRMED", [])


def test_a_stopped_session_s_task_is_closed_when_it_takes_place_after_all(
        control: Control, phone: Phone, patient: dict[str, Any], new_session: Open, visit: Any) -> None:
    session = new_session(date="2026-11-23")
    phone.check_in(visit(phone, patient, session))
    control("POST", f"/his/schedules/{session['his']['code']}/stop")
    take_over(control, session)
    assert [kind for kind, _ in tasks(control, session["id"])] == ["schedule.stopped"]
    control("POST", f"/his/schedules/{session['his']['code']}/reopen")
    take_over(control, session)
    assert tasks(control, session["id"]) == []


def test_a_free_cancel_that_the_his_refuses_is_a_task(control: Control, phone: Phone, patient: dict[str, Any],
                                                      new_session: Open, visit: Any) -> None:
    session = new_session()
    booking = visit(phone, patient, session)
    change(control, session, clinic_room="新楼302诊室")
    take_over(control, session)
    control.fault("his", "cancel_registration", "refuse", code="SESSION_STARTED", message="已开诊", status=409)
    phone.call("POST", f"booking/bookings/{booking}/cancellation")
    control.settle()
    assert phone.booking(booking)["state"] == "CONFIRMED"
    assert tasks(control, booking) == [("booking.free-cancel-refused", "SESSION_STARTED")]


@pytest.mark.parametrize("times", [2])
def test_two_who_take_the_list_over_at_once_do_not_disturb_each_other(control: Control, new_session: Open, sql: Ask,
                                                                      times: int) -> None:
    from concurrent.futures import ThreadPoolExecutor

    doctor = new_session()["his"]
    made = [control("POST", "/his/schedules", date="2026-11-27", period=period, kind="EXPERT", fee_fen=2500, slots=9,
                    doctor_code=doctor["doctor_code"], department_code="1101") for period in ("MORNING", "EVENING")]
    with ThreadPoolExecutor(times) as pool:
        list(pool.map(lambda _: Control(control.addresses).operate("schedules.sync"), range(times)))
    codes = [one["code"] for one in made]
    assert sql("SELECT COUNT(*) FROM slots x JOIN schedules s ON s.id = x.schedule_id WHERE s.his_code IN (%s, %s)",
               codes) == [(18,)]
    assert control.tasks(kind="list.odd-row.s*") == []
