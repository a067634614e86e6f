"""The queue: the called number, those ahead, an honest range; one question to the HIS for all who ask."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from sandbox.people import person
from sandbox.phone import Control, Phone
from tests.features.conftest import open_ward, refused

TODAY, TOLD = "2026-11-23", "候诊提醒"
Sql = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def hall(control: Control) -> dict[str, Any]:
    """A session of this morning that only this test has."""
    return open_ward(control, date=TODAY)


class Room:
    """A waiting room: who comes, and the nurse who calls."""

    def __init__(self, control: Control, session: dict[str, Any], visit: Any) -> None:
        self.control, self.session, self._visit = control, session, visit
        self.code = session["his"]["code"]

    def comes(self, phone: Phone, patient: dict[str, Any], number: int) -> str:
        """Registered for the session's place of this number, and checked in."""
        places = phone.call("GET", f"booking/sessions/{self.session['id']}/slots")["slots"]
        booking = self._visit(phone, patient, self.session,
                              slot_id=next(one["id"] for one in places if one["number"] == number))
        phone.check_in(booking)
        self.control.settle()
        return str(booking)

    def calls(self, times: int = 1, minutes: float = 5) -> None:
        """The next ones are called in, one every few minutes."""
        for _ in range(times):
            self.control("POST", f"/his/queues/{self.code}/next")
            self.control.advance(minutes * 60)

    def arrange(self, **how: Any) -> None:
        self.control("PUT", f"/his/queues/{self.code}", **how)


@pytest.fixture
def room(control: Control, hall: dict[str, Any], visit: Any) -> Room:
    return Room(control, hall, visit)


def turn(phone: Phone, booking: str) -> dict[str, Any]:
    shown: dict[str, Any] = phone.call("GET", f"queue/bookings/{booking}")
    return shown


def questions(control: Control, code: str) -> int:
    """How often the HIS was asked for a queue."""
    return sum(line.get("path", "").endswith(f"/queues/{code}")
               for line in control("GET", "/journal?system=his&operation=show_queue"))


@pytest.mark.feature("queue.outpatient")
def test_who_waits_sees_the_called_number_those_ahead_and_a_range_of_this_mornings_pace(
        control: Control, phone: Phone, patient: dict[str, Any], room: Room) -> None:
    booking = room.comes(phone, patient, 3)
    room.arrange(waiting=6)
    before = turn(phone, booking)
    assert (before["standing"], before["ahead"], before["called"], before["low"]) == ("WAITING", 6, "", None)
    assert before["text"] == "还没有开始叫号，前面还有6人，请在候诊区等候。"
    room.calls(4)
    shown = turn(phone, booking)
    assert (shown["standing"], shown["ahead"], shown["called"], shown["waiting"]) == ("WAITING", 2, "W004", 3)
    assert shown["text"] == "前面还有2人，请在候诊区等候，不要走远。"
    assert (shown["number"], shown["stale"]) == ("M003", False)
    assert shown["low"] <= 10 <= shown["high"] <= 20  # five minutes since the last call, two more and one's own
    room.calls(2)
    assert turn(phone, booking)["standing"] == "NEXT"
    room.calls()
    called = turn(phone, booking)
    assert (called["standing"], called["called"], called["ahead"]) == ("CALLED", "M003", None)
    control("POST", f"/his/queues/{room.code}/skip")
    control.advance(5)
    passed = turn(phone, booking)
    assert passed["standing"] == "PASSED"
    assert passed["text"] == "您的号已经叫过（过号）。请到分诊台说明，会为您重新安排。"
    control("POST", f"/his/queues/{room.code}/back", number="M003")
    control.advance(5)
    assert turn(phone, booking)["standing"] == "NEXT"


def test_while_the_doctor_is_away_no_time_is_told(
        control: Control, guest: Phone, ill: dict[str, Any], room: Room) -> None:
    booking = room.comes(guest, ill, 1)
    room.arrange(waiting=9)
    room.calls(5)
    room.arrange(paused=True)
    control.advance(5)
    shown = turn(guest, booking)
    assert (shown["ahead"], shown["low"], shown["high"]) == (4, None, None)
    assert shown["text"].startswith("医生暂停叫号，前面还有4人")


