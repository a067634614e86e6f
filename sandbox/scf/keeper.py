"""Ends the function processes when their sandbox is gone, however it went: ``python keeper.py <record>``.

Reads lines until all who write to it have ended: the number of a process group that begins, or, after a minus, of
one that is over. A group names itself before it becomes a function, so none is missed; and at the end all that are
left are killed. ``record`` shows them meanwhile, with their start times, for ``make clean``. Standard library only.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys


def started(pid: int) -> str:
    """When a process started, in ticks since the machine did; empty when there is none (or no /proc)."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[19]
    except OSError:
        return ""


def main() -> None:
    """Keep the list, then end what is on it."""
    record, groups = sys.argv[1], {os.getpid(): started(os.getpid())}
    write(record, groups)
    for line in sys.stdin:
        number = int(line)
        if number < 0:
            groups.pop(-number, None)
        else:
            groups[number] = started(number)
        write(record, groups)
    del groups[os.getpid()]
    for pid, since in groups.items():
        if started(pid) in ("", since):  # else the number has passed to another process
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(record)


def write(record: str, groups: dict[int, str]) -> None:
    """The list as it is now, whole at any moment; its folder may be gone already."""
    with contextlib.suppress(FileNotFoundError):
        with open(f"{record}.new", "w", encoding="ascii") as file:
            file.writelines(f"{pid} {since}\n" for pid, since in groups.items())
        os.replace(f"{record}.new", record)


if __name__ == "__main__":
    main()
