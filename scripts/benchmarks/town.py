"""Where the benchmarks run: a MariaDB with durable commits and the sandbox on real time."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests

from sandbox.phone import Control
from scripts import local_db
from scripts import town as sandbox_town
from scripts.benchmarks import machine, servers

if TYPE_CHECKING:
    from scripts import package
    from scripts.benchmarks import hospital

DATABASE = "hospital_bench"
FOLDER = servers.ROOT / "build" / "bench"


@dataclass
class Place:
    """The running world of the benchmarks."""

    control: Control
    host: str
    port: int
    database: str
    database_pid: int
    sql: hospital.Connection
    folder: Path
    effort: machine.Effort
    packages: list[package.Package] = field(default_factory=list)  # once built

    def function(self, name: str) -> servers.Server:
        """A Web function's own process, started if it was not."""
        self.keep_alive(name)
        facts = self.control("GET", "/scf/functions")[name]
        port = urlsplit(facts["addresses"][0]).port
        assert port is not None
        return servers.Server(facts["pids"][0], port)

    def keep_alive(self, name: str = "booking") -> None:
        """A request through the gateway: the sandbox ends instances that it sees idle."""
        requests.get(f"{self.control.addresses['scf']}/api/{name}/nothing", timeout=60)

    def environment(self, name: str) -> dict[str, str]:
        """What the cloud gives a function's process."""
        env: dict[str, str] = self.control("GET", f"/scf/env/{name}")
        return env


@contextlib.contextmanager
def running(folder: Path = FOLDER, effort: machine.Effort = machine.WHOLE) -> Iterator[Place]:
    """A fresh world in ``folder``, its database beside it. Always a MariaDB of our own: its process is measured."""
    shutil.rmtree(folder, ignore_errors=True)
    process, port = local_db.start(folder.with_name(f"{folder.name}-db"))
    try:
        with sandbox_town.running(f"127.0.0.1:{port}", DATABASE, folder / "town", "--real-time", "--manual-timers"
                                  ) as control, local_db.connect("127.0.0.1", port, DATABASE) as sql:
            yield Place(control, "127.0.0.1", port, DATABASE, process.pid, sql, folder, effort)
    finally:
        local_db.stop(process)
