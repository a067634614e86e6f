"""SQL of proofs: who holds a record and by what, codes that were sent, wrong tries."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

from msgspec import Struct

from hospital.database.connection import Row, Transaction
from hospital.patients import rules
from hospital.patients.model import Holder, Level, Proof
from hospital.patients.record_store import SAME
from hospital.patients.store import Source
from hospital.runtime.ids import new_id
from hospital.security import cipher

CLOCKS_APART = timedelta(minutes=15)  # ours and the HIS's, and how long a question to it may be under way
_FOREVER = datetime(9999, 1, 1, tzinfo=timezone.utc)


class SentCode(Struct, frozen=True):
    """A code that is still good: not used, not over, not tried too often."""

    id: str
    phone_hash: bytes
    code_hash: bytes
    tries: int


# -- holders ----------------------------------------------------------------------------------------
_HOLDER = ("SELECT b.id, b.account_id, b.patient_id, b.relation, b.level, b.proof, b.bound_at, a.phone_enc, "
           "a.phone_verified_at FROM bindings b JOIN accounts a ON a.id = b.account_id")


def holders(source: Source, patient_id: str) -> list[Holder]:
    """Every binding of a patient's record, by whichever document, the first one first."""
    return [_holder(row) for row in source.all(
        f"{_HOLDER} WHERE b.patient_id IN {SAME} AND b.bound_flag = 1 ORDER BY b.id", (patient_id,))]


def proven_by_others(source: Source, account_id: str, patient_id: str) -> list[Proof | None]:
    """By what each other account has proven to hold a patient's record: the best of what it has."""
    best: dict[str, Proof | None] = {}
    for one in holders(source, patient_id):
        if one.level == "FULL" and one.account_id != account_id:
            best[one.account_id] = max(best.get(one.account_id), one.proof, key=rules.rank)
    return list(best.values())


def binding(source: Source, binding_id: str) -> Holder | None:
    """A binding, also one that has ended."""
    row = source.one(f"{_HOLDER} WHERE b.id = %s", (binding_id,))
    return _holder(row) if row else None


def latest_hold(source: Source, account_id: str, patient_id: str) -> tuple[Level | None, Proof | None, bool] | None:
    """Level and proof of an account's latest binding of a record, and whether it stands; None: there never was one.

    Of several that stand, by different documents, a proven one.
    """
    row = source.one(f"SELECT level, proof, bound_flag FROM bindings WHERE account_id = %s AND patient_id IN {SAME} "
                     "ORDER BY bound_flag IS NULL, bound_flag = 1 AND COALESCE(level, '') <> 'FULL', bound_at DESC, "
                     "id DESC LIMIT 1", (account_id, patient_id))
    return (row["level"], row["proof"], row["bound_flag"] is not None) if row else None


def has_proven(source: Source, account_id: str, patient_id: str, before_proof: Level) -> bool:
    """Whether an account's latest binding of a record was proven; ``before_proof``: what those of before are worth."""
    hold = latest_hold(source, account_id, patient_id)
    return hold is not None and (hold[0] or before_proof) == "FULL"


def ended_by_others(source: Source, account_id: str, patient_id: str) -> datetime | None:
    """When a holder or staff last ended the account's hold on a patient's record.

    By a holder who had only made the record it is no judgement of whose it is.
    """
    row = source.one("SELECT MAX(unbound_at) AS at FROM bindings WHERE account_id = %s "
                     f"AND patient_id IN {SAME} AND ended_by IN ('HOLDER', 'STAFF') "
                     "AND COALESCE(ended_with, '') <> 'NEW'", (account_id, patient_id))
    return row["at"] if row else None


def is_verified_since(source: Source, account_id: str, then: datetime) -> bool:
    """Whether WeChat has verified the account's number after a moment; of long ago it was not kept."""
    return source.one("SELECT id FROM accounts WHERE id = %s AND phone_verified_at > %s", (account_id, then)
                      ) is not None


