"""SQL of check-ins."""

from __future__ import annotations

from datetime import date, datetime

from hospital.booking.model import Booking
from hospital.checkin.model import MOVES, CheckIn
from hospital.database.connection import Database, Row, Transaction
from hospital.runtime.errors import IllegalMove

Source = Database | Transaction


def insert(tx: Transaction, checkin: CheckIn) -> None:
    """A new attempt. Raises Duplicate when the registration has a live one."""
    tx.insert("checkins", id=checkin.id, booking_id=checkin.booking_id, account_id=checkin.account_id,
              state=checkin.state, expires_at=checkin.expires_at, created_at=checkin.created_at,
              changed_at=checkin.created_at)


def by_id(source: Source, checkin_id: str, *, lock: bool = False) -> CheckIn | None:
    """One attempt."""
    row = source.one(f"SELECT * FROM checkins WHERE id = %s{' FOR UPDATE' if lock else ''}", (checkin_id,))
    return CheckIn.of(row) if row else None


def live(source: Source, booking_id: str) -> CheckIn | None:
    """The attempt of a registration that is under way or done."""
    row = source.one("SELECT * FROM checkins WHERE booking_id = %s AND live_flag = 1", (booking_id,))
    return CheckIn.of(row) if row else None


def move(tx: Transaction, checkin: CheckIn, state: str, now: datetime, *, reason: str = "") -> None:
    """Move a locked attempt along the table. Raises IllegalMove."""
    if state not in MOVES[checkin.state]:
        raise IllegalMove(f"check-in {checkin.id}: {checkin.state} to {state}")
    tx.run("UPDATE checkins SET state = %s, reason = %s, changed_at = %s WHERE id = %s",
           (state, reason[:48], now, checkin.id))


def unpaid(source: Source, account_id: str, patient_id: str, *, until: datetime) -> list[str]:
    """The attempts that wait for a payment of an account for a patient, made until then."""
    return [row["id"] for row in source.all(
        "SELECT c.id FROM bookings b JOIN checkins c ON c.booking_id = b.id WHERE b.account_id = %s "
        "AND b.patient_id = %s AND b.live_flag = 1 AND c.state = 'AWAITING_PAYMENT' AND c.created_at <= %s "
        "ORDER BY c.id", (account_id, patient_id, until))]


def end_now(tx: Transaction, checkin_id: str, now: datetime) -> None:
    """The time to pay is over."""
    tx.run("UPDATE checkins SET expires_at = %s WHERE id = %s", (now, checkin_id))


def of_day(source: Source, account_id: str, day: date) -> list[Booking]:
    """The account's registrations of a day that stand, the earliest first."""
    rows: list[Row] = source.all(
        "SELECT * FROM bookings WHERE account_id = %s AND visit_date = %s AND state IN ('CONFIRMED', 'CHECKED_IN') "
        "ORDER BY starts_at, id", (account_id, day))
    return [Booking.of(row) for row in rows]
