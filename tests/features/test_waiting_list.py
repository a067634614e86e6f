"""The waiting list: what comes back is offered to who came first, for some minutes, and is on open sale for nobody."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from sandbox.people import person
from sandbox.phone import Control, Phone
from tests.features.conftest import refused

Open = Callable[..., dict[str, Any]]
Ask = Callable[..., list[tuple[Any, ...]]]


class Waiter:
    """Somebody with a patient, who has allowed every message."""

    def __init__(self, control: Control) -> None:
        self.phone = Phone(control).sign_in()
        self.phone.allow_every_message()
        self.patient: str = self.phone.add_patient(person(), relation="SELF")["id"]

    def join(self, session: dict[str, Any], **wish: Any) -> str:
        """Wait for a session, or for what ``wish`` says."""
        wish = wish or {"schedule_id": session["id"]}
        return str(self.phone.call("POST", "booking/waitlist", {"patient_id": self.patient, **wish})["id"])

    def entry(self, entry_id: str) -> dict[str, Any]:
        """An entry of theirs as it is shown."""
        return next(one for one in self.phone.call("GET", "booking/waitlist")["entries"] if one["id"] == entry_id)

    def book(self, session: dict[str, Any]) -> str:
        """Take a place; the registration's id."""
        return str(self.phone.book(self.patient, session)["id"])

    def cancel(self, booking: str) -> None:
        """Give a registration up."""
        self.phone.call("POST", f"booking/bookings/{booking}/cancellation")

    def offer(self) -> dict[str, Any] | None:
        """The registration that was made for them, if there is one."""
        shown = self.phone.call("GET", "booking/bookings")["bookings"]
        return next((one for one in shown if one["is_offer"]), None)


@pytest.fixture
def somebody(control: Control) -> Callable[[], Waiter]:
    """Somebody new each time."""
    return lambda: Waiter(control)


@pytest.fixture
def full(control: Control, new_session: Open, somebody: Callable[[], Waiter]) -> tuple[dict[str, Any], Waiter, str]:
    """A session of one place, who has it, and their registration. It is nine in the morning."""
    control.advance(2 * 3600)
    session, first = new_session(slots=1), somebody()
    return session, first, first.book(session)


def free(phone: Phone, session: dict[str, Any]) -> int:
    return len(phone.call("GET", f"booking/sessions/{session['id']}/slots")["slots"])


def clock(control: Control) -> datetime:
    return datetime.fromisoformat(control("GET", "/clock")["now"])


# -- the offer --------------------------------------------------------------------------------------
def test_a_place_that_comes_back_is_offered_to_who_waits_and_paid_like_any_other(
        control: Control, full: tuple[dict[str, Any], Waiter, str], somebody: Callable[[], Waiter],
        books_agree: Callable[..., None], trade: Callable[[str], dict[str, Any]]) -> None:
    session, holder, booking = full
    second = somebody()
    entry = second.join(session)
    shown = second.entry(entry)
    assert (shown["state"], shown["ahead"], shown["booking_id"], shown["can_leave"]) == ("WAITING", 0, None, True)
    assert (shown["doctor_id"], shown["period"], shown["fee_fen"]) == (session["doctor_id"], "MORNING", 2500)
    holder.cancel(booking)
    control.settle()
    offer = second.offer()
    assert offer is not None
    left = datetime.fromisoformat(offer["expires_at"].replace("Z", "+00:00")) - clock(control)
    assert (offer["state"], offer["can_pay"], timedelta(minutes=29) < left <= timedelta(minutes=30)) == (
        "HELD", True, True)
    assert (second.entry(entry)["state"], second.entry(entry)["booking_id"]) == ("OFFERED", offer["id"])
    [message] = second.phone.inbox("候补到号通知")
    assert "前支付，过时让给下一位" in str(message)
    second.phone.thumb(second.phone.open_payment(offer["id"]))
    control.settle()
    assert second.phone.booking(offer["id"])["state"] == "CONFIRMED"
    assert trade(offer["id"])["state"] == "CONFIRMED"
    assert free(second.phone, session) == 0
    books_agree(booking, offer["id"])


