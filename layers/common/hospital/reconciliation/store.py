"""SQL of statements, and of what our books say of a day. What is long comes in pages, in the order of its key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from hospital.database.connection import Database, Row, Transaction
from hospital.invoices.store import bus_no
from hospital.payment.model import AT_DESK
from hospital.reconciliation.model import (
    DESK,
    DONE,
    EBILL,
    EXPLAINED,
    FUND_FLOW,
    HIS,
    LINE_MOVES,
    MOVEMENTS,
    OTHER,
    SOURCES,
    TASK,
    UNREADABLE,
    WAITING,
    WECHAT,
    Difference,
    Finding,
    Line,
    Tally,
)
from hospital.reconciliation.rules import Entry, evened_by
from hospital.runtime.clock import hospital_day
from hospital.runtime.errors import IllegalMove
from hospital.runtime.ids import new_id

PAGE = 5000
OUR_BILLS = bus_no("")  # what our numbers at the e-bill platform begin with
LEASE = timedelta(minutes=30)  # longer than a statement may take; then another run may take it over

# What both sides name of a movement: WeChat our order, the HIS WeChat's transaction.
_NAMED = {WECHAT: "p.out_trade_no", FUND_FLOW: "p.out_trade_no", HIS: "p.transaction_id"}
# Invoices that the platform has, and those whose red one it has too; then those it is still to make.
_MADE = {"INVOICE": ("ISSUED", "WRITING_OFF", "WRITTEN_OFF", "ON_PAPER"), "RED": ("WRITTEN_OFF",)}
UNDER_WAY = {"INVOICE": "ORDERED", "RED": "WRITING_OFF"}


# -- our side ---------------------------------------------------------------------------------------
def first_day(db: Database) -> date | None:
    """The hospital day of the first movement or order; None: there is none."""
    booked = db.one("SELECT MIN(day) AS day FROM ledger")
    ordered = db.one("SELECT created_at FROM payments ORDER BY id LIMIT 1")
    days = [booked["day"]] if booked and booked["day"] else []
    return min([*days, *([hospital_day(ordered["created_at"])] if ordered else [])], default=None)


def ledger(db: Database, day: date, movements: tuple[str, ...], source: str) -> Iterator[Entry]:
    """A day's movements in order: movement and key with a tab between, fen, and the order or transaction.

    The desk's are in ``desk_refunds``.
    """
    for movement in movements:
        prefix, last = f"{movement}\t", ""
        while True:
            page = db.tuples(f"SELECT l.movement_key, l.amount_fen, {_NAMED[source]} FROM ledger l "
                             "LEFT JOIN payments p ON p.id = l.payment_id WHERE l.day = %s AND l.movement = %s "
                             "AND l.movement_key > %s AND l.movement_key NOT LIKE %s "
                             "ORDER BY l.movement_key LIMIT %s", (day, movement, last, f"{AT_DESK}%", PAGE))
            for number, fen, of_payment in page:
                yield prefix + number, fen, of_payment or ""
            if len(page) < PAGE:
                break
            last = page[-1][0]


def desk_refunds(db: Database, day: date) -> Iterator[Entry]:
    """The desk's refunds begun on a day that went back and are reported, in order, as ``ledger`` gives them."""
    last = ""
    while True:
        page = db.tuples("SELECT refund_no, -amount_fen FROM desk_refunds WHERE begun_on = %s AND refund_no > %s "
                         "AND state = 'SUCCEEDED' AND reported_at IS NOT NULL ORDER BY refund_no LIMIT %s",
                         (day, last, PAGE))
        for number, fen in page:
            yield f"REVERSAL\t{number}", int(fen), ""
        if len(page) < PAGE:
            return
        last = page[-1][0]


def invoices(db: Database, first: datetime, last: datetime) -> Iterator[tuple[str, str, int]]:
    """Movement, id and fen of what was issued and written off between two moments, in the order of time.

    What the platform is still to make is among them: it will list it on the day of the business.
    """
    for movement, column, sign in (("INVOICE", "bus_at", 1), ("RED", "write_off_at", -1)):
        listed = (*_MADE[movement], UNDER_WAY[movement])
        since, after = first, ""
        while True:
            page = db.tuples(f"SELECT id, amount_fen, {column} FROM invoices WHERE {column} >= %s AND {column} <= %s "
                             f"AND ({column} > %s OR id > %s) AND state IN ({_marks(listed)}) "
                             f"ORDER BY {column}, id LIMIT %s", (since, last, since, after, *listed, PAGE))
            for invoice_id, fen, _ in page:
                yield movement, invoice_id, sign * fen
            if len(page) < PAGE:
                break
            after, since = page[-1][0], page[-1][2]


