"""What the HIS tells of whose a record is: the file's phone and guardian; whether card and visit are a patient's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.sandbox.his_till import PATIENT, Till, code


@pytest.fixture
def till() -> Iterator[Till]:
    made = Till()
    yield made
    made.caller.session.close()


def file(till: Till, patient_code: str) -> dict[str, Any]:
    status, found = till.caller.get(f"/patients/{patient_code}")
    assert status == 200
    return dict(found)


def check(till: Till, card: str, number: str, patient: str = "") -> Any:
    return till.caller.post(f"/patients/{patient or till.patient}/visit-check", card_number=card, number=number)


def test_a_file_has_the_phone_that_was_written_down_and_a_match_does_not_change_it(till: Till) -> None:
    assert (file(till, till.patient)["phone"], file(till, till.patient)["guardian"]) == (PATIENT["phone"], None)
    till.caller.post("/patients/match-or-create", **{**PATIENT, "phone": "13900000001"})
    assert file(till, till.patient)["phone"] == PATIENT["phone"]
    till.order_of(f"patients/{till.patient}/correct", {"phone": "13900000002"})
    assert file(till, till.patient)["phone"] == "13900000002"


def test_a_childs_file_has_its_guardian(till: Till) -> None:
    guardian = {"name": "单大雨", "id_type": "PASSPORT", "id_number": "E7654321"}
    child = {**PATIENT, "id_type": "BIRTH_CERTIFICATE", "id_number": "P330123456", "birth_date": "2024-05-06",
             "guardian": guardian}
    made = till.caller.post("/patients/match-or-create", **child)[1]
    assert file(till, made["patient_code"])["guardian"] == {"id_type": "PASSPORT", "id_number": "E7654321"}


def test_card_and_receipt_are_known_together_and_which_was_wrong_is_not_told(till: Till) -> None:
    till.paid()
    card = file(till, till.patient)["card_number"]
    number = till.order_of("charges", method="GET")[1][-1]["settlement_no"]
    day = f"{till.clock.now():%Y-%m-%d}"
    assert check(till, card, number)[1]["known"]
    assert check(till, card, number)[1]["date"][:7] == day[:7]
    no = (200, {"known": False, "date": None})
    other = till.patient_named(5)
    for asked in (check(till, "99999999", number), check(till, card, "S000000"), check(till, card, number, other),
                  check(till, file(till, other)["card_number"], number)):
        assert asked == no
    assert code(check(till, card, "x"))[1] == "INVALID_FIELD"
    assert code(check(till, card, number, "P0"))[1] == "PATIENT_UNKNOWN"


def test_a_registrations_ticket_is_known_while_it_stands(till: Till) -> None:
    session = till.session()
    till.registered("T00001", session, 0)
    trade = till.caller.get("/trades/T00001")[1]
    owner = till.patient_named(0)
    card = file(till, owner)["card_number"]
    assert check(till, card, trade["registration_code"], owner)[1]["known"]
    till.order_of("registrations/T00001/end-at-desk", {"reason": "窗口退号"})
    assert not check(till, card, trade["registration_code"], owner)[1]["known"]
