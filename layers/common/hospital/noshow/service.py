"""After a session the HIS says who came; who did not is told the rule and the count, and past it may not book.

What was checked in has come. What the hospital called off or changed counts for nobody. Each missed visit leads to one
block at most; a correction of the HIS takes it back, and with it the block that would not have been without it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from hospital.booking import store as bookings
from hospital.booking.model import Booking
from hospital.booking.tell import tell
from hospital.database import odd_rows, policy, tasks
from hospital.database.connection import Database, Transaction
from hospital.gateways.his.attendance import Attendance, attendance_of
from hospital.gateways.his.wire import Odd
from hospital.gateways.outcome import Rejected, Unanswered
from hospital.messages import service as messages
from hospital.noshow import rules, store
from hospital.noshow.blocking import block, tell_lifted
from hospital.noshow.model import By, NoShow
from hospital.patients import proof_store, record_store
from hospital.runtime import log
from hospital.runtime.clock import hospital_day
from hospital.runtime.ids import new_id
from hospital.schedules import store as schedules
from hospital.security import audit, cipher

UNKNOWN = "attendance.unknown"  # the kind of the task: the HIS has not said who came
PAGE = 200  # numbers that are looked up at once


# -- asking the HIS ---------------------------------------------------------------------------------
def look(db: Database, now: datetime) -> int:
    """Ask who came on the last days, today too, and follow it; how many registrations are decided or corrected.

    A day without an answer is asked for again; what is not known after ``no_show_ask_days`` is a task. Raises
    Unanswered when the HIS answers for no day at all.
    """
    cipher.ready()
    settings, decided, silent = policy.load(db), 0, list[Unanswered | Rejected]()
    over = now - timedelta(minutes=settings.no_show_grace_minutes)
    days = [hospital_day(now) - timedelta(days=back) for back in range(settings.no_show_ask_days + 1)]
    asked = [day for day in days if store.is_any_firm(db, day, over)]
    with odd_rows.reading(db, "attendance", now) as odd:
        for day in asked:
            try:
                decided += _look(db, day, odd, settings, now)
            except (Unanswered, Rejected) as none:
                log.event("his.unanswered", operation="attendance", day=str(day), reason=none.reason)
                silent.append(none)
            else:
                odd.read(str(day))
    for day in asked:
        decided += _checked_in(db, day, over, settings, now)
    _say_unknown(db, days[-1], over, now)
    if silent and len(silent) == len(asked):
        raise silent[0]
    return decided


def _look(db: Database, day: date, odd: odd_rows.OddRows, settings: policy.Policy, now: datetime) -> int:
    decided, page = 0, list[Attendance]()
    for one in attendance_of(day):
        if isinstance(one, Odd):
            odd.add(one.number, one.detail, str(day))
        else:
            page.append(one)
        if len(page) == PAGE:
            decided += _follow(db, page, settings, now)
            page = []
    return decided + _follow(db, page, settings, now)


def _follow(db: Database, told: Iterable[Attendance], settings: policy.Policy, now: datetime) -> int:
    states = {one.trade_no: one.state for one in told}
    known = store.of_trades(db, list(states))
    news = [(row["id"], states[number]) for number, row in known.items()
            if (states[number] == "ATTENDED" and row["attendance"] != "ATTENDED")
            or (states[number] == "ABSENT" and row["attendance"] is None)]
    return sum(decide(db, booking_id, state, settings, now) for booking_id, state in news)


def _checked_in(db: Database, day: date, over: datetime, settings: policy.Policy, now: datetime) -> int:
    """Who checked in has come, whether the HIS says so or not."""
    return sum(decide(db, row["id"], "ATTENDED", settings, now) for row in store.undecided(db, day, over)
               if row["state"] == "CHECKED_IN")


def _say_unknown(db: Database, day: date, over: datetime, now: datetime) -> None:
    """Of a day that is asked for no more, what is still not known is staff's to clear: it counts for nobody."""
    left = store.undecided(db, day, over)
    with db.transaction() as tx:
        if left:
            tasks.add(tx, kind=UNKNOWN, subject_id=str(day), now=now,
                      detail=f"the HIS has not said whether {len(left)} patients came, {left[0]['id']} first; they "
                             "are not counted as missed. Ends with task.close")
        else:
            tasks.settle(tx, kind=UNKNOWN, subject_id=str(day), note="known", now=now)


# -- deciding ---------------------------------------------------------------------------------------
def decide(db: Database, booking_id: str, told: str, settings: policy.Policy, now: datetime) -> bool:
    """A registration was attended or not, as the HIS says now. False: nothing is new, or it does not count."""
    with db.transaction() as tx:
        booking = bookings.booking(tx, booking_id, lock=True)
        if booking is None or booking.state not in ("CONFIRMED", "CHECKED_IN"):
            return False
        if told == "ATTENDED" or booking.state == "CHECKED_IN":
            if booking.attendance == "ATTENDED":
                return False
            bookings.reseat(tx, booking.id, {"attendance": "ATTENDED"})
            missed = store.of_booking(tx, booking.id)
            if missed is not None:
                take_back(tx, missed, "HIS", now)
            return True
        session = schedules.session(tx, booking.schedule_id)
        if (booking.attendance is not None or session is None or not rules.is_over(session, now, settings)
                or not rules.counts(booking, session)):
            return False
        bookings.reseat(tx, booking.id, {"attendance": "ABSENT"})
        _missed(tx, booking, settings, now)
    return True


def _missed(tx: Transaction, booking: Booking, settings: policy.Policy, now: datetime) -> None:
    record_store.lock(tx, booking.patient_id)  # one at a time for a person, or a count would be passed together
    proven = proof_store.has_proven(tx, booking.account_id, booking.patient_id, settings.bindings_before_proof)
    store.insert(tx, NoShow(new_id(), booking.id, booking.account_id, booking.patient_id, booking.visit_date,
                            int(proven), None, None), now)
    audit.record(tx, actor="system", action="no-show", subject=booking.id, result="done", now=now)
    counted = store.counted(tx, booking.patient_id, rules.counted_since(booking.visit_date, settings))
    mine = [one for one in counted if (one.is_proven if proven else one.account_id == booking.account_id)]
    tell(tx, booking.id, messages.NO_SHOW, now=now, note=rules.missed_note(len(mine), settings))
    limit, own = settings.no_shows_to_block, [one for one in counted if one.is_proven]
    if limit and proven and len(own) >= limit:
        block(tx, booking.patient_id, own, "ALL", rules.block_ends(now, settings), now)
    elif limit and not proven and len(counted) >= limit:
        strangers = [one for one in counted if not one.is_proven]
        block(tx, booking.patient_id, strangers, "UNPROVEN", rules.block_ends(now, settings), now)


def take_back(tx: Transaction, missed: NoShow, by: By, now: datetime) -> bool:
    """A missed visit counts no more, and the block that it led to goes; its patient is told. False: it was before."""
    record_store.lock(tx, missed.patient_id)
    if not store.take_back(tx, missed.id, by, now):
        return False
    audit.record(tx, actor="system", action="no-show.taken-back", subject=missed.booking_id, result=by.lower(), now=now)
    tell(tx, missed.booking_id, messages.NO_SHOW, now=now, key=".back", note="医院已更正，本次不算爽约")
    led_to = store.no_show(tx, missed.id)
    if led_to is not None and led_to.block_id is not None:
        row = store.block(tx, led_to.block_id, lock=True)
        if row is not None and store.left_of(tx, row["id"]) < row["missed"]:
            store.free(tx, row["id"])
            if store.lift(tx, row["id"], by, now):
                tell_lifted(tx, row, now)
    return True
