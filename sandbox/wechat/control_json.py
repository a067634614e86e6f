"""JSON in and out of a control interface: typed bodies, and 4xx answers of the form {"error": "..."}."""

from __future__ import annotations

from typing import Any, TypeVar

from flask import Blueprint, Response, jsonify, request
from pydantic import BaseModel, ConfigDict, ValidationError
from werkzeug.exceptions import HTTPException


class ControlBody(BaseModel):
    """The body of a control call. A misspelt key is an error, not a silent default."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Impossible(Exception):
    """What the caller asked for cannot be done. ``status`` is the HTTP status of the answer."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


Body = TypeVar("Body", bound=ControlBody)


def body_as(model: type[Body]) -> Body:
    """The running request's body as ``model``; an empty body counts as {}.

    Raises Impossible naming the first wrong field, never its value.
    """
    try:
        return model.model_validate_json(request.get_data() or b"{}")
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise Impossible(f"{field}: {first['msg']}" if field else str(first["msg"])) from None


def answer_errors(blueprint: Blueprint) -> None:
    """Let ``blueprint`` answer Impossible and HTTP errors as {"error": "..."}."""

    def impossible(error: Impossible) -> tuple[Response, int]:
        return jsonify({"error": error.message}), error.status

    def http(error: HTTPException) -> tuple[Response, int]:
        return jsonify({"error": error.description or error.name}), error.code or 500

    handlers: list[tuple[type[Exception], Any]] = [(Impossible, impossible), (HTTPException, http)]
    for kind, handler in handlers:
        blueprint.register_error_handler(kind, handler)
