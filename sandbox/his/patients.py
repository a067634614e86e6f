"""The hospital's patient index (患者主索引): who has a card, found by document."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from random import Random
from typing import Any

from sandbox.his.model import Refused
from sandbox.his.names import distinct
from sandbox.his.wire import Fields, wrong

ID_FORMS = {
    "ID_CARD": r"[1-9][0-9]{16}[0-9X]",
    "PASSPORT": r"[0-9A-Z]{5,17}",
    "HK_MACAU_PERMIT": r"[HM][0-9]{8}([0-9]{2})?",
    "TAIWAN_PERMIT": r"[0-9]{8}",
}
SEXES = ("MALE", "FEMALE")
NAME = r"\S(.{0,48}\S)?"
PHONE = r"1[3-9][0-9]{9}"
ADULT_FROM = 14  # years; younger patients need a guardian
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS = "10X98765432"
_SEEDED = 200
_FIELDS = ("id_type", "id_number", "name", "sex", "birth_date", "phone", "guardian")


@dataclass(frozen=True)
class Patient:
    """One person on file."""

    code: str
    card_number: str
    id_type: str
    id_number: str
    name: str
    sex: str
    birth_date: date
    phone: str
    guardian_id: tuple[str, str] | None  # type and number of the guardian's document
    seeded: bool = False


def check_digit(first17: str) -> str:
    """The last character of an ID card number (GB 11643)."""
    return _CHECKS[sum(int(digit) * weight for digit, weight in zip(first17, _WEIGHTS, strict=True)) % 11]


def age_on(day: date, birth: date) -> int:
    """Completed years on ``day``."""
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))


class Patients:
    """The index. The owner holds its lock around every call."""

    def __init__(self, seed: int) -> None:
        self._by_document: dict[tuple[str, str], Patient] = {}
        self._codes: set[str] = set()
        self._made = 0
        self._seed_people(Random(f"patients {seed}"))

    def knows(self, code: str) -> bool:
        """Whether this patient code is on file."""
        return code in self._codes

    def match_or_create(self, body: dict[str, Any], today: date) -> tuple[Patient, bool]:
        """The patient of this document, and whether they are new. A match changes nothing on file.

        Raises Refused: INVALID_FIELD, GUARDIAN_REQUIRED, PATIENT_MISMATCH.
        """
        fields = Fields(body, _FIELDS)
        id_type, id_number = _document(fields)
        name = fields.text("name", NAME)
        sex = fields.choice("sex", SEXES)
        birth = fields.day("birth_date")
        phone = fields.text("phone", PHONE, "应为大陆手机号")
        if not date(1900, 1, 1) <= birth <= today:
            raise wrong("birth_date", "出生日期不合理")
        if id_type == "ID_CARD":
            _agrees_with_card(id_number, birth, sex)
        guardian = _guardian(fields, (id_type, id_number))
        if guardian is None and age_on(today, birth) < ADULT_FROM:
            raise Refused("GUARDIAN_REQUIRED", "未满十四周岁的患者须登记监护人", 422, "guardian")
        known = self._by_document.get((id_type, id_number))
        if known is None:
            return self._add(id_type, id_number, name, sex, birth, phone, guardian), True
        if (known.name, known.birth_date) != (name, birth):
            raise Refused("PATIENT_MISMATCH", "证件已建档，但姓名或出生日期不符，请到窗口核对", 409)
        return known, False

    def listing(self) -> list[dict[str, Any]]:
        """Everyone on file, for the sandbox's control side only."""
        return [
            {"patient_code": p.code, "card_number": p.card_number, "id_type": p.id_type,
             "id_number": p.id_number, "name": p.name, "sex": p.sex, "phone": p.phone,
             "birth_date": p.birth_date.isoformat(), "seeded": p.seeded}
            for p in dict.fromkeys(self._by_document.values())
        ]

    def merge(self, code: str, into: str | None) -> Patient:
        """End a record: its documents lead to another one (None: to a new one of the same person).

        Raises Refused PATIENT_UNKNOWN.
        """
        old = self._known(code)
        documents = [document for document, patient in self._by_document.items() if patient is old]
        kept = self._known(into) if into is not None else None
        self._codes.remove(code)
        if kept is None:
            kept = self._add(old.id_type, old.id_number, old.name, old.sex, old.birth_date, old.phone, old.guardian_id,
                             seeded=old.seeded)
        self._by_document.update(dict.fromkeys(documents, kept))
        return kept

    def correct(self, code: str, **changes: Any) -> Patient:
        """Other personal data on the same record. Raises Refused PATIENT_UNKNOWN."""
        old = self._known(code)
        new = replace(old, **changes)
        self._by_document.update({document: new for document, one in self._by_document.items() if one is old})
        return new

    def _known(self, code: str) -> Patient:
        for patient in self._by_document.values():
            if patient.code == code:
                return patient
        raise Refused("PATIENT_UNKNOWN", "患者不存在", 404)

    def _add(self, id_type: str, id_number: str, name: str, sex: str, birth: date, phone: str,
             guardian: tuple[str, str] | None, *, seeded: bool = False) -> Patient:
        self._made += 1
        serial = 10_000_000 + self._made
        patient = Patient(f"P{serial}", f"88{serial}", id_type, id_number, name, sex, birth, phone,
                          guardian, seeded)
        self._by_document[id_type, id_number] = patient
        self._codes.add(patient.code)
        return patient

    def _seed_people(self, rng: Random) -> None:
        for name, sex in distinct(rng, _SEEDED):
            birth = date(1945, 1, 1) + timedelta(days=rng.randrange(60 * 365))
            order = rng.randrange(0, 500) * 2 + (sex == "MALE")
            # 449900 is no county, so no living person has such a number.
            first17 = f"449900{birth:%Y%m%d}{order:03d}"
            document = first17 + check_digit(first17)
            if ("ID_CARD", document) not in self._by_document:
                self._add("ID_CARD", document, name, sex, birth, f"139{rng.randrange(10**8):08d}", None,
                          seeded=True)


def _document(fields: Fields) -> tuple[str, str]:
    id_type = fields.choice("id_type", ID_FORMS)
    return id_type, fields.text("id_number", ID_FORMS[id_type], "证件号码格式错误")


def _agrees_with_card(number: str, birth: date, sex: str) -> None:
    if check_digit(number[:17]) != number[17]:
        raise wrong("id_number", "身份证号码校验位错误")
    if number[6:14] != f"{birth:%Y%m%d}":
        raise wrong("birth_date", "与身份证号码不符")
    if sex != SEXES[int(number[16]) % 2 == 0]:
        raise wrong("sex", "与身份证号码不符")


def _guardian(fields: Fields, ward: tuple[str, str]) -> tuple[str, str] | None:
    if not fields.has("guardian"):
        return None
    inner = fields.inner("guardian", ("name", "id_type", "id_number"))
    inner.text("name", NAME)
    document = _document(inner)
    if document[0] == "ID_CARD" and check_digit(document[1][:17]) != document[1][17]:
        raise wrong("guardian.id_number", "身份证号码校验位错误")
    if document == ward:
        raise wrong("guardian.id_number", "监护人不能是患者本人")
    return document
