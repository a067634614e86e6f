"""The ``billing`` function: what is to be paid, paying it, refunds on line, my payments and receipts."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated

from pydantic import Field
from werkzeug.wrappers import Response

from hospital.billing import bills, rules, service, store, views
from hospital.billing.model import NewOrder, Wanted
from hospital.database import repeats
from hospital.database.connection import Database, database
from hospital.patients import access
from hospital.payment import settlement_store
from hospital.payment import store as payments
from hospital.runtime.canonical import Id, OptionalId
from hospital.runtime.clock import utc_now
from hospital.runtime.errors import NotFound
from hospital.runtime.http import Api, Call, Model
from hospital.security.sessions import Caller, authenticate
from hospital.security.watch import watch

api = Api("billing", authenticate, watch)

PAGE = 20

BILL_NO = r"^[0-9A-Za-z_-]{1,64}$"
BillNo = Annotated[str, Field(pattern=BILL_NO)]


class OfPatient(Model):
    """Whose bills."""

    patient_id: Id


class Bills(Model):
    """What a patient has to pay, oldest first. Not ``live``: the HIS is silent, and they are as known at ``as_of``.

    ``left_out``: how many more there are that can't be shown here; the desk knows them.
    """

    bills: list[views.BillSummary]
    live: bool
    as_of: datetime
    left_out: int


class Bill(Model):
    """One bill; ``live`` and ``as_of`` as in the list."""

    bill: views.BillView
    live: bool
    as_of: datetime


class Scan(Model):
    """The text of a scanned code."""

    code: Annotated[str, Field(min_length=1, max_length=512)]


class Scanned(Model):
    """The bill that a code names, and whose it is."""

    patient_id: str
    bill: views.BillView


class WantedIn(Model):
    """A bill to pay, with the version and amount that the patient was shown."""

    bill_no: BillNo
    version: Annotated[int, Field(ge=1, le=1_000_000, strict=True)]
    total_fen: Annotated[int, Field(ge=0, le=100_000_000, strict=True)]


class OrderIn(Model):
    """Bills of one patient to pay together."""

    patient_id: Id
    bills: Annotated[list[WantedIn], Field(min_length=1, max_length=20)]


class Ordered(Model):
    """An order to pay until ``expires_at``."""

    id: str
    state: str
    total_fen: int
    expires_at: datetime


class Opened(Model):
    """How to pay: the parameters of ``wx.requestPayment``."""

    order: views.OrderView
    payment: dict[str, str]


class Reason(Model):
    """Why a bill can't be refunded on line."""

    code: str
    text: str


class Refundability(Model):
    """Whether a paid bill may be refunded on line now."""

    refundable: bool
    reasons: list[Reason]


class Cursor(Model):
    """Where a page starts: the last id of the page before."""

    before: OptionalId = ""


class Payments(Model):
    """A page of payments, newest first. ``next`` is the cursor of the page after, if any."""

    payments: list[views.PaymentView]
    next: str | None


# -- bills ------------------------------------------------------------------------------------------
@api.get("/bills")
def list_bills(caller: Caller, query: OfPatient) -> Bills:
    """A patient's unpaid bills (待缴费用), live from the HIS."""
    db = database()
    shown = bills.unpaid(db, caller.account_id, query.patient_id, utc_now())
    return Bills(bills=views.summaries(db, shown.bills, caller.account_id), live=shown.live, as_of=shown.as_of,
                 left_out=shown.left_out)


@api.get("/bills/<bill_no>")
def get_bill(caller: Caller, bill_no: str, query: OfPatient) -> Bill:
    """One bill with its items."""
    if not re.fullmatch(BILL_NO, bill_no):
        raise NotFound("未找到该费用，请返回刷新。", code="bill_not_found")
    db = database()
    shown = bills.one(db, caller.account_id, query.patient_id, bill_no, utc_now())
    return Bill(bill=views.bill_view(db, shown.bills[0], caller.account_id), live=shown.live, as_of=shown.as_of)


@api.post("/scans")
def scan(caller: Caller, body: Scan) -> Scanned:
    """Open the bill on a prescription by its code (处方单扫码)."""
    db = database()
    patient_id, bill = bills.scan(db, caller.account_id, body.code, utc_now())
    return Scanned(patient_id=patient_id, bill=views.bill_view(db, bill, caller.account_id))


