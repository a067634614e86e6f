"""How bills, orders and payments are shown to their owner."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from hospital.billing import store
from hospital.billing.model import Charge, Order
from hospital.database import policy
from hospital.database.connection import Database
from hospital.gateways.his.bills import Bill, BillItem
from hospital.gateways.his.wire import plain
from hospital.invoices import store as invoice_store
from hospital.invoices.views import InvoiceView
from hospital.invoices.views import view as invoice_view
from hospital.patients import access
from hospital.patients import store as patients
from hospital.patients.rules import mask_name
from hospital.payment import settlement_store
from hospital.payment import store as payments
from hospital.payment.model import BACK, OUTPATIENT, Item, Payment, Refund, Settlement
from hospital.runtime.http import Model

KINDS = {"PRESCRIPTION": "处方", "EXAMINATION": "检查", "LABORATORY": "检验", "TREATMENT": "治疗"}
OTHER_KIND = "其他"
BILL_STATES = {"UNPAID": "待缴费", "PAID": "已缴费", "CANCELLED": "已作废", "REFUNDED": "已退费",
               "PARTLY_REFUNDED": "部分退费"}
INSURANCE_CLASSES = {"A": "甲类", "B": "乙类", "C": "丙类（自费）"}
ORDER_STATES = {"OPEN": "待支付", "AWAITING_PAYMENT": "待支付", "SETTLING": "缴费确认中", "DONE": "已完成",
                "RELEASED": "已取消"}
CHARGE_STATES = {"OPEN": "待支付", "SETTLING": "缴费确认中", "SETTLED": "已缴费", "CANCELLING": "退费中",
                 "CANCELLED": "已退费", "REJECTED": "未缴费成功，已退回", "RELEASED": "已取消"}
PAYMENT_KINDS = {"registration": "挂号费", "checkin": "挂号费（取号时支付）", "move": "改约补差价",
                 "outpatient": "门诊缴费"}
REFUND_STATES = {"REQUESTED": "退款已提交", "PROCESSING": "退款处理中", "SUCCEEDED": "退款已到账",
                 "STUCK": "退款处理中，请耐心等待", "GIVEN_UP": "未能原路退回，请到窗口办理",
                 "ELSEWHERE": "已通过其他方式退款"}


class ItemView(Model):
    """One line of a bill, amounts in fen. ``amount_fen`` is what it costs; quantity and price may have decimals."""

    item_no: int
    name: str
    specification: str
    unit: str
    quantity: int | float
    unit_price_fen: int | float
    amount_fen: int
    executing_department_name: str
    executing_place: str
    insurance_class: str
    insurance_text: str


class BillSummary(Model):
    """A bill to pay. ``order_id``: this account's order that holds it; ``being_paid``: anybody does."""

    bill_no: str
    kind: str
    kind_text: str
    department_name: str
    doctor_name: str
    created_at: datetime
    pay_before: datetime
    version: int
    total_fen: int
    item_count: int
    order_id: str | None
    being_paid: bool


class BillView(BillSummary):
    """A bill with its state and items."""

    state: str
    state_text: str
    items: list[ItemView]


class ChargeView(Model):
    """One bill's part of an order."""

    id: str
    bill_no: str
    kind_text: str
    department_name: str
    doctor_name: str
    amount_fen: int
    state: str
    state_text: str
    reason: str
    settlement_no: str
    pharmacy_window: str
    refunded_fen: int
    items: list[ItemView]


class OrderView(Model):
    """An order with its bills."""

    id: str
    state: str
    state_text: str
    patient_id: str
    patient_name: str
    total_fen: int
    created_at: datetime
    expires_at: datetime
    can_pay: bool
    charges: list[ChargeView]


class PaymentRefund(Model):
    """Money on its way back, or arrived."""

    state: str
    state_text: str
    amount_fen: int
    reason: str
    requested_at: datetime
    succeeded_at: datetime | None


