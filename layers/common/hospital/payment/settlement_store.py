"""SQL of settlements and of the desk's refunds. The items, which tell of health, are sealed."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Any

from msgspec.structs import asdict

from hospital.database.connection import Database, Row, Transaction
from hospital.payment.model import DESK_MOVES, DeskRefund, Item, Settlement
from hospital.runtime.errors import IllegalMove
from hospital.runtime.ids import new_id
from hospital.security import cipher

Source = Database | Transaction


# -- settlements ------------------------------------------------------------------------------------
def insert(tx: Transaction, one: Settlement, part: str) -> None:
    """A new settlement. Raises Duplicate when there is one of that trade number, or of that part of the subject."""
    content = {"department": one.department_name, "items": [asdict(item) for item in one.items]}
    tx.insert("settlements", id=one.id, kind=one.kind, subject_id=one.subject_id, trade_no=one.trade_no,
              payment_id=one.payment_id, account_id=one.account_id, patient_id=one.patient_id,
              amount_fen=one.amount_fen, settled_at=one.settled_at, part=part,
              items_enc=cipher.seal(json.dumps(content, ensure_ascii=False), _place(one.id)))


def by_id(source: Source, settlement_id: str, *, lock: bool = False) -> Settlement | None:
    """One settlement."""
    return _settlement(source, "id = %s", (settlement_id,), lock)


def of_trade(source: Source, trade_no: str, *, lock: bool = False) -> Settlement | None:
    """The settlement of a trade number."""
    return _settlement(source, "trade_no = %s", (trade_no,), lock)


def id_of_subject(source: Source, kind: str, subject_id: str) -> str | None:
    """The settlement of a bill's charge."""
    row = source.one("SELECT id FROM settlements WHERE kind = %s AND subject_id = %s", (kind, subject_id))
    return str(row["id"]) if row else None


def ids_of_payment(source: Source, payment_id: str) -> list[str]:
    """The ids of every settlement of a payment, oldest first."""
    return [str(row["id"]) for row in source.all(
        "SELECT id FROM settlements WHERE payment_id = %s ORDER BY id", (payment_id,))]


def of_payment(source: Source, payment_id: str) -> list[Settlement]:
    """Every settlement of a payment, oldest first."""
    return [_opened(row) for row in source.all(
        "SELECT * FROM settlements WHERE payment_id = %s ORDER BY id", (payment_id,))]


def promise(tx: Transaction, settlement: Settlement, amount_fen: int) -> bool:
    """Count an amount as going back. False when that would be more than was settled."""
    return tx.run("UPDATE settlements SET reversing_fen = reversing_fen + %s "
                  "WHERE id = %s AND reversing_fen + %s <= amount_fen",
                  (amount_fen, settlement.id, amount_fen)) == 1


def keep(tx: Transaction, settlement_id: str, amount_fen: int) -> None:
    """Count a promised amount that never went back as kept again."""
    tx.run("UPDATE settlements SET reversing_fen = reversing_fen - %s WHERE id = %s", (amount_fen, settlement_id))


def reverse(tx: Transaction, settlement_id: str, amount_fen: int) -> None:
    """Count a promised amount as out of the HIS's books."""
    tx.run("UPDATE settlements SET reversed_fen = reversed_fen + %s WHERE id = %s", (amount_fen, settlement_id))


def _settlement(source: Source, where: str, args: tuple[Any, ...], lock: bool) -> Settlement | None:
    row = source.one(f"SELECT * FROM settlements WHERE {where}{' FOR UPDATE' if lock else ''}", args)
    return _opened(row) if row else None


def _opened(row: Row) -> Settlement:
    content = json.loads(cipher.unseal(row["items_enc"], _place(row["id"])))
    return Settlement(
        row["id"], row["kind"], row["subject_id"], row["trade_no"], row["payment_id"], row["account_id"],
        row["patient_id"], row["amount_fen"], row["reversing_fen"], row["reversed_fen"], content["department"],
        [Item(**item) for item in content["items"]], row["settled_at"])


def _place(settlement_id: str) -> str:
    return f"settlements.items:{settlement_id}"


# -- the desk's refunds -----------------------------------------------------------------------------
def insert_desk_refund(tx: Transaction, refund_no: str, now: datetime) -> str:
    """A refund that the desk has begun; its id. Raises Duplicate when it is known."""
    desk_id = new_id()
    tx.insert("desk_refunds", id=desk_id, refund_no=refund_no, items="{}", state="FOUND", found_at=now,
              changed_at=now)
    return desk_id


def desk_refund(source: Source, desk_id: str, *, lock: bool = False) -> DeskRefund | None:
    """One refund of the desk's."""
    row = source.one(f"SELECT * FROM desk_refunds WHERE id = %s{' FOR UPDATE' if lock else ''}", (desk_id,))
    return _desk(row) if row else None


def desk_refunds_of(source: Source, settlement_id: str) -> list[DeskRefund]:
    """The desk's refunds of a settlement, oldest first; refused ones too."""
    return [_desk(row) for row in source.all(
        "SELECT * FROM desk_refunds WHERE settlement_id = %s ORDER BY id", (settlement_id,))]


def known_desk_refunds(source: Source, numbers: list[str]) -> set[str]:
    """Those of some numbers that are known."""
    if not numbers:
        return set()
    marks = ", ".join(["%s"] * len(numbers))
    return {row["refund_no"] for row in source.all(
        f"SELECT refund_no FROM desk_refunds WHERE refund_no IN ({marks})", numbers)}


def booked_desk_refunds(source: Source, numbers: list[str]) -> set[str]:
    """Those of some numbers that are decided: promised, done or refused."""
    if not numbers:
        return set()
    marks = ", ".join(["%s"] * len(numbers))
    return {row["refund_no"] for row in source.all(
        f"SELECT refund_no FROM desk_refunds WHERE state <> 'FOUND' AND refund_no IN ({marks})", numbers)}


def describe_desk_refund(tx: Transaction, desk_id: str, *, trade_no: str, settlement_id: str | None, amount_fen: int,
                         items: dict[int, int], begun_on: date) -> None:
    """What the HIS says of it."""
    tx.run("UPDATE desk_refunds SET trade_no = %s, settlement_id = %s, amount_fen = %s, items = %s, begun_on = %s "
           "WHERE id = %s", (trade_no, settlement_id, amount_fen, json.dumps(items), begun_on, desk_id))


def move_desk_refund(tx: Transaction, desk: DeskRefund, state: str, now: datetime, *, code: str = "") -> None:
    """Move a locked refund of the desk's along the table. Raises IllegalMove."""
    if state not in DESK_MOVES[desk.state]:
        raise IllegalMove(f"desk refund {desk.id}: {desk.state} to {state}")
    tx.run("UPDATE desk_refunds SET state = %s, code = %s, changed_at = %s WHERE id = %s",
           (state, code[:48], now, desk.id))


def mark_reported(tx: Transaction, desk_id: str, now: datetime) -> None:
    """The HIS knows how it ended."""
    tx.run("UPDATE desk_refunds SET reported_at = %s WHERE id = %s", (now, desk_id))


def _desk(row: Row) -> DeskRefund:
    return DeskRefund(row["id"], row["refund_no"], row["trade_no"], row["settlement_id"], row["amount_fen"],
                      {int(number): fen for number, fen in json.loads(row["items"]).items()}, row["state"],
                      row["code"], row["found_at"], row["reported_at"])
