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


def worth(tx: Transaction, patient_id: str, file: PatientFile, proof: Proof) -> Proof:
    """What a proof is worth: one that rests on what we gave for the file ourselves is that of having made it."""
    if proof in rules.OF_A_PHONE:
        ours = file.phone is not None and proof_store.is_given(tx, patient_id, phone=file.phone, since=file.opened_at)
    else:
        ours = proof == "GUARDIAN" and file.guardian is not None and proof_store.is_given(
            tx, patient_id, guardian=(file.guardian.id_type, file.guardian.id_number), since=file.opened_at)
    return "NEW" if ours else proof


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
