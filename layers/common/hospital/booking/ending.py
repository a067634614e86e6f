"""How a firm registration ends: cancelled by its patient, ended by the hospital, given back by its desk.

The HIS first, then the money. What could fail for good here is looked at before the HIS is asked to cancel;
after it has, whatever is left of the payment goes back, and what does not add up is a task, never a stop.
"""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from typing import TypeGuard

from typing_extensions import assert_never

from hospital.booking import jobs, move_store, store
from hospital.booking.model import (
    ENDED_AT_HOSPITAL,
    FIRM_ELSEWHERE,
    LOOK,
    NOT_CHOSEN,
    OF_STOPPED,
    PAID_AT_HOSPITAL,
    REFUNDED_AT_DESK,
    Booking,
)
from hospital.booking.tell import tell
from hospital.database import odd_rows, outbox, policy, tasks
from hospital.database.connection import Database, Transaction
from hospital.gateways.his import registrations as his_registrations
from hospital.gateways.his import trades as his_trades
from hospital.gateways.his.trades import Trade
from hospital.gateways.his.wire import Odd
from hospital.gateways.outcome import Rejected, Unanswered
from hospital.messages import service as messages
from hospital.messages import wording
from hospital.payment import desk_refunds, fate, refunds, settlement_store, settlements
from hospital.payment import store as payment_store
from hospital.payment.model import CANCELLED, CHEAPER, REGISTRATION, Payment, Purpose
from hospital.payment.tell import tell_refund
from hospital.runtime import log
from hospital.runtime.clock import hospital_day
from hospital.schedules import rules as schedule_rules
from hospital.schedules import store as schedule_store
from hospital.schedules import sync

Source = store.Source
FIRM = ("CONFIRMED", "CHECKED_IN")
ENDED = "registration.ended"  # the kind of the task: the hospital has ended it, and what of our payment is open
HANGING = (outbox.hanging("booking.cancel"),)
ALARMING = {"TRADE_UNKNOWN", "TRADE_CONFLICT", "AMOUNT_MISMATCH", "PAYMENT_CONFLICT"}
PAGE = 200  # numbers that are looked up at once


def payment_of(source: Source, booking: Booking, *, lock: bool = False) -> Payment | None:
    """What pays for a registration: what its settlement says (it may be the check-in's), else its own order."""
    settlement = settlement_store.of_trade(source, booking.trade_no)
    if settlement is not None:
        return payment_store.by_id(source, settlement.payment_id, lock=lock)
    return payment_store.of_subject(source, REGISTRATION, booking.id, lock=lock)


def paid_fen(source: Source, booking: Booking, payment: Payment | None) -> int:
    """What of its payment is in this registration: all of it, or (since it was moved) what the HIS has taken of it."""
    if payment is None or payment.state != "PAID":
        return 0
    settlement = settlement_store.of_trade(source, booking.trade_no)
    return settlement.amount_fen if settlement is not None else payment.paid_fen


