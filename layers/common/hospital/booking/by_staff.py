"""Staff's orders about a registration on their list."""

from __future__ import annotations

from datetime import datetime

from hospital.booking import ending, jobs, move_store, store
from hospital.booking.model import ENDED_AT_HOSPITAL, FIRM_ELSEWHERE, Booking
from hospital.database import tasks
from hospital.database.connection import Database
from hospital.payment import desk_refunds, fate
from hospital.runtime.errors import Conflict

TASKS = (jobs.REFUSED, ending.ENDED, *jobs.HANGING, *ending.HANGING)


def refund(db: Database, booking_id: str, reason: str, now: datetime) -> str:
    """Staff's order about a registration on their list: give our payment back, unless the HIS has it firm with it.

    Returns the registration's state after. Raises Conflict (the desk gives it back), Unanswered.
    """
    booking = store.booking(db, booking_id)
    assert booking is not None
    if booking.state in ("CONFIRMING", "RELEASED"):
        jobs.refuse(db, booking, reason, now)
    elif booking.state == "CANCELLING":
        ending.cancel_now(db, booking, "", now)
    elif move_store.is_moving(db, booking_id):
        raise Conflict("该挂号正在改约，请稍后再处理。", code="moving")
    elif booking.state in (*ending.FIRM, "CANCELLED"):
        _refund_ended(db, booking, now)
    after = store.booking(db, booking_id)
    assert after is not None
    return after.state


def _refund_ended(db: Database, booking: Booking, now: datetime) -> None:
    payment = ending.payment_of(db, booking)
    became = fate.look("REGISTRATION", booking.trade_no, payment)
    if isinstance(became, (fate.Waiting, fate.AnotherKinds)):
        became = jobs.kill(booking, payment)
    if isinstance(became, fate.Ours):  # it stands: only the patient or the desk may end it
        ending.settled(db, booking, became.trade, now)
        return
    if isinstance(became, fate.EndedOurs):
        ending.settled(db, booking, became.trade, now)
        if ending.open_fen(db, booking, payment):
            desk_refunds.go_first(db, booking.trade_no, became.trade.cancelled_at or now, now)
    with db.transaction() as tx:
        current = store.booking(tx, booking.id, lock=True)
        assert current is not None
        locked = ending.payment_of(tx, current, lock=True)
        if current.state in ending.FIRM:
            elsewhere = isinstance(became, fate.Others)
            ending.move_ended(tx, current, FIRM_ELSEWHERE if elsewhere else ENDED_AT_HOSPITAL, now)
        going_fen = ending.give_rest_back(tx, current, locked, now)
        for kind in (ending.ENDED, jobs.REFUSED):
            tasks.settle(tx, kind=kind, subject_id=booking.id, note=f"{going_fen} fen go back", now=now)
