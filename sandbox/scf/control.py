"""The control interface of the SCF runtime, mounted at ``/scf``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flask import Response, jsonify, request

from sandbox.scf.errors import InvokeError
from sandbox.scf.http_events import FORMS, EventForm
from sandbox.scf.manifest import Function
from sandbox.scf.pool import Pool
from sandbox.scf.service import Service
from sandbox.scf.timers import timer_event
from sandbox.scf.web import WebInstance

Answer = tuple[Response, int]


def _refused(message: str, status: int = 400) -> Answer:
    return jsonify(error=message), status


def _fields() -> dict[str, Any]:
    given = request.get_json(silent=True)
    return given if isinstance(given, dict) else {}


def _pool_facts(pool: Pool[Any]) -> dict[str, Any]:
    instances = pool.instances()
    return {
        "type": pool.function.type,
        "instances": len(instances),
        "pids": [one.process.pid for one in instances if one.process is not None],
        "addresses": [f"http://127.0.0.1:{one.port}" for one in instances if isinstance(one, WebInstance)],
        "cold_starts": [{"init_ms": one.init_ms, "first_answer_ms": one.cold_ms} for one in pool.cold_starts],
        "invocations": pool.invocations,
        "errors": pool.errors,
    }


def add_routes(scf: Service) -> None:
    """Put the routes on ``scf.control``."""
    control = scf.control

    @control.errorhandler(InvokeError)
    def refused(error: InvokeError) -> Answer:
        return _refused(error.message, 404 if error.status == 404 else 400)

    @control.get("/functions")
    def functions() -> Answer:
        return jsonify({name: _pool_facts(pool) for name, pool in scf.pools().items()}), 200

    @control.get("/timers")
    def timers() -> Answer:
        return jsonify(scf.timers.listing()), 200

    @control.post("/timers/<function>/<name>/fire")
    def fire(function: str, name: str) -> Answer:
        target = scf.function(function)
        try:
            timer = target.timer(name)
        except KeyError:
            return _refused(f"function {function} has no timer {name}", 404)
        return _run(target, timer_event(timer, scf.clock.now()), wait=float(target.timeout_s))

    @control.post("/invoke/<function>")
    def invoke(function: str) -> Answer:
        fields = _fields()
        if "event" not in fields:
            return _refused("the body must be {\"event\": …}")
        target = scf.function(function)
        if target.type != "event":
            return _refused(f"function {function} is a web function and can't be invoked")
        return _run(target, fields["event"], wait=0.0)

    def _run(function: Function, event: Any, wait: float) -> Answer:
        try:
            done = scf.run(function.name, event, wait=wait)
        except InvokeError as error:
            return jsonify(error=error.body(stack=True)), 200
        return jsonify(result=done.result, request_id=done.request_id, duration_ms=done.duration_ms), 200

    @control.post("/settle")
    def settle() -> Answer:
        timeout = _fields().get("timeout", 30)
        if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 <= timeout <= 600:
            return _refused("timeout must be seconds from 0 to 600")
        return jsonify(settled=scf.settle(float(timeout))), 200

    @control.get("/async")
    def asynchronous() -> Answer:
        return jsonify(scf.queue.facts()), 200

    @control.post("/instances/stop")
    def stop() -> Answer:
        named = _fields().get("function")
        pools = scf.pools()
        chosen = list(pools.values()) if named is None else [pools[scf.function(str(named)).name]]
        return jsonify(stopped=sum(pool.stop() for pool in chosen)), 200

    @control.get("/logs/<function>")
    def logs(function: str) -> Answer:
        path = scf.platform.log(scf.function(function).name)
        try:
            tail = int(request.args.get("tail", "100"))
        except ValueError:
            return _refused("tail must be a number of lines")
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
        return jsonify(lines=lines[-tail:] if tail > 0 else []), 200

    @control.put("/event-form/<function>")
    def event_form(function: str) -> Answer:
        target = scf.function(function)
        given = _fields()
        for name, value in given.items():
            if value not in FORMS.get(name, ()):
                return _refused(f"{name} must be one of {', '.join(FORMS[name])}" if name in FORMS
                                else f"there is no {name}")
        if target.type != "event":
            return _refused(f"function {function} is a web function: it gets plain HTTP")
        with scf.lock:
            scf.event_forms[function] = form = EventForm(**given)
        return jsonify(function=function, **asdict(form)), 200

    @control.get("/env/<function>")
    def environment(function: str) -> Answer:
        target = scf.function(function)
        return jsonify(scf.platform.environment(target, scf.platform.project / target.src)), 200
