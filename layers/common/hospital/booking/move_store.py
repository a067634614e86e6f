"""SQL of what patients choose when a session is stopped or changed: choices, and moves to another place."""

from __future__ import annotations

from datetime import date, datetime

from hospital.booking.model import MOVE_MOVES, Choice, Move
from hospital.database.connection import Database, Transaction
from hospital.runtime.errors import IllegalMove
from hospital.runtime.ids import new_id

Source = Database | Transaction


# -- choices ----------------------------------------------------------------------------------------
def open_choice(tx: Transaction, booking_id: str, schedule_id: str, choose_until: datetime, now: datetime) -> str:
    """A choice that is open from now on; its id. Raises Duplicate when the registration has one."""
    choice_id = new_id()
    tx.insert("booking_choices", id=choice_id, booking_id=booking_id, schedule_id=schedule_id, state="OPEN",
              choose_until=choose_until, created_at=now, changed_at=now)
    return choice_id


def choice(source: Source, choice_id: str) -> Choice | None:
    """One choice."""
    row = source.one("SELECT * FROM booking_choices WHERE id = %s", (choice_id,))
    return Choice.of(row) if row else None


def choices_of(source: Source, booking_ids: list[str]) -> dict[str, Choice]:
    """The open choices of some registrations, by registration."""
    if not booking_ids:
        return {}
    return {row["booking_id"]: Choice.of(row) for row in source.all(
        f"SELECT * FROM booking_choices WHERE open_flag = 1 AND booking_id IN ({_marks(booking_ids)})", booking_ids)}


def choice_of(source: Source, booking_id: str) -> Choice | None:
    """The open choice of a registration."""
    return choices_of(source, [booking_id]).get(booking_id)


def was_told(source: Source, booking_id: str, schedule_id: str) -> bool:
    """Whether a registration has, or had, a choice because of this session, and it is not open again since."""
    return source.one("SELECT id FROM booking_choices WHERE booking_id = %s AND schedule_id = %s "
                      "AND state <> 'WITHDRAWN' LIMIT 1", (booking_id, schedule_id)) is not None


def open_of_session(source: Source, schedule_id: str) -> list[Choice]:
    """The choices that are open because of a session."""
    return [Choice.of(row) for row in source.all(
        "SELECT * FROM booking_choices WHERE schedule_id = %s AND open_flag = 1 ORDER BY id", (schedule_id,))]


def close_choice(tx: Transaction, booking_id: str, state: str, now: datetime) -> bool:
    """The open choice of a registration (locked) has ended so. False when there is none."""
    return tx.run("UPDATE booking_choices SET state = %s, changed_at = %s WHERE booking_id = %s AND open_flag = 1",
                  (state, now, booking_id)) == 1


def untold(source: Source, today: date, now: datetime) -> list[str]:
    """The sessions that take place no more, and in which firm registrations have no choice yet; the first first."""
    return [row["id"] for row in source.all(
        "SELECT s.id FROM schedules s WHERE s.visit_date >= %s AND s.ends_at > %s AND s.state <> 'OPEN' AND EXISTS "
        "(SELECT 1 FROM bookings b WHERE b.schedule_id = s.id AND b.live_flag = 1 AND b.state = 'CONFIRMED' "
        "AND NOT EXISTS (SELECT 1 FROM booking_choices c WHERE c.booking_id = b.id AND c.schedule_id = s.id "
        "AND c.state <> 'WITHDRAWN')) ORDER BY s.visit_date, s.id", (today, now))]


def with_patients(source: Source, today: date, now: datetime) -> int:
    """How many sessions that take place have firm registrations."""
    row = source.one(
        "SELECT COUNT(*) AS many FROM schedules s WHERE s.visit_date >= %s AND s.ends_at > %s AND s.state = 'OPEN' "
        "AND EXISTS (SELECT 1 FROM bookings b WHERE b.schedule_id = s.id AND b.live_flag = 1 "
        "AND b.state = 'CONFIRMED')", (today, now))
    return int(row["many"]) if row else 0


# -- moves ------------------------------------------------------------------------------------------
def insert(tx: Transaction, one: Move, now: datetime) -> None:
    """A new move. Raises Duplicate when the registration has one under way."""
    tx.insert("booking_moves", id=one.id, booking_id=one.booking_id, account_id=one.account_id,
              from_trade_no=one.from_trade_no, trade_no=one.trade_no, schedule_id=one.schedule_id,
              slot_id=one.slot_id, fee_fen=one.fee_fen, difference_fen=one.difference_fen, state=one.state,
              expires_at=one.expires_at, hold_until=one.hold_until, created_at=now, changed_at=now)


def by_id(source: Source, move_id: str, *, lock: bool = False) -> Move | None:
    """One move."""
    row = source.one(f"SELECT * FROM booking_moves WHERE id = %s{' FOR UPDATE' if lock else ''}", (move_id,))
    return Move.of(row) if row else None


def live_of(source: Source, booking_ids: list[str]) -> dict[str, Move]:
    """The moves under way of some registrations, by registration."""
    if not booking_ids:
        return {}
    return {row["booking_id"]: Move.of(row) for row in source.all(
        f"SELECT * FROM booking_moves WHERE live_flag = 1 AND booking_id IN ({_marks(booking_ids)})", booking_ids)}


def live(source: Source, booking_id: str) -> Move | None:
    """The move under way of a registration."""
    return live_of(source, [booking_id]).get(booking_id)


def is_moving(source: Source, booking_id: str) -> bool:
    """Whether the HIS is being asked to move a registration: then nobody else decides about it."""
    one = live(source, booking_id)
    return one is not None and one.state == "MOVING"


def dearer_of(source: Source, booking_id: str) -> list[Move]:
    """The moves of a registration that something was paid for besides."""
    return [Move.of(row) for row in source.all(
        "SELECT * FROM booking_moves WHERE booking_id = %s AND state = 'DONE' AND difference_fen > 0 ORDER BY id",
        (booking_id,))]


def move(tx: Transaction, one: Move, state: str, now: datetime, *, reason: str = "") -> None:
    """Move a locked move along its table. Raises IllegalMove."""
    if state not in MOVE_MOVES[one.state]:
        raise IllegalMove(f"move {one.id}: {one.state} to {state}")
    tx.run("UPDATE booking_moves SET state = %s, reason = %s, changed_at = %s WHERE id = %s",
           (state, reason[:48], now, one.id))


def await_payment(tx: Transaction, one: Move, until: datetime, now: datetime) -> None:
    """A locked move waits to be paid, until then. Raises IllegalMove."""
    move(tx, one, "AWAITING_PAYMENT", now)
    tx.run("UPDATE booking_moves SET expires_at = %s WHERE id = %s", (until, one.id))


def end_hold(tx: Transaction, move_id: str, now: datetime) -> None:
    """Its time is over."""
    tx.run("UPDATE booking_moves SET expires_at = %s WHERE id = %s", (now, move_id))


def hand_place_over(tx: Transaction, move_id: str, booking_id: str, now: datetime) -> None:
    """The place that a move holds is its registration's now; the one of before was given back already."""
    tx.run("UPDATE slots SET booking_id = %s, changed_at = %s WHERE booking_id = %s", (booking_id, now, move_id))


def _marks(values: list[str]) -> str:
    return ", ".join(["%s"] * len(values))