class PaidItem(Model):
    """What was paid for, in short."""

    name: str
    amount_fen: int


class PaymentView(Model):
    """A payment with what it was for and what came back."""

    id: str
    kind: str
    kind_text: str
    subject_id: str
    description: str
    state: str
    state_text: str
    amount_fen: int
    paid_fen: int
    paid_at: datetime | None
    refunded_fen: int
    created_at: datetime
    items: list[PaidItem]
    refunds: list[PaymentRefund]


class SettlementView(Model):
    """What the hospital has taken under one number, with all items."""

    trade_no: str
    department_name: str
    amount_fen: int
    refunded_fen: int
    settled_at: datetime
    items: list[ItemView]


class Receipt(PaymentView):
    """A payment with everything about it."""

    transaction_id: str
    patient_name: str
    settlements: list[SettlementView]
    invoices: list[InvoiceView]


# -- bills and orders -------------------------------------------------------------------------------
def _plain(number: Decimal | float) -> int | float:
    return plain(number) if isinstance(number, Decimal) else number


def _item(one: BillItem | Item) -> ItemView:
    return ItemView(
        item_no=one.item_no, name=one.name, specification=one.specification, unit=one.unit,
        quantity=_plain(one.quantity), unit_price_fen=_plain(one.unit_price_fen), amount_fen=one.amount_fen,
        executing_department_name=one.executing_department_name, executing_place=one.executing_place,
        insurance_class=one.insurance_class, insurance_text=INSURANCE_CLASSES.get(one.insurance_class, ""))


def summaries(db: Database, bills: list[Bill], account_id: str) -> list[BillSummary]:
    """Bills as a list shows them."""
    held = store.being_paid(db, [bill.bill_no for bill in bills])
    return [BillSummary(**_summary(bill, held.get(bill.bill_no), account_id)) for bill in bills]


def bill_view(db: Database, bill: Bill, account_id: str) -> BillView:
    """One bill with its items."""
    held = store.being_paid(db, [bill.bill_no]).get(bill.bill_no)
    return BillView(**_summary(bill, held, account_id), state=bill.state, state_text=BILL_STATES[bill.state],
                    items=[_item(one) for one in bill.items])


def _summary(bill: Bill, held: tuple[str, str] | None, account_id: str) -> dict[str, Any]:
    return {
        "bill_no": bill.bill_no, "kind": bill.kind, "kind_text": KINDS.get(bill.kind, OTHER_KIND),
        "department_name": bill.department_name, "doctor_name": bill.doctor_name, "created_at": bill.created_at,
        "pay_before": bill.pay_before, "version": bill.version, "total_fen": bill.total_fen,
        "item_count": len(bill.items), "order_id": held[0] if held and held[1] == account_id else None,
        "being_paid": bool(held or bill.locked_by_trade)}


def order_view(db: Database, order: Order, now: datetime) -> OrderView:
    """An order with its bills."""
    payment = payments.of_subject(db, OUTPATIENT, order.id)
    reversed_fen = {one.subject_id: one.reversed_fen for one in (
        settlement_store.of_payment(db, payment.id) if payment else [])}
    visible = order.patient_id in access.allowed(db, order.account_id, "RECORD", now)
    return OrderView(
        id=order.id, state=order.state, state_text=ORDER_STATES[order.state], patient_id=order.patient_id,
        patient_name=mask_name(patients.patient_name(db, order.patient_id)) if visible else "",
        total_fen=order.total_fen, created_at=order.created_at, expires_at=order.expires_at,
        can_pay=visible and order.state in ("OPEN", "AWAITING_PAYMENT") and order.expires_at > now,
        charges=[charge_view(one, reversed_fen.get(one.id, 0), visible) for one in store.charges(db, order.id)])