def test_a_his_that_tells_no_earlier_calls_is_watched_for_its_pace(
        control: Control, guest: Phone, ill: dict[str, Any], room: Room) -> None:
    booking = room.comes(guest, ill, 1)
    room.arrange(waiting=9, calls=False)
    for seen in range(4):
        room.calls(minutes=4)
        shown = turn(guest, booking)
        assert (shown["low"] is None) == (seen < 3)
    assert shown["low"] <= 4 * (shown["ahead"] + 1) <= shown["high"] + 4


def test_before_the_number_is_taken_there_is_nothing_to_wait_for(
        control: Control, guest: Phone, ill: dict[str, Any], hall: dict[str, Any], visit: Any) -> None:
    booking = visit(guest, ill, hall)
    shown = turn(guest, booking)
    assert (shown["standing"], shown["text"]) == (None, "取号后可以在这里看到叫号进度。")
    assert questions(control, hall["his"]["code"]) == 0


def test_anothers_queue_is_not_found(control: Control, guest: Phone, ill: dict[str, Any], room: Room) -> None:
    booking = room.comes(guest, ill, 1)
    assert refused(lambda: turn(Phone(control).sign_in(), booking)) == (404, "booking_not_found")


def test_many_who_ask_at_once_are_one_question_to_the_his(
        control: Control, guest: Phone, ill: dict[str, Any], room: Room) -> None:
    booking = room.comes(guest, ill, 1)
    asked = questions(control, room.code)
    barrier = threading.Barrier(16)

    def ask(_: int) -> dict[str, Any]:
        barrier.wait()
        return turn(guest, booking)

    with ThreadPoolExecutor(16) as pool:
        shown = list(pool.map(ask, range(16)))
    assert {one["standing"] for one in shown} == {"NEXT"}
    assert questions(control, room.code) - asked <= 2  # a slow machine may take longer than three seconds
    control.advance(4)
    turn(guest, booking)
    assert questions(control, room.code) > asked


def test_when_the_his_is_silent_the_last_numbers_stay_with_their_time_until_they_say_nothing(
        control: Control, guest: Phone, ill: dict[str, Any], room: Room) -> None:
    booking = room.comes(guest, ill, 1)
    known = turn(guest, booking)
    control("POST", "/faults", system="his", operation="show_queue", kind="error", times=9)
    try:
        control.advance(60)
        shown = turn(guest, booking)
        assert (shown["standing"], shown["as_of"], shown["stale"]) == ("NEXT", known["as_of"], True)
        control.advance(600)
        late = turn(guest, booking)
        assert (late["standing"], late["as_of"]) == (None, None)
        assert late["text"] == "暂时查不到叫号，请留意候诊区屏幕和广播。"
    finally:
        control("DELETE", "/faults")
    control.advance(5)
    assert turn(guest, booking)["stale"] is False


def test_whose_turn_is_near_is_told_once(
        control: Control, phone: Phone, patient: dict[str, Any], room: Room) -> None:
    room.comes(phone, patient, 1)
    room.arrange(waiting=8)
    control.advance(60)
    control.work()
    assert phone.inbox(TOLD) == []
    room.calls(6)
    for _ in range(3):
        control.advance(900)
        control.work()
        control.settle()
    [told] = phone.inbox(TOLD)
    assert told["lines"][-1] == "温馨提示: 前面还有2人，请到诊室门口"
    assert told["page"].startswith("way/queue?id=")


def test_who_does_not_want_to_be_told_is_not(
        control: Control, phone: Phone, patient: dict[str, Any], room: Room) -> None:
    assert {one["kind"]: one["wanted"] for one in phone.call("GET", "guide/steps")["steps"]} == {
        "checked_in": True, "queue_near": True, "next_stop": True}
    phone.call("PUT", "guide/steps/queue_near", {"wanted": False})
    room.comes(phone, patient, 1)
    control.advance(60)
    control.work()
    control.settle()
    assert phone.inbox(TOLD) == []
    assert phone.inbox("取号成功通知") != []
    phone.call("PUT", "guide/steps/queue_near", {"wanted": True})
    assert all(one["wanted"] for one in phone.call("GET", "guide/steps")["steps"])
    assert refused(lambda: phone.call("PUT", "guide/steps/nothing", {"wanted": True})) == (404, "step_not_found")


def test_a_family_of_two_sees_each_their_own_place(
        control: Control, guest: Phone, ill: dict[str, Any], room: Room) -> None:
    second = room.comes(guest, ill, 2)
    first = room.comes(guest, guest.add_patient(person()), 1)
    control.advance(5)
    assert [turn(guest, one)["ahead"] for one in (first, second)] == [0, 1]
