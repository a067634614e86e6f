"""Ending at once and in order when told to: SIGTERM and SIGINT raise SystemExit in the main thread."""

from __future__ import annotations

import os
import signal
from typing import NoReturn

SIGNALS = (signal.SIGTERM, signal.SIGINT)


def end_on_signals() -> int:
    """From now on a signal ends the program, once; the descriptor for ``wait``. For the main thread.

    The kernel gives a signal to any thread, and only the main one runs its handler: where that waits for a lock
    without time-out, it would not learn.
    """
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    for number in SIGNALS:
        signal.signal(number, _end)
    return woken


def wait(woken: int) -> NoReturn:
    """Wait for the signal."""
    while True:
        os.read(woken, 1)


def _end(*_: object) -> None:
    for number in SIGNALS:  # once is enough: a second signal must not cut the tidying up short
        signal.signal(number, signal.SIG_IGN)
    raise SystemExit(0)
