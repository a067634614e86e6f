"""SQL of sessions and slots as the HIS gives them. An answer to an earlier question never overwrites a later one."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, NamedTuple

from hospital.database.connection import Database, Row, Transaction
from hospital.gateways.his import schedules as his_schedules
from hospital.runtime.ids import new_id


class Listed(NamedTuple):
    """A session that the HIS has listed, and when it stopped doing so (if that is doubted, or told)."""

    id: str
    his_code: str
    visit_date: date
    starts_at: datetime
    missing_since: datetime | None


class KnownSlot(NamedTuple):
    """A place as stored."""

    schedule_id: str
    his_code: str
    number: int
    starts_at: datetime
    ends_at: datetime
    state: str
    booking_id: str | None
    missing_since: datetime | None


def listed(db: Database, first: date, last: date, ends_after: datetime) -> list[Listed]:
    """The sessions of some days that are not over and not gone: those that the HIS should list."""
    return [Listed(*row) for row in db.tuples(
        "SELECT id, his_code, visit_date, starts_at, missing_since FROM schedules "
        "WHERE visit_date BETWEEN %s AND %s AND state <> 'GONE' AND ends_at > %s", (first, last, ends_after))]


def known_schedules(db: Database, codes: list[str]) -> dict[str, Row]:
    """Sessions by HIS code, whatever their day."""
    return {row["his_code"]: row for row in db.all(
        f"SELECT * FROM schedules WHERE his_code IN ({_marks(codes)})", codes)} if codes else {}


def known_slots(db: Database, schedule_ids: list[str]) -> dict[str, dict[str, KnownSlot]]:
    """The slots of some sessions: by session, then by HIS code."""
    slots: dict[str, dict[str, KnownSlot]] = {}
    if schedule_ids:
        for row in map(KnownSlot._make, db.tuples(
                "SELECT schedule_id, his_code, number, starts_at, ends_at, state, booking_id, missing_since "
                f"FROM slots WHERE schedule_id IN ({_marks(schedule_ids)})", schedule_ids)):
            slots.setdefault(row.schedule_id, {})[row.his_code] = row
    return slots


def sessions_of(tx: Transaction, slot_codes: list[str]) -> dict[str, str]:
    """For those slot codes that are stored: the HIS code of the session they stand in."""
    return dict(tx.tuples("SELECT x.his_code, s.his_code FROM slots x JOIN schedules s ON s.id = x.schedule_id "
                          f"WHERE x.his_code IN ({_marks(slot_codes)})", slot_codes)) if slot_codes else {}


def with_held_places(db: Database, schedule_ids: list[str]) -> set[str]:
    """Those of some sessions in which somebody here holds a place."""
    return {row[0] for row in db.tuples(
        f"SELECT DISTINCT schedule_id FROM slots WHERE schedule_id IN ({_marks(schedule_ids)}) "
        "AND booking_id IS NOT NULL", schedule_ids)} if schedule_ids else set()


def insert_schedule(tx: Transaction, his_code: str, values: Row, asked_at: datetime) -> str:
    """A new session; its id. Raises Duplicate, Unfit."""
    schedule_id = new_id()
    tx.insert("schedules", id=schedule_id, his_code=his_code, asked_at=asked_at, **values)
    return schedule_id


def update_schedule(tx: Transaction, schedule_id: str, values: Row, asked_at: datetime) -> int:
    """Some columns of a session; not when what is stored was asked for later. 1 or 0."""
    return tx.run(f"UPDATE schedules SET {', '.join(f'{name} = %s' for name in values)}, asked_at = %s "
                  "WHERE id = %s AND (asked_at IS NULL OR asked_at <= %s)",
                  (*values.values(), asked_at, schedule_id, asked_at))


def mark_missing(tx: Transaction, schedule_ids: list[str], now: datetime) -> None:
    """The HIS lists these no more, since now."""
    tx.run(f"UPDATE schedules SET missing_since = %s WHERE id IN ({_marks(schedule_ids)}) AND missing_since IS NULL",
           (now, *schedule_ids))


def mark_listed(tx: Transaction, schedule_id: str) -> None:
    """The HIS lists it again."""
    tx.run("UPDATE schedules SET missing_since = NULL WHERE id = %s", (schedule_id,))


def is_any_missing(db: Database, day: date) -> bool:
    """Whether the HIS lists a session of a day no more that is not gone."""
    return db.one("SELECT id FROM schedules WHERE visit_date = %s AND missing_since IS NOT NULL AND state <> 'GONE' "
                  "LIMIT 1", (day,)) is not None


def doubt_places(tx: Transaction, schedule_id: str, since: datetime | None) -> None:
    """More places of a session are listed no more than is believed, since then; None: no longer doubted."""
    tx.run("UPDATE schedules SET places_missing_since = %s WHERE id = %s", (since, schedule_id))


def places_doubted(db: Database, first: date, ends_after: datetime) -> tuple[int, str]:
    """Of how many sessions from a day on that are not over the places are in doubt, and the first of their codes."""
    row = db.one("SELECT COUNT(*) AS many, MIN(his_code) AS first_code FROM schedules WHERE visit_date >= %s "
                 "AND places_missing_since IS NOT NULL AND state = 'OPEN' AND ends_at > %s", (first, ends_after))
    return (int(row["many"]), row["first_code"] or "") if row else (0, "")


def insert_slots(tx: Transaction, schedule_id: str, slots: list[his_schedules.Slot], now: datetime) -> None:
    """New slots. Raises Duplicate, Unfit."""
    tx.insert_many("slots", [
        {"id": new_id(), "schedule_id": schedule_id, "his_code": slot.code, "number": slot.number,
         "starts_at": slot.starts_at, "ends_at": slot.ends_at, "state": state_of(slot), "changed_at": now}
        for slot in slots])


def update_slot(tx: Transaction, his_code: str, *, held: bool, asked_at: datetime, **values: Any) -> int:
    """Some columns of a slot; not when it was taken, given back or changed since the HIS was asked. 1 or 0."""
    return tx.run(f"UPDATE slots SET {', '.join(f'{name} = %s' for name in values)}, changed_at = %s "
                  f"WHERE his_code = %s AND booking_id IS {'NOT NULL' if held else 'NULL'} AND changed_at <= %s",
                  (*values.values(), asked_at, his_code, asked_at))


def move_slot(tx: Transaction, slot: his_schedules.Slot, schedule_id: str, asked_at: datetime) -> int:
    """A slot is another session's from now on; whoever holds it here keeps it. 1 or 0."""
    return tx.run("UPDATE slots SET schedule_id = %s, number = %s, starts_at = %s, ends_at = %s, missing_since = NULL, "
                  "state = CASE WHEN booking_id IS NULL THEN %s ELSE state END, changed_at = %s "
                  "WHERE his_code = %s AND changed_at <= %s",
                  (schedule_id, slot.number, slot.starts_at, slot.ends_at, state_of(slot), asked_at, slot.code,
                   asked_at))


def state_of(slot: his_schedules.Slot) -> str:
    """Our state of a slot that nobody holds here."""
    return "OPEN" if slot.state == "FREE" else "CLOSED"


def _marks(values: list[str]) -> str:
    return ", ".join(["%s"] * len(values))
