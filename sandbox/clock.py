"""One clock for the whole sandbox, which tests can set and advance.

The sandbox's own systems read it directly. The function processes see the same time because they are
started under ``on_sandbox_time.py``, which reads the offset from ``file``; production code simply asks
the operating system what time it is.
"""

from __future__ import annotations

import mmap
import threading
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

from sandbox.on_sandbox_time import OFFSET


class Clock:
    """Real time plus an offset. Time always runs; only the offset is set."""

    def __init__(self, file: Path | None = None) -> None:
        self._offset = 0.0
        self._shown = _shared(file) if file is not None else None
        self._moved = threading.Condition()
        self._publish()

    def now(self) -> datetime:
        """The sandbox's present moment, aware, UTC."""
        return datetime.fromtimestamp(self.timestamp(), timezone.utc)

    def timestamp(self) -> float:
        """Seconds since the epoch in sandbox time."""
        return time.time() + self._offset

    @property
    def offset(self) -> float:
        """Seconds the sandbox is ahead of real time."""
        return self._offset

    def set(self, moment: datetime) -> None:
        """Make ``moment`` (aware) the present."""
        self._move(moment.timestamp() - time.time())

    def advance(self, by: timedelta) -> None:
        """Let ``by`` pass at once."""
        self._move(self._offset + by.total_seconds())

    def wait_until(self, deadline: float, stop: threading.Event | None = None) -> None:
        """Sleep until sandbox time ``deadline`` (seconds), the clock is moved, or ``stop`` is set.

        May return early; callers check the time again.
        """
        with self._moved:
            left = deadline - self.timestamp()
            if left > 0 and not (stop and stop.is_set()):
                self._moved.wait(min(left, 0.5))

    def _move(self, offset: float) -> None:
        with self._moved:
            self._offset = offset
            self._publish()
            self._moved.notify_all()

    def _publish(self) -> None:
        if self._shown is not None:
            OFFSET.pack_into(self._shown, 0, round(self._offset * 1e9))


def _shared(file: Path) -> mmap.mmap:
    """The file's few bytes as memory that the function processes map too."""
    file.write_bytes(bytes(OFFSET.size))
    with file.open("r+b") as opened:
        return mmap.mmap(opened.fileno(), OFFSET.size)
