"""One warm connection a thread, READ COMMITTED, and transactions that end as a whole.

READ COMMITTED because under REPEATABLE READ the snapshot is taken by a transaction's first read, so a
check made after ``FOR UPDATE`` would see old rows and duplicates would slip through.

Each exchange with the server costs more than most statements. So a transaction sends what needs no answer (BEGIN, the
``…_soon``) along with the next statement that does, and the last of it with the COMMIT: several statements, one
exchange. The server runs them in order and stops at the first that fails.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import pymysql
from msgspec import Struct
from pymysql.constants import CLIENT, ER, FIELD_TYPE
from pymysql.converters import conversions, convert_datetime, escape_datetime
from pymysql.cursors import Cursor, DictCursor

from hospital.runtime.cloud import secret
from hospital.runtime.config import config
from hospital.runtime.errors import RetryWhole, Unavailable

Row = dict[str, Any]
Args = Sequence[Any]

# Server gone, lost, lost at handshake, closed for inactivity; after a failover: shutting down, read-only
# (MySQL says it in two ways), killed by the old master.
_GONE = {2006, 2013, 2055, 4031, 1053, 1290, 1836, 1927}
_ROLLED_BACK = {ER.LOCK_DEADLOCK, ER.LOCK_WAIT_TIMEOUT}
_IDLE_CHECK = 20.0  # seconds; a connection unused for longer is tested before a transaction starts
LOCK_WAIT = 5  # seconds that a statement waits for another transaction's lock
# Not the server's own: what does not fit is refused, not cut; texts end where this side has escaped them to end.
SQL_MODE = "STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"


if TYPE_CHECKING:
    _Base = pymysql.Connection[Any]
else:
    _Base = pymysql.Connection


class Duplicate(Exception):
    """A UNIQUE key refused a row. ``key`` is the index's name."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


class Unfit(Exception):
    """The database takes a row's values for impossible (too long, out of range). ``reason`` names none of them."""

    reason = "does not fit its column"


@lru_cache(maxsize=4096)  # the slots of a list begin at a few moments
def _to_utc(text: str | bytes) -> Any:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)  # type: ignore[arg-type]
    except (ValueError, TypeError):  # a form that only pymysql knows
        value = convert_datetime(text)
        return value.replace(tzinfo=timezone.utc) if isinstance(value, datetime) else value


def _escape_aware(value: datetime, mapping: Any = None) -> str:
    if value.tzinfo is None:
        raise ValueError("a datetime without a zone must not reach the database")
    return str(escape_datetime(value.astimezone(timezone.utc).replace(tzinfo=None), mapping))


_CONVERSIONS: dict[Any, Any] = {**conversions, FIELD_TYPE.DATETIME: _to_utc, FIELD_TYPE.TIMESTAMP: _to_utc,
                datetime: _escape_aware}


@contextmanager
def _refusals() -> Iterator[None]:
    """What the database refuses of a row, as the house says it."""
    try:
        yield
    except pymysql.err.IntegrityError as error:
        if error.args[0] == ER.DUP_ENTRY:
            raise Duplicate(_key_name(str(error.args[1]))) from None
        raise
    except pymysql.err.DataError:
        raise Unfit from None


class _Connection(_Base):
    """A connection that knows how long its statements wait for a lock."""

    lock_wait = LOCK_WAIT


