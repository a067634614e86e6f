"""The HIS's own records of people."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal
from urllib.parse import quote

from hospital.gateways.his.wire import Answer, Code, Legible, Number, get, post
from hospital.runtime import canonical


class MatchedPatient(Answer):
    """The HIS's own record of a person."""

    patient_code: Code
    card_number: Number
    created: bool


class PatientFile(Answer):
    """What the HIS has on file under a patient code: the person as the hospital knows them now."""

    patient_code: Code
    card_number: Number
    id_type: str
    id_number: canonical.DocumentNumber = ""
    name: Annotated[canonical.Name, Legible]
    sex: Literal["MALE", "FEMALE"]
    birth_date: date


def match_patient(*, id_type: str, id_number: str, name: str, sex: str, birth_date: date, phone: str,
                  guardian: dict[str, str] | None) -> MatchedPatient:
    """Find the person's record or create it; key is (id_type, id_number), for ``NONE`` the guardian and the child.

    Raises Rejected (PATIENT_MISMATCH: the name is another), Unanswered.
    """
    body: dict[str, Any] = {"id_type": id_type, "name": name, "sex": sex, "birth_date": birth_date.isoformat(),
                            "phone": phone}
    if id_number:
        body["id_number"] = id_number
    if guardian:
        body["guardian"] = guardian
    return post("/patients/match-or-create", body, MatchedPatient)


def patient_file(patient_code: str) -> PatientFile:
    """What is on file under a patient code. Raises Rejected (PATIENT_UNKNOWN: merged into another), Unanswered."""
    return get(f"/patients/{quote(patient_code, safe='')}", PatientFile)
