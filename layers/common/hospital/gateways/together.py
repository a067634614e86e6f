"""Calls of one kind side by side, within the time that their caller can afford."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

from hospital.gateways.outcome import Rejected, Unanswered

AT_ONCE = 5  # calls under way at a time: what a slow system can bear, and a patient can wait for
Thing = TypeVar("Thing")
Answer = TypeVar("Answer")


def each(ask: Callable[[Thing], Answer], things: Sequence[Thing], *, seconds: float, stop_at_refusal: bool = False
         ) -> list[Answer | Rejected | Unanswered]:
    """What came of asking each, in their order: an answer, or one of the two other outcomes; nothing is raised of them.

    What could not be begun within ``seconds`` (or, with ``stop_at_refusal``, before one was refused) is Unanswered and
    was not sent. ``ask`` must not use the database: it runs in threads of its own, and no transaction may be open.
    """
    deadline = time.monotonic() + seconds
    refused: list[Rejected] = []

    def one(thing: Thing) -> Answer | Rejected | Unanswered:
        if refused and stop_at_refusal:
            return Unanswered("another one was refused", sent=False)
        if time.monotonic() >= deadline:
            return Unanswered("no time left", sent=False)
        try:
            return ask(thing)
        except Rejected as refusal:
            refused.append(refusal)
            return refusal
        except Unanswered as silence:
            return silence

    if len(things) <= 1:
        return [one(thing) for thing in things]
    with ThreadPoolExecutor(min(len(things), AT_ONCE), "together") as pool:
        asked = [pool.submit(copy_context().run, one, thing) for thing in things]
        return [future.result() for future in asked]


def problem(outcomes: Sequence[object]) -> Rejected | Unanswered | None:
    """The first refusal; where there is none, the first silence; None when all was done."""
    for kind in (Rejected, Unanswered):
        for outcome in outcomes:
            if isinstance(outcome, kind):
                return outcome
    return None
