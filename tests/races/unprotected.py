"""Takes the protections out of a copy of the house: what each race shows them to be good for.

``conftest.py`` puts this file into the copy, where the package's import runs it. Nothing here knows how a protection
is written: it is taken out at the names that the house is entered by (statements, stores, topics of the outbox,
gateways). A name that is gone stops the import, and so every function; one that no longer protects leaves its race
won, and its control fails.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import re
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

# Rows of these are worked on one at a time.
LOCKED = {"bookings", "payments", "bindings", "accounts", "patients", "charge_orders", "charges", "checkins",
          "settlements", "invoices", "statements", "outbox", "complaints", "booking_moves", "reminders", "schedules",
          "waitlist"}
_LOCK = re.compile(r" FOR UPDATE(?: SKIP LOCKED)?$")
_TABLE = re.compile(r"\bFROM (\w+)")


def swap(owner: Any, name: str, make: Callable[[Any], Any]) -> None:
    """Put ``make`` of what it is in the place of a module's or a class's attribute, which must be there."""
    setattr(owner, name, make(getattr(owner, name)))


def unlocked(sql: str) -> str:
    """A statement without its lock; a place taken whether it is free or not, a picture whether it is in another."""
    table = _TABLE.search(sql)
    if table and table[1] in LOCKED:
        return _LOCK.sub("", sql)
    sql = sql.replace("AND complaint_id IS NULL ", "") if sql.startswith("UPDATE pictures SET complaint_id") else sql
    return sql.replace(" AND booking_id IS NULL", "") if sql.startswith("UPDATE slots SET booking_id = %s") else sql


def _connection(module: Any) -> None:
    swap(module, "_Statement", lambda kind: lambda sql, *more: kind(unlocked(sql), *more))
    # a repeated request is given its first answer
    swap(module.Transaction, "insert_soon", lambda insert: lambda self, table, **values: (
        None if table == "repeats" else insert(self, table, **values)))


def _payment_model(module: Any) -> None:
    module.PAYMENT_MOVES["PAID"].add("PAID")  # received money is booked once


def _payment_store(module: Any) -> None:
    swap(module, "of_trade", lambda find: lambda source, number, *, lock=False: _forgetful(
        find(source, number, lock=lock), lock))


def _forgetful(payment: Any, lock: bool) -> Any:
    return replace(payment, state="OPEN") if lock and payment is not None and payment.state == "PAID" else payment


def _payment_service(module: Any) -> None:
    # a hold ends only when WeChat says that nobody has paid or can pay
    def stop(db: Any, payment: Any, now: Any) -> bool:
        with db.transaction() as tx:
            tx.run("UPDATE payments SET state = 'CLOSED' WHERE id = %s AND state = 'OPEN'", (payment.id,))
        return True

    swap(module, "stop", lambda real: stop)


def _ignoring_the_released(topic: str, table: str) -> Callable[[Any], None]:
    """Money that comes after all is cared for."""
    def take_out(module: Any) -> None:
        real = module.WORKER[topic]

        def paid(db: Any, job: Any, now: Any) -> Any:
            row = db.one(f"SELECT state FROM {table} WHERE id = %s", (job.subject_id,))
            return None if row["state"] == "RELEASED" else real(db, job, now)

        module.WORKER[topic] = paid

    return take_out


def _his_charges(module: Any) -> None:
    swap(module, "unlock", lambda real: lambda trade_no: None)  # money goes back only when its number is dead there


def _checkin(module: Any) -> None:
    # who is about to cancel does not arrive
    real = module.WORKER["checkin.carry-out"]

    def carry_out(db: Any, job: Any, now: Any) -> Any:
        answer = real(db, job, now)
        if answer is None:
            return None
        with db.transaction() as tx:
            tx.run("UPDATE checkins SET state = 'DONE' WHERE id = %s AND state = 'CHECKING_IN'", (job.subject_id,))
        return None

    module.WORKER["checkin.carry-out"] = carry_out


def _proof_store(module: Any) -> None:
    # who binds a person at the same moment waits here too, by the way
    swap(module, "given_for", lambda real: lambda *args: None)


def _reconciliation_store(module: Any) -> None:
    # a statement belongs to the run that began last
    swap(module, "LEASE", lambda real: timedelta(0))
    swap(module, "claim", lambda claim: lambda *args, **more: claim(*args, **more) or list(module.SOURCES))
    swap(module, "still_mine", lambda real: lambda *args: True)


def _limits(module: Any) -> None:
    # what is counted is looked at and changed in one statement
    def spend(name: str, owner: bytes, rate: Any, now: Any) -> Any:
        db, cost = module.database(), timedelta(seconds=rate.seconds)
        row = db.one("SELECT full_at FROM buckets WHERE name = %s AND owner = %s", (name, owner))
        full_at = max(row["full_at"], now) if row else now
        if full_at > now + cost * (rate.burst - 1):
            return full_at - (now + cost * (rate.burst - 1))
        with db.transaction() as tx:
            tx.run("REPLACE INTO buckets (name, owner, full_at) VALUES (%s, %s, %s)", (name, owner, full_at + cost))
        return None

    swap(module, "_spend", lambda real: spend)


def _messages(module: Any) -> None:
    # whether an account may read of the patient is asked again when a message is sent
    swap(module, "_may_read", lambda real: lambda *args: True)


TAKEN_OUT: dict[str, Callable[[Any], None]] = {
    "hospital.database.connection": _connection,
    "hospital.payment.model": _payment_model,
    "hospital.payment.store": _payment_store,
    "hospital.payment.service": _payment_service,
    "hospital.booking.jobs": _ignoring_the_released("registration.paid", "bookings"),
    "hospital.billing.jobs": _ignoring_the_released("outpatient.paid", "charge_orders"),
    "hospital.gateways.his.charges": _his_charges,
    "hospital.checkin.service": _checkin,
    "hospital.patients.proof_store": _proof_store,
    "hospital.reconciliation.store": _reconciliation_store,
    "hospital.security.limits": _limits,
    "hospital.messages.service": _messages,
}


class _AfterImport(importlib.abc.MetaPathFinder):
    """Runs what is to be taken out of a module once that is imported."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        if fullname not in TAKEN_OUT:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path)
        if spec is None or spec.loader is None:
            raise ImportError(f"{fullname} is gone: where is its protection now?")
        execute = spec.loader.exec_module

        def exec_module(module: Any) -> None:
            execute(module)
            TAKEN_OUT[fullname](module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def install() -> None:
    """From now on modules of the house come without their protections."""
    sys.meta_path.insert(0, _AfterImport())
