"""What follows by itself when a patient goes to another place: the HIS moves the registration, or nothing changes.

The HIS moves it in one step, under the new number, with what was paid for the old one. So the rule of
``payment/fate.py`` holds for the new number: while it may still become firm nothing goes back and no place is let go;
once it is dead, the registration is what it was, and what was paid besides goes back.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from typing_extensions import assert_never

from hospital.booking import changes, ending, jobs, move_store, rules, store
from hospital.booking.model import DOUBLED, LOOK, Booking, Move
from hospital.booking.tell import refund_accepted, tell
from hospital.database import outbox, policy, tasks
from hospital.database.connection import Database, Duplicate, Transaction
from hospital.gateways.his import registrations as his_registrations
from hospital.gateways.his import trades as his_trades
from hospital.gateways.his.trades import Trade
from hospital.gateways.outcome import Rejected, Unanswered
from hospital.messages import service as messages
from hospital.payment import expiry, fate, refunds, settlement_store, settlements
from hospital.payment import store as payment_store
from hospital.payment.model import CANCELLED, CHEAPER, MOVE, REGISTRATION, REJECTED, Item, Payment, Purpose
from hospital.runtime import log
from hospital.schedules import rules as schedule_rules
from hospital.schedules import store as schedule_store
from hospital.site import store as site

TASKS = (outbox.hanging("move.carry-out"), outbox.hanging("move.paid"))  # those that ``task.refund`` ends


def _kill(source: store.Source, one: Move) -> fate.Decided:
    """Make the new number useless in the HIS, or hear what it has become there. Raises Unanswered."""
    return fate.kill("REGISTRATION", his_registrations.unlock, one.trade_no, _along(source, one))


def _along(source: store.Source, one: Move) -> Payment | None:
    """The payment that goes along with a move: what the registration was paid with."""
    booking = store.booking(source, one.booking_id)
    assert booking is not None
    return ending.payment_of(source, booking)


# -- not paid in time -------------------------------------------------------------------------------
def expire(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """A move's time is over: make sure that it can't be paid any more, then let its place go. Raises Unanswered."""
    return expiry.expire(db, _UNPAID, job.subject_id, now)


def _until(source: store.Source, move_id: str, lock: bool) -> datetime | None:
    if lock:  # in the order in which everybody locks: the registration first
        before = move_store.by_id(source, move_id)
        store.booking(source, before.booking_id if before is not None else "", lock=True)
    one = move_store.by_id(source, move_id, lock=lock)
    return one.expires_at if one is not None and one.state in ("HELD", "AWAITING_PAYMENT") else None


def _kill_unasked(source: store.Source, move_id: str) -> fate.NotOurs:
    """Of one that waits for its payment: the HIS was never asked to move it. Raises Unanswered."""
    one = move_store.by_id(source, move_id)
    assert one is not None
    return fate.kill_unasked("REGISTRATION", his_registrations.unlock, one.trade_no, _along(source, one))


def _release(tx: Transaction, move_id: str, proof: fate.NotOurs | None, now: datetime) -> None:
    one = move_store.by_id(tx, move_id, lock=True)
    assert one is not None
    move_store.move(tx, one, "RELEASED", now, reason="EXPIRED")
    schedule_store.give_back(tx, one.id, on_sale_at=None, sold_elsewhere=isinstance(proof, fate.Others), now=now)
    if proof is None:
        outbox.publish(tx, "move.unlock", one.id, due=now, now=now)


_UNPAID = expiry.Unpaid(MOVE, _until, _kill_unasked, _release)


def unlock(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """Give the place back in the HIS too. Always sent: a lock may have arrived there without an answer."""
    one = move_store.by_id(db, job.subject_id)
    if one is not None and one.state == "RELEASED" and not isinstance(_kill(db, one), fate.Dead):
        with db.transaction() as tx:
            tasks.add(tx, kind="booking.unlock-refused", subject_id=one.booking_id, now=now,
                      detail=f"firm in the HIS as {one.trade_no}, given up here before it was moved. Ends with "
                             "task.close")
            outbox.publish(tx, "schedule.refresh", one.schedule_id, due=now, now=now)
    return None


# -- moved ------------------------------------------------------------------------------------------
def paid(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """The difference is there: move, or give it back when it came too late. Raises Unanswered."""
    with db.transaction() as tx:
        one = move_store.by_id(tx, job.subject_id)
        booking = store.booking(tx, one.booking_id if one is not None else "", lock=True)
        one = move_store.by_id(tx, job.subject_id, lock=True)
        assert one is not None and booking is not None
        if one.state == "AWAITING_PAYMENT":
            move_store.move(tx, one, "MOVING", now)
    if one.state == "RELEASED":
        _refuse_late(db, one, "PAID_TOO_LATE", now)
    return carry_out(db, job, now)


def carry_out(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """Have the HIS move it. Raises Unanswered: it is tried again under the same number, in the end a staff task."""
    one = move_store.by_id(db, job.subject_id)
    booking = store.booking(db, one.booking_id) if one is not None else None
    if one is None or booking is None or one.state != "MOVING":
        return None
    along, extra = ending.payment_of(db, booking), payment_store.of_subject(db, MOVE, one.id)
    if booking.state != "CONFIRMED" or booking.trade_no != one.from_trade_no:
        _decide(db, one, along, _kill(db, one), "NOT_CONFIRMED", now)
    elif extra is not None and extra.paid_fen != one.difference_fen:
        _decide(db, one, along, _kill(db, one), "AMOUNT_DIFFERS", now)
    else:
        try:
            trade = _move_in_his(one, along, extra)
        except Rejected as refusal:
            log.event("his.refused", operation="move", move_id=one.id, code=refusal.code)
            _decide(db, one, along, _kill(db, one), refusal.code, now)
        except Unanswered:
            became = fate.look("REGISTRATION", one.trade_no, along)
            if isinstance(became, (fate.Waiting, fate.AnotherKinds)):
                raise
            _decide(db, one, along, became, "TRADE_CLOSED", now)
        else:
            _decide(db, one, along, fate.Ours(trade), "", now)
    return None


def _move_in_his(one: Move, along: Payment | None, extra: Payment | None) -> Trade:
    difference: dict[str, Any] | None = None
    if extra is not None and extra.transaction_id and extra.paid_at:
        difference = {"trade_no": one.difference_trade_no,
                      **his_trades.payment_part(extra.transaction_id, extra.paid_fen, extra.paid_at)}
    return his_registrations.move(one.trade_no, from_trade_no=one.from_trade_no, difference=difference,
                                  transaction_id=along.transaction_id if along is not None else None)


def _decide(db: Database, one: Move, along: Payment | None, became: fate.Decided, code: str, now: datetime) -> None:
    """A move ends its waiting as the HIS has decided: the registration is elsewhere, or nothing has changed."""
    match became:
        case fate.Ours(trade):
            _record(db, one, along, trade, now)
        case fate.EndedOurs(trade):  # the hospital has ended it since: followed like any other
            _record(db, one, along, trade, now)
            with db.transaction() as tx:
                outbox.publish(tx, LOOK, one.booking_id, due=now, now=now)
        case fate.Dead() | fate.Others() | fate.EndedOthers() | fate.AnotherKinds():
            _refuse(db, one, became, code, now)
        case _:
            assert_never(became)


def _record(db: Database, one: Move, along: Payment | None, trade: Trade, now: datetime) -> None:
    """The HIS has moved it: the registration is under the new number, in the new place, and so is its money."""
    with db.transaction() as tx:
        booking = store.booking(tx, one.booking_id, lock=True)
        current = move_store.by_id(tx, one.id, lock=True)
        assert booking is not None and current is not None
        if current.state != "MOVING":
            return
        payment = payment_store.by_id(tx, along.id, lock=True) if along is not None else None
        extra = payment_store.of_subject(tx, MOVE, one.id, lock=True)
        move_store.move(tx, current, "DONE", now)
        move_store.close_choice(tx, booking.id, "MOVED", now)
        store.note(tx, booking, "MOVED", now)
        if payment is not None and settlement_store.of_trade(tx, booking.trade_no) is None:
            jobs.settle_fee(tx, booking, payment, now, now)  # firm since before there were settlements
        _reseat(tx, booking, current, trade, now)
        moved = store.booking(tx, booking.id)
        assert moved is not None
        if payment is not None:
            _settle(tx, moved, current, payment, extra, trade.settled_at or now, now)
        changes.confirmed(tx, booking.id, trade, now)
        for kind in TASKS:
            tasks.settle(tx, kind=kind, subject_id=one.id, note="moved", now=now)
        outbox.publish(tx, "schedule.changed", moved.schedule_id, due=now, now=now)  # stopped or moved meanwhile?
        if (session := schedule_store.session(tx, moved.schedule_id)) is not None and session.state != "OPEN":
            outbox.publish(tx, "schedule.ended", session.id, due=now, now=now)
        tell(tx, booking.id, messages.BOOKING_CONFIRMED, now=now, key=f".{one.id}", note="已改约，请按新时间就诊")
    log.event("booking.moved", booking_id=one.booking_id, move_id=one.id)


def _reseat(tx: Transaction, booking: Booking, one: Move, trade: Trade, now: datetime) -> None:
    """The registration is what its new place is."""
    before = schedule_store.session(tx, booking.schedule_id)
    schedule_store.give_back(tx, booking.id, on_sale_at=None, now=now,
                             sold_elsewhere=before is None or before.state != "OPEN")
    move_store.hand_place_over(tx, one.id, booking.id, now)
    slot = schedule_store.slot(tx, one.slot_id)
    assert slot is not None
    session = schedule_store.session(tx, slot["schedule_id"])
    assert session is not None
    starts_at = rules.start_of(slot["starts_at"], session.visit_date, session.starts_at)
    place = {
        "slot_id": one.slot_id, "schedule_id": session.id, "doctor_id": session.doctor_id,
        "visit_date": session.visit_date, "period": session.period, "starts_at": starts_at,
        "clinic_room": session.clinic_room, "trade_no": one.trade_no, "fee_fen": one.fee_fen, "his_locked": 1,
        "free_cancel_until": None, "hold_until": one.hold_until,
        "cancel_until": schedule_rules.cancel_deadline(session.visit_date, starts_at, policy.load(tx)),
        "visit_number": str(trade.visit_number or "")[:20],
        "location": " ".join(part for part in (trade.location, trade.clinic_room) if part)[:200]}
    try:
        store.reseat(tx, booking.id, {**place, "beside": ""})
        store.not_doubled(tx, booking, now)
    except Duplicate as other:  # the patient has taken one like it since the place was held
        store.reseat(tx, booking.id, {**place, "beside": booking.id})
        tasks.add(tx, kind=DOUBLED, subject_id=booking.id, now=now,
                  detail=f"moved to where the patient has another registration ({other.key})")
    store.stand_alone(tx, booking, now)


def _settle(tx: Transaction, moved: Booking, one: Move, payment: Payment, extra: Payment | None, settled_at: datetime,
            now: datetime) -> None:
    """What was paid is in the HIS's books under the new number; what it costs less goes back."""
    out_fen = settlements.moved(tx, one.from_trade_no, now)
    less_fen = max(0, -one.difference_fen)
    _take_in(tx, moved, payment, one.id, one.trade_no, out_fen - less_fen, settled_at, now)
    if less_fen:
        refunds.request(tx, payment, amount_fen=less_fen, purpose=Purpose(CHEAPER, one.id), reason="改约退差价",
                        now=now)
    if extra is not None:
        _take_in(tx, moved, extra, f"{one.id}-D", one.difference_trade_no, extra.paid_fen, settled_at, now)