def left(source: Source, patient_id: str) -> list[Holder]:
    """Holds that their own account has ended, and that were never proven, or by having made the record."""
    return [_holder(row) for row in source.all(
        f"{_HOLDER} WHERE b.patient_id IN {SAME} AND b.ended_by = 'ACCOUNT' "
        "AND (COALESCE(b.level, '') <> 'FULL' OR b.proof = 'NEW') ORDER BY b.id", (patient_id,))]


def end_left(tx: Transaction, binding_id: str) -> None:
    """Staff say of such a hold that it was a stranger's."""
    tx.run("UPDATE bindings SET ended_by = 'STAFF', level = 'LIMITED' WHERE id = %s", (binding_id,))


_OF_THE_SAME = ("{0}.account_id = b.account_id AND {0}.patient_id IN (SELECT q.id FROM patients o JOIN patients q "
                "ON q.record_id = o.record_id WHERE o.id = b.patient_id)")


def ended_as_strangers(source: Source, binding_id: str, before_proof: Level, now: datetime) -> datetime | None:
    """Of a binding that a holder or staff ended, unproven: until when what its account took was a stranger's.

    That is until the account has bound the record anew. None: it was proven, or ended otherwise, or it stands; or the
    account has the same record by another document, proven. ``before_proof``: what those of before are worth.
    """
    row = source.one(
        f"SELECT (SELECT MIN(n.bound_at) FROM bindings n WHERE {_OF_THE_SAME.format('n')} AND n.id <> b.id "
        "AND n.bound_at >= b.unbound_at) AS anew FROM bindings b "
        "WHERE b.id = %s AND b.ended_by IN ('HOLDER', 'STAFF') AND COALESCE(b.level, %s) <> 'FULL' "
        f"AND NOT EXISTS (SELECT 1 FROM bindings s WHERE {_OF_THE_SAME.format('s')} AND s.bound_flag = 1 "
        "AND s.bound_at < b.unbound_at AND COALESCE(s.level, %s) = 'FULL')", (binding_id, before_proof, before_proof))
    return (row["anew"] or now) if row else None


def bound_since(source: Source, last: Holder, since: datetime) -> int:
    """How many bindings of its record were made since then up to this one, ended ones too."""
    row = source.one(f"SELECT COUNT(*) AS made FROM bindings WHERE patient_id IN {SAME} AND bound_at >= %s "
                     "AND (bound_at < %s OR (bound_at = %s AND id <= %s))",
                     (last.patient_id, since, last.bound_at, last.bound_at, last.binding_id))
    return int(row["made"]) if row else 0


def set_level(tx: Transaction, binding_id: str, level: Level, proof: Proof | None, now: datetime) -> None:
    """What a binding is worth from now on, and by what."""
    tx.run("UPDATE bindings SET level = %s, proof = %s, proven_at = %s WHERE id = %s",
           (level, proof, now if proof else None, binding_id))


def _holder(row: Row) -> Holder:
    sealed: Any = row["phone_enc"]
    phone = cipher.unseal(sealed, f"accounts.phone:{row['account_id']}") if sealed else None
    return Holder(row["id"], row["account_id"], row["patient_id"], phone, row["phone_verified_at"], row["relation"],
                  row["level"], row["proof"], row["bound_at"])


# -- what we gave for a file ------------------------------------------------------------------------
def give(tx: Transaction, key: bytes, phone: str, guardian: tuple[str, str] | None, patient_id: str | None,
         now: datetime) -> str:
    """What the HIS is about to be given for a person's record, should it make one. Its id."""
    given_id = new_id()
    tx.insert("given_files", id=given_id, identity_key=key, phone_hash=phone_hash(phone),
              guardian_hash=_guardian_hash(guardian) if guardian else None, patient_id=patient_id, given_at=now)
    return given_id


def take_back(tx: Transaction, given_id: str) -> None:
    """The HIS had the record already: its file has nothing of what we gave."""
    tx.run("DELETE FROM given_files WHERE id = %s", (given_id,))


