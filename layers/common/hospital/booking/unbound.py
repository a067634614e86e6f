"""What becomes of registrations when their account may act for the patient no more: nothing is held for nobody."""

from __future__ import annotations

from datetime import datetime

from hospital.booking import service, store
from hospital.database import outbox
from hospital.database.connection import Database
from hospital.patients import access, proof_store
from hospital.runtime import log
from hospital.runtime.errors import Conflict


def let_go(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """Give up what is not paid. What is firm stays, its account can still cancel it and is paid back.

    But what was taken by somebody whose hold the patient, or staff, has ended as a stranger's is cancelled.
    """
    binding = proof_store.binding(db, job.subject_id)
    if binding is None or access.may(db, binding.account_id, binding.patient_id, "PAY", now):
        return None
    as_stranger = binding.level != "FULL" and proof_store.ended_by(db, binding.binding_id) in ("HOLDER", "STAFF")
    ended = {"HELD", "AWAITING_PAYMENT"} | ({"CONFIRMED"} if as_stranger else set())
    for booking_id, state in store.unfinished(db, binding.account_id, binding.patient_id):
        if state in ended:
            try:
                service.cancel_booking(db, booking_id, account_id=binding.account_id, now=now)
            except Conflict as refusal:  # it moved on meanwhile, or it is too late: it stays as it is
                log.event("booking.kept", booking_id=booking_id, code=refusal.code)
    return None


WORKER: dict[str, outbox.Handler] = {"booking.let-go": let_go}
