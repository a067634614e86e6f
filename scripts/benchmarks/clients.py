"""Many clients at once, in processes of their own, so that they do not share the server's interpreter.

A client is a thread with a connection of its own and jobs of its own. Requests are made before the clock
starts and answers are read no further than needed: the processors are shared with what is measured.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

PROCESSES, THREADS = 2, 16  # 32 clients
_context = multiprocessing.get_context("fork")

Client = Callable[[Any], str]  # does one job; "ok", or what went wrong
WELL = frozenset({"ok"})


@dataclass(frozen=True)
class Round:
    """What the clients of one round saw."""

    seconds: float
    latencies: list[float]  # ms, of the jobs that went well
    outcomes: dict[str, int]

    @property
    def done(self) -> int:
        """How many jobs went well."""
        return len(self.latencies)

    @property
    def rate(self) -> float:
        """Jobs a second."""
        return self.done / self.seconds


def drive(make: Callable[[], Client], jobs: Sequence[Any], seconds: float, *, processes: int = PROCESSES,
          threads: int = THREADS, well: frozenset[str] = WELL) -> Round:
    """Let ``processes`` × ``threads`` clients (each made by ``make``) do ``jobs`` for at most ``seconds``.

    ``well``: the outcomes that count as gone well.
    """
    start = _context.Barrier(processes)
    pipes: list[multiprocessing.connection.Connection] = []
    for number in range(processes):
        ours, theirs = _context.Pipe()
        share = jobs[number::processes]
        _context.Process(target=_process, args=(make, share, seconds, threads, start, theirs, well),
                         daemon=True).start()
        theirs.close()
        pipes.append(ours)
    results = [pipe.recv() for pipe in pipes]
    outcomes: Counter[str] = Counter()
    for _, _, _, seen in results:
        outcomes.update(seen)
    latencies = [one for _, _, some, _ in results for one in some]
    return Round(max(end for _, end, _, _ in results) - min(begin for begin, _, _, _ in results), latencies,
                 dict(outcomes))


def _process(make: Callable[[], Client], jobs: Sequence[Any], seconds: float, threads: int, start: Any,
             pipe: multiprocessing.connection.Connection, well: frozenset[str]) -> None:
    clients = [make() for _ in range(threads)]  # every one is connected before the clock starts
    gate = threading.Event()
    latencies: list[float] = []
    outcomes: Counter[str] = Counter()
    lock = threading.Lock()
    deadline = [0.0]

    def work(client: Client, share: Sequence[Any]) -> None:
        mine: list[float] = []
        seen: Counter[str] = Counter()
        gate.wait()
        for job in share:
            began = time.monotonic()
            if began > deadline[0]:
                break
            outcome = client(job)
            if outcome in well:
                mine.append((time.monotonic() - began) * 1000)
            seen[outcome] += 1
        with lock:
            latencies.extend(mine)
            outcomes.update(seen)

    workers = [threading.Thread(target=work, args=(client, jobs[number::threads]))
               for number, client in enumerate(clients)]
    for worker in workers:
        worker.start()
    start.wait(60)
    begin = time.monotonic()
    deadline[0] = begin + seconds
    gate.set()
    for worker in workers:
        worker.join()
    pipe.send((begin, time.monotonic(), latencies, outcomes))


def http_client(port: int, expected: int = 200) -> Client:
    """A client that sends ready-made requests over one connection kept open."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    wanted = str(expected).encode()

    def send(request: bytes) -> str:
        connection.sendall(request)
        received = connection.recv(65536)
        while (end := received.find(b"\r\n\r\n")) < 0:
            received += _more(connection)
        head = received[:end].lower()
        if head[9:12] == b"204":  # no body, and so no length
            return "ok" if wanted == b"204" else "204"
        _, found, length = head.partition(b"\r\ncontent-length:")
        if not found:
            raise RuntimeError("an answer without its length")
        missing = end + 4 + int(length.split(b"\r\n", 1)[0]) - len(received)
        while missing > 0:
            chunk = _more(connection)
            received += chunk
            missing -= len(chunk)
        return "ok" if received[9:12] == wanted else received[9:].decode("utf-8", "replace")

    return send


def _more(connection: socket.socket) -> bytes:
    chunk = connection.recv(65536)
    if not chunk:
        raise ConnectionError("the server hung up")
    return chunk


def request(method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b"") -> bytes:
    """A request as it goes over the wire."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *(f"{name}: {text}" for name, text in
                                                              (headers or {}).items())]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body