def test_what_is_cancelled_after_payment_goes_to_who_waits_and_its_holder_can_not_take_it_again(
        control: Control, new_session: Open, somebody: Callable[[], Waiter], visit: Callable[..., str]) -> None:
    control.advance(2 * 3600)
    session, holder, second = new_session(slots=1), somebody(), somebody()
    booking = visit(holder.phone, {"id": holder.patient}, session)
    second.join(session)
    holder.cancel(booking)
    for _ in range(3):  # a scalper tries all the while
        assert refused(lambda: holder.book(session)) == (409, "slot_gone")
        control.settle()
    assert holder.phone.booking(booking)["state"] == "CANCELLED"
    assert second.offer() is not None
    third = holder.join(session)  # at the end of the line, as everybody
    assert holder.entry(third)["ahead"] == 0


def test_who_came_first_is_offered_first_and_the_next_when_that_lapses_or_is_given_up(
        control: Control, full: tuple[dict[str, Any], Waiter, str], somebody: Callable[[], Waiter]) -> None:
    session, holder, booking = full
    line = [somebody() for _ in range(3)]
    entries = [one.join(session) for one in line]
    assert [one.entry(entry)["ahead"] for one, entry in zip(line, entries, strict=True)] == [0, 1, 2]
    shown = holder.phone.call("GET", "booking/sessions", params={
        "doctor_id": session["doctor_id"], "day": session["visit_date"]})["sessions"]
    assert [(one["free"], one["waiting"]) for one in shown] == [(0, 3)]
    holder.cancel(booking)
    control.settle()
    assert [one.offer() is not None for one in line] == [True, False, False]
    assert line[1].entry(entries[1])["ahead"] == 0
    control.advance(30 * 60 + 1)  # not paid
    control.work("worker")
    lapsed = line[0].offer()
    assert lapsed is not None
    assert (lapsed["state"], lapsed["reason"]) == ("RELEASED", "OFFER_EXPIRED")
    assert [one.offer() is not None for one in line] == [True, True, False]
    offer = line[1].offer()
    assert offer is not None
    line[1].cancel(offer["id"])
    control.settle()
    last = line[2].offer()
    assert last is not None
    assert last["state"] == "HELD"
    line[2].cancel(last["id"])  # and nobody waits any more: it is sold
    control.settle()
    assert free(holder.phone, session) == 1
    assert holder.book(session)


def test_offers_that_lapse_are_not_held_against_who_got_them(
        control: Control, full: tuple[dict[str, Any], Waiter, str], somebody: Callable[[], Waiter],
        policy: Callable[..., None], new_session: Open) -> None:
    session, holder, booking = full
    policy(unpaid_places_per_account=1, given_up_places_per_account_and_day=1)
    second = somebody()
    second.join(session)
    holder.cancel(booking)
    control.settle()
    offer = second.offer()
    assert offer is not None
    own = second.book(new_session(slots=1))  # one unpaid of their own choice is still allowed
    second.cancel(offer["id"])
    control.settle()
    assert second.phone.booking(offer["id"])["reason"] == "OFFER_GIVEN_UP"
    second.cancel(own)
    assert refused(lambda: second.book(new_session(slots=1))) == (429, "too_many_given_up")  # that one was their own


def test_two_places_for_three_who_wait(control: Control, new_session: Open, somebody: Callable[[], Waiter]) -> None:
    control.advance(2 * 3600)
    session = new_session(slots=2)
    holders, line = [somebody(), somebody()], [somebody() for _ in range(3)]
    booked = [one.book(session) for one in holders]
    for one in line:
        one.join(session)
    for one, booking in zip(holders, booked, strict=True):
        one.cancel(booking)
    control.settle()
    assert [one.offer() is not None for one in line] == [True, True, False]
    assert free(line[0].phone, session) == 0


