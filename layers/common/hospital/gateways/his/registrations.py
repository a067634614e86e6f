"""Registrations: lock, confirm, cancel, check in, each under our trade number."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from hospital.gateways.his.trades import Trade, payment_part
from hospital.gateways.his.wire import moment_text, post


class CheckedIn(Trade):
    """The answer to a check-in: done, and nothing less."""

    checked_in: Literal[True]


def lock(trade_no: str, *, slot_code: str, patient_code: str, fee_fen: int, hold_until: datetime) -> Trade:
    """Take a place for ``trade_no`` until ``hold_until``; the same request again gives the same answer.

    Raises Rejected (SLOT_TAKEN, SCHEDULE_STOPPED, FEE_CHANGED, DUPLICATE_REGISTRATION, TRADE_CLOSED, …),
    Unanswered.
    """
    return post("/registrations/lock", {
        "trade_no": trade_no, "slot_code": slot_code, "patient_code": patient_code, "fee_fen": fee_fen,
        "hold_until": moment_text(hold_until)}, Trade)


def unlock(trade_no: str) -> Trade:
    """Give a place back. After this answers, nothing takes effect under the number any more.

    Raises Rejected (ALREADY_CONFIRMED, ALREADY_CANCELLED), Unanswered.
    """
    return post("/registrations/unlock", {"trade_no": trade_no}, Trade)


def confirm(trade_no: str, *, transaction_id: str | None, paid_fen: int, paid_at: datetime | None) -> Trade:
    """Make the registration firm, paid by WeChat or (no ``transaction_id``) to be paid at check-in.

    Raises Rejected (LOCK_EXPIRED, TRADE_CLOSED, SCHEDULE_STOPPED, AMOUNT_MISMATCH, …), Unanswered.
    """
    payment: dict[str, Any] = {"mode": "AT_CHECKIN"}
    if transaction_id and paid_at:
        payment = {"mode": "PREPAID", **payment_part(transaction_id, paid_fen, paid_at)}
    return post("/registrations/confirm", {"trade_no": trade_no, "payment": payment}, Trade)


def cancel(trade_no: str, *, reason: str, refund_fen: int) -> Trade:
    """Cancel a firm registration.

    Raises Rejected (ALREADY_CHECKED_IN, SESSION_STARTED, NOT_CONFIRMED, …), Unanswered.
    """
    return post("/registrations/cancel", {"trade_no": trade_no, "reason": reason, "refund_fen": refund_fen}, Trade)


def move(trade_no: str, *, from_trade_no: str, transaction_id: str | None, difference: dict[str, Any] | None) -> Trade:
    """Make the lock under ``trade_no`` firm with what was paid for another registration, which ends by it.

    ``transaction_id`` is what paid for that one (None: nothing yet), ``difference`` (a trade number of its own and a
    :func:`payment_part`) what was paid besides. All of it is done, or nothing.
    Raises Rejected (NOT_CONFIRMED, ALREADY_CHECKED_IN, LOCK_EXPIRED, SCHEDULE_STOPPED, TRADE_CLOSED, …), Unanswered.
    """
    return post("/registrations/move", {
        "trade_no": trade_no, "from_trade_no": from_trade_no,
        **({"transaction_id": transaction_id} if transaction_id else {}),
        **({"difference": difference} if difference else {})}, Trade)


def check_in(trade_no: str, *, payment: dict[str, Any] | None) -> CheckedIn:
    """The patient has arrived; ``payment`` (see :func:`payment_part`) when the fee is paid with it.

    Raises Rejected (CHECKIN_TOO_EARLY, SESSION_OVER, SCHEDULE_STOPPED, NOT_CONFIRMED, PAYMENT_REQUIRED,
    PAYMENT_CONFLICT, …), Unanswered.
    """
    return post("/registrations/check-in", {"trade_no": trade_no, **({"payment": payment} if payment else {})},
                CheckedIn)
