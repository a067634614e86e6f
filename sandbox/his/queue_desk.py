"""The control side of the queues: the nurse at the screen."""

from __future__ import annotations

from flask import Response, jsonify, request

from sandbox.his.hospital import Hospital
from sandbox.his.wire import Fields, json_object, wrong

MOST = 500
_NUMBER = r"(?s).{1,20}"


def add_queue_desk(his: Hospital) -> None:
    """Put the control routes onto ``his.control``; a wrong request is answered 4xx ``{"error": …}``."""
    control = his.control

    @control.get("/queues/<code>", endpoint="show_queue")
    def show_queue(code: str) -> Response:
        with his.lock:
            return jsonify(his.queues.show(code))

    @control.post("/queues/<code>/next", endpoint="call_next")
    def call_next(code: str) -> Response:
        with his.lock:
            return jsonify(number=his.queues.call(code), **his.queues.show(code))

    @control.post("/queues/<code>/skip", endpoint="skip_called")
    def skip_called(code: str) -> Response:
        with his.lock:
            return jsonify(number=his.queues.skip(code), **his.queues.show(code))

    @control.post("/queues/<code>/back", endpoint="back_into_queue")
    def back_into_queue(code: str) -> Response:
        number = Fields(json_object(request.get_data()), ("number",)).text("number", _NUMBER)
        with his.lock:
            his.queues.back(code, number)
            return jsonify(his.queues.show(code))

    @control.put("/queues/<code>", endpoint="arrange_queue")
    def arrange_queue(code: str) -> Response:
        """``paused``; ``waiting``: so many walk-ins, first; ``calls``: told or not; ``seconds_each``."""
        body = json_object(request.get_data())
        fields = Fields(body, ("paused", "waiting", "calls", "seconds_each"))
        for name in ("paused", "calls"):
            if not isinstance(body.get(name, False), bool):
                raise wrong(name, "应为 true 或 false")
        with his.lock:
            if "paused" in body:
                his.queues.pause(code, paused=body["paused"])
            if fields.has("waiting"):
                his.queues.crowd(code, fields.number("waiting", 0, MOST))
            if "calls" in body or "seconds_each" in body:
                each = fields.number("seconds_each", 1, 7200) if fields.has("seconds_each") else None
                his.queues.tell(code, calls=body.get("calls", True), seconds_each=each)
            return jsonify(his.queues.show(code))
