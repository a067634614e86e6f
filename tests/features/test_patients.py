"""Patients (就诊人): adding, showing, choosing, removing; documents, guardians, limits; the second check."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from sandbox.people import id_number, person, serial
from sandbox.phone import Control, Phone, Refused

Ask = Callable[..., list[tuple[Any, ...]]]
TODAY = date(2026, 11, 23)


def refused(guest: Phone, someone: dict[str, Any], **changes: Any) -> Refused:
    """How adding somebody is refused; nothing is bound by it, and no value is repeated."""
    before = guest.call("GET", "account/patients")
    with pytest.raises(Refused) as refusal:
        guest.add_patient(someone, **changes)
    assert guest.call("GET", "account/patients") == before
    assert someone["id_number"] not in str(refusal.value.error)
    assert someone["name"] not in str(refusal.value.error)
    return refusal.value


def child(born: date = date(2020, 2, 29), **guardian: Any) -> dict[str, Any]:
    someone = {**person(), "id_number": id_number(born, True)}
    return {**someone, "relation": "CHILD", "guardian": {**person(), **guardian}}


def passport() -> str:
    return f"E{serial():08d}"


@pytest.mark.feature("me.patients")
def test_patients_are_listed_added_chosen_and_removed_and_a_child_has_a_guardian(guest: Phone) -> None:
    assert guest.call("GET", "account/patients") == {"patients": []}
    me = guest.add_patient(person(), relation="SELF")
    mother = guest.add_patient(person(age=62), relation="PARENT")
    daughter = guest.add_patient(child())
    listed = guest.call("GET", "account/patients")["patients"]
    assert [(one["id"], one["relation"], one["is_default"]) for one in listed] == [
        (me["id"], "SELF", True), (mother["id"], "PARENT", False), (daughter["id"], "CHILD", False)]
    assert daughter["age"] == 6
    assert guest.call("PUT", f"account/patients/{mother['id']}/default") is None
    listed = guest.call("GET", "account/patients")["patients"]
    assert (listed[0]["id"], listed[0]["is_default"]) == (mother["id"], True)
    assert sum(one["is_default"] for one in listed) == 1
    assert guest.call("DELETE", f"account/patients/{mother['id']}") is None
    listed = guest.call("GET", "account/patients")["patients"]
    assert [(one["id"], one["is_default"]) for one in listed] == [(me["id"], True), (daughter["id"], False)]
    assert guest.raw("GET", f"account/patients/{mother['id']}").status_code == 404
    assert guest.call("GET", "account/me")["patients"] == 2


@pytest.mark.feature("me.patient")
def test_a_record_is_masked_and_shown_in_full_only_after_a_second_check(guest: Phone, sql: Ask) -> None:
    someone = person(age=40)
    bound = guest.add_patient(someone)
    shown = guest.call("GET", f"account/patients/{bound['id']}")
    number = someone["id_number"]
    assert shown["name"] == "**" + someone["name"][-1]
    assert shown["id_number"] == number[:4] + "*" * 10 + number[-4:]
    assert shown["phone"] == guest.number[:3] + "****" + guest.number[-4:]
    assert (shown["age"], shown["sex"]) == (40, "MALE" if int(number[16]) % 2 else "FEMALE")
    code = guest.phone_code()
    full = guest.call("POST", f"account/patients/{bound['id']}/reveal", {"code": code})
    assert (full["name"], full["id_number"], full["phone"]) == (someone["name"], number, guest.number)
    assert full["birth_date"] == f"{number[6:10]}-{number[10:12]}-{number[12:14]}"
    assert re.fullmatch(r"[0-9]\*+[0-9]{2}", shown["card_number"])
    with pytest.raises(Refused) as refusal:  # the check is good for one look
        guest.call("POST", f"account/patients/{bound['id']}/reveal", {"code": code})
    assert (refusal.value.status, refusal.value.code) == (400, "wechat_code_invalid")
    assert sql("SELECT action, result FROM audit WHERE subject = %s AND action NOT LIKE 'read %%' ORDER BY id",
               (bound["id"],)) == [("patient.bind", "done"), ("patient.reveal", "done")]


def test_another_persons_phone_is_no_second_check(control: Control, guest: Phone, ill: dict[str, Any],
                                                  sql: Ask) -> None:
    with pytest.raises(Refused) as refusal:
        guest.call("POST", f"account/patients/{ill['id']}/reveal", {"code": Phone(control).phone_code()})
    assert (refusal.value.status, refusal.value.code) == (400, "wechat_code_invalid")
    assert sql("SELECT result FROM audit WHERE subject = %s AND action = 'patient.reveal'", (ill["id"],)) == []


@pytest.mark.parametrize("change", [
    {"id_number": "44990019800101001X"}, {"id_number": "449900198013010011"}, {"id_number": "12345"},
    {"id_number": "00990019800101001X"}, {"id_number": "449900209901010017"},
    {"id_type": "PASSPORT", "id_number": "DEU110190030712"},
    {"id_type": "PERMANENT_RESIDENT", "id_number": "911840199003071237"},
    {"id_type": "BIRTH_CERTIFICATE", "id_number": "110123456"}, {"id_type": "NONE"},
    {"id_type": "PASSPORT", "id_number": "E1234-678"}, {"id_type": "HK_MACAU_PERMIT", "id_number": "X12345678"},
    {"id_type": "TAIWAN_PERMIT", "id_number": "1234567"}])
def test_a_number_that_cannot_be_one_is_refused(guest: Phone, change: dict[str, str]) -> None:
    refusal = refused(guest, {**person(), "sex": "MALE", "birth_date": "1980-01-01", **change})
    assert (refusal.status, refusal.code, refusal.error["fields"]) == (422, "id_number_invalid", ["id_number"])


def test_birth_date_and_sex_must_not_contradict_the_number(guest: Phone) -> None:
    someone = person()
    other = "FEMALE" if int(someone["id_number"][16]) % 2 else "MALE"
    for change in ({"sex": other}, {"birth_date": "1999-09-09"}):
        assert refused(guest, someone, **change).error["fields"] == ["birth_date", "sex"]


@pytest.mark.parametrize(("id_type", "number"), [
    ("PASSPORT", "e{digits} "), ("HK_MACAU_PERMIT", "H{digits}"), ("TAIWAN_PERMIT", "{digits}")])
def test_other_documents_need_sex_and_birth_date_and_are_one_however_written(
        control: Control, guest: Phone, id_type: str, number: str) -> None:
    number = number.format(digits=f"{serial():08d}")
    someone = {"name": "Anne-Marie O'Neil", "id_type": id_type, "id_number": number}
    assert refused(guest, someone).error["fields"] == ["birth_date", "sex"]
    assert refused(guest, {**someone, "sex": "FEMALE", "birth_date": "2031-01-01"}).error["fields"] == ["birth_date"]
    whole = {**someone, "sex": "FEMALE", "birth_date": "1988-12-31"}
    bound = guest.add_patient(whole)
    assert (bound["age"], bound["sex"], bound["id_type"]) == (37, "FEMALE", id_type)
    assert "".join(number.split())[2:-2] not in bound["id_number"]
    assert refused(guest, {**whole, "id_number": number.strip().upper()}).code == "already_bound"
    code = guest.phone_code()
    full = guest.call("POST", f"account/patients/{bound['id']}/reveal", {"code": code})
    assert full["id_number"] == number.strip().upper()


@pytest.mark.parametrize("change", [
    {"phone": "12345678901"}, {"phone": "+861012345678"}, {"phone": ""}, {"phone": 13800138000}, {"name": "x"},
    {"name": "张3"}, {"name": " "}, {"name": 3}, {"birth_date": 636768000}, {"birth_date": "636768000"},
    {"relation": "FRIEND"}, {"sex": "X"}, {"birth_date": "1980-02-30"}, {"nickname": "小张"},
    {"guardian": "张三"}, {"consents": [{"purpose": "HEALTH_DATA", "version": 0}]}])
def test_a_wrong_field_is_named_and_its_value_not_repeated(guest: Phone, change: dict[str, Any]) -> None:
    refusal = refused(guest, person(), **change)
    name = next(iter(change))
    assert (refusal.status, refusal.code) == (422, "invalid")
    assert [field.split(".")[0] for field in refusal.error["fields"]] == [name]


def test_the_his_matches_a_known_person_and_creates_a_new_one_once(control: Control, guest: Phone,
                                                                   stranger: dict[str, Any]) -> None:
    someone, other = person(), Phone(control).sign_in()
    first, second = guest.add_patient(someone), other.add_patient(someone)
    assert first["card_number"] == second["card_number"]
    on_file = [one for one in control("GET", "/his/patients")["patients"] if one["id_number"] == someone["id_number"]]
    assert len(on_file) == 1
    bound = guest.add_patient({name: stranger[name] for name in ("name", "id_type", "id_number")})
    assert bound["card_number"][-2:] == stranger["card_number"][-2:]


def test_a_name_that_the_hospital_knows_otherwise_binds_nobody(control: Control, guest: Phone) -> None:
    someone = person()
    Phone(control).sign_in().add_patient(someone)
    refusal = refused(guest, {**someone, "name": "欧阳试名"})
    assert (refusal.status, refusal.code) == (409, "patient_mismatch")


def test_a_silent_his_binds_nobody_and_the_same_request_succeeds_later(control: Control, guest: Phone) -> None:
    someone = person()
    control.fault("his", "match_patient", "error")
    assert refused(guest, someone).status == 503
    assert guest.add_patient(someone)["relation"] == "OTHER"


@pytest.mark.parametrize(("change", "status", "code"), [
    ({"guardian": None}, 422, "guardian_required"), ({"relation": "SELF"}, 422, "invalid"),
    ({"consents": [{"purpose": "HEALTH_DATA", "version": 2}]}, 403, "consent_required")])
def test_a_child_needs_a_guardian_who_consents(guest: Phone, change: dict[str, Any], status: int, code: str) -> None:
    refusal = refused(guest, child(), **change)
    assert (refusal.status, refusal.code) == (status, code)


def test_until_when_a_guardian_is_asked_for_is_the_hospitals_rule_and_is_told(
        guest: Phone, policy: Callable[..., None]) -> None:
    policy(guardian_below_age=5)
    assert guest.call("GET", "account/consents")["guardian_below_age"] == 5
    assert "未满5周岁" in refused(guest, child(date(2026, 2, 1)), guardian=None).error["message"]


def test_a_child_is_not_its_own_guardian(guest: Phone) -> None:
    someone = child()
    someone["guardian"]["id_number"] = someone["id_number"]
    assert refused(guest, someone).error["fields"] == ["guardian"]


def test_a_wrong_number_of_the_guardian_is_named_as_the_guardians(guest: Phone) -> None:
    refusal = refused(guest, child(id_number="44990019800101001X"))
    assert (refusal.code, refusal.error["fields"]) == ("id_number_invalid", ["guardian.id_number"])


def test_nobody_is_a_child_from_the_fourteenth_birthday_on(guest: Phone) -> None:
    birthday, tomorrow = (id_number(date(2012, 11, day), True) for day in (23, 24))
    assert guest.add_patient({**person(), "id_number": birthday})["age"] == 14
    assert refused(guest, {**person(), "id_number": tomorrow}).code == "guardian_required"


def test_an_account_has_at_most_the_configured_number_of_patients(guest: Phone, policy: Callable[..., None]) -> None:
    policy(patients_per_account=2)
    first = guest.add_patient(person())
    guest.add_patient(person())
    assert refused(guest, person()).code == "too_many_patients"
    guest.call("DELETE", f"account/patients/{first['id']}")
    assert guest.add_patient(person())


def test_a_patient_has_at_most_the_configured_number_of_accounts(control: Control, guest: Phone,
                                                                 policy: Callable[..., None]) -> None:
    policy(accounts_per_patient=1)
    someone, other = person(), Phone(control, guest.number).sign_in()
    bound = other.add_patient(someone)
    guest.verify_phone()
    mine = guest.add_patient(someone, proven=False)
    assert mine["level"] == "LIMITED"
    at = f"account/patients/{mine['id']}/proof"
    with pytest.raises(Refused) as refusal:
        guest.call("POST", at, {})
    assert refusal.value.code == "too_many_accounts"
    other.call("DELETE", f"account/patients/{bound['id']}")
    assert guest.call("POST", at, {})["level"] == "FULL"


def test_a_person_is_bound_once_and_only_one_is_myself(guest: Phone) -> None:
    someone = person()
    bound = guest.add_patient(someone, relation="SELF")
    assert refused(guest, someone, relation="SELF").code == "already_bound"
    assert refused(guest, person(), relation="SELF").code == "self_exists"
    guest.call("DELETE", f"account/patients/{bound['id']}")
    again = guest.add_patient(someone, relation="SELF")
    assert (again["id"], again["is_default"]) == (bound["id"], True)
