"""The cloud API, called with the real SDKs."""

from __future__ import annotations

import json
import sys
from collections import deque
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask
from tencentcloud.common.credential import Credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.scf.v20180416 import models as scf_models
from tencentcloud.scf.v20180416.scf_client import ScfClient
from tencentcloud.ssm.v20190923 import models as ssm_models
from tencentcloud.ssm.v20190923.ssm_client import SsmClient

from sandbox.clock import Clock
from sandbox.cloud_api import CloudApi
from sandbox.cloud_api.tc3 import signature
from sandbox.faults import Fault, Faults
from sandbox.scf import Scf
from sandbox.system import World

MANIFEST = """
inputs:
  functions:
    echo: {src: echo, retryNum: 0}
    page: {src: echo, type: web}
"""
ECHO = """
def main_handler(event, context):
    if event.get("raise"):
        raise ValueError("on purpose")
    return {"event": event, "id": context["request_id"]}
"""
KEYS = {"secret_id": "AKIDdesk", "secret_key": "key", "token": "token"}


class Cloud:
    """The API with an SCF behind it."""

    def __init__(self, folder: Path) -> None:
        (folder / "echo").mkdir()
        (folder / "echo" / "index.py").write_text(ECHO)
        (folder / "serverless.yml").write_text(MANIFEST)
        self.clock = Clock()
        self.world = World(self.clock, Faults(), deque(maxlen=100))
        self.scf = Scf(self.world, manifest=folder / "serverless.yml", project=folder, layer_paths={},
                       python=[sys.executable, "-S"], state=folder / "state", values={},
                       credentials=KEYS)
        self.api = CloudApi(self.world, scf=self.scf, secrets={"hospital/key": "s3cret"}, credentials=KEYS)
        self.address = self.api.serve()

    def call(self, client: Any, request: Any, action: str, keys: dict[str, str], **fields: Any) -> Any:
        profile = ClientProfile(httpProfile=HttpProfile(protocol="http", endpoint=self.address[7:]))
        credential = Credential(keys["secret_id"], keys["secret_key"], keys["token"])
        request._deserialize(fields)
        return getattr(client(credential, "ap-guangzhou", profile), action)(request)

    def invoke(self, **fields: Any) -> Any:
        return self.call(ScfClient, scf_models.InvokeRequest(), "Invoke", KEYS, **fields).Result

    def secret(self, keys: dict[str, str] = KEYS, **fields: Any) -> Any:
        return self.call(SsmClient, ssm_models.GetSecretValueRequest(), "GetSecretValue", keys, **fields)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    cloud = Cloud(tmp_path_factory.mktemp("cloud"))
    yield cloud
    cloud.scf.stop()


def refused(call: Any, *arguments: Any, **fields: Any) -> str:
    with pytest.raises(TencentCloudSDKException) as error:
        call(*arguments, **fields)
    return str(error.value.code)


def test_sync_invoke_returns_what_the_handler_returned(cloud: Cloud) -> None:
    result = cloud.invoke(FunctionName="echo", ClientContext='{"a": "中文"}')
    assert json.loads(result.RetMsg) == {"event": {"a": "中文"}, "id": result.FunctionRequestId}
    assert result.InvokeResult == 0 and result.ErrMsg == ""
    assert cloud.world.journal[-1]["operation"] == "invoke" and cloud.world.journal[-1]["function"] == "echo"


def test_sync_invoke_of_failing_code_is_a_result_that_says_so(cloud: Cloud) -> None:
    result = cloud.invoke(FunctionName="echo", InvocationType="RequestResponse", ClientContext='{"raise": 1}')
    assert result.InvokeResult == -1 and json.loads(result.RetMsg)["statusCode"] == 430
    assert "on purpose" in json.loads(result.RetMsg)["stackTrace"]


def test_async_invoke_is_accepted_at_once_and_runs(cloud: Cloud) -> None:
    before = cloud.scf.pools()["echo"].invocations
    assert cloud.invoke(FunctionName="echo", InvocationType="Event", ClientContext="{}").FunctionRequestId
    assert cloud.scf.settle(10) and cloud.scf.pools()["echo"].invocations == before + 1


@pytest.mark.parametrize(("fields", "code"), [
    ({"FunctionName": "nobody"}, "ResourceNotFound.Function"),
    ({"FunctionName": "page"}, "UnsupportedOperation"),
    ({"FunctionName": "echo", "InvocationType": "Later"}, "InvalidParameterValue.InvokeType"),
    ({"FunctionName": "echo", "ClientContext": "{"}, "InvalidParameterValue.ClientContext"),
    ({"FunctionName": "echo", "Namespace": "other"}, "ResourceNotFound.Namespace"),
    ({"FunctionName": "echo", "InvocationType": "Event", "ClientContext": json.dumps("x" * 131072)},
     "InvalidParameter.Payload"),
    ({}, "MissingParameter"),
])
def test_invoke_is_refused_with_the_clouds_codes(cloud: Cloud, fields: dict[str, str], code: str) -> None:
    assert refused(cloud.invoke, **fields) == code


