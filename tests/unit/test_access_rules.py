"""The rule of who may do what for a patient, and what messages tell whom."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hospital.database.policy import Policy
from hospital.messages import rules as message_rules
from hospital.messages import service as messages
from hospital.patients import access, rules
from hospital.patients.model import Act, Level

DATA = {"patient": "欧阳试", "card": "8800000001", "doctor": "上官医", "department": "消化内科", "place": "3楼B区",
        "number": "A012", "note": "请到2号窗口取药", "time": "2026年11月23日 07:30", "amount": "¥25.00"}


@pytest.mark.parametrize("act", get_args(Act))
@pytest.mark.parametrize("level", ["FULL", "LIMITED", None])
def test_an_unproven_binding_is_enough_for_what_it_orders_itself_and_for_nothing_else(act: Act, level: Level | None
                                                                                      ) -> None:
    assert rules.is_enough(act, level, Policy()) == (level == "FULL" or act != "RECORD")


def test_a_binding_from_before_is_what_the_hospital_says() -> None:
    assert not rules.is_enough("RECORD", None, Policy())
    assert rules.is_enough("RECORD", None, Policy(bindings_before_proof="FULL"))
    assert not rules.is_enough("RECORD", "LIMITED", Policy(bindings_before_proof="FULL"))


@pytest.mark.parametrize(("mine", "level", "theirs", "may"), [
    ("PHONE", "LIMITED", None, True), ("VISIT", "LIMITED", None, True), ("VISIT", "FULL", "PHONE", False),
    ("NEW", "FULL", "DESK", False), ("GUARDIAN", "FULL", "SMS", False), ("SMS", "FULL", "PHONE", True),
    ("PHONE", "FULL", "NEW", True), ("VISIT", "FULL", "NEW", True), ("NEW", "FULL", "VISIT", False),
    ("NEW", "FULL", "GUARDIAN", False), ("NEW", "FULL", "NEW", True), ("VISIT", "FULL", "GUARDIAN", True),
    (None, "FULL", "VISIT", False), (None, "FULL", None, True), (None, "FULL", "SMS", False)])
def test_a_holder_ends_who_is_proven_no_better(mine: Any, level: Any, theirs: Any, may: bool) -> None:
    assert rules.may_end(mine, level, theirs) == may


@pytest.mark.parametrize(("mine", "level", "theirs", "is_one"), [
    ("PHONE", "LIMITED", None, True), (None, "LIMITED", None, True), ("DESK", "FULL", "NEW", True),
    ("VISIT", "FULL", "NEW", True), ("NEW", "FULL", "NEW", False), (None, "FULL", "NEW", False),
    ("PHONE", "FULL", "VISIT", False), ("PHONE", "FULL", None, False)])
def test_a_stranger_is_who_is_unproven_or_made_the_record_beside_a_better_proof(
        mine: Any, level: Any, theirs: Any, is_one: bool) -> None:
    assert rules.is_strangers(level, theirs, mine) == is_one


@pytest.mark.parametrize(("proof", "others", "has"), [
    ("VISIT", ["NEW", "NEW"], True), ("GUARDIAN", ["NEW", "NEW", "VISIT"], True), ("VISIT", ["GUARDIAN", "SMS"], False),
    ("PHONE", ["NEW", "VISIT", "GUARDIAN"], True), ("PHONE", ["SMS", "NEW"], True), ("DESK", ["SMS", "PHONE"], False),
    ("NEW", ["PHONE", "SMS"], False), ("NEW", [None, "NEW"], True), ("NEW", ["NEW", "NEW"], False)])
def test_who_is_proven_less_well_takes_nobodys_place(proof: Any, others: Any, has: bool) -> None:
    assert rules.has_room(proof, others, 2) == has


def test_every_message_says_what_must_be_allowed_for_it() -> None:
    assert set(messages.TELLS) == set(messages.VALUES)
    assert set(messages.TELLS) >= messages.OF_MONEY
    assert {kind for kind, act in messages.TELLS.items() if act is None} == {"patient_unbound", *messages.OF_ACCOUNT}


@pytest.mark.parametrize("kind", sorted(messages.VALUES))
def test_a_message_asks_for_what_it_tells(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(access, "may", lambda *of: asked.append(of[3]) or False)
    act = messages.TELLS[kind]
    assert messages._may_read(None, "A", "P", kind, None) == (act is None)  # type: ignore[arg-type]
    assert asked == ([] if act is None else [act])
    monkeypatch.setattr(access, "may", lambda *of: True)
    assert messages._may_read(None, "A", "P", kind, None)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", sorted(kind for kind, act in messages.TELLS.items() if act is not None))
def test_who_may_not_read_of_a_patient_is_told_of_money_alone(kind: str) -> None:
    told = messages._less(kind, {name: DATA[name] for name in messages.VALUES[kind]})
    if kind == messages.PATIENT_BOUND:  # that somebody did, and when
        assert told == {"patient": "就诊人", "card": "-", "time": DATA["time"], "note": DATA["note"]}
        return
    if kind not in messages.OF_MONEY:
        assert told is None
        return
    assert told is not None
    assert {name: told[name] for name in ("amount", "time")} == {name: DATA[name] for name in ("amount", "time")}
    assert [name for name, text in told.items() if name not in ("amount", "time") and text == DATA[name]] == []
    for template in ("name1", "thing2", "character_string3"):
        assert message_rules.fit(template, told["patient"])


@pytest.mark.parametrize(("number", "shown"), [("13812345678", "*********78"), ("+85261234567", "**********67"),
                                               ("1234", "****34")])
def test_a_phone_for_a_stranger_shows_two_digits(number: str, shown: str) -> None:
    assert rules.mask_tail(number) == shown
