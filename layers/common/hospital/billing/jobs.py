"""What follows by itself: releasing, settling bill by bill, refunding what the HIS did not take, cancelling.

The rule under all of it is ``payment/fate.py``: money goes back only after the HIS has said, for the trade number,
that our payment is not in it and never will be. So a bill is never both settled and refunded.
"""

from __future__ import annotations

from datetime import datetime

from typing_extensions import assert_never

from hospital.billing import bill_store, store
from hospital.billing.model import REFUSED, TAKEN, Charge, Order
from hospital.billing.service import release
from hospital.billing.tell import tell_order, tell_refused
from hospital.database import outbox, tasks
from hospital.database.connection import Database, Transaction
from hospital.gateways import together
from hospital.gateways.his import charges as his_charges
from hospital.gateways.his import trades as his_trades
from hospital.gateways.his.wire import plain
from hospital.gateways.outcome import Rejected, Unanswered
from hospital.messages import wording
from hospital.payment import desk_refunds, expiry, fate, refunds, settlement_store, settlements
from hospital.payment import store as payment_store
from hospital.payment.model import CHARGE, OUTPATIENT, UNSETTLED, Item, Payment, Purpose
from hospital.payment.tell import tell_refund
from hospital.runtime import log
from hospital.runtime.ids import bounded

UNLOCK_SECONDS = 20.0  # within which all are begun: the step must end within its function's time and outbox.LEASE
HANGING = (outbox.hanging("charge.settle"),)
CANCEL_HANGS = (outbox.hanging("charge.cancel"),)
TASKS = (REFUSED, *HANGING, *CANCEL_HANGS)  # those that ``task.refund`` ends
ALARMING = {"TRADE_UNKNOWN", "AMOUNT_MISMATCH", "PAYMENT_CONFLICT", "TRADE_CONFLICT", "NOT_SETTLED"}


