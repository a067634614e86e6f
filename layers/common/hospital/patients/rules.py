"""Identity documents, ages and masks. Source: GB 11643-1999 (citizen identification number)."""

from __future__ import annotations

import re
from datetime import date

from hospital.patients.model import IdType, Sex

_WEIGHTS = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]
_CHECK_DIGITS = "10X98765432"
_PATTERNS: dict[str, str] = {
    "PASSPORT": r"[A-Z0-9]{5,17}",
    "HK_MACAU_PERMIT": r"[HM]\d{8}(\d{2})?",  # 来往内地通行证: card number, older ones with two more digits
    "TAIWAN_PERMIT": r"\d{8}|[A-Z]?\d{10}[A-Z]?",  # 台胞证: 8 digits, older ones 10 with a letter
}
_PROVINCES = {11, 12, 13, 14, 15, 21, 22, 23, 31, 32, 33, 34, 35, 36, 37, 41, 42, 43, 44, 45, 46, 50, 51, 52, 53,
              54, 61, 62, 63, 64, 65, 71, 81, 82, 83}


def normalise(number: str) -> str:
    """A document number as it is stored and compared: upper case, without spaces."""
    return re.sub(r"\s", "", number).upper()


def read_id_card(number: str, today: date) -> tuple[date, Sex] | None:
    """Birth date and sex from an 18-digit number; None when it can't be one.

    Province, date (not after ``today``, not before 1880) and check digit (ISO 7064, mod 11-2) are tested.
    """
    if not re.fullmatch(r"\d{17}[\dX]", number, re.ASCII) or int(number[:2]) not in _PROVINCES:
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


def is_document_number(id_type: IdType, number: str) -> bool:
    """Whether a number has the form of its document (not an ID card's: see :func:`read_id_card`)."""
    return re.fullmatch(_PATTERNS[id_type], number, re.ASCII) is not None


def age(born: date, today: date) -> int:
    """Completed years."""
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def is_mobile(number: str) -> bool:
    """A mainland mobile number."""
    return re.fullmatch(r"1[3-9]\d{9}", number, re.ASCII) is not None


def is_name(name: str) -> bool:
    """A person's name: 2 to 50 letters of any script, with spaces, dots, hyphens or apostrophes inside."""
    return re.fullmatch(r"[^\W\d_](?:[^\W\d_]|[ ·•.'’\-]){0,48}[^\W\d_]\.?", name) is not None


def mask_name(name: str) -> str:
    """All but the last character hidden: 张三丰 → **丰."""
    return "*" * (len(name) - 1) + name[-1:]


def mask_number(number: str) -> str:
    """First and last characters of a document number: 4 and 4 of a long one, 1 and 2 of a short one."""
    head, tail = (4, 4) if len(number) >= 15 else (1, 2)
    return number[:head] + "*" * (len(number) - head - tail) + number[-tail:]


def mask_phone(number: str) -> str:
    """138****0001."""
    return number[:3] + "****" + number[-4:]
