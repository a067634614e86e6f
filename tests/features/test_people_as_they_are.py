"""People as they are: names, numbers, phones however they are written; foreigners, and newborns."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pymupdf
import pytest
from hospital.security import cipher

from sandbox.people import person, serial
from sandbox.phone import Control, Phone, Refused
from tests.features.conftest import refused

Ask = Callable[..., list[tuple[Any, ...]]]
GULIMIRE = "古丽米热·艾比布力"


def on_file(control: Control, number: str) -> dict[str, Any]:
    """A person's file in the HIS."""
    found: dict[str, Any] = next(one for one in control("GET", "/his/patients")["patients"]
                                 if one["id_number"] == number)
    return found


def full(guest: Phone, patient: dict[str, Any]) -> dict[str, Any]:
    """The whole record, after the second check: WeChat's, or by a code where another's phone is on file."""
    at = f"account/patients/{patient['id']}/reveal"
    try:
        record: dict[str, Any] = guest.call("POST", at, {"code": guest.phone_code()})
    except Refused as refusal:
        assert refusal.code == "phone_mismatch"
        guest.control.advance(61)  # no two codes within a minute
        record = guest.call("POST", at, {"sms_code": guest.sms_code(patient["id"], guest.documents[patient["id"]])})
    return record


@pytest.fixture
def keys(control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    """The functions' own keys, to write rows as older code did."""
    for name in ("data", "lookup"):
        key = bytes.fromhex(control("GET", f"/cloud/secrets/hospital/{name}-key")["value"])
        monkeypatch.setattr(cipher, f"_{name}_key", lambda key=key: key)


@pytest.fixture
def add(guest: Phone) -> Any:
    """``add(person, …)``: bind somebody to ``guest``, for this test only."""
    added: list[str] = []

    def make(someone: dict[str, Any], **more: Any) -> dict[str, Any]:
        bound = guest.add_patient(someone, **more)
        added.append(bound["id"])
        return bound

    yield make
    for patient_id in added:
        guest.call("DELETE", f"account/patients/{patient_id}")


# -- names ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("dot", ["•", ".", " · ", "‧", "・", "．", "●", "⋅", "･", "·\u200b"])
def test_a_name_with_another_dot_is_the_same_person(control: Control, add: Any, dot: str) -> None:
    someone = {**person(), "name": GULIMIRE}
    mine = add(someone)
    other = Phone(control).sign_in()
    theirs = other.add_patient({**someone, "name": GULIMIRE.replace("·", dot)})
    assert theirs["id"] == mine["id"]
    assert full(other, theirs)["name"] == GULIMIRE
    assert on_file(control, someone["id_number"])["name"] == GULIMIRE


@pytest.mark.parametrize(("written", "name"), [
    ("Jose\u0301 Garcia", "José Garcia"), ("李⽥", "李田"), ("靳\ue863", "靳䶮"), ("张\u200b三", "张三"),
    ("\u202d欧阳明\u202c", "欧阳明"), ("吴", "吴"), ("SMITH, JOHN", "SMITH, JOHN"), ("王　明", "王明")])
def test_a_name_is_kept_in_one_form_however_it_was_written(control: Control, guest: Phone, add: Any, written: str,
                                                           name: str) -> None:
    someone = person()
    bound = add({**someone, "name": written})
    assert full(guest, bound)["name"] == name
    assert on_file(control, someone["id_number"])["name"] == name
    assert refused(lambda: guest.add_patient({**someone, "name": name})) == (409, "already_bound")
    assert bound["name"] == ("*" if len(name) == 1 else "*" * (len(name) - 1) + name[-1])


@pytest.mark.parametrize("written", ["古丽米热•艾比布力", "古丽米热 · 艾比布力", "古丽米热.艾比布力", "靳\ue863"])
def test_a_person_on_file_with_another_writing_is_matched(control: Control, guest: Phone, add: Any, written: str
                                                          ) -> None:
    someone = person()
    male = int(someone["id_number"][16]) % 2
    born = date.fromisoformat("{}-{}-{}".format(*(someone["id_number"][a:b] for a, b in ((6, 10), (10, 12), (12, 14)))))
    file = control("POST", "/his/patients", **{**someone, "name": written, "sex": "MALE" if male else "FEMALE",
                                               "birth_date": born.isoformat(), "phone": f"139{serial():08d}"})
    bound = add({**someone, "name": written})
    assert full(guest, bound)["card_number"] == file["card_number"]


def seal_as_before(sql: Ask, patient_id: str, name: str) -> None:
    """Put a name into the row as code before the canonical form wrote it."""
    sealed = cipher.seal(name, f"patients.name:{patient_id}")
    sql("UPDATE patients SET name_enc = %s WHERE id = %s", (sealed, patient_id))


def test_a_name_that_was_stored_before_there_was_one_form_is_the_same_name(
        control: Control, guest: Phone, sql: Ask, keys: None) -> None:
    someone = {**person(), "name": GULIMIRE}
    bound = guest.add_patient(someone)
    seal_as_before(sql, bound["id"], "古丽米热•艾比布力")
    file = on_file(control, someone["id_number"])
    control("POST", f"/his/patients/{file['patient_code']}/correct", name="古丽米热•艾比布力")
    control.settle()
    assert full(guest, bound)["name"] == GULIMIRE
    again = Phone(control).sign_in().add_patient({**someone, "name": "古丽米热・艾比布力"})
    assert again["id"] == bound["id"]
    assert ("patient.corrected",) not in sql("SELECT action FROM audit WHERE subject = %s", (bound["id"],))


def test_who_was_taken_for_a_passport_by_an_old_residence_card_stays_one_patient(
        control: Control, guest: Phone, sql: Ask, keys: None) -> None:
    number = f"DEU1101900307{serial() % 100:02d}"
    someone = {"name": "SMITH, JOHN", "sex": "MALE", "birth_date": "1990-03-07"}
    passport = f"E{serial():08d}"
    bound = guest.add_patient({**someone, "id_type": "PASSPORT", "id_number": passport})
    control("POST", "/his/patients", **someone, id_type="PASSPORT", id_number=number, phone=f"139{serial():08d}")
    sql("UPDATE patients SET id_number_enc = %s, id_number_hash = %s, his_code = %s, "
        "his_code_hash = NULL WHERE id = %s",
        (cipher.seal(number, f"patients.id_number:{bound['id']}"), cipher.lookup("identity.PASSPORT", number),
         on_file(control, number)["patient_code"], bound["id"]))
    again = Phone(control).sign_in().add_patient({**someone, "id_type": "PERMANENT_RESIDENT", "id_number": number})
    assert again["id"] == bound["id"]


# -- phones -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(("written", "stored", "shown"), [
    ("138 0013 8000", "13800138000", "138****8000"), ("+8613800138000", "13800138000", "138****8000"),
    ("\u202d13800138000\u202c", "13800138000", "138****8000"), ("+85261234567", "+85261234567", "+852******67"),
    ("+853 6612 3456", "+85366123456", "+853******56"), ("+886 912 345 678", "+886912345678", "+886*******78"),
    ("+49 1511 2345678", "+4915112345678", "+491********78")])
