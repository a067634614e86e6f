"""Asking both sides about what stands still: within a time, the first ones first, and the rest at the next look."""

from __future__ import annotations

import itertools
import time

import pytest
from hospital.gateways import wechatpay
from hospital.gateways.his import trades
from hospital.gateways.outcome import Unanswered
from hospital.reconciliation import stuck

ORDERS = [f"S{number:02}" for number in range(60)]
NUMBERS = [(f"P{number:02}", f"T{number:02}") for number in range(60)]


def test_both_sides_say_what_they_know_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wechatpay, "query_order", lambda number: None)
    monkeypatch.setattr(trades, "check_trade", lambda number: None)
    said = stuck.ask(["A", "B", "C"], [("P1", "T1"), ("", "T2"), ("P3", "")], 60)
    assert said == {"A": ["WeChat Pay: unknown", "HIS: unknown"], "B": ["HIS: unknown"], "C": ["WeChat Pay: unknown"]}


def test_no_question_is_begun_after_the_time_is_over_and_the_first_ones_were_asked(monkeypatch: pytest.MonkeyPatch
                                                                                  ) -> None:
    clock = itertools.count(0, 5)  # nobody answers: each look at the clock is five seconds later

    def silent(number: str) -> None:
        raise Unanswered("read timed out")

    monkeypatch.setattr(wechatpay, "query_order", silent)
    monkeypatch.setattr(trades, "check_trade", silent)
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    said = stuck.ask(ORDERS, NUMBERS, 100)
    monkeypatch.undo()
    assert 0 < len(said) < 21
    assert set(said) <= set(ORDERS[:25])
    assert set(map(tuple, said.values())) == {("WeChat Pay: unanswered: read timed out",
                                               "HIS: unanswered: read timed out")}
    left = [one for one in ORDERS if one not in said]
    assert list(stuck.ask(left[:3], NUMBERS[:3], 0)) == []
