"""SQL of accounts, patients, bindings and consents. Personal data is sealed and opened only here."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import get_args

from msgspec.structs import asdict

from hospital.content import store as content_store
from hospital.database.connection import Database, Duplicate, Row, Transaction
from hospital.patients.model import BoundPatient, EndedBy, Guardian, Identity, Level, Proof, Purpose, Record
from hospital.patients.record_store import SAME
from hospital.runtime import canonical
from hospital.runtime.ids import new_id
from hospital.security import cipher, sealed

Source = Database | Transaction

# A patient with the record that their document leads to in the HIS: their own, or another patient's.
_OF_RECORD = "IF(r.id IS NULL, p.{0}, r.{0}) AS {0}, IF(r.id IS NULL, p.{0}_enc, r.{0}_enc) AS {0}_enc"
_CODE = f"COALESCE(r.id, p.id) AS record_id, {_OF_RECORD.format('his_code')}"
_CODES = f"{_CODE}, {_OF_RECORD.format('card_number')}"
_RECORD = "LEFT JOIN patients r ON r.id = p.record_of"
_PERSON = "p.id, p.id_type, p.id_number_enc, p.name_enc, p.sex, p.birth_date, p.birth_date_enc"
CODE = "patient_code"  # the kind of look-up hash
_BOUND = (f"SELECT b.id AS binding_id, b.relation, b.phone_enc, b.is_default, b.level, b.proof, {_PERSON}, {_CODES} "
          f"FROM bindings b JOIN patients p ON p.id = b.patient_id {_RECORD} "
          "WHERE b.account_id = %s AND b.bound_flag = 1")


# -- accounts ---------------------------------------------------------------------------------------
def account_of(tx: Transaction, openid: str, now: datetime) -> str:
    """The account of a WeChat user, locked; made at the first sign-in; its id."""
    known = _account(tx, openid)
    if known is not None:
        return known
    account_id = new_id()
    try:
        tx.insert("accounts", id=account_id, openid_hash=cipher.lookup("openid", openid), created_at=now,
                  **sealed.columns(tx, "openid", openid, f"accounts.openid:{account_id}"))
    except Duplicate:  # the same person signed in twice at once
        known = _account(tx, openid)
        assert known is not None
        return known
    return account_id


def _account(tx: Transaction, openid: str) -> str | None:
    """Locked. By the hash; an account of code from before has none until it is sealed."""
    row = (tx.one("SELECT id FROM accounts WHERE openid_hash = %s FOR UPDATE", (cipher.lookup("openid", openid),))
           or tx.one("SELECT id FROM accounts WHERE openid = %s FOR UPDATE", (openid,)))
    return str(row["id"]) if row else None


def openid_of(source: Source, account_id: str) -> str:
    """The WeChat user behind an account."""
    row = source.one("SELECT openid, openid_enc FROM accounts WHERE id = %s", (account_id,))
    assert row is not None
    return sealed.value(row, "openid", f"accounts.openid:{account_id}")


def set_phone(tx: Transaction, account_id: str, phone: str, now: datetime) -> None:
    """The account's own number, verified now."""
    tx.run("UPDATE accounts SET phone_enc = %s, phone_verified_at = %s WHERE id = %s",
           (cipher.seal(phone, f"accounts.phone:{account_id}"), now, account_id))


def phone_of(source: Source, account_id: str) -> str | None:
    """The account's own verified number, if given."""
    row = source.one("SELECT phone_enc FROM accounts WHERE id = %s", (account_id,))
    if row is None or row["phone_enc"] is None:
        return None
    return cipher.unseal(row["phone_enc"], f"accounts.phone:{account_id}")


def lock_account(tx: Transaction, account_id: str) -> None:
    """From here to the end of the transaction, one at a time for this account."""
    tx.one("SELECT id FROM accounts WHERE id = %s FOR UPDATE", (account_id,))


def lock_account_soon(tx: Transaction, account_id: str) -> None:
    """As :func:`lock_account`, from the next statement on."""
    tx.ask_soon("SELECT id FROM accounts WHERE id = %s FOR UPDATE", (account_id,))


