"""Races for places that come back while somebody waits. Each is named for what holds; it tells what was broken."""

from __future__ import annotations

import time
from typing import Any

from sandbox.phone import Refused
from tests.races.ground import Ground, Member, broken_answers, later, together, won

HELD_FOR = 0.6  # seconds; less than who joins waits for another
NIGHT, DAWN = "2026-11-23T23:00:00+08:00", "2026-11-24T07:00:05+08:00"
ON_SALE = ("SELECT COUNT(*) FROM slots WHERE schedule_id = %s AND booking_id IS NULL AND state = 'OPEN' "
           "AND (on_sale_at IS NULL OR on_sale_at < '2027-01-01')")
WAITING = "SELECT COUNT(*) FROM waitlist WHERE schedule_id = %s AND state = 'WAITING'"
OFFERED = ("SELECT w.account_id, COUNT(b.id) FROM waitlist w LEFT JOIN bookings b ON b.waitlist_id = w.id "
           "WHERE w.schedule_id = %s GROUP BY w.id, w.account_id ORDER BY w.id")


def _join(member: Member, session: dict[str, Any]) -> Any:
    return member.phone.call("POST", "booking/waitlist", {"patient_id": member.patient_id,
                                                          "schedule_id": session["id"]})


def a_place_that_comes_back_is_not_on_sale_while_somebody_waits(ground: Ground) -> list[str]:
    """The last place is given up beside some who join the list and some who would take it."""
    session = ground.session(1)
    holder, *others = (ground.newcomer() for _ in range(6))  # who raced before the clock was put back is counted still
    joining, booking = others[:3], others[3:]
    held = holder.phone.book(holder.patient_id, session)["id"]
    with ground.held("SELECT id FROM slots WHERE schedule_id = %s", (session["id"],)) as let_go:
        def let_go_soon() -> None:
            time.sleep(HELD_FOR)
            let_go()

        results = together([
            lambda: holder.phone.call("POST", f"booking/bookings/{held}/cancellation"),
            *(lambda m=one: later(m.phone, 1, lambda: _join(m, session)) for one in joining),  # type: ignore[misc]
            *(lambda m=one: m.phone.book(m.patient_id, session) for one in booking),  # type: ignore[misc]
            let_go_soon])
    ground.control.settle()
    free, waiting = ground.count(ON_SALE, (session["id"],)), ground.count(WAITING, (session["id"],))
    live = ground.count("SELECT COUNT(*) FROM bookings WHERE schedule_id = %s AND live_flag = 1", (session["id"],))
    return broken_answers(results, "slot_gone", "places_free", "busy") + (
        ["giving up was refused"] if isinstance(results[0], Refused) else []) + (
        [f"on open sale while {waiting} wait"] if free and waiting else []) + (
        [] if live + free == 1 else [f"{live} have it and {free} are free"])


def two_places_go_to_the_first_two_who_wait(ground: Ground) -> list[str]:
    """Two places came back at night; in the morning several workers offer them at once."""
    session = ground.session(2)
    holders, line = [ground.newcomer() for _ in range(2)], [ground.newcomer() for _ in range(3)]
    for one in holders:
        one.phone.book(one.patient_id, session)
    joined = won([_join(one, session) for one in line])
    ground.control("PUT", "/clock", now=NIGHT)  # nobody has paid
    ground.fire()
    ground.control.settle()
    ground.control("PUT", "/clock", now=DAWN)
    with ground.held("SELECT id FROM slots WHERE schedule_id = %s", (session["id"],)) as let_go:
        def let_go_soon() -> None:
            time.sleep(HELD_FOR)
            let_go()

        together([ground.fire, let_go_soon])
    ground.control.settle()
    ground.fire()
    ground.control.settle()
    offers = [number for _, number in ground.sql(OFFERED, (session["id"],))]
    broken = [] if len(joined) == 3 else ["somebody could not join"]
    if any(number > 1 for number in offers):
        broken.append(f"one was offered twice: {offers}")
    elif offers != [1, 1, 0]:
        broken.append(f"offered to {offers}")
    return broken


RACES = [a_place_that_comes_back_is_not_on_sale_while_somebody_waits, two_places_go_to_the_first_two_who_wait]
