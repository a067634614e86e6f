"""Guidance as the client shows it. Its routes stand in the ``guide`` function beside the visit's timeline."""

from __future__ import annotations

from datetime import datetime

from hospital.booking import store as bookings
from hospital.booking.model import Booking
from hospital.checkin.rules import checkin_window
from hospital.database import policy
from hospital.database.connection import Database, database
from hospital.guide import rules, service, store
from hospital.guide.plan import Place, Plan
from hospital.patients import access
from hospital.patients import store as patients
from hospital.patients.rules import mask_name
from hospital.queue.rules import Screen
from hospital.runtime.canonical import Id
from hospital.runtime.clock import BEIJING, hospital_day, utc_now
from hospital.runtime.errors import NotFound
from hospital.runtime.http import Api, Model
from hospital.schedules import store as schedule_store
from hospital.security.sessions import Caller

BRING = ["身份证或医保卡"]


class PlaceView(Model):
    """A place: ``where`` in words (门诊楼3层B区), ``way`` how to find it, ``hours`` today's, empty when not known."""

    name: str
    where: str
    way: str
    hours: str


class Step(Model):
    """One thing to do, and how."""

    title: str
    text: str


class Guidance(Model):
    """Where to go for a registration, when, and with what. ``walk_minutes``: from the entrance; null: not known."""

    booking_id: str
    state: str
    at: datetime
    place: PlaceView | None
    where: str
    walk_minutes: int | None
    bring: list[str]
    steps: list[Step]


class Leg(Model):
    """A stop: what is done there, why it stands here in the order, and its queue as it is now (null: not known)."""

    name: str
    items: list[str]
    place: PlaceView | None
    where: str
    why: str
    advice: list[str]
    bring: list[str]
    arrives_at: datetime
    begins_at: datetime
    waiting: int | None
    wait_minutes: int | None
    queue_as_of: datetime | None


class Missed(Model):
    """What can't be done today any more, and why so."""

    name: str
    items: list[str]
    place: PlaceView | None
    where: str
    why: str
    advice: list[str]


class PickUp(Model):
    """Drugs that wait at a window."""

    items: list[str]
    window: str
    place: PlaceView | None
    where: str
    waiting: int | None
    queue_as_of: datetime | None


class WayView(Model):
    """The way through the hospital. Not ``live``: the hospital has not said of all what is done already."""

    patient_id: str
    patient_name: str
    stops: list[Leg]
    missed: list[Missed]
    drugs: list[PickUp]
    done: list[str]
    live: bool
    as_of: datetime


class OfPatient(Model):
    """Whose way."""

    patient_id: Id


def register(api: Api) -> None:
    """Add these routes to the guide function."""
    api.get("/bookings/<booking_id>")(guidance)
    api.get("/way")(way)


def guidance(caller: Caller, booking_id: str) -> Guidance:
    """Where to go for one of my registrations, when, and with what (就诊指引)."""
    db, now = database(), utc_now()
    booking = bookings.of_account(db, caller.account_id, booking_id)
    if booking is None:
        raise NotFound("未找到该挂号记录。", code="booking_not_found")
    access.check(db, caller.account_id, booking.patient_id, "OWN", now)
    plan = store.current(db)
    place = service.place_of_visit(db, plan, booking)
    session = schedule_store.session(db, booking.schedule_id)
    room = booking.clinic_room or (session.clinic_room if session else "")
    where = booking.queue_place or booking.location or " ".join(
        part for part in (plan.where(place) if place else "", room) if part)
    entrance = next((one for one in plan.places if one.code == plan.entrance), None)
    walk = round(plan.minutes_between(entrance, place)) if entrance and place else None
    return Guidance(
        booking_id=booking.id, state=booking.state, at=booking.starts_at, place=_place(plan, place, now), where=where,
        walk_minutes=walk, bring=[*(plan.arrive_bring or BRING), *(place.bring if place else ())],
        steps=_steps(db, booking, where, room, place, now))


