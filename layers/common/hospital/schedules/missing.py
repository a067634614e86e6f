"""What the HIS lists no more. A list that has shrunk more than is believed is looked at twice before it is believed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime

from hospital.database import outbox, tasks
from hospital.database.connection import Database, Row, Transaction
from hospital.runtime.clock import hospital_day
from hospital.schedules import looks, rules
from hospital.schedules import sync_store as schedules
from hospital.schedules.sync_store import Listed
from hospital.site.rules import is_second_look

AT_ONCE = 50  # sessions in one transaction
SHRUNKEN, BELIEVED, TODAY = "list.shrunken", "list.shrunken-believed", "schedule.missing-today"
SUBJECT, PLACES = "schedules", "places"


def settle(db: Database, listed: list[Listed], gone: list[Listed], percent: int, now: datetime, *,
           today_listed: bool, look: Callable[[str], int]) -> int:
    """Decide about the sessions ``gone`` of those that should be ``listed``; how many changed.

    ``look`` asks the HIS for one by its code and takes it over: it may have been put off to a day that is not on
    the list. What is being visited today is never gone because of a list, nor is anything of today because of one
    that has nothing of today at all.
    """
    doubted = rules.doubted_days(Counter(one.visit_date for one in listed), Counter(one.visit_date for one in gone),
                                 percent)
    waiting = [one for one in gone if one.visit_date in doubted
               and not is_second_look(one.missing_since, now)]
    _say_shrunken(db, waiting, len(listed), now)
    held = schedules.with_held_places(db, [one.id for one in gone])
    believed = [one for one in gone if one not in waiting]
    visited = [one for one in believed if one.visit_date == hospital_day(now)
               and (one.id in held or one.starts_at <= now or not today_listed)]
    _say_today(db, visited, now)
    _settle_today(db, now)
    over = [one for one in believed if one.id not in held and one not in visited]
    changed = sum(_gone(db, over[start:start + AT_ONCE], now) for start in range(0, len(over), AT_ONCE))
    _say_believed(db, sum(one.visit_date in doubted for one in over), now)
    return changed + sum(looks.each([one.his_code for one in believed if one.id in held], now, look).values())


def unknown(db: Database, session: Row | None, asked_at: datetime, now: datetime) -> int:
    """The HIS says that there is no such session. One that is being visited today stays all the same; 1 or 0."""
    if session is None or session["state"] == "GONE":
        return 0
    one = Listed(session["id"], session["his_code"], session["visit_date"], session["starts_at"],
                 session["missing_since"])
    held = schedules.with_held_places(db, [one.id])
    if one.visit_date == hospital_day(now) and (held or one.starts_at <= now) and session["ends_at"] > now:
        _say_today(db, [one], now)
        return 0
    return _gone(db, [one], asked_at)


def back(tx: Transaction, schedule_id: str) -> None:
    """The HIS lists a session again that was missing."""
    schedules.mark_listed(tx, schedule_id)


def _gone(db: Database, over: list[Listed], asked_at: datetime) -> int:
    with db.transaction() as tx:
        gone = [one for one in over if schedules.update_schedule(
            tx, one.id, {"state": "GONE", "missing_since": None}, asked_at)]
        for one in gone:  # whoever has sold places of it hears that it takes place no more
            outbox.publish(tx, "schedule.ended", one.id, due=asked_at, now=asked_at)
    return len(gone)


def _say_shrunken(db: Database, waiting: list[Listed], of: int, now: datetime) -> None:
    fresh = [one.id for one in waiting if one.missing_since is None]
    with db.transaction() as tx:
        if not waiting:
            tasks.settle(tx, kind=SHRUNKEN, subject_id=SUBJECT, note="whole again, or believed", now=now)
        if fresh:
            schedules.mark_missing(tx, fresh, now)
            days = sorted({one.visit_date for one in waiting})
            tasks.add(tx, kind=SHRUNKEN, subject_id=SUBJECT, now=now, detail=(
                f"{len(waiting)} of {of} sessions are listed no more, {days[0]} to {days[-1]}; nothing is changed "
                "before a second look"))


def _say_believed(db: Database, count: int, now: datetime) -> None:
    if not count:
        return
    with db.transaction() as tx:
        tasks.add(tx, kind=BELIEVED, subject_id=SUBJECT, now=now,
                  detail=f"{count} sessions were missing in two looks and are off sale now")


def _say_today(db: Database, visited: list[Listed], now: datetime) -> None:
    fresh = [one for one in visited if one.missing_since is None]
    if not visited:
        return
    day = str(visited[0].visit_date)
    with db.transaction() as tx:
        if fresh:
            schedules.mark_missing(tx, [one.id for one in fresh], now)
        if fresh or not tasks.was_put_away(tx, kind=TODAY, subject_id=day):
            tasks.add(tx, kind=TODAY, subject_id=day, now=now, detail=(
                f"{len(visited)} sessions of today are listed no more, {visited[0].his_code} first; kept"))


def _settle_today(db: Database, now: datetime) -> None:
    today = hospital_day(now)
    if not schedules.is_any_missing(db, today):
        with db.transaction() as tx:
            tasks.settle(tx, kind=TODAY, subject_id=str(today), note="listed again", now=now)


def say_places(db: Database, closed: int, now: datetime) -> None:
    """Sessions that lost more places than is believed wait for a second look; of so many it was believed now."""
    count, first = schedules.places_doubted(db, hospital_day(now), now)
    with db.transaction() as tx:
        if count:
            tasks.add(tx, kind=SHRUNKEN, subject_id=PLACES, now=now, detail=(
                f"{count} sessions have lost most of their places, {first} first; none is closed before a second look"))
        else:
            tasks.settle(tx, kind=SHRUNKEN, subject_id=PLACES, note="whole again, or believed", now=now)
        if closed:
            tasks.add(tx, kind=BELIEVED, subject_id=PLACES, now=now,
                      detail=f"places of {closed} sessions were missing in two looks and are off sale now")
