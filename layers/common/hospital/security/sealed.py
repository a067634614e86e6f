"""Personal values that stood in plain columns and are sealed now: ``name`` beside ``name_enc``, ``name_hash``.

Where code from before still runs beside, new code goes on writing the plain columns (``keeps_plain``); a filled plain
column counts, so a row is read the same before and after it is sealed. See ``docs/decisions/0014-what-is-sealed.md``.
"""

from __future__ import annotations

import base64
from typing import Any

from hospital.database.connection import Database, Row, Transaction
from hospital.security import cipher

Source = Database | Transaction
SETTING = "plain_columns"
_KEY = "~"  # begins what stands for a value in a plain column of old width
_sealed_for_good = False  # once told so, a process does not ask again


def keeps_plain(source: Source) -> bool:
    """Whether the plain columns must still be written, since code that reads them may run."""
    global _sealed_for_good  # noqa: PLW0603 - the setting goes one way only
    if not _sealed_for_good:
        _sealed_for_good = source.one("SELECT 1 AS kept FROM settings WHERE name = %s AND value = 'true'",
                                      (SETTING,)) is None
    return not _sealed_for_good


def columns(source: Source, name: str, text: str, place: str, *, empty: str | None = None) -> dict[str, Any]:
    """A value's columns as they are to be written. ``empty`` is what the plain column holds when it is sealed."""
    if keeps_plain(source):
        return {name: text, f"{name}_enc": None}
    return {name: empty, f"{name}_enc": cipher.seal(text, place)}


def value(row: Row, name: str, place: str) -> str:
    """The value of a row, from the column that has it; empty when none has."""
    if row[name]:
        return str(row[name])
    return cipher.unseal(row[f"{name}_enc"], place) if row[f"{name}_enc"] is not None else ""


def key(kind: str, text: str) -> str:
    """What stands for a value in a text column where it is only compared; of a key, itself."""
    if is_key(text):
        return text
    return _KEY + base64.urlsafe_b64encode(cipher.lookup(kind, text)).decode().rstrip("=")


def is_key(text: str) -> bool:
    """Whether a text is a key, and not the value."""
    return text.startswith(_KEY) and len(text) == 44


def hash_of(kind: str, text: str) -> bytes:
    """The look-up hash of a value, or of its key."""
    return base64.urlsafe_b64decode(text[1:] + "=") if is_key(text) else cipher.lookup(kind, text)


def stored(source: Source, kind: str, text: str) -> str:
    """A value as a text column keeps it where it is only compared."""
    return text if keeps_plain(source) else key(kind, text)


def forms(kind: str, text: str) -> tuple[str, str]:
    """The two ways in which such a column may have a value."""
    return text, key(kind, text)