def _take_in(tx: Transaction, moved: Booking, payment: Payment, part: str, trade_no: str, fen: int,
             settled_at: datetime, now: datetime) -> None:
    if fen <= 0:
        return
    room = schedule_store.rooms(tx, [moved.schedule_id])[moved.schedule_id]
    department = site.names_of_his(tx).get(room["his_department"], ("", ""))[1]
    fee = Item(1, "REGISTRATION", "REG", "门诊挂号费", "", "次", 1, fen, fen, department)
    settlements.record(tx, kind=REGISTRATION, subject_id=moved.id, trade_no=trade_no, payment=payment,
                       patient_id=moved.patient_id, amount_fen=fen, department_name=department, items=[fee],
                       settled_at=settled_at, now=now, part=part)


# -- not moved --------------------------------------------------------------------------------------
def _refuse(db: Database, one: Move, proof: fate.NotOurs, code: str, now: datetime) -> None:
    """Nothing has changed, and never will under this number (the proof): what was paid besides goes back."""
    elsewhere = isinstance(proof, fate.Others)
    with db.transaction() as tx:
        booking = store.booking(tx, one.booking_id, lock=True)
        current = move_store.by_id(tx, one.id, lock=True)
        assert booking is not None and current is not None
        if current.state not in ("MOVING", "RELEASED"):
            return
        extra = payment_store.of_subject(tx, MOVE, one.id, lock=True)
        move_store.move(tx, current, "REJECTED", now, reason=code)
        schedule_store.give_back(tx, one.id, on_sale_at=None, now=now, sold_elsewhere=elsewhere)
        if extra is not None and extra.state == "PAID" and extra.paid_fen > extra.refunding_fen:
            refunds.request(tx, extra, amount_fen=extra.paid_fen, purpose=Purpose(REJECTED), reason="改约未成功退费",
                            now=now)
        for kind in TASKS:
            tasks.settle(tx, kind=kind, subject_id=one.id, note="not moved", now=now)
        if code in ending.ALARMING or not isinstance(proof, fate.Dead):
            tasks.add(tx, kind=jobs.REFUSED, subject_id=booking.id, now=now,
                      detail=f"{code} at the move, {type(proof).__name__} in the HIS as {one.trade_no}; what was paid "
                             "besides goes back by itself. Ends with task.close")
        outbox.publish(tx, "schedule.refresh", one.schedule_id, due=now, now=now)
        outbox.publish(tx, LOOK, booking.id, due=now, now=now)
        if current.state == "MOVING":
            tell(tx, booking.id, messages.BOOKING_FAILED, now=now, key=f".{one.id}",
                 note="改约未成功，原预约保留，请再选择")


