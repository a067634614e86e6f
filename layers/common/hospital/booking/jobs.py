"""What follows by itself: releasing, confirming, refusing. How one ends that was firm is in ``ending.py``.

Each handler may run twice. The rule under all of it is ``payment/fate.py``: money goes back only after the HIS
has said, for this trade number, that our payment is not in it and never will be. So a registration is never both
confirmed and refunded; and each handler comes back until it is one of them.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from typing_extensions import assert_never

from hospital.booking import changes, store
from hospital.booking.model import FIRM_ELSEWHERE, Booking
from hospital.booking.service import SOLD_ELSEWHERE, lock_in_his, too_many
from hospital.booking.tell import tell
from hospital.database import outbox, policy, tasks
from hospital.database.connection import Database, Duplicate, Transaction
from hospital.gateways.his import registrations as his_registrations
from hospital.gateways.his import trades as his_trades
from hospital.gateways.outcome import Rejected, Unanswered
from hospital.messages import service as messages
from hospital.patients import access, record_store
from hospital.payment import expiry, fate, refunds, settlement_store, settlements
from hospital.payment import store as payment_store
from hospital.payment.model import REGISTRATION, REJECTED, Item, Payment, Purpose
from hospital.runtime import log
from hospital.schedules import rules as schedule_rules
from hospital.schedules import store as schedule_store
from hospital.site import store as site

RETAKEN_HOLD = timedelta(hours=4)  # longer than the outbox tries; from the moment of taking again
REFUSED = "booking.his-refused"  # the kind of the task: the HIS says what can only be if books differ
ALARMING = {"AMOUNT_MISMATCH", "PAYMENT_CONFLICT", "TRADE_CONFLICT"}


def kill(booking: Booking, payment: Payment | None) -> fate.Decided:
    """Make a registration's number useless in the HIS, or hear what it has become there. Raises Unanswered."""
    return fate.kill("REGISTRATION", his_registrations.unlock, booking.trade_no, payment)


