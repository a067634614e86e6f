"""A route of the ``booking`` function: how a patient stands before they book."""

from __future__ import annotations

from datetime import datetime

from hospital.booking import block_store as blocks
from hospital.booking.api import api
from hospital.booking.rules import day_text
from hospital.database import policy
from hospital.database.connection import Database, database
from hospital.noshow import rules, store
from hospital.noshow.model import Standing
from hospital.patients import access, proof_store
from hospital.runtime.canonical import Id
from hospital.runtime.clock import hospital_day, utc_now
from hospital.runtime.http import Model
from hospital.security.sessions import Caller

__all__ = ["api"]


class OfPatient(Model):
    """One of the account's patients."""

    patient_id: Id


class StandingView(Model):
    """How often a patient missed a visit as it counts now, of how many that bar them (0: none do), and the rule.

    ``blocked_until``: before then nothing can be booked for them; ``blocked_text`` says why and what still works.
    """

    missed: int
    to_block: int
    rule_text: str
    blocked_until: datetime | None
    blocked_text: str


@api.get("/standing")
def standing(caller: Caller, query: OfPatient) -> StandingView:
    """How often a patient has missed (爽约), and whether they may book."""
    db, now = database(), utc_now()
    access.check(db, caller.account_id, query.patient_id, "REGISTER", now)
    shown = standing_of(db, caller.account_id, query.patient_id, now)
    return StandingView(missed=shown.missed, to_block=shown.to_block, rule_text=shown.rule_text,
                        blocked_until=shown.blocked_until, blocked_text=shown.blocked_text)


def standing_of(db: Database, account_id: str, patient_id: str, now: datetime) -> Standing:
    """What an account may know: who has not proven whose record it is hears of what it missed itself."""
    settings = policy.load(db)
    proven = proof_store.has_proven(db, account_id, patient_id, settings.bindings_before_proof)
    counted = store.counted(db, patient_id, rules.counted_since(hospital_day(now), settings))
    missed = sum(bool(one.is_proven) if proven else one.account_id == account_id for one in counted)
    block = blocks.in_force(db, patient_id, proven=proven, now=now)
    text = ""
    if block is not None:
        why = block.note or (f"已爽约{block.missed}次" if proven else "多次爽约")
        text = (f"{why}，{day_text(block.ends_at)}前不能预约和候补。取号、缴费、查报告和已有的预约都不受影响。"
                f"{blocks.SECOND_LOOK}")
    return Standing(missed, settings.no_shows_to_block, rules.rule_text(settings),
                    block.ends_at if block is not None else None, text)
