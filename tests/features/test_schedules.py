"""What is on sale: released at its time, and whatever changes in the HIS is taken over by schedule_sync."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.phone import Control, Phone, Refused

Open = Callable[..., dict[str, Any]]
Ask = Callable[..., list[tuple[Any, ...]]]


def shown(phone: Phone, session: dict[str, Any]) -> dict[str, Any]:
    """The session as it is shown now."""
    listed = phone.call("GET", "booking/sessions", params={"doctor_id": session["doctor_id"]})["sessions"]
    return next(one for one in listed if one["id"] == session["id"])


def free(phone: Phone, session: dict[str, Any]) -> list[int]:
    return [one["number"] for one in phone.call("GET", f"booking/sessions/{session['id']}/slots")["slots"]]


def refusal(call: Callable[[], Any]) -> tuple[int, str | None]:
    with pytest.raises(Refused) as refused:
        call()
    return refused.value.status, refused.value.code


def take_over(control: Control, session: dict[str, Any]) -> int:
    """Take one session over from the HIS; how much changed."""
    return int(control.operate("schedules.sync", schedule=session["his"]["code"])["changed"])


# -- release ----------------------------------------------------------------------------------------
def test_a_new_day_opens_at_the_release_time(control: Control, guest: Phone) -> None:
    def open_days() -> tuple[str, int]:
        days = guest.call("GET", "booking/days")
        return days["last_open_day"], guest.raw("GET", "booking/sessions", params={"day": "2026-12-01"}).status_code

    assert open_days() == ("2026-11-30", 404)
    control("PUT", "/clock", now="2026-11-24T06:59:57+08:00")
    assert open_days() == ("2026-11-30", 404)
    control("PUT", "/clock", now="2026-11-24T07:00:00+08:00")
    assert open_days() == ("2026-12-01", 200)
    found = guest.call("GET", "booking/sessions", params={"day": "2026-12-01"})["sessions"]
    assert sum(one["free"] for one in found) > 100  # the day was taken over before it opened


def test_release_time_and_days_ahead_are_the_hospitals(control: Control, guest: Phone, policy: Callable[..., None]
                                                       ) -> None:
    policy(days_ahead=3)
    assert guest.call("GET", "booking/days")["last_open_day"] == "2026-11-26"
    policy(days_ahead=3, release_time="08:00")
    assert guest.call("GET", "booking/days")["last_open_day"] == "2026-11-25"
    control("PUT", "/clock", now="2026-11-23T08:00:00+08:00")
    assert guest.call("GET", "booking/days")["last_open_day"] == "2026-11-26"
    policy(days_ahead=0)
    days = guest.call("GET", "booking/days")
    assert (days["last_open_day"], [one["day"] for one in days["days"]]) == ("2026-11-23", ["2026-11-23"])


def test_a_day_that_is_not_open_is_neither_shown_nor_sold(guest: Phone, ill: dict[str, Any], new_session: Open,
                                                          policy: Callable[..., None]) -> None:
    session = new_session(date="2026-11-26")
    policy(days_ahead=2)
    assert refusal(lambda: guest.book(ill["id"], session)) == (409, "day_not_open")
    assert refusal(lambda: free(guest, session)) == (404, "schedule_not_found")
    for path in ("booking/sessions?day=2026-11-26", "booking/days/2026-11-26/departments",
                 "booking/sessions?day=2026-11-22", "booking/days/2026-11-22/departments"):
        assert refusal(lambda path=path: guest.call("GET", path)) == (404, "day_not_open")  # type: ignore[misc]
    assert guest.call("GET", f"booking/doctors/{session['doctor_id']}")["sessions"] == []


def test_what_goes_on_sale_next_is_shown_with_its_moment_to_who_waits_for_it_and_can_not_be_had(
        control: Control, guest: Phone, ill: dict[str, Any], new_session: Open) -> None:
    session = new_session(date="2026-11-30")
    control("PUT", "/clock", now="2026-11-23T06:58:00+08:00")
    days = guest.call("GET", "booking/days")
    found = guest.call("GET", "booking/next-release", params={"doctor_id": session["doctor_id"]})
    assert (days["next_day"], found["day"]) == ("2026-11-30", "2026-11-30")
    assert days["opens_at"] == found["opens_at"] == "2026-11-23T07:00:00+08:00"
    assert [one["id"] for one in found["sessions"]] == [session["id"]]
    assert refusal(lambda: guest.book(ill["id"], session)) == (409, "day_not_open")
    listed = guest.call("GET", "booking/next-release", params={"department_id": session["department_id"]})["sessions"]
    assert session["id"] in [one["id"] for one in listed]
    assert refusal(lambda: guest.call("GET", "booking/next-release")) == (404, "nothing_chosen")
    control("PUT", "/clock", now="2026-11-23T07:00:00+08:00")
    assert guest.call("GET", "booking/next-release", params={"doctor_id": session["doctor_id"]})["sessions"] == []
    assert guest.book(ill["id"], session)["state"] == "HELD"


def test_places_that_start_soon_are_no_longer_sold(control: Control, guest: Phone, ill: dict[str, Any],
                                                   new_session: Open) -> None:
    session = new_session(date="2026-11-23", slots=3)  # 8:00, 8:30, 9:00
    first = guest.call("GET", f"booking/sessions/{session['id']}/slots")["slots"][0]
    control("PUT", "/clock", now="2026-11-23T07:49:50+08:00")
    assert free(guest, session) == [1, 2, 3]
    control("PUT", "/clock", now="2026-11-23T07:50:00+08:00")
    assert free(guest, session) == [2, 3]
    assert refusal(lambda: guest.book(ill["id"], session, slot_id=first["id"])) == (409, "slot_gone")
    guest.book(ill["id"], session)
    assert len(free(guest, session)) == 1


# -- changes in the HIS -----------------------------------------------------------------------------
def test_the_timer_takes_every_change_over(control: Control, guest: Phone, new_session: Open, sql: Ask) -> None:
    stopped, dearer, sold = new_session(), new_session(), new_session()
    control("POST", f"/his/schedules/{stopped['his']['code']}/stop")
    control("POST", f"/his/schedules/{dearer['his']['code']}/fee", fee_fen=9900)
    control("POST", f"/his/slots/{sold['his']['slots'][0]['code']}/take")
    fresh = control("POST", "/his/schedules", date="2026-11-27", period="EVENING", kind="SPECIAL", fee_fen=20000,
                    slots=5, doctor_code=sold["his"]["doctor_code"], department_code="1101")
    assert (shown(guest, stopped)["state"], shown(guest, dearer)["fee_fen"], free(guest, sold)) == (
        "OPEN", 2500, [1, 2, 3, 4, 5, 6])
    answer = control("POST", "/scf/timers/schedule_sync/every-five-minutes/fire")
    assert answer["result"]["count"] >= 9  # two sessions, a place, and a session with five places
    assert (shown(guest, stopped)["state"], shown(guest, stopped)["free"]) == ("STOPPED", 0)
    assert shown(guest, dearer)["fee_fen"] == 9900
    assert (free(guest, sold), shown(guest, sold)["free"]) == ([2, 3, 4, 5, 6], 5)
    listed = guest.call("GET", "booking/sessions", params={"doctor_id": sold["doctor_id"], "day": "2026-11-27"})
    assert [(one["period"], one["kind"], one["fee_fen"], one["free"]) for one in listed["sessions"]] == [
        ("EVENING", "SPECIAL", 20000, 5)]
    assert sql("SELECT COUNT(*) FROM schedules WHERE his_code = %s", (fresh["code"],)) == [(1,)]
    assert control("POST", "/scf/timers/schedule_sync/every-five-minutes/fire")["result"] == {"count": 0}


def test_a_stopped_session_is_not_sold_until_it_is_reopened(control: Control, guest: Phone, ill: dict[str, Any],
                                                            new_session: Open) -> None:
    session = new_session()
    control("POST", f"/his/schedules/{session['his']['code']}/stop")
    assert take_over(control, session) == 1
    assert refusal(lambda: guest.book(ill["id"], session)) == (409, "session_stopped")
    assert free(guest, session) == []
    control("POST", f"/his/schedules/{session['his']['code']}/reopen")
    assert take_over(control, session) == 1
    assert guest.book(ill["id"], session)["state"] == "HELD"


def test_a_session_that_is_stopped_with_patients_is_theirs_to_choose_once_and_no_task_of_staff(
        control: Control, guest: Phone, ill: dict[str, Any], new_session: Open, visit: Any) -> None:
    session = new_session()
    booking = visit(guest, ill, session)
    control("POST", f"/his/schedules/{session['his']['code']}/stop")
    for _ in range(2):
        take_over(control, session)
    control.settle()
    assert control.tasks(subject_id=session["id"]) == []
    shown = guest.booking(booking)
    assert (shown["state"], shown["state_text"], shown["can_move"]) == ("CONFIRMED", "已停诊", True)


def test_a_new_fee_is_taken_over_and_the_old_one_is_refused(control: Control, guest: Phone, ill: dict[str, Any],
                                                            new_session: Open) -> None:
    session = new_session(fee_fen=2500)
    control("POST", f"/his/schedules/{session['his']['code']}/fee", fee_fen=3000)
    take_over(control, session)
    assert refusal(lambda: guest.book(ill["id"], session)) == (409, "fee_changed")
    assert guest.book(ill["id"], shown(guest, session))["fee_fen"] == 3000


def test_a_place_sold_at_the_window_is_off_sale_until_it_is_given_back(control: Control, guest: Phone,
                                                                       ill: dict[str, Any], new_session: Open) -> None:
    session = new_session(slots=2)
    place = guest.call("GET", f"booking/sessions/{session['id']}/slots")["slots"][0]
    code = session["his"]["slots"][0]["code"]
    control("POST", f"/his/slots/{code}/take")
    assert take_over(control, session) == 1
    assert free(guest, session) == [2]
    assert refusal(lambda: guest.book(ill["id"], session, slot_id=place["id"])) == (409, "slot_gone")
    control("POST", f"/his/slots/{code}/free")
    assert take_over(control, session) == 1
    assert guest.book(ill["id"], session, slot_id=place["id"])["state"] == "HELD"
    assert free(guest, session) == [2]


def test_a_place_that_we_hold_is_not_touched_by_taking_over(control: Control, guest: Phone, ill: dict[str, Any],
                                                            new_session: Open, sql: Ask) -> None:
    session = new_session(slots=2)
    held = guest.book(ill["id"], session)
    guest.open_payment(held["id"])  # the HIS shows it as taken now: by us
    assert take_over(control, session) == 0
    assert sql("SELECT state FROM slots WHERE booking_id = %s", (held["id"],)) == [("OPEN",)]
    guest.call("POST", f"booking/bookings/{held['id']}/cancellation")
    control.settle()
    assert free(guest, session) == [1, 2]


# -- changes that nobody has told us of yet ---------------------------------------------------------
def test_a_place_sold_at_the_window_meanwhile_is_found_when_it_is_locked(control: Control, guest: Phone,
                                                                         ill: dict[str, Any], new_session: Open
                                                                         ) -> None:
    session = new_session(slots=2)
    held = guest.book(ill["id"], session)
    number = free(guest, session) == [1]  # of the place that was given, counted from 0
    control("POST", f"/his/slots/{session['his']['slots'][number]['code']}/take")
    assert refusal(lambda: guest.open_payment(held["id"])) == (409, "slot_gone")
    control.settle()
    assert (guest.booking(held["id"])["state"], guest.booking(held["id"])["reason"]) == ("RELEASED", "SLOT_TAKEN")
    assert free(guest, session) == [2 - number]
    assert guest.book(ill["id"], session)["state"] == "HELD"


@pytest.mark.parametrize(("change", "body", "code", "reason"), [
    ("stop", {}, "session_stopped", "SCHEDULE_STOPPED"), ("fee", {"fee_fen": 7000}, "fee_changed", "FEE_CHANGED")])
def test_a_change_meanwhile_is_found_when_the_place_is_locked_and_taken_over(
        control: Control, guest: Phone, ill: dict[str, Any], new_session: Open, change: str, body: dict[str, Any],
        code: str, reason: str) -> None:
    session = new_session()
    held = guest.book(ill["id"], session)
    control("POST", f"/his/schedules/{session['his']['code']}/{change}", **body)
    assert refusal(lambda: guest.open_payment(held["id"])) == (409, code)
    control.settle()
    assert (guest.booking(held["id"])["state"], guest.booking(held["id"])["reason"]) == ("RELEASED", reason)
    now = shown(guest, session)
    assert (now["state"], now["free"]) == (("STOPPED", 0) if change == "stop" else ("OPEN", 6))
    assert now["fee_fen"] == body.get("fee_fen", session["fee_fen"])
