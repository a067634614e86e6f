"""Whose hold was ended by another comes back only with what is newer than that."""

from __future__ import annotations

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


@pytest.fixture
def former(control: Control, owner: Phone) -> Phone:
    """Somebody who once had WeChat verify the owner's number as theirs."""
    one = Phone(control, owner.number).sign_in()
    one.verify_phone()
    return one


def verify_again(phone: Phone) -> None:
    phone.call("POST", "account/phone", {"code": phone.phone_code()})


def end_by_holder(control: Control, owner: Phone, record: Record) -> None:
    mine = owner.add_patient(record.someone)
    [other] = owner.call("GET", f"account/patients/{mine['id']}/holders")["holders"]
    owner.call("DELETE", f"account/patients/{mine['id']}/holders/{other['id']}")


def end_by_staff(control: Control, owner: Phone, record: Record) -> None:
    [one] = control.operate("bindings.show", patient_code=record.code)["bindings"]
    control.operate("binding.end", binding_id=one["binding"], note="asked by the patient")


@pytest.mark.parametrize("end", [end_by_holder, end_by_staff])
def test_a_number_that_was_verified_before_the_end_proves_nothing_and_one_verified_since_does(
        control: Control, owner: Phone, former: Phone, record: Record, end: Callable[..., None]) -> None:
    assert shown(former.add_patient(record.someone)) == ("FULL", "PHONE")
    end(control, owner, record)
    again = steal(former, record)
    assert shown(again) == ("LIMITED", None)
    assert refused(lambda: prove(former, again)) == (403, "proof_refused")
    assert refused(lambda: former.bills(again["id"])) == (403, "proof_required")
    verify_again(former)
    assert shown(prove(former, again)) == ("FULL", "PHONE")


def test_a_number_verified_before_that_was_kept_is_older_than_any_end(
        control: Control, owner: Phone, former: Phone, record: Record, sql: Ask) -> None:
    first = former.add_patient(record.someone)
    sql("UPDATE accounts a JOIN bindings b ON b.account_id = a.id SET a.phone_verified_at = NULL "
        "WHERE b.patient_id = %s", (first["id"],))
    former.call("DELETE", f"account/patients/{first['id']}")
    assert shown(former.add_patient(record.someone)) == ("FULL", "PHONE")  # as long as nobody else has ended it
    end_by_holder(control, owner, record)
    assert shown(steal(former, record)) == ("LIMITED", None)


def test_paper_proves_nothing_after_the_end_and_a_code_or_the_window_does(
        control: Control, owner: Phone, thief: Phone, record: Record) -> None:
    visit = {"card_number": record.file["card_number"], "number": record.receipt_number()}
    assert shown(prove(thief, steal(thief, record), visit=visit)) == ("FULL", "VISIT")
    end_by_holder(control, owner, record)
    again = steal(thief, record)
    assert refused(lambda: prove(thief, again, visit=visit)) == (403, "proof_refused")
    code = thief.sms_code(again["id"], record.someone["id_number"])  # told by the owner
    assert shown(prove(thief, again, sms_code=code)) == ("FULL", "SMS")
    thief.call("DELETE", f"account/patients/{again['id']}")
    once_more = steal(thief, record)
    at_window = control.operate("bindings.show", patient_code=record.code)["bindings"][-1]["binding"]
    control.operate("binding.vouch", binding_id=at_window, note="seen with ID card")
    assert shown(thief.call("GET", f"account/patients/{once_more['id']}")) == ("FULL", "DESK")


def test_who_made_the_record_and_was_ended_does_not_come_back_as_its_maker(
        control: Control, owner: Phone, thief: Phone, sql: Ask) -> None:
    made = thief.add_patient(someone := person())
    mine = owner.add_patient(someone, proven=False)
    bindings = control.operate("bindings.show", patient_code=code_of(control, sql, made["id"]))["bindings"]
    control.operate("binding.vouch", binding_id=bindings[-1]["binding"], note="seen with ID card")
    [other] = owner.call("GET", f"account/patients/{mine['id']}/holders")["holders"]
    owner.call("DELETE", f"account/patients/{mine['id']}/holders/{other['id']}")
    again = thief.add_patient(someone, proven=False)
    assert shown(again) == ("LIMITED", None)
    verify_again(thief)
    assert refused(lambda: prove(thief, again)) == (403, "proof_refused")
    code = thief.sms_code(again["id"], someone["id_number"])
    assert refused(lambda: prove(thief, again, sms_code=code)) == (403, "proof_refused")


def test_what_was_typed_for_a_record_of_before_it_was_kept_stays_the_makers_word_after_the_end(
        control: Control, owner: Phone, thief: Phone, sql: Ask) -> None:
    made = thief.add_patient(someone := person())
    sql("DELETE FROM given_files WHERE patient_id = %s", (made["id"],))
    mine = owner.add_patient(someone, proven=False)
    bindings = control.operate("bindings.show", patient_code=code_of(control, sql, made["id"]))["bindings"]
    control.operate("binding.vouch", binding_id=bindings[-1]["binding"], note="seen with ID card")
    [other] = owner.call("GET", f"account/patients/{mine['id']}/holders")["holders"]
    owner.call("DELETE", f"account/patients/{mine['id']}/holders/{other['id']}")
    again = thief.add_patient(someone, proven=False)
    verify_again(thief)
    assert refused(lambda: prove(thief, again)) == (403, "proof_refused")


def test_an_end_by_who_only_made_the_record_keeps_nobody_from_proving_it(
        control: Control, owner: Phone, thief: Phone, sql: Ask) -> None:
    made = thief.add_patient(someone := person())
    mine = owner.add_patient(someone, proven=False)
    [other] = thief.call("GET", f"account/patients/{made['id']}/holders")["holders"]
    thief.call("DELETE", f"account/patients/{made['id']}/holders/{other['id']}")
    mine = owner.add_patient(someone, proven=False)
    code = code_of(control, sql, made["id"])
    bill = control("POST", "/his/bills", patient_code=code, kind="PRESCRIPTION")
    control("POST", f"/his/bills/{bill['bill_no']}/pay-at-desk")
    number = next(one["settlement_no"] for one in control("GET", "/his/bills") if one["bill_no"] == bill["bill_no"])
    [file] = control("GET", f"/his/patients?id_number={someone['id_number']}")["patients"]
    visit = {"card_number": file["card_number"], "number": number}
    assert shown(prove(owner, mine, visit=visit)) == ("FULL", "VISIT")


def test_who_has_unbound_themselves_is_proven_as_before(owner: Phone, record: Record) -> None:
    first = owner.add_patient(record.someone)
    owner.call("DELETE", f"account/patients/{first['id']}")
    assert shown(steal(owner, record)) == ("FULL", "PHONE")


# -- the phone on file ------------------------------------------------------------------------------
@pytest.mark.parametrize(("ago", "texts"), [(900, 1), (300, 0)])
def test_the_phone_on_file_is_told_of_a_holder_whose_number_was_not_verified_just_now(
        control: Control, owner: Phone, former: Phone, record: Record, ago: int, texts: int) -> None:
    control.advance(ago)
    assert shown(steal(former, record)) == ("FULL", "PHONE")
    control.advance(601)
    control.work()
    assert len(control("GET", f"/sms/phones/{owner.number}")) == texts
