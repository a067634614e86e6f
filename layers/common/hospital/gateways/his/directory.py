"""The hospital's departments and doctors."""

from __future__ import annotations

from hospital.gateways.his.wire import Answer, get
from hospital.runtime import canonical


class Department(Answer):
    """A second-level department of the HIS, with its 诊疗科目 code."""

    code: str
    name: str
    parent_code: str
    parent_name: str
    specialty_code: str
    introduction: str = ""
    location: str = ""


class Doctor(Answer):
    """A doctor, who may sit in several departments."""

    code: str
    name: canonical.Name
    sex: str = ""
    title: str
    department_codes: list[str]
    introduction: str = ""
    expertise: str = ""
    employed: bool = True


class _Departments(Answer):
    departments: list[Department]


class _Doctors(Answer):
    doctors: list[Doctor]


def departments() -> list[Department]:
    """Every department. Raises Unanswered."""
    return get("/departments", _Departments).departments


def doctors() -> list[Doctor]:
    """Every doctor. Raises Unanswered."""
    return get("/doctors", _Doctors).doctors
