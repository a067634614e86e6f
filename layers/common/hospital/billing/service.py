"""What a patient does with bills: pay several at once, give up, refund one. What follows is in ``jobs.py``."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from msgspec import to_builtins

from hospital.billing import bills, rules, store
from hospital.billing.model import REFUSED, Charge, NewOrder, Order
from hospital.database import outbox, policy, repeats, tasks
from hospital.database.connection import Database, Duplicate, Transaction
from hospital.gateways import together
from hospital.gateways.his import bills as his_bills
from hospital.gateways.his import charges as his_charges
from hospital.gateways.his.bills import Bill
from hospital.gateways.outcome import Rejected, Unanswered
from hospital.invoices import service as invoices
from hospital.patients import access as patients
from hospital.patients import records as patient_records
from hospital.patients import store as patient_store
from hospital.payment import service as payments
from hospital.payment import settlement_store
from hospital.payment import store as payment_store
from hospital.payment.model import OUTPATIENT
from hospital.runtime import log
from hospital.runtime.errors import AppError, Conflict, Invalid, NotFound, Unavailable
from hospital.runtime.ids import new_id
from hospital.security import audit, limits

# Within which every lock must have begun: the last one's answer and WeChat's must still fit into the function's time.
LOCK_SECONDS = 9.0


class OrderExpired(Conflict):
    """The time to pay is over; the bills may be paid anew."""

    code, message = "order_expired", "支付时间已过，请重新发起缴费。"


def _unavailable(operation: str, silence: Unanswered) -> Unavailable:
    log.event("his.unanswered", operation=operation, reason=silence.reason)
    return Unavailable("医院系统繁忙，请稍后重试，费用不会重复扣除。", code="his_unavailable")


def _refused(code: str) -> Conflict:
    ours, sentence = rules.REFUSALS.get(code, rules.OTHERWISE)
    return Conflict(sentence, code=ours)


# -- ordering: what the patient saw is compared with what the HIS says now ----------------------------
def create_order(db: Database, order: NewOrder, *, account_id: str, key: str, now: datetime) -> str:
    """Order some bills of one patient, to be paid together. Returns the answer as JSON, the same for a repeat.

    Raises Invalid (twice the same bill, too many), NotFound, ConsentRequired, Conflict (a bill was changed, paid,
    taken back, or is being paid), TooMany, Unavailable.
    """
    request = repeats.digest("order", json.dumps(to_builtins(order), sort_keys=True))
    answer = repeats.answered(db, owner=account_id, key=key, request=request)
    if answer is not None:
        return answer
    settings = policy.load(db)
    if len({one.bill_no for one in order.bills}) < len(order.bills):
        raise Invalid("所选费用有重复，请刷新后重新选择。", code="bill_twice", fields=["bills"])
    if len(order.bills) > settings.bills_per_payment:
        raise Invalid(f"一次最多支付{settings.bills_per_payment}笔费用，请分次支付。", code="too_many_bills",
                      fields=["bills"])
    bills.act_for(db, account_id, order.patient_id, now)
    limits.take("orders", account_id, settings, now)
    found = _checked(db, order, now)
    total_fen = sum(bill.total_fen for bill in found)
    if not all(bill.total_fen for bill in found):
        raise Conflict("所选费用中有无需支付的项目，请直接到执行科室或窗口办理。", code="nothing_to_pay")
    try:
        return _write(db, order, found, total_fen, settings, account_id=account_id, key=key, request=request, now=now)
    except (Duplicate, AppError) as refusal:
        answer = repeats.answered(db, owner=account_id, key=key, request=request)
        if answer is not None:
            return answer
        if isinstance(refusal, AppError) or refusal.key != "charges_live":
            raise
        raise Conflict("所选费用正在支付或已支付，请在缴费记录中查看，或稍后重试。", code="bill_being_paid") from None


def _checked(db: Database, order: NewOrder, now: datetime) -> list[Bill]:
    """The bills as they are now, if they are as the patient saw them."""
    try:
        unpaid = {bill.bill_no: bill for bill in patient_records.with_code(
            db, order.patient_id, his_bills.unpaid_bills, now) if isinstance(bill, Bill)}
        for wanted in order.bills:
            refusal = rules.refusal_to_pay(wanted, unpaid)
            if refusal == "MISSING":
                one = his_bills.bill(wanted.bill_no)
                if one is not None and not patient_records.is_theirs(db, order.patient_id, one.patient_code, now):
                    one = None
                refusal = rules.refusal_of_missing(one) or "BILL_CHANGED"
            if refusal:
                raise _refused(refusal)
    except Unanswered as silence:
        raise _unavailable("bills", silence) from None
    except Rejected as refusal_of_list:
        log.event("his.refused", operation="bills", code=refusal_of_list.code)
        if refusal_of_list.code == patient_records.UNKNOWN:
            raise patient_records.RecordChanged from None
        raise _refused(refusal_of_list.code) from None
    return [unpaid[wanted.bill_no] for wanted in order.bills]


def _write(db: Database, wanted: NewOrder, found: list[Bill], total_fen: int, settings: policy.Policy, *,
           account_id: str, key: str, request: bytes, now: datetime) -> str:
    until = now + timedelta(minutes=settings.order_pay_minutes)
    order = Order(new_id(), account_id, wanted.patient_id, "OPEN", "", total_fen, until, now,
                  rules.hold_until(until, settings))
    charges = []
    for bill in found:
        charge_id = new_id()
        charges.append(Charge(charge_id, order.id, bill, f"C{charge_id}", bill.total_fen, "OPEN", "", "", ""))
    answer = json.dumps({"id": order.id, "state": order.state, "total_fen": order.total_fen,
                         "expires_at": order.expires_at.isoformat()})
    with db.transaction() as tx:
        patients.act_for(tx, account_id, wanted.patient_id, "RECORD", settings, now)
        store.insert(tx, order, charges)
        audit.by_account(tx, account_id, "order.create", order.id, now, patient=order.patient_id, fen=total_fen,
                         bills=[bill.bill_no for bill in found])
        repeats.record(tx, owner=account_id, key=key, request=request, answer=answer, now=now)
        outbox.publish(tx, "outpatient.expire", order.id, due=order.expires_at, now=now)
    log.event("order.open", order_id=order.id, bills=len(charges), fen=total_fen)
    return answer


# -- paying: lock every bill in the HIS, open one payment -------------------------------------------
def pay_order(db: Database, order_id: str, *, account_id: str, now: datetime) -> dict[str, str]:
    """Lock the bills in the HIS, then open the payment: what the client needs to pay. Repeatable until it is paid.

    Raises NotFound, ConsentRequired, OrderExpired, Conflict (a bill was paid, changed or taken back meanwhile: the
    order is then released and nothing is paid), Unavailable.
    """
    order = _mine(db, account_id, order_id)
    patients.check(db, account_id, order.patient_id, "PAY", now)
    if order.state not in ("OPEN", "AWAITING_PAYMENT"):
        raise _not_payable(order)
    if order.expires_at <= now:
        raise OrderExpired
    settings = policy.load(db)
    held_until = order.hold_until or rules.hold_until(order.expires_at, settings)
    if order.state == "OPEN":
        _lock(db, order, held_until, now)  # the same for every repeat, as the HIS compares
    deadline = rules.payment_deadline(order.expires_at, held_until, now, settings)
    with db.transaction() as tx:
        current = store.order(tx, order_id, lock=True)
        assert current is not None
        if current.state == "OPEN":
            payments.open_order(
                tx, kind=OUTPATIENT, subject_id=order.id, account_id=account_id,
                openid=patient_store.openid_of(tx, account_id), amount_fen=order.total_fen, description="门诊缴费",
                expires_at=deadline, now=now)
            store.move_order(tx, current, "AWAITING_PAYMENT", now, expires_at=deadline)
        elif current.state != "AWAITING_PAYMENT":
            raise _not_payable(current)
    payment = payment_store.of_subject(db, OUTPATIENT, order_id)
    assert payment is not None
    return payments.begin(db, payment, now)


def _not_payable(order: Order) -> Conflict:
    if order.state == "RELEASED":
        return _refused(order.reason) if order.reason in rules.REFUSALS else OrderExpired()
    return Conflict("该缴费单已支付，请在缴费记录中查看。", code="not_payable")


def _lock(db: Database, order: Order, until: datetime, now: datetime) -> None:
    """Lock every bill, several at once. What is locked when another is not stays so: a repeat goes on from there.

    Raises Conflict (one can't be locked: the order is released, and all its numbers are killed by themselves),
    Unavailable.
    """
    def lock(charge: Charge) -> None:
        his_charges.lock(charge.trade_no, bill_no=charge.bill.bill_no, version=charge.bill.version,
                         amount_fen=charge.amount_fen, hold_until=until)

    problem = together.problem(together.each(lock, store.charges(db, order.id), seconds=LOCK_SECONDS,
                                             stop_at_refusal=True))
    if isinstance(problem, Rejected):
        log.event("his.refused", operation="lock", order_id=order.id, code=problem.code)
        with db.transaction() as tx:
            current = store.order(tx, order.id, lock=True)
            if current is not None and current.state == "OPEN":
                release(tx, current, problem.code, now)
        raise _refused(problem.code)
    if problem is not None:
        raise _unavailable("lock", problem)


def release(tx: Transaction, order: Order, reason: str, now: datetime) -> None:
    """Nothing of a locked order will be paid: its bills are free again, here at once and in the HIS after."""
    store.move_order(tx, order, "RELEASED", now, reason=reason)
    for charge in store.charges(tx, order.id, lock=True):
        store.move_charge(tx, charge, "RELEASED", now, reason=reason)
    outbox.publish(tx, "outpatient.unlock", order.id, due=now, now=now)


def cancel_order(db: Database, order_id: str, *, account_id: str, now: datetime) -> None:
    """Give an unpaid order up, so that its bills can be paid elsewhere. Repeatable.

    Raises NotFound, Conflict (paid).
    """
    with db.transaction() as tx:
        order = store.order(tx, order_id, lock=True)
        if order is None or order.account_id != account_id:
            raise NotFound("未找到该缴费单。", code="order_not_found")
        if order.state == "RELEASED":
            return
        if order.state == "OPEN":
            release(tx, order, "GIVEN_UP", now)
        elif order.state == "AWAITING_PAYMENT":  # WeChat must be asked first: they may be paying now
            store.end_order(tx, order.id, now)
            outbox.bring_forward(tx, "outpatient.expire", order.id, now)
        else:
            raise _not_payable(order)
        audit.by_account(tx, account_id, "order.cancel", order.id, now, old=order.state)


def _mine(db: Database, account_id: str, order_id: str) -> Order:
    order = store.order_of_account(db, account_id, order_id)
    if order is None:
        raise NotFound("未找到该缴费单。", code="order_not_found")
    return order


# -- refund on line ---------------------------------------------------------------------------------
def may_be_refunded(db: Database, charge_id: str, *, account_id: str, now: datetime) -> list[str]:
    """The codes of what speaks against refunding a paid bill on line now; none: it may be.

    What the HIS refuses to tell of a bill that is paid here is the desk's, and staff hear of it.
    Raises NotFound, Unavailable.
    """
    charge = store.charge_of_account(db, account_id, charge_id)
    if charge is None:
        raise NotFound("未找到该缴费记录。", code="charge_not_found")
    if charge.state != "SETTLED":
        return ["ALREADY_REFUNDED" if charge.state in ("CANCELLING", "CANCELLED") else "NOT_SETTLED"]
    settlement = settlement_store.of_trade(db, charge.trade_no)
    try:
        told = his_charges.refundability(charge.trade_no)
    except Rejected as refusal:
        log.event("his.refused", operation="refundability", charge_id=charge.id, code=refusal.code)
        with db.transaction() as tx:
            tasks.add(tx, kind=REFUSED, subject_id=charge.id, now=now,
                      detail=f"{refusal.code} at refundability, and settled here as {charge.trade_no}. Ends with "
                             "task.refund once the HIS has it no more, or task.close")
        return [refusal.code]
    except Unanswered as silence:
        log.event("his.unanswered", operation="refundability", charge_id=charge.id, reason=silence.reason)
        raise _not_checked() from None
    try:
        on_paper = settlement is not None and invoices.on_paper(db, settlement.id)
    except (Unanswered, Rejected) as problem:
        log.event("ebill.unanswered", operation="on-paper", charge_id=charge.id, reason=problem.reason)
        raise _not_checked() from None
    reasons = list(told.reasons) if not told.refundable else []
    if on_paper and "INVOICE_ON_PAPER" not in reasons:
        reasons.append("INVOICE_ON_PAPER")
    return reasons or ([] if told.refundable else ["OTHER"])


def _not_checked() -> Unavailable:
    return Unavailable("医院系统繁忙，暂时无法核对退费条件，请稍后重试。", code="his_unavailable")


def refund_charge(db: Database, charge_id: str, *, account_id: str, now: datetime) -> None:
    """Give a whole paid bill back, the way it was paid. The HIS, the money and the e-bill follow by themselves.

    Raises NotFound, Conflict (why it can't be), Unavailable. Repeatable.
    """
    charge = store.charge_of_account(db, account_id, charge_id)
    if charge is not None and charge.state in ("CANCELLING", "CANCELLED"):
        return
    reasons = may_be_refunded(db, charge_id, account_id=account_id, now=now)
    if reasons:
        raise Conflict(rules.refund_sentence(reasons), code="not_refundable")
    with db.transaction() as tx:
        current = store.charge(tx, charge_id, lock=True)
        assert current is not None
        if current.state == "SETTLED":
            store.move_charge(tx, current, "CANCELLING", now)
            outbox.publish(tx, "charge.cancel", charge_id, due=now, now=now)
            audit.by_account(tx, account_id, "charge.refund", charge_id, now, fen=current.amount_fen)
