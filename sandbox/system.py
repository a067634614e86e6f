"""What all outside systems share: a Flask app on its own port, faults, a journal, a control part."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from sandbox import serving
from sandbox.clock import Clock
from sandbox.faults import Fault, Faults


@dataclass
class World:
    """What every system is given: the clock, the faults in force and the shared journal."""

    clock: Clock
    faults: Faults
    journal: deque[dict[str, Any]]


class System:
    """One outside system. Subclasses add routes to ``self.app`` and to ``self.control``.

    A route's endpoint name (``@app.post(..., endpoint="close")``) is the operation that faults and the
    journal speak of. ``refusal`` builds the system's own form of an error answer; answers are signed in
    ``seal`` which sees every answer but garbage.
    """

    name = "system"
    max_body_bytes = 2 * 1024 * 1024  # a longer body is refused before it is read

    def __init__(self, world: World) -> None:
        self.world = world
        self.clock = world.clock
        self.lock = threading.RLock()  # guards the system's state; one call at a time changes it
        self.app = Flask(f"sandbox.{self.name}", static_folder=None)  # its own /static would stand before ours
        self.control = Blueprint(self.name, f"sandbox.{self.name}.control")
        self.app.before_request(self._before)
        self.app.after_request(self._after)
        self.app.register_error_handler(413, self.too_large)
        self.address = ""

    # -- for subclasses -------------------------------------------------------------------------
    def refusal(self, code: str, message: str, status: int) -> Response:
        """A definite refusal in this system's own form."""
        return Response(self.app.json.dumps({"code": code, "message": message}), status=status,
                        content_type="application/json")

    def too_large(self, error: HTTPException) -> Response:
        """The refusal of a body longer than ``max_body_bytes``."""
        response = self.refusal("REQUEST_TOO_LARGE", error.name, 413)
        response.status_code = 413  # whatever status the system's own refusals have
        return response

    def malformed(self, status: int, phrase: str) -> dict[str, Any]:
        """What is answered to something that is no HTTP request."""
        return {"code": "MALFORMED", "message": phrase}

    def seal(self, response: Response) -> Response:
        """Sign an answer the way the real system does. The default signs nothing."""
        return response

    def operation(self) -> str:
        """The name of the running call's operation, for faults and the journal."""
        return request.endpoint or "unknown"

    def note(self, **facts: Any) -> None:
        """Add facts (ids, never personal data) to this call's line in the journal."""
        g.facts = {**getattr(g, "facts", {}), **facts}

    # -- the call -------------------------------------------------------------------------------
    def _before(self) -> Response | None:
        g.started = time.perf_counter()
        g.fault = fault = self.world.faults.take(self.name, self.operation(), self._said)
        if fault is None or fault.kind == "cut_after":
            return None
        if fault.kind == "delay":
            time.sleep(float(fault.params.get("seconds", 1)))
            return None
        if fault.kind == "hold":
            self.world.faults.hold(fault)
            return None
        if fault.kind == "cut_before":
            return self._cut()
        if fault.kind == "refuse":
            return self.refusal(
                str(fault.params.get("code", "REFUSED")),
                str(fault.params.get("message", "refused on demand")),
                int(fault.params.get("status", 400)),
            )
        if fault.kind == "error":
            return Response("upstream error", status=int(fault.params.get("status", 500)))
        return None if fault.params.get("effect") else self._garbage(fault)

    def _after(self, response: Response) -> Response:
        fault: Fault | None = getattr(g, "fault", None)
        self.world.journal.append({
            "at": self.clock.now().isoformat(), "system": self.name, "operation": self.operation(),
            "method": request.method, "path": request.path, "status": response.status_code,
            "fault": fault.kind if fault else None,
            "ms": round((time.perf_counter() - g.started) * 1000, 1), **getattr(g, "facts", {}),
        })
        if fault and fault.kind == "cut_after":
            return self._cut()
        if fault and fault.kind == "garbage":
            return self._garbage(fault)
        if fault and fault.kind in ("cut_before", "error"):
            return response
        headers = self._override(response)
        response = self.seal(response)
        response.headers.update(headers)
        return response

    def _override(self, response: Response) -> dict[str, str]:
        """Let a successful JSON answer say what was ordered; the headers that go on top of its signature."""
        faults = self.world.faults
        if response.status_code >= 300 or not response.is_json or not faults.overriding(self.name, self.operation()):
            return {}
        before = json.loads(response.get_data())
        after, headers = faults.overridden(self.name, self.operation(), self._said, before)
        if after != before:
            response.set_data(json.dumps(after, ensure_ascii=False))
        # A header is bytes on the wire: beyond ASCII they are UTF-8, which the server is handed as Latin-1.
        return {name: str(value).encode().decode("latin-1") for name, value in headers.items()}

    @staticmethod
    def _said() -> str:
        return f"{request.environ.get('RAW_URI', request.path)}\n{request.get_data(as_text=True)}"

    @staticmethod
    def _cut() -> Response:
        connection = request.environ.get("werkzeug.socket")
        if connection is not None:
            connection.shutdown(socket.SHUT_RDWR)
        return Response(status=500)

    @staticmethod
    def _garbage(fault: Fault) -> Response:
        return Response(b"\x00<html>502 \xff{", status=int(fault.params.get("status", 200)),
                        content_type="text/html")

    # -- serving --------------------------------------------------------------------------------
    def serve(self, port: int = 0) -> str:
        """Start serving on 127.0.0.1 in a thread; returns the base address."""
        self.address = serving.serve(self.app, port, name=f"sandbox-{self.name}", limit=self.max_body_bytes,
                                     malformed=self.malformed)
        return self.address

    def stop(self) -> None:
        """Release what the system started besides its server (processes, threads)."""
