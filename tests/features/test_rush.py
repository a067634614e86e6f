"""The rush on few places: who can't get one is told so cheaply, who has one keeps it; lists are the same for all."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
import requests

from sandbox.people import person
from sandbox.phone import Control, Phone
from tests.features.conftest import refused

Ask = Callable[..., list[tuple[Any, ...]]]
Open = Callable[..., dict[str, Any]]


class Buyer:
    """An account with one patient who wants a place."""

    def __init__(self, control: Control) -> None:
        self.phone = Phone(control).sign_in()
        self.patient_id: str = self.phone.add_patient(person(), relation="SELF")["id"]

    def order(self, session: dict[str, Any], *, key: str | None = None, headers: dict[str, str] | None = None
              ) -> requests.Response:
        """A request for any place of a session."""
        return self.phone.raw("POST", "booking/bookings", {
            "patient_id": self.patient_id, "schedule_id": session["id"], "fee_fen": session["fee_fen"]},
            key=key or secrets.token_hex(16), headers=headers or {})

    def forgotten(self, sql: Ask) -> None:
        """The database has their session no more: whoever asks it about them finds nobody."""
        [[account_id]] = sql("SELECT account_id FROM bindings WHERE patient_id = %s", (self.patient_id,))
        sql("DELETE FROM sessions WHERE account_id = %s", (account_id,))


@pytest.fixture
def buyers(control: Control) -> list[Buyer]:
    """Three of them."""
    return [Buyer(control) for _ in range(3)]


@pytest.fixture
def sold(buyers: list[Buyer], new_session: Open) -> tuple[dict[str, Any], str]:
    """A session whose only place the first has just got, with the key of that, and which was seen sold out since."""
    session, key = new_session(slots=1), secrets.token_hex(16)
    assert buyers[0].order(session, key=key).status_code == 201
    assert told(buyers[1].order(session)) == (409, "slot_gone")
    return session, key


def told(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


# -- sold out ---------------------------------------------------------------------------------------
def test_who_comes_when_all_is_sold_is_told_so_without_the_database(
        buyers: list[Buyer], sold: tuple[dict[str, Any], str], sql: Ask) -> None:
    buyers[2].forgotten(sql)
    assert told(buyers[2].order(sold[0])) == (409, "slot_gone")


def test_a_second_later_the_database_is_asked_again(
        control: Control, buyers: list[Buyer], sold: tuple[dict[str, Any], str], sql: Ask) -> None:
    buyers[2].forgotten(sql)
    control.advance(1)
    assert told(buyers[2].order(sold[0])) == (401, "unauthorized")


def test_a_place_that_comes_back_by_another_s_hand_is_seen_within_a_second(
        control: Control, buyers: list[Buyer], sold: tuple[dict[str, Any], str]) -> None:
    control.advance(16 * 60)
    control.work("worker")  # the hold has ended
    assert buyers[2].order(sold[0]).status_code == 201


def test_a_place_that_was_given_up_here_is_on_sale_at_once(
        buyers: list[Buyer], sold: tuple[dict[str, Any], str]) -> None:
    [mine] = buyers[0].phone.call("GET", "booking/bookings")["bookings"]
    buyers[0].phone.call("POST", f"booking/bookings/{mine['id']}/cancellation")
    assert buyers[2].order(sold[0]).status_code == 201


def test_who_got_a_place_is_given_the_first_answer_again_also_when_all_is_sold(
        buyers: list[Buyer], sold: tuple[dict[str, Any], str]) -> None:
    session, key = sold
    again = buyers[0].order(session, key=key)
    assert (again.status_code, again.json()["state"]) == (201, "HELD")


def test_another_session_of_the_same_hour_is_sold_as_ever(
        buyers: list[Buyer], sold: tuple[dict[str, Any], str], new_session: Open) -> None:
    assert buyers[2].order(new_session(slots=1)).status_code == 201


def test_who_shows_no_session_or_sends_nonsense_is_told_that_and_no_more(
        control: Control, buyers: list[Buyer], sold: tuple[dict[str, Any], str]) -> None:
    stranger = Phone(control)
    order = {"patient_id": buyers[2].patient_id, "schedule_id": sold[0]["id"], "fee_fen": 2500}
    assert told(stranger.raw("POST", "booking/bookings", order, key=secrets.token_hex(16))) == (401, "unauthorized")
    assert refused(lambda: buyers[2].phone.call("POST", "booking/bookings", {**order, "fee_fen": "much"},
                                                key=secrets.token_hex(16))) == (422, "invalid")


# -- the waiting room -------------------------------------------------------------------------------
@pytest.fixture
def newly(control: Control, new_session: Open, policy: Callable[..., None]) -> dict[str, Any]:
    """A session of the day that goes on sale at seven, at five minutes to; so many a second will be admitted."""
    made = new_session(date="2026-11-30", slots=3)
    policy(waiting_room_per_second=10, waiting_room_crowd=600)
    control("PUT", "/clock", now="2026-11-23T06:55:00+08:00")
    return made


def draw(buyer: Buyer, session: dict[str, Any]) -> dict[str, Any]:
    ticket: dict[str, Any] = buyer.phone.call("POST", "booking/tickets", {"schedule_id": session["id"]})
    return ticket


def test_who_has_drawn_a_ticket_books_when_its_turn_has_come_and_not_before(
        control: Control, buyers: list[Buyer], newly: dict[str, Any]) -> None:
    ticket = draw(buyers[0], newly)
    shown = {"X-Ticket": ticket["ticket"]}
    turn = datetime.fromisoformat(ticket["admitted_at"])
    assert timedelta(0) <= turn - datetime.fromisoformat("2026-11-23T07:00:00+08:00") < timedelta(seconds=60)
    early = buyers[0].order(newly, headers=shown)
    assert told(early) == (429, "not_your_turn")
    assert 300 <= int(early.headers["Retry-After"]) <= 361
    control("PUT", "/clock", now=turn.isoformat())
    assert buyers[0].order(newly, headers=shown).status_code == 201


def test_who_comes_without_a_ticket_or_before_their_turn_is_turned_away_without_the_database(
        buyers: list[Buyer], newly: dict[str, Any], sql: Ask) -> None:
    ticket = draw(buyers[0], newly)["ticket"]
    assert told(buyers[1].order(newly)) == (429, "ticket_required")
    for buyer in buyers:
        buyer.forgotten(sql)
    assert told(buyers[0].order(newly, headers={"X-Ticket": ticket})) == (429, "not_your_turn")
    assert told(buyers[1].order(newly)) == (429, "ticket_required")


def padded(json_text: bytes) -> Any:
    return json_text + b" " * 2000


def in_chunks(json_text: bytes) -> Any:
    return iter([json_text[:10], json_text[10:]])


@pytest.mark.parametrize("written", [padded, in_chunks])
def test_nobody_passes_the_waiting_room_by_how_the_request_is_written(buyers: list[Buyer], newly: dict[str, Any],
                                                                      control: Control, written: Any) -> None:
    draw(buyers[0], newly)
    control("PUT", "/clock", now="2026-11-23T07:00:01+08:00")
    body = json.dumps({"patient_id": buyers[1].patient_id, "schedule_id": newly["id"], "fee_fen": newly["fee_fen"]})
    answer = buyers[1].phone.raw("POST", "booking/bookings", key=secrets.token_hex(16), data=written(body.encode()),
                                 headers={"Content-Type": "application/json"})
    assert told(answer) == (429, "ticket_required")


def test_another_s_ticket_is_of_no_use(control: Control, buyers: list[Buyer], newly: dict[str, Any]) -> None:
    ticket = draw(buyers[0], newly)
    control("PUT", "/clock", now=ticket["admitted_at"])
    assert told(buyers[1].order(newly, headers={"X-Ticket": ticket["ticket"]})) == (403, "ticket_of_another")


def test_once_all_were_admitted_and_on_days_that_were_on_sale_before_nobody_needs_a_ticket(
        control: Control, buyers: list[Buyer], newly: dict[str, Any], new_session: Open) -> None:
    assert buyers[0].order(new_session(date="2026-11-26")).status_code == 201
    control("PUT", "/clock", now="2026-11-23T07:01:00+08:00")
    assert draw(buyers[1], newly)["ticket"] == ""
    assert buyers[1].order(newly).status_code == 201


def test_without_a_waiting_room_a_ticket_is_empty_and_the_release_is_for_everybody(
        control: Control, buyers: list[Buyer], new_session: Open) -> None:
    made = new_session(date="2026-11-30", slots=1)
    control("PUT", "/clock", now="2026-11-23T06:59:59+08:00")
    assert draw(buyers[0], made)["ticket"] == ""
    assert told(buyers[0].order(made)) == (409, "day_not_open")
    control("PUT", "/clock", now="2026-11-23T07:00:00+08:00")
    assert buyers[0].order(made).status_code == 201


# -- lists ------------------------------------------------------------------------------------------
LISTS = ("departments", "days", "days/2026-11-25/departments", "sessions?day=2026-11-25", "doctors?q=a",
         "next-release?doctor_id=01M82SJG9XW5H7JFBMZBNQYXFD")


@pytest.mark.parametrize("path", LISTS)
def test_a_list_in_which_nothing_is_anybody_s_own_may_be_kept_for_a_second_and_is_told_apart_by_its_tag(
        control: Control, path: str) -> None:
    guest = Phone(control)
    first = guest.raw("GET", f"booking/{path}")
    assert (first.status_code, first.headers["Cache-Control"]) == (200, "public, max-age=1")
    same = guest.raw("GET", f"booking/{path}", headers={"If-None-Match": first.headers["ETag"]})
    assert (same.status_code, same.content, same.headers["ETag"]) == (304, b"", first.headers["ETag"])
    other = guest.raw("GET", f"booking/{path}", headers={"If-None-Match": '"another"'})
    assert (other.status_code, other.content) == (200, first.content)


def test_a_list_that_has_changed_has_another_tag_and_who_asks_alone_sees_it_at_once(
        control: Control, buyers: list[Buyer], new_session: Open) -> None:
    session = new_session(slots=2)
    path = f"booking/sessions/{session['id']}/slots"
    first = buyers[0].phone.raw("GET", path)
    assert buyers[0].order(session).status_code == 201
    after = buyers[0].phone.raw("GET", path, headers={"If-None-Match": first.headers["ETag"]})
    assert (after.status_code, len(after.json()["slots"])) == (200, 1)


def test_what_is_somebody_s_own_and_every_refusal_is_kept_by_nobody(buyers: list[Buyer]) -> None:
    for path in ("booking/bookings", "account/patients", "booking/sessions/nothing/slots",
                 "booking/days/never/departments"):
        assert buyers[0].phone.raw("GET", path).headers["Cache-Control"] == "no-store", path


def test_many_readers_at_once_are_all_given_the_same_list(control: Control, new_session: Open) -> None:
    path = f"booking/sessions/{new_session(slots=3)['id']}/slots"
    with ThreadPoolExecutor(16) as pool:
        seen = list(pool.map(lambda _: Phone(control).raw("GET", path), range(96)))
    assert {(one.status_code, one.content) for one in seen} == {(200, seen[0].content)}
