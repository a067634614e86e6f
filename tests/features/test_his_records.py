"""The hospital moves a patient's record: two become one, a name is corrected. Nobody is locked out by it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import date
from typing import Any

import pymupdf
import pytest

from sandbox.people import id_number, person, serial
from sandbox.phone import Control, Phone, Refused
from tests.features.conftest import refused
from tests.opened import code_of, key_of

Ask = Callable[..., list[tuple[Any, ...]]]


class Hospital:
    """What the window does with the files, and what came of it here."""

    def __init__(self, control: Control, sql: Ask) -> None:
        self.control, self.sql = control, sql

    def code(self, patient: dict[str, Any]) -> str:
        """The patient's code in the HIS as we have it."""
        return code_of(self.control, self.sql, patient["id"])

    def another_file(self, patient: dict[str, Any] | None = None) -> str:
        """A file by a passport, made at the window: the patient's own, or (None) somebody else's. Its code."""
        who = {"name": "欧阳试", "sex": "MALE", "birth_date": "1980-01-01"}
        who["phone"] = f"139{serial():08d}"
        if patient is not None:
            known = next(one for one in self.control("GET", "/his/patients")["patients"]
                         if one["patient_code"] == self.code(patient))
            who = {name: known[name] for name in who}
        made = self.control("POST", "/his/patients", id_type="PASSPORT", id_number=f"E{secrets.randbelow(10**8):08d}",
                            **who)
        return str(made["patient_code"])

    def merge(self, patient: dict[str, Any], into: str | None = None, *, told: bool = False) -> str:
        """The patient's file goes into another one; the code that stays. ``told``: the HIS tells of it."""
        into = into or self.another_file(patient)
        self.control("PUT", "/his/events-mode", drop=not told, duplicate=False, hold=False, reorder=False)
        self.control("POST", f"/his/patients/{self.code(patient)}/merge", into=into)
        return into

    def rename(self, patient: dict[str, Any], name: str, *, told: bool = False) -> None:
        """The window corrects the patient's name."""
        self.control("PUT", "/his/events-mode", drop=not told, duplicate=False, hold=False, reorder=False)
        self.control("POST", f"/his/patients/{self.code(patient)}/correct", name=name)

    def give(self, patient: dict[str, Any], **changes: str) -> None:
        """The window puts another document, or other data, into the patient's own file, and the HIS tells of it."""
        self.control("PUT", "/his/events-mode", drop=False, duplicate=False, hold=False, reorder=False)
        self.control("POST", f"/his/patients/{self.code(patient)}/correct", **changes)
        self.control.settle()

    def task(self, patient: dict[str, Any]) -> dict[str, Any] | None:
        """The open task about a patient's record."""
        return next(iter(self.control.tasks(kind="patient.unmatched", subject_id=patient["id"])), None)

    def audit(self, patient: dict[str, Any]) -> list[str]:
        """What was done to the patient's row."""
        return [row[0] for row in self.sql("SELECT action FROM audit WHERE subject = %s AND action NOT LIKE 'read %%' "
                                            "ORDER BY id", (patient["id"],))]


@pytest.fixture
def hospital(control: Control, sql: Ask) -> Hospital:
    """The window of the hospital."""
    return Hospital(control, sql)


def name_of(phone: Phone, patient: dict[str, Any]) -> str:
    """The patient's full name here."""
    return str(phone.call("POST", f"account/patients/{patient['id']}/reveal", {"code": phone.phone_code()})["name"])


def paper(phone: Phone, invoice: dict[str, Any]) -> str:
    """What an e-bill says."""
    with pymupdf.open(stream=phone.invoice_file(invoice["id"])) as document:
        return "".join(page.get_text() for page in document)


# -- merged -----------------------------------------------------------------------------------------
def test_a_patient_whose_record_was_merged_books_pays_and_is_confirmed(
        hospital: Hospital, phone: Phone, patient: dict[str, Any], session: dict[str, Any], visit: Any, trade: Any,
        books_agree: Callable[..., None]) -> None:
    into = hospital.merge(patient)
    booking = visit(phone, patient, session)
    assert trade(booking)["patient_code"] == into == hospital.code(patient)
    assert hospital.audit(patient)[-1] == "patient.record-changed"
    books_agree(booking)


