"""Each outside call about bills, e-bills and check-in, each way it can go wrong: nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.phone import Control
from tests.faults.conftest import Sql, Visit
from tests.faults.outpatient import Care
from tests.faults.test_each_call import FAULTS, LASTING

Walk = Callable[[Care], None]
NewVisit = Callable[[dict[str, Any]], Visit]


# -- bills ------------------------------------------------------------------------------------------
def to_settled(care: Care) -> None:
    """Ordered by a doctor, paid; the HIS settles."""
    if care.order_bills(care.bill()):
        care.pay()
    care.work()


def to_given_back(care: Care) -> None:
    """Paid, then refunded on line."""
    to_settled(care)
    care.refund(next(iter(care.charges().values())))
    care.work()


def to_desk(care: Care) -> None:
    """Paid, then refunded at the desk."""
    to_settled(care)
    care.desk_refund(next(iter(care.charges().values())))
    care.work()


def to_desk_by_list(care: Care) -> None:
    """Refunded at the desk, and no event tells of it."""
    to_settled(care)
    care.control("PUT", "/his/events-mode", drop=True)
    care.desk_refund(next(iter(care.charges().values())))
    for _ in range(2):
        care.control("POST", "/scf/timers/reconcile/every-ten-minutes/fire")
    care.work()


def without_a_notice(care: Care) -> None:
    """The notice is lost: WeChat must be asked."""
    assert care.order_bills(care.bill())
    care.pay(notify=False)
    care.work()


def given_up(care: Care) -> None:
    """Locked, then given up without paying."""
    care.order_bills(care.bill())
    care.again(lambda: care.phone.call("POST", f"billing/orders/{care.id}/cancellation"))
    care.work()


def asked_about(care: Care) -> None:
    """The HIS's answer to the settling is lost: its books must be asked."""
    care.control.fault("his", "settle_charge", "cut_after")
    to_settled(care)


def issued_unheard(care: Care) -> None:
    """The platform's answer is lost: it must be asked."""
    care.control.fault("ebill", "invoice_outpatient", "cut_after")
    to_settled(care)


# Which way leads through a call, how the charge ends, and how when the call is refused.
ROUTES: dict[tuple[str, str], tuple[Walk, str, str]] = {
    ("his", "get_bill"): (to_settled, "SETTLED", "SETTLED"),
    ("his", "list_bills"): (to_settled, "SETTLED", "SETTLED"),
    ("his", "lock_charge"): (to_settled, "SETTLED", "RELEASED"),
    ("his", "settle_charge"): (to_settled, "SETTLED", "REJECTED"),
    ("his", "check_trade"): (asked_about, "SETTLED", "SETTLED"),
    ("his", "unlock_charge"): (given_up, "RELEASED", "RELEASED"),
    ("his", "refundability"): (to_given_back, "CANCELLED", "SETTLED"),
    ("his", "cancel_charge"): (to_given_back, "CANCELLED", "SETTLED"),
    ("his", "list_desk_refunds"): (to_desk_by_list, "CANCELLED", "CANCELLED"),
    ("his", "get_desk_refund"): (to_desk, "CANCELLED", "CANCELLED"),
    ("his", "report_desk_refund"): (to_desk, "CANCELLED", "CANCELLED"),
    ("wechatpay", "create_order"): (to_settled, "SETTLED", "SETTLED"),
    ("wechatpay", "query_order"): (without_a_notice, "SETTLED", "SETTLED"),
    ("wechatpay", "close_order"): (given_up, "RELEASED", "RELEASED"),
    ("wechatpay", "create_refund"): (to_given_back, "CANCELLED", "CANCELLED"),
    ("wechatpay", "query_refund"): (to_desk, "CANCELLED", "CANCELLED"),
    ("ebill", "invoice_outpatient"): (to_settled, "SETTLED", "SETTLED"),
    ("ebill", "states"): (issued_unheard, "SETTLED", "SETTLED"),
    ("ebill", "pdf"): (to_settled, "SETTLED", "SETTLED"),
    ("ebill", "write_off"): (to_given_back, "CANCELLED", "CANCELLED"),
    ("cos", "put_object"): (to_settled, "SETTLED", "SETTLED"),
}
# Without an effect there is no "after" it, and no answer is like another.
READS = {"get_bill", "list_bills", "check_trade", "refundability", "list_desk_refunds", "get_desk_refund",
         "query_order", "query_refund", "states", "pdf"}
