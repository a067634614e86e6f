"""The control side of the HIS: what the hospital's own staff would do, and a look into its books."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify, request

from sandbox.his.hospital import Hospital
from sandbox.his.model import KINDS, PERIODS, Department, Doctor, Refused, Schedule
from sandbox.his.patients import NAME
from sandbox.his.staff import ASSOCIATE
from sandbox.his.wire import CODE, Fields, json_object
from sandbox.latest import latest

MOST_SLOTS = 10_000
_SESSION_FIELDS = (
    "department_code", "department_codes", "doctor_code", "doctor", "doctor_name", "title", "date",
    "period", "kind", "fee_fen", "slots", "minutes",
)


def add_desk(his: Hospital) -> None:
    """Put the control routes onto ``his.control``; a wrong request is answered 4xx ``{"error": …}``."""
    _add_books(his)
    _add_sessions(his)
    _add_places(his)


def _add_books(his: Hospital) -> None:
    control = his.control

    @control.errorhandler(Refused)
    def refused(error: Refused) -> tuple[Response, int]:
        where = f" ({error.field})" if error.field else ""
        return jsonify(error=f"{error.code}{where}: {error.message}"), error.status

    @control.get("/books", endpoint="books")
    def books() -> Response:
        with his.lock:
            return jsonify([his.registrations.view(one) for one in latest(his.registrations.all(), "patient_code")])

    @control.get("/patients", endpoint="patients")
    def patients() -> Response:
        with his.lock:
            wanted = request.args.get("id_number")
            return jsonify(patients=[one for one in his.patients.listing() if wanted in (None, one["id_number"])])

    @control.get("/departments", endpoint="departments")
    def departments() -> Response:
        with his.lock:
            return jsonify(departments=[one.wire() for one in his.sessions.departments.values()])

    @control.get("/doctors", endpoint="doctors")
    def doctors() -> Response:
        with his.lock:
            return jsonify(doctors=[one.wire() for one in his.sessions.doctors.values()])

    @control.get("/schedules", endpoint="schedules")
    def schedules() -> Response:
        """The sessions of a ``?date=``, of a ``?department_code=`` when one is named: without their slots."""
        fields, now = Fields(request.args.to_dict(), ("date", "department_code")), his.clock.now()
        day = fields.day("date")
        with his.lock:
            shown = [one for one in his.sessions.between(day, day)
                     if one.department.code == request.args.get("department_code", one.department.code)]
            return jsonify([{**{name: value for name, value in one.wire(now).items() if name != "slots"},
                             "doctor_name": one.doctor.name, "department_name": one.department.name,
                             "free": sum(slot.is_free(now) for slot in one.slots)} for one in shown])

def _add_sessions(his: Hospital) -> None:
    control = his.control

    @control.post("/schedules", endpoint="open_schedule")
    def open_schedule() -> tuple[Response, int]:
        with his.lock:
            return jsonify(_open(his).wire(his.clock.now())), 201

    @control.post("/schedules/<code>/stop", endpoint="stop_schedule")
    def stop_schedule(code: str) -> Response:
        """``cancel``: what is firm in it is cancelled too. ``tell``: the caller hears of it by an event."""
        raw = request.get_data()
        wanted = json_object(raw) if raw else {}
        with his.lock:
            session = his.sessions.known(code)
            session.state = "STOPPED"
            ended = his.registrations.stop(session) if wanted.get("cancel") else []
        if wanted.get("tell"):
            his.events.tell("SESSION_STOPPED", None, schedule_code=code)
            for one in ended:
                his.events.tell("REGISTRATION_CANCELLED", one.patient_code, trade_no=one.trade_no)
        return jsonify(session.wire(his.clock.now()))

    @control.post("/schedules/<code>/reopen", endpoint="reopen_schedule")
    def reopen_schedule(code: str) -> Response:
        with his.lock:
            session = his.sessions.known(code)
            session.state = "OPEN"
            return jsonify(session.wire(his.clock.now()))

    @control.post("/schedules/<code>/fee", endpoint="change_fee")
    def change_fee(code: str) -> Response:
        fields = Fields(json_object(request.get_data()), ("fee_fen",))
        with his.lock:
            session = his.sessions.known(code)
            session.fee_fen = fields.fen("fee_fen")
            return jsonify(session.wire(his.clock.now()))


def _add_places(his: Hospital) -> None:
    control = his.control

    @control.post("/slots/<code>/take", endpoint="take_slot")
    def take_slot(code: str) -> Response:
        with his.lock:
            slot = his.sessions.known_slot(code)
            if not slot.is_free(his.clock.now()):
                raise Refused("SLOT_TAKEN", "号源已被占用")
            slot.sold = True
            return jsonify(slot.wire(his.clock.now()))

    @control.post("/slots/<code>/free", endpoint="free_slot")
    def free_slot(code: str) -> Response:
        with his.lock:
            slot = his.sessions.known_slot(code)
            if slot.held_by(his.clock.now()):
                raise Refused("SLOT_HELD", "号源由一个有效挂号占用，请用解锁或退号")
            slot.sold = False
            return jsonify(slot.wire(his.clock.now()))

    @control.post("/registrations/<trade_no>/check-in", endpoint="check_in")
    def check_in(trade_no: str) -> Response:
        raw = request.get_data()
        fields = Fields(json_object(raw) if raw else {}, ("payment",))
        with his.lock:
            return jsonify(his.check_ins.arrive(trade_no, fields))


def _open(his: Hospital) -> Schedule:
    body = json_object(request.get_data())
    fields = Fields(body, _SESSION_FIELDS)
    day, period = fields.day("date"), fields.choice("period", PERIODS)
    kind, fee_fen = fields.choice("kind", KINDS), fields.fen("fee_fen")
    number = fields.number("slots", 1, MOST_SLOTS)
    minutes = fields.number("minutes", 1, 30) if fields.has("minutes") else None
    homes = [his.sessions.known_department(code) for code in _department_codes(fields, body)]
    department = his.sessions.known_department(fields.text("department_code", CODE)) if fields.has("department_code") \
        else homes[0]
    if not his.sessions.in_horizon(day):
        raise Refused("DAY_OUT_OF_RANGE", "日期不在排班范围内", 422, "date")
    doctor = _doctor(his, fields, homes)
    return his.sessions.open(department, doctor, day, period, kind, fee_fen=fee_fen, number=number,
                             minutes=minutes)


def _department_codes(fields: Fields, body: dict[str, Any]) -> list[str]:
    """The departments of a new doctor; by default the session's own."""
    codes = body.get("department_codes")
    if codes is None:
        return [fields.text("department_code", CODE)]
    if not isinstance(codes, list) or not codes or not all(isinstance(code, str) for code in codes):
        raise Refused("INVALID_FIELD", "应为科室代码的列表", 422, "department_codes")
    return list(dict.fromkeys(codes))


def _doctor(his: Hospital, fields: Fields, homes: list[Department]) -> Doctor:
    if fields.has("doctor_code"):
        return his.sessions.known_doctor(fields.text("doctor_code", CODE))
    fields.choice("doctor", ("new",))
    name = fields.text("doctor_name", NAME) if fields.has("doctor_name") else "曾试诊"
    title = fields.text("title", NAME) if fields.has("title") else ASSOCIATE
    return his.sessions.hire(homes, name, title)