def test_a_patient_whose_record_was_merged_sees_and_pays_their_bills(
        hospital: Hospital, phone: Phone, patient: dict[str, Any], ordered: Any) -> None:
    [bill] = ordered(patient, "EXAMINATION")
    into = hospital.merge(patient)
    [shown] = phone.bills(patient["id"])
    assert shown["bill_no"] == bill["bill_no"]
    assert hospital.code(patient) == into
    assert phone.order(patient["id"], [shown], secrets.token_hex(16))["total_fen"] == shown["total_fen"]


def test_one_bill_of_a_merged_record_opens_and_so_does_the_code_printed_before(
        hospital: Hospital, control: Control, phone: Phone, patient: dict[str, Any], ordered: Any) -> None:
    [bill] = ordered(patient, "PRESCRIPTION")
    old = control("POST", f"/his/bills/{bill['bill_no']}/qr")["token"]
    hospital.merge(patient)
    new = control("POST", f"/his/bills/{bill['bill_no']}/qr")["token"]
    assert old != new
    scanned = [phone.scan(code) for code in (new, old)]
    assert [one["patient_id"] for one in scanned] == [patient["id"]] * 2
    assert phone.bill(patient["id"], bill["bill_no"])["bill_no"] == bill["bill_no"]


def test_while_the_his_is_silent_a_bill_kept_under_a_code_from_before_the_merger_is_shown(
        hospital: Hospital, control: Control, phone: Phone, patient: dict[str, Any], ordered: Any) -> None:
    [bill] = ordered(patient, "EXAMINATION")
    former = hospital.code(patient)
    into = hospital.merge(patient)
    assert phone.bills(patient["id"])[0]["bill_no"] == bill["bill_no"]
    assert hospital.code(patient) == into != former
    stranger = phone.add_patient(person())
    [kept] = hospital.sql("SELECT patient_code FROM known_bills WHERE bill_no = %s", (bill["bill_no"],))
    assert kept == (key_of(control, former),)
    for operation in ("list_bills", "get_bill", "patient_file"):
        control.fault("his", operation, "cut_before", times=-1)
    shown = phone.call("GET", "billing/bills", params={"patient_id": patient["id"]})
    assert (shown["live"], [one["bill_no"] for one in shown["bills"]]) == (False, [bill["bill_no"]])
    detail = phone.call("GET", f"billing/bills/{bill['bill_no']}", params={"patient_id": patient["id"]})
    assert (detail["live"], detail["bill"]["bill_no"]) == (False, bill["bill_no"])
    assert refused(lambda: phone.bill(stranger["id"], bill["bill_no"])) == (503, "his_unavailable")
    assert refused(lambda: phone.bills(stranger["id"])) == (503, "his_unavailable")


def test_a_bill_of_another_is_none_of_theirs_whatever_was_merged(
        hospital: Hospital, control: Control, phone: Phone, patient: dict[str, Any], ordered: Any) -> None:
    stranger = Phone(control).sign_in().add_patient(person())
    [bill] = ordered(stranger, "EXAMINATION")
    assert refused(lambda: phone.bill(patient["id"], bill["bill_no"])) == (404, "bill_not_found")
    hospital.merge(patient)
    assert refused(lambda: phone.bill(patient["id"], bill["bill_no"])) == (404, "bill_not_found")


def test_two_documents_of_one_person_share_their_record_after_the_merger(
        hospital: Hospital, phone: Phone, patient: dict[str, Any], ordered: Any, sql: Ask) -> None:
    record = record_of(phone, patient)
    passport = phone.add_patient({
        "name": name_of(phone, patient), "id_type": "PASSPORT", "id_number": f"E{secrets.randbelow(10**8):08d}",
        "sex": phone.call("GET", f"account/patients/{patient['id']}")["sex"], "birth_date": record["birth_date"]})
    [bill] = ordered(patient, "EXAMINATION")
    hospital.merge(patient, hospital.code(passport))
    for one in (patient, passport):
        assert [shown["bill_no"] for shown in phone.bills(one["id"])] == [bill["bill_no"]]
    listed = {one["id"]: one["card_number"] for one in phone.call("GET", "account/patients")["patients"]}
    assert listed[patient["id"]] == listed[passport["id"]]
    assert hospital.task(patient) is None
    # and once more: what shared a record goes along
    into = hospital.merge(passport)
    assert [[shown["bill_no"] for shown in phone.bills(one["id"])] for one in (passport, patient)] == (
        [[bill["bill_no"]]] * 2)
    assert hospital.code(passport) == into


