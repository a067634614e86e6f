"""What follows by itself: releasing, confirming, cancelling, telling. Each handler may run twice.

The rule under all of it: money goes back only after the HIS has said, for this trade number, that it
is not and can never become confirmed (unlock leaves a tombstone, or cancel answered). So a
registration is never both confirmed and refunded; and each handler comes back until it is one of them.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from hospital.booking import changes, store
from hospital.booking.model import Booking
from hospital.booking.service import SOLD_ELSEWHERE, lock_in_his, too_many
from hospital.booking.tell import tell
from hospital.database import outbox, policy, tasks
from hospital.database.connection import Database, Duplicate, Transaction
from hospital.gateways.his import registrations as his_registrations
from hospital.gateways.his import trades as his_trades
from hospital.gateways.outcome import Rejected, Unanswered
from hospital.messages import service as messages
from hospital.patients import store as patients
from hospital.payment import refunds, settlement_store, settlements
from hospital.payment import service as payments
from hospital.payment import store as payment_store
from hospital.payment.model import CANCELLED, REGISTRATION, REJECTED, Item, Payment, Purpose
from hospital.payment.tell import tell_refund
from hospital.runtime import log
from hospital.schedules import rules as schedule_rules
from hospital.schedules import store as schedule_store
from hospital.site import store as site

RETAKEN_HOLD = timedelta(hours=4)  # longer than the outbox tries; from the moment of taking again


# -- not paid in time -------------------------------------------------------------------------------
def expire(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """A hold ends: make sure that it can't be paid any more, then put the place back on sale."""
    booking = store.booking(db, job.subject_id)
    if booking is None or booking.state not in ("HELD", "AWAITING_PAYMENT"):
        return None
    if booking.expires_at > now:
        return outbox.Again(booking.expires_at - now)
    payment = payment_store.of_subject(db, REGISTRATION, booking.id)
    if payment is not None:
        if not payments.stop(db, payment, now):
            return None  # paid after all: registration.paid goes on from here
        his_unlock(booking)  # before it is sold again here, or the next patient meets this one's lock there
    with db.transaction() as tx:
        current = store.booking(tx, booking.id, lock=True)
        if current is None or current.state not in ("HELD", "AWAITING_PAYMENT"):
            return None
        payment = payment_store.of_subject(tx, REGISTRATION, booking.id, lock=True)
        if payment is not None and payment.state != "CLOSED":
            # PAID: registration.paid goes on from here. OPEN: opened since we looked; come back for it.
            return None if payment.state == "PAID" else outbox.Again(outbox.BACK_OFF[0])
        store.move(tx, current, "RELEASED", now, reason="EXPIRED")
        schedule_store.give_back(tx, current.id, sold_elsewhere=False, now=now,
                        on_sale_at=schedule_rules.on_sale_again(now, policy.load(tx), random.random()))
        outbox.publish(tx, "booking.unlock", current.id, due=now, now=now)
    return None


