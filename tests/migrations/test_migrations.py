"""Every migration goes forward over rows of every earlier time, and the code before it goes on running.

Old code runs while a migration is applied, and after it until the functions are deployed: so after each of
its statements all that old code writes must still be taken, and nothing it reads may be gone.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pymysql
import pytest

from scripts import local_db, migrate
from tests.migrations import rows
from tests.migrations.rows import Column, Table

if TYPE_CHECKING:
    from scripts.benchmarks.hospital import Connection

FILES = sorted(migrate.MIGRATIONS.glob("*.sql"))
RELEASED = "0005"  # up to here nothing ran before
WIDER = [("varchar", "text"), ("varchar", "mediumtext"), ("text", "mediumtext"), ("blob", "mediumblob"),
         ("varbinary", "blob"), ("varbinary", "mediumblob"), ("char", "varchar"), ("tinyint", "smallint"),
         ("tinyint", "int"), ("smallint", "int"), ("int", "bigint"), ("smallint", "bigint")]


@pytest.fixture(scope="module")
def sql(mysql: str, database_name: str) -> Iterator[Connection]:
    """An empty database of its own."""
    host, _, port = mysql.partition(":")
    name = f"{database_name}_migrations"
    local_db.fresh_database(host, int(port), name)
    with local_db.connect(host, int(port), name) as connection:
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION foreign_key_checks = 0")  # rows for themselves; new keys are looked at below
        yield connection


@pytest.fixture(scope="module")
def problems(sql: Connection) -> dict[str, list[str]]:
    """By file: what old code could no longer do, or what stops the file itself."""
    numbers = itertools.count(1)
    return {file.name: _apply(sql, file, numbers, beside=file.name[:4] > RELEASED) for file in FILES}


def _apply(sql: Connection, file: Path, numbers: Iterator[int], *, beside: bool = True) -> list[str]:
    """Apply a file to a database with rows; with ``beside`` old code goes on writing after each statement."""
    text, before, found = file.read_text(), rows.schema(sql), []
    _write(sql, before, numbers)  # what stands in the database when the file is applied
    now = before
    for statement in migrate.statements(text):
        where = " ".join(statement.split())[:60]
        try:
            with sql.cursor() as cursor:
                cursor.execute(statement)
        except pymysql.err.MySQLError as error:
            return [*found, f"{where}: stops at the rows that are there: {error.args[1]}"]
        earlier, now = now, rows.schema(sql)
        found += [f"{where}: {one}" for one in _lost(before, now) + _tighter(earlier, now, before, text)
                  + (_write(sql, before, numbers, now) if beside else [])]
    return found


def _write(sql: Connection, before: dict[str, Table], numbers: Iterator[int],
           now: dict[str, Table] | None = None) -> list[str]:
    """Write rows as code does that knows the schema ``before``: the tables (of ``now``) that do not take them."""
    refused = []
    for (name, table), every in itertools.product(before.items(), (False, True)):
        try:
            rows.insert(sql, name, table, next(numbers), every=every)
        except pymysql.err.MySQLError as error:
            assert now is not None, f"{name}: {error}"
            refused.append(f"{name} takes no row of old code: {error.args[1]}")
    return refused


def _lost(before: dict[str, Table], now: dict[str, Table]) -> list[str]:
    """What old code reads, or counts on, and is gone."""
    found = [f"table {name} is gone" for name in before if name not in now]
    for name, table in before.items():
        new = now.get(name, table)
        found += [f"{name}.{column} is gone" for column in table.columns if column not in new.columns]
        found += [f"{name}.{column} was {old.whole}, is {new.columns[column].whole}"
                  for column, old in table.columns.items()
                  if column in new.columns and not _holds(new.columns[column], old)]
        found += [f"{name}: key {key} refuses no longer what it did" for key in table.unique if key not in new.unique]
    return found


def _holds(new: Column, old: Column) -> bool:
    """Is every value of the old column one of the new."""
    if new.whole == old.whole:
        return True
    return new.length >= old.length and ((new.kind == old.kind and old.length > 0) or (old.kind, new.kind) in WIDER)


def _tighter(earlier: dict[str, Table], now: dict[str, Table], before: dict[str, Table], text: str) -> list[str]:
    """New rules for old tables whose reason the file does not tell in a comment that names them."""
    told = " ".join(line for line in text.splitlines() if line.lstrip().startswith("--"))
    found = []
    for name in before.keys() & now.keys():
        old, new = earlier[name], now[name]
        strict = [key for key, columns in new.unique.items() if not (key in old.unique and old.unique[key] <= columns)]
        strict += [key for key, clause in new.checks.items() if clause not in old.checks.values()
                   and not (rows.allowed(before[name].checks.get(key, "")) or {""}) <= rows.allowed(clause)]
        strict += new.references - old.references
        found += [f"{name} has a new rule {key}, and no comment tells why old code's rows keep it"
                  for key in strict if not re.search(rf"\b{key}\b", told)]
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_migration_goes_forward_over_rows_and_the_code_before_it_goes_on_running(
        problems: dict[str, list[str]], file: Path) -> None:
    found = problems[file.name]
    assert [one for one in found if "stops at the rows" in one or file.name[:4] > RELEASED] == []


BEFORE = "CREATE TABLE one (id CHAR(26) NOT NULL PRIMARY KEY, text VARCHAR(40) NOT NULL, state VARCHAR(9) NULL, " \
         "n BIGINT NULL, CONSTRAINT one_state CHECK (state IN ('OLD', 'BOTH')))"


@pytest.mark.parametrize(("statement", "said"), [
    ("ALTER TABLE one ADD COLUMN more INT NOT NULL", "takes no row of old code"),
    ("ALTER TABLE one DROP COLUMN n", "one.n is gone"),
    ("ALTER TABLE one CHANGE COLUMN text words VARCHAR(40) NOT NULL", "one.text is gone"),
    ("ALTER TABLE one MODIFY COLUMN text VARCHAR(8) NOT NULL", "stops at the rows that are there"),
    ("ALTER TABLE one MODIFY COLUMN text VARCHAR(30) NOT NULL", "was varchar(40), is varchar(30)"),
    ("ALTER TABLE one MODIFY COLUMN n INT NULL", "was bigint, is int"),
    ("ALTER TABLE one ADD UNIQUE KEY one_n (n)", "new rule one_n"),
    ("ALTER TABLE one ADD CONSTRAINT one_large CHECK (n > 0)", "new rule one_large"),
    ("ALTER TABLE one DROP CONSTRAINT one_state, ADD CONSTRAINT one_state CHECK (state IN ('BOTH', 'NEW'))",
     "new rule one_state"),
    # as ledger.day came: captures failed until the functions were deployed
    ("ALTER TABLE one ADD COLUMN day DATE NULL;\nUPDATE one SET day = '2026-01-01';\n"
     "ALTER TABLE one MODIFY COLUMN day DATE NOT NULL", "stops at the rows that are there"),
    ("RENAME TABLE one TO other", "table one is gone"), ("DROP TABLE one", "table one is gone")])
def test_a_migration_that_stops_old_code_is_found(sql: Connection, tmp_path: Path, statement: str, said: str) -> None:
    assert any(said in one for one in _alone(sql, tmp_path, statement))


@pytest.mark.parametrize("statement", [
    "ALTER TABLE one ADD COLUMN more INT NULL", "ALTER TABLE one ADD COLUMN more INT NOT NULL DEFAULT 0",
    "ALTER TABLE one MODIFY COLUMN text VARCHAR(80) NOT NULL", "ALTER TABLE one ADD KEY one_n (n)",
    "ALTER TABLE one MODIFY COLUMN text TEXT NOT NULL",
    "ALTER TABLE one DROP CONSTRAINT one_state, ADD CONSTRAINT one_state CHECK (state IN ('OLD', 'BOTH', 'NEW'))",
    "-- one_n: old code writes every n once.\nALTER TABLE one ADD UNIQUE KEY one_n (n)",
    "CREATE TABLE other (id INT NOT NULL PRIMARY KEY, more INT NOT NULL)"])
def test_a_migration_that_only_adds_is_let_through(sql: Connection, tmp_path: Path, statement: str) -> None:
    assert _alone(sql, tmp_path, statement) == []


def _alone(sql: Connection, folder: Path, statement: str) -> list[str]:
    """What is said of a file with this statement, on a database of one table."""
    file = folder / "0001_x.sql"
    file.write_text(statement + ";\n")
    with sql.cursor() as cursor:
        cursor.execute("SELECT DATABASE()")
        [whole] = cursor.fetchone() or ()
        cursor.execute(f"DROP DATABASE IF EXISTS {whole}_one")
        cursor.execute(f"CREATE DATABASE {whole}_one")
        cursor.execute(f"USE {whole}_one")
        try:
            cursor.execute(BEFORE)
            return _apply(sql, file, itertools.count(1))
        finally:
            cursor.execute(f"DROP DATABASE {whole}_one")
            cursor.execute(f"USE {whole}")
