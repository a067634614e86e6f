"""The hospital's patient index (患者主索引): who has a card, found by document."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

from sandbox.clock import Clock
from sandbox.his.model import Refused
from sandbox.his.names import distinct
from sandbox.his.wire import Fields, show, wrong

ID_FORMS = {
    "ID_CARD": r"[1-9][0-9]{16}[0-9X]",
    "PASSPORT": r"[0-9A-Z]{5,17}",
    "HK_MACAU_PERMIT": r"[HM][0-9]{8}([0-9]{2})?",
    "TAIWAN_PERMIT": r"[0-9]{8}|[A-Z]?[0-9]{10}[A-Z]?",
    "PERMANENT_RESIDENT": r"9[0-9]{16}[0-9X]|[A-Z]{3}[0-9]{12}",
    "BIRTH_CERTIFICATE": r"[A-Z][0-9]{9}",
}
NO_DOCUMENT = "NONE"  # a child who has none yet, known by its guardian's
FOR_CHILDREN = ("BIRTH_CERTIFICATE", NO_DOCUMENT)
SEXES = ("MALE", "FEMALE")
NAME = r"\S(.{0,48}\S)?"
PHONE = r"1[3-9][0-9]{9}|\+[1-9][0-9]{6,14}"
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
    opened_at: datetime  # of merged files the latest
    seeded: bool = False


def check_digit(first17: str) -> str:
    """The last character of an ID card number (GB 11643)."""
    return _CHECKS[sum(int(digit) * weight for digit, weight in zip(first17, _WEIGHTS, strict=True)) % 11]


def age_on(day: date, birth: date) -> int:
    """Completed years on ``day``."""
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))


class Patients:
    """The index. The owner holds its lock around every call."""

    def __init__(self, clock: Clock, seed: int) -> None:
        self._clock = clock
        self._by_document: dict[tuple[str, str], Patient] = {}
        self._codes: set[str] = set()
        self._made = 0
        self._seed_people(Random(f"patients {seed}"))

    def knows(self, code: str) -> bool:
        """Whether this patient code is on file."""
        return code in self._codes

    def file(self, patient_code: str) -> dict[str, Any]:
        """What is on file under a code, with the file's phone and guardian. Raises Refused PATIENT_UNKNOWN."""
        known = self._known(patient_code)
        guardian = dict(zip(("id_type", "id_number"), known.guardian_id, strict=True)) if known.guardian_id else None
        return {**_shown(known), "phone": known.phone, "guardian": guardian,
                "opened_at": show(known.opened_at)}

    def has_card(self, patient_code: str, card_number: str) -> bool:
        """Whether this is the card of that patient. Raises Refused PATIENT_UNKNOWN."""
        return self._known(patient_code).card_number == card_number

    def merge(self, code: str, into: str | None) -> Patient:
        """End a record: its documents lead to another one (None: to a new one of the same person).

        Raises Refused PATIENT_UNKNOWN.
        """
        old = self._known(code)
        documents = [document for document, patient in self._by_document.items() if patient is old]
        kept = self._known(into) if into is not None else None
        self._codes.remove(code)
        if kept is None:
            kept = self._add(documents[0], old.id_number, old.name, old.sex, old.birth_date, old.phone,
                             old.guardian_id, seeded=old.seeded)
        self._by_document.update(dict.fromkeys(documents, kept))
        return self.correct(kept.code, opened_at=max(old.opened_at, kept.opened_at))

    def correct(self, code: str, **changes: Any) -> Patient:
        """Other personal data on the same record. Raises Refused PATIENT_UNKNOWN."""
        old = self._known(code)
        new = replace(old, **changes)
        self._by_document.update({document: new for document, one in self._by_document.items() if one is old})
        return new

    def give_document(self, code: str, id_type: str, id_number: str) -> None:
        """The file has another document, and is found by that alone. Raises Refused PATIENT_UNKNOWN."""
        old = self._known(code)
        new = replace(old, id_type=id_type, id_number=id_number)
        self._by_document = {document: one for document, one in self._by_document.items() if one is not old}
        self._by_document[(id_type, id_number)] = new

    def _known(self, code: str) -> Patient:
        for patient in self._by_document.values():
            if patient.code == code:
                return patient
        raise Refused("PATIENT_UNKNOWN", "患者不存在", 404)

    def match_or_create(self, body: dict[str, Any], today: date) -> tuple[Patient, bool]:
        """The patient of this document, and whether they are new. A match changes nothing on file.

        Raises Refused: INVALID_FIELD, GUARDIAN_REQUIRED, PATIENT_MISMATCH.
        """
        fields = Fields(body, _FIELDS)
        id_type, id_number = document_of(fields)
        name = fields.text("name", NAME)
        sex = fields.choice("sex", SEXES)
        birth = fields.day("birth_date")
        phone = fields.text("phone", PHONE, "应为大陆手机号，或 + 加国家和地区代码的号码")
        if not date(1900, 1, 1) <= birth <= today:
            raise wrong("birth_date", "出生日期不合理")
        _agrees(id_type, id_number, birth, sex)
        guardian = _guardian(fields, (id_type, id_number))
        if guardian is None and (age_on(today, birth) < ADULT_FROM or id_type in FOR_CHILDREN):
            raise Refused("GUARDIAN_REQUIRED", "未满十四周岁的患者须登记监护人", 422, "guardian")
        without = (NO_DOCUMENT, f"{guardian}{birth}{sex}{name}")  # how the child is found that has no document
        key = without if id_type == NO_DOCUMENT else (id_type, id_number)
        known = self._by_document.get(key)
        if known is None and guardian is not None and without in self._by_document:
            known = self.correct(self._by_document[without].code, id_type=id_type, id_number=id_number)
            self._by_document[key] = known  # the child has its first document
        if known is None:
            return self._add(key, id_number, name, sex, birth, phone, guardian), True
        if (known.name, known.birth_date) != (name, birth):
            raise Refused("PATIENT_MISMATCH", "证件已建档，但姓名或出生日期不符，请到窗口核对", 409)
        return known, False

    def listing(self) -> list[dict[str, Any]]:
        """Everyone on file, for the sandbox's control side only."""
        people = {patient.code: patient for patient in self._by_document.values()}.values()
        return [{**_shown(one), "phone": one.phone, "seeded": one.seeded} for one in people]

    def _add(self, key: tuple[str, str], id_number: str, name: str, sex: str, birth: date, phone: str,
             guardian: tuple[str, str] | None, *, seeded: bool = False) -> Patient:
        self._made += 1
        serial = 10_000_000 + self._made
        patient = Patient(f"P{serial}", f"88{serial}", key[0], id_number, name, sex, birth, phone,
                          guardian, self._clock.now(), seeded)
        self._by_document[key] = patient
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
                self._add(("ID_CARD", document), document, name, sex, birth, f"139{rng.randrange(10**8):08d}", None,
                          seeded=True)


