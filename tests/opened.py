"""What the functions have sealed and hashed, opened with their own keys: independent of the code that sealed it."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.hashes import SM3
from cryptography.hazmat.primitives.hmac import HMAC

from sandbox.phone import Control

Ask = Callable[..., list[tuple[Any, ...]]]
_keys: dict[tuple[str, str], bytes] = {}  # by the world they are of


def key(control: Control, name: str) -> bytes:
    """The functions' ``data`` or ``lookup`` key, from SSM."""
    known = _keys.get((control.addresses["scf"], name))
    if known is None:
        known = bytes.fromhex(control("GET", f"/cloud/secrets/hospital/{name}-key")["value"])
        _keys[control.addresses["scf"], name] = known
    return known


def hashed(control: Control, kind: str, text: str) -> bytes:
    """What a value is looked up by."""
    mac = HMAC(key(control, "lookup"), SM3())
    mac.update(f"{kind}:{text}".encode())
    return mac.finalize()


def opened(control: Control, stored: bytes, place: str) -> str:
    """A sealed value."""
    decryptor = Cipher(SM4(key(control, "data")), modes.GCM(stored[1:13], stored[-16:])).decryptor()
    decryptor.authenticate_additional_data(place.encode())
    return (decryptor.update(stored[13:-16]) + decryptor.finalize()).decode()


def account_of(control: Control, sql: Ask, openid: str) -> str:
    """The account of a WeChat user."""
    return str(sql("SELECT id FROM accounts WHERE openid_hash = %s", (hashed(control, "openid", openid),))[0][0])


def code_of(control: Control, sql: Ask, patient_id: str) -> str:
    """A patient's code in the HIS, as their own row has it."""
    [(plain, sealed)] = sql("SELECT his_code, his_code_enc FROM patients WHERE id = %s", (patient_id,))
    return str(plain or opened(control, sealed, f"patients.his_code:{patient_id}"))


def key_of(control: Control, code: str) -> str:
    """What stands for a patient's code where it is only compared."""
    return "~" + base64.urlsafe_b64encode(hashed(control, "patient_code", code)).decode().rstrip("=")
