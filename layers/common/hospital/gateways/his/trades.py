"""Trade numbers, a registration's or a bill's: what became of one, and the day's list of money."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, Literal, TypeVar
from urllib.parse import quote

from hospital.gateways.his.wire import Answer, Moment, Odd, day_query, get, moment_text, read_row
from hospital.gateways.outcome import Rejected, Unanswered

TradeState = Literal["LOCKED", "EXPIRED", "UNLOCKED", "CONFIRMED", "SETTLED", "CANCELLED"]


class Trade(Answer):
    """What became of a trade number: a registration's or a bill's."""

    trade_no: str
    state: TradeState
    registration_code: str | None = None  # none for a number that was killed before it was used
    paid_fen: int | None = None
    transaction_id: str | None = None
    settled_at: Moment | None = None
    refund_fen: int = 0
    cancelled_at: Moment | None = None
    # a registration's
    visit_number: int | str | None = None
    location: str | None = None
    clinic_room: str | None = None
    starts_at: Moment | None = None
    checked_in: bool = False
    checked_in_at: Moment | None = None
    queue_number: str | None = None
    queue_place: str | None = None
    ahead: int | None = None
    late: bool | None = None
    # a bill's
    settlement_no: str | None = None
    pharmacy_window: str | None = None


class MoneyTrade(Answer):
    """A trade as the day's list of money has it."""

    trade_no: str
    state: str
    paid_fen: int
    transaction_id: str | None
    refund_fen: int
    settled_at: Moment | None
    cancelled_at: Moment | None


class EndedTrade(Answer):
    """A trade as the day's list of states has it."""

    trade_no: str
    kind: str
    state: str


class _Trades(Answer):
    trades: list[Any]
    next_cursor: str | None = None


_RowT = TypeVar("_RowT", MoneyTrade, EndedTrade)


def payment_part(transaction_id: str, paid_fen: int, paid_at: datetime) -> dict[str, Any]:
    """The part of a WeChat payment that pays for one trade."""
    return {"channel": "WECHAT", "transaction_id": transaction_id, "paid_fen": paid_fen,
            "paid_at": moment_text(paid_at)}


def check_trade(trade_no: str) -> Trade | None:
    """What became of a trade number; None when the HIS has never seen it. Raises Unanswered."""
    try:
        return get(f"/trades/{quote(trade_no, safe='')}", Trade)
    except Rejected as refusal:
        if refusal.code == "TRADE_UNKNOWN":
            return None
        raise Unanswered(f"trade check: {refusal.code}") from None


def money_trades(day: date) -> Iterator[MoneyTrade | Odd]:
    """Every trade that the HIS wrote into its books, or took out, on a hospital day. Raises Unanswered."""
    return _trades("by=MONEY", day, MoneyTrade)


def cancelled_trades(day: date) -> Iterator[EndedTrade | Odd]:
    """Every trade that was cancelled on a hospital day, paid or not, by whomever. Raises Unanswered.

    A hospital that does not know the filter gives every trade of the day, with its state.
    """
    return _trades("by=STATE&state=CANCELLED", day, EndedTrade)


def _trades(query: str, day: date, kind: type[_RowT]) -> Iterator[_RowT | Odd]:
    cursor = ""
    while True:
        page = get(f"/trades?{query}&{day_query(day, cursor)}", _Trades)
        yield from (read_row(row, kind, "trade_no") for row in page.trades)
        if page.next_cursor is None:
            return
        cursor = page.next_cursor
