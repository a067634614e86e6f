"""SQL of what the hospital pushed, and of bills as the HIS last told them (sealed)."""

from __future__ import annotations

from datetime import datetime

from hospital.database.connection import Database, Row, Transaction
from hospital.gateways.his.bills import Bill
from hospital.gateways.his.events import Event
from hospital.runtime.ids import new_id
from hospital.security import cipher

Source = Database | Transaction


def insert_event(tx: Transaction, event: Event, now: datetime) -> str:
    """A push; its id. Raises Duplicate when it came before."""
    row_id = new_id()
    tx.insert("his_events", id=row_id, event_id=event.event_id, type=event.type, patient_code=event.patient_code,
              bill_no=event.bill_no or "", refund_no=event.refund_no or "", trade_no=event.trade_no or "",
              occurred_at=event.occurred_at, received_at=now)
    return row_id


def event(source: Source, row_id: str) -> Row | None:
    """A push: type, patient and bill."""
    return source.one("SELECT type, patient_code, bill_no FROM his_events WHERE id = %s", (row_id,))


def keep(tx: Transaction, bill: Bill, now: datetime) -> None:
    """Remember a bill as it is now."""
    tx.run("REPLACE INTO known_bills (bill_no, patient_code, state, version, bill_enc, pay_before, read_at) "
           "VALUES (%s, %s, %s, %s, %s, %s, %s)",
           (bill.bill_no, bill.patient_code, bill.state, bill.version,
            cipher.seal(bill.model_dump_json(), f"known_bills.bill:{bill.bill_no}"), bill.pay_before, now))


def forget(tx: Transaction, bill_no: str) -> None:
    """The HIS no longer has it."""
    tx.run("DELETE FROM known_bills WHERE bill_no = %s", (bill_no,))


def known_unpaid(source: Source, patient_code: str, now: datetime) -> list[tuple[Bill, datetime]]:
    """The patient's bills that were unpaid when they were last read, and when that was; the oldest first."""
    rows = source.all("SELECT bill_no, bill_enc, read_at FROM known_bills WHERE patient_code = %s "
                      "AND state = 'UNPAID' AND pay_before > %s ORDER BY bill_no", (patient_code, now))
    return [(_bill(row), row["read_at"]) for row in rows]


def known(source: Source, bill_no: str) -> tuple[Bill, datetime] | None:
    """A bill as it was last read, and when that was."""
    row = source.one("SELECT bill_no, bill_enc, read_at FROM known_bills WHERE bill_no = %s", (bill_no,))
    return (_bill(row), row["read_at"]) if row else None


def _bill(row: Row) -> Bill:
    return Bill.model_validate_json(cipher.unseal(row["bill_enc"], f"known_bills.bill:{row['bill_no']}"))
