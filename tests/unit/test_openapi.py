"""docs/openapi.json says what the routes are."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import BaseModel

from scripts import openapi

METHODS = {"get", "post", "put", "delete"}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """As in the file."""
    read: dict[str, Any] = json.loads(openapi.FILE.read_text(encoding="utf-8"))
    return read


def operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """By method and path."""
    return {(method, path): operation for path, item in document["paths"].items()
            for method, operation in item.items() if method in METHODS}


def test_the_file_is_valid_openapi(document: dict[str, Any]) -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_the_validator_notices_a_broken_document(document: dict[str, Any]) -> None:
    broken = json.loads(json.dumps(document))
    broken["paths"]["/api/booking/bookings"]["post"]["responses"] = []
    assert list(OpenAPIV31SpecValidator(broken).iter_errors())


def test_the_file_is_up_to_date(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["openapi.py", "--check"])
    assert openapi.main() == 0, capsys.readouterr().err


def test_a_stale_file_fails_the_check_and_is_left_alone(
        document: dict[str, Any], tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stale = tmp_path / "openapi.json"
    stale.write_text(json.dumps({**document, "paths": {}}))
    monkeypatch.setattr(openapi, "FILE", stale)
    monkeypatch.setattr(sys, "argv", ["openapi.py", "--check"])
    assert openapi.main() == 1
    assert json.loads(stale.read_text())["paths"] == {}
    monkeypatch.setattr(sys, "argv", ["openapi.py"])
    assert openapi.main() == 0
    assert json.loads(stale.read_text()) == document


def test_every_route_stands_in_it_and_nothing_else(document: dict[str, Any]) -> None:
    routes = {(route.method.lower(), f"/api/{api.name}{route.path.replace('<', '{').replace('>', '}')}")
              for api in openapi.apis() for route in api.routes}
    assert set(operations(document)) == routes
    ids = [operation["operationId"] for operation in operations(document).values()]
    assert len(ids) == len(set(ids))


def test_every_operation_has_a_summary_and_one_form_of_error(document: dict[str, Any]) -> None:
    for place, operation in operations(document).items():
        assert operation["summary"], place
        error = operation["responses"]["default"]["content"]["application/json"]["schema"]
        assert error == {"$ref": "#/components/schemas/Error"}, place


def test_a_route_needs_token_and_client_secret_unless_it_is_public(document: dict[str, Any]) -> None:
    public = {(route.method.lower(), f"/api/{api.name}{route.path.replace('<', '{').replace('>', '}')}")
              for api in openapi.apis() for route in api.routes if route.public}
    both = [{"session": [], "clientSecret": []}]
    assert {place: operation["security"] for place, operation in operations(document).items()} == {
        place: [] if place in public else both for place in operations(document)}
    assert public
    assert set(document["components"]["securitySchemes"]) == {"session", "clientSecret"}


def test_what_may_happen_once_for_each_intention_needs_an_idempotency_key_and_nothing_else_does(
        document: dict[str, Any]) -> None:
    needing = {place for place, operation in operations(document).items()
               for one in operation.get("parameters", []) if one["name"] == "Idempotency-Key" and one["required"]}
    assert needing == {("post", "/api/booking/bookings"), ("post", "/api/billing/orders"),
                       ("post", "/api/messages/subscriptions"), ("post", "/api/feedback/complaints")}


def test_every_parameter_of_a_path_and_every_field_of_a_query_is_listed(document: dict[str, Any]) -> None:
    listed = operations(document)
    for api in openapi.apis():
        for route in api.routes:
            path = f"/api/{api.name}{route.path.replace('<', '{').replace('>', '}')}"
            given = {(one["in"], one["name"]) for one in listed[route.method.lower(), path].get("parameters", [])}
            wanted = {("path", name) for name, kind in route.takes.items()
                      if kind is str and name not in ("body", "query", "call", "caller")}
            query = route.takes.get("query")
            if query is not None:
                assert issubclass(query, BaseModel)
                wanted |= {("query", name) for name in query.model_fields}
            assert given - {("header", "Idempotency-Key")} == wanted, path


def test_amounts_are_whole_numbers_and_bodies_refuse_unknown_fields(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    amounts = [(name, field) for name, schema in schemas.items() for field in schema["properties"]
               if field.endswith("_fen") and field != "unit_price_fen"]  # a rate, which may have parts of a fen
    assert ("BookingIn", "fee_fen") in amounts
    for name, field in amounts:
        assert schemas[name]["properties"][field]["type"] == "integer", (name, field)
    for operation in operations(document).values():
        schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        if "$ref" in schema:
            assert schemas[schema["$ref"].rpartition("/")[2]]["additionalProperties"] is False
