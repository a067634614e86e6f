"""The order of several examinations: never worse than the best of all orders, which small cases try one by one."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import permutations

import pytest
from hospital.guide.order import EXACT, Cost, Stop, best, weigh
from hospital.runtime.clock import BEIJING
from hypothesis import given, settings
from hypothesis import strategies as st

EIGHT = datetime(2026, 11, 23, 8, 0, tzinfo=BEIJING)


def at(minutes: int) -> datetime:
    return EIGHT + timedelta(minutes=minutes)


@st.composite
def a_stop(draw: st.DrawFn, number: int) -> Stop:
    """Any stop: closed for a while, open in two parts, hungry, full, after earlier ones of the list."""
    opens = draw(st.integers(-30, 120))
    hours = draw(st.sampled_from([(), ((at(opens), at(opens + 60)),),
                                  ((at(opens), at(opens + 40)), (at(opens + 90), at(opens + 400)))]))
    preparation = draw(st.sampled_from(["", "", "fasting", "full"]))
    after = draw(st.frozensets(st.integers(0, number - 1), max_size=2)) if number else frozenset()
    return Stop(wait=draw(st.integers(0, 40)), minutes=draw(st.integers(1, 30)), fasting=preparation == "fasting",
                full_bladder=preparation == "full", ready_at=at(60) if preparation == "full" else None, hours=hours,
                after=after)


@st.composite
def a_case(draw: st.DrawFn) -> tuple[list[Stop], list[list[int]]]:
    """Up to five stops, and minutes between them and from where one is."""
    number = draw(st.integers(1, 5))
    stops = [draw(a_stop(one)) for one in range(number)]
    return stops, [[draw(st.integers(0, 15)) for _ in range(number)] for _ in range(number + 1)]


def by_trying_all(stops: list[Stop], minutes: list[list[int]]) -> Cost:
    """The cheapest of all orders of all parts of the list."""
    numbers = range(len(stops))
    costs = [cost for length in range(len(stops) + 1) for order in permutations(numbers, length)
             if (cost := weigh(stops, order, lambda one, other: minutes[one + 1][other], EIGHT)) is not None]
    return min(costs)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(a_case())
def test_no_order_is_better_than_the_one_found(case: tuple[list[Stop], list[list[int]]]) -> None:
    stops, minutes = case
    found = best(stops, lambda one, other: minutes[one + 1][other], EIGHT)
    assert found.cost == by_trying_all(stops, minutes)
    order = [one.stop for one in found.visits]
    assert sorted([*order, *found.missed]) == list(range(len(stops)))
    assert weigh(stops, order, lambda one, other: minutes[one + 1][other], EIGHT) == found.cost


@pytest.mark.feature("guide.execution")
def test_an_empty_stomach_comes_first_and_a_full_bladder_last() -> None:
    stops = [Stop(full_bladder=True, ready_at=at(60)), Stop(minutes=5), Stop(fasting=True, wait=30)]
    assert [one.stop for one in best(stops, lambda *_: 5, EIGHT).visits] == [2, 1, 0]


def test_what_closes_soon_comes_before_what_would_be_nearer() -> None:
    stops = [Stop(minutes=20), Stop(minutes=20, hours=((at(0), at(30)),))]
    found = best(stops, lambda one, other: 0 if other == 0 else 8, EIGHT)
    assert ([one.stop for one in found.visits], found.missed) == ([1, 0], ())


def test_what_is_not_open_yet_does_not_hold_the_others_up() -> None:
    stops = [Stop(hours=((at(120), at(300)),)), Stop(), Stop()]
    assert [one.stop for one in best(stops, lambda *_: 5, EIGHT).visits][-1] == 0


def test_what_must_come_after_another_waits_for_it_or_is_left_when_that_is_closed() -> None:
    stops = [Stop(after=frozenset({1})), Stop(minutes=30)]
    assert [one.stop for one in best(stops, lambda *_: 1, EIGHT).visits] == [1, 0]
    closed = [stops[0], Stop(hours=((at(-60), at(-30)),))]
    assert best(closed, lambda *_: 1, EIGHT).missed == (0, 1)


def test_a_long_queue_is_gone_to_when_that_costs_least() -> None:
    stops = [Stop(wait=60, hours=((at(0), at(75)),)), Stop(wait=0)]
    assert [one.stop for one in best(stops, lambda *_: 1, EIGHT).visits] == [0, 1]


def test_of_more_stops_than_are_weighed_one_by_one_none_is_lost() -> None:
    stops = [Stop(minutes=5, fasting=number == 7, wait=number) for number in range(EXACT + 3)]
    found = best(stops, lambda one, other: abs(one - other), EIGHT)
    assert sorted(one.stop for one in found.visits) == list(range(EXACT + 3))
    assert found.visits[0].stop == 7