def made_with(tx: Transaction, key: bytes, given_id: str) -> None:
    """The HIS has made the record with this: with nothing else that it was given for this person."""
    tx.run("UPDATE given_files SET made = 1 WHERE id = %s", (given_id,))
    tx.run("DELETE FROM given_files WHERE identity_key = %s AND id <> %s", (key, given_id))


def given_for(tx: Transaction, key: bytes, patient_id: str) -> None:
    """The person has a row now; their document may become another."""
    tx.run("UPDATE given_files SET patient_id = %s WHERE identity_key = %s AND patient_id IS NULL", (patient_id, key))


def is_given(source: Source, patient_id: str, *, phone: str = "", guardian: tuple[str, str] | None = None,
             since: datetime | None = None) -> bool:
    """Whether a phone, or a guardian, is what we gave for a patient's record (locked reading: as it is now).

    ``since``: when the HIS says that the file was made; what was given later, without an answer, did not make it.
    For a record from before that was kept, what its maker typed, where we know that they made it.
    """
    until = since + CLOCKS_APART if since is not None else _FOREVER
    column, value = (("guardian_hash", _guardian_hash(guardian)) if guardian else ("phone_hash", phone_hash(phone)))
    kept = any(source.one(f"SELECT id FROM given_files WHERE {column} = %s AND (patient_id = %s OR identity_key = %s) "
                          "AND (made = 1 OR given_at <= %s) LIMIT 1 LOCK IN SHARE MODE", (value, *one, until))
               for one in _people(source, patient_id))
    return kept or _is_typed_by_maker(source, patient_id, phone, guardian, until)


def _people(source: Source, patient_id: str) -> list[tuple[str, bytes]]:
    return [(row["id"], row["id_number_hash"]) for row in source.all(
        f"SELECT id, id_number_hash FROM patients WHERE id IN {SAME}", (patient_id,))]


def _is_typed_by_maker(source: Source, patient_id: str, phone: str, guardian: tuple[str, str] | None, until: datetime
                       ) -> bool:
    first = source.one(f"SELECT id, proof, phone_enc, guardian_enc, bound_at FROM bindings WHERE patient_id IN {SAME} "
                       "ORDER BY id LIMIT 1", (patient_id,))
    if first is None or first["proof"] != "NEW" or first["bound_at"] > until:
        return False
    if guardian is None:
        return cipher.unseal(first["phone_enc"], f"bindings.phone:{first['id']}") == phone
    if first["guardian_enc"] is None:
        return False
    typed = json.loads(cipher.unseal(first["guardian_enc"], f"bindings.guardian:{first['id']}"))
    return (typed["id_type"], typed["id_number"]) == guardian


def forget_given(tx: Transaction, patient_id: str, *, phone: str, guardian: tuple[str, str] | None, of_age: bool,
                 before: datetime) -> None:
    """What we gave before then and the record's file does not show any more proves nothing to anybody.

    ``guardian``: None: the file has none, and may yet get the one that we gave, unless the patient is ``of_age``.
    """
    gone = "guardian_hash IS NULL" + (" OR TRUE" if of_age else " OR guardian_hash <> %s" if guardian else "")
    shown = () if of_age or guardian is None else (_guardian_hash(guardian),)
    for one in _people(tx, patient_id):
        for column, value in zip(("patient_id", "identity_key"), one, strict=True):
            tx.run(f"DELETE FROM given_files WHERE {column} = %s AND phone_hash <> %s AND given_at < %s AND ({gone})",
                   (value, phone_hash(phone), before, *shown))


def _guardian_hash(guardian: tuple[str, str]) -> bytes:
    return cipher.lookup("given.guardian", ":".join(guardian))


# -- codes ------------------------------------------------------------------------------------------
def phone_hash(phone: str) -> bytes:
    """What a number is compared by."""
    return cipher.lookup("proof.phone", phone)


def code_hash(code_id: str, code: str) -> bytes:
    """What a code is kept as."""
    return cipher.lookup("proof.code", f"{code_id}:{code}")


