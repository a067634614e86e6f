"""Our own side fails in the middle: a worker dies, the database drops its connections, a message hangs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pymysql
import pytest

from sandbox.phone import Control
from tests.faults.conftest import Sql, Visit


def kill(visit: Visit, function: str, system: str, operation: str) -> None:
    """End the function's instances while it waits for an answer; the other side then does what it was asked."""
    visit.waiting_for(system, operation)
    assert visit.control("POST", "/scf/instances/stop", function=function)["stopped"] >= 1
    visit.control("DELETE", "/faults")
    visit.until(lambda: any(line["fault"] == "hold" for line in visit.control(
        "GET", f"/journal?system={system}&operation={operation}")), f"{operation} was not done")


def attempts(visit: Visit, topic: str) -> int:
    """How often a step of this registration was begun."""
    return int(visit.sql("SELECT attempts FROM outbox WHERE topic = %s AND subject_id = %s", (topic, visit.id))[0][0])


# -- a worker dies ----------------------------------------------------------------------------------
def test_a_confirmation_is_taken_over_from_a_dead_worker(visit: Visit) -> None:
    visit.book()
    assert visit.open()
    visit.control.settle()
    visit.control.fault("his", "confirm_registration", "hold")
    visit.pay()
    kill(visit, "worker", "his", "confirm_registration")
    assert visit.state == "CONFIRMING"
    visit.recover()
    visit.check("CONFIRMED")
    assert attempts(visit, "registration.paid") == 2
    assert len(visit.phone.inbox()) == 1


def test_a_cancellation_is_taken_over_from_a_dead_worker(visit: Visit) -> None:
    visit.held_and_paid()
    visit.work()
    visit.control.fault("his", "cancel_registration", "hold")
    visit.cancel()
    kill(visit, "worker", "his", "cancel_registration")
    assert visit.state == "CANCELLING"
    visit.recover()
    visit.check("CANCELLED")
    assert attempts(visit, "booking.cancel") == 2


def test_a_release_is_taken_over_from_a_dead_worker(visit: Visit) -> None:
    visit.book()
    assert visit.open()
    visit.control.settle()
    visit.control.fault("wechatpay", "close_order", "hold")
    visit.cancel()
    kill(visit, "worker", "wechatpay", "close_order")
    assert visit.state == "AWAITING_PAYMENT"
    visit.recover()
    visit.check("RELEASED")
    assert visit.his()["state"] == "UNLOCKED"


def test_a_refund_is_taken_over_from_a_dead_worker_and_sent_once(visit: Visit) -> None:
    visit.held_and_paid()
    visit.work()
    visit.control.fault("wechatpay", "create_refund", "hold")
    visit.cancel()
    kill(visit, "refund", "wechatpay", "create_refund")
    visit.recover()
    visit.check("CANCELLED")
    assert len(visit.order()["refunds"]) == 1


def test_a_message_whose_worker_died_is_not_sent_twice(visit: Visit) -> None:
    visit.control.settle()
    visit.control.fault("wechat", "send_message", "hold")
    visit.held_and_paid()
    kill(visit, "worker", "wechat", "send_message")
    visit.recover()
    visit.check("CONFIRMED")
    assert visit.messages() == [("booking_confirmed", "UNCERTAIN")]
    assert len(visit.phone.inbox()) <= 1


def test_a_booking_function_that_dies_while_locking_is_asked_again(visit: Visit) -> None:
    visit.book()
    visit.control.fault("his", "lock_registration", "cut_after")
    visit.control("POST", "/scf/instances/stop", function="booking")
    assert visit.open()
    visit.pay()
    visit.recover()
    visit.check("CONFIRMED")


# -- messages ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(("fault", "arrived"), [("cut_after", 1), ("cut_before", 0), ("error", 0)])
def test_a_message_without_an_answer_is_uncertain_and_not_sent_again(visit: Visit, fault: str, arrived: int) -> None:
    visit.control.settle()
    visit.control.fault("wechat", "send_message", fault)
    visit.held_and_paid()
    visit.work()
    visit.recover()
    visit.control.advance(86400)
    visit.control.work()
    visit.check("CONFIRMED")
    assert visit.messages() == [("booking_confirmed", "UNCERTAIN")]
    assert len(visit.phone.inbox()) == arrived


