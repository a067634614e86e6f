"""A hospital day's statement: its sources, the kinds of movement in each, and how a line may stand."""

from __future__ import annotations

from datetime import date
from typing import Any

from msgspec import Struct

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
OTHER = "OTHER"  # what a source lists and is not ours to compare: fees, the counter's own bills, other merchants' lines
UNREADABLE = "UNREADABLE"  # a line of theirs that can't be read: its number is the day and its place in the list

# How a line stands on its day. Agreed ones are counted, all others are kept one by one.
AGREED, OURS_ONLY, THEIRS_ONLY, AMOUNT_DIFFERS, LATE = "AGREED", "OURS_ONLY", "THEIRS_ONLY", "AMOUNT_DIFFERS", "LATE"
DETAIL_DIFFERS = "DETAIL_DIFFERS"  # the same number and amount, of another transaction, order, currency, day or state

# What was done about a line.
NONE = "NONE"  # nothing is to be done
RECORDED = "RECORDED"  # asked the other side, and booked what it said
QUERIED = "QUERIED"  # asked the other side, and it knows the movement: its list should bring it on another day
ASKED_AGAIN = "ASKED_AGAIN"  # our own step that was under way is tried at once
WAITS = "WAITS"  # no answer, too many, or our own step is under way: looked at again on the next day's statement
TASK = "TASK"  # on staff's list
EXPLAINED = "EXPLAINED"  # staff have closed its task and said why

# Where a line stands from then on: what was done about it, and SETTLED once a day evened it out. On its day it begins
# in any of them but EXPLAINED. Drawing up the other day again may take back what that day evened out, so SETTLED is
# left again.
SETTLED = "SETTLED"
LINE_MOVES = {
    WAITS: {NONE, QUERIED, ASKED_AGAIN, TASK, SETTLED},
    ASKED_AGAIN: {TASK, SETTLED},
    QUERIED: {TASK, SETTLED},
    NONE: {TASK, SETTLED},
    TASK: {EXPLAINED, SETTLED},
    EXPLAINED: set[str](),
    SETTLED: {WAITS, ASKED_AGAIN, QUERIED, NONE, TASK},
}

PROCESSING = "PROCESSING"  # the note of a refund that WeChat has accepted and not finished
ODD = "!"  # begins a note that speaks against its line: a reason, a colon, the order's number
ORDER = "商户订单号"  # what a detail begins with when the line's order is known: the number follows, then a space

# Statements: WAITING until every list was read and the sheet is stored.
WAITING, DONE = "WAITING", "DONE"
SHEET = "SHEET"  # stands among the sources that a statement waits for when only the sheet could not be stored


class Difference(Struct, frozen=True):
    """A movement that one side has on a day and the other has not, or not with this amount (fen; None: not there).

    ``note`` is what their list says besides: the order's number, the transaction, PROCESSING of a refund; or, behind
    ``ODD``, what speaks against the line. Of what only we have it is the order or transaction in our books.
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
        if self.ours_fen is None:
            return THEIRS_ONLY
        return AMOUNT_DIFFERS if self.ours_fen != self.theirs_fen else DETAIL_DIFFERS

    @property
    def odd(self) -> str:
        """What speaks against their line; empty: nothing."""
        return self.note[len(ODD):].partition(":")[0] if self.note.startswith(ODD) else ""

    @property
    def order(self) -> str:
        """The order's number that their list names, of a payment or a refund; empty: none."""
        return self.note.partition(":")[2] if self.odd else self.note

    @property
    def names(self) -> str:
        """Which order or transaction it is of; empty: it names none."""
        return "" if self.note == PROCESSING else self.order


class Finding(Struct, frozen=True):
    """What looking into a difference came to. ``settled_on``: the day on whose statement it is evened out."""

    state: str
    action: str
    detail: str = ""
    settled_on: date | None = None

    @property
    def stands(self) -> str:
        """Where a line stands with it, as ``LINE_MOVES`` has it."""
        return SETTLED if self.settled_on is not None and self.action != EXPLAINED else self.action


class Line(Struct, frozen=True):
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
    note: str | None = None

    @classmethod
    def of(cls, row: dict[str, Any]) -> Line:
        """From a row of the table."""
        return cls(**{name: row[name] for name in cls.__struct_fields__})

    @property
    def finding(self) -> Finding:
        """What looking into it has come to so far."""
        return Finding(self.state, self.action, self.detail, self.settled_on)

    @property
    def difference(self) -> Difference:
        """As it was found. Of the note older code kept an order's number alone, at the beginning of ``detail``."""
        before = self.detail[len(ORDER):].partition(" ")[0] if self.detail.startswith(ORDER) else ""
        return Difference(self.source, self.movement, self.number, self.ours_fen, self.theirs_fen,
                          before if self.note is None else self.note)


class Tally(Struct):
    """How many lines, and their sums on either side, in fen."""

    lines: int = 0
    ours_fen: int = 0
    theirs_fen: int = 0

    def add(self, ours_fen: int, theirs_fen: int) -> None:
        """Count one line."""
        self.lines += 1
        self.ours_fen += ours_fen
        self.theirs_fen += theirs_fen
