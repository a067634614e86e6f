"""A public door: slow clients hold no thread, what is too long is answered in JSON, and no answer tells too much."""

from __future__ import annotations

import contextlib
import selectors
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hospital.runtime.arrival import HEAD, LINE
from hospital.runtime.http import MAX_BODY
from hospital.runtime.server import ARRIVES_IN, READ_IN

from tests.events.wire import Ask, all_of, head, next_of

Dial = Callable[[bytes], socket.socket]
UNFINISHED = [b"", b"G", b"GET /echo HTTP/1.1\r\nHost: d", head("GET /echo")[:-2],
              head("POST /echo", "Content-Length: 40"), head("POST /echo", "Content-Length: 40") + b'{"note": ',
              head("PUT /echo", f"Content-Length: {5 * MAX_BODY}") + b"x" * (2 * MAX_BODY),
              head("PUT /echo", "Transfer-Encoding: chunked"),
              head("PUT /echo", "Transfer-Encoding: chunked") + b"4\r\nab"]
SLOW = 4  # of each
LARGE = 6_000_000  # more than the system keeps for a client that does not read


@pytest.fixture
def dial(served: tuple[int, Path]) -> Iterator[Dial]:
    """``dial(bytes)``: a connection over which these were sent."""
    with contextlib.ExitStack() as stack:

        def open_one(content: bytes) -> socket.socket:
            wire = stack.enter_context(socket.create_connection(("127.0.0.1", served[0]), timeout=20))
            wire.sendall(content)
            return wire

        yield open_one


def quick(ask: Ask) -> bool:
    """Whether others are served meanwhile."""
    began = time.monotonic()
    assert ask("GET /echo?q=here")[0] == 200
    return time.monotonic() - began < ARRIVES_IN / 2


def test_clients_who_never_finish_a_request_hold_nobody_up_and_are_told_so_in_time(ask: Ask, dial: Dial) -> None:
    slow = [(content, dial(content)) for content in UNFINISHED for _ in range(SLOW)]
    began = time.monotonic()
    assert len(slow) > 2 * 16
    assert all(quick(ask) for _ in range(20))
    dribbled = b"GET /" + b"x" * LINE
    waiting = selectors.DefaultSelector()
    dribbler = dial(dribbled[:1])
    waiting.register(dribbler, selectors.EVENT_READ)
    for at in range(1, len(dribbled)):  # a byte now and then does not buy more time
        if waiting.select(0.3):
            break
        dribbler.sendall(dribbled[at:at + 1])
    ended = [*(wire for content, wire in slow if content), dribbler]
    for wire in ended:
        status, headers, told = all_of(wire)
        assert (status, told["error"]["code"], headers["Connection"]) == (408, "request_timeout", "close")
    assert time.monotonic() - began < 3 * ARRIVES_IN
    assert quick(ask)


def test_clients_who_do_not_hang_up_after_their_answer_hold_nobody_up(ask: Ask, dial: Dial) -> None:
    began = time.monotonic()
    kept = [dial(head("GET /echo")) for _ in range(40)]
    assert [next_of(wire)[0] for wire in kept] == [200] * 40
    assert quick(ask)
    assert time.monotonic() - began < ARRIVES_IN


def unread(stack: contextlib.ExitStack, port: int, content: bytes) -> socket.socket:
    """A client that asks, and has not begun to read."""
    wire = stack.enter_context(socket.socket())
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    wire.settimeout(20)
    wire.connect(("127.0.0.1", port))
    wire.sendall(content)
    return wire


def test_clients_who_do_not_read_their_answer_hold_nobody_up_and_are_let_go(ask: Ask, served: tuple[int, Path]) -> None:
    with contextlib.ExitStack() as stack:
        began = time.monotonic()
        wires = [unread(stack, served[0], head(f"GET /large/{LARGE}")) for _ in range(20)]
        time.sleep(1)
        assert all(quick(ask) for _ in range(5))
        status, _, told = all_of(wires.pop())  # who reads in time has it whole
        assert (status, told) == (200, {"text": "x" * LARGE})
        time.sleep(max(0.0, began + READ_IN + 3 - time.monotonic()))
        came = 0
        with contextlib.suppress(ConnectionError):
            while piece := wires[0].recv(65536):
                came += len(piece)
        assert came < LARGE


def test_after_an_answer_that_was_read_late_the_connection_serves_the_next_request(served: tuple[int, Path]) -> None:
    with contextlib.ExitStack() as stack:
        first = head(f"GET /large/{LARGE}", more="X: 1")
        wire = unread(stack, served[0], first + head("GET /echo?q=second", more="X: 1"))
        time.sleep(0.5)
        assert next_of(wire)[2] == {"text": "x" * LARGE}
        assert next_of(wire)[2]["q"] == "second"
        wire.sendall(head("GET /echo?q=third"))
        assert all_of(wire)[2]["q"] == "third"


def test_a_request_that_comes_in_pieces_is_answered(dial: Dial) -> None:
    content = head("POST /echo", "Content-Length: 25") + b'{"note": "x", "count": 1}'
    wire = dial(content[:1])
    for at in range(1, len(content)):
        wire.sendall(content[at:at + 1])
    status, _, told = all_of(wire)
    assert (status, told["body"]) == (200, {"note": "x", "count": 1})


