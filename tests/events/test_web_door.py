"""The Web form on the wire: a door behind the server that ``scf_bootstrap`` starts, spoken to byte by byte."""

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

import pytest
from hospital.runtime.http import MAX_BODY

from tests.conftest import ROOT
from tests.events.conftest import JOINED, TWICE

CLOUD = ("/var/lang/python310/bin/python3.10", "0.0.0.0:9000")
Answer = tuple[int, dict[str, str], Any]
Ask = Callable[..., Answer]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """Port and log of the echoing door."""
    folder = tmp_path_factory.mktemp("door")
    (folder / "index.py").write_text("from tests.events.echo import app\n")
    script = folder / "scf_bootstrap"
    text = (ROOT / "scripts" / "scf_bootstrap").read_text()
    script.write_text(text.replace(CLOUD[0], shlex.quote(sys.executable)).replace(CLOUD[1], "127.0.0.1:0"))
    script.chmod(0o755)
    log = folder / "log"
    path = f"{ROOT}:{ROOT / 'layers' / 'common'}"
    process = subprocess.Popen([str(script)], cwd=folder, env={**os.environ, "PYTHONPATH": path}, text=True,
                               stdout=log.open("w"), stderr=subprocess.PIPE, start_new_session=True)
    try:
        assert process.stderr is not None
        listening = next(found for line in process.stderr
                         if (found := re.search(r"Listening at: http://127\.0\.0\.1:(\d+)", line)))
        yield int(listening[1]), log
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.fixture
def ask(served: tuple[int, Path]) -> Ask:
    """``ask("GET /echo", "X: 1", body=b"…")``: the answer to exactly these bytes."""

    def send(line: str, *headers: str, body: bytes = b"") -> Answer:
        with socket.create_connection(("127.0.0.1", served[0]), timeout=20) as wire:
            wire.sendall("\r\n".join([f"{line} HTTP/1.1", "Host: door", "Connection: close", *headers, "", ""])
                         .encode("latin-1") + body)
            told = b""
            while piece := wire.recv(65536):
                told += piece
        head, _, content = told.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        assert first, "no answer at all"
        return (int(first.split()[1]), dict(one.split(": ", 1) for one in lines),
                json.loads(content) if content else None)

    return send


def chunked(content: bytes) -> bytes:
    """A body in chunks of 10 KB."""
    pieces = [content[at:at + 10_000] for at in range(0, len(content), 10_000)]
    return b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in pieces) + b"0\r\n\r\n"


# -- bodies -----------------------------------------------------------------------------------------
def test_a_chunked_body_arrives_whole(ask: Ask) -> None:
    content = b"x" * MAX_BODY
    status, _, got = ask("PUT /echo", "Transfer-Encoding: chunked", body=chunked(content))
    assert status == 200
    assert bytes.fromhex(got["raw"]) == content


@pytest.mark.parametrize("method", ["PUT", "POST"])
@pytest.mark.parametrize("more", [1, MAX_BODY])
def test_a_chunked_body_larger_than_any_honest_one_is_refused_and_never_cut(ask: Ask, method: str, more: int) -> None:
    content = b'{"count": 1, "note": "' + b"x" * (MAX_BODY + more) + b'"}'
    status, _, got = ask(f"{method} /echo", "Transfer-Encoding: chunked", body=chunked(content))
    assert (status, got["error"]["code"]) == (413, "too_large")


def test_a_body_that_says_it_is_too_large_is_refused(ask: Ask) -> None:
    status, _, got = ask("PUT /echo", f"Content-Length: {MAX_BODY + 1}", body=b"x" * (MAX_BODY + 1))
    assert (status, got["error"]["code"]) == (413, "too_large")


@pytest.mark.parametrize("body", [
    b"zz\r\nabc\r\n0\r\n\r\n", b"3\r\nabcdef\r\n0\r\n\r\n", b"-1\r\n\r\n", b"5;\r\nab\r\n"])
@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_a_bad_chunk_is_the_sender_s_fault(ask: Ask, method: str, body: bytes) -> None:
    status, _, got = ask(f"{method} /echo", "Transfer-Encoding: chunked", body=body)
    assert (status, got["error"]["code"]) == (400, "malformed_body")


def test_a_bad_chunk_where_no_body_is_read_changes_nothing(ask: Ask) -> None:
    assert ask("GET /echo", "Transfer-Encoding: chunked", body=b"zz\r\n")[0] == 200


# -- headers ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("header", [
    "SCRIPT_NAME: /elsewhere", "PATH_INFO: /twice", "Script-Name: /x", "REMOTE_USER: x"])
def test_no_header_moves_the_address_of_a_request(ask: Ask, header: str) -> None:
    status, _, got = ask("GET /echo?q=here", header)
    assert (status, got["q"]) == (200, "here")


def test_a_client_s_own_request_id_is_logged_as_a_claim_and_not_believed(ask: Ask, served: tuple[int, Path]) -> None:
    claimed = "c1a13ed0-0000-4000-8000-000000000001"
    ids = {ask("GET /echo", f"X-Scf-Request-Id: {claimed}")[2]["id"] for _ in range(2)}
    assert len(ids) == 2
    assert claimed not in ids
    lines = [json.loads(line) for line in served[1].read_text().splitlines()]
    assert {one["request_id"] for one in lines if one.get("scf_request_id") == claimed} == ids


def test_a_header_that_came_twice_arrives_joined_as_in_an_event(ask: Ask) -> None:
    status, _, told = ask("GET /headers", *(f"{name}: {value}" for name, values in TWICE.items() for value in values))
    assert (status, told) == (200, JOINED)


@pytest.mark.parametrize("query", ["q=1&q=2", "q=1"])
def test_the_first_of_a_repeated_query_field_counts(ask: Ask, query: str) -> None:
    assert ask(f"GET /echo?{query}")[2]["q"] == "1"


# -- addresses --------------------------------------------------------------------------------------
def test_a_wrong_method_is_told_which_ones_the_address_takes(ask: Ask) -> None:
    for method in ("PATCH", "OPTIONS"):
        status, headers, got = ask(f"{method} /echo")
        assert (status, got["error"]["code"]) == (405, "method_not_allowed")
        assert headers["Allow"] == "DELETE, GET, HEAD, POST, PUT"


@pytest.mark.parametrize("path", ["/echo%0A", "/%00", "/echo%7F/x", "/%1B[31m", "/a%0D%0Ab"])
def test_a_control_character_in_an_address_is_answered_in_json(ask: Ask, path: str) -> None:
    status, headers, got = ask(f"GET {path}")
    assert (status, got["error"]["code"], headers["Content-Type"]) == (404, "no_such_address", "application/json")
