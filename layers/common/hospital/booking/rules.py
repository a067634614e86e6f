"""Pure decisions of registration: until when it may be paid and cancelled."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

from hospital.booking.model import Booking
from hospital.database.policy import Policy
from hospital.runtime.clock import at_hospital, hospital_day


def cancel_deadline(visit_date: date, starts_at: datetime, policy: Policy, free_until: datetime | None = None
                    ) -> datetime:
    """Until when a registration may be cancelled on line; never after it starts.

    ``free_until``: the hospital has changed it, so that the cut-off does not count before then.
    """
    if policy.cancel_until is not None:
        deadline = at_hospital(visit_date - timedelta(days=policy.cancel_days_before), policy.cancel_until)
    elif policy.cancel_days_before:  # "the day before" without a time: until that day's midnight
        deadline = at_hospital(visit_date - timedelta(days=policy.cancel_days_before - 1), time(0))
    else:
        deadline = starts_at
    deadline = min(deadline, starts_at)
    return max(deadline, free_until) if free_until is not None else deadline


# What a patient is told of a registration, and how it is called.
SEAT = {"doctor_id": "医生", "visit_date": "日期", "period": "时段", "starts_at": "时间", "clinic_room": "诊室"}


def differences(was: object, seat: dict[str, Any]) -> list[str]:
    """The parts of ``seat`` in which a registration is another; one that is unknown on a side is none.

    Unknown is None, and a room that is not assigned yet.
    """
    return [name for name in SEAT if seat[name] not in (None, "") and getattr(was, name) not in (None, "")
            and getattr(was, name) != seat[name]]


def start_of(place: datetime, day: date, session: datetime) -> datetime:
    """When a place begins; of one that was not moved along with its session, only the session's start is known."""
    return place if hospital_day(place) == day else session


def free_until(visit_date: date, starts_at: datetime, session: datetime) -> datetime:
    """Until when a changed registration is given up freely: its session's start, when that is known of its day."""
    return session if hospital_day(session) == visit_date else starts_at


def moved_location(location: str, was: str | None, room: str | None) -> str:
    """The way to the room, when only the room at its end has changed."""
    if was and room and location.endswith(was):
        return f"{location[:-len(was)]}{room}"[:200]
    return location


def change_note(parts: list[str], *, free: bool) -> str:
    """What has changed and what the patient may do, in the 20 characters that a message has for it."""
    names = ["医生" for name in parts if name == "doctor_id"]
    names += ["时间"] if {"visit_date", "period", "starts_at"} & set(parts) else []
    names += ["诊室" for name in parts if name == "clinic_room"]
    return f"{'、'.join(names)}有变，{'开诊前可免费取消' if free else '请以此为准'}"


def cut_off(booking: Booking, policy: Policy) -> datetime:
    """Until when this one may be cancelled on line: as it was shown when it was made, whatever the rule is now."""
    if booking.cancel_until is None:
        return cancel_deadline(booking.visit_date, booking.starts_at, policy, booking.free_cancel_until)
    deadline = min(booking.cancel_until, booking.starts_at)
    return max(deadline, booking.free_cancel_until) if booking.free_cancel_until is not None else deadline


def hold_until(expires_at: datetime, policy: Policy) -> datetime:
    """How long the HIS is to keep a place that is held here until ``expires_at``: the longest that paying may take."""
    return expires_at + timedelta(minutes=policy.pay_minutes_at_least)


def payment_deadline(expires_at: datetime, held_until: datetime, now: datetime, policy: Policy) -> datetime:
    """Until when to pay: as long as the place is held here, never less than a sensible moment, never past the HIS's."""
    return max(expires_at, min(now + timedelta(minutes=policy.pay_minutes_at_least), held_until))
