"""All instances together keep one pace: what one has reserved another waits for, and nothing is saved up."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest
from hospital.security import limits

from tests.in_process import own_database

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=timezone.utc)
EACH = timedelta(milliseconds=10)  # a hundred a second


def test_who_comes_next_waits_for_what_others_have_reserved(mysql: str, database_name: str,
                                                            monkeypatch: pytest.MonkeyPatch) -> None:
    db = own_database(mysql, f"{database_name}_pace", monkeypatch)
    try:
        waits = [limits.reserve(db, "bulk_messages", 20, EACH, NOW) for _ in range(3)]
        assert waits == [timedelta(0), EACH * 20, EACH * 40]
        later = NOW + timedelta(seconds=10)  # nobody sent for a while: that is not made up for
        assert [limits.reserve(db, "bulk_messages", 20, EACH, later) for _ in range(2)] == [timedelta(0), EACH * 20]
        yesterday = NOW - timedelta(days=1)  # another clock
        assert limits.reserve(db, "bulk_messages", 20, EACH, yesterday) == timedelta(0)
        assert limits.reserve(db, "something_else", 20, EACH, NOW) == timedelta(0)
    finally:
        db.close()


def test_many_at_once_reserve_one_after_the_other(mysql: str, database_name: str, monkeypatch: pytest.MonkeyPatch
                                                  ) -> None:
    db = own_database(mysql, f"{database_name}_pace", monkeypatch)

    def reserve(_: int) -> timedelta:
        try:
            return limits.reserve(db, "bulk_messages", 10, EACH, NOW)
        finally:
            db.close()

    limits.reserve(db, "bulk_messages", 10, EACH, NOW)
    with ThreadPoolExecutor(8) as pool:
        waits = sorted(pool.map(reserve, range(16)))
    db.close()
    assert waits == [EACH * 10 * number for number in range(1, 17)]
