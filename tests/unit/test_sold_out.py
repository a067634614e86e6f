"""A session that was seen sold out is refused for a second without the database, and not a moment longer."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hospital.booking import sold_out, store

NOW = datetime(2026, 11, 23, tzinfo=timezone.utc)
A_MOMENT = timedelta(microseconds=1)
HOLDER, OTHER = "holder-token-" + "x" * 20, "other-token-" + "x" * 20


@pytest.fixture(autouse=True)
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The sessions whose holders were asked for."""
    asked: list[str] = []

    def holders(db: Any, schedule_id: str) -> list[bytes]:
        asked.append(schedule_id)
        return [hashlib.sha256(HOLDER.encode()).digest()]

    monkeypatch.setattr(store, "tokens_of_holders", holders)
    monkeypatch.setattr(sold_out, "_seen", {})
    return asked


def saw(at: datetime = NOW) -> None:
    sold_out.saw(None, "S", at)  # type: ignore[arg-type]


def test_nobody_is_refused_before_it_was_seen_sold_out() -> None:
    assert not sold_out.any_seen()
    assert not sold_out.refuses("S", OTHER, NOW)
    saw()
    assert sold_out.any_seen()
    assert not sold_out.refuses("another", OTHER, NOW)


def test_it_is_refused_for_a_second_and_no_longer() -> None:
    saw()
    assert sold_out.refuses("S", OTHER, NOW)
    assert sold_out.refuses("S", OTHER, NOW + sold_out.LOOK_AGAIN - A_MOMENT)
    assert not sold_out.refuses("S", OTHER, NOW + sold_out.REFUSED)
    assert not sold_out.any_seen()


def test_a_clock_that_was_set_back_refuses_nobody() -> None:
    saw()
    assert not sold_out.refuses("S", OTHER, NOW - A_MOMENT)


def test_who_holds_a_place_of_it_is_let_through_to_their_own_answer() -> None:
    saw()
    assert not sold_out.refuses("S", HOLDER, NOW)
    assert sold_out.refuses("S", OTHER, NOW)


def test_near_the_end_one_goes_and_looks_while_the_others_are_still_refused(looks: list[str]) -> None:
    saw()
    later = NOW + sold_out.LOOK_AGAIN
    assert [sold_out.refuses("S", OTHER, later) for _ in range(5)] == [False, True, True, True, True]
    saw(later)
    assert sold_out.refuses("S", OTHER, later + sold_out.LOOK_AGAIN - A_MOMENT)
    assert looks == ["S", "S"]


def test_when_who_went_to_look_does_not_come_back_another_one_goes() -> None:
    saw()
    later = NOW + sold_out.LOOK_AGAIN
    assert not sold_out.refuses("S", OTHER, later)  # a token that opens nothing: it is turned away before it looks
    assert sold_out.refuses("S", OTHER, later + A_MOMENT)
    assert [sold_out.refuses("S", OTHER, later + sold_out.ANOTHER) for _ in range(3)] == [False, True, True]


def test_many_who_see_it_at_once_ask_for_its_holders_once(looks: list[str]) -> None:
    for milliseconds in range(50):
        saw(NOW + timedelta(milliseconds=milliseconds))
    assert looks == ["S"]


def test_a_place_that_came_back_here_is_on_sale_at_once() -> None:
    saw()
    sold_out.forget("S")
    assert not sold_out.refuses("S", OTHER, NOW)
