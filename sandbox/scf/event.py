"""Instances of event functions: one event at a time through a pair of pipes."""

from __future__ import annotations

import json
import os
import select
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.scf.errors import InvokeError
from sandbox.scf.instances import Instance

_RUNTIME = Path(__file__).with_name("runtime.py")


@dataclass
class EventInstance(Instance):
    """A process that runs ``runtime.py`` around the function's handler."""

    event_fd: int = -1
    answer_fd: int = -1

    def _start(self) -> None:
        child_events, self.event_fd = os.pipe()
        self.answer_fd, child_answers = os.pipe()
        try:
            self.spawn([*self.platform.python, str(_RUNTIME), self.function.handler, str(child_events),
                        str(child_answers)], pass_fds=(child_events, child_answers))
        finally:
            os.close(child_events)
            os.close(child_answers)
        first = self._receive(self.function.init_timeout_s, "starting")
        if "ready" not in first:
            raise self._code_error(first)

    def invoke(self, event: Any, context: dict[str, Any]) -> Any:
        """The handler's return value for one event.

        Raises InvokeError: 430 the handler raised, 433 it took longer than its timeout, 439 its process
        ended.
        After 433 and 439 the instance is dead.
        """
        line = json.dumps({"event": event, "context": context}).encode() + b"\n"
        try:
            while line:
                line = line[os.write(self.event_fd, line):]
        except BrokenPipeError:
            raise InvokeError(439, "User process exited") from None
        answer = self._receive(self.function.timeout_s, "running")
        self.answered()
        if "error" in answer:
            raise self._code_error(answer)
        return answer["result"]

    def clear(self) -> None:
        """End the process and close the pipes to it."""
        super().clear()
        for descriptor in (self.event_fd, self.answer_fd):
            if descriptor >= 0:
                os.close(descriptor)
        self.event_fd = self.answer_fd = -1

    def _receive(self, seconds: int, doing: str) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        poll = select.poll()
        poll.register(self.answer_fd, select.POLLIN)
        received = bytearray()
        while not received.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0 or not poll.poll(left * 1000):
                self.retired = True
                what = "Invoking task" if doing == "running" else "Initializing function"
                raise InvokeError(433, f"{what} timed out after {seconds} seconds")
            chunk = os.read(self.answer_fd, 1 << 20)
            if not chunk:
                self.retired = True
                raise InvokeError(439, f"User process exited while {doing}")
            received += chunk
        answer: dict[str, Any] = json.loads(received)
        return answer

    def _code_error(self, answer: dict[str, Any]) -> InvokeError:
        # the exception's own text may hold personal data: it is in the stack only
        return InvokeError(430, f"user code exception caught ({answer['error']})", stack=str(answer["stack"]))
