"""Our SQL runs on MySQL 8/9 (production) and on MariaDB 10.11 (desks) alike: nothing that only one of them knows."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hospital.database.connection import _key_name

from scripts import migrate

ROOT = Path(__file__).resolve().parent.parent.parent
HOUSE = ROOT / "layers" / "common" / "hospital"

# What one of the two does not know, or does differently.
FORBIDDEN = {
    "JSON arrows (MySQL only)": r"->",
    "row aliases of INSERT (MySQL only)": r"\bAS new\b",
    "FOR SHARE (MySQL only)": r"\bFOR SHARE\b",
    "FOR UPDATE OF (MySQL only)": r"\bFOR UPDATE OF\b",
    "LATERAL (MySQL only)": r"\bLATERAL\b",
    "collations of MySQL only": r"utf8mb4_0900_\w+",
    "collations of MariaDB only": r"uca1400_\w+|utf8mb4_nopad_bin",
    "functional indexes (MySQL only)": r"\b(KEY|INDEX)( \w+)? ?\((\w+, ?)*\(",
    "RETURNING (MariaDB only)": r"\bRETURNING\b",
    "FOR UPDATE WAIT n (MariaDB only)": r"\bFOR UPDATE WAIT\b",
    "PERSISTENT columns (MariaDB only)": r"\bPERSISTENT\b",
    "CREATE OR REPLACE TABLE (MariaDB only)": r"\bOR REPLACE TABLE\b",
    "sequences (MariaDB only)": r"\b(CREATE SEQUENCE|NEXT VALUE FOR|NEXTVAL)\b",
    "IF [NOT] EXISTS inside ALTER (MariaDB only)": r"\b(ADD|DROP|MODIFY|CHANGE)( COLUMN| INDEX| KEY| CONSTRAINT)? IF ",
    "VALUE() of ON DUPLICATE KEY (MariaDB only)": r"\bON DUPLICATE KEY UPDATE\b.*\bVALUE\(",
    "VALUES() of ON DUPLICATE KEY (deprecated in MySQL)": r"\bON DUPLICATE KEY UPDATE\b.*\bVALUES\(",
    "a default of TEXT or BLOB (MariaDB only)": r"\b(TEXT|BLOB|JSON)\b[^,]*\bDEFAULT '",
    "zero dates (strict mode refuses them)": r"'0000-00-00",
    "|| as OR or as concatenation": r"\|\|",
    "double quotes around texts or names": r"""^(?:'[^']*'|[^'"])*\"""",
    "SQL_CALC_FOUND_ROWS (deprecated in MySQL)": r"\bSQL_CALC_FOUND_ROWS\b",
    "display widths and ZEROFILL (deprecated in MySQL)": r"\b(INT|BIGINT|TINYINT)\(\d+\)|\bZEROFILL\b",
}
# Reserved in MySQL 8.0, 8.4 or 9 and free in MariaDB: a name that works on a desk and fails in the cloud.
RESERVED_IN_MYSQL = re.compile(
    "cube|cume_dist|dense_rank|empty|except|first_value|function|generated|get|grouping|groups|intersect|"
    "io_after_gtids|io_before_gtids|json_table|lag|last_value|lateral|lead|manual|master_bind|nth_value|ntile|of|"
    "optimizer_costs|parallel|percent_rank|qualify|rank|recursive|row_number|stored|system|tablesample|virtual|window",
    re.IGNORECASE)


def literals() -> Iterator[tuple[str, str]]:
    """Where, and the SQL: every text of the house that begins or goes on like a statement; {} for its values."""
    for file in sorted(HOUSE.rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        notes = {id(node.body[0].value) for node in ast.walk(tree)
                 if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and node.body
                 and isinstance(node.body[0], ast.Expr)}
        inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)
                  if part is not node}
        for node in ast.walk(tree):
            text = written(node) if id(node) not in notes | inside else ""
            if re.search(r"\b(SELECT|INSERT|UPDATE|DELETE|REPLACE|FROM|WHERE|SET|ORDER BY|AND|FOR UPDATE) ", text):
                yield f"{file.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}", text


def written(node: ast.AST) -> str:
    """A literal's text, or an empty one."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return ""


def migrations() -> Iterator[tuple[str, str]]:
    """Where, and each statement of the migrations."""
    for file in sorted((ROOT / "infra" / "migrations").glob("*.sql")):
        for statement in migrate.statements(file.read_text(encoding="utf-8")):
            yield f"{file.name}: {statement.splitlines()[0]}", statement


def tables() -> dict[str, str]:
    """Each table's statement by its name."""
    found = {}
    for _, statement in migrations():
        match = re.match(r"CREATE TABLE (\w+) \(", statement)
        if match:
            found[match[1]] = statement
    return found


