"""Everything that the comparison looks at, read once: our books, the HIS's, WeChat Pay's, the e-bill platform's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pymysql.cursors import DictCursor

from sandbox.phone import Control
from scripts import local_db

Row = dict[str, Any]
# States in which something is still under way here.
MOVING = {
    "bookings": {"HELD", "AWAITING_PAYMENT", "CONFIRMING", "CANCELLING"},
    "booking_moves": {"HELD", "AWAITING_PAYMENT", "MOVING"},
    "checkins": {"AWAITING_PAYMENT", "CHECKING_IN"},
    "charge_orders": {"OPEN", "AWAITING_PAYMENT", "SETTLING"},
    "charges": {"OPEN", "SETTLING", "CANCELLING"},
    "refunds": {"REQUESTED", "PROCESSING", "STUCK"},
    "desk_refunds": {"FOUND", "REFUNDING"},
    "invoices": {"ORDERED", "WRITING_OFF"},
}
# Tasks that tell staff of something that goes on by itself: they explain no money.
INFORMING = {"payment.amount-differs", "payment.another-payer", "payment.not-ours", "payment.transaction-elsewhere",
             "booking.unlock-refused"}
OURS = {
    "bookings": "SELECT id, state, reason, slot_id, trade_no, fee_fen, payment_policy FROM bookings WHERE {}",
    "booking_moves": "SELECT id, booking_id, state, trade_no FROM booking_moves WHERE {}",
    "checkins": "SELECT id, booking_id, state FROM checkins WHERE {}",
    "charge_orders": "SELECT id, state, total_fen FROM charge_orders WHERE {}",
    "charges": "SELECT id, order_id, bill_no, trade_no, amount_fen, state FROM charges WHERE {}",
    "payments": "SELECT id, kind, subject_id, out_trade_no, transaction_id, paid_fen, refunding_fen "
                "FROM payments WHERE {}",
    "refunds": "SELECT id, payment_id, purpose, out_refund_no, amount_fen, state FROM refunds WHERE {}",
    "settlements": "SELECT id, kind, subject_id, trade_no, payment_id, amount_fen, reversing_fen, reversed_fen "
                   "FROM settlements WHERE {}",
    "desk_refunds": "SELECT id, refund_no, trade_no, settlement_id, amount_fen, state, reported_at FROM desk_refunds",
    "invoices": "SELECT id, settlement_id, amount_fen, state, batch_code, number, red_batch_code, red_number "
                "FROM invoices WHERE {}",
    "ledger": "SELECT payment_id, movement, SUM(amount_fen) AS fen FROM ledger WHERE {} GROUP BY payment_id, movement",
    "tasks": "SELECT kind, subject_id FROM staff_tasks WHERE state = 'OPEN'",
    "jobs": "SELECT topic, subject_id FROM outbox WHERE state = 'PENDING' AND topic LIKE 'invoice.%%'",
    "shared_slots": "SELECT slot_id, COUNT(*) AS held FROM bookings WHERE live_flag = 1 GROUP BY slot_id "
                    "HAVING COUNT(*) > 1",
    "placeless": "SELECT b.id FROM bookings b JOIN slots s ON s.id = b.slot_id "
                 "WHERE b.live_flag = 1 AND (s.booking_id IS NULL OR s.booking_id <> b.id)",
    "stale_slots": "SELECT s.id FROM slots s JOIN bookings b ON b.id = s.booking_id WHERE b.live_flag IS NULL",
}
_PAYMENTS = "payment_id IN (SELECT id FROM payments WHERE account_id = %(account)s)"
# Which of these rows are one account's; of the other tables all are read.
OF_ACCOUNT = {
    **dict.fromkeys(("bookings", "booking_moves", "checkins", "charge_orders", "payments", "settlements", "invoices"),
                    "account_id = %(account)s"),
    "charges": "order_id IN (SELECT id FROM charge_orders WHERE account_id = %(account)s)",
    "refunds": _PAYMENTS, "ledger": _PAYMENTS}
THEIRS = {"registrations": "/his/books", "charges": "/his/charges", "bills": "/his/bills",
          "desk_refunds": "/his/desk-refunds", "orders": "/wechatpay/orders", "ebills": "/ebill/bills"}


BACK = ("SUCCEEDED", "ELSEWHERE")  # states of a refund that has reached the patient


@dataclass
class Report:
    """Sums in fen, and every difference found as a sentence that names the ids concerned.

    ``confirmed_fen`` is what registrations that are firm in the HIS have paid, ``settled_fen`` all that the HIS
    keeps, bills too.
    """

    captured_fen: int = 0
    confirmed_fen: int = 0
    settled_fen: int = 0
    refunded_fen: int = 0
    pending_fen: int = 0
    pending: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)

    def add(self, sentence: str, *, waits: bool = False) -> None:
        """Something does not agree: a difference, unless something visible ``waits`` to put it right."""
        (self.pending if waits else self.differences).append(sentence)


@dataclass
class Case:
    """A payment with all that belongs to it. ``trades``: what the HIS says it was paid with; ``order``: WeChat's."""

    payment: Row
    order: Row | None
    trades: list[Row]
    refunds: list[Row]
    settlements: list[Row]
    subjects: list[tuple[str, Row]]  # with the table: the booking, the check-in, the order and its charges
    desk: list[tuple[Row | None, Row | None]]  # ours and the HIS's
    elsewhere_fen: int = 0  # what our ledger says that staff paid back in another way
    tasks: list[str] = field(default_factory=list)

    @property
    def captured_fen(self) -> int:
        """What WeChat took from the patient."""
        return int(self.order["total_fen"]) if self.order and self.order["transaction_id"] else 0

    @property
    def refunded_fen(self) -> int:
        """What WeChat gave back."""
        return int(self.order["refunded_fen"]) if self.order else 0

    @cached_property
    def moving(self) -> list[str]:
        """What is under way and will go on, or waits visibly in its state."""
        found = [f"{table} {row['id']} {row['state']}" for table, row in self.subjects if row["state"] in MOVING[table]]
        found += [f"refund {row['id']} {row['state']}" for row in self.refunds if row["state"] in MOVING["refunds"]]
        return found + [f"desk refund {_desk_name(ours, theirs)}" for ours, theirs in self.desk
                        if desk_refund_moves(ours, theirs)]

    @property
    def waits(self) -> bool:
        """Whether something visible may still change it: by itself, or by staff."""
        return bool(self.moving or self.tasks)

    @property
    def name(self) -> str:
        """The ids it goes by."""
        ids = dict.fromkeys([self.payment["subject_id"], *(row["id"] for _, row in self.subjects)])
        return f"payment {self.payment['id']} ({self.payment['kind']} of {', '.join(ids)})"


