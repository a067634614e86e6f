"""Check-in (取号、报到): a patient who has arrived gets a place in the queue, and pays what is still to be paid.

The HIS decides; it knows no number that could be killed for a check-in, so a refusal is believed only
together with what the trade check says of the registration (``payment/fate.py``), and a payment goes back only
after both.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from typing_extensions import assert_never

from hospital.booking import store as bookings
from hospital.booking.jobs import settle_fee
from hospital.booking.model import LOOK, Booking
from hospital.booking.tell import refund_accepted, tell
from hospital.checkin import store
from hospital.checkin.model import CheckIn
from hospital.checkin.rules import checkin_refusal, checkin_window
from hospital.database import outbox, policy, tasks
from hospital.database.connection import Database, Transaction
from hospital.gateways.his import registrations as his_registrations
from hospital.gateways.his import trades as his_trades
from hospital.gateways.outcome import Rejected, Unanswered
from hospital.messages import service as messages
from hospital.patients import access as patients
from hospital.patients import store as patient_store
from hospital.payment import expiry, fate, refunds
from hospital.payment import service as payments
from hospital.payment import store as payment_store
from hospital.payment.model import CHECKIN, REJECTED, Payment, Purpose
from hospital.runtime import log
from hospital.runtime.errors import Conflict, NotFound, Unavailable
from hospital.runtime.ids import new_id
from hospital.schedules import store as schedule_store
from hospital.schedules import sync as schedules
from hospital.security import audit, limits

FIRST_TRY = timedelta(seconds=15)  # the request itself tries at once; the worker, when that failed

QUEUE_WATCH = "queue.watch"  # the room of queues looks from now on whether their turn is near
QUEUE_FIRST_LOOK = timedelta(minutes=1)
TASKS = (outbox.hanging("checkin.carry-out"), outbox.hanging("checkin.paid"))  # those that ``task.refund`` ends
ALARMING = {"TRADE_UNKNOWN", "AMOUNT_MISMATCH", "PAYMENT_CONFLICT", "TRADE_CONFLICT"}  # the books differ
REFUSALS = {
    "CHECKIN_TOO_EARLY": ("checkin_too_early", "尚未到取号时间，请稍后再试。"),
    "SESSION_OVER": ("session_over", "本次出诊已结束，请到人工窗口办理。"),
    "SCHEDULE_STOPPED": ("session_stopped", "该医生本次出诊已停诊，请到人工窗口办理退号或改号。"),
    "NOT_CONFIRMED": ("not_confirmed", "该挂号在医院已失效，请到人工窗口核实。"),
    "PAYMENT_CONFLICT": ("paid_already", "挂号费已在医院缴清，本次支付将原路退回，请重新点击取号。"),
    "FEE_TAKEN": ("not_in_queue", "挂号费已缴清，但医院尚未为您排队，请重新点击取号或到人工窗口办理。"),
}
Proof = fate.NotOurs | fate.Waiting  # of a check-in that the HIS has refused: our payment is not in its books


class CheckInRefused(Conflict):
    """The hospital does not let this patient check in now."""

    code, message = "checkin_refused", "取号未成功，请到人工窗口办理；如已付款，费用将原路退回。"


# -- what the patient does --------------------------------------------------------------------------
def check_in(db: Database, booking_id: str, *, account_id: str, now: datetime) -> dict[str, str] | None:
    """Check in, or open the payment that comes before: what the client needs to pay, or None. Repeatable.

    Raises NotFound, ConsentRequired, Conflict (not the time, not confirmed), CheckInRefused, Unavailable.
    """
    booking = bookings.of_account(db, account_id, booking_id)
    if booking is None:
        raise NotFound("未找到该挂号记录。", code="booking_not_found")
    patients.check(db, account_id, booking.patient_id, "REGISTER", now)
    if booking.state == "CHECKED_IN":
        return None
    if booking.state != "CONFIRMED":
        raise Conflict("该挂号当前不能取号，请刷新后重试。", code="not_confirmed")
    opens, closes = checkin_window(*schedule_store.hours(db, booking.schedule_id), policy.load(db))
    refusal = _stopped(db, booking.schedule_id, now) or checkin_refusal(now, opens, closes)
    if refusal is not None:
        raise Conflict(refusal[1], code=refusal[0])
    checkin = store.live(db, booking_id) or _begin(db, booking, account_id, now)
    if checkin is None:
        return None
    if checkin.state == "AWAITING_PAYMENT":
        if checkin.expires_at <= now:
            raise Unavailable("上一次支付正在关闭，请稍后重试。", code="payment_closing")
        payment = payment_store.of_subject(db, CHECKIN, checkin.id)
        assert payment is not None
        return payments.begin(db, payment, now)
    try:
        carry_out(db, checkin.id, now)
    except Unanswered as silence:  # the worker goes on
        log.event("his.unanswered", operation="check-in", booking_id=booking.id, reason=silence.reason)
        raise Unavailable("医院系统繁忙，正在为您取号，请稍后刷新查看。", code="his_unavailable") from None
    checkin = store.by_id(db, checkin.id)
    if checkin is not None and checkin.state == "REFUSED":
        code, sentence = REFUSALS.get(checkin.reason, (None, None))
        raise CheckInRefused(sentence, code=code)
    return None


def _stopped(db: Database, schedule_id: str, now: datetime) -> tuple[str, str] | None:
    """The refusal when the session does not take place, as the HIS has it now: no fee is taken then.

    What we have it for (GONE, STOPPED) may be old or have come from a list with holes, so the HIS is asked first;
    of a session that it does not know it decides when it is asked to check in.
    """
    session = schedule_store.session(db, schedule_id)
    if session is None or session.state == "OPEN":
        return None
    try:
        schedules.look_at(db, session.his_code, now)
    except Unanswered as silence:
        log.event("his.unanswered", operation="check-in", schedule_id=schedule_id, reason=silence.reason)
        raise Unavailable("医院系统繁忙，请稍后重试。", code="his_unavailable") from None
    session = schedule_store.session(db, schedule_id)
    return REFUSALS["SCHEDULE_STOPPED"] if session is not None and session.state == "STOPPED" else None


def _begin(db: Database, booking: Booking, account_id: str, now: datetime) -> CheckIn | None:
    """A new attempt; None when the patient has checked in elsewhere already."""
    limits.take("orders", account_id, policy.load(db), now)
    try:
        trade = his_trades.check_trade(booking.trade_no)
    except Unanswered as silence:
        log.event("his.unanswered", operation="check-in", booking_id=booking.id, reason=silence.reason)
        raise Unavailable("医院系统繁忙，请稍后重试。", code="his_unavailable") from None
    if trade is None or trade.state != "CONFIRMED":
        with db.transaction() as tx:  # ended at the hospital, it seems: here too, then
            outbox.publish(tx, LOOK, booking.id, due=now, now=now)
        raise CheckInRefused(REFUSALS["NOT_CONFIRMED"][1], code="not_confirmed")
    if trade.checked_in:  # at the machine in the hall
        with db.transaction() as tx:
            _arrived(tx, booking.id, trade, now)
        return None
    unpaid = isinstance(fate.fate_of("REGISTRATION", trade, None), fate.Ours)  # else paid at the window meanwhile
    due_fen = booking.fee_fen if booking.payment_policy == "AT_CHECKIN" and unpaid else 0
    with db.transaction() as tx:
        current = bookings.booking(tx, booking.id, lock=True)
        assert current is not None
        if current.state == "CHECKED_IN":  # on another phone, meanwhile
            return None
        if current.state != "CONFIRMED":
            raise Conflict("该挂号当前不能取号，请刷新后重试。", code="not_confirmed")
        other = store.live(tx, booking.id)
        if other is not None:
            return other
        settings = policy.load(tx)
        patients.act_for(tx, account_id, booking.patient_id, "REGISTER", settings, now)
        until = now + timedelta(minutes=settings.order_pay_minutes)
        checkin = CheckIn(new_id(), booking.id, account_id, "AWAITING_PAYMENT" if due_fen else "CHECKING_IN", "",
                          until, now)
        store.insert(tx, checkin)
        audit.by_account(tx, account_id, "checkin.begin", booking.id, now, checkin=checkin.id)
        if due_fen:
            payments.open_order(
                tx, kind=CHECKIN, subject_id=checkin.id, account_id=account_id,
                openid=patient_store.openid_of(tx, account_id), amount_fen=due_fen,
                description=f"取号支付挂号费 {booking.visit_date:%Y-%m-%d}", expires_at=until, now=now)
            outbox.publish(tx, "checkin.expire", checkin.id, due=until, now=now)
        else:
            outbox.publish(tx, "checkin.carry-out", checkin.id, due=now + FIRST_TRY, now=now)
    return checkin


# -- what follows by itself -------------------------------------------------------------------------
def carry_out(db: Database, checkin_id: str, now: datetime) -> outbox.Again | None:
    """Check in at the HIS. Raises Unanswered: it is tried again."""
    checkin = store.by_id(db, checkin_id)
    if checkin is None or checkin.state != "CHECKING_IN":
        return None
    booking = bookings.booking(db, checkin.booking_id)
    assert booking is not None
    payment = payment_store.of_subject(db, CHECKIN, checkin.id)
    if payment is not None and payment.paid_fen != booking.fee_fen:
        return _decide(db, booking, checkin, payment, _look(booking, payment), "AMOUNT_DIFFERS", now)
    became, code = _ask_his(booking, payment)
    return _decide(db, booking, checkin, payment, became, code, now)


def _decide(db: Database, booking: Booking, checkin: CheckIn, payment: Payment | None, became: fate.Fate, code: str,
            now: datetime) -> outbox.Again | None:
    """The attempt ends as the HIS has decided: in the queue with our payment (if there was one), or refused."""
    match became:
        case fate.Ours(trade) if trade.checked_in and checkin.state == "CHECKING_IN":
            return _record_done(db, booking, checkin, payment, trade, now)
        case fate.Ours() | fate.EndedOurs() if payment is not None and payment.paid_fen:
            _keep(db, booking, checkin.id, payment.id, became, code, now)
        case fate.Ours() | fate.EndedOurs():
            _refuse(db, checkin.id, code, None, now)
        case fate.Others() | fate.Waiting() | fate.EndedOthers() | fate.Dead() | fate.AnotherKinds():
            _refuse(db, checkin.id, code, became, now)
        case _:
            assert_never(became)
    if isinstance(became, (fate.EndedOurs, fate.EndedOthers, fate.Dead)):  # the hospital has ended it: here too, then
        with db.transaction() as tx:
            outbox.publish(tx, LOOK, booking.id, due=now, now=now)
    log.event("his.refused", operation="check-in", booking_id=booking.id, code=code)
    return None


def _record_done(db: Database, booking: Booking, checkin: CheckIn, payment: Payment | None, trade: his_trades.Trade,
                 now: datetime) -> outbox.Again | None:
    with db.transaction() as tx:
        current = bookings.booking(tx, booking.id, lock=True)
        locked = store.by_id(tx, checkin.id, lock=True)
        assert current is not None and locked is not None
        if locked.state != "CHECKING_IN":
            return None
        if current.state == "CANCELLING":  # the HIS is about to refuse that
            return outbox.Again(outbox.BACK_OFF[0])
        store.move(tx, locked, "DONE", now)
        if payment is not None:
            paid = payment_store.by_id(tx, payment.id, lock=True)
            assert paid is not None
            settle_fee(tx, current, paid, trade.settled_at or trade.checked_in_at or now, now)
        for kind in TASKS:
            tasks.settle(tx, kind=kind, subject_id=checkin.id, note="done", now=now)
        _arrived(tx, booking.id, trade, now)
    return None


def _keep(db: Database, booking: Booking, checkin_id: str, payment_id: str, became: fate.Ours | fate.EndedOurs,
          code: str, now: datetime) -> None:
    """The attempt is over, but the HIS has our payment in its books: nothing goes back from here.

    With the settlement the desk's refund finds what it gives back; ``ending.look`` says what nobody gives back.
    """
    stands = isinstance(became, fate.Ours)
    with db.transaction() as tx:
        current = bookings.booking(tx, booking.id, lock=True)
        checkin = store.by_id(tx, checkin_id, lock=True)
        payment = payment_store.by_id(tx, payment_id, lock=True)
        assert current is not None and payment is not None
        if checkin is None or checkin.state not in ("CHECKING_IN", "EXPIRED"):
            return
        store.move(tx, checkin, "REFUSED", now, reason="FEE_TAKEN" if stands else code)
        settle_fee(tx, current, payment, became.trade.settled_at or now, now)
        for kind in TASKS:
            tasks.settle(tx, kind=kind, subject_id=checkin.id, note="the HIS has the fee", now=now)
        if stands and became.trade.checked_in:
            _arrived(tx, booking.id, became.trade, now)
        elif stands:
            tasks.add(tx, kind="checkin.his-refused", subject_id=checkin.id, now=now,
                      detail=f"{code or 'arrival undone'} at check-in, and the HIS has the fee in its books as "
                             f"{current.trade_no} without the patient in the queue. Nothing goes back. Ends with "
                             "task.close")


def _ask_his(booking: Booking, payment: Payment | None) -> tuple[fate.Fate, str]:
    """How the registration stands once the HIS was told of the arrival; the code of a refusal. Raises Unanswered."""
    part = None
    if payment is not None and payment.transaction_id and payment.paid_at:
        part = his_trades.payment_part(payment.transaction_id, payment.paid_fen, payment.paid_at)
    try:
        return fate.Ours(his_registrations.check_in(booking.trade_no, payment=part)), ""
    except (Rejected, Unanswered) as problem:
        became = _look(booking, payment)
        if isinstance(became, fate.Others) and became.trade.checked_in:
            return became, "PAYMENT_CONFLICT"
        if isinstance(problem, Rejected) or (isinstance(became, fate.Ours) and became.trade.checked_in):
            return became, problem.code if isinstance(problem, Rejected) else ""
        raise


def _look(booking: Booking, payment: Payment | None) -> fate.Fate:
    """How the registration stands; an attempt without a payment has none that could be missing. Raises Unanswered."""
    became = fate.look("REGISTRATION", booking.trade_no, payment)
    return fate.Ours(became.trade) if payment is None and isinstance(became, fate.Others) else became


def _arrived(tx: Transaction, booking_id: str, trade: his_trades.Trade, now: datetime) -> None:
    booking = bookings.booking(tx, booking_id, lock=True)
    if booking is None or booking.state != "CONFIRMED":
        return
    bookings.move(tx, booking, "CHECKED_IN", now, checked_in_at=trade.checked_in_at or now,
               queue_number=(trade.queue_number or "")[:20], queue_place=(trade.queue_place or "")[:100],
               queue_ahead=trade.ahead, late=int(bool(trade.late)))
    outbox.publish(tx, QUEUE_WATCH, booking_id, due=now + QUEUE_FIRST_LOOK, now=now)
    ahead = f"，前面还有{trade.ahead}人" if trade.ahead else "，请到候诊区等候"
    tell(tx, booking_id, messages.CHECKED_IN, now=now, note=f"过号后已排队{ahead}" if trade.late else f"已取号{ahead}")


def refuse(db: Database, checkin_id: str, reason: str, now: datetime) -> str:
    """Staff's order for an attempt that hangs: refused and refunded, unless the HIS has the patient in the queue.

    Returns the attempt's state after. Raises Unanswered.
    """
    checkin = store.by_id(db, checkin_id)
    assert checkin is not None
    booking = bookings.booking(db, checkin.booking_id)
    assert booking is not None
    if checkin.state in ("CHECKING_IN", "EXPIRED"):
        payment = payment_store.of_subject(db, CHECKIN, checkin.id)
        _decide(db, booking, checkin, payment, _look(booking, payment), reason, now)
    checkin = store.by_id(db, checkin_id)
    assert checkin is not None
    return checkin.state


def _refuse(db: Database, checkin_id: str, code: str, proof: Proof | None, now: datetime) -> None:
    """The attempt is over. What was paid with it goes back, by the proof that the HIS has it not (None: nothing was).

    The patient may have arrived without it: at the machine, with another payment.
    """
    arrived = proof.trade if isinstance(proof, fate.Others) and proof.trade.checked_in else None
    with db.transaction() as tx:
        if arrived is not None:  # in the order in which everybody locks: the registration first
            attempt = store.by_id(tx, checkin_id)
            bookings.booking(tx, attempt.booking_id if attempt is not None else "", lock=True)
        checkin = store.by_id(tx, checkin_id, lock=True)
        if checkin is None or checkin.state not in ("CHECKING_IN", "EXPIRED"):
            return
        store.move(tx, checkin, "REFUSED", now, reason=code)
        if code in ALARMING or isinstance(proof, fate.AnotherKinds):
            tasks.add(tx, kind="checkin.his-refused", subject_id=checkin.id, now=now,
                      detail=f"{code} at check-in; what was paid with it goes back by itself. Ends with task.close")
        if code == "SCHEDULE_STOPPED":
            booking = bookings.booking(tx, checkin.booking_id)
            assert booking is not None
            outbox.publish(tx, "schedule.refresh", booking.schedule_id, due=now, now=now)
        for kind in TASKS:
            tasks.settle(tx, kind=kind, subject_id=checkin.id, note="refused", now=now)
        payment = payment_store.of_subject(tx, CHECKIN, checkin.id, lock=True)
        if payment is not None and payment.state == "PAID" and payment.paid_fen:
            assert proof is not None
            refunds.request(tx, payment, amount_fen=payment.paid_fen, purpose=Purpose(REJECTED),
                            reason="取号未成功退费", now=now)
        if arrived is not None:
            _arrived(tx, checkin.booking_id, arrived, now)


def carry_out_job(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """Check in at the HIS."""
    return carry_out(db, job.subject_id, now)


def paid(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """The fee is there: check in, or give it back when it came too late, and the HIS has it not. Raises Unanswered."""
    with db.transaction() as tx:
        checkin = store.by_id(tx, job.subject_id, lock=True)
        assert checkin is not None
        if checkin.state == "AWAITING_PAYMENT":
            store.move(tx, checkin, "CHECKING_IN", now)
    if checkin.state == "EXPIRED":
        refuse(db, checkin.id, "PAID_TOO_LATE", now)
        return None
    return carry_out(db, checkin.id, now)


def expire(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """Not paid in time: make sure that it can't be paid any more, so that the patient may begin anew."""
    return expiry.expire(db, _UNPAID, job.subject_id, now)


def _until(source: store.Source, checkin_id: str, lock: bool) -> datetime | None:
    checkin = store.by_id(source, checkin_id, lock=lock)
    return checkin.expires_at if checkin is not None and checkin.state == "AWAITING_PAYMENT" else None


def _nothing_to_kill(db: Database, checkin_id: str) -> None:
    """The HIS hears of a check-in only when it is paid."""


def _release(tx: Transaction, checkin_id: str, proof: None, now: datetime) -> None:
    checkin = store.by_id(tx, checkin_id, lock=True)
    assert checkin is not None
    store.move(tx, checkin, "EXPIRED", now)


_UNPAID = expiry.Unpaid(CHECKIN, _until, _nothing_to_kill, _release)


def _booking_of(db: Database, checkin_id: str) -> Booking | None:
    one = store.by_id(db, checkin_id)
    return bookings.booking(db, one.booking_id) if one is not None else None


WORKER: dict[str, outbox.Handler] = {
    "checkin.carry-out": carry_out_job, "checkin.paid": paid, "checkin.expire": expire,
    "checkin.refund-accepted": refund_accepted(_booking_of)}
