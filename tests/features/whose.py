"""Somebody whom the hospital knows, and who says that it is they."""

from __future__ import annotations

import secrets
from datetime import date
from typing import Any

from sandbox.people import id_number, person
from sandbox.phone import Control, Phone


class Record:
    """Somebody whom the hospital knows, with the phone that it has on file."""

    def __init__(self, control: Control, *, phone: str, age: int = 36, **more: Any) -> None:
        self.control, self.someone = control, {**person(age=age), **more}
        number = self.someone["id_number"]
        born = f"{number[6:10]}-{number[10:12]}-{number[12:14]}"
        self.file: dict[str, Any] = control(
            "POST", "/his/patients", **self.someone, phone=phone, birth_date=born,
            sex="MALE" if int(number[16]) % 2 else "FEMALE")
        self.code: str = self.file["patient_code"]

    def correct(self, **changes: str) -> None:
        """The window writes something else into the file, and the HIS tells of it."""
        self.control("POST", f"/his/patients/{self.code}/correct", **changes)
        self.control.settle()

    def passport(self) -> dict[str, Any]:
        """Another document of the same person."""
        return passport_of(self.control, self.file)

    def bill(self) -> dict[str, Any]:
        """A doctor's order."""
        made: dict[str, Any] = self.control("POST", "/his/bills", patient_code=self.code, kind="PRESCRIPTION")
        self.control.settle()
        return made

    def receipt_number(self) -> str:
        """A bill that was paid at the window: the number on its receipt."""
        bill = self.bill()
        self.control("POST", f"/his/bills/{bill['bill_no']}/pay-at-desk")
        return str(next(one["settlement_no"] for one in self.control("GET", "/his/bills")
                        if one["bill_no"] == bill["bill_no"]))


def passport_of(control: Control, file: dict[str, Any]) -> dict[str, Any]:
    """Another document of whom a file is about: the hospital has merged the file that it had under that into this."""
    whose = {name: file[name] for name in ("name", "sex", "birth_date", "phone")}
    shown = {"id_type": "PASSPORT", "id_number": f"E{secrets.randbelow(10 ** 8):08d}"}
    other = control("POST", "/his/patients", **whose, **shown)
    control("POST", f"/his/patients/{other['patient_code']}/merge", into=file["patient_code"])
    return {**{name: whose[name] for name in ("name", "sex", "birth_date")}, **shown}


def steal(thief: Phone, record: Record, **how: Any) -> dict[str, Any]:
    """Bind by name and number alone."""
    return thief.add_patient(record.someone, proven=False, **how)


def prove(phone: Phone, patient: dict[str, Any], **proof: Any) -> dict[str, Any]:
    answer: dict[str, Any] = phone.call("POST", f"account/patients/{patient['id']}/proof", proof)
    return answer


def a_child(control: Control, parent: dict[str, Any], phone: str) -> Record:
    """A child of seven whom the hospital knows with a guardian."""
    guardian = {name: parent[name] for name in ("name", "id_type", "id_number")}
    return Record(control, phone=phone, id_number=id_number(date(2019, 11, 2), True), guardian=guardian)