COSTLY = {"settle_charge", "cancel_charge", "report_desk_refund"}


def cases(routes: dict[tuple[str, str], Any]) -> list[Any]:
    """Every call with every fault that makes a difference."""
    return [pytest.param(system, operation, fault, id=f"{operation}-{fault}")
            for system, operation in routes for fault in FAULTS
            if not (operation in READS and fault not in ("refuse", "error", "garbage"))
            and (operation in COSTLY or fault not in ("delay", "garbage-after"))]


def struck(control: Control, operation: str) -> list[int]:
    """How often the faults of an operation have struck."""
    return [one["hits"] for one in control("GET", "/faults")["faults"] if one["operation"] == operation]


@pytest.mark.parametrize(("system", "operation", "fault"), cases(ROUTES))
def test_a_bill_ends_well_whatever_one_call_does(care: Care, system: str, operation: str, fault: str) -> None:
    walk, ends, ends_refused = ROUTES[system, operation]
    kind, params = FAULTS[fault]
    care.control.fault(system, operation, kind, **params)
    walk(care)
    hits = struck(care.control, operation)
    care.recover()
    assert hits == [1], "no such call was made"
    care.check("RELEASED" if "RELEASED" in (ends, fault == "refuse" and ends_refused) else "DONE")
    [charge] = care.charges().values()
    assert charge["state"] == (ends_refused if fault == "refuse" else ends), care.history()
    if charge["state"] == "SETTLED":
        assert care.order()["refunds"] == []
        assert care.invoices() == [("ISSUED", 2500)]
        assert len(care.phone.inbox("缴费成功通知")) == 1
    elif charge["state"] != "RELEASED":
        assert care.order()["refunded_fen"] == care.order()["total_fen"] == 2500
        assert [one["amount_fen"] for one in care.order()["refunds"]] == [2500]
        assert not [state for state, _ in care.invoices() if state not in ("VOID", "WRITTEN_OFF")]
        assert len(care.phone.inbox("退费通知")) == (charge["state"] == "CANCELLED")
    assert len(care.phone.inbox("待缴费提醒")) <= 1  # what is paid by the time that it can be read is not told of


@pytest.mark.parametrize(("system", "fault"), [
    *(("his", fault) for fault in LASTING), ("wechatpay", "cut-after"), ("ebill", "cut-after"), ("cos", "error"),
    ("cloud", "cut-before")])
def test_a_bill_ends_well_when_a_system_is_down_for_a_while(care: Care, system: str, fault: str) -> None:
    def down() -> None:
        care.control("DELETE", "/faults")
        care.control.fault(system, "*", FAULTS[fault][0], times=3)

    number, other = care.bill(9000, 1000), care.bill(1100)
    care.control.settle()
    down()
    assert care.order_bills(number, other)
    down()
    care.pay()
    care.work()
    assert {one["state"] for one in care.charges().values()} == {"SETTLED"}
    down()
    care.refund(care.charges()[other])
    care.desk_refund(care.charges()[number], item_nos=[2])
    care.work()
    care.recover()
    care.check("DONE")
    assert care.charges()[other]["state"] == "CANCELLED"
    assert (care.charges()[number]["state"], care.charges()[number]["refunded_fen"]) == ("SETTLED", 1000)
    assert care.order()["refunded_fen"] == 2100
    assert care.invoices()[-1] == ("ISSUED", 9000)