# -- patients and bindings --------------------------------------------------------------------------
def identity_key(identity: Identity, guardian: Guardian | None = None) -> bytes:
    """What a person is found by: their document, or for a child without one the guardian's and all that is known."""
    number = identity.id_number
    if identity.id_type == "NONE":
        assert guardian is not None
        number = ":".join((guardian.id_type, guardian.id_number, identity.birth_date.isoformat(), identity.sex,
                           identity.name))
    return document_key(identity.id_type, number)


def document_key(id_type: str, number: str) -> bytes:
    """What a person is found by, by their document alone."""
    return cipher.lookup(f"identity.{id_type}", number)


def with_identity(source: Source, key: bytes, *, lock: bool = False) -> str | None:
    """The patient of an identity, by its key."""
    row = source.one(f"SELECT id FROM patients WHERE id_number_hash = %s{' FOR UPDATE' if lock else ''}", (key,))
    return str(row["id"]) if row else None


def with_code(tx: Transaction, code: str) -> tuple[str, Identity] | None:
    """Whose own record in the HIS a code names, locked."""
    row = (tx.one(f"SELECT {_PERSON} FROM patients p WHERE p.his_code_hash = %s FOR UPDATE",
                  (cipher.lookup(CODE, code),))
           or tx.one(f"SELECT {_PERSON} FROM patients p WHERE p.his_code = %s FOR UPDATE", (code,)))
    return (row["id"], _identity(row)) if row else None


def insert_patient(tx: Transaction, identity: Identity, key: bytes, *, his_code: str, card_number: str,
                   record_of: str | None, now: datetime) -> str:
    """A person's row; its id. With ``record_of`` the code is another's. Raises Duplicate."""
    patient_id = new_id()
    tx.insert("patients", id=patient_id, id_type=identity.id_type, id_number_hash=key,
              id_number_enc=cipher.seal(identity.id_number, f"patients.id_number:{patient_id}"),
              name_enc=cipher.seal(identity.name, f"patients.name:{patient_id}"),
              sex=identity.sex, record_of=record_of, created_at=now, **_born(tx, patient_id, identity),
              **_of_record(tx, patient_id, his_code, card_number, record_of))
    return patient_id


def _born(tx: Transaction, patient_id: str, identity: Identity) -> Row:
    return sealed.columns(tx, "birth_date", identity.birth_date.isoformat(), f"patients.birth_date:{patient_id}")


def _of_record(tx: Transaction, patient_id: str, his_code: str, card_number: str, record_of: str | None) -> Row:
    """The columns of a record in the HIS; one that shares another's has a code of its own that means nothing."""
    card = sealed.columns(tx, "card_number", card_number, f"patients.card_number:{patient_id}")
    if record_of:
        return {"his_code": f"={patient_id}", "his_code_enc": None, "his_code_hash": None, **card}
    return {**sealed.columns(tx, "his_code", his_code, f"patients.his_code:{patient_id}"),
            "his_code_hash": cipher.lookup(CODE, his_code), **card}


def set_identity(tx: Transaction, patient_id: str, identity: Identity, key: bytes | None = None) -> None:
    """The person as they are known now; with ``key`` also by another document.

    Raises Duplicate (another patient has it): nothing is changed.
    """
    if key is not None:
        tx.run("UPDATE patients SET id_type = %s, id_number_enc = %s, id_number_hash = %s WHERE id = %s",
               (identity.id_type, cipher.seal(identity.id_number, f"patients.id_number:{patient_id}"), key, patient_id))
    _update(tx, patient_id, name_enc=cipher.seal(identity.name, f"patients.name:{patient_id}"), sex=identity.sex,
            **_born(tx, patient_id, identity))


