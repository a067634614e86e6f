"""Answers that are the same for everybody: afresh for few, one a second for many, and never old."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hospital.runtime import shared
from hospital.runtime.errors import NotFound
from hospital.runtime.shared import Answers


class Clock:
    """Goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


class Source:
    """Something that changes, and how often it was asked."""

    def __init__(self) -> None:
        self.value, self.asked = 0, 0

    def __call__(self) -> bytes:
        self.asked += 1
        return b"%d" % self.value


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def answers(clock: Clock) -> Answers:
    return Answers(clock)


def test_who_asks_alone_is_answered_afresh_however_often_they_do(answers: Answers, clock: Clock) -> None:
    source = Source()
    for number in range(3 * shared.MANY):
        source.value = number
        assert answers.get("a", source).body == b"%d" % number
        clock.now += 2 / shared.MANY


def test_while_many_ask_it_is_made_once_in_its_time_and_then_anew(answers: Answers, clock: Clock) -> None:
    source = Source()
    for _ in range(shared.MANY):
        answers.get("a", source)
    assert source.asked == shared.MANY
    for _ in range(1000):
        assert answers.get("a", source).body == b"0"
    assert source.asked == shared.MANY + 1
    source.value = 7
    clock.now += shared.KEPT - 0.01
    assert answers.get("a", source).body == b"0"
    clock.now += 0.02
    assert answers.get("a", source).body == b"7"
    assert source.asked == shared.MANY + 2
    clock.now += 3  # the rush is over
    source.value = 8
    assert answers.get("a", source).body == b"8"


def test_different_questions_have_different_answers(answers: Answers) -> None:
    for _ in range(3 * shared.MANY):
        assert answers.get("a", lambda: b"one").body == b"one"
        assert answers.get("b", lambda: b"two").body == b"two"


def test_the_tag_changes_with_the_content_and_with_nothing_else(answers: Answers) -> None:
    source = Source()
    tags = [answers.get("a", source).tag for _ in range(3 * shared.MANY)]
    assert len(set(tags)) == 1
    assert tags[0] == Answers().get("b", lambda: b"0").tag != Answers().get("b", lambda: b"1").tag


@pytest.mark.parametrize("seconds", [0, 10 * shared.KEPT])
def test_of_many_at_once_one_makes_the_answer_for_all_who_wait_however_long_it_takes(answers: Answers, clock: Clock,
                                                                                    seconds: float) -> None:
    for _ in range(shared.MANY):
        answers.get("a", lambda: b"before")
    begun, go, made = threading.Event(), threading.Event(), []

    def make() -> bytes:
        made.append(1)
        begun.set()
        assert go.wait(30)
        clock.now += seconds
        return b"after"

    with ThreadPoolExecutor(8) as pool:
        asking = [pool.submit(answers.get, "a", make) for _ in range(8)]
        assert begun.wait(30)
        go.set()
        assert {one.result(30).body for one in asking} == {b"after"}
    assert len(made) == 1


def test_a_refusal_is_made_as_seldom_as_an_answer_and_is_over_as_soon(answers: Answers, clock: Clock) -> None:
    refused = []

    def refuse() -> bytes:
        refused.append(1)
        raise NotFound

    for _ in range(3 * shared.MANY):
        with pytest.raises(NotFound):
            answers.get("a", refuse)
    assert len(refused) == shared.MANY + 1
    clock.now += shared.KEPT + 0.01
    assert answers.get("a", lambda: b"there").body == b"there"


def test_what_fails_otherwise_is_tried_again_by_the_next(answers: Answers) -> None:
    def fail() -> bytes:
        raise OSError

    for _ in range(3 * shared.MANY):
        with pytest.raises(OSError):
            answers.get("a", fail)
    assert answers.get("a", lambda: b"there").body == b"there"


def test_many_other_questions_do_not_make_a_frequent_one_forgotten(answers: Answers) -> None:
    source = Source()
    for number in range(2000):
        answers.get("hot", source)
        answers.get(f"other-{number}", lambda: b"")
    assert source.asked <= shared.MANY + 2


def test_a_thousand_different_questions_take_no_more_room_than_the_most(answers: Answers) -> None:
    for number in range(4 * shared.MOST):
        answers.get(str(number), lambda: b"")
    assert len(answers._questions) <= shared.MOST
