"""The Web form on the wire: a door behind the server that ``scf_bootstrap`` starts, spoken to byte by byte."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hospital.runtime.http import MAX_BODY

from tests.events.conftest import JOINED, TWICE, Ask


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
