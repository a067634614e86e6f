"""SQL of accounts, patients, bindings and consents. Personal data is sealed and opened only here."""

from __future__ import annotations

import json
from datetime import datetime

from hospital.database.connection import Database, Duplicate, Row, Transaction
from hospital.patients.model import BoundPatient, Guardian, Identity
from hospital.runtime.ids import new_id
from hospital.security import cipher

Source = Database | Transaction

_BOUND = ("SELECT b.id AS binding_id, b.relation, b.phone_enc, b.is_default, p.id, p.his_code, p.card_number, "
          "p.id_type, p.id_number_enc, p.name_enc, p.sex, p.birth_date "
          "FROM bindings b JOIN patients p ON p.id = b.patient_id "
          "WHERE b.account_id = %s AND b.bound_flag = 1")


# -- accounts ---------------------------------------------------------------------------------------
def account_of(tx: Transaction, openid: str, now: datetime) -> str:
    """The account of a WeChat user, made at the first sign-in; its id."""
    row = tx.one("SELECT id FROM accounts WHERE openid = %s", (openid,))
    if row is not None:
        return str(row["id"])
    account_id = new_id()
    try:
        tx.insert("accounts", id=account_id, openid=openid, created_at=now)
    except Duplicate:  # the same person signed in twice at once
        row = tx.one("SELECT id FROM accounts WHERE openid = %s", (openid,))
        assert row is not None
        return str(row["id"])
    return account_id


def openid_of(source: Source, account_id: str) -> str:
    """The WeChat user behind an account."""
    row = source.one("SELECT openid FROM accounts WHERE id = %s", (account_id,))
    assert row is not None
    return str(row["openid"])


def set_phone(tx: Transaction, account_id: str, phone: str) -> None:
    """The account's own verified number."""
    tx.run("UPDATE accounts SET phone_enc = %s WHERE id = %s",
           (cipher.seal(phone, f"accounts.phone:{account_id}"), account_id))


def phone_of(source: Source, account_id: str) -> str | None:
    """The account's own verified number, if given."""
    row = source.one("SELECT phone_enc FROM accounts WHERE id = %s", (account_id,))
    if row is None or row["phone_enc"] is None:
        return None
    return cipher.unseal(row["phone_enc"], f"accounts.phone:{account_id}")


def lock_account(tx: Transaction, account_id: str) -> None:
    """From here to the end of the transaction, one at a time for this account."""
    tx.one("SELECT id FROM accounts WHERE id = %s FOR UPDATE", (account_id,))


# -- patients and bindings --------------------------------------------------------------------------
def identity_key(identity: Identity) -> bytes:
    """What a person is found by."""
    return cipher.lookup(f"identity.{identity.id_type}", identity.id_number)


def patient_with(tx: Transaction, identity: Identity, *, his_code: str, card_number: str, now: datetime) -> str:
    """The row of a person, locked; made when there is none. Its id."""
    key = identity_key(identity)
    row = tx.one("SELECT id, his_code FROM patients WHERE id_number_hash = %s FOR UPDATE", (key,))
    if row is not None:
        if row["his_code"] != his_code:  # the HIS merged two records of this person
            tx.run("UPDATE patients SET his_code = %s, card_number = %s WHERE id = %s",
                   (his_code, card_number, row["id"]))
        return str(row["id"])
    patient_id = new_id()
    try:
        tx.insert("patients", id=patient_id, his_code=his_code, card_number=card_number,
                  id_type=identity.id_type, id_number_hash=key,
                  id_number_enc=cipher.seal(identity.id_number, f"patients.id_number:{patient_id}"),
                  name_enc=cipher.seal(identity.name, f"patients.name:{patient_id}"),
                  sex=identity.sex, birth_date=identity.birth_date, created_at=now)
    except Duplicate:
        row = tx.one("SELECT id FROM patients WHERE id_number_hash = %s FOR UPDATE", (key,))
        if row is None:
            raise  # the HIS gave one record to two identities: a fault for people, not to be papered over
        return str(row["id"])
    return patient_id


