"""The control side of what moves under everybody: sessions handed over, records merged, the window's own ways."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from flask import Response, jsonify, request

from sandbox.his.hospital import Hospital
from sandbox.his.model import PERIODS, Schedule, moment_of
from sandbox.his.patients import NAME, PHONE, SEXES, Patient, document_of
from sandbox.his.payments import TRANSACTION
from sandbox.his.registrations import wire_registration
from sandbox.his.wire import CODE, Fields, json_object, show

_SESSION_FIELDS = ("doctor_code", "department_code", "date", "period", "starts_at", "clinic_room")
_CLOCK_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]"


def add_office(his: Hospital) -> None:
    """Put the control routes onto ``his.control``; a wrong request is answered 4xx ``{"error": …}``."""
    _add_rota(his)
    _add_records(his)
    _add_window(his)


def _add_rota(his: Hospital) -> None:
    control = his.control

    @control.post("/schedules/<code>/change", endpoint="change_schedule")
    def change_schedule(code: str) -> Response:
        """``tell``: the caller hears of it by an event."""
        body = _body()
        told = bool(body.pop("tell", False))
        fields = Fields(body, _SESSION_FIELDS)
        with his.lock:
            session = his.sessions.known(code)
            _change(his, session, fields)
            shown = session.wire(his.clock.now())
        if told:
            his.events.tell("SESSION_CHANGED", None, schedule_code=code)
        return jsonify(shown)

    @control.post("/slots/<code>/move", endpoint="move_slot")
    def move_slot(code: str) -> Response:
        """The place keeps its code, and is another session's from now on."""
        target = Fields(_body(), ("schedule",)).text("schedule", CODE)
        with his.lock:
            slot = his.sessions.known_slot(code)
            his.sessions.move_slot(slot, his.sessions.known(target))
            return jsonify(slot.schedule.wire(his.clock.now()))


def _change(his: Hospital, session: Schedule, fields: Fields) -> None:
    """Every part that is named; the session and its slots keep their codes, its registrations their slots."""
    doctor, department = session.doctor, session.department
    if fields.has("doctor_code"):
        doctor = his.sessions.known_doctor(fields.text("doctor_code", CODE))
    if fields.has("department_code"):
        department = his.sessions.known_department(fields.text("department_code", CODE))
    day = fields.day("date") if fields.has("date") else session.day
    period = fields.choice("period", PERIODS) if fields.has("period") else session.period
    room = fields.text("clinic_room", NAME) if fields.has("clinic_room") else session.clinic_room
    if fields.has("starts_at"):
        hours, minutes = fields.text("starts_at", _CLOCK_TIME, "应为 HH:MM").split(":")
        starts_at = moment_of(day, int(hours) * 60 + int(minutes))
    elif fields.has("period"):
        starts_at = moment_of(day, PERIODS[period][0])
    else:
        starts_at = session.starts_at + timedelta(days=(day - session.day).days)
    session.doctor, session.department, session.clinic_room = doctor, department, room
    his.sessions.move(session, day, period, starts_at)


def _add_records(his: Hospital) -> None:
    control = his.control

    @control.post("/patients", endpoint="register_patient")
    def register_patient() -> tuple[Response, int]:
        """The window makes a file, or finds it, with a name written as it will."""
        with his.lock:
            patient, _ = his.patients.match_or_create(_body(), his.sessions.today())
            return jsonify(his.patients.file(patient.code)), 201

    @control.post("/patients/<code>/merge", endpoint="merge_patient")
    def merge_patient(code: str) -> Response:
        """The record is gone: its document leads to another one, which has all that was under it."""
        fields = Fields(_body(), ("into",))
        with his.lock:
            into = his.patients.merge(code, fields.text("into", CODE) if fields.has("into") else None)
            his.trades.hand_over(code, into.code)
            his.registrations.hand_over(code, into.code)
            his.bills.hand_over(code, into.code)
            his.events.tell("PATIENT_CHANGED", code)
            return jsonify(_shown(into))

    @control.post("/patients/<code>/correct", endpoint="correct_patient")
    def correct_patient(code: str) -> Response:
        """Other personal data, or another document: then the one of before leads to the file no more."""
        fields = Fields(_body(), ("name", "sex", "birth_date", "id_type", "id_number", "phone"))
        changes: dict[str, Any] = {}
        if fields.has("name"):
            changes["name"] = fields.text("name", NAME)
        if fields.has("sex"):
            changes["sex"] = fields.choice("sex", SEXES)
        if fields.has("birth_date"):
            changes["birth_date"] = fields.day("birth_date")
        if fields.has("phone"):
            changes["phone"] = fields.text("phone", PHONE)
        with his.lock:
            if fields.has("id_type"):
                his.patients.give_document(code, *document_of(fields))
            corrected = his.patients.correct(code, **changes)
            his.events.tell("PATIENT_CHANGED", code)
            return jsonify(_shown(corrected))


def _shown(patient: Patient) -> dict[str, Any]:
    return {"patient_code": patient.code, "card_number": patient.card_number, "name": patient.name,
            "sex": patient.sex, "birth_date": patient.birth_date.isoformat()}


def _add_window(his: Hospital) -> None:
    control = his.control

    @control.post("/registrations/<trade_no>/confirm-at-desk", endpoint="confirm_at_desk")
    def confirm_at_desk(trade_no: str) -> Response:
        """The window makes a held registration firm, with a payment of its own."""
        fields = Fields(_body(), ("transaction_id", "mode"))
        mode = fields.choice("mode", ("PREPAID", "AT_CHECKIN")) if fields.has("mode") else "PREPAID"
        with his.lock:
            now = his.clock.now()
            number = (fields.text("transaction_id", TRANSACTION) if fields.has("transaction_id")
                      else f"DESK{re.sub('[^0-9A-Za-z]', '', trade_no)[-26:]}")
            payment: dict[str, Any] = {"mode": mode}
            if mode == "PREPAID":
                payment |= {"channel": "WECHAT", "transaction_id": number,
                            "paid_fen": his.registrations.known(trade_no).fee_fen, "paid_at": show(now)}
            his.registrations.confirm({"trade_no": trade_no, "payment": payment})
            return jsonify(wire_registration(his.registrations.known(trade_no), now))

    @control.post("/registrations/<trade_no>/end-at-desk", endpoint="end_at_desk")
    def end_at_desk(trade_no: str) -> Response:
        """The window ends a registration, held or firm, paid or free; no money of the caller's moves."""
        fields = Fields(_body(), ("reason",))
        reason = fields.text("reason", r"(?s).{1,200}") if fields.has("reason") else "窗口退号"
        with his.lock:
            one = his.registrations.end(trade_no, reason)
            his.check_ins.leave(one)
            shown = wire_registration(one, his.clock.now())
        if one.stored == "CANCELLED":
            his.events.tell("REGISTRATION_CANCELLED", one.patient_code, trade_no=one.trade_no)
        return jsonify(shown)

    @control.post("/registrations/<trade_no>/attendance", endpoint="put_attendance_right")
    def put_attendance_right(trade_no: str) -> Response:
        """Staff say who came, also long after."""
        state = Fields(_body(), ("state",)).choice("state", ("ATTENDED", "ABSENT", "UNKNOWN"))
        with his.lock:
            return jsonify(his.check_ins.put_right(trade_no, state))


def _body() -> dict[str, Any]:
    raw = request.get_data()
    return json_object(raw) if raw else {}
