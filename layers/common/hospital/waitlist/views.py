"""How an account's waiting is shown to it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hospital.database.connection import Database
from hospital.patients import access
from hospital.patients import store as patients
from hospital.patients.rules import mask_name
from hospital.site import store as site
from hospital.waitlist import store
from hospital.waitlist.model import ALREADY, LET_GO, OVER, STOPPED, Entry

SHOWN = timedelta(days=3)  # what has ended is shown so long
MOST = 50
STATES = {"WAITING": "候补中", "OFFERED": "已为您留号", "LEFT": "已取消候补", "SKIPPED": "候补已结束",
          "ENDED": "候补已结束"}
REASONS = {
    STOPPED: "该出诊已停诊。", OVER: "出诊已结束，未等到空出的号。", LET_GO: "该就诊人已解除绑定或撤回同意。",
    ALREADY: "轮到您时，该就诊人已有同一时段的预约。", "blacklisted": "轮到您时，该就诊人正在暂停预约期间。",
    "too_many_bookings": "轮到您时，该就诊人未就诊的预约已达上限。",
    "too_many_that_day": "轮到您时，该就诊人当日预约已达上限。",
    "too_many_on_trust": "轮到您时，您未付费的预约已达上限。", "consent_required": "轮到您时，就诊人的授权已撤回。",
    "patient_not_found": "轮到您时，该就诊人已解除绑定。"}
_OF_THE_PATIENT: dict[str, Any] = {"patient_name": "", "doctor_id": "", "doctor_name": "", "doctor_title": "",
                                   "department_name": "", "reason_text": ""}


def of_account(db: Database, account_id: str, now: datetime) -> list[dict[str, Any]]:
    """An account's entries that wait or have ended lately, the newest first."""
    readable = access.allowed(db, account_id, "OWN", now)
    shown = [(one, _view(db, one, now)) for one in store.of_account(db, account_id, now - SHOWN, MOST)]
    return [{**view, "withheld": False} if one.patient_id in readable
            else {**view, **_OF_THE_PATIENT, "withheld": True} for one, view in shown if view]


def _view(db: Database, one: Entry, now: datetime) -> dict[str, Any]:
    sessions = store.covered(db, one.wish)
    if not sessions:
        return {}
    first = min(sessions, key=lambda session: session.starts_at)
    doctor = next(iter(site.doctors(db, [first.doctor_id], employed_only=False)), None)
    waits = one.state == "WAITING"
    return {
        "id": one.id, "state": one.state, "state_text": STATES[one.state],
        "reason_text": REASONS.get(one.reason, ""),
        "patient_id": one.patient_id, "patient_name": mask_name(patients.patient_name(db, one.patient_id)),
        "schedule_id": one.schedule_id, "doctor_id": first.doctor_id, "doctor_name": doctor.name if doctor else "",
        "doctor_title": doctor.title if doctor else "",
        "department_name": site.names_of_his(db).get(first.his_department, ("", ""))[1],
        "visit_date": first.visit_date, "period": first.period if one.schedule_id else None,
        "fee_fen": first.fee_fen, "starts_at": first.starts_at,
        "ahead": min(store.ahead(db, session, one.id) for session in sessions) if waits else None,
        "booking_id": one.booking_id if one.state == "OFFERED" else None, "can_leave": waits,
        "created_at": one.created_at}
