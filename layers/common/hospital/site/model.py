"""Types of the directory."""

from __future__ import annotations

from msgspec import Struct, field


class Department(Struct):
    """A department of the hospital's own tree. ``his_codes`` are the HIS departments that feed it."""

    id: str
    name: str
    introduction: str
    location: str
    his_codes: list[str] = field(default_factory=list)
    children: list[Department] = field(default_factory=list)


class Doctor(Struct, frozen=True):
    """A doctor, with every HIS department they sit in."""

    id: str
    name: str
    title: str
    sex: str
    introduction: str
    expertise: str
    his_departments: tuple[str, ...]
