"""Waking a function: a burst makes few calls, and nobody who asked is left out."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from hospital.runtime import cloud


class Platform:
    """What was asked of the platform, and a clock that goes on only while somebody waits."""

    def __init__(self) -> None:
        self.now = 100.0
        self.calls: list[tuple[str, float]] = []
        self.waits: list[float] = []
        self.while_waiting: Callable[[], None] = lambda: None

    def call(self, *args: Any) -> None:
        """A function is to be started."""
        self.calls.append((args[3]["FunctionName"], self.now))

    def sleep(self, seconds: float) -> None:
        """Somebody waits."""
        self.waits.append(seconds)
        self.while_waiting()
        self.now += seconds


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Platform:
    """The platform's side."""
    side = Platform()
    monkeypatch.setattr(cloud, "_wakings", {})
    monkeypatch.setattr(cloud, "_call", side.call)
    monkeypatch.setattr(cloud, "_sleep", side.sleep)
    monkeypatch.setattr(cloud, "_monotonic", lambda: side.now)
    return side


def test_those_who_ask_one_after_another_are_each_served_at_once(platform: Platform) -> None:
    for function in ("worker", "worker", "refund"):
        cloud.wake(function)
    assert ([name for name, _ in platform.calls], platform.waits) == (["worker", "worker", "refund"], [])


def test_of_many_in_a_second_a_few_are_called_at_once_and_the_next_waits_for_more(platform: Platform) -> None:
    for _ in range(cloud.FREELY):
        cloud.wake("worker")
    assert platform.waits == []
    cloud.wake("worker")
    assert platform.waits == [pytest.approx(cloud.GATHERED)]
    assert len(platform.calls) == cloud.FREELY + 1
    platform.now += 1  # a quiet second, and nobody waits any more
    cloud.wake("worker")
    assert len(platform.waits) == 1


def test_who_asks_while_another_is_about_to_call_is_served_by_that_call(platform: Platform) -> None:
    for _ in range(cloud.FREELY):
        cloud.wake("worker")
    served: list[float] = []

    def many() -> None:
        for _ in range(50):
            cloud.wake("worker")
            served.append(platform.now)

    platform.while_waiting = many
    cloud.wake("worker")
    assert (len(platform.calls), len(served)) == (cloud.FREELY + 1, 50)
    assert platform.calls[-1][1] > max(served)  # the call began after they had asked


def test_another_function_is_not_kept_waiting(platform: Platform) -> None:
    for _ in range(cloud.FREELY):
        cloud.wake("worker")
    platform.while_waiting = lambda: cloud.wake("refund")
    cloud.wake("worker")
    assert platform.calls[-2][0] == "refund"
    assert len(platform.waits) == 1


def test_who_asks_while_a_call_is_under_way_makes_another(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go = threading.Semaphore(0), threading.Semaphore(0)

    def call(*args: Any) -> None:  # it may have missed what was written since it began
        platform.call(*args)
        begun.release()
        assert go.acquire(timeout=30)

    monkeypatch.setattr(cloud, "_call", call)
    first, second = (threading.Thread(target=cloud.wake, args=["worker"]) for _ in range(2))
    first.start()
    assert begun.acquire(timeout=30)
    second.start()
    assert begun.acquire(timeout=30)
    go.release(2)
    for one in (first, second):
        one.join(30)
    assert len(platform.calls) == 2


def test_after_a_call_that_failed_the_next_one_is_made(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*args: Any) -> None:
        raise cloud.NoCloud("LimitExceeded")

    with monkeypatch.context() as silent:
        silent.setattr(cloud, "_call", refused)
        cloud.wake("worker")
    cloud.wake("worker")
    assert len(platform.calls) == 1
