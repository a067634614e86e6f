"""A day on which registrations were moved and paid back closes like any other: every list agrees in every line."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from sandbox.phone import Control
from tests.faults.outpatient import Care
from tests.features.closing import Day
from tests.features.conftest import finish
from tests.features.test_stopped_clinics import move

Open = Callable[..., dict[str, Any]]


@pytest.mark.feature("remind.clinic-stopped")
@pytest.mark.parametrize("cancel", [False, True], ids=["kept in the HIS", "cancelled along with the session"])
def test_the_statement_of_a_day_with_moves_agrees(control: Control, today: Day, patient_of: Care, new_session: Open,
                                                  visit: Any, cancel: bool) -> None:
    phone, patient, later = patient_of.phone, {"id": patient_of.patient_id}, str(today.day + timedelta(days=2))
    sessions = [new_session(date=later) for _ in range(3)]
    dearer, cheaper = new_session(date=later, fee_fen=4000), new_session(date=later, fee_fen=1000)
    bookings = [visit(phone, patient, one) for one in sessions]
    for session in sessions:
        control("POST", f"/his/schedules/{session['his']['code']}/stop", tell=True, cancel=cancel)
    control.settle()
    phone.thumb(move(phone, bookings[0], dearer)["payment"])
    move(phone, bookings[1], cheaper)
    phone.call("POST", f"booking/bookings/{bookings[2]}/cancellation")
    for _ in range(3):
        finish(control)
    assert [phone.booking(one)["fee_fen"] for one in bookings[:2]] == [4000, 1000]
    assert phone.booking(bookings[2])["state"] == "CANCELLED"
    assert today.close() == 1
    shown = today.shown()
    assert (shown["state"], shown["open_lines"]) == ("DONE", 0)
    sums = {key[:2]: both for key, both in today.sums().items() if key[1] != "OTHER"}
    assert {key[2] for key in today.sums()} == {"AGREED"}
    # three fees, then the two that moved under their new numbers, and what one of them cost more
    assert sums["HIS", "SETTLEMENT"] == (6, 12500, 12500)
    assert sums["HIS", "REVERSAL"] == (3, -7500, -7500)
    assert sums["WECHAT", "CAPTURE"] == (4, 9000, 9000)
    assert sums["WECHAT", "REFUND"] == (2, -4000, -4000)
