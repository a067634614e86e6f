"""What follows by itself: releasing, settling bill by bill, refunding what the HIS did not take, cancelling.

The rule under all of it is booking's: money goes back only after the HIS has said, for the trade number,
that it is not and can never become settled. So a bill is never both settled and refunded.
"""

from __future__ import annotations

from datetime import datetime

from hospital.billing import bill_store, store
from hospital.billing.model import TAKEN, Charge, Order
from hospital.billing.service import release
from hospital.billing.tell import tell_order, tell_refused
from hospital.database import outbox, tasks
from hospital.database.connection import Database, Transaction
from hospital.gateways import together
from hospital.gateways.his import charges as his_charges
from hospital.gateways.his import trades as his_trades
from hospital.gateways.his.wire import plain
from hospital.gateways.outcome import Rejected, Unanswered
from hospital.payment import refunds, settlement_store, settlements
from hospital.payment import service as payments
from hospital.payment import store as payment_store
from hospital.payment.model import CHARGE, OUTPATIENT, UNSETTLED, Item, Payment, Purpose
from hospital.payment.tell import tell_refund
from hospital.runtime import log
from hospital.runtime.ids import bounded

UNLOCK_SECONDS = 20.0  # within which all are begun: the step must end within its function's time and outbox.LEASE
HANGING = (outbox.hanging("charge.settle"),)
ALARMING = {"TRADE_UNKNOWN", "AMOUNT_MISMATCH", "PAYMENT_CONFLICT", "TRADE_CONFLICT", "NOT_SETTLED"}


