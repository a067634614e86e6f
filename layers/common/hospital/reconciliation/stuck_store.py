"""SQL that finds what stands still: everything in a state that should have passed, and its history."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from msgspec import Struct

from hospital.database.connection import Database, Row, Transaction
from hospital.payment.model import DESK, Purpose
from hospital.runtime.clock import hospital_day

Source = Database | Transaction
PAGE = 200  # rows at a time
YOUNG = timedelta(days=3)  # what is older is on a list already, or statements' business
ON_LIST = timedelta(hours=3)  # after the outbox has called a person itself
AT_THE_BANK = timedelta(days=3)  # a refund to a bank card takes days
_EVER = datetime(2000, 1, 1, tzinfo=timezone.utc)  # before anything


class Watch(Struct, frozen=True):
    """What moves on by itself through ``topic``: rows of ``table`` (t) in ``states`` whose ``age`` is past.

    An arrow of ``or_by`` moves it as well. ``patience`` is how long it may take before it is a person's business.
    """

    kind: str
    table: str
    states: tuple[str, ...]
    age: str
    topic: str
    more: str = ""
    or_by: str = ""
    patience: timedelta = ON_LIST


class Overdue(Struct, frozen=True):
    """Something that stands still, since when, and what would move it."""

    kind: str
    id: str
    state: str
    topic: str
    since: datetime
    or_by: str = ""
    patience: timedelta = ON_LIST


_REFUND = (f"desk_refunds t JOIN refunds r ON r.purpose = CONCAT('{Purpose(DESK).key}', t.id) "
           "AND r.state = 'SUCCEEDED'")
_KINDS = {"registration": "booking", "checkin": "checkin", "outpatient": "order", "move": "move"}
WATCHED = [
    Watch("booking", "bookings t", ("HELD", "AWAITING_PAYMENT"), "t.expires_at", "booking.expire"),
    Watch("booking", "bookings t", ("CONFIRMING",), "t.changed_at", "booking.confirm", or_by="registration.paid"),
    Watch("booking", "bookings t", ("CANCELLING",), "t.changed_at", "booking.cancel"),
    Watch("move", "booking_moves t", ("HELD", "AWAITING_PAYMENT"), "t.expires_at", "move.expire"),
    Watch("move", "booking_moves t", ("MOVING",), "t.changed_at", "move.carry-out", or_by="move.paid"),
    Watch("choice", "booking_choices t", ("OPEN",), "t.choose_until", "clinic.lapse"),
    Watch("checkin", "checkins t", ("AWAITING_PAYMENT",), "t.expires_at", "checkin.expire"),
    Watch("checkin", "checkins t", ("CHECKING_IN",), "t.changed_at", "checkin.carry-out", or_by="checkin.paid"),
    Watch("order", "charge_orders t", ("OPEN", "AWAITING_PAYMENT"), "t.expires_at", "outpatient.expire"),
    Watch("charge", "charges t", ("SETTLING",), "t.changed_at", "charge.settle"),
    Watch("charge", "charges t", ("CANCELLING",), "t.changed_at", "charge.cancel"),
    Watch("payment", "payments t", ("OPEN",), "t.expires_at", "payment.ask"),
    Watch("refund", "refunds t", ("REQUESTED",), "t.created_at", "refund.send"),
    Watch("refund", "refunds t", ("PROCESSING",), "t.created_at", "refund.check", patience=AT_THE_BANK),
    Watch("desk-refund", "desk_refunds t", ("FOUND",), "t.changed_at", "desk.take"),
    Watch("desk-refund", _REFUND, ("REFUNDING",), "r.succeeded_at", "desk.report"),
    Watch("desk-refund", "desk_refunds t", ("FAILED",), "t.changed_at", "desk.report", " AND t.reported_at IS NULL"),
    Watch("invoice", "invoices t", ("ORDERED",), "t.changed_at", "invoice.issue"),
    Watch("invoice", "invoices t", ("WRITING_OFF",), "t.changed_at", "invoice.write-off"),
    Watch("invoice", "invoices t", ("ISSUED",), "t.changed_at", "invoice.fetch", " AND t.without_file = 1"),
]


def overdue(source: Source, before: datetime) -> list[Overdue]:
    """Everything that has stood still since ``before``, each kind's oldest first."""
    found = []
    for one in WATCHED:
        rows = _pages(source, f"SELECT t.id, t.state, {one.age} AS since FROM {one.table} "
                      f"WHERE t.state IN ({_marks(one.states)}) AND {one.age} < %s{one.more} AND",
                      (*one.states, before), since=one.age, key="t.id")
        found += [Overdue(one.kind, row["id"], row["state"], one.topic, row["since"], one.or_by, one.patience)
                  for row in rows]
    return [*found, *_without_invoice(source, before), *_unsettled(source, before)]


