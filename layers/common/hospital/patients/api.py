"""The ``account`` function: signing in, patients, consents."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated

from msgspec.structs import asdict
from pydantic import Field, field_validator, model_validator

from hospital.database.connection import database
from hospital.patients import access, consent_api, proof_api, rules, service, store
from hospital.patients.consent_api import ConsentIn
from hospital.patients.model import Guardian, Identity, IdType, Relation, Sex
from hospital.patients.views import PatientView, view
from hospital.runtime import canonical
from hospital.runtime.clock import hospital_day, utc_now
from hospital.runtime.errors import Invalid, NotFound
from hospital.runtime.http import Api, Call, Model
from hospital.security import sessions
from hospital.security.sessions import Caller, authenticate
from hospital.security.watch import watch

api = Api("account", authenticate, watch)

Code = Annotated[str, Field(min_length=1, max_length=128)]


class SignIn(Model):
    """A ``wx.login`` code, and the SHA-256 (hex) of a secret that only this client knows.

    ``device`` is what the client calls the phone (``wx.getDeviceInfo``): only for its owner's list of sessions.
    """

    code: Code
    secret_hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    device: Annotated[canonical.Text, Field(max_length=64)] = ""


class Session(Model):
    """A token; useless without the secret, which goes into ``X-Client-Secret`` of every request."""

    token: str
    expires_at: datetime


class SessionView(Model):
    """A session of this account. ``last_used_at`` may lag behind by five minutes; ``id`` opens nothing."""

    id: str
    device: str
    started_at: datetime
    last_used_at: datetime
    expires_at: datetime
    is_current: bool


class Sessions(Model):
    """Where this account is signed in, the last used one first."""

    sessions: list[SessionView]


class Ended(Model):
    """How many sessions were ended."""

    ended: int


class PhoneCode(Model):
    """A ``getPhoneNumber`` code."""

    code: Code


class AccountView(Model):
    """The account itself; numbers masked."""

    phone: str | None
    patients: int


class DocumentIn(Model):
    """Who a person is by their document. ``id_number`` is empty for a child without one (``NONE``)."""

    name: Annotated[canonical.Name, Field(min_length=1, max_length=50)]
    id_type: IdType
    id_number: Annotated[canonical.DocumentNumber, Field(max_length=20)] = ""

    @field_validator("name")
    @classmethod
    def _is_name(cls, value: str) -> str:
        if not rules.is_name(value):
            raise ValueError("not a name")
        return value

    @model_validator(mode="after")
    def _is_number(self) -> DocumentIn:
        if not rules.is_document_number(self.id_type, self.id_number, hospital_day(utc_now())):
            raise Invalid(_WRONG_NUMBER.get(self.id_type, "证件号码有误，请核对证件类型和号码后重新填写。"),
                          code="id_number_invalid", fields=["id_number"])
        return self


_WRONG_NUMBER = {"ID_CARD": "身份证号码有误，请核对后重新填写。", "NONE": "选择“暂无证件”时请勿填写证件号码。"}


class PatientIn(DocumentIn):
    """A patient to add. ``sex`` and ``birth_date`` only for documents that don't say them.

    ``phone`` is a mainland mobile number, or any other with ``+`` and its country.
    """

    phone: Annotated[str, Field(max_length=40)]
    relation: Relation
    sex: Sex | None = None
    birth_date: date | None = None
    guardian: DocumentIn | None = None
    consents: Annotated[list[ConsentIn], Field(max_length=10)] = []

    @field_validator("guardian", mode="wrap")
    @classmethod
    def _whose(cls, value: object, read: Callable[[object], DocumentIn | None]) -> DocumentIn | None:
        try:
            return read(value)
        except Invalid as problem:
            raise Invalid(problem.message, code=problem.code,
                          fields=[f"guardian.{name}" for name in problem.fields]) from None

    @field_validator("phone")
    @classmethod
    def _is_phone(cls, value: str) -> str:
        number = canonical.phone(value)
        if number is None:
            raise ValueError("not a phone number")
        return number

    def to_use(self) -> service.NewPatient:
        """For the use case; raises Invalid when sex or birth date are missing or contradict the number."""
        today = hospital_day(utc_now())
        born, sex = self.birth_date, self.sex
        read = rules.read_document(self.id_type, self.id_number, today)
        if read is not None:
            if rules.contradicts(self.id_type, self.id_number, read, born, sex):
                raise Invalid("出生日期或性别与证件号码不符。", fields=["birth_date", "sex"])
            born, sex = born or read[0], sex or read[1]
        if born is None or sex is None:
            raise Invalid("请填写出生日期和性别。", fields=["birth_date", "sex"])
        if born > today or born.year < 1880:
            raise Invalid("出生日期有误，请核对后重新填写。", fields=["birth_date"])
        guardian = self.guardian
        return service.NewPatient(
            Identity(self.id_type, self.id_number, self.name, sex, born), self.phone, self.relation,
            Guardian(guardian.name, guardian.id_type, guardian.id_number) if guardian else None,
            frozenset((one.purpose, one.version) for one in self.consents))


class Patients(Model):
    """The account's patients, the default one first."""

    patients: list[PatientView]


