"""Notices rightly signed that are not about our order, can't be read, or come to the wrong address."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.phone import Refused
from tests.faults.conftest import Visit

OTHERS = {"mchid": "1900009999", "appid": "wx9999999999999999", "amount.currency": "HKD"}
BOOKED = ("CAPTURE",)


@pytest.fixture
def paid(visit: Visit) -> Visit:
    """Paid, and nobody has told us."""
    visit.held_and_paid(notify=False)
    visit.control.settle()
    return visit


def said(visit: Visit, kind: str) -> list[str]:
    """What the open tasks of a kind about its order say."""
    return [row[0] for row in visit.sql("SELECT t.detail FROM staff_tasks t JOIN payments p ON t.subject_id IN "
                                        "(p.id, p.out_trade_no) WHERE p.subject_id = %s AND t.kind = %s "
                                        "AND t.state = 'OPEN'", (visit.id, kind))]


def logged(visit: Visit, event: str) -> list[str]:
    """The callback's log lines of an event that name its order."""
    lines: list[str] = visit.control("GET", "/scf/logs/pay_callback?tail=40")["lines"]
    return [line for line in lines if f'"{event}"' in line and visit.out_trade_no in line]


def payment(visit: Visit) -> tuple[str, int]:
    """State and amount of the payment in our books."""
    state, fen = visit.sql("SELECT state, paid_fen FROM payments WHERE subject_id = %s", (visit.id,))[0]
    return state, fen


# -- somebody else's --------------------------------------------------------------------------------
@pytest.mark.parametrize("field", OTHERS)
def test_a_notice_of_another_merchant_app_or_currency_books_nothing_and_is_a_task(paid: Visit, field: str) -> None:
    assert paid.notice(set={field: OTHERS[field]}) == 204
    paid.control.settle()
    assert (payment(paid), paid.ledger(*BOOKED), paid.state) == (("OPEN", 0), [], "AWAITING_PAYMENT")
    [detail] = said(paid, "payment.not-ours")
    assert OTHERS[field] in detail
    assert OTHERS[field] in logged(paid, "payment.not-booked")[0]
    paid.work()  # WeChat is asked, and says the truth
    paid.check("CONFIRMED")


@pytest.mark.parametrize("field", OTHERS)
def test_an_answer_of_another_merchant_app_or_currency_is_neither_paid_nor_unpaid(paid: Visit, field: str) -> None:
    paid.control.fault("wechatpay", "query_order", "override", times=-1, set={field: OTHERS[field]})
    paid.control.advance(16 * 60)  # the hold is over
    paid.control.work()
    assert (payment(paid), paid.state) == (("OPEN", 0), "AWAITING_PAYMENT"), "the place is kept until it is known"
    assert said(paid, "payment.not-ours")
    paid.control("DELETE", "/faults")
    paid.work()
    paid.check()
    assert payment(paid) == ("PAID", 2500)


def test_money_of_another_payer_is_recorded_and_a_task(paid: Visit) -> None:
    assert paid.notice(set={"payer.openid": "oSomebodyElse"}) == 204
    paid.work()
    paid.check("CONFIRMED")
    assert [kind for kind, _ in paid.tasks()] == ["payment.another-payer"]
    [detail] = said(paid, "payment.another-payer")
    assert "oSomebodyElse" not in detail, "who that is stays out of the list"


def test_a_transaction_that_paid_another_order_is_not_booked_twice_and_a_task(
        paid: Visit, new_visit: Callable[[dict[str, Any]], Visit], hall: dict[str, Any]) -> None:
    other = new_visit(hall)
    other.held_and_paid()
    other.work()
    assert paid.notice(set={"transaction_id": other.order()["transaction_id"]}) == 204
    assert (payment(paid), paid.ledger(*BOOKED)) == (("OPEN", 0), [])
    assert other.order()["transaction_id"] in said(paid, "payment.transaction-elsewhere")[0]
    paid.control.fault("wechatpay", "query_order", "override", set={"transaction_id": other.order()["transaction_id"]},
                       times=-1)
    paid.control.advance(16 * 60)
    paid.control.work()
    assert paid.state == "AWAITING_PAYMENT", "an answer that can't be booked ends no order"
    paid.control("DELETE", "/faults")
    paid.work()
    paid.check()
    other.check("CONFIRMED")


# -- unreadable -------------------------------------------------------------------------------------
UNREADABLE: dict[str, dict[str, Any]] = {
    "no-amount": {"remove": ["amount"]},
    "no-transaction": {"remove": ["transaction_id"]},
    "part-of-a-fen": {"set": {"amount.total": 2500.7}}, "a-word": {"set": {"amount.total": "二十五元"}},
    "negative": {"set": {"amount.total": -2500}}, "beyond-the-column": {"set": {"amount.total": 10**30}},
    "time-without-a-zone": {"set": {"success_time": "2026-11-23T07:31:00"}},
    "amount-a-list": {"set": {"amount": [2500]}}, "transaction-too-long": {"set": {"transaction_id": "4" * 64}},
}


