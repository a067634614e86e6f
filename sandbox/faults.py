"""Faults on demand: what each outside system does wrong, per operation, a set number of times."""

from __future__ import annotations

import fnmatch
import threading
from dataclasses import asdict, dataclass, field
from itertools import count
from typing import Any

KINDS = {
    "refuse": "a definite refusal in the system's own form: params code, message, status",
    "error": "an answer of status 5xx that says nothing about the effect: params status (500)",
    "delay": "wait `seconds` of real time, then work as usual",
    "cut_before": "close the connection without doing anything",
    "cut_after": "do everything, then close the connection without an answer",
    "garbage": "answer bytes that are no answer: params status (200), effect (false: before doing it)",
}

_ids = count(1)


@dataclass
class Fault:
    """One order to misbehave. ``times`` is how often it still applies; -1 is for ever."""

    system: str
    operation: str
    kind: str
    times: int = 1
    after: int = 0  # let this many matching calls pass first
    params: dict[str, Any] = field(default_factory=dict)
    id: int = field(default_factory=lambda: next(_ids))
    hits: int = 0


class Faults:
    """The faults in force. The first that matches system and operation (globs) is used up first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> Fault:
        """Put a fault in force.

        Raises ValueError for a kind that is not one of ``KINDS``.
        """
        if fault.kind not in KINDS:
            raise ValueError(f"unknown fault kind {fault.kind!r}; known: {', '.join(KINDS)}")
        with self._lock:
            self._faults.append(fault)
        return fault

    def take(self, system: str, operation: str) -> Fault | None:
        """The fault for this call, counted as used; None when the call may succeed."""
        with self._lock:
            for fault in self._faults:
                if not (fnmatch.fnmatch(system, fault.system) and fnmatch.fnmatch(operation, fault.operation)):
                    continue
                if fault.times == 0:
                    continue
                if fault.after > 0:
                    fault.after -= 1
                    continue
                if fault.times > 0:
                    fault.times -= 1
                fault.hits += 1
                return fault
        return None

    def clear(self) -> None:
        """Everything works again."""
        with self._lock:
            self._faults.clear()

    def listing(self) -> list[dict[str, Any]]:
        """Every fault with how often it struck."""
        with self._lock:
            return [asdict(fault) for fault in self._faults]
