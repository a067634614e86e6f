"""Whose record it is: name and number are known to many; a record is shown to who proves that it is theirs."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import pytest

from sandbox.people import person
from sandbox.phone import Control, Phone
from tests.features.conftest import refused
from tests.features.whose import Record, a_child, prove, steal
from tests.opened import code_of

Ask = Callable[..., list[tuple[Any, ...]]]


# -- name and number alone --------------------------------------------------------------------------
def test_name_and_number_alone_show_nothing_of_the_record(control: Control, owner: Phone, thief: Phone,
                                                          record: Record) -> None:
    bill = record.bill()
    code = control("POST", f"/his/bills/{bill['bill_no']}/qr")["token"]
    mine = steal(thief, record, phone=owner.number)  # the phone on file, typed in
    assert (mine["level"], mine["proof"], mine["card_number"]) == ("LIMITED", None, "")
    chosen = [{"bill_no": bill["bill_no"], "version": 1, "total_fen": bill["total_fen"]}]
    at = f"account/patients/{mine['id']}"
    for act in (
            lambda: thief.bills(mine["id"]), lambda: thief.bill(mine["id"], bill["bill_no"]),
            lambda: thief.scan(code),
            lambda: thief.call("POST", "billing/orders", {"patient_id": mine["id"], "bills": chosen},
                               key=secrets.token_hex(16)),
            lambda: thief.call("POST", f"{at}/reveal", {"code": thief.phone_code()}),
            lambda: thief.call("GET", f"{at}/holders")):
        assert refused(act) == (403, "proof_required")
    assert bill["bill_no"] not in str(thief.call("GET", at))


def test_a_stranger_can_not_keep_the_owner_from_paying(owner: Phone, thief: Phone, record: Record) -> None:
    steal(thief, record)
    mine = owner.add_patient(record.someone)
    record.bill()
    assert (mine["level"], mine["proof"]) == ("FULL", "PHONE")
    assert owner.open_order(owner.order(mine["id"], owner.bills(mine["id"]))["id"])


def test_a_limited_binding_registers_and_pays_what_it_ordered_and_sees_no_more(
        control: Control, thief: Phone, record: Record, ward: dict[str, Any], visit: Any) -> None:
    mine = steal(thief, record)
    booking = visit(thief, mine, ward)
    control.advance(30)
    control.work()
    shown = thief.booking(booking)
    assert (shown["state"], shown["withheld"], bool(shown["doctor_name"])) == ("CONFIRMED", False, True)
    [payment] = thief.payments()
    assert payment["paid_fen"] == ward["fee_fen"]
    assert refused(lambda: thief.receipt(payment["id"])) == (403, "proof_required")
    assert thief.invoices() == []
    thief.call("POST", f"booking/bookings/{booking}/cancellation")
    control.settle()
    control.advance(20)
    control.work()
    assert [one["state"] for one in thief.booking(booking)["refunds"]] == ["SUCCEEDED"]


def test_what_strangers_took_is_not_counted_against_who_has_proven_it_and_each_stranger_counts_for_themselves(
        owner: Phone, thief: Phone, record: Record, policy: Callable[..., None], ward: dict[str, Any],
        session: dict[str, Any]) -> None:
    policy(live_bookings_per_patient=1)
    theirs, mine = steal(thief, record), owner.add_patient(record.someone)
    assert thief.book(theirs["id"], ward)["state"] == "HELD"
    assert owner.book(mine["id"], session)["state"] == "HELD"
    assert refused(lambda: owner.book(mine["id"], ward)) == (409, "too_many_bookings")
    assert refused(lambda: thief.book(theirs["id"], session)) == (409, "too_many_bookings")


def test_strangers_who_came_first_do_not_keep_the_owner_out(control: Control, owner: Phone, record: Record,
                                                            policy: Callable[..., None]) -> None:
    policy(accounts_per_patient=1)
    for _ in range(4):
        steal(Phone(control).sign_in(), record)
    assert owner.add_patient(record.someone)["level"] == "FULL"
    another = Phone(control).sign_in()
    mine = steal(another, record)
    code = another.sms_code(mine["id"], record.someone["id_number"])
    assert refused(lambda: prove(another, mine, sms_code=code)) == (409, "too_many_accounts")


def test_what_a_stranger_types_for_the_sex_changes_nothing(control: Control, owner: Phone, thief: Phone) -> None:
    someone = {"name": "SMITH, ANN", "id_type": "PASSPORT", "id_number": f"E{secrets.randbelow(10 ** 8):08d}",
               "sex": "FEMALE", "birth_date": "1990-03-07"}
    control("POST", "/his/patients", **someone, phone=owner.number)
    first = thief.add_patient({**someone, "sex": "MALE"}, proven=False)  # before its owner
    control.settle()
    assert thief.call("GET", f"account/patients/{first['id']}")["sex"] == "FEMALE"
    mine = owner.add_patient(someone)
    Phone(control).sign_in().add_patient({**someone, "sex": "MALE"}, proven=False)  # and after
    assert owner.call("GET", f"account/patients/{mine['id']}")["sex"] == "FEMALE"


def test_who_is_proven_by_paper_does_not_keep_the_phone_on_file_out(
        control: Control, owner: Phone, thief: Phone, record: Record, policy: Callable[..., None]) -> None:
    policy(accounts_per_patient=1)
    visit = {"card_number": record.file["card_number"], "number": record.receipt_number()}
    assert prove(thief, steal(thief, record), visit=visit)["level"] == "FULL"
    another = Phone(control).sign_in()
    theirs = steal(another, record)
    assert refused(lambda: prove(another, theirs, visit=visit)) == (409, "too_many_accounts")
    assert another.call("GET", f"account/patients/{theirs['id']}")["level"] == "LIMITED"
    mine = owner.add_patient(record.someone)
    assert (mine["level"], mine["proof"]) == ("FULL", "PHONE")


# -- the phone on file ------------------------------------------------------------------------------
def test_the_verified_phone_that_is_on_file_proves_at_once_and_one_that_is_typed_in_does_not(
        control: Control, owner: Phone, record: Record) -> None:
    unverified = Phone(control, owner.number).sign_in()
    mine = steal(unverified, record)
    assert (mine["level"], mine["proof"]) == ("LIMITED", None)
    assert refused(lambda: prove(unverified, mine)) == (403, "proof_refused")
    unverified.verify_phone()
    assert (prove(unverified, mine)["level"], prove(unverified, mine)["proof"]) == ("FULL", "PHONE")


def test_a_new_record_is_the_binders_own_only_with_their_verified_phone(control: Control, thief: Phone) -> None:
    mine = thief.add_patient(person(), proven=False)
    assert (mine["level"], mine["proof"]) == ("FULL", "NEW")
    other = thief.add_patient(person(), proven=False, phone="13912345678")
    assert (other["level"], other["proof"]) == ("LIMITED", None)


def test_who_made_a_record_is_asked_again_once_the_hospital_has_another_phone(
        control: Control, thief: Phone, sql: Ask) -> None:
    mine = thief.add_patient(person())
    code = code_of(control, sql, mine["id"])
    control("POST", f"/his/patients/{code}/correct", phone="13987654321")
    control.settle()
    assert thief.call("GET", f"account/patients/{mine['id']}")["level"] == "LIMITED"
    assert refused(lambda: thief.bills(mine["id"])) == (403, "proof_required")


def test_a_silent_his_proves_nothing_and_is_asked_again(control: Control, owner: Phone, record: Record) -> None:
    control.fault("his", "patient_file", "cut_before")
    mine = steal(owner, record)
    assert mine["level"] == "LIMITED"
    control.fault("his", "patient_file", "cut_before")
    assert refused(lambda: prove(owner, mine)) == (503, "his_unavailable")
    assert prove(owner, mine)["level"] == "FULL"


# -- children ---------------------------------------------------------------------------------------
def test_a_child_is_its_guardians_who_is_proven(control: Control, owner: Phone, record: Record) -> None:
    child = a_child(control, record.someone, phone="13877776666")
    early = owner.add_patient(child.someone, proven=False, relation="CHILD")
    assert early["level"] == "LIMITED"
    owner.add_patient(record.someone, relation="SELF")
    shown = prove(owner, early)
    assert (shown["level"], shown["proof"]) == ("FULL", "GUARDIAN")


def test_an_invented_guardian_binds_a_limited_child(control: Control, thief: Phone, record: Record) -> None:
    child = a_child(control, record.someone, phone="13877775555")
    thief.add_patient(invented := person(), relation="SELF")  # a record of the thief's own, proven
    mine = thief.add_patient({**child.someone, "guardian": invented}, proven=False, relation="CHILD")
    assert mine["level"] == "LIMITED"
    assert refused(lambda: prove(thief, mine)) == (403, "proof_refused")
    assert refused(lambda: thief.bills(mine["id"])) == (403, "proof_required")


def test_who_made_a_record_under_the_guardians_number_is_not_the_childs_guardian(control: Control, thief: Phone
                                                                                  ) -> None:
    parent = person()  # whom the hospital knows as a guardian, and not as a patient
    child = a_child(control, parent, phone="13877774444")
    assert thief.add_patient(parent, relation="SELF")["proof"] == "NEW"
    mine = thief.add_patient(child.someone, proven=False, relation="CHILD")
    assert mine["level"] == "LIMITED"
    assert refused(lambda: prove(thief, mine)) == (403, "proof_refused")


# -- being told, and ending it ----------------------------------------------------------------------
def test_who_holds_it_and_the_phone_on_file_are_told_of_a_new_holder(control: Control, owner: Phone, thief: Phone,
                                                                     record: Record) -> None:
    owner.add_patient(record.someone)
    control.settle()
    steal(thief, record)
    control.settle()
    assert [one["lines"][-1] for one in owner.inbox("绑定通知")] == [
        "备注: 就诊人绑定成功", "备注: 另一微信账号绑定了该就诊人"]
    assert record.file["card_number"] not in str(owner.inbox() + thief.inbox())
    assert thief.inbox("绑定通知")[0]["lines"][1].endswith("-")  # nothing of the card for a stranger
    assert control("GET", f"/sms/phones/{owner.number}") == []
    control.advance(601)
    control.work()
    [text] = control("GET", f"/sms/phones/{owner.number}")
    assert text["text"].startswith("您在本院的就诊档案于2026-11-23被一个新的微信账号添加为就诊人")


def test_the_phone_on_file_is_told_so_often_a_day(control: Control, owner: Phone, record: Record,
                                                  policy: Callable[..., None]) -> None:
    policy(bound_notices_per_day=2)
    for _ in range(4):
        steal(Phone(control).sign_in(), record)
        control.advance(40)
    control.advance(440)
    for _ in range(5):  # one an hour
        control.work()
        control.advance(3601)
    assert len(control("GET", f"/sms/phones/{owner.number}")) == 2  # of the first two: many do not silence each other


def test_a_text_in_the_last_half_minute_does_not_silence_what_the_phone_on_file_is_told(
        control: Control, owner: Phone, thief: Phone, record: Record) -> None:
    steal(thief, record)
    control.fault("sms", "send_sms", "refuse", code="LimitExceeded.PhoneNumberThirtySecondLimit", status=200,
                  about=owner.number)  # others may be told at that moment too
    control.advance(601)
    control.work()
    assert control("GET", f"/sms/phones/{owner.number}") == []
    for _ in range(2):
        control.advance(1801)
        control.work()
    assert len(control("GET", f"/sms/phones/{owner.number}")) == 1


@pytest.mark.parametrize("refusal", ["RequestLimitExceeded.UinLimitExceeded",
                                     "FailedOperation.InsufficientBalanceInSmsPackage"])
def test_what_the_phone_on_file_is_to_be_told_is_told_once_sms_takes_it(
        control: Control, owner: Phone, thief: Phone, record: Record, refusal: str) -> None:
    steal(thief, record)
    control.fault("sms", "send_sms", "refuse", code=refusal, status=200, about=owner.number)
    for _ in range(3):
        assert control("GET", f"/sms/phones/{owner.number}") == []
        control.advance(1801)
        control.work()
    assert len(control("GET", f"/sms/phones/{owner.number}")) == 1
    found = control.tasks(kind="sms.refused", subject_id=refusal)
    assert len(found) == (not refusal.startswith("RequestLimit"))
    for task in found:
        control.operate("task.close", task_id=task["id"], note="paid for")


@pytest.mark.parametrize("how", ["binding.end", "binding.vouch", "by its account"])
def test_staff_are_told_of_a_binding_of_which_the_phone_on_file_could_not_be_told_for_a_day(
        control: Control, owner: Phone, thief: Phone, record: Record, how: str) -> None:
    mine = steal(thief, record)
    control.fault("sms", "send_sms", "refuse", times=-1, code="LimitExceeded.PhoneNumberDailyLimit", status=200,
                  about=owner.number)
    [one] = control.operate("bindings.show", patient_code=record.code)["bindings"]
    control.advance(601)
    control.work()
    assert control.tasks(kind="binding.untold", subject_id=one["binding"]) == []
    control.advance(86400)
    control.work()
    [task] = control.tasks(kind="binding.untold", subject_id=one["binding"])
    assert task["ends_with"] == ["binding.end", "binding.vouch", "task.close"]
    if how == "by its account":
        thief.sign_in().call("DELETE", f"account/patients/{mine['id']}")
    else:
        control.operate(how, binding_id=one["binding"], note="looked at")
    assert control.tasks(kind="binding.untold", subject_id=one["binding"]) == []


def test_a_proven_holder_sees_the_others_and_ends_a_strangers_hold_with_all_that_it_took(
        control: Control, owner: Phone, thief: Phone, record: Record, ward: dict[str, Any], session: dict[str, Any],
        visit: Any) -> None:
    stolen, mine = steal(thief, record), owner.add_patient(record.someone)
    paid = visit(thief, stolen, ward)
    held = thief.book(stolen["id"], session)["id"]
    at = f"account/patients/{mine['id']}/holders"
    [other] = owner.call("GET", at)["holders"]
    assert (other["level"], other["relation"], other["can_end"]) == ("LIMITED", "OTHER", True)
    assert other["phone"] == thief.number[:3] + "****" + thief.number[-4:]
    owner.call("DELETE", f"{at}/{other['id']}")
    control.settle()
    control.advance(20)
    control.work()
    assert owner.call("GET", at) == {"holders": []}
    assert thief.call("GET", "account/patients") == {"patients": []}
    assert thief.inbox("解除绑定通知")
    assert (thief.booking(held)["state"], thief.booking(paid)["state"]) == ("RELEASED", "CANCELLED")
    assert [one["state"] for one in thief.booking(paid)["refunds"]] == ["SUCCEEDED"]
    assert owner.book(mine["id"], ward)["state"] == "HELD"  # the stranger's registration is in nobody's way
    assert owner.call("DELETE", f"{at}/{other['id']}") is None  # a repeat
    assert refused(lambda: owner.call("DELETE", f"{at}/{'0' * 26}")) == (404, "holder_not_found")


def test_who_is_proven_by_a_receipt_does_not_end_who_holds_the_phone(control: Control, owner: Phone, thief: Phone,
                                                                     record: Record) -> None:
    mine = owner.add_patient(record.someone)
    stolen = steal(thief, record)
    prove(thief, stolen, visit={"card_number": record.file["card_number"], "number": record.receipt_number()})
    at = f"account/patients/{mine['id']}/holders"
    [theirs] = thief.call("GET", at)["holders"]
    assert theirs["can_end"] is False
    assert refused(lambda: thief.call("DELETE", f"{at}/{theirs['id']}")) == (403, "proven_better")
    [other] = owner.call("GET", at)["holders"]
    owner.call("DELETE", f"{at}/{other['id']}")
    assert thief.call("GET", "account/patients") == {"patients": []}


# -- before there was proof -------------------------------------------------------------------------
def test_who_was_bound_before_there_was_proof_is_limited_unless_the_hospital_says_otherwise(
        guest: Phone, ill: dict[str, Any], sql: Ask, policy: Callable[..., None]) -> None:
    sql("UPDATE bindings SET level = NULL, proof = NULL, proven_at = NULL WHERE patient_id = %s", (ill["id"],))
    assert refused(lambda: guest.bills(ill["id"])) == (403, "proof_required")
    policy(bindings_before_proof="FULL")
    assert guest.bills(ill["id"]) == []
    policy(bindings_before_proof=None)
    assert prove(guest, ill)["level"] == "FULL"