def test_a_phone_is_kept_whole_with_its_country(control: Control, add: Any, written: str, stored: str, shown: str
                                                ) -> None:
    someone = person()
    assert add(someone, phone=written, proven=False)["phone"] == shown
    assert on_file(control, someone["id_number"])["phone"] == stored


def test_a_foreign_number_that_looks_like_a_mainland_one_opens_no_record_of_it(control: Control) -> None:
    digits = f"151{serial():08d}"
    owner, abroad = Phone(control, number=digits).sign_in(), Phone(control, number=digits, country="49").sign_in()
    someone = person()
    bound = owner.add_patient(someone)
    assert full(owner, bound)["phone"] == digits
    theirs = abroad.add_patient(someone)  # with the digits as they are, so a mainland number
    assert refused(lambda: abroad.call("POST", f"account/patients/{theirs['id']}/reveal",
                                       {"code": abroad.phone_code()})) == (403, "phone_mismatch")
    code = abroad.phone_code()
    assert abroad.call("POST", "account/phone", {"code": code})["phone"] == f"+491{'*' * 8}{digits[-2:]}"


@pytest.mark.parametrize("country_as", ["number", "text"])
def test_a_phone_is_verified_whether_wechat_tells_its_country_as_a_number_or_a_text(
        control: Control, country_as: str) -> None:
    digits = f"138{serial():08d}"
    there = Phone(control, number=digits, country_as=country_as).sign_in()
    assert there.call("POST", "account/phone", {"code": there.phone_code()})["phone"] == f"138****{digits[-4:]}"


