"""How registrations are shown to their owner."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from hospital.booking import move_store, rules, store
from hospital.booking.model import (
    ENDED_AT_HOSPITAL,
    FIRM_ELSEWHERE,
    NOT_CHOSEN,
    PAID_AT_HOSPITAL,
    REFUNDED_AT_DESK,
    SESSION_STOPPED,
    Booking,
    Choice,
    Move,
)
from hospital.database import policy
from hospital.database.connection import Database, Row
from hospital.patients import access
from hospital.patients import store as patients
from hospital.patients.rules import mask_name
from hospital.payment import store as payments
from hospital.payment.model import REGISTRATION
from hospital.schedules import store as schedule_store
from hospital.site import store as site

STATES = {
    "HELD": "待支付", "AWAITING_PAYMENT": "待支付", "CONFIRMING": "确认中", "CONFIRMED": "预约成功",
    "CHECKED_IN": "已取号",
    "CANCELLING": "取消中", "CANCELLED": "已取消", "RELEASED": "已释放", "REJECTED": "挂号未成功",
}
ELSEWHERE, STOPPED = "已由窗口办理", "已停诊"
# What a patient has to know or do besides, by reason.
REASONS = {
    FIRM_ELSEWHERE: "该挂号已由医院窗口办理生效，请凭窗口凭证就诊、取号或退号；如已在微信支付，费用将原路退回。",
    ENDED_AT_HOSPITAL: "医院已取消该挂号，如有疑问请到人工窗口咨询。",
    REFUNDED_AT_DESK: "该挂号已在医院窗口退号，费用由窗口办理退回。",
    PAID_AT_HOSPITAL: "挂号费已在医院缴纳，请到人工窗口办理退号和退费。",
    SESSION_STOPPED: "医生停诊，您已退号，已支付的费用全额原路退回。",
    NOT_CHOSEN: "医生停诊，您未在规定时间内选择，已为您退号，已支付的费用全额原路退回。",
}


# What says where, with whom and for whom; the rest says what becomes of it.
_OF_THE_PATIENT: dict[str, Any] = {
    "patient_name": "", "doctor_id": "", "doctor_name": "", "doctor_title": "", "department_name": "",
    "clinic_room": "", "visit_number": "", "location": "", "queue_number": "", "queue_place": "", "changes": [],
    "can_pay": False, "can_move": False, "stopped": None, "moving": None, "attendance": ""}


def bookings(db: Database, account_id: str, page: list[Booking], now: datetime) -> list[dict[str, Any]]:
    """An account's registrations as the client shows them, in the same order."""
    readable = access.allowed(db, account_id, "OWN", now)
    return [{**shown, "withheld": False} if one.patient_id in readable
            else {**shown, **_OF_THE_PATIENT, "withheld": True}
            for one, shown in zip(page, _all(db, page, now), strict=True)]


def _all(db: Database, page: list[Booking], now: datetime) -> list[dict[str, Any]]:
    settings, departments = policy.load(db), site.names_of_his(db)
    sessions = schedule_store.rooms(db, [one.schedule_id for one in page])
    changes = store.changes_of(db, [one.id for one in page])
    seen = {one.doctor_id for one in page} | {change["doctor_id"] for change in changes}
    ids = [one.id for one in page]
    choices, moves = move_store.choices_of(db, ids), move_store.live_of(db, ids)
    goals = schedule_store.goals(db, [one.slot_id for one in moves.values()])
    seen |= {row["doctor_id"] for row in goals.values()}
    doctors = {one.id: one for one in site.doctors(db, sorted(seen), employed_only=False)}
    return [{**_view(db, one, settings, now, departments, sessions, doctors),
             **_choice(one, choices.get(one.id), now), "moving": _moving(moves.get(one.id), goals, doctors, now),
             "changes": [_change(change, doctors) for change in changes if change["booking_id"] == one.id]}
            for one in page]


