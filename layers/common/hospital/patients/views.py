"""How patients are shown to who has them bound: masked, and as far as it is proven that they may see."""

from __future__ import annotations

from hospital.database.connection import database
from hospital.database.policy import load as load_policy
from hospital.patients import access, rules
from hospital.patients.model import BoundPatient, IdType, Level, Proof, Relation, Sex
from hospital.runtime.clock import hospital_day, utc_now
from hospital.runtime.http import Model


class PatientView(Model):
    """A bound patient, masked. ``age`` is in completed years, ``age_text`` as hospitals write it (8天, 5个月, 36岁).

    ``level``: LIMITED until it is proven (``proof``) that the record is the account's or its child's; until then, and
    while consent is missing, there is no card number. ``consents_missing`` are purposes to be asked for again.
    """

    id: str
    name: str
    id_type: IdType
    id_number: str
    phone: str
    card_number: str
    sex: Sex
    age: int
    age_text: str
    relation: Relation
    is_default: bool
    level: Level
    proof: Proof | None
    consents_missing: list[str] = []


def view(account_id: str, one: BoundPatient) -> PatientView:
    """A bound patient as the account sees them."""
    db, now, identity = database(), utc_now(), one.identity
    today, settings = hospital_day(now), load_policy(db)
    missing = access.missing_consents(db, account_id, one.id, identity.birth_date, settings, now)
    level = rules.level_of(one.level, settings)
    return PatientView(
        id=one.id, name=rules.mask_name(identity.name), id_type=identity.id_type,
        id_number=rules.mask_number(identity.id_number), phone=rules.mask_phone(one.phone),
        card_number=rules.mask_number(one.card_number) if level == "FULL" and not missing else "", sex=identity.sex,
        age=rules.age(identity.birth_date, today), age_text=rules.age_text(identity.birth_date, today),
        relation=one.relation, is_default=one.is_default, level=level, proof=one.proof, consents_missing=missing)
