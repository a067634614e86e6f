"""Orders to pay bills, and their charges: one for each bill. The pictures of the tables are in ``docs/states.md``."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from hospital.gateways.his.bills import Bill

# Where an order may go from each state; whatever is not here raises IllegalMove.
ORDER_MOVES: dict[str, set[str]] = {
    "OPEN": {"AWAITING_PAYMENT", "RELEASED"},
    "AWAITING_PAYMENT": {"SETTLING", "RELEASED"},
    "SETTLING": {"DONE"},
    "RELEASED": {"DONE"},  # only by money that came after all: it goes back
    "DONE": set(),
}
CHARGE_MOVES: dict[str, set[str]] = {
    "OPEN": {"SETTLING", "RELEASED"},
    "SETTLING": {"SETTLED", "REJECTED"},
    "SETTLED": {"CANCELLING", "CANCELLED"},  # CANCELLED at once: the desk gave all of it back
    "CANCELLING": {"CANCELLED", "SETTLED"},  # back when the HIS refuses
    "RELEASED": {"REJECTED"},  # only by money that came after all
    "REJECTED": set(),
    "CANCELLED": set(),
}
REFUSED = "charge.his-refused"  # the kind of the task: the HIS says what can only be if books differ
TAKEN = {"SETTLED", "CANCELLING", "CANCELLED"}  # the HIS has taken its part of the payment (and may have given it back)


class Wanted(Struct, frozen=True):
    """A bill to pay, as the patient has seen it."""

    bill_no: str
    version: int
    total_fen: int


class NewOrder(Struct, frozen=True):
    """Bills of one patient to pay together."""

    patient_id: str
    bills: list[Wanted]


class Order(Struct, frozen=True):
    """One payment of one or several bills."""

    id: str
    account_id: str
    patient_id: str
    state: str
    reason: str
    total_fen: int
    expires_at: datetime
    created_at: datetime
    hold_until: datetime | None = None  # how long the HIS keeps the bills locked; None: begun before we kept that


class Charge(Struct, frozen=True):
    """One bill's part of an order, under its own number in the HIS. ``bill`` is as it was when it was ordered."""

    id: str
    order_id: str
    bill: Bill
    trade_no: str
    amount_fen: int
    state: str
    reason: str
    settlement_no: str
    pharmacy_window: str
