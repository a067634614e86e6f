"""Paying bills: lock, settle, cancel, each under our trade number."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import quote

from hospital.gateways.his.trades import Trade, payment_part
from hospital.gateways.his.wire import BILLS_SECONDS, Answer, get, moment_text, post


class Refundability(Answer):
    """Whether a paid bill may be refunded on line now, and the codes of what speaks against it."""

    refundable: bool
    reasons: list[str]


def lock(trade_no: str, *, bill_no: str, version: int, amount_fen: int, hold_until: datetime) -> None:
    """Take a bill to pay it; the same request again gives the same answer.

    Raises Rejected (BILL_PAID, BILL_CHANGED, BILL_LOCKED, BILL_CANCELLED, BILL_UNKNOWN, TRADE_CLOSED), Unanswered.
    """
    post("/charges/lock", {"trade_no": trade_no, "bill_no": bill_no, "version": version, "amount_fen": amount_fen,
                               "hold_until": moment_text(hold_until)}, Trade)


def unlock(trade_no: str) -> None:
    """Let a bill go. After this answers, nothing takes effect under the number any more.

    Raises Rejected (ALREADY_SETTLED, ALREADY_CANCELLED), Unanswered.
    """
    post("/charges/unlock", {"trade_no": trade_no}, Trade)


def settle(trade_no: str, *, transaction_id: str, paid_fen: int, paid_at: datetime) -> Trade:
    """The bill is paid, by its part of a WeChat payment.

    Raises Rejected (LOCK_EXPIRED, BILL_CANCELLED, BILL_CHANGED, TRADE_CLOSED, …), Unanswered.
    """
    return post("/charges/settle", {"trade_no": trade_no, "payment": payment_part(
        transaction_id, paid_fen, paid_at)}, Trade)


def cancel(trade_no: str, *, reason: str, refund_fen: int) -> None:
    """Take a whole paid bill back.

    Raises Rejected (EXECUTED, INVOICE_ON_PAPER, PARTLY_REFUNDED, ALREADY_REFUNDED, …), Unanswered.
    """
    post("/charges/cancel", {"trade_no": trade_no, "reason": reason, "refund_fen": refund_fen}, Trade)


def refundability(trade_no: str) -> Refundability:
    """May it be refunded on line now? The cancel decides. Raises Rejected, Unanswered."""
    return get(f"/charges/{quote(trade_no, safe='')}/refundability", Refundability, BILLS_SECONDS)
