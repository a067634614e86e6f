"""Proof of possession: that a record is the account's own, or its child's.

Name and document number are known to many. A record is shown only to who holds what the hospital itself wrote down:
the phone on its file (as WeChat verified the account's, or by a code sent to it), the card with a recent visit's or
receipt's number, or, for a child, the guardian on file. Decision: ``docs/decisions/0015-whose-record.md``.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

from msgspec import Struct

from hospital.database import outbox, policy, tasks
from hospital.database.connection import Database, Transaction
from hospital.gateways import sms
from hospital.gateways.his import persons as his
from hospital.gateways.his.persons import PatientFile
from hospital.gateways.outcome import Rejected, Unanswered
from hospital.patients import access, evidence, proof_store, record_store, records, rules, store
from hospital.patients.model import BoundPatient, Level, Proof
from hospital.runtime import log
from hospital.runtime.clock import hospital_day, later_text
from hospital.runtime.errors import BadRequest, Conflict, Forbidden, TooMany, Unavailable
from hospital.security import audit, cipher, limits

APART = timedelta(minutes=1)  # codes for one account and patient: the platform sends no two within 30 s
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
OTHERWISE = "，或使用其他核验方式"
REFUSED = "sms.refused"  # a kind of task: SMS does not take our settings


class WrongCode(BadRequest):
    """Not the code that was sent, or no more: used, over, superseded, or tried too often."""

    code, message = "code_wrong", "验证码有误或已失效，请核对后重试，或重新获取验证码。"


class NotTheirs(Forbidden):
    """What was shown is not what the hospital has on file."""

    code, message = "proof_refused", "核验未通过，请核对后重试，或携带证件到人工窗口办理。"


class EndedBefore(NotTheirs):
    """Another holder, or staff, have ended the account's hold, and what is shown is no newer than that."""

    message = "您对该就诊人的绑定曾被解除：请重新验证手机号后再试，或使用短信验证码，或携带证件到人工窗口办理。"


class TooOften(TooMany):
    """Enough for now: of what, until when, and what may be done instead."""

    code = "proof_too_often"

    def __init__(self, what: str, until: datetime, now: datetime, *, instead: str = "") -> None:
        wait = max(0.0, (until - now).total_seconds())
        super().__init__(f"{what}，请于{later_text(wait, now)}再试{instead}。", wait=wait)


class Sent(Struct, frozen=True):
    """A code on its way: to which phone (its last two digits), and until when it is good."""

    phone: str
    expires_at: datetime


# -- what the file shows ----------------------------------------------------------------------------
def on_file(db: Database, patient_id: str, now: datetime) -> PatientFile:
    """The HIS's file of a patient as it is now. Raises RecordChanged, Unavailable."""
    try:
        return records.with_code(db, patient_id, his.patient_file, now)
    except Rejected as refusal:
        log.event("his.refused", operation="patient_file", code=refusal.code)
        raise records.RecordChanged from None
    except Unanswered as silence:
        raise _his_unavailable("patient_file", silence) from None


def _his_unavailable(operation: str, silence: Unanswered) -> Unavailable:
    log.event("his.unanswered", operation=operation, reason=silence.reason)
    return Unavailable("医院系统繁忙，请稍后重试。", code="his_unavailable")


# -- proving ----------------------------------------------------------------------------------------
def by_what_is_on_file(db: Database, account_id: str, patient_id: str, now: datetime) -> BoundPatient:
    """Prove a binding by the account's verified phone, or by its guardian. Repeatable.

    Raises NotBound, ConsentRequired, NotTheirs, RecordChanged, Unavailable, Conflict (too many hold it).
    """
    access.check(db, account_id, patient_id, "OWN", now)
    file = on_file(db, patient_id, now)
    return _decide(db, account_id, patient_id, evidence.by_file(db, account_id, file, hospital_day(now)), now, file)


def by_code(db: Database, account_id: str, patient_id: str, code: str, now: datetime) -> BoundPatient:
    """Prove a binding by the code that was sent to the phone on file.

    Raises NotBound, ConsentRequired, WrongCode, RecordChanged, Unavailable, Conflict (too many hold it).
    """
    access.check(db, account_id, patient_id, "OWN", now)
    file = on_file(db, patient_id, now)
    return _decide(db, account_id, patient_id, "SMS", now, file, by=lambda tx: take_code(
        tx, account_id, patient_id, code, file.phone, now))


