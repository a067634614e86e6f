"""Types of accounts and patients."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from msgspec import Struct

# NONE: a child who has no document yet, known by its guardian's.
IdType = Literal["ID_CARD", "PASSPORT", "HK_MACAU_PERMIT", "TAIWAN_PERMIT", "PERMANENT_RESIDENT", "BIRTH_CERTIFICATE",
                 "NONE"]
Relation = Literal["SELF", "SPOUSE", "CHILD", "PARENT", "OTHER"]
Sex = Literal["MALE", "FEMALE"]
Purpose = Literal["HEALTH_DATA", "CHILD_GUARDIAN"]
# What a binding is worth. FULL: it was proven that the record is theirs. LIMITED: name and number alone.
Level = Literal["FULL", "LIMITED"]
# By what: the file's phone is the account's own (verified by WeChat), a code sent to it, card and visit numbers, a
# record that this binding made, a guardian who is proven, the window that has seen the person.
Proof = Literal["PHONE", "SMS", "VISIT", "NEW", "GUARDIAN", "DESK"]
EndedBy = Literal["ACCOUNT", "HOLDER", "STAFF"]
# What an account wants to do for a patient; ``access.py`` says who may.
# REGISTER: a place, arriving. PAY: open the payment of what it ordered itself. OWN: read what it ordered itself.
# RECORD: all else that is known of the patient: bills, receipts, e-bills, the full record, who holds it.
Act = Literal["REGISTER", "PAY", "OWN", "RECORD"]


class Identity(Struct, frozen=True):
    """A person, as their document says; ``id_number`` is empty for one without a document."""

    id_type: IdType
    id_number: str
    name: str
    sex: Sex
    birth_date: date


class Guardian(Struct, frozen=True):
    """Who consents for a child."""

    name: str
    id_type: IdType
    id_number: str


class Record(Struct, frozen=True):
    """A patient as the HIS is asked for them: ``phone`` and ``guardian`` are the latest binding's."""

    id: str
    his_code: str
    identity: Identity
    phone: str
    guardian: Guardian | None


class BoundPatient(Struct, frozen=True):
    """A patient as one account has them bound; ``phone`` is that account's number to reach them.

    ``level`` is None when they were bound before there was proof.
    """

    id: str
    binding_id: str
    his_code: str
    card_number: str
    identity: Identity
    relation: Relation
    phone: str
    is_default: bool
    level: Level | None
    proof: Proof | None


class Holder(Struct, frozen=True):
    """An account that has a patient bound; ``phone`` is its own, verified by WeChat then (None: long ago)."""

    binding_id: str
    account_id: str
    patient_id: str
    phone: str | None
    phone_verified_at: datetime | None
    relation: Relation
    level: Level | None
    proof: Proof | None
    bound_at: datetime
