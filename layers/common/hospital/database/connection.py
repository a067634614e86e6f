"""One warm connection a thread, READ COMMITTED, and transactions that end as a whole.

READ COMMITTED because under REPEATABLE READ the snapshot is taken by a transaction's first read, so a
check made after ``FOR UPDATE`` would see old rows and duplicates would slip through.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from functools import lru_cache
from typing import Any

import pymysql
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


class Duplicate(Exception):
    """A UNIQUE key refused a row. ``key`` is the index's name."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


class Unfit(Exception):
    """The database takes a row's values for impossible (too long, out of range). ``reason`` names none of them."""

    reason = "does not fit its column"


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


class Queries:
    """What can be asked in one connection, inside a transaction or not."""

    def __init__(self, connection: pymysql.Connection[Any]) -> None:
        self._connection = connection

    def all(self, sql: str, args: Args = ()) -> list[Row]:
        """Every row, as dictionaries. Datetimes are aware, UTC."""
        with self._connection.cursor(DictCursor) as cursor:
            self._execute(cursor, sql, args)
            return list(cursor.fetchall())

    def one(self, sql: str, args: Args = ()) -> Row | None:
        """The first row, or None."""
        with self._connection.cursor(DictCursor) as cursor:
            self._execute(cursor, sql, args)
            return cursor.fetchone()

    def tuples(self, sql: str, args: Args = ()) -> list[tuple[Any, ...]]:
        """Every row as a plain tuple: for rows by the thousand, where the dictionaries cost more than the reading."""
        with self._connection.cursor(Cursor) as cursor:
            self._execute(cursor, sql, args)
            return list(cursor.fetchall())

    def run(self, sql: str, args: Args = ()) -> int:
        """Change something; the number of rows affected.

        Raises Duplicate when a UNIQUE key refuses, Unfit.
        """
        with self._connection.cursor(Cursor) as cursor:
            return self._execute(cursor, sql, args)

    def said(self, sql: str, args: Args = ()) -> int:
        """Change something by a statement that says a number by ``LAST_INSERT_ID(…)``; 0 when it said none."""
        with self._connection.cursor(Cursor) as cursor:
            self._execute(cursor, sql, args)
            return int(cursor.lastrowid or 0)

    def insert(self, table: str, **values: Any) -> None:
        """Insert one row. Raises Duplicate when a UNIQUE key refuses."""
        marks = ", ".join(["%s"] * len(values))
        self.run(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})",
                 tuple(values.values()))

    def insert_many(self, table: str, rows: list[Row]) -> None:
        """Insert rows of the same columns in one statement a batch. Raises Duplicate, Unfit."""
        if rows:
            names, marks = ", ".join(rows[0]), ", ".join(["%s"] * len(rows[0]))
            with self._connection.cursor(Cursor) as cursor, _refusals():
                cursor.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})",
                                   [tuple(row.values()) for row in rows])

    @staticmethod
    def _execute(cursor: Cursor, sql: str, args: Args) -> int:
        with _refusals():
            return cursor.execute(sql, tuple(args) or None)


class Transaction(Queries):
    """An open transaction: proof, in a signature, that the caller's changes end as a whole.

    ``after_commit`` holds what is to be done once, when the changes are durable.
    """

    def __init__(self, connection: pymysql.Connection[Any]) -> None:
        super().__init__(connection)
        self.after_commit: dict[str, Any] = {}


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
    def transaction(self) -> Iterator[Transaction]:
        """Commit at the end, roll back on any error.

        Raises RetryWhole when the database itself rolled back (deadlock), Unavailable when it is gone.
        Then nothing was committed, or, if the connection broke during the commit, possibly all of it:
        that is why every command has a key.
        """
        connection = self._begin()
        transaction = Transaction(connection)
        try:
            yield transaction
            connection.commit()
        except BaseException as error:
            self._roll_back(connection)
            if isinstance(error, (pymysql.err.OperationalError, pymysql.err.InterfaceError)):
                if _lost(error):
                    self._drop()  # a server that went read-only still answers: the next try must find the new one
                    raise Unavailable from None
                if error.args[0] in _ROLLED_BACK:
                    raise RetryWhole(str(error.args[0])) from None
            raise
        for action in transaction.after_commit.values():
            action()

    def _begin(self) -> pymysql.Connection[Any]:
        for last in (False, True):
            connection = self._connection(check=True)
            try:
                connection.begin()
                return connection
            except (pymysql.err.OperationalError, pymysql.err.InterfaceError) as error:
                self._drop()  # the server went away since: nothing was begun, a new connection may do
                if last or not _lost(error):
                    raise Unavailable from error
        raise Unavailable

    def close(self) -> None:
        """Close this thread's connection."""
        self._drop()

    def _connection(self, check: bool = False) -> pymysql.Connection[Any]:
        connection: pymysql.Connection[Any] | None = getattr(self._local, "connection", None)
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
    def _connect() -> pymysql.Connection[Any]:
        settings = config()
        try:
            connection = pymysql.connect(
                host=settings.mysql_host, port=settings.mysql_port, user=settings.mysql_user,
                password=secret(settings.mysql_password_secret), database=settings.mysql_database,
                charset="utf8mb4", autocommit=True, conv=_CONVERSIONS, client_flag=CLIENT.FOUND_ROWS,
                ssl_disabled=True,  # inside the private network; a TLS context costs 28 ms CPU a connection
                connect_timeout=3, read_timeout=20, write_timeout=20,
                init_command="SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
            )
            with connection.cursor() as cursor:
                cursor.execute("SET SESSION innodb_lock_wait_timeout = 5")
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

    def _roll_back(self, connection: pymysql.Connection[Any]) -> None:
        try:
            connection.rollback()
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
