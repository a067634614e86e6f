"""What becomes of registrations when their account may act for the patient no more: nothing is held for nobody."""

from __future__ import annotations

from datetime import datetime

from hospital.booking import service, store
from hospital.database import outbox, policy
from hospital.database.connection import Database
from hospital.patients import access, proof_store
from hospital.runtime import log
from hospital.runtime.errors import Conflict

_UNPAID = {"HELD", "AWAITING_PAYMENT"}
_UNDECIDED = _UNPAID | {"CONFIRMING"}  # they may yet become firm


def let_go(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """Give up what is not paid. What is firm stays, its account can still cancel it and is paid back.

    But what was taken by somebody whose hold the patient, or staff, has ended as a stranger's is cancelled, also when
    they have bound the patient anew; what is on its way to being firm is looked at again until it is decided.
    """
    binding = proof_store.binding(db, job.subject_id)
    if binding is None:
        return None
    as_strangers = proof_store.ended_as_strangers(db, binding.binding_id, policy.load(db).bindings_before_proof, now)
    if as_strangers is None and access.may(db, binding.account_id, binding.patient_id, "PAY", now):
        return None
    ended = _UNPAID if as_strangers is None else _UNPAID | {"CONFIRMED"}
    find = store.unfinished if as_strangers is None else store.left_behind
    account_id, patient_id, until = binding.account_id, binding.patient_id, as_strangers or now
    for booking_id, state in find(db, account_id, patient_id, until=until):
        if state in ended:
            try:
                service.cancel_booking(db, booking_id, account_id=account_id, now=now)
            except Conflict as refusal:  # it moved on meanwhile, or it is too late: it stays as it is
                log.event("booking.kept", booking_id=booking_id, code=refusal.code)
    if as_strangers is not None and _UNDECIDED & {
            state for _, state in find(db, account_id, patient_id, until=until)}:
        return outbox.Again(outbox.BACK_OFF[1])
    return None


WORKER: dict[str, outbox.Handler] = {"booking.let-go": let_go}