def problems(sql: str) -> list[str]:
    """What of a statement would fail on one of the two."""
    plain = re.sub(r"\s+", " ", sql)
    return [what for what, pattern in FORBIDDEN.items() if re.search(pattern, plain, re.IGNORECASE)]


def test_no_statement_of_the_house_is_for_one_server_only() -> None:
    found = list(literals())
    assert len(found) > 80, "the statements are no longer found where they were"
    assert [(where, problems(sql)) for where, sql in found if problems(sql)] == []


def test_no_migration_is_for_one_server_only() -> None:
    found = list(migrations())
    assert len(found) > 20
    assert [(where, problems(sql)) for where, sql in found if problems(sql)] == []


@pytest.mark.parametrize("sql", [
    "SELECT data->'$.a' FROM x", "SELECT data->>'$.a' FROM x", "INSERT INTO x (a) VALUES (1) AS new ON DUPLICATE KEY",
    "SELECT a FROM x FOR SHARE", "SELECT a FROM x, LATERAL (SELECT 1) y", "CREATE TABLE x (KEY a ((b + 1)))",
    "CREATE TABLE x (a INT, UNIQUE KEY a_b (a, (b + 1)))", "CREATE TABLE x (a INT) COLLATE=utf8mb4_0900_ai_ci",
    "INSERT INTO x (a) VALUES (1) RETURNING a", "CREATE TABLE x (a TEXT NOT NULL DEFAULT '')",
    "ALTER TABLE x ADD COLUMN IF NOT EXISTS a INT", "SELECT a || b FROM x", 'SELECT a FROM x WHERE b = "c"',
    "INSERT INTO x (a) VALUES (1) ON DUPLICATE KEY UPDATE a = VALUES(a)",
])
def test_what_only_one_server_knows_is_noticed(sql: str) -> None:
    assert problems(sql)


def test_no_table_or_column_has_a_name_that_mysql_reserves() -> None:
    names = set(tables())
    for statement in tables().values():
        names |= set(re.findall(r"^  ([a-z]\w+) [A-Z]", statement, re.MULTILINE))
    assert {"live_flag", "outbox", "position"} <= names
    assert {name for name in names if RESERVED_IN_MYSQL.fullmatch(name)} == set()


def test_every_table_has_a_primary_key_and_says_its_charset_and_collation() -> None:
    for name, statement in tables().items():
        assert "PRIMARY KEY" in statement, name  # TencentDB can require it; replication is slow without
        assert statement.endswith("DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"), name  # the servers' defaults differ


def test_constraint_names_are_unique_in_the_whole_schema() -> None:
    # MySQL keeps CHECK names per schema, MariaDB per table; foreign keys are per schema on both.
    names = [name for statement in tables().values() for name in re.findall(r"CONSTRAINT (\w+)", statement)]
    assert len(names) > 15
    assert sorted(names) == sorted(set(names))


def test_key_names_are_unique_in_the_whole_schema_because_a_duplicate_tells_only_the_key() -> None:
    names = [name for statement in tables().values() for name in re.findall(r"KEY (\w+) \(", statement)]
    assert len(names) > 30
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("message", [
    "Duplicate entry 'a-b' for key 'bookings_live'",  # MariaDB
    "Duplicate entry 'a-b' for key 'bookings.bookings_live'",  # MySQL 8
    "Duplicate entry 'it's for key 'x'' for key 'bookings.bookings_live'",
])
def test_the_key_of_a_duplicate_is_read_from_either_server_s_message(message: str) -> None:
    assert _key_name(message) == "bookings_live"


def test_no_key_of_a_stored_column_hangs_on_a_cascade() -> None:
    # MySQL refuses CASCADE and SET NULL on a column that a stored generated column is made from.
    for table, statement in tables().items():
        made_from = {word for expression in re.findall(r" AS \((.+)\) STORED", statement)
                     for word in re.findall(r"\b[a-z_]+\b", expression)}
        cascading = re.findall(r"FOREIGN KEY \((\w+)\) REFERENCES \w+ \(\w+\) ON \w+ (?:CASCADE|SET NULL)", statement)
        assert not made_from & set(cascading), table
