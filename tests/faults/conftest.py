"""A patient's visit that goes on whatever the neighbours do, and the check that nothing was lost."""

from __future__ import annotations

import contextlib
import re
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import pytest

from sandbox.people import person
from sandbox.phone import Control, Phone, Refused
from scripts import books, local_db
from tests.opened import account_of

Sql = Callable[..., list[tuple[Any, ...]]]
FINAL = {"CONFIRMED", "CHECKED_IN", "CANCELLED", "RELEASED", "REJECTED"}
_MINE = """
SELECT id FROM bookings WHERE account_id = %(me)s UNION ALL SELECT slot_id FROM bookings WHERE account_id = %(me)s
UNION ALL SELECT id FROM payments WHERE account_id = %(me)s UNION ALL SELECT id FROM messages WHERE account_id = %(me)s
UNION ALL SELECT r.id FROM refunds r JOIN payments p ON p.id = r.payment_id WHERE p.account_id = %(me)s
UNION ALL SELECT id FROM checkins WHERE account_id = %(me)s
UNION ALL SELECT id FROM booking_moves WHERE account_id = %(me)s
UNION ALL SELECT c.id FROM booking_choices c JOIN bookings b ON b.id = c.booking_id WHERE b.account_id = %(me)s
UNION ALL SELECT id FROM charge_orders WHERE account_id = %(me)s
UNION ALL SELECT g.id FROM charges g JOIN charge_orders c ON c.id = g.order_id WHERE c.account_id = %(me)s
UNION ALL SELECT id FROM settlements WHERE account_id = %(me)s
UNION ALL SELECT id FROM invoices WHERE account_id = %(me)s
UNION ALL SELECT d.id FROM desk_refunds d JOIN settlements s ON s.id = d.settlement_id WHERE s.account_id = %(me)s
"""
EXPECTED_ERRORS = r"unanswered: |rejected: |Unavailable$|RetryWhole$"
TRIES = 6  # a patient taps again this often before giving up
# The outbox rows that can still change something of one account's: not those that will find nothing to do.
_DUE = """
SELECT MIN(o.due_at) FROM outbox o
LEFT JOIN bookings b ON b.id = o.subject_id LEFT JOIN payments p ON p.id = o.subject_id
LEFT JOIN refunds r ON r.id = o.subject_id LEFT JOIN payments q ON q.id = r.payment_id
LEFT JOIN messages m ON m.id = o.subject_id LEFT JOIN checkins k ON k.id = o.subject_id
LEFT JOIN charge_orders c ON c.id = o.subject_id LEFT JOIN booking_moves v ON v.id = o.subject_id
LEFT JOIN charges g ON g.id = o.subject_id LEFT JOIN charge_orders h ON h.id = g.order_id
LEFT JOIN settlements s ON s.id = o.subject_id LEFT JOIN invoices i ON i.id = o.subject_id
LEFT JOIN desk_refunds d ON d.id = o.subject_id LEFT JOIN settlements t ON t.id = d.settlement_id
WHERE o.state = 'PENDING' AND (o.topic IN ('bill.read', 'desk.take') OR COALESCE(b.account_id, p.account_id,
  q.account_id, m.account_id, v.account_id, k.account_id, c.account_id, h.account_id, s.account_id, i.account_id,
  t.account_id) = %s)
AND NOT (o.topic = 'booking.expire' AND b.state NOT IN ('HELD', 'AWAITING_PAYMENT'))
AND NOT (o.topic = 'checkin.expire' AND k.state <> 'AWAITING_PAYMENT')
AND NOT (o.topic = 'move.expire' AND v.state NOT IN ('HELD', 'AWAITING_PAYMENT'))
AND NOT (o.topic = 'outpatient.expire' AND c.state NOT IN ('OPEN', 'AWAITING_PAYMENT'))
AND NOT (o.topic = 'payment.ask' AND p.state <> 'OPEN')
AND NOT (o.topic = 'queue.watch' AND b.state = 'CHECKED_IN')
AND NOT (o.topic = 'refund.check' AND r.state <> 'PROCESSING')
"""


