"""What became of one of our numbers in the HIS, seen from our payment: the rule "never both, never neither".

Each outcome is a type of its own, and what may follow takes only the types that allow it: money goes back, and
a place or a bill is let go, for a number that is ``NotOurs``, never for want of an answer. Whoever asks has to
match all of them (``assert_never``). The table is in ``docs/states.md``.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from hospital.gateways.his import trades as his_trades
from hospital.gateways.his.trades import Trade, TradeKind
from hospital.gateways.outcome import Rejected, Unanswered
from hospital.payment.model import Payment

STANDS = {"ALREADY_CONFIRMED", "ALREADY_SETTLED", "ALREADY_CANCELLED"}  # why a number can't be killed any more
ANOTHERS = "TRADE_CONFLICT"  # the number is of another kind


class Waiting(Struct, frozen=True):
    """Locked, expired, or (``trade`` None) never seen: it may still become firm, until it is killed."""

    trade: Trade | None


class Dead(Struct, frozen=True):
    """Killed before it was ever firm: nothing takes effect under it any more."""


class Ours(Struct, frozen=True):
    """Firm, and our payment stands in it (of what is not paid yet: nobody's)."""

    trade: Trade


class Others(Struct, frozen=True):
    """Firm, and our payment has no part in it: the hospital has taken another, or waits for one."""

    trade: Trade


class EndedOurs(Struct, frozen=True):
    """Was firm with our payment; cancelled since. What goes back is ``trade.refund_fen``, or the desk's refund."""

    trade: Trade


class EndedOthers(Struct, frozen=True):
    """Was firm without our payment; cancelled since."""

    trade: Trade


class AnotherKinds(Struct, frozen=True):
    """A number of the HIS's other kind, without our payment: under ours there is nothing. The books differ."""

    trade: Trade


# The HIS has nothing of ours under it, and never will: ours goes back.
NotOurs = Dead | Others | EndedOthers | AnotherKinds
Decided = NotOurs | Ours | EndedOurs
Fate = Waiting | Decided


def fate_of(kind: TradeKind, trade: Trade | None, payment: Payment | None) -> Fate:
    """How a number of this kind stands; ``payment`` is what we have for it (None: nothing is to be paid now)."""
    if trade is not None and trade.kind != kind:
        return AnotherKinds(trade)
    if trade is None or trade.state in ("LOCKED", "EXPIRED"):
        return Waiting(trade)
    if trade.state == "UNLOCKED":
        return Dead()
    ours = _has_ours(trade, payment)
    if trade.state == "CANCELLED":
        return EndedOurs(trade) if ours else EndedOthers(trade)
    return Ours(trade) if ours else Others(trade)


def _has_ours(trade: Trade, payment: Payment | None) -> bool:
    if payment is None:
        return trade.transaction_id is None and not trade.paid_fen
    return payment.state == "PAID" and trade.transaction_id == payment.transaction_id


def look(kind: TradeKind, trade_no: str, payment: Payment | None) -> Fate:
    """Ask the HIS what became of a number. Raises Unanswered."""
    fate = fate_of(kind, his_trades.check_trade(trade_no), payment)
    if isinstance(fate, AnotherKinds) and payment is not None and _has_ours(fate.trade, payment):
        raise Unanswered("his: a number of another kind, with our payment")
    return fate


def kill(kind: TradeKind, unlock: Callable[[str], object], trade_no: str, payment: Payment | None) -> Decided:
    """Make a number useless for ever, or hear what it has become; ``unlock`` is its kind's. Raises Unanswered."""
    try:
        unlock(trade_no)
    except Rejected as refusal:
        if refusal.code not in {*STANDS, ANOTHERS}:
            raise Unanswered(f"his unlock: {refusal.code}") from None
        fate = look(kind, trade_no, payment)
        if isinstance(fate, (Waiting, Dead)) or isinstance(fate, AnotherKinds) != (refusal.code == ANOTHERS):
            raise Unanswered(f"his unlock: {refusal.code}, and then it is not") from None
        return fate
    return Dead()


def kill_unasked(kind: TradeKind, unlock: Callable[[str], object], trade_no: str, payment: Payment | None) -> NotOurs:
    """Kill a number that the HIS was never asked to make firm: it can't have our payment in it. Raises Unanswered."""
    became = kill(kind, unlock, trade_no, payment)
    if isinstance(became, (Ours, EndedOurs)):
        raise Unanswered(f"his: {became.trade.state} with a payment that it was never told of")
    return became
