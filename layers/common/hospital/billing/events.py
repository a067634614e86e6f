"""What the hospital pushes: noted once, then the truth is read from the HIS."""

from __future__ import annotations

from datetime import datetime

from hospital.billing import bill_store
from hospital.billing.tell import tell_new_bill
from hospital.booking import ending
from hospital.database import outbox, tasks
from hospital.database.connection import Database, Duplicate, Transaction
from hospital.gateways.his import bills as his_bills
from hospital.gateways.his import events as his_events
from hospital.patients import access, records
from hospital.patients import store as patients
from hospital.payment import desk_refunds
from hospital.runtime.ids import bounded
from hospital.schedules import store as schedules
from hospital.security import cipher

UNREADABLE = "event.unreadable"  # the staff task about a push that could not be read
AT_ONCE = 500  # pushes that one order takes


def take(db: Database, event: his_events.Event, now: datetime) -> None:
    """Note an event; one that came before changes nothing."""
    cipher.ready()
    with db.transaction() as tx:
        _note(tx, event, now)


def _note(tx: Transaction, event: his_events.Event, now: datetime) -> None:
    try:
        row_id = bill_store.insert_event(tx, event, now)
    except Duplicate:
        return
    if event.type == "DESK_REFUND_REQUESTED" and event.refund_no:
        desk_refunds.found(tx, event.refund_no, now)
    if event.type == "PATIENT_CHANGED" and event.patient_code:
        for patient_id in patients.of_code(tx, event.patient_code):
            outbox.publish(tx, "patient.refresh", patient_id, due=now, now=now)
    if event.type == "REGISTRATION_CANCELLED" and event.trade_no:
        ending.heard(tx, event.trade_no, now)
    if event.is_of_session and (schedule_id := schedules.id_of_code(tx, event.schedule_code or "")):
        outbox.publish(tx, "clinic.look", schedule_id, due=now, now=now)
    if event.bill_no:
        outbox.publish(tx, "bill.read", row_id, due=now, now=now)
    if event.type == "ITEM_EXECUTED":
        outbox.publish(tx, "guide.executed", row_id, due=now, now=now)


def refuse(db: Database, body: bytes, fields: list[str], now: datetime) -> None:
    """Keep a genuine push that can't be read, once, whole and sealed, and tell staff: one task a cause, counted."""
    cipher.ready()
    with db.transaction() as tx:
        what = bill_store.keep_refused(tx, body, fields, now)
        tasks.add(tx, kind=UNREADABLE, subject_id=_cause(what), now=now, detail=f"unreadable: {_cause(what)}")


def _cause(fields: str) -> str:
    """What is wrong with a push, as the subject of its task."""
    return bounded(fields or "no JSON", tasks.SUBJECT)


def read_again(tx: Transaction, subject_id: str, now: datetime) -> tuple[int, int]:
    """Staff's order to read once more all refused pushes of a cause: the program may know more by now.

    How many were taken, and how many are left: those that still can't be read, and what is more than one order takes.
    """
    causes = [fields for fields in bill_store.causes_of_refusal(tx) if _cause(fields) == subject_id]
    taken = left = 0
    for row_id in bill_store.refused_events(tx, causes, subject_id):  # a task from before is about one push: its id
        if taken < AT_ONCE and _take_again(tx, row_id, now):
            taken += 1
        else:
            left += 1
    return taken, left


def _take_again(tx: Transaction, row_id: str, now: datetime) -> bool:
    try:
        event = his_events.read_event(bill_store.refused_event(tx, row_id))
    except his_events.Unreadable:
        return False
    _note(tx, event, now)
    bill_store.mark_taken(tx, row_id, now)
    return True


def read_bill(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """Read the bill that an event spoke of, for when the HIS is silent; tell of a new one. Raises Unanswered."""
    event = bill_store.event(db, job.subject_id)
    if event is None:
        return None
    owners = access.of_code(db, event["patient_code"], "RECORD", now)
    if not owners:
        return None  # nobody here may see it, so nothing of it is read, nor kept
    bill = his_bills.bill(event["bill_no"])
    theirs = bill is not None and any(records.is_theirs(db, patient_id, bill.patient_code, now)
                                      for patient_id in {patient_id for _, patient_id in owners})
    with db.transaction() as tx:
        owners = [one for one in owners if access.may(tx, *one, "RECORD", now)]  # withdrawn or ended meanwhile?
        if bill is None or not theirs or not owners:
            bill_store.forget(tx, event["bill_no"])
            return None
        bill_store.keep(tx, bill, now)
        if event["type"] == "BILL_CREATED" and bill.state == "UNPAID":
            for account_id, patient_id in owners:
                tell_new_bill(tx, account_id, patient_id, bill, now)
    return None


WORKER: dict[str, outbox.Handler] = {"bill.read": read_bill}