def charge_view(charge: Charge, refunded_fen: int, visible: bool) -> ChargeView:
    """One bill's part of an order; what it was for only while ``visible`` (the account may read of the patient)."""
    kind, department, doctor, number, window = (
        KINDS.get(charge.bill.kind, OTHER_KIND), charge.bill.department_name, charge.bill.doctor_name,
        charge.settlement_no, charge.pharmacy_window) if visible else ("", "", "", "", "")
    return ChargeView(
        id=charge.id, bill_no=charge.bill.bill_no, kind_text=kind, department_name=department, doctor_name=doctor,
        amount_fen=charge.amount_fen, state=charge.state, state_text=CHARGE_STATES[charge.state],
        reason=charge.reason, settlement_no=number, pharmacy_window=window,
        refunded_fen=refunded_fen, items=[_item(one) for one in charge.bill.items if visible])


# -- payments ---------------------------------------------------------------------------------------
def payment_views(db: Database, account_id: str, page: list[Payment], now: datetime) -> list[PaymentView]:
    """Payments as "my payments" (我的缴费) shows them; what they were for only where the account may read that."""
    refunds = payments.refunds_of_page(db, page)
    orders = [one.subject_id for one in page if one.kind == OUTPATIENT]
    readable = access.allowed(db, account_id, "RECORD", now)
    charges = store.charges_of_orders(db, store.of_patients(db, orders, readable))
    return [PaymentView(**_payment(one, refunds[one.id], charges.get(one.subject_id, []))) for one in page]


def receipt(db: Database, payment: Payment, patient_id: str) -> Receipt:
    """A patient's payment with every item, settlement, refund and e-bill."""
    settlements = settlement_store.of_payment(db, payment.id)
    settings = policy.load(db)
    order = store.order(db, payment.subject_id) if payment.kind == OUTPATIENT else None
    charges = store.charges(db, order.id) if order else []
    return Receipt(
        **_payment(payment, payments.refunds_of(db, payment.id), charges),
        transaction_id=payment.transaction_id or "",
        patient_name=mask_name(patients.patient_name(db, patient_id)),
        settlements=[_settlement(one) for one in settlements],
        invoices=[invoice_view(one, settings) for one in invoice_store.of_settlements(
            db, [one.id for one in settlements])])


def _payment(payment: Payment, refunds: list[Refund], charges: list[Charge]) -> dict[str, Any]:
    refunded_fen = sum(one.amount_fen for one in refunds if one.state in BACK)
    items = [PaidItem(name=one.name, amount_fen=one.amount_fen) for charge in charges for one in charge.bill.items]
    items = items or [PaidItem(name=payment.description, amount_fen=payment.amount_fen)]
    return {
        "id": payment.id, "kind": payment.kind, "kind_text": PAYMENT_KINDS[payment.kind],
        "subject_id": payment.subject_id, "description": payment.description, "state": payment.state,
        "state_text": _state_text(payment, refunded_fen), "amount_fen": payment.amount_fen,
        "paid_fen": payment.paid_fen, "paid_at": payment.paid_at, "refunded_fen": refunded_fen,
        "created_at": payment.created_at, "items": items,
        "refunds": [PaymentRefund(state=one.state, state_text=REFUND_STATES[one.state], amount_fen=one.amount_fen,
                                  reason=one.reason, requested_at=one.created_at, succeeded_at=one.succeeded_at)
                    for one in refunds]}


def _state_text(payment: Payment, refunded_fen: int) -> str:
    if payment.state != "PAID":
        return {"OPEN": "待支付", "CLOSED": "已关闭"}[payment.state]
    if payment.refunding_fen > refunded_fen:
        return "退款中"
    if not refunded_fen:
        return "已支付"
    return "已全额退款" if refunded_fen >= payment.paid_fen else "已部分退款"


def _settlement(one: Settlement) -> SettlementView:
    return SettlementView(trade_no=one.trade_no, department_name=one.department_name, amount_fen=one.amount_fen,
                          refunded_fen=one.reversed_fen, settled_at=one.settled_at,
                          items=[_item(item) for item in one.items])
