"""Functions end with their sandbox, whatever happens to it; and it ends when it is told to."""

from __future__ import annotations

import ctypes
import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from sandbox.scf.keeper import started
from tests.sandbox.test_scf import ROOT, Desk, gone

TGKILL = {"x86_64": 234, "aarch64": 131}  # the system call that signals one thread
SANDBOX = """
import json, sys, threading
from pathlib import Path
import requests
from tests.sandbox.test_scf import Desk
desk = Desk(Path(sys.argv[1]))
requests.get(f"{desk.api}/door/x", timeout=30)
desk.scf.invoke("jobs", {}, asynchronous=False)
print(json.dumps([pid for one in desk.get("/functions").values() for pid in one["pids"]]), flush=True)
threading.Event().wait()
"""
WAITING = """
import threading
from sandbox.ending import end_on_signals, wait
woken = end_on_signals()
threading.Thread(target=threading.Event().wait, daemon=True).start()
try:
    print("ready", flush=True)
    wait(woken)
finally:
    print("tidied up", flush=True)
"""


def python(text: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", text, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True,
                            env={**os.environ, "PYTHONPATH": str(ROOT)})


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def group(leader: int) -> list[int]:
    """Every process of a group, its leader first."""
    found = [int(one.name) for one in Path("/proc").iterdir() if one.name.isdecimal() and _group_of(one) == leader]
    return sorted(found)


def _group_of(process: Path) -> int | None:
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[2])
    except OSError:
        return None


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    process = python(SANDBOX, str(tmp_path))
    yield process
    process.kill()
    process.wait()


def test_functions_die_with_a_sandbox_that_is_killed(sandbox: subprocess.Popen[str], tmp_path: Path) -> None:
    leaders = json.loads(line_of(sandbox))
    record = tmp_path / "state" / "processes"
    everybody = [pid for leader in leaders for pid in group(leader)]
    assert len(leaders) == 2
    assert len(everybody) > 2  # the Web function's server has workers
    recorded = dict(line.split() for line in record.read_text().splitlines())
    assert {str(leader): started(leader) for leader in leaders}.items() <= recorded.items()
    for pid in everybody:
        os.kill(pid, signal.SIGSTOP)  # none can end by itself
    sandbox.kill()
    assert all(gone(pid) for pid in [*everybody, *map(int, recorded)])
    assert not record.exists()


def test_a_process_begins_on_the_record_even_if_the_sandbox_dies_at_that_moment(tmp_path: Path) -> None:
    """The starter is gone before the process has told its number: it tells the keeper by itself."""
    text = """
import os, subprocess, sys
from pathlib import Path
from sandbox.scf.keeping import Keeper
command, kept = Keeper(Path(sys.argv[1])).begin(["/bin/sleep", "900"])
late = ["/bin/sh", "-c", 'read go < "$0"; exec "$@"', sys.argv[2], *command]
print(subprocess.Popen(late, stdin=kept, start_new_session=True).pid, flush=True)
os.kill(os.getpid(), 9)
"""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    starter = python(text, str(tmp_path / "processes"), str(gate))
    pid = int(line_of(starter))
    assert starter.wait(20) == -signal.SIGKILL
    assert started(pid)
    gate.write_text("go\n")  # only now does it begin
    assert gone(pid)


def test_a_function_that_was_ended_is_off_the_record(tmp_path: Path) -> None:
    desk = Desk(tmp_path, run_timers=False)
    pid = requests.get(f"{desk.api}/door/x", timeout=20).json()["pid"]
    leader = desk.get("/functions")["door"]["pids"][0]
    record = tmp_path / "state" / "processes"
    assert f"{leader} {started(leader)}" in record.read_text().splitlines()
    desk.post("/instances/stop", {"function": "door"})
    deadline = time.monotonic() + 5
    while str(leader) in record.read_text() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert str(leader) not in record.read_text()
    assert gone(pid)
    desk.scf.stop()
    assert not record.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_sandbox_whichever_thread_it_reaches(number: int) -> None:
    process = python(WAITING)
    assert line_of(process) == "ready\n"
    [other] = [int(one.name) for one in Path(f"/proc/{process.pid}/task").iterdir() if int(one.name) != process.pid]
    assert ctypes.CDLL(None).syscall(TGKILL[platform.machine()], process.pid, other, number) == 0
    assert process.wait(10) == 0
    assert line_of(process) == "tidied up\n"