def set_record(tx: Transaction, patient_id: str, *, his_code: str, card_number: str, record_of: str | None,
               now: datetime) -> None:
    """The record that a patient has in the HIS from now on; a code of their own stays known as theirs.

    Whoever shared the old one goes along.
    """
    row = tx.one("SELECT id AS record_id, his_code, his_code_enc FROM patients WHERE id = %s AND record_of IS NULL",
                 (patient_id,))
    if row is not None:
        tx.run("REPLACE INTO former_codes (code, patient_id, ended_at) VALUES (%s, %s, %s)",
               (sealed.stored(tx, CODE, _code(row)), patient_id, now))
    _update(tx, patient_id, record_of=record_of, **_of_record(tx, patient_id, his_code, card_number, record_of))
    if record_of:
        tx.run("UPDATE patients SET record_of = %s WHERE record_of = %s", (record_of, patient_id))
    tx.run("DELETE FROM former_codes WHERE code IN (%s, %s)", sealed.forms(CODE, his_code))


def _update(tx: Transaction, patient_id: str, **values: object) -> None:
    tx.run(f"UPDATE patients SET {', '.join(f'{name} = %s' for name in values)} WHERE id = %s",
           (*values.values(), patient_id))


def _code(row: Row) -> str:
    return sealed.value(row, "his_code", f"patients.his_code:{row['record_id']}")


def _card(row: Row) -> str:
    return sealed.value(row, "card_number", f"patients.card_number:{row['record_id']}")


def record(source: Source, patient_id: str, *, lock: bool = False) -> Record:
    """A patient as the HIS is asked for them."""
    row = source.one(f"SELECT {_PERSON}, {_CODE} FROM patients p {_RECORD} WHERE p.id = %s"
                     f"{' FOR UPDATE' if lock else ''}", (patient_id,))
    latest = source.one("SELECT id, phone_enc, guardian_enc FROM bindings WHERE patient_id = %s "
                        "ORDER BY COALESCE(level, '') <> 'FULL', bound_flag IS NULL, id DESC LIMIT 1", (patient_id,))
    assert row is not None and latest is not None
    guardian = None
    if latest["guardian_enc"] is not None:
        guardian = Guardian(**json.loads(cipher.unseal(latest["guardian_enc"], f"bindings.guardian:{latest['id']}")))
    return Record(patient_id, _code(row), _identity(row),
                  cipher.unseal(latest["phone_enc"], f"bindings.phone:{latest['id']}"), guardian)


def bind(tx: Transaction, *, account_id: str, patient_id: str, relation: str, phone: str,
         guardian: Guardian | None, is_default: bool, level: Level, proof: Proof | None, now: datetime) -> None:
    """Bind a patient to an account. Raises Duplicate when they are bound."""
    binding_id = new_id()
    sealed = None
    if guardian is not None:
        sealed = cipher.seal(json.dumps(asdict(guardian), ensure_ascii=False), f"bindings.guardian:{binding_id}")
    tx.insert("bindings", id=binding_id, account_id=account_id, patient_id=patient_id, relation=relation,
              phone_enc=cipher.seal(phone, f"bindings.phone:{binding_id}"), guardian_enc=sealed,
              is_default=is_default, level=level, proof=proof, proven_at=now if proof else None, bound_at=now)


def bound_patients(source: Source, account_id: str) -> list[BoundPatient]:
    """The account's patients, the default one first."""
    return [_bound(row) for row in source.all(f"{_BOUND} ORDER BY b.is_default DESC, b.id", (account_id,))]


def bound_patient(source: Source, account_id: str, patient_id: str) -> BoundPatient | None:
    """One of the account's patients; None when unknown or another's."""
    row = source.one(f"{_BOUND} AND b.patient_id = %s", (account_id, patient_id))
    return _bound(row) if row else None


def of_code(source: Source, code: str) -> list[str]:
    """The patients whose record in the HIS has this code (or the code of this key), or had it; its own row first."""
    found = [row["id"] for row in source.all(
        "SELECT id FROM patients WHERE his_code_hash = %s UNION SELECT id FROM patients WHERE his_code = %s "
        "UNION SELECT patient_id AS id FROM former_codes WHERE code IN (%s, %s)",
        (sealed.hash_of(CODE, code), code, *sealed.forms(CODE, code)))]
    if not found:
        return []
    return [row["id"] for row in source.all(
        "SELECT DISTINCT q.id, q.record_of FROM patients o JOIN patients q ON q.record_id = o.record_id "
        f"WHERE o.id IN ({', '.join(['%s'] * len(found))}) ORDER BY q.record_of IS NOT NULL, q.id", found)]


