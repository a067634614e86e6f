"""The queue and the way whatever the HIS does: the page has an answer, what is told is told once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.people import person
from sandbox.phone import Control, Phone
from tests.faults.test_each_call import FAULTS

TODAY = "2026-11-23"
ODD: dict[str, dict[str, Any]] = {
    "another queue's": {"set": {"queue_code": "other"}}, "no list": {"set": {"waiting": None}},
    "a time without a zone": {"set": {"calling": {"number": "W001", "called_at": "2026-11-23T08:00:00"}}}}


class Waiting:
    """Somebody who has checked in this morning, with walk-ins before them."""

    def __init__(self, control: Control, session: dict[str, Any]) -> None:
        self.control, self.code = control, session["his"]["code"]
        self.phone = Phone(control).sign_in()
        self.phone.allow_every_message()
        self.patient = self.phone.add_patient(person(), relation="SELF")
        self.booking = self.phone.book(self.patient["id"], session)["id"]
        self.phone.thumb(self.phone.open_payment(self.booking))
        control.settle()
        self.phone.check_in(self.booking)
        control("PUT", f"/his/queues/{self.code}", waiting=2)
        control("POST", f"/his/queues/{self.code}/next")

    def turn(self) -> dict[str, Any]:
        """What the page shows, three seconds and more after the last look."""
        self.control.advance(4)
        shown: dict[str, Any] = self.phone.call("GET", f"queue/bookings/{self.booking}")
        return shown


@pytest.fixture
def waiting(control: Control, new_session: Callable[..., dict[str, Any]]) -> Waiting:
    return Waiting(control, new_session(date=TODAY))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_queue_that_can_not_be_asked_keeps_its_last_numbers_and_is_told_again_afterwards(
        control: Control, waiting: Waiting, fault: str) -> None:
    kind, params = FAULTS[fault]
    known = waiting.turn()
    control.fault("his", "show_queue", kind, **params)
    shown = waiting.turn()
    assert (shown["standing"], shown["ahead"]) == ("WAITING", 1)
    assert shown["as_of"] >= known["as_of"]
    control("DELETE", "/faults")
    assert waiting.turn()["as_of"] > known["as_of"]


@pytest.mark.parametrize("odd", ODD)
def test_an_answer_that_makes_no_sense_is_none(control: Control, waiting: Waiting, odd: str) -> None:
    control.fault("his", "show_queue", "override", times=-1, **ODD[odd])
    shown = waiting.turn()
    control("DELETE", "/faults")
    assert (shown["standing"], shown["text"]) == (None, "暂时查不到叫号，请留意候诊区屏幕和广播。")


def test_a_slow_his_holds_nobody_up_for_long(control: Control, waiting: Waiting) -> None:
    waiting.turn()
    control.fault("his", "show_queue", "delay", seconds=4)
    assert waiting.turn()["standing"] == "WAITING"


def test_a_watch_that_runs_twice_tells_once(
        control: Control, waiting: Waiting, sql: Callable[..., list[tuple[Any, ...]]]) -> None:
    again = ("UPDATE outbox SET state = 'PENDING', due_at = '2026-01-01' WHERE topic = 'queue.watch' "
             "AND subject_id = %s", (waiting.booking,))
    for _ in range(2):
        sql(*again)
        control.work()
        control.settle()
    assert len(waiting.phone.inbox("候诊提醒")) == 1


@pytest.mark.parametrize("fault", FAULTS)
def test_the_way_is_shown_whether_or_not_the_his_says_what_is_done(
        control: Control, waiting: Waiting, fault: str) -> None:
    kind, params = FAULTS[fault]
    number = next(one["trade_no"] for one in reversed(control("GET", "/his/books")) if one.get("checked_in"))
    control("POST", "/his/bills", trade_no=number, kind="EXAMINATION", items=[{"code": "C0001"}])
    control.settle()
    waiting.phone.pay_bills(waiting.patient["id"], waiting.phone.bills(waiting.patient["id"]))
    control.settle()
    control.advance(4)
    for operation in ("get_bill", "show_queue"):
        control.fault("his", operation, kind, **params)
    shown = waiting.phone.call("GET", "guide/way", params={"patient_id": waiting.patient["id"]})
    assert [one["name"] for one in shown["stops"]] == ["常规十二导联心电图"]
    control("DELETE", "/faults")
    control.advance(4)
    assert waiting.phone.call("GET", "guide/way", params={"patient_id": waiting.patient["id"]})["live"] is True
