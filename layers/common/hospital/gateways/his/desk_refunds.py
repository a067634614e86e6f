"""Refunds that the hospital's desk has begun."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any, Literal
from urllib.parse import quote

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
    pages,
    post,
    read_row,
)
from hospital.gateways.outcome import Rejected, Unanswered


class DeskRefundItem(Answer):
    """How much of a desk refund falls on one item."""

    item_no: Whole
    amount_fen: Fen


class DeskRefund(Answer):
    """A refund that the hospital's desk has begun, of the whole or a part of what a trade paid."""

    refund_no: Code
    trade_no: Code
    kind: Literal["REGISTRATION", "CHARGE"]
    amount_fen: Fen
    items: list[DeskRefundItem] = []
    created_at: Moment
    state: Literal["REQUESTED", "SUCCEEDED", "FAILED"]
    out_refund_no: OptionalNumber = None


class _DeskRefunds(Answer):
    desk_refunds: list[Any]
    next_cursor: str | None = None


def desk_refund(refund_no: str) -> DeskRefund | None:
    """One refund of the desk's; None when the HIS does not know it. Raises Unanswered."""
    try:
        return get(f"/desk-refunds/{quote(refund_no, safe='')}", DeskRefund)
    except Rejected as refusal:
        if refusal.code == "REFUND_UNKNOWN":
            return None
        raise Unanswered(f"his desk refund: {refusal.code}") from None


def report_desk_refund(refund_no: str, *, out_refund_no: str, code: str = "") -> None:
    """Say that the money has gone back, or (with a ``code``) that it can't.

    Raises Rejected (RESULT_CONFLICT: another result is on file), Unanswered.
    """
    body = {"state": "SUCCEEDED", "out_refund_no": out_refund_no}
    if code:
        body |= {"state": "FAILED", "code": code}
    post(f"/desk-refunds/{quote(refund_no, safe='')}/result", body, DeskRefund)


def desk_refunds_of(day: date) -> Iterator[DeskRefund | Odd]:
    """The refunds that the desk began on a hospital day, with their state now. Raises Unanswered."""
    for page in pages(lambda cursor: get(f"/desk-refunds?{day_query(day, cursor)}", _DeskRefunds)):
        yield from (read_row(row, DeskRefund, "refund_no") for row in page.desk_refunds)