# -- cancelled by the patient -----------------------------------------------------------------------
def cancel(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """Cancel in the HIS first, then order the refund; the message follows the refund.

    Raises Unanswered.
    """
    booking = store.booking(db, job.subject_id)
    if booking is not None and booking.state == "CANCELLING":
        cancel_now(db, booking, job.id, now)
    return None


def cancel_now(db: Database, booking: Booking, key: str, now: datetime) -> None:
    """As :func:`cancel`; ``key`` tells the messages of one try from those of another."""
    payment = payment_of(db, booking)
    became, code = fate.look("REGISTRATION", booking.trade_no, payment), ""
    if isinstance(became, (fate.Ours, fate.EndedOurs)):
        settled(db, booking, became.trade, now)
    refund_fen = paid_fen(db, booking, payment)
    if isinstance(became, fate.Ours) or (is_left_to_us(became) and refund_fen):
        code = _not_whole(db, booking, payment)
        if not code:
            became, code = _cancel_in_his(booking, payment, became.trade, refund_fen)
    if isinstance(became, (fate.Waiting, fate.AnotherKinds)):  # nothing firm under this number: to kill is to cancel
        code = "TRADE_UNKNOWN" if became.trade is None else ""
        if isinstance(became, fate.AnotherKinds):
            code = "TRADE_CONFLICT"
        became = jobs.kill(booking, payment)
    match became:
        case fate.Ours():
            _undo(db, booking, code, key, now)
        case fate.Others() if not refund_fen:  # paid at the window: theirs to give back
            _undo(db, booking, PAID_AT_HOSPITAL, key, now)
        case fate.EndedOurs(trade) if trade.refund_fen == refund_fen:
            _finish(db, booking, "", code, now)
        case fate.EndedOurs(trade):
            _ended_in_his(db, booking, payment, trade, code, now)
        case fate.EndedOthers() | fate.Others() | fate.AnotherKinds():
            _finish(db, booking, FIRM_ELSEWHERE if isinstance(became, fate.Others) else ENDED_AT_HOSPITAL,
                    code or "PAYMENT_CONFLICT" if refund_fen else code, now)
        case fate.Dead():
            _finish(db, booking, "", code, now)
        case _:
            assert_never(became)


def _not_whole(source: Source, booking: Booking, payment: Payment | None) -> str:
    """Why it can't be given back as a whole, looked at before the HIS is asked: a code; empty when it can."""
    fen = paid_fen(source, booking, payment)
    whole = not fen or open_fen(source, booking, payment) == fen
    return "" if whole else "PARTLY_REFUNDED"


def settled(db: Database, booking: Booking, trade: Trade, now: datetime) -> None:
    """The HIS has our payment in its books: one that was confirmed before there were settlements gets its own."""
    if settlement_store.of_trade(db, booking.trade_no) is None:
        with db.transaction() as tx:
            current = store.booking(tx, booking.id, lock=True)
            payment = payment_store.of_subject(tx, REGISTRATION, booking.id, lock=True)
            if current is not None and payment is not None and payment.state == "PAID":
                jobs.settle_fee(tx, current, payment, trade.settled_at or payment.paid_at or now, now)


def _cancel_in_his(booking: Booking, payment: Payment | None, trade: Trade, refund_fen: int) -> tuple[fate.Fate, str]:
    """What has become of it, and the code of a refusal. Raises Unanswered while nobody says what is so."""
    try:
        his_registrations.cancel(booking.trade_no, reason="患者取消", refund_fen=refund_fen)
    except (Rejected, Unanswered) as problem:
        after = fate.look("REGISTRATION", booking.trade_no, payment)
        if isinstance(problem, Rejected):
            log.event("his.refused", operation="cancel", booking_id=booking.id, code=problem.code)
            return after, problem.code
        if isinstance(after, fate.Ours) or is_left_to_us(after):
            raise
        return after, ""
    return fate.EndedOurs(trade.model_copy(update={"state": "CANCELLED", "refund_fen": refund_fen})), ""


def is_left_to_us(became: fate.Fate) -> TypeGuard[fate.EndedOurs]:
    """Whether it has ended along with its session, and what was paid is still in the HIS's books, for us to end."""
    return isinstance(became, fate.EndedOurs) and became.trade.stopped and not became.trade.refund_fen


def _undo(db: Database, booking: Booking, code: str, key: str, now: datetime) -> None:
    """It stays firm, and the patient is sent to the window."""
    with db.transaction() as tx:
        current = store.booking(tx, booking.id, lock=True)
        if current is None or current.state != "CANCELLING":
            return
        store.move(tx, current, "CONFIRMED", now, reason=code)
        if current.free_cancel_until is not None or current.reason in OF_STOPPED:  # it has, and does not let it go
            tasks.add(tx, kind="booking.free-cancel-refused", subject_id=booking.id, detail=code, now=now)
        if code in ALARMING:
            _alarm(tx, booking, f"{code} at cancel, and it still stands in the HIS as {booking.trade_no}. Ends with "
                                "task.refund once the HIS has cancelled it, or task.close", now)
        tell(tx, booking.id, messages.BOOKING_FAILED, key=key, now=now, note="取消未成功，请到人工窗口办理")


def _finish(db: Database, booking: Booking, reason: str, code: str, now: datetime) -> None:
    """Not firm with ours in the HIS any more: it ends here, and what is left of our payment goes back."""
    with db.transaction() as tx:
        current = store.booking(tx, booking.id, lock=True)
        if current is None or current.state not in ("CANCELLING", *FIRM):
            return
        payment = payment_of(tx, current, lock=True)
        move_ended(tx, current, reason, now)
        going_fen = give_rest_back(tx, current, payment, now)
        if code in ALARMING:
            _alarm(tx, booking, f"{code} at cancel, under {booking.trade_no}; of ours {going_fen} fen go back by "
                                "themselves. Ends with task.close", now)
        if not going_fen:
            tell(tx, booking.id, messages.BOOKING_CANCELLED, now=now, note="预约已取消")


def give_rest_back(tx: Transaction, booking: Booking, payment: Payment | None, now: datetime) -> int:
    """Take what the desk has not begun to give back out of our books, and order its refund; fen. All is locked."""
    if payment is None or payment.state != "PAID":
        return 0
    settlements.reverse_rest(tx, booking.trade_no, now)
    owed_fen = payment.paid_fen - payment.refunding_fen
    if owed_fen > 0:
        purpose = refunds.next_of(tx, payment, Purpose(CANCELLED))
        refunds.request(tx, payment, amount_fen=owed_fen, purpose=purpose, reason="取消挂号退费", now=now)
    return owed_fen


def move_ended(tx: Transaction, booking: Booking, reason: str, now: datetime) -> None:
    """It ends, and its place is free again."""
    store.move(tx, booking, "CANCELLED", now, reason=reason or booking.reason)
    for dearer in move_store.dearer_of(tx, booking.id):  # what was paid besides goes back by itself
        outbox.publish(tx, "move.give-back", dearer.id, due=now, now=now)
    schedule_store.give_back(tx, booking.id, sold_elsewhere=reason == FIRM_ELSEWHERE, now=now,
                             on_sale_at=schedule_rules.on_sale_again(now, policy.load(tx), random.random()))
    tasks.settle(tx, kind=HANGING[0], subject_id=booking.id, note="cancelled", now=now)


def _alarm(tx: Transaction, booking: Booking, detail: str, now: datetime) -> None:
    tasks.add(tx, kind=jobs.REFUSED, subject_id=booking.id, detail=detail, now=now)


# -- ended by the hospital --------------------------------------------------------------------------
def look(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """Something says that the hospital has ended a registration: ask the HIS, and follow it. Raises Unanswered."""
    booking = store.booking(db, job.subject_id)
    if booking is not None and booking.state == "CANCELLED":
        _look_behind(db, booking, now)
    elif booking is not None:
        _look(db, booking, now)
    return None


def _look_behind(db: Database, booking: Booking, now: datetime) -> None:
    """It has ended here already; the HIS may have taken a payment of ours that we did not know to be in it."""
    payment = payment_of(db, booking)
    if open_fen(db, booking, payment):
        became = fate.look("REGISTRATION", booking.trade_no, payment)
        if isinstance(became, fate.EndedOurs):
            _ended_in_his(db, booking, payment, became.trade, "", now)


def _look(db: Database, booking: Booking, now: datetime) -> None:
    if booking.state not in FIRM or move_store.is_moving(db, booking.id):  # CANCELLING and MOVING ask by themselves
        return
    payment = payment_of(db, booking)
    became = fate.look("REGISTRATION", booking.trade_no, payment)
    match became:
        case fate.Ours(trade):
            settled(db, booking, trade, now)
        case fate.Others():
            if paid_fen(db, booking, payment):
                _doubt(db, booking, "firm with another payment", now)
        case fate.EndedOurs(trade):
            settled(db, booking, trade, now)
            if not _is_stopped(db, booking, trade, now):
                _ended_in_his(db, booking, payment, trade, "", now)
        case fate.EndedOthers(trade):
            _ended_in_his(db, booking, payment, trade, "", now)
        case fate.Dead() | fate.Waiting() | fate.AnotherKinds():
            _doubt(db, booking, "not firm", now)
        case _:
            assert_never(became)


def _is_stopped(db: Database, booking: Booking, trade: Trade, now: datetime) -> bool:
    """Whether it has ended along with its session: then its patient chooses, and what was paid is still theirs.

    Raises Unanswered.
    """
    session = schedule_store.session(db, booking.schedule_id)
    if not trade.stopped or trade.refund_fen or session is None or booking.state != "CONFIRMED":
        return False
    if desk_refunds.begun(booking.trade_no, trade.cancelled_at or now):
        return False
    if session.state == "OPEN":  # heard of this before we heard of the session
        sync.look_at(db, session.his_code, now)
        session = schedule_store.session(db, booking.schedule_id)
    return session is not None and session.state != "OPEN"  # whoever learns of that tells its patients


def _doubt(db: Database, booking: Booking, what: str, now: datetime) -> None:
    with db.transaction() as tx:
        _alarm(tx, booking, f"firm here, {what} in the HIS as {booking.trade_no}. Ends with task.refund, which ends it "
                            "here and gives our payment back, or task.close", now)


def _ended_in_his(db: Database, booking: Booking, payment: Payment | None, trade: Trade, code: str, now: datetime
                  ) -> None:
    """The HIS has cancelled it, and not for us: it ends here. Our payment is the desk refund's or a person's business.

    Raises Unanswered.
    """
    told = desk_refunds.begun(booking.trade_no, trade.cancelled_at or now) if open_fen(db, booking, payment) else []
    with db.transaction() as tx:
        current = store.booking(tx, booking.id, lock=True)
        if current is None or current.state not in ("CANCELLING", "CANCELLED", *FIRM):
            return
        payment = payment_of(tx, current, lock=True)
        settlement_store.of_trade(tx, booking.trade_no, lock=True)  # so that the desk's refund is open or promised
        coming = desk_refunds.not_booked(tx, told)
        kept_fen = open_fen(tx, current, payment) - sum(one.amount_fen for one in coming)
        at_desk = bool(paid_fen(tx, current, payment)) and kept_fen <= 0
        if current.state != "CANCELLED":
            move_ended(tx, current, REFUNDED_AT_DESK if at_desk else ENDED_AT_HOSPITAL, now)
            if not at_desk:
                tell(tx, booking.id, messages.BOOKING_CANCELLED, now=now, note="医院已取消该挂号，详询人工窗口")
        for one in coming:
            desk_refunds.found(tx, one.refund_no, now)
        if kept_fen > 0:
            tasks.add(tx, kind=ENDED, subject_id=booking.id, now=now,
                      detail=f"{code or 'cancelled'} in the HIS as {booking.trade_no} with {trade.refund_fen} fen, and "
                             f"no refund of the desk's explains it; {kept_fen} fen of ours are kept. task.refund gives "
                             "them back; task.close when the desk has paid in another way")


def open_fen(source: Source, booking: Booking, payment: Payment | None) -> int:
    """What of our payment neither goes back nor is promised to the desk."""
    settlement = settlement_store.of_trade(source, booking.trade_no)
    if settlement is not None:
        return settlement.open_fen
    return payment.paid_fen - payment.refunding_fen if payment is not None and payment.state == "PAID" else 0


def heard(tx: Transaction, trade_no: str, now: datetime) -> None:
    """An event says that the hospital has ended a registration: it is looked at."""
    booking = store.of_trade(tx, trade_no)
    if booking is not None and booking.state in FIRM:
        outbox.publish(tx, LOOK, booking.id, due=now, now=now)


def find(db: Database, now: datetime) -> int:
    """Look through the HIS's lists of what was cancelled for registrations that no event told of; how many.

    Raises Unanswered.
    """
    with odd_rows.reading(db, "trade", now) as odd:
        return sum([_find(db, hospital_day(now) - timedelta(days=back), odd, now)
                    for back in range(desk_refunds.DAYS_BACK)])


def _find(db: Database, day: date, odd: odd_rows.OddRows, now: datetime) -> int:
    """Through the list of one day; what can't be read is staff's business."""
    told, count = list(his_trades.cancelled_trades(day)), 0
    for one in told:
        if isinstance(one, Odd):
            odd.add(one.number, one.detail, str(day))
    odd.read(str(day))
    numbers = [one.trade_no for one in told
               if not isinstance(one, Odd) and (one.kind, one.state) == ("REGISTRATION", "CANCELLED")]
    for start in range(0, len(numbers), PAGE):
        for booking_id in store.firm_of_trades(db, numbers[start:start + PAGE]):
            with db.transaction() as tx:
                outbox.publish(tx, LOOK, booking_id, due=now, now=now)
            count += 1
    return count


# -- given back at the desk -------------------------------------------------------------------------
def desk_refund(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """The desk has begun to give a registration's fee back, which may have ended it. Raises Unanswered."""
    desk = settlement_store.desk_refund(db, job.subject_id)
    booking = store.of_trade(db, desk.trade_no) if desk is not None else None
    if booking is not None:
        _look(db, booking, now)
    return None


def reversed_at_desk(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """The desk has given money back: a registration whose whole fee is gone has ended in the HIS, and ends here."""
    settlement = settlement_store.by_id(db, job.subject_id)
    if settlement is None or settlement.net_fen:
        return None
    with db.transaction() as tx:
        booking = store.booking(tx, settlement.subject_id, lock=True)
        assert booking is not None
        if booking.state == "CANCELLING":  # that asks the HIS by itself
            return outbox.Again(outbox.BACK_OFF[0])
        if booking.state in FIRM and booking.trade_no == settlement.trade_no:  # not what it was before it was moved
            move_ended(tx, booking, REFUNDED_AT_DESK, now)
    return None


def refund_accepted(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """WeChat has taken a refund on: now the patient is told. Of a refused registration they know already."""
    refund = payment_store.refund(db, job.subject_id)
    payment = payment_store.by_id(db, refund.payment_id) if refund is not None else None
    booking = store.booking(db, payment.subject_id) if payment is not None else None
    if refund is None or payment is None or booking is None:
        return None
    with db.transaction() as tx:
        if refund.purpose.of_desk or refund.purpose.why == CHEAPER or refund.state == "ELSEWHERE":
            tell_refund(tx, refund, payment.account_id, booking.patient_id,
                        wording.about("registration", booking.id), now)
        elif booking.state == "CANCELLED":
            tell(tx, booking.id, messages.BOOKING_CANCELLED, now=now, note=(
                "未在时限内选择，费用已原路退回" if booking.reason == NOT_CHOSEN else "预约已取消，费用原路退回"))
    return None


WORKER: dict[str, outbox.Handler] = {
    "booking.cancel": cancel, LOOK: look, "registration.desk-refund": desk_refund,
    "registration.refund-accepted": refund_accepted, "registration.reversed": reversed_at_desk}
