"""Function processes started the way the cloud starts them, on a port of the benchmark's choice."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = ROOT / "build" / "opt"
PYTHON = [sys.executable, "-S"]  # as the sandbox: nothing but what stands in PYTHONPATH
CLOUD_PYTHON, CLOUD_ADDRESS = "/var/lang/python310/bin/python3.10", "0.0.0.0:9000"


@dataclass(frozen=True)
class Server:
    """A running server: its process group and where it listens."""

    pid: int
    port: int


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment(*paths: Path, **values: str) -> dict[str, str]:
    """All that a function's process is given; ``paths`` are what it can import from."""
    return {"PYTHONPATH": os.pathsep.join(str(path) for path in paths), "PYTHONDONTWRITEBYTECODE": "1",
            "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/nonexistent", **values}


def spawn(folder: Path, env: Mapping[str, str], port: int) -> subprocess.Popen[bytes]:
    """Run the project's ``scf_bootstrap`` in ``folder``, which holds an ``index.py``."""
    text = (ROOT / "scripts" / "scf_bootstrap").read_text()
    script = folder / "scf_bootstrap"
    script.write_text(text.replace(CLOUD_PYTHON, " ".join(PYTHON)).replace(CLOUD_ADDRESS, f"127.0.0.1:{port}"))
    script.chmod(0o755)
    known = os.pathsep.join((env["PYTHONPATH"], str(ROOT / "layers" / "common")))  # the server's worker is the layer's
    with (folder / "server.log").open("ab") as log:
        return subprocess.Popen([str(script)], cwd=folder, env={**env, "PYTHONPATH": known}, stdin=subprocess.DEVNULL,
                                stdout=log, stderr=log, start_new_session=True)


def first_answer(process: subprocess.Popen[bytes], port: int, path: str = "/", seconds: float = 30) -> int:
    """Wait for the server's first answer; its status."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            return answer.status
        except OSError:  # not yet, or ended: then the loop does
            time.sleep(0.002)
        finally:
            connection.close()
    raise RuntimeError(f"the server on port {port} did not answer; its server.log is under build/bench")


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the whole group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextlib.contextmanager
def serving(index: str, folder: Path, env: Mapping[str, str]) -> Iterator[Server]:
    """``index`` (the text of an ``index.py``) behind the project's server, answering."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "index.py").write_text(index)
    port = free_port()
    process = spawn(folder, env, port)
    try:
        first_answer(process, port)
        yield Server(process.pid, port)
    finally:
        stop(process)