def test_a_record_merged_into_another_persons_is_left_to_staff(
        hospital: Hospital, phone: Phone, patient: dict[str, Any], ordered: Any) -> None:
    other = phone.add_patient(person())
    before = hospital.code(patient)
    hospital.merge(patient, hospital.code(other))
    assert refused(lambda: phone.bills(patient["id"])) == (409, "patient_record_changed")
    assert hospital.task(patient) is not None
    assert hospital.code(patient) == before


def test_who_is_told_of_a_merger_takes_it_over_at_once(hospital: Hospital, control: Control, patient: dict[str, Any]
                                                       ) -> None:
    into = hospital.merge(patient, told=True)
    control.settle()
    assert hospital.code(patient) == into


# -- corrected --------------------------------------------------------------------------------------
def test_e_bills_are_made_out_to_the_name_that_the_hospital_has_corrected(
        hospital: Hospital, phone: Phone, patient: dict[str, Any], session: dict[str, Any], visit: Any) -> None:
    hospital.rename(patient, "古丽米热•艾比布力")
    visit(phone, patient, session)
    [invoice] = phone.invoices()
    assert "古丽米热·艾比布力" in paper(phone, invoice)
    assert name_of(phone, patient) == "古丽米热·艾比布力"
    assert "patient.corrected" in hospital.audit(patient)


def test_a_corrected_name_is_taken_over_when_the_hospital_tells(
        hospital: Hospital, control: Control, phone: Phone, patient: dict[str, Any]) -> None:
    hospital.rename(patient, "欧阳更名", told=True)
    control.settle()
    assert name_of(phone, patient) == "欧阳更名"


def test_a_name_that_is_only_written_otherwise_is_no_correction(hospital: Hospital, control: Control, phone: Phone
                                                                ) -> None:
    patient = phone.add_patient({**person(), "name": "古丽米热·艾比布力"})
    hospital.rename(patient, "古丽米热.艾比布力", told=True)
    control.settle()
    assert name_of(phone, patient) == "古丽米热·艾比布力"
    assert hospital.audit(patient).count("patient.corrected") == 0


def test_who_adds_a_patient_under_the_corrected_name_corrects_them_for_all(
        hospital: Hospital, control: Control, phone: Phone) -> None:
    someone = person()
    patient = phone.add_patient(someone)
    hospital.rename(patient, "欧阳改正")
    other = Phone(control).sign_in()
    assert other.add_patient({**someone, "name": "欧阳改正"})["id"] == patient["id"]
    assert name_of(phone, patient) == "欧阳改正"
    # the same account's own attempt corrects them too, though it is bound already
    hospital.rename(patient, "欧阳再改")
    assert refused(lambda: phone.add_patient({**someone, "name": "欧阳再改"})) == (409, "already_bound")
    assert name_of(phone, patient) == "欧阳再改"


# -- another document in the same file ----------------------------------------------------------------
BORN = date(2026, 11, 15)


def nameless(**more: Any) -> dict[str, Any]:
    """A newborn without a document, and with no name of its own."""
    guardian = person()
    return {"name": guardian["name"] + "之子", "sex": "MALE", "birth_date": BORN.isoformat(), "relation": "CHILD",
            "guardian": guardian, "id_type": "NONE", **more}


def record_of(phone: Phone, patient: dict[str, Any]) -> dict[str, Any]:
    """The whole record here, with the kind of its document."""
    shown = phone.call("GET", f"account/patients/{patient['id']}")
    whole = phone.call("POST", f"account/patients/{patient['id']}/reveal", {"code": phone.phone_code()})
    return {**shown, **whole}


def test_a_child_that_gets_its_name_and_id_card_at_the_window_has_them_here_and_on_e_bills(
        hospital: Hospital, control: Control, phone: Phone, session: dict[str, Any], visit: Any) -> None:
    child = nameless()
    patient, number = phone.add_patient(child), id_number(BORN, male=True)
    hospital.give(patient, id_type="ID_CARD", id_number=number, name="欧阳宝宝")
    record = record_of(phone, patient)
    assert [record[name] for name in ("id_type", "id_number", "name")] == ["ID_CARD", number, "欧阳宝宝"]
    assert (hospital.audit(patient)[1], hospital.task(patient)) == ("patient.document-given", None)
    other = Phone(control).sign_in()
    found = other.add_patient({**child, "id_type": "ID_CARD", "id_number": number, "name": "欧阳宝宝"})
    assert found["id"] == patient["id"]
    visit(phone, patient, session)
    assert "欧阳宝宝" in paper(phone, phone.invoices()[0])


