"""The HIS as a server: its operations over HTTP, signed both ways."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any, cast

from flask import Response, request
from flask.json.provider import DefaultJSONProvider
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, RequestEntityTooLarge

from sandbox.his.desk import add_desk
from sandbox.his.model import Refused, Schedule
from sandbox.his.patients import Patients
from sandbox.his.registrations import Registrations
from sandbox.his.sessions import Sessions
from sandbox.his.signing import NONCE, NONCE_FORM, SIGNATURE, TIMESTAMP, Gate, sign_answer
from sandbox.his.wire import cursor_of, json_object, read_cursor, read_day, read_limit, wrong
from sandbox.system import System, World

BASE = "/his/v1"
MAX_BODY_BYTES = 64 * 1024
PAGE, LONGEST_PAGE = 100, 200


class His(System):
    """A large hospital: departments, doctors, sessions, patients and registrations.

    ``client_id`` and ``key`` are the one caller's; ``seed`` decides all invented data; before ``start``
    there are no sessions (None: sessions from today on).
    """

    name = "his"

    def __init__(self, world: World, *, client_id: str, key: str, seed: int = 20181,
                 start: date | None = None) -> None:
        super().__init__(world)
        self._key = key
        self._gate = Gate(client_id, key)
        self.sessions = Sessions(self.clock, seed, start)
        self.patients = Patients(seed)
        self.registrations = Registrations(self.clock, self.sessions, self.patients)
        self.app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
        provider = cast(DefaultJSONProvider, self.app.json)
        provider.sort_keys, provider.ensure_ascii = False, False
        self.app.before_request(self._admit)
        self.app.register_error_handler(Refused, self._refused)
        self.app.register_error_handler(HTTPException, self._not_served)
        self._add_operations()
        add_desk(self)

    def seal(self, response: Response) -> Response:
        """Sign the answer under the request's nonce (empty when the request had no proper one)."""
        timestamp, nonce = str(int(self.clock.timestamp())), request.headers.get(NONCE, "")
        if not NONCE_FORM.fullmatch(nonce):
            nonce = ""
        response.headers[TIMESTAMP] = timestamp
        response.headers[NONCE] = nonce
        body = response.get_data()
        response.headers[SIGNATURE] = sign_answer(self._key, response.status_code, timestamp, nonce, body)
        return response

    # -- the door -------------------------------------------------------------------------------
    def _admit(self) -> None:
        body = request.get_data(cache=True)
        with self.lock:
            self._gate.check(request.method, request.environ["RAW_URI"], request.headers, body,
                             self.clock.timestamp())

    def _refused(self, error: Refused) -> Response:
        self.note(code=error.code)
        response = self.refusal(error.code, error.message, error.status)
        if error.field is not None:
            response.set_data(self.app.json.dumps(
                {"code": error.code, "message": error.message, "field": error.field}))
        return response

    def _not_served(self, error: HTTPException) -> Response:
        if isinstance(error, RequestEntityTooLarge):
            return self._refused(Refused("BODY_TOO_LARGE", "请求体超过 64 KB", 413))
        if isinstance(error, NotFound):
            return self._refused(Refused("PATH_UNKNOWN", "没有这个接口", 404))
        if isinstance(error, MethodNotAllowed):
            return self._refused(Refused("METHOD_NOT_ALLOWED", "该接口不支持此方法", 405))
        return self._refused(Refused("MALFORMED", "请求无法识别", 400) if (error.code or 500) < 500
                             else Refused("INTERNAL", "医院系统内部错误", error.code or 500))

    # -- operations -----------------------------------------------------------------------------
    def _add_operations(self) -> None:
        reads: dict[str, tuple[str, Callable[..., dict[str, Any]]]] = {
            "list_departments": ("/departments", self._departments),
            "list_doctors": ("/doctors", self._doctors),
            "list_schedules": ("/schedules", self._schedules),
            "check_trade": ("/trades/<trade_no>", self._trade),
            "list_trades": ("/trades", self._trades),
        }
        for endpoint, (path, read) in reads.items():
            self.app.add_url_rule(BASE + path, endpoint, self._locked(read), methods=["GET"])
        writes: dict[str, tuple[str, Callable[[dict[str, Any]], dict[str, Any]]]] = {
            "match_patient": ("/patients/match-or-create", self._match_patient),
            "lock_registration": ("/registrations/lock", self.registrations.lock),
            "unlock_registration": ("/registrations/unlock", self.registrations.unlock),
            "confirm_registration": ("/registrations/confirm", self.registrations.confirm),
            "cancel_registration": ("/registrations/cancel", self.registrations.cancel),
        }
        for endpoint, (path, write) in writes.items():
            self.app.add_url_rule(BASE + path, endpoint, self._written(write), methods=["POST"])

    def _locked(self, read: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
        def view(**path: str) -> dict[str, Any]:
            with self.lock:
                return read(**path)
        return view

    def _written(self, write: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
        def view() -> dict[str, Any]:
            body = json_object(request.get_data())
            with self.lock:
                answer = write(body)
            self.note(**{name: answer[name] for name in ("trade_no", "state") if name in answer})
            return answer
        return view

    def _departments(self) -> dict[str, Any]:
        return {"departments": [department.wire() for department in self.sessions.departments.values()]}

    def _doctors(self) -> dict[str, Any]:
        return {"doctors": [doctor.wire() for doctor in self.sessions.doctors.values()]}

    def _match_patient(self, body: dict[str, Any]) -> dict[str, Any]:
        patient, created = self.patients.match_or_create(body, self.sessions.today())
        return {"patient_code": patient.code, "card_number": patient.card_number, "created": created}

    def _schedules(self) -> dict[str, Any]:
        asked = request.args
        limit = read_limit(asked.get("limit"), PAGE, LONGEST_PAGE)
        after = read_cursor(asked["cursor"], 1)[0] if "cursor" in asked else ""
        now = self.clock.now()
        found = [
            session for session in self._asked_sessions()
            if asked.get("department") in (None, session.department.code)
            and asked.get("doctor") in (None, session.doctor.code) and session.code > after
        ]
        page = found[:limit]
        more = cursor_of(page[-1].code) if len(found) > limit else None
        return {"schedules": [session.wire(now) for session in page], "next_cursor": more}

    def _asked_sessions(self) -> list[Schedule]:
        asked = request.args
        if "department" in asked and asked["department"] not in self.sessions.departments:
            raise Refused("DEPARTMENT_UNKNOWN", "科室不存在", 404)
        if "doctor" in asked and asked["doctor"] not in self.sessions.doctors:
            raise Refused("DOCTOR_UNKNOWN", "医生不存在", 404)
        if "schedule" in asked:
            session = self.sessions.schedule(asked["schedule"])
            if session is None:
                raise Refused("SCHEDULE_UNKNOWN", "班次不存在", 404)
            return [session]
        first = read_day("from", asked["from"]) if "from" in asked else date.min
        last = read_day("to", asked["to"]) if "to" in asked else date.max
        if last < first:
            raise wrong("to", "结束日期早于开始日期")
        return self.sessions.between(first, last)

    def _trade(self, trade_no: str) -> dict[str, Any]:
        answer = self.registrations.trade(trade_no)
        self.note(trade_no=trade_no, state=answer["state"])
        return answer

    def _trades(self) -> dict[str, Any]:
        asked = request.args
        limit = read_limit(asked.get("limit"), PAGE, LONGEST_PAGE)
        day = read_day("date", asked.get("date"))
        after = read_cursor(asked["cursor"], 2) if "cursor" in asked else ("", "")
        found = [
            (mark, trade) for changed, trade in self.registrations.trades_on(day)
            if (mark := (f"{changed.timestamp():.6f}", str(trade["trade_no"]))) > after
        ]
        more = cursor_of(*found[limit - 1][0]) if len(found) > limit else None
        return {"trades": [trade for _, trade in found[:limit]], "next_cursor": more}
