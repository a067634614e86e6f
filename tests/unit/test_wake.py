"""Waking a function: a burst makes few calls, and nobody who asked is left out."""

from __future__ import annotations

import itertools
import threading
from typing import Any

import pytest
from hospital.runtime import cloud


class Tickets:
    """As the house's own, telling ``taken`` of each."""

    def __init__(self, taken: threading.Semaphore) -> None:
        self._numbers, self._taken = itertools.count(1), taken

    def __next__(self) -> int:
        number = next(self._numbers)
        self._taken.release()
        return number


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The functions that the platform was asked to start."""
    seen: list[str] = []
    monkeypatch.setattr(cloud, "_served", {})
    monkeypatch.setattr(cloud, "_call", lambda *args: seen.append(args[3]["FunctionName"]))
    return seen


def test_one_call_serves_all_who_asked_before_it_began(monkeypatch: pytest.MonkeyPatch) -> None:
    taken, begun, go = threading.Semaphore(0), threading.Semaphore(0), threading.Semaphore(0)
    seen: list[str] = []

    def call(*args: Any) -> None:
        seen.append(args[3]["FunctionName"])
        begun.release()
        assert go.acquire(timeout=30)

    monkeypatch.setattr(cloud, "_served", {})
    monkeypatch.setattr(cloud, "_tickets", Tickets(taken))
    monkeypatch.setattr(cloud, "_call", call)
    callers = [threading.Thread(target=cloud.wake, args=["worker"]) for _ in range(9)]
    callers[0].start()
    assert begun.acquire(timeout=30)
    for one in callers[1:]:  # they ask while the first call is under way: it may have missed what they wrote
        one.start()
    for _ in range(2 + 8):
        assert taken.acquire(timeout=30)
    go.release(2)
    for one in callers:
        one.join(30)
    assert seen == ["worker", "worker"]


def test_those_who_ask_one_after_another_are_each_served(calls: list[str]) -> None:
    for function in ("worker", "worker", "refund"):
        cloud.wake(function)
    assert calls == ["worker", "worker", "refund"]
