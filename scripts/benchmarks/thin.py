"""The thin floor: the same SQL behind a bare WSGI callable, on the same server as the functions."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterable
from typing import Any

from scripts.benchmarks import replay

_local = threading.local()


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Take a place; no routing, no validation, no log."""
    if environ["REQUEST_METHOD"] != "POST":
        start_response("204 No Content", [])
        return []
    connection = getattr(_local, "connection", None)
    if connection is None:
        connection = _local.connection = replay.connection(
            os.environ["MYSQL_HOST"], int(os.environ["MYSQL_PORT"]), os.environ["MYSQL_DATABASE"])
    order = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
    outcome, answer = replay.take(
        connection, environ["HTTP_AUTHORIZATION"].partition(" ")[2], environ["HTTP_X_CLIENT_SECRET"],
        order["patient_id"], order["schedule_id"], environ["HTTP_IDEMPOTENCY_KEY"])
    body = (answer or outcome).encode()
    start_response("201 Created" if outcome == "ok" else "409 Conflict",
                   [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
