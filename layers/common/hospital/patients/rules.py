"""Identity documents, ages and masks. Sources of the numbers' forms: ``docs/facts.md``."""

from __future__ import annotations

import re
import unicodedata
from datetime import date, datetime, timedelta
from typing import get_args

from hospital.database.policy import Policy
from hospital.patients.model import Act, Identity, IdType, Level, Proof, Sex
from hospital.runtime import canonical

_WEIGHTS = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]
_CHECK_DIGITS = "10X98765432"
_PATTERNS: dict[str, str] = {
    "PASSPORT": r"(?![A-Z]{3}\d{12}$)[A-Z0-9]{5,17}",  # what is left out is a permanent residence card's
    "HK_MACAU_PERMIT": r"[HM]\d{8}(\d{2})?",  # 来往内地通行证: card number, older ones with two more digits
    "TAIWAN_PERMIT": r"\d{8}|[A-Z]?\d{10}[A-Z]?",  # 台胞证: 8 digits, older ones 10 with a letter
    "PERMANENT_RESIDENT": r"9\d{16}[\dX]|[A-Z]{3}\d{12}",  # 外国人永久居留身份证: since 2023, and before
    "BIRTH_CERTIFICATE": r"[A-Z]\d{9}",  # 出生医学证明
    "NONE": r"",
}
_PROVINCES = {11, 12, 13, 14, 15, 21, 22, 23, 31, 32, 33, 34, 35, 36, 37, 41, 42, 43, 44, 45, 46, 50, 51, 52, 53,
              54, 61, 62, 63, 64, 65, 71, 81, 82, 83}  # 81 to 83: residence permits of Hong Kong, Macau, Taiwan
_LASTING: dict[str, int] = {"NONE": 0, "BIRTH_CERTIFICATE": 1, "PERMANENT_RESIDENT": 3, "ID_CARD": 4}  # others: 2
FOR_CHILDREN = {"BIRTH_CERTIFICATE", "NONE"}  # only a guardian uses them
# Where the number does not say the sex, for certain: so it is as somebody typed it, until the file is read.
SEX_IS_TYPED = {"PASSPORT", "HK_MACAU_PERMIT", "TAIWAN_PERMIT", "PERMANENT_RESIDENT", "BIRTH_CERTIFICATE"}


def read_document(id_type: IdType, number: str, today: date) -> tuple[date, Sex] | None:
    """Birth date and sex, where a document's number says them; None where it does not, or can't be one."""
    if id_type == "ID_CARD":
        return read_id_card(number, today)
    if id_type == "PERMANENT_RESIDENT":
        return _read_residence_card(number, today)
    return None


def read_id_card(number: str, today: date) -> tuple[date, Sex] | None:
    """Birth date and sex from an 18-digit number; None when it can't be one.

    Province, date (not after ``today``, not before 1880) and check digit (ISO 7064, mod 11-2) are tested.
    """
    return _read_18(number, today) if number[:2].isdecimal() and int(number[:2]) in _PROVINCES else None


def _read_residence_card(number: str, today: date) -> tuple[date, Sex] | None:
    """The new form has the ID card's end; the old one a year of two digits, the latest that is possible."""
    if number.startswith("9"):
        return _read_18(number, today) if number[1:3].isdecimal() and int(number[1:3]) in _PROVINCES else None
    if not re.fullmatch(r"[A-Z]{3}\d{12}", number, re.ASCII) or int(number[3:5]) not in _PROVINCES:
        return None
    for century in (today.year // 100, today.year // 100 - 1):
        try:
            born = date(century * 100 + int(number[7:9]), int(number[9:11]), int(number[11:13]))
        except ValueError:
            continue
        if born <= today:
            return born, "MALE" if int(number[13]) % 2 else "FEMALE"
    return None


def contradicts(id_type: IdType, number: str, read: tuple[date, Sex], born: date | None, sex: Sex | None) -> bool:
    """Whether what a person says contradicts their number.

    An old residence card's year has two digits and its sex no certain source: there the person is believed.
    """
    if id_type == "PERMANENT_RESIDENT" and not number.startswith("9"):
        return born is not None and f"{born:%y%m%d}" != f"{read[0]:%y%m%d}"
    return (born is not None and born != read[0]) or (sex is not None and sex != read[1])


def _read_18(number: str, today: date) -> tuple[date, Sex] | None:
    if not re.fullmatch(r"\d{17}[\dX]", number, re.ASCII):
        return None
    try:
        born = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return None
    if born > today or born.year < 1880:
        return None
    total = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, number[:17], strict=True))
    if _CHECK_DIGITS[total % 11] != number[17]:
        return None
    return born, "MALE" if int(number[16]) % 2 else "FEMALE"


