"""What becomes of a payment on arrival when its account may act for the patient no more: it is closed."""

from __future__ import annotations

from datetime import datetime

from hospital.checkin import store
from hospital.database import outbox
from hospital.database.connection import Database
from hospital.patients import access, proof_store
from hospital.patients import store as patients


def let_go(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """End what is not paid, also when the account has bound the patient anew; what is paid is settled as ever."""
    binding = proof_store.binding(db, job.subject_id)
    if binding is None:
        return None
    account_id, patient_id = binding.account_id, binding.patient_id
    bound = patients.bound_patient(db, account_id, patient_id)
    stands = bound is not None and bound.binding_id == binding.binding_id
    if stands and access.may(db, account_id, patient_id, "REGISTER", now):
        return None
    anew = None if bound is None or stands else proof_store.binding(db, bound.binding_id)
    for checkin_id in store.unpaid(db, account_id, patient_id, until=anew.bound_at if anew is not None else now):
        with db.transaction() as tx:
            checkin = store.by_id(tx, checkin_id, lock=True)
            if checkin is not None and checkin.state == "AWAITING_PAYMENT":  # WeChat is asked first: they may be paying
                store.end_now(tx, checkin_id, now)
                outbox.bring_forward(tx, "checkin.expire", checkin_id, now)
    return None


WORKER: dict[str, outbox.Handler] = {"checkin.let-go": let_go}
