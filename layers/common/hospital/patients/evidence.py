"""What a file of the HIS proves of an account, and what it proves no more.

A file also has what we gave for it: whoever makes a record types its phone and its guardian. Those prove that somebody
made it (``NEW``), and nothing of whose it is.
"""

from __future__ import annotations

from datetime import date

from hospital.database.connection import Transaction
from hospital.gateways.his.persons import PatientFile
from hospital.patients import proof_store, record_store, rules, store
from hospital.patients.model import Holder, Proof


def by_file(source: store.Source, account_id: str, file: PatientFile, today: date) -> Proof | None:
    """What the HIS's own file proves of an account without a question; None: nothing yet."""
    verified = store.phone_of(source, account_id)
    if verified is not None and verified == file.phone:
        return "PHONE"
    return "GUARDIAN" if is_guardian(source, account_id, file, today) else None


def is_guardian(source: store.Source, account_id: str, file: PatientFile, today: date) -> bool:
    """Whether a child's guardian on file is a proven patient of the account."""
    if file.guardian is None or rules.age(file.birth_date, today) >= rules.OF_AGE:
        return False
    known = store.with_identity(source, store.document_key(file.guardian.id_type, file.guardian.id_number))
    same = record_store.of_record(source, known) if known else []  # the file may have another of their documents
    return any(one.id in same and one.level == "FULL" and one.proof in rules.OF_A_PERSON
               for one in store.bound_patients(source, account_id))


def worth(tx: Transaction, account_id: str, patient_id: str, file: PatientFile | None, proof: Proof) -> Proof | None:
    """What a proof is worth: one that rests on what we gave for the file ourselves is that of having made it.

    None: nothing, since another has ended the account's hold on the record, and the proof is no newer than that.
    """
    if file is not None and _is_ours(tx, patient_id, file, proof):
        proof = "NEW"
    return proof if _outlasts_end(tx, account_id, patient_id, proof) else None


def _is_ours(tx: Transaction, patient_id: str, file: PatientFile, proof: Proof) -> bool:
    if proof in rules.OF_A_PHONE:
        return file.phone is not None and proof_store.is_given(tx, patient_id, phone=file.phone, since=file.opened_at)
    return proof == "GUARDIAN" and file.guardian is not None and proof_store.is_given(
        tx, patient_id, guardian=(file.guardian.id_type, file.guardian.id_number), since=file.opened_at)


def _outlasts_end(source: store.Source, account_id: str, patient_id: str, proof: Proof) -> bool:
    """Paper, a number that was once verified and having made the record are what the ended hold may have rested on."""
    ended_at = proof_store.ended_by_others(source, account_id, patient_id)
    if ended_at is None or proof == "SMS":
        return True
    return proof == "PHONE" and proof_store.is_verified_since(source, account_id, ended_at)


def is_over(source: store.Source, one: Holder, file: PatientFile, today: date) -> bool:
    """Whether a binding was proven by what the file does not show any more.

    A code by SMS was read once, on a phone that need not be the account's own: nothing of the file can show that it
    was not.
    """
    if one.proof == "GUARDIAN":
        return not is_guardian(source, one.account_id, file, today)
    if one.proof == "NEW":  # until the hospital itself has written one down, it stays with who made the record
        return one.phone != file.phone and not (
            file.phone is not None and proof_store.is_given(source, one.patient_id, phone=file.phone,
                                                            since=file.opened_at))
    return one.proof == "PHONE" and one.phone != file.phone
