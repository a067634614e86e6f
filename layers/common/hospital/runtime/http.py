"""HTTP doors: typed routes on werkzeug and pydantic, as a WSGI app and as an SCF handler.

Why not Flask: see ``docs/decisions/0002-door.md`` (cold start and CPU per request).
"""

from __future__ import annotations

import inspect
import json
import math
import re
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any, Protocol, TypeVar, get_type_hints

from msgspec import Struct, field
from pydantic import BaseModel, ConfigDict, ValidationError
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.exceptions import NotFound as NoRoute
from werkzeug.routing import Map, MapAdapter, Rule
from werkzeug.wrappers import Request, Response

from hospital.runtime import log, once, origin
from hospital.runtime.canonical import ID, TextDates
from hospital.runtime.config import config
from hospital.runtime.errors import (
    AppError,
    BadRequest,
    Forbidden,
    Invalid,
    NotFound,
    RetryWhole,
    TooLarge,
    TooMany,
)
from hospital.runtime.event_form import translate
from hospital.runtime.ids import new_id
from hospital.runtime.network import network
from hospital.runtime.shared import Answers

MAX_BODY = 64 * 1024  # bytes; the largest honest body is a few KB
_PLATFORM_ID = r"[0-9A-Za-z-]{8,64}"
RETRIES = 3  # of a request whose transaction the database rolled back (deadlock, lock wait)


class Model(TextDates):
    """Base of request and response bodies: unknown fields are refused, texts trimmed, dates ISO, built when used."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, defer_build=True)


class Call:
    """One request, as routes see it."""

    def __init__(self, request: Request, request_id: str, most: int = MAX_BODY) -> None:
        self.request = request
        self.request_id = request_id
        self._most = most
        self._raw: bytes | None = None

    def header(self, name: str) -> str:
        """A request header, or an empty string."""
        return self.request.headers.get(name, "")

    @property
    def address(self) -> str:
        """The network of the caller as the platform says it, never as the caller does; empty when it says none."""
        return network(origin.of_platform(self.request.environ))

    @property
    def raw(self) -> bytes:
        """The body exactly as it came.

        Raises TooLarge, before much more than the route takes was read, and BadRequest when it breaks off.
        """
        if self._raw is None:
            self._raw = _read_whole(self.request.environ, self._most)
        return self._raw


class Route(Struct, frozen=True, eq=False):
    """One operation: what OpenAPI says of it, and how to call it."""

    method: str
    path: str
    handler: Callable[..., Any]
    status: int
    public: bool
    takes: dict[str, Any]
    gives: Any
    summary: str = ""
    personal: bool = True  # whether its answer to a caller tells of a person
    early: Callable[[Call], None] | None = None
    shared: bool = False
    fresh: int = 1
    most: int = MAX_BODY


class Watch(Protocol):
    """Who keeps what callers read, and what was refused to them."""

    def read(self, caller: Any, route: str, asked: list[str]) -> None:
        """A caller was shown what a route tells of a person; ``asked`` are the ids in the request."""

    def refused(self, caller: Any, route: str, asked: list[str], code: str) -> None:
        """A caller was told that what they asked for is not there, or not theirs."""


def _read_whole(environ: dict[str, Any], most: int) -> bytes:
    """The body. Not werkzeug's reading: of a chunked body it gives the first ``most`` bytes as if they were all."""
    promised = environ.get("CONTENT_LENGTH") or ""
    is_chunked = "HTTP_TRANSFER_ENCODING" in environ or not promised.isdecimal()
    if not is_chunked and int(promised) > most:
        raise TooLarge
    pieces, length = [], 0
    while length <= most:
        try:
            piece = environ["wsgi.input"].read(most + 1 - length)
        except Exception as error:  # noqa: BLE001 - each server has its own kinds: a bad chunk, a client that went away
            log.event("body.unreadable", error=type(error).__name__)
            raise BadRequest(code="malformed_body") from None
        if not piece:
            break
        pieces.append(piece)
        length += len(piece)
    if length > most:
        raise TooLarge
    if not is_chunked and length < int(promised):
        raise BadRequest(code="malformed_body")
    return b"".join(pieces)


