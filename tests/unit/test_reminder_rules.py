"""Of what patients are reminded when, and until when they may choose; nobody is woken for nothing."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import pytest
from hospital.booking import rules as booking
from hospital.database.policy import Policy
from hospital.reminders import rules
from hospital.runtime.clock import BEIJING

POLICY = Policy()


def at(text: str) -> datetime:
    """A moment of November 2026 at the hospital: ``25 18:00``."""
    return datetime.fromisoformat(f"2026-11-{text.replace(' ', 'T')}:00").replace(tzinfo=BEIJING)


# -- stopped clinics ----------------------------------------------------------------------------------
@pytest.mark.parametrize(("now", "visit", "until"), [
    ("23 10:00", 26, "24 10:00"),  # a day
    ("23 10:00", 23, "23 21:00"),  # to the visit's day's end, and not into the quiet hours
    ("23 07:30", 25, "23 21:00"),  # a day would end before eight in the morning
    ("23 20:30", 23, "24 08:00"),  # an hour at least: the morning after
    ("23 22:00", 25, "24 21:00"),
    ("24 03:00", 24, "24 21:00"),
])
def test_a_patient_of_a_stopped_clinic_has_time_to_choose_that_never_ends_at_night(now: str, visit: int, until: str
                                                                                   ) -> None:
    assert booking.choose_until(date(2026, 11, visit), at(now), POLICY) == at(until)


def test_a_note_about_choosing_fits_a_message() -> None:
    assert booking.choice_note(at("23 21:00")) == "请11月23日21:00前改约或退号"
    assert len(booking.choice_note(at("23 21:00"))) <= 20


@pytest.mark.parametrize(("stopped", "of", "wave"), [(1, 1, False), (10, 10, False), (11, 100, False), (11, 54, True),
                                                    (20, 100, False), (21, 100, True)])
def test_a_few_stopped_clinics_are_believed_and_a_wave_is_not(stopped: int, of: int, wave: bool) -> None:
    assert booking.is_wave(stopped, of, POLICY) is wave


@pytest.mark.parametrize(("paid", "in_parts", "fee", "difference"), [
    (2500, False, 2500, 0), (2500, False, 4000, 1500), (2500, False, 1000, -1500), (None, False, 9900, 0),
    (4000, True, 4000, 0), (4000, True, 5000, None), (4000, True, 1000, None), (0, False, 0, 0), (0, False, 2500, None),
    (2500, False, 0, None)])
def test_what_another_place_costs_is_said_or_it_is_not_offered(paid: int | None, in_parts: bool, fee: int,
                                                               difference: int | None) -> None:
    assert booking.difference_fen(paid, in_parts, fee) == difference


def test_only_what_the_hospital_has_stopped_or_changed_may_be_moved_and_only_in_time() -> None:
    now, later = at("23 10:00"), at("23 11:00")
    assert booking.may_move("CONFIRMED", later, None, now)
    assert booking.may_move("CONFIRMED", None, later, now)
    assert not booking.may_move("CONFIRMED", None, None, now)
    assert not booking.may_move("CONFIRMED", now, now, now)
    assert not booking.may_move("CHECKED_IN", later, later, now)


# -- reminders ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(("now", "days"), [("24 17:59", [24]), ("24 18:00", [24, 25]), ("25 03:00", [25])])
def test_a_day_s_visits_are_due_from_the_evening_before_until_it_is_over(now: str, days: list[int]) -> None:
    assert rules.days_due(at(now), POLICY) == [date(2026, 11, day) for day in days]


@pytest.mark.parametrize(("now", "urgent", "due"), [
    ("24 18:00", False, "24 18:00"), ("24 21:00", False, "25 08:00"), ("25 07:59", False, "25 08:00"),
    ("24 23:00", True, "24 23:00"), ("25 08:00", False, "25 08:00")])
def test_nobody_is_told_in_the_quiet_hours_but_what_is_near(now: str, urgent: bool, due: str) -> None:
    assert rules.due(at(now), POLICY, urgent=urgent) == at(due)


@pytest.mark.parametrize(("now", "starts", "near"), [("24 18:00", "25 09:00", True), ("24 18:00", "25 09:01", False),
                                                    ("24 22:00", "25 08:00", True), ("25 10:00", "26 08:00", True)])
def test_what_begins_right_after_the_quiet_hours_is_near(now: str, starts: str, near: bool) -> None:
    assert rules.is_near(at(starts), at(now), POLICY) is near


def test_without_quiet_hours_it_is_never_quiet() -> None:
    never = Policy(quiet_from=time(3), quiet_until=time(3))
    assert not any(rules.is_quiet(at("24 00:00") + timedelta(hours=hour), never) for hour in range(24))


@pytest.mark.parametrize(("hours", "age"), [(23, None), (24, 24), (71, 24), (72, 72), (900, 72)])
def test_a_bill_is_told_at_the_greatest_age_it_has_reached(hours: int, age: int | None) -> None:
    assert rules.age_due(at("23 08:00"), at("23 08:00") + timedelta(hours=hours), POLICY) == age


def test_an_age_is_said_in_days_or_hours() -> None:
    assert [rules.age_text(hours) for hours in (6, 24, 72)] == ["已6小时", "已1天", "已3天"]
