"""Timer triggers on the sandbox's clock."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from sandbox.clock import Clock
from sandbox.scf.manifest import Function, Manifest, Timer


def timer_event(timer: Timer, fired: datetime) -> dict[str, Any]:
    """The event of a timer; ``fired`` is its fire time (aware)."""
    return {"Type": "Timer", "TriggerName": timer.name,
            "Time": fired.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"), "Message": timer.argument}


class Timers:
    """Knows when each enabled timer is next due. A clock that jumps over several fire times fires once."""

    def __init__(
        self, manifest: Manifest, clock: Clock, fire: Callable[[Function, dict[str, Any]], None]
    ) -> None:
        self._clock = clock
        self._fire = fire
        self._lock = threading.Lock()
        self._timers = [(function, timer) for function in manifest.functions.values()
                        for timer in function.timers if timer.enabled]
        self._seen = clock.now()
        self._next = self._reckon()
        self._fired: list[datetime | None] = [None] * len(self._timers)

    def tick(self) -> None:
        """Fire what is due now."""
        due: list[tuple[Function, dict[str, Any]]] = []
        with self._lock:
            now = self._clock.now()
            if now < self._seen:  # the clock was set back
                self._seen = now
                self._next = self._reckon()
            for index, (function, timer) in enumerate(self._timers):
                moment = self._next[index]
                if moment is not None and moment <= now:
                    due.append((function, timer_event(timer, moment)))
                    self._fired[index] = now
                    self._next[index] = timer.cron.next_after(now)
            self._seen = now
        for function, event in due:
            self._fire(function, event)

    def next_due(self) -> float | None:
        """When (sandbox seconds) the next timer is due."""
        with self._lock:
            return min((moment.timestamp() for moment in self._next if moment is not None), default=None)

    def listing(self) -> list[dict[str, Any]]:
        """Every timer with when it is next due, and when it last fired by itself."""
        with self._lock:
            return [{"function": function.name, "name": timer.name, "cron": timer.cron.expression,
                     "next": moment and moment.isoformat(), "fired": fired and fired.isoformat()}
                    for (function, timer), moment, fired in zip(self._timers, self._next, self._fired, strict=True)]

    def _reckon(self) -> list[datetime | None]:
        return [timer.cron.next_after(self._seen) for _, timer in self._timers]
