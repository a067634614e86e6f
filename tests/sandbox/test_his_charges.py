"""Charges in the HIS of the sandbox: a bill is locked, settled once, and given back only when that is allowed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
import requests

from sandbox.faults import Fault
from tests.sandbox.his_till import Till, code
from tests.sandbox.test_his import Checked


@pytest.fixture
def till() -> Iterator[Till]:
    made = Till()
    yield made
    made.caller.session.close()


def test_a_bill_is_locked_settled_and_given_back(till: Till) -> None:
    bill = till.bill()
    status, locked = till.take("C00001", bill)
    assert (status, locked["state"]) == (200, "LOCKED")
    assert till.bill_now(bill)["locked_by_trade"] == "C00001"
    status, settled = till.settle("C00001", bill["total_fen"])
    assert (status, settled["state"], settled["bill_no"]) == (200, "SETTLED", bill["bill_no"])
    assert "药房" in settled["pharmacy_window"]
    now = till.bill_now(bill)
    assert (now["state"], now["paid_by"], now["locked_by_trade"]) == ("PAID", "WECHAT", None)
    assert till.caller.get("/charges/C00001/refundability")[1]["refundable"] is True
    assert till.give_back("C00001", bill["total_fen"]) == (200, {"trade_no": "C00001", "state": "CANCELLED"})
    assert till.bill_now(bill)["state"] == "REFUNDED"
    trade = till.caller.get("/trades/C00001")[1]
    assert (trade["kind"], trade["state"], trade["settlement_no"], trade["refund_fen"]) == (
        "CHARGE", "CANCELLED", settled["settlement_no"], bill["total_fen"])
    assert [one["trade_no"] for one in till.order_of("charges", method="GET")[1]] == ["C00001"]


def test_only_drugs_wait_at_a_pharmacy_window(till: Till) -> None:
    bill = till.bill("LABORATORY")
    till.take("C00001", bill)
    assert till.settle("C00001", bill["total_fen"])[1]["pharmacy_window"] is None


def test_the_same_request_again_gives_the_same_answer(till: Till) -> None:
    bill = till.bill()
    hold = "2026-11-23T08:20:00+08:00"
    first = till.take("C00001", bill, hold_until=hold)
    assert first[0] == 200
    assert till.take("C00001", bill, hold_until=hold) == first
    settled = till.settle("C00001", bill["total_fen"])
    till.clock.advance(timedelta(minutes=30))
    assert till.settle("C00001", bill["total_fen"]) == settled
    assert till.take("C00001", bill, hold_until=hold) == first
    assert till.give_back("C00001", bill["total_fen"]) == till.give_back("C00001", bill["total_fen"])
    assert till.let_go("C00002") == till.let_go("C00002") == (200, {"trade_no": "C00002", "state": "UNLOCKED"})


def test_a_lock_is_refused_for_each_reason_of_the_contract(till: Till) -> None:
    bill = till.bill()
    assert code(till.take("C00001", {**bill, "bill_no": "B1"})) == (404, "BILL_UNKNOWN")
    assert code(till.take("C00001", {**bill, "version": 2})) == (409, "BILL_CHANGED")
    assert code(till.take("C00001", {**bill, "total_fen": 1})) == (409, "BILL_CHANGED")
    assert code(till.take("C00001", bill, minutes=-1)) == (422, "INVALID_FIELD")
    assert till.take("C00001", bill)[0] == 200
    assert code(till.take("C00001", till.bill())) == (409, "TRADE_CONFLICT")
    assert code(till.take("C00002", bill)) == (409, "BILL_LOCKED")
    till.let_go("C00001")
    assert code(till.take("C00001", bill)) == (409, "TRADE_CLOSED")
    till.order_of(f"bills/{bill['bill_no']}/pay-at-desk")
    assert code(till.take("C00002", bill)) == (409, "BILL_PAID")
    gone = till.bill()
    till.order_of(f"bills/{gone['bill_no']}/cancel")
    assert code(till.take("C00002", gone)) == (409, "BILL_CANCELLED")


def test_a_lock_that_arrives_after_its_unlock_is_refused(till: Till) -> None:
    bill = till.bill()
    assert till.let_go("C00001")[0] == 200
    assert code(till.take("C00001", bill)) == (409, "TRADE_CLOSED")
    assert code(till.settle("C00001", bill["total_fen"])) == (409, "TRADE_CLOSED")
    assert till.bill_now(bill)["locked_by_trade"] is None
    assert till.caller.get("/trades/C00001")[1]["bill_no"] is None


def test_while_locked_the_desk_cannot_pay_change_or_cancel(till: Till) -> None:
    bill = till.bill()
    till.take("C00001", bill)
    for action, body in (("pay-at-desk", {}), ("change", {"amount_fen": 1}), ("cancel", {})):
        status, answer = till.order_of(f"bills/{bill['bill_no']}/{action}", body)
        assert status == 409
        assert answer["error"].startswith("BILL_LOCKED")
    till.let_go("C00001")
    assert till.order_of(f"bills/{bill['bill_no']}/pay-at-desk")[0] == 200
    assert till.order_of(f"bills/{bill['bill_no']}/pay-at-desk")[0] == 409


def test_a_bill_that_the_hospital_changes_in_spite_of_the_lock_is_not_settled(till: Till) -> None:
    changed, cancelled = till.bill(), till.bill()
    till.take("C00001", changed)
    till.take("C00002", cancelled)
    till.order_of(f"bills/{changed['bill_no']}/change", {"amount_fen": 1, "force": True})
    till.order_of(f"bills/{cancelled['bill_no']}/cancel", {"force": True})
    assert code(till.settle("C00001", changed["total_fen"])) == (409, "BILL_CHANGED")
    assert code(till.settle("C00002", cancelled["total_fen"])) == (409, "BILL_CANCELLED")
    assert till.let_go("C00001")[0] == till.let_go("C00002")[0] == 200


def test_an_expired_lock_is_settled_only_while_nothing_has_happened_to_the_bill(till: Till) -> None:
    free, paid, changed, taken = (till.bill() for _ in range(4))
    for number, bill in enumerate((free, paid, changed, taken)):
        assert till.take(f"C0000{number}", bill)[0] == 200
    till.clock.advance(timedelta(minutes=11))
    till.order_of(f"bills/{paid['bill_no']}/pay-at-desk")
    till.order_of(f"bills/{changed['bill_no']}/change", {"amount_fen": 1})
    till.take("C00009", taken)
    assert till.state("C00000") == "EXPIRED"
    assert till.settle("C00000", free["total_fen"])[0] == 200
    for number, bill in ((1, paid), (2, changed), (3, taken)):
        assert code(till.settle(f"C0000{number}", bill["total_fen"])) == (409, "LOCK_EXPIRED")
        assert till.let_go(f"C0000{number}")[0] == 200
    assert till.settle("C00009", taken["total_fen"], "42000002")[0] == 200  # the second lock still holds


def test_one_payment_settles_several_bills_of_one_patient_only(till: Till) -> None:
    bills = [till.paid(f"C0000{number}") for number in range(3)]
    trades = [till.caller.get(f"/trades/C0000{number}")[1] for number in range(3)]
    assert {one["transaction_id"] for one in trades} == {"42000001"}
    assert [one["paid_fen"] for one in trades] == [bill["total_fen"] for bill in bills]
    foreign = till.bill(patient_code=till.patient_named(1))
    till.take("C00009", foreign)
    assert code(till.settle("C00009", foreign["total_fen"])) == (409, "PAYMENT_CONFLICT")
    till.lock(till.order(till.session()))
    assert code(till.confirm("T00001", transaction="42000001")) == (409, "PAYMENT_CONFLICT")


def test_a_settlement_is_refused_for_each_reason_of_the_contract(till: Till) -> None:
    assert code(till.settle("C00001", 1)) == (404, "TRADE_UNKNOWN")
    bill = till.bill()
    till.take("C00001", bill)
    assert code(till.settle("C00001", bill["total_fen"] + 1)) == (409, "AMOUNT_MISMATCH")
    assert till.settle("C00001", bill["total_fen"])[0] == 200
    assert code(till.settle("C00001", bill["total_fen"], "42000002")) == (409, "PAYMENT_CONFLICT")
    assert code(till.let_go("C00001")) == (409, "ALREADY_SETTLED")
    till.give_back("C00001", bill["total_fen"])
    assert code(till.settle("C00001", bill["total_fen"])) == (409, "TRADE_CLOSED")
    assert code(till.let_go("C00001")) == (409, "ALREADY_CANCELLED")


def test_a_charge_is_given_back_only_whole_unexecuted_and_without_paper(till: Till) -> None:
    assert code(till.give_back("C00001", 1)) == (404, "TRADE_UNKNOWN")
    assert code(till.caller.get("/charges/C00001/refundability")) == (404, "TRADE_UNKNOWN")
    bill = till.bill()
    till.take("C00001", bill)
    assert code(till.give_back("C00001", bill["total_fen"])) == (409, "NOT_SETTLED")
    till.settle("C00001", bill["total_fen"])
    assert code(till.give_back("C00001", bill["total_fen"] - 1)) == (409, "AMOUNT_MISMATCH")
    assert till.order_of(f"bills/{bill['bill_no']}/execute", {"item_no": 1})[0] == 200
    assert code(till.give_back("C00001", bill["total_fen"])) == (409, "EXECUTED")
    till.order_of(f"bills/{bill['bill_no']}/paper-invoice")
    told = till.caller.get("/charges/C00001/refundability")[1]
    assert (told["refundable"], told["reasons"]) == (False, ["EXECUTED", "INVOICE_ON_PAPER"])
    assert told["items"][0] == {"item_no": 1, "executed": True, "refunded_fen": 0}
    paper = till.paid("C00002")
    till.order_of(f"bills/{paper['bill_no']}/paper-invoice")
    assert code(till.give_back("C00002", paper["total_fen"])) == (409, "INVOICE_ON_PAPER")
    back = till.paid("C00003")
    till.give_back("C00003", back["total_fen"])
    assert till.caller.get("/charges/C00003/refundability")[1]["reasons"] == ["ALREADY_REFUNDED"]
    assert code(till.give_back("C00003", 1)) == (409, "TRADE_CONFLICT")


def test_items_are_executed_only_when_paid_and_once(till: Till) -> None:
    bill = till.bill(count=3)
    path = f"bills/{bill['bill_no']}/execute"
    assert till.order_of(path)[0] == 409
    assert till.order_of(f"bills/{bill['bill_no']}/paper-invoice")[0] == 409
    till.order_of(f"bills/{bill['bill_no']}/pay-at-desk")
    assert till.order_of(path, {"item_no": 4})[0] == 404
    assert [item["executed"] for item in till.order_of(path, {"item_no": 2})[1]["items"]] == [False, True, False]
    assert all(item["executed"] for item in till.order_of(path)[1]["items"])


def test_a_trade_number_is_of_one_kind_for_ever(till: Till) -> None:
    till.lock(till.order(till.session()))
    bill = till.bill()
    assert code(till.take("T00001", bill)) == (409, "TRADE_CONFLICT")
    for answer in (till.let_go("T00001"), till.settle("T00001", 1), till.give_back("T00001", 1),
                   till.caller.get("/charges/T00001/refundability")):
        assert code(answer) == (409, "TRADE_CONFLICT")
    till.take("C00001", bill)
    for answer in (till.unlock("C00001"), till.confirm("C00001"), till.cancel("C00001"),
                   till.lock(till.order(till.session(), "C00001"))):
        assert code(answer) == (409, "TRADE_CONFLICT")
    assert till.unlock("T00001")[0] == till.let_go("C00001")[0] == 200


def test_a_days_trades_of_both_kinds_come_in_pages(till: Till) -> None:
    for number in range(3):
        till.paid(f"C0000{number}")
        till.unlock(f"T0000{number}")
    seen: list[tuple[str, str]] = []
    cursor: dict[str, str] = {}
    while True:
        page = till.caller.get("/trades", date="2026-11-23", limit=2, **cursor)[1]
        seen += [(one["kind"], one["trade_no"]) for one in page["trades"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert seen == [one for number in range(3)
                    for one in (("CHARGE", f"C0000{number}"), ("REGISTRATION", f"T0000{number}"))]


def test_a_days_money_stays_on_its_day_when_it_is_given_back_later(till: Till) -> None:
    bill = till.paid("C00001")
    till.let_go("C00002")
    till.clock.advance(timedelta(days=1))
    till.give_back("C00001", bill["total_fen"])
    for day in ("2026-11-23", "2026-11-24"):
        assert [one["trade_no"] for one in till.caller.get("/trades", date=day, by="MONEY")[1]["trades"]] == ["C00001"]
    assert [one["trade_no"] for one in till.caller.get("/trades", date="2026-11-23")[1]["trades"]] == ["C00002"]
    assert code(till.caller.get("/trades", date="2026-11-23", by="LUCK")) == (422, "INVALID_FIELD")


def test_after_a_cut_answer_the_trade_check_tells_the_effect(till: Till) -> None:
    bill = till.bill()
    till.take("C00001", bill)
    till.faults.add(Fault("his", "settle_charge", "cut_after"))
    with pytest.raises(requests.ConnectionError):
        till.settle("C00001", bill["total_fen"])
    assert till.state("C00001") == "SETTLED"
    till.faults.add(Fault("his", "cancel_charge", "cut_before"))
    with pytest.raises(requests.ConnectionError):
        till.give_back("C00001", bill["total_fen"])
    assert till.state("C00001") == "SETTLED"


def test_of_phones_and_desk_at_once_exactly_one_gets_the_bill(till: Till) -> None:
    bill = till.bill()
    won: list[str] = []

    def phone(number: int) -> None:
        caller = Checked(till.caller.address, "mini", "k" * 32, till.clock)
        if caller.post("/charges/lock", trade_no=f"CR000{number}", bill_no=bill["bill_no"], version=1,
                       amount_fen=bill["total_fen"], hold_until="2026-11-23T08:20:00+08:00")[0] == 200:
            won.append("phone")

    def desk() -> None:
        if till.control.application.test_client().post(f"/his/bills/{bill['bill_no']}/pay-at-desk").status_code == 200:
            won.append("desk")

    threads = [threading.Thread(target=phone, args=(number,)) for number in range(6)]
    threads.insert(3, threading.Thread(target=desk))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
