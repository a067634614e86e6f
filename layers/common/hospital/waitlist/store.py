"""SQL of waiting lists."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from hospital.database.connection import Database, Row, Transaction
from hospital.patients.record_store import SAME
from hospital.runtime.errors import IllegalMove
from hospital.schedules.kept_store import KEPT
from hospital.schedules.model import Session
from hospital.waitlist.model import MOVES, Covered, Entry, Wish

Source = Database | Transaction
_SESSION = ("SELECT s.id, s.his_department, s.doctor_id, s.visit_date, s.period, s.state, s.fee_fen, s.starts_at, "
            "s.ends_at, s.waiting FROM schedules s WHERE ")
# Those who wait for a session (its id, its doctor, its day), those whose wish is for any of the doctor's day too.
_LINE = ("(SELECT {columns} FROM waitlist w WHERE w.schedule_id = %s AND w.state = 'WAITING'{more}) UNION ALL "
         "(SELECT {columns} FROM waitlist w WHERE w.doctor_id = %s AND w.visit_date = %s "
         "AND w.state = 'WAITING'{more})")


def insert(tx: Transaction, entry: Entry) -> None:
    """Somebody waits from now on. Raises Duplicate, with the next statement."""
    tx.insert_soon("waitlist", **{name: getattr(entry, name) for name in Entry.__struct_fields__})


def entry(source: Source, entry_id: str, *, lock: bool = False) -> Entry | None:
    """One entry."""
    row = source.one(f"SELECT * FROM waitlist WHERE id = %s{' FOR UPDATE' if lock else ''}", (entry_id,))
    return Entry.of(row) if row else None


def move(tx: Transaction, was: Entry, state: str, now: datetime, *, reason: str = "", **changes: Any) -> None:
    """Move a locked entry along the table. Raises IllegalMove; Duplicate: they wait there already."""
    if state not in MOVES[was.state]:
        raise IllegalMove(f"waitlist {was.id}: {was.state} to {state}")
    columns = {"state": state, "reason": reason, "changed_at": now, **changes}
    tx.run(f"UPDATE waitlist SET {', '.join(f'{name} = %s' for name in columns)} WHERE id = %s",
           (*columns.values(), was.id))


def covered(source: Source, wish: Wish, *, lock: bool = False) -> list[Covered]:
    """The sessions that a wish is for, whatever their state; locked always in the same order."""
    where, args = (("s.id = %s", (wish.schedule_id,)) if wish.schedule_id is not None else
                   ("s.doctor_id = %s AND s.visit_date = %s", (wish.doctor_id, wish.visit_date)))
    return [Covered(**row) for row in source.all(
        f"{_SESSION}{where} ORDER BY s.id{' FOR UPDATE' if lock else ''}", args)]


def first(source: Source, session: Session) -> Entry | None:
    """Who is next in a session's line."""
    row = source.one(_LINE.format(columns="w.*", more=" ORDER BY w.id LIMIT 1") + " ORDER BY id LIMIT 1",
                     (session.id, session.doctor_id, session.visit_date))
    return Entry.of(row) if row else None


def ahead(source: Source, one: Covered, entry_id: str) -> int:
    """How many wait for a session since before an entry."""
    row = source.one(f"SELECT COUNT(*) AS number FROM ({_LINE.format(columns='w.id', more=' AND w.id < %s')}) q",
                     (one.id, entry_id, one.doctor_id, one.visit_date, entry_id))
    return int(row["number"]) if row else 0


def waits_already(source: Source, wish: Wish, sessions: Sequence[Covered]) -> Entry | None:
    """An entry of the patient, by whichever document, for one of these sessions."""
    marks = ", ".join(["%s"] * len(sessions))
    row = source.one(f"SELECT w.* FROM waitlist w WHERE w.patient_id IN {SAME} AND w.state = 'WAITING' "
                     f"AND (w.schedule_id IN ({marks}) OR w.doctor_id = %s AND w.visit_date = %s) LIMIT 1",
                     (wish.patient_id, *[one.id for one in sessions], sessions[0].doctor_id, sessions[0].visit_date))
    return Entry.of(row) if row else None


def number_of_account(source: Source, account_id: str) -> int:
    """How many entries of an account wait."""
    row = source.one("SELECT COUNT(*) AS number FROM waitlist WHERE account_id = %s AND state = 'WAITING'",
                     (account_id,))
    return int(row["number"]) if row else 0


def of_account(source: Source, account_id: str, since: datetime, limit: int) -> list[Entry]:
    """An account's entries that wait, or have ended since then, the newest first."""
    return [Entry.of(row) for row in source.all(
        "SELECT * FROM waitlist WHERE account_id = %s AND (state = 'WAITING' OR changed_at > %s) "
        "ORDER BY id DESC LIMIT %s", (account_id, since, limit))]


def of_binding(source: Source, account_id: str, patient_id: str) -> list[str]:
    """The entries of an account for a patient that wait."""
    return [row["id"] for row in source.all(
        "SELECT id FROM waitlist WHERE account_id = %s AND patient_id = %s AND state = 'WAITING' ORDER BY id",
        (account_id, patient_id))]


def waiting_for(source: Source, session: Session) -> list[Entry]:
    """Everybody in a session's line, who came first first."""
    return [Entry.of(row) for row in source.all(_LINE.format(columns="w.*", more="") + " ORDER BY id",
                                                (session.id, session.doctor_id, session.visit_date))]


def is_on_sale(source: Source, schedule_id: str, *, after: datetime, now: datetime) -> bool:
    """Whether anybody may take a place of a session now."""
    return source.one("SELECT id FROM slots WHERE schedule_id = %s AND booking_id IS NULL AND state = 'OPEN' "
                      "AND (on_sale_at IS NULL OR on_sale_at <= %s) AND starts_at > %s LIMIT 1",
                      (schedule_id, now, after)) is not None


def kept_place(source: Source, schedule_id: str, *, after: datetime) -> Row | None:
    """The first place (id, starts_at) that is kept in a session."""
    return source.one("SELECT id, starts_at FROM slots WHERE schedule_id = %s AND booking_id IS NULL "
                      "AND state = 'OPEN' AND on_sale_at = %s AND starts_at > %s ORDER BY starts_at, id LIMIT 1",
                      (schedule_id, KEPT, after))


def take_kept(tx: Transaction, slot_id: str, booking_id: str, now: datetime) -> bool:
    """Take a kept place for whom it was kept. False when it is none any more."""
    return tx.run("UPDATE slots SET booking_id = %s, changed_at = %s WHERE id = %s AND booking_id IS NULL "
                  "AND state = 'OPEN' AND on_sale_at = %s", (booking_id, now, slot_id, KEPT)) == 1
