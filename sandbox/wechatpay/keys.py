"""WeChat Pay's cryptography, from its side of the counter (public-key mode)."""

from __future__ import annotations

import base64
import json
import secrets
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

SCHEME = "WECHATPAY2-SHA256-RSA2048"
PROBE_MARK = "WECHATPAY/SIGNTEST/"


class Keys:
    """The merchant's public key, the platform's private key and the shared APIv3 key.

    Raises ValueError for a key of another kind or an APIv3 key that has not 32 bytes.
    """

    def __init__(self, *, merchant_public_key_pem: str, platform_private_key_pem: str, public_key_id: str,
                 api_v3_key: str) -> None:
        merchant = load_pem_public_key(merchant_public_key_pem.encode())
        platform = load_pem_private_key(platform_private_key_pem.encode(), password=None)
        if not isinstance(merchant, RSAPublicKey) or not isinstance(platform, RSAPrivateKey):
            raise ValueError("WeChat Pay's keys are RSA keys")
        if len(api_v3_key.encode()) != 32:
            raise ValueError("the APIv3 key has 32 bytes")
        self._merchant = merchant
        self._platform = platform
        self._aes = AESGCM(api_v3_key.encode())
        self.public_key_id = public_key_id

    def merchant_signed(self, message: bytes, signature: str) -> bool:
        """Whether ``signature`` (base64) is the merchant's over exactly ``message``."""
        try:
            self._merchant.verify(base64.b64decode(signature, validate=True), message, PKCS1v15(), SHA256())
        except (InvalidSignature, ValueError):  # ValueError: no base64
            return False
        return True

    def stamp(self, body: bytes, now: datetime, probe: bool = False) -> dict[str, str]:
        """The headers that sign ``body`` as WeChat Pay; a ``probe`` bears one that must not verify."""
        timestamp, nonce = str(int(now.timestamp())), secrets.token_hex(16)
        message = f"{timestamp}\n{nonce}\n".encode() + body + b"\n"
        signature = base64.b64encode(self._platform.sign(message, PKCS1v15(), SHA256())).decode()
        return {
            "Wechatpay-Timestamp": timestamp, "Wechatpay-Nonce": nonce,
            "Wechatpay-Signature": PROBE_MARK + signature if probe else signature,
            "Wechatpay-Serial": self.public_key_id, "Wechatpay-Signature-Type": SCHEME,
        }

    def seal(self, content: Any, kind: str) -> dict[str, str]:
        """A notice's ``resource``: ``content`` under the APIv3 key. ``kind``: transaction or refund."""
        return self.seal_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")), kind)

    def seal_text(self, text: str, kind: str) -> dict[str, str]:
        """As ``seal``, whatever the text is."""
        nonce = secrets.token_hex(6)
        cipher = self._aes.encrypt(nonce.encode(), text.encode(), kind.encode())
        return {"algorithm": "AEAD_AES_256_GCM", "ciphertext": base64.b64encode(cipher).decode(),
                "nonce": nonce, "associated_data": kind, "original_type": kind}

    def open_field(self, cipher: str) -> str:
        """A sensitive field that the merchant encrypted with the platform's public key.

        Raises ValueError when it was not.
        """
        padding = OAEP(mgf=MGF1(algorithm=SHA1()), algorithm=SHA1(), label=None)
        return self._platform.decrypt(base64.b64decode(cipher, validate=True), padding).decode()
