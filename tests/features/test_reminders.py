"""Reminders: of a visit on the day before, of unpaid bills by their age; each once, and only of what still holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.people import person
from sandbox.phone import Control, Phone
from sandbox.templates import policy_templates

Open = Callable[..., dict[str, Any]]
Ask = Callable[..., list[tuple[Any, ...]]]
VISIT, UNPAID = "就诊提醒", "费用未缴提醒"


def remind(control: Control) -> None:
    """The timer runs."""
    answer = control("POST", "/scf/timers/daily_reminder/every-ten-minutes/fire")
    assert "error" not in answer, answer
    control.settle()


def at(control: Control, moment: str, *phones: Phone) -> None:
    """It is this time, and these are signed in."""
    control("PUT", "/clock", now=f"{moment}+08:00")
    for phone in phones:
        phone.sign_in()


def planned(sql: Ask, subject: str) -> list[tuple[Any, ...]]:
    """Occasion, state and reason of the reminders of something."""
    return sql("SELECT occasion, state, reason FROM reminders WHERE subject_id = %s ORDER BY id", (subject,))


@pytest.mark.feature("remind.visit")
def test_a_patient_is_reminded_on_the_day_before_once_however_often_the_timer_runs(
        control: Control, phone: Phone, patient: dict[str, Any], new_session: Open, visit: Any, sql: Ask) -> None:
    booking = visit(phone, patient, new_session())
    at(control, "2026-11-24T17:50:00")
    remind(control)
    assert phone.inbox(VISIT) == []
    at(control, "2026-11-24T18:00:30")
    for _ in range(3):
        remind(control)
        control.advance(600)
    [message] = phone.inbox(VISIT)
    assert message["lines"][3].startswith("就诊时间: 2026年11月25日")
    assert message["lines"][-1].startswith("就诊地点: 门诊楼")
    assert planned(sql, booking) == [("2026-11-25", "TOLD", "")]


@pytest.mark.feature("remind.visit")
def test_a_timer_that_is_a_day_late_reminds_of_what_is_still_to_come_and_of_nothing_that_is_over(
        control: Control, phone: Phone, new_session: Open, visit: Any, ward: dict[str, Any], sql: Ask,
        patient: dict[str, Any]) -> None:
    early = visit(phone, patient, new_session(slots=1))
    late = visit(phone, patient, new_session(slots=1, period="AFTERNOON"))
    at(control, "2026-11-25T10:00:00")
    remind(control)
    [message] = phone.inbox(VISIT)
    assert message["lines"][3] == "就诊时间: 2026年11月25日 13:30"
    assert (planned(sql, early), planned(sql, late)) == ([], [("2026-11-25", "TOLD", "")])
    at(control, "2026-11-26T10:00:00")
    remind(control)
    assert len(phone.inbox(VISIT)) == 1


@pytest.mark.feature("remind.visit")
def test_nobody_is_woken_but_for_what_is_about_the_next_hours(
        control: Control, phone: Phone, patient: dict[str, Any], new_session: Open, visit: Any) -> None:
    visit(phone, patient, new_session(slots=1))  # at eight
    visit(phone, patient, new_session(slots=1, period="AFTERNOON"))
    at(control, "2026-11-24T22:00:00")  # the timer did not run until now
    remind(control)
    assert [one["lines"][3][-5:] for one in phone.inbox(VISIT)] == ["08:00"]
    at(control, "2026-11-25T07:59:00")
    remind(control)
    assert len(phone.inbox(VISIT)) == 1
    at(control, "2026-11-25T08:00:30")
    remind(control)
    assert [one["lines"][3][-5:] for one in phone.inbox(VISIT)] == ["08:00", "13:30"]


@pytest.mark.feature("remind.visit")
def test_who_cancelled_moved_was_unbound_or_has_a_stopped_clinic_meanwhile_is_not_reminded(
        control: Control, phone: Phone, patient: dict[str, Any], new_session: Open, visit: Any, sql: Ask,
        policy: Callable[..., None]) -> None:
    policy(live_bookings_per_patient_and_day=6, quiet_until="09:30")  # so that none of them is urgent
    sessions = [new_session(slots=1, period="AFTERNOON") for _ in range(3)]
    cancelled, moved, stopped = [visit(phone, patient, one) for one in sessions]
    stranger = Phone(control).sign_in()
    stranger.allow_every_message()
    theirs = stranger.add_patient(person(), relation="SELF")
    unbound = visit(stranger, theirs, new_session(slots=1, period="AFTERNOON"))
    made = [cancelled, moved, stopped, unbound]
    at(control, "2026-11-24T22:00:00", phone, stranger)  # planned, not told yet
    remind(control)
    assert [planned(sql, one) for one in made] == [[("2026-11-25", "PLANNED", "")]] * 4
    phone.call("POST", f"booking/bookings/{cancelled}/cancellation")
    control("POST", f"/his/schedules/{sessions[1]['his']['code']}/change", date="2026-11-27", tell=True)
    control("POST", f"/his/schedules/{sessions[2]['his']['code']}/stop", tell=True)
    stranger.call("DELETE", f"account/patients/{theirs['id']}")
    control.settle()
    at(control, "2026-11-25T09:30:30")
    remind(control)
    assert [planned(sql, one)[0][1:] for one in made] == [
        ("DROPPED", "NOT_CONFIRMED"), ("DROPPED", "ANOTHER_DAY"), ("DROPPED", "STOPPED"), ("DROPPED", "WITHHELD")]
    assert (phone.inbox(VISIT), stranger.inbox(VISIT)) == ([], [])


@pytest.mark.feature("remind.unpaid")
def test_an_unpaid_bill_is_told_again_at_each_age_and_a_paid_one_is_not(
        control: Control, phone: Phone, patient: dict[str, Any], seen: Any, ordered: Any, sql: Ask,
        policy: Callable[..., None]) -> None:
    policy(unpaid_reminder_hours=[24, 48])
    seen(phone, patient)
    unpaid, paid = ordered(patient, "TREATMENT", "PRESCRIPTION")
    at(control, "2026-11-24T10:30:00", phone)
    shown = [one for one in phone.bills(patient["id"]) if one["bill_no"] == paid["bill_no"]]
    phone.pay_bills(patient["id"], shown)
    control.settle()
    for _ in range(2):
        remind(control)
    [message] = phone.inbox(UNPAID)
    assert message["lines"][-1] == "备注: 该费用已1天未缴，请及时缴费"
    assert planned(sql, unpaid["bill_no"]) == [("24h", "TOLD", "")]
    assert all(state != "TOLD" for _, state, _ in planned(sql, paid["bill_no"]))
    at(control, "2026-11-25T22:30:00")  # at night it waits
    remind(control)
    assert len(phone.inbox(UNPAID)) == 1
    at(control, "2026-11-26T08:00:30")
    remind(control)
    assert [one["lines"][-1][4:10] for one in phone.inbox(UNPAID)] == ["该费用已1天", "该费用已2天"]


@pytest.mark.feature("remind.unpaid")
@pytest.mark.parametrize("fault", ["refuse", "error", "cut_before", "cut_after", "garbage"])
def test_a_bill_of_which_the_his_says_nothing_waits_and_one_paid_at_the_window_is_not_told(
        control: Control, phone: Phone, patient: dict[str, Any], seen: Any, ordered: Any, sql: Ask, fault: str
        ) -> None:
    seen(phone, patient)
    [bill] = ordered(patient, "PRESCRIPTION")
    at(control, "2026-11-24T10:30:00", phone)
    control.fault("his", "get_bill", fault)
    remind(control)
    assert (phone.inbox(UNPAID), planned(sql, bill["bill_no"])) == ([], [("24h", "PLANNED", "")])
    control("POST", f"/his/bills/{bill['bill_no']}/pay-at-desk")
    control.advance(1900)
    remind(control)
    assert (phone.inbox(UNPAID), planned(sql, bill["bill_no"])) == ([], [("24h", "DROPPED", "PAID")])


def test_a_reminder_without_a_template_is_a_task_and_is_kept(
        control: Control, phone: Phone, patient: dict[str, Any], new_session: Open, visit: Any, sql: Ask
        ) -> None:
    booking = visit(phone, patient, new_session())
    templates = policy_templates()
    del templates["visit_reminder"]
    control.operate("settings.change", changes={"message_templates": templates})
    try:
        at(control, "2026-11-24T18:00:30")
        remind(control)
        assert control.tasks(kind="message.template", subject_id="visit_reminder")
    finally:
        control.operate("settings.change", changes={"message_templates": policy_templates()})
    assert planned(sql, booking) == [("2026-11-25", "TOLD", "NO_TEMPLATE")]
