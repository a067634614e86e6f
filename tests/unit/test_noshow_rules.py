"""What counts as missed, since when, and for how long it bars."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hospital.database.policy import Policy
from hospital.noshow import rules
from hospital.runtime.clock import BEIJING


def at(month: int, day: int, hour: int = 0) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=BEIJING)


@pytest.mark.parametrize(("day", "policy", "since"), [
    (date(2026, 11, 26), Policy(), date(2025, 11, 27)),
    (date(2026, 8, 31), Policy(no_show_window_months=6), date(2026, 3, 1)),
    (date(2026, 11, 26), Policy(no_show_window="CALENDAR"), date(2026, 1, 1)),
    (date(2026, 11, 26), Policy(no_show_window="CALENDAR", no_show_window_months=6), date(2026, 7, 1)),
    (date(2026, 6, 30), Policy(no_show_window="CALENDAR", no_show_window_months=6), date(2026, 1, 1)),
    (date(2026, 11, 26), Policy(no_show_window="CALENDAR", no_show_window_months=3), date(2026, 10, 1)),
    (date(2026, 11, 26), Policy(no_show_window="CALENDAR", no_show_window_months=1), date(2026, 11, 1))])
def test_missed_visits_count_since(day: date, policy: Policy, since: date) -> None:
    assert rules.counted_since(day, policy) == since


@pytest.mark.parametrize(("now", "months", "ends"), [
    (at(11, 26, 20), 1, at(12, 26)), (at(8, 31, 9), 6, datetime(2027, 2, 28, tzinfo=BEIJING)),
    (at(11, 26, 20), 0, at(12, 1)), (at(12, 1), 0, datetime(2027, 1, 1, tzinfo=BEIJING))])
def test_a_block_is_over_when_a_day_begins(now: datetime, months: int, ends: datetime) -> None:
    assert rules.block_ends(now, Policy(no_show_block_months=months)) == ends


def test_the_usual_variants_are_told_in_a_sentence_and_fit_a_message() -> None:
    usual = {
        "一年内爽约满3次，暂停预约1个月。": Policy(),
        "半年内爽约满3次，暂停预约6个月。": Policy(no_show_window_months=6, no_show_block_months=6),
        "当月爽约满4次，暂停预约到当月底。": Policy(no_shows_to_block=4, no_show_window="CALENDAR",
                                        no_show_window_months=1, no_show_block_months=0)}
    for text, policy in usual.items():
        assert rules.rule_text(policy).startswith(text)
        assert len(rules.missed_note(100, policy)) <= 20
    nobody = Policy(no_shows_to_block=0)
    assert "暂停" not in rules.rule_text(nobody) + rules.missed_note(1, nobody)


def test_what_the_hospital_called_off_or_changed_counts_for_nobody() -> None:
    def counts(state: str, free_until: datetime | None) -> bool:
        return rules.counts(cast(Any, SimpleNamespace(free_cancel_until=free_until)),
                            cast(Any, SimpleNamespace(state=state)))

    assert counts("OPEN", None)
    assert not counts("STOPPED", None)
    assert not counts("GONE", None)
    assert not counts("OPEN", at(11, 26))


def test_a_session_is_over_some_time_after_its_end() -> None:
    session = cast(Any, SimpleNamespace(ends_at=at(11, 26, 12)))
    grace = timedelta(minutes=Policy().no_show_grace_minutes)
    assert rules.is_over(session, at(11, 26, 12) + grace, Policy())
    assert not rules.is_over(session, at(11, 26, 12) + grace - timedelta(seconds=1), Policy())
