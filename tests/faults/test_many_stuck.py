"""Many orders that nobody can move: what stands still behind them is found, moved and kept on the list all the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone

import pytest
from hospital.database import outbox, tasks
from hospital.database.connection import Database
from hospital.reconciliation import stuck, stuck_store

from tests.in_process import own_database

NOW = datetime(2026, 11, 23, 4, tzinfo=timezone.utc)
AN_HOUR_AGO = NOW - timedelta(hours=1)
MANY = stuck_store.PAGE + 1
NUMBERS = [f"{number:026}" for number in range(MANY)]
Make = Callable[[Database], None]


@pytest.fixture
def db(mysql: str, database_name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A database in which nobody is at work."""
    monkeypatch.setattr(outbox.cloud, "wake", lambda _: None)
    one = own_database(mysql, f"{database_name}_stuck", monkeypatch)
    yield one
    one.close()


def payments(db: Database, *, refunding_fen: int) -> None:
    """Paid an hour ago, many of them in the same moment."""
    with db.transaction() as tx:
        tx.insert_many("payments", [
            {"id": one, "kind": "outpatient", "subject_id": one, "account_id": "A", "openid": "o", "out_trade_no": one,
             "description": "", "amount_fen": 100, "state": "PAID", "expires_at": NOW, "paid_fen": 100,
             "paid_at": AN_HOUR_AGO + timedelta(seconds=int(one) // 50), "refunding_fen": refunding_fen,
             "created_at": AN_HOUR_AGO} for one in NUMBERS])


def refunds(db: Database) -> None:
    """Ordered and not sent."""
    payments(db, refunding_fen=100)
    with db.transaction() as tx:
        tx.insert_many("refunds", [
            {"id": one, "payment_id": one, "purpose": "cancelled", "out_refund_no": one, "amount_fen": 100,
             "reason": "", "state": "REQUESTED", "created_at": AN_HOUR_AGO + timedelta(seconds=int(one) // 50)}
            for one in NUMBERS])


def settlements(db: Database) -> None:
    """Settled, and without an e-bill."""
    payments(db, refunding_fen=0)
    with db.transaction() as tx:
        tx.insert_many("settlements", [
            {"id": one, "kind": "charge", "subject_id": one, "trade_no": one, "payment_id": one, "account_id": "A",
             "patient_id": "P", "amount_fen": 100, "items_enc": b"", "settled_at": AN_HOUR_AGO} for one in NUMBERS])


def old_invoices(db: Database) -> None:
    """A part was paid back, and the e-bill says what it said before."""
    settlements(db)
    with db.transaction() as tx:
        tx.insert_many("invoices", [
            {"id": one, "settlement_id": one, "account_id": "A", "amount_fen": 101, "state": "ISSUED",
             "document_enc": b"", "bus_at": AN_HOUR_AGO, "created_at": AN_HOUR_AGO, "changed_at": NOW,
             "file_key": "f"} for one in NUMBERS])
        tx.insert_many("ledger", [
            {"id": one, "payment_id": one, "movement": "REFUND", "movement_key": one, "amount_fen": -1,
             "at": AN_HOUR_AGO, "day": AN_HOUR_AGO.date(), "recorded_at": NOW} for one in NUMBERS])


@pytest.mark.parametrize(("make", "states"), [
    (refunds, ["REQUESTED"]), (settlements, ["NO_INVOICE"]), (old_invoices, ["OLD_INVOICE"]),
    (lambda db: payments(db, refunding_fen=0), ["UNSETTLED"])])
def test_however_many_stand_still_each_is_found_once_the_oldest_first(db: Database, make: Make, states: list[str]
                                                                      ) -> None:
    make(db)
    found = stuck_store.overdue(db, NOW - stuck.DEADLINE)
    assert [one.id for one in found] == NUMBERS
    assert sorted({one.state for one in found}) == states


def test_what_stands_still_behind_many_that_have_their_arrow_is_moved_and_stays_on_the_list(db: Database) -> None:
    refunds(db)
    last = NUMBERS[-1]
    with db.transaction() as tx:
        for one in NUMBERS[:-1]:
            outbox.publish(tx, "refund.send", one, due=NOW + timedelta(hours=1), now=NOW)
        tasks.add(tx, kind=stuck.TASK, subject_id=last, detail="", now=NOW)
    assert stuck.sweep(db, NOW) == 1
    assert db.all("SELECT topic, state FROM outbox WHERE subject_id = %s", (last,)) == [
        {"topic": "refund.send", "state": "PENDING"}]
    assert db.one("SELECT state FROM staff_tasks WHERE subject_id = %s", (last,)) == {"state": "OPEN"}
    assert stuck.sweep(db, NOW) == 0
