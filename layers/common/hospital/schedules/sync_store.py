"""SQL of sessions and slots as the HIS gives them. Whoever holds a place here is never overwritten."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from hospital.database.connection import Database, Row, Transaction
from hospital.gateways.his import schedules as his_schedules
from hospital.runtime.ids import new_id


def known_schedules(db: Database, first: date, last: date, only: str) -> dict[str, Row]:
    """The sessions of some days (or the one of a HIS code), by HIS code."""
    where, args = _which(first, last, only)
    return {row["his_code"]: row for row in db.all(f"SELECT s.* FROM schedules s WHERE {where}", args)}


def known_slots(db: Database, first: date, last: date, only: str) -> dict[str, dict[str, Row]]:
    """Their slots: by session, then by HIS code."""
    where, args = _which(first, last, only)
    slots: dict[str, dict[str, Row]] = {}
    for row in db.all("SELECT x.schedule_id, x.his_code, x.state, x.starts_at, x.ends_at, x.booking_id FROM slots x "
                      f"JOIN schedules s ON s.id = x.schedule_id WHERE {where}", args):
        slots.setdefault(row["schedule_id"], {})[row["his_code"]] = row
    return slots


def insert_schedule(tx: Transaction, his_code: str, values: Row) -> str:
    """A new session; its id."""
    schedule_id = new_id()
    tx.insert("schedules", id=schedule_id, his_code=his_code, **values)
    return schedule_id


def update_schedule(tx: Transaction, schedule_id: str, values: Row) -> None:
    """Some columns of a session."""
    tx.run(f"UPDATE schedules SET {', '.join(f'{name} = %s' for name in values)} WHERE id = %s",
           (*values.values(), schedule_id))


def insert_slots(tx: Transaction, schedule_id: str, slots: list[his_schedules.Slot], now: datetime) -> None:
    """New slots."""
    tx.insert_many("slots", [
        {"id": new_id(), "schedule_id": schedule_id, "his_code": slot.code, "number": slot.number,
         "starts_at": slot.starts_at, "ends_at": slot.ends_at, "state": state_of(slot), "changed_at": now}
        for slot in slots])


def update_slot(tx: Transaction, his_code: str, *, asked_at: datetime, **values: Any) -> int:
    """Some columns of a slot that nobody holds here; not when it changed since the HIS was asked. 1 or 0."""
    return tx.run(f"UPDATE slots SET {', '.join(f'{name} = %s' for name in values)}, changed_at = %s "
                  "WHERE his_code = %s AND booking_id IS NULL AND changed_at <= %s",
                  (*values.values(), asked_at, his_code, asked_at))


def state_of(slot: his_schedules.Slot) -> str:
    """Our state of a slot that nobody holds here."""
    return "OPEN" if slot.state == "FREE" else "CLOSED"


def _which(first: date, last: date, only: str) -> tuple[str, tuple[Any, ...]]:
    return ("s.his_code = %s", (only,)) if only else ("s.visit_date BETWEEN %s AND %s", (first, last))