def test_a_passport_that_the_file_has_changed_for_a_residence_card_is_changed_here(
        hospital: Hospital, control: Control, phone: Phone) -> None:
    someone = {"name": "SMITH, JOHN", "sex": "MALE", "birth_date": "1990-03-07"}
    patient = phone.add_patient({**someone, "id_type": "PASSPORT", "id_number": f"E{secrets.randbelow(10**8):08d}"})
    card = f"DEU1101900307{1 + 2 * secrets.randbelow(5)}{secrets.randbelow(10)}"
    hospital.give(patient, id_type="PERMANENT_RESIDENT", id_number=card, name="约翰·史密斯")
    record = record_of(phone, patient)
    assert [record[name] for name in ("id_type", "id_number", "name")] == ["PERMANENT_RESIDENT", card, "约翰·史密斯"]
    again = Phone(control).sign_in().add_patient(
        {**someone, "id_type": "PERMANENT_RESIDENT", "id_number": card, "name": "约翰·史密斯"})
    assert again["id"] == patient["id"]


@pytest.mark.parametrize("otherwise", [{"birth_date": "2026-11-14"}, {"sex": "FEMALE"}])
def test_a_file_with_another_document_and_another_birth_date_or_sex_is_left_to_staff(
        hospital: Hospital, control: Control, phone: Phone, otherwise: dict[str, str]) -> None:
    patient = phone.add_patient(nameless())
    before = record_of(phone, patient)
    given = {"id_type": "BIRTH_CERTIFICATE", "id_number": f"Q{secrets.randbelow(10**9):09d}", "name": "欧阳宝宝"}
    hospital.give(patient, **given, **otherwise)
    task = hospital.task(patient)
    assert (record_of(phone, patient), task is not None) == (before, True)
    assert task is not None
    with pytest.raises(Refused) as refusal:
        control.operate("patient.match", task_id=task["id"], note="its own file", patient_code=hospital.code(patient))
    assert refusal.value.code == "document_differs"
    hospital.give(patient, birth_date=BORN.isoformat(), sex="MALE")  # the window puts it right
    assert (record_of(phone, patient)["id_number"], hospital.task(patient)) == (given["id_number"], None)


def test_a_document_that_another_patient_with_another_record_has_is_left_to_staff(
        hospital: Hospital, phone: Phone) -> None:
    number = f"Q{secrets.randbelow(10**9):09d}"
    child = nameless()
    other = phone.add_patient({**child, "id_type": "BIRTH_CERTIFICATE", "id_number": number})
    patient = phone.add_patient({**child, "name": child["name"] + "二"})
    kept = f"account/patients/{other['id']}"
    before = record_of(phone, patient), phone.call("GET", kept)
    hospital.give(patient, id_type="BIRTH_CERTIFICATE", id_number=number)
    assert (record_of(phone, patient), phone.call("GET", kept)) == before
    assert hospital.task(patient) is not None


def test_who_had_another_record_before_keeps_their_document(hospital: Hospital, control: Control, phone: Phone,
                                                            patient: dict[str, Any]) -> None:
    before = record_of(phone, patient)
    into = hospital.merge(patient, told=True)
    control.settle()
    hospital.give(patient, name="OUYANG SHI")  # as the passport has it, which the file shows first
    assert record_of(phone, patient) == {**before, "card_number": record_of(phone, patient)["card_number"]}
    assert (hospital.code(patient), hospital.task(patient)) == (into, None)


def test_who_has_an_id_card_keeps_it_when_their_file_shows_a_passport_first(hospital: Hospital, phone: Phone) -> None:
    patient = phone.add_patient(person())
    before = record_of(phone, patient)
    hospital.give(patient, id_type="PASSPORT", id_number=f"E{secrets.randbelow(10**8):08d}", name="OUYANG SHI")
    assert (record_of(phone, patient), hospital.task(patient)) == (before, None)


