"""Ids that may be shown outside: time-ordered and random (ULID, 26 characters), never counters."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from datetime import datetime

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32


class _Numbers:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def next(self) -> int:
        millisecond = time.time_ns() // 1_000_000
        with self._lock:
            if millisecond == self._last >> 80:
                self._last += 1 + int.from_bytes(os.urandom(5), "big")
            else:
                self._last = millisecond << 80 | int.from_bytes(os.urandom(10), "big")
            return self._last


_numbers = _Numbers()


def new_id() -> str:
    """A fresh ULID: 48 bits of milliseconds, 80 random bits. Fits every outside number's alphabet.

    Of two that one process makes in the same millisecond the later is the greater (by 40 random bits), so that rows
    written together keep their order.
    """
    number = _numbers.next()
    return "".join([_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5)])


def first_of(moment: datetime) -> str:
    """The lowest id that can be made at a moment: rows by age, by their primary key."""
    number = int(moment.timestamp() * 1000) << 80
    return "".join([_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5)])


def derived(secret: bytes) -> str:
    """An id that always comes out of the same secret bytes, and from which they can't be told."""
    number = int.from_bytes(hashlib.sha256(b"id:" + secret).digest()[:16], "big")
    return "".join([_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5)])


def bounded(key: str, limit: int) -> str:
    """A composed key as its column takes it: ASCII, at most ``limit``; a longer one keeps its beginning and a hash."""
    plain = key if key.isascii() else key.encode("ascii", "backslashreplace").decode()
    if len(plain) <= limit:
        return plain
    digest = hashlib.sha256(plain.encode()).hexdigest()[:32]
    return f"{plain[:limit - len(digest) - 1]}~{digest}"
