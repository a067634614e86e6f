"""The demo's manners: alone in its folder, over when a part of it is, and cleaned up after."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.scf.keeper import started
from scripts import demo, local_db
from tests.sandbox.test_scf import ROOT, gone

HOLDING = """
import sys
from pathlib import Path
from scripts.demo import alone
with alone(Path(sys.argv[1])):
    print("in", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def sleeper() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """``sleeper("words", cwd=…)``: a shell that waits with these words in its command line.

    It has said so itself: to others a process shows no command line for a moment after its start.
    """
    made: list[subprocess.Popen[bytes]] = []

    def start(words: str, **how: Any) -> subprocess.Popen[bytes]:
        made.append(subprocess.Popen(["/bin/sh", "-c", f": {words}; echo in; read forever"],
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, **how))
        assert made[-1].stdout is not None
        assert made[-1].stdout.readline() == b"in\n"
        return made[-1]

    yield start
    for one in made:
        one.kill()
        one.wait()


def test_a_second_demo_in_one_folder_says_so_at_once_in_one_sentence(tmp_path: Path) -> None:
    lock = tmp_path / "demo" / "lock"
    path = os.pathsep.join([str(ROOT), str(ROOT / "layers" / "common")])
    first = subprocess.Popen([sys.executable, "-c", HOLDING, str(lock)], cwd=ROOT, stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path})
    assert first.stdout is not None
    assert first.stdout.readline() == b"in\n"
    with pytest.raises(demo.NotNow, match=rf"^A demo runs in this folder already \(process {first.pid}\): [^.]+\.$"), \
            demo.alone(lock):
        pass
    first.kill()  # the lock ends with the process, however that ends
    first.wait()
    with demo.alone(lock):
        assert lock.read_text() == f"{os.getpid()}\n"


def test_a_port_that_somebody_has_is_named_before_anything_starts() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(demo.NotNow, match=f"Port {port} is in use"):
            demo.check_ports(port, 1)
    demo.check_ports(port, 1)


def test_a_serving_demo_ends_when_a_part_of_it_does() -> None:
    alive, dead = subprocess.Popen(["/bin/sleep", "900"]), subprocess.Popen(["/bin/sh", "-c", "exit 3"])
    with pytest.raises(demo.NotNow, match=r"^The database has ended \(status 3\), so the demo ends"):
        demo.watch({"the sandbox": alive, "the database": dead})
    alive.kill()
    alive.wait()


def test_a_server_whose_owner_was_killed_is_named_instead_of_waited_for(
        tmp_path: Path, sleeper: Callable[..., subprocess.Popen[bytes]]) -> None:
    folder = tmp_path / "db"
    folder.mkdir()
    server = sleeper(str(folder))
    (folder / "pid").write_text(f"{server.pid}\n")
    with pytest.raises(local_db.NoServer, match=rf"process {server.pid}.*make clean"):
        local_db.start(folder)


def test_make_clean_ends_what_is_recorded_and_nothing_else(
        tmp_path: Path, sleeper: Callable[..., subprocess.Popen[bytes]]) -> None:
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "clean", tmp_path / "scripts" / "clean")
    scf = tmp_path / "build" / "demo" / "scf"
    scf.mkdir(parents=True)
    sleepers = [sleeper("-m sandbox", cwd=where, start_new_session=new_session) for where, new_session
                in ((tmp_path, False), (Path("/"), False), (tmp_path, True), (tmp_path, True))]
    ours, elsewhere, function, renumbered = (one.pid for one in sleepers)
    (tmp_path / "build" / "demo" / "pid").write_text(f"{ours}\n")
    (tmp_path / "build" / "other" / "db").mkdir(parents=True)
    (tmp_path / "build" / "other" / "db" / "pid").write_text(f"{elsewhere}\n")
    (scf / "processes").write_text(f"{function} {started(function)}\n{renumbered} 12\n")
    subprocess.run(["/bin/bash", "scripts/clean"], cwd=tmp_path, check=True, timeout=60)
    assert gone(ours)
    assert gone(function)
    assert [one.poll() for one in (sleepers[1], sleepers[3])] == [None, None]
    assert not (tmp_path / "build").exists()
