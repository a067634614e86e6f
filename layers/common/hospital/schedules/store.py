"""SQL of places: who holds one, taking it, giving it back."""

from __future__ import annotations

from datetime import datetime

from hospital.database import outbox
from hospital.database.connection import Database, Row, Transaction
from hospital.schedules import kept_store as kept
from hospital.schedules.model import Session

Source = Database | Transaction
NEAREST = 64  # of so many free places one is picked at random, when any will do
# Some of the next free places, at random, so that a crowd does not queue for the same one. Read without locks, from
# the index alone. The database draws: fetching all to draw here costs more than everything else in a booking.
SOME_FREE = ("SELECT id, starts_at FROM (SELECT id, starts_at FROM slots WHERE schedule_id = %s AND booking_id IS NULL "
             "AND state = 'OPEN' AND (on_sale_at IS NULL OR on_sale_at <= %s) AND starts_at > %s LIMIT %s) nearest "
             "ORDER BY RAND() LIMIT %s")


def session(source: Source, schedule_id: str) -> Session | None:
    """One session."""
    row = source.one("SELECT id, his_code, his_department, doctor_id, visit_date, period, fee_fen, state, "
                     "starts_at, ends_at, clinic_room, waiting FROM schedules WHERE id = %s", (schedule_id,))
    return Session(**row) if row else None


def id_of_code(source: Source, his_code: str) -> str | None:
    """The session of a code of the HIS; None when it was never taken over, so that nobody here is in it."""
    row = source.one("SELECT id FROM schedules WHERE his_code = %s", (his_code,))
    return str(row["id"]) if row else None


def free_slots(source: Source, schedule_id: str, *, after: datetime, now: datetime, limit: int = 500) -> list[Row]:
    """Places on sale in a session that start after a moment. Read without locks: taking one may still fail."""
    return source.all(
        "SELECT id, number, starts_at, ends_at, his_code FROM slots WHERE schedule_id = %s "
        "AND booking_id IS NULL AND state = 'OPEN' AND (on_sale_at IS NULL OR on_sale_at <= %s) "
        "AND starts_at > %s LIMIT %s", (schedule_id, now, after, limit))


def some_free(source: Source, schedule_id: str, *, after: datetime, now: datetime, limit: int) -> list[Row]:
    """Some of the next free places (id, starts_at). Taking one may still fail."""
    return source.all(SOME_FREE, (schedule_id, now, after, NEAREST, limit))


def slot(source: Source, slot_id: str) -> Row | None:
    """One place."""
    return source.one("SELECT id, schedule_id, number, starts_at, ends_at, his_code FROM slots WHERE id = %s",
                      (slot_id,))


def move_slot(tx: Transaction, slot_id: str, starts_at: datetime, now: datetime) -> None:
    """The HIS has said that a place begins at another time; it stays as long as it was."""
    old = slot(tx, slot_id)
    assert old is not None
    tx.run("UPDATE slots SET starts_at = %s, ends_at = %s, changed_at = %s WHERE id = %s",
           (starts_at, starts_at + (old["ends_at"] - old["starts_at"]), now, slot_id))


def missing_places(source: Source, schedule_id: str) -> int:
    """How many places of a session are held here and listed by the HIS no more."""
    row = source.one("SELECT COUNT(*) AS missing FROM slots WHERE schedule_id = %s AND booking_id IS NOT NULL "
                     "AND missing_since IS NOT NULL", (schedule_id,))
    return int(row["missing"]) if row else 0


def take_slot(tx: Transaction, slot_id: str, booking_id: str, *, after: datetime, now: datetime) -> bool:
    """Take one place. False when somebody else has it, or it is not on sale."""
    return tx.run("UPDATE slots SET booking_id = %s, changed_at = %s WHERE id = %s AND booking_id IS NULL "
                  "AND state = 'OPEN' AND (on_sale_at IS NULL OR on_sale_at <= %s) AND starts_at > %s",
                  (booking_id, now, slot_id, now, after)) == 1


def give_back(tx: Transaction, booking_id: str, *, on_sale_at: datetime | None, sold_elsewhere: bool,
              now: datetime) -> None:
    """The place of a registration is free again, or (sold_elsewhere) closed until the HIS says otherwise.

    Free, it is on sale from ``on_sale_at`` on, or kept for who waits for it. Locks the session, then the place.
    """
    place = tx.one("SELECT schedule_id FROM slots WHERE booking_id = %s", (booking_id,))
    if place is None:
        return
    if not sold_elsewhere and kept.is_awaited(tx, place["schedule_id"]):
        on_sale_at = kept.KEPT
        outbox.publish(tx, kept.OFFER, place["schedule_id"], due=now, now=now)
    tx.run("UPDATE slots SET booking_id = NULL, on_sale_at = %s, state = %s, missing_since = NULL, changed_at = %s "
           "WHERE booking_id = %s", (on_sale_at, "CLOSED" if sold_elsewhere else "OPEN", now, booking_id))


def rooms(source: Source, schedule_ids: list[str]) -> dict[str, Row]:
    """Department and room of some sessions, by id."""
    if not schedule_ids:
        return {}
    marks = ", ".join(["%s"] * len(schedule_ids))
    return {row["id"]: row for row in source.all(
        f"SELECT id, his_department, clinic_room FROM schedules WHERE id IN ({marks})", schedule_ids)}


def goals(source: Source, slot_ids: list[str]) -> dict[str, Row]:
    """Where and when some places are, by id: session, doctor, day, period, time."""
    if not slot_ids:
        return {}
    return {row["id"]: row for row in source.all(
        "SELECT x.id, x.schedule_id, x.starts_at, s.doctor_id, s.visit_date, s.period FROM slots x "
        f"JOIN schedules s ON s.id = x.schedule_id WHERE x.id IN ({', '.join(['%s'] * len(slot_ids))})", slot_ids)}


def hours(source: Source, schedule_id: str) -> tuple[datetime, datetime]:
    """When a session starts and ends."""
    row = source.one("SELECT starts_at, ends_at FROM schedules WHERE id = %s", (schedule_id,))
    assert row is not None
    return row["starts_at"], row["ends_at"]
