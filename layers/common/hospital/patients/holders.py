"""Who holds a record: all concerned are told of a new holder, a proven one sees the others and ends what is wrong."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from hospital.database import outbox, policy, tasks
from hospital.database.connection import Database, Transaction
from hospital.gateways import sms
from hospital.gateways.his import persons as his
from hospital.gateways.outcome import Rejected, Unanswered
from hospital.messages import service as messages
from hospital.messages import wording
from hospital.messages.rules import nameless, time_text
from hospital.patients import access, proof_store, proving, record_store, records, rules, store
from hospital.patients.model import BoundPatient, EndedBy, Holder, Proof
from hospital.runtime import log
from hospital.runtime.clock import hospital_day
from hospital.runtime.errors import Forbidden, NotFound, TooMany
from hospital.security import audit, cipher, limits

TELL = "binding.tell"
UNTOLD = "binding.untold"  # a kind of task: the phone on file does not know of a binding
DAY = timedelta(days=1)
FRESH = timedelta(minutes=10)  # so long ago at most a number was verified that is in its owner's hand
LATER = timedelta(minutes=10)  # else the platform, which sends no two within 30 s, would refuse the code that is next
# What an account had begun for a patient and may not go on with is ended by who knows how; the subject is the binding.
LET_GO = ("booking.let-go", "waitlist.let-go", "checkin.let-go", "billing.let-go")

class HolderUnknown(NotFound):
    """Nobody holds the record by that binding, or no more."""

    code, message = "holder_not_found", "未找到该绑定关系，请刷新后重试。"


# -- being told -------------------------------------------------------------------------------------
def announce(tx: Transaction, bound: BoundPatient, account_id: str, now: datetime) -> None:
    """Tell who has bound a person, all who hold the record already, by whichever document, and the phone on file."""
    proven_last = sorted(proof_store.holders(tx, bound.id), key=lambda one: one.level == "FULL")
    told = {one.account_id: one for one in proven_last
            if one.account_id != account_id or one.binding_id == bound.binding_id}
    for holder in told.values():
        mine = holder.account_id == account_id
        key = f"bound.{bound.binding_id}" + ("" if mine else f".{holder.account_id}")
        data = {"patient": store.patient_name(tx, holder.patient_id), "card": card_text(tx, bound, holder),
                "time": time_text(now), "note": "就诊人绑定成功" if mine else "另一微信账号绑定了该就诊人"}
        messages.queue(tx, account_id=holder.account_id, patient_id=holder.patient_id, kind=messages.PATIENT_BOUND,
                       key=key, data=data, about=wording.about("patient", holder.patient_id), now=now)
    outbox.publish(tx, TELL, bound.binding_id, due=now + LATER, now=now)
    for topic in record_store.KNOWN:
        outbox.publish(tx, topic, bound.id, due=now, now=now)


def card_text(tx: Transaction, bound: BoundPatient, holder: Holder) -> str:
    """A card in a message: never whole, and nothing of it for who has not proven that it is theirs."""
    proven = rules.level_of(holder.level, policy.load(tx)) == "FULL"
    return rules.mask_number(bound.card_number) if proven else "-"


def tell_phone(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """Tell the phone on file by SMS of a new binding that is not its own account's. Raises Unanswered (the HIS).

    At most once, and so often an hour and a day: who binds again and again must not make the phone ring, nor keep its
    owner's codes from it. What SMS refuses is told later that day: else a code in time would silence it. In the end
    staff are told.
    """
    binding, settings = proof_store.binding(db, job.subject_id), policy.load(db)
    if binding is None or binding.proof == "SMS" or (binding.proof == "PHONE" and _has_it_now(binding)):
        return None  # whoever has that phone knows
    if not (settings.sms_app_id and settings.sms_bound_template):
        return None
    # Those that came after it do not count: else who binds often enough would keep the phone from being told at all.
    if proof_store.bound_since(db, binding, binding.bound_at - DAY) > settings.bound_notices_per_day:
        return None
    try:
        phone = records.with_code(db, binding.patient_id, his.patient_file, now).phone
    except Rejected as refusal:
        log.event("his.refused", operation="patient_file", code=refusal.code)
        return None
    if phone is None or phone.startswith("+") or (phone == binding.phone and _has_it_now(binding)):
        return None
    try:
        limits.take("notices", phone, settings, now)
        sms.send(phone, settings.sms_bound_template, [f"{hospital_day(binding.bound_at):%Y-%m-%d}"],
                 app_id=settings.sms_app_id, sign=settings.sms_sign)
    except TooMany as refusal:
        return _later(db, binding, "another text", timedelta(seconds=refusal.wait), now)
    except Unanswered as silence:
        log.event("sms.unanswered", reason=silence.reason)
    except Rejected as refusal:
        log.event("sms.refused", code=refusal.code)
        if refusal.code not in sms.UNREACHABLE:
            if refusal.code not in sms.TOO_OFTEN and not sms.is_busy(refusal.code):
                proving.tell_staff(db, refusal, now)
            return _later(db, binding, refusal.code, LATER, now)
    return None


def _later(db: Database, binding: Holder, reason: str, after: timedelta, now: datetime) -> outbox.Again | None:
    """Within a day of the binding; after that it is staff's to look at, while it stands."""
    if now < binding.bound_at + DAY:
        return outbox.Again(after)
    bound = store.bound_patient(db, binding.account_id, binding.patient_id)
    if bound is not None and bound.binding_id == binding.binding_id:
        with db.transaction() as tx:
            tasks.add(tx, kind=UNTOLD, subject_id=binding.binding_id, now=now,
                      detail=f"for a day the phone on file could not be told of this binding: {reason}. "
                             "Ends with binding.end, or binding.vouch once the window has seen them, or task.close")
    return None


