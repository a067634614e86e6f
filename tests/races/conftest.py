"""Two grounds to race on: the town as it is, and one whose protections are taken out."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.phone import Control
from scripts import town
from tests.conftest import MORNING, ROOT
from tests.races.ground import Ground

# Every protection that a race shows to be needed: file, what it says, what it says without it, how often.
WITHOUT: list[tuple[str, str, str, int]] = [
    # a place is taken only while it is free
    ("schedules/store.py", "changed_at = %s WHERE id = %s AND booking_id IS NULL ", "changed_at = %s WHERE id = %s ",
     1),
    # one at a time for a registration, an order, an account, a person
    ("booking/store.py", "SELECT * FROM bookings WHERE id = %s{' FOR UPDATE' if lock else ''}",
     "SELECT * FROM bookings WHERE id = %s", 1),
    ("payment/store.py", "SELECT * FROM payments WHERE {where}{' FOR UPDATE' if lock else ''}",
     "SELECT * FROM payments WHERE {where}", 1),
    ("patients/store.py", "AND b.bound_flag = 1 FOR UPDATE", "AND b.bound_flag = 1", 1),
    ("patients/store.py", "FROM accounts WHERE id = %s FOR UPDATE", "FROM accounts WHERE id = %s", 1),
    ("patients/store.py", "WHERE id_number_hash = %s FOR UPDATE", "WHERE id_number_hash = %s", 2),
    # a repeated request is given its first answer
    ("database/repeats.py", 'tx.insert("repeats", owner_id=', "dict(owner_id=", 1),
    # received money is booked once
    ("payment/service.py", '        if payment.state == "PAID":\n            if payment', "        if False:\n"
     "            if payment", 1),
    ("payment/model.py", '"PAID": set[str]()', '"PAID": {"PAID"}', 1),
    # a hold ends only when WeChat says that nobody has paid or can pay; money that comes after all is cared for
    ("booking/jobs.py", "if not payments.stop(db, payment, now):", "if False:", 1),
    ("booking/jobs.py", 'if payment is not None and payment.state != "CLOSED":', "if False:", 1),
    ("booking/jobs.py", 'elif booking.state == "RELEASED" and not _retake(', "elif False and not _retake(", 1),
    # so with an order of bills: one at a time, and no end but with WeChat's word
    ("billing/store.py", "SELECT * FROM charge_orders WHERE id = %s{' FOR UPDATE' if lock else ''}",
     "SELECT * FROM charge_orders WHERE id = %s", 1),
    ("billing/store.py", "SELECT * FROM charges WHERE id = %s{' FOR UPDATE' if lock else ''}",
     "SELECT * FROM charges WHERE id = %s", 1),
    ("billing/store.py", "ORDER BY bill_no{' FOR UPDATE' if lock else ''}", "ORDER BY bill_no", 1),
    ("billing/jobs.py", "if not payments.stop(db, payment, now):", "if False:", 1),
    ("billing/jobs.py", 'if payment is not None and payment.state != "CLOSED":', "if False:", 1),
    ("billing/jobs.py", 'elif order.state == "RELEASED":', "elif False:", 1),
    # money goes back only when its number is dead in the HIS
    ("billing/jobs.py", "    try:\n        his_charges.unlock(charge.trade_no)\n    except Rejected",
     "    try:\n        assert charge.id\n    except Rejected", 1),
    ("checkin/service.py", 'if current.state == "CANCELLING":', "if False:", 1),
    # one at a time for a check-in, a settlement, an e-bill
    ("checkin/store.py", "SELECT * FROM checkins WHERE id = %s{' FOR UPDATE' if lock else ''}",
     "SELECT * FROM checkins WHERE id = %s", 1),
    ("payment/settlement_store.py", "SELECT * FROM settlements WHERE {where}{' FOR UPDATE' if lock else ''}",
     "SELECT * FROM settlements WHERE {where}", 1),
    ("invoices/store.py", "id = %s{' FOR UPDATE' if lock else ''}", "id = %s", 1),
    ("invoices/store.py", "live_flag = 1{' FOR UPDATE' if lock else ''}", "live_flag = 1", 1),
    # a statement belongs to the run that began last
    ("reconciliation/store.py", "FROM statements WHERE day = %s FOR UPDATE", "FROM statements WHERE day = %s", 2),
    ("reconciliation/store.py", "return list(SOURCES) if fresh else None", "return list(SOURCES)", 1),
    ("reconciliation/store.py", 'if at_work and now - LEASE < there["begun_at"] <= now + LEASE:', "if False:", 1),
    ("reconciliation/store.py", ' and there["begun_at"] == begun_at', "", 1),
    # a step belongs to the worker that took it
    ("database/outbox.py", " FOR UPDATE SKIP LOCKED", "", 1),
]
WITHOUT_KEYS = [
    "ALTER TABLE bookings DROP KEY bookings_live",
    "ALTER TABLE bindings ADD KEY bindings_account (account_id), DROP KEY bindings_once",
    "ALTER TABLE ledger DROP KEY ledger_once",
    "ALTER TABLE charges DROP KEY charges_live",
    "ALTER TABLE checkins ADD KEY checkins_booking (booking_id), DROP KEY checkins_live",
    "ALTER TABLE desk_refunds DROP KEY desk_refunds_number",
    "ALTER TABLE invoices ADD KEY invoices_settlement (settlement_id), DROP KEY invoices_live",
]


@pytest.fixture(scope="session")
def _ground(world: Control, mysql: str, database_name: str) -> Ground:
    return Ground(world, mysql, database_name)


@pytest.fixture
def ground(_ground: Ground, control: Control) -> Ground:
    """The town as it is."""
    return _ground


@pytest.fixture(scope="session")
def unprotected(mysql: str, database_name: str) -> Iterator[Ground]:
    """A town that runs on the same house without its protections."""
    name = f"{database_name}_open"
    state = ROOT / "build" / "test" / name
    with town.running(mysql, name, state, "--manual-timers", "--now", MORNING, "--layer",
                      str(_without_protections(state / "layer"))) as control:
        ground = Ground(control, mysql, name)
        for statement in WITHOUT_KEYS:
            ground.sql(statement)
        yield ground


def _without_protections(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "layers" / "common", folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name, protection, without, times in WITHOUT:
        file = folder / "hospital" / name
        text = file.read_text()
        assert text.count(protection) == times, f"{name} changed: where is {protection!r} now?"
        file.write_text(text.replace(protection, without))
    return folder
