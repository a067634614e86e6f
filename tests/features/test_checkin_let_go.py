"""A fee on arrival that is being paid while its account loses the right to act for the patient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.people import person
from sandbox.phone import Control, Phone, Refused

Ask = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def someone() -> dict[str, Any]:
    """Who is ill."""
    return person()


@pytest.fixture
def mine(guest: Phone, someone: dict[str, Any]) -> dict[str, Any]:
    """The same, bound to ``guest``."""
    return guest.add_patient(someone)


@pytest.fixture
def booking(control: Control, guest: Phone, mine: dict[str, Any], new_session: Callable[..., dict[str, Any]],
            policy: Callable[..., None]) -> str:
    """A registration of this morning that is to be paid on arrival."""
    policy(payment="AT_CHECKIN")
    held = guest.book(mine["id"], new_session(date="2026-11-23"))["id"]
    guest.call("POST", f"booking/bookings/{held}/payment")
    control.settle()
    assert guest.booking(held)["state"] == "CONFIRMED"
    return str(held)


def withdraw(phone: Phone, patient: dict[str, Any]) -> None:
    phone.call("POST", "account/consents/withdrawal", {"patient_id": patient["id"], "purpose": "HEALTH_DATA"})


@pytest.mark.parametrize("how", ["withdrawn", "unbound", "bound anew"])
def test_a_payment_on_arrival_is_closed_when_its_account_may_act_for_the_patient_no_more(
        control: Control, guest: Phone, someone: dict[str, Any], mine: dict[str, Any], booking: str, sql: Ask, how: str
        ) -> None:
    payment = guest.check_in(booking)["payment"]
    if how == "withdrawn":
        withdraw(guest, mine)
    else:
        guest.call("DELETE", f"account/patients/{mine['id']}")
    if how == "bound anew":
        guest.add_patient(someone)
    control.settle()
    [(state, number)] = sql("SELECT c.state, p.out_trade_no FROM checkins c JOIN payments p ON p.subject_id = c.id "
                            "WHERE c.booking_id = %s", (booking,))
    assert (state, control("GET", f"/wechatpay/orders/{number}")["state"]) == ("EXPIRED", "CLOSED")
    with pytest.raises(Refused):
        guest.thumb(payment)
    assert guest.booking(booking)["state"] == "CONFIRMED"  # what is firm stays its account's to cancel
    if how == "bound anew":
        guest.thumb(guest.check_in(booking)["payment"])
        control.settle()
        assert guest.booking(booking)["state"] == "CHECKED_IN"


def test_a_payment_on_arrival_that_is_made_before_it_could_be_closed_checks_in(
        control: Control, guest: Phone, mine: dict[str, Any], booking: str, trade: Callable[[str], dict[str, Any]],
        money_agrees: Callable[[Phone], None]) -> None:
    control("POST", "/wechatpay/notices/mode", hold=True)
    guest.thumb(guest.check_in(booking)["payment"])
    withdraw(guest, mine)
    control("POST", "/wechatpay/notices/mode", hold=False)
    control.settle()
    assert trade(booking)["checked_in"] is True
    money_agrees(guest)
