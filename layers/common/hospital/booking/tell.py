"""What a patient is told about a registration."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from hospital.booking import store
from hospital.booking.model import Booking
from hospital.database import outbox
from hospital.database.connection import Database, Transaction
from hospital.messages import service as messages
from hospital.messages import wording
from hospital.messages.rules import time_text, yuan_text
from hospital.patients import store as patients
from hospital.payment import store as payments
from hospital.payment.tell import tell_refund
from hospital.schedules import store as schedule_store
from hospital.site import store as site


def tell(tx: Transaction, booking_id: str, kind: str, *, now: datetime, note: str = "", key: str = "",
         subject: wording.Subject = "registration") -> None:
    """Queue one message of a kind about a registration; once, or once per ``key``. It opens ``subject``'s page."""
    booking = store.booking(tx, booking_id)
    assert booking is not None
    session = schedule_store.session(tx, booking.schedule_id)
    doctor = next(iter(site.doctors(tx, [booking.doctor_id], employed_only=False)), None)
    names = site.names_of_his(tx)
    number = booking.queue_number or booking.visit_number
    messages.queue(tx, account_id=booking.account_id, patient_id=booking.patient_id, kind=kind,
                   key=f"{kind}.{booking.id}{key}", about=wording.about(subject, booking.id), now=now, data={
        "patient": patients.patient_name(tx, booking.patient_id),
        "doctor": doctor.name if doctor else "",
        "department": names.get(session.his_department, ("", ""))[1] if session else "",
        "time": time_text(booking.starts_at),
        "amount": yuan_text(booking.fee_fen),
        "number": number or "-",
        "place": booking.queue_place or booking.location or "-",
        "note": note or "请提前到院取号候诊",
    })


def refund_accepted(booking_of: Callable[[Database, str], Booking | None]) -> outbox.Handler:
    """WeChat has taken a refund on of what belongs to a registration: now its patient is told.

    ``booking_of`` leads from what was paid for to the registration.
    """
    def told(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
        refund = payments.refund(db, job.subject_id)
        payment = payments.by_id(db, refund.payment_id) if refund is not None else None
        booking = booking_of(db, payment.subject_id) if payment is not None else None
        if refund is not None and payment is not None and booking is not None:
            with db.transaction() as tx:
                tell_refund(tx, refund, payment.account_id, booking.patient_id,
                            wording.about("registration", booking.id), now)
        return None
    return told
