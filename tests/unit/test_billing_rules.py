"""What may be paid as it was shown, what the desk may give back, and how orders, charges and check-ins move."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from itertools import product
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hospital.billing import model, rules
from hospital.billing import store as billing_store
from hospital.billing.model import Wanted
from hospital.checkin import model as checkins
from hospital.checkin import store as checkin_store
from hospital.gateways.his.bills import Bill
from hospital.messages.rules import fit
from hospital.payment.model import DeskRefund, Item, Settlement
from hospital.payment.rules import refusal_of_desk_refund
from hospital.runtime.errors import IllegalMove

NOW = datetime(2026, 11, 23, tzinfo=timezone.utc)


def bill(**changes: Any) -> Bill:
    return Bill.model_validate({
        "bill_no": "B1", "patient_code": "P1", "kind": "TREATMENT", "department_name": "", "doctor_name": "",
        "created_at": NOW, "pay_before": NOW, "version": 3, "total_fen": 500, "state": "UNPAID", "items": [],
        **changes})


# -- bills ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("wanted", "refusal"), [
    (Wanted("B1", 3, 500), ""), (Wanted("B1", 2, 500), "BILL_CHANGED"), (Wanted("B1", 4, 500), "BILL_CHANGED"),
    (Wanted("B1", 3, 499), "BILL_CHANGED"), (Wanted("B2", 3, 500), "MISSING"), (Wanted("b1", 3, 500), "MISSING")])
def test_a_bill_is_paid_as_it_was_shown_or_not_at_all(wanted: Wanted, refusal: str) -> None:
    assert rules.refusal_to_pay(wanted, {"B1": bill()}) == refusal


@pytest.mark.parametrize(("state", "refusal"), [
    ("UNPAID", ""), ("CANCELLED", "BILL_CANCELLED"), ("PAID", "BILL_PAID"), ("REFUNDED", "BILL_PAID"),
    ("PARTLY_REFUNDED", "BILL_PAID")])
def test_why_a_bill_is_missing_among_the_unpaid(state: str, refusal: str) -> None:
    assert rules.refusal_of_missing(bill(state=state)) == refusal
    assert rules.refusal_of_missing(None) == "BILL_UNKNOWN"


def test_every_refusal_has_a_sentence_of_its_own() -> None:
    sentences = [sentence for _, sentence in [*rules.REFUSALS.values(), rules.OTHERWISE]]
    assert len(set(sentences)) == len(sentences)
    assert all(sentence.endswith("。") for sentence in sentences)
    codes = [code for code, _ in [*rules.REFUSALS.values(), rules.OTHERWISE]]
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize(("codes", "sentence"), [
    (["EXECUTED"], rules.NOT_REFUNDABLE["EXECUTED"]),
    (["PARTLY_REFUNDED", "EXECUTED"], rules.NOT_REFUNDABLE["PARTLY_REFUNDED"]),
    (["SOMETHING_NEW"], rules.NOT_REFUNDABLE_OTHERWISE), ([], rules.NOT_REFUNDABLE_OTHERWISE)])
def test_the_first_reason_against_a_refund_is_told(codes: list[str], sentence: str) -> None:
    assert rules.refund_sentence(codes) == sentence


@pytest.mark.parametrize("note", [
    "40笔已缴清，其余¥9999.99退回", "9笔已缴清，其余¥99999.99退回", "请到多个窗口取药，详见缴费记录"])
def test_what_a_patient_is_told_of_a_payment_is_not_cut(note: str) -> None:
    assert fit("thing4", note) == note


# -- the desk's refunds -----------------------------------------------------------------------------
def settlement(*items: int, reversing_fen: int = 0) -> Settlement:
    lines = [Item(number, "TREATMENT", "", "", "", "次", 1, fen, fen) for number, fen in enumerate(items, start=1)]
    return Settlement("S", "charge", "C", "T", "P", "A", "I", sum(items), reversing_fen, 0, "", lines, NOW)


def before(state: str, **items: int) -> DeskRefund:
    given = {int(name[1:]): fen for name, fen in items.items()}
    return DeskRefund("D", "R", "T", "S", sum(given.values()), given, state, "", NOW, None)


@pytest.mark.parametrize(("amount_fen", "items", "code"), [
    (300, {1: 100, 2: 200}, ""), (100, {1: 100}, ""), (1, {2: 1}, ""), (300, {}, ""),
    (0, {}, "AMOUNT_INVALID"), (-1, {}, "AMOUNT_INVALID"), (100, {1: 200, 2: -100}, "AMOUNT_INVALID"),
    (301, {}, "MORE_THAN_PAID"), (301, {1: 100, 2: 201}, "MORE_THAN_PAID"), (100, {1: 99}, "ITEMS_DO_NOT_ADD_UP"),
    (101, {1: 101}, "MORE_THAN_ITEM"), (100, {3: 100}, "MORE_THAN_ITEM")])
def test_the_desk_gives_back_no_more_than_was_settled_as_a_whole_and_for_each_item(
        amount_fen: int, items: dict[int, int], code: str) -> None:
    assert refusal_of_desk_refund(settlement(100, 200), amount_fen, items, []) == code


def test_what_is_going_back_already_counts() -> None:
    taken = settlement(100, 200, reversing_fen=100)
    for state in ("REFUNDING", "SUCCEEDED"):
        assert refusal_of_desk_refund(taken, 100, {1: 100}, [before(state, n1=100)]) == "MORE_THAN_ITEM"
        assert refusal_of_desk_refund(taken, 200, {2: 200}, [before(state, n1=100)]) == ""
    assert refusal_of_desk_refund(taken, 201, {}, [before("SUCCEEDED", n1=100)]) == "MORE_THAN_PAID"


@pytest.mark.parametrize("state", ["FOUND", "FAILED"])
def test_what_has_not_gone_back_does_not_count_for_an_item(state: str) -> None:
    assert refusal_of_desk_refund(settlement(100, 200), 100, {1: 100}, [before(state, n1=100)]) == ""


# -- states -----------------------------------------------------------------------------------------
class Recorder:
    """A transaction that remembers what it was asked to do."""

    def __init__(self) -> None:
        self.ran: list[Any] = []

    def run(self, sql: str, args: Any) -> int:
        self.ran.append((sql, args))
        return 1

    def insert(self, table: str, **row: Any) -> None:
        self.ran.append((table, row))


TABLES: list[tuple[Mapping[str, set[str]], Any]] = [
    (model.ORDER_MOVES, billing_store.move_order), (model.CHARGE_MOVES, billing_store.move_charge),
    (checkins.MOVES, checkin_store.move)]


@pytest.mark.parametrize(("moves", "move"), TABLES, ids=["orders", "charges", "check-ins"])
def test_states_move_along_their_table_and_nowhere_else(moves: Mapping[str, set[str]], move: Any) -> None:
    for old, new in product(moves, moves):
        tx = Recorder()
        subject = cast("Any", SimpleNamespace(id="x", state=old))
        if new in moves[old]:
            move(tx, subject, new, NOW)
            assert tx.ran
        else:
            with pytest.raises(IllegalMove):
                move(tx, subject, new, NOW)
            assert tx.ran == []


def test_every_state_can_be_reached_and_money_that_was_taken_is_never_forgotten() -> None:
    for moves, begin in ((model.ORDER_MOVES, {"OPEN"}), (model.CHARGE_MOVES, {"OPEN"}),
                         (checkins.MOVES, {"AWAITING_PAYMENT"})):
        reached = set(begin)
        while more := {new for old in reached for new in moves[old]} - reached:
            reached |= more
        assert reached == set(moves)
    # what the HIS has taken is left only by way of the HIS's own cancelling
    assert {new for old in model.TAKEN for new in model.CHARGE_MOVES[old]} == model.TAKEN