def test_a_place_that_the_his_frees_is_offered_and_not_sold(
        control: Control, new_session: Open, somebody: Callable[[], Waiter]) -> None:
    control.advance(2 * 3600)
    session = new_session(slots=1)
    slot = session["his"]["slots"][0]["code"]
    control("POST", f"/his/slots/{slot}/take")
    control.operate("schedules.sync", schedule=session["his"]["code"])
    waiter = somebody()
    assert free(waiter.phone, session) == 0
    waiter.join(session)
    control("POST", f"/his/slots/{slot}/free")
    control.operate("schedules.sync", schedule=session["his"]["code"])
    assert free(waiter.phone, session) == 0
    control.settle()
    assert waiter.offer() is not None


def test_what_waits_for_its_resale_is_kept_for_who_joins(
        control: Control, full: tuple[dict[str, Any], Waiter, str], somebody: Callable[[], Waiter],
        policy: Callable[..., None], sql: Ask) -> None:
    session, holder, booking = full
    policy(resale_delay_max_seconds=3600)
    holder.cancel(booking)
    control.settle()
    sql("UPDATE slots SET on_sale_at = %s WHERE schedule_id = %s",
        ((clock(control) + timedelta(minutes=50)).astimezone(timezone.utc).replace(tzinfo=None), session["id"]))
    waiter = somebody()
    waiter.join(session)
    control.settle()
    assert waiter.offer() is not None


def test_a_place_that_the_window_has_sold_meanwhile_puts_who_was_offered_it_back_where_they_stood(
        control: Control, full: tuple[dict[str, Any], Waiter, str], somebody: Callable[[], Waiter]) -> None:
    session, holder, booking = full
    second, third = somebody(), somebody()
    entry, later = second.join(session), third.join(session)
    holder.cancel(booking)
    control.settle()
    offer = second.offer()
    assert offer is not None
    control("POST", f"/his/slots/{session['his']['slots'][0]['code']}/take")
    assert refused(lambda: second.phone.open_payment(offer["id"])) == (409, "slot_gone")
    control.settle()
    assert (second.entry(entry)["state"], second.entry(entry)["ahead"], third.entry(later)["ahead"]) == (
        "WAITING", 0, 1)
    control("POST", f"/his/slots/{session['his']['slots'][0]['code']}/free")
    control.operate("schedules.sync", schedule=session["his"]["code"])
    control.settle()
    assert second.phone.call("GET", "booking/bookings")["bookings"][0]["state"] == "HELD"
    assert third.offer() is None


# -- a doctor's day ---------------------------------------------------------------------------------
def test_any_session_of_a_doctors_day_will_do_for_who_says_so(
        control: Control, new_session: Open, somebody: Callable[[], Waiter]) -> None:
    control.advance(2 * 3600)
    morning = new_session(slots=1)
    evening = new_session(slots=1, doctor_code=morning["his"]["doctor_code"], department_code="1101", period="EVENING")
    holder, second, third = somebody(), somebody(), somebody()
    booked = [holder.book(one) for one in (morning, evening)]
    day = second.join(morning, doctor_id=morning["doctor_id"], day=morning["visit_date"])
    one = third.join(evening)
    assert (second.entry(day)["period"], second.entry(day)["ahead"], third.entry(one)["ahead"]) == (None, 0, 1)
    holder.cancel(booked[1])
    control.settle()
    offer = second.offer()
    assert offer is not None
    assert offer["period"] == "EVENING"
    assert third.offer() is None
    second.cancel(offer["id"])
    control.settle()
    assert third.offer() is not None
    holder.cancel(booked[0])  # in the morning nobody waits any more
    control.settle()
    assert free(holder.phone, morning) == 1