class Queries:
    """What can be asked in one connection, inside a transaction or not."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection

    def all(self, sql: str, args: Args = ()) -> list[Row]:
        """Every row, as dictionaries. Datetimes are aware, UTC."""
        return list(self._ask(DictCursor, sql, args).rows)

    def one(self, sql: str, args: Args = ()) -> Row | None:
        """The first row, or None."""
        row: Row | None = self._ask(DictCursor, sql, args).one()
        return row

    def tuples(self, sql: str, args: Args = ()) -> list[tuple[Any, ...]]:
        """Every row as a plain tuple: for rows by the thousand, where the dictionaries cost more than the reading."""
        return list(self._ask(Cursor, sql, args).rows)

    def run(self, sql: str, args: Args = ()) -> int:
        """Change something; the number of rows affected.

        Raises Duplicate when a UNIQUE key refuses, Unfit.
        """
        return self._ask(DictCursor, sql, args).affected

    def said(self, sql: str, args: Args = ()) -> int:
        """Change something by a statement that says a number by ``LAST_INSERT_ID(…)``; 0 when it said none."""
        return self._ask(Cursor, sql, args).said

    def insert(self, table: str, **values: Any) -> None:
        """Insert one row. Raises Duplicate when a UNIQUE key refuses."""
        self.run(*_insertion(table, values))

    def insert_many(self, table: str, rows: list[Row]) -> None:
        """Insert rows of the same columns in one statement a batch. Raises Duplicate, Unfit."""
        if rows:
            names, marks = ", ".join(rows[0]), ", ".join(["%s"] * len(rows[0]))
            with self._connection.cursor(Cursor) as cursor, _refusals():
                cursor.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})",
                                   [tuple(row.values()) for row in rows])

    def _ask(self, kind: type[Cursor], sql: str, args: Args) -> Answer:
        return self._exchange(kind, [_Statement(sql, args)])

    def _exchange(self, kind: type[Cursor], statements: list[_Statement]) -> Answer:
        """Send statements together; the answer to the last. Those of the others are kept where they are waited for."""
        with self._connection.cursor(kind) as cursor, _refusals():
            cursor.execute("; ".join([self._text(cursor, one) for one in statements]))
            for one in statements[:-1]:
                if one.answer is not None:
                    one.answer.rows = cursor.fetchall()
                cursor.nextset()
            return Answer(cursor.rowcount, cursor.fetchall(), int(cursor.lastrowid or 0))

    @staticmethod
    def _text(cursor: Cursor, statement: _Statement) -> str:
        """A statement as it is sent, its arguments written into it.

        Raises ValueError when it could be read as two: only :meth:`_exchange` puts statements beside each other.
        """
        if ";" in statement.sql:
            raise ValueError("a semicolon in a statement: texts are arguments")
        return cursor.mogrify(statement.sql, tuple(statement.args) or None)


class Answer(Struct):
    """What the server has answered to a statement: rows affected or found, the rows, the number it said."""

    affected: int = 0
    rows: Sequence[Any] = ()
    said: int = 0

    def one(self) -> Any:
        """The first row, or None."""
        return self.rows[0] if self.rows else None


class _Statement(Struct, frozen=True):
    """One to be sent; ``answer``: where its rows are kept, if anybody waits for them."""

    sql: str
    args: Args = ()
    answer: Answer | None = None


_BEGIN, _COMMIT = _Statement("BEGIN"), _Statement("COMMIT")


def _insertion(table: str, values: Row) -> tuple[str, Args]:
    marks = ", ".join(["%s"] * len(values))
    return f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", tuple(values.values())


class Transaction(Queries):
    """An open transaction: proof, in a signature, that the caller's changes end as a whole.

    It begins with its first statement. ``after_commit`` holds what is to be done once, when the changes are durable.
    """

    def __init__(self, connection: _Connection, renewed: Callable[[], _Connection], lock_wait: int) -> None:
        super().__init__(connection)
        self.after_commit: dict[str, Any] = {}
        self._renewed, self._lock_wait = renewed, lock_wait
        self._waiting: list[_Statement] = []
        self.is_begun = False  # something was sent

    def run_soon(self, sql: str, args: Args = ()) -> None:
        """Change something, along with the next statement or the commit: those raise what :meth:`run` would.

        Not for what a key may refuse while somebody between here and there catches Duplicate.
        """
        self._waiting.append(_Statement(sql, args))

    def insert_soon(self, table: str, **values: Any) -> None:
        """Insert one row, as :meth:`run_soon`."""
        self.run_soon(*_insertion(table, values))

    def ask_soon(self, sql: str, args: Args = ()) -> Answer:
        """Read along with the next statement, before it; the rows are there after that, as dictionaries."""
        answer = Answer()
        self._waiting.append(_Statement(sql, args, answer))
        return answer

    def tuples(self, sql: str, args: Args = ()) -> list[tuple[Any, ...]]:
        """As :meth:`Queries.tuples`."""
        self._send([])
        return super().tuples(sql, args)

    def insert_many(self, table: str, rows: list[Row]) -> None:
        """As :meth:`Queries.insert_many`."""
        if rows:
            self._send([])
            super().insert_many(table, rows)

    def commit(self) -> None:
        """Send what still waits, and make everything durable. Raises what the statements raise."""
        if self._waiting and not self.is_begun:
            self._send([])  # by itself: what is lost with a COMMIT in it can't be said again
        if self.is_begun:
            self._send([_COMMIT])

    def roll_back(self) -> None:
        """Undo everything."""
        if self.is_begun:
            self._connection.rollback()

    def _ask(self, kind: type[Cursor], sql: str, args: Args) -> Answer:
        return self._send([_Statement(sql, args)], kind)

    def _send(self, last: list[_Statement], kind: type[Cursor] = DictCursor) -> Answer:
        statements, self._waiting = [*self._waiting, *last], []
        if self.is_begun:
            return self._exchange(kind, statements) if statements else Answer()
        self.is_begun = True
        try:
            return self._exchange(kind, [*self._opening(), *statements])
        except (pymysql.err.OperationalError, pymysql.err.InterfaceError) as error:
            # The server went away since the connection was used: what it was told is undone, and said to a new one.
            if not _lost(error):
                raise
        self._connection = self._renewed()
        return self._exchange(kind, [*self._opening(), *statements])

    def _opening(self) -> list[_Statement]:
        if self._connection.lock_wait == self._lock_wait:
            return [_BEGIN]
        self._connection.lock_wait = self._lock_wait
        return [_BEGIN, _Statement("SET SESSION innodb_lock_wait_timeout = %s", (self._lock_wait,))]


class Database:
    """The way to the database. Safe to share between threads: each has a connection of its own."""

    def __init__(self) -> None:
        self._local = threading.local()

    def all(self, sql: str, args: Args = ()) -> list[Row]:
        """Read outside a transaction; as :meth:`Queries.all`."""
        rows: list[Row] = self._read(lambda queries: queries.all(sql, args))
        return rows

    def one(self, sql: str, args: Args = ()) -> Row | None:
        """Read outside a transaction; as :meth:`Queries.one`."""
        row: Row | None = self._read(lambda queries: queries.one(sql, args))
        return row

    def tuples(self, sql: str, args: Args = ()) -> list[tuple[Any, ...]]:
        """Read outside a transaction; as :meth:`Queries.tuples`."""
        rows: list[tuple[Any, ...]] = self._read(lambda queries: queries.tuples(sql, args))
        return rows

    def alone(self, sql: str, args: Args = ()) -> int:
        """One statement that is its own transaction; as :meth:`Queries.said`. It may happen twice.

        Raises RetryWhole when the database rolled it back (a row locked too long), Unavailable.
        """
        try:
            said: int = self._read(lambda queries: queries.said(sql, args))
        except pymysql.err.OperationalError as error:
            if error.args[0] in _ROLLED_BACK:
                raise RetryWhole(str(error.args[0])) from None
            raise
        return said

    def _read(self, ask: Callable[[Queries], Any]) -> Any:
        for last in (False, True):
            try:
                return ask(Queries(self._connection()))
            except (pymysql.err.OperationalError, pymysql.err.InterfaceError) as error:
                if not _lost(error):
                    raise
                self._drop()
                if last:
                    raise Unavailable from None
        return None

    @contextmanager
    def transaction(self, *, lock_wait: int = LOCK_WAIT) -> Iterator[Transaction]:
        """Commit at the end, roll back on any error. Its statements wait ``lock_wait`` seconds for a lock.

        Raises RetryWhole when the database itself rolled back (deadlock, lock wait), Unavailable when it is gone.
        Then nothing was committed, or, if the connection broke during the commit, possibly all of it:
        that is why every command has a key.
        """
        transaction = Transaction(self._connection(check=True), self._anew, lock_wait)
        try:
            yield transaction
            transaction.commit()
        except BaseException as error:
            self._roll_back(transaction)
            if isinstance(error, (pymysql.err.OperationalError, pymysql.err.InterfaceError)):
                if _lost(error):
                    self._drop()  # a server that went read-only still answers: the next try must find the new one
                    raise Unavailable from None
                if error.args[0] in _ROLLED_BACK:
                    raise RetryWhole(str(error.args[0]), waited=error.args[0] == ER.LOCK_WAIT_TIMEOUT) from None
            raise
        for action in transaction.after_commit.values():
            action()

    def _anew(self) -> _Connection:
        """A new connection in the place of one that is lost. Raises Unavailable."""
        self._drop()
        return self._connection()

    def close(self) -> None:
        """Close this thread's connection."""
        self._drop()

    def _connection(self, check: bool = False) -> _Connection:
        connection: _Connection | None = getattr(self._local, "connection", None)
        now = time.monotonic()
        if connection is not None and check and now - self._local.used > _IDLE_CHECK:
            try:
                connection.ping(reconnect=False)
            except (pymysql.err.Error, OSError):
                self._drop()
                connection = None
        if connection is None:
            connection = self._connect()
            self._local.connection = connection
        self._local.used = now
        return connection

    @staticmethod
    def _connect() -> _Connection:
        settings = config()
        try:
            connection = _Connection(
                host=settings.mysql_host, port=settings.mysql_port, user=settings.mysql_user,
                password=secret(settings.mysql_password_secret), database=settings.mysql_database,
                charset="utf8mb4", autocommit=True, conv=_CONVERSIONS,
                client_flag=CLIENT.FOUND_ROWS | CLIENT.MULTI_STATEMENTS,
                ssl_disabled=True,  # inside the private network; a TLS context costs 28 ms CPU a connection
                connect_timeout=3, read_timeout=20, write_timeout=20,
                init_command="SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
            )
            with connection.cursor() as cursor:
                cursor.execute(f"SET SESSION innodb_lock_wait_timeout = {LOCK_WAIT}, SESSION sql_mode = '{SQL_MODE}'")
            return connection
        except (pymysql.err.OperationalError, OSError) as error:
            raise Unavailable from error

    def _drop(self) -> None:
        connection = getattr(self._local, "connection", None)
        self._local.connection = None
        if connection is not None:
            try:
                connection.close()
            except pymysql.err.Error:
                return  # closed already; that is what was wanted

    def _roll_back(self, transaction: Transaction) -> None:
        try:
            transaction.roll_back()
        except (pymysql.err.Error, OSError):
            self._drop()  # the server rolls back when the connection ends


@lru_cache(maxsize=1)
def database() -> Database:
    """This process's way to the database."""
    return Database()


def _lost(error: Exception) -> bool:
    return isinstance(error, pymysql.err.InterfaceError) or (bool(error.args) and error.args[0] in _GONE)


def _key_name(message: str) -> str:
    # "Duplicate entry 'x' for key 'name'" (MariaDB) or "… for key 'table.name'" (MySQL 8)
    return message.rsplit("for key '", 1)[-1].rstrip("'").rsplit(".", 1)[-1]
