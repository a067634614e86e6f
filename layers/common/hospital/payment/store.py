"""SQL of payments, refunds and the ledger."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from hospital.database.connection import Database, Row, Transaction
from hospital.payment.model import PAYMENT_MOVES, REFUND_MOVES, Payment, Purpose, Refund
from hospital.runtime.clock import hospital_day
from hospital.runtime.errors import IllegalMove
from hospital.runtime.ids import new_id
from hospital.security import sealed

Source = Database | Transaction


def insert(tx: Transaction, payment: Payment, now: datetime) -> None:
    """A new order."""
    tx.insert("payments", id=payment.id, kind=payment.kind, subject_id=payment.subject_id,
              account_id=payment.account_id, out_trade_no=payment.out_trade_no,
              description=payment.description, amount_fen=payment.amount_fen, state=payment.state,
              expires_at=payment.expires_at, created_at=now,
              **sealed.columns(tx, "openid", payment.openid, _payer(payment.id), empty=""))


def of_subject(source: Source, kind: str, subject_id: str, *, lock: bool = False) -> Payment | None:
    """The order that pays for a subject."""
    return _payment(source, "kind = %s AND subject_id = %s", (kind, subject_id), lock)


def of_trade(source: Source, out_trade_no: str, *, lock: bool = False) -> Payment | None:
    """The order of a trade number."""
    return _payment(source, "out_trade_no = %s", (out_trade_no,), lock)


def by_id(source: Source, payment_id: str, *, lock: bool = False) -> Payment | None:
    """One order."""
    return _payment(source, "id = %s", (payment_id,), lock)


def page_of_account(source: Source, account_id: str, before: str, limit: int) -> list[Payment]:
    """The account's orders, newest first, older than the id ``before`` (empty: from the newest)."""
    return [_of_row(row) for row in source.all(
        "SELECT * FROM payments WHERE account_id = %s AND id < %s ORDER BY id DESC LIMIT %s",
        (account_id, before or "Z" * 26, limit))]


def move(tx: Transaction, payment: Payment, state: str, **changes: Any) -> None:
    """Move a locked order along the table, along with what is said next. Raises IllegalMove."""
    if state not in PAYMENT_MOVES[payment.state]:
        raise IllegalMove(f"payment {payment.id}: {payment.state} to {state}")
    names = ", ".join(f"{name} = %s" for name in changes)
    tx.run_soon(f"UPDATE payments SET state = %s{', ' + names if names else ''} WHERE id = %s",
                (state, *changes.values(), payment.id))


def reserve_refund(tx: Transaction, payment: Payment, amount_fen: int) -> bool:
    """Count an amount as going back. False when that would be more than was paid."""
    return tx.run("UPDATE payments SET refunding_fen = refunding_fen + %s "
                  "WHERE id = %s AND refunding_fen + %s <= paid_fen",
                  (amount_fen, payment.id, amount_fen)) == 1


def release_refund(tx: Transaction, payment_id: str, amount_fen: int) -> None:
    """Count an amount that never went back as kept again."""
    tx.run("UPDATE payments SET refunding_fen = refunding_fen - %s WHERE id = %s", (amount_fen, payment_id))


def insert_refund(tx: Transaction, refund: Refund) -> None:
    """A new refund. Raises Duplicate when the payment has one of that purpose."""
    tx.insert("refunds", id=refund.id, payment_id=refund.payment_id, purpose=refund.purpose.key,
              out_refund_no=refund.out_refund_no, amount_fen=refund.amount_fen, reason=refund.reason,
              state=refund.state, created_at=refund.created_at)


def refund(source: Source, refund_id: str, *, lock: bool = False) -> Refund | None:
    """One refund."""
    return _refund(source, "id = %s", (refund_id,), lock)


def refund_of_number(source: Source, out_refund_no: str, *, lock: bool = False) -> Refund | None:
    """The refund of a number."""
    return _refund(source, "out_refund_no = %s", (out_refund_no,), lock)


def refund_of_purpose(source: Source, purpose: Purpose) -> Refund | None:
    """The refund whose purpose names an id, and so is one of its kind."""
    return _refund(source, "purpose = %s", (purpose.key,), False)


def refunds_of(source: Source, payment_id: str) -> list[Refund]:
    """Every refund of an order, oldest first."""
    return [Refund.of(row) for row in
            source.all("SELECT * FROM refunds WHERE payment_id = %s ORDER BY id", (payment_id,))]