def codes_of(source: Source, patient_id: str) -> list[str]:
    """The keys of every code that a patient's record in the HIS has or had: theirs, and of those who share it."""
    return list(dict.fromkeys(sealed.key(CODE, one) for one in _stored_codes(source, patient_id)))


def forms_of_codes(source: Source, patient_id: str) -> list[str]:
    """The same codes in every form in which a text column may have them."""
    return list(dict.fromkeys(form for one in _stored_codes(source, patient_id) for form in sealed.forms(CODE, one)))


def has_code(source: Source, patient_id: str, code: str) -> bool:
    """Whether a code is one of those."""
    return sealed.key(CODE, code) in codes_of(source, patient_id)


def _stored_codes(source: Source, patient_id: str) -> list[str]:
    former = source.all(f"SELECT code FROM former_codes WHERE patient_id IN {SAME}", (patient_id,))
    return [his_code(source, patient_id), *(row["code"] for row in former)]


def bound_by_code(source: Source, account_id: str, code: str) -> str | None:
    """The account's patient with a number in the HIS; None when it has none."""
    return next((patient_id for owner, patient_id in accounts_of_code(source, code) if owner == account_id), None)


def accounts_of_code(source: Source, code: str) -> list[tuple[str, str]]:
    """Who has the patient with this number in the HIS bound, the proven ones first: account, patient."""
    patients = of_code(source, code)
    if not patients:
        return []
    marks = ", ".join(["%s"] * len(patients))
    return [(row["account_id"], row["patient_id"]) for row in source.all(
        f"SELECT account_id, patient_id FROM bindings WHERE patient_id IN ({marks}) AND bound_flag = 1 "
        "ORDER BY COALESCE(level, '') <> 'FULL', id", patients)]


# Their HIS code, level and birth date, as :func:`opened` reads them; binding and record stay locked.
LOCK_BOUND = (f"SELECT {_CODE}, p.id, p.birth_date, p.birth_date_enc, b.level FROM bindings b "
              f"JOIN patients p ON p.id = b.patient_id {_RECORD} "
              "WHERE b.account_id = %s AND b.patient_id = %s AND b.bound_flag = 1 FOR UPDATE")


def lock_bound(tx: Transaction, account_id: str, patient_id: str) -> Row | None:
    """HIS code, level and birth date of one of the account's patients; binding and record stay locked."""
    return opened(tx.one(LOCK_BOUND, (account_id, patient_id)))


def opened(row: Row | None) -> Row | None:
    """HIS code and birth date of one of the account's patients, of what ``LOCK_BOUND`` has found."""
    return {**row, "his_code": _code(row), "birth_date": birth_date(row)} if row else None


_STANDING = ("SELECT p.id, b.level, p.birth_date, p.birth_date_enc FROM bindings b "
             "JOIN patients p ON p.id = b.patient_id WHERE b.account_id = %s AND b.bound_flag = 1")


def standing(source: Source, account_id: str, patient_id: str) -> Row | None:
    """Level and birth date of one of the account's patients; None when unknown or another's."""
    row = source.one(f"{_STANDING} AND b.patient_id = %s", (account_id, patient_id))
    return {**row, "birth_date": birth_date(row)} if row else None


def standings(source: Source, account_id: str) -> list[Row]:
    """Id, level and birth date of each of the account's patients."""
    return [{**row, "birth_date": birth_date(row)} for row in source.all(_STANDING, (account_id,))]


def unbind(tx: Transaction, binding_id: str, by: EndedBy, ended_with: Proof | None, now: datetime) -> bool:
    """End a binding; ``ended_with``: the proof of the holder who does. False when it had ended."""
    return tx.run("UPDATE bindings SET unbound_at = %s, ended_by = %s, ended_with = %s, is_default = 0 WHERE id = %s "
                  "AND unbound_at IS NULL", (now, by, ended_with, binding_id)) == 1


