"""Logs: one JSON line an event, with the request it belongs to. Never personal data."""

from __future__ import annotations

import json
import sys
import traceback
from contextvars import ContextVar
from datetime import datetime, timezone
from typing import Any

_JSON = json.JSONEncoder(ensure_ascii=False, default=str)
_context: ContextVar[dict[str, Any] | None] = ContextVar("log_context", default=None)


def bind(**facts: Any) -> None:
    """Set what every later line of this request carries (request_id, function, …)."""
    _context.set({**facts})


def event(name: str, **facts: Any) -> None:
    """Write one line. ``facts`` are ids, codes, counts and durations."""
    line = {"at": datetime.now(timezone.utc).isoformat(timespec="milliseconds"), "event": name,
            **(_context.get() or {}), **facts}
    sys.stdout.write(_JSON.encode(line) + "\n")
    sys.stdout.flush()


def failure(name: str, error: BaseException, **facts: Any) -> None:
    """Write one line with where an unexpected error arose.

    The error's text is left out: a database or validation message may quote what a person typed.
    """
    frames = [f"{frame.filename.rsplit('/', 2)[-1]}:{frame.lineno}:{frame.name}"
              for frame in traceback.extract_tb(error.__traceback__)[-6:]]
    event(name, error=type(error).__name__, frames=frames, **facts)
