"""A system that makes reports: what it pushes, what it lists, and what its staff do by the control interface."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from flask import Response, jsonify, request

from sandbox.deliveries import Deliveries
from sandbox.his.model import Refused
from sandbox.his.signing import DRIFT_SECONDS, NONCE_FORM, sign_answer, sign_request
from sandbox.reports.made import MEDIA, PANELS, TITLES, WRITERS, Made
from sandbox.reports.pictures import chest, sheet
from sandbox.system import System, World

CLIENT, TIMESTAMP = "X-Report-Client", "X-Report-Timestamp"
NONCE, SIGNATURE = "X-Report-Nonce", "X-Report-Signature"
CALLER = "miniprogram"  # whom the list is for
RETRY_SECONDS = (10, 60, 300, 1800)
LONGEST_PAGE = 20
FINDINGS, CONCLUSION = "双肺纹理清晰，未见实变影。心影大小形态正常。双侧膈面光整。", "心肺膈未见明显异常。"


class ReportSystem(System):
    """The LIS (HL7 v2 in GBK) or the PACS (FHIR, or our JSON). ``person`` gives whom a patient code is of."""

    max_body_bytes = 8 * 1024 * 1024

    def __init__(self, world: World, name: str, *, key: str, push_url: str, person: Callable[[str], dict[str, Any]]
                 ) -> None:
        self.name = name  # before the Flask app takes it
        super().__init__(world)
        self._key = key
        self._push_url = push_url
        self._person = person
        self._reports: dict[str, Made] = {}
        self._changes: list[tuple[str, bytes]] = []  # form and bytes, in the order of the list
        self.deliveries = Deliveries(world, name, "report", stamp=self._stamp, retry_seconds=RETRY_SECONDS)
        self.app.register_error_handler(Refused, lambda error: self.refusal(error.code, error.message, error.status))
        self.app.add_url_rule("/reports/v1/changes", "list_changes", self._list, methods=["GET"])
        add = self.control.add_url_rule
        self.control.register_error_handler(Refused, lambda error: (jsonify(error=error.message), error.status))
        add("/reports", "listing", self._listing, methods=["GET"])
        add("/reports", "release", self._release, methods=["POST"])
        add("/reports/<number>/<what>", "change", self._change, methods=["POST"])
        add("/say", "say", self._say, methods=["POST"])
        add("/mode", "mode", lambda: jsonify(self.deliveries.set_mode(**request.get_json())), methods=["PUT"])
        add("/pushes", "forget", self._forget, methods=["DELETE"])
        add("/pushes", "pushes", lambda: jsonify(self.deliveries.listing()), methods=["GET"])

    def serve(self, port: int = 0) -> str:
        """Start serving and pushing; returns the base address."""
        self.deliveries.start()
        return super().serve(port)

    def stop(self) -> None:
        """Nothing more goes out."""
        self.deliveries.stop()

    # -- the wire -------------------------------------------------------------------------------
    def _stamp(self, url: str, body: bytes) -> dict[str, str]:
        timestamp, nonce = str(int(self.clock.timestamp())), secrets.token_hex(16)
        path = url[url.index("/", len("http://")):]
        form = "hl7" if body.lstrip(b"\x0b")[:3] == b"MSH" else "fhir" if b'"resourceType"' in body else "json"
        return {"Content-Type": MEDIA[form], CLIENT: self.name, TIMESTAMP: timestamp, NONCE: nonce,
                SIGNATURE: sign_request(self._key, "POST", path, timestamp, nonce, body)}

    def seal(self, response: Response) -> Response:
        """Signed under the request's nonce."""
        timestamp, nonce = str(int(self.clock.timestamp())), request.headers.get(NONCE, "")
        nonce = nonce if NONCE_FORM.fullmatch(nonce) else ""
        response.headers[TIMESTAMP] = timestamp
        response.headers[SIGNATURE] = sign_answer(self._key, response.status_code, timestamp, nonce,
                                                  response.get_data())
        return response

    def _list(self) -> Response:
        """``GET /reports/v1/changes?since=&limit=``: every sending since a position, in order."""
        stamp, nonce = request.headers.get(TIMESTAMP, ""), request.headers.get(NONCE, "")
        right = sign_request(self._key, "GET", request.environ["RAW_URI"], stamp, nonce, request.get_data())
        if request.headers.get(CLIENT) != CALLER or not hmac.compare_digest(
                right, request.headers.get(SIGNATURE, "")):
            raise Refused("SIGNATURE_INVALID", "签名错误", 401)
        if not stamp.isdecimal() or abs(self.clock.timestamp() - int(stamp)) > DRIFT_SECONDS:
            raise Refused("TIMESTAMP_EXPIRED", "请求时间与医院时间相差超过五分钟", 401)
        since, limit = request.args.get("since", "") or "0", request.args.get("limit", LONGEST_PAGE, int)
        if not since.isdecimal():
            raise Refused("INVALID_FIELD", "since 无法识别", 422)
        first, size = int(since), min(max(limit, 1), LONGEST_PAGE)
        with self.lock:
            page, more = self._changes[first:first + size], len(self._changes) > first + size
        return jsonify(changes=[{"form": form, "content": base64.b64encode(body).decode()} for form, body in page],
                       position=str(first + len(page)), has_more=more)

    # -- what the staff do ------------------------------------------------------------------------
    def _listing(self) -> Response:
        with self.lock:
            return jsonify([{"number": one.number, "status": one.status, "version": one.version, "title": one.title,
                             "patient_code": one.patient["patient_code"]} for one in self._reports.values()])

    def _release(self) -> tuple[Response, int]:
        """Make a report: ``patient_code``, ``panel`` (or ``title`` with texts), ``values`` by code, ``status``,
        ``visit_number``, ``person`` (other facts than the file has), ``form``, ``push`` (false: only listed)."""
        told: dict[str, Any] = request.get_json()
        now = self.clock.now()
        person = {**self._person(str(told["patient_code"])), **told.get("person", {})}
        number = f"{self.name[0].upper()}{now:%Y%m%d}{secrets.token_hex(5)}"
        at = datetime.fromisoformat(told["at"]) if "at" in told else now
        if told.get("panel", "") in PANELS:
            title, specimen, items = PANELS[told["panel"]]
            one = Made(number, person, "laboratory", title, "final", 1, at, specimen=specimen, collected=at,
                       items=[_item(item, told.get("values", {})) for item in items])
        else:
            title = TITLES.get(told.get("panel", "chest"), told.get("title", "检查"))
            one = Made(number, person, "imaging", title, "final", 1, at, findings=FINDINGS, conclusion=CONCLUSION,
                       collected=at)
            one.files = [("胸部正位片", "image/png", chest()),
                         ("报告单", "application/pdf", sheet(title, f"{FINDINGS}\n{CONCLUSION}"))]
        for name in ("status", "visit_number", "title", "findings", "conclusion", "sensitivity"):
            if name in told:
                setattr(one, name, told[name])
        with self.lock:
            self._reports[number] = one
        return jsonify(self._send(one, told)), 201

    def _change(self, number: str, what: str) -> Response:
        """``correct`` (values, conclusion), ``withdraw``, ``audit`` (a preliminary one is finished), ``resend``."""
        told: dict[str, Any] = request.get_json(silent=True) or {}
        with self.lock:
            before = self._reports.get(number)
            if before is None:
                raise Refused("REPORT_UNKNOWN", "没有这份报告", 404)
            if what == "resend":
                return jsonify(self._send(before, told))
            status = {"correct": "corrected", "withdraw": "entered-in-error", "audit": "final"}.get(what)
            if status is None:
                raise Refused("PATH_UNKNOWN", "没有这个操作", 404)
            values = told.get("values", {})
            one = self._reports[number] = replace(
                before, status=status, version=before.version + 1, at=self.clock.now(),
                items=[_item(item[:5], values) for item in before.items],
                conclusion=told.get("conclusion", before.conclusion))
            return jsonify(self._send(one, told))

    def _send(self, one: Made, told: dict[str, Any]) -> dict[str, Any]:
        form = str(told.get("form") or ("hl7" if self.name == "lis" else "json"))
        content = WRITERS[form](one)
        with self.lock:
            if told.get("list", True):
                self._changes.append((form, content))
        if told.get("push", True):
            self.deliveries.send(f"{one.number}-{one.version}-{secrets.token_hex(3)}", self._push_url, content,
                                 {"number": one.number, "version": one.version})
        return {"number": one.number, "version": one.version, "status": one.status,
                "content": base64.b64encode(content).decode(), "sha256": hashlib.sha256(content).hexdigest()}

    def _say(self) -> Response:
        """Push bytes (``content``, base64) as they are, at once and never again; the status answered."""
        content = base64.b64decode(request.get_json()["content"])
        message = self.deliveries.keep(f"SAY-{secrets.token_hex(8)}", self._push_url, content, {"number": None})
        return jsonify(status=self.deliveries.storm([message], parallel=False)[0])

    def _forget(self) -> tuple[str, int]:
        self.deliveries.forget()
        return "", 204


def _item(item: tuple[str, ...], values: dict[str, str]) -> tuple[str, str, str, str, str, str]:
    """An item with its value of this time, marked as a laboratory marks it."""
    code, name, unit, usual, value = item
    value = str(values.get(code, value))
    flag, (low, _, high) = "", usual.partition("-")
    if value.replace(".", "", 1).isdecimal() and low and high:
        number = float(value)
        above = "HH" if number > 3 * float(high) else "H"
        flag = above if number > float(high) else "L" if number < float(low) else "N"
    elif value != usual:
        flag = "A"
    return code, name, unit, usual, value, flag