def is_document_number(id_type: IdType, number: str, today: date) -> bool:
    """Whether a number, in its canonical form, can be one of its document."""
    if id_type in ("ID_CARD", "PERMANENT_RESIDENT"):
        return read_document(id_type, number, today) is not None
    return re.fullmatch(_PATTERNS[id_type], number, re.ASCII) is not None


def age(born: date, today: date) -> int:
    """Completed years."""
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def age_text(born: date, today: date) -> str:
    """An age as hospitals write it: completed years, below one year months, below one month days."""
    months = (today.year - born.year) * 12 + today.month - born.month - (today.day < born.day)
    if _is_end_of_month(today) and today.day < born.day:  # born on the 31st: a month is over on the 30th
        months += 1
    if months >= 12 and age(born, today):
        return f"{age(born, today)}岁"
    return f"{min(months, 11)}个月" if months else f"{(today - born).days}天"


def _is_end_of_month(day: date) -> bool:
    return (day + timedelta(days=1)).day == 1


def is_name(name: str) -> bool:
    """Whether a canonical name can be a person's: letters of any script, up to 50 characters.

    Inside it may have spaces, dots, commas, hyphens, apostrophes. One character is a name if it is no Latin letter.
    """
    if not 1 <= len(name) <= 50 or not _is_letter(name[0]) or not _is_letter(name[-1], ends_with="."):
        return False
    if len(name) == 1 and unicodedata.category(name) in ("Lu", "Ll"):
        return False
    return all(_is_letter(char, ends_with=" ·.,'-") for char in name)


def _is_letter(char: str, *, ends_with: str = "") -> bool:
    """A letter or a mark on one; the ideographs' planes whole, as new ones come faster than our tables of them."""
    return (char in ends_with or char == "〇" or unicodedata.category(char)[0] in "LM"
            or 0x20000 <= ord(char) <= 0x3fffd)


def other_spellings(name: str) -> list[str]:
    """How other systems may have written a canonical name: with other dots, private characters; likely ones first."""
    private = [name.replace("\u4dae", "\ue863")] if "\u4dae" in name else []
    dots = ["•", ".", "・", "．", "‧", "●", "⋅", "･", " · "] if canonical.DOT in name else []
    return private + [name.replace(canonical.DOT, dot) for dot in dots]


def same_person(one: Identity, other: Identity) -> bool:
    """Whether two identities under one record are one person's documents; a child's name may come with its first."""
    return _as_born(one, other) and ("NONE" in (one.id_type, other.id_type)
                                     or canonical.same_name(one.name, other.name))


def shows(file: Identity, mine: Identity) -> bool:
    """Whether a file shows the person whom we know, by their document; what else it says of them may be corrected.

    Children without a document have the same empty one: they are told apart by all that is known of them.
    """
    if (file.id_type, file.id_number) != (mine.id_type, mine.id_number):
        return False
    return mine.id_type != "NONE" or (_as_born(file, mine) and canonical.same_name(file.name, mine.name))


def may_have_given(file: Identity, mine: Identity, today: date) -> bool:
    """Whether the window may have put another document, or a child's first, into a patient's own file."""
    return (_as_born(file, mine) and file.id_type in get_args(IdType) and file.id_type != "NONE"
            and is_document_number(file.id_type, file.id_number, today))