def by_visit(db: Database, account_id: str, patient_id: str, *, card_number: str, number: str, now: datetime
             ) -> BoundPatient:
    """Prove a binding by the card and the number of a recent visit or receipt; each try counts.

    Raises NotBound, ConsentRequired, NotTheirs, TooOften, RecordChanged, Unavailable, Conflict (too many hold it).
    """
    access.check(db, account_id, patient_id, "OWN", now)
    settings = policy.load(db)
    with db.transaction() as tx:
        store.lock_account(tx, account_id)
        tries = proof_store.tries_since(tx, account_id, patient_id, now - DAY)
        until = rules.allowed_again(tries, settings.proof_tries, DAY, now)
        if until is not None:
            raise TooOften("核验次数过多", until, now, instead="，或到人工窗口办理")
        proof_store.insert_try(tx, account_id, patient_id, now)
    today = hospital_day(now)
    oldest = today - timedelta(days=settings.proof_visit_days)
    try:
        told = records.with_code(db, patient_id, lambda patient_code: his.check_visit(
            patient_code, card_number=card_number, number=number), now)
    except Rejected as refusal:
        log.event("his.refused", operation="check_visit", code=refusal.code)
        if refusal.code == records.UNKNOWN:
            raise records.RecordChanged from None
        told = his.VisitChecked(known=False)
    except Unanswered as silence:
        raise _his_unavailable("check_visit", silence) from None
    recent = told.known and told.on is not None and settings.proof_visit_days > 0 and oldest <= told.on <= today
    on_paper = recent and not proof_store.is_told_by_app(db, number)
    return _decide(db, account_id, patient_id, "VISIT" if on_paper else None, now)


def _decide(db: Database, account_id: str, patient_id: str, proof: Proof | None, now: datetime,
            file: PatientFile | None = None, *, by: Callable[[Transaction], bool] = lambda _: True) -> BoundPatient:
    """Write what came of it, audited both ways; what rests on a file is worth what the file's word is.

    ``by``: what is used up by it, and is taken back where it fails.
    Raises WrongCode when that is not good, NotTheirs.
    """
    cipher.ready()
    with db.transaction() as tx:
        store.lock_account(tx, account_id)
        if store.lock_bound(tx, account_id, patient_id) is None:
            raise access.NotBound
        bound = store.bound_patient(tx, account_id, patient_id)
        assert bound is not None
        good = by(tx)
        shown, proof = proof, evidence.worth(tx, account_id, patient_id, file, proof) if proof is not None else None
        audit.record(tx, actor=f"account:{account_id}", action="patient.prove", subject=patient_id,
                     result=proof if good and proof else "refused", now=now)
        if good and proof is not None:
            check_room(tx, account_id, patient_id, proof)
            proof_store.set_level(tx, bound.binding_id, "FULL", proof, now)
            for topic in record_store.KNOWN:
                outbox.publish(tx, topic, patient_id, due=now, now=now)
            proof_store.forget_tries(tx, account_id, patient_id)
    if not good:
        raise WrongCode
    if proof is None:
        raise NotTheirs if shown is None else EndedBefore
    bound = store.bound_patient(db, account_id, patient_id)
    if bound is None:  # ended in this moment
        raise access.NotBound
    return bound


def check_room(tx: Transaction, account_id: str, patient_id: str, proof: Proof) -> None:
    """Raise Conflict when as many other accounts have proven to hold a record (locked) as the hospital allows."""
    if not has_room(tx, account_id, patient_id, proof):
        raise Conflict("该就诊人已被多个账号绑定，请先在原账号解除绑定。", code="too_many_accounts")


def has_room(tx: Transaction, account_id: str, patient_id: str, proof: Proof) -> bool:
    """Whether one more account may be proven by this; whoever is proven less well takes nobody's place."""
    others = proof_store.proven_by_others(tx, account_id, patient_id)
    return rules.has_room(proof, others, policy.load(tx).accounts_per_patient)