class Visit:
    """One account with one patient, in a session with places enough."""

    def __init__(self, control: Control, sql: Sql, session: dict[str, Any], where: tuple[str, str]) -> None:
        self.control, self.sql, self.session, self._where = control, sql, session, where
        self.phone = self.again(Phone(control).sign_in)
        self.phone.allow_messages("booking")
        self.patient_id: str = self.phone.add_patient(person(), relation="SELF")["id"]
        self.account_id: str = account_of(control, sql, self.phone.openid)
        self.id = ""
        self.answers: set[int | None] = {204, 503}  # that WeChat may have been given to its notices
        self.payment: dict[str, str] | None = None

    # -- what the patient does ----------------------------------------------------------------------
    def again(self, act: Callable[[], Any]) -> Any:
        """Do something as a patient does: again while it says "try later"; None when it says no."""
        for _ in range(TRIES):
            try:
                return act()
            except Refused as refusal:
                assert refusal.status < 500 or refusal.status == 503, f"{refusal}"
                if refusal.status != 503:
                    return None
        return None

    def book(self, **changes: Any) -> str:
        """Take a place."""
        self.id = self.phone.book(self.patient_id, self.session, **changes)["id"]
        return self.id

    def open(self) -> bool:
        """Lock it and open the payment; False when that is refused."""
        self.payment = self.again(lambda: self.phone.open_payment(self.id))
        return self.payment is not None

    def pay(self, **how: Any) -> dict[str, str]:
        """Press the thumb."""
        assert self.payment is not None
        return self.phone.thumb(self.payment, **how)

    def held_and_paid(self, **how: Any) -> dict[str, str]:
        """Book, open, pay."""
        self.book()
        assert self.open()
        return self.pay(**how)

    def cancel(self) -> Any:
        """Cancel, or give up."""
        return self.again(lambda: self.phone.call("POST", f"booking/bookings/{self.id}/cancellation"))

    # -- how it stands ------------------------------------------------------------------------------
    def shown(self) -> dict[str, Any]:
        """The registration as the patient sees it."""
        return self.phone.booking(self.id)

    @property
    def state(self) -> str:
        """The registration's state in our books."""
        return str(self.sql("SELECT state FROM bookings WHERE id = %s", (self.id,))[0][0])

    @property
    def trade_no(self) -> str:
        """Its present number in the HIS."""
        return str(self.sql("SELECT trade_no FROM bookings WHERE id = %s", (self.id,))[0][0])

    @property
    def out_trade_no(self) -> str:
        """Its number at WeChat Pay."""
        return str(self.sql("SELECT out_trade_no FROM payments WHERE subject_id = %s", (self.id,))[0][0])

    def order(self) -> dict[str, Any]:
        """Its order as WeChat Pay has it."""
        answer: dict[str, Any] = self.control("GET", f"/wechatpay/orders/{self.out_trade_no}")
        return answer

    def his(self) -> dict[str, Any]:
        """The registration under its present number, as the HIS has it."""
        return next(one for one in self.control("GET", "/his/books") if one["trade_no"] == self.trade_no)

    def tasks(self, *kinds: str) -> list[tuple[str, str]]:
        """Open staff tasks about this account's things: kind and task id."""
        mine = self._mine()
        return [(kind, task) for kind, task, subject in
                self.sql("SELECT kind, id, subject_id FROM staff_tasks WHERE state = 'OPEN' ORDER BY created_at")
                if subject in mine and kind in (kinds or (kind,))]

    def messages(self, kind: str = "booking%") -> list[tuple[str, str]]:
        """Kind and state of the account's messages."""
        return self.sql("SELECT kind, state FROM messages WHERE account_id = %s AND kind LIKE %s ORDER BY kind",
                        (self.account_id, kind))

    def history(self) -> list[str]:
        """The steps it took, as ``FROM>TO``, in any order."""
        return sorted(f"{one}>{other}" for one, other in self.sql(
            "SELECT from_state, to_state FROM booking_history WHERE booking_id = %s", (self.id,)))

    def notice(self, like: str = "", url: str = "", **changes: Any) -> int | None:
        """A notice about the order, or a refund of it, rightly signed, with ``changes``: the status answered."""
        status: int | None = None
        for _ in range(TRIES):  # as WeChat does, which waits five seconds each time: a cold function may take longer
            said = self.control("POST", "/wechatpay/notices/send", like=like or self.out_trade_no, url=url, **changes)
            status = said["status"]
            if status is not None:
                break
            self.answers.add(None)
        return status

    def ledger(self, *movements: str) -> list[tuple[str, int]]:
        """Movement and fen of what is booked of its payment, oldest first."""
        return self.sql("SELECT l.movement, l.amount_fen FROM ledger l JOIN payments p ON p.id = l.payment_id "
                        f"WHERE p.subject_id = %s AND l.movement IN ({', '.join(['%s'] * len(movements))}) "
                        "ORDER BY l.id", (self.id, *movements))

    # -- what follows by itself ---------------------------------------------------------------------
    def work(self, until: Callable[[], bool] = lambda: False, rounds: int = 40) -> None:
        """Let everything run that is due or will be, in the order of time, until nothing is left to do.

        ``until`` ends it earlier.
        """
        self.control.settle()
        for _ in range(rounds):
            due = self.sql(_DUE, (self.account_id,))[0][0]
            if due is None or until():
                return
            now = datetime.fromisoformat(self.control("GET", "/clock")["now"])
            wait = (due.replace(tzinfo=timezone.utc) - now).total_seconds()
            if wait > 0:
                self.control.advance(wait + 0.01)
            try:
                self.control.work()
            except RuntimeError as error:  # the platform would invoke it again
                assert "Unavailable" in str(error), error
        raise AssertionError(f"never quiet: {self.sql('SELECT topic, state, last_error FROM outbox')[-5:]}")

    def waiting_for(self, system: str, operation: str) -> None:
        """Return once a call is under way that a fault holds up."""
        self.until(lambda: any(
            one["hits"] for one in self.control("GET", "/faults")["faults"]
            if (one["system"], one["operation"]) == (system, operation)), f"nobody called {operation}")

    @staticmethod
    def until(holds: Callable[[], bool], otherwise: str) -> None:
        """Wait for a fact, as long as the slowest machine may take."""
        deadline = time.monotonic() + 60
        while not holds():
            assert time.monotonic() < deadline, otherwise
            time.sleep(0.01)

    def recover(self) -> None:
        """Every fault is over, what is left to do is done, and staff work off their list."""
        self.control("DELETE", "/faults")
        self.work()
        for _, task in self.tasks():
            with contextlib.suppress(Refused):  # some have no step to repeat: they only inform
                self.operate("task.retry", task)
        self.work()

    def operate(self, action: str, task_id: str) -> Any:
        """An operator's decision on a task."""
        return self.control.operate(action, task_id=task_id, note="decided in a test")

    def check(self, *states: str) -> None:
        """Nothing was lost: a final state, books that agree, each message at most once."""
        assert self.state in (states or FINAL), f"{self.state}: {self.history()}"
        self.agree()
        shown = Counter(one["template_name"] for one in self.phone.inbox())
        assert all(count == 1 for count in shown.values()), f"told more than once: {shown}"

    def agree(self) -> None:
        """All books agree on what is this account's, and nothing is under way that nobody sees."""
        report = books.compare(self.control, *self._where, self.account_id)
        assert report.differences == []
        assert not report.pending or self.tasks(), f"pending without a task: {report.pending}"
        assert not [one for one in self.messages("%") if one[1] in ("QUEUED", "SENDING")]
        self._no_surprises(self._mine())

    def _no_surprises(self, mine: set[str]) -> None:
        """Whatever failed on the way failed as an outside system's answer or silence, not as a fault of ours."""
        errors = [(topic, error) for topic, error, subject in self.sql(
            "SELECT topic, last_error, subject_id FROM outbox WHERE last_error <> ''") if subject in mine]
        assert not [one for one in errors if not re.match(EXPECTED_ERRORS, one[1])], errors
        numbers = {row[0] for row in self.sql("SELECT out_trade_no FROM payments WHERE account_id = %s",
                                              (self.account_id,))}
        answers = {delivery["status"] for notice in self.control("GET", "/wechatpay/notices")
                   if notice["out_trade_no"] in numbers for delivery in notice["deliveries"]}
        assert answers <= {*self.answers, None}, answers  # None: later than WeChat waits, on a busy machine

    def _mine(self) -> set[str]:
        return {row[0] for row in self.sql(_MINE, {"me": self.account_id})}


