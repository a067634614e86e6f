"""How a statement is shown to operators: sums only, fit for a log."""

from __future__ import annotations

from datetime import date
from typing import Any

from hospital.database.connection import Database
from hospital.reconciliation import store


def show(db: Database, day: date) -> dict[str, Any] | None:
    """A day's statement: counts and sums (fen) by source, movement and state; None when there is none."""
    statement = store.row(db, day)
    if statement is None:
        return None
    return {
        "day": str(day), "state": statement["state"], "waiting_for": statement["waiting_for"],
        "file": statement["file_key"], "open_lines": store.open_count(db, day),
        "sums": [{"source": one["source"], "movement": one["movement"], "state": one["state"],
                  "lines": one["line_count"], "ours_fen": int(one["ours_fen"]), "theirs_fen": int(one["theirs_fen"])}
                 for one in store.sums(db, day)]}
