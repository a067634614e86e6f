"""Barring somebody from booking for a while, and letting them again: by the rule, or by staff."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from hospital.database import policy
from hospital.database.connection import Row, Transaction
from hospital.messages import service as messages
from hospital.messages import wording
from hospital.messages.rules import time_text
from hospital.noshow import store
from hospital.noshow.model import By, NoShow
from hospital.patients import access, proof_store
from hospital.patients import store as patients
from hospital.runtime.errors import Conflict
from hospital.security import audit


def block(tx: Transaction, patient_id: str, led_to: Sequence[NoShow], reach: str, ends_at: datetime, now: datetime
          ) -> str:
    """The rule applies: these missed visits bar their patient. The record is locked."""
    missed = len(led_to)
    block_id = store.insert_block(tx, patient_id=patient_id, source="RULE", reach=reach, missed=missed, note="",
                                  ends_at=ends_at, now=now)
    store.spend(tx, [one.id for one in led_to], block_id)
    audit.record(tx, actor="system", action="blacklist.add", subject=block_id, result="done", now=now)
    note = f"已爽约{missed}次，暂停预约" if reach == "ALL" else "多次爽约，暂停预约"
    _tell(tx, block_id, patient_id, reach, ends_at, note, now)
    return block_id


def add(tx: Transaction, patient_id: str, note: str, ends_at: datetime, now: datetime) -> str:
    """Staff bar a person; the block's id. Raises Conflict when it would be over already."""
    if ends_at <= now:
        raise Conflict("截止日期应晚于今天。", code="over_already")
    block_id = store.insert_block(tx, patient_id=patient_id, source="STAFF", reach="ALL", missed=0, note=note,
                                  ends_at=ends_at, now=now)
    _tell(tx, block_id, patient_id, "ALL", ends_at, "医院已暂停您的预约，可申诉", now)
    return block_id


def lift(tx: Transaction, block_id: str, by: By, now: datetime) -> bool:
    """End a block before its time; what led to it stays used up. False: there is none that holds."""
    row = store.block(tx, block_id, lock=True)
    if row is None or not store.lift(tx, block_id, by, now):
        return False
    tell_lifted(tx, row, now)
    return True


def tell_lifted(tx: Transaction, row: Row, now: datetime) -> None:
    """Whom a block concerned may book again."""
    _tell(tx, f"{row['id']}.lifted", row["patient_id"], row["reach"], now, "暂停已解除，可以预约了", now)


def _tell(tx: Transaction, key: str, patient_id: str, reach: str, until: datetime, note: str, now: datetime) -> None:
    """Tell every account that it concerns, once."""
    settings = policy.load(tx)
    for account_id, bound_id in access.of_patient(tx, patient_id, "OWN", now):
        if reach == "ALL" or not proof_store.has_proven(tx, account_id, patient_id, settings.bindings_before_proof):
            messages.queue(tx, account_id=account_id, patient_id=bound_id, kind=messages.BLACKLISTED,
                           key=f"block.{key}.{account_id}", about=wording.about("patient", bound_id), now=now, data={
                "patient": patients.patient_name(tx, bound_id), "time": time_text(until), "note": note})
