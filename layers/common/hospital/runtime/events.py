"""Doors that are not HTTP: timers, wake-ups and operators' invocations (event functions).

An event function's return value is written to its log, so it is a count and never data.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from hospital.runtime import log, origin
from hospital.runtime.config import config

Handler = Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]]


class Failed(Exception):
    """A job failed, and its kind of error: the platform logs what is raised, and a text may quote a person."""


def timer_function(use_case: Callable[[], int]) -> Handler:
    """A door for a job that takes nothing and returns how many things it did.

    An error is logged and raised again: the platform counts it and invokes once more.
    """
    return event_function(lambda _event: {"count": use_case()})


def event_function(use_case: Callable[[dict[str, Any]], dict[str, Any]]) -> Handler:
    """A door for a job that reads its event; what it returns must be fit for a log.

    Raises ConfigError, at the start of the process, when a variable is missing.
    """
    config()

    def main_handler(event: dict[str, Any], context: dict[str, Any]) -> dict[str, Any]:
        started = time.perf_counter()
        log.bind(request_id=context.get("request_id", ""), function=context.get("function_name", ""))
        origin.bind(origin.of_invocation(context))
        try:
            result = use_case(event)
        except Exception as error:  # noqa: BLE001 - logged, and raised again by its kind
            log.failure("event.failed", error, ms=_ms(started))
            raise Failed(type(error).__name__) from None
        log.event("event.done", trigger=event.get("Type", "Invoke"), ms=_ms(started))
        return result

    return main_handler


def _ms(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 1)