Use = TypeVar("Use", bound=Callable[..., Any])


class Api(Struct):
    """The routes of one function.

    A route is a function whose parameters say what it needs: path parameters by name (``str``),
    ``body`` and ``query`` (pydantic models), ``call`` (:class:`Call`), and ``caller``: the result of
    ``authenticate``. Every route needs a caller unless it is declared ``public``.
    """

    name: str
    authenticate: Callable[[Call], Any] | None = None
    watch: Watch | None = None
    routes: list[Route] = field(default_factory=list)

    def get(self, path: str, **options: Any) -> Callable[[Use], Use]:
        """Register a GET route; options as :meth:`route`."""
        return self.route("GET", path, **options)

    def post(self, path: str, **options: Any) -> Callable[[Use], Use]:
        """Register a POST route."""
        return self.route("POST", path, **options)

    def put(self, path: str, **options: Any) -> Callable[[Use], Use]:
        """Register a PUT route."""
        return self.route("PUT", path, **options)

    def delete(self, path: str, **options: Any) -> Callable[[Use], Use]:
        """Register a DELETE route."""
        return self.route("DELETE", path, **options)

    def route(self, method: str, path: str, *, status: int = 200, public: bool = False, personal: bool = True,
              early: Callable[[Call], None] | None = None, shared: bool = False, fresh: int = 1,
              most: int = MAX_BODY) -> Callable[[Use], Use]:
        """Register a route. ``status`` is the answer's when all goes well; a GET that is ``personal`` is kept.

        ``early`` looks at a request before its caller is asked for, and may refuse it for less than that costs.
        ``shared``: the answer hangs on address and query alone, so that one will do for many (``shared.py``), and for
        ``fresh`` seconds whoever has it need not ask again. ``most``: bytes of the largest honest body.
        """
        def register(handler: Use) -> Use:
            hints = get_type_hints(handler)
            gives = hints.pop("return", None)
            takes = {name: hints.get(name, str) for name in inspect.signature(handler).parameters}
            if public == ("caller" in takes):
                raise TypeError(f"{method} {path}: declare it public, or take a caller; one of the two")
            summary = (handler.__doc__ or "").strip().split("\n")[0]
            if shared and not public:
                raise TypeError(f"{method} {path}: what is shared can have no caller")
            self.routes.append(Route(method, path, handler, status, public, takes, gives, summary, personal, early,
                                     shared, fresh, most))
            return handler
        return register