def desk_refund_moves(ours: Row | None, theirs: Row | None) -> bool:
    """Whether a refund of the desk's is under way: not taken up yet, on its way, or not reported."""
    if ours is None:
        return theirs is not None and theirs["state"] == "REQUESTED"
    return ours["state"] in MOVING["desk_refunds"] or ours["reported_at"] is None


def _desk_name(ours: Row | None, theirs: Row | None) -> str:
    return f"{ours['id']} {ours['state']}" if ours else f"{theirs['refund_no']} not taken up" if theirs else ""


def kept_fen(trade: Row) -> int:
    """What the HIS keeps of what a trade paid."""
    return (trade["paid_fen"] or 0) - out_fen(trade)


def out_fen(trade: Row) -> int:
    """What the HIS has taken out of its books again."""
    return (trade["refund_fen"] or 0) + (trade["desk_refund_fen"] or 0)


def read(control: Control, mysql: str, database: str, account_id: str = "") -> Books:
    """All books as they are now; of our tables with an account, if one is named, only that one's rows."""
    host, _, port = mysql.partition(":")
    ours: dict[str, list[Row]] = {}
    with local_db.connect(host, int(port), database) as connection, connection.cursor(DictCursor) as cursor:
        for name, statement in OURS.items():
            whose = OF_ACCOUNT.get(name, "TRUE") if account_id else "TRUE"
            cursor.execute(statement.format(whose), {"account": account_id})
            ours[name] = list(cursor.fetchall())
    return Books(ours, {name: control("GET", path) for name, path in THEIRS.items()})