@api.post("/sessions", status=201, public=True)
def sign_in(call: Call, body: SignIn) -> Session:
    """Sign in with a wx.login code."""
    token, expires_at = service.sign_in(database(), code=body.code, secret_hash=body.secret_hash, device=body.device,
                                        address=call.address,
                                        now=utc_now())
    return Session(token=token, expires_at=expires_at)


@api.get("/sessions")
def list_sessions(caller: Caller) -> Sessions:
    """Where I am signed in (登录设备)."""
    return Sessions(sessions=[SessionView(**asdict(one))
                              for one in sessions.sessions_of(database(), caller, utc_now())])


@api.delete("/sessions/others")
def end_other_sessions(caller: Caller) -> Ended:
    """Sign out everywhere else."""
    return Ended(ended=sessions.end_others(database(), caller, utc_now()))


@api.delete("/sessions/<session_id>")
def end_one_session(caller: Caller, session_id: str) -> None:
    """Sign out one of my other phones."""
    if not sessions.end_one(database(), caller, session_id, utc_now()):
        raise NotFound("该登录已退出，请刷新。", code="session_not_found")


@api.delete("/sessions/current")
def sign_out(caller: Caller) -> None:
    """Sign out: the token ends now."""
    sessions.end_session(database(), caller, utc_now())


@api.get("/me")
def me(caller: Caller) -> AccountView:
    """The account itself."""
    phone = store.phone_of(database(), caller.account_id)
    return AccountView(phone=rules.mask_phone(phone) if phone else None,
                       patients=len(store.bound_patients(database(), caller.account_id)))


@api.post("/phone")
def set_phone(caller: Caller, body: PhoneCode) -> AccountView:
    """Record the account's phone number, verified by WeChat."""
    phone = service.set_phone(database(), caller.account_id, body.code, utc_now())
    return AccountView(phone=rules.mask_phone(phone),
                       patients=len(store.bound_patients(database(), caller.account_id)))


@api.get("/patients")
def list_patients(caller: Caller) -> Patients:
    """My patients (我的就诊人), masked."""
    mine = caller.account_id
    return Patients(patients=[view(mine, one) for one in store.bound_patients(database(), mine)])


@api.post("/patients", status=201)
def add_patient(call: Call, caller: Caller, body: PatientIn) -> PatientView:
    """Add a patient: matched or created in the HIS, then bound."""
    return view(caller.account_id, service.add_patient(database(), caller.account_id, body.to_use(), call.address,
                                                       utc_now()))


@api.get("/patients/<patient_id>")
def get_patient(caller: Caller, patient_id: str) -> PatientView:
    """One of my patients, masked."""
    bound = store.bound_patient(database(), caller.account_id, patient_id)
    if bound is None:
        raise access.NotBound
    return view(caller.account_id, bound)


@api.put("/patients/<patient_id>/default")
def choose_default(caller: Caller, patient_id: str) -> None:
    """Make a patient the default."""
    service.choose_default(database(), caller.account_id, patient_id, utc_now())


@api.delete("/patients/<patient_id>")
def remove_patient(caller: Caller, patient_id: str) -> None:
    """Unbind a patient."""
    service.remove_patient(database(), caller.account_id, patient_id, utc_now())


consent_api.register(api)
proof_api.register(api)
