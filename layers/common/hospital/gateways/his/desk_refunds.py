"""Refunds that the hospital's desk has begun."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any, Literal
from urllib.parse import quote

from hospital.gateways.his.wire import Answer, Code, Moment, Odd, day_query, get, post, read_row
from hospital.gateways.outcome import Rejected, Unanswered


class DeskRefundItem(Answer):
    """How much of a desk refund falls on one item."""

    item_no: int
    amount_fen: int


class DeskRefund(Answer):
    """A refund that the hospital's desk has begun, of the whole or a part of what a trade paid."""

    refund_no: Code
    trade_no: str
    kind: Literal["REGISTRATION", "CHARGE"]
    amount_fen: int
    items: list[DeskRefundItem] = []
    created_at: Moment
    state: Literal["REQUESTED", "SUCCEEDED", "FAILED"]
    out_refund_no: str | None = None


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
    cursor = ""
    while True:
        page = get(f"/desk-refunds?{day_query(day, cursor)}", _DeskRefunds)
        yield from (read_row(row, DeskRefund, "refund_no") for row in page.desk_refunds)
        if page.next_cursor is None:
            return
        cursor = page.next_cursor
