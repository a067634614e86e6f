"""What is on sale: departments, days, sessions, places, doctors."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import Field

from hospital.database import policy
from hospital.database.connection import Database, Row, database
from hospital.runtime.canonical import OptionalId
from hospital.runtime.clock import hospital_day, utc_now
from hospital.runtime.errors import NotFound
from hospital.runtime.http import Api, Model
from hospital.schedules import listing, rules, store
from hospital.site import rules as spelling
from hospital.site import store as site
from hospital.site.model import Doctor


class DepartmentView(Model):
    """A second-level department."""

    id: str
    name: str
    introduction: str
    location: str


class Group(Model):
    """A first-level department with those below it."""

    id: str
    name: str
    departments: list[DepartmentView]


class Tree(Model):
    """The hospital's own two levels."""

    groups: list[Group]


class OnDuty(Model):
    """A second-level department on duty on a day."""

    id: str
    name: str
    group: str
    sessions: int
    free: int


class Duty(Model):
    """The departments on duty on a day, in the tree's order."""

    departments: list[OnDuty]


class DaysQuery(Model):
    """For a department, a doctor, or the whole hospital."""

    department_id: OptionalId = ""
    doctor_id: OptionalId = ""


class Day(Model):
    """A day on sale."""

    day: date
    sessions: int
    free: int


class Days(Model):
    """The days on sale, today first; ``next_day`` goes on sale at ``opens_at``."""

    today: date
    last_open_day: date
    next_day: date
    opens_at: datetime
    days: list[Day]


class SessionsQuery(Model):
    """A day (none: all days on sale), of a department or a doctor."""

    day: date | None = None
    department_id: OptionalId = ""
    doctor_id: OptionalId = ""


class SessionView(Model):
    """A session of one doctor in one department. ``waiting``: how many wait for a place of it (候补)."""

    id: str
    doctor_id: str
    doctor_name: str
    doctor_title: str
    department_id: str
    department_name: str
    visit_date: date
    period: Literal["MORNING", "AFTERNOON", "EVENING"]
    kind: Literal["ORDINARY", "EXPERT", "SPECIAL"]
    fee_fen: int
    starts_at: datetime
    ends_at: datetime
    clinic_room: str
    state: Literal["OPEN", "STOPPED"]
    free: int
    waiting: int


class Sessions(Model):
    """Sessions in the order of their start."""

    sessions: list[SessionView]


class Release(Model):
    """What goes on sale next: the sessions of ``day``, at ``opens_at``. None of them can be had before."""

    day: date
    opens_at: datetime
    sessions: list[SessionView]


class SlotView(Model):
    """A place on sale. Once taken it may be given up on line until ``cancel_until``."""

    id: str
    number: int
    starts_at: datetime
    ends_at: datetime
    cancel_until: datetime


class Slots(Model):
    """Places on sale, earliest first, and what taking one means today.

    It is kept for ``hold_minutes`` for who pays now (``pay_now``), else the fee is paid on arrival.
    """

    slots: list[SlotView]
    hold_minutes: int
    pay_now: bool


class Search(Model):
    """Part of a name in characters, or its pinyin or initials. ``today`` limits the sessions shown."""

    q: Annotated[str, Field(min_length=1, max_length=40)]
    today: bool = False


class TodayOnly(Model):
    """``today`` limits the sessions shown to this day's."""

    today: bool = False


class DoctorView(Model):
    """A doctor in every department they sit in, with the sessions on sale in each."""

    id: str
    name: str
    title: str
    introduction: str
    expertise: str
    departments: list[DepartmentRef]
    sessions: list[SessionView]


class DepartmentRef(Model):
    """A department by name."""

    id: str
    name: str


class Doctors(Model):
    """Doctors found."""

    doctors: list[DoctorView]


def register(api: Api) -> None:
    """Add these routes to the booking function: nothing in their answers is anybody's own."""
    api.get("/departments", public=True, shared=True)(departments)
    api.get("/days", public=True, shared=True)(days)
    api.get("/days/<day>/departments", public=True, shared=True)(departments_on_day)
    api.get("/sessions", public=True, shared=True)(sessions)
    api.get("/next-release", public=True, shared=True)(next_release)
    api.get("/sessions/<schedule_id>/slots", public=True, shared=True)(slots)
    api.get("/doctors", public=True, shared=True)(search_doctors)
    api.get("/doctors/<doctor_id>", public=True, shared=True)(doctor)


def departments() -> Tree:
    """Departments in two levels of the hospital's own making."""
    return Tree(groups=[Group(id=root.id, name=root.name, departments=[
        DepartmentView(id=one.id, name=one.name, introduction=one.introduction, location=one.location)
        for one in root.children]) for root in site.tree(database())])


def days(query: DaysQuery) -> Days:
    """The days on sale with places left, of a department, a doctor or all."""
    db, now = database(), utc_now()
    settings = policy.load(db)
    first, last = hospital_day(now), rules.last_open_day(now, settings)
    rows = listing.days(db, first=first, last=last, now=now, after=rules.earliest_start(now, settings),
                        departments=_his_codes(db, query.department_id),
                        doctors=[query.doctor_id] if query.doctor_id else None)
    next_day, opens_at = rules.next_release(now, settings)
    return Days(today=first, last_open_day=last, next_day=next_day, opens_at=opens_at, days=[
        Day(day=row["day"], sessions=row["sessions"], free=int(row["free"])) for row in rows])


