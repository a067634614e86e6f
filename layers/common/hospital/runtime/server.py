"""gunicorn's worker for Web functions: threads are for whole requests, and every answer is ours.

gunicorn's own threads read from the client and write to it: sixteen clients who never finish a header or a body, or
never read, hold all of them. Here the loop that waits for sockets collects each request (``arrival``); only a whole one
gets a thread, and what of its answer the client does not take at once is sent by the loop again. What does not come in
time is answered 408 and let go, what gunicorn refuses is answered in our JSON, and no answer says which server it is
from.
"""

from __future__ import annotations

import json
import selectors
import socket
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

from gunicorn.http import errors, wsgi
from gunicorn.http.parser import RequestParser
from gunicorn.workers.gthread import TConn, ThreadWorker

from hospital.runtime import log
from hospital.runtime.arrival import BODY, Arrival
from hospital.runtime.ids import new_id

ARRIVES_IN = 10.0  # seconds from a request's first byte to its last
READ_IN = 10.0  # an answer that the client does not take at once
LINGERS = 2.0  # a connection that is being closed, so that the client can read the answer
LOOKS = 0.5  # how often late ones are looked for
PIECE = 64 * 1024

_LIMITS: list[tuple[type[Exception], int]] = [
    (errors.LimitRequestLine, 414), (errors.LimitRequestHeaders, 431), (errors.ExpectationFailed, 417),
    (errors.UnsupportedTransferCoding, 501), (errors.ConfigurationProblem, 500), (errors.InvalidResponseHeader, 500),
    (errors.InvalidResponseHeaderName, 500), (errors.ParseException, 400)]
_ANSWERS = {  # status: phrase, code, sentence
    400: ("Bad Request", "bad_request", "请求格式不正确，请升级小程序后重试。"),
    408: ("Request Timeout", "request_timeout", "网络较慢，请求未能送达，请检查网络后重试。"),
    413: ("Content Too Large", "too_large", "提交的内容过大，请精简后重试。"),
    414: ("URI Too Long", "address_too_long", "请求地址过长，请升级小程序后重试。"),
    417: ("Expectation Failed", "bad_request", "请求格式不正确，请升级小程序后重试。"),
    431: ("Request Header Fields Too Large", "headers_too_large", "请求内容过大，请升级小程序后重试。"),
    500: ("Internal Server Error", "internal", "系统开小差了，请稍后重试。"),
    501: ("Not Implemented", "bad_request", "请求格式不正确，请升级小程序后重试。"),
}


def answer(status: int) -> bytes:
    """An answer of the server itself, before any door."""
    phrase, code, sentence = _ANSWERS[status]
    request_id = new_id()
    log.bind(request_id=request_id, function="")
    body = json.dumps({"error": {"code": code, "message": sentence, "request_id": request_id}},
                      ensure_ascii=False).encode()
    lines = [f"HTTP/1.1 {status} {phrase}", "Connection: close", "Content-Type: application/json",
             f"Content-Length: {len(body)}", "Cache-Control: no-store", "X-Content-Type-Options: nosniff",
             f"X-Request-Id: {request_id}", "", ""]
    return "\r\n".join(lines).encode() + body


class _Response(wsgi.Response):  # type: ignore[misc]
    """gunicorn has no setting for leaving its name out."""

    def default_headers(self) -> list[str]:
        return [line for line in super().default_headers() if not line.startswith("Server:")]


wsgi.Response = _Response


def _unread(size: int) -> Iterator[bytes]:
    """As many bytes as were not kept of a body that is larger than any door takes."""
    for at in range(0, size, PIECE):
        yield bytes(min(PIECE, size - at))


class _Incoming:
    """A connection from which a request, or its end, is awaited until ``deadline``."""

    def __init__(self, rest: bytes, deadline: float, keep: int) -> None:
        self.arrival = Arrival(rest, keep)
        self.deadline = deadline
        self.leaving = False
        self.watched = False  # by the poller