def _steps(db: Database, booking: Booking, where: str, room: str, place: Place | None, now: datetime) -> list[Step]:
    way_there = f"，{place.way}" if place is not None and place.way else ""
    if booking.state == "CHECKED_IN":
        return [Step(title="去候诊", text=f"请到{where}{way_there}。"),
                Step(title="听叫号", text=f"叫到 {booking.queue_number} 请进{room or '诊室'}。" if booking.queue_number
                     else f"叫到您的名字请进{room or '诊室'}。"),
                Step(title="过号怎么办", text="听漏了请到分诊台说明，会为您重新排队。")]
    session = schedule_store.session(db, booking.schedule_id)
    if booking.state != "CONFIRMED" or session is None or session.state == "STOPPED":
        return []
    opens, closes = checkin_window(*schedule_store.hours(db, booking.schedule_id), policy.load(db))
    day = booking.visit_date
    local = opens.astimezone(BEIJING)
    when = f"{day.month}月{day.day}日" if day != hospital_day(now) else "今天"
    return [
        Step(title="先取号", text=f"{when}{local:%H:%M}起可以取号：在本小程序、自助机或分诊台都可以。"),
        Step(title="再候诊", text=f"取号后请到{where}{way_there}。"),
        Step(title="别迟到", text=f"请在{rules.clock(booking.starts_at)}前取好号；"
                                f"{rules.clock(closes)}出诊结束后不能再取号。")]


def way(caller: Caller, query: OfPatient) -> WayView:
    """Everything a patient has paid and not done yet, in the order that suits it, and where drugs wait."""
    db, now = database(), utc_now()
    found = service.way(db, caller.account_id, query.patient_id, now)
    plan = store.current(db)
    return WayView(
        patient_id=query.patient_id, patient_name=mask_name(patients.patient_name(db, query.patient_id)),
        stops=[_leg(plan, one, now) for one in found.legs], missed=[_missed(plan, one, now) for one in found.missed],
        drugs=[_pick_up(plan, one, screen, now) for one, screen in found.drugs], done=found.done, live=found.live,
        as_of=found.as_of)


def _leg(plan: Plan, one: service.Leg, now: datetime) -> Leg:
    screen, errand = one.queue, one.errand
    return Leg(name=errand.name, items=list(errand.items), place=_place(plan, errand.place, now),
               where=_where(plan, errand), why=one.why, advice=_advice(errand),
               bring=list(errand.place.bring) if errand.place else [], arrives_at=one.arrives_at,
               begins_at=one.begins_at, waiting=_waiting(screen), queue_as_of=screen.as_of if screen else None,
               wait_minutes=round(one.wait_minutes) if one.wait_minutes is not None else None)


def _missed(plan: Plan, errand: rules.Errand, now: datetime) -> Missed:
    why = "今天来不及了，请改天来做。"
    if errand.fasting:
        why = "今天来不及了，请改天早上空腹来做。"
    return Missed(name=errand.name, items=list(errand.items), place=_place(plan, errand.place, now),
                  where=_where(plan, errand), why=why, advice=_advice(errand))


def _pick_up(plan: Plan, errand: rules.Errand, screen: Screen | None, now: datetime) -> PickUp:
    return PickUp(items=list(errand.items), window=errand.window, place=_place(plan, errand.place, now),
                  where=_where(plan, errand), waiting=_waiting(screen), queue_as_of=screen.as_of if screen else None)


def _waiting(screen: Screen | None) -> int | None:
    return len(screen.waiting) if screen is not None else None


def _advice(errand: rules.Errand) -> list[str]:
    return [one.advice for one in errand.rules if one.advice]


def _where(plan: Plan, errand: rules.Errand) -> str:
    return plan.where(errand.place) if errand.place is not None else errand.where


def _place(plan: Plan, place: Place | None, now: datetime) -> PlaceView | None:
    if place is None:
        return None
    today = hospital_day(now)
    hours = "、".join(f"{one.opens:%H:%M}–{one.closes:%H:%M}" for one in place.hours
                     if today.isoweekday() in one.days)
    return PlaceView(name=place.name, where=plan.where(place), way=place.way,
                     hours=hours or ("今天不开" if place.hours else ""))
