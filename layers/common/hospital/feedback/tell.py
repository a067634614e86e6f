"""What the author of a complaint is told: an account, of its own words; no patient is named."""

from __future__ import annotations

from datetime import datetime

from hospital.database.connection import Transaction
from hospital.feedback import rules
from hospital.feedback.model import Complaint
from hospital.messages import service as messages
from hospital.messages import wording
from hospital.messages.rules import time_text


def tell_received(tx: Transaction, one: Complaint, now: datetime) -> None:
    """It has arrived, and has a number."""
    _tell(tx, one, messages.COMPLAINT_RECEIVED, "医院会在期限内答复，请留意消息" if one.due_at else "感谢您的鼓励", now)


def tell_answered(tx: Transaction, one: Complaint, now: datetime) -> None:
    """There is an answer."""
    _tell(tx, one, messages.COMPLAINT_ANSWERED, "医院已答复，请查看并评价", now)


def _tell(tx: Transaction, one: Complaint, kind: str, note: str, now: datetime) -> None:
    messages.queue(tx, account_id=one.account_id, patient_id=None, kind=kind, key=f"{kind}.{one.id}.{one.round}",
                   about=wording.about("complaint", one.id), now=now,
                   data={"number": rules.spoken(one.number), "time": time_text(now), "note": note})
