"""Calls side by side: bounded in number and time, each outcome its own."""

from __future__ import annotations

import threading

from hospital.gateways import together
from hospital.gateways.outcome import Rejected, Unanswered


def test_each_thing_has_its_own_outcome_in_their_order() -> None:
    def ask(number: int) -> int:
        if number == 2:
            raise Rejected("NO")
        if number == 5:
            raise Unanswered("silence")
        return number * 10

    outcomes = together.each(ask, range(8), seconds=60)
    assert [one if isinstance(one, int) else type(one) for one in outcomes] == [
        0, 10, Rejected, 30, 40, Unanswered, 60, 70]
    problem = together.problem(outcomes)
    assert isinstance(problem, Rejected)
    assert problem.code == "NO"
    assert together.problem([1, None]) is None
    assert isinstance(together.problem([1, Unanswered("silence")]), Unanswered)


def test_no_more_are_asked_at_once_than_a_slow_system_can_bear_and_no_fewer() -> None:
    full, now, most, lock = threading.Barrier(together.AT_ONCE), 0, 0, threading.Lock()

    def ask(_number: int) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        full.wait(timeout=60)  # passes only when so many are under way together
        with lock:
            now -= 1

    together.each(ask, range(together.AT_ONCE * 2), seconds=60)
    assert most == together.AT_ONCE


def test_what_could_not_be_begun_in_time_was_certainly_not_sent() -> None:
    asked: list[int] = []
    outcomes = together.each(asked.append, range(6), seconds=0)
    assert asked == []
    assert [isinstance(one, Unanswered) and not one.sent for one in outcomes] == [True] * 6


def test_after_a_refusal_no_other_is_begun_where_the_whole_is_off() -> None:
    asked: list[int] = []

    def ask(number: int) -> None:
        asked.append(number)
        raise Rejected("NO")

    outcomes = together.each(ask, range(100), seconds=60, stop_at_refusal=True)
    assert len(asked) <= together.AT_ONCE
    assert sum(isinstance(one, Rejected) for one in outcomes) == len(asked)
