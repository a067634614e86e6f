"""Lists of the control interface that only grow: a caller who remembers how long one was asks for what came since."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import TypeVar

from flask import request

T = TypeVar("T")


def latest(rows: Iterable[T]) -> list[T]:
    """The rows of such a list, without the first ``?skip=n`` of them."""
    return list(islice(rows, request.args.get("skip", 0, int), None))