def counts(tx: Transaction, account_id: str, patient_id: str) -> tuple[int, int]:
    """How many patients the account has bound, and how many accounts have the patient bound."""
    row = tx.one("SELECT (SELECT COUNT(*) FROM bindings WHERE account_id = %s AND bound_flag = 1) AS patients, "
                 "(SELECT COUNT(*) FROM bindings WHERE patient_id = %s AND bound_flag = 1) AS accounts",
                 (account_id, patient_id))
    assert row is not None
    return int(row["patients"]), int(row["accounts"])


def bind(tx: Transaction, *, account_id: str, patient_id: str, relation: str, phone: str,
         guardian: Guardian | None, is_default: bool, now: datetime) -> None:
    """Bind a patient to an account. Raises Duplicate when they are bound."""
    binding_id = new_id()
    sealed = None
    if guardian is not None:
        sealed = cipher.seal(json.dumps(guardian.__dict__, ensure_ascii=False), f"bindings.guardian:{binding_id}")
    tx.insert("bindings", id=binding_id, account_id=account_id, patient_id=patient_id, relation=relation,
              phone_enc=cipher.seal(phone, f"bindings.phone:{binding_id}"), guardian_enc=sealed,
              is_default=is_default, bound_at=now)


def bound_patients(source: Source, account_id: str) -> list[BoundPatient]:
    """The account's patients, the default one first."""
    return [_bound(row) for row in source.all(f"{_BOUND} ORDER BY b.is_default DESC, b.id", (account_id,))]


def bound_patient(source: Source, account_id: str, patient_id: str) -> BoundPatient | None:
    """One of the account's patients; None when unknown or another's."""
    row = source.one(f"{_BOUND} AND b.patient_id = %s", (account_id, patient_id))
    return _bound(row) if row else None


def bound_by_code(source: Source, account_id: str, code: str) -> str | None:
    """The account's patient with a number in the HIS; None when it has none."""
    row = source.one("SELECT p.id FROM bindings b JOIN patients p ON p.id = b.patient_id "
                     "WHERE b.account_id = %s AND p.his_code = %s AND b.bound_flag = 1", (account_id, code))
    return str(row["id"]) if row else None


def accounts_of_code(source: Source, code: str) -> list[tuple[str, str]]:
    """Who has the patient with this number in the HIS bound: account, patient."""
    return [(row["account_id"], row["id"]) for row in source.all(
        "SELECT b.account_id, p.id FROM patients p JOIN bindings b ON b.patient_id = p.id "
        "WHERE p.his_code = %s AND b.bound_flag = 1 ORDER BY b.id", (code,))]


def lock_bound(tx: Transaction, account_id: str, patient_id: str) -> Row | None:
    """HIS code and birth date of one of the account's patients; binding and patient stay locked."""
    return tx.one("SELECT p.his_code, p.birth_date FROM bindings b JOIN patients p ON p.id = b.patient_id "
                  "WHERE b.account_id = %s AND b.patient_id = %s AND b.bound_flag = 1 FOR UPDATE",
                  (account_id, patient_id))


def unbind(tx: Transaction, binding_id: str, now: datetime) -> bool:
    """End a binding. False when it had ended."""
    return tx.run("UPDATE bindings SET unbound_at = %s, is_default = 0 WHERE id = %s AND unbound_at IS NULL",
                  (now, binding_id)) == 1


def lock_patient(tx: Transaction, patient_id: str) -> None:
    """From here to the end of the transaction, one at a time for this patient."""
    tx.one("SELECT id FROM patients WHERE id = %s FOR UPDATE", (patient_id,))


def set_default(tx: Transaction, account_id: str, patient_id: str) -> None:
    """Make one patient the default, and no other."""
    tx.run("UPDATE bindings SET is_default = (patient_id = %s) WHERE account_id = %s AND bound_flag = 1",
           (patient_id, account_id))


