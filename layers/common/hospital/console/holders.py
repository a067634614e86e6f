"""Operators' commands about who holds a patient's record: to see it, end it, vouch for it, take the HIS's word.

A patient is named by the code of the hospital's file, an account and a binding by their ids: nothing of what is asked
or answered says who they are.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from hospital.console import entries
from hospital.console.command import Command
from hospital.database import policy, tasks
from hospital.database.connection import Database, Transaction
from hospital.patients import holders, proof_store, proving, record_store, records, rules
from hospital.patients import store as patients
from hospital.patients.model import Holder
from hospital.runtime.canonical import Id, Text
from hospital.runtime.errors import NotFound
from hospital.security import cipher


class OfPatient(Command):
    """A patient by the code of the hospital's file."""

    patient_code: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[!-~]*$")]


class OnPatient(OfPatient):
    """And why."""

    note: Annotated[Text, Field(min_length=2, max_length=400)]


class OnBinding(Command):
    """A binding as ``bindings.show`` names it, and why."""

    binding_id: Id
    note: Annotated[Text, Field(min_length=2, max_length=400)]


def show(db: Database, command: OfPatient, now: datetime) -> dict[str, Any]:
    """Who holds a patient's record, by what, and whose verified phone is the one on file. Raises Unavailable."""
    settings, shown, found = policy.load(db), list[dict[str, Any]](), _known(db, command.patient_code)
    for patient_id in _records(db, found):
        phone = proving.on_file(db, patient_id, now).phone
        shown += [{"binding": one.binding_id, "account": one.account_id, "patient": one.patient_id,
                   "level": rules.level_of(one.level, settings), "proof": one.proof,
                   "bound_at": one.bound_at.isoformat(), "has_phone_on_file": phone is not None and one.phone == phone}
                  for one in proof_store.holders(db, patient_id)]
    with db.transaction() as tx:
        _note(tx, command, found[0], f"{len(shown)} shown", now)
    return {"bindings": shown}


def end(db: Database, command: OnBinding, now: datetime) -> dict[str, Any]:
    """End one account's hold on a record; its account is told. Who had only made the record was a stranger."""
    cipher.ready()
    with db.transaction() as tx:
        binding = _binding(tx, command)
        if binding.proof == "NEW":
            binding = holders.strangers(tx, binding, now)
        ended = holders.end(tx, binding, by="STAFF", actor=entries.operator(), now=now)
        _note(tx, command, command.binding_id, "done" if ended else "ended before", now)
    return {"ended": int(ended)}


def vouch(db: Database, command: OnBinding, now: datetime) -> dict[str, Any]:
    """The window has seen the person and their document: who has neither phone nor card is proven like this.

    Raises HolderUnknown (it has ended, also when its account has bound the patient anew), Conflict when as many
    accounts hold the record as the hospital allows.
    """
    with db.transaction() as tx:
        binding = _binding(tx, command)
        patients.lock_bound(tx, binding.account_id, binding.patient_id)
        bound = patients.bound_patient(tx, binding.account_id, binding.patient_id)
        if bound is None or bound.binding_id != binding.binding_id:
            raise holders.HolderUnknown
        proving.check_room(tx, binding.account_id, binding.patient_id, "DESK")
        proof_store.set_level(tx, binding.binding_id, "FULL", "DESK", now)
        tasks.settle(tx, kind=holders.UNTOLD, subject_id=binding.binding_id, note="vouched for", now=now)
        _note(tx, command, command.binding_id, "done", now)
    return {"proven": command.binding_id}


def correct(db: Database, command: OnPatient, now: datetime) -> dict[str, Any]:
    """Take the HIS's word for a patient now: name, document, record; what it says of somebody else is left as a task.

    Raises Unanswered.
    """
    found = _known(db, command.patient_code)
    for patient_id in found:
        records.refresh(db, patient_id, now)
    with db.transaction() as tx:
        _note(tx, command, found[0], "done", now)
    return {"patients": found}


def release(db: Database, command: OnPatient, now: datetime) -> dict[str, Any]:
    """End a squat: every hold on a record that was never proven, or by a phone alone, by an account whose phone is
    not the one on file (any more); what such holds left behind that their accounts ended themselves is given back too.

    Raises Unavailable.
    """
    cipher.ready()
    ended, left, found = 0, 0, _known(db, command.patient_code)
    for patient_id in _records(db, found):
        phone = proving.on_file(db, patient_id, now).phone
        with db.transaction() as tx:
            settings = policy.load(tx)
            for one in proof_store.holders(tx, patient_id):
                unproven = rules.level_of(one.level, settings) == "LIMITED"
                weak = unproven or one.proof == "NEW" or one.proof in rules.OF_A_PHONE
                if weak and (phone is None or one.phone != phone):
                    ended += holders.end(tx, holders.strangers(tx, one, now), by="STAFF", actor=entries.operator(),
                                         now=now)
            kept = {one.account_id for one in proof_store.holders(tx, patient_id)}
            for one in proof_store.left(tx, patient_id):
                if one.account_id not in kept and (phone is None or one.phone != phone):
                    proof_store.end_left(tx, one.binding_id)
                    holders.let_go(tx, one.binding_id, now)
                    left += 1
    with db.transaction() as tx:
        _note(tx, command, found[0], f"{ended} ended, {left} left before", now)
    return {"ended": ended}


COMMANDS: dict[str, tuple[type[Command], Callable[[Database, Any, datetime], dict[str, Any]]]] = {
    "bindings.show": (OfPatient, show), "binding.end": (OnBinding, end), "binding.vouch": (OnBinding, vouch),
    "patient.correct": (OnPatient, correct), "patient.release": (OnPatient, release)}


def _known(db: Database, patient_code: str) -> list[str]:
    found = patients.of_code(db, patient_code)
    if not found:
        raise NotFound("没有绑定该患者编号的就诊人。", code="patient_not_found")
    return found


def _records(db: Database, found: list[str]) -> list[str]:
    """One row of each record: who holds it goes by that."""
    return [one for one in found if one == record_store.record_id(db, one)]


def _binding(tx: Transaction, command: OnBinding) -> Holder:
    binding = proof_store.binding(tx, command.binding_id)
    if binding is None:
        raise holders.HolderUnknown
    return binding


def _note(tx: Transaction, command: Command, subject: str, result: str, now: datetime) -> None:
    entries.note(tx, command, subject, now, result, personal=command.model_dump(include=entries.FREE))
