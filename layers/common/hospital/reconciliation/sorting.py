"""Sorting more lines than memory should hold: sorted runs in temporary files, merged while they are read."""

from __future__ import annotations

import heapq
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice

RUN = 50_000  # lines


@contextmanager
def in_order(lines: Iterable[str], run: int = RUN) -> Iterator[Iterator[str]]:
    """The lines by code point; each must end with its only newline. All are read before the first comes out.

    What fits into one run of ``run`` lines stays in memory; of more only the last does, the others are files
    without a name that are gone at the end of the ``with``.
    """
    source = iter(lines)
    with ExitStack() as files:
        runs: list[Iterable[str]] = []
        held: list[str] = []
        while some := sorted(islice(source, run)):
            if held:
                runs.append(_written(held, files))
            held = some
        yield heapq.merge(*runs, held)


def _written(lines: list[str], files: ExitStack) -> Iterable[str]:
    file = files.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8", newline="\n"))  # noqa: SIM115 - the stack closes it
    file.writelines(lines)
    file.seek(0)
    return file
