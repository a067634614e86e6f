"""Pure decisions about e-bills: what a bill says after parts were refunded, and under which line an item falls."""

from __future__ import annotations

from hospital.payment.model import DeskRefund, Item, Settlement

# Charge lines of an outpatient e-bill; the codes are the hospital's at the platform.
CATEGORIES = {
    "REGISTRATION": ("11", "挂号费"), "EXAMINATION": ("02", "检查费"), "LABORATORY": ("03", "化验费"),
    "TREATMENT": ("04", "治疗费"), "PRESCRIPTION": ("07", "西药费"),
}
OTHER = ("12", "其他门诊收费")


def left(settlement: Settlement, refunds: list[DeskRefund]) -> list[tuple[Item, int]]:
    """What is left of a settlement's items, in fen, after the desk's refunds that reached the patient.

    They add up to ``settlement.net_fen``. What a refund does not name an item for is taken off from the last
    item on.
    """
    rest = {item.item_no: item.amount_fen for item in settlement.items}
    unnamed = settlement.reversed_fen
    for refund in refunds:
        if refund.state == "SUCCEEDED":
            for number, fen in refund.items.items():
                rest[number] -= fen
                unnamed -= fen
    for item in reversed(settlement.items):
        taken = min(unnamed, rest[item.item_no])
        rest[item.item_no] -= taken
        unnamed -= taken
    return [(item, rest[item.item_no]) for item in settlement.items if rest[item.item_no]]


def category(item: Item) -> tuple[str, str]:
    """Code and name of the line that an item falls under."""
    return CATEGORIES.get(item.category, OTHER)