def ours_of(db: Database, source: str, movement: str, number: str) -> tuple[int, date, str] | None:
    """Where our books have a movement, whatever the day: fen, hospital day, order or transaction; None: nowhere.

    What the HIS took out in turns is one: their sum, and the day of the first.
    """
    if source == DESK:
        found = db.one("SELECT -amount_fen AS fen, begun_on AS day, '' AS named FROM desk_refunds WHERE refund_no = %s "
                       "AND state = 'SUCCEEDED' AND reported_at IS NOT NULL AND begun_on IS NOT NULL", (number,))
    elif source == EBILL:
        bill = invoice(db, number.removeprefix(OUR_BILLS))
        if bill is None or bill["state"] not in _MADE[movement]:
            return None
        sign, at = (1, bill["bus_at"]) if movement == "INVOICE" else (-1, bill["write_off_at"])
        return sign * int(bill["amount_fen"]), hospital_day(at), ""
    else:
        later = (f"{number}@", f"{number}A") if source == HIS else (number, number)  # A comes after @
        turns = db.all(f"SELECT l.amount_fen AS fen, l.day, {_NAMED[source]} AS named FROM ledger l "
                       "LEFT JOIN payments p ON p.id = l.payment_id WHERE l.movement = %s AND (l.movement_key = %s "
                       "OR l.movement_key > %s AND l.movement_key < %s) ORDER BY l.day, l.movement_key",
                       (movement, number, *later))
        found = {**turns[0], "fen": sum(turn["fen"] for turn in turns)} if turns else None
    return (int(found["fen"]), found["day"], found["named"] or "") if found else None


def invoice(db: Database, invoice_id: str) -> Row | None:
    """State, amount and times of an invoice, and the kind of what it is for."""
    return db.one("SELECT i.state, i.amount_fen, i.bus_at, i.write_off_at, s.kind FROM invoices i "
                  "JOIN settlements s ON s.id = i.settlement_id WHERE i.id = %s", (invoice_id,))


def order_of_capture(db: Database, transaction_id: str) -> str | None:
    """Our number of the order that a transaction paid."""
    payment = db.one("SELECT out_trade_no FROM payments WHERE transaction_id = %s", (transaction_id,))
    return str(payment["out_trade_no"]) if payment else None


def transaction_of_trade(db: Database, trade_no: str) -> str | None:
    """The transaction that paid what we have settled under a trade number."""
    row = db.one("SELECT p.transaction_id FROM settlements s JOIN payments p ON p.id = s.payment_id "
                 "WHERE s.trade_no = %s", (trade_no,))
    return row["transaction_id"] if row else None


def steps_under_way(db: Database, trade_no: str) -> list[tuple[str, str]]:
    """Topic and subject of every arrow that is yet to finish what we do under a trade number of the HIS."""
    subjects = [row["id"] for row in db.all(
        "SELECT id FROM bookings WHERE trade_no = %s AND state IN ('CONFIRMING', 'CANCELLING') "
        "UNION ALL SELECT c.id FROM bookings b JOIN checkins c ON c.booking_id = b.id "
        "WHERE b.trade_no = %s AND c.state = 'CHECKING_IN' "
        "UNION ALL SELECT id FROM charges WHERE trade_no = %s AND state IN ('SETTLING', 'CANCELLING') "
        "UNION ALL SELECT order_id FROM charges WHERE trade_no = %s AND state IN ('SETTLING', 'CANCELLING')",
        (trade_no, trade_no, trade_no, trade_no))]
    if not subjects:
        return []
    return [(row["topic"], row["subject_id"]) for row in db.all(
        f"SELECT topic, subject_id FROM outbox WHERE subject_id IN ({_marks(subjects)}) AND state = 'PENDING'",
        subjects)]


# -- statements -------------------------------------------------------------------------------------
def row(db: Database, day: date) -> Row | None:
    """A day's statement itself: state, what it waits for, its sheet."""
    return db.one("SELECT state, waiting_for, file_key, done_at FROM statements WHERE day = %s", (day,))


