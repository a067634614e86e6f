"""SQL of what is on sale, for reading: sessions by department, day and doctor, with their free places."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from hospital.database.connection import Database, Row

_FREE = ("(SELECT COUNT(*) FROM slots f WHERE f.schedule_id = s.id AND f.booking_id IS NULL "
         "AND f.state = 'OPEN' AND (f.on_sale_at IS NULL OR f.on_sale_at <= %s) AND f.starts_at > %s)")
_SESSION = ("SELECT s.id, s.his_department, s.doctor_id, s.visit_date, s.period, s.kind, s.fee_fen, s.starts_at, "
            "s.ends_at, s.clinic_room, s.state, d.name AS doctor_name, d.title AS doctor_title, "
            f"s.waiting, {_FREE} AS free "
            "FROM schedules s JOIN doctors d ON d.id = s.doctor_id WHERE s.state <> 'GONE' AND ")
_ORDER = " ORDER BY s.visit_date, s.starts_at, d.name, s.id"


def sessions(db: Database, *, first: date, last: date, departments: list[str] | None = None,
             doctors: list[str] | None = None, after: datetime, now: datetime) -> list[Row]:
    """Sessions of some days, of some HIS departments or doctors; ``free`` counts places on sale.

    A stopped session is listed, with its state, so that who looks for it sees why.
    """
    where, args = _where(first, last, departments, doctors)
    return [{**row, "free": row["free"] if row["state"] == "OPEN" else 0}
            for row in db.all(_SESSION + where + _ORDER, (now, after, *args))]


def days(db: Database, *, first: date, last: date, departments: list[str] | None, doctors: list[str] | None,
         after: datetime, now: datetime) -> list[Row]:
    """For each day with open sessions: how many, and how many places are on sale."""
    where, args = _where(first, last, departments, doctors)
    return db.all(f"SELECT s.visit_date AS day, COUNT(*) AS sessions, SUM({_FREE}) AS free FROM schedules s "
                  f"WHERE s.state = 'OPEN' AND {where} GROUP BY s.visit_date ORDER BY s.visit_date",
                  (now, after, *args))


def departments_on(db: Database, day: date, *, after: datetime, now: datetime) -> list[Row]:
    """For each HIS department on duty on a day: sessions and places on sale."""
    return db.all(f"SELECT s.his_department, COUNT(*) AS sessions, SUM({_FREE}) AS free FROM schedules s "
                  "WHERE s.state = 'OPEN' AND s.visit_date = %s GROUP BY s.his_department", (now, after, day))


def _where(first: date, last: date, departments: list[str] | None, doctors: list[str] | None
           ) -> tuple[str, tuple[Any, ...]]:
    where, args = "s.visit_date BETWEEN %s AND %s", [first, last]
    for column, values in (("s.his_department", departments), ("s.doctor_id", doctors)):
        if values is not None:
            where += f" AND {column} IN ({', '.join(['%s'] * len(values)) or 'NULL'})"
            args += values  # type: ignore[arg-type]
    return where, tuple(args)
