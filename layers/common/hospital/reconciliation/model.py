"""A hospital day's statement: its sources, the kinds of movement in each, and how a line may stand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

# Who else keeps books of the same money, and which movements of ours each of them must show, in order.
WECHAT, FUND_FLOW, HIS, DESK, EBILL = "WECHAT", "FUND_FLOW", "HIS", "DESK", "EBILL"
MOVEMENTS = {
    WECHAT: ("CAPTURE", "REFUND"),  # the trade bill (交易账单)
    FUND_FLOW: ("CAPTURE", "REFUND"),  # the merchant's account (资金账单)
    HIS: ("REVERSAL", "SETTLEMENT"),
    DESK: ("REVERSAL",),  # refunds that the desk began on the day
    EBILL: ("INVOICE", "RED"),
}
SOURCES = tuple(MOVEMENTS)
OTHER = "OTHER"  # what a source lists and is not ours to compare: fees, the counter's own bills

# How a line stands on its day. Agreed ones are counted, all others are kept one by one.
AGREED, OURS_ONLY, THEIRS_ONLY, AMOUNT_DIFFERS, LATE = "AGREED", "OURS_ONLY", "THEIRS_ONLY", "AMOUNT_DIFFERS", "LATE"

# What was done about a line.
NONE = "NONE"  # nothing is to be done
RECORDED = "RECORDED"  # asked the other side, and booked what it said
QUERIED = "QUERIED"  # asked the other side, and it knows the movement: its list should bring it on another day
ASKED_AGAIN = "ASKED_AGAIN"  # our own step that was under way is tried at once
WAITS = "WAITS"  # no answer, too many, or our own step is under way: looked at again on the next day's statement
TASK = "TASK"  # on staff's list

ORDER = "商户订单号"  # what a detail begins with when the line's order is known: the number follows, then a space

# Statements: WAITING until every list was read and the sheet is stored.
WAITING, DONE = "WAITING", "DONE"
SHEET = "SHEET"  # stands among the sources that a statement waits for when only the sheet could not be stored


@dataclass(frozen=True)
class Difference:
    """A movement that one side has on a day and the other has not, or not with this amount (fen; None: not there).

    ``note`` is what their list says besides: the order's number of a capture, PROCESSING of a refund.
    """

    source: str
    movement: str
    number: str
    ours_fen: int | None
    theirs_fen: int | None
    note: str = ""

    @property
    def state(self) -> str:
        """How it stands before anybody looked for its counterpart."""
        if self.theirs_fen is None:
            return OURS_ONLY
        return THEIRS_ONLY if self.ours_fen is None else AMOUNT_DIFFERS


@dataclass(frozen=True)
class Finding:
    """What looking into a difference came to. ``settled_on``: the day on whose statement it is evened out."""

    state: str
    action: str
    detail: str = ""
    settled_on: date | None = None


@dataclass(frozen=True)
class Line:
    """A difference as a statement keeps it."""

    id: str
    day: date
    source: str
    movement: str
    number: str
    state: str
    ours_fen: int | None
    theirs_fen: int | None
    action: str
    detail: str
    settled_on: date | None

    @classmethod
    def of(cls, row: dict[str, Any]) -> Line:
        """From a row of the table."""
        return cls(**{name: row[name] for name in cls.__dataclass_fields__})

    @property
    def difference(self) -> Difference:
        """As it was found. Of the note only an order's number is kept, at the beginning of ``detail``."""
        order = self.detail[len(ORDER):].partition(" ")[0] if self.detail.startswith(ORDER) else ""
        return Difference(self.source, self.movement, self.number, self.ours_fen, self.theirs_fen, order)


@dataclass
class Tally:
    """How many lines, and their sums on either side, in fen."""

    lines: int = 0
    ours_fen: int = 0
    theirs_fen: int = 0

    def add(self, ours_fen: int, theirs_fen: int) -> None:
        """Count one line."""
        self.lines += 1
        self.ours_fen += ours_fen
        self.theirs_fen += theirs_fen
