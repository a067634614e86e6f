"""Types of accounts and patients."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

# NONE: a child who has no document yet, known by its guardian's.
IdType = Literal["ID_CARD", "PASSPORT", "HK_MACAU_PERMIT", "TAIWAN_PERMIT", "PERMANENT_RESIDENT", "BIRTH_CERTIFICATE",
                 "NONE"]
Relation = Literal["SELF", "SPOUSE", "CHILD", "PARENT", "OTHER"]
Sex = Literal["MALE", "FEMALE"]
Purpose = Literal["HEALTH_DATA", "CHILD_GUARDIAN"]


@dataclass(frozen=True)
class Identity:
    """A person, as their document says; ``id_number`` is empty for one without a document."""

    id_type: IdType
    id_number: str
    name: str
    sex: Sex
    birth_date: date


@dataclass(frozen=True)
class Guardian:
    """Who consents for a child."""

    name: str
    id_type: IdType
    id_number: str


@dataclass(frozen=True)
class Record:
    """A patient as the HIS is asked for them: ``phone`` and ``guardian`` are the latest binding's."""

    id: str
    his_code: str
    identity: Identity
    phone: str
    guardian: Guardian | None


@dataclass(frozen=True)
class BoundPatient:
    """A patient as one account has them bound; ``phone`` is that account's number to reach them."""

    id: str
    binding_id: str
    his_code: str
    card_number: str
    identity: Identity
    relation: Relation
    phone: str
    is_default: bool
