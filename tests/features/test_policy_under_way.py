"""What is under way carries the policy it began with; a changed one is for what begins after."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.phone import Control, Refused
from tests.faults.conftest import Visit
from tests.faults.outpatient import Care

Open = Callable[..., dict[str, Any]]


@pytest.fixture
def held(control: Control, sql: Callable[..., list[tuple[Any, ...]]], mysql: str, database_name: str, new_session: Open
         ) -> Visit:
    """A place taken, not locked in the HIS yet."""
    visit = Visit(control, sql, new_session(slots=1), (mysql, database_name))
    visit.book()
    return visit


def test_a_lock_that_is_repeated_after_the_policy_changed_is_the_same_lock(held: Visit, policy: Callable[..., None]
                                                                           ) -> None:
    held.control.fault("his", "lock_registration", "cut_after")
    with pytest.raises(Refused) as silent:
        held.phone.open_payment(held.id)
    assert silent.value.code == "his_unavailable"
    policy(pay_minutes_at_least=20, hold_minutes=40)
    assert held.open()
    held.pay()
    held.work()
    held.check("CONFIRMED")


def test_nobody_can_pay_after_the_his_has_let_the_place_go(held: Visit, policy: Callable[..., None]) -> None:
    policy(pay_minutes_at_least=30)
    held.control.advance(14 * 60)
    assert held.open()
    until, deadline = held.sql("SELECT b.hold_until, p.expires_at FROM bookings b JOIN payments p "
                               "ON p.subject_id = b.id WHERE b.id = %s", (held.id,))[0]
    assert deadline <= until


def test_bills_that_are_being_paid_stay_locked_when_the_time_to_pay_is_shortened(care: Care, policy: Callable[..., None]
                                                                                ) -> None:
    policy(order_pay_minutes=60)
    bill = care.bill(2500)
    shown = care.phone.bills(care.patient_id)
    order = care.phone.order(care.patient_id, [one for one in shown if one["bill_no"] == bill])
    care.id = order["id"]
    policy(order_pay_minutes=2)
    care.payment = care.phone.open_order(care.id)
    care.control.advance(59 * 60)
    with pytest.raises(Refused):
        care.control("POST", f"/his/bills/{bill}/pay-at-desk")  # nor can the desk take money for it meanwhile
    care.pay()
    care.work()
    care.check("DONE")
    assert care.order()["refunds"] == []


def test_the_cut_off_that_was_shown_is_the_one_that_holds(
        control: Control, sql: Callable[..., list[tuple[Any, ...]]], mysql: str, database_name: str, new_session: Open,
        policy: Callable[..., None]) -> None:
    visit = Visit(control, sql, new_session(date="2026-11-24"), (mysql, database_name))
    visit.held_and_paid()
    visit.work()
    until = visit.shown()["cancel_until"]
    policy(cancel_days_before=1, cancel_until="07:00")  # half an hour ago
    assert (visit.shown()["cancel_until"], visit.shown()["can_cancel"]) == (until, True)
    visit.cancel()
    visit.work()
    visit.check("CANCELLED")
    visit.book()
    assert visit.shown()["cancel_until"] != until
