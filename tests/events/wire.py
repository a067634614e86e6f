"""A door behind the server that ``scf_bootstrap`` starts, and the bytes that are sent to it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.conftest import ROOT

CLOUD = ("/var/lang/python310/bin/python3.10", "0.0.0.0:9000")
Answer = tuple[int, dict[str, str], Any]
Ask = Callable[..., Answer]


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[tuple[int, Path]]:
    """Port and log of the echoing door."""
    (folder / "index.py").write_text("from tests.events.echo import app\n")
    script = folder / "scf_bootstrap"
    text = (ROOT / "scripts" / "scf_bootstrap").read_text()
    script.write_text(text.replace(CLOUD[0], shlex.quote(sys.executable)).replace(CLOUD[1], "127.0.0.1:0"))
    script.chmod(0o755)
    log = folder / "log"
    env = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'layers' / 'common'}", "ADDRESS_HEADER": "X-Scf-Remote-Addr"}
    process = subprocess.Popen([str(script)], cwd=folder, env=env, text=True, stdout=log.open("w"),
                               stderr=subprocess.PIPE, start_new_session=True)
    try:
        assert process.stderr is not None
        listening = next(found for line in process.stderr
                         if (found := re.search(r"Listening at: http://127\.0\.0\.1:(\d+)", line)))
        yield int(listening[1]), log
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def head(line: str, *headers: str, more: str = "Connection: close") -> bytes:
    """A request's head."""
    return "\r\n".join([f"{line} HTTP/1.1", "Host: door", more, *headers, "", ""]).encode("latin-1")


def send(port: int, line: str, *headers: str, body: bytes = b"") -> Answer:
    """The answer to exactly these bytes, on a connection of their own."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as wire:
        wire.sendall(head(line, *headers) + body)
        return all_of(wire)


def all_of(wire: socket.socket) -> Answer:
    """The one answer that comes before the server closes the connection."""
    told = b""
    while piece := wire.recv(65536):
        told += piece
    status, found, content = read(told)
    return status, found, json.loads(content) if content else None


def next_of(wire: socket.socket) -> Answer:
    """The next answer on a connection that is kept."""
    told = b""
    while b"\r\n\r\n" not in told:
        told += wire.recv(1)
    status, found, _ = read(told)
    content = b""
    while len(content) < int(found.get("Content-Length", 0)):
        content += wire.recv(int(found["Content-Length"]) - len(content))
    return status, found, json.loads(content) if content else None


def read(told: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and content of an answer's bytes."""
    begin, _, content = told.partition(b"\r\n\r\n")
    first, *lines = begin.decode("latin-1").split("\r\n")
    assert first, "no answer at all"
    return int(first.split()[1]), dict(one.split(": ", 1) for one in lines), content