def _has_it_now(binding: Holder) -> bool:
    """Whether a holder's number was verified as they bound the record: one of long ago may be somebody else's now."""
    return binding.phone_verified_at is not None and binding.phone_verified_at > binding.bound_at - FRESH


# -- seeing and ending ------------------------------------------------------------------------------
def others(db: Database, account_id: str, patient_id: str, now: datetime) -> tuple[Proof | None, list[Holder]]:
    """The account's own proof, and which others hold the record. Raises NotBound, NotProven, ConsentRequired."""
    access.check(db, account_id, patient_id, "RECORD", now)
    mine = store.bound_patient(db, account_id, patient_id)
    return (mine.proof if mine else None,
            [one for one in proof_store.holders(db, patient_id) if one.account_id != account_id])


def end_other(db: Database, account_id: str, patient_id: str, binding_id: str, now: datetime) -> None:
    """A proven holder ends another account's binding. Repeatable.

    Raises NotBound, NotProven, ConsentRequired, HolderUnknown, Forbidden (proven better than the caller's).
    """
    cipher.ready()
    with db.transaction() as tx:
        settings = policy.load(tx)
        access.act_for(tx, account_id, patient_id, "RECORD", settings, now)
        mine = store.bound_patient(tx, account_id, patient_id)
        other = proof_store.binding(tx, binding_id)
        if (mine is None or other is None or other.account_id == account_id
                or other.patient_id not in record_store.of_record(tx, patient_id)):
            raise HolderUnknown
        if not rules.may_end(mine.proof, rules.level_of(other.level, settings), other.proof):
            raise Forbidden("对方的核验方式更可靠，请您先完成手机号核验，或到人工窗口办理。",
                            code="proven_better")
        if rules.is_strangers(rules.level_of(other.level, settings), other.proof, mine.proof):
            other = strangers(tx, other, now)
        end(tx, other, by="HOLDER", actor=f"account:{account_id}", ended_with=mine.proof, now=now)


def strangers(tx: Transaction, binding: Holder, now: datetime) -> Holder:
    """A hold that is about to be ended as a stranger's: what it took goes back, also by who had made the record.

    That they had made it stays known: what they typed then is on the file for nobody's proof.
    """
    proof: Proof | None = "NEW" if binding.proof == "NEW" else None
    proof_store.set_level(tx, binding.binding_id, "LIMITED", proof, now)
    return replace(binding, level="LIMITED", proof=proof)


def end(tx: Transaction, binding: Holder, *, by: EndedBy, actor: str, now: datetime,
        ended_with: Proof | None = None) -> bool:
    """End a binding: its consents go with it, what it had begun is let go, its account is told. False: it had ended.

    ``ended_with``: the proof of the holder who ends it.
    """
    bound = store.bound_patient(tx, binding.account_id, binding.patient_id)
    consented = access.may(tx, binding.account_id, binding.patient_id, "OWN", now)
    if bound is None or bound.binding_id != binding.binding_id or not store.unbind(
            tx, binding.binding_id, by, ended_with, now):
        return False
    store.withdraw(tx, account_id=binding.account_id, patient_id=binding.patient_id, purpose=None, now=now)
    rest = store.bound_patients(tx, binding.account_id)
    if bound.is_default and rest:
        store.set_default(tx, binding.account_id, rest[0].id)
    audit.record(tx, actor=actor, action="patient.unbind", subject=binding.patient_id, result="done", now=now)
    told = {"patient": bound.identity.name, "card": card_text(tx, bound, binding), "time": time_text(now),
            "note": "就诊人已解除绑定"}
    messages.queue(tx, account_id=binding.account_id, patient_id=binding.patient_id, kind=messages.PATIENT_UNBOUND,
                   key=f"unbound.{binding.binding_id}", data=told if consented else nameless(told),
                   about=wording.about("patients"), now=now)
    tasks.settle(tx, kind=UNTOLD, subject_id=binding.binding_id, note="ended", now=now)
    let_go(tx, binding.binding_id, now)
    return True


def let_go(tx: Transaction, binding_id: str, now: datetime) -> None:
    """What the binding's account had begun for the patient is looked at: it may not go on with it."""
    for topic in LET_GO:
        outbox.publish(tx, topic, binding_id, due=now, now=now)


WORKER: dict[str, outbox.Handler] = {TELL: tell_phone}
