"""The audit: who did what to what, when, with what result. Rows are only ever added."""

from __future__ import annotations

from datetime import datetime

from hospital.database.connection import Transaction
from hospital.runtime.ids import new_id


def record(tx: Transaction, *, actor: str, action: str, subject: str, result: str, now: datetime) -> None:
    """Add an entry. ``actor`` is ``account:<id>``, ``operator:<name>`` or ``system``; ids only."""
    tx.insert("audit", id=new_id(), at=now, actor=actor, action=action, subject=subject, result=result)
