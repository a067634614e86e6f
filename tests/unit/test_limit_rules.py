"""What a limit tells, whom an address stands for, and the part of it that needs no database."""

from __future__ import annotations

from contextvars import copy_context
from datetime import datetime, timedelta, timezone

import pytest
from hospital.booking import rules
from hospital.booking.model import Counts
from hospital.database.policy import Policy, Rate
from hospital.runtime import once
from hospital.runtime.clock import hospital_day, later_text
from hospital.runtime.errors import TooMany
from hospital.runtime.ids import first_of, new_id
from hospital.runtime.network import network
from hospital.security import limits

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=timezone.utc)  # ten in the morning
NONE = Counts(live=0, that_day=0, unpaid=0, unpaid_until=None, given_up=0, given_up_since=None)


@pytest.mark.parametrize(("wait", "said"), [
    (0, "1秒后"), (0.2, "1秒后"), (29.1, "30秒后"), (60, "60秒后"), (61, "2分钟后"), (3600, "60分钟后"),
    (3601, "今天11:01后"), (14 * 3600 - 61, "今天23:59后"), (14 * 3600, "明天00:01后"), (40 * 3600, "11月25日02:01后")])
def test_a_wait_is_told_as_a_person_says_it_and_never_too_short(wait: float, said: str) -> None:
    assert later_text(wait, NOW) == said


@pytest.mark.parametrize(("text", "named"), [
    ("1.2.3.4", "1.2.3.4"), ("::ffff:1.2.3.4", "1.2.3.4"), ("2001:db8:0:1:2::3", "2001:db8:0:1::/64"),
    ("2001:db8:0:1:ffff::", "2001:db8:0:1::/64"), ("2001:db8:0:2::1", "2001:db8:0:2::/64"), ("::1", "::/64"),
    ("", ""), ("0", ""), ("1.2.3", ""), ("1.2.3.4, 5.6.7.8", ""), ("fe80::1%eth0", "fe80::/64"), ("张", "")])
def test_an_address_stands_for_its_subscriber(text: str, named: str) -> None:
    assert network(text) == named


def test_every_limit_has_its_setting_and_every_setting_its_limit() -> None:
    settings = {name for name in Policy.model_fields if name.startswith("limit_")}
    used = {*limits.NAMES, "booking"}
    assert settings == {f"limit_{name}" for name in used}
    assert all(isinstance(getattr(Policy(), name), Rate) for name in settings)
    assert set(limits.NAMES) >= limits.OPEN


def test_an_id_made_at_a_moment_is_after_the_earliest_of_it() -> None:
    now = datetime.now(timezone.utc)
    made = new_id()
    assert first_of(now - timedelta(milliseconds=2)) < made < first_of(now + timedelta(seconds=5))
    assert len(first_of(now)) == 26


# -- what an instance counts by itself --------------------------------------------------------------
@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """An instance that has counted nothing yet, outside any request."""
    monkeypatch.setattr(limits, "_here", {})
    once._done.set(None)


def tries(settings: Policy, key: str, moments: list[float]) -> list[float | None]:
    """Of a try at each moment (s from now): None, or how long one has to wait."""
    said: list[float | None] = []
    for at in moments:
        try:
            limits.here("booking", key, settings, NOW + timedelta(seconds=at))
        except TooMany as refusal:
            said.append(refusal.wait)
        else:
            said.append(None)
    return said


def test_an_instance_lets_a_burst_through_then_one_at_a_time() -> None:
    settings = Policy(limit_booking=Rate(burst=3, seconds=10))
    assert tries(settings, "a", [0, 0, 0, 0, 4, 9.9, 10, 10, 40, 40, 40, 40]) == [
        None, None, None, 10, 6, pytest.approx(0.1), None, 10, None, None, None, 10]
    assert tries(settings, "b", [0]) == [None]


def test_a_request_that_is_run_again_counts_once() -> None:
    settings = Policy(limit_booking=Rate(burst=1, seconds=10))

    def request() -> list[float | None]:
        once.begin()
        return tries(settings, "e", [0, 0])

    assert copy_context().run(request) == [None, None]
    assert copy_context().run(request) == [10, 10]  # another one is refused


def test_a_clock_that_was_put_back_locks_nobody_out() -> None:
    settings = Policy(limit_booking=Rate(burst=1, seconds=10))
    assert tries(settings, "c", [100_000, 0, 0]) == [None, None, 10]


def test_an_instance_remembers_only_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_KEPT", 5)
    settings = Policy(limit_booking=Rate(burst=1, seconds=10))
    for key in "defghijklmnop":
        assert tries(settings, key, [0]) == [None]
    assert len(limits._here) <= 5


# -- places -----------------------------------------------------------------------------------------
def test_as_many_places_as_allowed_may_be_unpaid_and_no_more() -> None:
    policy = Policy(unpaid_places_per_account=3)
    at_most = Counts(0, 0, 3, NOW + timedelta(minutes=9), 0, None)
    assert rules.too_many_unpaid(Counts(0, 0, 2, NOW, 0, None), policy, NOW) is None
    refusal = rules.too_many_unpaid(at_most, policy, NOW)
    assert refusal is not None
    assert (refusal.code, refusal.wait, refusal.status) == ("too_many_unpaid", 540, 429)
    assert "9分钟后" in refusal.message


def test_as_many_places_as_allowed_may_be_given_up_in_a_day_and_no_more() -> None:
    policy = Policy(given_up_places_per_account_and_day=3)
    since = NOW - timedelta(hours=20)
    assert rules.too_many_unpaid(Counts(0, 0, 0, None, 2, since), policy, NOW) is None
    refusal = rules.too_many_unpaid(Counts(0, 0, 0, None, 3, since), policy, NOW)
    assert refusal is not None
    assert (refusal.code, refusal.wait) == ("too_many_given_up", 4 * 3600)
    assert rules.too_many_unpaid(NONE, Policy(), NOW) is None


def test_as_many_places_as_allowed_may_be_had_on_trust_and_no_more() -> None:
    policy = Policy(places_on_trust_per_account=3)
    day = hospital_day(NOW) + timedelta(days=1)
    assert rules.too_many_unpaid(Counts(0, 0, 0, None, 0, None, 2, day), policy, NOW) is None
    refusal = rules.too_many_unpaid(Counts(0, 0, 0, None, 0, None, 3, day), policy, NOW)
    assert refusal is not None
    assert (refusal.code, refusal.wait) == ("too_many_on_trust", 38 * 3600)
