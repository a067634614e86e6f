"""Every trade number there ever was, whatever its kind, and what each payment has paid for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

from sandbox.his.model import Refused, Trade, moment_of
from sandbox.his.payments import Payment
from sandbox.his.wire import show

LONGEST_HOLD = timedelta(hours=24)
STATES = ("LOCKED", "EXPIRED", "UNLOCKED", "CONFIRMED", "SETTLED", "CANCELLED")
BY = ("STATE", "MONEY")  # what puts a trade on a day's list: its present state, or a movement of money
_T = TypeVar("_T", bound=Trade)


class Trades:
    """The numbers and the payments. The owner holds its lock around every call."""

    def __init__(self) -> None:
        self._all: dict[str, Trade] = {}
        self._paid_by: dict[str, str] = {}  # transaction id -> who alone may use it

    def find(self, trade_no: str, kind: type[_T]) -> _T | None:
        """The trade of this number; None when it is new. Raises Refused TRADE_CONFLICT for another kind's."""
        known = self._all.get(trade_no)
        if known is None or isinstance(known, kind):
            return known
        raise Refused("TRADE_CONFLICT", "该交易号已用于另一类交易")

    def known(self, trade_no: str, kind: type[_T]) -> _T:
        """The trade of this number. Raises Refused TRADE_UNKNOWN or TRADE_CONFLICT."""
        known = self.find(trade_no, kind)
        if known is None:
            raise Refused("TRADE_UNKNOWN", "交易不存在", 404)
        return known

    def any(self, trade_no: str) -> Trade:
        """The trade of this number, of whatever kind. Raises Refused TRADE_UNKNOWN."""
        return self.known(trade_no, Trade)

    def add(self, trade: Trade) -> None:
        """A new number."""
        self._all[trade.trade_no] = trade

    def of_kind(self, kind: type[_T]) -> Iterator[_T]:
        """Every trade of one kind, oldest first."""
        return (one for one in self._all.values() if isinstance(one, kind))

    def hand_over(self, patient_code: str, to: str) -> None:
        """A merged record's trades, and what its payments may pay for, are another one's."""
        for one in self._all.values():
            if one.patient_code == patient_code:
                one.patient_code = to
        old, new = owner_of_bills(patient_code), owner_of_bills(to)
        self._paid_by = {number: new if owner == old else owner for number, owner in self._paid_by.items()}

    # -- payments -------------------------------------------------------------------------------
    def check_payment(self, payment: Payment, owner: str) -> None:
        """Raise Refused PAYMENT_CONFLICT when the payment is another owner's.

        An owner is what one payment may pay for: one registration, or the bills of one patient.
        """
        if self._paid_by.get(payment.transaction_id, owner) != owner:
            raise Refused("PAYMENT_CONFLICT", "这笔支付已用于另一笔交易")

    def book_payment(self, trade: Trade, payment: Payment, owner: str, now: datetime) -> None:
        """Write a checked payment into the trade."""
        self._paid_by[payment.transaction_id] = owner
        trade.transaction_id, trade.paid_fen, trade.paid_at = (
            payment.transaction_id, payment.paid_fen, payment.paid_at)
        trade.settled_at = now

    # -- lists ----------------------------------------------------------------------------------
    def on(self, day: date, by: str, now: datetime) -> list[tuple[datetime, Trade]]:
        """The trades of a hospital day, oldest first, with the moment that puts them there."""
        begin, end = moment_of(day, 0), moment_of(day, 24 * 60)
        found: list[tuple[datetime, Trade]] = []
        for one in self._all.values():
            within = [moment for moment in _moments(one, by, now) if begin <= moment < end]
            if within:
                found.append((min(within), one))
        found.sort(key=lambda pair: (pair[0], pair[1].trade_no))
        return found


def _moments(one: Trade, by: str, now: datetime) -> list[datetime]:
    if by == "STATE":
        return [one.changed_at(now)]
    if one.settled_at is None:
        return []
    return [one.settled_at] if one.cancelled_at is None else [one.settled_at, one.cancelled_at]


def owner_of_bills(patient_code: str) -> str:
    """What one payment may settle: several bills, of one patient."""
    return f"bills of {patient_code}"


def common(one: Trade, now: datetime) -> dict[str, Any]:
    """What the trade check shows of every kind."""
    return {
        "trade_no": one.trade_no, "kind": one.kind, "state": one.state_at(now), "fee_fen": one.fee_fen,
        "paid_fen": one.paid_fen, "transaction_id": one.transaction_id, "paid_at": _or_none(one.paid_at),
        "refund_fen": one.refund_fen, "desk_refund_fen": one.desk_fen("SUCCEEDED"),
        "hold_until": _or_none(one.hold_until), "updated_at": show(one.changed_at(now)),
        "settled_at": _or_none(one.settled_at), "cancelled_at": _or_none(one.cancelled_at),
    }


def _or_none(moment: datetime | None) -> str | None:
    return show(moment) if moment else None