def _refuse_late(db: Database, one: Move, code: str, now: datetime) -> None:
    proof = _kill(db, one)
    if isinstance(proof, (fate.Ours, fate.EndedOurs)):
        raise Unanswered("his: moved with money that it was never told of")
    _refuse(db, one, proof, code, now)


def refuse(db: Database, move_id: str, reason: str, now: datetime) -> str:
    """Staff's order for a move that hangs: not moved and paid back, unless the HIS has moved it. Raises Unanswered.

    Returns its state after.
    """
    one = move_store.by_id(db, move_id)
    assert one is not None
    if one.state == "MOVING":
        _decide(db, one, _along(db, one), _kill(db, one), reason, now)
    elif one.state == "RELEASED":
        _refuse_late(db, one, reason, now)
    after = move_store.by_id(db, move_id)
    assert after is not None
    return after.state


# -- what was paid besides, of a registration that has ended ------------------------------------------
def give_back(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """A registration has ended, whoever ended it: what it had cost more is taken out of the HIS, and goes back.

    Raises Rejected, Unanswered: it is tried again, in the end a staff task.
    """
    one = move_store.by_id(db, job.subject_id)
    extra = payment_store.of_subject(db, MOVE, job.subject_id)
    if one is None or extra is None:
        return None
    settlement = settlement_store.of_trade(db, one.difference_trade_no)
    if settlement is None or not settlement.open_fen:
        return None
    became = fate.look("REGISTRATION", one.difference_trade_no, extra)
    if isinstance(became, fate.Ours):
        his_registrations.cancel(one.difference_trade_no, reason="患者取消", refund_fen=settlement.amount_fen)
    elif not isinstance(became, fate.EndedOurs) or became.trade.refund_fen != settlement.amount_fen:
        raise Unanswered("his: what was paid besides is not ours to give back")
    with db.transaction() as tx:
        payment = payment_store.by_id(tx, extra.id, lock=True)
        assert payment is not None
        settlements.reverse_rest(tx, one.difference_trade_no, now)
        owed_fen = payment.paid_fen - payment.refunding_fen
        if owed_fen > 0:
            refunds.request(tx, payment, amount_fen=owed_fen, reason="取消挂号退费", now=now,
                            purpose=refunds.next_of(tx, payment, Purpose(CANCELLED)))
    return None


def _booking_of(db: Database, move_id: str) -> Booking | None:
    one = move_store.by_id(db, move_id)
    return store.booking(db, one.booking_id) if one is not None else None


WORKER: dict[str, outbox.Handler] = {
    "move.expire": expire, "move.unlock": unlock, "move.paid": paid, "move.carry-out": carry_out,
    "move.give-back": give_back, "move.refund-accepted": refund_accepted(_booking_of)}