# -- codes ------------------------------------------------------------------------------------------
def send_code(db: Database, account_id: str, patient_id: str, now: datetime) -> Sent:
    """Send a code to the phone on file; those of before are worth nothing then.

    Raises NotBound, ConsentRequired, Conflict (no SMS here, no phone on file), TooOften, TooMany, RecordChanged,
    Unavailable.
    """
    access.check(db, account_id, patient_id, "OWN", now)
    settings = policy.load(db)
    if not (settings.sms_app_id and settings.sms_code_template):
        raise Conflict("医院暂未开通短信验证，请使用其他核验方式，或到人工窗口办理。", code="sms_not_offered")
    phone = on_file(db, patient_id, now).phone
    template = (settings.sms_code_template_abroad if phone is not None and phone.startswith("+")
                else settings.sms_code_template)
    if phone is None or not template:
        raise Conflict("医院档案中没有可接收短信的手机号，请使用就诊卡核验，或到人工窗口登记手机号。",
                       code="no_phone_on_file")
    limits.take("codes_per_account", account_id, settings, now)
    limits.take("codes", f"{account_id}:{phone}", settings, now)
    code = f"{secrets.randbelow(10 ** 6):06d}"
    expires_at = now + timedelta(minutes=settings.proof_code_minutes)
    cipher.ready()
    with db.transaction() as tx:
        store.lock_account(tx, account_id)
        bound = store.lock_bound(tx, account_id, patient_id)  # one at a time of all who are bound to this record
        if bound is None:
            raise access.NotBound
        refusal = _too_often(tx, account_id, patient_id, phone, rules.level_of(bound["level"], settings), settings, now)
        if refusal is not None:
            raise refusal
        code_id = proof_store.insert_code(tx, account_id=account_id, patient_id=patient_id, phone=phone, code=code,
                                          expires_at=expires_at, now=now)
        audit.record(tx, actor=f"account:{account_id}", action="patient.code", subject=patient_id, result="sent",
                     now=now)
    try:
        sms.send(phone, template, [code, str(settings.proof_code_minutes)],
                 app_id=settings.sms_app_id, sign=settings.sms_sign)
    except Unanswered as silence:  # it may arrive, and is good then
        log.event("sms.unanswered", reason=silence.reason)
    except Rejected as refused:
        raise _not_sent(db, code_id, refused, now) from None
    return Sent(rules.mask_tail(phone), expires_at)


def _too_often(tx: Transaction, account_id: str, patient_id: str, phone: str, level: Level, settings: policy.Policy,
               now: datetime) -> TooOften | None:
    """The refusal of one more code. Those of strangers keep no proven holder from theirs."""
    mine = proof_store.codes_since(tx, account_id, patient_id, now - DAY)
    until = rules.allowed_again(mine, settings.proof_codes_per_day, DAY, now)
    if until is not None:
        return TooOften("获取验证码次数过多", until, now, instead=OTHERWISE)
    until = rules.allowed_again(mine, 1, APART, now)
    if until is not None:
        return TooOften("验证码刚刚发出", until, now)
    if level == "FULL":
        return None
    sent = proof_store.codes_to(tx, phone, now - DAY)
    until = max(rules.allowed_again(sent, settings.proof_codes_per_phone_and_hour, HOUR, now) or now,
                rules.allowed_again(sent, settings.proof_codes_per_phone_and_day, DAY, now) or now)
    return TooOften("该手机号收到的验证码过多", until, now, instead=OTHERWISE) if until > now else None


def _not_sent(db: Database, code_id: str, refusal: Rejected, now: datetime) -> TooOften | Conflict | Unavailable:
    log.event("sms.refused", code=refusal.code)
    with db.transaction() as tx:
        proof_store.forget_code(tx, code_id)
    if refusal.code in sms.TOO_OFTEN:
        return TooOften("该手机号接收短信过多", sms.may_again_at(refusal.code, now), now, instead=OTHERWISE)
    if sms.is_busy(refusal.code):
        return Unavailable("短信服务繁忙，请稍后重试，或使用其他核验方式。", code="sms_unavailable")
    if refusal.code in sms.UNREACHABLE:
        return Conflict("医院档案中的手机号无法接收短信，请使用就诊卡核验，或到人工窗口登记手机号。",
                        code="no_phone_on_file")
    tell_staff(db, refusal, now)
    return Unavailable("短信服务暂不可用，请稍后重试，或使用其他核验方式。", code="sms_unavailable")


def tell_staff(db: Database, refusal: Rejected, now: datetime) -> None:
    """SMS takes something of our settings no more: one task a cause."""
    with db.transaction() as tx:
        tasks.add(tx, kind=REFUSED, subject_id=refusal.code[:64], now=now,
                  detail=f"SMS refuses: {refusal.code}; settings.change of sms_*, or the SMS console. Ends with "
                         "task.close")


def take_code(tx: Transaction, account_id: str, patient_id: str, code: str, phone: str | None, now: datetime) -> bool:
    """Whether a code is the one that was sent, to the phone that is on file: used up together with what it proves.

    A wrong one is counted and audited: the caller lets the transaction commit, and raises WrongCode after it.
    """
    sent = proof_store.live_code(tx, account_id, patient_id, policy.load(tx).proof_tries, now)
    right = sent is not None and hmac.compare_digest(sent.code_hash, proof_store.code_hash(sent.id, code))
    if sent is not None and right:
        proof_store.use_code(tx, sent.id, now)
        if phone is not None and proof_store.phone_hash(phone) == sent.phone_hash:
            return True
    elif sent is not None:
        proof_store.count_try(tx, sent.id)
    audit.record(tx, actor=f"account:{account_id}", action="patient.code", subject=patient_id, result="wrong", now=now)
    return False
