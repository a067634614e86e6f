"""What a patient is told about money that goes back."""

from __future__ import annotations

from datetime import datetime

from hospital.database.connection import Transaction
from hospital.messages import service as messages
from hospital.messages.rules import time_text, yuan_text
from hospital.patients import store as patients
from hospital.payment.model import Refund


def tell_refund(tx: Transaction, refund: Refund, account_id: str, patient_id: str, now: datetime) -> None:
    """Queue the message that a refund is on its way, once."""
    messages.queue(tx, account_id=account_id, kind=messages.REFUNDED, key=f"{messages.REFUNDED}.{refund.id}", now=now,
                   data={"patient": patients.patient_name(tx, patient_id), "amount": yuan_text(refund.amount_fen),
                         "time": time_text(now), "note": f"{refund.reason}，已原路退回"})
