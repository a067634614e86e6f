"""What every benchmark measures with: processor time of processes, percentiles, one report form."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

_TICK = 1000.0 / os.sysconf("SC_CLK_TCK")  # ms

Report = dict[str, Any]
Amount = TypeVar("Amount", int, float)


@dataclass(frozen=True)
class Effort:
    """How much is done: all that a figure needs, or just enough to see that the benchmark works."""

    whole: bool = True

    def of(self, many: Amount, few: Amount) -> Amount:
        """``many`` for a figure, else ``few``: rounds, seconds, rows."""
        return many if self.whole else few


WHOLE = Effort()


def cpu_ms(group: int) -> float:
    """Processor time (ms, user and system) of a process group: a server with its workers."""
    total = 0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # ended since
            continue
        if int(fields[2]) == group:
            total += sum(int(one) for one in fields[11:15])  # its own, and that of children it has waited for
    return total * _TICK


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which ``share`` (0 to 1) of all lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def median(values: Sequence[float], digits: int = 2) -> float:
    """The middle one, rounded."""
    return round(statistics.median(values), digits)


def report(value: float, floor: float, unit: str, *, aim: str, met: bool, **more: Any) -> Report:
    """One entry of ``build/bench.json``; ``ratio`` is value to floor."""
    return {"value": value, "floor": floor, "ratio": round(value / floor, 3) if floor else None, "unit": unit,
            "aim": aim, "met": met, **more}


def speed_ms() -> float:
    """How long this machine takes now (CPU ms, the best of three) for a fixed piece of Python."""
    def work() -> float:
        began = time.process_time()
        total = 0
        for number in range(1_500_000):
            total += number
        return (time.process_time() - began) * 1000

    return round(min(work() for _ in range(3)), 1)