def test_a_foreign_number_that_wechat_tells_with_its_trunk_zero_opens_the_record(control: Control) -> None:
    digits = f"1511{serial():07d}"
    abroad = Phone(control, number=f"0{digits}", country="49", country_as="text").sign_in()
    bound = abroad.add_patient(person(), phone=f"+49 {digits}")
    assert full(abroad, bound)["phone"] == f"+49{digits}"


def test_who_has_a_foreign_number_opens_their_record_with_it(control: Control) -> None:
    digits = f"6123{serial() % 10_000:04d}"
    abroad = Phone(control, number=digits, country="852").sign_in()
    bound = abroad.add_patient(person(), phone=f"+852 {digits}")
    assert full(abroad, bound)["phone"] == f"+852{digits}"


# -- documents --------------------------------------------------------------------------------------
@pytest.mark.parametrize("written", [
    "449900 1990 0307 1112", "４４９９００１９９００３０７１１１２", "449900199003071112"])
def test_an_id_card_is_read_however_it_is_written(guest: Phone, add: Any, written: str) -> None:
    bound = add({"name": "吴", "id_type": "ID_CARD", "id_number": written})
    assert full(guest, bound)["id_number"] == "449900199003071112"
    assert (bound["sex"], bound["age"], bound["age_text"]) == ("MALE", 36, "36岁")


@pytest.mark.parametrize(("number", "shown"), [
    ("911840199003071236", "9118**********1236"), ("DEU110190030712", "DEU1*******0712"),
    ("deu 1101 9003 0712", "DEU1*******0712")])
def test_a_permanent_residence_card_says_birth_date_and_sex(control: Control, guest: Phone, add: Any, number: str,
                                                           shown: str) -> None:
    bound = add({"name": "SMITH, JOHN", "id_type": "PERMANENT_RESIDENT", "id_number": number})
    assert (bound["id_type"], bound["id_number"]) == ("PERMANENT_RESIDENT", shown)
    assert (bound["sex"], bound["age"]) == ("MALE", 36)
    assert full(guest, bound)["birth_date"] == "1990-03-07"
    file = on_file(control, number.replace(" ", "").upper())
    assert (file["id_type"], file["sex"], file["birth_date"]) == ("PERMANENT_RESIDENT", "MALE", "1990-03-07")


@pytest.mark.parametrize(("number", "sex"), [
    ("810000199408230021", "FEMALE"), ("830000199201300022", "FEMALE")])
def test_a_residence_permit_of_hong_kong_or_taiwan_is_read_as_an_id_card(add: Any, number: str, sex: str) -> None:
    assert add({"name": "陈大文", "id_type": "ID_CARD", "id_number": number})["sex"] == sex


# -- newborns ---------------------------------------------------------------------------------------
def newborn(born: str, **more: Any) -> dict[str, Any]:
    guardian = person()
    return {"name": guardian["name"] + "之子", "sex": "MALE", "birth_date": born, "relation": "CHILD",
            "guardian": guardian, **more}


def certificate() -> str:
    return f"Q1{serial():08d}"


@pytest.mark.parametrize(("born", "text", "years"), [
    ("2026-11-23", "0天", 0), ("2026-11-15", "8天", 0), ("2026-06-23", "5个月", 0), ("2025-11-23", "1岁", 1)])
@pytest.mark.parametrize("document", ["BIRTH_CERTIFICATE", "NONE"])
def test_a_newborn_is_added_by_a_guardian_with_a_birth_certificate_or_none(
        guest: Phone, add: Any, document: str, born: str, text: str, years: int) -> None:
    number = certificate() if document == "BIRTH_CERTIFICATE" else ""
    child = newborn(born, id_type=document, **({"id_number": number} if number else {}))
    bound = add(child)
    assert (bound["age_text"], bound["age"], bound["id_type"]) == (text, years, document)
    record = full(guest, bound)
    assert (record["id_number"], record["birth_date"]) == (number, born)
    assert refused(lambda: guest.add_patient(child)) == (409, "already_bound")


