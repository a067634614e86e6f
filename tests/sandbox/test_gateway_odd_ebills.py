"""The gateway to the e-bill platform: numbers and amounts that are none make an answer none."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hospital.gateways import ebill
from hospital.gateways.ebill import OUTPATIENT
from hospital.gateways.outcome import Unanswered
from hospital.reconciliation import sources
from hospital.reconciliation.model import EBILL, Tally

from sandbox.ebill import EBill
from tests.sandbox.test_gateway_ebill import FIRST, LAST, document, platform, world

__all__ = ["platform", "world"]  # fixtures


@pytest.mark.parametrize(("field", "value"), [
    ("billNo", "1" * 21), ("billBatchCode", ""), ("random", "校验"), ("billNo", 1)])
def test_a_number_that_fits_no_column_makes_an_answer_none(platform: EBill, monkeypatch: pytest.MonkeyPatch, field: str,
                                                           value: Any) -> None:
    whole = {"billBatchCode": "33060126", "billNo": "1", "random": "a", "createTime": "20261123091500000"}
    genuine = platform.gate.answer
    monkeypatch.setattr(platform.gate, "answer", lambda *said: genuine("S0000", whole))
    assert ebill.issue(document()).number == "1"
    monkeypatch.setattr(platform.gate, "answer", lambda *said: genuine("S0000", {**whole, field: value}))
    with pytest.raises(Unanswered, match="unreadable"):
        ebill.issue(document())


ROW = {"busNo": "X1", "busType": OUTPATIENT, "billBatchCode": "1", "billNo": "1", "totalAmt": "1.00",
       "dataType": "1", "isPrint": "0"}


def listed(platform: EBill, monkeypatch: pytest.MonkeyPatch, total: Any, *rows: Any) -> list[Any]:
    """What is read of a list that says this."""
    genuine = platform.gate.answer
    monkeypatch.setattr(platform.gate, "answer", lambda *said: genuine(
        "S0000", {"total": total, "billList": list(rows)}))
    return list(ebill.bills_of(FIRST, LAST))


@pytest.mark.parametrize("total", ["0", -5, True, None])
def test_a_count_that_is_none_makes_a_list_none(platform: EBill, monkeypatch: pytest.MonkeyPatch, total: Any) -> None:
    with pytest.raises(Unanswered):
        listed(platform, monkeypatch, total, ROW)


@pytest.mark.parametrize(("odd", "number"), [
    *(({**ROW, "totalAmt": amount}, "X1") for amount in (
        "9" * 10 + ".00", "+1.00", "1.0", "1", ".50", "--1.00", "1,000.00", "٣.00", "1.0_", 1, None)),
    ({**ROW, "isPrint": None}, "X1"), ({**ROW, "busNo": 7}, ""), ({}, ""), ("a bill", "")])
def test_a_row_that_can_not_be_read_stands_for_itself(platform: EBill, monkeypatch: pytest.MonkeyPatch, odd: Any,
                                                      number: str) -> None:
    first, other, last = listed(platform, monkeypatch, 3, ROW, odd, {**ROW, "busNo": "X3"})
    assert [(one.bus_no, one.total_fen) for one in (first, last)] == [("X1", 100), ("X3", 100)]
    assert other == ebill.OddBill(number)


def test_of_rows_that_can_not_be_read_those_that_may_be_ours_are_differences(monkeypatch: pytest.MonkeyPatch) -> None:
    others = Tally()
    told = [ebill.ListedBill("MP1", OUTPATIENT, "1", "1", 100, False, False), ebill.OddBill("MP2"),
            ebill.OddBill("COUNTER-7"), ebill.OddBill("")]
    monkeypatch.setattr(ebill, "bills_of", lambda first, last: iter(told))
    lines = list(sources.theirs(EBILL, date(2026, 11, 23), others))
    assert [line.split("\t")[:2] for line in lines] == [
        ["INVOICE", "MP1"], ["INVOICE", "MP2"], ["INVOICE", "2026-11-23:?"]]
    assert ["ROW" in line for line in lines] == [False, True, True]
    assert others.lines == 1
