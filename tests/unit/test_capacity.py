"""What the functions need of MySQL follows from serverless.yml."""

from __future__ import annotations

import dataclasses

import pytest
from hospital.database.outbox import THREADS
from hospital.runtime import serve

from sandbox.scf import manifest
from scripts import capacity, local_db

FUNCTIONS = manifest.load(capacity.ROOT / "serverless.yml").functions


def test_every_function_counts_with_its_instances_and_its_threads() -> None:
    held = capacity.connections(FUNCTIONS, 10)
    assert held.keys() == FUNCTIONS.keys()
    assert held["booking"] == (10, serve.THREADS)
    assert held["worker"] == (FUNCTIONS["worker"].reserved_concurrency, THREADS)
    assert held["schedule_sync"] == (1, 1)
    assert capacity.needed(10) == sum(some * each for some, each in held.values()) + capacity.FOR_PEOPLE


@pytest.mark.parametrize(("concurrency", "each"), [(1, 1), (1000, serve.THREADS)])
def test_an_instance_holds_no_more_than_it_has_requests_or_threads(concurrency: int, each: int) -> None:
    one = dataclasses.replace(FUNCTIONS["booking"], max_concurrency=concurrency)
    assert capacity.connections({"booking": one})["booking"] == (capacity.INSTANCES, each)


def test_a_server_that_allows_the_tests_too_few_connections_is_refused_with_a_sentence(
        monkeypatch: pytest.MonkeyPatch, mysql: str) -> None:
    local_db.check(mysql)
    monkeypatch.setattr(local_db, "MAX_CONNECTIONS", 1_000_000)
    with pytest.raises(local_db.NoServer, match=r"must allow 1000000 connections and allows [0-9]+: SET GLOBAL"):
        local_db.check(mysql)


def test_a_server_that_is_not_there_is_told_in_a_sentence() -> None:
    with pytest.raises(local_db.NoServer, match="must let root in without a password"):
        local_db.check("127.0.0.1:9")