@pytest.mark.parametrize("how", UNREADABLE)
def test_a_notice_that_cannot_be_read_is_refused_and_wechat_is_asked_at_once(paid: Visit, how: str) -> None:
    paid.answers.add(403)
    assert paid.notice(**UNREADABLE[how]) == 403
    line = logged(paid, "notice.refused")[-1]
    assert " a field: " in line
    paid.control.settle()  # no time passes
    assert payment(paid) == ("PAID", 2500)
    paid.work()
    paid.check("CONFIRMED")
    assert (paid.ledger(*BOOKED), paid.tasks()) == ([("CAPTURE", 2500)], [])


@pytest.mark.parametrize("how", [
    {"set": {"out_trade_no": "R" * 64}}, {"set": {"out_trade_no": "挂号订单一二三"}}, {"content": []},
    {"content": "paid"}, {"content": None, "text": "{"}, {"content": {"amount": None}},
    {"event_type": "PAYSCORE.USER_PAID"}, {"envelope": {"set": {"event_type": ["REFUND"]}}},
    {"envelope": {"set": {"resource": []}}}, {"envelope": {"remove": ["resource"]}}])
def test_whatever_a_signed_notice_holds_it_is_refused_and_never_our_fault(paid: Visit, how: dict[str, Any]) -> None:
    paid.answers.add(403)
    for url in ("", "refund"):
        assert paid.notice(url=url, **how) == 403
    paid.work()
    paid.check("CONFIRMED")


def test_a_moment_with_a_fraction_of_a_second_is_read(paid: Visit) -> None:
    assert paid.notice(set={"success_time": "2026-11-23T07:30:07.123456789+08:00"}) == 204
    paid.work()
    paid.check("CONFIRMED")
    assert str(paid.sql("SELECT paid_at FROM payments WHERE subject_id = %s", (paid.id,))[0][0]).startswith(
        "2026-11-22 23:30:07.123456")


@pytest.mark.parametrize("how", ["no-amount", "part-of-a-fen", "time-without-a-zone"])
def test_an_answer_that_cannot_be_read_is_no_answer(paid: Visit, how: str) -> None:
    paid.control.fault("wechatpay", "query_order", "override", times=-1, **UNREADABLE[how])
    paid.control.advance(16 * 60)
    paid.control.work()
    assert (payment(paid), paid.state) == (("OPEN", 0), "AWAITING_PAYMENT")
    errors = paid.sql("SELECT o.topic, o.last_error FROM outbox o JOIN payments p "
                      "ON o.subject_id IN (p.id, p.subject_id) WHERE p.subject_id = %s "
                      "AND o.last_error <> '' ORDER BY o.topic", (paid.id,))
    assert [topic for topic, _ in errors] == ["booking.expire", "payment.ask"]
    assert all(error.startswith("unanswered: wechatpay query: ") and " a field: " in error for _, error in errors)
    paid.control("DELETE", "/faults")
    paid.work()
    paid.check()
    assert payment(paid) == ("PAID", 2500)


def test_an_order_that_counts_as_paid_with_nothing_is_not_refunded_and_its_number_stays_alive(visit: Visit) -> None:
    visit.control.fault("his", "confirm_registration", "error", times=-1)
    visit.held_and_paid()
    visit.work(until=lambda: bool(visit.tasks()))
    [(_, task)] = visit.tasks()
    visit.sql("UPDATE payments SET paid_fen = 0 WHERE subject_id = %s", (visit.id,))
    with pytest.raises(Refused) as refusal:
        visit.operate("task.refund", task)
    assert refusal.value.code == "nothing_to_refund"
    assert visit.his()["state"] in ("LOCKED", "EXPIRED")
    visit.sql("UPDATE payments SET paid_fen = 2500 WHERE subject_id = %s", (visit.id,))
    visit.operate("task.refund", task)
    visit.work()
    visit.check("REJECTED")


# -- at the wrong address ---------------------------------------------------------------------------
def test_a_payments_notice_at_the_refunds_address_is_taken_for_what_it_is(paid: Visit) -> None:
    assert paid.notice(url="refund") == 204
    assert payment(paid) == ("PAID", 2500)
    paid.work()
    paid.check("CONFIRMED")


def test_a_refunds_notice_at_the_payments_address_is_taken_for_what_it_is(visit: Visit) -> None:
    visit.held_and_paid()
    visit.work()
    visit.control("POST", "/wechatpay/notices/mode", drop=True)
    visit.cancel()
    visit.control.settle()
    [refund] = visit.order()["refunds"]
    assert visit.ledger("REFUND") == []
    visit.control.fault("wechatpay", "query_refund", "error", times=-1)
    visit.control.advance(4)
    assert visit.notice(refund["out_refund_no"], url="payment") == 204
    assert visit.ledger("REFUND") == [("REFUND", -2500)]
    visit.control("DELETE", "/faults")
    visit.work()
    visit.check("CANCELLED")
