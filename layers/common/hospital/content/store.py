"""SQL of the hospital's texts: what is agreed to or only read, each by purpose and version."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from hospital.database.connection import Database, Row, Transaction


def texts_in_force(source: Database | Transaction, purposes: Sequence[str], now: datetime) -> list[Row]:
    """The text in force for each of these purposes: its newest version."""
    return source.all("SELECT t.purpose, t.version, t.title, t.body, t.effective_at FROM consent_texts t "
                      f"WHERE t.purpose IN ({', '.join(['%s'] * len(purposes))}) AND t.version = "
                      "(SELECT MAX(n.version) FROM consent_texts n WHERE n.purpose = t.purpose "
                      "AND n.effective_at <= %s) ORDER BY t.purpose", (*purposes, now))
