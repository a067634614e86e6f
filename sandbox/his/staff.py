"""The doctors and their weekly rota, both made from the seed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from sandbox.his.model import Department, Doctor
from sandbox.his.names import distinct

PROFESSOR, ASSOCIATE, ATTENDING = "主任医师", "副主任医师", "主治医师"
# How many of each title a department of a size has.
_TITLES = {
    1: (ASSOCIATE, ATTENDING),
    2: (PROFESSOR, ASSOCIATE, ATTENDING, ATTENDING),
    3: (PROFESSOR, PROFESSOR, ASSOCIATE, ASSOCIATE, ATTENDING, ATTENDING),
}
# Pairs (0-based) of the doctors in creation order who share one name, as in any large hospital.
_NAMESAKES = ((12, 95), (30, 151), (47, 48), (70, 123))
_FEES_FEN = {"ORDINARY": 1500, "EXPERT": 5000, "SPECIAL": 20000}
_ASSOCIATE_FEE_FEN = 3000
# Ordinary clinics of a department, by size: the weekdays (0 is Monday) of each period.
_ORDINARY = {
    1: {"MORNING": range(5), "AFTERNOON": range(0)},
    2: {"MORNING": range(6), "AFTERNOON": range(2, 3)},
    3: {"MORNING": range(7), "AFTERNOON": range(5)},
}
_WEEKDAY_HALVES = [(day, period) for day in range(5) for period in ("MORNING", "AFTERNOON")]


@dataclass(frozen=True)
class Duty:
    """One standing entry of the rota: every week on this day, in this period."""

    weekday: int
    period: str
    doctor: Doctor
    department: Department
    kind: str
    fee_fen: int
    minutes: int  # per slot
    room: str


@dataclass(frozen=True)
class Staff:
    """Everyone who sees outpatients, and when."""

    doctors: list[Doctor]
    rota: list[Duty]


def hire(departments: list[Department], seed: int) -> Staff:
    """The staff of these departments; the same seed gives the same people and the same rota."""
    rng = Random(f"staff {seed}")
    posts = [(department, title) for department in departments for title in _TITLES[department.size]]
    people = distinct(rng, len(posts))
    for first, second in _NAMESAKES:
        people[second] = people[first]
    doctors = [
        _doctor(f"D{at + 1:04d}", name, sex, title, department)
        for at, ((department, title), (name, sex)) in enumerate(zip(posts, people, strict=True))
    ]
    doctors = _spread(doctors, departments, rng)
    return Staff(doctors, _rota(doctors, departments, rng))


def _doctor(code: str, name: str, sex: str, title: str, department: Department) -> Doctor:
    return Doctor(
        code, name, sex, title, (department.code,),
        introduction=f"{name}，{title}，就职于{department.name}。",
        expertise=f"擅长{department.focus}的诊治。",
    )


def _spread(doctors: list[Doctor], departments: list[Department], rng: Random) -> list[Doctor]:
    """Let every third senior doctor sit in a second department of the group, some in a third one."""
    known = {department.code: department for department in departments}
    senior = [doctor.code for doctor in doctors if doctor.title in (PROFESSOR, ASSOCIATE)]
    chosen = set(senior[::3])
    spread: list[Doctor] = []
    for doctor in doctors:
        home = known[doctor.department_codes[0]]
        others = [d for d in departments if d.parent_code == home.parent_code and d is not home]
        if doctor.code in chosen and others:
            more = rng.sample(others, min(len(others), 2 if rng.random() < 0.2 else 1))
            spread.append(replace(
                doctor,
                department_codes=(home.code, *(d.code for d in more)),
                introduction=doctor.introduction + f"同时在{'、'.join(d.name for d in more)}出诊。",
            ))
        else:
            spread.append(doctor)
    return spread


def _rota(doctors: list[Doctor], departments: list[Department], rng: Random) -> list[Duty]:
    rota: list[Duty] = []
    known = {department.code: department for department in departments}
    for department in departments:
        ordinary = [d for d in doctors if d.title == ATTENDING and d.department_codes[0] == department.code]
        rota += _ordinary(department, ordinary)
    rota += _evenings([department for department in departments if department.size == max(_TITLES)], doctors)
    for doctor in doctors:
        if doctor.title != ATTENDING:
            rota += _expert(doctor, [known[code] for code in doctor.department_codes], rng)
    return rota


def _ordinary(department: Department, doctors: list[Doctor]) -> list[Duty]:
    """The daily clinics, shared in turn: where there are two doctors, one has the other half of the day."""
    fee = _FEES_FEN["ORDINARY"]
    return [
        Duty(day, period, doctors[(day + turn) % len(doctors)], department, "ORDINARY", fee,
             8 if period == "MORNING" else 7, f"{department.code[-2:]}{turn + 1:02d}诊室")
        for turn, (period, days) in enumerate(_ORDINARY[department.size].items()) for day in days
    ]


def _evenings(large: list[Department], doctors: list[Doctor]) -> list[Duty]:
    """One evening a week in each large department, spread over the week."""
    first = {doctor.department_codes[0]: doctor for doctor in reversed(doctors) if doctor.title == ATTENDING}
    return [
        Duty(turn % 7, "EVENING", first[department.code], department, "ORDINARY", _FEES_FEN["ORDINARY"], 10,
             f"{department.code[-2:]}01诊室")
        for turn, department in enumerate(large)
    ]


def _expert(doctor: Doctor, departments: list[Department], rng: Random) -> list[Duty]:
    """Two or three clinics a week in different half-days, each department of the doctor's in turn."""
    halves = rng.sample(_WEEKDAY_HALVES, max(2, len(departments)))
    special = doctor.title == PROFESSOR and int(doctor.code[1:]) % 3 == 0
    duties: list[Duty] = []
    for turn, (day, period) in enumerate(halves):
        kind = "SPECIAL" if special and turn == len(halves) - 1 else "EXPERT"
        fee = _ASSOCIATE_FEE_FEN if doctor.title == ASSOCIATE else _FEES_FEN[kind]
        department = departments[turn % len(departments)]
        duties.append(Duty(day, period, doctor, department, kind, fee, 15 if kind == "SPECIAL" else 12,
                           f"{department.code[-2:]}{int(doctor.code[1:]) % 20 + 3:02d}诊室"))
    return duties
