"""One endpoint for all of the cloud's services, as the SDK calls it."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from flask import Response, g, jsonify, request

from sandbox.cloud_api.tc3 import AuthFailure, verify
from sandbox.scf import Scf
from sandbox.scf.errors import InvokeError
from sandbox.scf.instances import NAMESPACE
from sandbox.system import System, World

CURRENT_VERSION = "SSM_Current"  # stands for whichever version of a secret is in use
# SCF's status codes that are refusals of the call itself; all others are results that say "failed"
_REFUSALS = {400: "UnsupportedOperation", 404: "ResourceNotFound.Function", 406: "InvalidParameter.Payload",
             432: "RequestLimitExceeded"}


class Refused(Exception):
    """The call can't be served; ``code`` is the cloud's error code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class CloudApi(System):
    """SCF ``Invoke`` and SSM ``GetSecretValue``. Errors come as HTTP 200 with ``Error`` inside.

    Operation names for faults and the journal are the actions in snake case: ``invoke``,
    ``get_secret_value``.
    """

    name = "cloud"
    max_body_bytes = 16 * 1024 * 1024  # Invoke checks its event by itself

    def __init__(self, world: World, *, scf: Scf, secrets: Mapping[str, str],
                 credentials: Mapping[str, str]) -> None:
        """``secrets`` are SSM's entries by name; ``credentials`` has secret_id, secret_key and token."""
        super().__init__(world)
        self.scf = scf
        self.credentials = dict(credentials)
        self.secrets: dict[str, list[str]] = {name: [value] for name, value in secrets.items()}
        self._actions: dict[tuple[str, str, str], Callable[[dict[str, Any]], dict[str, Any]]] = {
            ("scf", "2018-04-16", "Invoke"): self._invoke,
            ("ssm", "2019-09-23", "GetSecretValue"): self._get_secret_value,
        }
        self.app.add_url_rule("/", endpoint="call", view_func=self._call, methods=["POST"])
        self.control.add_url_rule("/secrets/<path:secret>", endpoint="put_secret", view_func=self._put_secret,
                                  methods=["PUT"])
        self.control.add_url_rule("/secrets/<path:secret>", endpoint="show_secret", view_func=self._show_secret,
                                  methods=["GET"])

    # -- what System asks -----------------------------------------------------------------------
    def operation(self) -> str:
        """The action in snake case, whether it exists or not."""
        action = request.headers.get("X-TC-Action", "")
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9]{0,63}", action):
            return "unknown"
        return re.sub(r"(?<!^)(?=[A-Z])", "_", action).lower()

    def refusal(self, code: str, message: str, status: int = 200) -> Response:
        """An error in the cloud's form. The cloud answers HTTP 200 to everything it understood."""
        return self._response({"Error": {"Code": code, "Message": message}})

    def _before(self) -> Response | None:
        response = super()._before()
        if response is not None and g.fault is not None and g.fault.kind == "error" and not g.fault.params:
            return self.refusal("InternalError", "an internal error has occurred")
        return response

    # -- the endpoint ---------------------------------------------------------------------------
    def _call(self) -> Response:
        try:
            service = verify(request.headers, request.get_data(), secret_id=self.credentials["secret_id"],
                             secret_key=self.credentials["secret_key"], token=self.credentials["token"],
                             now=self.clock.timestamp())
            act = self._action(service)
            parameters = json.loads(request.get_data() or b"{}")
            if not isinstance(parameters, dict):
                raise Refused("InvalidParameter", "the body must be a JSON object")
            return self._response(act(parameters))
        except (AuthFailure, Refused) as error:
            return self.refusal(error.code, error.message)
        except ValueError:
            return self.refusal("InvalidParameter", "the body is not JSON")

    def _action(self, service: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
        action, version = request.headers.get("X-TC-Action", ""), request.headers.get("X-TC-Version", "")
        if (service, version, action) in self._actions:
            return self._actions[service, version, action]
        if any(known[0] == service and known[2] == action for known in self._actions):
            raise Refused("NoSuchVersion", f"version {version} of {service} does not exist")
        raise Refused("InvalidAction", f"the action {action} of {service} does not exist")

    def _response(self, content: dict[str, Any]) -> Response:
        answer: Response = jsonify(Response={**content, "RequestId": str(uuid.uuid4())})
        return answer

    # -- SCF ------------------------------------------------------------------------------------
    def _invoke(self, parameters: dict[str, Any]) -> dict[str, Any]:
        name = _text(parameters, "FunctionName")
        how = _text(parameters, "InvocationType", "RequestResponse")
        if how not in ("RequestResponse", "Event"):
            raise Refused("InvalidParameterValue.InvokeType", "InvocationType is RequestResponse or Event")
        if _text(parameters, "Namespace", NAMESPACE) != NAMESPACE:
            raise Refused("ResourceNotFound.Namespace", "the namespace does not exist")
        if _text(parameters, "Qualifier", "$LATEST") not in ("$LATEST", "$DEFAULT"):
            raise Refused("ResourceNotFound.FunctionVersion", "the version or alias does not exist")
        context = _text(parameters, "ClientContext", "{}")
        try:
            event = json.loads(context)
        except ValueError:
            raise Refused("InvalidParameterValue.ClientContext", "ClientContext is not JSON") from None
        self.note(function=name, invocation=how)
        try:
            if how == "Event":
                return {"Result": _result(self.scf.accept(name, event))}
            done = self.scf.run(name, event)
            return {"Result": _result(done.request_id, json.dumps(done.result), done.duration_ms)}
        except InvokeError as error:
            if error.status in _REFUSALS:
                raise Refused(_REFUSALS[error.status], error.message) from error
            message = json.dumps(error.body(stack=True))
            return {"Result": _result(error.request_id, message, error.duration_ms, error.message)}

    # -- SSM ------------------------------------------------------------------------------------
    def _get_secret_value(self, parameters: dict[str, Any]) -> dict[str, Any]:
        name = _text(parameters, "SecretName")
        version = _text(parameters, "VersionId", CURRENT_VERSION)
        self.note(secret=name)
        with self.lock:
            versions = self.secrets.get(name)
            if versions is None:
                raise Refused("ResourceNotFound.SecretNotExist", f"the secret {name} does not exist")
            names = [f"v{number}" for number in range(1, len(versions) + 1)]
            chosen = names[-1] if version == CURRENT_VERSION else version
            if chosen not in names:
                raise Refused("ResourceNotFound", f"the secret {name} has no version {version}")
            return {"SecretName": name, "VersionId": chosen, "SecretString": versions[names.index(chosen)]}

    def _show_secret(self, secret: str) -> tuple[Response, int]:
        with self.lock:
            versions = self.secrets.get(secret)
        return (jsonify(value=versions[-1]), 200) if versions else (jsonify(error="no such secret"), 404)

    def _put_secret(self, secret: str) -> tuple[Response, int]:
        given = request.get_json(silent=True)
        value = given.get("value") if isinstance(given, dict) else None
        if not isinstance(value, str):
            return jsonify(error="the body must be {\"value\": \"…\"}"), 400
        with self.lock:
            versions = self.secrets.setdefault(secret, [])
            versions.append(value)
            return jsonify(name=secret, version=f"v{len(versions)}"), 200


def _text(parameters: dict[str, Any], key: str, default: str | None = None) -> str:
    value = parameters.get(key)
    if value is None:
        if default is None:
            raise Refused("MissingParameter", f"{key} is missing")
        return default
    if not isinstance(value, str):
        raise Refused("InvalidParameter", f"{key} must be a string")
    return value


def _result(request_id: str, message: str = "", duration_ms: int = 0, error: str = "") -> dict[str, Any]:
    return {
        "FunctionRequestId": request_id, "RetMsg": message, "ErrMsg": error, "Log": "", "MemUsage": 0,
        "Duration": duration_ms, "BillDuration": duration_ms, "InvokeResult": -1 if error else 0,
    }
