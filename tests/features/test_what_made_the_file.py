"""A phone or guardian is its maker's word only if the file was made with it: answers that were lost prove nothing."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import pytest

from sandbox.people import person
from sandbox.phone import Control, Phone
from tests.features.conftest import refused
from tests.features.whose import Record, prove, steal
from tests.opened import code_of

Ask = Callable[..., list[tuple[Any, ...]]]


def shown(one: dict[str, Any]) -> tuple[str, str | None]:
    return one["level"], one["proof"]


def lose(control: Control, someone: dict[str, Any], add: Callable[[], Any]) -> None:
    """The HIS does not hear it."""
    control.fault("his", "match_patient", "cut_before", about=someone["id_number"])
    assert refused(add) == (503, "his_unavailable")


def without_age(control: Control) -> None:
    """A HIS whose files do not say since when they exist."""
    control.fault("his", "patient_file", "override", times=-1, remove=["opened_at"])


def test_what_was_given_in_vain_before_somebody_made_the_record_is_not_on_its_file(
        control: Control, owner: Phone, thief: Phone, sql: Ask) -> None:
    someone = person()
    lose(control, someone, lambda: thief.add_patient(someone, proven=False, phone=owner.number))
    made = thief.add_patient(someone)
    assert shown(made) == ("FULL", "NEW")
    control("POST", f"/his/patients/{code_of(control, sql, made['id'])}/correct", phone=owner.number)  # at the window
    control.settle()
    assert shown(thief.call("GET", f"account/patients/{made['id']}")) == ("LIMITED", None)
    mine = owner.add_patient(someone)
    assert shown(mine) == ("FULL", "PHONE")
    assert refused(lambda: thief.call("GET", f"account/patients/{made['id']}/holders")) == (403, "proof_required")


def test_a_lost_answer_about_who_is_on_file_for_long_does_not_devalue_their_phone(
        control: Control, owner: Phone, record: Record) -> None:
    control.advance(3600)
    lose(control, record.someone, lambda: steal(owner, record))
    assert shown(steal(owner, record)) == ("FULL", "PHONE")


def test_where_the_file_does_not_say_since_when_a_lost_answer_may_have_made_it(
        control: Control, owner: Phone, record: Record) -> None:
    control.advance(3600)
    without_age(control)
    lose(control, record.someone, lambda: steal(owner, record))
    assert shown(steal(owner, record)) == ("FULL", "NEW")
    control("DELETE", "/faults")
    mine = owner.call("GET", "account/patients")["patients"][0]
    assert shown(prove(owner, mine)) == ("FULL", "PHONE")  # once it says so


def test_a_lost_answer_about_a_file_that_was_made_just_then_may_have_made_it(
        control: Control, owner: Phone, record: Record) -> None:
    lose(control, record.someone, lambda: steal(owner, record))
    assert shown(steal(owner, record)) == ("FULL", "NEW")


def test_a_lost_answer_about_whom_somebody_has_bound_before_leaves_nothing(
        control: Control, owner: Phone, thief: Phone, record: Record, sql: Ask) -> None:
    without_age(control)
    known = steal(thief, record)
    lose(control, record.someone, lambda: steal(owner, record))
    assert sql("SELECT g.id FROM given_files g JOIN patients p ON g.identity_key = p.id_number_hash "
               "WHERE p.id = %s", (known["id"],)) == []
    assert shown(steal(owner, record)) == ("FULL", "PHONE")


def test_what_the_his_said_that_it_made_is_its_makers_whatever_the_file_says(control: Control, thief: Phone) -> None:
    made = thief.add_patient(person())
    control.fault("his", "patient_file", "override", set={"opened_at": "2019-03-04T08:00:00+08:00"})
    assert shown(prove(thief, made)) == ("FULL", "NEW")


@pytest.mark.parametrize("says", [True, False])
def test_a_file_that_was_made_by_a_call_without_an_answer_is_its_makers_whatever_it_says(
        control: Control, thief: Phone, says: bool) -> None:
    someone = person()
    if not says:
        without_age(control)
    control.fault("his", "match_patient", "cut_after", effect=True, about=someone["id_number"])
    assert refused(lambda: thief.add_patient(someone, proven=False)) == (503, "his_unavailable")
    control.advance(7200)
    assert shown(thief.add_patient(someone, proven=False)) == ("FULL", "NEW")


def test_of_merged_files_the_maker_of_the_younger_one_stays_its_maker(
        control: Control, owner: Phone, thief: Phone, record: Record, sql: Ask) -> None:
    control.advance(3600)
    other = {**{name: record.file[name] for name in ("name", "sex", "birth_date")}, "id_type": "PASSPORT",
             "id_number": f"E{secrets.randbelow(10 ** 8):08d}"}
    made = thief.add_patient(other)
    assert shown(made) == ("FULL", "NEW")
    control("POST", f"/his/patients/{code_of(control, sql, made['id'])}/merge", into=record.code)
    record.correct(phone=thief.number)  # copied from what was merged
    assert shown(prove(thief, made)) == ("FULL", "NEW")
