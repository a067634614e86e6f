"""Several statements in one exchange with the database: in their order, all or nothing, and texts stay texts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hospital.database import connection
from hospital.database.connection import Database, Duplicate, Unfit
from hospital.runtime.errors import RetryWhole, Unavailable

from scripts import local_db
from tests.in_process import own_database

NASTY = ["it's", 'a "quote"', "a; DROP TABLE bench", "\\", "\\'; COMMIT; -- ", "%s", "%", "；", "\x00", "🙂"]


def way_to(host: str, port: int, name: str, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A way to a database with one table, as a function has it."""
    one = own_database(f"{host}:{port}", name, monkeypatch, tables=False)
    with local_db.connect(host, port, name) as sql, sql.cursor() as cursor:
        cursor.execute("CREATE TABLE things (id INT NOT NULL PRIMARY KEY, name VARCHAR(80) NOT NULL) "
                       "DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin")
    return one


@pytest.fixture
def db(mysql: str, database_name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A way to the tests' server."""
    host, _, port = mysql.partition(":")
    one = way_to(host, int(port), f"{database_name}_exchanges", monkeypatch)
    yield one
    one.close()


@pytest.fixture
def odd_db(tmp_path: Path, database_name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A way to a server whose own setting is lax, and has backslashes and double quotes mean something else."""
    try:
        server, port = local_db.start(tmp_path / "db", durable=False)
    except local_db.NoServer as missing:  # the suite runs on a server that is not ours to set
        pytest.skip(str(missing))
    try:
        with local_db.connect("127.0.0.1", port) as sql, sql.cursor() as cursor:
            cursor.execute("SET GLOBAL sql_mode = 'NO_BACKSLASH_ESCAPES,ANSI_QUOTES,PIPES_AS_CONCAT'")
        one = way_to("127.0.0.1", port, f"{database_name}_odd", monkeypatch)
        yield one
        one.close()
    finally:
        local_db.stop(server)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What goes over the wire from here on, an exchange an entry."""
    texts: list[str] = []
    query = connection._Connection.query

    def note(self: Any, sql: Any, unbuffered: bool = False) -> int:
        texts.append(sql.decode() if isinstance(sql, bytes) else sql)
        return query(self, sql, unbuffered)

    monkeypatch.setattr(connection._Connection, "query", note)
    return texts


def names(db: Database) -> list[str]:
    return [row["name"] for row in db.all("SELECT name FROM things ORDER BY id")]


def killed(db: Database) -> None:
    """The server ends the connection that the next transaction would use."""
    row = db.one("SELECT CONNECTION_ID() AS id")
    assert row is not None
    other = Database()
    with other.transaction() as tx:
        tx.run(f"KILL {row['id']:d}")
    other.close()


def test_what_needs_no_answer_is_sent_with_the_next_that_does_and_the_rest_with_the_commit(
        db: Database, sent: list[str]) -> None:
    names(db)
    sent.clear()
    with db.transaction() as tx:
        tx.insert_soon("things", id=1, name="a")
        before = tx.ask_soon("SELECT COUNT(*) AS number FROM things")
        tx.insert_soon("things", id=2, name="b")
        assert tx.one("SELECT COUNT(*) AS number FROM things") == {"number": 2}
        assert before.one() == {"number": 1}
        tx.run_soon("UPDATE things SET name = %s WHERE id = %s", ("c", 2))
    assert [one.count(";") for one in sent] == [4, 1]
    assert (sent[0].split(";")[0], sent[1].split("; ")[-1]) == ("BEGIN", "COMMIT")
    assert names(db) == ["a", "c"]


def test_a_transaction_that_says_nothing_sends_nothing(db: Database, sent: list[str]) -> None:
    names(db)
    sent.clear()
    with db.transaction():
        pass
    assert sent == []


@pytest.mark.parametrize("text", NASTY)
def test_a_text_is_kept_as_it_is_whatever_it_looks_like(db: Database, text: str) -> None:
    with db.transaction() as tx:
        tx.insert_soon("things", id=1, name=text)
        tx.insert_soon("things", id=2, name=text)
        assert tx.one("SELECT COUNT(*) AS number FROM things WHERE name = %s", (text,)) == {"number": 2}
    assert names(db) == [text, text]


def test_whatever_a_server_s_own_setting_texts_are_kept_and_what_does_not_fit_is_refused(
        odd_db: Database, sent: list[str]) -> None:
    assert odd_db.one("SELECT @@sql_mode AS mode") == {"mode": connection.SQL_MODE}
    assert len(sent) == 3, "isolation, the SET that pins it, and the question"
    for number, text in enumerate(NASTY, 1):
        with odd_db.transaction() as tx:
            tx.insert_soon("things", id=number, name=text)
            assert tx.one("SELECT COUNT(*) AS number FROM things WHERE name = %s", (text,)) == {"number": 1}
    assert names(odd_db) == NASTY
    assert odd_db.one('SELECT "a" AS quoted, 1 || 0 AS either') == {"quoted": "a", "either": 1}
    with pytest.raises(Unfit), odd_db.transaction() as tx:
        tx.insert("things", id=99, name="x" * 81)
    assert names(odd_db) == NASTY


def test_a_statement_that_could_be_read_as_two_is_refused(db: Database) -> None:
    for act in ("run", "run_soon"):
        with pytest.raises(ValueError, match="semicolon"), db.transaction() as tx:
            getattr(tx, act)("DELETE FROM things; DELETE FROM things")


def test_a_refusal_of_what_was_to_be_written_soon_comes_with_the_end_and_nothing_is_kept(db: Database) -> None:
    with pytest.raises(Duplicate) as refusal, db.transaction() as tx:
        for number in (1, 2, 1, 3):
            tx.insert_soon("things", id=number, name="x")
    assert refusal.value.key == "PRIMARY"
    assert names(db) == []


def test_of_what_is_sent_together_nothing_is_done_after_the_first_refusal(db: Database) -> None:
    with db.transaction() as tx:
        tx.insert("things", id=1, name="a")
        tx.insert_soon("things", id=1, name="b")
        tx.insert_soon("things", id=2, name="c")
        with pytest.raises(Duplicate):
            tx.run("UPDATE things SET name = 'd'")
    assert names(db) == ["a"]


def test_rows_by_the_thousand_and_tuples_come_after_what_was_said_before_them(db: Database) -> None:
    with db.transaction() as tx:
        tx.insert_soon("things", id=1, name="a")
        assert tx.tuples("SELECT id, name FROM things") == [(1, "a")]
        tx.run_soon("DELETE FROM things")
        tx.insert_many("things", [{"id": number, "name": "b"} for number in (1, 2)])
    assert names(db) == ["b", "b"]


def test_a_connection_that_was_ended_meanwhile_is_replaced_before_anything_is_said(db: Database) -> None:
    killed(db)
    with db.transaction() as tx:
        tx.insert_soon("things", id=1, name="a")
        assert tx.one("SELECT name FROM things") == {"name": "a"}
    assert names(db) == ["a"]


def test_what_is_only_to_be_written_soon_is_not_lost_with_a_connection_that_was_ended_meanwhile(
        db: Database, sent: list[str]) -> None:
    killed(db)
    sent.clear()
    with db.transaction() as tx:
        tx.insert_soon("things", id=1, name="a")
    assert names(db) == ["a"]
    assert [one for one in sent if "BEGIN" in one and "COMMIT" in one] == []  # lost then, it may be there or not


def test_a_connection_that_is_lost_in_the_middle_loses_the_whole(db: Database) -> None:
    with pytest.raises(Unavailable), db.transaction() as tx:
        tx.insert("things", id=1, name="a")
        row = tx.one("SELECT CONNECTION_ID() AS id")
        assert row is not None
        other = Database()
        with other.transaction() as second:
            second.run(f"KILL {row['id']:d}")
        other.close()
        tx.insert("things", id=2, name="b")
    assert names(db) == []


def test_each_transaction_waits_for_a_lock_as_long_as_it_is_to_and_says_that_it_has_waited(
        db: Database, sent: list[str]) -> None:
    with db.transaction() as tx:
        tx.insert("things", id=1, name="a")
    other = Database()
    with other.transaction() as holder:
        holder.one("SELECT id FROM things WHERE id = 1 FOR UPDATE")
        with pytest.raises(RetryWhole) as refusal, db.transaction(lock_wait=1) as tx:
            tx.run("UPDATE things SET name = 'b'")
    other.close()
    assert refusal.value.waited
    sent.clear()
    for lock_wait in (1, 1, connection.LOCK_WAIT, connection.LOCK_WAIT):
        with db.transaction(lock_wait=lock_wait) as tx:
            assert tx.one("SELECT @@innodb_lock_wait_timeout AS seconds") == {"seconds": lock_wait}
    assert ["innodb_lock_wait_timeout =" in one for one in sent if one.startswith("BEGIN")] == [
        False, False, True, False]
