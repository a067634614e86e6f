"""What somebody is told whose waiting has ended without a place."""

from __future__ import annotations

from datetime import datetime

from hospital.database.connection import Transaction
from hospital.messages import service as messages
from hospital.messages import wording
from hospital.messages.rules import time_text
from hospital.patients import store as patients
from hospital.site import store as site
from hospital.waitlist import store
from hospital.waitlist.model import ALREADY, STOPPED, Entry

# In the 20 characters that a message has for it, by reason.
NOTES = {STOPPED: "该出诊已停诊，候补已结束", ALREADY: "已有同时段预约，候补已结束",
         "blacklisted": "暂停预约期间不能候补，已结束", "too_many_bookings": "未就诊的预约已达上限，候补已结束",
         "too_many_that_day": "当日预约已达上限，候补已结束", "too_many_on_trust": "未付费预约已达上限，候补已结束"}


def tell_ended(tx: Transaction, entry: Entry, reason: str, now: datetime) -> None:
    """Queue the message of an entry that was skipped, or whose session does not take place; once."""
    session = next(iter(store.covered(tx, entry.wish)), None)
    if session is None:
        return
    doctor = next(iter(site.doctors(tx, [session.doctor_id], employed_only=False)), None)
    messages.queue(tx, account_id=entry.account_id, patient_id=entry.patient_id, kind=messages.WAITLIST_ENDED,
                   key=f"waitlist.{entry.id}.{reason}", about=wording.about("waitlist"), now=now, data={
        "patient": patients.patient_name(tx, entry.patient_id),
        "doctor": doctor.name if doctor else "",
        "department": site.names_of_his(tx).get(session.his_department, ("", ""))[1],
        "time": time_text(session.starts_at),
        "note": NOTES.get(reason, "候补已结束，详情请看小程序")})