class _Taker:
    """A connection's socket for a thread that answers: it waits for no client, and keeps what could not be sent."""

    def __init__(self, sock: Any) -> None:
        self.sock = sock
        self.rest = bytearray()

    def sendall(self, content: bytes) -> None:
        """As a socket's. Raises OSError (the client has gone)."""
        at = 0
        try:
            while at < len(content) and not self.rest:
                at += self.sock.send(memoryview(content)[at:])
        except (BlockingIOError, InterruptedError):
            pass
        self.rest += memoryview(content)[at:]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sock, name)


class _Outgoing:
    """What is left of an answer, and what its thread came to."""

    def __init__(self, rest: bytearray, done: Any) -> None:
        self.rest = memoryview(rest)
        self.done = done
        self.deadline = time.monotonic() + READ_IN


class Worker(ThreadWorker):  # type: ignore[misc]
    """A thread worker that gives threads to whole requests only."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._incoming: dict[TConn, _Incoming] = {}
        self._outgoing: dict[TConn, _Outgoing] = {}
        self._next_look = 0.0

    def _keep(self) -> int:
        """How many bytes of a body to keep: one more than the door takes at most."""
        return int(getattr(self.wsgi, "most", BODY - 1)) + 1

    # -- until a request is whole: in the loop ------------------------------------------------------
    def enqueue_req(self, conn: TConn) -> None:
        """A new connection, or one that is kept and has become readable."""
        if conn.parser is None:
            conn.parser = RequestParser(self.cfg, iter(()), conn.client)  # it is given bytes; it never waits for any
            conn.initialized = conn.data_ready = True
            conn.rest, conn.unsent = b"", bytearray()
        idle = self.cfg.keepalive or ARRIVES_IN
        incoming = _Incoming(conn.rest, time.monotonic() + (ARRIVES_IN if conn.rest else idle), self._keep())
        conn.rest = b""
        conn.sock.setblocking(False)
        self._incoming[conn] = incoming
        self._go_on(conn, incoming)
        if conn in self._incoming:
            self._readable(conn, conn.sock)

    def _readable(self, conn: TConn, _sock: Any) -> None:
        incoming = self._incoming[conn]
        try:
            piece = conn.sock.recv(PIECE)
        except (BlockingIOError, InterruptedError):
            self._watch(conn, incoming)
            return
        except OSError:
            piece = b""
        if not piece:
            self._drop(conn)
        elif incoming.leaving:
            self._watch(conn, incoming)
        else:
            if not len(incoming.arrival):
                incoming.deadline = time.monotonic() + ARRIVES_IN
            incoming.arrival.feed(piece)
            self._go_on(conn, incoming)
            if conn in self._incoming:
                self._watch(conn, incoming)

    def _go_on(self, conn: TConn, incoming: _Incoming) -> None:
        arrival = incoming.arrival
        if arrival.refused:
            self._refuse(conn, incoming, arrival.refused)
        elif arrival.whole:
            self._forget(conn)
            content, unread, conn.rest = arrival.taken()
            conn.astray = arrival.astray
            conn.parser.unreader.unread(content)
            conn.parser.unreader.iter = _unread(unread)
            super().enqueue_req(conn)
        elif arrival.expects:
            arrival.expects = False
            self._send(conn, b"HTTP/1.1 100 Continue\r\n\r\n")

    def _watch(self, conn: TConn, incoming: _Incoming) -> None:
        if not incoming.watched:
            self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._readable, conn))
            incoming.watched = True

    def _forget(self, conn: TConn) -> None:
        if self._incoming.pop(conn).watched:
            self.poller.unregister(conn.sock)

    def _drop(self, conn: TConn) -> None:
        self._forget(conn)
        self.nr_conns -= 1
        conn.close()

    # -- what is not waited for any longer ----------------------------------------------------------
    def murder_pending(self) -> None:
        """Let go what has not come in time, and, where there is no room for others, who has waited longest."""
        now = time.monotonic()
        if now < self._next_look and self.nr_conns < self.worker_connections:
            return
        self._next_look = now + LOOKS
        for conn, incoming in list(self._incoming.items()):
            if incoming.deadline <= now or not self.alive:
                self._too_late(conn, incoming)
        for conn, outgoing in list(self._outgoing.items()):
            if outgoing.deadline <= now:
                self._unread(conn)
        while self._incoming and self.nr_conns >= self.worker_connections:
            self._drop(next(iter(self._incoming)))
        while self._outgoing and self.nr_conns >= self.worker_connections:
            self._unread(next(iter(self._outgoing)))

    def _too_late(self, conn: TConn, incoming: _Incoming) -> None:
        if incoming.leaving or not len(incoming.arrival):
            self._drop(conn)
        else:
            self._refuse(conn, incoming, 408)

    def _refuse(self, conn: TConn, incoming: _Incoming, status: int) -> None:
        self._send(conn, answer(status))
        log.event("request.refused", status=status)
        self._leave(conn, incoming)

    def _leave(self, conn: TConn, incoming: _Incoming) -> None:
        """Say that no more will come, and give the client a moment to read what was said."""
        incoming.leaving, incoming.deadline = True, time.monotonic() + LINGERS
        try:
            conn.sock.shutdown(socket.SHUT_WR)
            self._watch(conn, incoming)
        except (OSError, ValueError):
            self._drop(conn)

    @staticmethod
    def _send(conn: TConn, content: bytes) -> None:
        try:
            conn.sock.send(content)
        except OSError:
            return  # it is let go all the same

    # -- when a request is whole: in a thread -------------------------------------------------------
    def handle_request(self, req: Any, conn: TConn) -> bool:
        """As gunicorn's, which asks the connection for its socket; what can't be sent at once is left to the loop."""
        conn.sock.setblocking(False)
        taker = conn.sock = _Taker(conn.sock)
        try:
            return bool(super().handle_request(req, conn))
        finally:
            conn.sock, conn.unsent = taker.sock, taker.rest

    def handle_error(self, _req: Any, client: Any, _addr: Any, exc: BaseException) -> None:
        """Answer what gunicorn refuses, or what failed outside a door; nothing of it is repeated or logged."""
        status = next((status for kind, status in _LIMITS if isinstance(exc, kind)), 500)
        told = answer(status)
        if status == 500:
            log.failure("server.failed", exc)
        log.event("request.refused", status=status, error=type(exc).__name__)
        try:
            client.setblocking(False)
            client.send(told)
        except OSError:
            return  # the client has gone, or reads nothing

    # -- what the client has not taken at once: in the loop -----------------------------------------
    def finish_request(self, conn: TConn, fs: Any) -> None:
        """The rest of the answer, then the next request on the connection, or its end."""
        if not conn.unsent:
            self._go_on_after(conn, fs)
            return
        self._outgoing[conn] = _Outgoing(conn.unsent, fs)
        conn.unsent = bytearray()
        try:
            self.poller.register(conn.sock, selectors.EVENT_WRITE, partial(self._writable, conn))
        except (OSError, ValueError):
            del self._outgoing[conn]
            self.nr_conns -= 1
            conn.close()

    def _writable(self, conn: TConn, _sock: Any) -> None:
        outgoing = self._outgoing[conn]
        try:
            outgoing.rest = outgoing.rest[conn.sock.send(outgoing.rest[:PIECE]):]
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._unread(conn)
            return
        if not outgoing.rest:
            del self._outgoing[conn]
            self.poller.unregister(conn.sock)
            self._go_on_after(conn, outgoing.done)

    def _unread(self, conn: TConn) -> None:
        """The client does not take its answer, or has gone."""
        del self._outgoing[conn]
        self.poller.unregister(conn.sock)
        self.nr_conns -= 1
        conn.close()

    def _go_on_after(self, conn: TConn, fs: Any) -> None:
        """The next request on the connection, or its end, without waiting for the client in the loop."""
        kept = not fs.cancelled() and fs.exception() is None and fs.result() is True
        if kept and not conn.astray and conn.rest:
            self.enqueue_req(conn)
        elif kept and not conn.astray:
            super().finish_request(conn, fs)
        else:
            incoming = _Incoming(b"", 0.0, BODY)
            self._incoming[conn] = incoming
            try:
                conn.sock.setblocking(False)
            except OSError:
                self._drop(conn)
            else:
                self._leave(conn, incoming)
