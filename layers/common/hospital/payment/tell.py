"""What a patient is told about money that goes back."""

from __future__ import annotations

from datetime import datetime

from hospital.database.connection import Transaction
from hospital.messages import service as messages
from hospital.messages.rules import time_text, yuan_text
from hospital.patients import store as patients
from hospital.payment.model import WAYS_BACK, Refund


def tell_refund(tx: Transaction, refund: Refund, account_id: str, patient_id: str, about: str, now: datetime) -> None:
    """Queue the message that a refund is on its way, once; and once that it came back in another way after all.

    ``about``: what it opens, as a message stores it.
    """
    key, way = f"{messages.REFUNDED}.{refund.id}", "原路"
    if refund.how is not None:
        key, way = f"{key}.elsewhere", f"以{WAYS_BACK[refund.how]}"
    messages.queue(tx, account_id=account_id, patient_id=patient_id, kind=messages.REFUNDED, key=key, about=about,
                   now=now, data={
                       "patient": patients.patient_name(tx, patient_id), "amount": yuan_text(refund.amount_fen),
                       "time": time_text(now), "note": f"{refund.reason}，已{way}退回"})
