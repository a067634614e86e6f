"""What the feature tests share: a session with many places a module, and a whole visit in one call."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from sandbox.people import person
from sandbox.phone import Control, Phone
from scripts import books

Visit = Callable[..., str]
_GIVEN = "舟砚岑湄筠棠榆沅珩翎"


def unheard_name(surname: str = "欧阳") -> str:
    """A doctor's name that nobody else in the hospital has."""
    return surname + "".join(random.sample(_GIVEN, 3))


def open_ward(control: Control, *, date: str = "2026-11-25", period: str = "MORNING", slots: int = 48,
              fee_fen: int = 2500, **more: Any) -> dict[str, Any]:
    """A new doctor's session with many places, as search shows it; ``his`` is the HIS's view."""
    name = unheard_name()
    made = control("POST", "/his/schedules", date=date, period=period, kind="EXPERT", fee_fen=fee_fen, slots=slots,
                   **{"doctor": "new", "doctor_name": name, "department_code": "1101", **more})
    control.operate("schedules.sync", schedule=made["code"])
    found: list[dict[str, Any]] = Phone(control).call("GET", "booking/doctors", params={"q": name})["doctors"]
    return {**found[0]["sessions"][0], "his": made}


@pytest.fixture(scope="module")
def ward(world: Control) -> dict[str, Any]:
    """A session of 48 places on Wednesday morning, 25 yuan, which the tests of one module share."""
    return open_ward(world)


@pytest.fixture
def guest(control: Control) -> Phone:
    """A WeChat user, signed in, who has allowed no message."""
    return Phone(control).sign_in()


@pytest.fixture
def ill(guest: Phone) -> dict[str, Any]:
    """A person bound to ``guest``."""
    return guest.add_patient(person(), relation="SELF")


@pytest.fixture
def visit(control: Control) -> Visit:
    """``visit(phone, patient, session)``: booked, paid and confirmed in the HIS; the booking's id."""

    def make(phone: Phone, patient: dict[str, Any], session: dict[str, Any], **how: Any) -> str:
        held = phone.book(patient["id"], session, **how)
        phone.thumb(phone.open_payment(held["id"]))
        control.settle()
        assert phone.booking(held["id"])["state"] == "CONFIRMED"
        return str(held["id"])

    return make


@pytest.fixture
def trade(control: Control, sql: Callable[..., list[tuple[Any, ...]]]) -> Callable[[str], dict[str, Any]]:
    """``trade(booking_id)``: the registration as the HIS's own books have it."""

    def find(booking_id: str) -> dict[str, Any]:
        number = sql("SELECT trade_no FROM bookings WHERE id = %s", (booking_id,))[0][0]
        return next((one for one in control("GET", "/his/books") if one["trade_no"] == number), {})

    return find


@pytest.fixture
def order(control: Control, sql: Callable[..., list[tuple[Any, ...]]]) -> Callable[[str], dict[str, Any]]:
    """``order(booking_id)``: the order that pays for a booking, as WeChat Pay has it."""

    def find(booking_id: str) -> dict[str, Any]:
        number = sql("SELECT out_trade_no FROM payments WHERE subject_id = %s", (booking_id,))[0][0]
        answer: dict[str, Any] = control("GET", f"/wechatpay/orders/{number}")
        return answer

    return find


@pytest.fixture
def books_agree(control: Control, mysql: str, database_name: str, sql: Callable[..., list[tuple[Any, ...]]]
                ) -> Callable[..., None]:
    """``books_agree(booking_id, …)``: ours, the HIS's and WeChat Pay's books agree on these, and all is settled.

    Only on these: an earlier test's refund may lie in the future since the clock was put back.
    """

    def check(*booking_ids: str) -> None:
        control.settle()
        report = books.compare(control, mysql, database_name)
        for booking_id in booking_ids:
            known = {str(value) for row in sql(
                "SELECT b.id, b.slot_id, s.his_code, p.id FROM bookings b JOIN slots s ON s.id = b.slot_id "
                "LEFT JOIN payments p ON p.subject_id = b.id WHERE b.id = %s", (booking_id,)) for value in row if value}
            assert booking_id in known
            assert [one for one in report.differences + report.pending if any(name in one for name in known)] == []

    return check


@pytest.fixture
def wechat_token_ends(control: Control) -> Callable[[int], None]:
    """``wechat_token_ends(40001)``: WeChat takes the hospital's access token no more."""

    def end(errcode: int) -> None:
        control("POST", "/wechat/tokens/expire", errcode=errcode)

    return end
