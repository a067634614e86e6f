"""The gateway to the e-bill platform: numbers and amounts that are none make an answer none."""

from __future__ import annotations

from typing import Any

import pytest
from hospital.gateways import ebill
from hospital.gateways.ebill import OUTPATIENT
from hospital.gateways.outcome import Unanswered

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


@pytest.mark.parametrize(("total", "amount"), [
    ("0", "1.00"), (-5, "1.00"), (True, "1.00"), (1, "9" * 10 + ".00"), (1, "+1.00"), (1, "1.0"), (1, 1)])
def test_a_count_or_an_amount_that_is_none_makes_a_list_none(platform: EBill, monkeypatch: pytest.MonkeyPatch,
                                                             total: Any, amount: Any) -> None:
    row = {"busNo": "X1", "busType": OUTPATIENT, "billBatchCode": "1", "billNo": "1", "totalAmt": "1.00",
           "dataType": "1", "isPrint": "0"}
    genuine = platform.gate.answer
    monkeypatch.setattr(platform.gate, "answer", lambda *said: genuine("S0000", {"total": 1, "billList": [row]}))
    assert [one.total_fen for one in ebill.bills_of(FIRST, LAST)] == [100]
    monkeypatch.setattr(platform.gate, "answer", lambda *said: genuine(
        "S0000", {"total": total, "billList": [{**row, "totalAmt": amount}]}))
    with pytest.raises(Unanswered):
        list(ebill.bills_of(FIRST, LAST))
