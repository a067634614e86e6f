"""Stopping sessions and moving registrations in the HIS of the sandbox: all of a move is done, or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.sandbox.his_till import Answer, Till, code


@pytest.fixture
def till() -> Iterator[Till]:
    made = Till()
    yield made
    made.caller.session.close()


def registered(till: Till, session: dict[str, Any], trade_no: str = "T00001") -> None:
    """One of the till's own patient, paid."""
    assert till.lock(till.order(session, trade_no))[0] == 200
    assert till.confirm(trade_no, session["fee_fen"])[0] == 200


def move(till: Till, to: str = "T00002", **more: Any) -> Answer:
    """From T00001, with what was paid for it."""
    return till.caller.post("/registrations/move", **{
        "trade_no": to, "from_trade_no": "T00001", "transaction_id": "42000001", **more})


def test_a_move_takes_place_and_payment_along_and_is_answered_alike_again(till: Till) -> None:
    session, other = till.session(), till.session(date="2026-11-26")
    registered(till, session)
    till.lock(till.order(other, "T00002"))
    first = move(till)
    assert (first[0], first[1]["state"], first[1]["visit_number"]) == (200, "CONFIRMED", "M001")
    assert move(till) == first
    old, new = (till.caller.get(f"/trades/{number}")[1] for number in ("T00001", "T00002"))
    assert (old["state"], old["refund_fen"], old["moved_to"]) == ("CANCELLED", 5000, "T00002")
    assert (new["paid_fen"], new["transaction_id"]) == (5000, "42000001")
    assert (till.slot_state(session), till.slot_state(other)) == ("FREE", "TAKEN")
    listed = till.caller.get("/trades", date="2026-11-23", by="MONEY")[1]["trades"]
    assert [(one["trade_no"], one["paid_fen"] - one["refund_fen"]) for one in listed] == [
        ("T00001", 0), ("T00002", 5000)]


def test_a_dearer_place_needs_exactly_the_difference_and_keeps_it_as_a_trade_of_its_own(till: Till) -> None:
    session, other = till.session(), till.session(date="2026-11-26", fee_fen=8000)
    registered(till, session)
    till.lock(till.order(other, "T00002"))
    assert code(move(till)) == (409, "AMOUNT_MISMATCH")
    difference = {"trade_no": "T00002-D", **till.payment("42000002", 3000)}
    assert code(move(till, difference={**difference, "paid_fen": 2999})) == (409, "AMOUNT_MISMATCH")
    assert till.state("T00001") == "CONFIRMED"
    assert move(till, difference=difference)[0] == 200
    part = till.caller.get("/trades/T00002-D")[1]
    assert (part["state"], part["paid_fen"], part["part_of"]) == ("CONFIRMED", 3000, "T00002")
    dearer, same = till.session(date="2026-11-27", fee_fen=9000), till.session(date="2026-11-27", fee_fen=8000)
    for number, goal in (("T00003", dearer), ("T00004", same)):
        till.lock(till.order(goal, number))
    assert code(move(till, "T00003", from_trade_no="T00002")) == (409, "AMOUNT_MISMATCH")
    assert move(till, "T00004", from_trade_no="T00002")[0] == 200
    assert till.caller.get("/trades/T00002-D")[1]["part_of"] == "T00004"
    assert till.cancel("T00004", 5000)[0] == till.cancel("T00002-D", 3000)[0] == 200


def test_what_was_cancelled_along_with_its_session_may_be_cancelled_with_its_money_or_moved(till: Till) -> None:
    session, other = till.session(), till.session(date="2026-11-26", fee_fen=3000)
    registered(till, session)
    till.control.post(f"/his/schedules/{session['code']}/stop", json={"cancel": True})
    trade = till.caller.get("/trades/T00001")[1]
    assert (trade["state"], trade["stopped"], trade["refund_fen"]) == ("CANCELLED", True, 0)
    till.lock(till.order(other, "T00002"))
    assert move(till)[0] == 200
    assert till.caller.get("/trades/T00002")[1]["paid_fen"] == 3000
    assert code(till.cancel("T00001", 0)) == (409, "TRADE_CONFLICT")


def test_cancelling_what_was_stopped_sets_its_refund_once(till: Till) -> None:
    session = till.session()
    registered(till, session)
    till.control.post(f"/his/schedules/{session['code']}/stop", json={"cancel": True})
    till.clock.set(till.clock.now() + timedelta(days=2, hours=3))  # its time is over
    assert till.cancel("T00001", 5000)[0] == 200
    assert till.cancel("T00001", 5000)[0] == 200
    assert code(till.cancel("T00001", 4000)) == (409, "TRADE_CONFLICT")


def test_a_move_that_is_refused_changes_nothing(till: Till) -> None:
    session, other = till.session(), till.session(date="2026-11-26")
    registered(till, session)
    till.lock(till.order(other, "T00002"))
    assert code(move(till, transaction_id="42000009")) == (409, "PAYMENT_CONFLICT")
    assert code(move(till, "T00009")) == (404, "TRADE_UNKNOWN")
    till.control.post(f"/his/schedules/{other['code']}/stop")
    assert code(move(till)) == (409, "SCHEDULE_STOPPED")
    till.control.post(f"/his/schedules/{other['code']}/reopen")
    till.clock.set(till.clock.now() + timedelta(minutes=11))
    till.control.post(f"/his/slots/{other['slots'][0]['code']}/take")
    assert code(move(till)) == (409, "LOCK_EXPIRED")
    assert till.unlock("T00002")[0] == 200
    assert code(move(till)) == (409, "TRADE_CLOSED")
    assert (till.state("T00001"), till.slot_state(session)) == ("CONFIRMED", "TAKEN")
    till.control.post("/his/registrations/T00001/desk-refund", json={"amount_fen": 100})
    till.lock(till.order(other, "T00003", 1))
    assert code(move(till, "T00003")) == (409, "PARTLY_REFUNDED")
