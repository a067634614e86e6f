"""The HIS's own records of people."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Any, Literal
from urllib.parse import quote

from pydantic import BeforeValidator, Field, ValidationError, WrapValidator

from hospital.gateways.his.wire import Answer, Code, Legible, Moment, Number, get, post
from hospital.runtime import canonical


class MatchedPatient(Answer):
    """The HIS's own record of a person."""

    patient_code: Code
    card_number: Number
    created: bool


def _phone(value: Any) -> str | None:
    """A number on file in its canonical form; None for what no message reaches: it proves nothing."""
    return canonical.phone(value) if isinstance(value, str) else None


def _guardian(value: Any) -> dict[str, str] | None:
    """A guardian on file; one that can't be read proves nothing, and hinders nothing."""
    named = isinstance(value, dict) and all(
        isinstance(value.get(name), str) and len(value[name]) <= 64 for name in ("id_type", "id_number"))
    return {name: value[name] for name in ("id_type", "id_number")} if named else None


def _moment(value: Any, read: Callable[[Any], datetime | None]) -> datetime | None:
    """When a file was made; what can't be read says nothing, and hinders nothing."""
    try:
        return read(value)
    except ValidationError:
        return None


class GuardianOnFile(Answer):
    """Whom the HIS has on file as a child's guardian."""

    id_type: str
    id_number: canonical.DocumentNumber


class PatientFile(Answer):
    """What the HIS has on file under a patient code: the person as the hospital knows them now.

    ``phone`` is the file's own, of a child its guardian's; None when there is none that messages reach. ``opened_at``:
    when the file was made, of merged ones the latest; None where the HIS does not say it, or not as a moment.
    """

    patient_code: Code
    card_number: Number
    id_type: str
    id_number: canonical.DocumentNumber = ""
    name: Annotated[canonical.Name, Legible]
    sex: Literal["MALE", "FEMALE"]
    birth_date: date
    phone: Annotated[str | None, BeforeValidator(_phone)] = None
    guardian: Annotated[GuardianOnFile | None, BeforeValidator(_guardian)] = None
    opened_at: Annotated[Moment | None, WrapValidator(_moment)] = None


class VisitChecked(Answer):
    """Whether card and number are a patient's, and of which day the number is."""

    known: bool
    on: Annotated[date | None, Field(alias="date")] = None


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


def check_visit(patient_code: str, *, card_number: str, number: str) -> VisitChecked:
    """Whether a card and the number of a visit or receipt are this patient's.

    Raises Rejected (PATIENT_UNKNOWN; INVALID_FIELD: they can't be), Unanswered.
    """
    return post(f"/patients/{quote(patient_code, safe='')}/visit-check",
                {"card_number": card_number, "number": number}, VisitChecked)
