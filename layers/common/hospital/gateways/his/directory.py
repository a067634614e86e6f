"""The hospital's departments and doctors."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from hospital.gateways.his.wire import Answer, Code, Legible, Odd, get, read_row
from hospital.runtime import canonical

_Name = Annotated[str, Field(min_length=1, max_length=80), Legible]
_Text = Annotated[str, Field(max_length=20_000)]


class Department(Answer):
    """A second-level department of the HIS, with its 诊疗科目 code."""

    code: Code
    name: _Name
    parent_code: Code
    parent_name: _Name
    specialty_code: Annotated[str, Field(pattern=r"^[!-~]{0,32}$")]
    introduction: _Text = ""
    location: Annotated[str, Field(max_length=200)] = ""


class Doctor(Answer):
    """A doctor, who may sit in several departments."""

    code: Code
    name: Annotated[canonical.Name, Field(min_length=1, max_length=60), Legible]
    sex: Annotated[str, Field(pattern=r"^[!-~]{0,8}$")] = ""
    title: Annotated[str, Field(max_length=50)]
    department_codes: list[Code]
    introduction: _Text = ""
    expertise: _Text = ""
    employed: bool = True


class _Departments(Answer):
    departments: list[Any]


class _Doctors(Answer):
    doctors: list[Any]


def departments() -> list[Department | Odd]:
    """Every department. Raises Unanswered, Rejected."""
    return [read_row(row, Department, "code") for row in get("/departments", _Departments).departments]


def doctors() -> list[Doctor | Odd]:
    """Every doctor. Raises Unanswered, Rejected."""
    return [read_row(row, Doctor, "code") for row in get("/doctors", _Doctors).doctors]
