"""SQL of registrations and the places they hold."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from hospital.booking.model import MOVES, Booking, Session
from hospital.database.connection import Database, Row, Transaction
from hospital.runtime.errors import IllegalMove
from hospital.runtime.ids import new_id

Source = Database | Transaction
NEAREST = 64  # of so many free places one is picked at random, when any will do


# -- taking and giving back a place -----------------------------------------------------------------
def session(source: Source, schedule_id: str) -> Session | None:
    """One session."""
    row = source.one("SELECT id, his_code, his_department, doctor_id, visit_date, period, fee_fen, state "
                     "FROM schedules WHERE id = %s", (schedule_id,))
    return Session(**row) if row else None


def free_slots(source: Source, schedule_id: str, *, after: datetime, now: datetime, limit: int = 500) -> list[Row]:
    """Places on sale in a session that start after a moment. Read without locks: taking one may still fail."""
    return source.all(
        "SELECT id, number, starts_at, ends_at, his_code FROM slots WHERE schedule_id = %s "
        "AND booking_id IS NULL AND state = 'OPEN' AND (on_sale_at IS NULL OR on_sale_at <= %s) "
        "AND starts_at > %s LIMIT %s", (schedule_id, now, after, limit))


def some_free(source: Source, schedule_id: str, *, after: datetime, now: datetime, limit: int) -> list[Row]:
    """Some of the next free places (id, starts_at), at random, so that a crowd does not queue for the same one.

    Read without locks, from the index alone. The database draws: fetching all to draw here costs more than
    everything else in a booking.
    """
    return source.all(
        "SELECT id, starts_at FROM (SELECT id, starts_at FROM slots WHERE schedule_id = %s AND booking_id IS NULL "
        "AND state = 'OPEN' AND (on_sale_at IS NULL OR on_sale_at <= %s) AND starts_at > %s LIMIT %s) nearest "
        "ORDER BY RAND() LIMIT %s", (schedule_id, now, after, NEAREST, limit))


def slot(source: Source, slot_id: str) -> Row | None:
    """One place."""
    return source.one("SELECT id, schedule_id, number, starts_at, ends_at, his_code FROM slots WHERE id = %s",
                      (slot_id,))


def take_slot(tx: Transaction, slot_id: str, booking_id: str, *, after: datetime, now: datetime) -> bool:
    """Take one place. False when somebody else has it, or it is not on sale."""
    return tx.run("UPDATE slots SET booking_id = %s, changed_at = %s WHERE id = %s AND booking_id IS NULL "
                  "AND state = 'OPEN' AND (on_sale_at IS NULL OR on_sale_at <= %s) AND starts_at > %s",
                  (booking_id, now, slot_id, now, after)) == 1


def give_back(tx: Transaction, booking_id: str, *, on_sale_at: datetime | None, sold_elsewhere: bool,
              now: datetime) -> None:
    """The place of a registration is free again, or (sold_elsewhere) closed until the HIS says otherwise."""
    tx.run("UPDATE slots SET booking_id = NULL, on_sale_at = %s, state = %s, changed_at = %s "
           "WHERE booking_id = %s", (on_sale_at, "CLOSED" if sold_elsewhere else "OPEN", now, booking_id))


# -- registrations ----------------------------------------------------------------------------------
def insert(tx: Transaction, booking: Booking, now: datetime) -> None:
    """A new registration. Raises Duplicate("bookings_live") when the patient has one like it."""
    tx.insert("bookings", id=booking.id, account_id=booking.account_id, patient_id=booking.patient_id,
              schedule_id=booking.schedule_id, slot_id=booking.slot_id, doctor_id=booking.doctor_id,
              visit_date=booking.visit_date, period=booking.period, starts_at=booking.starts_at,
              fee_fen=booking.fee_fen, payment_policy=booking.payment_policy, state=booking.state,
              trade_no=booking.trade_no, expires_at=booking.expires_at, created_at=now, changed_at=now)


def booking(source: Source, booking_id: str, *, lock: bool = False) -> Booking | None:
    """One registration."""
    row = source.one(f"SELECT * FROM bookings WHERE id = %s{' FOR UPDATE' if lock else ''}", (booking_id,))
    return Booking.of(row) if row else None


def of_account(source: Source, account_id: str, booking_id: str) -> Booking | None:
    """One of the account's registrations; None when unknown or another's."""
    row = source.one("SELECT * FROM bookings WHERE id = %s AND account_id = %s", (booking_id, account_id))
    return Booking.of(row) if row else None


def page_of_account(source: Source, account_id: str, before: str, limit: int) -> list[Booking]:
    """The account's registrations, newest first, older than the id ``before`` (empty: from the newest)."""
    return [Booking.of(row) for row in source.all(
        "SELECT * FROM bookings WHERE account_id = %s AND id < %s ORDER BY id DESC LIMIT %s",
        (account_id, before or "Z" * 26, limit))]