def _pages(source: Source, sql: str, args: Sequence[Any], *, since: str, key: str) -> Iterator[Row]:
    """All rows of a question that ends where another condition follows, page by page, in the order of their age.

    All: what nobody can move would otherwise keep what is younger from ever being looked at.
    """
    age, last = _EVER, ""
    while True:
        rows = source.all(f"{sql} ({since} > %s OR ({since} = %s AND {key} > %s)) ORDER BY {since}, {key} LIMIT {PAGE}",
                          (*args, age, age, last))
        yield from rows
        if len(rows) < PAGE:
            return
        age, last = rows[-1]["since"], rows[-1]["id"]


def _without_invoice(source: Source, before: datetime) -> list[Overdue]:
    """Settlements of the last days that have no e-bill, and those whose e-bill says what it said before a refund."""
    rows = _pages(
        source, "SELECT s.id, s.settled_at AS since FROM settlements s LEFT JOIN invoices i ON i.settlement_id = s.id "
        "AND i.live_flag = 1 WHERE s.settled_at > %s AND s.settled_at < %s AND i.id IS NULL "
        "AND s.amount_fen > s.reversed_fen AND", (before - YOUNG, before), since="s.settled_at", key="s.id")
    found = [Overdue("settlement", row["id"], "NO_INVOICE", "invoice.adjust", row["since"]) for row in rows]
    rows = _pages(
        source, "SELECT s.id, MAX(l.at) AS since FROM ledger l JOIN settlements s ON s.payment_id = l.payment_id "
        "JOIN invoices i ON i.settlement_id = s.id AND i.state = 'ISSUED' WHERE l.day >= %s "
        "AND l.movement IN ('REFUND', 'ELSEWHERE') AND l.at < %s AND i.amount_fen <> s.amount_fen - s.reversed_fen "
        "AND NOT EXISTS (SELECT 1 FROM refunds r "
        "WHERE r.payment_id = s.payment_id AND r.state NOT IN ('SUCCEEDED', 'GIVEN_UP', 'ELSEWHERE')) "
        "GROUP BY s.id HAVING", (hospital_day(before - YOUNG), before), since="MAX(l.at)", key="s.id")
    return found + [Overdue("settlement", row["id"], "OLD_INVOICE", "invoice.adjust", row["since"]) for row in rows]


def _unsettled(source: Source, before: datetime) -> list[Overdue]:
    """Payments of the last days of which neither the HIS has taken all, nor is the rest going back.

    Not those of which a bill is being settled: that bill is found itself.
    """
    rows = _pages(
        source, "SELECT t.id, t.kind, t.subject_id, t.paid_at AS since FROM payments t WHERE t.state = 'PAID' "
        "AND t.expires_at > %s AND t.paid_at < %s AND t.paid_fen - t.refunding_fen <> "
        "(SELECT COALESCE(SUM(s.amount_fen - s.reversing_fen), 0) "
        "FROM settlements s WHERE s.payment_id = t.id) AND NOT EXISTS (SELECT 1 FROM charges c "
        "WHERE c.order_id = t.subject_id AND c.state = 'SETTLING') AND NOT EXISTS (SELECT 1 FROM bookings b "
        "WHERE b.id = t.subject_id AND b.state = 'CONFIRMING') AND NOT EXISTS (SELECT 1 FROM checkins k "
        "WHERE k.id = t.subject_id AND k.state = 'CHECKING_IN') AND NOT EXISTS (SELECT 1 FROM booking_moves m "
        "WHERE m.id = t.subject_id AND m.state = 'MOVING') AND",
        (before - YOUNG, before), since="t.paid_at", key="t.id")
    return [Overdue(_KINDS[row["kind"]], row["subject_id"], "UNSETTLED", f"{row['kind']}.paid", row["since"])
            for row in rows]


def paid_nothing(source: Source, subject_id: str) -> bool:
    """Whether the order of a registration, of its check-in or of a charge counts as paid, but with nothing."""
    return source.one(
        "SELECT 1 AS found FROM payments p WHERE p.state = 'PAID' AND p.paid_fen <= 0 AND p.subject_id IN ("
        "SELECT %s UNION ALL SELECT k.id FROM checkins k WHERE k.booking_id = %s "
        "UNION ALL SELECT c.order_id FROM charges c WHERE c.id = %s) LIMIT 1",
        (subject_id, subject_id, subject_id)) is not None


def pending(source: Source, one: Overdue) -> bool:
    """Whether an arrow is there that will move it, or staff took one off: what they settled is not done again."""
    return source.one("SELECT 1 AS found FROM outbox WHERE subject_id = %s AND topic IN (%s, %s) "
                      "AND state IN ('PENDING', 'GIVEN_UP') LIMIT 1", (one.id, one.topic, one.or_by)) is not None