def unlock(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """Give the place back in the HIS too. Always sent: a lock may have arrived there without an answer."""
    booking = store.booking(db, job.subject_id)
    if booking is None or booking.state != "RELEASED":
        return None
    try:
        his_registrations.unlock(booking.trade_no)
    except Rejected as refusal:
        with db.transaction() as tx:
            tasks.add(tx, kind="booking.unlock-refused", subject_id=booking.id, detail=refusal.code, now=now)
    return None


# -- paid -------------------------------------------------------------------------------------------
def paid(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """The money is there: confirm in the HIS; if it came too late, take the place again or refund."""
    booking = store.booking(db, job.subject_id)
    assert booking is not None
    if booking.state == "RELEASED":
        his_unlock(booking)  # the old number must be dead before the place is taken under a new one
    with db.transaction() as tx:
        booking = store.booking(tx, job.subject_id, lock=True)
        payment = payment_store.of_subject(tx, REGISTRATION, job.subject_id, lock=True)
        assert booking is not None and payment is not None
        if booking.state == "AWAITING_PAYMENT":
            store.move(tx, booking, "CONFIRMING", now)
        elif booking.state == "RELEASED" and not _retake(tx, booking, now):
            _reject(tx, booking, payment, "PAID_TOO_LATE", now)
    return confirm(db, job, now)


def _retake(tx: Transaction, booking: Booking, now: datetime) -> bool:
    patients.lock_patient(tx, booking.patient_id)
    if too_many(tx, booking.patient_id, booking.visit_date, policy.load(tx), now):
        return False
    if not schedule_store.take_slot(tx, booking.slot_id, booking.id, after=now, now=now):
        return False
    number = f"{booking.trade_no}-2"
    try:
        store.move(tx, booking, "CONFIRMING", now, reason="RETAKEN", trade_no=number, his_locked=0,
                   expires_at=now, **changes.seat_now(tx, booking))
    except Duplicate:  # the patient has booked the same doctor again meanwhile
        schedule_store.give_back(tx, booking.id, on_sale_at=None, sold_elsewhere=False, now=now)
        return False
    changes.tell_changed(tx, booking, now)  # it may have been moved since it was given up
    return True


def confirm(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """Make the registration firm in the HIS, under our number; refund when the HIS refuses.

    Raises Unanswered: it is tried again under the same number, and in the end is a staff task.
    """
    booking = store.booking(db, job.subject_id)
    if booking is None or booking.state != "CONFIRMING":
        return None
    payment = payment_store.of_subject(db, REGISTRATION, booking.id)
    if payment is not None and payment.paid_fen != booking.fee_fen:
        _refuse(db, booking, "AMOUNT_DIFFERS", now)
        return None
    try:
        trade = _confirm_in_his(db, booking, payment, now)
    except Rejected as refusal:
        log.event("his.refused", operation="confirm", booking_id=booking.id, code=refusal.code)
        _refuse(db, booking, refusal.code, now)
        return None
    _record_confirmed(db, booking, trade, now)
    return None


def _confirm_in_his(db: Database, booking: Booking, payment: Payment | None, now: datetime) -> his_trades.Trade:
    if not booking.his_locked:
        lock_in_his(db, booking, booking.expires_at + RETAKEN_HOLD, now)
        with db.transaction() as tx:
            store.mark_locked(tx, booking.id)
    try:
        return his_registrations.confirm(
            booking.trade_no, transaction_id=payment.transaction_id if payment else None,
            paid_fen=payment.paid_fen if payment else 0, paid_at=payment.paid_at if payment else None)
    except Unanswered:
        trade = his_trades.check_trade(booking.trade_no)
        if trade is not None and trade.state == "CONFIRMED":
            return trade
        raise


def _record_confirmed(db: Database, booking: Booking, trade: his_trades.Trade, now: datetime, *,
                      told: bool = True) -> None:
    with db.transaction() as tx:
        current = store.booking(tx, booking.id, lock=True)
        if current is None or current.state != "CONFIRMING":
            return
        store.move(tx, current, "CONFIRMED", now, visit_number=str(trade.visit_number or "")[:20],
                   location=" ".join(part for part in (trade.location, trade.clinic_room) if part)[:200])
        changes.confirmed(tx, booking.id, trade, now)
        payment = payment_store.of_subject(tx, REGISTRATION, booking.id, lock=True)
        if payment is not None:
            settle_fee(tx, current, payment, trade.settled_at or now, now)
        _settle_tasks(tx, booking.id, "confirmed", now)
        if told:
            tell(tx, booking.id, messages.BOOKING_CONFIRMED, now=now)


def settle_fee(tx: Transaction, booking: Booking, payment: Payment, settled_at: datetime, now: datetime) -> None:
    """The HIS has taken the fee into its books. ``payment`` is locked."""
    room = schedule_store.rooms(tx, [booking.schedule_id])[booking.schedule_id]
    department = site.names_of_his(tx).get(room["his_department"], ("", ""))[1]
    fee = Item(1, "REGISTRATION", "REG", "门诊挂号费", "", "次", 1, booking.fee_fen, booking.fee_fen, department)
    settlements.record(tx, kind=REGISTRATION, subject_id=booking.id, trade_no=booking.trade_no, payment=payment,
                       patient_id=booking.patient_id, amount_fen=booking.fee_fen, department_name=department,
                       items=[fee], settled_at=settled_at, now=now)


HANGING = tuple(outbox.hanging(topic) for topic in ("registration.paid", "booking.confirm"))


def _settle_tasks(tx: Transaction, booking_id: str, note: str, now: datetime) -> None:
    for kind in HANGING:
        tasks.settle(tx, kind=kind, subject_id=booking_id, note=note, now=now)


def refuse(db: Database, booking_id: str, reason: str, now: datetime) -> str:
    """Staff's order for a paid registration that hangs: refund it, unless the HIS has it after all.

    Returns the registration's state after. Raises Unanswered.
    """
    booking = store.booking(db, booking_id)
    assert booking is not None
    if booking.state == "CONFIRMING":
        _refuse(db, booking, reason, now)
    elif booking.state == "RELEASED":  # money that came too late, and the HIS silent since
        his_unlock(booking)
        with db.transaction() as tx:
            current = store.booking(tx, booking_id, lock=True)
            payment = payment_store.of_subject(tx, REGISTRATION, booking_id, lock=True)
            if current is not None and current.state == "RELEASED" and payment is not None and payment.state == "PAID":
                _reject(tx, current, payment, reason, now)
    after = store.booking(db, booking_id)
    assert after is not None
    return after.state


def _refuse(db: Database, booking: Booking, reason: str, now: datetime) -> None:
    said = his_unlock(booking)
    if said != "UNLOCKED":
        trade = his_trades.check_trade(booking.trade_no)
        payment = payment_store.of_subject(db, REGISTRATION, booking.id)
        if said == "CONFIRMED" and (trade is None or trade.state != "CONFIRMED"):
            raise Unanswered("his: says confirmed, then does not")
        ours = (trade is not None and trade.settled_at is not None and payment is not None
                and trade.transaction_id == payment.transaction_id)
        if trade is not None and (said == "CONFIRMED" or ours):
            # Cancelled, but it was firm before: the desk has ended it since, and its refund needs the settlement.
            _record_confirmed(db, booking, trade, now, told=said == "CONFIRMED")
            return
    with db.transaction() as tx:
        current = store.booking(tx, booking.id, lock=True)
        if current is None or current.state != "CONFIRMING":
            return
        _reject(tx, current, payment_store.of_subject(tx, REGISTRATION, booking.id, lock=True), reason, now)


def his_unlock(booking: Booking) -> str:
    """Kill a trade number in the HIS: "UNLOCKED", or "CONFIRMED", "CANCELLED" when it is that. Raises Unanswered."""
    try:
        his_registrations.unlock(booking.trade_no)
    except Rejected as refusal:
        if refusal.code == "ALREADY_CONFIRMED":
            return "CONFIRMED"
        if refusal.code == "ALREADY_CANCELLED":
            return "CANCELLED"
        raise Unanswered(f"his unlock: {refusal.code}") from None
    return "UNLOCKED"


def _reject(tx: Transaction, booking: Booking, payment: Payment | None, reason: str, now: datetime) -> None:
    store.move(tx, booking, "REJECTED", now, reason=reason)
    schedule_store.give_back(tx, booking.id, on_sale_at=None, sold_elsewhere=reason in SOLD_ELSEWHERE, now=now)
    _settle_tasks(tx, booking.id, "refunded", now)
    if payment is not None and payment.state == "PAID":
        refunds.request(tx, payment, amount_fen=payment.paid_fen, purpose=Purpose(REJECTED),
                        reason="挂号未成功退费", now=now)
    outbox.publish(tx, "schedule.refresh", booking.schedule_id, due=now, now=now)
    tell(tx, booking.id, messages.BOOKING_FAILED, now=now,
         note="挂号未成功，费用将原路退回" if payment is not None else "挂号未成功，请重新挂号")


# -- cancelled --------------------------------------------------------------------------------------
def cancel(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """Cancel in the HIS first, then order the refund; the message follows the refund.

    Raises Unanswered.
    """
    booking = store.booking(db, job.subject_id)
    if booking is None or booking.state != "CANCELLING":
        return None
    payment = payment_store.of_subject(db, REGISTRATION, booking.id)
    refund_fen = payment.paid_fen if payment is not None and payment.state == "PAID" else 0
    try:
        _cancel_in_his(booking, refund_fen)
    except Rejected as refusal:
        log.event("his.refused", operation="cancel", booking_id=booking.id, code=refusal.code)
        with db.transaction() as tx:
            current = store.booking(tx, booking.id, lock=True)
            if current is not None and current.state == "CANCELLING":
                store.move(tx, current, "CONFIRMED", now, reason=refusal.code)
                if current.free_cancel_until is not None:  # the hospital changed it, and does not let it go
                    tasks.add(tx, kind="booking.free-cancel-refused", subject_id=booking.id, detail=refusal.code,
                              now=now)
                tell(tx, booking.id, messages.BOOKING_FAILED, key=job.id, now=now, note="取消未成功，请到人工窗口办理")
        return None
    with db.transaction() as tx:
        current = store.booking(tx, booking.id, lock=True)
        if current is None or current.state != "CANCELLING":
            return None
        store.move(tx, current, "CANCELLED", now)
        schedule_store.give_back(tx, current.id, sold_elsewhere=False, now=now,
                        on_sale_at=schedule_rules.on_sale_again(now, policy.load(tx), random.random()))
        payment = payment_store.of_subject(tx, REGISTRATION, booking.id, lock=True)
        if payment is not None and payment.state == "PAID":
            settlements.reverse_whole(tx, current.trade_no, payment.paid_fen, now)
            refunds.request(tx, payment, amount_fen=payment.paid_fen, purpose=Purpose(CANCELLED), reason="取消挂号退费",
                            now=now)
        else:
            tell(tx, booking.id, messages.BOOKING_CANCELLED, now=now, note="预约已取消")
    return None


def _cancel_in_his(booking: Booking, refund_fen: int) -> None:
    try:
        his_registrations.cancel(booking.trade_no, reason="患者取消", refund_fen=refund_fen)
    except Rejected as refusal:
        # The HIS knows nothing firm under this number: killing the number is cancelling it.
        if refusal.code not in ("TRADE_UNKNOWN", "NOT_CONFIRMED") or his_unlock(booking) == "CONFIRMED":
            raise
    except Unanswered:
        trade = his_trades.check_trade(booking.trade_no)
        if trade is None or trade.state != "CANCELLED":
            raise
        if trade.refund_fen != refund_fen:
            raise Rejected("TRADE_CONFLICT") from None  # the desk ended it: the money is the desk refund's


def refund_accepted(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """WeChat has taken a refund on: now the patient is told. Of a refused registration they know already."""
    refund = payment_store.refund(db, job.subject_id)
    payment = payment_store.by_id(db, refund.payment_id) if refund is not None else None
    booking = store.booking(db, payment.subject_id) if payment is not None else None
    if refund is None or payment is None or booking is None:
        return None
    with db.transaction() as tx:
        if refund.purpose.of_desk or refund.state == "ELSEWHERE":
            tell_refund(tx, refund, payment.account_id, booking.patient_id, now)
        elif booking.state == "CANCELLED":
            tell(tx, booking.id, messages.BOOKING_CANCELLED, now=now, note="预约已取消，费用原路退回")
    return None


def reversed_at_desk(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """The desk has given money back: a registration whose whole fee is gone has ended in the HIS, and ends here."""
    settlement = settlement_store.by_id(db, job.subject_id)
    if settlement is None or settlement.net_fen:
        return None
    with db.transaction() as tx:
        booking = store.booking(tx, settlement.subject_id, lock=True)
        assert booking is not None
        if booking.state == "CANCELLING":  # the HIS is about to refuse that
            return outbox.Again(outbox.BACK_OFF[0])
        if booking.state in ("CONFIRMED", "CHECKED_IN"):
            store.move(tx, booking, "CANCELLED", now, reason="REFUNDED_AT_DESK")
            schedule_store.give_back(tx, booking.id, sold_elsewhere=False, now=now,
                            on_sale_at=schedule_rules.on_sale_again(now, policy.load(tx), random.random()))
    return None


def session_ended(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """A session takes place no more: staff hear how many patients are registered in it."""
    session = schedule_store.session(db, job.subject_id)
    live = store.live_on_schedule(db, job.subject_id)
    if session is not None and session.state != "OPEN" and live:
        with db.transaction() as tx:
            tasks.add(tx, kind="schedule.stopped", subject_id=session.id, now=now,
                      detail=f"{session.state} with {live} live registrations")
    return None


WORKER: dict[str, outbox.Handler] = {
    "booking.expire": expire, "booking.unlock": unlock, "booking.confirm": confirm, "booking.cancel": cancel,
    "registration.paid": paid, "registration.refund-accepted": refund_accepted,
    "registration.reversed": reversed_at_desk, "schedule.ended": session_ended,
    **changes.WORKER}