def test_a_doctors_day_with_a_free_place_has_no_list(
        control: Control, new_session: Open, somebody: Callable[[], Waiter]) -> None:
    morning = new_session(slots=1)
    new_session(slots=1, doctor_code=morning["his"]["doctor_code"], department_code="1101", period="EVENING")
    somebody().book(morning)
    wish = {"doctor_id": morning["doctor_id"], "day": morning["visit_date"]}
    assert refused(lambda: somebody().join(morning, **wish)) == (409, "places_free")


# -- who may wait -----------------------------------------------------------------------------------
def test_what_speaks_against_joining(control: Control, full: tuple[dict[str, Any], Waiter, str], new_session: Open,
                                     somebody: Callable[[], Waiter], policy: Callable[..., None]) -> None:
    session, holder, _ = full
    one = somebody()
    assert refused(lambda: holder.join(session)) == (409, "already_booked")
    assert refused(lambda: one.join(new_session(slots=2))) == (409, "places_free")
    assert refused(lambda: one.join({"id": "0" * 26})) == (404, "schedule_not_found")
    both = {"patient_id": one.patient, "schedule_id": session["id"], "doctor_id": session["doctor_id"]}
    assert one.phone.raw("POST", "booking/waitlist", both).status_code == 422
    policy(waitlist_per_session=0)
    assert refused(lambda: one.join(session)) == (409, "no_waitlist")
    policy(waitlist_per_session=1)
    entry = one.join(session)
    assert one.join(session) == entry  # a repeat
    day = {"doctor_id": session["doctor_id"], "day": session["visit_date"]}
    assert refused(lambda: one.join(session, **day)) == (409, "already_waiting")
    assert refused(lambda: somebody().join(session)) == (409, "waitlist_full")
    policy(waitlist_per_session=30, waitlist_per_account=1)
    other = new_session(slots=1)
    somebody().book(other)
    assert refused(lambda: one.join(other)) == (409, "too_many_waiting")


def test_one_person_stands_in_a_line_once_by_whichever_account(
        control: Control, full: tuple[dict[str, Any], Waiter, str], somebody: Callable[[], Waiter]) -> None:
    session, _, _ = full
    me, one, other = person(), somebody(), somebody()
    one.patient = one.phone.add_patient(me)["id"]
    other.patient = other.phone.add_patient(me)["id"]
    one.join(session)
    assert refused(lambda: other.join(session)) == (409, "already_waiting")


def test_a_stranger_who_waits_in_somebodys_name_does_not_bar_whose_record_it_is(
        full: tuple[dict[str, Any], Waiter, str], somebody: Callable[[], Waiter]) -> None:
    session, _, _ = full
    me, one, stranger = person(), somebody(), somebody()
    one.patient = one.phone.add_patient(me)["id"]
    stranger.patient = stranger.phone.add_patient(me, proven=False)["id"]
    theirs = stranger.join(session)
    mine = one.join(session)
    assert (one.entry(mine)["ahead"], stranger.entry(theirs)["state"]) == (0, "LEFT")
    assert refused(lambda: stranger.join(session)) == (409, "already_waiting")


def test_who_leaves_makes_room_and_a_stranger_can_not_take_anybody_out(
        control: Control, full: tuple[dict[str, Any], Waiter, str], somebody: Callable[[], Waiter]) -> None:
    session, holder, booking = full
    one, other = somebody(), somebody()
    entry, later = one.join(session), other.join(session)
    assert refused(lambda: other.phone.call("DELETE", f"booking/waitlist/{entry}")) == (
        404, "waitlist_entry_not_found")
    for _ in range(2):  # may be repeated
        one.phone.call("DELETE", f"booking/waitlist/{entry}")
    assert (one.entry(entry)["state"], other.entry(later)["ahead"]) == ("LEFT", 0)
    holder.cancel(booking)
    control.settle()
    assert other.offer() is not None
    assert refused(lambda: other.phone.call("DELETE", f"booking/waitlist/{later}")) == (409, "offered")
    assert one.offer() is None


