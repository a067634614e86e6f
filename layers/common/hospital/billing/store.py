"""SQL of orders and charges. What a bill says of health is sealed."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from hospital.billing.model import CHARGE_MOVES, ORDER_MOVES, Charge, Order
from hospital.database.connection import Database, Row, Transaction
from hospital.gateways.his.bills import Bill
from hospital.payment.model import CHECKIN, MOVE, OUTPATIENT, REGISTRATION, Payment
from hospital.runtime.errors import IllegalMove
from hospital.runtime.ids import new_id
from hospital.security import cipher

Source = Database | Transaction
_PATIENT_OF = {
    REGISTRATION: "SELECT patient_id FROM bookings WHERE id = %s",
    CHECKIN: "SELECT b.patient_id FROM checkins c JOIN bookings b ON b.id = c.booking_id WHERE c.id = %s",
    MOVE: "SELECT b.patient_id FROM booking_moves m JOIN bookings b ON b.id = m.booking_id WHERE m.id = %s",
    OUTPATIENT: "SELECT patient_id FROM charge_orders WHERE id = %s"}


# -- orders -----------------------------------------------------------------------------------------
def insert(tx: Transaction, order: Order, charges: list[Charge]) -> None:
    """A new order with its charges. Raises Duplicate("charges_live") when a bill is being paid or is paid."""
    tx.insert("charge_orders", id=order.id, account_id=order.account_id, patient_id=order.patient_id,
              state=order.state, total_fen=order.total_fen, expires_at=order.expires_at, hold_until=order.hold_until,
              created_at=order.created_at, changed_at=order.created_at)
    for one in sorted(charges, key=lambda charge: charge.bill.bill_no):  # one order for all: no deadlock of twins
        tx.insert("charges", id=one.id, order_id=order.id, bill_no=one.bill.bill_no, bill_version=one.bill.version,
                  bill_enc=cipher.seal(one.bill.model_dump_json(), f"charges.bill:{one.id}"), trade_no=one.trade_no,
                  amount_fen=one.amount_fen, state=one.state, created_at=order.created_at,
                  changed_at=order.created_at)


def order(source: Source, order_id: str, *, lock: bool = False) -> Order | None:
    """One order."""
    row = source.one(f"SELECT * FROM charge_orders WHERE id = %s{' FOR UPDATE' if lock else ''}", (order_id,))
    return _order(row) if row else None


def order_of_account(source: Source, account_id: str, order_id: str) -> Order | None:
    """One of the account's orders; None when unknown or another's."""
    row = source.one("SELECT * FROM charge_orders WHERE id = %s AND account_id = %s", (order_id, account_id))
    return _order(row) if row else None


def of_patients(source: Source, order_ids: list[str], patient_ids: Collection[str]) -> list[str]:
    """Of some orders, those of these patients."""
    if not order_ids or not patient_ids:
        return []
    orders, patients = (", ".join(["%s"] * len(some)) for some in (order_ids, patient_ids))
    return [row["id"] for row in source.all(
        f"SELECT id FROM charge_orders WHERE id IN ({orders}) AND patient_id IN ({patients})",
        (*order_ids, *patient_ids))]


def patient_of(source: Source, payment: Payment) -> str | None:
    """Whom a payment was for."""
    row = source.one(_PATIENT_OF[payment.kind], (payment.subject_id,))
    return str(row["patient_id"]) if row else None


def unfinished(source: Source, account_id: str, patient_id: str) -> list[str]:
    """The unpaid orders that an account has made for a patient."""
    return [row["id"] for row in source.all(
        "SELECT id FROM charge_orders WHERE account_id = %s AND patient_id = %s "
        "AND state IN ('OPEN', 'AWAITING_PAYMENT') ORDER BY id", (account_id, patient_id))]


def move_order(tx: Transaction, order_: Order, state: str, now: datetime, *, reason: str = "", **changes: Any) -> None:
    """Move a locked order along the table. Raises IllegalMove."""
    if state not in ORDER_MOVES[order_.state]:
        raise IllegalMove(f"order {order_.id}: {order_.state} to {state}")
    columns = {"state": state, "reason": reason[:48], "changed_at": now, **changes}
    tx.run(f"UPDATE charge_orders SET {', '.join(f'{name} = %s' for name in columns)} WHERE id = %s",
           (*columns.values(), order_.id))


def end_order(tx: Transaction, order_id: str, now: datetime) -> None:
    """The patient gives up: the time to pay ends now."""
    tx.run("UPDATE charge_orders SET expires_at = %s WHERE id = %s", (now, order_id))


# -- charges ----------------------------------------------------------------------------------------
def charges(source: Source, order_id: str, *, lock: bool = False) -> list[Charge]:
    """The charges of an order, in the order of their bills."""
    return [_charge(row) for row in source.all(
        f"SELECT * FROM charges WHERE order_id = %s ORDER BY bill_no{' FOR UPDATE' if lock else ''}", (order_id,))]


def charges_of_orders(source: Source, order_ids: list[str]) -> dict[str, list[Charge]]:
    """The charges of some orders, by order, in the order of their bills."""
    found: dict[str, list[Charge]] = {order_id: [] for order_id in order_ids}
    if found:
        marks = ", ".join(["%s"] * len(found))
        for row in source.all(f"SELECT * FROM charges WHERE order_id IN ({marks}) ORDER BY bill_no", order_ids):
            found[row["order_id"]].append(_charge(row))
    return found


def charge(source: Source, charge_id: str, *, lock: bool = False) -> Charge | None:
    """One charge."""
    row = source.one(f"SELECT * FROM charges WHERE id = %s{' FOR UPDATE' if lock else ''}", (charge_id,))
    return _charge(row) if row else None


def charge_of_account(source: Source, account_id: str, charge_id: str) -> Charge | None:
    """One of the account's charges; None when unknown or another's."""
    row = source.one("SELECT c.* FROM charges c JOIN charge_orders o ON o.id = c.order_id "
                     "WHERE c.id = %s AND o.account_id = %s", (charge_id, account_id))
    return _charge(row) if row else None


def settled_since(source: Source, account_id: str, patient_id: str, since: datetime) -> list[Charge]:
    """What an account has paid for a patient since then and the HIS has taken, the earliest first."""
    return [_charge(row) for row in source.all(
        "SELECT c.* FROM charge_orders o JOIN charges c ON c.order_id = o.id WHERE o.account_id = %s "
        "AND o.patient_id = %s AND c.state = 'SETTLED' AND c.changed_at >= %s ORDER BY c.id",
        (account_id, patient_id, since))]


def move_charge(tx: Transaction, charge_: Charge, state: str, now: datetime, *, reason: str = "", **changes: Any
                ) -> None:
    """Move a locked charge along the table and write its history. Raises IllegalMove."""
    if state not in CHARGE_MOVES[charge_.state]:
        raise IllegalMove(f"charge {charge_.id}: {charge_.state} to {state}")
    columns = {"state": state, "reason": reason[:48], "changed_at": now, **changes}
    tx.run(f"UPDATE charges SET {', '.join(f'{name} = %s' for name in columns)} WHERE id = %s",
           (*columns.values(), charge_.id))
    tx.insert("charge_history", id=new_id(), charge_id=charge_.id, from_state=charge_.state, to_state=state,
              reason=reason[:48], at=now)


def being_paid(source: Source, bill_nos: list[str]) -> dict[str, tuple[str, str]]:
    """Of some bills, those that an order holds now: bill number → order, account."""
    if not bill_nos:
        return {}
    marks = ", ".join(["%s"] * len(bill_nos))
    return {row["bill_no"]: (row["order_id"], row["account_id"]) for row in source.all(
        "SELECT c.bill_no, c.order_id, o.account_id FROM charges c JOIN charge_orders o ON o.id = c.order_id "
        f"WHERE c.live_flag = 1 AND c.bill_no IN ({marks})", bill_nos)}


def _order(row: Row) -> Order:
    return Order(**{name: row[name] for name in Order.__struct_fields__})


def _charge(row: Row) -> Charge:
    bill = Bill.model_validate_json(cipher.unseal(row["bill_enc"], f"charges.bill:{row['id']}"))
    return Charge(row["id"], row["order_id"], bill, row["trade_no"], row["amount_fen"], row["state"], row["reason"],
                  row["settlement_no"], row["pharmacy_window"])
