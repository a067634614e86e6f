"""What a patient is told about bills."""

from __future__ import annotations

from datetime import datetime

from hospital.billing.model import Charge, Order
from hospital.database.connection import Transaction
from hospital.gateways.his.bills import Bill
from hospital.messages import service as messages
from hospital.messages import wording
from hospital.messages.rules import time_text, yuan_text
from hospital.patients import store as patients


def tell_order(tx: Transaction, order: Order, taken: list[Charge], rest_fen: int, now: datetime) -> None:
    """Queue the one message about a payment: what was settled, and what goes back."""
    back = f"，其余{yuan_text(rest_fen)}退回" if rest_fen > 0 else ""
    if taken:
        windows = sorted({charge.pharmacy_window for charge in taken if charge.pharmacy_window})
        note = f"{len(taken)}笔已缴清{back}"  # twenty characters at most: a template takes no more
        if windows and not back:
            note = f"请到{windows[0]}取药" if len(windows) == 1 else "请到多个窗口取药，详见缴费记录"
        _queue(tx, order.account_id, order.patient_id, messages.CHARGES_PAID, order.id, _order(order.id), now,
               sum(charge.amount_fen for charge in taken), note)
    else:
        _queue(tx, order.account_id, order.patient_id, messages.CHARGES_FAILED, order.id, _order(order.id), now,
               rest_fen, "缴费未成功，费用将原路退回")


def tell_refused(tx: Transaction, order: Order, charge: Charge, key: str, now: datetime) -> None:
    """Queue the message that a refund was refused; ``key`` tells one attempt from another."""
    _queue(tx, order.account_id, order.patient_id, messages.CHARGES_FAILED, f"{charge.id}.{key}", _order(order.id), now,
           charge.amount_fen, "在线退费未成功，请到窗口办理")


def tell_new_bill(tx: Transaction, account_id: str, patient_id: str, bill: Bill, now: datetime) -> None:
    """Queue the message that there is something to pay, once for an account and bill."""
    _queue(tx, account_id, patient_id, messages.BILL_CREATED, f"{bill.bill_no}.{account_id}",
           wording.about("bills", patient_id), now, bill.total_fen, "请及时缴费", bill.department_name)


def _order(order_id: str) -> str:
    return wording.about("order", order_id)


def _queue(tx: Transaction, account_id: str, patient_id: str, kind: str, key: str, about: str, now: datetime,
           amount_fen: int, note: str, department: str = "门诊") -> None:
    messages.queue(tx, account_id=account_id, patient_id=patient_id, kind=kind, key=f"{kind}.{key}", about=about,
                   now=now, data={
        "patient": patients.patient_name(tx, patient_id), "amount": yuan_text(amount_fen), "note": note,
        "time": time_text(now), "department": department})
