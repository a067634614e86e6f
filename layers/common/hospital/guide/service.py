"""Where a patient goes next: to the visit, and to everything that was paid and is not done yet."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct

from hospital.billing import bill_store
from hospital.billing import store as billing
from hospital.billing.model import Charge
from hospital.booking.model import Booking
from hospital.database import outbox, policy
from hospital.database.connection import Database
from hospital.gateways import together
from hospital.gateways.his import bills as his_bills
from hospital.gateways.his.bills import Bill, BillItem
from hospital.gateways.outcome import Rejected, Unanswered
from hospital.guide import order, rules, store
from hospital.guide.plan import Place, Plan
from hospital.guide.rules import Due, Errand
from hospital.messages import service as messages
from hospital.messages import wording
from hospital.messages.rules import time_text
from hospital.patients import access
from hospital.patients import store as patients
from hospital.queue import rules as queue_rules
from hospital.queue import service as queues
from hospital.queue.rules import Screen
from hospital.runtime import log
from hospital.runtime.clock import hospital_day
from hospital.schedules import store as schedule_store
from hospital.site import store as site

BILL_SECONDS = 3.0  # for all of them: a patient is looking at the screen
EXECUTED = "guide.executed"
LAST_TRY = 4  # a minute or two later somebody has gone on by themselves


class Leg(Struct, frozen=True):
    """A stop of the way: why it stands there, when one is there, and its queue as it is now."""

    errand: Errand
    why: str
    arrives_at: datetime
    begins_at: datetime
    queue: Screen | None
    wait_minutes: float | None


class Way(Struct, frozen=True):
    """Everything that a patient has paid and that is still to be done.

    ``legs`` in order, ``missed`` can't be done today any more, ``drugs`` are picked up in between, ``done`` are names.
    Not ``live``: the HIS did not say of all what is done already.
    """

    legs: list[Leg]
    missed: list[Errand]
    drugs: list[tuple[Errand, Screen | None]]
    done: list[str]
    live: bool
    as_of: datetime


def way(db: Database, account_id: str, patient_id: str, now: datetime) -> Way:
    """The way through the hospital from now on. Not in a transaction. Raises NotFound, NotProven, ConsentRequired."""
    access.check(db, account_id, patient_id, "RECORD", now)
    since = now - timedelta(days=policy.load(db).guide_days)
    charges = billing.settled_since(db, account_id, patient_id, since)
    asked = together.each(his_bills.bill, [one.bill.bill_no for one in charges], seconds=BILL_SECONDS)
    known = bill_store.known_some(db, [one.bill.bill_no for one in charges])
    plan, due, done, live = store.current(db), list[Due](), list[str](), True
    for charge, answer in zip(charges, asked, strict=True):
        if isinstance(answer, (Rejected, Unanswered)):
            log.event("his.unanswered", operation="bill", reason=answer.reason)
            live = False
        bill = answer if isinstance(answer, Bill) else known.get(charge.bill.bill_no, charge.bill)
        if bill.state in ("REFUNDED", "CANCELLED"):
            continue
        for item in bill.items:
            if item.executed:
                done.append(item.name)
            else:
                due.append(_due(plan, bill, item, charge))
    return _planned(db, plan, due, done, now, live=live)


def _due(plan: Plan, bill: Bill, item: BillItem, charge: Charge) -> Due:
    place = plan.of_his(item.executing_department_code, item.executing_department_name)
    return Due(item.name, bill.kind, place or plan.in_text(item.executing_place),
               item.executing_place or item.executing_department_name, item.executing_department_code,
               charge.pharmacy_window, plan.preparation(item.code, item.name))


def _planned(db: Database, plan: Plan, due: list[Due], done: list[str], now: datetime, *, live: bool) -> Way:
    drugs = rules.errands([one for one in due if one.kind == rules.PHARMACY_KIND])
    some = rules.errands([one for one in due if one.kind != rules.PHARMACY_KIND])
    told = queues.screens(db, [one.queue_code for one in (*some, *drugs) if one.queue_code], now)
    waits = [queue_rules.minutes_at(told[one.queue_code]) if one.queue_code in told else None for one in some]
    found, walk = rules.stops(some, waits, now, hospital_day(now)), rules.walking(plan, some)
    best = order.best(found, walk, now)
    legs = [Leg(some[one.stop], rules.why(some, found, best, at, walk, now), one.arrives_at, one.begins_at,
                told.get(some[one.stop].queue_code), waits[one.stop]) for at, one in enumerate(best.visits)]
    return Way(legs, [some[one] for one in best.missed], [(one, told.get(one.queue_code)) for one in drugs], done,
               live, now)


def place_of_visit(db: Database, plan: Plan, booking: Booking) -> Place | None:
    """Where a registration takes place, as the hospital's places have it."""
    session = schedule_store.session(db, booking.schedule_id)
    if session is None:
        return None
    name, location = site.his_department(db, session.his_department)
    texts = [booking.queue_place, booking.location, location]
    by_text = next((place for text in texts if text and (place := plan.in_text(text)) is not None), None)
    return by_text or plan.of_his(session.his_department, name)


# -- something was done -----------------------------------------------------------------------------
def executed(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """The hospital has done something: whoever follows the way is told of the next stop, once for each that is done."""
    event = bill_store.event(db, job.subject_id)
    for account_id, patient_id in access.of_code(db, event["patient_code"], "RECORD", now) if event else ():
        found = way(db, account_id, patient_id, now)
        if not found.live and job.attempts < LAST_TRY:
            raise Unanswered("his: what is done is not known")
        if not found.live or not found.legs or not found.done:
            continue
        leg, plan = found.legs[0], store.current(db)
        where = plan.where(leg.errand.place) if leg.errand.place is not None else leg.errand.where
        with db.transaction() as tx:
            messages.queue(
                tx, account_id=account_id, patient_id=patient_id, kind=messages.NEXT_STOP,
                key=f"next_stop.{event['bill_no']}.{len(found.done)}.{account_id}" if event else "",
                about=wording.about("way", patient_id), now=now, data={
                    "patient": patients.patient_name(tx, patient_id), "place": where, "note": leg.errand.name,
                    "time": time_text(now)})
    return None


WORKER: dict[str, outbox.Handler] = {EXECUTED: executed}
