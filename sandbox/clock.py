"""One clock for the whole sandbox, which tests can set and advance.

The sandbox's own systems read it directly. The function processes see the same time because
libfaketime is preloaded into them and reads the offset from ``offset_file``; production code simply
asks the operating system what time it is.
"""

from __future__ import annotations

import os
import threading
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path


class Clock:
    """Real time plus an offset. Time always runs; only the offset is set."""

    def __init__(self, offset_file: Path | None = None) -> None:
        self._offset = 0.0
        self._file = offset_file
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
        if self._file is None:
            return
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{self._offset:+.6f}\n")
        os.replace(fresh, self._file)
