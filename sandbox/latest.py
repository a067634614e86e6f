"""Lists of the control interface that only grow: what came since, or what is somebody's."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import TypeVar

from flask import request

T = TypeVar("T")


def latest(rows: Iterable[T], *names: str) -> list[T]:
    """The rows of such a list, without the first ``?skip=n`` of them: a caller remembers how long it was.

    ``names``: attributes by which a caller may choose, as in ``?patient_code=…``.
    """
    wanted = {name: request.args[name] for name in names if name in request.args}
    return [row for row in islice(rows, request.args.get("skip", 0, int), None)
            if all(getattr(row, name) == value for name, value in wanted.items())]