def test_twins_without_documents_are_two_and_a_sister_of_theirs_a_third(add: Any) -> None:
    child = newborn("2026-11-15", id_type="NONE")
    made = [add(child), add({**child, "name": child["name"] + "二"}), add({**child, "sex": "FEMALE"})]
    assert len({one["id"] for one in made}) == 3
    assert len({one["card_number"] for one in made}) >= 1


def test_a_child_that_gets_its_first_document_stays_the_same_patient(control: Control, guest: Phone, sql: Ask) -> None:
    child = newborn("2026-11-15", id_type="NONE")
    bound = guest.add_patient(child)
    other = Phone(control).sign_in()
    number = certificate()
    documented = other.add_patient({**child, "id_type": "BIRTH_CERTIFICATE", "id_number": number})
    assert documented["id"] == bound["id"]
    assert guest.call("GET", f"account/patients/{bound['id']}")["id_type"] == "BIRTH_CERTIFICATE"
    assert full(guest, bound)["id_number"] == number
    assert sql("SELECT action FROM audit WHERE subject = %s AND action NOT LIKE 'read %%' ORDER BY id",
               (bound["id"],))[1] == (
        ("patient.document-given",))


@pytest.mark.parametrize(("change", "code"), [
    ({"guardian": None}, "guardian_required"), ({"birth_date": "2010-01-01"}, "invalid"),
    ({"birth_date": None}, "invalid"), ({"sex": None}, "invalid"), ({"id_number": "Q110123456"}, "id_number_invalid"),
    ({"guardian": {"name": "张三", "id_type": "NONE"}}, "invalid"), ({"relation": "SELF"}, "invalid")])
def test_only_a_child_with_a_guardian_needs_no_document(guest: Phone, change: dict[str, Any], code: str) -> None:
    child = newborn("2026-11-15", id_type="NONE")
    assert refused(lambda: guest.add_patient({**child, **change})) == (422, code)


# -- e-bills ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(("someone", "words"), [
    ({"name": "SMITH, JOHN", "id_type": "PERMANENT_RESIDENT", "id_number": "911840199003071236"},
     ["SMITH, JOHN", "36岁", "男"]),
    (newborn("2026-11-15", id_type="NONE", name="古丽之子"), ["古丽之子", "8天", "男"]),
    (newborn("2026-06-23", id_type="BIRTH_CERTIFICATE", id_number="Q110123456", name="吴小宝"), ["吴小宝", "5个月"])])
def test_an_e_bill_is_made_out_to_whoever_was_treated(phone: Phone, new_session: Any, visit: Any,
                                                      someone: dict[str, Any], words: list[str]) -> None:
    patient = phone.add_patient(someone)
    visit(phone, patient, new_session(date="2026-11-24"))
    [invoice] = phone.invoices()
    assert invoice["state"] == "ISSUED"
    with pymupdf.open(stream=phone.invoice_file(invoice["id"])) as paper:
        text = "".join(page.get_text() for page in paper)
    assert [word for word in words if word not in text] == []
    phone.call("DELETE", f"account/patients/{patient['id']}")  # an account more each time would be too many at last


# -- dates ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("born", [636768000, "636768000", 636768000.0, True, "07.03.1990", "1990-3-7"])
def test_a_birth_date_that_is_no_date_is_refused_by_its_name(guest: Phone, born: Any) -> None:
    with pytest.raises(Refused) as refusal:
        guest.add_patient({"name": "吴", "id_type": "PASSPORT", "id_number": "E12345678", "sex": "MALE",
                           "birth_date": born})
    assert (refusal.value.status, refusal.value.error["fields"]) == (422, ["birth_date"])


def test_a_day_to_look_for_that_is_no_date_is_refused_by_its_name(guest: Phone, control: Control) -> None:
    answer = guest.raw("GET", "booking/sessions", params={"day": "636768000"})
    assert (answer.status_code, answer.json()["error"]["fields"]) == (422, ["day"])
    with pytest.raises(Refused) as refusal:
        control.operate("statement.show", day=636768000)
    assert [one["field"] for one in refusal.value.error["fields"]] == ["day"]
