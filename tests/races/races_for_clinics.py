"""Races around stopped clinics and reminders. Each is named for what holds, and tells what was broken."""

from __future__ import annotations

from typing import Any

from sandbox.phone import Refused
from tests.races.ground import DAY, Ground, Member, clients, later, together

MORE = "2026-11-27"


def _registered(ground: Ground, members: list[Member], session: dict[str, Any]) -> list[str]:
    """One firm registration a member."""
    def register(member: Member) -> str:
        held = member.phone.book(member.patient_id, session)
        member.phone.thumb(member.phone.open_payment(held["id"]))
        return str(held["id"])

    found = together([lambda m=member: register(m) for member in members])  # type: ignore[misc]
    ground.work()
    for one in found:
        if isinstance(one, Refused):  # of a place that was sold twice
            raise one
    return [str(one) for one in found]


def _stop(ground: Ground, session: dict[str, Any]) -> None:
    [(code,)] = ground.sql("SELECT his_code FROM schedules WHERE id = %s", (session["id"],))
    ground.control("POST", f"/his/schedules/{code}/stop", tell=True)
    ground.control.settle(90)


def each_patient_of_a_stopped_clinic_is_told_once(ground: Ground) -> list[str]:
    """A stopped session is told of eight times more while four workers are at it."""
    session = ground.session(80, MORE)
    bookings = _registered(ground, [ground.newcomer() for _ in range(4)], session)
    [(code,)] = ground.sql("SELECT his_code FROM schedules WHERE id = %s", (session["id"],))
    ground.control("POST", f"/his/schedules/{code}/stop")
    ground.control.operate("schedules.sync", schedule=code)
    for number in range(8):
        ground.sql("INSERT IGNORE INTO outbox (id, worker, topic, subject_id, state, due_at, attempts, created_at) "
                   "VALUES (CONCAT(%s, RIGHT(%s, 25)), 'clinic_changes', 'clinic.stopped', %s, 'PENDING', "
                   "'2026-01-01', 0, '2026-01-01')", (number, session["id"], session["id"]))
    together([lambda: ground.fire("clinic_changes")] * 4)
    ground.work()
    broken = []
    for booking in bookings:
        told = ground.count("SELECT COUNT(*) FROM booking_choices WHERE booking_id = %s", (booking,))
        if told != 1:
            broken.append(f"registration {booking} was told {told} times")
    return broken


def a_stopped_registration_goes_one_way(ground: Ground) -> list[str]:
    """Its patient moves it to two places from two phones, gives it up from a third, and its time ends, at once."""
    session, goals = ground.session(80, DAY), [ground.session(80, MORE), ground.session(80, MORE)]
    members = [ground.newcomer() for _ in range(4)]  # whoever has raced before has as many registrations as one may
    bookings = _registered(ground, members, session)
    _stop(ground, session)
    acts = []
    for at, (member, booking) in enumerate(zip(members, bookings, strict=True)):
        for number, phone in enumerate(clients(member.phone, 4)):
            acts.append(lambda p=phone, b=booking, g=goals[number % 2]: p.raw(  # type: ignore[misc]
                "POST", f"booking/bookings/{b}/move", {"schedule_id": g["id"], "fee_fen": g["fee_fen"]}))
        acts.append(lambda m=member, b=booking, n=3 * at: later(m.phone, n, lambda: m.phone.raw(  # type: ignore[misc]
            "POST", f"booking/bookings/{b}/cancellation")))
    together(acts)
    ground.control("PUT", "/clock", now="2026-11-23T21:00:30+08:00")
    together([lambda: ground.fire("clinic_changes"), ground.fire, ground.fire])
    ground.finish()
    broken = []
    for booking in bookings:
        asked = ground.count("SELECT COUNT(*) FROM booking_moves WHERE booking_id = %s AND state IN "
                             "('MOVING', 'DONE', 'REJECTED')", (booking,))
        if asked > 1:
            broken.append(f"the hospital was asked {asked} times to move registration {booking}")
        ends = ground.count("SELECT COUNT(*) FROM booking_moves WHERE booking_id = %s AND state = 'DONE'", (booking,))
        gone = ground.count("SELECT COUNT(*) FROM bookings WHERE id = %s AND state = 'CANCELLED'", (booking,))
        if ends > 1 or not ends + gone:
            broken.append(f"registration {booking} was moved {ends} times, cancelled {gone}")
    return broken + ground.differences(bookings)


def a_patient_is_reminded_once(ground: Ground) -> list[str]:
    """The reminders' timer goes off twice at the same moment, and so do some more of its kind."""
    session = ground.session(80, MORE)
    bookings = _registered(ground, [ground.newcomer() for _ in range(4)], session)
    ground.control("PUT", "/clock", now="2026-11-26T18:00:30+08:00")
    together([lambda: ground.fire("daily_reminder", "every-ten-minutes")] * 2)
    ground.control.settle(90)
    broken = []
    for booking in bookings:
        planned = ground.count("SELECT COUNT(*) FROM reminders WHERE subject_id = %s", (booking,))
        sent = ground.count("SELECT COUNT(*) FROM messages WHERE kind = 'visit_reminder' AND message_key LIKE %s",
                            (f"visit_reminder.{booking}%",))
        if (planned, sent) != (1, 1):
            broken.append(f"registration {booking}: its reminder is planned {planned} times, written {sent} times")
    return broken


RACES = [each_patient_of_a_stopped_clinic_is_told_once, a_stopped_registration_goes_one_way,
         a_patient_is_reminded_once]
