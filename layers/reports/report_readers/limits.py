"""How large an honest report may be, and the one place where a compressed body is opened."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from itertools import islice

from hospital.reports.model import Note, Unreadable
from msgspec import Struct

MB = 1024 * 1024


class Limits(Struct, frozen=True):
    """More than any of these is Unreadable. Sizes are bytes."""

    message: int = 6 * MB  # what the cloud lets through in one request; of a compressed one: unpacked
    attachment: int = 4 * MB  # one file, decoded
    segments: int = 20_000  # of an HL7 message
    reports: int = 200  # in one message or bundle
    items: int = 5_000  # in one message, members counted
    notes: int = 200_000  # texts without a place, over all reports of a message
    elements: int = 150_000  # objects and lists of a JSON message
    depth: int = 40  # of JSON inside JSON, and of panels inside panels a quarter of it
    text: int = MB  # characters of one field


DEFAULT = Limits()


def unpacked(content: bytes, limits: Limits = DEFAULT) -> bytes:
    """A body, opened if it is gzip; never more of it than the limit, however much it claims to hold.

    Raises Unreadable.
    """
    if content[:2] != b"\x1f\x8b":
        plain = content
    else:
        opener = zlib.decompressobj(wbits=31)
        try:
            plain = opener.decompress(content, limits.message + 1)
        except zlib.error:
            raise Unreadable("compression", "body", "the compressed body can't be opened") from None
        if not opener.eof and len(plain) <= limits.message:
            raise Unreadable("compression", "body", "the compressed body ends too early")
    if len(plain) > limits.message:
        raise Unreadable("too-large", "body", f"the message has more than {limits.message} bytes")
    if not plain.strip():
        raise Unreadable("empty", "body", "there is no message")
    return plain


class Noting:
    """Notes of a message's reports, counted."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._count = 0

    def all(self, notes: Iterable[Note]) -> tuple[Note, ...]:
        """Those of one report. Raises Unreadable when there are more of them than of any honest message."""
        found = tuple(islice(notes, self._limits.notes - self._count + 1))
        self._count += len(found)
        at_most(self._count, self._limits.notes, "texts without a place", "message")
        return found


def at_most(number: int, most: int, what: str, where: str) -> None:
    """Raises Unreadable when there are more than ``most``."""
    if number > most:
        raise Unreadable("too-many", where, f"there are more than {most} {what}")
