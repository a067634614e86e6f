"""Pure decisions of registration: until when it may be paid and cancelled."""

from __future__ import annotations

import math
from datetime import date, datetime, time, timedelta
from typing import Any

from hospital.booking.model import Booking, Counts
from hospital.database.policy import Policy
from hospital.runtime.clock import BEIJING, at_hospital, hospital_day, later_text
from hospital.runtime.errors import Conflict, TooMany
from hospital.schedules.rules import cancel_deadline

DAY = timedelta(days=1)
LONGEST_AHEAD = timedelta(days=92)  # so long before a visit is nothing sold: 60 days, and what is put off


def too_many(live: int, that_day: int, policy: Policy) -> Conflict | None:
    """The refusal of one more registration of a patient who has as many as the hospital allows."""
    if live >= policy.live_bookings_per_patient:
        return Conflict(f"该就诊人未就诊的预约已达{policy.live_bookings_per_patient}个，请先就诊或取消。",
                        code="too_many_bookings")
    if that_day >= policy.live_bookings_per_patient_and_day:
        return Conflict(f"该就诊人当日预约已达{policy.live_bookings_per_patient_and_day}个。",
                        code="too_many_that_day")
    return None


def too_many_unpaid(counts: Counts, policy: Policy, now: datetime) -> TooMany | None:
    """The refusal of one more place for an account that holds too many unpaid or on trust, or has let too many go."""
    if counts.unpaid >= policy.unpaid_places_per_account:
        wait = max(0.0, ((counts.unpaid_until or now) - now).total_seconds())
        return TooMany(f"您有{counts.unpaid}个号源尚未支付，请先支付或取消，或于{later_text(wait, now)}再试。",
                       wait=wait, code="too_many_unpaid")
    if counts.given_up >= policy.given_up_places_per_account_and_day:
        wait = max(0.0, ((counts.given_up_since or now) + DAY - now).total_seconds())
        return TooMany(f"您一天内未支付的挂号已达{counts.given_up}次，请于{later_text(wait, now)}再试。",
                       wait=wait, code="too_many_given_up")
    if counts.on_trust >= policy.places_on_trust_per_account:
        until = at_hospital((counts.on_trust_until or hospital_day(now)) + DAY, time(0))
        wait = max(0.0, (until - now).total_seconds())
        return TooMany(f"您有{counts.on_trust}个无需预先支付的预约尚未就诊，请先就诊或取消，"
                       f"或于{later_text(wait, now)}再试。", wait=wait, code="too_many_on_trust")
    return None


# What a patient is told of a registration, and how it is called.
SEAT = {"doctor_id": "医生", "visit_date": "日期", "period": "时段", "starts_at": "时间", "clinic_room": "诊室"}


def differences(was: object, seat: dict[str, Any]) -> list[str]:
    """The parts of ``seat`` in which a registration is another; one that is unknown on a side is none.

    Unknown is None, and a room that is not assigned yet. A period alone is none: patients come at a time, and when
    the HIS confirms at another one it does not say in which period that is.
    """
    parts = [name for name in SEAT if seat[name] not in (None, "") and getattr(was, name) not in (None, "")
             and getattr(was, name) != seat[name]]
    return parts if parts != ["period"] else []


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


# -- stopped and changed ----------------------------------------------------------------------------
SHORTEST_CHOICE = timedelta(hours=1)


def is_wave(stopped: int, of: int, policy: Policy) -> bool:
    """Whether so many of the sessions with patients are stopped at once that a wrong list is likelier."""
    return stopped > policy.believed_stopped_sessions and stopped * 100 > of * policy.believed_stopped_percent


def choose_until(visit_date: date, now: datetime, policy: Policy) -> datetime:
    """Until when a patient of a stopped session may choose: some hours, to the end of the visit's day at most.

    Nobody's time ends while they sleep: rather before the quiet hours, and after them when that were too soon.
    """
    shortest = now + SHORTEST_CHOICE
    until = min(now + timedelta(hours=policy.stopped_choice_hours), at_hospital(visit_date + DAY, time(0)))
    evening = quiet_began(until, policy)
    if evening is not None:
        until = evening if evening >= shortest else evening + quiet_length(policy)
    return max(until, shortest)


def quiet_length(policy: Policy) -> timedelta:
    """How long the quiet hours are."""
    begin, end = (timedelta(hours=one.hour, minutes=one.minute) for one in (policy.quiet_from, policy.quiet_until))
    return (end - begin) % DAY


def quiet_began(moment: datetime, policy: Policy) -> datetime | None:
    """When the quiet hours that a moment is in have begun; None when it is in none."""
    for day in (hospital_day(moment), hospital_day(moment) - DAY):
        begin = at_hospital(day, policy.quiet_from)
        if begin <= moment < begin + quiet_length(policy):
            return begin
    return None


def choice_note(until: datetime) -> str:
    """What a patient may do, and until when, in the 20 characters that a message has for it."""
    local = until.astimezone(BEIJING)
    return f"请{local.month}月{local.day}日{local:%H:%M}前改约或退号"


def may_move(state: str, choose: datetime | None, free: datetime | None, now: datetime) -> bool:
    """Whether a registration may go to another place: it is firm, and the hospital has stopped or changed it."""
    return state == "CONFIRMED" and any(until is not None and now < until for until in (choose, free))


def difference_fen(paid_fen: int | None, in_parts: bool, fee_fen: int) -> int | None:
    """What another place costs more (negative: less) than was paid; None: it can't be moved there.

    ``paid_fen`` None: nothing was paid yet, it is paid for on arrival. What was paid ``in_parts`` goes along whole,
    and what was paid for can't become free, nor the other way round.
    """
    if paid_fen is None:
        return 0
    if fee_fen == paid_fen:
        return 0
    return None if in_parts or not paid_fen or not fee_fen else fee_fen - paid_fen


def day_text(moment: datetime) -> str:
    """A day at the hospital as a person is told it: 2026年12月24日."""
    day = hospital_day(moment)
    return f"{day.year}年{day.month}月{day.day}日"


# -- the waiting room -------------------------------------------------------------------------------
ROOM_OPENS = timedelta(minutes=10)  # before the release: who comes then is told when their turn is


def rush_ends(release: datetime, policy: Policy) -> datetime:
    """When everybody who was expected has been admitted, at the policy's rate."""
    return release + timedelta(seconds=policy.waiting_room_crowd / policy.waiting_room_per_second)


def is_rush(release: datetime, policy: Policy, now: datetime) -> bool:
    """Whether one needs a ticket now for what goes on sale at ``release``."""
    return release - ROOM_OPENS <= now < rush_ends(release, policy)


def admitted_at(number: float, release: datetime, policy: Policy) -> datetime:
    """When somebody's turn is; ``number`` in [0, 1) is what the lot has given them."""
    return release + number * (rush_ends(release, policy) - release)


def ahead(turn: datetime, release: datetime, policy: Policy, now: datetime) -> int:
    """How many are admitted before ``turn``, from now or the release on, at the policy's rate."""
    return max(0, math.ceil((turn - max(now, release)).total_seconds() * policy.waiting_room_per_second))
