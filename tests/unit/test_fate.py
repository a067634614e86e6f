"""What became of a number in the HIS, seen from our payment: each outcome a type, none of which can be overlooked."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import get_args

import pytest
from hospital.gateways.his.trades import Trade
from hospital.gateways.outcome import Rejected, Unanswered
from hospital.payment import fate
from hospital.payment.model import REGISTRATION, Payment

NOW = datetime(2026, 11, 23, tzinfo=timezone.utc)
OURS, WINDOWS = "4200001", "DESK001"


def payment(state: str = "PAID") -> Payment:
    return Payment("P", REGISTRATION, "B", "A", "o", "RP", "", 2500, state, NOW,
                   OURS if state == "PAID" else None, 2500 if state == "PAID" else 0, NOW, 0, NOW)


def trade(state: str, transaction: str | None = None, paid_fen: int = 0, kind: str = "REGISTRATION") -> Trade:
    return Trade.model_validate({"trade_no": "T1", "kind": kind, "state": state, "transaction_id": transaction,
                                 "paid_fen": paid_fen or (2500 if transaction else 0)})


@pytest.mark.parametrize(("told", "ours", "outcome"), [
    (None, payment(), fate.Waiting),
    (trade("LOCKED"), payment(), fate.Waiting),
    (trade("EXPIRED"), None, fate.Waiting),
    (trade("UNLOCKED"), payment(), fate.Dead),
    (trade("CONFIRMED", OURS), payment(), fate.Ours),
    (trade("SETTLED", OURS), payment(), fate.Ours),
    (trade("CONFIRMED"), None, fate.Ours),  # nothing is to be paid now, and nobody has
    (trade("CONFIRMED", WINDOWS), payment(), fate.Others),
    (trade("SETTLED", WINDOWS), payment(), fate.Others),
    (trade("CONFIRMED"), payment(), fate.Others),  # firm, to be paid on arrival: our money is not in it
    (trade("CONFIRMED", WINDOWS), None, fate.Others),
    (trade("CONFIRMED", paid_fen=2500), None, fate.Others),  # in cash, at the window
    (trade("CONFIRMED", OURS), payment("CLOSED"), fate.Others),
    (trade("CONFIRMED"), payment("OPEN"), fate.Others),  # what nobody has paid can't be firm by us
    (trade("CANCELLED", OURS), payment(), fate.EndedOurs),
    (trade("CANCELLED"), None, fate.EndedOurs),
    (trade("CANCELLED", WINDOWS), payment(), fate.EndedOthers),
    (trade("CANCELLED"), payment(), fate.EndedOthers),
    (trade("LOCKED", kind="CHARGE"), payment(), fate.AnotherKinds),
    (trade("SETTLED", OURS, kind="CHARGE"), payment(), fate.AnotherKinds)])
def test_firm_counts_as_ours_only_with_our_transaction(told: Trade | None, ours: Payment | None, outcome: type) -> None:
    assert type(fate.fate_of("REGISTRATION", told, ours)) is outcome


def test_every_outcome_is_named_once() -> None:
    kinds = {kind for kind in vars(fate).values() if inspect.isclass(kind) and kind.__module__ == fate.__name__}
    assert set(get_args(fate.Fate)) == kinds
    assert set(get_args(fate.Decided)) == kinds - {fate.Waiting}
    assert set(get_args(fate.NotOurs)) == {fate.Dead, fate.Others, fate.EndedOthers, fate.AnotherKinds}


def refusing(code: str) -> Callable[[str], object]:
    def unlock(trade_no: str) -> object:
        raise Rejected(code)
    return unlock


@pytest.mark.parametrize(("code", "told", "outcome"), [
    ("ALREADY_CONFIRMED", trade("CONFIRMED", WINDOWS), fate.Others),
    ("ALREADY_CONFIRMED", trade("CONFIRMED", OURS), fate.Ours),
    ("ALREADY_SETTLED", trade("SETTLED", OURS), fate.Ours),
    ("ALREADY_CANCELLED", trade("CANCELLED", OURS), fate.EndedOurs),
    ("TRADE_CONFLICT", trade("SETTLED", WINDOWS, kind="CHARGE"), fate.AnotherKinds)])
def test_a_number_that_can_no_more_be_killed_is_what_the_trade_check_says(
        monkeypatch: pytest.MonkeyPatch, code: str, told: Trade, outcome: type) -> None:
    monkeypatch.setattr(fate.his_trades, "check_trade", lambda trade_no: told)
    assert type(fate.kill("REGISTRATION", refusing(code), "T1", payment())) is outcome


@pytest.mark.parametrize(("code", "told"), [
    ("TRADE_CONFLICT", trade("CONFIRMED", OURS)), ("ALREADY_CONFIRMED", trade("LOCKED")),
    ("TRADE_CONFLICT", trade("SETTLED", OURS, kind="CHARGE")), ("ALREADY_CONFIRMED", trade("SETTLED", kind="CHARGE")),
    ("ALREADY_CONFIRMED", trade("UNLOCKED")), ("ALREADY_SETTLED", None)])
def test_an_answer_that_contradicts_itself_is_none(monkeypatch: pytest.MonkeyPatch, code: str, told: Trade | None
                                                   ) -> None:
    monkeypatch.setattr(fate.his_trades, "check_trade", lambda trade_no: told)
    with pytest.raises(Unanswered):
        fate.kill("REGISTRATION", refusing(code), "T1", payment())


def test_a_killed_number_is_dead() -> None:
    assert fate.kill("CHARGE", lambda trade_no: SimpleNamespace(), "T1", None) == fate.Dead()
    assert fate.kill_unasked("CHARGE", lambda trade_no: SimpleNamespace(), "T1", None) == fate.Dead()


@pytest.mark.parametrize(("told", "known"), [
    (trade("CONFIRMED", WINDOWS), True), (trade("CANCELLED", WINDOWS), True), (trade("CONFIRMED", OURS), False)])
def test_what_the_his_was_never_asked_to_make_firm_is_not_believed_to_be_ours(
        monkeypatch: pytest.MonkeyPatch, told: Trade, known: bool) -> None:
    monkeypatch.setattr(fate.his_trades, "check_trade", lambda trade_no: told)
    if known:
        assert isinstance(fate.kill_unasked("REGISTRATION", refusing("ALREADY_CONFIRMED"), "T1", payment()),
                          (fate.Others, fate.EndedOthers))
    else:
        with pytest.raises(Unanswered):
            fate.kill_unasked("REGISTRATION", refusing("ALREADY_CONFIRMED"), "T1", payment())
