"""The platform's own API: secrets from SSM, and waking another function.

Uses the SDK's generic client: it needs only ``tencentcloud-sdk-python-common``, where a service's own
package would add 150 ms of imports to a cold start. Source: SCF 2018-04-16 Invoke, SSM 2019-09-23
GetSecretValue.
"""

from __future__ import annotations

import json
import os
import threading
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from hospital.runtime import log
from hospital.runtime.config import config

if TYPE_CHECKING:
    from tencentcloud.common.common_client import CommonClient

_secrets: dict[str, str] = {}
_lock = threading.Lock()


@lru_cache(maxsize=4)
def _client(service: str, version: str, secret_id: str, key: str, token: str) -> CommonClient:
    from tencentcloud.common.common_client import CommonClient
    from tencentcloud.common.credential import Credential
    from tencentcloud.common.profile.client_profile import ClientProfile
    from tencentcloud.common.profile.http_profile import HttpProfile

    address = urlsplit(config().cloud_api_base)
    http = HttpProfile(protocol=address.scheme or None, endpoint=address.netloc or None, reqTimeout=5,
                       keepAlive=True)
    return CommonClient(service, version, Credential(secret_id, key, token), config().region,
                        profile=ClientProfile(httpProfile=http))


def _call(service: str, version: str, action: str, params: dict[str, Any]) -> dict[str, Any]:
    # The role's temporary credentials; the platform renews them in the environment.
    client = _client(service, version, os.environ.get("TENCENTCLOUD_SECRETID", ""),
                     os.environ.get("TENCENTCLOUD_SECRETKEY", ""),
                     os.environ.get("TENCENTCLOUD_SESSIONTOKEN", ""))
    answer: dict[str, Any] = client.call_json(action, params)["Response"]
    return answer


def secret(name: str) -> str:
    """The value of an SSM entry, kept for the life of the process.

    Raises the SDK's TencentCloudSDKException when SSM refuses or can't be reached.
    """
    with _lock:
        if name not in _secrets:
            answer = _call("ssm", "2019-09-23", "GetSecretValue",
                           {"SecretName": name, "VersionId": "SSM_Current"})
            _secrets[name] = answer["SecretString"]
        return _secrets[name]


def wake(function: str) -> None:
    """Start a function now, without waiting for its end.

    Only saves time: whatever it would do is in the database, and its timer comes within a minute.
    That is why a failure is logged and not raised.
    """
    from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException

    try:
        _call("scf", "2018-04-16", "Invoke", {
            "FunctionName": function, "InvocationType": "Event",
            "ClientContext": json.dumps({"Type": "Wake"}),
        })
    except TencentCloudSDKException as error:
        log.event("wake.failed", target=function, code=error.get_code())
