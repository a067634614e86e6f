"""Two more parts of ``make demo``: a place that comes back to who waited for it, and a visit that was missed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from hospital.runtime.clock import BEIJING

from sandbox.people import person
from sandbox.phone import Control, Phone, Refused

Step = Callable[[str], Any]
SURELY = 30  # the worker is woken by each commit: so many looks are plenty


class Waiting:
    """Somebody who waits for the last place of a session, gets it, and does not come."""

    def __init__(self, control: Control, step: Step) -> None:
        self.control, self.step = control, step
        self.holder, self.waiter = Phone(control).sign_in(), Phone(control).sign_in()
        self.waiter.allow_every_message()
        self.patients = [one.add_patient(person(), relation="SELF")["id"] for one in (self.holder, self.waiter)]

    def wait(self) -> str:
        """The place is cancelled, offered, paid; the registration's id."""
        holder, waiter, (his, hers) = self.holder, self.waiter, self.patients
        session = self._full_session()
        with self.step("候补 wait for a full session") as facts:
            taken = holder.book(his, session)["id"]
            holder.thumb(holder.open_payment(taken))
            self._until(lambda: holder.booking(taken)["state"] == "CONFIRMED")
            wish = {"patient_id": hers, "schedule_id": session["id"]}
            waiter.call("POST", "booking/waitlist", wish)
            [entry] = waiter.call("GET", "booking/waitlist")["entries"]
            facts += [entry["state_text"], f"{entry['ahead']} before"]
        with self.step("候补到号 it is cancelled, and offered") as facts:
            holder.call("POST", f"booking/bookings/{taken}/cancellation")
            self._until(lambda: bool(waiter.inbox("候补到号通知")))
            offer: dict[str, Any] = waiter.call("GET", "booking/bookings")["bookings"][0]
            facts += [*waiter.inbox("候补到号通知")[0]["lines"][1:], "on open sale:", str(len(waiter.call(
                "GET", f"booking/sessions/{session['id']}/slots")["slots"]))]
            waiter.thumb(waiter.open_payment(offer["id"]))
            self._until(lambda: waiter.booking(offer["id"])["state"] == "CONFIRMED")
        return str(offer["id"])

    def miss(self, booking: str) -> None:
        """The session is over and she did not come; one is enough here."""
        control, waiter, hers = self.control, self.waiter, self.patients[1]
        with self.step("爽约 a visit is missed") as facts:
            control.operate("settings.change", changes={"no_shows_to_block": 1})
            control("PUT", "/clock", now=f"{self._today()}T18:40:00+08:00")
            control("POST", "/scf/timers/no_show/after-sessions/fire")
            control.settle()
            waiter.sign_in()
            facts += [waiter.booking(booking)["state_text"], waiter.inbox("爽约通知")[0]["lines"][-1]]
        with self.step("黑名单 no booking for a while") as facts:
            shown = waiter.call("GET", "booking/standing", params={"patient_id": hers})
            facts += [shown["blocked_text"].partition("。")[0], "waiting:", self._refusal(lambda: waiter.call(
                "POST", "booking/waitlist", {"patient_id": hers, "doctor_id": "0" * 26, "day": self._today()})),
                f"bills still shown: {waiter.bills(hers)}"]
        with self.step("解除 lifted by staff, with a reason") as facts:
            [block] = [one for one in control.operate("blacklist.list")["blocks"] if one["patient"] == hers]
            control.operate("blacklist.lift", block_id=block["id"], note="住院期间未能取消")
            control.operate("settings.change", changes={"no_shows_to_block": None})
            shown = waiter.call("GET", "booking/standing", params={"patient_id": hers})
            facts += ["may book again" if shown["blocked_until"] is None else f"blocked until {shown['blocked_until']}"]

    def _today(self) -> str:
        now: str = self.control("GET", "/clock")["now"]
        return f"{datetime.fromisoformat(now.replace('Z', '+00:00')).astimezone(BEIJING).date()}"

    def _full_session(self) -> dict[str, Any]:
        """A new doctor's session of this afternoon with a single place."""
        control = self.control
        made = control("POST", "/his/schedules", date=self._today(), period="AFTERNOON", kind="EXPERT", fee_fen=5000,
                       slots=1, doctor="new", doctor_name="候春来", department_code="1101")
        control.operate("schedules.sync", schedule=made["code"])
        found = self.waiter.call("GET", "booking/doctors", params={"q": "候春来", "today": True})["doctors"]
        session: dict[str, Any] = found[0]["sessions"][0]
        return session

    def _until(self, holds: Callable[[], bool]) -> None:
        for _ in range(SURELY):
            self.control.settle()
            if holds():
                return
            self.control.work()
        raise RuntimeError("what should have followed by itself has not")

    @staticmethod
    def _refusal(act: Callable[[], Any]) -> str:
        try:
            act()
        except Refused as refusal:
            return f"{refusal.status} {refusal.code}"
        raise RuntimeError("answered, and must not be")