def test_secrets_are_read_by_name_and_version(cloud: Cloud) -> None:
    answer = cloud.secret(SecretName="hospital/key", VersionId="SSM_Current")
    assert (answer.SecretString, answer.SecretName, answer.VersionId) == ("s3cret", "hospital/key", "v1")
    control = Flask("control")
    control.register_blueprint(cloud.api.control, url_prefix="/cloud")
    assert control.test_client().put("/cloud/secrets/hospital/key", json={"value": 1}).status_code == 400
    assert control.test_client().put("/cloud/secrets/hospital/key", json={"value": "new"}).get_json() == {
        "name": "hospital/key", "version": "v2"}
    assert cloud.secret(SecretName="hospital/key").SecretString == "new"
    assert cloud.secret(SecretName="hospital/key", VersionId="v1").SecretString == "s3cret"
    assert refused(cloud.secret, SecretName="hospital/key", VersionId="v9") == "ResourceNotFound"
    assert refused(cloud.secret, SecretName="none") == "ResourceNotFound.SecretNotExist"


@pytest.mark.parametrize(("wrong", "code"), [
    ({"secret_key": "wrong"}, "AuthFailure.SignatureFailure"),
    ({"secret_id": "AKIDother"}, "AuthFailure.SecretIdNotFound"),
    ({"token": "old"}, "AuthFailure.TokenFailure"),
])
def test_wrong_credentials_are_refused(cloud: Cloud, wrong: dict[str, str], code: str) -> None:
    assert refused(cloud.secret, {**KEYS, **wrong}, SecretName="hospital/key") == code


def signed(cloud: Cloud, *, service: str = "ssm", action: str = "GetSecretValue",
           version: str = "2019-09-23", body: bytes = b'{"SecretName":"hospital/key"}', age: float = 0,
           sent: bytes | None = None) -> str:
    moment = cloud.clock.now() - timedelta(seconds=age)
    date, stamp = moment.strftime("%Y-%m-%d"), str(int(moment.timestamp()))
    headers = {"Content-Type": "application/json", "Host": cloud.address[7:], "X-TC-Action": action,
               "X-TC-Version": version, "X-TC-Timestamp": stamp, "X-TC-Token": KEYS["token"]}
    names = ["content-type", "host"]
    mark = signature({name.lower(): value for name, value in headers.items()}, body, signed=names,
                     timestamp=stamp, date=date, service=service, secret_key=KEYS["secret_key"])
    scope = f"{KEYS['secret_id']}/{date}/{service}/tc3_request"
    headers["Authorization"] = (f"TC3-HMAC-SHA256 Credential={scope}, "
                                f"SignedHeaders=content-type;host, Signature={mark}")
    answer = requests.post(cloud.address, data=body if sent is None else sent, headers=headers, timeout=10)
    assert answer.status_code == 200
    return str(answer.json()["Response"].get("Error", {}).get("Code", "ok"))


def test_every_part_of_the_signature_counts(cloud: Cloud) -> None:
    assert signed(cloud) == "ok"
    assert signed(cloud, age=290) == signed(cloud, age=-290) == "ok"
    assert signed(cloud, age=310) == signed(cloud, age=-310) == "AuthFailure.SignatureExpire"
    assert signed(cloud, sent=b'{"SecretName":"other"}') == "AuthFailure.SignatureFailure"
    assert signed(cloud, service="scf") == "InvalidAction"
    assert signed(cloud, action="DeleteSecret") == "InvalidAction"
    assert signed(cloud, version="2020-01-01") == "NoSuchVersion"
    assert signed(cloud, body=b"[]") == signed(cloud, body=b"{") == "InvalidParameter"
    assert requests.post(cloud.address, json={}, timeout=10).json()["Response"]["Error"]["Code"] == \
        "AuthFailure.InvalidAuthorization"


def test_faults_come_in_the_clouds_form(cloud: Cloud) -> None:
    limit = {"code": "RequestLimitExceeded"}
    cloud.world.faults.add(Fault("cloud", "get_secret_value", "refuse", params=limit))
    assert refused(cloud.secret, SecretName="hospital/key") == "RequestLimitExceeded"
    cloud.world.faults.add(Fault("cloud", "get_*", "error"))
    assert refused(cloud.secret, SecretName="hospital/key") == "InternalError"
    cloud.world.faults.add(Fault("cloud", "get_*", "error", params={"status": 502}))
    assert refused(cloud.secret, SecretName="hospital/key") == "ServerNetworkError"
    cloud.world.faults.add(Fault("cloud", "invoke", "cut_after"))
    before = cloud.scf.pools()["echo"].invocations
    assert refused(cloud.invoke, FunctionName="echo") == "ClientNetworkError"
    assert cloud.scf.pools()["echo"].invocations == before + 1
