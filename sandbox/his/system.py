"""The HIS as a server: its operations over HTTP, signed both ways."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from flask import request

from sandbox.his.bill_desk import add_bill_desk
from sandbox.his.desk import add_desk
from sandbox.his.desk_refunds import wire_refund
from sandbox.his.hospital import Hospital
from sandbox.his.model import Refused, Registration, Schedule, Trade
from sandbox.his.money import BILL_STATES, Charge
from sandbox.his.office import add_office
from sandbox.his.queue_desk import add_queue_desk
from sandbox.his.registrations import wire_registration
from sandbox.his.trades import BY, STATES
from sandbox.his.wire import cursor_of, json_object, read_cursor, read_day, read_limit, wrong

BASE = "/his/v1"
PAGE, LONGEST_PAGE = 100, 200


class His(Hospital):
    """A large hospital with the interface of the contract, and the control side of its staff."""

    def add_operations(self) -> None:
        """The contract's, and what the staff does."""
        add_desk(self)
        add_bill_desk(self)
        add_office(self)
        add_queue_desk(self)
        reads: dict[str, tuple[str, Callable[..., dict[str, Any]]]] = {
            "list_departments": ("/departments", self._departments),
            "list_doctors": ("/doctors", self._doctors),
            "list_schedules": ("/schedules", self._schedules),
            "check_trade": ("/trades/<trade_no>", self._trade),
            "list_trades": ("/trades", self._trades_of_day),
            "patient_file": ("/patients/<patient_code>", self.patients.file),
            "show_queue": ("/queues/<code>", self.queues.show),
            "list_bills": ("/patients/<patient_code>/bills", self._bills),
            "get_bill": ("/bills/<bill_no>", self._bill),
            "refundability": ("/charges/<trade_no>/refundability", self.charges.refundability),
            "list_attendance": ("/attendance", self._attendance_of_day),
            "list_desk_refunds": ("/desk-refunds", self._desk_refunds_of_day),
            "get_desk_refund": ("/desk-refunds/<refund_no>", self._desk_refund),
        }
        for endpoint, (path, read) in reads.items():
            self.app.add_url_rule(BASE + path, endpoint, self._locked(read), methods=["GET"])
        writes: dict[str, tuple[str, Callable[..., dict[str, Any]]]] = {
            "match_patient": ("/patients/match-or-create", self._match_patient),
            "check_visit": ("/patients/<patient_code>/visit-check", self.proofs.check),
            "lock_registration": ("/registrations/lock", self.registrations.lock),
            "unlock_registration": ("/registrations/unlock", self.registrations.unlock),
            "confirm_registration": ("/registrations/confirm", self.registrations.confirm),
            "cancel_registration": ("/registrations/cancel", self.registrations.cancel),
            "move_registration": ("/registrations/move", self.moves.move),
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

    def _attendance_of_day(self) -> dict[str, Any]:
        asked = request.args
        limit = read_limit(asked.get("limit"), PAGE, LONGEST_PAGE)
        after = read_cursor(asked["cursor"], 1)[0] if "cursor" in asked else ""
        day = read_day("date", asked.get("date"))
        found = [one for one in self.check_ins.attendance(day) if one["trade_no"] > after]
        more = cursor_of(found[limit - 1]["trade_no"]) if len(found) > limit else None
        return {"attendances": found[:limit], "next_cursor": more}

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
        state = asked.get("state")
        if state not in (None, *STATES):
            raise wrong("state", "不在允许的取值之内")
        after = read_cursor(asked["cursor"], 2) if "cursor" in asked else ("", "")
        found = [(mark, one) for moment, one in self.trades.on(day, by, now)
                 if (mark := (f"{moment.timestamp():.6f}", one.trade_no)) > after
                 and state in (None, one.state_at(now))]
        more = cursor_of(*found[limit - 1][0]) if len(found) > limit else None
        return {"trades": [_wire(one, now) for _, one in found[:limit]], "next_cursor": more}


def _wire(one: Trade, now: datetime) -> dict[str, Any]:
    if isinstance(one, Charge):
        return one.wire(now)
    if isinstance(one, Registration):
        return wire_registration(one, now)
    raise TypeError(f"no way to show a trade of kind {one.kind}")