# -- check-in ---------------------------------------------------------------------------------------
@pytest.fixture(scope="session")
def afternoon(world: Control, mysql: str, database_name: str, hall: dict[str, Any]) -> dict[str, Any]:
    """A session of today's afternoon with places for everybody."""
    made = world("POST", "/his/schedules", date="2026-11-23", period="AFTERNOON", kind="EXPERT", fee_fen=2500,
                 slots=200, doctor="new", department_code="1101")
    world.operate("schedules.sync", schedule=made["code"])
    return {"fee_fen": 2500, "his": made}


@pytest.fixture
def registered(control: Control, sql: Sql, new_visit: NewVisit, afternoon: dict[str, Any],
               policy: Callable[..., None]) -> Visit:
    """Registered for today, to be paid on arrival; the patient is there."""
    policy(payment="AT_CHECKIN")
    visit = new_visit({**afternoon, "id": sql("SELECT id FROM schedules WHERE his_code = %s",
                                              (afternoon["his"]["code"],))[0][0]})
    visit.phone.allow_messages("checkin")
    visit.book()
    visit.open()
    visit.work()
    assert visit.state == "CONFIRMED"
    control("PUT", "/clock", now="2026-11-23T13:00:00+08:00")
    return visit


def arrive(visit: Visit, **how: Any) -> None:
    """Check in: pay first, then get a number."""
    answer = visit.again(lambda: visit.phone.check_in(visit.id))
    if answer and answer["payment"]:
        visit.phone.thumb(answer["payment"], **how)
    visit.work()


def arrive_unheard(visit: Visit) -> None:
    """The notice is lost: WeChat must be asked."""
    arrive(visit, notify=False)


def turned_away(visit: Visit) -> None:
    """The HIS refuses after the payment."""
    visit.control.fault("his", "check_in", "refuse", code="SESSION_OVER", status=409)
    arrive(visit)


CHECK_IN: dict[tuple[str, str], tuple[Callable[[Visit], None], str, str]] = {
    ("his", "check_in"): (arrive, "CHECKED_IN", "CONFIRMED"),
    ("his", "check_trade"): (arrive, "CHECKED_IN", "CHECKED_IN"),
    ("wechatpay", "create_order"): (arrive, "CHECKED_IN", "CHECKED_IN"),
    ("wechatpay", "query_order"): (arrive_unheard, "CHECKED_IN", "CHECKED_IN"),
    ("wechatpay", "create_refund"): (turned_away, "CONFIRMED", "CONFIRMED"),
    ("wechatpay", "query_refund"): (turned_away, "CONFIRMED", "CONFIRMED"),
    ("ebill", "invoice_registration"): (arrive, "CHECKED_IN", "CHECKED_IN"),
}


@pytest.mark.parametrize(("system", "operation", "fault"), cases(CHECK_IN))
def test_a_check_in_ends_well_whatever_one_call_does(registered: Visit, system: str, operation: str, fault: str
                                                     ) -> None:
    walk, ends, ends_refused = CHECK_IN[system, operation]
    kind, params = FAULTS[fault]
    registered.control.fault(system, operation, kind, **params)
    walk(registered)
    hits = struck(registered.control, operation)
    registered.recover()
    assert hits[:1] == [1], "no such call was made"
    registered.check(ends_refused if fault == "refuse" else ends)
    [(number,)] = registered.sql("SELECT p.out_trade_no FROM payments p JOIN checkins k ON k.id = p.subject_id "
                                 "WHERE k.booking_id = %s", (registered.id,))
    order = registered.control("GET", f"/wechatpay/orders/{number}")
    checked_in = registered.state == "CHECKED_IN"
    assert order["refunded_fen"] == (0 if checked_in else 2500)
    assert [one["template_name"] for one in registered.phone.inbox()].count("取号成功通知") == checked_in
    invoices = registered.sql("SELECT state FROM invoices WHERE account_id = %s", (registered.account_id,))
    assert invoices == ([("ISSUED",)] if checked_in else [])
