"""The hospital behind the HIS's interface: its books, and the door that checks and signs."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, cast

from flask import Response, request
from flask.json.provider import DefaultJSONProvider
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from sandbox.his.bills import Bills
from sandbox.his.charges import Charges
from sandbox.his.checkin import CheckIns
from sandbox.his.desk_refunds import DeskRefunds
from sandbox.his.events import Events
from sandbox.his.model import Refused
from sandbox.his.moves import Moves
from sandbox.his.patients import Patients
from sandbox.his.proofs import Proofs
from sandbox.his.queues import Queues
from sandbox.his.registrations import Registrations
from sandbox.his.sessions import Sessions
from sandbox.his.signing import NONCE, NONCE_FORM, SIGNATURE, TIMESTAMP, Gate, sign_answer
from sandbox.his.trades import Trades
from sandbox.system import System, World


class Hospital(System):
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
        self.patients = Patients(self.clock, seed)
        self.trades = Trades()
        self.registrations = Registrations(self.clock, self.sessions, self.patients, self.trades)
        self.moves = Moves(self.clock, self.registrations, self.trades)
        self.check_ins = CheckIns(self.clock, self.registrations, self.trades,
                                  timedelta(minutes=checkin_lead_minutes))
        self.queues = Queues(self.clock, seed, self.sessions, self.registrations, self.check_ins)
        self.bills = Bills(self.clock, self.patients, seed)
        self.charges = Charges(self.clock, self.bills, self.trades)
        self.proofs = Proofs(self.clock, self.patients, self.bills, self.trades)
        self.desk_refunds = DeskRefunds(self.clock, self.trades, self.check_ins)
        self.events = Events(world, key, events_url)
        provider = cast(DefaultJSONProvider, self.app.json)
        provider.sort_keys, provider.ensure_ascii = False, False
        self.app.before_request(self._admit)
        self.app.register_error_handler(Refused, self._refused)
        self.app.register_error_handler(HTTPException, self._not_served)
        self.add_operations()

    def add_operations(self) -> None:
        """Subclasses add theirs."""

    def person(self, patient_code: str) -> dict[str, Any]:
        """Who a code is of, for the hospital's other systems. Raises Refused PATIENT_UNKNOWN."""
        with self.lock:
            return self.patients.file(patient_code)

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
