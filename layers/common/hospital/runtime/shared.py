"""Answers that are the same for everybody. While many ask for one, it is made once a second.

Who asks alone is always answered afresh. Everybody is told a tag, and who brings it back while it still holds is
spared the content (``If-None-Match``).
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

MANY = 100  # times in a second that the same is asked for: from then on it is kept
KEPT = 0.9  # seconds from the moment it began to be made; it is never older than a second when it leaves
MOST = 512  # different questions that are counted


@dataclass(frozen=True)
class Content:
    """The bytes of an answer, and the tag that tells them from others."""

    body: bytes
    tag: str

    @classmethod
    def of(cls, body: bytes) -> Content:
        """Content with its tag."""
        return cls(body, f'"{hashlib.sha256(body).hexdigest()[:24]}"')


@dataclass
class _Question:
    """How often one thing is asked for, and the answer that is kept."""

    second: int = 0
    times: int = 0  # in that second
    before: int = 0  # in the second before it
    made_at: float = float("-inf")
    content: Content | None = None
    making: threading.Lock = field(default_factory=threading.Lock)

    def is_asked_by_many(self, now: float) -> bool:
        second = int(now)
        if second != self.second:
            self.before = self.times if second == self.second + 1 else 0
            self.second, self.times = second, 0
        self.times += 1  # two threads may count as one: it is no count that anything hangs on
        return max(self.times, self.before) > MANY


class Answers:
    """The answers of one process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._questions: dict[str, _Question] = {}

    def get(self, question: str, make: Callable[[], bytes]) -> Content:
        """What ``make`` says, or raises. Of many who ask at once one makes it, and the others wait for that."""
        asked = self._question(question)
        if not asked.is_asked_by_many(self._clock()):
            return Content.of(make())
        with asked.making:
            began = self._clock()
            if asked.content is None or began - asked.made_at >= KEPT:
                asked.content = Content.of(make())
                asked.made_at = began
            return asked.content

    def _question(self, name: str) -> _Question:
        found = self._questions.get(name)
        if found is None:
            if len(self._questions) >= MOST:
                self._questions = {}  # whoever asks for a thousand different things keeps nothing
            found = self._questions[name] = _Question()
        return found
