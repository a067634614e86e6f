"""The HIS as a server: its operations over HTTP, signed both ways."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any, cast

from flask import Response, request
from flask.json.provider import DefaultJSONProvider
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from sandbox.his.bill_desk import add_bill_desk
from sandbox.his.bills import Bills
from sandbox.his.charges import Charges
from sandbox.his.checkin import CheckIns
from sandbox.his.desk import add_desk
from sandbox.his.desk_refunds import DeskRefunds, wire_refund
from sandbox.his.events import Events
from sandbox.his.model import Refused, Registration, Schedule, Trade
from sandbox.his.money import BILL_STATES, Charge
from sandbox.his.office import add_office
from sandbox.his.patients import Patients
from sandbox.his.registrations import Registrations, wire_registration
from sandbox.his.sessions import Sessions
from sandbox.his.signing import NONCE, NONCE_FORM, SIGNATURE, TIMESTAMP, Gate, sign_answer
from sandbox.his.trades import BY, Trades
from sandbox.his.wire import cursor_of, json_object, read_cursor, read_day, read_limit, wrong
from sandbox.system import System, World

BASE = "/his/v1"
PAGE, LONGEST_PAGE = 100, 200


class His(System):
    """A large hospital: departments, doctors, sessions, patients, registrations and outpatient bills.

    ``client_id`` and ``key`` are the one caller's; ``seed`` decides all invented data; before ``start``
    there are no sessions (None: sessions from today on). ``events_url`` is where the caller takes events
    (empty: none are told), ``qr_key`` signs the codes on prescriptions (empty: there are none), and
    check-in begins ``checkin_lead_minutes`` before a session.
    """

    name = "his"
    max_body_bytes = 64 * 1024

    def __init__(self, world: World, *, client_id: str, key: str, seed: int = 20181,
                 start: date | None = None, events_url: str = "", qr_key: str = "",
                 checkin_lead_minutes: int = 120) -> None:
        super().__init__(world)
        self._key = key
        self.qr_key = qr_key
        self._gate = Gate(client_id, key)
        self.sessions = Sessions(self.clock, seed, start)
        self.patients = Patients(seed)
        self.trades = Trades()
        self.registrations = Registrations(self.clock, self.sessions, self.patients, self.trades)
        self.check_ins = CheckIns(self.clock, self.registrations, self.trades,
                                  timedelta(minutes=checkin_lead_minutes))
        self.bills = Bills(self.clock, self.patients, seed)
        self.charges = Charges(self.clock, self.bills, self.trades)
        self.desk_refunds = DeskRefunds(self.clock, self.trades, self.check_ins)
        self.events = Events(world, key, events_url)
        provider = cast(DefaultJSONProvider, self.app.json)
        provider.sort_keys, provider.ensure_ascii = False, False
        self.app.before_request(self._admit)
        self.app.register_error_handler(Refused, self._refused)
        self.app.register_error_handler(HTTPException, self._not_served)
        self._add_operations()
        add_desk(self)
        add_bill_desk(self)
        add_office(self)

    def serve(self, port: int = 0) -> str:
        """Start serving and telling events; returns the base address."""
        self.events.deliveries.start()
        return super().serve(port)

    def stop(self) -> None:
        """No more events go out."""
        self.events.deliveries.stop()

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

    def too_large(self, error: HTTPException) -> Response:
        """In the contract's form."""
        return self._refused(Refused("BODY_TOO_LARGE", "请求体超过 64 KB", 413))

    def _not_served(self, error: HTTPException) -> Response:
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
            "list_trades": ("/trades", self._trades_of_day),
            "list_bills": ("/patients/<patient_code>/bills", self._bills),
            "get_bill": ("/bills/<bill_no>", self._bill),
            "refundability": ("/charges/<trade_no>/refundability", self.charges.refundability),
            "list_desk_refunds": ("/desk-refunds", self._desk_refunds_of_day),
            "get_desk_refund": ("/desk-refunds/<refund_no>", self._desk_refund),
        }
        for endpoint, (path, read) in reads.items():
            self.app.add_url_rule(BASE + path, endpoint, self._locked(read), methods=["GET"])
        writes: dict[str, tuple[str, Callable[..., dict[str, Any]]]] = {
            "match_patient": ("/patients/match-or-create", self._match_patient),
            "lock_registration": ("/registrations/lock", self.registrations.lock),
            "unlock_registration": ("/registrations/unlock", self.registrations.unlock),
            "confirm_registration": ("/registrations/confirm", self.registrations.confirm),
            "cancel_registration": ("/registrations/cancel", self.registrations.cancel),
            "check_in": ("/registrations/check-in", self.check_ins.check_in),
            "lock_charge": ("/charges/lock", self.charges.lock),
            "unlock_charge": ("/charges/unlock", self.charges.unlock),
            "settle_charge": ("/charges/settle", self.charges.settle),
            "cancel_charge": ("/charges/cancel", self.charges.cancel),
            "report_desk_refund": ("/desk-refunds/<refund_no>/result", self.desk_refunds.report),
        }
        for endpoint, (path, write) in writes.items():
            self.app.add_url_rule(BASE + path, endpoint, self._written(write), methods=["POST"])

    def _locked(self, read: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
        def view(**path: str) -> dict[str, Any]:
            with self.lock:
                return read(**path)
        return view

    def _written(self, write: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
        def view(**path: str) -> dict[str, Any]:
            body = json_object(request.get_data())
            with self.lock:
                answer = write(body=body, **path)
            self.note(**{name: answer[name] for name in ("trade_no", "bill_no", "refund_no", "state")
                         if name in answer})
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

    def _bills(self, patient_code: str) -> dict[str, Any]:
        state = request.args.get("state")
        if state is not None and state not in BILL_STATES:
            raise wrong("state", "不在允许的取值之内")
        return {"bills": self.bills.of_patient(patient_code, BILL_STATES if state is None else (state,))}

    def _bill(self, bill_no: str) -> dict[str, Any]:
        return self.bills.known(bill_no).wire(self.clock.now())

    def _desk_refund(self, refund_no: str) -> dict[str, Any]:
        return wire_refund(self.desk_refunds.known(refund_no))

    def _desk_refunds_of_day(self) -> dict[str, Any]:
        asked = request.args
        limit = read_limit(asked.get("limit"), PAGE, LONGEST_PAGE)
        after = read_cursor(asked["cursor"], 1)[0] if "cursor" in asked else ""
        found = [one for one in self.desk_refunds.of_day(read_day("date", asked.get("date")))
                 if one.refund_no > after]
        more = cursor_of(found[limit - 1].refund_no) if len(found) > limit else None
        return {"desk_refunds": [wire_refund(one) for one in found[:limit]], "next_cursor": more}

    def _trade(self, trade_no: str) -> dict[str, Any]:
        answer = _wire(self.trades.any(trade_no), self.clock.now())
        self.note(trade_no=trade_no, state=answer["state"])
        return answer

    def _trades_of_day(self) -> dict[str, Any]:
        asked = request.args
        limit = read_limit(asked.get("limit"), PAGE, LONGEST_PAGE)
        day, by, now = read_day("date", asked.get("date")), asked.get("by", "STATE"), self.clock.now()
        if by not in BY:
            raise wrong("by", "不在允许的取值之内")
        after = read_cursor(asked["cursor"], 2) if "cursor" in asked else ("", "")
        found = [(mark, one) for moment, one in self.trades.on(day, by, now)
                 if (mark := (f"{moment.timestamp():.6f}", one.trade_no)) > after]
        more = cursor_of(*found[limit - 1][0]) if len(found) > limit else None
        return {"trades": [_wire(one, now) for _, one in found[:limit]], "next_cursor": more}


def _wire(one: Trade, now: datetime) -> dict[str, Any]:
    if isinstance(one, Charge):
        return one.wire(now)
    if isinstance(one, Registration):
        return wire_registration(one, now)
    raise TypeError(f"no way to show a trade of kind {one.kind}")
