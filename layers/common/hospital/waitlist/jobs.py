"""What follows by itself: offering what has come back, one after the other, and ending what is over.

An offer is a registration that the house has made (HELD) and keeps for some minutes: paying, its end, the HIS's lock
and giving it up are those of any other. When it lapses, its place comes back, and the next one is offered it.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from msgspec.structs import replace

from hospital.booking import rules as booking_rules
from hospital.booking import service as bookings
from hospital.booking import store as booking_store
from hospital.booking.choices import WAITED_FOR
from hospital.booking.model import NewBooking, Offer
from hospital.booking.tell import tell
from hospital.database import outbox, policy
from hospital.database.connection import Database, Duplicate, Row, Transaction
from hospital.messages import service as messages
from hospital.patients import access, proof_store
from hospital.runtime import log
from hospital.runtime.clock import BEIJING
from hospital.runtime.errors import AppError
from hospital.runtime.ids import new_id
from hospital.schedules import kept_store as kept
from hospital.schedules import rules as schedule_rules
from hospital.schedules import store as schedule_store
from hospital.schedules.model import Session
from hospital.security import audit
from hospital.waitlist import rules, store
from hospital.waitlist.model import ALREADY, LET_GO, OVER, STOPPED, Entry
from hospital.waitlist.service import END, end
from hospital.waitlist.tell import tell_ended

AT_ONCE = 100  # offers and skips in one run; then the row comes back


# -- offering ---------------------------------------------------------------------------------------
def offer(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """Places of a session are kept: offer each to who is next; when nobody is left they are sold."""
    settings = policy.load(db)
    for _ in range(AT_ONCE):
        session = schedule_store.session(db, job.subject_id)
        if session is None or session.state != "OPEN":
            return None  # who waits is told by the session's end
        place = store.kept_place(db, session.id, after=schedule_rules.earliest_start(now, settings))
        if place is None:
            return None
        first = store.first(db, session)
        if first is None:
            _sell(db, session, settings, now)
            return None
        morning = rules.quiet_until(now, session.starts_at, settings)
        if morning is not None:
            return outbox.Again(morning - now)
        _offer(db, first, session, place, settings, now)
    return outbox.Again(timedelta(0))


def _sell(db: Database, session: Session, settings: policy.Policy, now: datetime) -> None:
    with db.transaction() as tx:
        kept.count_again(tx, [session.id], now=now,
                         on_sale_at=schedule_rules.on_sale_again(now, settings, random.random()))


def _offer(db: Database, first: Entry, session: Session, place: Row, settings: policy.Policy, now: datetime) -> None:
    """One place to who is next, or why they can't have it; nothing when either has changed since it was looked at."""
    order = NewBooking(first.patient_id, session.id, place["id"], session.fee_fen)
    with db.transaction() as tx:
        bound, found = booking_store.lock_and_look(tx, order, first.account_id, settings, after=now,
                                                   since=now - booking_rules.DAY, now=now, tries=1)
        sessions = [one.id for one in store.covered(tx, first.wish, lock=True)]
        entry = store.entry(tx, first.id, lock=True)
        if entry is None or entry.state != "WAITING" or found is None or not found.places:
            return
        refusal = _refusal(tx, entry, bound, found, settings, now)
        if refusal:
            store.move(tx, entry, "SKIPPED", now, reason=refusal)
            tell_ended(tx, entry, refusal, now)
        else:
            booking_id = new_id()
            if not store.take_kept(tx, place["id"], booking_id, now):
                return
            until = rules.offer_ends(now, place["starts_at"], settings)
            booking = bookings.held(booking_id, order, found, found.places[0], account_id=entry.account_id, until=until,
                                    settings=settings, now=now, waitlist_id=entry.id)
            booking_store.insert(tx, booking, now)
            store.move(tx, entry, "OFFERED", now, booking_id=booking_id)
            audit.record(tx, actor="system", action="waitlist.offer", subject=booking_id, result="done", now=now)
            outbox.publish(tx, "booking.expire", booking_id, due=until, now=now)
            verb = "支付" if booking.needs_payment else "确认"
            tell(tx, booking_id, messages.WAITLIST_OFFER, now=now,
                 note=f"请于{until.astimezone(BEIJING):%H:%M}前{verb}，过时让给下一位")
        kept.count_again(tx, sessions, now=now,
                         on_sale_at=schedule_rules.on_sale_again(now, settings, random.random()))
    log.event("waitlist.offer", entry_id=first.id, schedule_id=session.id, refused=refusal)


