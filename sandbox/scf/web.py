"""Instances of Web functions: the function's own server, and the connections kept open to it."""

from __future__ import annotations

import http.client
import select
import shlex
import shutil
import socket
import threading
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

from sandbox.scf.errors import InvokeError
from sandbox.scf.instances import Instance

_CLOUD_PYTHON = "/var/lang/python310/bin/python3.10"
_CLOUD_ADDRESS = "0.0.0.0:9000"
_POLL_SECONDS = 0.01
_IDLE_SECONDS = 30.0  # a kept connection is not used again after this: the function's server may close it

Headers = list[tuple[str, str]]


@dataclass
class WebAnswer:
    """What the function's server answered."""

    status: int
    headers: Headers
    body: bytes


@dataclass
class WebInstance(Instance):
    """A process group begun by ``scf_bootstrap`` that listens on ``port``."""

    port: int = 0
    kept: list[tuple[http.client.HTTPConnection, float]] = field(default_factory=list)
    kept_lock: threading.Lock = field(default_factory=threading.Lock)

    def _start(self) -> None:
        self.port = _free_port()
        self.spawn([str(self._stage_bootstrap())])
        deadline = self.spawned + self.function.init_timeout_s
        while True:
            if not self.alive:
                raise InvokeError(405, f"scf_bootstrap of {self.function.name} ended before it listened")
            try:
                self._keep(self._connect(1.0))
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise InvokeError(
                        433, f"Initializing function timed out after {self.function.init_timeout_s} seconds"
                    ) from None
                time.sleep(_POLL_SECONDS)

    def _stage_bootstrap(self) -> Path:
        """Put ``scf_bootstrap`` in place, with this machine's interpreter and port for the cloud's."""
        staged = self.folder / "scf_bootstrap"
        if not staged.exists():
            shared = self.platform.project / "scripts" / "scf_bootstrap"
            if not shared.is_file():
                raise InvokeError(405, f"web function {self.function.name} has no scf_bootstrap")
            shutil.copyfile(shared, staged)
            staged.chmod(0o755)
        script = staged.read_bytes()
        if b"\r" in script:
            raise InvokeError(405, f"scf_bootstrap of {self.function.name} has CRLF line ends")
        text = script.decode("utf-8")
        staged.write_text(text.replace(_CLOUD_PYTHON, shlex.join(self.platform.python))
                          .replace(_CLOUD_ADDRESS, f"127.0.0.1:{self.port}"), encoding="utf-8")
        return staged

    def request(self, method: str, target: str, headers: Headers, body: bytes) -> WebAnswer:
        """Pass one request on and read the whole answer.

        ``target`` is path and query as they came. Raises InvokeError: 433 no answer within the function's
        timeout, 439 its server hung up; after either the instance takes no more work.
        """
        deadline = time.monotonic() + self.function.timeout_s
        try:
            connection = self._take() or self._connect(float(self.function.timeout_s))
            _patience(connection, deadline)
            try:
                connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
                for name, value in headers:
                    connection.putheader(name, value)
                connection.endheaders(body)
                response = connection.getresponse()
                _patience(connection, deadline)
                answer = WebAnswer(response.status, response.getheaders(), response.read())
            except BaseException:
                connection.close()
                raise
        except TimeoutError:
            self.retired = True
            seconds = self.function.timeout_s
            raise InvokeError(433, f"Invoking task timed out after {seconds} seconds") from None
        except (OSError, http.client.HTTPException) as error:
            self.retired = True  # a crash may not have ended the whole process yet
            raise InvokeError(439, f"User process closed the connection ({type(error).__name__})") from error
        self.answered()
        if response.will_close:
            connection.close()
        else:
            self._keep(connection)
        return answer

    def clear(self) -> None:
        """End the process group and the connections to it."""
        super().clear()
        with self.kept_lock:
            while self.kept:
                self.kept.pop()[0].close()

    def _connect(self, timeout: float) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        connection.connect()
        return connection

    def _keep(self, connection: http.client.HTTPConnection) -> None:
        with self.kept_lock:
            self.kept.append((connection, time.monotonic()))

    def _take(self) -> http.client.HTTPConnection | None:
        while True:
            with self.kept_lock:
                if not self.kept:
                    return None
                connection, since = self.kept.pop()
            if connection.sock is not None and time.monotonic() - since < _IDLE_SECONDS:
                poll = select.poll()
                poll.register(connection.sock, select.POLLIN)
                if not poll.poll(0):  # readable while idle: the server closed it
                    return connection
            connection.close()


def _patience(connection: http.client.HTTPConnection, deadline: float) -> None:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError(HTTPStatus.GATEWAY_TIMEOUT.phrase)
    if connection.sock is not None:
        connection.sock.settimeout(left)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
