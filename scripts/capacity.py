"""How many connections the functions may hold to MySQL at once. ``make capacity``, or ``make capacity INSTANCES=n``.

A thread that has asked the database once keeps its connection for as long as its instance lives. So a Web function's
instance may hold one for each thread of its server, one that works off the outbox one for each of its threads, and
any other a single one. INSTANCES is how many a function without ``reservedConcurrency`` may have (4; in the cloud: the
quota that the account leaves it). ``max_connections`` must be this and some for people.
"""

from __future__ import annotations

import sys
from pathlib import Path

from hospital.database.outbox import THREADS
from hospital.runtime import serve

from sandbox.scf import manifest

ROOT = Path(__file__).resolve().parent.parent
INSTANCES = 4
FOR_PEOPLE = 20  # operators, migrations, back-ups


def connections(functions: dict[str, manifest.Function], instances: int = INSTANCES) -> dict[str, tuple[int, int]]:
    """By function: how many instances it may have, and how many connections each of them may hold."""
    held = {}
    for name, one in functions.items():
        if one.type == "web":
            each = min(serve.THREADS, one.max_concurrency)
        else:
            each = THREADS if "work_off" in (ROOT / one.src / "index.py").read_text() else 1
        held[name] = one.reserved_concurrency or instances, each
    return held


def needed(instances: int = INSTANCES) -> int:
    """What ``max_connections`` must be for the functions of serverless.yml."""
    held = connections(manifest.load(ROOT / "serverless.yml").functions, instances)
    return sum(some * each for some, each in held.values()) + FOR_PEOPLE


def main() -> None:
    """A line a function, and the sum."""
    instances = int(sys.argv[1]) if len(sys.argv) > 1 else INSTANCES
    print(f"{'function':<16}{'instances':>10}{'each':>6}{'connections':>13}")
    for name, (some, each) in connections(manifest.load(ROOT / "serverless.yml").functions, instances).items():
        print(f"{name:<16}{some:>10}{each:>6}{some * each:>13}")
    print(f"max_connections >= {needed(instances)}, {FOR_PEOPLE} of them for people")


if __name__ == "__main__":
    main()
