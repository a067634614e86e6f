"""Starting processes that end with the sandbox, even when it is killed: see ``keeper.py``."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from pathlib import Path

_SCRIPT = Path(__file__).with_name("keeper.py")
_END_SECONDS = 5.0
# The process tells its own number before it becomes what was asked for: there is no moment at which it runs and
# nobody would end it. (The kernel's own way, PR_SET_PDEATHSIG, goes by the thread that started it.)
_BEGIN = 'echo $$ >&0 && exec "$@" </dev/null'


class Keeper:
    """The process that outlives the sandbox by a moment. ``record`` lists what it watches. Started at first use."""

    def __init__(self, record: Path) -> None:
        self._record = record
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def begin(self, command: list[str]) -> tuple[list[str], int]:
        """How to start ``command`` in a session of its own: what to run, and the descriptor of its input."""
        with self._lock:
            if self._process is None:
                # A session of its own: Ctrl-C at the terminal is not for it.
                self._process = subprocess.Popen(
                    [sys.executable, "-SE", str(_SCRIPT), str(self._record)], stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL, cwd="/", start_new_session=True)
            assert self._process.stdin is not None
            return ["/bin/sh", "-c", _BEGIN, "sh", *command], self._process.stdin.fileno()

    def forget(self, pid: int) -> None:
        """This group has been ended; to be said before its number is given back."""
        with self._lock:
            if self._process is not None and self._process.stdin is not None and not self._process.stdin.closed:
                with contextlib.suppress(BrokenPipeError):
                    self._process.stdin.write(f"-{pid}\n".encode())
                    self._process.stdin.flush()

    def close(self) -> None:
        """Nothing is started any more; what is left ends."""
        with self._lock:
            if self._process is None or self._process.stdin is None:
                return
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_END_SECONDS)
