"""What the HIS takes into its books of a payment, and takes out again. Each step is a ledger row.

Who changes both locks the payment first, then its settlement. Invoices follow through ``invoice.adjust``.
"""

from __future__ import annotations

from datetime import datetime

from hospital.database import outbox
from hospital.database.connection import Duplicate, Transaction
from hospital.payment import settlement_store as store
from hospital.payment.model import AT_DESK, CHARGE, Item, Payment, Refund, Settlement
from hospital.payment.store import add_to_ledger, reversals
from hospital.runtime.ids import new_id


def record(tx: Transaction, *, kind: str, subject_id: str, trade_no: str, payment: Payment, patient_id: str,
           amount_fen: int, department_name: str, items: list[Item], settled_at: datetime, now: datetime,
           part: str = "") -> None:
    """The HIS has taken ``amount_fen`` of a payment; its e-bill is ordered. Again is harmless.

    ``part`` tells the settlements of a subject apart that has more than one.
    """
    settlement = Settlement(new_id(), kind, subject_id, trade_no, payment.id, payment.account_id, patient_id,
                            amount_fen, 0, 0, department_name, items, settled_at)
    try:
        store.insert(tx, settlement, part)
    except Duplicate:
        return
    add_to_ledger(tx, payment_id=payment.id, movement="SETTLEMENT", key=trade_no, amount_fen=amount_fen,
                  at=settled_at, now=now)
    _adjust(tx, settlement.id, now)


def reverse_rest(tx: Transaction, trade_no: str, now: datetime) -> int:
    """The HIS has taken it out, at our request: all that is not promised to the desk, in fen.

    The e-bill follows the money (:func:`refunded`). It can't fail: the HIS has done its part, and whoever asked it
    has looked before whether all of it is there. 0 when nothing is.
    """
    settlement = store.of_trade(tx, trade_no, lock=True)
    rest_fen = settlement.amount_fen - settlement.reversing_fen if settlement is not None else 0
    if settlement is None or not rest_fen or not store.promise(tx, settlement, rest_fen):
        return 0
    store.reverse(tx, settlement.id, rest_fen)
    before = reversals(tx, settlement.payment_id, trade_no)  # what was promised to the desk then, and kept after all
    add_to_ledger(tx, payment_id=settlement.payment_id, movement="REVERSAL", amount_fen=-rest_fen, at=now, now=now,
                  key=f"{trade_no}@{before + 1}" if before else trade_no)
    return rest_fen


def moved(tx: Transaction, trade_no: str, now: datetime) -> int:
    """What it was for is another number's now: all that is left is out, and its e-bill with it; fen."""
    out_fen = reverse_rest(tx, trade_no, now)
    settlement = store.of_trade(tx, trade_no)
    if settlement is not None:
        _adjust(tx, settlement.id, now)
    return out_fen


def refunded(tx: Transaction, refund: Refund, payment: Payment, now: datetime) -> None:
    """A refund has reached the patient: the e-bills of what it gave back, or what was left of it, are due."""
    if refund.purpose.of_desk:
        outbox.publish(tx, "desk.report", refund.purpose.id, due=now, now=now)
        return
    if refund.purpose.why == CHARGE:
        charged = store.id_of_subject(tx, CHARGE, refund.purpose.id)
        due = [charged] if charged is not None else []
    else:  # a registration that was paid on arrival is settled under the booking, not under its payment's subject
        due = store.ids_of_payment(tx, payment.id)
    for settlement_id in due:
        _adjust(tx, settlement_id, now)


def reverse_part(tx: Transaction, settlement: Settlement, amount_fen: int, *, key: str, now: datetime) -> None:
    """The HIS has taken a promised part out, after the desk's refund ``key`` reached the patient.

    The feature that was paid for hears of it: ``<kind>.reversed`` with the settlement's id.
    """
    store.reverse(tx, settlement.id, amount_fen)
    add_to_ledger(tx, payment_id=settlement.payment_id, movement="REVERSAL", key=AT_DESK + key,
                  amount_fen=-amount_fen, at=now, now=now)
    outbox.publish(tx, f"{settlement.kind}.reversed", settlement.id, due=now, now=now)
    _adjust(tx, settlement.id, now)


def _adjust(tx: Transaction, settlement_id: str, now: datetime) -> None:
    outbox.publish(tx, "invoice.adjust", settlement_id, due=now, now=now)