def claim(tx: Transaction, day: date, now: datetime, *, again: bool) -> list[str] | None:
    """Begin a day's statement, or take it up: what is to be done. None: it is done, or another run is at it.

    What the statement waited for is named in ``waiting_for``; while a run is at it that is empty, and
    ``begun_at`` says since when.
    """
    there = tx.one("SELECT state, waiting_for, begun_at FROM statements WHERE day = %s FOR UPDATE", (day,))
    if there is None:
        fresh = tx.run("INSERT IGNORE INTO statements (day, state, begun_at) VALUES (%s, %s, %s)",
                       (day, WAITING, now)) == 1
        return list(SOURCES) if fresh else None
    if there["state"] == DONE and not again:
        return None
    # One begun further ahead than any lease is of a clock that was wrong.
    at_work = there["state"] == WAITING and not there["waiting_for"]
    if at_work and now - LEASE < there["begun_at"] <= now + LEASE:
        return None
    wanted = list(SOURCES) if again or not there["waiting_for"] else there["waiting_for"].split(",")
    tx.run("UPDATE statements SET state = %s, begun_at = %s, waiting_for = '' WHERE day = %s", (WAITING, now, day))
    _reopen_counterparts(tx, day, wanted)
    return wanted


def _reopen_counterparts(tx: Transaction, day: date, sources: list[str]) -> None:
    """Lines of other days that this day's evened out: the new ones will, if they still do."""
    among = f"source IN ({_marks(sources)})"
    settled = [Line.of(row) for row in tx.all(
        f"SELECT mine.* FROM statement_lines mine WHERE mine.day = %s AND mine.settled_on IS NOT NULL AND mine.{among} "
        "AND EXISTS (SELECT 1 FROM statement_lines other WHERE other.source = mine.source "
        "AND other.movement = mine.movement AND other.number = mine.number AND other.day <> mine.day)",
        (day, *sources))] if sources else []
    for line in settled:
        others = [Line.of(row) for row in tx.all(
            "SELECT * FROM statement_lines WHERE source = %s AND movement = %s AND number = %s AND day <> %s "
            "AND settled_on IS NOT NULL AND action <> %s ORDER BY day",
            (line.source, line.movement, line.number, day, EXPLAINED))]
        for other in evened_by(line.difference, others):
            tx.run("UPDATE statement_lines SET settled_on = NULL WHERE id = %s", (other.id,))


def still_mine(tx: Transaction, day: date, begun_at: datetime) -> bool:
    """Whether the run that began then is still the one at this statement; the statement is locked."""
    there = tx.one("SELECT state, begun_at FROM statements WHERE day = %s FOR UPDATE", (day,))
    return there is not None and there["state"] == WAITING and there["begun_at"] == begun_at


def told_lines(tx: Transaction, day: date, sources: list[str]) -> set[tuple[str, str]]:
    """Source and number of what the statement says of some sources and staff have been told of."""
    if not sources:
        return set()
    return {(row["source"], row["number"]) for row in tx.all(
        "SELECT source, number FROM statement_lines WHERE day = %s AND action = %s "
        f"AND source IN ({_marks(sources)})", (day, TASK, *sources))}


def explained_lines(tx: Transaction, day: date, sources: list[str]) -> list[Line]:
    """What the statement says of some sources and staff have explained."""
    if not sources:
        return []
    return [Line.of(row) for row in tx.all(
        f"SELECT * FROM statement_lines WHERE day = %s AND action = %s AND source IN ({_marks(sources)})",
        (day, EXPLAINED, *sources))]


def lines_of_tasks(tx: Transaction, source: str) -> list[Line]:
    """Open lines of a source that staff have on their list, locked."""
    return [Line.of(row) for row in tx.all(
        "SELECT * FROM statement_lines WHERE source = %s AND action = %s AND settled_on IS NULL ORDER BY day "
        "FOR UPDATE", (source, TASK))]


def clear(tx: Transaction, day: date, sources: list[str]) -> None:
    """Remove what the statement says of some sources."""
    for source in sources:
        tx.run("DELETE FROM statement_lines WHERE day = %s AND source = %s", (day, source))
        tx.run("DELETE FROM statement_sums WHERE day = %s AND source = %s", (day, source))


