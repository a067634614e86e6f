"""The demo's steps through the hospital: where to go, who is before, what comes first, how it went."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from hospital.runtime.clock import BEIJING

from sandbox.phone import Control, Phone

AHEAD, CALLED, EACH = 6, 4, 240  # walk-ins, how many of them are called, and seconds from call to call


class Way:
    """A patient's way through one visit. Every step raises RuntimeError when it did not end as it should."""

    def __init__(self, control: Control, step: Callable[[str], Any], phone: Phone, patient_id: str,
                 booking_id: str) -> None:
        self.control, self.step, self.phone = control, step, phone
        self.patient_id, self.booking_id = patient_id, booking_id

    def there(self) -> Way:
        """After booking: where, when, with what."""
        with self.step("怎么走 the way there") as facts:
            shown = self.phone.call("GET", f"guide/bookings/{self.booking_id}")
            _expect("the steps", [one["title"] for one in shown["steps"]], ["先取号", "再候诊", "别迟到"])
            facts += [shown["where"], f"{shown['walk_minutes']} min from the entrance",
                      "bring " + "、".join(shown["bring"])]
        return self

    def queue(self, trade_no: str) -> str:
        """After check-in: the number that is called, those ahead, a range from today's pace; the HIS's number again."""
        with self.step("排队候诊 the queue") as facts:
            books = self.control("GET", "/his/books")
            code = next(one["schedule_code"] for one in books if one["trade_no"] == trade_no)
            self.control("PUT", f"/his/queues/{code}", waiting=AHEAD)
            for _ in range(CALLED):
                self.control("POST", f"/his/queues/{code}/next")
                self.control.advance(EACH)
            shown = self.phone.call("GET", f"queue/bookings/{self.booking_id}")
            _expect("where they stand", (shown["standing"], shown["called"], shown["ahead"]),
                    ("WAITING", f"W{CALLED:03d}", AHEAD - CALLED))
            _expect("the range", shown["low"] is not None and shown["low"] < shown["high"], True)
            facts += [f"called {shown['called']}", f"{shown['ahead']} before {shown['number']}",
                      f"{shown['low']} to {shown['high']} min"]
            self.control("PUT", f"/his/queues/{code}", waiting=0)
        return trade_no

    def paid(self) -> None:
        """After paying: the stops in their order, each with why it stands there; the window; the visit as it went."""
        with self.step("顺序和路线 what comes first, and why") as facts:
            shown = self.phone.call("GET", "guide/way", params={"patient_id": self.patient_id})
            _expect("the way", (shown["live"], bool(shown["stops"] or shown["missed"]), bool(shown["drugs"])),
                    (True, True, True))
            facts += [f"{at}. {one['where']} {_clock(one['begins_at'])} {one['why']}"
                      for at, one in enumerate(shown["stops"], start=1)]
            facts += [f"{one['where']}: {one['why']}" for one in shown["missed"]]
            facts += [f"{one['where']} {one['window']}" for one in shown["drugs"]]
        with self.step("就诊进度 the visit as it went") as facts:
            shown = self.phone.call("GET", f"guide/journey/{self.booking_id}")
            titles = [one["title"] for one in reversed(shown["facts"])]
            _expect("the beginning", titles[:4], ["已占号", "已支付挂号费", "预约成功", "已取号"])
            _expect("the next step", shown["next"]["name"], "PAY_BILLS")  # the fourth bill is paid from its paper
            facts += [f"{len(titles)} entries, the last {titles[-1]}", f"next: {shown['next']['title']}"]


def _clock(moment: str) -> str:
    return f"{datetime.fromisoformat(moment.replace('Z', '+00:00')).astimezone(BEIJING):%H:%M}"


def _expect(what: str, actual: Any, wanted: Any) -> None:
    if actual != wanted:
        raise RuntimeError(f"{what} is {actual!r}, expected {wanted!r}")