def test_another_child_without_a_document_is_not_matched_by_staff(
        hospital: Hospital, control: Control, phone: Phone, sql: Ask) -> None:
    child = nameless()
    patient, twin = phone.add_patient(child), phone.add_patient({**child, "name": child["name"] + "二"})
    stranger = Phone(control).sign_in().add_patient(nameless(birth_date="2026-11-01"))
    code = hospital.code(patient)
    hospital.rename(patient, "欧阳换名")
    gone = f"GONE{secrets.token_hex(8)}"
    sql("UPDATE patients SET his_code = %s, his_code_hash = NULL WHERE id = %s", (gone, patient["id"]))
    assert refused(lambda: phone.bills(patient["id"])) == (409, "patient_record_changed")
    task = hospital.task(patient)
    assert task is not None
    for wrong in (twin, stranger):
        with pytest.raises(Refused) as refusal:
            control.operate("patient.match", task_id=task["id"], note="which?", patient_code=hospital.code(wrong))
        assert refusal.value.code == "document_differs"
    shown = phone.call("GET", f"account/patients/{patient['id']}")["name"]  # whole only with the hospital's file
    assert (hospital.code(patient), shown) == (gone, patient["name"])
    control("POST", f"/his/patients/{code}/correct", name=child["name"])
    control.operate("patient.match", task_id=task["id"], note="found at the window", patient_code=code)
    assert (hospital.code(patient), hospital.task(patient), phone.bills(patient["id"])) == (code, None, [])


# -- what can't be found again ----------------------------------------------------------------------
@pytest.fixture
def lost(hospital: Hospital, phone: Phone, session: dict[str, Any]) -> dict[str, Any]:
    """A patient whose record was renamed and merged at once: what we know of them finds nobody."""
    someone = person()
    patient = phone.add_patient(someone)
    into = hospital.merge(patient)
    hospital.control("POST", f"/his/patients/{into}/correct", name="欧阳新名")
    return {**patient, "into": into, "whole_name": someone["name"]}


def test_a_record_that_is_not_found_again_is_a_task_and_the_place_is_given_back(
        hospital: Hospital, phone: Phone, lost: dict[str, Any], session: dict[str, Any]) -> None:
    held = phone.book(lost["id"], session)
    assert refused(lambda: phone.open_payment(held["id"])) == (409, "patient_record_changed")
    assert phone.booking(held["id"])["state"] == "RELEASED"
    assert refused(lambda: phone.bills(lost["id"])) == (409, "patient_record_changed")
    task = hospital.task(lost)
    assert task is not None
    assert "patient.match" in task["detail"]


def test_staff_end_it_once_the_hospitals_file_is_right(
        hospital: Hospital, control: Control, phone: Phone, lost: dict[str, Any]) -> None:
    assert refused(lambda: phone.bills(lost["id"])) == (409, "patient_record_changed")
    task = hospital.task(lost)
    assert task is not None
    with pytest.raises(Refused) as refusal:  # another person's file
        control.operate("patient.match", task_id=task["id"], note="the wrong one", patient_code=hospital.another_file())
    assert refusal.value.code == "document_differs"
    with pytest.raises(Refused) as refusal:  # not put right yet
        control.operate("patient.match", task_id=task["id"], note="is it right now?")
    assert refusal.value.code == "PATIENT_UNKNOWN"
    control("POST", f"/his/patients/{lost['into']}/correct", name=lost["whole_name"])
    control.operate("patient.match", task_id=task["id"], note="the window has put the name right")
    assert hospital.task(lost) is None
    assert (hospital.code(lost), phone.bills(lost["id"])) == (lost["into"], [])


def test_staff_end_it_by_naming_the_patients_file(hospital: Hospital, control: Control, phone: Phone, sql: Ask) -> None:
    someone = person()
    patient = phone.add_patient(someone)
    hospital.rename(patient, "欧阳换名")
    code = hospital.code(patient)
    sql("UPDATE patients SET his_code = %s, his_code_hash = NULL WHERE id = %s",
        (f"GONE{secrets.token_hex(8)}", patient["id"]))
    assert refused(lambda: phone.bills(patient["id"])) == (409, "patient_record_changed")
    task = hospital.task(patient)
    assert task is not None
    control.operate("patient.match", task_id=task["id"], note="found at the window", patient_code=code)
    assert hospital.task(patient) is None
    assert (hospital.code(patient), name_of(phone, patient), phone.bills(patient["id"])) == (code, "欧阳换名", [])


def test_a_silent_hospital_changes_nothing_and_makes_no_task(
        hospital: Hospital, control: Control, phone: Phone, patient: dict[str, Any]) -> None:
    before = hospital.code(patient)
    hospital.merge(patient)
    control.fault("his", "match_patient", "error")
    assert refused(lambda: phone.bills(patient["id"])) == (503, "his_unavailable")
    assert (hospital.code(patient), hospital.task(patient)) == (before, None)
    assert phone.bills(patient["id"]) == []
