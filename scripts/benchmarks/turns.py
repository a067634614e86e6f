"""Contenders in turns, round by round: what a slow moment of the machine costs, it costs all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from scripts.benchmarks import clients, machine, servers
from scripts.benchmarks.booking import Contender
from scripts.benchmarks.town import Place

ROUNDS, SECONDS, WARM_UP = 5, 1.5, 0.7


def take(place: Place, contenders: Sequence[Contender], jobs: Sequence[bytes], *, processes: int, threads: int,
         reset: Callable[[], None]) -> None:
    """Let each do the same jobs, ROUNDS times, ``reset`` before each; what they gave stands in them.

    Raises RuntimeError when a job was answered otherwise than expected.
    """
    seconds, warm_up = place.effort.of(SECONDS, 0.1), place.effort.of(WARM_UP, 0.1)
    for number in range(place.effort.of(ROUNDS, 1) + 1):
        for one in contenders:
            assert one.group is not None
            reset()
            before, database = machine.cpu_ms(one.group), machine.cpu_ms(place.database_pid)
            done = clients.drive(one.client, jobs, seconds if number else warm_up, processes=processes,
                                 threads=threads)
            if set(done.outcomes) != {"ok"}:
                raise RuntimeError(f"{one.name}: {list(done.outcomes)[:2]}")
            if number:  # the first warms up
                one.rounds.append(done)
                one.cpu.append((machine.cpu_ms(one.group) - before) / done.done)
                one.database_cpu.append((machine.cpu_ms(place.database_pid) - database) / done.done)


def bare(place: Place, name: str, what: str, **values: str) -> AbstractContextManager[servers.Server]:
    """A WSGI callable of the benchmarks (``module.name``) on the functions' server."""
    module, _, app = what.partition(".")
    folder = place.folder / name
    return servers.serving(f"from scripts.benchmarks.{module} import {app} as app\n", folder,
                           servers.environment(folder, servers.ROOT, servers.PACKAGES, **values))


def function(place: Place, name: str, *, folder: str = "", index: str = "", **values: str
             ) -> AbstractContextManager[servers.Server]:
    """A function of the project with some of its variables changed; ``index`` to change what stands in the file."""
    at = place.folder / (folder or f"own-{name}")
    env = {**place.environment(name), **servers.environment(at, servers.ROOT / "layers" / "common", servers.PACKAGES),
           **values}
    return servers.serving(index or (servers.ROOT / "functions" / name / "index.py").read_text(), at, env)