class Books:
    """All books at one moment. ``ours`` and ``theirs`` hold the rows of each of ``OURS`` and ``THEIRS``."""

    def __init__(self, ours: dict[str, list[Row]], theirs: dict[str, Any]) -> None:
        self._ours = ours
        self.registrations: list[Row] = theirs["registrations"]
        self.his_charges: list[Row] = theirs["charges"]
        self.his_bills = by("bill_no", theirs["bills"])
        self.desk_refunds = by("refund_no", self.table("desk_refunds"))
        self.his_desk_refunds = by("refund_no", theirs["desk_refunds"])
        self.wechat = by("out_trade_no", theirs["orders"])
        self.ebills: list[Row] = theirs["ebills"]["bills"]
        self.trades = by("trade_no", [*self.registrations, *self.his_charges])
        self.tasks = {one["subject_id"] for one in self.table("tasks") if one["kind"] not in INFORMING}
        self.jobs = {one["subject_id"] for one in self.table("jobs")}
        self.ledger: dict[tuple[str, str], int] = {
            (one["payment_id"], one["movement"]): int(one["fen"]) for one in self.table("ledger")}
        self.cases = [self._case(payment) for payment in self.table("payments")]

    def table(self, name: str) -> list[Row]:
        """The rows of one of our tables."""
        return self._ours[name]

    def names(self) -> set[str]:
        """Ids and numbers of the things that accounts have."""
        return {row[name] for table in OF_ACCOUNT for row in self.table(table)
                for name in ("id", "slot_id", "trade_no", "out_trade_no") if row.get(name)}

    def cases_of(self, booking_id: str) -> list[Case]:
        """The payments of a registration: at booking, at check-in."""
        return self._cases_of_booking.get(booking_id, [])

    def case_of_trade(self, trade_no: str) -> Case | None:
        """The payment that a trade of the HIS is paid with, as our books have it."""
        return self._case_of_trade.get(trade_no)

    def charge_of_trade(self, trade_no: str) -> str | None:
        """The charge of ours that has this trade number."""
        return self._charge_ids.get(trade_no)

    def charges_of(self, order_id: str) -> list[Row]:
        """The charges of an order."""
        return self._grouped["charges"].get(order_id, [])

    def checkins_of(self, booking_id: str) -> list[Row]:
        """Every try to check in."""
        return self._grouped["checkins"].get(booking_id, [])

    # -- inside -------------------------------------------------------------------------------------
    @cached_property
    def _grouped(self) -> dict[str, dict[Any, list[Row]]]:
        keys = {"refunds": "payment_id", "settlements": "payment_id", "charges": "order_id", "checkins": "booking_id",
                "booking_moves": "booking_id"}
        return {name: group(key, self.table(name)) for name, key in keys.items()}

    @cached_property
    def _rows(self) -> dict[str, dict[Any, Row]]:
        return {name: by("id", self.table(name)) for name in ("bookings", "booking_moves", "checkins", "charge_orders")}

    @cached_property
    def _paid_with(self) -> dict[Any, list[Row]]:
        return group("transaction_id", self.trades.values())

    @cached_property
    def _desk_of_trade(self) -> dict[str, list[tuple[Row | None, Row | None]]]:
        found = defaultdict[str, list[tuple[Row | None, Row | None]]](list)
        for number in dict.fromkeys([*self.desk_refunds, *self.his_desk_refunds]):
            mine, theirs = self.desk_refunds.get(number), self.his_desk_refunds.get(number)
            found[(theirs or mine or {})["trade_no"]].append((mine, theirs))
        return found

    @cached_property
    def _cases_of_booking(self) -> dict[str, list[Case]]:
        found = defaultdict[str, list[Case]](list)
        for case in self.cases:
            for table, row in case.subjects:
                if table == "bookings":
                    found[row["id"]].append(case)
        return found

    @cached_property
    def _charge_ids(self) -> dict[str, str]:
        return {one["trade_no"]: one["id"] for one in self.table("charges")}

    @cached_property
    def _case_of_trade(self) -> dict[str, Case]:
        return {number: case for case in self.cases for number in _numbers(case)}

    def _case(self, payment: Row) -> Case:
        order = self.wechat.get(payment["out_trade_no"])
        case = Case(payment, order, self._paid_with.get(order["transaction_id"], []) if order and
                    order["transaction_id"] else [], self._grouped["refunds"].get(payment["id"], []),
                    self._grouped["settlements"].get(payment["id"], []), self._subjects(payment), [],
                    -self.ledger.get((payment["id"], "ELSEWHERE"), 0))
        case.desk = [pair for number in _numbers(case) for pair in self._desk_of_trade.get(number, [])]
        named = [payment["id"], payment["out_trade_no"], *_numbers(case), *(row["id"] for _, row in case.subjects)]
        named += [name for one in case.refunds for name in (one["id"], one["out_refund_no"][-32:])]
        named += [one["id"] for one in (*case.settlements, *(ours for ours, _ in case.desk if ours))]
        case.tasks = [name for name in named if name in self.tasks]
        return case

    def _subjects(self, payment: Row) -> list[tuple[str, Row]]:
        subject = payment["subject_id"]
        if payment["kind"] == "outpatient":
            found: list[tuple[str, Row | None]] = [("charge_orders", self._rows["charge_orders"].get(subject))]
            found += [("charges", charge) for charge in self._grouped["charges"].get(subject, [])]
        elif payment["kind"] == "move":
            one = self._rows["booking_moves"].get(subject)
            found = [("booking_moves", one), ("bookings", self._rows["bookings"].get((one or {}).get("booking_id")))]
        elif payment["kind"] == "checkin":
            checkin = self._rows["checkins"].get(subject)
            found = [("checkins", checkin), ("bookings", self._rows["bookings"].get((checkin or {}).get("booking_id")))]
        else:
            found = [("bookings", self._rows["bookings"].get(subject))]
            found += [("checkins", one) for one in self._grouped["checkins"].get(subject, [])]
            found += [("booking_moves", one) for one in self._grouped["booking_moves"].get(subject, [])]
        return [(table, row) for table, row in found if row is not None]


def _numbers(case: Case) -> list[str]:
    """The trade numbers that a payment may be used for."""
    return [*dict.fromkeys([*(row["trade_no"] for _, row in case.subjects if "trade_no" in row),
                            *(one["trade_no"] for one in (*case.settlements, *case.trades))])]


def by(name: str, rows: Iterable[Row]) -> dict[Any, Row]:
    """The rows under one of their values, which each has alone."""
    return {row[name]: row for row in rows}


def group(name: str, rows: Iterable[Row]) -> dict[Any, list[Row]]:
    """The rows under one of their values, which several may have."""
    found = defaultdict[Any, list[Row]](list)
    for row in rows:
        found[row[name]].append(row)
    return found
