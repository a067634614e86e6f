"""A patient's record in the HIS: found by who they are, and found again when the HIS has merged or corrected it.

Every call that names a patient to the HIS goes through :func:`with_code`: a code that the HIS knows no more is
asked for once more under the stored identity. What can't be found like that waits for staff (``patient.match``).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar, cast

from msgspec.structs import asdict, replace

from hospital.database import outbox, tasks
from hospital.database.connection import Database, Duplicate, Transaction
from hospital.gateways.his import persons as his
from hospital.gateways.outcome import Rejected, Unanswered
from hospital.patients import evidence, proof_store, record_store, rules, store
from hospital.patients.model import Guardian, Identity, IdType, Record
from hospital.runtime import log
from hospital.runtime.canonical import same_name
from hospital.runtime.clock import hospital_day
from hospital.runtime.errors import Conflict
from hospital.security import audit, cipher

UNKNOWN = "PATIENT_UNKNOWN"
UNMATCHED = "patient.unmatched"  # a kind of task
Answer = TypeVar("Answer")


class RecordChanged(Conflict):
    """The HIS has no record for what we know of the patient; staff have been told."""

    code = "patient_record_changed"
    message = "就诊人在医院的档案已变更，请核对姓名后重新添加就诊人，或携带证件到人工窗口办理。"


# -- asking -----------------------------------------------------------------------------------------
def match(db: Database, identity: Identity, phone: str, guardian: Guardian | None, now: datetime, *,
          patient_id: str | None = None) -> his.MatchedPatient:
    """The HIS's record of a person, made when there is none; what we gave for it is known before it can be on a file.

    Raises Rejected, Unanswered (it may have been made: what we gave stays known, but of whom the HIS has had before).
    """
    cipher.ready()
    key = store.identity_key(identity, guardian)
    with db.transaction() as tx:
        given = proof_store.give(tx, key, phone, (guardian.id_type, guardian.id_number) if guardian else None,
                                 patient_id, now)
    try:
        found = _ask_match(identity, phone, guardian)
    except Rejected:
        _take_back(db, given)
        raise
    except Unanswered:
        if patient_id is not None or store.with_identity(db, key) is not None:
            _take_back(db, given)
        raise
    if not found.created:
        _take_back(db, given)
    else:
        with db.transaction() as tx:
            proof_store.made_with(tx, key, given)
    return found


def _take_back(db: Database, given_id: str) -> None:
    with db.transaction() as tx:
        proof_store.take_back(tx, given_id)


def _ask_match(identity: Identity, phone: str, guardian: Guardian | None) -> his.MatchedPatient:
    """A name that its file writes with another dot, or with a private character, is the same name.

    Raises Rejected, Unanswered.
    """
    def ask(name: str) -> his.MatchedPatient:
        return his.match_patient(id_type=identity.id_type, id_number=identity.id_number, name=name, sex=identity.sex,
                                 birth_date=identity.birth_date, phone=phone,
                                 guardian=_wire(guardian) if guardian else None)

    names = [identity.name, *rules.other_spellings(identity.name)]
    for name in names[:-1]:
        try:
            return ask(name)
        except Rejected as refusal:
            if refusal.code != "PATIENT_MISMATCH":
                raise
    return ask(names[-1])


def with_code(db: Database, patient_id: str, ask: Callable[[str], Answer], now: datetime) -> Answer:
    """What the HIS answers ``ask(patient code)``; a code it knows no more is found again once.

    Raises what ``ask`` raises: Rejected (PATIENT_UNKNOWN: not found again, staff are told), Unanswered.
    """
    code = store.his_code(db, patient_id)
    try:
        return ask(code)
    except Rejected as refusal:
        if refusal.code != UNKNOWN:
            raise
    return ask(find_again(db, patient_id, now))


def is_theirs(db: Database, patient_id: str, code: str, now: datetime) -> bool:
    """Whether a patient code that the HIS names is this patient's, perhaps since a merger. Raises Unanswered."""
    if code == store.his_code(db, patient_id):
        return True
    try:
        his.patient_file(store.his_code(db, patient_id))
    except Rejected as refusal:
        if refusal.code != UNKNOWN:
            return False
        try:
            return find_again(db, patient_id, now) == code
        except Rejected:
            return False
    return False


def find_again(db: Database, patient_id: str, now: datetime) -> str:
    """Match a patient anew under the stored identity, take the record over; its code.

    Raises Rejected (PATIENT_UNKNOWN: left to staff), Unanswered.
    """
    known = store.record(db, patient_id)
    try:
        found = match(db, known.identity, known.phone, known.guardian, now, patient_id=patient_id)
    except Rejected as refusal:
        _leave_to_staff(db, patient_id, f"the HIS refuses to match: {refusal.code}", now)
        raise Rejected(UNKNOWN) from None
    take_over(db, patient_id, found.patient_code, found.card_number, known.identity, now)
    return found.patient_code


