"""Moving out of a stopped clinic, each outside call, each way it can go wrong: nothing is lost, nothing is doubled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.phone import Control
from tests.faults.conftest import Sql, Visit
from tests.faults.test_crashes import kill
from tests.faults.test_each_call import A_WHILE, FAULTS

Open = Callable[..., dict[str, Any]]


class Stopped(Visit):
    """Somebody who has paid for a session that is then stopped; ``same`` and ``dearer`` are where else they may go."""

    same: dict[str, Any]
    dearer: dict[str, Any]

    def stop(self) -> None:
        """Paid, then stopped and told."""
        self.held_and_paid()
        self.work()
        assert self.state == "CONFIRMED"
        self.control("POST", f"/his/schedules/{self.session['his']['code']}/stop", tell=True)
        self.control.settle()
        assert self.shown()["can_move"]

    def move(self, goal: dict[str, Any]) -> Any:
        """Choose one of them."""
        return self.again(lambda: self.phone.call("POST", f"booking/bookings/{self.id}/move", {
            "schedule_id": goal["id"], "fee_fen": goal["fee_fen"]}))

    def to_the_same(self) -> None:
        """Move to a place of the same fee."""
        self.move(self.same)
        self.work()

    def to_a_dearer(self) -> None:
        """Move to a dearer place, and pay the difference."""
        chosen = self.move(self.dearer)
        if chosen is not None and chosen["payment"] is not None:
            self.phone.thumb(chosen["payment"])
        self.work()

    def elsewhere_and_cancelled(self) -> None:
        """Move to a dearer place, then give it up: both payments go back."""
        self.to_a_dearer()
        self.cancel()
        self.work()

    def never_paid(self) -> None:
        """Choose a dearer place and don't pay."""
        self.move(self.dearer)
        self.control.advance(16 * 60)
        self.work()

    def given_up(self) -> None:
        """Give it up."""
        self.cancel()
        self.work()

    @property
    def moves(self) -> list[str]:
        """How its moves stand."""
        return [row[0] for row in self.sql("SELECT state FROM booking_moves WHERE booking_id = %s ORDER BY id",
                                           (self.id,))]

    def ended(self, *, where: str) -> None:
        """The books agree, nothing hangs, and it is where it should be; each place and fen once."""
        self.agree()
        shown = self.shown()
        places = {"old": self.session, "same": self.same, "dearer": self.dearer}
        if where == "gone":
            assert shown["state"] == "CANCELLED"
        else:
            assert (shown["state"], shown["fee_fen"]) == ("CONFIRMED", places[where]["fee_fen"])
        held = self.sql("SELECT s.schedule_id FROM slots s WHERE s.booking_id = %s", (self.id,))
        assert held == ([] if where == "gone" else [(places[where]["id"],)])
        assert self.sql("SELECT COUNT(*) FROM slots s JOIN booking_moves m ON m.id = s.booking_id "
                        "WHERE m.booking_id = %s", (self.id,)) == [(0,)]


@pytest.fixture
def stopped(control: Control, sql: Sql, new_session: Open, mysql: str, database_name: str) -> Stopped:
    """Paid, stopped, told."""
    sessions = [new_session(slots=2), new_session(slots=2, date="2026-11-26"),
                new_session(slots=2, date="2026-11-26", fee_fen=4000)]
    one = Stopped(control, sql, sessions[0], (mysql, database_name))
    _, one.same, one.dearer = sessions
    one.stop()
    return one


# The way through a call, where it ends, and where when the call is refused.
WAYS: dict[tuple[str, str], tuple[Callable[[Stopped], None], str, str]] = {
    ("his", "move_registration"): (Stopped.to_a_dearer, "dearer", "old"),
    ("his", "lock_registration"): (Stopped.to_the_same, "same", "old"),
    ("his", "check_trade"): (Stopped.to_the_same, "same", "same"),
    ("his", "unlock_registration"): (Stopped.never_paid, "old", "old"),
    ("his", "cancel_registration"): (Stopped.given_up, "gone", "old"),
    ("wechatpay", "create_order"): (Stopped.to_a_dearer, "dearer", "dearer"),
    ("wechatpay", "close_order"): (Stopped.never_paid, "old", "old"),
}
CASES = [pytest.param(system, operation, fault, id=f"{operation}-{fault}") for system, operation in WAYS
         for fault in FAULTS if not (operation == "check_trade" and fault.endswith("-after"))
         and (operation == "move_registration" or fault not in ("delay", "garbage-after"))]


