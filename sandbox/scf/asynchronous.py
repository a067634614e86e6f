"""Asynchronous events: a queue per function, the documented retries, and a list of what was given up."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.clock import Clock
from sandbox.scf.errors import InvokeError
from sandbox.scf.manifest import Function

RETRY_SECONDS = 60.0  # of sandbox time, after an error of the code or of the platform


@dataclass
class Waiting:
    """One event on its way. Times are sandbox seconds."""

    function: Function
    event: Any
    request_id: str
    accepted: float
    due: float
    failures: int = 0  # errors of the code; the platform's own don't count
    running: bool = False
    last_error: str = ""
    given_up: str = ""

    def facts(self) -> dict[str, Any]:
        """For the control interface; the event itself stays inside."""
        return {
            "function": self.function.name, "request_id": self.request_id, "accepted": self.accepted,
            "due": self.due, "failures": self.failures, "running": self.running,
            "last_error": self.last_error, "given_up": self.given_up,
        }


class AsyncQueue:
    """Runs each function's events in order of their due time, as many at once as it may have instances."""

    def __init__(
        self, clock: Clock, run: Callable[[Function, Any, str], Any], limit: Callable[[str], int]
    ) -> None:
        self._clock = clock
        self._run = run
        self._limit = limit
        self._changed = threading.Condition()
        self._events: list[Waiting] = []
        self._dead: deque[Waiting] = deque(maxlen=1000)
        self.retries = 0
        self.stopped = False

    def put(self, function: Function, event: Any, request_id: str) -> None:
        """Accept an event; it runs as soon as an instance may take it."""
        now = self._clock.timestamp()
        with self._changed:
            self._events.append(Waiting(function, event, request_id, now, now))
        self.pump()

    def pump(self) -> None:
        """Start everything that is due and allowed now, and drop what has waited too long."""
        with self._changed:
            if self.stopped:
                return
            now = self._clock.timestamp()
            running: dict[str, int] = {}
            for item in self._events:
                running[item.function.name] = running.get(item.function.name, 0) + item.running
            for item in sorted(self._events, key=lambda one: one.due):
                if item.running:
                    continue
                name = item.function.name
                if now - item.accepted > item.function.message_ttl_s:
                    self._give_up(item, f"older than msgTTL ({item.function.message_ttl_s} s)")
                elif item.due <= now and running[name] < self._limit(name):
                    running[name] += 1
                    item.running = True
                    threading.Thread(target=self._work, args=(item,), daemon=True).start()
            self._changed.notify_all()

    def next_due(self) -> float | None:
        """When (sandbox seconds) the next waiting event is due; None when none waits."""
        with self._changed:
            return min((item.due for item in self._events if not item.running), default=None)

    def settle(self, timeout: float) -> bool:
        """Wait (real seconds) until nothing is due or running; False when it took too long.

        Retries that are due later don't count.
        """
        def busy() -> bool:
            now = self._clock.timestamp()
            return any(item.running or item.due <= now for item in self._events)

        deadline = time.monotonic() + timeout
        while True:
            self.pump()
            with self._changed:
                if not busy():
                    return True
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(min(left, 0.5))

    def stop(self) -> None:
        """Start nothing more."""
        with self._changed:
            self.stopped = True

    def facts(self) -> dict[str, Any]:
        """What waits or runs, how many retries there were, and what was given up."""
        with self._changed:
            return {"pending": [item.facts() for item in self._events], "retries": self.retries,
                    "dead": [item.facts() for item in self._dead]}

    def _work(self, item: Waiting) -> None:
        failure: InvokeError | None = None
        try:
            self._run(item.function, item.event, item.request_id)
        except InvokeError as error:
            failure = error
        except Exception as error:  # the platform's own trouble: the event waits, and shows why
            failure = InvokeError(500, f"platform error {type(error).__name__}: {error}")
        with self._changed:
            item.running = False
            if failure is None:
                self._events.remove(item)
            else:
                self._failed(item, failure)
            self._changed.notify_all()
        self.pump()

    def _failed(self, item: Waiting, failure: InvokeError) -> None:
        item.last_error = f"{failure.status} {failure.message}"
        item.failures += not failure.by_platform
        if item.failures > item.function.retries:
            self._give_up(item, f"failed {item.failures} times")
        else:
            self.retries += 1
            item.due = self._clock.timestamp() + RETRY_SECONDS

    def _give_up(self, item: Waiting, why: str) -> None:
        item.given_up = why
        self._events.remove(item)
        self._dead.append(item)