def insert_lines(tx: Transaction, day: date, found: list[tuple[Difference, Finding]]) -> None:
    """Keep differences with what looking into them came to."""
    tx.insert_many("statement_lines", [{
        "id": new_id(), "day": day, "source": one.source, "movement": one.movement, "number": one.number,
        "state": finding.state, "ours_fen": one.ours_fen, "theirs_fen": one.theirs_fen, "action": finding.action,
        "detail": finding.detail[:300], "settled_on": finding.settled_on, "note": one.note[:100]}
        for one, finding in found])


def insert_sums(tx: Transaction, day: date, sums: dict[tuple[str, str, str], Tally]) -> None:
    """Keep the sums by source, movement and state."""
    tx.insert_many("statement_sums", [{
        "day": day, "source": source, "movement": movement, "state": how, "line_count": tally.lines,
        "ours_fen": tally.ours_fen, "theirs_fen": tally.theirs_fen}
        for (source, movement, how), tally in sums.items()])


def wait_for(tx: Transaction, day: date, what: list[str]) -> None:
    """The run ends with something missing; the next one takes it up."""
    tx.run("UPDATE statements SET waiting_for = %s WHERE day = %s", (",".join(what), day))


def finish(tx: Transaction, day: date, file_key: str, now: datetime) -> None:
    """The statement is done, and its sheet stored."""
    tx.run("UPDATE statements SET state = %s, file_key = %s, waiting_for = '', done_at = %s WHERE day = %s",
           (DONE, file_key, now, day))


# -- lines ------------------------------------------------------------------------------------------
def counterparts(db: Database | Transaction, day: date, one: Difference) -> list[Line]:
    """Open lines of other days about the same movement, the oldest first."""
    return [Line.of(row) for row in db.all(
        "SELECT * FROM statement_lines WHERE source = %s AND movement = %s AND number = %s AND settled_on IS NULL "
        "AND day <> %s ORDER BY day", (one.source, one.movement, one.number, day))]


def open_lines(db: Database, first: date, last: date, limit: int) -> list[Line]:
    """The oldest open lines of some days."""
    return [Line.of(row) for row in db.all(
        "SELECT * FROM statement_lines WHERE day BETWEEN %s AND %s AND settled_on IS NULL "
        "ORDER BY day, source, movement, number LIMIT %s", (first, last, limit))]


def note_finding(tx: Transaction, line: Line, finding: Finding) -> None:
    """What looking again came to; its state stays as it was counted. Raises IllegalMove off the table."""
    before, after = line.finding.stands, finding.stands
    if after != before and after not in LINE_MOVES[before]:
        raise IllegalMove(f"statement line {line.id}: {before} to {after}")
    tx.run("UPDATE statement_lines SET action = %s, detail = %s, settled_on = %s WHERE id = %s",
           (finding.action, finding.detail[:300], finding.settled_on, line.id))


def sums(db: Database, day: date) -> list[Row]:
    """The statement's sums, in the order of ``MOVEMENTS``; what agrees comes first, what is not compared last."""
    found = db.all("SELECT source, movement, state, line_count, ours_fen, theirs_fen FROM statement_sums "
                   "WHERE day = %s", (day,))
    return sorted(found, key=lambda one: (
        SOURCES.index(one["source"]), (*MOVEMENTS[one["source"]], UNREADABLE, OTHER).index(one["movement"]),
        one["state"]))


def open_count(db: Database, day: date) -> int:
    """How many of the day's lines are open."""
    counted = db.one("SELECT COUNT(*) AS lines_open FROM statement_lines WHERE day = %s AND settled_on IS NULL", (day,))
    return int(counted["lines_open"]) if counted else 0


def lines(db: Database, day: date) -> Iterator[Line]:
    """The day's lines, source by source, in order."""
    for source, movements in MOVEMENTS.items():
        for movement in (*movements, UNREADABLE):
            last = ""
            while page := db.all("SELECT * FROM statement_lines WHERE day = %s AND source = %s AND movement = %s "
                                 "AND number > %s ORDER BY number LIMIT %s", (day, source, movement, last, PAGE)):
                yield from (Line.of(row) for row in page)
                last = page[-1]["number"]


def _marks(values: Sequence[Any]) -> str:
    return ", ".join(["%s"] * len(values))