def replaces(other: Identity, mine: Identity) -> bool:
    """Whether a document can have taken another's place; who has an ID card keeps it, whatever a file shows first."""
    return _LASTING.get(other.id_type, 2) >= _LASTING.get(mine.id_type, 2)


def _as_born(one: Identity, other: Identity) -> bool:
    return (one.birth_date, one.sex) == (other.birth_date, other.sex)


def mask_name(name: str) -> str:
    """All but the last character hidden: 张三丰 → **丰, 吴 → *."""
    return "*" * (len(name) - 1) + name[-1:] if len(name) > 1 else "*" * len(name)


def mask_number(number: str) -> str:
    """First and last characters of a document number: 4 and 4 of a long one, 1 and 2 of a short one."""
    head, tail = (4, 4) if len(number) >= 15 else (1, 2)
    return number[:head] + "*" * (len(number) - head - tail) + number[-tail:]


def mask_phone(number: str) -> str:
    """138****0001; of a number abroad the country (its first digits) and the last two: +852******67.

    Short numbers show less, so that what is hidden can't be tried through.
    """
    if len(number) == 11 and number.isdecimal():
        return number[:3] + "****" + number[-4:]
    head, tail = (4 if number.startswith("+") else 0), (2 if len(number) >= 11 else 1)
    return number[:head] + "*" * max(len(number) - head - tail, 4) + number[-tail:]


# -- what a binding is worth ------------------------------------------------------------------------
# What shows the person themselves. A record can be made by whoever knows a name and a number.
OF_A_PERSON: set[Proof] = {"PHONE", "SMS", "VISIT", "DESK"}
OF_A_PHONE: set[Proof] = {"PHONE", "SMS"}
# By the phone that the hospital itself wrote down, or its own eyes; by paper or a parent; by having been the first.
_RANKS: dict[Proof, int] = {"PHONE": 3, "SMS": 3, "DESK": 3, "VISIT": 2, "GUARDIAN": 2, "NEW": 1}
OF_AGE = 18  # years: who has no guardian any more


def level_of(level: Level | None, settings: Policy) -> Level:
    """What a binding is worth; one from before there was proof is what the hospital says it is."""
    return level or settings.bindings_before_proof


def is_enough(act: Act, level: Level | None, settings: Policy) -> bool:
    """Whether a binding of this level is worth enough: unproven, it serves what the account itself orders."""
    return act != "RECORD" or level_of(level, settings) == "FULL"


def may_end(mine: Proof | None, their_level: Level, theirs: Proof | None) -> bool:
    """Whether a proven holder may end another's binding: any that is unproven, and one proven no better."""
    return their_level == "LIMITED" or rank(mine) >= rank(theirs)


def is_strangers(level: Level, proof: Proof | None, mine: Proof | None) -> bool:
    """Whether a hold is a stranger's to a proven holder: unproven, or only of its maker beside a better proof."""
    return level == "LIMITED" or (proof == "NEW" and rank(mine) > rank(proof))


def rank(proof: Proof | None) -> int:
    """How good a proof is; 0: bound before there was any."""
    return _RANKS[proof] if proof else 0


def has_room(proof: Proof, others: list[Proof | None], most: int) -> bool:
    """Whether one more account may be proven, when so many are: whoever is proven less well takes nobody's place."""
    return sum(rank(one) >= rank(proof) for one in others) < most


def allowed_again(times: list[datetime], most: int, within: timedelta, now: datetime) -> datetime | None:
    """When one more may be done of what was done at these times (the latest first), so often within so long.

    None: now.
    """
    until = times[most - 1] + within if len(times) >= most else now
    return until if until > now else None


def mask_tail(number: str) -> str:
    """A phone by its last two characters, for who has not proven that it is theirs."""
    return "*" * max(len(number) - 2, 4) + number[-2:]
