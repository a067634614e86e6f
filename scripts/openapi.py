"""The OpenAPI 3.1 document of every HTTP function, made from its routes: ``docs/openapi.json``.

``python scripts/openapi.py`` writes it, ``--check`` fails when the file is stale.
"""

from __future__ import annotations

import argparse
import importlib.util
import inspect
import json
import os
import re
import sys
from http import HTTPStatus
from pathlib import Path
from typing import Any

from hospital.runtime.config import Config
from hospital.runtime.http import Api, Route
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from sandbox.scf import manifest

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "docs" / "openapi.json"
Json = dict[str, Any]
Kind = tuple[type[BaseModel], JsonSchemaMode]

_DESCRIPTION = """\
The mini-program's API. Every path begins with /api/ and the name of the function that serves it.
Amounts are whole fen; moments are RFC 3339 with a zone; ids are opaque. Texts under `message` are Chinese
sentences for patients. A request may be repeated: what it does is done once. Over a limit: 429 with Retry-After."""

_ERROR: Json = {
    "type": "object", "required": ["error"], "additionalProperties": False,
    "description": "Every answer that is no success.",
    "properties": {"error": {
        "type": "object", "required": ["code", "message", "request_id"], "additionalProperties": False,
        "properties": {
            "code": {"type": "string", "description": "For programs."},
            "message": {"type": "string", "description": "For the patient: what to do next, in Chinese."},
            "request_id": {"type": "string", "description": "To be named when asking for help."},
            "fields": {"type": "array", "items": {"type": "string"}, "description": "Which fields are wrong."}}}}}
_IDEMPOTENCY: Json = {
    "name": "Idempotency-Key", "in": "header", "required": True,
    "description": "Made by the client for one intention; a repeat under it is given the first answer.",
    "schema": {"type": "string", "pattern": "^[0-9A-Za-z_-]{16,64}$"}}
_RAW: Json = {"required": True, "description": "Signed by the sender over these very bytes.",
              "content": {"application/json": {"schema": {"type": "object"}}}}
_SECURITY: Json = {
    "session": {"type": "http", "scheme": "bearer", "description": "The token of POST /api/account/sessions."},
    "clientSecret": {"type": "apiKey", "in": "header", "name": "X-Client-Secret",
                     "description": "The secret whose SHA-256 was given when signing in."}}


def apis() -> list[Api]:
    """What each HTTP function of ``serverless.yml`` serves, as its ``index`` names it."""
    for field in Config.__struct_fields__:  # a door does not open without its configuration; nothing here uses it
        os.environ.setdefault(field.upper(), "0")
    found = []
    for name, function in sorted(manifest.load(ROOT / "serverless.yml").functions.items()):
        if function.http is None:
            continue
        file = ROOT / function.src / "index.py"
        spec = importlib.util.spec_from_file_location(f"index_of_{name}", file)
        assert spec is not None
        assert spec.loader is not None
        index = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(index)
        api = index.api
        if not isinstance(api, Api) or api.name != name:
            raise ValueError(f"functions/{name}/index.py does not serve an Api named {name}")
        found.append(api)
    return found


def document() -> Json:
    """The whole document."""
    served = apis()
    routes = [route for api in served for route in api.routes]
    kinds = {kind for route in routes for kind in (_body(route), _answer(route)) if kind is not None}
    given, definitions = models_json_schema(sorted(kinds, key=lambda kind: (_place(kind[0]), kind[1])),
                                            ref_template="#/components/schemas/{model}")
    refs = {kind: given[kind] for kind in kinds}
    paths: Json = {}
    for api in served:
        for route in api.routes:
            path = f"/api/{api.name}" + re.sub("<([^>]+)>", r"{\1}", route.path)
            paths.setdefault(path, {})[route.method.lower()] = _operation(api, route, refs)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Hospital mini-program", "version": "1", "description": _DESCRIPTION},
        "servers": [{"url": "/"}],
        "tags": [{"name": api.name} for api in served],
        "paths": paths,
        "components": {"securitySchemes": _SECURITY, "schemas": {"Error": _ERROR, **definitions.get("$defs", {})}},
    }


def _place(kind: type[Any]) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _body(route: Route) -> Kind | None:
    return (route.takes["body"], "validation") if "body" in route.takes else None


def _answer(route: Route) -> Kind | None:
    return (route.gives, "serialization") if _is_model(route.gives) else None


def _is_model(kind: Any) -> bool:
    return inspect.isclass(kind) and issubclass(kind, BaseModel)


def _operation(api: Api, route: Route, refs: dict[Kind, Json]) -> Json:
    text = inspect.getdoc(route.handler) or ""
    operation: Json = {"operationId": f"{api.name}_{route.handler.__name__}", "tags": [api.name],
                       "summary": route.summary, "security": [] if route.public else [{name: [] for name in _SECURITY}]}
    if "\n" in text:
        operation["description"] = text.partition("\n")[2].strip()
    parameters = _parameters(route, text)
    if parameters:
        operation["parameters"] = parameters
    body = _body(route)
    if body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": refs[body]}}}
    elif route.public and "call" in route.takes and route.method == "POST":
        operation["requestBody"] = _RAW
    operation["responses"] = _responses(route, refs)
    return operation


def _parameters(route: Route, text: str) -> list[Json]:
    found: list[Json] = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                         for name in re.findall("<([^>]+)>", route.path)]
    if "query" in route.takes:
        schema = route.takes["query"].model_json_schema()
        if "$defs" in schema:
            raise ValueError(f"{route.path}: a query has plain fields only")
        found += [{"name": name, "in": "query", "required": name in schema.get("required", []),
                   "schema": _without_null(field)} for name, field in schema["properties"].items()]
    if _IDEMPOTENCY["name"] in text:
        found.append(_IDEMPOTENCY)
    return found


def _without_null(field: Json) -> Json:
    """A query can leave a field out, but has no null to send."""
    kinds = [one for one in field.get("anyOf", []) if one != {"type": "null"}]
    if len(kinds) != 1:
        return field
    return {**kinds[0], **{name: value for name, value in field.items() if name not in ("anyOf", "default")}}


def _responses(route: Route, refs: dict[Kind, Json]) -> Json:
    answer = _answer(route)
    is_none = answer is None and route.status == HTTPStatus.OK
    status = HTTPStatus.NO_CONTENT.value if is_none else route.status  # a door answers None with 204
    found: Json = {str(status): {"description": HTTPStatus(status).phrase}}
    if answer is not None:
        found[str(status)]["content"] = {"application/json": {"schema": refs[answer]}}
    if route.shared:
        found["304"] = {"description": "As it was under the `ETag` that came in `If-None-Match`."}
    refused: Json = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}
    if not route.public:
        found["401"] = {"description": "No session, or a wrong client secret.", **refused}
    if "body" in route.takes or "query" in route.takes:
        found["422"] = {"description": "A field is wrong; `fields` names it.", **refused}
    found["default"] = {"description": "Anything else that is no success.", **refused}
    return found


def text() -> str:
    """The document as it stands in the file."""
    return json.dumps(document(), ensure_ascii=False, indent=1) + "\n"


def main() -> int:
    """Write the file, or (--check) compare it: 1 when it is stale."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    fresh = text()
    if not options.check:
        FILE.write_text(fresh, encoding="utf-8")
        return 0
    if FILE.exists() and FILE.read_text(encoding="utf-8") == fresh:
        return 0
    print("docs/openapi.json is stale: run python scripts/openapi.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