def stands_still(source: Source, subject_id: str) -> bool:
    """Whether what an old task is about is still so: a payment not settled, a settlement without its e-bill."""
    return source.one(
        "SELECT 1 AS found FROM payments t WHERE t.subject_id = %s AND t.state = 'PAID' "
        "AND t.paid_fen - t.refunding_fen <> (SELECT COALESCE(SUM(s.amount_fen - s.reversing_fen), 0) "
        "FROM settlements s WHERE s.payment_id = t.id) "
        "UNION ALL SELECT 1 FROM settlements s LEFT JOIN invoices i ON i.settlement_id = s.id AND i.live_flag = 1 "
        "WHERE s.id = %s AND COALESCE(i.amount_fen, 0) <> s.amount_fen - s.reversed_fen LIMIT 1",
        (subject_id, subject_id)) is not None


def with_task(source: Source, subjects: list[str]) -> set[str]:
    """Which of them staff have on their list, or have had there as standing still and taken off."""
    return {row["subject_id"] for some in _some(subjects) for row in source.all(
        f"SELECT subject_id FROM staff_tasks WHERE subject_id IN ({_marks(some)}) AND (state = 'OPEN' OR "
        "(kind = 'order.stuck' AND resolved_by <> 'system'))", some)}


def without_arrow(source: Source, found: list[Overdue]) -> list[Overdue]:
    """Those that nothing moves, as :func:`pending` says of one."""
    arrows = {(row["subject_id"], row["topic"]) for some in _some([one.id for one in found]) for row in source.all(
        f"SELECT subject_id, topic FROM outbox WHERE subject_id IN ({_marks(some)}) "
        "AND state IN ('PENDING', 'GIVEN_UP')", some)}
    return [one for one in found if not {(one.id, one.topic), (one.id, one.or_by)} & arrows]


def subjects_on_list(source: Source, kind: str) -> list[str]:
    """The subjects of a kind's open tasks."""
    return [row["subject_id"] for row in source.all(
        "SELECT subject_id FROM staff_tasks WHERE kind = %s AND state = 'OPEN'", (kind,))]


def history(source: Source, subject_id: str) -> list[Row]:
    """Its arrows, the latest first: topic, state, attempts, last error."""
    return source.all("SELECT topic, state, attempts, last_error FROM outbox WHERE subject_id = %s "
                      "ORDER BY id DESC LIMIT 4", (subject_id,))


def numbers(source: Source, kind: str, subject_id: str) -> tuple[str, str]:
    """Its number at WeChat Pay and in the HIS; empty where it has none."""
    tables = {
        "booking": "SELECT p.out_trade_no, t.trade_no FROM bookings t LEFT JOIN payments p "
                   "ON p.kind = 'registration' AND p.subject_id = t.id WHERE t.id = %s",
        "checkin": "SELECT p.out_trade_no, b.trade_no FROM checkins t JOIN bookings b ON b.id = t.booking_id "
                   "LEFT JOIN payments p ON p.kind = 'checkin' AND p.subject_id = t.id WHERE t.id = %s",
        "move": "SELECT p.out_trade_no, t.trade_no FROM booking_moves t LEFT JOIN payments p "
                "ON p.kind = 'move' AND p.subject_id = t.id WHERE t.id = %s",
        "choice": "SELECT '' AS out_trade_no, b.trade_no FROM booking_choices t JOIN bookings b ON b.id = t.booking_id "
                  "WHERE t.id = %s",
        "order": "SELECT p.out_trade_no, '' AS trade_no FROM charge_orders t LEFT JOIN payments p "
                 "ON p.kind = 'outpatient' AND p.subject_id = t.id WHERE t.id = %s",
        "charge": "SELECT p.out_trade_no, t.trade_no FROM charges t LEFT JOIN payments p "
                  "ON p.kind = 'outpatient' AND p.subject_id = t.order_id WHERE t.id = %s",
        "payment": "SELECT out_trade_no, '' AS trade_no FROM payments WHERE id = %s",
        "refund": "SELECT p.out_trade_no, '' AS trade_no FROM refunds t JOIN payments p ON p.id = t.payment_id "
                  "WHERE t.id = %s",
        "desk-refund": "SELECT '' AS out_trade_no, trade_no FROM desk_refunds WHERE id = %s",
        "invoice": "SELECT '' AS out_trade_no, s.trade_no FROM invoices t JOIN settlements s "
                   "ON s.id = t.settlement_id WHERE t.id = %s",
        "settlement": "SELECT '' AS out_trade_no, trade_no FROM settlements WHERE id = %s",
    }
    row = source.one(tables[kind], (subject_id,)) or {}
    return str(row.get("out_trade_no") or ""), str(row.get("trade_no") or "")


def _some(subjects: list[str]) -> Iterator[list[str]]:
    return (subjects[start:start + PAGE] for start in range(0, len(subjects), PAGE))


def _marks(values: Sequence[str]) -> str:
    return ", ".join(["%s"] * len(values))