# -- not paid in time -------------------------------------------------------------------------------
def expire(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """A hold ends: make sure that it can't be paid any more, then put the place back on sale. Raises Unanswered."""
    return expiry.expire(db, _UNPAID, job.subject_id, now)


def _until(source: store.Source, booking_id: str, lock: bool) -> datetime | None:
    booking = store.booking(source, booking_id, lock=lock)
    return booking.expires_at if booking is not None and booking.state in ("HELD", "AWAITING_PAYMENT") else None


def _kill_unasked(source: store.Source, booking_id: str) -> fate.NotOurs:
    """Of one that waits for its payment: the HIS was never asked to confirm it. Raises Unanswered."""
    booking = store.booking(source, booking_id)
    assert booking is not None
    return fate.kill_unasked("REGISTRATION", his_registrations.unlock, booking.trade_no,
                             payment_store.of_subject(source, REGISTRATION, booking_id))


def _release(tx: Transaction, booking_id: str, proof: fate.NotOurs | None, now: datetime) -> None:
    """The place is on sale again; or gone, when the window has made it firm for this patient."""
    booking = store.booking(tx, booking_id, lock=True)
    assert booking is not None
    sold = isinstance(proof, fate.Others)
    store.move(tx, booking, "RELEASED", now, reason=FIRM_ELSEWHERE if sold else booking.ends_as("EXPIRED"))
    schedule_store.give_back(tx, booking.id, sold_elsewhere=sold, now=now,
                             on_sale_at=schedule_rules.on_sale_again(now, policy.load(tx), random.random()))
    if proof is None:
        outbox.publish(tx, "booking.unlock", booking.id, due=now, now=now)


_UNPAID = expiry.Unpaid(REGISTRATION, _until, _kill_unasked, _release)


def unlock(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """Give the place back in the HIS too. Always sent: a lock may have arrived there without an answer."""
    booking = store.booking(db, job.subject_id)
    if booking is None or booking.state != "RELEASED":
        return None
    became = kill(booking, payment_store.of_subject(db, REGISTRATION, booking.id))
    if not isinstance(became, fate.Dead):
        with db.transaction() as tx:
            tasks.add(tx, kind="booking.unlock-refused", subject_id=booking.id, now=now,
                      detail=f"{type(became).__name__} in the HIS as {booking.trade_no}, given up here before it was "
                             "paid: the window has made it firm. Ends with task.close")
            outbox.publish(tx, "schedule.refresh", booking.schedule_id, due=now, now=now)
    return None


# -- paid -------------------------------------------------------------------------------------------
def paid(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """The money is there: confirm in the HIS; if it came too late, take the place again or refund."""
    booking = store.booking(db, job.subject_id)
    assert booking is not None
    # The old number must be dead before the place is taken under a new one.
    proof = _kill_released(db, booking, now) if booking.state == "RELEASED" else None
    with db.transaction() as tx:
        booking = store.booking(tx, job.subject_id, lock=True)
        payment = payment_store.of_subject(tx, REGISTRATION, job.subject_id, lock=True)
        assert booking is not None and payment is not None
        if booking.state == "AWAITING_PAYMENT":
            store.move(tx, booking, "CONFIRMING", now)
        elif booking.state == "RELEASED":
            if proof is None:
                return outbox.Again(outbox.BACK_OFF[0])  # released since we looked
            if not isinstance(proof, fate.Dead) or not _retake(tx, booking, now):
                _reject(tx, booking, payment, "PAID_TOO_LATE", proof, now)
        elif booking.state == "CONFIRMED" and settlement_store.of_trade(tx, booking.trade_no) is None:
            outbox.publish(tx, "registration.look", booking.id, due=now, now=now)  # from before there were settlements
    return confirm(db, job, now)


def _kill_released(db: Database, booking: Booking, now: datetime) -> fate.NotOurs | None:
    """The proof that late money is not in the HIS. None: the window has entered it, so the registration stands.

    Raises Unanswered.
    """
    became = kill(booking, payment_store.of_subject(db, REGISTRATION, booking.id))
    if not isinstance(became, (fate.Ours, fate.EndedOurs)):
        return became
    with db.transaction() as tx:
        current = store.booking(tx, booking.id, lock=True)
        if current is not None and current.state == "RELEASED":
            try:
                store.move(tx, current, "CONFIRMING", now, reason="FIRM_WITH_LATE_MONEY")
            except Duplicate:
                raise Unanswered("his: firm with late money, and the patient has booked the same again") from None
            # The place may not be on sale, or be sold by now: the HIS has decided who has it.
            schedule_store.take_slot(tx, current.slot_id, current.id, after=now, now=now)
    _decide(db, booking, became, "", now)
    return None


def _retake(tx: Transaction, booking: Booking, now: datetime) -> bool:
    """Take the place again for money that came late; not for who may not register the patient any more."""
    record_store.lock(tx, booking.patient_id)
    if not access.may(tx, booking.account_id, booking.patient_id, "REGISTER", now):
        return False
    if too_many(tx, booking.account_id, booking.patient_id, booking.visit_date, policy.load(tx), now):
        return False
    seat = changes.seat_now(tx, booking)
    if store.in_the_way(tx, booking.patient_id, seat["schedule_id"]):  # they have booked the same again meanwhile
        return False
    if not schedule_store.take_slot(tx, booking.slot_id, booking.id, after=now, now=now):
        return False
    number = f"{booking.trade_no}-2"
    try:
        store.move(tx, booking, "CONFIRMING", now, reason="RETAKEN", trade_no=number, his_locked=0,
                   expires_at=now, **seat)
    except Duplicate:  # the keys have the last word
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
        _decide(db, booking, kill(booking, payment), "AMOUNT_DIFFERS", now)
        return None
    try:
        trade = _confirm_in_his(db, booking, payment, now)
    except Rejected as refusal:
        log.event("his.refused", operation="confirm", booking_id=booking.id, code=refusal.code)
        _decide(db, booking, kill(booking, payment), refusal.code, now)
    except Unanswered:
        became = fate.look("REGISTRATION", booking.trade_no, payment)
        if isinstance(became, (fate.Waiting, fate.AnotherKinds)):  # silence is not enough to let it go
            raise
        _decide(db, booking, became, "TRADE_CLOSED", now)
    else:
        _decide(db, booking, fate.Ours(trade), "", now)
    return None


def _confirm_in_his(db: Database, booking: Booking, payment: Payment | None, now: datetime) -> his_trades.Trade:
    if not booking.his_locked:
        lock_in_his(db, booking, booking.expires_at + RETAKEN_HOLD, now)
        with db.transaction() as tx:
            store.mark_locked(tx, booking.id)
    return his_registrations.confirm(
        booking.trade_no, transaction_id=payment.transaction_id if payment else None,
        paid_fen=payment.paid_fen if payment else 0, paid_at=payment.paid_at if payment else None)


def _decide(db: Database, booking: Booking, became: fate.Decided, reason: str, now: datetime) -> None:
    """A paid registration ends its waiting as the HIS has decided: firm with our payment, or refused and refunded."""
    with db.transaction() as tx:
        current = store.booking(tx, booking.id, lock=True)
        if current is None or current.state != "CONFIRMING":
            return
        payment = payment_store.of_subject(tx, REGISTRATION, booking.id, lock=True)
        match became:
            case fate.Ours(trade):
                _record_confirmed(tx, current, payment, trade, now)
                tell(tx, booking.id, messages.BOOKING_CONFIRMED, now=now)
            case fate.EndedOurs(trade):
                # The desk has ended it since, and its refund needs the settlement; nobody is told that it was firm.
                _record_confirmed(tx, current, payment, trade, now)
                outbox.publish(tx, "registration.look", booking.id, due=now, now=now)
            case fate.Dead() | fate.Others() | fate.EndedOthers() | fate.AnotherKinds():
                _reject(tx, current, payment, reason, became, now)
            case _:
                assert_never(became)


def _record_confirmed(tx: Transaction, booking: Booking, payment: Payment | None, trade: his_trades.Trade,
                      now: datetime) -> None:
    store.move(tx, booking, "CONFIRMED", now, visit_number=str(trade.visit_number or "")[:20],
               location=" ".join(part for part in (trade.location, trade.clinic_room) if part)[:200])
    changes.confirmed(tx, booking.id, trade, now)
    _not_stopped(tx, booking, now)
    if payment is not None:
        settle_fee(tx, booking, payment, trade.settled_at or now, now)
    _settle_tasks(tx, booking.id, "confirmed", now)


def _not_stopped(tx: Transaction, booking: Booking, now: datetime) -> None:
    """Its session may have been stopped while it became firm: then it is told like the others."""
    session = schedule_store.session(tx, booking.schedule_id)
    if session is not None and session.state != "OPEN":
        outbox.publish(tx, "schedule.ended", session.id, due=now, now=now)


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


def refuse(db: Database, booking: Booking, reason: str, now: datetime) -> None:
    """Staff's order for a paid registration that hangs: refund it, unless the HIS has it. Raises Unanswered."""
    payment = payment_store.of_subject(db, REGISTRATION, booking.id)
    if booking.state == "CONFIRMING":
        _decide(db, booking, kill(booking, payment), reason, now)
    elif booking.state == "RELEASED" and payment is not None and payment.state == "PAID":
        proof = _kill_released(db, booking, now)  # money that came too late, and the HIS silent since
        with db.transaction() as tx:
            current = store.booking(tx, booking.id, lock=True)
            locked = payment_store.of_subject(tx, REGISTRATION, booking.id, lock=True)
            if current is not None and current.state == "RELEASED" and locked is not None and proof is not None:
                _reject(tx, current, locked, reason, proof, now)


def _reject(tx: Transaction, booking: Booking, payment: Payment | None, reason: str, proof: fate.NotOurs,
            now: datetime) -> None:
    """Not ours in the HIS, and never will be (the proof): the place is let go, and what was paid goes back."""
    elsewhere = isinstance(proof, fate.Others)
    store.move(tx, booking, "REJECTED", now, reason=FIRM_ELSEWHERE if elsewhere else reason)
    schedule_store.give_back(tx, booking.id, on_sale_at=None, sold_elsewhere=elsewhere or reason in SOLD_ELSEWHERE,
                             now=now)
    _settle_tasks(tx, booking.id, "refunded", now)
    paid_fen = payment.paid_fen if payment is not None and payment.state == "PAID" else 0
    if payment is not None and paid_fen:
        refunds.request(tx, payment, amount_fen=paid_fen, purpose=Purpose(REJECTED), reason="挂号未成功退费",
                        now=now)
    if reason in ALARMING or isinstance(proof, (fate.Others, fate.AnotherKinds)):
        tasks.add(tx, kind=REFUSED, subject_id=booking.id, now=now,
                  detail=f"{reason} at confirm, {type(proof).__name__} in the HIS as {booking.trade_no}; of ours "
                         f"{paid_fen} fen go back by themselves. Ends with task.close")
    outbox.publish(tx, "schedule.refresh", booking.schedule_id, due=now, now=now)
    note = "挂号未成功，费用将原路退回" if payment is not None else "挂号未成功，请重新挂号"
    if elsewhere:
        note = "窗口已办妥该挂号，微信支付将退回" if paid_fen else "窗口已办妥该挂号，请到窗口取号"
    tell(tx, booking.id, messages.BOOKING_FAILED, now=now, note=note)


WORKER: dict[str, outbox.Handler] = {
    "booking.expire": expire, "booking.unlock": unlock, "booking.confirm": confirm, "registration.paid": paid,
    **changes.WORKER}
