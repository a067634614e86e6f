"""Types of accounts and patients."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

IdType = Literal["ID_CARD", "PASSPORT", "HK_MACAU_PERMIT", "TAIWAN_PERMIT"]
Relation = Literal["SELF", "SPOUSE", "CHILD", "PARENT", "OTHER"]
Sex = Literal["MALE", "FEMALE"]
Purpose = Literal["HEALTH_DATA", "CHILD_GUARDIAN"]


@dataclass(frozen=True)
class Identity:
    """A person, as their document says."""

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
