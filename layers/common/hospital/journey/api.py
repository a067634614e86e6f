"""The ``guide`` function: guidance, and the visit as one timeline with its next step first."""

from __future__ import annotations

from datetime import date, datetime, timezone

from hospital.booking import store as bookings
from hospital.database.connection import database
from hospital.guide import api as guide_api
from hospital.journey import rules, service
from hospital.messages import wish_store
from hospital.patients import access
from hospital.patients import store as patients
from hospital.patients.rules import mask_name
from hospital.runtime.clock import utc_now
from hospital.runtime.errors import NotFound
from hospital.runtime.http import Api, Model
from hospital.security import audit
from hospital.security.sessions import Caller, authenticate
from hospital.security.watch import watch

api = Api("guide", authenticate, watch)
guide_api.register(api)


class NextStep(Model):
    """What comes next in a visit. ``opens`` is the page where it is done, ``action`` the button's words."""

    booking_id: str
    name: rules.Name
    title: str
    text: str
    action: str
    opens: str
    by: datetime | None
    patient_name: str
    doctor_name: str
    department_name: str
    starts_at: datetime


class NextSteps(Model):
    """The next step of each visit that is not over, the most urgent first."""

    steps: list[NextStep]


class FactView(Model):
    """Something that happened; ``opens`` is the page that says more (empty: none)."""

    at: datetime
    title: str
    text: str
    opens: str


class Timeline(Model):
    """A visit: its next step (null: nothing is left), and what happened, the newest first."""

    booking_id: str
    state: str
    patient_name: str
    doctor_name: str
    department_name: str
    visit_date: date
    starts_at: datetime
    next: NextStep | None
    facts: list[FactView]


class StepWish(Model):
    """A step of a visit, and whether the account wants to be told of it."""

    kind: str
    title: str
    wanted: bool


class Wishes(Model):
    """Every step that one may be told of or not."""

    steps: list[StepWish]


class Wish(Model):
    """Whether to be told."""

    wanted: bool


@api.get("/journey")
def next_steps(caller: Caller) -> NextSteps:
    """What comes next for my patients (就诊助手)."""
    db, now = database(), utc_now()
    mine, readable = (access.allowed(db, caller.account_id, act, now) for act in ("OWN", "RECORD"))
    return NextSteps(steps=[_next(one, step) for one, step in service.next_steps(
        db, caller.account_id, mine, readable, now)])


@api.get("/journey/<booking_id>")
def timeline(caller: Caller, booking_id: str) -> Timeline:
    """One visit as a timeline of what really happened."""
    db, now = database(), utc_now()
    booking = bookings.of_account(db, caller.account_id, booking_id)
    if booking is None:
        raise NotFound("未找到该挂号记录。", code="booking_not_found")
    access.check(db, caller.account_id, booking.patient_id, "OWN", now)
    one = service.whole(db, booking, now, readable=access.may(db, caller.account_id, booking.patient_id, "RECORD", now))
    step = rules.next_step(one.visit, now)
    return Timeline(
        booking_id=booking.id, state=booking.state, patient_name=_name(one), doctor_name=one.doctor,
        department_name=one.department, visit_date=booking.visit_date, starts_at=booking.starts_at,
        next=_next(one, step) if step is not None else None,
        facts=[FactView(at=fact.at.astimezone(timezone.utc).replace(microsecond=0), title=fact.title, text=fact.text,
                        opens=fact.opens)
               for fact in service.facts(db, one, now)])


@api.get("/steps", personal=False)
def list_wishes(caller: Caller) -> Wishes:
    """Which steps of a visit I am told of."""
    return Wishes(steps=[StepWish(kind=kind, title=TITLES[kind], wanted=wanted)
                         for kind, wanted in wish_store.all_of(database(), caller.account_id).items()])


@api.put("/steps/<kind>")
def choose(caller: Caller, kind: str, body: Wish) -> None:
    """Be told of a step, or no more."""
    if kind not in wish_store.STEPS:
        raise NotFound("没有这种提醒。", code="step_not_found")
    now = utc_now()
    with database().transaction() as tx:
        wish_store.choose(tx, caller.account_id, kind, wanted=body.wanted, now=now)
        audit.by_account(tx, caller.account_id, "steps.choose", kind, now)


TITLES = {"checked_in": "取号成功", "queue_near": "快叫到我了", "next_stop": "做完一项后，下一站去哪里"}


def _next(one: service.Whole, step: rules.Step) -> NextStep:
    return NextStep(booking_id=one.booking.id, name=step.name, title=step.title, text=step.text, action=step.action,
                    opens=step.opens, by=step.by, patient_name=_name(one), doctor_name=one.doctor,
                    department_name=one.department, starts_at=one.booking.starts_at)


def _name(one: service.Whole) -> str:
    return mask_name(patients.patient_name(database(), one.booking.patient_id))
