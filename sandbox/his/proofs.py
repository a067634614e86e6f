"""What only the patient has in hand: the card, and the number on a visit's ticket or a receipt."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sandbox.clock import Clock
from sandbox.his.bills import Bills
from sandbox.his.model import BEIJING, Registration
from sandbox.his.patients import Patients
from sandbox.his.trades import Trades
from sandbox.his.wire import Fields

NUMBER = r"[0-9A-Za-z_-]{4,64}"


class Proofs:
    """Answers whether two numbers belong together. The owner holds its lock around every call."""

    def __init__(self, clock: Clock, patients: Patients, bills: Bills, trades: Trades) -> None:
        self._clock = clock
        self._patients = patients
        self._bills = bills
        self._trades = trades

    def check(self, body: dict[str, Any], patient_code: str) -> dict[str, Any]:
        """Whether the card is this patient's and the number one of a visit or a receipt of theirs, and of which day.

        Raises Refused PATIENT_UNKNOWN, INVALID_FIELD.
        """
        fields = Fields(body, ("card_number", "number"))
        card, number = fields.text("card_number", r"[0-9]{6,20}"), fields.text("number", NUMBER)
        day = self._day_of(patient_code, number) if self._patients.has_card(patient_code, card) else None
        return {"known": day is not None, "date": day.isoformat() if day else None}

    def _day_of(self, patient_code: str, number: str) -> date | None:
        now = self._clock.now()
        for visit in self._trades.of_kind(Registration):
            if visit.patient_code == patient_code and visit.code == number and visit.state_at(now) == "CONFIRMED":
                return _day(visit.changed_at(now))
        return next((_day(bill.created_at) for bill in self._bills.all()
                     if bill.patient_code == patient_code and bill.settlement_no == number), None)


def _day(moment: datetime) -> date:
    return moment.astimezone(BEIJING).date()
