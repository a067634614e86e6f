"""Routes of consents: the texts, giving and withdrawing, and the person's own copy."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from hospital.database import policy
from hospital.database.connection import database
from hospital.patients import service, store
from hospital.patients.model import Purpose
from hospital.runtime.canonical import Id
from hospital.runtime.clock import utc_now
from hospital.runtime.http import Api, Model
from hospital.security.sessions import Caller


class ConsentIn(Model):
    """A consent to a text that was shown."""

    purpose: Purpose
    version: Annotated[int, Field(ge=1)]


class ConsentText(Model):
    """A text in force."""

    purpose: str
    version: int
    title: str
    body: str
    effective_at: datetime


class ConsentView(Model):
    """A consent given, perhaps withdrawn."""

    patient_id: str
    purpose: str
    version: int
    granted_at: datetime
    withdrawn_at: datetime | None


class Consents(Model):
    """The texts in force, and what the account consented to.

    Who is younger than ``guardian_below_age`` (years) has a guardian who consents.
    """

    texts: list[ConsentText]
    given: list[ConsentView]
    guardian_below_age: int


class ConsentCopy(ConsentView):
    """A consent with the text as it was consented to, then in force or not."""

    title: str
    body: str


class Copies(Model):
    """The account's own copy of all that it consented to, newest first."""

    consents: list[ConsentCopy]


class PatientConsent(ConsentIn):
    """A consent for one of the account's patients."""

    patient_id: Id


class Withdrawal(Model):
    """A consent to withdraw."""

    patient_id: Id
    purpose: Purpose


def register(api: Api) -> None:
    """Add the routes to the function's."""
    api.get("/consents")(consents)
    api.get("/consents/copy")(copies)
    api.post("/consents")(grant)
    api.post("/consents/withdrawal")(withdraw)


def consents(caller: Caller) -> Consents:
    """Texts in force and consents given."""
    db = database()
    return Consents(texts=[ConsentText(**row) for row in store.consent_texts(db, utc_now())],
                    given=[ConsentView(**row) for row in store.consents(db, caller.account_id)],
                    guardian_below_age=policy.load(db).guardian_below_age)


def copies(caller: Caller) -> Copies:
    """My own copy of what I consented to: text, version and time."""
    return Copies(consents=[ConsentCopy(**row) for row in store.consent_copies(database(), caller.account_id)])


def grant(caller: Caller, body: PatientConsent) -> None:
    """Consent to a text in force, for a patient."""
    service.grant(database(), caller.account_id, patient_id=body.patient_id, purpose=body.purpose,
                  version=body.version, now=utc_now())


def withdraw(caller: Caller, body: Withdrawal) -> None:
    """Withdraw a consent."""
    service.withdraw(database(), caller.account_id, patient_id=body.patient_id, purpose=body.purpose,
                     now=utc_now())