def refresh(db: Database, patient_id: str, now: datetime) -> None:
    """Take over what the HIS has corrected: name, sex, birth date, document, record.

    A file that shows somebody else is left to staff. Raises Unanswered.
    """
    try:
        file = with_code(db, patient_id, his.patient_file, now)
    except Rejected as refusal:
        log.event("his.refused", operation="patient_file", code=refusal.code)
        return  # what is known goes on being used
    told = _told(db, file, store.record(db, patient_id), now)
    if told is None:
        _leave_to_staff(db, patient_id, "the HIS file shows another person's document, birth date or sex", now)
        return
    take_over(db, patient_id, file.patient_code, file.card_number, told, now)
    _doubt(db, patient_id, file, now)
    _forget_given(db, patient_id, file, now)


def _doubt(db: Database, patient_id: str, file: his.PatientFile, now: datetime) -> None:
    """Who was proven by what the hospital's file does not show any more is proven no more."""
    today = hospital_day(now)
    if not any(evidence.is_over(db, one, file, today) for one in proof_store.holders(db, patient_id)):
        return
    with db.transaction() as tx:
        for one in proof_store.holders(tx, patient_id):
            if evidence.is_over(tx, one, file, today):
                proof_store.set_level(tx, one.binding_id, "LIMITED", None, now)
                _note(tx, "patient.proof-ended", one.patient_id, now, {"proof": one.proof}, {"proof": ""})


def _forget_given(db: Database, patient_id: str, file: his.PatientFile, now: datetime) -> None:
    """What was given lately may be on its way to a file that is not made yet."""
    if file.phone is None:
        return
    guardian = (file.guardian.id_type, file.guardian.id_number) if file.guardian else None
    with db.transaction() as tx:
        proof_store.forget_given(tx, patient_id, phone=file.phone, guardian=guardian, before=now - timedelta(days=1),
                                 of_age=rules.age(file.birth_date, hospital_day(now)) >= rules.OF_AGE)


def match_by_staff(db: Database, patient_id: str, patient_code: str, now: datetime) -> None:
    """End what was left to staff: the record that they name, or (empty) the one found under the stored identity.

    Raises Conflict (the record is another document's), Rejected, Unanswered.
    """
    if not patient_code:
        find_again(db, patient_id, now)
        return
    file = his.patient_file(patient_code)
    told = _told(db, file, store.record(db, patient_id), now)
    if told is None:
        raise Conflict("该患者编号在医院登记的证件与就诊人不符。", code="document_differs")
    take_over(db, patient_id, file.patient_code, file.card_number, told, now)


def _told(db: Database, file: his.PatientFile, known: Record, now: datetime) -> Identity | None:
    """The patient as a file says; None when it shows somebody else.

    The window may have put a document into the patient's own file. But of several documents a file shows the first:
    a record that is shared or has had another code, or a document less lasting than ours, may be the same person's
    other one, on which the name is written otherwise. Then we keep ours.
    """
    mine, own = known.identity, file.patient_code == known.his_code
    name = file.name if rules.is_name(file.name) else mine.name
    told = replace(mine, name=name, sex=file.sex, birth_date=file.birth_date)
    shown = replace(told, id_type=cast(IdType, file.id_type), id_number=file.id_number)
    if rules.shows(shown, mine) or (own and shown.id_type == mine.id_type == "NONE"):
        return told
    if not own or not rules.may_have_given(shown, mine, hospital_day(now)):
        return None
    holder = store.with_identity(db, store.identity_key(shown))
    if holder is not None and holder != known.id and store.his_code(db, holder) != known.his_code:
        return None  # two files for what the hospital says is one person
    if mine.id_type == "NONE":
        return shown if holder is None else told
    new = holder is None and rules.replaces(shown, mine) and len(store.codes_of(db, known.id)) == 1
    return shown if new else mine


def _wire(guardian: Guardian) -> dict[str, str]:
    return {"name": guardian.name, "id_type": guardian.id_type, "id_number": guardian.id_number}


def _leave_to_staff(db: Database, patient_id: str, detail: str, now: datetime) -> None:
    with db.transaction() as tx:
        tasks.add(tx, kind=UNMATCHED, subject_id=patient_id, now=now,
                  detail=f"{detail}; patient.match with the code of the hospital's file ends it")


