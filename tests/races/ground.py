"""A town with a crowd in it, and how many do something at the same moment."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any

import pymysql
import requests

from sandbox.people import person
from sandbox.phone import Control, Phone, Refused
from scripts import books, local_db

CROWD = 32
DAY = "2026-11-26"
HOT, MANY = 5, 4  # places of the hot session; sessions of as many places each


class Member:
    """One of the crowd: an account with one patient."""

    def __init__(self, ground: Ground) -> None:
        self.phone = Phone(Control(ground.control.addresses)).sign_in()
        self.phone.allow_messages("booking")
        self.patient_id: str = self.phone.add_patient(person(), relation="SELF")["id"]


class Ground:
    """The town and its database. What a race needs is made at its first use and used again."""

    def __init__(self, control: Control, mysql: str, database: str) -> None:
        self.control, self._where = control, (mysql, database)
        host, _, port = mysql.partition(":")
        self._connection: pymysql.Connection[Any] = local_db.connect(host, int(port), database)

    def sql(self, statement: str, args: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Look into the database itself."""
        with self._connection.cursor() as cursor:
            cursor.execute(statement, tuple(args) or None)
            return list(cursor.fetchall())

    def count(self, statement: str, args: Sequence[Any] = ()) -> int:
        """The one number that a statement gives."""
        return int(self.sql(statement, args)[0][0] or 0)

    def differences(self, booking_ids: Sequence[str]) -> list[str]:
        """Where the books do not agree about these registrations, or leave one hanging."""
        mine = set(booking_ids) | {row[0] for one in booking_ids for row in self.sql(
            "SELECT b.slot_id FROM bookings b WHERE b.id = %s UNION SELECT p.id FROM payments p "
            "WHERE p.subject_id = %s", (one, one))}
        report = books.compare(self.control, *self._where)
        return [one for one in report.differences + report.pending if any(name in one for name in mine)]

    # -- people and sessions ------------------------------------------------------------------------
    @cached_property
    def crowd(self) -> list[Member]:
        """Everybody who races."""
        with ThreadPoolExecutor(8) as pool:
            return list(pool.map(lambda _: Member(self), range(CROWD)))

    def newcomer(self) -> Member:
        """One more account with a patient."""
        return Member(self)

    @cached_property
    def hot(self) -> dict[str, Any]:
        """One session with few places."""
        return self._session(HOT)

    @cached_property
    def many(self) -> list[dict[str, Any]]:
        """Some sessions with few places each."""
        return [self._session(HOT) for _ in range(MANY)]

    @cached_property
    def wide(self) -> dict[str, Any]:
        """One session with places for everybody."""
        return self._session(600)

    @cached_property
    def doctors(self) -> list[dict[str, Any]]:
        """Sessions of different doctors on one day, with places enough."""
        shown = Phone(self.control).call("GET", "booking/sessions", params={"day": "2026-11-27"})["sessions"]
        apart = {one["doctor_id"]: one for one in shown if one["free"] >= 4 and one["state"] == "OPEN"}
        return list(apart.values())[:12]

    def _session(self, places: int) -> dict[str, Any]:
        department = self.control("GET", "/his/departments")["departments"][0]["code"]
        made = self.control("POST", "/his/schedules", date=DAY, period="MORNING", kind="EXPERT", fee_fen=2500,
                            slots=places, doctor="new", department_code=department)
        self.control.operate("schedules.sync", schedule=made["code"])
        return {"id": self.sql("SELECT id FROM schedules WHERE his_code = %s", (made["code"],))[0][0],
                "fee_fen": 2500, "places": places}

    # -- what is left to do -------------------------------------------------------------------------
    def work(self, seconds: float = 0) -> None:
        """Let time pass and everything due be done."""
        self.control.settle()
        if seconds:
            self.control.advance(seconds)
        self.control.work()

    def finish(self) -> None:
        """Long enough for every hold to end, every question to be asked, every refund to arrive."""
        for seconds in (0, 15, 35, 20 * 60, 120):
            self.work(seconds)

    def give_up(self, held: list[tuple[Phone, str]]) -> None:
        """Held places go back on sale."""
        together([lambda phone=phone, number=number: phone.raw(  # type: ignore[misc]
            "POST", f"booking/bookings/{number}/cancellation") for phone, number in held])
        self.control.settle()


def clients(phone: Phone, number: int) -> list[Phone]:
    """The same account on several devices at once, each with its own connection."""
    found = []
    for _ in range(number):
        one = copy.copy(phone)
        one._http = requests.Session()
        found.append(one)
    return found


def together(actions: Sequence[Callable[[], Any]]) -> list[Any]:
    """Do all of it at the same moment; the results in order, a refusal as the exception."""
    gate = threading.Barrier(len(actions))

    def run(action: Callable[[], Any]) -> Any:
        gate.wait(30)
        try:
            return action()
        except Refused as refusal:
            return refusal

    with ThreadPoolExecutor(len(actions)) as pool:
        return list(pool.map(run, actions))


def won(results: Sequence[Any]) -> list[dict[str, Any]]:
    """Those that were not refused."""
    return [one for one in results if not isinstance(one, Refused)]


def broken_answers(results: Sequence[Any], *codes: str) -> list[str]:
    """Refusals other than those that the race must bring."""
    return [f"answered {one.status} {one.code}" for one in results
            if isinstance(one, Refused) and one.code not in codes]
