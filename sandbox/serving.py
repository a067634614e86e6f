"""The HTTP server under every system: keep-alive, quiet, and with bodies that end."""

from __future__ import annotations

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

    def log_request(self, *args: Any, **kwargs: Any) -> None:
        """Quiet: the journal is the log."""

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def make_environ(self) -> WSGIEnvironment:
        environ = super().make_environ()
        if isinstance(environ["wsgi.input"], DechunkedInput):
            environ["wsgi.input"] = Chunks(self.rfile, self.limit)
        return environ

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
