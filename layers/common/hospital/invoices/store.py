"""SQL of e-bills. What a bill says, and the address that opens it, are sealed."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime
from typing import Any

from msgspec import Struct, to_builtins

from hospital.database.connection import Database, Row, Transaction
from hospital.gateways.ebill import Document, Issued, Item
from hospital.runtime.errors import IllegalMove
from hospital.security import cipher, sealed

Source = Database | Transaction

# VOID: what it was for was refunded before it was issued.
MOVES: dict[str, set[str]] = {
    "ORDERED": {"ISSUED", "VOID"},
    "ISSUED": {"WRITING_OFF"},
    "WRITING_OFF": {"WRITTEN_OFF", "ON_PAPER"},  # ON_PAPER: printed before it was refunded, the desk's from here on
    "ON_PAPER": set(),
    "VOID": set(),
    "WRITTEN_OFF": set(),
}


class Invoice(Struct, frozen=True):
    """One e-bill. ``number`` and ``check_code`` are empty until it is issued, the red ones until it is written off."""

    id: str
    settlement_id: str
    account_id: str
    amount_fen: int
    state: str
    bus_at: datetime
    sent_at: datetime | None
    batch_code: str
    number: str
    check_code: str
    issued_at: datetime | None
    file_key: str
    write_off_at: datetime | None
    red_batch_code: str
    red_number: str

    @classmethod
    def of(cls, row: dict[str, Any]) -> Invoice:
        """From a row of the table."""
        code = sealed.value(row, "check_code", f"invoices.check_code:{row['id']}")
        return cls(**{**{name: row[name] for name in cls.__struct_fields__}, "check_code": code})

    @property
    def bus_no(self) -> str:
        """Its number at the platform before it has one of the platform's."""
        return bus_no(self.id)


def bus_no(invoice_id: str) -> str:
    """Our number of an e-bill at the platform."""
    return f"MP{invoice_id}"


def insert(tx: Transaction, invoice_id: str, *, settlement_id: str, account_id: str, document: Document, now: datetime
           ) -> None:
    """A bill to issue. Raises Duplicate when the settlement has a live one."""
    content = json.dumps({**to_builtins(document), "bus_at": document.bus_at.isoformat()}, ensure_ascii=False)
    tx.insert("invoices", id=invoice_id, settlement_id=settlement_id, account_id=account_id,
              amount_fen=document.total_fen, state="ORDERED", bus_at=document.bus_at, created_at=now, changed_at=now,
              document_enc=cipher.seal(content, f"invoices.document:{invoice_id}"))


def document(source: Source, invoice_id: str) -> Document:
    """What a bill says, always the same."""
    row = source.one("SELECT document_enc FROM invoices WHERE id = %s", (invoice_id,))
    assert row is not None
    content = json.loads(cipher.unseal(row["document_enc"], f"invoices.document:{invoice_id}"))
    return Document(**{**content, "bus_at": datetime.fromisoformat(content["bus_at"]),
                       "items": [Item(**one) for one in content["items"]]})


def by_id(source: Source, invoice_id: str, *, lock: bool = False) -> Invoice | None:
    """One bill."""
    return _invoice(source, f"id = %s{' FOR UPDATE' if lock else ''}", (invoice_id,))


def live(source: Source, settlement_id: str, *, lock: bool = False) -> Invoice | None:
    """The bill of a settlement that is ordered, issued, or being written off."""
    return _invoice(source, f"settlement_id = %s AND live_flag = 1{' FOR UPDATE' if lock else ''}", (settlement_id,))


def of_account(source: Source, account_id: str, invoice_id: str) -> Invoice | None:
    """One of the account's bills; None when unknown or another's."""
    return _invoice(source, "id = %s AND account_id = %s", (invoice_id, account_id))


def page_of_account(source: Source, account_id: str, patient_ids: Collection[str], before: str, limit: int
                    ) -> list[Invoice]:
    """The account's bills of these patients, newest first, older than the id ``before`` (empty: from the newest).

    No void ones.
    """
    if not patient_ids:
        return []
    return [Invoice.of(row) for row in source.all(
        "SELECT i.* FROM invoices i JOIN settlements s ON s.id = i.settlement_id WHERE i.account_id = %s "
        f"AND s.patient_id IN ({', '.join(['%s'] * len(patient_ids))}) AND i.id < %s AND i.state <> 'VOID' "
        "ORDER BY i.id DESC LIMIT %s", (account_id, *patient_ids, before or "Z" * 26, limit))]


def patient_of(source: Source, invoice: Invoice) -> str:
    """Whose bill it is."""
    row = source.one("SELECT patient_id FROM settlements WHERE id = %s", (invoice.settlement_id,))
    assert row is not None
    return str(row["patient_id"])


def of_settlements(source: Source, settlement_ids: list[str]) -> list[Invoice]:
    """The bills of some settlements, oldest first; no void ones."""
    if not settlement_ids:
        return []
    marks = ", ".join(["%s"] * len(settlement_ids))
    return [Invoice.of(row) for row in source.all(
        f"SELECT * FROM invoices WHERE settlement_id IN ({marks}) AND state <> 'VOID' ORDER BY id", settlement_ids)]


def move(tx: Transaction, invoice: Invoice, state: str, now: datetime, **changes: Any) -> None:
    """Move a locked bill along the table. Raises IllegalMove."""
    if state not in MOVES[invoice.state]:
        raise IllegalMove(f"invoice {invoice.id}: {invoice.state} to {state}")
    columns = {"state": state, "changed_at": now, **changes}
    tx.run(f"UPDATE invoices SET {', '.join(f'{name} = %s' for name in columns)} WHERE id = %s",
           (*columns.values(), invoice.id))


def mark_sent(tx: Transaction, invoice_id: str, now: datetime) -> None:
    """The platform is asked for a locked bill now."""
    tx.run("UPDATE invoices SET sent_at = %s WHERE id = %s", (now, invoice_id))


def set_issued(tx: Transaction, invoice: Invoice, issued: Issued, now: datetime) -> None:
    """The platform has issued a locked bill."""
    url = cipher.seal(issued.file_url, f"invoices.file_url:{invoice.id}")
    move(tx, invoice, "ISSUED", now, batch_code=issued.batch_code, number=issued.number,
         issued_at=issued.issued_at, file_url_enc=url,
         **sealed.columns(tx, "check_code", issued.check_code, f"invoices.check_code:{invoice.id}", empty=""))


def file_url(source: Source, invoice_id: str) -> str:
    """Where the platform keeps an issued bill's PDF."""
    row: Row | None = source.one("SELECT file_url_enc FROM invoices WHERE id = %s", (invoice_id,))
    assert row is not None
    return cipher.unseal(row["file_url_enc"], f"invoices.file_url:{invoice_id}")


def set_file(tx: Transaction, invoice_id: str, key: str) -> None:
    """The PDF is ours too."""
    tx.run("UPDATE invoices SET file_key = %s WHERE id = %s", (key, invoice_id))


def _invoice(source: Source, where: str, args: tuple[Any, ...]) -> Invoice | None:
    row = source.one(f"SELECT * FROM invoices WHERE {where}", args)
    return Invoice.of(row) if row else None