@pytest.mark.parametrize("first", [
    head("GET /echo?q=1", more="X: 1"), head("PUT /echo", "Content-Length: 3", more="X: 1") + b"abc",
    head("PUT /echo", "Transfer-Encoding: chunked", more="X: 1") + b"3\r\nabc\r\n0\r\n\r\n",
    head("GET /echo", "Content-Length: 3", more="X: 1") + b"abc"])
def test_two_requests_in_one_packet_are_both_answered_in_turn(dial: Dial, first: bytes) -> None:
    wire = dial(first + head("GET /echo?q=second"))
    assert next_of(wire)[0] == 200
    status, _, told = all_of(wire)
    assert (status, told["q"]) == (200, "second")


@pytest.mark.parametrize("size", [MAX_BODY + 1, 3 * MAX_BODY, 3_000_000])
def test_after_a_body_that_is_too_large_the_connection_serves_the_next_request(dial: Dial, size: int) -> None:
    wire = dial(head("PUT /echo", f"Content-Length: {size}", more="X: 1") + b"x" * size)
    status, _, told = next_of(wire)
    assert (status, told["error"]["code"]) == (413, "too_large")
    wire.sendall(head("GET /echo?q=next"))
    assert all_of(wire)[2]["q"] == "next"


def test_a_body_that_nothing_passes_on_is_refused_before_it_comes(dial: Dial) -> None:
    status, _, told = all_of(dial(head("PUT /echo", "Content-Length: 7000000")))
    assert (status, told["error"]["code"]) == (413, "too_large")


def test_who_waits_to_be_told_to_send_the_body_is_told(dial: Dial) -> None:
    wire = dial(head("PUT /echo", "Content-Length: 3", "Expect: 100-continue"))
    assert next_of(wire)[0] == 100
    wire.sendall(b"abc")
    told: Any = None
    while told is None:
        status, _, told = next_of(wire)
    assert (status, told["raw"]) == (200, b"abc".hex())


TOO_MUCH = [
    (f"GET /echo?q={'x' * 5000}", [], 414, "address_too_long"),
    (f"GET /echo?q={'x' * (LINE + 10)}", [], 414, "address_too_long"),
    ("GET /echo", [f"X-{at}: y" for at in range(200)], 431, "headers_too_large"),
    ("GET /echo", [f"X-{at}: {'y' * 2000}" for at in range(HEAD // 2000 + 1)], 431, "headers_too_large"),
    ("GET /echo", ["X: " + "y" * 9000], 431, "headers_too_large"),
    ("GET /echo", ["no colon"], 400, "bad_request"),
    ("get /echo", [], 400, "bad_request"),
    ("GET  /echo", [], 400, "bad_request"),
    ("PUT /echo", ["Content-Length: 3", "Content-Length: 4"], 400, "bad_request"),
    ("PUT /echo", ["Content-Length: 3", "Transfer-Encoding: chunked"], 400, "bad_request"),
    ("PUT /echo", ["Transfer-Encoding: gzip"], 400, "bad_request"),
    ("PUT /echo", ["Expect: miracles"], 417, "bad_request"),
]


@pytest.mark.parametrize(("line", "headers", "status", "code"), TOO_MUCH, ids=lambda value: str(value)[:24])
def test_what_is_too_long_or_no_request_is_answered_in_json(
        ask: Ask, served: tuple[int, Path], line: str, headers: list[str], status: int, code: str) -> None:
    body = b"3\r\nabc\r\n0\r\n\r\n" if "Transfer-Encoding: chunked" in headers else b"abcd"
    answer, found, told = ask(line, *headers, body=body if line.startswith("PUT") else b"")
    assert (answer, told["error"]["code"]) == (status, code)
    assert found["Content-Type"] == "application/json"
    assert told["error"]["request_id"] == found["X-Request-Id"]
    assert (found["X-Content-Type-Options"], "Server" in found) == ("nosniff", False)
    assert "xxxx" not in served[1].read_text()


@pytest.mark.parametrize("line", ["GET /echo", "GET /none", "PATCH /echo", "DELETE /echo"])
def test_no_answer_is_guessed_at_or_says_which_server_it_is_from(ask: Ask, line: str) -> None:
    _, headers, _ = ask(line)
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Server" not in headers


# -- where a call comes from ------------------------------------------------------------------------
@pytest.mark.parametrize(("headers", "network"), [
    (["X-Scf-Remote-Addr: 1.2.3.4"], "1.2.3.4"),
    (["X-Scf-Remote-Addr: 9.9.9.9", "X-Scf-Remote-Addr: 1.2.3.4"], "1.2.3.4"),  # the platform's comes last
    (["X-Scf-Remote-Addr: 9.9.9.9, 1.2.3.4"], "1.2.3.4"),
    (["X-Forwarded-For: 9.9.9.9", "X-Real-Ip: 9.9.9.9"], ""),
    (["X-Scf-Remote-Addr: 2001:db8:1:2:3:4:5:6"], "2001:db8:1:2::/64"),
    (["X-Scf-Remote-Addr: ::ffff:1.2.3.4"], "1.2.3.4"),
    (["X-Scf-Remote-Addr: nobody"], ""),
    ([], "")])
def test_where_a_call_comes_from_is_what_the_platform_says_last(ask: Ask, headers: list[str], network: str) -> None:
    assert ask("GET /address", *headers)[2] == {"address": network}
