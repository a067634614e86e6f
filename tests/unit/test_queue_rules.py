"""Where a number stands, and how long it takes: an honest range or none."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

import pytest
from hospital.queue.rules import MOST, Pace, Screen, look_again, minutes_at, pace, sentence, standing, told, wait
from hospital.runtime.clock import BEIJING

NINE = datetime(2026, 11, 23, 9, 0, tzinfo=BEIJING)


def screen(state: str = "CALLING", gaps: tuple[float, ...] = (), **more: object) -> Screen:
    calls = [NINE]
    for gap in gaps:
        calls.append(calls[-1] + timedelta(seconds=gap))
    return Screen(**{"code": "S1", "state": state, "as_of": NINE, "called": "M003", "waiting": ("M004", "M005", "M006"),
                     "passed": ("M001",), "earlier": ("M002",), "calls": tuple(calls), **more})


@pytest.mark.parametrize(("number", "where"), [
    ("M003", ("CALLED", None)), ("M004", ("NEXT", 0)), ("M006", ("WAITING", 2)), ("M001", ("PASSED", None)),
    ("M002", ("SEEN", None)), ("M099", ("NOT_THERE", None)), ("", ("NOT_THERE", None))])
def test_every_number_stands_somewhere(number: str, where: tuple[str, int | None]) -> None:
    assert standing(number, screen()) == where


def test_of_fewer_than_three_gaps_no_time_is_told() -> None:
    assert told(screen(gaps=(300, 300)), "M006", NINE)[2] is None
    assert told(screen(gaps=(300, 300, 300)), "M006", NINE)[2] is not None


@pytest.mark.parametrize("state", ["PAUSED", "NOT_STARTED", "OVER", "LUNCH"])
def test_while_nobody_is_called_no_time_is_told(state: str) -> None:
    assert told(screen(state, gaps=(300,) * 5), "M006", NINE) == ("WAITING", 2, None)


def test_a_pause_is_no_pace() -> None:
    seen = pace(screen(gaps=(300, 280, 320, 3600, 300)).calls)
    assert seen is not None
    assert (round(seen.mean), seen.gaps) == (300, 4)


def test_who_was_called_long_ago_counts_as_one_gap_at_most() -> None:
    seen = Pace(300, 0, 10)
    assert (wait(2, seen, 0).low, wait(2, seen, 240).low, wait(2, seen, 9999).low) == (15, 11, 10)


@pytest.mark.feature("queue.outpatient")
@pytest.mark.parametrize("ahead", [0, 3, 12])
def test_the_range_holds_in_most_cases_and_is_not_for_ever_wide(ahead: int) -> None:
    rng, held, widths = Random(f"doctor {ahead}"), 0, []
    for _ in range(400):
        usual, spread = rng.uniform(120, 600), rng.uniform(0.1, 0.5)
        gaps = [max(20.0, rng.gauss(usual, usual * spread)) for _ in range(12 + ahead + 1)]
        seen = pace([NINE + timedelta(seconds=sum(gaps[:at])) for at in range(13)])
        assert seen is not None
        between, true = wait(ahead, seen, 0), sum(gaps[12:]) / 60
        held += between.low <= true <= between.high
        widths.append((between.high - between.low) / (usual / 60 * (ahead + 1)))
    assert 0.55 <= held / 400 <= 0.95
    assert sum(widths) / 400 < 1.2


def test_whole_minutes_are_told_and_of_long_waits_five() -> None:
    assert wait(0, Pace(100, 0, 5), 0).low == 1
    far = wait(10, Pace(300, 60, 10), 0)
    assert (far.low % 5, far.high % 5) == (0, 0)
    assert far.low < 55 < far.high


def test_the_sentence_says_what_to_do() -> None:
    assert sentence(screen(), "WAITING", 2) == "前面还有2人，请在候诊区等候，不要走远。"
    assert sentence(screen("PAUSED"), "NEXT", 0) == "医生暂停叫号，下一个就是您，请在候诊区等候。"
    assert sentence(screen("NOT_STARTED"), "WAITING", 2) == "还没有开始叫号，前面还有2人，请在候诊区等候。"
    assert "过号" in sentence(screen(), "PASSED", None)


def test_a_departments_queue_is_reckoned_by_its_pace_or_by_what_it_says() -> None:
    assert minutes_at(screen(gaps=(240,) * 4)) == 12
    assert minutes_at(screen(seconds_each=300)) == 15
    assert minutes_at(screen()) is None


def test_who_is_far_from_their_turn_is_looked_for_seldom() -> None:
    assert look_again(40, 3, Pace(300, 0, MOST)) == timedelta(minutes=15)
    assert look_again(4, 3, None) == timedelta(minutes=1)