def _bound(row: Row) -> BoundPatient:
    patient_id = row["id"]
    identity = Identity(row["id_type"], cipher.unseal(row["id_number_enc"], f"patients.id_number:{patient_id}"),
                        cipher.unseal(row["name_enc"], f"patients.name:{patient_id}"),
                        row["sex"], row["birth_date"])
    return BoundPatient(patient_id, row["binding_id"], row["his_code"], row["card_number"], identity,
                        row["relation"], cipher.unseal(row["phone_enc"], f"bindings.phone:{row['binding_id']}"),
                        bool(row["is_default"]))


def payer(source: Source, account_id: str, patient_id: str) -> tuple[Identity, str]:
    """Who a bill is made out to, and the account's number to reach them: empty when they are no longer bound."""
    row = source.one("SELECT id_type, id_number_enc, name_enc, sex, birth_date FROM patients WHERE id = %s",
                     (patient_id,))
    assert row is not None
    bound = bound_patient(source, account_id, patient_id)
    return Identity(row["id_type"], cipher.unseal(row["id_number_enc"], f"patients.id_number:{patient_id}"),
                    cipher.unseal(row["name_enc"], f"patients.name:{patient_id}"), row["sex"], row["birth_date"]
                    ), bound.phone if bound else ""


def patient_name(source: Source, patient_id: str) -> str:
    """A patient's full name, for messages to who may read it."""
    row = source.one("SELECT name_enc FROM patients WHERE id = %s", (patient_id,))
    assert row is not None
    return cipher.unseal(row["name_enc"], f"patients.name:{patient_id}")


# -- consents ---------------------------------------------------------------------------------------
def consent_texts(source: Source, now: datetime) -> list[Row]:
    """The text in force for each purpose: its newest version."""
    return source.all("SELECT t.purpose, t.version, t.title, t.body FROM consent_texts t WHERE t.version = "
                      "(SELECT MAX(n.version) FROM consent_texts n WHERE n.purpose = t.purpose "
                      "AND n.effective_at <= %s) ORDER BY t.purpose", (now,))


def grant(tx: Transaction, *, account_id: str, patient_id: str, purpose: str, version: int, now: datetime) -> None:
    """Record a consent; one that stands already stays as it is."""
    try:
        tx.insert("consents", id=new_id(), account_id=account_id, patient_id=patient_id, purpose=purpose,
                  version=version, granted_at=now)
    except Duplicate:
        return


def withdraw(tx: Transaction, *, account_id: str, patient_id: str, purpose: str | None, now: datetime) -> int:
    """Withdraw the consents of a purpose, or (None) all of a patient's. How many stood."""
    only, more = (" AND purpose = %s", (purpose,)) if purpose else ("", ())
    return tx.run("UPDATE consents SET withdrawn_at = %s WHERE account_id = %s AND patient_id = %s "
                  f"AND withdrawn_at IS NULL{only}", (now, account_id, patient_id, *more))


def consents(source: Source, account_id: str) -> list[Row]:
    """Every consent the account gave, newest first."""
    return source.all("SELECT patient_id, purpose, version, granted_at, withdrawn_at FROM consents "
                      "WHERE account_id = %s ORDER BY id DESC", (account_id,))


def purposes_in_force(source: Source, account_id: str, patient_id: str, now: datetime) -> set[str]:
    """The purposes whose text in force the account has consented to for a patient."""
    return {row["purpose"] for row in source.all(
        "SELECT c.purpose FROM consents c WHERE c.account_id = %s AND c.patient_id = %s AND c.live_flag = 1 "
        "AND c.version = (SELECT MAX(t.version) FROM consent_texts t "
        "WHERE t.purpose = c.purpose AND t.effective_at <= %s)", (account_id, patient_id, now))}


def his_code(source: Source, patient_id: str) -> str:
    """A patient's number in the HIS."""
    row = source.one("SELECT his_code FROM patients WHERE id = %s", (patient_id,))
    assert row is not None
    return str(row["his_code"])
