"""One record, two documents: who holds it and what is counted for it goes by the record, whichever it was bound by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.phone import Control, Phone
from tests.features.conftest import refused
from tests.features.test_ended_as_a_strangers import later
from tests.features.whose import Record, a_child, prove, steal

Ask = Callable[..., list[tuple[Any, ...]]]
Change = Callable[..., None]


@pytest.fixture
def mine(owner: Phone, record: Record) -> dict[str, Any]:
    """The record as its owner has it, by the ID card."""
    return owner.add_patient(record.someone)


@pytest.fixture
def passport(mine: dict[str, Any], record: Record) -> dict[str, Any]:
    """The owner's other document, whose name and number are known as well."""
    return record.passport()


@pytest.fixture
def stolen(thief: Phone, passport: dict[str, Any]) -> dict[str, Any]:
    """The same record as a thief has bound it, by the passport."""
    return thief.add_patient(passport, proven=False)


def others(phone: Phone, patient: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = phone.call("GET", f"account/patients/{patient['id']}/holders")["holders"]
    return found


def end(phone: Phone, patient: dict[str, Any], holder: dict[str, Any]) -> None:
    phone.call("DELETE", f"account/patients/{patient['id']}/holders/{holder['id']}")


def level(phone: Phone, patient: dict[str, Any]) -> str:
    return str(phone.call("GET", f"account/patients/{patient['id']}")["level"])


# -- who is told, who is seen, who is ended ---------------------------------------------------------
def test_the_owner_is_told_of_who_has_bound_the_record_by_another_document(
        control: Control, owner: Phone, thief: Phone, mine: dict[str, Any], stolen: dict[str, Any], sql: Ask) -> None:
    assert sql("SELECT record_of FROM patients WHERE id = %s", (stolen["id"],)) == [(mine["id"],)]
    control.settle()
    told = [(one["lines"][0], one["lines"][-1]) for one in owner.inbox("绑定通知")]
    assert [note for _, note in told] == ["备注: 就诊人绑定成功", "备注: 另一微信账号绑定了该就诊人"]
    assert told[0][0] == told[1][0]  # the name as the owner has it
    assert [one["lines"][-1] for one in thief.inbox("绑定通知")] == ["备注: 就诊人绑定成功"]
    control.advance(601)
    control.work()
    assert len(control("GET", f"/sms/phones/{owner.number}")) == 1


def test_who_has_it_by_both_documents_is_told_once_of_another_and_once_of_their_own(
        control: Control, owner: Phone, thief: Phone, mine: dict[str, Any], passport: dict[str, Any], record: Record
        ) -> None:
    owner.add_patient(passport)
    control.settle()
    notes = ["备注: 就诊人绑定成功"] * 2
    assert [one["lines"][-1] for one in owner.inbox("绑定通知")] == notes
    steal(thief, record)
    control.settle()
    assert [one["lines"][-1] for one in owner.inbox("绑定通知")] == [*notes, "备注: 另一微信账号绑定了该就诊人"]


def test_the_owner_sees_and_ends_who_has_the_record_by_another_document(
        control: Control, owner: Phone, thief: Phone, mine: dict[str, Any], stolen: dict[str, Any]) -> None:
    [other] = others(owner, mine)
    assert (other["level"], other["phone"]) == ("LIMITED", thief.number[:3] + "****" + thief.number[-4:])
    end(owner, mine, other)
    assert (others(owner, mine), thief.call("GET", "account/patients")) == ([], {"patients": []})
    control.settle()
    assert thief.inbox("解除绑定通知")


def test_a_holder_of_another_record_is_not_theirs_to_end(
        control: Control, owner: Phone, thief: Phone, mine: dict[str, Any], sql: Ask) -> None:
    other = Record(control, phone="13811112222")
    theirs = steal(thief, other)
    [(binding,)] = sql("SELECT id FROM bindings WHERE patient_id = %s", (theirs["id"],))
    assert refused(lambda: end(owner, mine, {"id": binding})) == (404, "holder_not_found")


def test_staff_see_each_hold_on_the_record_once_and_release_all_of_a_squat(
        control: Control, owner: Phone, thief: Phone, mine: dict[str, Any], stolen: dict[str, Any], record: Record
        ) -> None:
    shown = control.operate("bindings.show", patient_code=record.code)["bindings"]
    assert [(one["patient"], one["level"], one["has_phone_on_file"]) for one in shown] == [
        (mine["id"], "FULL", True), (stolen["id"], "LIMITED", False)]
    assert control.operate("patient.release", patient_code=record.code, note="squat") == {"ended": 1}
    assert others(owner, mine) == []


# -- how many ---------------------------------------------------------------------------------------
def test_there_is_room_for_so_many_accounts_by_all_documents_together(
        control: Control, owner: Phone, mine: dict[str, Any], passport: dict[str, Any], record: Record, policy: Change
        ) -> None:
    policy(accounts_per_patient=1)
    spouse = Phone(control).sign_in()
    theirs = spouse.add_patient(passport, proven=False)
    code = spouse.sms_code(theirs["id"], record.someone["id_number"])
    assert refused(lambda: prove(spouse, theirs, sms_code=code)) == (409, "too_many_accounts")
    owner.add_patient(passport)
    policy(accounts_per_patient=2)  # who has it by both is one
    assert prove(spouse, theirs, sms_code=code)["level"] == "FULL"


def test_strangers_by_both_documents_use_up_nothing(
        control: Control, owner: Phone, record: Record, policy: Change) -> None:
    policy(accounts_per_patient=1)
    steal(Phone(control).sign_in(), record)
    passport = record.passport()
    for _ in range(2):
        Phone(control).sign_in().add_patient(passport, proven=False)
    assert owner.add_patient(record.someone)["level"] == "FULL"


def test_the_phone_on_file_is_told_so_often_a_day_by_all_documents_together(
        control: Control, owner: Phone, mine: dict[str, Any], passport: dict[str, Any], record: Record, policy: Change
        ) -> None:
    policy(bound_notices_per_day=3)  # the first is the owner's own binding
    for someone in (passport, record.someone, passport, record.someone):
        Phone(control).sign_in().add_patient(someone, proven=False)
        control.advance(40)
    control.advance(440)
    for _ in range(5):  # one an hour
        control.work()
        control.advance(3601)
    assert len(control("GET", f"/sms/phones/{owner.number}")) == 2


def test_tries_and_codes_for_a_record_are_counted_by_all_documents_together(
        thief: Phone, stolen: dict[str, Any], record: Record, policy: Change) -> None:
    policy(proof_tries=1, proof_codes_per_day=1)
    too = thief.add_patient(record.someone, proven=False)
    visit = {"card_number": "C0000", "number": "M0000"}
    assert refused(lambda: prove(thief, stolen, visit=visit)) == (403, "proof_refused")
    assert refused(lambda: prove(thief, too, visit=visit)) == (429, "proof_too_often")
    thief.sms_code(stolen["id"], record.someone["id_number"])
    assert refused(lambda: thief.call("POST", f"account/patients/{too['id']}/proof-codes")) == (429, "proof_too_often")


def test_the_full_record_is_asked_for_so_often_by_all_documents_together(
        owner: Phone, mine: dict[str, Any], passport: dict[str, Any], policy: Change) -> None:
    too = owner.add_patient(passport)
    policy(limit_reveal={"burst": 1, "seconds": 3600})
    owner.call("POST", f"account/patients/{mine['id']}/reveal", {"code": owner.phone_code()})
    again = {"code": owner.phone_code()}
    assert refused(lambda: owner.call("POST", f"account/patients/{too['id']}/reveal", again)) == (
        429, "too_many_requests")


def test_one_is_oneself_by_each_of_ones_documents(
        control: Control, owner: Phone, record: Record) -> None:
    owner.add_patient(record.someone, relation="SELF")
    assert owner.add_patient(record.passport(), relation="SELF")["relation"] == "SELF"
    assert refused(lambda: steal(owner, Record(control, phone="13811114444"), relation="SELF")) == (
        409, "self_exists")


def test_a_guardian_is_known_by_each_of_their_documents(control: Control, owner: Phone, record: Record) -> None:
    steal(Phone(control).sign_in(), record)  # so that both documents are known here
    owner.add_patient(record.passport(), relation="SELF")
    child = a_child(control, record.someone, phone="13877771212")
    assert owner.add_patient(child.someone, proven=False, relation="CHILD")["proof"] == "GUARDIAN"


# -- registrations ----------------------------------------------------------------------------------
def test_what_a_stranger_took_by_another_document_goes_back_when_their_hold_is_ended(
        control: Control, owner: Phone, thief: Phone, mine: dict[str, Any], stolen: dict[str, Any],
        ward: dict[str, Any], session: dict[str, Any], visit: Any) -> None:
    paid = visit(thief, stolen, ward)
    held = thief.book(stolen["id"], session)["id"]
    end(owner, mine, others(owner, mine)[0])
    later(control)
    assert (thief.booking(paid)["state"], thief.booking(held)["state"]) == ("CANCELLED", "RELEASED")
    assert [one["state"] for one in thief.booking(paid)["refunds"]] == ["SUCCEEDED"]


def test_what_a_stranger_took_by_a_document_that_they_have_left_goes_back_with_the_hold_that_is_ended(
        control: Control, owner: Phone, thief: Phone, mine: dict[str, Any], stolen: dict[str, Any], record: Record,
        ward: dict[str, Any], visit: Any) -> None:
    paid = visit(thief, stolen, ward)
    steal(thief, record)
    thief.call("DELETE", f"account/patients/{stolen['id']}")  # nobody's to end any more
    later(control)
    assert thief.booking(paid)["state"] == "CONFIRMED"
    end(owner, mine, others(owner, mine)[0])
    later(control)
    assert thief.booking(paid)["state"] == "CANCELLED"


def test_what_was_taken_under_another_hold_that_stands_stays_until_that_is_ended(
        control: Control, owner: Phone, thief: Phone, mine: dict[str, Any], stolen: dict[str, Any], record: Record,
        ward: dict[str, Any], visit: Any) -> None:
    too = steal(thief, record)
    paid = visit(thief, too, ward)
    first, second = others(owner, mine)
    end(owner, mine, first)
    later(control)
    assert thief.booking(paid)["state"] == "CONFIRMED"
    end(owner, mine, second)
    later(control)
    assert thief.booking(paid)["state"] == "CANCELLED"


def test_what_who_has_proven_the_record_took_by_its_other_document_stays_when_that_hold_is_ended(
        control: Control, owner: Phone, mine: dict[str, Any], passport: dict[str, Any], record: Record,
        ward: dict[str, Any], visit: Any) -> None:
    spouse = Phone(control).sign_in()
    spouse.add_patient(record.someone)
    unproven = spouse.add_patient(passport, proven=False)
    paid = visit(spouse, unproven, ward)
    end(owner, mine, next(one for one in others(owner, mine) if one["level"] == "LIMITED"))
    later(control)
    assert spouse.booking(paid)["state"] == "CONFIRMED"


def test_one_has_one_registration_for_a_session_by_all_documents_together(
        owner: Phone, mine: dict[str, Any], passport: dict[str, Any], ward: dict[str, Any]) -> None:
    too = owner.add_patient(passport)
    owner.book(mine["id"], ward)
    assert refused(lambda: owner.book(too["id"], ward)) == (409, "already_booked")


def test_a_strangers_unpaid_registration_by_another_document_makes_way_for_the_owners(
        owner: Phone, thief: Phone, mine: dict[str, Any], stolen: dict[str, Any], ward: dict[str, Any]) -> None:
    held = thief.book(stolen["id"], ward)["id"]
    assert refused(lambda: owner.book(mine["id"], ward)) == (409, "booked_by_another")
    assert thief.booking(held)["state"] == "RELEASED"
    assert owner.book(mine["id"], ward)["state"] == "HELD"
    assert refused(lambda: thief.book(stolen["id"], ward)) == (409, "already_booked")


def test_one_has_so_many_registrations_by_all_documents_together_and_a_strangers_are_not_counted(
        owner: Phone, thief: Phone, mine: dict[str, Any], stolen: dict[str, Any], passport: dict[str, Any],
        ward: dict[str, Any], session: dict[str, Any], policy: Change) -> None:
    policy(live_bookings_per_patient=1)
    too = owner.add_patient(passport)
    assert thief.book(stolen["id"], ward)["state"] == "HELD"
    assert owner.book(mine["id"], session)["state"] == "HELD"
    assert refused(lambda: owner.book(too["id"], ward)) == (409, "too_many_bookings")


# -- the hospital's word ----------------------------------------------------------------------------
def test_a_bill_is_known_under_every_code_of_the_record_by_whichever_document(
        control: Control, owner: Phone, thief: Phone, mine: dict[str, Any], stolen: dict[str, Any], record: Record,
        passport: dict[str, Any]) -> None:
    bill = record.bill()
    token = control("POST", f"/his/bills/{bill['bill_no']}/qr")["token"]
    into = {name: record.file[name] for name in ("name", "sex", "birth_date", "phone")}
    into["id_type"], into["id_number"] = "PASSPORT", f"G{passport['id_number'][1:]}"
    code = control("POST", "/his/patients", **into)["patient_code"]
    control("PUT", "/his/events-mode", drop=True)
    control("POST", f"/his/patients/{record.code}/merge", into=code)
    assert refused(lambda: prove(thief, stolen)) == (403, "proof_refused")  # the first to learn of it
    assert [one["bill_no"] for one in owner.bills(mine["id"])] == [bill["bill_no"]]
    too = owner.add_patient(passport)  # bound later, after the code has changed
    assert owner.scan(token)["patient_id"] in (mine["id"], too["id"])
    owner.call("DELETE", f"account/patients/{mine['id']}")
    assert owner.scan(token)["patient_id"] == too["id"]


def test_a_hold_by_another_document_ends_with_the_phone_that_it_was_proven_by(
        control: Control, owner: Phone, mine: dict[str, Any], passport: dict[str, Any], record: Record) -> None:
    too = owner.add_patient(passport)
    record.correct(phone="13911115555")
    assert (level(owner, mine), level(owner, too)) == ("LIMITED", "LIMITED")