# -- who can't take it ------------------------------------------------------------------------------
def test_who_has_registered_meanwhile_is_skipped_and_told(
        control: Control, new_session: Open, somebody: Callable[[], Waiter]) -> None:
    control.advance(2 * 3600)
    session = new_session(slots=1)
    twin = new_session(slots=1, doctor_code=session["his"]["doctor_code"], department_code="1102")
    holder, one, other = somebody(), somebody(), somebody()
    booking = holder.book(session)
    entry, later = one.join(session), other.join(session)
    one.book(twin)  # the same doctor and morning, in another department
    holder.cancel(booking)
    control.settle()
    assert (one.entry(entry)["state"], one.entry(entry)["reason_text"]) == (
        "SKIPPED", "轮到您时，该就诊人已有同一时段的预约。")
    assert "已有同时段预约，候补已结束" in str(one.phone.inbox("候补结束通知"))
    assert other.entry(later)["state"] == "OFFERED"


@pytest.mark.parametrize("how", ["unbound", "withdrawn"])
def test_who_may_not_register_the_patient_any_more_waits_no_longer(
        control: Control, full: tuple[dict[str, Any], Waiter, str], somebody: Callable[[], Waiter], how: str) -> None:
    session, holder, booking = full
    one, other = somebody(), somebody()
    entry, later = one.join(session), other.join(session)
    if how == "unbound":
        one.phone.call("DELETE", f"account/patients/{one.patient}")
    else:
        one.phone.call("POST", "account/consents/withdrawal", {"patient_id": one.patient, "purpose": "HEALTH_DATA"})
    control.settle()
    shown = one.entry(entry)
    assert (shown["state"], shown["withheld"], shown["patient_name"], shown["doctor_name"]) == ("LEFT", True, "", "")
    assert other.entry(later)["ahead"] == 0
    holder.cancel(booking)
    control.settle()
    assert other.offer() is not None


# -- the night, and the end -------------------------------------------------------------------------
def test_at_night_nobody_is_offered_anything_and_in_the_morning_everybody_is(
        control: Control, full: tuple[dict[str, Any], Waiter, str], somebody: Callable[[], Waiter]) -> None:
    session, holder, booking = full
    one = somebody()
    one.join(session)
    holder.phone.thumb(holder.phone.open_payment(booking))
    control.settle()
    control.advance(14 * 3600)  # eleven at night
    holder.phone.sign_in()
    one.phone.sign_in()
    holder.cancel(booking)
    control.settle()
    assert one.offer() is None
    assert free(one.phone, session) == 0  # nor does anybody else get it
    control.advance(8 * 3600 + 5)  # seven in the morning
    control.work()
    one.phone.sign_in()
    assert one.offer() is not None


def test_who_waits_for_a_session_that_is_stopped_is_told(
        control: Control, full: tuple[dict[str, Any], Waiter, str], somebody: Callable[[], Waiter]) -> None:
    session, _, _ = full
    one = somebody()
    entry = one.join(session)
    control("POST", f"/his/schedules/{session['his']['code']}/stop")
    control.operate("schedules.sync", schedule=session["his"]["code"])
    control.settle()
    assert (one.entry(entry)["state"], one.entry(entry)["reason_text"]) == ("ENDED", "该出诊已停诊。")
    assert "该出诊已停诊，候补已结束" in str(one.phone.inbox("候补结束通知"))


def test_a_list_ends_with_its_session(control: Control, full: tuple[dict[str, Any], Waiter, str],
                                      somebody: Callable[[], Waiter], sql: Ask) -> None:
    session, _, _ = full
    one = somebody()
    entry = one.join(session)
    control.advance(2 * 86400 + 4 * 3600)  # Wednesday, one in the afternoon
    control.work()
    one.phone.sign_in()
    shown = one.entry(entry)
    assert (shown["state"], shown["ahead"], shown["reason_text"]) == ("ENDED", None, "出诊已结束，未等到空出的号。")
    assert sql("SELECT waiting FROM schedules WHERE id = %s", (session["id"],)) == [(0,)]
