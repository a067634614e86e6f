"""The steps of ``make demo`` about a clinic that is stopped: one patient moves, one is paid back, one is reminded."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from sandbox.people import person
from sandbox.phone import Control, Phone
from scripts.journey import SENDING, StepFailed, Walk, clock, expect, moment, yuan
from scripts.journey_reports import read_reports
from scripts.journey_voices import think
from scripts.journey_waiting import Waiting


class Stopped(Walk):
    """As :class:`Walk`; the day has been closed, and it is the next morning."""

    def stopped_clinic(self) -> None:
        """Two are registered for tomorrow; their clinic is stopped."""
        control, mine, other = self.control, self.phone.sign_in(), Phone(self.control).sign_in()
        tomorrow = mine.call("GET", "booking/days")["days"][1]["day"]
        for phone in (mine, other):
            for scene in ("booking", "changes"):
                phone.allow_messages(scene)
        session = next((one for one in self._open_sessions(tomorrow) if one["free"] > 1), None)
        if session is None:
            raise StepFailed("no session of tomorrow has two free places")
        with self.step("停诊 their clinic is stopped, pushed") as facts:
            code = self._code(session)
            patients = (self.patient, other.add_patient(person(), relation="SELF"))
            held = [self._registered(phone, patient, session)
                    for phone, patient in zip((mine, other), patients, strict=True)]
            control("POST", f"/his/schedules/{code}/stop", tell=True)
            told = self.told("停诊通知", 1)
            facts += [f"{session['doctor_name']} {tomorrow} {session['period']}", *told[0]["lines"][-1:]]
        with self.step("改约 one moves, nothing to pay again") as facts:
            facts += self._moved(held[0], tomorrow)
        with self.step("就诊提醒 reminded the evening before") as facts:
            today = moment(control("GET", "/clock")["now"]).date()
            control("PUT", "/clock", now=f"{today}T18:01:00+08:00")
            control("POST", "/scf/timers/daily_reminder/every-ten-minutes/fire")
            facts += self.told("就诊提醒", 1)[0]["lines"][-2:]
        with self.step("未选择 the other chooses nothing: paid back") as facts:
            until = moment(other.booking(held[1])["stopped"]["choose_until"])
            control("PUT", "/clock", now=(until + timedelta(seconds=30)).isoformat())
            other.sign_in()
            mine.sign_in()
            self._pass(SENDING)
            self.until("the registration", lambda: other.booking(held[1])["state"], "CANCELLED")
            self._pass(SENDING)
            self.until("the refund", lambda: other.booking(held[1])["refunds"][0]["state"], "SUCCEEDED")
            back = other.booking(held[1])["refunds"][0]
            facts += [f"at {until:%H:%M}", yuan(back["amount_fen"]), f"refunded {clock(back['succeeded_at'])}"]

    def _code(self, session: dict[str, Any]) -> str:
        """The session's code in the HIS: its doctor's on that day."""
        listed = self.control("GET", "/his/doctors")["doctors"]
        names = [one["code"] for one in listed if one["name"] == session["doctor_name"]]
        codes = [f"{session['visit_date'].replace('-', '')}-{name}-{session['period'][0]}" for name in names]
        if len(codes) != 1:
            raise StepFailed(f"{len(codes)} doctors have this name")
        return codes[0]

    def _registered(self, phone: Phone, patient: dict[str, Any], session: dict[str, Any]) -> str:
        held = phone.book(patient["id"], session)
        phone.thumb(phone.open_payment(held["id"]))
        self.until("the registration", lambda: phone.booking(held["id"])["state"], "CONFIRMED")
        return str(held["id"])

    def _moved(self, booking_id: str, day: str) -> list[str]:
        offers = self.phone.call("GET", f"booking/bookings/{booking_id}/alternatives")["offers"]
        offer = next((one for one in offers if one["visit_date"] == day and not one["difference_fen"]), None)
        if offer is None:
            raise StepFailed("no other place of the same fee tomorrow")
        chosen = self.phone.call("POST", f"booking/bookings/{booking_id}/move",
                                 {"schedule_id": offer["id"], "fee_fen": offer["fee_fen"]})
        expect("the payment", chosen["payment"], None)
        self.until("the doctor", lambda: self.phone.booking(booking_id)["doctor_name"], offer["doctor_name"])
        shown = self.phone.booking(booking_id)
        expect("the registration", (shown["state"], shown["refunds"]), ("CONFIRMED", []))
        return [f"{len(offers)} offered", f"{shown['doctor_name']} at {clock(shown['starts_at'])}",
                f"difference {yuan(offer['difference_fen'])}", f"visit number {shown['visit_number']}"]


def walk(control: Control, mysql: str, database: str, folder: Path) -> None:
    """Two visits, a day's end, what was thought of it, a stopped clinic, reports, and who waited and did not come.

    Raises StepFailed, Refused.
    """
    steps = Stopped(control, mysql, database, folder)
    steps.sign_in()
    steps.book_and_cancel()
    steps.compare_books()
    steps.pay_bills(steps.arrive())
    steps.open_receipt()
    steps.refund()
    steps.compare_books()
    steps.close_day()
    steps.compare_books()
    think(steps)
    steps.stopped_clinic()
    steps.compare_books()
    read_reports(steps)
    more = Waiting(control, steps.step)
    more.miss(more.wait())