def refunds_of_page(source: Source, payments: list[Payment]) -> dict[str, list[Refund]]:
    """Every refund of some orders, by order, oldest first."""
    found: dict[str, list[Refund]] = {payment.id: [] for payment in payments}
    if found:
        marks = ", ".join(["%s"] * len(found))
        for row in source.all(f"SELECT * FROM refunds WHERE payment_id IN ({marks}) ORDER BY id", list(found)):
            found[row["payment_id"]].append(Refund.of(row))
    return found


def move_refund(tx: Transaction, refund_: Refund, state: str, **changes: Any) -> None:
    """Move a locked refund along the table. Raises IllegalMove."""
    if state not in REFUND_MOVES[refund_.state]:
        raise IllegalMove(f"refund {refund_.id}: {refund_.state} to {state}")
    names = ", ".join(f"{name} = %s" for name in changes)
    tx.run(f"UPDATE refunds SET state = %s{', ' + names if names else ''} WHERE id = %s",
           (state, *changes.values(), refund_.id))


def take_turn(tx: Transaction, refund_: Refund, *, since: datetime, now: datetime) -> datetime | None:
    """Mark a refund as sent now, unless another of its payment (locked) was sent after ``since``: then, when."""
    row = tx.one("SELECT MAX(sent_at) AS latest FROM refunds WHERE payment_id = %s AND id <> %s AND sent_at > %s",
                 (refund_.payment_id, refund_.id, since))
    if row is not None and row["latest"] is not None:
        latest: datetime = row["latest"]
        return latest
    tx.run("UPDATE refunds SET sent_at = %s WHERE id = %s", (now, refund_.id))
    return None


def note_refund(tx: Transaction, refund_id: str, code: str) -> None:
    """Why a refund that is still to be sent has to wait."""
    tx.run("UPDATE refunds SET code = %s WHERE id = %s AND state = 'REQUESTED'", (code, refund_id))


def doubt_refund(tx: Transaction, refund_id: str, code: str) -> None:
    """Another reason why a stuck refund is stuck."""
    tx.run("UPDATE refunds SET code = %s WHERE id = %s AND state = 'STUCK'", (code[:48], refund_id))


def refunded_under(source: Source, out_refund_no: str) -> int:
    """What is booked as paid back by WeChat under a number, in fen."""
    row = source.one("SELECT -amount_fen AS fen FROM ledger WHERE movement = 'REFUND' AND movement_key = %s",
                     (out_refund_no,))
    return int(row["fen"]) if row else 0


def stuck_without_task(source: Source, limit: int) -> list[str]:
    """Stuck refunds that staff have not on their list, the oldest first."""
    return [row["id"] for row in source.all(
        "SELECT r.id FROM refunds r WHERE r.state = 'STUCK' AND NOT EXISTS (SELECT 1 FROM staff_tasks t "
        "WHERE t.kind = 'refund.stuck' AND t.subject_id = r.id AND t.state = 'OPEN') "
        "ORDER BY r.created_at LIMIT %s", (limit,))]


def add_to_ledger(tx: Transaction, *, payment_id: str, movement: str, key: str, amount_fen: int,
                  at: datetime, now: datetime, soon: bool = False) -> None:
    """Book a movement. Raises Duplicate when it is booked already: then a state was not looked at before.

    ``soon``: along with what is said next, which then raises it.
    """
    insert = tx.insert_soon if soon else tx.insert
    insert("ledger", id=new_id(), payment_id=payment_id, movement=movement, movement_key=key,
           amount_fen=amount_fen, at=at, day=hospital_day(at), recorded_at=now)


def reversals(source: Source, payment_id: str, trade_no: str) -> int:
    """How often what the HIS took of a payment under a number was taken out again at our request."""
    row = source.one("SELECT COUNT(*) AS number FROM ledger WHERE payment_id = %s AND movement = 'REVERSAL' "
                     "AND SUBSTRING_INDEX(movement_key, '@', 1) = %s", (payment_id, trade_no))
    return int(row["number"]) if row else 0


def _payment(source: Source, where: str, args: tuple[Any, ...], lock: bool) -> Payment | None:
    row = source.one(f"SELECT * FROM payments WHERE {where}{' FOR UPDATE' if lock else ''}", args)
    return _of_row(row) if row else None


def _of_row(row: Row) -> Payment:
    return Payment.of({**row, "openid": sealed.value(row, "openid", _payer(row["id"]))})


def _payer(payment_id: str) -> str:
    return f"payments.openid:{payment_id}"


def _refund(source: Source, where: str, args: tuple[Any, ...], lock: bool) -> Refund | None:
    row = source.one(f"SELECT * FROM refunds WHERE {where}{' FOR UPDATE' if lock else ''}", args)
    return Refund.of(row) if row else None
