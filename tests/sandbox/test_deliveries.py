"""Pushes to us: what a slow machine does not answer in time is not over."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from sandbox import deliveries
from sandbox.clock import Clock
from sandbox.deliveries import Deliveries
from sandbox.faults import Faults
from sandbox.system import World


class SlowEar:
    """Takes pushes; keeps the first waiting until the next comes."""

    def __init__(self) -> None:
        self.heard = 0
        again = threading.Event()
        ear = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                ear.heard += 1
                if ear.heard == 1:
                    again.wait(30)
                again.set()
                self.send_response(204)
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def ear() -> Iterator[SlowEar]:
    made = SlowEar()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def pushes() -> Iterator[Deliveries]:
    made = Deliveries(World(Clock(), Faults(), deque()), "his", "event", stamp=lambda url, body: {},
                      retry_seconds=(3600,))
    yield made
    made.stop()


def test_a_push_that_got_no_answer_in_time_is_due_when_somebody_waits_for_quiet(
        monkeypatch: pytest.MonkeyPatch, ear: SlowEar, pushes: Deliveries) -> None:
    monkeypatch.setattr(deliveries, "ANSWER_WITHIN_SECONDS", 0.1)
    message = pushes.send("E1", ear.url, b"{}", {})
    assert pushes.settle(10) == {"settled": True, "in_flight": 0, "held": 0, "later": 1}
    assert not message.done
    pushes.hurry()
    assert pushes.settle(10)["settled"]
    assert (message.done, ear.heard) == (True, 2)


def test_a_push_that_was_refused_waits_for_its_time(pushes: Deliveries) -> None:
    message = pushes.send("E2", "http://127.0.0.1:9/", b"{}", {})
    pushes.settle(10)
    pushes.hurry()
    assert pushes.settle(10) == {"settled": True, "in_flight": 0, "held": 0, "later": 1}
    assert [one["status"] for one in message.deliveries] == [None]
