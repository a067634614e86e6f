"""A caller of the platform that signs its requests and checks every answer, for tests."""

from __future__ import annotations

import base64
import json
import secrets
from typing import Any

import requests

from sandbox.ebill.envelope import SUCCESS, VERSION, packed, sign


class Forged(Exception):
    """An answer whose signature is wrong."""


class Caller:
    """The hospital's account at the platform under ``base``."""

    def __init__(self, base: str, app_id: str, key: str) -> None:
        self.base = base
        self._app_id = app_id
        self._key = key
        self._http = requests.Session()
        self._http.trust_env = False

    def __call__(self, operation: str, **data: Any) -> tuple[str, Any]:
        """Result code and message: an object when it is S0000, else the platform's sentence. Raises Forged."""
        return self.read(self.send(operation, self.envelope(data)))

    def envelope(self, data: Any) -> dict[str, Any]:
        """A signed request."""
        content, noise = packed(data), secrets.token_hex(16)
        return {"appid": self._app_id, "data": content, "noise": noise, "version": VERSION,
                "sign": sign(self._app_id, self._key, content, noise)}

    def send(self, operation: str, body: Any) -> requests.Response:
        """The raw answer to any JSON body."""
        return self._http.post(f"{self.base}/api/medical/{operation}", json=body, timeout=30)

    def read(self, response: requests.Response) -> tuple[str, Any]:
        """What an answer says. Raises Forged."""
        answer = response.json()
        if answer["sign"] != sign(self._app_id, self._key, answer["data"], answer["noise"]):
            raise Forged
        content = json.loads(base64.b64decode(answer["data"]))
        message = base64.b64decode(content["message"]).decode()
        return content["result"], json.loads(message) if content["result"] == SUCCESS else message
