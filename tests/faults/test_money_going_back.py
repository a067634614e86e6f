"""Refunds that WeChat Pay delays, refuses, loses or gives up."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sandbox.phone import Refused
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


def test_a_task_about_a_hanging_step_aims_at_the_row_that_hangs_now(confirmed: Visit) -> None:
    confirmed.control.fault("wechatpay", "*refund", "error", times=-1)
    confirmed.cancel()
    confirmed.work(until=lambda: bool(confirmed.tasks()))
    [(_, task)] = confirmed.tasks()
    [(old, subject)] = confirmed.sql("SELECT job_id, subject_id FROM staff_tasks WHERE id = %s", (task,))
    confirmed.sql("UPDATE outbox SET state = 'GIVEN_UP' WHERE id = %s", (old,))
    confirmed.sql("INSERT INTO outbox (id, worker, topic, subject_id, state, due_at, attempts, created_at) "
                  "SELECT REVERSE(id), worker, topic, subject_id, 'PENDING', created_at, 20, created_at FROM outbox "
                  "WHERE id = %s", (old,))
    confirmed.control.work()
    assert confirmed.sql("SELECT id, job_id, subject_id, times FROM staff_tasks WHERE id = %s", (task,)) == [
        (task, old[::-1], subject, 2)]
    confirmed.control("DELETE", "/faults")
    confirmed.operate("task.retry", task)
    confirmed.work()
    confirmed.check("CANCELLED")


# -- WeChat speaks of another refund than ours -------------------------------------------------------
ANOTHER = {"amount.refund": 1, "out_trade_no": "R0000000000000000000000000", "transaction_id": "4200000000000001"}


@pytest.fixture
def on_its_way(confirmed: Visit) -> Visit:
    """Its refund is accepted, and WeChat has told nobody that it arrived."""
    confirmed.control("POST", "/wechatpay/notices/mode", drop=True)
    confirmed.cancel()
    confirmed.control.settle()
    assert refund(confirmed)[0] == "PROCESSING"
    confirmed.control.advance(4)
    return confirmed


def number_of(visit: Visit) -> str:
    """The number of its only refund."""
    [one] = visit.order()["refunds"]
    return str(one["out_refund_no"])


@pytest.mark.parametrize("field", ANOTHER)
def test_a_notice_of_a_refund_with_another_amount_or_order_is_not_believed_and_wechat_is_asked(
        on_its_way: Visit, field: str) -> None:
    on_its_way.control.fault("wechatpay", "query_refund", "error", times=-1)
    assert on_its_way.notice(number_of(on_its_way), set={field: ANOTHER[field]}) == 204
    on_its_way.control.settle()
    assert (refund(on_its_way)[0], on_its_way.ledger("REFUND")) == ("PROCESSING", [])
    on_its_way.control("DELETE", "/faults")
    assert on_its_way.notice(number_of(on_its_way), set={field: ANOTHER[field]}) == 204
    on_its_way.control.settle()  # no time passes: WeChat was asked at once
    assert (refund(on_its_way), on_its_way.ledger("REFUND")) == (("SUCCEEDED", ""), [("REFUND", -2500)])
    on_its_way.work()
    on_its_way.check("CANCELLED")


def test_a_notice_of_a_refund_that_cannot_be_read_is_refused_and_wechat_is_asked(on_its_way: Visit) -> None:
    on_its_way.answers.add(403)
    assert on_its_way.notice(number_of(on_its_way), remove=["amount"]) == 403
    on_its_way.control.settle()
    assert refund(on_its_way) == ("SUCCEEDED", "")
    on_its_way.work()
    on_its_way.check("CANCELLED")


@pytest.mark.parametrize("field", ["amount.refund", "out_trade_no"])
def test_while_wechats_answer_is_about_another_refund_it_is_stuck_and_a_task(on_its_way: Visit, field: str) -> None:
    on_its_way.control.fault("wechatpay", "query_refund", "override", times=-1, set={field: ANOTHER[field]})
    on_its_way.control.advance(10)
    on_its_way.control.work()
    assert (refund(on_its_way), on_its_way.ledger("REFUND")) == (("STUCK", "ANSWER_DIFFERS"), [])
    assert [kind for kind, _ in on_its_way.tasks()] == ["refund.stuck"]
    [(detail,)] = on_its_way.sql("SELECT detail FROM staff_tasks WHERE id = %s", (on_its_way.tasks()[0][1],))
    assert str(ANOTHER[field]) in detail
    on_its_way.control.advance(3600)
    on_its_way.control.work()
    assert refund(on_its_way) == ("STUCK", "ANSWER_DIFFERS"), "asked again, and told the same"
    on_its_way.control("DELETE", "/faults")
    on_its_way.control.advance(3600)
    on_its_way.control.work()
    assert (refund(on_its_way), on_its_way.ledger("REFUND")) == (("SUCCEEDED", ""), [("REFUND", -2500)])
    assert on_its_way.tasks() == []
    on_its_way.work()
    on_its_way.check("CANCELLED")


# -- money that WeChat will never give back ----------------------------------------------------------
TRANSFER = {"how": "BANK_TRANSFER", "reference": "ICBC 2026112300018"}


def pay_elsewhere(visit: Visit, task: str, **how: Any) -> str:
    """Staff say that they paid it back themselves; the state after."""
    return str(visit.control.operate("refund.paid_elsewhere", task_id=task, note="patient's account is closed",
                                     **{**TRANSFER, **how})["state"])


@pytest.fixture
def refused(confirmed: Visit) -> Visit:
    """Cancelled, and WeChat refuses the refund for good."""
    confirmed.control.fault("wechatpay", "create_refund", "refuse", code="USER_ACCOUNT_ABNORMAL", status=403)
    confirmed.cancel()
    confirmed.work()
    assert refund(confirmed) == ("STUCK", "USER_ACCOUNT_ABNORMAL")
    return confirmed


def test_what_the_hospital_paid_back_by_bank_is_booked_as_that_and_everything_follows(refused: Visit) -> None:
    [(_, task)] = refused.tasks()
    assert pay_elsewhere(refused, task) == "ELSEWHERE"
    refused.work()
    assert refused.tasks() == []
    assert refund(refused)[0] == "ELSEWHERE"
    assert refused.ledger("REFUND", "ELSEWHERE") == [("ELSEWHERE", -2500)]
    assert refused.sql("SELECT r.how, r.reference FROM refunds r JOIN payments p ON p.id = r.payment_id "
                       "WHERE p.subject_id = %s", (refused.id,)) == [("BANK_TRANSFER", "ICBC 2026112300018")]
    assert refused.shown()["refunds"][0]["state"] == "ELSEWHERE"
    assert refused.sql("SELECT i.state FROM invoices i JOIN settlements s ON s.id = i.settlement_id "
                       "WHERE s.subject_id = %s", (refused.id,)) == [("WRITTEN_OFF",)]
    refused.check("CANCELLED")
    with pytest.raises(Refused) as refusal:
        pay_elsewhere(refused, task)
    assert refusal.value.code == "task_not_found"


def test_the_patient_is_told_once_in_which_way_the_money_came_back(refused: Visit) -> None:
    refused.phone.allow_messages("refunds")
    [(_, task)] = refused.tasks()
    pay_elsewhere(refused, task)
    refused.work()
    told = [json.dumps(one, ensure_ascii=False) for one in refused.phone.inbox()]
    assert sum("以银行转账退回" in one for one in told) == 1
    assert not any("原路退回" in one for one in told)


def test_what_wechat_knows_after_all_is_recorded_and_not_paid_back_twice(confirmed: Visit) -> None:
    confirmed.control("POST", "/wechatpay/refunds/policy", outcome="ABNORMAL", delay_seconds=3, times=1)
    confirmed.cancel()
    confirmed.work()
    [(_, task)] = confirmed.tasks()
    assert pay_elsewhere(confirmed, task) == "STUCK", "the merchant platform can still bring it to the patient"
    assert refund(confirmed) == ("STUCK", "ABNORMAL")
    confirmed.control("POST", f"/wechatpay/refunds/{number_of(confirmed)}/solve")
    assert pay_elsewhere(confirmed, task) == "SUCCEEDED"
    assert confirmed.ledger("REFUND", "ELSEWHERE") == [("REFUND", -2500)]
    confirmed.work()
    confirmed.check("CANCELLED")
    assert confirmed.tasks() == []


def lastingly(visit: Visit, **said: Any) -> str:
    """WeChat's answers to the refund are about another one, and stay so: the task's id."""
    visit.control.fault("wechatpay", "query_refund", "override", times=-1,
                        set={field.replace("__", "."): value for field, value in said.items()})
    visit.control.advance(10)
    visit.control.work()
    assert refund(visit) == ("STUCK", "ANSWER_DIFFERS")
    [(kind, task)] = visit.tasks()
    assert kind == "refund.stuck"
    return task


def test_of_what_wechat_paid_in_another_amount_that_is_booked_and_the_rest_is_paid_back_elsewhere(
        on_its_way: Visit) -> None:
    task = lastingly(on_its_way, amount__refund=1000)
    for named in ({}, {"wechat_fen": 0}, {"wechat_fen": 2500}):
        with pytest.raises(Refused) as refusal:
            pay_elsewhere(on_its_way, task, **named)
        assert (refusal.value.code, "1000" in str(refusal.value)) == ("wechat_paid_otherwise", True)
    assert (refund(on_its_way)[0], on_its_way.ledger("REFUND", "ELSEWHERE")) == ("STUCK", [])
    assert pay_elsewhere(on_its_way, task, wechat_fen=1000) == "ELSEWHERE"
    on_its_way.work()
    assert refund(on_its_way)[0] == "ELSEWHERE"
    assert on_its_way.ledger("REFUND", "ELSEWHERE") == [("REFUND", -1000), ("ELSEWHERE", -1500)]
    assert on_its_way.notice(number_of(on_its_way), set={"amount.refund": 1000}) == 204
    on_its_way.control.settle()
    assert on_its_way.tasks() == [], "a notice of what staff have named is nothing new"
    assert on_its_way.notice(number_of(on_its_way)) == 204
    on_its_way.control.settle()
    assert {kind for kind, _ in on_its_way.tasks()} == {"refund.paid-after-all"}, "but of another amount it is"


@pytest.mark.parametrize(("paid_fen", "state", "booked"), [
    (0, "ELSEWHERE", [("ELSEWHERE", -2500)]), (2500, "SUCCEEDED", [("REFUND", -2500)])])
def test_of_what_wechat_paid_of_another_order_staff_say_whether_it_was_ours(
        on_its_way: Visit, paid_fen: int, state: str, booked: list[tuple[str, int]]) -> None:
    task = lastingly(on_its_way, out_trade_no=ANOTHER["out_trade_no"])
    assert pay_elsewhere(on_its_way, task, wechat_fen=paid_fen) == state
    assert (refund(on_its_way)[0], on_its_way.ledger("REFUND", "ELSEWHERE")) == (state, booked)
    assert on_its_way.tasks() == []


def test_what_wechat_closed_is_paid_back_elsewhere_also_when_it_names_another_amount(on_its_way: Visit) -> None:
    task = lastingly(on_its_way, amount__refund=1, status="CLOSED")
    assert pay_elsewhere(on_its_way, task) == "ELSEWHERE"
    assert on_its_way.ledger("REFUND", "ELSEWHERE") == [("ELSEWHERE", -2500)]
    assert on_its_way.tasks() == []


def test_while_it_may_still_come_back_the_command_answers_with_the_refunds_own_state(on_its_way: Visit) -> None:
    task = lastingly(on_its_way, amount__refund=1, status="PROCESSING")
    assert pay_elsewhere(on_its_way, task) == "STUCK"
    assert on_its_way.sql("SELECT result FROM audit WHERE subject = %s ORDER BY id", (task,)) == [
        ("begun",), ("STUCK",)]
    assert [kind for kind, _ in on_its_way.tasks()] == ["refund.stuck"]


def test_while_wechat_is_silent_nothing_counts_as_paid_back_elsewhere(refused: Visit) -> None:
    refused.control.fault("wechatpay", "query_refund", "error", times=-1)
    [(_, task)] = refused.tasks()
    with pytest.raises(Refused) as refusal:
        pay_elsewhere(refused, task)
    assert refusal.value.code == "unanswered"
    assert refund(refused)[0] == "STUCK"
    with pytest.raises(Refused) as refusal:
        pay_elsewhere(refused, task, how="SOMEHOW")
    assert refusal.value.code == "invalid"
    refused.control("DELETE", "/faults")
    refused.operate("task.retry", task)
    refused.work()
    refused.check("CANCELLED")


def test_a_stuck_refund_never_lacks_an_open_task(refused: Visit) -> None:
    [(_, task)] = refused.tasks()
    with pytest.raises(Refused) as refusal:
        refused.operate("task.close", task)
    assert refusal.value.code == "refund_still_stuck"
    refused.sql("UPDATE staff_tasks SET state = 'RESOLVED' WHERE id = %s", (task,))
    assert refused.control("POST", "/scf/timers/reconcile/every-ten-minutes/fire")["result"]["moved"] >= 1
    [(kind, again)] = refused.tasks()
    assert (kind, again != task) == ("refund.stuck", True)
    refused.control("POST", "/scf/timers/reconcile/every-ten-minutes/fire")
    assert refused.tasks() == [(kind, again)], "once"
    refused.operate("task.retry", again)
    refused.work()
    refused.check("CANCELLED")
    assert refused.tasks() == []


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