def _choice(one: Booking, choice: Choice | None, now: datetime) -> dict[str, Any]:
    """What is open to the patient because the hospital has stopped or changed it."""
    until = choice.choose_until if choice is not None else None
    shown: dict[str, Any] = {
        "can_move": rules.may_move(one.state, until, one.free_cancel_until, now),
        "stopped": {"choose_until": until} if until is not None and one.state == "CONFIRMED" else None}
    return {**shown, "can_cancel": True, "state_text": STOPPED} if shown["stopped"] else shown


def _moving(one: Move | None, goals: dict[str, Row], doctors: dict[str, Any], now: datetime) -> dict[str, Any] | None:
    """Where a registration is being moved to, and what is to be paid for that first."""
    goal = goals.get(one.slot_id) if one is not None else None
    if one is None or goal is None:
        return None
    doctor = doctors[goal["doctor_id"]]
    return {"state": one.state, "schedule_id": goal["schedule_id"], "slot_id": one.slot_id, "doctor_name": doctor.name,
            "doctor_title": doctor.title, "visit_date": goal["visit_date"], "period": goal["period"],
            "starts_at": goal["starts_at"], "fee_fen": one.fee_fen, "difference_fen": one.difference_fen,
            "expires_at": one.expires_at,
            "can_pay": one.state in ("HELD", "AWAITING_PAYMENT") and one.difference_fen > 0 and now < one.expires_at}


def _state_text(one: Booking) -> str:
    if one.reason == FIRM_ELSEWHERE:
        return ELSEWHERE
    return "未就诊" if one.attendance == "ABSENT" else STATES[one.state]


def _change(change: Row, doctors: dict[str, Any]) -> dict[str, Any]:
    """What a registration was before the hospital changed it."""
    return {"at": change["at"], "doctor_id": change["doctor_id"], "doctor_name": doctors[change["doctor_id"]].name,
            "visit_date": change["visit_date"], "period": change["period"], "starts_at": change["starts_at"],
            "clinic_room": change["clinic_room"] or ""}


def _view(db: Database, one: Booking, settings: policy.Policy, now: datetime, departments: dict[str, Any],
          sessions: dict[str, Any], doctors: dict[str, Any]) -> dict[str, Any]:
    session, doctor = sessions[one.schedule_id], doctors[one.doctor_id]
    room = session["clinic_room"] if one.clinic_room is None else one.clinic_room
    waiting = one.state in ("HELD", "AWAITING_PAYMENT") and one.expires_at > now
    deadline = rules.cut_off(one, settings)
    payment = payments.of_subject(db, REGISTRATION, one.id)
    return {
        "id": one.id, "state": one.state, "reason": one.reason,
        "state_text": _state_text(one), "attendance": one.attendance or "", "is_offer": one.waitlist_id is not None,
        "reason_text": REASONS.get(one.reason, ""),
        "patient_id": one.patient_id, "patient_name": mask_name(patients.patient_name(db, one.patient_id)),
        "doctor_id": one.doctor_id, "doctor_name": doctor.name, "doctor_title": doctor.title,
        "department_name": departments.get(session["his_department"], ("", ""))[1],
        "visit_date": one.visit_date, "period": one.period, "starts_at": one.starts_at,
        "clinic_room": room, "fee_fen": one.fee_fen, "needs_payment": one.needs_payment,
        "expires_at": one.expires_at if one.state in ("HELD", "AWAITING_PAYMENT") else None,
        "visit_number": one.visit_number, "location": one.location,
        "queue_number": one.queue_number, "queue_place": one.queue_place, "late": bool(one.late),
        "can_pay": waiting, "can_cancel": waiting or (one.state == "CONFIRMED" and now < deadline),
        "cancel_until": deadline, "created_at": one.created_at,
        "refunds": [{"state": refund.state, "amount_fen": refund.amount_fen, "succeeded_at": refund.succeeded_at}
                    for refund in (payments.refunds_of(db, payment.id) if payment else [])],
    }
