"""Faults on demand: what each outside system does wrong, per operation, a set number of times."""

from __future__ import annotations

import fnmatch
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from itertools import count
from typing import Any

from sandbox import overrides

KINDS = {
    "refuse": "a definite refusal in the system's own form: params code, message, status",
    "error": "an answer of status 5xx that says nothing about the effect: params status (500)",
    "delay": "wait `seconds` of real time, then work as usual",
    "hold": "wait until the faults are cleared (60 s of real time at most), then work as usual",
    "cut_before": "close the connection without doing anything",
    "cut_after": "do everything, then close the connection without an answer",
    "garbage": "answer bytes that are no answer: params status (200), effect (false: before doing it)",
    "override": "do everything, and say something else, rightly signed: params set, remove, add, headers",
}

LONGEST_HOLD = 60.0  # seconds: who forgets to let go is not waited for for ever
_ids = count(1)


@dataclass
class Fault:
    """One order to misbehave. ``times`` is how often it still applies; -1 is for ever.

    ``about`` names a text, such as a trade number, that must be in the call's address or body.
    """

    system: str
    operation: str
    kind: str
    times: int = 1
    after: int = 0  # let this many matching calls pass first
    params: dict[str, Any] = field(default_factory=dict)
    about: str = ""
    id: int = field(default_factory=lambda: next(_ids))
    hits: int = 0

    def matches(self, system: str, operation: str) -> bool:
        """Whether it is still in force for such calls."""
        return (self.times != 0 and fnmatch.fnmatch(system, self.system)
                and fnmatch.fnmatch(operation, self.operation))

    def concerns(self, system: str, operation: str, said: Callable[[], str]) -> bool:
        """Whether it is still in force for this call; ``said`` gives the call's address and body."""
        return self.matches(system, operation) and (not self.about or self.about in said())

    def strikes(self) -> bool:
        """Count one call that it concerns; False while it still lets calls pass."""
        if self.after > 0:
            self.after -= 1
            return False
        self.times -= self.times > 0
        self.hits += 1
        return True


class Faults:
    """The faults in force.

    The first that matches system and operation (globs) is used up first; overrides come on top, all that match.
    """

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> Fault:
        """Put a fault in force.

        Raises ValueError for a kind that is not one of ``KINDS``, and for an override that can't be applied.
        """
        if fault.kind not in KINDS:
            raise ValueError(f"unknown fault kind {fault.kind!r}; known: {', '.join(KINDS)}")
        if fault.kind == "override":
            overrides.check(fault.params)
        with self._lock:
            self._faults.append(fault)
        return fault

    def take(self, system: str, operation: str, said: Callable[[], str] = str) -> Fault | None:
        """The fault for this call, counted as used; None when the call may succeed."""
        with self._lock:
            for fault in self._faults:
                if fault.kind != "override" and fault.concerns(system, operation, said) and fault.strikes():
                    return fault
        return None

    def overriding(self, system: str, operation: str) -> bool:
        """Whether an override is in force for such calls: large answers are not read for nothing."""
        with self._lock:
            return any(fault.kind == "override" and fault.matches(system, operation) for fault in self._faults)

    def overridden(self, system: str, operation: str, said: Callable[[], str], answer: Any
                   ) -> tuple[Any, dict[str, str]]:
        """What is said instead of ``answer``, and headers on top; an override that meets nothing is not used up."""
        headers: dict[str, str] = {}
        with self._lock:
            for fault in self._faults:
                if fault.kind != "override" or not fault.concerns(system, operation, said):
                    continue
                changed, met = overrides.applied(answer, fault.params)
                if (met or fault.params.get("headers")) and fault.strikes():
                    answer = changed
                    headers |= fault.params.get("headers", {})
        return answer, headers

    def hold(self, fault: Fault) -> None:
        """Wait until it is in force no more."""
        with self._lock:
            self._lock.wait_for(lambda: all(one is not fault for one in self._faults), LONGEST_HOLD)

    def clear(self, system: str | None = None) -> None:
        """Everything works again, or one ``system``: what was ordered for it by that name."""
        with self._lock:
            self._faults = [fault for fault in self._faults if system not in (None, fault.system)]
            self._lock.notify_all()

    def listing(self) -> list[dict[str, Any]]:
        """Every fault with how often it struck."""
        with self._lock:
            return [asdict(fault) for fault in self._faults]
