"""SQL of what a visit is made of."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime

from hospital.booking.model import Booking
from hospital.database.connection import Database, Row

LIVE = ("HELD", "AWAITING_PAYMENT", "CONFIRMING", "CONFIRMED", "CHECKED_IN")


def current(db: Database, account_id: str, patient_ids: Collection[str], since: date, limit: int) -> list[Booking]:
    """The registrations of these patients that stand and are not long past, the earliest first."""
    if not patient_ids:
        return []
    states, patients = (", ".join(["%s"] * len(some)) for some in (LIVE, patient_ids))
    return [Booking.of(row) for row in db.all(
        f"SELECT * FROM bookings WHERE account_id = %s AND visit_date >= %s AND state IN ({states}) "
        f"AND patient_id IN ({patients}) ORDER BY starts_at, id LIMIT %s",
        (account_id, since, *LIVE, *sorted(patient_ids), limit))]


def moves(db: Database, booking_id: str) -> list[Row]:
    """Every step that a registration took: to_state, reason, at."""
    return db.all("SELECT to_state, reason, at FROM booking_history WHERE booking_id = %s ORDER BY id", (booking_id,))


def orders_since(db: Database, account_id: str, patient_id: str, since: datetime, until: datetime) -> list[str]:
    """The orders that an account made for a patient in a time."""
    return [row["id"] for row in db.all(
        "SELECT id FROM charge_orders WHERE account_id = %s AND patient_id = %s AND created_at >= %s "
        "AND created_at < %s ORDER BY id", (account_id, patient_id, since, until))]


def executed(db: Database, bill_nos: list[str], since: datetime) -> list[Row]:
    """When the hospital said that something of these bills was done: bill_no, at."""
    if not bill_nos:
        return []
    marks = ", ".join(["%s"] * len(bill_nos))
    return db.all("SELECT bill_no, occurred_at AS at FROM his_events WHERE type = 'ITEM_EXECUTED' "
                  f"AND received_at >= %s AND bill_no IN ({marks}) ORDER BY occurred_at", (since, *bill_nos))