@pytest.fixture(scope="session")
def hall(world: Control, mysql: str, database_name: str) -> dict[str, Any]:
    """A session with places for everybody."""
    department = world("GET", "/his/departments")["departments"][0]["code"]
    made = world("POST", "/his/schedules", date="2026-11-25", period="AFTERNOON", kind="EXPERT", fee_fen=2500,
                 slots=600, doctor="new", department_code=department)
    world.operate("schedules.sync", schedule=made["code"])
    host, _, port = mysql.partition(":")
    with local_db.connect(host, int(port), database_name) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT id, doctor_id FROM schedules WHERE his_code = %s", (made["code"],))
        row = cursor.fetchone()
    assert row is not None
    return {"id": row[0], "doctor_id": row[1], "fee_fen": 2500, "his": made}


@pytest.fixture
def new_visit(control: Control, sql: Sql, mysql: str, database_name: str) -> Callable[[dict[str, Any]], Visit]:
    """``new_visit(session)``: another account with a patient, who may book there."""
    return lambda session: Visit(control, sql, session, (mysql, database_name))


@pytest.fixture
def visit(new_visit: Callable[[dict[str, Any]], Visit], hall: dict[str, Any]) -> Visit:
    """An account with a patient, in a session with places enough."""
    return new_visit(hall)
