"""The platform's own API: secrets from SSM, waking another function; and the way to call a service of its.

Uses the SDK's generic client: it needs only ``tencentcloud-sdk-python-common``, where a service's own
package would add 150 ms of imports to a cold start. Source: SCF 2018-04-16 Invoke, SSM 2019-09-23
GetSecretValue.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections import deque
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from msgspec import Struct, field

from hospital.runtime import log
from hospital.runtime.config import config
from hospital.runtime.errors import Unavailable

if TYPE_CHECKING:
    from tencentcloud.common.common_client import CommonClient

_secrets: dict[str, str] = {}
_lock = threading.Lock()
FREELY = 5  # calls to a function in a second that are made at once
GATHERED = 0.2  # seconds between two of more than those: whoever asks meanwhile is served by the second
_wakings: dict[str, _Waking] = {}
_lock_of_waking = threading.Lock()
_monotonic, _sleep = time.monotonic, time.sleep


@lru_cache(maxsize=4)
def _client(service: str, version: str, base: str, secret_id: str, key: str, token: str) -> CommonClient:
    from tencentcloud.common.common_client import CommonClient
    from tencentcloud.common.credential import Credential
    from tencentcloud.common.profile.client_profile import ClientProfile
    from tencentcloud.common.profile.http_profile import HttpProfile

    address = urlsplit(base)
    http = HttpProfile(protocol=address.scheme or None, endpoint=address.netloc or None, reqTimeout=3,
                       keepAlive=True)
    return CommonClient(service, version, Credential(secret_id, key, token), config().region,
                        profile=ClientProfile(httpProfile=http))


class NoCloud(Exception):
    """The platform's API refused, or gave no readable answer. ``code`` is its own, where it has one."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def call(service: str, version: str, action: str, params: dict[str, Any], *, base: str) -> dict[str, Any]:
    """One call of a service at ``base`` (empty: the SDK's own address); its ``Response``. Raises NoCloud."""
    from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException

    # The role's temporary credentials; the platform renews them in the environment.
    client = _client(service, version, base, os.environ.get("TENCENTCLOUD_SECRETID", ""),
                     os.environ.get("TENCENTCLOUD_SECRETKEY", ""),
                     os.environ.get("TENCENTCLOUD_SESSIONTOKEN", ""))
    try:
        answer: dict[str, Any] = client.call_json(action, params)["Response"]
    except TencentCloudSDKException as error:
        raise NoCloud(str(error.get_code())) from None
    except (ValueError, KeyError, TypeError) as error:
        raise NoCloud(type(error).__name__) from None
    return answer


def _call(service: str, version: str, action: str, params: dict[str, Any]) -> dict[str, Any]:
    return call(service, version, action, params, base=config().cloud_api_base)


def secret(name: str) -> str:
    """The value of an SSM entry, kept for the life of the process.

    Raises Unavailable when SSM refuses or can't be reached; the next call asks again.
    """
    with _lock:
        if name not in _secrets:
            try:
                answer = _call("ssm", "2019-09-23", "GetSecretValue",
                               {"SecretName": name, "VersionId": "SSM_Current"})
                _secrets[name] = answer["SecretString"]
            except (NoCloud, KeyError) as error:
                log.event("secret.unavailable", secret=name, code=getattr(error, "code", "no SecretString"))
                raise Unavailable from None
        return _secrets[name]


class _Waking(Struct):
    """Calls to one function: when the last ones began, and whether somebody is about to make the next."""

    begun: deque[float] = field(default_factory=lambda: deque(maxlen=FREELY))
    is_coming: bool = False


def wake(function: str) -> None:
    """Start a function now, without waiting for its end.

    Only saves time: whatever it would do is in the database, and its timer comes within a minute.
    That is why a failure is logged and not raised. A call serves all who asked before it began: while one of them is
    about to make it, the others leave it to them; and where many calls were made of late, that one waits for more.
    """
    with _lock_of_waking:
        waking = _wakings.setdefault(function, _Waking())
        if waking.is_coming:
            return
        waking.is_coming = True
        begun, now = waking.begun, _monotonic()
        is_busy = len(begun) == FREELY and now - begun[0] < 1
        pause = max(0.0, begun[-1] + GATHERED - now) if is_busy else 0.0
    try:
        if pause:
            _sleep(pause)
    finally:
        with _lock_of_waking:
            waking.is_coming = False
            waking.begun.append(_monotonic())
    try:
        _call("scf", "2018-04-16", "Invoke", {
            "FunctionName": function, "InvocationType": "Event",
            "ClientContext": json.dumps({"Type": "Wake"}),
        })
    except NoCloud as error:
        log.event("wake.failed", target=function, code=error.code)