def insert_code(tx: Transaction, *, account_id: str, patient_id: str, phone: str, code: str, expires_at: datetime,
                now: datetime) -> str:
    """A code that is about to be sent; those of before are worth nothing from now on. Its id."""
    tx.run(f"UPDATE proof_codes SET used_at = %s WHERE account_id = %s AND patient_id IN {SAME} "
           "AND used_at IS NULL", (now, account_id, patient_id))
    code_id = new_id()
    tx.insert("proof_codes", id=code_id, account_id=account_id, patient_id=patient_id, phone_hash=phone_hash(phone),
              code_hash=code_hash(code_id, code), sent_at=now, expires_at=expires_at)
    return code_id


def codes_since(source: Source, account_id: str, patient_id: str, since: datetime) -> list[datetime]:
    """When this account was sent codes for a patient's record since then, the latest first."""
    return [row["sent_at"] for row in source.all(
        f"SELECT sent_at FROM proof_codes WHERE account_id = %s AND patient_id IN {SAME} AND sent_at >= %s "
        "ORDER BY sent_at DESC", (account_id, patient_id, since))]


def codes_to(source: Source, phone: str, since: datetime) -> list[datetime]:
    """When codes went to a number since then, for whichever account and patient, the latest first."""
    return [row["sent_at"] for row in source.all(
        "SELECT sent_at FROM proof_codes WHERE phone_hash = %s AND sent_at >= %s ORDER BY sent_at DESC",
        (phone_hash(phone), since))]


def forget_code(tx: Transaction, code_id: str) -> None:
    """It was surely not sent."""
    tx.run("DELETE FROM proof_codes WHERE id = %s", (code_id,))


def live_code(tx: Transaction, account_id: str, patient_id: str, tries: int, now: datetime) -> SentCode | None:
    """The latest code while it is good, locked."""
    row = tx.one("SELECT id, phone_hash, code_hash, tries FROM proof_codes WHERE account_id = %s "
                 f"AND patient_id IN {SAME} AND used_at IS NULL AND expires_at > %s AND tries < %s "
                 "ORDER BY sent_at DESC LIMIT 1 FOR UPDATE", (account_id, patient_id, now, tries))
    return SentCode(row["id"], row["phone_hash"], row["code_hash"], row["tries"]) if row else None


def use_code(tx: Transaction, code_id: str, now: datetime) -> None:
    """A code is good once."""
    tx.run("UPDATE proof_codes SET used_at = %s WHERE id = %s", (now, code_id))


def count_try(tx: Transaction, code_id: str) -> None:
    """A wrong one was tried."""
    tx.run("UPDATE proof_codes SET tries = tries + 1 WHERE id = %s", (code_id,))


# -- card and visit numbers -------------------------------------------------------------------
def is_told_by_app(source: Source, number: str) -> bool:
    """Whether a receipt's number is of a bill that was paid here: who paid has read it here, and holds no paper."""
    return source.one("SELECT id FROM charges WHERE settlement_no IN (%s, %s, %s) LIMIT 1",
                      (number, number.upper(), number.lower())) is not None


def insert_try(tx: Transaction, account_id: str, patient_id: str, now: datetime) -> None:
    """One that is about to be tried: it counts before its answer is known."""
    tx.insert("proof_tries", id=new_id(), account_id=account_id, patient_id=patient_id, tried_at=now)


def tries_since(source: Source, account_id: str, patient_id: str, since: datetime) -> list[datetime]:
    """When this account tried for a patient's record since then, the latest first."""
    return [row["tried_at"] for row in source.all(
        f"SELECT tried_at FROM proof_tries WHERE account_id = %s AND patient_id IN {SAME} AND tried_at >= %s "
        "ORDER BY tried_at DESC", (account_id, patient_id, since))]


def forget_tries(tx: Transaction, account_id: str, patient_id: str) -> None:
    """They were right."""
    tx.run(f"DELETE FROM proof_tries WHERE account_id = %s AND patient_id IN {SAME}", (account_id, patient_id))