# -- not paid ---------------------------------------------------------------------------------------
def expire(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """The time to pay is over: make sure that it can't be paid any more, then let the bills go."""
    order = store.order(db, job.subject_id)
    if order is None or order.state not in ("OPEN", "AWAITING_PAYMENT"):
        return None
    if order.expires_at > now:
        return outbox.Again(order.expires_at - now)
    payment = payment_store.of_subject(db, OUTPATIENT, order.id)
    if payment is not None:  # without one it may be being opened now: its numbers must not be killed before we look
        if not payments.stop(db, payment, now):
            return None  # paid after all: outpatient.paid goes on from here
        _kill(store.charges(db, order.id))  # first there, or a new order meets this one's locks
    with db.transaction() as tx:
        current = store.order(tx, order.id, lock=True)
        if current is None or current.state not in ("OPEN", "AWAITING_PAYMENT"):
            return None
        payment = payment_store.of_subject(tx, OUTPATIENT, order.id, lock=True)
        if payment is not None and payment.state != "CLOSED":
            # PAID: outpatient.paid goes on from here. OPEN: opened since we looked; come back for it.
            return None if payment.state == "PAID" else outbox.Again(outbox.BACK_OFF[0])
        release(tx, current, "EXPIRED", now)
    return None


def unlock(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """Let the bills go in the HIS too. Always sent: a lock may have arrived there without an answer."""
    order = store.order(db, job.subject_id)
    if order is None or order.state != "RELEASED":
        return None
    charges = store.charges(db, order.id)
    outcomes = _unlock(charges)
    for charge, outcome in zip(charges, outcomes, strict=True):
        if isinstance(outcome, Rejected):
            with db.transaction() as tx:
                tasks.add(tx, kind="charge.unlock-refused", subject_id=charge.id, detail=outcome.code, now=now)
    silence = next((one for one in outcomes if isinstance(one, Unanswered)), None)
    if silence is not None:
        raise silence
    return None


def _kill(charges: list[Charge]) -> None:
    """Unlock every number in the HIS: nothing can take effect under them any more. Raises Rejected, Unanswered."""
    problem = together.problem(_unlock(charges))
    if problem is not None:
        raise problem


def _unlock(charges: list[Charge]) -> list[Rejected | Unanswered | None]:
    return together.each(his_charges.unlock, [charge.trade_no for charge in charges], seconds=UNLOCK_SECONDS)


# -- paid -------------------------------------------------------------------------------------------
def paid(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """The money is there: settle bill by bill; when it came too late, all of it goes back."""
    order = store.order(db, job.subject_id)
    assert order is not None
    if order.state == "RELEASED":
        _kill(store.charges(db, order.id))  # the numbers must be dead before the money goes back
    with db.transaction() as tx:
        order = store.order(tx, job.subject_id, lock=True)
        assert order is not None
        charges = store.charges(tx, order.id, lock=True)
        if order.state == "AWAITING_PAYMENT":
            store.move_order(tx, order, "SETTLING", now)
            for charge in charges:
                store.move_charge(tx, charge, "SETTLING", now)
                outbox.publish(tx, "charge.settle", charge.id, due=now, now=now)
        elif order.state == "RELEASED":
            for charge in charges:
                store.move_charge(tx, charge, "REJECTED", now, reason="PAID_TOO_LATE")
            _finish(tx, order, now)
    return None


def settle(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """Settle one bill in the HIS under its number; what the HIS refuses goes back.

    Raises Unanswered: it is tried again under the same number, and in the end is a staff task.
    """
    charge = store.charge(db, job.subject_id)
    if charge is None or charge.state != "SETTLING":
        return None
    order = store.order(db, charge.order_id)
    payment = payment_store.of_subject(db, OUTPATIENT, charge.order_id)
    assert order is not None and payment is not None
    if payment.paid_fen != order.total_fen:
        _reject(db, charge, payment, "AMOUNT_DIFFERS", now)
        return None
    try:
        trade = _settle_in_his(charge, payment)
    except Rejected as refusal:
        log.event("his.refused", operation="settle", charge_id=charge.id, code=refusal.code)
        _reject(db, charge, payment, refusal.code, now)
        return None
    _record_settled(db, charge, trade, now)
    return None


def _settle_in_his(charge: Charge, payment: Payment) -> his_trades.Trade:
    assert payment.transaction_id is not None and payment.paid_at is not None  # it is paid
    try:
        return his_charges.settle(charge.trade_no, transaction_id=payment.transaction_id,
                                         paid_fen=charge.amount_fen, paid_at=payment.paid_at)
    except Unanswered:
        trade = his_trades.check_trade(charge.trade_no)
        if trade is not None and trade.state == "SETTLED" and trade.transaction_id == payment.transaction_id:
            return trade
        raise


def _record_settled(db: Database, charge: Charge, trade: his_trades.Trade, now: datetime) -> None:
    with db.transaction() as tx:
        order = store.order(tx, charge.order_id, lock=True)
        charges = store.charges(tx, charge.order_id, lock=True)  # before the payment, as cancel does
        payment = payment_store.of_subject(tx, OUTPATIENT, charge.order_id, lock=True)
        current = next(one for one in charges if one.id == charge.id)
        assert order is not None and payment is not None
        if current.state != "SETTLING":
            return
        store.move_charge(tx, current, "SETTLED", now, settlement_no=bounded(trade.settlement_no or "", 64),
                          pharmacy_window=(trade.pharmacy_window or "")[:100])
        bill = current.bill
        settlements.record(
            tx, kind=CHARGE, subject_id=current.id, trade_no=current.trade_no, payment=payment,
            patient_id=order.patient_id, amount_fen=current.amount_fen, department_name=bill.department_name,
            items=[Item(item_no=one.item_no, category=bill.kind, code=one.code, name=one.name,
                        specification=one.specification, unit=one.unit, quantity=plain(one.quantity),
                        unit_price_fen=plain(one.unit_price_fen), amount_fen=one.amount_fen,
                        executing_department_name=one.executing_department_name,
                        executing_place=one.executing_place, insurance_class=one.insurance_class)
                   for one in bill.items],
            settled_at=trade.settled_at or now, now=now)
        bill_store.forget(tx, bill.bill_no)  # the HIS pushes nothing about what was paid here
        _finish(tx, order, now)


def _reject(db: Database, charge: Charge, payment: Payment, code: str, now: datetime) -> None:
    """Kill the number in the HIS; only then is its part owed back. It may turn out to be settled after all.

    Raises Unanswered.
    """
    try:
        his_charges.unlock(charge.trade_no)
    except Rejected as refusal:
        trade = his_trades.check_trade(charge.trade_no)
        if trade is None or refusal.code not in ("ALREADY_SETTLED", "ALREADY_CANCELLED"):
            raise
        if trade.settled_at is not None and trade.transaction_id == payment.transaction_id:
            _record_settled(db, charge, trade, now)
            return
        # Settled by another payment: ours is in nobody's books, and goes back.
    with db.transaction() as tx:
        order = store.order(tx, charge.order_id, lock=True)
        current = store.charge(tx, charge.id, lock=True)
        if order is None or current is None or current.state != "SETTLING":
            return
        store.move_charge(tx, current, "REJECTED", now, reason=code)
        _alarm(tx, current, code, now)
        _finish(tx, order, now)


def _alarm(tx: Transaction, charge: Charge, code: str, now: datetime) -> None:
    """What the HIS refuses with such a code, the books or a program of somebody's have wrong."""
    if code in ALARMING:
        tasks.add(tx, kind="charge.his-refused", subject_id=charge.id, detail=code, now=now)


def refuse(db: Database, charge_id: str, reason: str, now: datetime) -> str:
    """Staff's order for a paid bill that hangs: refund it, unless the HIS has it after all; the state after.

    Raises Rejected, Unanswered.
    """
    charge = store.charge(db, charge_id)
    assert charge is not None
    payment = payment_store.of_subject(db, OUTPATIENT, charge.order_id)
    if charge.state == "SETTLING" and payment is not None:
        _reject(db, charge, payment, reason, now)
    charge = store.charge(db, charge_id)
    assert charge is not None
    return charge.state


def _finish(tx: Transaction, order: Order, now: datetime) -> None:
    """When the last bill is decided (the order is locked): what the HIS did not take goes back, in one refund."""
    charges = store.charges(tx, order.id, lock=True)
    for kind in HANGING:
        for charge in charges:
            if charge.state != "SETTLING":
                tasks.settle(tx, kind=kind, subject_id=charge.id, note=charge.state, now=now)
    if any(charge.state == "SETTLING" for charge in charges):
        return
    payment = payment_store.of_subject(tx, OUTPATIENT, order.id, lock=True)
    assert payment is not None
    store.move_order(tx, order, "DONE", now)
    taken = [charge for charge in charges if charge.state in TAKEN]
    rest_fen = payment.paid_fen - sum(charge.amount_fen for charge in taken)
    if rest_fen > 0:
        refunds.request(tx, payment, amount_fen=rest_fen, purpose=Purpose(UNSETTLED), reason="缴费未成功退费", now=now)
    tell_order(tx, order, taken, rest_fen, now)


# -- refunded ---------------------------------------------------------------------------------------
def cancel(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """Cancel a paid bill in the HIS first, then order the refund and the e-bill's write-off. Raises Unanswered."""
    charge = store.charge(db, job.subject_id)
    if charge is None or charge.state != "CANCELLING":
        return None
    try:
        _cancel_in_his(charge)
    except Rejected as refusal:
        log.event("his.refused", operation="cancel", charge_id=charge.id, code=refusal.code)
        with db.transaction() as tx:
            current = store.charge(tx, charge.id, lock=True)
            order = store.order(tx, charge.order_id)
            if current is not None and order is not None and current.state == "CANCELLING":
                store.move_charge(tx, current, "SETTLED", now, reason=refusal.code)
                _alarm(tx, current, refusal.code, now)
                tell_refused(tx, order, current, job.id, now)
        return None
    with db.transaction() as tx:
        current = store.charge(tx, charge.id, lock=True)
        if current is None or current.state != "CANCELLING":
            return None
        store.move_charge(tx, current, "CANCELLED", now)
        payment = payment_store.of_subject(tx, OUTPATIENT, charge.order_id, lock=True)
        assert payment is not None
        settlements.reverse_whole(tx, current.trade_no, current.amount_fen, now)
        refunds.request(tx, payment, amount_fen=current.amount_fen, purpose=Purpose(CHARGE, current.id),
                        reason="门诊退费", now=now)
    return None


def _cancel_in_his(charge: Charge) -> None:
    try:
        his_charges.cancel(charge.trade_no, reason="患者申请退费", refund_fen=charge.amount_fen)
    except Unanswered:
        trade = his_trades.check_trade(charge.trade_no)
        if trade is None or trade.state != "CANCELLED":
            raise
        if trade.refund_fen != charge.amount_fen:
            raise Rejected("TRADE_CONFLICT") from None  # not our cancelling


def reversed_at_desk(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """The desk has given money back: a charge of which all is gone ends."""
    settlement = settlement_store.by_id(db, job.subject_id)
    if settlement is None or settlement.net_fen:
        return None
    with db.transaction() as tx:
        charge = store.charge(tx, settlement.subject_id, lock=True)
        assert charge is not None
        if charge.state == "CANCELLING":  # the HIS is about to refuse that
            return outbox.Again(outbox.BACK_OFF[0])
        if charge.state == "SETTLED":
            store.move_charge(tx, charge, "CANCELLED", now, reason="REFUNDED_AT_DESK")
    return None


def refund_accepted(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """WeChat has taken a refund on: now the patient is told. Of what was not settled they know already."""
    refund = payment_store.refund(db, job.subject_id)
    payment = payment_store.by_id(db, refund.payment_id) if refund is not None else None
    order = store.order(db, payment.subject_id) if payment is not None else None
    if refund is not None and order is not None and (refund.purpose.why != UNSETTLED or refund.state == "ELSEWHERE"):
        with db.transaction() as tx:
            tell_refund(tx, refund, order.account_id, order.patient_id, now)
    return None


WORKER: dict[str, outbox.Handler] = {
    "outpatient.expire": expire, "outpatient.unlock": unlock, "outpatient.paid": paid, "charge.settle": settle,
    "charge.cancel": cancel, "charge.reversed": reversed_at_desk, "outpatient.refund-accepted": refund_accepted}
