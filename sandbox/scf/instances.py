"""One function instance: a process group of its own, with only what the cloud gives it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.scf.errors import InvokeError
from sandbox.scf.keeping import Keeper
from sandbox.scf.manifest import Function

NAMESPACE = "default"
APP_ID = "1250000000"
UIN = "100000000001"


@dataclass(frozen=True)
class Platform:
    """What stands for the cloud under every function."""

    project: Path
    layer_paths: dict[str, list[Path]]  # what stands for a layer of ours, by its path in the manifest
    python: list[str]
    state: Path
    region: str
    credentials: dict[str, str]
    keeper: Keeper

    def log(self, function: str) -> Path:
        """The function's log file."""
        return self.state / "logs" / f"{function}.log"

    def write_log(self, function: str, text: str) -> None:
        """Add the platform's own lines to the function's log."""
        with self.log(function).open("a", encoding="utf-8") as log:
            log.write(text.rstrip("\n") + "\n")

    def environment(self, function: Function, folder: Path) -> dict[str, str]:
        """The complete environment of the function's process; nothing else leaks into it."""
        layers = [path for layer in function.layers for path in self.layer_paths.get(layer.path or "", [])]
        return {
            **function.environment,
            "TENCENTCLOUD_SECRETID": self.credentials["secret_id"],
            "TENCENTCLOUD_SECRETKEY": self.credentials["secret_key"],
            "TENCENTCLOUD_SESSIONTOKEN": self.credentials["token"],
            "TENCENTCLOUD_RUNENV": "SCF",
            "SCF_FUNCTIONNAME": function.name,
            "SCF_NAMESPACE": NAMESPACE,
            "PYTHONPATH": os.pathsep.join(str(path) for path in (folder, *layers)),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.state / "home"),
            "LANG": "C.UTF-8",
        }

    def context(self, function: Function, request_id: str) -> dict[str, Any]:
        """The second argument of a handler."""
        variables = {"SCF_NAMESPACE": NAMESPACE, **function.environment}
        return {
            "request_id": request_id, "function_name": function.name, "function_version": "$LATEST",
            "namespace": NAMESPACE, "memory_limit_in_mb": function.memory_mb,
            "time_limit_in_ms": function.timeout_s * 1000, "tencentcloud_region": self.region,
            "tencentcloud_appid": APP_ID, "tencentcloud_uin": UIN, "environment": json.dumps(variables),
            "environ": ";".join(f"{key}={value}" for key, value in variables.items()),
        }


@dataclass
class Instance(ABC):
    """A running copy of one function. ``Pool`` owns it and guards ``in_flight`` and ``last_used``."""

    function: Function
    platform: Platform
    number: int
    in_flight: int = 0
    last_used: float = field(default_factory=time.monotonic)
    retired: bool = False  # takes no more work; ends when what runs in it is done
    failure: InvokeError | None = None
    process: subprocess.Popen[bytes] | None = None
    ready: threading.Event = field(default_factory=threading.Event)
    spawned: float = 0.0
    init_ms: float | None = None
    cold_ms: float | None = None  # from the start of the process to its first answer

    @property
    def folder(self) -> Path:
        """Where the function's code was unpacked for this instance."""
        return self.platform.state / "code" / f"{self.function.name}-{self.number}"

    @property
    def alive(self) -> bool:
        """False once the process has ended."""
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Unpack the code, start the process and wait until it can work. Raises InvokeError(405 or 430)."""
        source = self.platform.project / self.function.src
        if not source.is_dir():
            raise InvokeError(405, f"the code of function {self.function.name} is not there")
        shutil.copytree(source, self.folder, ignore=shutil.ignore_patterns(".env"))
        self.spawned = time.monotonic()
        self._start()
        self.init_ms = round((time.monotonic() - self.spawned) * 1000, 1)

    @abstractmethod
    def _start(self) -> None:
        """Start the process and wait until it can take a call."""

    def answered(self) -> None:
        """Remember how long the cold start took, at the first answer."""
        if self.cold_ms is None:
            self.cold_ms = round((time.monotonic() - self.spawned) * 1000, 1)

    def spawn(self, command: list[str], pass_fds: tuple[int, ...] = ()) -> None:
        """Run the command in a process group of its own, printing into the function's log."""
        if not os.access(command[0], os.X_OK):
            raise InvokeError(405, f"function {self.function.name} can't be started: {command[0]} can't be run")
        with self.platform.log(self.function.name).open("ab") as log:
            try:
                begin, kept = self.platform.keeper.begin(command)
                self.process = subprocess.Popen(
                    begin, cwd=self.folder, env=self.platform.environment(self.function, self.folder),
                    stdin=kept, stdout=log, stderr=log, pass_fds=pass_fds, start_new_session=True,
                )
            except OSError as error:
                raise InvokeError(405, f"function {self.function.name} can't be started: {error}") from error

    def end(self) -> None:
        """End the whole process group at once, as the platform does."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):  # nothing of the group is left
                os.killpg(self.process.pid, signal.SIGKILL)

    def clear(self) -> None:
        """End the process and free what it held. Only when nothing runs in it any more."""
        self.end()
        if self.process is not None:
            self.platform.keeper.forget(self.process.pid)
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)  # a file that is still being written may stay behind
