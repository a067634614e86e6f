"""SQL of what the hospital pushed, and of bills as the HIS last told them (sealed)."""

from __future__ import annotations

import hashlib
from datetime import datetime

from pydantic import ValidationError

from hospital.database.connection import Database, Duplicate, Row, Transaction
from hospital.gateways.his.bills import Bill
from hospital.gateways.his.events import Event
from hospital.patients.store import CODE
from hospital.runtime.ids import new_id
from hospital.security import cipher, sealed

Source = Database | Transaction


def insert_event(tx: Transaction, event: Event, now: datetime) -> str:
    """A push; its id. Raises Duplicate when it came before."""
    row_id = new_id()
    tx.insert("his_events", id=row_id, event_id=event.event_id, type=event.type,
              patient_code=sealed.stored(tx, CODE, event.patient_code) if event.patient_code else "",
              bill_no=event.bill_no or "", refund_no=event.refund_no or "",
              trade_no=event.trade_no or "", occurred_at=event.occurred_at, received_at=now)
    return row_id


def event(source: Source, row_id: str) -> Row | None:
    """A push: type, patient (their code or its key) and bill."""
    return source.one("SELECT type, patient_code, bill_no FROM his_events WHERE id = %s", (row_id,))


def keep_refused(tx: Transaction, body: bytes, fields: list[str], now: datetime) -> str:
    """A push that could not be read, sealed, once however often it comes; what is wrong with it, as it is kept."""
    row_id, digest, wrong = new_id(), hashlib.sha256(body).digest(), ", ".join(fields)[:300]
    try:
        tx.insert("refused_events", id=row_id, body_hash=digest, fields=wrong, received_at=now,
                  body_enc=cipher.seal(body.decode("latin-1"), f"refused_events.body:{row_id}"))  # any bytes
    except Duplicate:  # one that staff had taken, or of which the program has changed its mind: it is wrong again
        tx.run("UPDATE refused_events SET fields = %s, taken_at = NULL WHERE body_hash = %s", (wrong, digest))
    return wrong


def causes_of_refusal(source: Source) -> list[str]:
    """What is wrong with the pushes that could not be read and were not taken since."""
    return [row["fields"] for row in source.all("SELECT DISTINCT fields FROM refused_events WHERE taken_at IS NULL")]


def refused_events(source: Source, causes: list[str], row_id: str) -> list[str]:
    """Pushes with these causes, or this one, that were not taken since; the oldest first."""
    by_cause = f" OR fields IN ({', '.join(['%s'] * len(causes))})" if causes else ""
    return [row["id"] for row in source.all(
        f"SELECT id FROM refused_events WHERE taken_at IS NULL AND (id = %s{by_cause}) ORDER BY id", (row_id, *causes))]


def refused_event(source: Source, row_id: str) -> bytes:
    """The bytes of a push that could not be read."""
    row = source.one("SELECT body_enc FROM refused_events WHERE id = %s", (row_id,))
    assert row is not None
    return cipher.unseal(row["body_enc"], f"refused_events.body:{row_id}").encode("latin-1")


def mark_taken(tx: Transaction, row_id: str, now: datetime) -> None:
    """It could be read after all."""
    tx.run("UPDATE refused_events SET taken_at = %s WHERE id = %s", (now, row_id))


def keep(tx: Transaction, bill: Bill, now: datetime) -> None:
    """Remember a bill as it is now, and since when it is known."""
    tx.run("REPLACE INTO known_bills (bill_no, patient_code, state, version, bill_enc, pay_before, read_at, "
           "known_since) SELECT %s, %s, %s, %s, %s, %s, %s, COALESCE((SELECT k.known_since FROM known_bills k "
           "WHERE k.bill_no = %s), %s)",
           (bill.bill_no, sealed.stored(tx, CODE, bill.patient_code), bill.state, bill.version,
            cipher.seal(bill.model_dump_json(), f"known_bills.bill:{bill.bill_no}"), bill.pay_before, now,
            bill.bill_no, now))


def unpaid_since(source: Source, before: datetime, now: datetime, *, after: str, limit: int) -> list[Row]:
    """Bills that were unpaid when last read, may be paid yet and are known since before then, by number, after one."""
    return source.all(
        "SELECT bill_no, patient_code, known_since FROM known_bills WHERE state = 'UNPAID' AND pay_before > %s "
        "AND known_since <= %s AND bill_no > %s ORDER BY bill_no LIMIT %s", (now, before, after, limit))


def forget(tx: Transaction, bill_no: str) -> None:
    """The HIS no longer has it."""
    tx.run("DELETE FROM known_bills WHERE bill_no = %s", (bill_no,))


def forget_all(tx: Transaction, codes: list[str]) -> None:
    """Nobody here may see the bills under these codes any more."""
    tx.run(f"DELETE FROM known_bills WHERE patient_code IN ({', '.join(['%s'] * len(codes))})", codes)


def known_unpaid(source: Source, codes: list[str], now: datetime) -> list[tuple[Bill, datetime]]:
    """The bills under a patient's codes that were unpaid when last read, and when that was; the oldest first."""
    rows = source.all("SELECT bill_no, bill_enc, read_at FROM known_bills WHERE patient_code IN "
                      f"({', '.join(['%s'] * len(codes))}) AND state = 'UNPAID' AND pay_before > %s ORDER BY bill_no",
                      (*codes, now))
    return [(bill, row["read_at"]) for row in rows if (bill := _bill(row)) is not None]


def known_some(source: Source, bill_nos: list[str]) -> dict[str, Bill]:
    """Some bills as they were last read, by number."""
    if not bill_nos:
        return {}
    marks = ", ".join(["%s"] * len(bill_nos))
    rows = source.all(f"SELECT bill_no, bill_enc FROM known_bills WHERE bill_no IN ({marks})", bill_nos)
    return {row["bill_no"]: bill for row in rows if (bill := _bill(row)) is not None}


def known(source: Source, bill_no: str) -> tuple[Bill, datetime] | None:
    """A bill as it was last read, and when that was."""
    row = source.one("SELECT bill_no, bill_enc, read_at FROM known_bills WHERE bill_no = %s", (bill_no,))
    bill = _bill(row) if row else None
    return (bill, row["read_at"]) if row and bill is not None else None


def _bill(row: Row) -> Bill | None:
    """The bill; None when an older program kept what this one can't read: then it is not known."""
    try:
        return Bill.model_validate_json(cipher.unseal(row["bill_enc"], f"known_bills.bill:{row['bill_no']}"))
    except ValidationError:
        return None