@pytest.mark.feature("remind.clinic-stopped")
@pytest.mark.parametrize(("system", "operation", "fault"), CASES)
def test_a_move_ends_well_whatever_one_call_does(stopped: Stopped, system: str, operation: str, fault: str) -> None:
    way, ends, ends_refused = WAYS[system, operation]
    kind, params = FAULTS[fault]
    stopped.control.fault(system, operation, kind, **params)
    way(stopped)
    struck = [one["hits"] for one in stopped.control("GET", "/faults")["faults"] if one["operation"] == operation]
    stopped.recover()
    stopped.ended(where=ends_refused if fault == "refuse" else ends)
    assert struck == [1], "it did not make this call"


@pytest.mark.parametrize("fault", ["error", "cut-after", "garbage"])
def test_both_payments_of_a_moved_registration_come_back_though_the_his_is_down_for_a_while(
        stopped: Stopped, fault: str) -> None:
    stopped.to_a_dearer()
    stopped.control.fault("his", "*", FAULTS[fault][0], times=A_WHILE)
    stopped.cancel()
    stopped.work()
    stopped.recover()
    stopped.ended(where="gone")
    back = stopped.sql("SELECT SUM(r.amount_fen), COUNT(*) FROM refunds r JOIN payments p ON p.id = r.payment_id "
                       "WHERE p.account_id = %s AND r.state = 'SUCCEEDED'", (stopped.account_id,))
    assert back == [(4000, 2)]


def test_a_move_is_taken_over_from_a_dead_worker(stopped: Stopped) -> None:
    stopped.control.fault("his", "move_registration", "hold")
    stopped.move(stopped.same)
    kill(stopped, "worker", "his", "move_registration")
    assert stopped.moves == ["MOVING"]
    assert stopped.again(lambda: stopped.phone.call("POST", f"booking/bookings/{stopped.id}/cancellation")) is None
    stopped.recover()
    stopped.ended(where="same")
    assert stopped.moves == ["DONE"]


def test_a_move_that_hangs_is_ended_by_staff_who_give_the_difference_back(stopped: Stopped) -> None:
    stopped.control.fault("his", "move_registration", "error", times=-1)
    chosen = stopped.move(stopped.dearer)
    stopped.phone.thumb(chosen["payment"])
    stopped.work(until=lambda: bool(stopped.tasks("move.paid.hangs")))
    [(_, task)] = stopped.tasks("move.paid.hangs")
    assert stopped.operate("task.refund", task)["state"] == "REJECTED"
    stopped.recover()
    stopped.ended(where="old")
    assert stopped.shown()["can_move"]


def test_money_that_comes_after_the_time_to_pay_the_difference_goes_back(stopped: Stopped) -> None:
    chosen = stopped.move(stopped.dearer)
    stopped.control.fault("wechatpay", "query_order", "error", times=-1)
    stopped.phone.thumb(chosen["payment"], notify=False)
    stopped.control.fault("his", "unlock_registration", "error", times=2)
    stopped.control.advance(16 * 60)
    stopped.control.work()
    stopped.recover()
    assert stopped.moves in (["DONE"], ["REJECTED"])  # WeChat says that it was paid in time, or it was let go before
    stopped.ended(where="dearer" if stopped.moves == ["DONE"] else "old")


@pytest.mark.parametrize("fault", ["refuse", "error", "cut-before", "cut-after", "garbage", "delay"])
def test_what_a_push_tells_of_is_read_though_the_his_does_not_say_it_at_once(
        control: Control, sql: Sql, new_session: Open, mysql: str, database_name: str, fault: str) -> None:
    session = new_session(slots=2)
    visit = Visit(control, sql, session, (mysql, database_name))
    visit.held_and_paid()
    visit.work()
    kind, params = FAULTS[fault]
    control.fault("his", "list_schedules", kind, **params)
    control("POST", f"/his/schedules/{session['his']['code']}/stop", tell=True)
    control.settle()
    control.advance(10)
    control.work()
    assert visit.shown()["stopped"]
    assert len(visit.messages("clinic_stopped")) == 1


