"""Refunds begun at the hospital's desk (窗口退费): whole or in part; the caller moves the money."""

from __future__ import annotations

from datetime import date
from typing import Any

from sandbox.clock import Clock
from sandbox.his.checkin import CheckIns
from sandbox.his.model import BEIJING, DeskRefund, Refused, Registration, moment_of
from sandbox.his.money import Bill, Charge
from sandbox.his.trades import Trades
from sandbox.his.wire import Fields, show, wrong

OUT_REFUND_NO = r"[0-9A-Za-z_|*@-]{1,64}"
ANY_CODE = r"[0-9A-Za-z_.-]{1,64}"
_RESULTS = ("SUCCEEDED", "FAILED")


class DeskRefunds:
    """The book of the desk's refunds. The owner holds its lock around every call."""

    def __init__(self, clock: Clock, trades: Trades, check_ins: CheckIns) -> None:
        self._clock = clock
        self._trades = trades
        self._check_ins = check_ins
        self._refunds: dict[str, DeskRefund] = {}

    # -- the desk -------------------------------------------------------------------------------
    def begin(self, trade_no: str, amount_fen: int | None, item_nos: list[int] | None, reason: str,
              operator_code: str) -> DeskRefund:
        """Give back some items, an amount, or (neither) all that is left of a trade.

        All that is left of a registration ends it (退号). Raises Refused: NOT_PAID, ALREADY_REFUNDED,
        AMOUNT_TOO_LARGE, ITEM_UNKNOWN, ITEM_REFUNDED.
        """
        trade = self._trades.any(trade_no)
        if trade.settled_at is None or not trade.paid_fen:
            raise Refused("NOT_PAID", "该交易没有收到款项")
        if trade.left_fen <= 0:
            raise Refused("ALREADY_REFUNDED", "该交易已全部退款")
        if isinstance(trade, Charge) and trade.bill is not None:
            parts = _parts(trade, trade.bill, amount_fen, item_nos)
            total = sum(fen for _, fen in parts)
        elif item_nos is not None:
            raise Refused("ITEM_UNKNOWN", "挂号没有项目", 404)
        else:
            parts, total = (), trade.left_fen if amount_fen is None else amount_fen
        if not 0 < total <= trade.left_fen:
            raise Refused("AMOUNT_TOO_LARGE", "退款金额应大于零且不超过可退金额")
        now = self._clock.now()
        number = f"DR{now.astimezone(BEIJING):%Y%m%d}{len(self._refunds) + 1:06d}"
        refund = DeskRefund(refund_no=number, trade=trade, amount_fen=total, parts=parts, reason=reason,
                            operator_code=operator_code, created_at=now)
        self._refunds[number] = refund
        trade.desk_refunds.append(refund)
        if isinstance(trade, Registration) and trade.left_fen == 0 and trade.stored == "CONFIRMED":
            trade.stored, trade.changed, trade.cancelled_at, trade.reason = "CANCELLED", now, now, reason
            self._check_ins.leave(trade)
        return refund

    def all(self) -> list[dict[str, Any]]:
        """Every refund, oldest first."""
        return [wire_refund(one) for one in self._refunds.values()]

    # -- operations -----------------------------------------------------------------------------
    def of_day(self, day: date) -> list[DeskRefund]:
        """The refunds begun on a hospital day, in the order of their numbers."""
        begin, end = moment_of(day, 0), moment_of(day, 24 * 60)
        return sorted((one for one in self._refunds.values() if begin <= one.created_at < end),
                      key=lambda one: one.refund_no)

    def known(self, refund_no: str) -> DeskRefund:
        """The refund of this number. Raises Refused REFUND_UNKNOWN."""
        refund = self._refunds.get(refund_no)
        if refund is None:
            raise Refused("REFUND_UNKNOWN", "退费单不存在", 404)
        return refund

    def report(self, refund_no: str, body: dict[str, Any]) -> dict[str, Any]:
        """What became of the money; the same report again gives the same answer."""
        fields = Fields(body, ("state", "out_refund_no", "code"))
        state = fields.choice("state", _RESULTS)
        number = fields.text("out_refund_no", OUT_REFUND_NO)
        code = fields.text("code", ANY_CODE) if fields.has("code") else None
        if code is not None and state == "SUCCEEDED":
            raise wrong("code", "只随 FAILED 给出")
        refund = self.known(refund_no)
        if refund.state == "REQUESTED":
            refund.state, refund.out_refund_no, refund.code = state, number, code
            if state == "SUCCEEDED" and isinstance(refund.trade, Charge) and refund.trade.bill is not None:
                whole = refund.trade.desk_fen("SUCCEEDED") == refund.trade.paid_fen
                refund.trade.bill.stored = "REFUNDED" if whole else "PARTLY_REFUNDED"
        elif (refund.state, refund.out_refund_no) != (state, number):
            raise Refused("RESULT_CONFLICT", "该退费已登记了另一个结果")
        return wire_refund(refund)


def wire_refund(one: DeskRefund) -> dict[str, Any]:
    """The refund as the interface shows it."""
    bill = one.trade.bill if isinstance(one.trade, Charge) else None
    return {
        "refund_no": one.refund_no, "trade_no": one.trade.trade_no, "kind": one.trade.kind,
        "bill_no": bill.bill_no if bill else None, "patient_code": one.trade.patient_code,
        "amount_fen": one.amount_fen,
        "items": [{"item_no": number, "amount_fen": fen} for number, fen in one.parts],
        "reason": one.reason, "operator_code": one.operator_code, "created_at": show(one.created_at),
        "state": one.state, "out_refund_no": one.out_refund_no, "code": one.code,
    }


def _parts(charge: Charge, bill: Bill, amount_fen: int | None, item_nos: list[int] | None
           ) -> tuple[tuple[int, int], ...]:
    """How the refund falls on the items: those named whole, or from the first on until it is used up."""
    left = {item.item_no: item.amount_fen - charge.refunded_fen(item.item_no, "REQUESTED", "SUCCEEDED")
            for item in bill.items}
    if item_nos is not None:
        if any(number not in left for number in item_nos):
            raise Refused("ITEM_UNKNOWN", "费用单没有这个项目", 404)
        if any(left[number] <= 0 for number in item_nos):
            raise Refused("ITEM_REFUNDED", "项目已退费")
        return tuple((number, left[number]) for number in sorted(set(item_nos)))
    due = charge.left_fen if amount_fen is None else amount_fen
    if due > charge.left_fen:
        raise Refused("AMOUNT_TOO_LARGE", "退款金额应大于零且不超过可退金额")
    parts: list[tuple[int, int]] = []
    for number, fen in left.items():
        taken = min(fen, due)
        if taken > 0:
            parts.append((number, taken))
            due -= taken
    return tuple(parts)
