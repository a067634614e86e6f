"""Ids by time, and ids derived from what must not be shown."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

from hospital.runtime import ids


def test_the_first_id_of_a_moment_parts_what_was_made_before_from_what_is_made_after() -> None:
    now = datetime.now(timezone.utc)
    one = ids.new_id()
    assert ids.first_of(now - timedelta(milliseconds=1)) < one < ids.first_of(now + timedelta(seconds=5))
    assert ids.first_of(now - timedelta(days=1)) < ids.first_of(now)


def test_a_derived_id_is_the_same_each_time_and_says_nothing_of_its_secret() -> None:
    secret = bytes(range(32))
    assert ids.derived(secret) == ids.derived(secret) != ids.derived(secret[::-1])
    assert re.fullmatch("[0-9A-HJKMNP-TV-Z]{26}", ids.derived(secret))
