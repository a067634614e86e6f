"""The sessions and slots of each hospital day, made from the rota when the day is first asked for."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from random import Random

from sandbox.clock import Clock
from sandbox.his.departments import all_departments
from sandbox.his.model import BEIJING, PERIODS, Department, Doctor, Refused, Schedule, Slot, moment_of
from sandbox.his.staff import hire

HORIZON_DAYS = 14  # today included
_TAKEN_ELSEWHERE = 0.10  # the share of slots that the window and the phone have sold
_STOPPED = 0.01  # the share of sessions that are off from the beginning
_LONGEST_SLOT = timedelta(minutes=30)
_SCHEDULE_CODE = re.compile(r"([0-9]{8})-D[0-9]{4,}-[MAE][0-9]*")
_SLOT_CODE = re.compile(r"(.+)-[0-9]{2,5}")


class Sessions:
    """Departments, doctors and sessions. The owner holds its lock around every call."""

    def __init__(self, clock: Clock, seed: int, start: date | None) -> None:
        self._clock = clock
        self._seed = seed
        self._start = start
        self.departments = {department.code: department for department in all_departments()}
        staff = hire(list(self.departments.values()), seed)
        self._rota = staff.rota
        self.doctors = {doctor.code: doctor for doctor in staff.doctors}
        self._days: dict[date, dict[str, Schedule]] = {}
        self._slots: dict[str, Slot] = {}
        self._moved: dict[str, Schedule] = {}  # sessions whose code no longer tells their day

    def today(self) -> date:
        """The hospital day of the present moment."""
        return self._clock.now().astimezone(BEIJING).date()

    def in_horizon(self, day: date) -> bool:
        """Whether sessions of ``day`` are on show now."""
        today = self.today()
        return max(self._start or today, today) <= day < today + timedelta(days=HORIZON_DAYS)

    def between(self, first: date, last: date) -> list[Schedule]:
        """The sessions on show from ``first`` to ``last``, both included, in the order of their codes."""
        today = self.today()
        wanted = [today + timedelta(days=ahead) for ahead in range(HORIZON_DAYS)]
        found = [session for day in wanted if first <= day <= last and self.in_horizon(day)
                 for session in self._day(day).values()]
        return sorted(found, key=lambda session: session.code)

    def schedule(self, code: str) -> Schedule | None:
        """The session of this code: on show now, or shown before."""
        form = _SCHEDULE_CODE.fullmatch(code)
        if not form:
            return None
        if code in self._moved:
            return self._moved[code]
        try:
            day = datetime.strptime(form[1], "%Y%m%d").date()
        except ValueError:
            return None
        known = self._day(day) if self.in_horizon(day) else self._days.get(day, {})
        return known.get(code)

    def slot(self, code: str) -> Slot | None:
        """The slot of this code, under the same rule as ``schedule``."""
        form = _SLOT_CODE.fullmatch(code)
        return self._slots.get(code) if form and self.schedule(form[1]) else None

    def known(self, code: str) -> Schedule:
        """The session of this code. Raises Refused SCHEDULE_UNKNOWN."""
        session = self.schedule(code)
        if session is None:
            raise Refused("SCHEDULE_UNKNOWN", "班次不存在", 404)
        return session

    def known_slot(self, code: str) -> Slot:
        """The slot of this code. Raises Refused SLOT_UNKNOWN."""
        slot = self.slot(code)
        if slot is None:
            raise Refused("SLOT_UNKNOWN", "号源不存在", 404)
        return slot

    def known_doctor(self, code: str) -> Doctor:
        """The doctor of this code. Raises Refused DOCTOR_UNKNOWN."""
        if code not in self.doctors:
            raise Refused("DOCTOR_UNKNOWN", "医生不存在", 404)
        return self.doctors[code]

    def known_department(self, code: str) -> Department:
        """The department of this code. Raises Refused DEPARTMENT_UNKNOWN."""
        if code not in self.departments:
            raise Refused("DEPARTMENT_UNKNOWN", "科室不存在", 404)
        return self.departments[code]

    def _day(self, day: date) -> dict[str, Schedule]:
        if day not in self._days:
            rng = Random(f"day {self._seed} {day.isoformat()}")
            made = [self._from_duty(at, day, rng) for at, duty in enumerate(self._rota)
                    if duty.weekday == day.weekday()]
            self._days[day] = {session.code: session for session in made}
        return self._days[day]

    def _from_duty(self, at: int, day: date, rng: Random) -> Schedule:
        duty = self._rota[at]
        start, end = PERIODS[duty.period]
        code = f"{day:%Y%m%d}-{duty.doctor.code}-{duty.period[0]}"
        session = Schedule(code, duty.department, duty.doctor, day, duty.period, duty.kind, duty.fee_fen,
                           moment_of(day, start), moment_of(day, end), duty.room)
        session.state = "STOPPED" if rng.random() < _STOPPED else "OPEN"
        session.cut_slots((end - start) // duty.minutes, timedelta(minutes=duty.minutes))
        for slot in session.slots:
            slot.sold = rng.random() < _TAKEN_ELSEWHERE
            self._slots[slot.code] = slot
        return session

    # -- moved by the office --------------------------------------------------------------------
    def move(self, session: Schedule, day: date, period: str, starts_at: datetime) -> None:
        """Put a session off to another day (on show or not) or time; it and its slots keep their codes."""
        by = starts_at - session.starts_at
        if day != session.day:
            self._day(session.day).pop(session.code)
            self._day(day)[session.code] = self._moved[session.code] = session
        session.day, session.period = day, period
        session.starts_at, session.ends_at = starts_at, session.ends_at + by
        for slot in session.slots:
            slot.starts_at, slot.ends_at = slot.starts_at + by, slot.ends_at + by

    def move_slot(self, slot: Slot, session: Schedule) -> None:
        """Make the slot the last one of another session, at that session's end; it keeps its code."""
        if slot.schedule is session:
            return
        slot.schedule.slots.remove(slot)
        length = slot.ends_at - slot.starts_at
        last = session.slots[-1] if session.slots else None
        slot.number = last.number + 1 if last else 1
        slot.starts_at = last.ends_at if last else session.starts_at
        slot.ends_at = slot.starts_at + length
        session.ends_at = max(session.ends_at, slot.ends_at)
        session.slots.append(slot)
        slot.schedule = session

    # -- made for a test ------------------------------------------------------------------------
    def hire(self, departments: list[Department], name: str, title: str) -> Doctor:
        """A doctor nobody has heard of yet, in these departments."""
        home = departments[0]
        doctor = Doctor(
            f"D{9001 + sum(code >= 'D9001' for code in self.doctors):04d}", name, "FEMALE", title,
            tuple(department.code for department in departments),
            introduction=f"{name}，{title}，就职于{'、'.join(d.name for d in departments)}。",
            expertise=f"擅长{home.focus}的诊治。",
        )
        self.doctors[doctor.code] = doctor
        return doctor

    def open(self, department: Department, doctor: Doctor, day: date, period: str, kind: str, *,
             fee_fen: int, number: int, minutes: int | None) -> Schedule:
        """A session of its own, beside any the doctor already has, with ``number`` free slots.

        Without ``minutes`` a slot gets an even share of the period, at most 30 minutes and at least a
        second. Raises Refused when the day isn't on show or the slots don't fit into the period.
        """
        if not self.in_horizon(day):
            raise Refused("DAY_OUT_OF_RANGE", "日期不在排班范围内", 422, "date")
        start, end = PERIODS[period]
        length = timedelta(minutes=end - start)
        share = timedelta(seconds=int(length.total_seconds()) // number)
        each = timedelta(minutes=minutes) if minutes is not None else min(share, _LONGEST_SLOT)
        if not timedelta(seconds=1) <= each <= _LONGEST_SLOT or each * number > length:
            raise Refused("SLOTS_DONT_FIT", "号源数量超出出诊时段", 422, "slots")
        sessions = self._day(day)
        stem = f"{day:%Y%m%d}-{doctor.code}-{period[0]}"
        code = f"{stem}{1 + sum(known.startswith(stem) for known in sessions)}"
        session = Schedule(code, department, doctor, day, period, kind, fee_fen, moment_of(day, start),
                           moment_of(day, end), f"{department.code[-2:]}99诊室")
        session.cut_slots(number, each)
        sessions[code] = session
        self._slots.update((slot.code, slot) for slot in session.slots)
        return session
