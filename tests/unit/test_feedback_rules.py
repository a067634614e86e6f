"""Pure decisions of what patients think: numbers, deadlines, and which groups may be shown."""

from __future__ import annotations

from datetime import date, datetime, timezone
from typing import Any

import pytest
from hospital.database.policy import Policy
from hospital.feedback import rules
from hospital.feedback.model import MOVES, OPEN, PICTURE_MOVES, Complaint, Group
from hypothesis import given
from hypothesis import strategies as st

NOON = datetime(2026, 11, 23, 4, tzinfo=timezone.utc)  # a Monday, twelve o'clock in Beijing


# -- numbers ----------------------------------------------------------------------------------------
@given(st.integers(0, 8), st.integers(0, 10**8 - 1))
def test_a_number_is_read_as_it_is_spoken_and_no_misheard_digit_makes_another(first: int, rest: int) -> None:
    number = rules.new_number(lambda limit: first if limit == 9 else rest)
    assert len(number) == 10
    for written in (number, rules.spoken(number), rules.spoken(number).replace(" ", "-"), f" {number} "):
        assert rules.read_number(written) == number
    for place in range(10):
        for digit in "0123456789":
            if digit != number[place]:
                assert rules.read_number(number[:place] + digit + number[place + 1:]) is None


@pytest.mark.parametrize("text", ["", "123", "12345678901", "12345abc78", "１２３", "0000000001"])
def test_what_is_no_number_is_none(text: str) -> None:
    assert rules.read_number(text) is None


# -- deadlines --------------------------------------------------------------------------------------
@pytest.mark.parametrize(("days", "policy", "due"), [
    (1, {}, "2026-11-24T09:30"), (4, {}, "2026-11-27T09:30"), (5, {}, "2026-11-30T09:30"),
    (5, {"office_days": [date(2026, 11, 28)]}, "2026-11-28T09:30"),
    (5, {"office_days_off": [date(2026, 11, 24)]}, "2026-12-01T09:30"),
    (1, {"office_ends": "08:00"}, "2026-11-24T00:00")])
def test_an_answer_is_owed_at_the_end_of_a_working_day(days: int, policy: dict[str, Any], due: str) -> None:
    found = rules.deadline(NOON, days, Policy.model_validate(policy))
    assert found.astimezone(timezone.utc).isoformat()[:16] == due


def test_an_office_that_never_works_has_a_deadline_all_the_same() -> None:
    closed = Policy.model_validate({"office_days_off": [date.fromordinal(date(2026, 11, 24).toordinal() + day)
                                                        for day in range(500)]})
    assert rules.deadline(NOON, 5, closed) > NOON


def test_staff_are_reminded_after_a_share_of_the_time() -> None:
    due = rules.deadline(NOON, 5, Policy())
    assert rules.warn_at(NOON, due, Policy()) == NOON + (due - NOON) * 0.6


def test_the_time_of_an_answer_is_its_week() -> None:
    assert {rules.week_of(datetime(2026, 11, day, 15, tzinfo=timezone.utc)) for day in range(23, 29)} == {
        date(2026, 11, 23)}
    assert rules.week_of(datetime(2026, 11, 29, 16, tzinfo=timezone.utc)) == date(2026, 11, 30)  # Monday in Beijing


# -- what of many is shown --------------------------------------------------------------------------
def shown(*sizes: int, smallest: int = 5) -> list[int]:
    """The sizes of the groups that are shown."""
    groups = [Group(f"g{place}", size, {}) for place, size in enumerate(sizes)]
    found, hidden = rules.shown_groups(groups, smallest)
    assert hidden == len(sizes) - len(found)
    return [one.answers for one in found]


def test_a_small_group_is_hidden_with_one_more_so_that_no_total_gives_it_away() -> None:
    assert shown(9, 7, 5) == [9, 7, 5]
    assert shown(9, 2, 7) == [9]  # 2 alone would be the total less the rest
    assert shown(9, 3, 7, 4) == [9, 7]  # 3 and 4 hide each other
    assert shown(2) == shown() == []


@given(st.lists(st.integers(1, 30), max_size=12), st.integers(2, 10))
def test_what_is_hidden_is_never_few(sizes: list[int], smallest: int) -> None:
    found = shown(*sizes, smallest=smallest)
    assert all(size >= smallest for size in found)
    hidden = sum(sizes) - sum(found)
    assert hidden == 0 or hidden >= smallest or not found


# -- states -----------------------------------------------------------------------------------------
def complaint(**changes: Any) -> Complaint:
    """One that was answered."""
    return Complaint(**{
        "id": "C", "account_id": "A", "number": "1", "kind": "COMPLAINT", "about": "NOTHING", "about_id": "",
        "state": "ANSWERED", "text_state": "PASSED", "round": 1, "warn_at": None, "due_at": None, "answered_at": NOON,
        "closes_at": NOON, "stars": None, "created_at": NOON, **changes})


def test_the_ends_are_never_left_and_every_other_state_is() -> None:
    for table in (MOVES, PICTURE_MOVES):
        assert set().union(*table.values()) <= set(table)
    assert {state for state, ends in MOVES.items() if not ends} == {"CLOSED", "WITHDRAWN"}
    assert {state for state, ends in PICTURE_MOVES.items() if not ends} == {"REMOVED"}
    assert set(MOVES) > OPEN


def test_it_is_reopened_once_and_in_time() -> None:
    before = datetime(2026, 11, 22, tzinfo=timezone.utc)
    assert rules.may_reopen(complaint(), before)
    assert not rules.may_reopen(complaint(), NOON)
    assert not rules.may_reopen(complaint(round=2), before)
    assert not any(rules.may_reopen(complaint(state=state), before) for state in MOVES if state != "ANSWERED")


def test_only_an_answer_is_rated_and_only_what_is_owed_is_taken_back() -> None:
    assert {state for state in MOVES if rules.may_rate(complaint(state=state))} == {"ANSWERED", "CLOSED"}
    assert not rules.may_rate(complaint(stars=3))
    assert {state for state in MOVES if rules.may_withdraw(complaint(state=state))} == OPEN
    assert not rules.owes_answer("PRAISE")
