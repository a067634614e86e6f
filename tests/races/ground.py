"""A town with a crowd in it, and how many do something at the same moment."""

from __future__ import annotations

import contextlib
import copy
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any

import pymysql

from sandbox.people import person
from sandbox.phone import Control, Phone, Refused
from scripts import books, local_db
from tests.opened import code_of

CROWD = 32
DAY, TODAY = "2026-11-26", "2026-11-23"
PATIENCE = 90  # seconds that a crowd may take on a busy machine
ANSWERS = {204, None}  # to a storm of notices; None: later than WeChat waits, on a busy machine
HOT, MANY = 5, 4  # places of the hot session; sessions of as many places each


class Member:
    """One of the crowd: an account with one patient."""

    def __init__(self, ground: Ground) -> None:
        self.phone = Phone(Control(ground.control.addresses)).sign_in()
        self.phone.allow_messages("booking")
        self.patient_id: str = self.phone.add_patient(person(), relation="SELF")["id"]

    def come_back(self) -> None:
        """Sign in again where the session has ended."""
        try:
            self.phone.call("GET", "account/me")
        except Refused:
            self.phone.sign_in()


class Ground:
    """The town and its database. What a race needs is made at its first use and used again."""

    def __init__(self, control: Control, mysql: str, database: str) -> None:
        self.control, self._where = control, (mysql, database)
        host, _, port = mysql.partition(":")
        self._connection: pymysql.Connection[Any] = local_db.connect(host, int(port), database)

    def sql(self, statement: str, args: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Look into the database itself; anew where another test has ended every connection to it."""
        self._connection.ping(reconnect=True)
        with self._connection.cursor() as cursor:
            cursor.execute(statement, tuple(args) or None)
            return list(cursor.fetchall())

    def count(self, statement: str, args: Sequence[Any] = ()) -> int:
        """The one number that a statement gives."""
        return int(self.sql(statement, args)[0][0] or 0)

    def differences(self, subject_ids: Sequence[str]) -> list[str]:
        """Where the books do not agree about these registrations and orders, or leave one hanging."""
        mine = set(subject_ids) | {row[0] for one in subject_ids for row in self.sql(
            "SELECT b.slot_id FROM bookings b WHERE b.id = %s UNION SELECT p.id FROM payments p "
            "WHERE p.subject_id = %s UNION SELECT c.id FROM charges c WHERE c.order_id = %s", (one, one, one))}
        report = books.compare(self.control, *self._where)
        return [one for one in report.differences + report.pending if any(name in one for name in mine)]

    @contextlib.contextmanager
    def held(self, statement: str, args: Sequence[Any] = ()) -> Iterator[Callable[[], None]]:
        """Rows that a SELECT names, locked until what it gives is called: who wants them waits in the middle."""
        mysql, database = self._where
        host, _, port = mysql.partition(":")
        with contextlib.closing(local_db.connect(host, int(port), database)) as connection:
            connection.begin()
            with connection.cursor() as cursor:
                cursor.execute(f"{statement} FOR UPDATE", tuple(args) or None)
            yield connection.commit

    # -- people and sessions ------------------------------------------------------------------------
    @cached_property
    def _crowd(self) -> list[Member]:
        with ThreadPoolExecutor(8) as pool:
            return list(pool.map(lambda _: Member(self), range(CROWD)))

    @property
    def crowd(self) -> list[Member]:
        """Everybody who races, signed in: a race before this one may have let days pass."""
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda one: one.come_back(), self._crowd))
        return self._crowd

    def newcomer(self) -> Member:
        """One more account with a patient."""
        return Member(self)

    @cached_property
    def hot(self) -> dict[str, Any]:
        """One session with few places."""
        return self.session(HOT)

    @cached_property
    def many(self) -> list[dict[str, Any]]:
        """Some sessions with few places each."""
        return [self.session(HOT) for _ in range(MANY)]

    @cached_property
    def wide(self) -> dict[str, Any]:
        """One session with places for everybody."""
        return self.session(600)

    @cached_property
    def today(self) -> dict[str, Any]:
        """One session of this morning, with places for everybody."""
        return self.session(100, TODAY)

    @cached_property
    def doctors(self) -> list[dict[str, Any]]:
        """Sessions of different doctors on one day, with places enough."""
        shown = Phone(self.control).call("GET", "booking/sessions", params={"day": "2026-11-27"})["sessions"]
        apart = {one["doctor_id"]: one for one in shown if one["free"] >= 4 and one["state"] == "OPEN"}
        return list(apart.values())[:12]

    @cached_property
    def free(self) -> list[dict[str, Any]]:
        """Sessions that cost nothing, with places enough: what is taken in them is firm on trust."""
        return [self.session(100, fee_fen=0) for _ in range(MANY)]

    def session(self, places: int, day: str = DAY, fee_fen: int = 2500) -> dict[str, Any]:
        """One more session, of a doctor of its own."""
        department = self.control("GET", "/his/departments")["departments"][0]["code"]
        made = self.control("POST", "/his/schedules", date=day, period="MORNING", kind="EXPERT", fee_fen=fee_fen,
                            slots=places, doctor="new", department_code=department)
        self.control.operate("schedules.sync", schedule=made["code"])
        return {"id": self.sql("SELECT id FROM schedules WHERE his_code = %s", (made["code"],))[0][0],
                "fee_fen": fee_fen, "places": places}

    # -- bills --------------------------------------------------------------------------------------
    def bill(self, member: Member, *prices_fen: int) -> dict[str, Any]:
        """One more bill of a member's patient, with an item for each price, as a phone shows it."""
        code = code_of(self.control, self.sql, member.patient_id)
        made: dict[str, Any] = self.control("POST", "/his/bills", patient_code=code, kind="LABORATORY", items=[
            {"name": "化验", "unit_price_fen": price} for price in prices_fen])
        return made

    def charges(self, order_id: str) -> list[dict[str, str]]:
        """The charges of an order in the order of their bills: ``id``, ``bill_no``, ``trade_no``, ``state``."""
        return [dict(zip(("id", "bill_no", "trade_no", "state"), row, strict=True)) for row in self.sql(
            "SELECT id, bill_no, trade_no, state FROM charges WHERE order_id = %s ORDER BY bill_no", (order_id,))]

    def steps(self, charge_id: str, step: str) -> int:
        """How often a charge took a step (``SETTLED>CANCELLING``)."""
        source, _, target = step.partition(">")
        return self.count("SELECT COUNT(*) FROM charge_history WHERE charge_id = %s AND from_state = %s "
                          "AND to_state = %s", (charge_id, source, target))

    # -- what is left to do -------------------------------------------------------------------------
    def work(self, seconds: float = 0) -> None:
        """Let time pass and everything due be done."""
        self.control.settle(PATIENCE)
        if seconds:
            self.control.advance(seconds)
        for function in ("worker", "refund"):
            answer = self.fire(function)
            assert "error" not in answer, f"{function}: {answer['error']}"
        self.control.settle(PATIENCE)

    def until_told(self, orders: Sequence[str]) -> None:
        """Until these orders are done and their accounts' messages out: on a busy machine a step may be tried again."""
        marks = ", ".join(["%s"] * len(orders))
        for _ in range(6):
            self.work(40)
            if not self.count(
                    f"SELECT (SELECT COUNT(*) FROM charge_orders WHERE id IN ({marks}) AND state <> 'DONE') + "
                    "(SELECT COUNT(*) FROM outbox o JOIN messages m ON m.id = o.subject_id JOIN charge_orders c "
                    f"ON c.account_id = m.account_id WHERE o.state = 'PENDING' AND c.id IN ({marks}))",
                    (*orders, *orders)):
                return

    def finish(self) -> None:
        """Long enough for every hold to end, every question to be asked, every refund to arrive."""
        for seconds in (0, 15, 35, 20 * 60, 120):
            self.work(seconds)

    def fire(self, function: str = "worker", timer: str = "every-minute") -> Any:
        """A timer goes off; what the function said."""
        return self.control("POST", f"/scf/timers/{function}/{timer}/fire")

    def give_up(self, held: list[tuple[Phone, str]]) -> None:
        """Held places go back on sale."""
        if held:
            together([lambda phone=phone, number=number: phone.raw(  # type: ignore[misc]
                "POST", f"booking/bookings/{number}/cancellation") for phone, number in held])
        self.control.settle()


def clients(phone: Phone, number: int) -> list[Phone]:
    """The same account on several devices at once, each with its own connection."""
    found = []
    for _ in range(number):
        one = copy.copy(phone)
        one._http = one.line()
        found.append(one)
    return found


def later(phone: Phone, looks: int, action: Callable[[], Any]) -> Any:
    """Do it after some looks at one's payments: what takes one request would always come before what takes several."""
    one = clients(phone, 1)[0]
    for _ in range(looks):
        one.payments()
    return action()


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
