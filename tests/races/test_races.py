"""Many at the same moment, and what holds all the same. That each race can be lost: test_without_protection.py."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.races import (
    races_for_bills,
    races_for_clinics,
    races_for_messages,
    races_for_money,
    races_for_places,
    races_for_refunds,
    races_for_voices,
    races_for_waiting,
)
from tests.races.ground import Ground

RACES = (races_for_places.RACES + races_for_money.RACES + races_for_bills.RACES + races_for_refunds.RACES
         + races_for_messages.RACES + races_for_voices.RACES + races_for_clinics.RACES + races_for_waiting.RACES)


@pytest.mark.parametrize("race", RACES, ids=lambda race: race.__name__)
def test_it_holds_that(ground: Ground, race: Callable[[Ground], list[str]]) -> None:
    assert race(ground) == []
