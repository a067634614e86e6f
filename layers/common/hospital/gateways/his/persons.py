"""The HIS's own records of people."""

from __future__ import annotations

from datetime import date
from typing import Any

from hospital.gateways.his.wire import Answer, post


class MatchedPatient(Answer):
    """The HIS's own record of a person."""

    patient_code: str
    card_number: str
    created: bool


def match_patient(*, id_type: str, id_number: str, name: str, sex: str, birth_date: date, phone: str,
                  guardian: dict[str, str] | None) -> MatchedPatient:
    """Find the person's record or create it; key is (id_type, id_number).

    Raises Rejected (PATIENT_MISMATCH: the name is another), Unanswered.
    """
    body: dict[str, Any] = {"id_type": id_type, "id_number": id_number, "name": name, "sex": sex,
                            "birth_date": birth_date.isoformat(), "phone": phone}
    if guardian:
        body["guardian"] = guardian
    return post("/patients/match-or-create", body, MatchedPatient)