# -- orders -----------------------------------------------------------------------------------------
@api.post("/orders", status=201)
def order(call: Call, caller: Caller, body: OrderIn) -> Ordered:
    """Order some bills to be paid together. Needs an Idempotency-Key; a repeat is given the first answer."""
    key = repeats.check_key(call.header("Idempotency-Key"))
    wanted = NewOrder(body.patient_id, [Wanted(one.bill_no, one.version, one.total_fen) for one in body.bills])
    answer = service.create_order(database(), wanted, account_id=caller.account_id, key=key, now=utc_now())
    return Response(answer, status=201, mimetype="application/json")  # type: ignore[return-value]


@api.post("/orders/<order_id>/payment")
def pay(caller: Caller, order_id: str) -> Opened:
    """Lock the bills in the HIS and open the payment; may be repeated until it is paid."""
    parameters = service.pay_order(database(), order_id, account_id=caller.account_id, now=utc_now())
    return Opened(order=_order(caller, order_id), payment=parameters)


@api.post("/orders/<order_id>/cancellation", status=202)
def cancel(caller: Caller, order_id: str) -> views.OrderView:
    """Give an unpaid order up. What follows shows in its state."""
    service.cancel_order(database(), order_id, account_id=caller.account_id, now=utc_now())
    return _order(caller, order_id)


@api.get("/orders/<order_id>")
def get_order(caller: Caller, order_id: str) -> views.OrderView:
    """One order with its bills and their states."""
    return _order(caller, order_id)


# -- refunds on line --------------------------------------------------------------------------------
@api.get("/charges/<charge_id>/refundability")
def refundability(caller: Caller, charge_id: str) -> Refundability:
    """Whether a paid bill may be refunded on line now, and why not."""
    reasons = service.may_be_refunded(database(), charge_id, account_id=caller.account_id, now=utc_now())
    return Refundability(refundable=not reasons, reasons=[
        Reason(code=code, text=rules.refund_sentence([code])) for code in reasons])


@api.post("/charges/<charge_id>/refund", status=202)
def refund(caller: Caller, charge_id: str) -> views.ChargeView:
    """Give a whole paid bill back (在线退费). What follows shows in its state."""
    db = database()
    service.refund_charge(db, charge_id, account_id=caller.account_id, now=utc_now())
    return _charge(db, caller, charge_id)


# -- payments ---------------------------------------------------------------------------------------
@api.get("/payments")
def list_payments(caller: Caller, query: Cursor) -> Payments:
    """My payments (我的缴费) and what came back of them, newest first."""
    db = database()
    page = payments.page_of_account(db, caller.account_id, query.before, PAGE + 1)
    return Payments(payments=views.payment_views(db, caller.account_id, page[:PAGE], utc_now()),
                    next=page[PAGE - 1].id if len(page) > PAGE else None)


@api.get("/payments/<payment_id>")
def get_receipt(caller: Caller, payment_id: str) -> views.Receipt:
    """The receipt of a payment: every item, settlement, refund and e-bill."""
    db = database()
    payment = payments.by_id(db, payment_id)
    if payment is None or payment.account_id != caller.account_id:
        raise NotFound("未找到该缴费记录。", code="payment_not_found")
    patient_id = store.patient_of(db, payment)
    if patient_id is None:
        raise NotFound("未找到该缴费记录。", code="payment_not_found")
    access.check(db, caller.account_id, patient_id, "RECORD", utc_now())
    return views.receipt(db, payment, patient_id)


def _order(caller: Caller, order_id: str) -> views.OrderView:
    db = database()
    found = store.order_of_account(db, caller.account_id, order_id)
    if found is None:
        raise NotFound("未找到该缴费单。", code="order_not_found")
    return views.order_view(db, found, utc_now())


def _charge(db: Database, caller: Caller, charge_id: str) -> views.ChargeView:
    charge = store.charge_of_account(db, caller.account_id, charge_id)
    if charge is None:
        raise NotFound("未找到该缴费记录。", code="charge_not_found")
    settlement = settlement_store.of_trade(db, charge.trade_no)
    readable = access.allowed(db, caller.account_id, "RECORD", utc_now())
    return views.charge_view(charge, settlement.reversed_fen if settlement else 0,
                             bool(store.of_patients(db, [charge.order_id], readable)))
