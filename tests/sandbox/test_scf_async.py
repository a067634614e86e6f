"""Asynchronous events and timers: retries, limits and fire times on the sandbox's clock."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from sandbox.clock import Clock
from sandbox.faults import Faults
from sandbox.scf import Scf
from sandbox.scf.errors import InvokeError
from sandbox.system import World

MANIFEST = """
inputs:
  functions:
    jobs: {src: jobs, timeout: 2, reservedConcurrency: 1}
  triggers:
    - type: timer
      function: jobs
      parameters: {name: nightly, cronExpression: "0 30 3 * * * *", argument: hello}
"""
JOBS = """
import os, time
def main_handler(event, context):
    while "until" in event and not os.path.exists(event["until"]):
        time.sleep(0.01)
    if "file" in event:
        with open(event["file"], "a") as file:
            file.write("x\\n")
    if event.get("fail"):
        raise RuntimeError("again")
    return {"event": event}
"""


class Desk:
    """The runtime at noon in Beijing, with its control interface."""

    def __init__(self, folder: Path) -> None:
        (folder / "jobs").mkdir()
        (folder / "jobs" / "index.py").write_text(JOBS)
        (folder / "serverless.yml").write_text(MANIFEST)
        self.clock = Clock()
        self.clock.set(datetime(2026, 11, 22, 4, 0, tzinfo=timezone.utc))
        self.scf = Scf(
            World(self.clock, Faults(), deque()), manifest=folder / "serverless.yml", project=folder,
            layer_paths={}, python=[sys.executable, "-S"], state=folder / "state", values={},
            credentials={"secret_id": "AKID", "secret_key": "KEY", "token": "TOKEN"},
        )
        control = Flask("control")
        control.register_blueprint(self.scf.control, url_prefix="/scf")
        self.control = control.test_client()

    def get(self, path: str) -> Any:
        return self.control.get("/scf" + path).get_json()

    def post(self, path: str, body: Any = None) -> Any:
        return self.control.post("/scf" + path, json=body).get_json()


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.scf.stop()


def test_async_event_is_retried_a_minute_apart_and_then_given_up(fresh: Desk, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    fresh.scf.invoke("jobs", {"file": str(notes), "fail": True}, asynchronous=True)
    for runs in (1, 2, 3):
        assert fresh.post("/settle", {"timeout": 10}) == {"settled": True}
        assert len(notes.read_text().split()) == runs
        fresh.clock.advance(timedelta(seconds=61))
    fresh.post("/settle", {"timeout": 10})
    facts = fresh.get("/async")
    assert len(notes.read_text().split()) == 3 and facts["pending"] == [] and facts["retries"] == 2
    assert facts["dead"][0]["failures"] == 3


def test_async_events_queue_behind_reserved_concurrency_and_old_ones_are_dropped(
    fresh: Desk, tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    for _ in range(5):
        fresh.scf.invoke("jobs", {"file": str(notes)}, asynchronous=True)
    assert fresh.scf.settle(10) and len(notes.read_text().split()) == 5
    assert len(fresh.get("/functions")["jobs"]["pids"]) == 1
    fresh.scf.invoke("jobs", {"until": str(tmp_path / "go")}, asynchronous=True)
    fresh.scf.invoke("jobs", {"file": str(notes)}, asynchronous=True)
    fresh.clock.advance(timedelta(hours=7))
    (tmp_path / "go").touch()
    assert fresh.scf.settle(10)
    assert len(notes.read_text().split()) == 5 and "msgTTL" in fresh.get("/async")["dead"][0]["given_up"]
    with pytest.raises(InvokeError) as refused:
        fresh.scf.invoke("jobs", {"x": "y" * 128 * 1024}, asynchronous=True)
    assert refused.value.status == 406


def test_timer_fires_once_for_a_jump_of_days_with_the_documented_event(fresh: Desk) -> None:
    fresh.clock.advance(timedelta(days=3))
    assert fresh.scf.settle(10)
    assert fresh.get("/functions")["jobs"]["invocations"] == 1
    line = next(line for line in fresh.get("/logs/jobs")["lines"] if line.startswith("Response"))
    assert '"event": {"Type": "Timer", "TriggerName": "nightly", "Time": "2026-11-22T19:30:00Z", ' \
           '"Message": "hello"}' in line
    fired = fresh.post("/timers/jobs/nightly/fire")
    assert fired["result"]["event"]["TriggerName"] == "nightly"
    assert fresh.control.post("/scf/timers/jobs/none/fire").status_code == 404
