"""A session that takes place no more: each patient in it is told at once, and chooses; who does not is paid back.

Told and chosen is worked off by a function of its own (``clinic_changes``, topics ``clinic.…``): a morning of a
thousand patients delays nobody's payment. So many sessions at once that a wrong list is likelier than the truth are
staff's business first.
"""

from __future__ import annotations

from datetime import datetime

from hospital.booking import move_store, rules, store
from hospital.booking.model import LOOK, NOT_CHOSEN, Booking, Move
from hospital.booking.tell import tell
from hospital.database import outbox, policy, tasks
from hospital.database.connection import Database, Duplicate, Transaction
from hospital.messages import service as messages
from hospital.runtime import log
from hospital.runtime.clock import hospital_day
from hospital.schedules import store as schedule_store
from hospital.schedules import sync
from hospital.schedules.model import Session

MANY = "clinic.many-stopped"  # the kind of the task about more sessions than are believed to be stopped at once
SUBJECT = "sessions"
STOPPED = "schedule.stopped"  # that about patients whom only a person can help: they have checked in
WAITED_FOR = "waitlist.stopped"  # an arrow: a session that somebody waits for takes place no more
LOOK_AGAIN = outbox.BACK_OFF[5]


def session_ended(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """A session takes place no more: its patients are told, unless there are so many such that it is doubted."""
    session = schedule_store.session(db, job.subject_id)
    settings, today = policy.load(db), hospital_day(now)
    waiting = move_store.untold(db, today, now)
    known = len(waiting) + move_store.with_patients(db, today, now)
    doubted = rules.is_wave(len(waiting), known, settings)
    with db.transaction() as tx:
        if not doubted:
            tasks.settle(tx, kind=MANY, subject_id=SUBJECT, note="so many no more", now=now)
        if session is None or session.state == "OPEN":
            return None
        if doubted and session.id in waiting:
            tasks.add(tx, kind=MANY, subject_id=SUBJECT, now=now, detail=(
                f"{len(waiting)} of {known} sessions with patients are stopped at once, {session.visit_date} among "
                "them; nobody is told and nothing is paid back. task.retry when it is so"))
            return outbox.Again(LOOK_AGAIN)
        outbox.publish(tx, "clinic.stopped", session.id, due=now, now=now)
        if session.waiting:
            outbox.publish(tx, WAITED_FOR, session.id, due=now, now=now)
    return None


def believe(tx: Transaction, now: datetime) -> int:
    """Staff's word that all sessions that wait are stopped: their patients are told; how many sessions."""
    waiting = move_store.untold(tx, hospital_day(now), now)
    for schedule_id in waiting:
        outbox.publish(tx, "clinic.stopped", schedule_id, due=now, now=now)
    return len(waiting)


def look(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """The hospital has said that something is new about a session: it is read from the HIS. Raises Unanswered."""
    return sync.refresh(db, job, now)


def tell_session(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """Tell each patient of a stopped session, once, and open what they may choose."""
    for booking_id in store.live_of_session(db, job.subject_id):
        with db.transaction() as tx:
            session = schedule_store.session(tx, job.subject_id)
            booking = store.booking(tx, booking_id, lock=True)
            if session is not None and session.state != "OPEN" and booking is not None:
                _tell(tx, booking, session, policy.load(tx), now)
    _say_who_waits(db, job.subject_id, now)
    return None


def _tell(tx: Transaction, booking: Booking, session: Session, settings: policy.Policy, now: datetime) -> None:
    if booking.schedule_id != session.id:  # of a place that has gone to another session since
        return
    if booking.state in ("HELD", "AWAITING_PAYMENT"):
        if booking.expires_at > now:
            store.end_hold(tx, booking.id, now)
            outbox.bring_forward(tx, "booking.expire", booking.id, now)
            tell(tx, booking.id, messages.CLINIC_STOPPED, now=now, note="已停诊，未支付的挂号自动取消")
    elif booking.state == "CONFIRMED" and not move_store.was_told(tx, booking.id, session.id):
        until = rules.choose_until(session.visit_date, now, settings)
        try:
            choice_id = move_store.open_choice(tx, booking.id, session.id, until, now)
        except Duplicate:  # it has one, because of the session that it was in before
            return
        outbox.publish(tx, "clinic.lapse", choice_id, due=until, now=now)
        tell(tx, booking.id, messages.CLINIC_STOPPED, now=now, key=f".{choice_id}", note=rules.choice_note(until))
        log.event("booking.stopped", booking_id=booking.id, schedule_id=session.id)
    elif booking.state == "CHECKED_IN":
        tell(tx, booking.id, messages.CLINIC_STOPPED, now=now, note="已取号，请到人工窗口改号或退号")


def _say_who_waits(db: Database, schedule_id: str, now: datetime) -> None:
    """Who has checked in can be helped by a person only."""
    arrived = store.arrived_of_session(db, schedule_id)
    if arrived:
        with db.transaction() as tx:
            tasks.add(tx, kind=STOPPED, subject_id=schedule_id, now=now,
                      detail=f"stopped with {arrived} patients who have checked in: the window moves or refunds them")


def takes_place(tx: Transaction, session: Session, now: datetime) -> None:
    """The hospital has opened a session again: who has not chosen yet keeps what they had."""
    for choice in move_store.open_of_session(tx, session.id):
        booking = store.booking(tx, choice.booking_id, lock=True)
        if booking is None or not move_store.close_choice(tx, choice.booking_id, "WITHDRAWN", now):
            continue
        tell(tx, booking.id, messages.CLINIC_STOPPED, now=now, key=f".{choice.id}.again",
             note="恢复出诊，原预约继续有效")
        outbox.publish(tx, LOOK, booking.id, due=now, now=now)  # the HIS may have cancelled it meanwhile


def let_go(tx: Transaction, one: Move, now: datetime) -> bool:
    """Give up a move that the HIS was not asked for yet. False when it was: then it is decided there."""
    if one.state == "HELD":
        move_store.move(tx, one, "RELEASED", now, reason="GIVEN_UP")
        schedule_store.give_back(tx, one.id, on_sale_at=None, sold_elsewhere=False, now=now)
        outbox.publish(tx, "move.unlock", one.id, due=now, now=now)
    elif one.state == "AWAITING_PAYMENT":  # WeChat is asked first: they may be paying
        move_store.end_hold(tx, one.id, now)
        outbox.bring_forward(tx, "move.expire", one.id, now)
    return one.state != "MOVING"


def lapse(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """The time to choose is over: who has chosen nothing is paid back, as if they had given it up."""
    with db.transaction() as tx:
        choice = move_store.choice(tx, job.subject_id)
        booking = store.booking(tx, choice.booking_id, lock=True) if choice is not None else None
        choice = move_store.choice(tx, job.subject_id)  # as it is, now that nobody else decides
        if choice is None or booking is None or choice.state != "OPEN":
            return None
        if choice.choose_until > now:
            return outbox.Again(choice.choose_until - now)
        under_way = move_store.live(tx, booking.id)
        if under_way is not None:  # they are choosing: it ends by itself, or the registration is moved
            return outbox.Again(max(outbox.BACK_OFF[3], under_way.expires_at - now))
        move_store.close_choice(tx, booking.id, "LAPSED", now)
        if booking.state == "CONFIRMED":
            store.move(tx, booking, "CANCELLING", now, reason=NOT_CHOSEN)
            outbox.publish(tx, "booking.cancel", booking.id, due=now, now=now)
    return None


WORKER: dict[str, outbox.Handler] = {"schedule.ended": session_ended}
CLINICS: dict[str, outbox.Handler] = {"clinic.look": look, "clinic.stopped": tell_session, "clinic.lapse": lapse}
