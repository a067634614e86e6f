"""Refunds that the hospital's desk begins: their sum, their result, and what they forbid on line."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.sandbox.his_till import VISIT_DAY_8, Till, code, hold_against


@pytest.fixture
def till() -> Iterator[Till]:
    made = Till()
    yield made
    made.caller.session.close()


def test_some_items_are_refunded_and_the_bill_is_partly_refunded(till: Till) -> None:
    bill = till.paid(count=3)
    amount = bill["items"][1]["amount_fen"]
    status, made = till.desk_refund("C00001", item_nos=[2], reason="药品缺货", operator_code="C0007")
    assert (status, made["amount_fen"], made["items"]) == (201, amount, [{"item_no": 2, "amount_fen": amount}])
    hold_against({"$ref": "#/components/schemas/DeskRefund"}, made)
    assert till.bill_now(bill)["state"] == "PAID"
    assert till.caller.get(f"/desk-refunds/{made['refund_no']}") == (200, made)
    status, reported = till.report(made["refund_no"])
    assert (status, reported["state"], reported["out_refund_no"]) == (200, "SUCCEEDED", "RF000001")
    assert till.bill_now(bill)["state"] == "PARTLY_REFUNDED"
    told = till.caller.get("/charges/C00001/refundability")[1]
    assert told["reasons"] == ["PARTLY_REFUNDED"]
    assert [one["refunded_fen"] for one in told["items"]] == [0, amount, 0]
    assert till.caller.get("/trades/C00001")[1]["desk_refund_fen"] == amount
    assert till.order_of(f"bills/{bill['bill_no']}/execute", {"item_no": 2})[0] == 409
    assert [item["executed"] for item in till.order_of(f"bills/{bill['bill_no']}/execute")[1]["items"]] == [
        True, False, True]


def test_the_desk_never_gives_back_more_than_was_paid(till: Till) -> None:
    bill = till.paid(items=[{"name": "甲", "unit_price_fen": 1000}, {"name": "乙", "unit_price_fen": 500}])
    for too_much in ({"amount_fen": 1501}, {"amount_fen": 0}, {"item_nos": [3]}, {"item_nos": []},
                     {"item_nos": [1], "amount_fen": 1}, {"item_nos": ["1"]}):
        assert till.desk_refund("C00001", **too_much)[0] in (404, 409, 422)
    first = till.desk_refund("C00001", amount_fen=1200)[1]
    assert first["items"] == [{"item_no": 1, "amount_fen": 1000}, {"item_no": 2, "amount_fen": 200}]
    assert till.desk_refund("C00001", item_nos=[1])[0] == 409
    assert till.desk_refund("C00001", amount_fen=301)[0] == 409
    rest = till.desk_refund("C00001")[1]
    assert (rest["amount_fen"], rest["items"]) == (300, [{"item_no": 2, "amount_fen": 300}])
    assert till.desk_refund("C00001")[1]["error"].startswith("ALREADY_REFUNDED")
    till.report(rest["refund_no"], number="RF000002")
    assert till.bill_now(bill)["state"] == "PARTLY_REFUNDED"
    till.report(first["refund_no"])
    assert till.bill_now(bill)["state"] == "REFUNDED"
    assert till.caller.get("/charges/C00001/refundability")[1]["reasons"] == ["ALREADY_REFUNDED"]
    assert code(till.give_back("C00001", 1500)) == (409, "ALREADY_REFUNDED")


def test_a_failed_refund_counts_as_never_begun(till: Till) -> None:
    bill = till.paid()
    refund = till.desk_refund("C00001", amount_fen=1)[1]
    assert code(till.give_back("C00001", bill["total_fen"])) == (409, "PARTLY_REFUNDED")
    status, failed = till.report(refund["refund_no"], "FAILED", code="USER_ACCOUNT_ABNORMAL")
    assert (status, failed["state"], failed["code"]) == (200, "FAILED", "USER_ACCOUNT_ABNORMAL")
    assert till.bill_now(bill)["state"] == "PAID"
    assert till.give_back("C00001", bill["total_fen"])[0] == 200
    assert till.desk_refund("C00001")[1]["error"].startswith("ALREADY_REFUNDED")


def test_a_result_is_taken_once_and_again_alike(till: Till) -> None:
    till.paid()
    number = till.desk_refund("C00001", amount_fen=1)[1]["refund_no"]
    assert code(till.report("DR1")) == (404, "REFUND_UNKNOWN")
    assert code(till.caller.get("/desk-refunds/DR1")) == (404, "REFUND_UNKNOWN")
    assert code(till.report(number, code="X")) == (422, "INVALID_FIELD")
    assert code(till.report(number, "REQUESTED")) == (422, "INVALID_FIELD")
    assert till.report(number) == till.report(number)
    assert code(till.report(number, number="RF000002")) == (409, "RESULT_CONFLICT")
    assert code(till.report(number, "FAILED")) == (409, "RESULT_CONFLICT")


def test_only_what_was_paid_here_is_refunded_to_wechat(till: Till) -> None:
    bill = till.bill()
    till.take("C00001", bill)
    assert till.desk_refund("C00001")[1]["error"].startswith("NOT_PAID")
    till.let_go("C00002")
    assert till.desk_refund("C00002")[1]["error"].startswith("NOT_PAID")


def test_a_whole_refund_of_a_registration_ends_it_and_frees_the_slot(till: Till) -> None:
    session = till.session(minutes=10)
    till.registered("T00001", session, 0)
    till.registered("T00002", session, 1)
    till.clock.set(VISIT_DAY_8 - timedelta(hours=1))
    till.check_in("T00001")
    assert till.order_of("registrations/T00001/desk-refund", {"item_nos": [1]})[0] == 404
    status, made = till.order_of("registrations/T00001/desk-refund", {"reason": "窗口退号"})
    assert (status, made["kind"], made["bill_no"], made["amount_fen"], made["items"]) == (
        201, "REGISTRATION", None, 5000, [])
    assert till.state("T00001") == "CANCELLED"
    assert till.slot_state(session, 0) == "FREE"
    assert till.check_in("T00002")[1]["ahead"] == 0
    assert code(till.check_in("T00001")) == (409, "NOT_CONFIRMED")
    assert code(till.cancel("T00001")) == (409, "TRADE_CONFLICT")
    till.report(made["refund_no"])
    assert till.caller.get("/trades/T00001")[1]["desk_refund_fen"] == 5000


def test_a_partly_refunded_registration_stands_and_is_not_cancelled_on_line(till: Till) -> None:
    session = till.session(minutes=10)
    till.registered("T00001", session, 0)
    made = till.order_of("registrations/T00001/desk-refund", {"amount_fen": 2000})[1]
    assert till.state("T00001") == "CONFIRMED"
    assert code(till.cancel("T00001", 3000)) == (409, "PARTLY_REFUNDED")
    till.report(made["refund_no"], "FAILED")
    assert till.cancel("T00001", 4000)[0] == 200
    assert till.order_of("registrations/T00001/desk-refund", {})[1]["amount_fen"] == 1000


def test_the_desks_refunds_of_a_day_come_in_pages(till: Till) -> None:
    till.paid(items=[{"name": "甲", "unit_price_fen": 1000}])
    numbers = [till.desk_refund("C00001", amount_fen=100)[1]["refund_no"] for _ in range(5)]
    till.clock.advance(timedelta(days=1))
    till.desk_refund("C00001", amount_fen=100)
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = till.caller.get("/desk-refunds", date="2026-11-23", limit=2, **cursor)[1]
        seen += [one["refund_no"] for one in page["desk_refunds"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert seen == numbers
    assert len(till.order_of("desk-refunds", method="GET")[1]) == 6
    assert code(till.caller.get("/desk-refunds")) == (422, "INVALID_FIELD")
