"""Answers that are the same for everybody. While many ask for one, it is made once a second.

Who asks alone is always answered afresh. Everybody is told a tag, and who brings it back while it still holds is
spared the content (``If-None-Match``).
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable

from msgspec import Struct, field

from hospital.runtime.errors import AppError

MANY = 100  # times in a second that the same is asked for: from then on it is kept
KEPT = 0.9  # seconds from the moment it began to be made; it is never older than a second when it leaves
MOST = 512  # different questions that are counted
OFTEN = 10  # times in a second: such questions stay when there are too many


class Content(Struct, frozen=True):
    """The bytes of an answer, and the tag that tells them from others."""

    body: bytes
    tag: str

    @classmethod
    def of(cls, body: bytes) -> Content:
        """Content with its tag."""
        return cls(body, f'"{hashlib.sha256(body).hexdigest()[:24]}"')


class _Question(Struct):
    """How often one thing is asked for, and the answer that is kept."""

    second: int = 0
    times: int = 0  # in that second
    before: int = 0  # in the second before it
    made_at: float = float("-inf")  # when it began to be made
    done_at: float = float("-inf")
    content: Content | None = None
    refusal: AppError | None = None
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
        """What ``make`` says, or the refusal that it raises. Of many who ask at once one makes it for all who wait.

        Who waited takes what was finished after they came, however long it took.
        """
        asked = self._question(question)
        if not asked.is_asked_by_many(self._clock()):
            return Content.of(make())
        came = self._clock()
        with asked.making:
            if asked.done_at < came and self._clock() - asked.made_at >= KEPT:
                self._make(asked, make)
            if asked.refusal is not None:
                raise asked.refusal.with_traceback(None)
            assert asked.content is not None
            return asked.content

    def _make(self, asked: _Question, make: Callable[[], bytes]) -> None:
        began = self._clock()
        try:
            asked.content, asked.refusal = Content.of(make()), None
        except AppError as refusal:
            asked.content, asked.refusal = None, refusal
        asked.made_at, asked.done_at = began, self._clock()

    def _asked_often(self) -> dict[str, _Question]:
        """What goes on being counted when somebody asks for a thousand different things."""
        second = int(self._clock())
        return {name: one for name, one in list(self._questions.items())
                if second - one.second <= 1 and max(one.times, one.before) >= OFTEN}

    def _question(self, name: str) -> _Question:
        found = self._questions.get(name)
        if found is None:
            if len(self._questions) >= MOST:
                self._questions = self._asked_often()
            found = self._questions[name] = _Question()
        return found