class _Rule(Rule):
    """A rule that is matched only. werkzeug writes and compiles two functions for each that build its address: 0.5 ms.

    Should werkzeug come to name them otherwise, they are written again, and all else stays as it is.
    """

    def _compile_builder(self, _append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        def build(*_values: Any) -> tuple[str, str]:
            raise TypeError(f"{self.rule}: addresses are matched here, never built")
        return build


class _App:
    """The WSGI application of one :class:`Api`."""

    def __init__(self, api: Api) -> None:
        self._api = api
        routes = Map([_Rule(route.path, methods=[route.method], endpoint=route) for route in api.routes],
                     strict_slashes=False, merge_slashes=False)
        # Map.bind would load Python's tables for international names of hosts, to encode none.
        self._routes = MapAdapter(routes, "", "/", "", "http", "/", "GET")
        self._prefix = f"/api/{api.name}"
        # The server keeps so much of a body.
        self.most = max((route.most for route in api.routes), default=MAX_BODY)
        self._answers = Answers()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        started = time.perf_counter()
        request = Request(environ)
        request_id = _request_id(environ)
        log.bind(request_id=request_id, function=self._api.name)
        origin.bind(origin.of_request(environ, request_id))
        route_name = "-"
        try:
            route, arguments = self._match(environ)
            route_name = f"{route.method} {route.path}"
            response = self._run(route, arguments, Call(request, request_id, route.most))
        except AppError as error:
            response = _error(error, request_id)
        except Exception as error:  # noqa: BLE001 - the one place where the unexpected ends: logged, answered 500
            log.failure("request.failed", error, route=route_name)
            response = _error(AppError(), request_id)
        _drain(environ)
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers["X-Request-Id"] = request_id
        response.headers["X-Content-Type-Options"] = "nosniff"
        log.event("request", route=route_name, status=response.status_code, **_claimed_id(request),
                  ms=round((time.perf_counter() - started) * 1000, 1))
        return response(environ, start_response)

    def _match(self, environ: dict[str, Any]) -> tuple[Route, dict[str, Any]]:
        path = environ.get("PATH_INFO", "/")
        if path.startswith(self._prefix):  # a path rule that passes the whole path on
            path = path[len(self._prefix):] or "/"
        try:
            route, arguments = self._routes.match(path.encode("latin-1").decode("utf-8", "replace"),
                                                  environ.get("REQUEST_METHOD", "GET"))
            return route, dict(arguments)
        except MethodNotAllowed as refusal:
            raise _WrongMethod(refusal.valid_methods or []) from None
        except (NoRoute, HTTPException):
            raise NotFound(code="no_such_address", message="访问的地址不存在，请升级小程序后重试。") from None

    def _run(self, route: Route, arguments: dict[str, Any], call: Call) -> Response:
        if route.shared:
            return self._share(route, arguments, call)
        if route.early is not None:
            route.early(call)
        return self._handle(route, arguments, call)

    def _handle(self, route: Route, arguments: dict[str, Any], call: Call) -> Response:
        is_ours = all(value.isascii() for value in arguments.values())
        if "caller" in route.takes:  # before the body is read
            assert self._api.authenticate is not None
            arguments["caller"] = self._api.authenticate(call)
        if not is_ours:  # no id of ours looks like this, and the database refuses to compare it with one
            raise NotFound
        for name, kind in route.takes.items():
            if name == "call":
                arguments[name] = call
            elif name == "body":
                arguments[name] = read_body(call, kind)
            elif name == "query":
                arguments[name] = _validated(partial(kind.model_validate, call.request.args.to_dict()))
        once.begin()
        for attempt in range(RETRIES):
            try:
                result = route.handler(**arguments)
                self._keep_read(route, arguments)
                return _answer(result, route.status)
            except (NotFound, Forbidden) as refusal:
                self._keep_refused(route, arguments, refusal)
                raise
            except RetryWhole as again:
                log.event("request.retried", attempt=attempt + 1, reason=str(again))
                if again.waited and attempt:  # twice as long as one should have to wait: soon told is well told
                    break
        raise TooMany("当前操作人数较多，请稍后重试。", wait=1, code="busy")

    def _share(self, route: Route, arguments: dict[str, Any], call: Call) -> Response:
        environ = call.request.environ
        content = self._answers.get(f"{environ.get('PATH_INFO', '')}?{environ.get('QUERY_STRING', '')}",
                                    lambda: self._handle(route, arguments, call).get_data())
        headers = {"ETag": content.tag, "Cache-Control": f"public, max-age={route.fresh}"}
        if content.tag in call.header("If-None-Match"):
            return Response(status=304, headers=headers)
        return Response(content.body, headers=headers, mimetype="application/json")

    def _keep_read(self, route: Route, arguments: dict[str, Any]) -> None:
        if self._api.watch is not None and route.method == "GET" and route.personal and "caller" in arguments:
            self._api.watch.read(arguments["caller"], f"{self._api.name}{route.path}", _ids(arguments))

    def _keep_refused(self, route: Route, arguments: dict[str, Any], refusal: AppError) -> None:
        if self._api.watch is not None and "caller" in arguments:
            try:
                self._api.watch.refused(arguments["caller"], f"{route.method} {self._api.name}{route.path}",
                                        _ids(arguments), refusal.code)
            except RetryWhole as again:  # the answer stays what it is
                log.event("refusal.not-kept", reason=str(again))


def _ids(arguments: dict[str, Any]) -> list[str]:
    """The ids of ours that a request names, in its path first."""
    told = [value for value in arguments.values() if isinstance(value, str)]
    told += [value for one in arguments.values() if isinstance(one, BaseModel) for value in one.__dict__.values()
             if isinstance(value, str)]
    return [value for value in told if re.fullmatch(ID, value)]


def _drain(environ: dict[str, Any]) -> None:
    """Read what is left of a body (the platform admits 6 MB).

    Else the server closes the connection after the answer, while the platform sends the next request on it.
    """
    with suppress(Exception):  # what can't be read has been answered; the server closes such a connection itself
        for _ in range(100):
            if not environ["wsgi.input"].read(MAX_BODY):
                return


class _WrongMethod(AppError):
    """``allowed``: what the address does take, for the header that RFC 9110 asks for."""

    status, code, message = 405, "method_not_allowed", "不支持的操作方式，请升级小程序后重试。"

    def __init__(self, allowed: Iterable[str]) -> None:
        super().__init__()
        self.allowed = ", ".join(sorted(allowed))


def read_body(call: Call, kind: type[BaseModel]) -> Any:
    """The body as ``kind``.

    Raises TooLarge, BadRequest (not JSON) or Invalid (names the fields, never their values).
    """
    return _validated(partial(kind.model_validate_json, call.raw))


def _validated(build: Callable[[], Any]) -> Any:
    try:
        return build()
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        if any(problem["type"] == "json_invalid" for problem in problems):
            raise BadRequest(code="malformed_json") from None
        names = sorted({".".join(str(part) for part in problem["loc"]) or "body" for problem in problems})
        raise Invalid(fields=names) from None


def _answer(result: Any, status: int) -> Response:
    if isinstance(result, Response):
        return result
    if result is None:
        return Response(status=204)
    text = (result.model_dump_json() if isinstance(result, BaseModel)
            else json.dumps(result, ensure_ascii=False, separators=(",", ":")))
    return Response(text, status=status, mimetype="application/json")


def _error(error: AppError, request_id: str) -> Response:
    content: dict[str, Any] = {"code": error.code, "message": error.message, "request_id": request_id}
    if error.fields:
        content["fields"] = error.fields
    headers = {}
    if isinstance(error, _WrongMethod):
        headers["Allow"] = error.allowed
    if isinstance(error, TooMany):
        headers["Retry-After"] = str(max(1, math.ceil(error.wait)))
    return Response(json.dumps({"error": content}, ensure_ascii=False), status=error.status, headers=headers,
                    mimetype="application/json")


def _request_id(environ: dict[str, Any]) -> str:
    """The platform's id where it comes by a way that no client has (an event's context); else one of ours."""
    context = environ.get("serverless.context")
    given = str(context.get("request_id", "")) if isinstance(context, dict) else ""
    return given if re.fullmatch(_PLATFORM_ID, given) else new_id()


def _claimed_id(request: Request) -> dict[str, str]:
    """What a header says to be the platform's id: for finding its log, never for telling requests apart."""
    given = request.headers.get("X-Scf-Request-Id", "")
    return {"scf_request_id": given} if re.fullmatch(_PLATFORM_ID, given) else {}


def http_function(api: Api) -> tuple[_App, Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]]]:
    """The two doors of an HTTP function: a WSGI app (Web function) and ``main_handler`` (event function).

    Raises ConfigError, at the start of the process, when a variable is missing.
    """
    config()
    app = _App(api)

    def main_handler(event: dict[str, Any], context: dict[str, Any]) -> dict[str, Any]:
        from serverless_wsgi import handle_request

        result: dict[str, Any] = handle_request(app, translate(event, context), context)
        headers = {name: values[0] if len(values) == 1 else values
                   for name, values in result.pop("multiValueHeaders").items()}
        return {"isBase64Encoded": False, "body": "", **result, "headers": headers}

    return app, main_handler
