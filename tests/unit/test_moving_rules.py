"""What is told of a change, when a shrunken list is doubted, and until when a changed registration may be given up."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import combinations

import pytest
from hospital.booking import rules
from hospital.database.policy import Policy
from hospital.gateways.outcome import Rejected, Unanswered
from hospital.messages.rules import fit
from hospital.runtime.clock import BEIJING
from hospital.schedules import looks
from hospital.schedules.rules import cancel_deadline, doubted_days, in_turn
from hospital.site.rules import drop, is_doubted, is_second_look

DAY, NEXT = date(2026, 11, 25), date(2026, 11, 26)
EIGHT = datetime(2026, 11, 25, 8, tzinfo=BEIJING)


@pytest.mark.parametrize("free", [True, False])
def test_every_note_of_a_change_fits_into_its_keyword_whole(free: bool) -> None:
    for many in range(1, len(rules.SEAT) + 1):
        for parts in combinations(rules.SEAT, many):
            note = rules.change_note(list(parts), free=free)
            assert fit("thing5", note) == note


def test_what_was_never_told_is_no_difference() -> None:
    seat = {"doctor_id": "A", "visit_date": DAY, "period": "MORNING", "starts_at": EIGHT, "clinic_room": "1"}
    was = type("Was", (), {**seat, "clinic_room": None, "doctor_id": "B"})
    assert rules.differences(was, seat) == ["doctor_id"]


def test_a_room_that_is_not_assigned_is_no_difference() -> None:
    seat = {"doctor_id": "A", "visit_date": DAY, "period": "MORNING", "starts_at": EIGHT, "clinic_room": "1"}
    without = {**seat, "clinic_room": ""}
    assert rules.differences(type("Was", (), without), seat) == []
    assert rules.differences(type("Was", (), seat), without) == []
    assert rules.differences(type("Was", (), {**seat, "clinic_room": "2"}), seat) == ["clinic_room"]


def test_a_period_of_another_name_is_no_other_time() -> None:
    seat = {"doctor_id": "d", "visit_date": DAY, "period": "MORNING", "starts_at": EIGHT, "clinic_room": "1"}
    assert rules.differences(type("Was", (), {**seat, "period": "EVENING"}), seat) == []
    moved = {**seat, "period": "EVENING", "starts_at": EIGHT + timedelta(hours=9)}
    assert rules.differences(type("Was", (), moved), seat) == ["period", "starts_at"]


def test_a_changed_registration_is_free_until_its_session_starts_or_its_own_time_on_another_day() -> None:
    nine = EIGHT + timedelta(days=1, hours=1)
    assert rules.free_until(DAY, EIGHT + timedelta(minutes=30), EIGHT) == EIGHT
    assert rules.free_until(NEXT, nine, EIGHT) == nine


@pytest.mark.parametrize("many", [1, 17, 49, 50, 51, 74, 100, 230])
def test_every_session_has_its_turn_to_be_asked_for_and_to_be_the_first(many: int) -> None:
    codes = [str(number) for number in range(many)]
    turns = [in_turn(codes, EIGHT + timedelta(minutes=5 * reading), 50) for reading in range(60 * many)]
    assert {len(turn) for turn in turns} == {min(many, 50)}
    assert {turn[0] for turn in turns} == set(codes)
    assert in_turn([], EIGHT, 50) == []


def test_a_session_without_an_answer_does_not_end_the_looks_and_a_silent_his_does() -> None:
    def ask(code: str) -> int:
        asked.append(code)
        if code in bad:
            raise Rejected("INTERNAL") if int(code) % 2 else Unanswered("his: status 500")
        return int(code)

    bad, codes, asked = {"1", "4"}, [str(number) for number in range(9)], list[str]()
    assert looks.each(codes, EIGHT, ask) == {code: int(code) for code in codes if code not in bad}
    bad, asked = set(codes), []
    assert (looks.each(codes, EIGHT, ask), len(asked)) == ({}, looks.SILENT)


def test_an_empty_list_is_never_believed_and_says_nothing_of_when_something_was_missed() -> None:
    long_ago = EIGHT - timedelta(days=1)
    seen = drop({"a": long_ago, "b": None}, known=2, listed=0, percent=100, now=EIGHT)
    assert (seen.gone, seen.waiting, seen.fresh) == ([], ["a", "b"], [])
    seen = drop({"a": long_ago, "b": None}, known=3, listed=1, percent=20, now=EIGHT)
    assert (seen.gone, seen.waiting, seen.fresh, seen.doubted) == (["a"], ["b"], ["b"], True)
    seen = drop({"b": None}, known=5, listed=4, percent=20, now=EIGHT)
    assert (seen.gone, seen.waiting, seen.doubted) == (["b"], [], False)


def test_a_place_that_was_not_moved_along_begins_with_its_session() -> None:
    assert rules.start_of(EIGHT + timedelta(minutes=30), DAY, EIGHT) == EIGHT + timedelta(minutes=30)
    assert rules.start_of(EIGHT, NEXT, EIGHT + timedelta(days=1)) == EIGHT + timedelta(days=1)


def test_only_the_room_at_the_end_of_the_way_to_it_is_changed() -> None:
    assert rules.moved_location("门诊楼3层 5诊室", "5诊室", "6诊室") == "门诊楼3层 6诊室"
    assert rules.moved_location("门诊楼3层", "5诊室", "6诊室") == "门诊楼3层"
    assert rules.moved_location("", "", "6诊室") == ""


def test_a_changed_registration_is_free_until_then_whatever_the_cut_off() -> None:
    policy = Policy(cancel_days_before=3)
    closed = cancel_deadline(DAY, EIGHT, policy)
    assert closed < EIGHT
    assert cancel_deadline(DAY, EIGHT, policy, EIGHT - timedelta(minutes=30)) == EIGHT - timedelta(minutes=30)
    assert cancel_deadline(DAY, EIGHT, policy, closed - timedelta(days=1)) == closed


def test_a_day_is_doubted_by_its_own_share_and_every_day_by_the_whole_lists() -> None:
    known = {DAY: 100, NEXT: 10}
    assert doubted_days(known, {DAY: 20, NEXT: 2}, 20) == set()
    assert doubted_days(known, {NEXT: 3}, 20) == {NEXT}
    assert doubted_days(known, {DAY: 23, NEXT: 1}, 20) == {DAY, NEXT}
    assert doubted_days(known, {}, 0) == set()


def test_missing_is_believed_when_it_was_missing_before_for_long_enough() -> None:
    assert not is_second_look(None, EIGHT)
    assert not is_second_look(EIGHT - timedelta(minutes=3), EIGHT)
    assert is_second_look(EIGHT - timedelta(minutes=4), EIGHT)
    assert not is_second_look(EIGHT + timedelta(minutes=9), EIGHT)  # a clock that was put back
    assert (is_doubted(21, 100, 20), is_doubted(20, 100, 20), is_doubted(0, 0, 20)) == (True, False, False)