def _refusal(tx: Transaction, entry: Entry, bound: Row | None, found: Offer, settings: policy.Policy, now: datetime
             ) -> str:
    """Why who is next can't have a place now: a code; empty when they can.

    What they hold unpaid, or have given up lately, is not asked: they did not choose the moment.
    """
    try:
        access.may_act(bound, found.consents, "REGISTER", settings, now)
        bookings.check_blocks(tx, entry.patient_id, bound, found, settings, now)
    except AppError as refusal:
        return refusal.code
    counts = replace(found.counts, unpaid=0, given_up=0)
    limit = (booking_rules.too_many(counts.live, counts.that_day, settings)
             or booking_rules.too_many_unpaid(counts, settings, now))
    if limit is not None:
        return limit.code
    return ALREADY if booking_store.in_the_way(tx, entry.patient_id, found.schedule_id) else ""


def back(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """A place that was offered was none after all (sold at the window): who got it waits again, where they stood."""
    found = store.entry(db, job.subject_id)
    booking = booking_store.booking(db, found.booking_id) if found is not None and found.booking_id else None
    if found is None or booking is None or booking.state != "RELEASED":
        return None
    try:
        with db.transaction() as tx:
            sessions = store.covered(tx, found.wish, lock=True)
            current = store.entry(tx, found.id, lock=True)
            if current is None or (current.state, current.booking_id) != ("OFFERED", booking.id):
                return None
            store.move(tx, current, "WAITING", now, booking_id=None)
            kept.count_again(tx, [one.id for one in sessions], now=now)
            outbox.publish(tx, END, found.id, due=max(one.ends_at for one in sessions), now=now)
    except Duplicate:  # they have joined anew
        log.event("waitlist.back", entry_id=found.id, joined_anew=True)
    return None


# -- ending -----------------------------------------------------------------------------------------
def over(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """What an entry is for is over: it ends. Put off meanwhile, it goes on."""
    found = store.entry(db, job.subject_id)
    if found is None or found.state != "WAITING":
        return None
    last = max((one.ends_at for one in store.covered(db, found.wish)), default=now)
    if last > now:
        return outbox.Again(last - now)
    with db.transaction() as tx:
        end(tx, found, "ENDED", OVER, now)
    return None


def stopped(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """A session takes place no more: who waits for it is told, unless the doctor has another one on their day."""
    session = schedule_store.session(db, job.subject_id)
    if session is None or session.state == "OPEN":
        return None
    for entry in store.waiting_for(db, session):
        if not any(one.state == "OPEN" and one.ends_at > now for one in store.covered(db, entry.wish)):
            with db.transaction() as tx:
                if end(tx, entry, "ENDED", STOPPED, now).state == "WAITING":
                    tell_ended(tx, entry, STOPPED, now)
    return None


def let_go(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """An account may act for a patient no more: it waits for nothing in their name."""
    binding = proof_store.binding(db, job.subject_id)
    if binding is None or access.may(db, binding.account_id, binding.patient_id, "REGISTER", now):
        return None
    for entry_id in store.of_binding(db, binding.account_id, binding.patient_id):
        found = store.entry(db, entry_id)
        if found is not None:
            with db.transaction() as tx:
                end(tx, found, "LEFT", LET_GO, now)
    return None


WORKER: dict[str, outbox.Handler] = {
    kept.OFFER: offer, bookings.BACK_TO_WAIT: back, END: over, WAITED_FOR: stopped, "waitlist.let-go": let_go}
