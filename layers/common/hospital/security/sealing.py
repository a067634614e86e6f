"""Sealing what stands in plain columns since before there were others: in small batches, as often as it takes.

First every look-up hash is filled in, so that whoever is looked for by a hash is found; then the plain columns are no
longer written (that needs to know that no code from before runs any more: staff say so); then they are emptied.
"""

from __future__ import annotations

import time
from datetime import datetime

from msgspec import Struct, field

from hospital.database import policy
from hospital.database.connection import Database, Duplicate, Row, Transaction
from hospital.security import cipher, sealed

BATCH = 200
SECONDS = 20.0  # after which one order ends; the next goes on from there


class Table(Struct, frozen=True):
    """A table's plain columns, the kind of look-up hash of those that have one, and what an empty one holds."""

    name: str
    columns: tuple[str, ...]
    hashed: dict[str, str] = field(default_factory=dict)
    empty: str | None = None

    def is_open(self, column: str) -> str:
        """SQL: the plain column holds a value. A code that begins with "=" is a placeholder of ours."""
        return f"({column} <> '' AND LEFT({column}, 1) <> '=')" if column != "birth_date" else "birth_date IS NOT NULL"


TABLES = (
    Table("accounts", ("openid",), {"openid": "openid"}),
    Table("patients", ("his_code", "card_number", "birth_date"), {"his_code": "patient_code"}),
    Table("payments", ("openid",), empty=""),
    Table("invoices", ("check_code",), empty=""),
)
# Where a patient's code is only compared: table, its key, the column.
COMPARED = (("his_events", "id", "patient_code"), ("known_bills", "bill_no", "patient_code"),
            ("former_codes", "code", "code"))


def seal_all(db: Database, now: datetime) -> tuple[int, bool]:
    """Seal for a while: how many rows were, and whether some are left for the next order."""
    cipher.ready()
    until = time.monotonic() + SECONDS
    for table in TABLES:
        for column in table.hashed:
            _fill_hashes(db, table, column, until)
            if _first(db, table.name, "id", f"{table.is_open(column)} AND {column}_hash IS NULL") is not None:
                return 0, True
    with db.transaction() as tx:
        policy.save(tx, {sealed.SETTING: None}, now)
    done = sum(_seal_rows(db, table, until) for table in TABLES)
    done += sum(_seal_compared(db, *one, until) for one in COMPARED)
    return done, _is_any_open(db)


def _is_any_open(db: Database) -> bool:
    return (any(_first(db, table.name, "id", _open(table)) is not None for table in TABLES)
            or any(_first(db, table, key, f"LEFT({column}, 1) <> '~'") is not None for table, key, column in COMPARED))


def _open(table: Table) -> str:
    return " OR ".join(table.is_open(column) for column in table.columns)


def _first(db: Database, table: str, key: str, condition: str) -> Row | None:
    return db.one(f"SELECT {key} FROM {table} WHERE {condition} LIMIT 1")


def _fill_hashes(db: Database, table: Table, column: str, until: float) -> None:
    after = ""
    while time.monotonic() < until:
        with db.transaction() as tx:
            rows = _batch(tx, table.name, "id", column, f"{table.is_open(column)} AND {column}_hash IS NULL", after)
            for row in rows:
                _try(tx, f"UPDATE {table.name} SET {column}_hash = %s WHERE id = %s",
                     (cipher.lookup(table.hashed[column], row[column]), row["id"]))
        if len(rows) < BATCH:
            return
        after = rows[-1]["id"]


def _seal_rows(db: Database, table: Table, until: float) -> int:
    after, done = "", 0
    while time.monotonic() < until:
        with db.transaction() as tx:
            rows = _batch(tx, table.name, "id", ", ".join(table.columns), _open(table), after)
            done += sum(_seal_row(tx, table, row) for row in rows)
        if len(rows) < BATCH:
            break
        after = rows[-1]["id"]
    return done


def _seal_row(tx: Transaction, table: Table, row: Row) -> bool:
    values: Row = {}
    for column in table.columns:
        text = str(row[column]) if row[column] else ""
        if not text or text.startswith("="):
            continue
        values |= {column: table.empty,
                   f"{column}_enc": cipher.seal(text, f"{table.name}.{column}:{row['id']}")}
        if column in table.hashed:
            values[f"{column}_hash"] = cipher.lookup(table.hashed[column], text)
    return _try(tx, f"UPDATE {table.name} SET {', '.join(f'{name} = %s' for name in values)} WHERE id = %s",
                (*values.values(), row["id"]))


def _seal_compared(db: Database, table: str, key: str, column: str, until: float) -> int:
    after, done = "", 0
    while time.monotonic() < until:
        with db.transaction() as tx:
            rows = _batch(tx, table, key, column, f"LEFT({column}, 1) <> '~'", after)
            for row in rows:
                done += _try(tx, f"UPDATE {table} SET {column} = %s WHERE {key} = %s",
                             (sealed.key("patient_code", row[column]), row[key]))
        if len(rows) < BATCH:
            break
        after = rows[-1][key]
    return done


def _batch(tx: Transaction, table: str, key: str, columns: str, condition: str, after: str) -> list[Row]:
    return tx.all(f"SELECT {key}, {columns} FROM {table} WHERE {key} > %s AND ({condition}) ORDER BY {key} "
                  f"LIMIT {BATCH} FOR UPDATE", (after,))


def _try(tx: Transaction, statement: str, args: tuple[object, ...]) -> bool:
    """Whether a row took it. One whose hash another still has, though it is that one's no more, waits for its turn."""
    try:
        return tx.run(statement, args) == 1
    except Duplicate:
        return False
