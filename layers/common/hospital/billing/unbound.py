"""What becomes of bills when an account may act for the patient no more: nothing is locked for nobody, nothing kept."""

from __future__ import annotations

from datetime import datetime

from hospital.billing import bill_store, service, store
from hospital.database import outbox, policy
from hospital.database.connection import Database
from hospital.patients import access, proof_store
from hospital.patients import store as patients
from hospital.runtime import log
from hospital.runtime.errors import Conflict


def let_go(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """Give up what is not paid; what is paid is settled or goes back as ever.

    Bills that were kept for when the HIS is silent go, once nobody here may see them.
    """
    binding = proof_store.binding(db, job.subject_id)
    if binding is None:
        return None
    as_strangers = proof_store.ended_as_strangers(db, binding.binding_id, policy.load(db).bindings_before_proof, now)
    if as_strangers is None and access.may(db, binding.account_id, binding.patient_id, "PAY", now):
        return None
    for order_id in store.unfinished(db, binding.account_id, binding.patient_id):
        try:
            service.cancel_order(db, order_id, account_id=binding.account_id, now=now)
        except Conflict as refusal:  # paid in this moment
            log.event("order.kept", order_id=order_id, code=refusal.code)
    if not access.of_patient(db, binding.patient_id, "RECORD", now):
        with db.transaction() as tx:
            bill_store.forget_all(tx, patients.forms_of_codes(tx, binding.patient_id))
    return None


WORKER: dict[str, outbox.Handler] = {"billing.let-go": let_go}
