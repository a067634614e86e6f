"""Personal data at rest: SM4-GCM columns, and keyed hashes to look them up by.

A stored value is version byte ‖ nonce (12) ‖ ciphertext ‖ tag (16). The associated data names the
column and the row, so a value moved to another row does not open. Source: GB/T 32907 (SM4),
GB/T 32905 (SM3).
"""

from __future__ import annotations

import os
import unicodedata
from functools import lru_cache
from typing import Any

from hospital.runtime.cloud import secret
from hospital.runtime.config import config

_VERSION = b"\x01"
_NONCE = 12
_TAG = 16


class Unreadable(Exception):
    """A stored value does not open: altered, moved, or written under another key."""


@lru_cache(maxsize=1)
def _data_key() -> bytes:
    key = bytes.fromhex(secret(config().data_key_secret))
    if len(key) != 16:
        raise ValueError("the data key must be 16 bytes, written as 32 hex digits")
    return key


@lru_cache(maxsize=1)
def _lookup_key() -> bytes:
    key = bytes.fromhex(secret(config().lookup_key_secret))
    if len(key) != 32:
        raise ValueError("the look-up key must be 32 bytes, written as 64 hex digits")
    return key


def ready() -> None:
    """Fetch both keys, so that no transaction waits for it. Raises Unavailable."""
    _data_key()
    _lookup_key()


def _sm4(nonce: bytes, tag: bytes | None = None) -> Any:
    from cryptography.hazmat.primitives.ciphers import Cipher, modes
    from cryptography.hazmat.primitives.ciphers.algorithms import SM4

    return Cipher(SM4(_data_key()), modes.GCM(nonce, tag))


def seal(text: str, place: str) -> bytes:
    """Encrypt. ``place`` is ``table.column:row id``."""
    nonce = os.urandom(_NONCE)
    encryptor = _sm4(nonce).encryptor()
    encryptor.authenticate_additional_data(place.encode())
    body = encryptor.update(text.encode()) + encryptor.finalize()
    return bytes(_VERSION + nonce + body + encryptor.tag)


def unseal(stored: bytes, place: str) -> str:
    """Decrypt what :func:`seal` made for the same place. Raises Unreadable."""
    from cryptography.exceptions import InvalidTag

    if stored[:1] != _VERSION or len(stored) < 1 + _NONCE + _TAG:
        raise Unreadable(place)
    nonce, body, tag = stored[1:1 + _NONCE], stored[1 + _NONCE:-_TAG], stored[-_TAG:]
    decryptor = _sm4(nonce, tag).decryptor()
    decryptor.authenticate_additional_data(place.encode())
    try:
        return bytes(decryptor.update(body) + decryptor.finalize()).decode()
    except InvalidTag:
        raise Unreadable(place) from None


def lookup(kind: str, text: str) -> bytes:
    """A keyed hash (HMAC-SM3, 32 bytes) for equality search; equal only for equal kind and text."""
    from cryptography.hazmat.primitives.hashes import SM3
    from cryptography.hazmat.primitives.hmac import HMAC

    mac = HMAC(_lookup_key(), SM3())
    mac.update(f"{kind}:{unicodedata.normalize('NFKC', text)}".encode())
    return mac.finalize()
