"""Trade numbers, a registration's or a bill's: what became of one, and the day's list of money."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import quote

from pydantic import BeforeValidator

from hospital.gateways.his.wire import (
    Answer,
    Code,
    Fen,
    Moment,
    Odd,
    OptionalNumber,
    Whole,
    day_query,
    get,
    moment_text,
    pages,
    read_row,
)
from hospital.gateways.outcome import Rejected, Unanswered

TradeKind = Literal["REGISTRATION", "CHARGE"]
TradeState = Literal["LOCKED", "EXPIRED", "UNLOCKED", "CONFIRMED", "SETTLED", "CANCELLED"]


def _whole_or_none(told: Any) -> int | None:
    """How many are before a patient is only shown: an odd number of them holds nobody up."""
    return told if type(told) is int and 0 <= told < 2**31 else None


class Trade(Answer):
    """What became of a trade number: a registration's or a bill's."""

    trade_no: Code
    state: TradeState
    kind: TradeKind | None = None  # the trade check always says it
    paid_fen: Fen | None = None
    transaction_id: OptionalNumber = None
    settled_at: Moment | None = None
    refund_fen: Fen = 0
    cancelled_at: Moment | None = None
    # a registration's
    visit_number: Whole | str | None = None
    location: str | None = None
    clinic_room: str | None = None
    starts_at: Moment | None = None
    checked_in: bool = False
    checked_in_at: Moment | None = None
    queue_number: str | None = None
    queue_place: str | None = None
    ahead: Annotated[int | None, BeforeValidator(_whole_or_none)] = None
    late: bool | None = None
    stopped: bool = False  # cancelled along with its session: what was paid is still ours to move or to give back
    # a bill's
    settlement_no: str | None = None
    pharmacy_window: str | None = None


class _Checked(Trade):
    kind: TradeKind


class MoneyTrade(Answer):
    """A trade as the day's list of money has it."""

    trade_no: Code
    state: str
    paid_fen: Fen
    transaction_id: OptionalNumber
    refund_fen: Fen
    settled_at: Moment | None
    cancelled_at: Moment | None


class EndedTrade(Answer):
    """A trade as the day's list of states has it."""

    trade_no: Code
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
    """What became of a trade number; None when the HIS has never seen it.

    Raises Unanswered, also for an answer about another number.
    """
    try:
        trade = get(f"/trades/{quote(trade_no, safe='')}", _Checked)
    except Rejected as refusal:
        if refusal.code == "TRADE_UNKNOWN":
            return None
        raise Unanswered(f"trade check: {refusal.code}") from None
    if trade.trade_no != trade_no:
        raise Unanswered("trade check: of another number")
    return trade


def money_trades(day: date) -> Iterator[MoneyTrade | Odd]:
    """Every trade that the HIS wrote into its books, or took out, on a hospital day. Raises Unanswered."""
    return _trades("by=MONEY", day, MoneyTrade)


def cancelled_trades(day: date) -> Iterator[EndedTrade | Odd]:
    """Every trade that was cancelled on a hospital day, paid or not, by whomever. Raises Unanswered.

    A hospital that does not know the filter gives every trade of the day, with its state.
    """
    return _trades("by=STATE&state=CANCELLED", day, EndedTrade)


def _trades(query: str, day: date, kind: type[_RowT]) -> Iterator[_RowT | Odd]:
    for page in pages(lambda cursor: get(f"/trades?{query}&{day_query(day, cursor)}", _Trades)):
        yield from (read_row(row, kind, "trade_no") for row in page.trades)