def test_a_message_that_wechat_was_too_busy_for_is_sent_later(visit: Visit) -> None:
    visit.control.settle()
    visit.control.fault("wechat", "send_message", "refuse", code="-1", times=3)
    visit.held_and_paid()
    visit.work()
    visit.check("CONFIRMED")
    assert visit.messages() == [("booking_confirmed", "SENT")]
    assert len(visit.phone.inbox()) == 1


def test_a_message_nobody_allowed_is_refused_for_good(visit: Visit) -> None:
    visit.control.settle()
    visit.control.fault("wechat", "send_message", "refuse", code="43101")
    visit.held_and_paid()
    visit.work()
    visit.check("CONFIRMED")
    assert visit.sql("SELECT state, code FROM messages WHERE account_id = %s AND kind = 'booking_confirmed'",
                     (visit.account_id,)) == [("REFUSED", "43101")]


@pytest.mark.parametrize("errcode", [40001, 42001])
def test_a_revoked_token_is_renewed_and_the_message_sent_once(visit: Visit, errcode: int) -> None:
    visit.control.settle()
    visit.control("POST", "/wechat/tokens/expire", errcode=errcode)
    visit.held_and_paid()
    visit.work()
    visit.check("CONFIRMED")
    assert visit.messages() == [("booking_confirmed", "SENT")]
    assert len(visit.phone.inbox()) == 1


@pytest.mark.parametrize(("fault", "params"), [("cut_before", {}), ("error", {}), ("refuse", {"code": "45011"})])
def test_a_message_for_which_there_was_no_token_is_sent_later(visit: Visit, fault: str, params: dict[str, str]) -> None:
    visit.control.settle()
    visit.control("POST", "/wechat/tokens/expire")
    visit.control.fault("wechat", "stable_token", fault, times=2, **params)
    visit.held_and_paid()
    visit.work()
    visit.recover()
    visit.check("CONFIRMED")
    assert visit.messages() == [("booking_confirmed", "SENT")]
    assert len(visit.phone.inbox()) == 1


# -- the database drops every connection ------------------------------------------------------------
@pytest.fixture
def cut(control: Control, sql: Sql, database_name: str) -> Iterator[Callable[[], None]]:
    """Kill every connection to our database but the test's own."""
    def kill_all() -> None:
        for (number,) in sql("SELECT id FROM information_schema.processlist WHERE db = %s AND id <> CONNECTION_ID()",
                             (database_name,)):
            with contextlib.suppress(pymysql.err.OperationalError, pymysql.err.InternalError):  # ended by itself
                sql(f"KILL {number}")
    yield kill_all
    control.settle()
    control("POST", "/scf/instances/stop")  # every thread had a dead connection: the next test has fresh ones


def test_a_visit_goes_on_over_dropped_database_connections(visit: Visit, cut: Callable[[], None]) -> None:
    visit.control.settle()
    cut()
    held = visit.again(lambda: visit.phone.book(visit.patient_id, visit.session, key="k" * 20))
    assert held is not None
    visit.id = held["id"]
    cut()
    assert visit.open()
    cut()
    visit.pay()
    visit.work()
    cut()
    visit.work()
    assert visit.state == "CONFIRMED"
    cut()
    assert visit.cancel() is not None
    cut()
    visit.work()
    visit.recover()
    visit.check("CANCELLED")
    assert len(visit.sql("SELECT id FROM bookings WHERE account_id = %s", (visit.account_id,))) == 1


def test_every_read_survives_a_dropped_connection(visit: Visit, cut: Callable[[], None]) -> None:
    for path in ("account/me", "account/patients", "booking/bookings", "booking/departments"):
        cut()
        assert visit.phone.raw("GET", path).status_code == 200


def test_a_job_whose_connection_is_dropped_while_it_waits_is_done_once(visit: Visit, cut: Callable[[], None]) -> None:
    visit.book()
    assert visit.open()
    visit.control.settle()
    visit.control.fault("his", "confirm_registration", "hold")
    visit.pay()
    visit.waiting_for("his", "confirm_registration")
    cut()
    visit.recover()
    visit.check("CONFIRMED")
    assert len(visit.phone.inbox()) == 1


def test_a_notice_whose_connection_is_dropped_comes_again(visit: Visit, cut: Callable[[], None]) -> None:
    visit.book()
    assert visit.open()
    visit.control("POST", "/wechatpay/notices/mode", hold=True)
    visit.pay()
    cut()
    visit.control("POST", "/wechatpay/notices/mode", hold=False)
    visit.control.settle()
    visit.control.advance(31)  # WeChat Pay's first repetitions
    visit.work()
    visit.check("CONFIRMED")
