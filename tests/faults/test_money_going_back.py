"""Refunds that WeChat Pay delays, refuses, loses or gives up."""

from __future__ import annotations

import pytest

from tests.faults.conftest import Visit


@pytest.fixture
def confirmed(visit: Visit) -> Visit:
    """Paid and confirmed."""
    visit.held_and_paid()
    visit.work()
    assert visit.state == "CONFIRMED"
    return visit


def refund(visit: Visit) -> tuple[str, str]:
    """State and code of the only refund in our books."""
    rows = visit.sql("SELECT r.state, r.code FROM refunds r JOIN payments p ON p.id = r.payment_id "
                     "WHERE p.subject_id = %s", (visit.id,))
    assert len(rows) == 1
    return rows[0][0], rows[0][1]


def asked(visit: Visit) -> int:
    """How often WeChat Pay was asked to refund (not how it stands)."""
    return sum(line.get("out_trade_no") == visit.out_trade_no
               for line in visit.control("GET", "/journal?system=wechatpay&operation=create_refund"))


def test_a_refund_without_funds_waits_and_goes_out_when_there_are(confirmed: Visit) -> None:
    confirmed.control("POST", "/wechatpay/balance", enough=False)
    confirmed.cancel()
    confirmed.control.settle()
    assert confirmed.state == "CANCELLED"
    assert refund(confirmed) == ("REQUESTED", "NOT_ENOUGH")
    assert confirmed.tasks() == []
    confirmed.control.advance(2 * 3600 + 60)
    confirmed.control.work()
    assert [kind for kind, _ in confirmed.tasks()] == ["refund.slow"]
    confirmed.control("POST", "/wechatpay/balance", enough=True)
    confirmed.work()
    confirmed.check("CANCELLED")
    assert refund(confirmed) == ("SUCCEEDED", "")
    assert confirmed.tasks() == []


def test_a_refund_asked_too_often_waits(confirmed: Visit) -> None:
    confirmed.control.fault("wechatpay", "create_refund", "refuse", code="FREQUENCY_LIMITED", status=429, times=2)
    confirmed.cancel()
    confirmed.work()
    confirmed.check("CANCELLED")
    assert refund(confirmed)[0] == "SUCCEEDED"


def test_a_refund_refused_for_the_patients_account_is_a_task_and_the_operators_retry_sends_it(
        confirmed: Visit) -> None:
    confirmed.control.fault("wechatpay", "create_refund", "refuse", code="USER_ACCOUNT_ABNORMAL", status=403)
    confirmed.cancel()
    confirmed.work()
    assert refund(confirmed) == ("STUCK", "USER_ACCOUNT_ABNORMAL")
    (kind, task), = confirmed.tasks()
    assert kind == "refund.stuck"
    confirmed.operate("task.retry", task)
    confirmed.work()
    confirmed.check("CANCELLED")
    assert refund(confirmed) == ("SUCCEEDED", "")
    assert confirmed.tasks() == []


def test_an_abnormal_refund_is_a_task_that_comes_back_until_it_is_settled(confirmed: Visit) -> None:
    confirmed.control("POST", "/wechatpay/refunds/policy", outcome="ABNORMAL", delay_seconds=3, times=1)
    confirmed.cancel()
    confirmed.work()
    assert confirmed.state == "CANCELLED"
    assert refund(confirmed) == ("STUCK", "ABNORMAL")
    (_, task), = confirmed.tasks()
    confirmed.operate("task.retry", task)
    confirmed.work()
    assert [kind for kind, _ in confirmed.tasks()] == ["refund.stuck"]
    assert asked(confirmed) == 1, "the money is on its way: a second refund would pay twice"


def test_a_refund_that_wechat_closed_is_a_task_and_the_operators_retry_sends_it_anew(confirmed: Visit) -> None:
    confirmed.control("POST", "/wechatpay/refunds/policy", outcome="CLOSED", delay_seconds=3, times=1)
    confirmed.cancel()
    confirmed.work()
    assert refund(confirmed) == ("STUCK", "CLOSED")
    (kind, task), = confirmed.tasks()
    assert kind == "refund.stuck"
    confirmed.control.advance(60)  # refunds of one order are a minute apart
    confirmed.operate("task.retry", task)
    confirmed.work()
    confirmed.check("CANCELLED")
    assert refund(confirmed) == ("SUCCEEDED", "")
    assert confirmed.tasks() == []
    assert asked(confirmed) == 2


def test_a_late_notice_of_a_closed_refund_that_was_sent_anew_means_nothing(confirmed: Visit) -> None:
    confirmed.control("POST", "/wechatpay/refunds/policy", outcome="CLOSED", delay_seconds=3, times=1)
    confirmed.cancel()
    confirmed.work()
    confirmed.control.advance(60)
    confirmed.operate("task.retry", confirmed.tasks()[0][1])
    confirmed.work()
    confirmed.control("POST", "/wechatpay/notices/replay", out_trade_no=confirmed.out_trade_no, copies=2)
    assert refund(confirmed) == ("SUCCEEDED", "")
    assert confirmed.sql("SELECT kind FROM staff_tasks WHERE state = 'OPEN' AND subject_id LIKE %s",
                         (f"{confirmed.out_trade_no}%",)) == []


@pytest.mark.parametrize("fault", ["cut_after", "error", "cut_before"])
def test_an_unanswered_refund_is_asked_about_before_it_is_sent_again(confirmed: Visit, fault: str) -> None:
    confirmed.control.fault("wechatpay", "create_refund", fault)
    confirmed.cancel()
    confirmed.work()
    confirmed.check("CANCELLED")
    order = confirmed.order()
    assert (len(order["refunds"]), order["refunded_fen"]) == (1, 2500)
    if fault == "cut_after":
        assert asked(confirmed) == 1


def test_a_refund_unanswered_for_hours_is_a_task_and_is_never_sent_twice(confirmed: Visit) -> None:
    confirmed.control.fault("wechatpay", "create_refund", "cut_after")
    confirmed.control.fault("wechatpay", "query_refund", "error", times=-1, after=1)
    confirmed.control("POST", "/wechatpay/notices/mode", drop=True)
    confirmed.cancel()
    confirmed.work(until=lambda: bool(confirmed.tasks()))
    assert [kind for kind, _ in confirmed.tasks()] == ["refund.send.hangs"]
    confirmed.recover()
    confirmed.check("CANCELLED")
    assert (asked(confirmed), len(confirmed.order()["refunds"])) == (1, 1)
    assert confirmed.tasks() == []


def test_a_refund_that_takes_days_is_a_task_until_it_arrives(confirmed: Visit) -> None:
    confirmed.control("POST", "/wechatpay/refunds/policy", outcome="SUCCESS", delay_seconds=4 * 86400, times=1)
    confirmed.cancel()
    confirmed.control.settle()
    confirmed.control.advance(3 * 86400 + 60)
    confirmed.control.work()
    assert [kind for kind, _ in confirmed.tasks()] == ["refund.slow"]
    confirmed.control.advance(86400)
    confirmed.work()
    confirmed.phone.sign_in()
    confirmed.check("CANCELLED")
    assert confirmed.tasks() == []