def set_default(tx: Transaction, account_id: str, patient_id: str) -> None:
    """Make one patient the default, and no other."""
    tx.run("UPDATE bindings SET is_default = (patient_id = %s) WHERE account_id = %s AND bound_flag = 1",
           (patient_id, account_id))


def _bound(row: Row) -> BoundPatient:
    return BoundPatient(row["id"], row["binding_id"], _code(row), _card(row), _identity(row),
                        row["relation"], cipher.unseal(row["phone_enc"], f"bindings.phone:{row['binding_id']}"),
                        bool(row["is_default"]), row["level"], row["proof"])


def _identity(row: Row) -> Identity:
    return Identity(row["id_type"], cipher.unseal(row["id_number_enc"], f"patients.id_number:{row['id']}"),
                    full_name(row["id"], row["name_enc"]), row["sex"], birth_date(row))


def birth_date(row: Row) -> date:
    """The birth date of a row, from the column that has it."""
    return date.fromisoformat(sealed.value(row, "birth_date", f"patients.birth_date:{row['id']}"))


def full_name(patient_id: str, sealed: bytes) -> str:
    """A stored name; what was sealed before there was a canonical form is brought to it."""
    return canonical.name(cipher.unseal(sealed, f"patients.name:{patient_id}"))


def payer(source: Source, account_id: str, patient_id: str) -> tuple[Identity, str, str]:
    """Who a bill is made out to, their card, and the account's number to reach them: empty when no longer bound."""
    row = source.one(f"SELECT {_PERSON}, {_CODES} FROM patients p {_RECORD} WHERE p.id = %s", (patient_id,))
    assert row is not None
    bound = bound_patient(source, account_id, patient_id)
    return _identity(row), _card(row), bound.phone if bound else ""


def patient_name(source: Source, patient_id: str) -> str:
    """A patient's full name, for messages to who may read it."""
    row = source.one("SELECT name_enc FROM patients WHERE id = %s", (patient_id,))
    assert row is not None
    return full_name(patient_id, row["name_enc"])


# -- consents ---------------------------------------------------------------------------------------
def consent_texts(source: Source, now: datetime) -> list[Row]:
    """The text in force for each purpose that somebody consents to for a patient."""
    return content_store.texts_in_force(source, get_args(Purpose), now)


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


def consent_copies(source: Source, account_id: str) -> list[Row]:
    """Every text the account consented to, as it was then, newest first."""
    return source.all("SELECT c.patient_id, c.purpose, c.version, c.granted_at, c.withdrawn_at, t.title, t.body "
                      "FROM consents c JOIN consent_texts t ON t.purpose = c.purpose AND t.version = c.version "
                      "WHERE c.account_id = %s ORDER BY c.id DESC", (account_id,))


# The consents of an account for a patient to the texts in force at a moment.
IN_FORCE = ("consents c WHERE c.account_id = %s AND c.patient_id = %s AND c.live_flag = 1 "
            "AND c.version = (SELECT MAX(t.version) FROM consent_texts t "
            "WHERE t.purpose = c.purpose AND t.effective_at <= %s)")


def purposes_in_force(source: Source, account_id: str, patient_id: str, now: datetime) -> set[str]:
    """The purposes whose text in force the account has consented to for a patient."""
    return {row["purpose"] for row in source.all(f"SELECT c.purpose FROM {IN_FORCE}", (account_id, patient_id, now))}


def all_in_force(source: Source, account_id: str, now: datetime) -> list[tuple[str, str]]:
    """For which patient the account has consented to which purpose's text in force."""
    return [(row["patient_id"], row["purpose"]) for row in source.all(
        "SELECT c.patient_id, c.purpose FROM consents c WHERE c.account_id = %s AND c.live_flag = 1 "
        "AND c.version = (SELECT MAX(t.version) FROM consent_texts t "
        "WHERE t.purpose = c.purpose AND t.effective_at <= %s)", (account_id, now))]


def his_code(source: Source, patient_id: str) -> str:
    """A patient's number in the HIS."""
    row = source.one(f"SELECT {_CODE} FROM patients p {_RECORD} WHERE p.id = %s", (patient_id,))
    assert row is not None
    return _code(row)
