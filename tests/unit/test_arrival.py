"""Where a request ends, by its bytes alone: whatever the pieces in which they come."""

from __future__ import annotations

import pytest
from hospital.runtime.arrival import BODY, CHUNKED, HEAD, LARGEST, LINE, Arrival

GET = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /x HTTP/1.1\r\nHost: a\r\ncontent-length:  5 \r\n\r\nhello"
CHUNKS = b"PUT /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;a=b\r\nde\r\n0\r\n\r\n"
TRAILERS = CHUNKS[:-2] + b"X: 1\r\nY: 2\r\n\r\n"


@pytest.mark.parametrize("request_", [GET, POST, CHUNKS, TRAILERS])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_a_request_is_whole_with_its_last_byte_and_what_follows_is_the_next_one(request_: bytes, size: int) -> None:
    arrival = Arrival()
    for at in range(0, len(request_), size):
        assert not arrival.whole
        arrival.feed(request_[at:at + size] + (b"GET /next" if at + size >= len(request_) else b""))
    assert (arrival.whole, arrival.refused, arrival.astray) == (True, 0, False)
    assert arrival.taken() == (request_, 0, b"GET /next")


@pytest.mark.parametrize("request_", [GET, POST, CHUNKS, TRAILERS])
def test_a_request_is_not_whole_before_its_last_byte(request_: bytes) -> None:
    assert not Arrival(request_[:-1]).whole
    assert Arrival(request_).whole


def test_a_line_or_a_head_that_does_not_end_is_not_waited_for() -> None:
    assert Arrival(b"G" * (LINE - 1)).refused == 0
    assert Arrival(b"G" * LINE).refused == 414
    head = b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * (HEAD // 6)
    assert Arrival(head[:HEAD]).refused == 0
    assert Arrival(head).refused == 431
    assert Arrival(head + b"\r\n").refused == 431


@pytest.mark.parametrize("length", [BODY, BODY + 1, 1_000_000])
def test_of_a_body_larger_than_any_door_takes_only_a_beginning_is_kept(length: int) -> None:
    head = b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % length
    arrival = Arrival(head)
    for at in range(0, length, 65536):
        assert not arrival.whole
        arrival.feed(b"x" * min(65536, length - at) + (b"NEXT" if at + 65536 >= length else b""))
    assert arrival.whole
    content, dropped, rest = arrival.taken()
    assert (len(content) + dropped, rest) == (len(head) + length, b"NEXT")
    assert len(content) <= len(head) + BODY + 65536


def test_a_body_larger_than_the_platform_passes_on_is_refused_at_its_head() -> None:
    assert Arrival(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % LARGEST).refused == 0
    assert Arrival(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (LARGEST + 1)).refused == 413


@pytest.mark.parametrize("told", [
    b"0" * 23 + b"37", b"1" * 19, b"+5", b"-5", b"5, 5", b"5 5", b"0x5", b"5a", b"", "５".encode(), b"1_0"])
def test_behind_a_length_that_is_none_there_is_no_other_request(told: bytes) -> None:
    arrival = Arrival(b"GET /a HTTP/1.1\r\nContent-Length: " + told + b"\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n")
    assert (arrival.refused, arrival.whole) == (400, False)


def test_chunks_without_end_are_refused() -> None:
    arrival = Arrival(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(CHUNKED // 10_000):
        arrival.feed(b"2710\r\n" + b"x" * 10_000 + b"\r\n")
    assert arrival.refused == 0
    arrival.feed(b"2710\r\n" + b"x" * 10_000 + b"\r\n")
    assert arrival.refused == 413


@pytest.mark.parametrize("body", [b"zz\r\nabc\r\n", b"3\r\nabcdef\r\n", b"-1\r\n\r\n", b"5;\r\nab\r\n", b"x" * 2000])
def test_what_is_no_chunk_is_read_at_once_and_nothing_after_it(body: bytes) -> None:
    arrival = Arrival(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
    assert (arrival.whole, arrival.astray) == (True, True)
    assert arrival.taken()[2] == b""


def test_a_coding_that_nobody_knows_is_not_waited_for() -> None:
    for coding in (b"gzip", b"gzip, chunked", b"identity", b""):
        arrival = Arrival(b"POST / HTTP/1.1\r\nTransfer-Encoding: %s\r\n\r\nabc" % coding)
        assert (arrival.whole, arrival.astray) == (True, True)


def test_who_waits_to_be_told_to_go_on_is_told_from() -> None:
    head = b"POST / HTTP/1.1\r\nExpect: 100-Continue\r\nContent-Length: 5\r\n\r\n"
    assert Arrival(head).expects
    assert not Arrival(POST[:-5]).expects


def test_of_chunks_and_a_length_the_chunks_say_where_it_ends() -> None:
    both = b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert not Arrival(both + b"1\r\na").whole  # the parser refuses it then
    assert Arrival(both + b"1\r\na\r\n0\r\n\r\n").whole
