"""Rows for any table, made from its schema: as code writes them that knows just these columns."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scripts.benchmarks.hospital import Connection

_FIRST = date(2000, 1, 1)
_COUNTED = re.compile(r"'(\w+)\\?'")


@dataclass(frozen=True)
class Column:
    """One column as ``information_schema`` has it."""

    name: str
    kind: str  # char, varchar, bigint, datetime …
    length: int  # characters or bytes; 0 where it has none
    whole: str  # the whole type, without a display width
    nullable: bool
    default: bool
    generated: bool


@dataclass
class Table:
    """A table's columns, UNIQUE keys and checks, by name."""

    columns: dict[str, Column] = field(default_factory=dict)
    unique: dict[str, set[str]] = field(default_factory=dict)
    checks: dict[str, str] = field(default_factory=dict)
    references: set[str] = field(default_factory=set)


def schema(sql: Connection) -> dict[str, Table]:
    """Every table of the connection's database."""
    tables: dict[str, Table] = {}
    for table, name, kind, length, whole, nullable, default, extra in _ask(sql, (
            "SELECT table_name, column_name, data_type, COALESCE(character_maximum_length, 0), column_type, "
            "is_nullable, column_default IS NOT NULL, extra FROM information_schema.columns "
            "WHERE table_schema = DATABASE() ORDER BY table_name, ordinal_position")):
        tables.setdefault(table, Table()).columns[name] = Column(
            name, kind.lower(), int(length), re.sub(r"(int)\(\d+\)", r"\1", str(whole)).lower(), nullable == "YES",
            bool(default), "GENERATED" in extra.upper() and "DEFAULT_GENERATED" not in extra.upper())
    for table, name, column in _ask(sql, (
            "SELECT table_name, index_name, column_name FROM information_schema.statistics "
            "WHERE table_schema = DATABASE() AND non_unique = 0")):
        tables[table].unique.setdefault(name, set()).add(column)
    for table, name, kind, clause in _ask(sql, (
            "SELECT t.table_name, t.constraint_name, t.constraint_type, c.check_clause "
            "FROM information_schema.table_constraints t LEFT JOIN information_schema.check_constraints c "
            "ON c.constraint_schema = t.constraint_schema AND c.constraint_name = t.constraint_name "
            "WHERE t.table_schema = DATABASE() AND t.constraint_type IN ('CHECK', 'FOREIGN KEY')")):
        if kind == "CHECK":
            tables[table].checks[name] = str(clause)
        else:
            tables[table].references.add(name)
    return tables


def insert(sql: Connection, name: str, table: Table, number: int, *, every: bool) -> None:
    """A row of its own number: of every column, or only of those that must be named."""
    chosen = [one for one in table.columns.values()
              if not one.generated and (every or not (one.nullable or one.default))]
    with sql.cursor() as cursor:
        cursor.execute(f"INSERT INTO {name} ({', '.join(f'`{one.name}`' for one in chosen)}) "
                       f"VALUES ({', '.join(['%s'] * len(chosen))})", [_value(table, one, number) for one in chosen])


def allowed(clause: str) -> set[str]:
    """The values that a check of the form ``column IN ('A', 'B')`` lets through; none for another form."""
    return set(_COUNTED.findall(clause)) if re.search(r"\bin\b", clause, re.I) else set()


def _value(table: Table, column: Column, number: int) -> Any:
    for clause in table.checks.values():
        if re.match(rf"\W*{column.name}\W+in\b", clause, re.I):
            return sorted(allowed(clause))[0]
    return _OF_KIND[column.kind](column, number)


def _text(column: Column, number: int) -> str:
    return f"{number:X}".rjust(min(column.length, 26), "0")[-column.length:]


_NUMBER: Callable[[Column, int], Any] = lambda column, number: 1 if column.kind == "tinyint" else number  # noqa: E731
_OF_KIND: dict[str, Callable[[Column, int], Any]] = {
    "char": _text, "varchar": _text, "text": _text, "mediumtext": _text, "longtext": lambda column, number: "{}",
    "json": lambda column, number: "{}", "date": lambda column, number: _FIRST + timedelta(number),
    "datetime": lambda column, number: _FIRST + timedelta(number),
    "tinyint": _NUMBER, "smallint": _NUMBER, "int": _NUMBER, "bigint": _NUMBER, "decimal": _NUMBER,
    **dict.fromkeys(("binary", "varbinary", "blob", "mediumblob"),
                    lambda column, number: number.to_bytes(min(column.length, 8), "big").rjust(
                        column.length if column.kind == "binary" else 1, b"\0")),
}


def _ask(sql: Connection, statement: str) -> list[tuple[Any, ...]]:
    with sql.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())
