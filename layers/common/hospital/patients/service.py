"""Use cases of accounts, patients and consents."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

from msgspec import Struct
from msgspec.structs import replace

from hospital.database import outbox, policy, tasks
from hospital.database.connection import Database, Duplicate, Transaction
from hospital.gateways import wechat
from hospital.gateways.his import persons as his
from hospital.gateways.his.persons import MatchedPatient, PatientFile
from hospital.gateways.outcome import Rejected, Unanswered
from hospital.patients import access, evidence, holders, proof_store, proving, record_store, records, rules, store
from hospital.patients.model import BoundPatient, Guardian, Identity, Proof
from hospital.runtime import log
from hospital.runtime.clock import hospital_day
from hospital.runtime.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    TooMany,
    Unauthorized,
    Unavailable,
)
from hospital.security import audit, cipher, limits, sessions

_TOO_OFTEN = {"45011", "45009"}
_BAD_CODE = {"40029", "40163"}


class NewPatient(Struct, frozen=True):
    """A patient to add. ``consents`` are (purpose, version) pairs that the person ticked."""

    identity: Identity
    phone: str
    relation: str
    guardian: Guardian | None
    consents: frozenset[tuple[str, int]]


class BadCode(BadRequest):
    """WeChat does not take the code: used, expired, or not for this."""

    code, message = "wechat_code_invalid", "微信授权已过期，请重新授权。"


# -- account ----------------------------------------------------------------------------------------
def sign_in(db: Database, *, code: str, secret_hash: str, device: str, address: str, now: datetime
            ) -> tuple[str, datetime]:
    """Exchange a ``wx.login`` code for a session: its token, and when it ends.

    Raises Unauthorized (bad code), Forbidden (WeChat thinks the user a risk), TooMany, Unavailable.
    """
    settings = policy.load(db)
    limits.take("sign_in_per_address", address, settings, now)
    try:
        openid = _ask_wechat(lambda: wechat.sign_in(code))
    except (BadCode, Forbidden) as refusal:
        audit.note(db, actor="unknown", action="session.open", subject="sign-in", result=refusal.code, now=now)
        if isinstance(refusal, Forbidden):
            raise
        raise Unauthorized(refusal.message, code=refusal.code) from None
    limits.take("sign_in_per_account", openid, settings, now)
    cipher.ready()
    with db.transaction() as tx:
        account_id = store.account_of(tx, openid, now)
        return sessions.open_session(tx, account_id, secret_hash, settings, now, device=device)


def set_phone(db: Database, account_id: str, code: str, now: datetime) -> str:
    """Record the account's number, verified by WeChat, of this very WeChat user. Returns it in full.

    Raises BadCode (also when it is another user's), TooMany, Unavailable.
    """
    limits.take("phone", account_id, policy.load(db), now)
    openid = store.openid_of(db, account_id)
    phone = _ask_wechat(lambda: wechat.phone_number(code, openid))
    with db.transaction() as tx:
        before = store.phone_of(tx, account_id)
        store.set_phone(tx, account_id, phone, now)
        audit.record(tx, actor=f"account:{account_id}", action="account.phone", subject=account_id,
                     result="done", now=now, personal={"old": before, "new": phone})
    return phone


def _ask_wechat(question: Callable[[], str]) -> str:
    try:
        return question()
    except Rejected as refusal:
        log.event("wechat.refused", code=refusal.code)
        if refusal.code in _BAD_CODE:
            raise BadCode from None
        if refusal.code == "40226":
            raise Forbidden("您的微信账号存在风险，暂时无法登录。", code="wechat_risk") from None
        raise Unavailable("微信服务繁忙，请稍后重试。" if refusal.code in _TOO_OFTEN else None) from None
    except Unanswered as silence:
        log.event("wechat.unanswered", reason=silence.reason)
        raise Unavailable("微信服务繁忙，请稍后重试。") from None


# -- patients ---------------------------------------------------------------------------------------
def add_patient(db: Database, account_id: str, new: NewPatient, address: str, now: datetime) -> BoundPatient:
    """Match or create a person in the HIS and bind them to the account: FULL when that proves itself, else LIMITED.

    Raises Invalid (guardian missing), ConsentRequired, Conflict (bound already, limits, name does not
    fit the number), TooMany (tries), Unavailable (HIS silent: nothing was bound, try again).
    """
    settings = policy.load(db)
    _check_guardian(new, settings, hospital_day(now))
    _check_consents(db, new, now)
    if rules.age(new.identity.birth_date, hospital_day(now)) >= settings.guardian_below_age:
        new = replace(new, guardian=None)  # nobody else's word is written into the file of who speaks for themselves
    if len(store.bound_patients(db, account_id)) >= settings.patients_per_account:
        raise _too_many_patients(settings)  # before the HIS makes a record; checked again under the lock
    _count_matching(account_id, new, address, settings, now)
    new = replace(new, identity=records.known_as(db, new.identity))
    try:
        record = _match(db, new, now)
    except Conflict as refusal:
        if refusal.code == "patient_mismatch":
            _tell_of_guesses(db, account_id, new, settings, now)
        raise
    proof, file = _proof(db, account_id, new, record, hospital_day(now))
    cipher.ready()
    try:
        known = store.with_identity(db, store.identity_key(new.identity, new.guardian))
        if known is not None:  # the HIS may have merged or corrected the record that we knew; kept whatever follows
            told = replace(new.identity, sex=store.record(db, known).identity.sex)  # the HIS does not compare it
            records.take_over(db, known, record.patient_code, record.card_number, told, now)
        return _bind(db, account_id, new, record, proof, file, now)
    except Duplicate as refusal:
        if refusal.key not in ("patients_his", "patients_his_hash"):
            raise
        with db.transaction() as tx:  # the HIS gives one record to two people: people must look at it
            tasks.add(tx, kind="patient.record-shared", subject_id=account_id, now=now,
                      detail=f"HIS record {record.patient_code} belongs to a patient with another document")
    except Rejected as refusal:
        log.event("patient.refused", code=refusal.code)
    raise Conflict("建档失败，请到人工窗口办理。", code="patient_refused")


def _proof(db: Database, account_id: str, new: NewPatient, record: MatchedPatient, today: date
           ) -> tuple[Proof | None, PatientFile | None]:
    """What proves a record that the HIS has given: that it is new, or what is on its file, and that.

    A silent HIS proves nothing now; it can be asked again once the patient is bound.
    """
    if record.created:
        return "NEW" if store.phone_of(db, account_id) == new.phone else None, None
    try:
        file = his.patient_file(record.patient_code)
        return evidence.by_file(db, account_id, file, today), file
    except (Rejected, Unanswered) as problem:
        log.event("his.unanswered", operation="patient_file", reason=problem.reason)
        return None, None


def _bind(db: Database, account_id: str, new: NewPatient, record: MatchedPatient, proof: Proof | None,
          file: PatientFile | None, now: datetime) -> BoundPatient:
    with db.transaction() as tx:
        store.lock_account(tx, account_id)
        patient_id = records.row_for(tx, new.identity, new.guardian, record, now)
        record_store.lock(tx, patient_id)
        proof_store.given_for(tx, store.identity_key(new.identity, new.guardian), patient_id)
        if proof is not None:
            proof = evidence.worth(tx, account_id, patient_id, file, proof)
        mine = store.bound_patients(tx, account_id)
        _check_limits(tx, mine, patient_id, new.relation)
        if proof is not None and not proving.has_room(tx, account_id, patient_id, proof):
            proof = None  # bound all the same; to prove it says why not
        try:
            store.bind(tx, account_id=account_id, patient_id=patient_id, relation=new.relation, phone=new.phone,
                       guardian=new.guardian, is_default=not mine, level="FULL" if proof else "LIMITED", proof=proof,
                       now=now)
        except Duplicate:
            raise Conflict("该就诊人已添加，无需重复添加。", code="already_bound") from None
        for purpose, version in sorted(new.consents):
            store.grant(tx, account_id=account_id, patient_id=patient_id, purpose=purpose, version=version, now=now)
        audit.record(tx, actor=f"account:{account_id}", action="patient.bind", subject=patient_id,
                     result="done", now=now)
        bound = store.bound_patient(tx, account_id, patient_id)
        assert bound is not None
        holders.announce(tx, bound, account_id, now)
        if not record.created and new.identity.id_type in rules.SEX_IS_TYPED:
            outbox.publish(tx, "patient.refresh", patient_id, due=now, now=now)  # the sex is the file's to say
    return bound


def remove_patient(db: Database, account_id: str, patient_id: str, now: datetime) -> None:
    """End a binding; its consents go with it, what is unpaid is let go, what is paid stays. Raises NotFound."""
    cipher.ready()
    with db.transaction() as tx:
        store.lock_account(tx, account_id)
        binding = proof_store.binding(tx, _mine(tx, account_id, patient_id).binding_id)
        assert binding is not None
        holders.end(tx, binding, by="ACCOUNT", actor=f"account:{account_id}", now=now)


def choose_default(db: Database, account_id: str, patient_id: str, now: datetime) -> None:
    """Make a patient the default. Raises NotFound."""
    with db.transaction() as tx:
        store.lock_account(tx, account_id)
        _mine(tx, account_id, patient_id)
        store.set_default(tx, account_id, patient_id)
        audit.record(tx, actor=f"account:{account_id}", action="patient.default", subject=patient_id, result="done",
                     now=now)


def reveal(db: Database, account_id: str, patient_id: str, *, phone_code: str, sms_code: str, now: datetime
           ) -> BoundPatient:
    """The full record, after a second check. Raises NotBound, and as :func:`check_again`."""
    check_again(db, account_id, patient_id, "patient.reveal", patient_id, phone_code=phone_code, sms_code=sms_code,
                now=now)
    return _mine(db, account_id, patient_id)


def check_again(db: Database, account_id: str, patient_id: str, action: str, subject: str, *, phone_code: str,
                sms_code: str, now: datetime) -> None:
    """A second check that nobody can type in: the phone on the HIS's file is in their hand.

    ``phone_code`` is WeChat's, of the number that it verifies now; ``sms_code`` was sent to the phone on file.
    ``action`` and ``subject`` are what the audit keeps, both ways. Raises NotBound, NotProven, ConsentRequired,
    BadCode, WrongCode, Forbidden (another number), RecordChanged, Unavailable, TooMany.
    """
    access.check(db, account_id, patient_id, "RECORD", now)
    limits.take("reveal", f"{account_id}:{record_store.record_id(db, patient_id)}", policy.load(db), now)
    number = None if sms_code else _ask_wechat(
        lambda: wechat.phone_number(phone_code, store.openid_of(db, account_id)))
    on_file = proving.on_file(db, patient_id, now).phone
    cipher.ready()
    with db.transaction() as tx:
        matches = (number == on_file if number is not None
                   else proving.take_code(tx, account_id, patient_id, sms_code, on_file, now))
        audit.record(tx, actor=f"account:{account_id}", action=action, subject=subject,
                     result="done" if matches else "refused", now=now)
    if not matches and sms_code:
        raise proving.WrongCode
    if not matches:
        raise Forbidden("验证的手机号与就诊人在医院预留的手机号不一致。", code="phone_mismatch")


def _mine(source: Database | Transaction, account_id: str, patient_id: str) -> BoundPatient:
    bound = store.bound_patient(source, account_id, patient_id)
    if bound is None:
        raise access.NotBound
    return bound


def _check_guardian(new: NewPatient, settings: policy.Policy, today: date) -> None:
    if rules.age(new.identity.birth_date, today) >= settings.guardian_below_age:
        if new.identity.id_type in rules.FOR_CHILDREN:
            raise Invalid(f"{settings.guardian_below_age}周岁及以上的就诊人请使用本人身份证件。",
                          fields=["id_type"])
        return
    if new.guardian is None:
        raise Invalid(f"未满{settings.guardian_below_age}周岁的就诊人须填写监护人信息。",
                      code="guardian_required", fields=["guardian"])
    if new.relation == "SELF":
        raise Invalid(f"未满{settings.guardian_below_age}周岁的就诊人须由监护人添加。", fields=["relation"])
    if new.guardian.id_type in rules.FOR_CHILDREN:
        raise Invalid("监护人须使用本人身份证件。", fields=["guardian.id_type"])
    if (new.guardian.id_type, new.guardian.id_number) == (new.identity.id_type, new.identity.id_number):
        raise Invalid("监护人不能是就诊人本人。", fields=["guardian"])


def _check_consents(db: Database, new: NewPatient, now: datetime) -> None:
    needed = {"HEALTH_DATA"} | ({"CHILD_GUARDIAN"} if new.guardian else set())
    in_force = {(row["purpose"], row["version"]) for row in store.consent_texts(db, now)
                if row["purpose"] in needed}
    missing = in_force - new.consents
    if missing:
        raise access.ConsentRequired(fields=sorted(purpose for purpose, _ in missing))
    if new.consents - in_force:
        raise Invalid("授权书版本有误，请刷新后重试。", fields=["consents"])


def _check_limits(tx: Transaction, mine: list[BoundPatient], patient_id: str, relation: str) -> None:
    settings = policy.load(tx)
    if len(mine) >= settings.patients_per_account:
        raise _too_many_patients(settings)
    if relation == "SELF" and ({one.id for one in mine if one.relation == "SELF"}
                               - set(record_store.of_record(tx, patient_id))):  # one has several documents
        raise Conflict("您已添加过本人，请选择其他关系。", code="self_exists")


def _too_many_patients(settings: policy.Policy) -> Conflict:
    return Conflict(f"每个账号最多添加{settings.patients_per_account}位就诊人。", code="too_many_patients")


def _count_matching(account_id: str, new: NewPatient, address: str, settings: policy.Policy, now: datetime) -> None:
    """Each question to the HIS may be a guess at the name that goes with somebody's number. Raises TooMany."""
    known = new.guardian if new.identity.id_type == "NONE" and new.guardian is not None else new.identity
    limits.take_all({"matching_per_document": f"{account_id}:{known.id_type}:{known.id_number}",
                     "matching_per_account": account_id, "matching_per_address": address}, settings, now)


def _tell_of_guesses(db: Database, account_id: str, new: NewPatient, settings: policy.Policy, now: datetime) -> None:
    """Wrong names for one number, from whichever accounts, are staff's to look at once there are too many.

    Nobody is refused for it: by the number alone a stranger could keep its owner away.
    """
    key = store.identity_key(new.identity, new.guardian)
    try:
        limits.take("wrong_names", key.hex(), settings, now)
    except TooMany:
        with db.transaction() as tx:
            tasks.add(tx, kind="patient.guessed", subject_id=store.with_identity(tx, key) or account_id, now=now,
                      detail=f"many wrong names for one document number, the latest by account {account_id}. Ends with "
                             "task.close")


def _match(db: Database, new: NewPatient, now: datetime) -> MatchedPatient:
    try:
        return records.match(db, new.identity, new.phone, new.guardian, now)
    except Rejected as refusal:
        log.event("his.refused", operation="match_patient", code=refusal.code)
        if refusal.code == "PATIENT_MISMATCH":
            raise Conflict("姓名与证件号码不符，请核对；如曾用其他姓名建档，请到人工窗口办理。",
                           code="patient_mismatch") from None
        raise Conflict("建档失败，请到人工窗口办理。", code="patient_refused") from None
    except Unanswered as silence:
        log.event("his.unanswered", operation="match_patient", reason=silence.reason)
        raise Unavailable("医院系统繁忙，请稍后重试。", code="his_unavailable") from None


# -- consents ---------------------------------------------------------------------------------------
def grant(db: Database, account_id: str, *, patient_id: str, purpose: str, version: int, now: datetime) -> None:
    """Consent to the text in force. Raises NotFound (not my patient), Conflict (another version is in force)."""
    with db.transaction() as tx:
        _mine(tx, account_id, patient_id)
        if (purpose, version) not in {(row["purpose"], row["version"]) for row in store.consent_texts(tx, now)}:
            raise Conflict("授权书已更新，请重新阅读后同意。", code="consent_outdated")
        store.grant(tx, account_id=account_id, patient_id=patient_id, purpose=purpose, version=version, now=now)
        audit.record(tx, actor=f"account:{account_id}", action=f"consent.grant.{purpose}", subject=patient_id,
                     result=f"version {version}", now=now)


def withdraw(db: Database, account_id: str, *, patient_id: str, purpose: str, now: datetime) -> None:
    """Withdraw a consent: from now on nothing is read, shown or told of the patient, and what is unpaid is let go.

    Raises NotFound.
    """
    with db.transaction() as tx:
        store.lock_bound(tx, account_id, patient_id)  # what is being ordered with it is there before, or fails
        bound = _mine(tx, account_id, patient_id)
        if not store.withdraw(tx, account_id=account_id, patient_id=patient_id, purpose=purpose, now=now):
            raise NotFound("未找到该授权记录。", code="consent_not_found")
        audit.record(tx, actor=f"account:{account_id}", action=f"consent.withdraw.{purpose}",
                     subject=patient_id, result="done", now=now)
        holders.let_go(tx, bound.binding_id, now)