# -- not paid ---------------------------------------------------------------------------------------
def expire(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """The time to pay is over: make sure that it can't be paid any more, then let the bills go."""
    return expiry.expire(db, _UNPAID, job.subject_id, now)


def _until(source: store.Source, order_id: str, lock: bool) -> datetime | None:
    order = store.order(source, order_id, lock=lock)
    return order.expires_at if order is not None and order.state in ("OPEN", "AWAITING_PAYMENT") else None


def _kill_unpaid(db: Database, order_id: str) -> list[fate.NotOurs]:
    """Every bill's number is dead, or settled by somebody else. Raises Unanswered."""
    return _not_ours(store.charges(db, order_id), payment_store.of_subject(db, OUTPATIENT, order_id))


def _not_ours(charges: list[Charge], payment: Payment | None) -> list[fate.NotOurs]:
    """The proof for each that it can be let go. Raises Unanswered."""
    outcomes = _kill_unasked(charges, payment)
    problem = together.problem(outcomes)
    if problem is not None:
        raise problem
    return [one for one in outcomes if not isinstance(one, (Rejected, Unanswered))]


def _kill_unasked(charges: list[Charge], payment: Payment | None) -> list[fate.NotOurs | Rejected | Unanswered]:
    """Make the numbers useless in the HIS, side by side, or hear what they have become there."""
    return together.each(lambda one: fate.kill_unasked("CHARGE", his_charges.unlock, one.trade_no, payment),
                         charges, seconds=UNLOCK_SECONDS)


def _release(tx: Transaction, order_id: str, proof: list[fate.NotOurs] | None, now: datetime) -> None:
    order = store.order(tx, order_id, lock=True)
    assert order is not None
    release(tx, order, "EXPIRED", now)


_UNPAID = expiry.Unpaid(OUTPATIENT, _until, _kill_unpaid, _release)


def kill(charge: Charge, payment: Payment | None) -> fate.Decided:
    """Make a charge's number useless in the HIS, or hear what it has become there. Raises Unanswered."""
    return fate.kill("CHARGE", his_charges.unlock, charge.trade_no, payment)


def unlock(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """Let the bills go in the HIS too. Always sent: a lock may have arrived there without an answer."""
    order = store.order(db, job.subject_id)
    if order is None or order.state != "RELEASED":
        return None
    payment = payment_store.of_subject(db, OUTPATIENT, order.id)
    charges = store.charges(db, order.id)
    outcomes = _kill_unasked(charges, payment)
    for charge, outcome in zip(charges, outcomes, strict=True):
        if not isinstance(outcome, (fate.Dead, Rejected, Unanswered)):
            with db.transaction() as tx:
                tasks.add(tx, kind="charge.unlock-refused", subject_id=charge.id, now=now,
                          detail=f"{type(outcome).__name__} in the HIS as {charge.trade_no}, given up here before it "
                                 "was paid. Ends with task.close")
    silence = together.problem(outcomes)
    if silence is not None:
        raise silence
    return None


# -- paid -------------------------------------------------------------------------------------------
def paid(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """The money is there: settle bill by bill; when it came too late, all of it goes back."""
    order = store.order(db, job.subject_id)
    assert order is not None
    proofs: list[fate.NotOurs] = []
    if order.state == "RELEASED":  # the numbers must be dead before the money goes back
        payment = payment_store.of_subject(db, OUTPATIENT, order.id)
        proofs = _not_ours(store.charges(db, order.id), payment)
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
            if len(proofs) < len(charges):
                return outbox.Again(outbox.BACK_OFF[0])  # released since we looked
            for charge, proof in zip(charges, proofs, strict=True):
                _reject(tx, charge, "PAID_TOO_LATE", proof, now)
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
        _decide(db, charge, kill(charge, payment), "AMOUNT_DIFFERS", now)
        return None
    assert payment.transaction_id is not None and payment.paid_at is not None  # it is paid
    try:
        trade = his_charges.settle(charge.trade_no, transaction_id=payment.transaction_id,
                                   paid_fen=charge.amount_fen, paid_at=payment.paid_at)
    except Rejected as refusal:
        log.event("his.refused", operation="settle", charge_id=charge.id, code=refusal.code)
        _decide(db, charge, kill(charge, payment), refusal.code, now)
    except Unanswered:
        became = fate.look("CHARGE", charge.trade_no, payment)
        if isinstance(became, (fate.Waiting, fate.AnotherKinds)):  # silence is not enough to let it go
            raise
        _decide(db, charge, became, "TRADE_CLOSED", now)
    else:
        _decide(db, charge, fate.Ours(trade), "", now)
    return None


def _decide(db: Database, charge: Charge, became: fate.Decided, reason: str, now: datetime) -> None:
    """A paid bill ends its waiting as the HIS has decided: settled with our payment, or its part is owed back."""
    match became:
        case fate.Ours(trade) | fate.EndedOurs(trade):  # ended since: the desk's refund needs the settlement
            _record_settled(db, charge, trade, now)
        case fate.Dead() | fate.Others() | fate.EndedOthers() | fate.AnotherKinds():
            with db.transaction() as tx:
                order = store.order(tx, charge.order_id, lock=True)
                current = store.charge(tx, charge.id, lock=True)
                if order is not None and current is not None and current.state == "SETTLING":
                    _reject(tx, current, reason, became, now)
                    _finish(tx, order, now)
        case _:
            assert_never(became)


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


def _reject(tx: Transaction, charge: Charge, code: str, proof: fate.NotOurs, now: datetime) -> None:
    """Not ours in the HIS, and never will be (the proof): its part of the payment is owed back."""
    store.move_charge(tx, charge, "REJECTED", now, reason=code)
    if code in ALARMING or isinstance(proof, (fate.Others, fate.AnotherKinds)):
        _alarm(tx, charge, f"{code} at settling, {type(proof).__name__} in the HIS as {charge.trade_no}; of ours "
                           f"{charge.amount_fen} fen go back by themselves. Ends with task.close", now)


def _alarm(tx: Transaction, charge: Charge, detail: str, now: datetime) -> None:
    """What the HIS refuses so, the books or a program of somebody's have wrong."""
    tasks.add(tx, kind=REFUSED, subject_id=charge.id, detail=detail, now=now)


def refuse(db: Database, charge_id: str, reason: str, now: datetime) -> str:
    """Staff's order about a paid bill on their list: refund it, unless the HIS has it settled with our payment.

    Returns the charge's state after. Raises Conflict (the desk gives it back), Unanswered.
    """
    charge = store.charge(db, charge_id)
    assert charge is not None
    payment = payment_store.of_subject(db, OUTPATIENT, charge.order_id)
    if charge.state == "SETTLING":
        _decide(db, charge, kill(charge, payment), reason, now)
    elif charge.state == "CANCELLING":
        _cancel(db, charge, payment, "", now)
    elif charge.state == "SETTLED":
        _refund_settled(db, charge, payment, now)
    charge = store.charge(db, charge_id)
    assert charge is not None
    return charge.state


def _refund_settled(db: Database, charge: Charge, payment: Payment | None, now: datetime) -> None:
    became = fate.look("CHARGE", charge.trade_no, payment)
    if isinstance(became, (fate.Waiting, fate.AnotherKinds)):
        became = kill(charge, payment)
    if isinstance(became, fate.Ours):  # it stands
        return
    settlement = settlement_store.of_trade(db, charge.trade_no)
    if isinstance(became, fate.EndedOurs) and settlement is not None and settlement.open_fen:
        desk_refunds.go_first(db, charge.trade_no, became.trade.cancelled_at or now, now)
    _record_cancelled(db, charge, now)


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
    if charge is not None and charge.state == "CANCELLING":
        _cancel(db, charge, payment_store.of_subject(db, OUTPATIENT, charge.order_id), job.id, now)
    return None


def _cancel(db: Database, charge: Charge, payment: Payment | None, key: str, now: datetime) -> None:
    """What could fail for good here is looked at before the HIS is asked; after it has cancelled nothing can."""
    settlement = settlement_store.of_trade(db, charge.trade_no)
    code = "" if settlement is not None and not settlement.reversing_fen else "PARTLY_REFUNDED"
    if code:  # unless the HIS has cancelled it for us already, and we did not hear
        became = fate.look("CHARGE", charge.trade_no, payment)
        if isinstance(became, fate.EndedOurs) and became.trade.refund_fen == charge.amount_fen:
            code = ""
    else:
        code = _cancel_in_his(charge, payment)
    if not code:
        _record_cancelled(db, charge, now)
        return
    log.event("his.refused", operation="cancel", charge_id=charge.id, code=code)
    with db.transaction() as tx:
        current = store.charge(tx, charge.id, lock=True)
        order = store.order(tx, charge.order_id)
        if current is not None and order is not None and current.state == "CANCELLING":
            store.move_charge(tx, current, "SETTLED", now, reason=code)
            if code in ALARMING:
                _alarm(tx, current, f"{code} at cancel, as {charge.trade_no}. Ends with task.refund once the HIS has "
                                    "cancelled it, or task.close", now)
            tell_refused(tx, order, current, key, now)


def _cancel_in_his(charge: Charge, payment: Payment | None) -> str:
    """Why the HIS does not cancel it: a code; empty when it has. Raises Unanswered."""
    try:
        his_charges.cancel(charge.trade_no, reason="患者申请退费", refund_fen=charge.amount_fen)
    except Rejected as refusal:
        return refusal.code
    except Unanswered:
        became = fate.look("CHARGE", charge.trade_no, payment)
        match became:
            case fate.EndedOurs(trade):
                return "" if trade.refund_fen == charge.amount_fen else "TRADE_CONFLICT"  # not our cancelling
            case fate.Others() | fate.EndedOthers() | fate.Dead() | fate.AnotherKinds():
                return "TRADE_CONFLICT"
            case fate.Ours() | fate.Waiting():
                raise
            case _:
                assert_never(became)
    return ""


def _record_cancelled(db: Database, charge: Charge, now: datetime) -> None:
    """The HIS has taken it out of its books: what the desk has not begun to give back goes back."""
    with db.transaction() as tx:
        current = store.charge(tx, charge.id, lock=True)
        if current is None or current.state not in ("CANCELLING", "SETTLED"):
            return
        payment = payment_store.of_subject(tx, OUTPATIENT, charge.order_id, lock=True)
        assert payment is not None
        store.move_charge(tx, current, "CANCELLED", now)
        rest_fen = settlements.reverse_rest(tx, current.trade_no, now)
        if rest_fen:
            refunds.request(tx, payment, amount_fen=rest_fen, purpose=Purpose(CHARGE, current.id), reason="门诊退费",
                            now=now)
        for kind in (REFUSED, *CANCEL_HANGS):
            tasks.settle(tx, kind=kind, subject_id=charge.id, note=f"{rest_fen} fen go back", now=now)


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
            tell_refund(tx, refund, order.account_id, order.patient_id, wording.about("order", order.id), now)
    return None


WORKER: dict[str, outbox.Handler] = {
    "outpatient.expire": expire, "outpatient.unlock": unlock, "outpatient.paid": paid, "charge.settle": settle,
    "charge.cancel": cancel, "charge.reversed": reversed_at_desk, "outpatient.refund-accepted": refund_accepted}
