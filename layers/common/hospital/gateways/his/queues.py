"""Who waits where: the numbers on the screens of a clinic session, or of a department that carries out orders."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from pydantic import Field

from hospital.gateways.his.wire import Answer, Code, Legible, Moment, Whole, get
from hospital.gateways.outcome import Rejected, Unanswered

QUEUE_SECONDS = 2.0  # a patient is looking at the screen; the last known numbers are shown instead
_Number = Annotated[str, Field(min_length=1, max_length=20), Legible]


class Called(Answer):
    """A number that was called, and when."""

    number: _Number
    called_at: Moment


class Queue(Answer):
    """A queue as it is now. ``waiting`` is in the order of calling; ``passed`` were called and did not come (过号).

    ``calls``: some of today's calls, the latest last. ``seconds_each``: how long one takes, where the HIS knows that.
    """

    queue_code: Code
    as_of: Moment
    state: str  # NOT_STARTED, CALLING, PAUSED, OVER, or one that we have not heard of: then only numbers are shown
    calling: Called | None = None
    waiting: Annotated[list[_Number], Field(max_length=2000)]
    passed: Annotated[list[_Number], Field(max_length=2000)] = []
    calls: Annotated[list[Called], Field(max_length=500)] = []
    seconds_each: Whole | None = None


def queue(code: str) -> Queue | None:
    """The queue of a session, or of an executing department; None where there is none. Raises Unanswered."""
    try:
        answer = get(f"/queues/{quote(code, safe='')}", Queue, QUEUE_SECONDS)
    except Rejected as refusal:
        if refusal.code == "QUEUE_UNKNOWN":
            return None
        raise Unanswered(f"his queue: {refusal.code}") from None
    if answer.queue_code != code:
        raise Unanswered("his queue: of another code")
    return answer
