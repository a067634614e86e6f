"""What a request has done outside its transaction, and is not to do again when the database has it run once more."""

from __future__ import annotations

from contextvars import ContextVar

_done: ContextVar[set[tuple[object, ...]] | None] = ContextVar("done_once", default=None)


def begin() -> None:
    """A request begins; whoever runs it again does not say so again."""
    _done.set(set())


def is_done(*what: object) -> bool:
    """Whether this request has done it."""
    return what in (_done.get() or ())


def done(*what: object) -> None:
    """This request has done it."""
    known = _done.get()
    if known is not None:
        known.add(what)
