"""Who made a record: its phone and guardian are what somebody typed, until the hospital writes others down."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from sandbox.people import id_number, person
from sandbox.phone import Control, Phone
from tests.features.conftest import refused
from tests.features.whose import Record, a_child, prove
from tests.opened import code_of

Ask = Callable[..., list[tuple[Any, ...]]]


def shown(one: dict[str, Any]) -> tuple[str, str | None]:
    return one["level"], one["proof"]


# -- its phone --------------------------------------------------------------------------------------
def test_the_phone_that_its_maker_typed_stays_the_makers_word(control: Control, thief: Phone) -> None:
    parent = person()  # whom the hospital knows as a guardian, and not as a patient
    child = a_child(control, parent, phone="13877773333")
    mine = thief.add_patient(parent, relation="SELF")
    assert shown(mine) == ("FULL", "NEW")
    assert shown(prove(thief, mine)) == ("FULL", "NEW")
    code = thief.sms_code(mine["id"], parent["id_number"])
    assert shown(prove(thief, mine, sms_code=code)) == ("FULL", "NEW")
    theirs = thief.add_patient(child.someone, proven=False, relation="CHILD")
    assert shown(theirs) == ("LIMITED", None)
    assert refused(lambda: prove(thief, theirs)) == (403, "proof_refused")


def test_who_binds_once_more_what_they_made_is_its_maker(thief: Phone) -> None:
    someone = person()
    thief.call("DELETE", f"account/patients/{thief.add_patient(someone)['id']}")
    assert shown(thief.add_patient(someone)) == ("FULL", "NEW")


@pytest.mark.parametrize("fault", ["cut_after", "garbage"])
def test_a_record_that_was_made_without_an_answer_is_its_makers_word(control: Control, thief: Phone, fault: str
                                                                     ) -> None:
    thief.verify_phone()
    someone = person()
    control.fault("his", "match_patient", fault, effect=True)
    assert refused(lambda: thief.add_patient(someone)) == (503, "his_unavailable")
    mine = thief.add_patient(someone)
    assert shown(mine) == ("FULL", "NEW")
    assert shown(prove(thief, mine)) == ("FULL", "NEW")


def test_what_was_given_for_a_record_that_was_there_already_is_not_on_its_file(owner: Phone, record: Record, sql: Ask
                                                                               ) -> None:
    mine = owner.add_patient(record.someone)
    assert shown(mine) == ("FULL", "PHONE")
    assert refused(lambda: owner.add_patient({**record.someone, "name": "欧阳误"})) == (409, "patient_mismatch")
    assert sql("SELECT g.id FROM given_files g JOIN patients p ON g.identity_key = p.id_number_hash "
               "OR g.patient_id = p.id WHERE p.id = %s", (mine["id"],)) == []


def test_of_a_record_from_before_it_was_kept_what_its_maker_typed_is_the_makers_word(
        control: Control, thief: Phone, owner: Phone, record: Record, sql: Ask) -> None:
    mine = thief.add_patient(someone := person())
    owner.add_patient(record.someone, relation="SELF")
    child = {**a_child(control, record.someone, phone="13877770011").someone, "id_number": id_number(
        date(2019, 11, 4), True)}
    theirs = owner.add_patient(child, proven=False, relation="CHILD")
    assert (shown(mine), shown(theirs)) == (("FULL", "NEW"), ("FULL", "NEW"))
    for one in (mine, theirs):
        sql("DELETE FROM given_files WHERE patient_id = %s", (one["id"],))
    assert shown(prove(thief, mine)) == ("FULL", "NEW")
    code = thief.sms_code(mine["id"], someone["id_number"])
    assert shown(prove(thief, mine, sms_code=code)) == ("FULL", "NEW")
    again = Phone(control).sign_in()
    again.add_patient(record.someone, relation="SELF")
    assert shown(again.add_patient(child, proven=False, relation="CHILD")) == ("FULL", "NEW")


def test_what_was_given_is_kept_while_the_file_shows_it_and_goes_once_it_does_not(
        control: Control, thief: Phone, sql: Ask) -> None:
    mine = thief.add_patient(person())
    code = code_of(control, sql, mine["id"])
    for name, phone, kept in (("欧阳甲", thief.number, 1), ("欧阳乙", "13911117777", 0)):
        control.advance(86401)
        control("POST", f"/his/patients/{code}/correct", name=name, phone=phone)
        control.settle()
        assert len(sql("SELECT id FROM given_files WHERE patient_id = %s", (mine["id"],))) == kept


def test_a_guardian_that_was_given_is_kept_while_the_file_of_the_child_may_show_them(
        control: Control, owner: Phone, record: Record, sql: Ask) -> None:
    child = {**person(), "id_number": id_number(date(2019, 11, 5), True), "guardian": as_guardian(record.someone)}
    mine = owner.add_patient(child, proven=False, relation="CHILD")
    code = code_of(control, sql, mine["id"])
    control.advance(86401)
    control("POST", f"/his/patients/{code}/correct", phone="13911118888")
    control.settle()
    assert len(sql("SELECT id FROM given_files WHERE patient_id = %s", (mine["id"],))) == 1


def test_many_who_read_the_makers_phone_do_not_keep_the_owner_out_and_end_with_the_squat(
        control: Control, thief: Phone, owner: Phone, sql: Ask) -> None:
    someone = person()
    first = thief.add_patient(someone)
    crowd = [thief]
    for _ in range(3):
        crowd.append(another := Phone(control).sign_in())
        theirs = another.add_patient(someone, proven=False)
        control.advance(61)
        code = another.sms_code(theirs["id"], someone["id_number"])
        assert shown(prove(another, theirs, sms_code=code)) == ("FULL", "NEW")
    control("POST", f"/his/patients/{code_of(control, sql, first['id'])}/correct", name=someone["name"])
    control.settle()
    assert another.bills(theirs["id"]) == []  # what it rests on is the same
    code = code_of(control, sql, first["id"])
    control("PUT", "/his/events-mode", drop=True)
    control("POST", f"/his/patients/{code}/correct", phone=owner.number)  # at the window
    control.operate("patient.correct", patient_code=code, note="seen with ID card")
    levels = [one["level"] for each in crowd for one in each.call("GET", "account/patients")["patients"]]
    assert levels == ["LIMITED"] * 4
    assert shown(owner.add_patient(someone)) == ("FULL", "PHONE")
    assert control.operate("patient.release", patient_code=code, note="squat") == {"ended": 4}


def test_a_proof_by_the_phone_ends_when_the_hospital_writes_another(control: Control, owner: Phone, record: Record
                                                                    ) -> None:
    mine = owner.add_patient(record.someone)
    record.correct(phone="13911113333")
    assert shown(owner.call("GET", f"account/patients/{mine['id']}")) == ("LIMITED", None)
    record.correct(phone=owner.number)
    assert shown(prove(owner, mine)) == ("FULL", "PHONE")


def test_who_only_made_a_record_does_not_end_who_is_proven_by_a_visit(control: Control, owner: Phone, thief: Phone,
                                                                      sql: Ask) -> None:
    someone = person()
    made = thief.add_patient(someone)
    mine = owner.add_patient(someone, proven=False)
    code = code_of(control, sql, made["id"])
    bill = control("POST", "/his/bills", patient_code=code, kind="PRESCRIPTION")
    control("POST", f"/his/bills/{bill['bill_no']}/pay-at-desk")
    number = next(one["settlement_no"] for one in control("GET", "/his/bills") if one["bill_no"] == bill["bill_no"])
    [file] = control("GET", f"/his/patients?id_number={someone['id_number']}")["patients"]
    visit = {"card_number": file["card_number"], "number": number}
    assert shown(prove(owner, mine, visit=visit)) == ("FULL", "VISIT")
    at = f"account/patients/{mine['id']}/holders"
    [theirs] = thief.call("GET", at)["holders"]
    assert theirs["can_end"] is False
    assert refused(lambda: thief.call("DELETE", f"{at}/{theirs['id']}")) == (403, "proven_better")
    [other] = owner.call("GET", at)["holders"]
    owner.call("DELETE", f"{at}/{other['id']}")
    assert thief.call("GET", "account/patients") == {"patients": []}


# -- its guardian -----------------------------------------------------------------------------------
def as_guardian(someone: dict[str, Any]) -> dict[str, str]:
    return {name: someone[name] for name in ("name", "id_type", "id_number")}


def test_nobody_is_the_guardian_of_who_is_of_age(control: Control, owner: Phone, record: Record) -> None:
    owner.add_patient(record.someone, relation="SELF")
    victim = Record(control, phone="13877772222", age=40, guardian=as_guardian(record.someone))
    mine = owner.add_patient(victim.someone, proven=False)
    assert shown(mine) == ("LIMITED", None)
    assert refused(lambda: prove(owner, mine)) == (403, "proof_refused")


def test_a_guardian_is_not_written_into_the_file_of_who_speaks_for_themselves(
        control: Control, owner: Phone, record: Record) -> None:
    owner.add_patient(record.someone, relation="SELF")
    mine = owner.add_patient({**person(age=16), "guardian": as_guardian(record.someone)}, proven=False,
                             phone="13877771111")
    assert shown(mine) == ("LIMITED", None)
    assert refused(lambda: prove(owner, mine)) == (403, "proof_refused")


def test_the_guardian_that_a_childs_maker_typed_is_the_makers_word(control: Control, owner: Phone, record: Record
                                                                   ) -> None:
    owner.add_patient(record.someone, relation="SELF")
    child = {**a_child(control, record.someone, phone="13877770000").someone}
    known = owner.add_patient(child, proven=False, relation="CHILD")
    assert shown(known) == ("FULL", "GUARDIAN")  # the hospital's own word
    child["id_number"] = id_number(date(2019, 11, 3), True)
    made = owner.add_patient(child, proven=False, relation="CHILD", phone="13877770001")
    assert shown(made) == ("LIMITED", None)
    assert shown(prove(owner, made)) == ("FULL", "NEW")


def test_a_guardian_who_is_no_more_on_file_is_proven_no_more(control: Control, owner: Phone, record: Record) -> None:
    itself = owner.add_patient(record.someone, relation="SELF")
    child = a_child(control, record.someone, phone="13877779999")
    mine = owner.add_patient(child.someone, proven=False, relation="CHILD")
    assert shown(mine) == ("FULL", "GUARDIAN")
    child.correct(phone="13877779998")  # who is the guardian still is
    assert shown(owner.call("GET", f"account/patients/{mine['id']}")) == ("FULL", "GUARDIAN")
    owner.call("DELETE", f"account/patients/{itself['id']}")
    child.correct(phone="13877779997")
    assert shown(owner.call("GET", f"account/patients/{mine['id']}")) == ("LIMITED", None)
