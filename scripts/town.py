"""Starting the sandbox as a process of its own, with a fresh database. For demo, tests and benchmarks."""

from __future__ import annotations

import compileall
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import requests

from sandbox.phone import Control
from scripts import local_db, migrate

ROOT = Path(__file__).resolve().parent.parent


class DidNotStart(Exception):
    """The sandbox ended before it was ready; the text holds the end of its log."""


@contextlib.contextmanager
def running(mysql: str, database: str, state: Path, *options: str) -> Iterator[Control]:
    """The sandbox on a fresh, migrated database, ready to use; ended, with all its processes, at the end."""
    with process(mysql, database, state, *options) as (control, _):
        yield control


@contextlib.contextmanager
def process(mysql: str, database: str, state: Path, *options: str) -> Iterator[tuple[Control, subprocess.Popen[bytes]]]:
    """As ``running``, with the sandbox's process. Raises DidNotStart."""
    host, _, port = mysql.partition(":")
    _compile(options)
    local_db.fresh_database(host, int(port), database)
    migrate.migrate(host, int(port), database)
    state.mkdir(parents=True, exist_ok=True)
    addresses = state / "addresses.json"
    addresses.unlink(missing_ok=True)
    log = state / "sandbox.log"
    sandbox: subprocess.Popen[bytes] | None = None
    try:
        with log.open("w") as output:
            sandbox = subprocess.Popen(
                [sys.executable, "-m", "sandbox", "--mysql", mysql, "--database", database, "--state", str(state),
                 *options],
                cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, env={**os.environ, "PYTHONPATH": str(ROOT)})
        deadline = time.monotonic() + 120
        while not addresses.exists():
            if sandbox.poll() is not None or time.monotonic() > deadline:
                raise DidNotStart(log.read_text()[-3000:])
            time.sleep(0.05)
        yield Control(json.loads(addresses.read_text())), sandbox
    finally:
        if sandbox is not None:
            _end(sandbox)
        addresses.unlink(missing_ok=True)


def _compile(options: Sequence[str]) -> None:
    """Byte code for the layer, as the deployed one has it: functions write none, and would compile it at each start."""
    layer = options[options.index("--layer") + 1] if "--layer" in options else ROOT / "layers" / "common"
    compileall.compile_dir(layer, quiet=1)


def _end(sandbox: subprocess.Popen[bytes]) -> None:
    if sandbox.poll() is None:
        sandbox.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            sandbox.wait(20)
    if sandbox.poll() is None:
        sandbox.kill()
        sandbox.wait()


def warm_up(control: Control) -> None:
    """Call each function once: its cold start is behind it. Timers do as in a quiet minute."""
    def call(name: str) -> None:
        requests.get(f"{control.addresses['scf']}/api/{name}/nothing", timeout=120).close()

    functions: dict[str, dict[str, Any]] = control("GET", "/scf/functions")
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(call, [name for name, one in functions.items() if one["type"] == "web"]))
    for tries_left in reversed(range(5)):
        try:
            control.work()
            return
        except RuntimeError:  # a secret or a connection took longer than a function waits: it would be called again
            if not tries_left:
                raise
