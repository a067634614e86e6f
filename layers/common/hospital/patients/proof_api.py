"""Routes of proof: that a record is mine, the full record, and who else holds it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from pydantic import Field, model_validator

from hospital.database.connection import database
from hospital.database.policy import load as load_policy
from hospital.patients import holders, proving, rules, service
from hospital.patients.model import Level, Relation
from hospital.patients.views import PatientView, view
from hospital.runtime.clock import utc_now
from hospital.runtime.http import Api, Model
from hospital.security.sessions import Caller

WeChatCode = Annotated[str, Field(min_length=1, max_length=128)]
SmsCode = Annotated[str, Field(pattern=r"^[0-9]{6}$")]
NO_CARD = "档案由本账号在线新建，医院尚未核对证件，就诊卡号暂不显示。请携带证件到人工窗口核验后再查看。"


class CodeSent(Model):
    """A code on its way to the phone on file, whose last digits are shown."""

    phone: str
    expires_at: datetime


class Visit(Model):
    """What is on the card, and on the ticket of a visit or on a receipt."""

    card_number: Annotated[str, Field(pattern=r"^[!-~]{4,64}$")]
    number: Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]{4,64}$")]


class ProofIn(Model):
    """How: by a code that was sent, by a visit, or (neither) by the account's verified phone or a proven guardian."""

    sms_code: SmsCode | None = None
    visit: Visit | None = None

    @model_validator(mode="after")
    def _is_one(self) -> ProofIn:
        if self.sms_code is not None and self.visit is not None:
            raise ValueError("one proof at a time")
        return self


class SecondCheck(Model):
    """The phone on file is in the caller's hand: by a ``getPhoneNumber`` code, or by a code that was sent to it."""

    code: WeChatCode | None = None
    sms_code: SmsCode | None = None

    @model_validator(mode="after")
    def _is_one(self) -> SecondCheck:
        if (self.code is None) == (self.sms_code is None):
            raise ValueError("code or sms_code, one of the two")
        return self


class FullPatient(Model):
    """A patient's full record, after the second check. ``card_note``: why there is no card number, and what to do."""

    name: str
    id_number: str
    phone: str
    card_number: str
    card_note: str
    birth_date: date


class HolderView(Model):
    """Another account that holds the record; its phone is masked, null when WeChat has verified none.

    ``can_end``: whether the caller may end that hold; not one that is proven better than their own.
    """

    id: str
    phone: str | None
    relation: Relation
    level: Level
    bound_at: datetime
    can_end: bool


class Holders(Model):
    """Who else holds the record, the first one first."""

    holders: list[HolderView]


def register(api: Api) -> None:
    """Add the routes to the function's."""
    api.post("/patients/<patient_id>/proof-codes", status=202)(send_code)
    api.post("/patients/<patient_id>/proof")(prove)
    api.post("/patients/<patient_id>/reveal")(reveal)
    api.get("/patients/<patient_id>/holders")(list_holders)
    api.delete("/patients/<patient_id>/holders/<binding_id>")(end_holder)


def send_code(caller: Caller, patient_id: str) -> CodeSent:
    """Send a code to the phone that the hospital has on file."""
    sent = proving.send_code(database(), caller.account_id, patient_id, utc_now())
    return CodeSent(phone=sent.phone, expires_at=sent.expires_at)


def prove(caller: Caller, patient_id: str, body: ProofIn) -> PatientView:
    """Prove that a record is mine or my child's: the binding is FULL from then on."""
    db, account_id, now = database(), caller.account_id, utc_now()
    if body.sms_code is not None:
        bound = proving.by_code(db, account_id, patient_id, body.sms_code, now)
    elif body.visit is not None:
        bound = proving.by_visit(db, account_id, patient_id, card_number=body.visit.card_number,
                                 number=body.visit.number, now=now)
    else:
        bound = proving.by_what_is_on_file(db, account_id, patient_id, now)
    return view(account_id, bound)


def reveal(caller: Caller, patient_id: str, body: SecondCheck) -> FullPatient:
    """The full record, after a second check of the phone on the hospital's file."""
    one = service.reveal(database(), caller.account_id, patient_id, phone_code=body.code or "",
                         sms_code=body.sms_code or "", now=utc_now())
    made = one.proof == "NEW"  # whose record it is nobody has looked at, and with the card one proves more
    return FullPatient(name=one.identity.name, id_number=one.identity.id_number, phone=one.phone,
                       card_number="" if made else one.card_number, card_note=NO_CARD if made else "",
                       birth_date=one.identity.birth_date)


def list_holders(caller: Caller, patient_id: str) -> Holders:
    """Which other accounts hold the record."""
    db = database()
    settings = load_policy(db)
    mine, others = holders.others(db, caller.account_id, patient_id, utc_now())
    return Holders(holders=[HolderView(
        id=one.binding_id, phone=rules.mask_phone(one.phone) if one.phone else None, relation=one.relation,
        level=rules.level_of(one.level, settings), bound_at=one.bound_at,
        can_end=rules.may_end(mine, rules.level_of(one.level, settings), one.proof)) for one in others])


def end_holder(caller: Caller, patient_id: str, binding_id: str) -> None:
    """End another account's hold on the record."""
    holders.end_other(database(), caller.account_id, patient_id, binding_id, utc_now())