def departments_on_day(day: str) -> Duty:
    """Pick a date first: which departments are on duty that day."""
    db, now = database(), utc_now()
    settings = policy.load(db)
    wanted = _open_day(_day(day), now, settings)
    duty = {row["his_department"]: row for row in
            listing.departments_on(db, wanted, after=rules.earliest_start(now, settings), now=now)}
    found = []
    for root in site.tree(db):
        for one in root.children:
            rows = [duty[code] for code in one.his_codes if code in duty]
            if rows:
                found.append(OnDuty(id=one.id, name=one.name, group=root.name,
                                    sessions=sum(row["sessions"] for row in rows),
                                    free=sum(int(row["free"]) for row in rows)))
    return Duty(departments=found)


def sessions(query: SessionsQuery) -> Sessions:
    """Who is on duty: the sessions of a department or a doctor on a day, or on every day on sale."""
    db, now = database(), utc_now()
    settings = policy.load(db)
    first, last = hospital_day(now), rules.last_open_day(now, settings)
    if query.day is not None:
        first = last = _open_day(query.day, now, settings)
    codes = _his_codes(db, query.department_id)
    if codes is None and not query.doctor_id and query.day is None:
        raise NotFound("请选择科室、医生或日期。", code="nothing_chosen")
    rows = listing.sessions(db, first=first, last=last, departments=codes, now=now,
                            doctors=[query.doctor_id] if query.doctor_id else None,
                            after=rules.earliest_start(now, settings))
    return Sessions(sessions=_sessions(rows, db, shown_in=query.department_id))


def next_release(query: DaysQuery) -> Release:
    """Who is on duty on the day that goes on sale next, of a department or a doctor: to wait for the release."""
    db, now = database(), utc_now()
    settings = policy.load(db)
    codes = _his_codes(db, query.department_id)
    if codes is None and not query.doctor_id:
        raise NotFound("请选择科室或医生。", code="nothing_chosen")
    day, opens_at = rules.next_release(now, settings)
    rows = listing.sessions(db, first=day, last=day, departments=codes, now=now,
                            doctors=[query.doctor_id] if query.doctor_id else None, after=now)
    return Release(day=day, opens_at=opens_at, sessions=_sessions(rows, db, shown_in=query.department_id))


def slots(schedule_id: str) -> Slots:
    """The places on sale in a session, earliest first."""
    db, now = database(), utc_now()
    session, settings = store.session(db, schedule_id), policy.load(db)
    if session is None or session.state == "GONE" or not rules.is_open_day(session.visit_date, now, settings):
        raise NotFound("未找到该出诊安排，请返回重试。", code="schedule_not_found")
    rows = (store.free_slots(db, schedule_id, after=rules.earliest_start(now, settings), now=now)
            if session.state == "OPEN" else [])
    return Slots(hold_minutes=settings.hold_minutes, pay_now=settings.payment == "AT_BOOKING" and session.fee_fen > 0,
                 slots=[SlotView(id=row["id"], number=row["number"], starts_at=row["starts_at"], ends_at=row["ends_at"],
                                 cancel_until=rules.cancel_deadline(session.visit_date, row["starts_at"], settings))
                        for row in sorted(rows, key=lambda row: (row["starts_at"], row["number"]))])


def search_doctors(query: Search) -> Doctors:
    """Search doctors by characters, full pinyin or initials."""
    db = database()
    found = site.search(db, characters=query.q, spelling=spelling.search_text(query.q))
    return Doctors(doctors=doctor_views(db, found, query.today))


def doctor(doctor_id: str) -> DoctorView:
    """One doctor with the sessions of every department they sit in."""
    db = database()
    found = site.doctor(db, doctor_id)
    if found is None:
        raise NotFound("未找到该医生。", code="doctor_not_found")
    return doctor_views(db, [found], today=False)[0]


def doctor_views(db: Database, found: list[Doctor], today: bool) -> list[DoctorView]:
    """Doctors with their sessions on sale, in the order given."""
    now = utc_now()
    settings, names = policy.load(db), site.names_of_his(db)
    first = hospital_day(now)
    rows = listing.sessions(db, first=first, last=first if today else rules.last_open_day(now, settings),
                            doctors=[one.id for one in found], after=rules.earliest_start(now, settings), now=now)
    views: dict[str, list[SessionView]] = {}
    for session in _sessions(rows, db):
        views.setdefault(session.doctor_id, []).append(session)
    return [DoctorView(
        id=one.id, name=one.name, title=one.title, introduction=one.introduction, expertise=one.expertise,
        departments=[DepartmentRef(id=place[0], name=place[1]) for place in dict.fromkeys(
            names[code] for code in one.his_departments if code in names)],
        sessions=views.get(one.id, [])) for one in found]


def _sessions(rows: list[Row], db: Database, shown_in: str = "") -> list[SessionView]:
    names = site.names_of_his(db)
    own = {one.id: one for root in site.tree(db) for one in root.children} if shown_in else {}
    views = []
    for row in rows:
        department_id, name = names.get(row.pop("his_department"), ("", ""))
        if shown_in in own:  # a HIS department may stand in the tree twice: shown under the one asked for
            department_id, name = shown_in, own[shown_in].name
        views.append(SessionView(department_id=department_id, department_name=name, **row))
    return views


def _his_codes(db: Database, department_id: str) -> list[str] | None:
    if not department_id:
        return None
    codes = site.his_codes(db, department_id)
    if not codes:
        raise NotFound("未找到该科室。", code="department_not_found")
    return codes


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise NotFound(code="day_not_found") from None


def _open_day(day: date, now: datetime, settings: policy.Policy) -> date:
    if not rules.is_open_day(day, now, settings):
        raise NotFound(f"该日期尚未放号，放号时间为每日{settings.release_time:%H:%M}。", code="day_not_open")
    return day

