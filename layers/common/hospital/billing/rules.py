"""Pure decisions about bills: may they be paid as shown, and what a refusal means to a patient."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from hospital.billing.model import Wanted
from hospital.database.policy import Policy

if TYPE_CHECKING:
    from hospital.gateways.his.bills import Bill

# The HIS keeps a bill locked for longer than it can be paid: what was paid at the last moment is settled in peace.
LOCKED_LONGER = timedelta(minutes=30)
# Codes of the HIS, and what the patient is told: our code, sentence.
REFUSALS: dict[str, tuple[str, str]] = {
    "BILL_PAID": ("bill_paid", "所选费用已缴清，无需重复支付，请刷新后查看。"),
    "BILL_CANCELLED": ("bill_cancelled", "所选费用已被医生撤销，请刷新后查看。"),
    "BILL_UNKNOWN": ("bill_gone", "所选费用已不存在，请刷新后查看。"),
    "BILL_CHANGED": ("bill_changed", "费用已变更，请刷新核对后重新支付。"),
    "BILL_LOCKED": ("bill_being_paid", "该费用正在其他手机或窗口支付，请稍后再试。"),
    "TRADE_CLOSED": ("order_expired", "支付时间已过，请重新发起缴费。"),
}
OTHERWISE = ("his_refused", "医院系统未能受理本次缴费，请稍后重试，或到人工窗口办理。")

NOT_REFUNDABLE: dict[str, str] = {
    "NOT_SETTLED": "该费用尚未结算，不能退费。",
    "ALREADY_REFUNDED": "该费用已退费。",
    "PARTLY_REFUNDED": "该费用已在窗口部分退费，如需再退请到窗口办理。",
    "EXECUTED": "该费用中的项目已执行或已发药，不能在线退费，请到窗口咨询。",
    "INVOICE_ON_PAPER": "该费用已换开纸质发票，请携带纸质发票到窗口退费。",
}
NOT_REFUNDABLE_OTHERWISE = "该费用不能在线退费，请到窗口办理。"


def hold_until(expires_at: datetime, policy: Policy) -> datetime:
    """How long the HIS is to keep bills that are to be paid until ``expires_at``."""
    return expires_at + timedelta(minutes=policy.pay_minutes_at_least) + LOCKED_LONGER


def payment_deadline(expires_at: datetime, held_until: datetime, now: datetime, policy: Policy) -> datetime:
    """Until when to pay: never less than a sensible moment, and long before the HIS lets the bills go."""
    return max(expires_at, min(now + timedelta(minutes=policy.pay_minutes_at_least), held_until - LOCKED_LONGER))


def refusal_to_pay(wanted: Wanted, unpaid: dict[str, Bill]) -> str:
    """Why a bill can't be paid as the patient has seen it: a code of the HIS; empty when it can.

    A bill that is missing among the unpaid needs another look: ``MISSING``.
    """
    bill = unpaid.get(wanted.bill_no)
    if bill is None:
        return "MISSING"
    if (bill.version, bill.total_fen) != (wanted.version, wanted.total_fen):
        return "BILL_CHANGED"
    return ""


def refusal_of_missing(bill: Bill | None) -> str:
    """Why a bill is not among the unpaid ones."""
    if bill is None:
        return "BILL_UNKNOWN"
    return {"UNPAID": "", "CANCELLED": "BILL_CANCELLED"}.get(bill.state, "BILL_PAID")


def refund_sentence(codes: list[str]) -> str:
    """Why a paid bill can't be refunded on line, for the patient; the weightiest reason."""
    return NOT_REFUNDABLE.get(codes[0], NOT_REFUNDABLE_OTHERWISE) if codes else NOT_REFUNDABLE_OTHERWISE
