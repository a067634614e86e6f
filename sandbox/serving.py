"""The HTTP server under every system: keep-alive, quiet, and with bodies that end."""

from __future__ import annotations

import contextlib
import io
import json
import socket
import threading
from collections.abc import Callable
from http import HTTPStatus
from typing import IO, TYPE_CHECKING, Any, ClassVar, cast

from flask import Flask
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.serving import DechunkedInput, WSGIRequestHandler, make_server

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

Malformed = Callable[[int, str], dict[str, Any]]


class Chunks(DechunkedInput):
    """A chunked body of at most ``limit`` bytes; a longer one is refused by what its chunks announce."""

    def __init__(self, rfile: Any, limit: int) -> None:
        super().__init__(cast(IO[bytes], _Whole(rfile)))
        self._left = limit

    def read_chunk_len(self) -> int:
        """The next chunk's length. Raises RequestEntityTooLarge before anything of too long a one is read."""
        length = super().read_chunk_len()
        self._left -= length
        if self._left < 0:
            raise RequestEntityTooLarge
        return length


class _Whole(io.BufferedIOBase):
    """Reads as much as asked for, or raises OSError: a client that hung up within a chunk sent no body."""

    def __init__(self, rfile: Any) -> None:
        self._rfile = rfile

    def readline(self, size: int | None = -1, /) -> bytes:
        line: bytes = self._rfile.readline(-1 if size is None else size)
        return line

    def read(self, size: int | None = -1, /) -> bytes:
        content: bytes = self._rfile.read(-1 if size is None else size)
        if size is not None and len(content) < size:
            raise OSError("the client hung up within a chunk")
        return content


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"  # keep-alive, like the real ones
    limit: ClassVar[int]
    malformed: ClassVar[Any]  # a Malformed
    _headers_buffer: list[bytes]  # of the base: what is to be sent

    def log_request(self, *args: Any, **kwargs: Any) -> None:
        """Quiet: the journal is the log."""

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def make_environ(self) -> WSGIEnvironment:
        environ = super().make_environ()
        length = environ.get("CONTENT_LENGTH", "0")
        if isinstance(environ["wsgi.input"], DechunkedInput):
            environ["wsgi.input"] = Chunks(self.rfile, self.limit)
            self._is_read = False
        else:
            # What is refused for its length is not read, and what has none that can be read ends nowhere.
            self._is_read = length.isascii() and length.isdigit() and int(length) <= self.limit
            environ["wsgi.input"] = io.BytesIO(self.rfile.read(int(length)) if self._is_read else b"")
        return environ

    def run_wsgi(self) -> None:
        """Answer one request, and keep the connection for the next unless some of this one was left unread.

        Werkzeug's own closes it each time: a connection and a thread for every call.
        """
        begun: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], Any]:
            begun[:] = [status, headers]
            return self.wfile.write

        self.environ = environ = self.make_environ()
        try:
            content = self.server.app(environ, start_response)
            try:
                self._answer(begun[0], begun[1], b"".join(content))
            finally:
                if hasattr(content, "close"):
                    content.close()
        except OSError:  # the client hung up, or was made to
            self.close_connection = True

    def _answer(self, status: str, headers: list[tuple[str, str]], content: bytes) -> None:
        code, _, phrase = status.partition(" ")
        told = {name.lower() for name, _ in headers}
        self.send_response_only(int(code), phrase)
        for name, value in (("Server", self.version_string()), ("Date", self.date_time_string())):
            if name.lower() not in told:  # a function's own time goes through, alone
                self.send_header(name, value)
        for name, value in headers:
            self.send_header(name, value)
        if "content-length" not in told and self.command != "HEAD" and int(code) not in (204, 304):
            self.send_header("Content-Length", str(len(content)))
        if self.close_connection or not self._is_read:
            self.send_header("Connection", "close")
        if self.request_version != "HTTP/0.9":
            content = b"".join([*self._headers_buffer, b"\r\n", content])  # at one go: half a packet less to wait for
            self._headers_buffer = []
        self.wfile.write(content)
        if not self._is_read:
            self._hear_out()

    def _hear_out(self) -> None:
        """Read what is still coming, so that the client gets to the answer instead of a connection that is reset."""
        self.connection.settimeout(0.01)
        with contextlib.suppress(OSError):
            while self.rfile.read1(1 << 20):
                pass

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What is no HTTP is answered in the system's own form too, never with what came."""
        body = json.dumps(self.malformed(code, HTTPStatus(code).phrase)).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


def serve(app: Flask, port: int, *, name: str, limit: int, malformed: Malformed) -> str:
    """Serve on 127.0.0.1 in a thread; the base address. ``limit``: of a body, in bytes."""
    app.config["MAX_CONTENT_LENGTH"] = limit
    handler = type("Handler", (_Handler,), {"limit": limit, "malformed": staticmethod(malformed)})
    server = make_server("127.0.0.1", port, app, threaded=True, request_handler=handler)
    threading.Thread(target=server.serve_forever, name=name, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"
