"""An account's messages one after the other: the next one is called, however closely the ends and beginnings fall."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pymysql
import pytest
from hospital.database.connection import Database, Transaction
from hospital.database.outbox import Job
from hospital.database.policy import Template
from hospital.messages import service, store

from scripts import local_db
from tests.in_process import own_database

NOW = datetime(2026, 11, 23, tzinfo=timezone.utc)
LEASE = NOW + timedelta(seconds=90)
CHOSEN = Template(template_id="t", keywords={})
FIRST, SECOND, ACCOUNT = "1" * 26, "2" * 26, "A" * 26


@pytest.fixture
def server(mysql: str, database_name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[pymysql.Connection[Any]]:
    """A database with one account, whose first message is being sent."""
    host, _, port = mysql.partition(":")
    name = f"{database_name}_turns"
    own_database(mysql, name, monkeypatch)
    one = local_db.connect(host, int(port), name)
    with one.cursor() as cursor:
        cursor.execute("INSERT INTO accounts (id, openid, created_at) VALUES (%s, 'somebody', %s)", (ACCOUNT, NOW))
    queued(one, FIRST, "SENDING")
    yield one
    one.close()


def queued(server: pymysql.Connection[Any], message: str, state: str = "QUEUED") -> Job:
    """A message, and its step as a worker has just taken it."""
    with server.cursor() as cursor:
        cursor.execute("INSERT INTO messages (id, account_id, kind, message_key, data_enc, state, created_at) "
                       "VALUES (%s, %s, 'refunded', %s, '', %s, %s)", (message, ACCOUNT, message, state, NOW))
        cursor.execute("INSERT INTO outbox (id, worker, topic, subject_id, state, due_at, attempts, created_at) "
                       "VALUES (%s, 'worker', 'message.send', %s, 'PENDING', %s, 1, %s)",
                       (message, message, LEASE, NOW))
    return Job(message, service.TOPIC, message, 1, LEASE)


def waits_for_a_lock(server: pymysql.Connection[Any], number: int) -> bool:
    """Whether a connection waits for another's lock.

    InnoDB fills that table anew only when nobody has read it for 0.1 s: who asks more often sees the past for ever.
    """
    time.sleep(0.2)
    with server.cursor() as cursor:
        cursor.execute("SELECT 1 FROM information_schema.innodb_trx WHERE trx_mysql_thread_id = %s "
                       "AND trx_state = 'LOCK WAIT'", (number,))
        return bool(cursor.fetchall())


def test_a_message_that_comes_while_the_one_before_it_ends_is_sent_at_once(
        server: pymysql.Connection[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Who ends the first looks for the next before there is one; who has the second looks before the first is ended."""
    has_looked, may_end, sent = threading.Event(), threading.Event(), list[str]()
    looks = store.next_unsent

    def looks_and_is_held_up(tx: Transaction, account_id: str, topic: str) -> str | None:
        found = looks(tx, account_id, topic)
        if not has_looked.is_set():
            has_looked.set()
            assert may_end.wait(30)
        return found

    monkeypatch.setattr(store, "next_unsent", looks_and_is_held_up)
    monkeypatch.setattr(store.cipher, "unseal", lambda *_: "{}")
    template = SimpleNamespace(message_templates={"refunded": CHOSEN})
    monkeypatch.setattr(service.policy, "load", lambda _: template)
    monkeypatch.setattr(service.wechat, "send_message", lambda openid, *_: sent.append(openid))
    one, other, number = Database(), Database(), list[int]()

    def second(job: Job) -> Any:
        number.append(other.tuples("SELECT CONNECTION_ID()")[0][0])
        return service.send(other, job, NOW)

    with ThreadPoolExecutor(2) as pool:
        ends = pool.submit(service._finish, one, {"id": FIRST, "account_id": ACCOUNT}, "SENT", "", CHOSEN, NOW)
        assert has_looked.wait(30)
        begins = pool.submit(second, queued(server, SECOND))
        deadline = time.monotonic() + 30
        while not begins.done() and time.monotonic() < deadline and not (
                number and waits_for_a_lock(server, number[0])):
            pass
        may_end.set()
        ends.result(30)
        assert (begins.result(30), sent) == (None, ["somebody"])