def test_what_becomes_firm_while_its_clinic_is_stopped_is_told_like_the_others(
        control: Control, sql: Sql, new_session: Open, mysql: str, database_name: str) -> None:
    session = new_session(slots=2)
    visit = Visit(control, sql, session, (mysql, database_name))
    visit.book()
    assert visit.open()
    control.settle()
    control.fault("his", "confirm_registration", "cut_after")
    control.fault("his", "check_trade", "hold")
    visit.pay()
    visit.waiting_for("his", "check_trade")
    control("POST", f"/his/schedules/{session['his']['code']}/stop", tell=True)
    visit.until(lambda: sql("SELECT COUNT(*) FROM outbox WHERE topic = 'clinic.stopped' AND subject_id = %s "
                            "AND state = 'DONE'", (session["id"],)) == [(1,)], "nobody was told")
    assert visit.state == "CONFIRMING"
    control("DELETE", "/faults")
    visit.work(until=lambda: visit.state == "CONFIRMED")
    control.settle()
    assert visit.shown()["stopped"]
    assert len(visit.messages("clinic_stopped")) == 1


# -- our own side dies at a write ---------------------------------------------------------------------
WRITES = {"choice": ("booking_choices", "INSERT", "TRUE"), "place": ("slots", "UPDATE", "NEW.booking_id IS NOT NULL"),
          "asked": ("booking_moves", "UPDATE", "NEW.state = 'MOVING'"),
          "moved": ("booking_moves", "UPDATE", "NEW.state = 'DONE'"),
          "settled": ("settlements", "INSERT", "TRUE"), "reversed": ("settlements", "UPDATE", "TRUE"),
          "told": ("messages", "INSERT", "TRUE"), "lapsed": ("booking_choices", "UPDATE", "NEW.state = 'LAPSED'"),
          "refund": ("refunds", "INSERT", "TRUE")}


@pytest.mark.feature("remind.clinic-stopped")
@pytest.mark.parametrize("write", WRITES)
def test_it_ends_well_at_whichever_write_our_own_side_dies(
        control: Control, sql: Sql, new_session: Open, mysql: str, database_name: str, write: str) -> None:
    table, event, when = WRITES[write]
    sessions = [new_session(slots=2), new_session(slots=2, date="2026-11-26"),
                new_session(slots=2, date="2026-11-26", fee_fen=4000)]
    one = Stopped(control, sql, sessions[0], (mysql, database_name))
    _, one.same, one.dearer = sessions
    one.held_and_paid()
    one.work()
    sql(f"CREATE TRIGGER dies BEFORE {event} ON {table} FOR EACH ROW BEGIN IF {when} THEN "
        "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'dies here'; END IF; END")
    try:
        control("POST", f"/his/schedules/{sessions[0]['his']['code']}/stop", tell=True)
        control.settle()
        _choose(one, lapses=write in ("lapsed", "refund"))
    finally:
        sql("DROP TRIGGER dies")
    control.settle()
    control.advance(60)
    control.work()
    _choose(one, lapses=write in ("lapsed", "refund"))
    one.work()
    sql("UPDATE outbox SET last_error = '' WHERE last_error LIKE 'OperationalError%%'")
    one.ended(where="gone" if write in ("lapsed", "refund") else "same")
    assert len(one.phone.control("GET", f"/wechat/phones/{one.phone.openid}/inbox")) <= 3
    told = sql("SELECT COUNT(*) FROM messages WHERE account_id = %s AND kind = 'clinic_stopped'", (one.account_id,))
    assert told == [(1,)]


def _choose(one: Stopped, *, lapses: bool) -> None:
    """Go to a place of the same fee, as often as it takes, or let the time pass."""
    if lapses:
        one.control("PUT", "/clock", now="2026-11-23T21:00:30+08:00")
        one.phone.sign_in()
    elif one.shown()["can_move"]:
        for _ in range(2):
            answer = one.phone.raw("POST", f"booking/bookings/{one.id}/move", {
                "schedule_id": one.same["id"], "fee_fen": one.same["fee_fen"]})
            if answer.status_code == 200:
                break
    one.control.settle()
    one.control("POST", "/scf/timers/clinic_changes/every-minute/fire")
    one.control.settle()
