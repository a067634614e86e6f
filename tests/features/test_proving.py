"""How it is proven that a record is theirs: a code to the phone on file, card and visit; the second check; staff."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox.people import person
from sandbox.phone import Control, Phone, Refused
from tests.features.conftest import refused
from tests.features.whose import Record, prove, steal
from tests.opened import code_of

Ask = Callable[..., list[tuple[Any, ...]]]


# -- a code to the phone on file --------------------------------------------------------------------
def test_a_code_to_the_phone_on_file_proves_and_is_good_once(thief: Phone, record: Record, sql: Ask) -> None:
    mine = steal(thief, record)
    code = thief.sms_code(mine["id"], record.someone["id_number"])
    shown = prove(thief, mine, sms_code=code)
    assert (shown["level"], shown["proof"]) == ("FULL", "SMS")
    assert refused(lambda: prove(thief, mine, sms_code=code)) == (400, "code_wrong")
    kept = sql("SELECT * FROM proof_codes WHERE patient_id = %s", (mine["id"],))
    assert len(kept) == 1
    assert code not in str(kept)


def test_where_the_code_went_is_shown_by_two_digits(owner: Phone, thief: Phone, record: Record) -> None:
    mine = steal(thief, record)
    sent = thief.call("POST", f"account/patients/{mine['id']}/proof-codes")
    assert sent["phone"] == "*********" + owner.number[-2:]


def test_a_code_that_was_tried_too_often_is_worth_nothing(thief: Phone, record: Record) -> None:
    mine = steal(thief, record)
    code = thief.sms_code(mine["id"], record.someone["id_number"])
    wrong = f"{(int(code) + 1) % 10 ** 6:06d}"
    for _ in range(5):
        assert refused(lambda: prove(thief, mine, sms_code=wrong)) == (400, "code_wrong")
    assert refused(lambda: prove(thief, mine, sms_code=code)) == (400, "code_wrong")


def test_a_right_code_after_four_wrong_ones_proves(thief: Phone, record: Record) -> None:
    mine = steal(thief, record)
    code = thief.sms_code(mine["id"], record.someone["id_number"])
    for _ in range(4):
        refused(lambda: prove(thief, mine, sms_code=f"{(int(code) + 1) % 10 ** 6:06d}"))
    assert prove(thief, mine, sms_code=code)["level"] == "FULL"


@pytest.mark.parametrize(("seconds", "answer"), [(240, None), (301, (400, "code_wrong"))])
def test_a_code_is_good_for_minutes(control: Control, thief: Phone, record: Record, seconds: int, answer: Any) -> None:
    mine = steal(thief, record)
    code = thief.sms_code(mine["id"], record.someone["id_number"])
    control.advance(seconds)
    if answer is None:
        assert prove(thief, mine, sms_code=code)["level"] == "FULL"
    else:
        assert refused(lambda: prove(thief, mine, sms_code=code)) == answer


def test_a_newer_code_ends_the_one_before_and_two_within_a_minute_are_refused(control: Control, thief: Phone,
                                                                             record: Record) -> None:
    mine = steal(thief, record)
    first = thief.sms_code(mine["id"], record.someone["id_number"])
    again = f"account/patients/{mine['id']}/proof-codes"
    assert refused(lambda: thief.call("POST", again)) == (429, "proof_too_often")
    control.advance(61)
    second = thief.sms_code(mine["id"], record.someone["id_number"])
    if first != second:
        assert refused(lambda: prove(thief, mine, sms_code=first)) == (400, "code_wrong")
    assert prove(thief, mine, sms_code=second)["level"] == "FULL"


def test_so_many_codes_a_day_for_one_account_and_patient(control: Control, thief: Phone, record: Record,
                                                         policy: Callable[..., None]) -> None:
    policy(proof_codes_per_day=2)
    mine = steal(thief, record)
    for _ in range(2):
        thief.sms_code(mine["id"], record.someone["id_number"])
        control.advance(61)
    assert refused(lambda: thief.sms_code(mine["id"], record.someone["id_number"])) == (429, "proof_too_often")
    another = Phone(control).sign_in()  # who is not locked out by that
    assert another.sms_code(steal(another, record)["id"], record.someone["id_number"])


def test_a_code_is_no_ones_but_its_accounts_and_of_no_other_phone(control: Control, thief: Phone, record: Record
                                                                  ) -> None:
    mine, another = steal(thief, record), Phone(control).sign_in()
    theirs = steal(another, record)
    code = another.sms_code(theirs["id"], record.someone["id_number"])
    assert refused(lambda: prove(thief, mine, sms_code=code)) == (400, "code_wrong")
    record.correct(phone="13911112222")
    assert refused(lambda: prove(another, theirs, sms_code=code)) == (400, "code_wrong")


@pytest.mark.parametrize(("refusal", "answer"), [
    ("LimitExceeded.PhoneNumberDailyLimit", (429, "proof_too_often")),
    ("InvalidParameterValue.IncorrectPhoneNumber", (409, "no_phone_on_file")),
    ("FailedOperation.SignatureIncorrectOrUnapproved", (503, "sms_unavailable"))])
def test_what_sms_refuses_is_said_and_a_wrong_setting_is_a_task(control: Control, thief: Phone, record: Record,
                                                                refusal: str, answer: tuple[int, str]) -> None:
    mine = steal(thief, record)
    control.fault("sms", "send_sms", "refuse", code=refusal, status=200)
    assert refused(lambda: thief.call("POST", f"account/patients/{mine['id']}/proof-codes")) == answer
    found = control.tasks(kind="sms.refused", subject_id=refusal)
    assert bool(found) == (answer[0] == 503)
    for task in found:
        control.operate("task.close", task_id=task["id"], note="setting mended")


@pytest.mark.parametrize("fault", ["cut_after", "garbage"])
def test_a_code_that_may_have_been_sent_is_good(control: Control, owner: Phone, thief: Phone, record: Record,
                                                fault: str) -> None:
    mine = steal(thief, record)
    control.fault("sms", "send_sms", fault, effect=True)
    thief.call("POST", f"account/patients/{mine['id']}/proof-codes")
    texts = control("GET", f"/sms/phones/{owner.number}")
    assert prove(thief, mine, sms_code=texts[-1]["values"][0])["level"] == "FULL"


def test_where_the_hospital_sends_no_sms_it_says_so(thief: Phone, record: Record, control: Control) -> None:
    mine = steal(thief, record)
    control.operate("settings.change", changes={"sms_code_template": ""})
    try:
        assert refused(lambda: thief.call("POST", f"account/patients/{mine['id']}/proof-codes")) == (
            409, "sms_not_offered")
    finally:
        control.operate("settings.change", changes={"sms_code_template": "2100001"})


# -- card and visit ---------------------------------------------------------------------------------
def test_who_has_card_and_receipt_in_hand_has_proven_it(thief: Phone, record: Record) -> None:
    mine = steal(thief, record)
    visit = {"card_number": record.file["card_number"], "number": record.receipt_number()}
    shown = prove(thief, mine, visit=visit)
    assert (shown["level"], shown["proof"], shown["card_number"][-2:]) == (
        "FULL", "VISIT", record.file["card_number"][-2:])


def test_a_wrong_card_or_another_ones_receipt_proves_nothing_and_five_tries_are_a_days(
        control: Control, thief: Phone, record: Record) -> None:
    mine, other = steal(thief, record), Record(control, phone="13900001111")
    card, number = record.file["card_number"], record.receipt_number()
    for visit in ({"card_number": other.file["card_number"], "number": number},
                  {"card_number": card, "number": other.receipt_number()}, {"card_number": "XX12", "number": number},
                  {"card_number": card, "number": "S00000000000000"}, {"card_number": card, "number": "M001"}):
        assert refused(lambda visit=visit: prove(thief, mine, visit=visit)) == (403, "proof_refused")
        control.advance(60)
    right = {"card_number": card, "number": number}
    answer = thief.raw("POST", f"account/patients/{mine['id']}/proof", {"visit": right})
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "proof_too_often")
    wait = int(answer.headers["Retry-After"])  # until the first of them is a day ago
    assert 86400 - 400 < wait <= 86400 - 300
    assert answer.json()["error"]["message"] == "核验次数过多，请于明天07:31后再试，或到人工窗口办理。"
    another = Phone(control).sign_in()  # whom the tries of others do not lock out
    assert prove(another, steal(another, record), visit=right)["level"] == "FULL"


def test_a_visit_of_long_ago_proves_nothing(control: Control, thief: Phone, record: Record,
                                            policy: Callable[..., None]) -> None:
    mine = steal(thief, record)
    visit = {"card_number": record.file["card_number"], "number": record.receipt_number()}
    policy(proof_visit_days=2)
    control.advance(3 * 86400)
    thief.sign_in()
    assert refused(lambda: prove(thief, mine, visit=visit)) == (403, "proof_refused")


@pytest.mark.parametrize(("day", "answer"), [("2026-11-23", None), ("2026-11-24", (403, "proof_refused"))])
def test_a_visit_that_is_still_to_come_proves_nothing(control: Control, thief: Phone, record: Record, day: str,
                                                      answer: Any) -> None:
    mine = steal(thief, record)
    control.fault("his", "check_visit", "override", set={"known": True, "date": day})
    visit = {"card_number": record.file["card_number"], "number": "M001"}
    if answer is None:
        assert prove(thief, mine, visit=visit)["level"] == "FULL"
    else:
        assert refused(lambda: prove(thief, mine, visit=visit)) == answer


# -- the second check -------------------------------------------------------------------------------
def test_the_full_record_opens_by_the_phone_on_file_and_not_by_one_that_was_typed_in(
        control: Control, owner: Phone, record: Record) -> None:
    guest = Phone(control).sign_in()
    mine = guest.add_patient(record.someone)  # by a code that the owner has told
    at = f"account/patients/{mine['id']}/reveal"
    assert refused(lambda: guest.call("POST", at, {"code": guest.phone_code()})) == (403, "phone_mismatch")
    assert refused(lambda: guest.call("POST", at, {"code": owner.phone_code()})) == (400, "wechat_code_invalid")
    own = owner.add_patient(record.someone)
    whole = owner.call("POST", f"account/patients/{own['id']}/reveal", {"code": owner.phone_code()})
    assert whole["card_number"] == record.file["card_number"]
    control.advance(61)
    code = guest.sms_code(mine["id"], record.someone["id_number"])
    assert guest.call("POST", at, {"sms_code": code})["id_number"] == record.someone["id_number"]
    for wrong in ({}, {"code": "x", "sms_code": "123456"}):
        assert refused(lambda wrong=wrong: guest.call("POST", at, wrong))[0] == 422


# -- operators --------------------------------------------------------------------------------------
def test_staff_see_who_holds_a_record_without_a_word_of_who_they_are_and_end_one(
        control: Control, owner: Phone, thief: Phone, record: Record, sql: Ask) -> None:
    owner.add_patient(record.someone)
    steal(thief, record)
    shown = control.operate("bindings.show", patient_code=record.code)["bindings"]
    assert [(one["level"], one["has_phone_on_file"]) for one in shown] == [("FULL", True), ("LIMITED", False)]
    for secret in (record.someone["name"], record.someone["id_number"], owner.number, record.file["card_number"]):
        assert secret not in str(shown)
    end = {"binding_id": shown[1]["binding"], "note": "not theirs"}
    assert control.operate("binding.end", **end) == {"ended": 1}
    assert control.operate("binding.end", **end) == {"ended": 0}
    assert thief.call("GET", "account/patients") == {"patients": []}
    assert sql("SELECT actor FROM audit WHERE action = 'binding.end' AND subject = %s LIMIT 1",
               (shown[1]["binding"],)) != []
    with pytest.raises(Refused):
        control.operate("bindings.show", patient_code="P00000000")


def test_the_window_vouches_for_who_has_neither_phone_nor_card(control: Control, thief: Phone, record: Record) -> None:
    mine = steal(thief, record)
    [one] = control.operate("bindings.show", patient_code=record.code)["bindings"]
    control.operate("binding.vouch", binding_id=one["binding"], note="seen with ID card")
    shown = thief.call("GET", f"account/patients/{mine['id']}")
    assert (shown["level"], shown["proof"]) == ("FULL", "DESK")


def test_the_window_vouches_for_no_binding_that_has_ended(control: Control, thief: Phone, record: Record) -> None:
    mine = steal(thief, record)
    [before] = control.operate("bindings.show", patient_code=record.code)["bindings"]
    thief.call("DELETE", f"account/patients/{mine['id']}")
    steal(thief, record)
    with pytest.raises(Refused) as refusal:
        control.operate("binding.vouch", binding_id=before["binding"], note="seen with ID card")
    assert refusal.value.code == "holder_not_found"
    assert thief.call("GET", f"account/patients/{mine['id']}")["level"] == "LIMITED"
    [now] = control.operate("bindings.show", patient_code=record.code)["bindings"]
    assert control.operate("binding.vouch", binding_id=now["binding"], note="seen") == {"proven": now["binding"]}
    assert thief.call("GET", f"account/patients/{mine['id']}")["level"] == "FULL"


def test_staff_end_a_squat_and_who_is_proven_stays(control: Control, owner: Phone, record: Record) -> None:
    squatters = [Phone(control).sign_in() for _ in range(4)]
    for one in squatters:
        steal(one, record)
    owner.add_patient(record.someone)
    assert control.operate("patient.release", patient_code=record.code, note="four strangers") == {"ended": 4}
    assert [one.call("GET", "account/patients")["patients"] for one in squatters] == [[]] * 4
    assert owner.call("GET", "account/patients")["patients"][0]["level"] == "FULL"


def test_a_wrong_name_that_was_registered_first_is_put_right_with_the_hospitals_word(
        control: Control, owner: Phone, thief: Phone, sql: Ask) -> None:
    someone = person()
    squat = thief.add_patient({**someone, "name": "欧阳误"})
    assert refused(lambda: owner.add_patient(someone)) == (409, "patient_mismatch")
    code = code_of(control, sql, squat["id"])
    control("PUT", "/his/events-mode", drop=True)
    control("POST", f"/his/patients/{code}/correct", name=someone["name"], phone=owner.number)  # at the window
    control.operate("patient.correct", patient_code=code, note="seen with ID card")
    assert control.operate("patient.release", patient_code=code, note="squat") == {"ended": 1}
    mine = owner.add_patient(someone)
    assert (mine["level"], mine["proof"], mine["name"][-1]) == ("FULL", "PHONE", someone["name"][-1])
    assert thief.call("GET", "account/patients") == {"patients": []}
