"""What is on sale when, until when it may be cancelled, and how states move."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from itertools import product
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hospital.booking import model, rules
from hospital.booking import store as bookings
from hospital.checkin import rules as checkin_rules
from hospital.database.policy import Policy
from hospital.payment import model as money
from hospital.payment import store as payments
from hospital.runtime.clock import BEIJING, at_hospital, hospital_day
from hospital.runtime.errors import IllegalMove
from hospital.schedules import rules as schedule_rules

MONDAY = date(2026, 11, 23)


def beijing(day: int, hour: int, minute: int = 0, second: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, second, tzinfo=BEIJING)


@pytest.mark.parametrize(("now", "policy", "last"), [
    (beijing(23, 6, 59, 59), Policy(), date(2026, 11, 29)), (beijing(23, 7), Policy(), date(2026, 11, 30)),
    (beijing(23, 0), Policy(release_time=time(0), days_ahead=1), date(2026, 11, 24)),
    (beijing(23, 12), Policy(days_ahead=0), MONDAY), (beijing(23, 6), Policy(days_ahead=0), date(2026, 11, 22)),
    (beijing(23, 23, 59), Policy(release_time=time(20)), date(2026, 11, 30))])
def test_a_day_more_opens_at_the_release_time(now: datetime, policy: Policy, last: date) -> None:
    assert schedule_rules.last_open_day(now, policy) == last
    assert schedule_rules.is_open_day(last, now, policy) is (last >= MONDAY)
    assert not schedule_rules.is_open_day(last + timedelta(days=1), now, policy)


def test_yesterday_is_not_open() -> None:
    assert not schedule_rules.is_open_day(date(2026, 11, 22), beijing(23, 12), Policy())


def test_the_day_is_the_hospitals_not_utcs() -> None:
    assert hospital_day(datetime.fromisoformat("2026-11-22T16:00:00+00:00")) == MONDAY
    assert hospital_day(datetime.fromisoformat("2026-11-22T15:59:59+00:00")) == date(2026, 11, 22)
    assert at_hospital(MONDAY, time(7)) == datetime.fromisoformat("2026-11-22T23:00:00+00:00")


def test_places_close_some_minutes_before_they_start() -> None:
    assert schedule_rules.earliest_start(beijing(23, 8), Policy(same_day_closes_minutes=10)) == beijing(23, 8, 10)


START = beijing(25, 8, 30)


@pytest.mark.parametrize(("policy", "deadline"), [
    (Policy(), START),
    (Policy(cancel_until=time(8)), beijing(25, 8)),
    (Policy(cancel_until=time(9)), START),  # never after it starts
    (Policy(cancel_until=time(18), cancel_days_before=1), beijing(24, 18)),
    (Policy(cancel_days_before=1), beijing(25, 0)),
    (Policy(cancel_days_before=2), beijing(24, 0)),
    (Policy(cancel_days_before=2, cancel_until=time(23, 59)), beijing(23, 23, 59))])
def test_the_cut_off_is_as_the_hospital_says_and_never_after_the_start(policy: Policy, deadline: datetime) -> None:
    assert schedule_rules.cancel_deadline(date(2026, 11, 25), START, policy) == deadline


def test_paying_takes_as_long_as_the_hold_and_never_less_than_a_moment() -> None:
    policy = Policy(pay_minutes_at_least=3)
    until = rules.hold_until(beijing(23, 8, 15), policy)
    assert until == beijing(23, 8, 18)
    assert rules.payment_deadline(beijing(23, 8, 15), until, beijing(23, 8), policy) == beijing(23, 8, 15)
    assert rules.payment_deadline(beijing(23, 8, 15), until, beijing(23, 8, 14), policy) == beijing(23, 8, 17)


def test_nobody_may_pay_for_longer_than_the_his_keeps_the_place_whatever_the_rule_is_now() -> None:
    until = rules.hold_until(beijing(23, 8, 15), Policy(pay_minutes_at_least=3))
    longer = Policy(pay_minutes_at_least=30)
    assert rules.payment_deadline(beijing(23, 8, 15), until, beijing(23, 8, 14), longer) == until


def test_a_place_is_sold_again_at_once_or_within_the_longest_delay() -> None:
    now = beijing(23, 8)
    assert schedule_rules.on_sale_again(now, Policy(), 0.9) is None
    policy = Policy(resale_delay_max_seconds=600)
    assert schedule_rules.on_sale_again(now, policy, 0.0) == now
    assert schedule_rules.on_sale_again(now, policy, 0.5) == now + timedelta(minutes=5)


# -- states -----------------------------------------------------------------------------------------
TABLES: dict[str, Mapping[str, set[str]]] = {
    "booking": model.MOVES, "payment": money.PAYMENT_MOVES, "refund": money.REFUND_MOVES}


def move(table: str, before: str, after: str) -> list[str]:
    """Make a move; the statements it made. Raises IllegalMove."""
    said: list[str] = []
    thing: Any = SimpleNamespace(id="0" * 26, state=before, beside="", patient_id="", schedule_id="", doctor_id="",
                                 visit_date=MONDAY, period="MORNING")
    def run(sql: str, args: Any = ()) -> None:
        said.append(sql)

    def insert(name: str, **row: Any) -> None:
        said.append(name)

    tx: Any = SimpleNamespace(run=run, run_soon=run, insert=insert, insert_soon=insert, all=lambda sql, args=(): [])
    if table == "booking":
        bookings.move(tx, thing, after, beijing(23, 8))
    elif table == "payment":
        payments.move(tx, thing, after)
    else:
        payments.move_refund(tx, thing, after)
    return said


@pytest.mark.parametrize(("table", "before", "after"), [
    (name, before, after) for name, moves in TABLES.items() for before, after in product(moves, moves)])
def test_what_is_in_the_table_may_move_and_every_other_move_raises(table: str, before: str, after: str) -> None:
    if after in TABLES[table][before]:
        assert move(table, before, after)[0].startswith("UPDATE")
    else:
        with pytest.raises(IllegalMove):
            move(table, before, after)


@pytest.mark.parametrize(("table", "terminal"), [
    ("booking", {"REJECTED", "CANCELLED"}), ("payment", {"PAID"}), ("refund", {"SUCCEEDED", "GIVEN_UP", "ELSEWHERE"})])
def test_terminal_states_never_go_back(table: str, terminal: set[str]) -> None:
    moves = TABLES[table]
    assert {state for state, targets in moves.items() if not targets} == terminal
    assert set().union(*moves.values()) <= set(moves)


def test_only_live_states_hold_a_place_and_every_state_is_one_or_the_other() -> None:
    over = set(model.MOVES) - model.LIVE
    assert over == {"RELEASED", "REJECTED", "CANCELLED"}
    # it is left by cancelling, arriving, or the desk's refund; only confirming (or a refused cancellation) leads to it
    assert model.MOVES["CONFIRMED"] == {"CANCELLING", "CHECKED_IN", "CANCELLED"}
    assert {state for state, targets in model.MOVES.items() if "CONFIRMED" in targets} == {"CONFIRMING", "CANCELLING"}


def test_only_money_due_now_needs_payment() -> None:
    def booking(policy: str, fee_fen: int) -> bool:
        return model.Booking.needs_payment.fget(  # type: ignore[attr-defined]
            cast(Any, SimpleNamespace(payment_policy=policy, fee_fen=fee_fen)))

    assert [booking("AT_BOOKING", 1), booking("AT_BOOKING", 0), booking("AT_CHECKIN", 1)] == [True, False, False]


# -- check-in ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(("now", "code"), [
    (beijing(25, 11, 29, 59), "checkin_too_early"), (beijing(25, 11, 30), None), (beijing(25, 16, 59, 59), None),
    (beijing(25, 17), "session_over"), (beijing(26, 0), "session_over"), (beijing(24, 14), "checkin_too_early")])
def test_check_in_is_open_from_its_minute_until_the_session_ends(now: datetime, code: str | None) -> None:
    opens, closes = checkin_rules.checkin_window(beijing(25, 13, 30), beijing(25, 17), Policy())
    refusal = checkin_rules.checkin_refusal(now, opens, closes)
    assert (refusal[0] if refusal else None) == code


@pytest.mark.parametrize(("minutes", "opens"), [(0, beijing(25, 8)), (30, beijing(25, 7, 30)), (1440, beijing(24, 8))])
def test_check_in_opens_some_minutes_before_the_session(minutes: int, opens: datetime) -> None:
    assert checkin_rules.checkin_window(beijing(25, 8), beijing(25, 12), Policy(checkin_opens_minutes=minutes)) == (
        opens, beijing(25, 12))


def test_who_is_too_early_hears_the_hospital_s_time() -> None:
    utc = datetime.fromisoformat("2026-11-24T22:00:00+00:00")
    refusal = checkin_rules.checkin_refusal(utc - timedelta(seconds=1), utc, beijing(25, 12))
    assert refusal == ("checkin_too_early", "尚未到取号时间，请于11月25日06:00后取号。")
