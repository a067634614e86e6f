"""The platform: one address for all functions, invocations, timers, asynchronous events."""

from __future__ import annotations

import atexit
import json
import shutil
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from flask import Response, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter

from sandbox.scf.asynchronous import AsyncQueue
from sandbox.scf.errors import InvokeError
from sandbox.scf.event import EventInstance
from sandbox.scf.http_events import EventForm, HttpCall, answer_from
from sandbox.scf.instances import Platform
from sandbox.scf.keeping import Keeper
from sandbox.scf.manifest import Function, load
from sandbox.scf.pool import Pool
from sandbox.scf.timers import Timers
from sandbox.scf.web import Headers, WebAnswer, WebInstance
from sandbox.system import System, World

SYNC_BYTES = 6 * 1024 * 1024  # of a synchronous event, and of its result
ASYNC_BYTES = 128 * 1024
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_HOP_BY_HOP = {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer",
               "transfer-encoding", "upgrade"}


@dataclass(frozen=True)
class Invocation:
    """A finished synchronous invocation."""

    request_id: str
    result: Any
    duration_ms: int


class Service(System):
    """Runs every function of the manifest as the cloud does; see the package's parts for how."""

    name = "scf"
    max_body_bytes = SYNC_BYTES

    def __init__(
        self, world: World, *, manifest: Path, project: Path, layer_paths: Mapping[str, list[Path]], python: list[str],
        state: Path, values: Mapping[str, str], credentials: Mapping[str, str], idle_seconds: float = 300,
        run_timers: bool = True, strip_prefix: bool = True,
    ) -> None:
        """Read the manifest; nothing is started before the first request.

        ``layer_paths`` tells the folders that stand for a layer, by its path in the manifest: a function sees those of
        the layers that it binds, as in the cloud's /opt. ``python`` is the interpreter command, ``state`` a folder for
        logs and unpacked code, ``values`` fills ${env:NAME}, ``credentials`` has secret_id, secret_key and token. With
        ``strip_prefix`` a function sees the path after ``/api/<function>``, else all of it. Raises ManifestError.
        """
        super().__init__(world)
        self.manifest = load(manifest, values)
        self.platform = Platform(
            project=project.resolve(),
            layer_paths={name: [path.resolve() for path in paths] for name, paths in layer_paths.items()},
            python=list(python), state=state.resolve(), region=self.manifest.region,
            credentials=dict(credentials), keeper=Keeper(state.resolve() / "processes"),
        )
        shutil.rmtree(self.platform.state / "code", ignore_errors=True)
        for folder in ("code", "logs", "home"):
            (self.platform.state / folder).mkdir(parents=True, exist_ok=True)
        self.strip_prefix = strip_prefix
        self.run_timers = run_timers
        self.idle_seconds = idle_seconds
        self.event_forms: dict[str, EventForm] = {}
        functions = self.manifest.functions.items()
        self.web_pools = {name: self._web_pool(one) for name, one in functions if one.type == "web"}
        self.event_pools = {name: self._event_pool(one) for name, one in functions if one.type == "event"}
        self.queue = AsyncQueue(self.clock, self._run_waiting, lambda name: self.event_pools[name].limit)
        self.timers = Timers(self.manifest, self.clock, self._accept_timer)
        self._stop = threading.Event()
        self.app.register_error_handler(HTTPException, self._not_routed)
        self.app.url_map.merge_slashes = False
        self.app.url_map.converters["rest"] = _Rest
        for rule in ("/api/<function>", "/api/<function>/", "/api/<function>/<rest:rest>"):
            self.app.add_url_rule(rule, endpoint="route", view_func=self._route, methods=_METHODS,
                                  provide_automatic_options=False, strict_slashes=True)
        self.add_operations()
        atexit.register(self.stop)
        threading.Thread(target=self._watch_clock, name="scf-clock", daemon=True).start()
        threading.Thread(target=self._reap, name="scf-idle", daemon=True).start()

    def add_operations(self) -> None:
        """Subclasses add theirs."""

    # -- for callers ----------------------------------------------------------------------------
    def function(self, name: str) -> Function:
        """The function of that name. Raises InvokeError(404)."""
        if name not in self.manifest.functions:
            raise InvokeError(404, f"function {name} does not exist")
        return self.manifest.functions[name]

    def invoke(self, function: str, event: Any, *, asynchronous: bool) -> Any:
        """Run an event function: its return value, or, asynchronous, the id of the accepted request.

        Raises InvokeError; asynchronously only for what is refused at once (404, 400, 406).
        """
        if asynchronous:
            return self.accept(function, event)
        return self.run(function, event).result

    def accept(self, name: str, event: Any) -> str:
        """Queue an asynchronous event and return its request id. Raises InvokeError (404, 400, 406)."""
        function = self._event_function(name)
        _check_size(event, ASYNC_BYTES, "event")
        request_id = str(uuid.uuid4())
        self.queue.put(function, event, request_id)
        return request_id

    def run(self, name: str, event: Any, *, wait: float = 0.0, request_id: str | None = None) -> Invocation:
        """One synchronous invocation; ``wait`` is how long (s) to wait for a free instance.

        Raises InvokeError with its request id and duration set.
        """
        function = self._event_function(name)
        request_id = request_id or str(uuid.uuid4())
        log, began, error = self.platform.write_log, time.perf_counter(), None
        log(name, f"START RequestId: {request_id}")
        try:
            _check_size(event, SYNC_BYTES, "event")
            pool = self.event_pools[name]
            instance = pool.acquire(wait)
            began = time.perf_counter()
            try:
                result = instance.invoke(event, self.platform.context(function, request_id))
            finally:
                pool.release(instance)
            _check_size(result, SYNC_BYTES, "result")
            log(name, f"Response RequestId: {request_id} RetMsg: {json.dumps(result, ensure_ascii=False)}")
        except InvokeError as failure:
            error = failure
            error.request_id = request_id
            log(name, f"ERROR RequestId: {request_id} Result: {json.dumps(error.body(stack=True))}")
        duration = round((time.perf_counter() - began) * 1000)
        log(name, f"END RequestId: {request_id}\nReport RequestId: {request_id} Duration: {duration}ms "
                  f"Memory: {function.memory_mb}MB")
        self.event_pools[name].count(error is not None)
        if error is not None:
            error.duration_ms = duration
            raise error
        return Invocation(request_id, result, duration)

    def settle(self, timeout: float) -> bool:
        """Wait (real s) until no timer and no asynchronous event is due or running; False if not by then."""
        if self.run_timers:
            self.timers.tick()
        return self.queue.settle(timeout)

    def pools(self) -> dict[str, Pool[WebInstance] | Pool[EventInstance]]:
        """Every function's instances."""
        return {**self.web_pools, **self.event_pools}

    def stop(self) -> None:
        """End every process that was started, and start none any more."""
        self._stop.set()
        atexit.unregister(self.stop)
        self.queue.stop()
        for pool in self.pools().values():
            pool.stop(close=True)
        self.platform.keeper.close()

    # -- HTTP -----------------------------------------------------------------------------------
    def _route(self, function: str, rest: str = "") -> Response:
        request_id = str(uuid.uuid4())
        self.note(function=function, request_id=request_id)
        try:
            target = self.function(function)
            if target.http is None:
                raise InvokeError(404, f"function {function} has no http trigger")
            answer = self._answer(target, request_id, request.get_data())
        except InvokeError as error:
            return _refusal(error, request_id, error.http_status)
        response = Response(answer.body, status=answer.status)
        response.headers.clear()
        for name, value in answer.headers:
            if name.lower() not in _HOP_BY_HOP:
                response.headers.add(name, value)
        response.headers["X-Scf-Request-Id"] = request_id
        return response

    def too_large(self, error: HTTPException) -> Response:
        """As the cloud refuses it."""
        return _refusal(InvokeError(406, f"RequestTooLarge: more than {SYNC_BYTES} bytes"), str(uuid.uuid4()), 413)

    def malformed(self, status: int, phrase: str) -> dict[str, Any]:
        """As every other refusal of the gateway."""
        return InvokeError(status, phrase).body()

    def _not_routed(self, error: HTTPException) -> Response:
        status = error.code or 500
        return _refusal(InvokeError(status, error.name), str(uuid.uuid4()), status)

    def _answer(self, function: Function, request_id: str, body: bytes) -> WebAnswer:
        raw_path, _, query = str(request.environ["RAW_URI"]).partition("?")
        raw_path = quote(raw_path, safe="/%:@!$&'()*+,;=~-._", encoding="latin-1")
        decoded = request.path
        if self.strip_prefix:
            raw_path, decoded = _after_function(raw_path), _after_function(decoded)
        remote = request.remote_addr or ""
        headers = [(name, value) for name, value in request.headers.items()
                   if name.lower() not in _HOP_BY_HOP and not name.lower().startswith("x-scf-")]
        if function.type == "event":
            headers.append(("X-Scf-Remote-Addr", remote))
            call = HttpCall(request.method, decoded, query, headers, body, remote, request_id)
            event = self.event_forms.get(function.name, EventForm()).event(call)
            return answer_from(self.run(function.name, event, request_id=request_id).result)
        headers = [(name, value) for name, value in headers if name.lower() != "content-length"]
        if body or request.method in ("POST", "PUT", "PATCH"):
            headers.append(("Content-Length", str(len(body))))
        headers += [("X-Scf-Request-Id", request_id), ("X-Scf-Remote-Addr", remote)]
        query = quote(query, safe="/%:@!$&'()*+,;=~-._?[]{}|\"<>^`\\", encoding="latin-1")
        return self._web_answer(function, f"{raw_path}?{query}" if query else raw_path, headers, body)

    def _web_answer(self, function: Function, target: str, headers: Headers, body: bytes) -> WebAnswer:
        pool = self.web_pools[function.name]
        failed = True
        try:
            # Where nothing is reserved the limit is the desk's, not the cloud's: wait rather than refuse.
            instance = pool.acquire(0.0 if function.reserved_concurrency else float(function.timeout_s))
            try:
                answer = instance.request(request.method, target, headers, body)
            finally:
                pool.release(instance)
            if len(answer.body) > SYNC_BYTES:
                raise InvokeError(407, "The size of response exceeds the upper limit (6MB)")
            failed = False
        except InvokeError as error:
            self.platform.write_log(function.name, f"ERROR {error.status} {error.message}")
            raise
        finally:
            pool.count(failed)
        return answer

    # -- inside ---------------------------------------------------------------------------------
    def _event_function(self, name: str) -> Function:
        function = self.function(name)
        if function.type != "event":
            raise InvokeError(400, f"function {name} is a web function and can't be invoked")
        return function

    def _web_pool(self, function: Function) -> Pool[WebInstance]:
        return Pool(function, lambda number: WebInstance(function, self.platform, number))

    def _event_pool(self, function: Function) -> Pool[EventInstance]:
        return Pool(function, lambda number: EventInstance(function, self.platform, number))

    def _run_waiting(self, function: Function, event: Any, request_id: str) -> Any:
        return self.run(function.name, event, wait=float(function.timeout_s), request_id=request_id).result

    def _accept_timer(self, function: Function, event: dict[str, Any]) -> None:
        self.accept(function.name, event)

    def _watch_clock(self) -> None:
        while not self._stop.is_set():
            if self.run_timers:
                self.timers.tick()
            self.queue.pump()
            due = [self.queue.next_due(), self.timers.next_due() if self.run_timers else None]
            now = self.clock.timestamp()
            # What is due but not running waits for an instance, and is started by whoever gives one back.
            later = [one for one in due if one is not None and one > now]
            self.clock.wait_until(min(later, default=now + 60), self._stop)

    def _reap(self) -> None:
        while not self._stop.wait(min(1.0, self.idle_seconds / 4)):
            for pool in self.pools().values():
                pool.reap(self.idle_seconds)


class _Rest(BaseConverter):
    """The rest of a path, whatever it holds: line feeds and empty steps too."""

    regex = r"[\s\S]+"
    part_isolating = False


def _refusal(error: InvokeError, request_id: str, status: int) -> Response:
    error.request_id = error.request_id or request_id
    response = Response(json.dumps(error.body()), status, content_type="application/json")
    response.headers["X-Scf-Request-Id"] = request_id
    return response


def _after_function(path: str) -> str:
    """The rest of ``/api/<function>/<rest>``, from its slash on."""
    return "/" + [*path.split("/", 3), ""][3]


def _check_size(value: Any, limit: int, what: str) -> None:
    size = len(json.dumps(value, ensure_ascii=False).encode())
    if size > limit:
        raise InvokeError(406 if what == "event" else 407, f"the {what} has {size} bytes, more than {limit}")
