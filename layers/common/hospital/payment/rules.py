"""Pure decisions about the desk's refunds."""

from __future__ import annotations

from hospital.payment.model import DeskRefund, Settlement


def refusal_of_desk_refund(settlement: Settlement, amount_fen: int, items: dict[int, int],
                           before: list[DeskRefund]) -> str:
    """Why a desk refund can't be: a code; empty when it can.

    Never more than was settled, as a whole and for each item. A registration has no items to name.
    """
    if amount_fen <= 0 or any(fen < 0 for fen in items.values()):
        return "AMOUNT_INVALID"
    if settlement.reversing_fen + amount_fen > settlement.amount_fen:
        return "MORE_THAN_PAID"
    if not items:
        return ""
    if sum(items.values()) != amount_fen:
        return "ITEMS_DO_NOT_ADD_UP"
    left = {item.item_no: item.amount_fen for item in settlement.items}
    for one in before:
        if one.state in ("REFUNDING", "SUCCEEDED"):
            for number, fen in one.items.items():
                left[number] -= fen
    if any(number not in left or fen > left[number] for number, fen in items.items()):
        return "MORE_THAN_ITEM"
    return ""