def move(tx: Transaction, booking_: Booking, state: str, now: datetime, *, reason: str = "", **changes: Any) -> None:
    """Move a locked registration along the table and write its history. Raises IllegalMove, Duplicate."""
    if state not in MOVES[booking_.state]:
        raise IllegalMove(f"booking {booking_.id}: {booking_.state} to {state}")
    columns = {"state": state, "reason": reason, "changed_at": now, **changes}
    names = ", ".join(f"{name} = %s" for name in columns)
    tx.run(f"UPDATE bookings SET {names} WHERE id = %s", (*columns.values(), booking_.id))
    tx.insert("booking_history", id=new_id(), booking_id=booking_.id, from_state=booking_.state,
              to_state=state, reason=reason, at=now)


def mark_locked(tx: Transaction, booking_id: str) -> None:
    """The HIS holds the place under the registration's number."""
    tx.run("UPDATE bookings SET his_locked = 1 WHERE id = %s", (booking_id,))


def end_hold(tx: Transaction, booking_id: str, now: datetime) -> None:
    """The patient gives up: the hold ends now."""
    tx.run("UPDATE bookings SET expires_at = %s WHERE id = %s", (now, booking_id))


def live_counts(tx: Transaction, patient_id: str, day: date, today: date) -> tuple[int, int]:
    """The patient's live registrations from today on, and those on one day."""
    row = tx.one("SELECT COUNT(*) AS total, COALESCE(SUM(visit_date = %s), 0) AS that_day FROM bookings "
                 "WHERE patient_id = %s AND live_flag = 1 AND visit_date >= %s", (day, patient_id, today))
    assert row is not None
    return int(row["total"]), int(row["that_day"])


def live_on_schedule(source: Source, schedule_id: str) -> int:
    """How many live registrations a session has."""
    row = source.one("SELECT COUNT(*) AS live FROM bookings WHERE schedule_id = %s AND live_flag = 1", (schedule_id,))
    return int(row["live"]) if row else 0


def rooms(source: Source, schedule_ids: list[str]) -> dict[str, Row]:
    """Department and room of some sessions, by id."""
    if not schedule_ids:
        return {}
    marks = ", ".join(["%s"] * len(schedule_ids))
    return {row["id"]: row for row in source.all(
        f"SELECT id, his_department, clinic_room FROM schedules WHERE id IN ({marks})", schedule_ids)}


def doctors_seen(source: Source, account_id: str, limit: int = 20) -> list[str]:
    """Doctors the account's patients were registered with before, the latest first (quick registration)."""
    return [row["doctor_id"] for row in source.all(
        "SELECT doctor_id, MAX(id) AS latest FROM bookings WHERE account_id = %s "
        "AND state IN ('CONFIRMED', 'CHECKED_IN', 'CANCELLING', 'CANCELLED') GROUP BY doctor_id "
        "ORDER BY latest DESC LIMIT %s",
        (account_id, limit))]