def _shown(one: Patient) -> dict[str, Any]:
    return {"patient_code": one.code, "card_number": one.card_number, "id_type": one.id_type,
            "id_number": one.id_number, "name": one.name, "sex": one.sex, "birth_date": one.birth_date.isoformat()}


def document_of(fields: Fields) -> tuple[str, str]:
    """Type and number. Raises Refused: INVALID_FIELD."""
    id_type = fields.choice("id_type", (*ID_FORMS, NO_DOCUMENT))
    if id_type == NO_DOCUMENT:
        if fields.has("id_number"):
            raise wrong("id_number", "没有证件的患者不应有证件号码")
        return id_type, ""
    return id_type, fields.text("id_number", ID_FORMS[id_type], "证件号码格式错误")


def _agrees(id_type: str, number: str, birth: date, sex: str) -> None:
    """Birth date and sex agree with a number that says them; the old residence card only has the birth date's end."""
    if id_type == "PERMANENT_RESIDENT" and len(number) == 15:
        if number[7:13] != f"{birth:%y%m%d}":
            raise wrong("birth_date", "与证件号码不符")
    elif id_type in ("ID_CARD", "PERMANENT_RESIDENT"):
        _agrees_with_card(number, birth, sex)


def _agrees_with_card(number: str, birth: date, sex: str) -> None:
    if check_digit(number[:17]) != number[17]:
        raise wrong("id_number", "证件号码校验位错误")
    if number[6:14] != f"{birth:%Y%m%d}":
        raise wrong("birth_date", "与证件号码不符")
    if sex != SEXES[int(number[16]) % 2 == 0]:
        raise wrong("sex", "与证件号码不符")


def _guardian(fields: Fields, ward: tuple[str, str]) -> tuple[str, str] | None:
    if not fields.has("guardian"):
        return None
    inner = fields.inner("guardian", ("name", "id_type", "id_number"))
    inner.text("name", NAME)
    document = document_of(inner)
    if document[0] in FOR_CHILDREN:
        raise wrong("guardian.id_type", "监护人须有本人证件")
    if document[0] == "ID_CARD" and check_digit(document[1][:17]) != document[1][17]:
        raise wrong("guardian.id_number", "身份证号码校验位错误")
    if document == ward:
        raise wrong("guardian.id_number", "监护人不能是患者本人")
    return document