# -- taking over ------------------------------------------------------------------------------------
def take_over(db: Database, patient_id: str, code: str, card_number: str, told: Identity, now: datetime) -> None:
    """Make ours what the HIS says of a patient, in one transaction; each change leaves an audit entry.

    Raises Rejected (PATIENT_UNKNOWN) when the record is another person's here: a task, and nothing changes. Raises
    Duplicate when another patient got the document meanwhile: nothing changes, it is tried again.
    """
    cipher.ready()
    with db.transaction() as tx:
        known = store.record(tx, patient_id, lock=True)
        shared = _shared_with(tx, known, code, told)
        if shared is None:
            tasks.add(tx, kind=UNMATCHED, subject_id=patient_id, now=now,
                      detail=f"HIS record {code} belongs to another person here; patient.match names the right one")
        else:
            if code != known.his_code:
                store.set_record(tx, patient_id, his_code=code, card_number=card_number, record_of=shared or None,
                                 now=now)
                _note(tx, "patient.record-changed", patient_id, now, {"code": known.his_code}, {"code": code})
                outbox.publish(tx, "patient.refresh", patient_id, due=now, now=now)  # whose phone is on that file?
                for topic in record_store.KNOWN:
                    outbox.publish(tx, topic, patient_id, due=now, now=now)
            _correct(tx, known, told, now)
            tasks.settle(tx, kind=UNMATCHED, subject_id=patient_id, note="found in the HIS", now=now)
    if shared is None:
        raise Rejected(UNKNOWN)


def _shared_with(tx: Transaction, known: Record, code: str, told: Identity) -> str | None:
    """Whose record it is besides this patient's: '' nobody's, None another person's."""
    if code == known.his_code:
        return ""
    holder = store.with_code(tx, code)
    if holder is None or holder[0] == known.id:
        return ""
    return holder[0] if rules.same_person(holder[1], told) else None


def _correct(tx: Transaction, known: Record, told: Identity, now: datetime) -> None:
    mine = known.identity
    told = replace(told, name=mine.name if same_name(mine.name, told.name) else told.name)
    if told == mine:
        return
    for topic in record_store.KNOWN:
        outbox.publish(tx, topic, known.id, due=now, now=now)
    key = None
    if (told.id_type, told.id_number) != (mine.id_type, mine.id_number):
        store.set_identity(tx, known.id, told, store.identity_key(told))
        _note(tx, "patient.document-given", known.id, now, asdict(mine), asdict(told))
        return
    if told.id_type == "NONE":  # found by all that is known of it
        key = store.identity_key(told, known.guardian)
        key = key if store.with_identity(tx, key) is None else None
    store.set_identity(tx, known.id, told, key)
    _note(tx, "patient.corrected", known.id, now, asdict(mine), asdict(told))


def row_for(tx: Transaction, identity: Identity, guardian: Guardian | None, found: his.MatchedPatient,
            now: datetime) -> str:
    """The row of a person whom the HIS has matched, locked; made when there is none. Its id.

    Raises Duplicate ``patients_his`` when the HIS gives another person's record.
    """
    key = store.identity_key(identity, guardian)
    for again in (True, False):
        patient_id = store.with_identity(tx, key, lock=True)
        if patient_id is not None:
            return patient_id
        holder = store.with_code(tx, found.patient_code)
        if holder is not None and not rules.same_person(holder[1], identity):
            raise Duplicate("patients_his")
        if holder is not None and holder[1].id_type == "NONE":  # the child has a document now
            store.set_identity(tx, holder[0], identity, key)
            _note(tx, "patient.document-given", holder[0], now, asdict(holder[1]), asdict(identity))
            return holder[0]
        try:
            return store.insert_patient(tx, identity, key, his_code=found.patient_code, card_number=found.card_number,
                                        record_of=holder[0] if holder else None, now=now)
        except Duplicate:
            if not again:
                raise
    raise AssertionError("unreachable")


def known_as(db: Database, identity: Identity) -> Identity:
    """The identity under which a person is on file already: an old residence card was once taken for a passport."""
    if identity.id_type == "PERMANENT_RESIDENT":
        before = replace(identity, id_type="PASSPORT")
        if store.with_identity(db, store.identity_key(before)) is not None:
            return before
    return identity


def _note(tx: Transaction, action: str, patient_id: str, now: datetime, old: dict[str, object],
          new: dict[str, object]) -> None:
    """An entry of what became other; which fields can be read, their values are sealed."""
    other = sorted(name for name in new if new[name] != old[name])
    audit.record(tx, actor="system", action=action, subject=patient_id, result="done", now=now,
                 detail={"fields": other}, personal={"old": {name: old[name] for name in other},
                                                     "new": {name: new[name] for name in other}})
    log.event(action, patient_id=patient_id)


def look_again(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """The HIS says that a patient's file has changed. Raises Unanswered: it is tried again."""
    refresh(db, job.subject_id, now)
    return None


WORKER: dict[str, outbox.Handler] = {"patient.refresh": look_again}
