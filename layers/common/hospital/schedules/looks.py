"""Asking the HIS for single sessions by name: some in each reading, another part each time, and none stops the rest."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from hospital.gateways.outcome import Rejected, Unanswered
from hospital.runtime import log
from hospital.runtime.errors import RetryWhole
from hospital.schedules import rules

LOOKS = 50  # sessions in one reading; the others wait for the next
SILENT = 3  # without an answer: then it is the HIS, not the session

AnswerT = TypeVar("AnswerT")


def each(codes: list[str], now: datetime, ask: Callable[[str], AnswerT]) -> dict[str, AnswerT]:
    """What the HIS says of some sessions; those without an answer, or whose turn it isn't, are left out."""
    answers: dict[str, AnswerT] = {}
    silent = 0
    for code in rules.in_turn(codes, now, LOOKS):
        try:
            answers[code] = ask(code)
        except (Unanswered, Rejected) as none:
            log.event("his.unanswered", operation="schedule", session=code, reason=none.reason)
            silent += 1
            if silent == SILENT:
                break
        except RetryWhole:  # another reading is at it
            log.event("schedule.put-off", session=code)
    return answers
