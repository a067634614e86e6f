"""SQL of missed visits and blocks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from hospital.booking.block_store import note_place
from hospital.database.connection import Database, Row, Transaction
from hospital.noshow.model import By, NoShow
from hospital.patients.record_store import SAME
from hospital.runtime.ids import new_id
from hospital.security import cipher

Source = Database | Transaction
# The firm registrations of a hospital day's sessions that are over; by the sessions, which have an index by day.
_FIRM = ("FROM schedules s JOIN bookings b ON b.schedule_id = s.id AND b.live_flag = 1 "
         "WHERE s.visit_date = %s AND s.ends_at <= %s AND b.state IN ('CONFIRMED', 'CHECKED_IN')")
_COUNTED = f"patient_id IN {SAME} AND visit_date >= %s AND taken_back_at IS NULL AND block_id IS NULL"


def is_any_firm(source: Source, day: date, ended_before: datetime) -> bool:
    """Whether there is a firm registration of a day of which the HIS may know something."""
    return source.one(f"SELECT b.id {_FIRM} LIMIT 1", (day, ended_before)) is not None


def undecided(source: Source, day: date, ended_before: datetime) -> list[Row]:
    """The firm registrations of a day whose attendance is not known: id, state; those that would not count are none."""
    return source.all(f"SELECT b.id, b.state {_FIRM} AND b.attendance IS NULL AND s.state = 'OPEN' "
                      "AND b.free_cancel_until IS NULL ORDER BY b.id", (day, ended_before))


def of_trades(source: Source, trade_nos: Sequence[str]) -> dict[str, Row]:
    """The firm registrations (id, attendance) of some numbers in the HIS."""
    if not trade_nos:
        return {}
    return {row["trade_no"]: row for row in source.all(
        "SELECT id, trade_no, state, attendance FROM bookings WHERE state IN ('CONFIRMED', 'CHECKED_IN') "
        f"AND trade_no IN ({', '.join(['%s'] * len(trade_nos))})", tuple(trade_nos))}


# -- missed visits ----------------------------------------------------------------------------------
def insert(tx: Transaction, one: NoShow, now: datetime) -> None:
    """A missed visit. Raises Duplicate."""
    tx.insert("no_shows", id=one.id, booking_id=one.booking_id, account_id=one.account_id, patient_id=one.patient_id,
              visit_date=one.visit_date, is_proven=one.is_proven, created_at=now)


def counted(source: Source, patient_id: str, since: date) -> list[NoShow]:
    """What a person has missed from a day on that has not led to a block yet, by whichever document and account."""
    return [NoShow.of(row) for row in source.all(f"SELECT * FROM no_shows WHERE {_COUNTED} ORDER BY id",
                                                 (patient_id, since))]


def no_show(source: Source, no_show_id: str) -> NoShow | None:
    """One missed visit."""
    row = source.one("SELECT * FROM no_shows WHERE id = %s", (no_show_id,))
    return NoShow.of(row) if row else None


def of_booking(source: Source, booking_id: str) -> NoShow | None:
    """The missed visit of a registration."""
    row = source.one("SELECT * FROM no_shows WHERE booking_id = %s", (booking_id,))
    return NoShow.of(row) if row else None


def of_patient(source: Source, patient_id: str, limit: int) -> list[Row]:
    """What a person has ever missed, the latest first."""
    return source.all(f"SELECT * FROM no_shows WHERE patient_id IN {SAME} ORDER BY id DESC LIMIT %s",
                      (patient_id, limit))


def take_back(tx: Transaction, no_show_id: str, by: By, now: datetime) -> bool:
    """It counts no more. False when it did not before."""
    return tx.run("UPDATE no_shows SET taken_back_at = %s, taken_back_by = %s WHERE id = %s AND taken_back_at IS NULL",
                  (now, by, no_show_id)) == 1


# -- blocks -----------------------------------------------------------------------------------------
def insert_block(tx: Transaction, *, patient_id: str, source: str, reach: str, missed: int, note: str,
                 ends_at: datetime, now: datetime) -> str:
    """Somebody may not book from now on; the block's id."""
    block_id = new_id()
    tx.insert("booking_blocks", id=block_id, patient_id=patient_id, source=source, reach=reach, missed=missed,
              note_enc=cipher.seal(note, note_place(block_id)) if note else None, begins_at=now, ends_at=ends_at)
    return block_id


def spend(tx: Transaction, no_show_ids: Sequence[str], block_id: str) -> None:
    """These have led to a block."""
    tx.run(f"UPDATE no_shows SET block_id = %s WHERE id IN ({', '.join(['%s'] * len(no_show_ids))})",
           (block_id, *no_show_ids))


def left_of(source: Source, block_id: str) -> int:
    """How many of those that led to a block still count."""
    row = source.one("SELECT COUNT(*) AS number FROM no_shows WHERE block_id = %s AND taken_back_at IS NULL",
                     (block_id,))
    return int(row["number"]) if row else 0


def free(tx: Transaction, block_id: str) -> None:
    """What led to a block that should not have been counts again."""
    tx.run("UPDATE no_shows SET block_id = NULL WHERE block_id = %s", (block_id,))


def block(source: Source, block_id: str, *, lock: bool = False) -> Row | None:
    """One block."""
    return source.one("SELECT id, patient_id, source, reach, missed, begins_at, ends_at, lifted_at "
                      f"FROM booking_blocks WHERE id = %s{' FOR UPDATE' if lock else ''}", (block_id,))


def lift(tx: Transaction, block_id: str, by: By, now: datetime) -> bool:
    """End a block before its time. False when it had ended."""
    return tx.run("UPDATE booking_blocks SET lifted_at = %s, lifted_by = %s WHERE id = %s AND lifted_at IS NULL "
                  "AND ends_at > %s", (now, by, block_id, now)) == 1


def blocks_of(source: Source, patient_id: str, limit: int) -> list[Row]:
    """Every block of a person, the latest first."""
    return source.all(f"SELECT * FROM booking_blocks WHERE patient_id IN {SAME} ORDER BY id DESC LIMIT %s",
                      (patient_id, limit))


def blocks_in_force(source: Source, now: datetime, after: str, limit: int) -> list[Row]:
    """Blocks that hold now, in the order in which they began, from one's id on."""
    return source.all("SELECT * FROM booking_blocks WHERE ends_at > %s AND lifted_at IS NULL AND id > %s "
                      "ORDER BY id LIMIT %s", (now, after, limit))
