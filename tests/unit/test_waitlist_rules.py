"""When an offer is made, and how long it is good."""

from __future__ import annotations

from datetime import datetime, time, timedelta

import pytest
from hospital.database.policy import Policy
from hospital.runtime.clock import BEIJING
from hospital.waitlist import rules
from hospital.waitlist.model import MOVES


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=BEIJING)


@pytest.mark.parametrize(("now", "starts", "again"), [
    (at(23, 9), at(25, 8), None), (at(23, 21, 59), at(25, 8), None), (at(23, 7), at(25, 8), None),
    (at(23, 22), at(25, 8), at(24, 7)), (at(24, 3), at(25, 8), at(24, 7)), (at(24, 6, 59), at(25, 8), at(24, 7)),
    (at(24, 6), at(24, 8), None),  # it begins within two hours: it can't wait for the morning
    (at(24, 2), at(24, 8), at(24, 6)), (at(23, 23), at(24, 8), at(24, 6))])
def test_who_sleeps_is_offered_nothing_but_what_can_not_wait(now: datetime, starts: datetime, again: datetime | None
                                                            ) -> None:
    assert rules.quiet_until(now, starts, Policy()) == again


def test_a_hospital_without_a_night_has_none() -> None:
    policy = Policy(waitlist_offers_from=time(0), waitlist_offers_until=time(23, 59, 59))
    assert rules.quiet_until(at(24, 3), at(25, 8), policy) is None
    across = Policy(waitlist_offers_from=time(20), waitlist_offers_until=time(8))
    assert [rules.quiet_until(at(24, hour), at(26, 8), across) for hour in (21, 3, 12)] == [None, None, at(24, 20)]


def test_an_offer_is_good_for_so_many_minutes_and_not_past_its_beginning() -> None:
    assert rules.offer_ends(at(24, 9), at(24, 12), Policy(waitlist_offer_minutes=45)) == at(24, 9, 45)
    assert rules.offer_ends(at(24, 9), at(24, 9, 20), Policy()) == at(24, 9) + timedelta(minutes=20)


def test_an_entry_comes_back_only_from_an_offer() -> None:
    assert {state for state, moves in MOVES.items() if "WAITING" in moves} == {"OFFERED"}
    assert MOVES["LEFT"] == MOVES["SKIPPED"] == MOVES["ENDED"] == set()
