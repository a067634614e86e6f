"""The waiting room: the lot says who comes when; asking more often changes nothing, and nobody waits past the rush."""

from __future__ import annotations

import time
from datetime import date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hospital.booking import rules, waiting_room
from hospital.booking.waiting_room import NotYet, TicketRequired
from hospital.database.policy import Policy
from hospital.runtime.clock import BEIJING, at_hospital
from hospital.runtime.errors import Forbidden
from hospital.schedules import rules as schedule_rules
from hospital.security import cipher

ON = Policy(waiting_room_per_second=100, waiting_room_crowd=6000, days_ahead=7)
DAY = date(2026, 11, 30)
RELEASE = datetime(2026, 11, 23, 7, tzinfo=BEIJING)
END = RELEASE + timedelta(seconds=60)
BEFORE = RELEASE - timedelta(minutes=5)
SESSION = "0" * 25 + "S"


@pytest.fixture(autouse=True)
def room(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has a key, knows the policy, and the session's day; it has no database to ask."""
    monkeypatch.setattr(cipher, "_lookup_key", lambda: b"k" * 32)
    monkeypatch.setattr(waiting_room, "_settings", lambda db: ON)
    monkeypatch.setattr(waiting_room, "_days", {SESSION: (DAY, time.monotonic())})


def account(number: int) -> str:
    return f"{number:026d}"


def draw(number: int, now: datetime = BEFORE, settings: Policy = ON) -> waiting_room.Ticket:
    return waiting_room.draw(account(number), SESSION, DAY, settings, now)


def check(ticket: str, now: datetime) -> None:
    nowhere: Any = None
    waiting_room.check(nowhere, ticket, SESSION, now)


def test_a_day_is_released_so_many_days_before_at_the_hospital_s_hour() -> None:
    seven = datetime(2026, 11, 23, 7).time()
    assert schedule_rules.release_of(DAY, ON) == RELEASE == at_hospital(date(2026, 11, 23), seven)
    assert rules.rush_ends(RELEASE, ON) == END


@pytest.mark.parametrize(("now", "needed"), [
    (RELEASE - rules.ROOM_OPENS - timedelta(microseconds=1), False), (RELEASE - rules.ROOM_OPENS, True),
    (END - timedelta(microseconds=1), True), (END, False)])
def test_a_ticket_is_needed_from_ten_minutes_before_the_release_until_all_were_admitted(now: datetime, needed: bool
                                                                                         ) -> None:
    assert rules.is_rush(RELEASE, ON, now) is needed
    if needed:
        with pytest.raises(TicketRequired) as refusal:
            check("", now)
        assert (refusal.value.status, refusal.value.wait) == (429, 1)
    else:
        check("", now)


def test_however_often_and_whenever_one_asks_it_is_the_same_ticket() -> None:
    assert {draw(1, BEFORE + timedelta(seconds=second)) for second in range(300)} == {draw(1)}


def test_the_lot_spreads_a_crowd_over_the_rush_at_the_rate_and_admits_nobody_before_or_after_it() -> None:
    turns = sorted(draw(number).admitted_at for number in range(6000))
    assert RELEASE <= turns[0] <= turns[-1] < END
    for second in range(60):
        begin = RELEASE + timedelta(seconds=second)
        assert 60 <= sum(begin <= turn < begin + timedelta(seconds=1) for turn in turns) <= 140


def test_another_session_is_another_lot() -> None:
    first = [draw(number).admitted_at for number in range(100)]
    other = [waiting_room.draw(account(number), "0" * 25 + "T", DAY, ON, BEFORE).admitted_at for number in range(100)]
    assert first != other


def test_who_comes_before_their_turn_is_told_when_it_is_and_then_let_in() -> None:
    ticket = draw(1)
    for now in (BEFORE, ticket.admitted_at - timedelta(milliseconds=1)):
        with pytest.raises(NotYet) as refusal:
            check(ticket.text, now)
        assert now + timedelta(seconds=refusal.value.wait) == ticket.admitted_at
    check(ticket.text, ticket.admitted_at)


def test_so_many_are_ahead_as_are_admitted_from_the_release_or_from_now_on_before_the_turn() -> None:
    ticket = draw(1)
    after_release = (ticket.admitted_at - RELEASE).total_seconds()
    assert 0 < ticket.ahead < 6000
    assert ticket.ahead == -(-after_release * 100 // 1)
    assert draw(1, RELEASE).ahead == ticket.ahead
    assert draw(1, ticket.admitted_at - timedelta(seconds=0.5)).ahead == min(50, ticket.ahead)
    assert draw(1, ticket.admitted_at).ahead == 0


@pytest.mark.parametrize("change", [
    lambda text: "", lambda text: text[:-1], lambda text: f"{account(2)}{text[26:]}", lambda text: text.upper(),
    lambda text: text[:-1] + ("0" if text[-1] != "0" else "1"), lambda text: f"{text}0", lambda text: "票" * 91])
def test_a_ticket_that_was_not_drawn_here_admits_nobody(change: Any) -> None:
    with pytest.raises(TicketRequired):
        check(change(draw(1).text), END - timedelta(microseconds=1))


def test_a_ticket_for_another_session_admits_nobody() -> None:
    other = waiting_room.draw(account(1), "0" * 25 + "T", DAY, ON, BEFORE)
    with pytest.raises(TicketRequired):
        check(other.text, END - timedelta(microseconds=1))


def test_a_ticket_is_for_the_account_that_drew_it() -> None:
    waiting_room.check_owner(draw(1).text, account(1))
    waiting_room.check_owner("", account(1))
    with pytest.raises(Forbidden):
        waiting_room.check_owner(draw(1).text, account(2))


def test_where_there_is_no_waiting_room_or_the_rush_is_over_no_ticket_is_needed() -> None:
    assert draw(1, settings=Policy()) == waiting_room.Ticket("", RELEASE, 0)
    assert draw(1, END) == waiting_room.Ticket("", END, 0)


def test_a_session_that_was_moved_to_another_day_is_looked_at_again_within_seconds(monkeypatch: pytest.MonkeyPatch
                                                                                  ) -> None:
    moved = DAY + timedelta(days=1)
    monkeypatch.setattr(waiting_room.schedules, "session", lambda db, id_: SimpleNamespace(visit_date=moved))
    with pytest.raises(TicketRequired):  # as it was known a moment ago
        check("", RELEASE)
    monkeypatch.setattr(waiting_room, "_days", {SESSION: (DAY, time.monotonic() - waiting_room.FRESH)})
    check("", RELEASE)
    later = RELEASE + timedelta(days=1)
    ticket = waiting_room.draw(account(1), SESSION, moved, ON, later)
    check(ticket.text, ticket.admitted_at)
    with pytest.raises(TicketRequired):
        check(draw(1).text, later)
