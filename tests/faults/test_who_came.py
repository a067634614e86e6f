"""The list of who came, each way it can go wrong: nobody is absent without the HIS's word, and nobody twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.faults.conftest import Sql, Visit
from tests.faults.test_each_call import FAULTS

EVENING = "2026-11-25T18:40:00+08:00"


def ask(visit: Visit) -> Any:
    """The timer goes off."""
    answer = visit.control("POST", "/scf/timers/no_show/after-sessions/fire")
    visit.control.settle()
    return answer


@pytest.mark.parametrize("fault", [one for one in FAULTS if one != "garbage-after"])
def test_who_came_is_known_once_the_his_says_it(
        new_visit: Callable[[dict[str, Any]], Visit], new_session: Callable[..., dict[str, Any]], sql: Sql,
        fault: str) -> None:
    visit = new_visit(new_session(date="2026-11-25", period="AFTERNOON"))
    visit.phone.allow_every_message()
    visit.held_and_paid()
    visit.work()
    visit.check("CONFIRMED")
    visit.control("PUT", "/clock", now=EVENING)
    kind, params = FAULTS[fault]
    visit.control.fault("his", "list_attendance", kind, times=20, **params)
    answer = ask(visit)
    visit.control("DELETE", "/faults")
    decided = "SELECT attendance FROM bookings WHERE id = %s"
    missed = "SELECT COUNT(*) FROM no_shows WHERE booking_id = %s"
    if fault == "delay":
        assert "error" not in answer
    else:
        assert "error" in answer  # the platform invokes it once more
        assert (sql(decided, (visit.id,)), sql(missed, (visit.id,))) == ([(None,)], [(0,)])
    for _ in range(2):
        assert "error" not in ask(visit)
    assert (sql(decided, (visit.id,)), sql(missed, (visit.id,))) == ([("ABSENT",)], [(1,)])
    assert len(visit.phone.inbox("爽约通知")) == 1


def test_a_list_that_breaks_off_decides_what_it_has_told_and_the_rest_later(
        new_visit: Callable[[dict[str, Any]], Visit], new_session: Callable[..., dict[str, Any]], sql: Sql) -> None:
    session = new_session(date="2026-11-25", period="AFTERNOON")
    visits = [new_visit(session) for _ in range(2)]
    for visit in visits:
        visit.held_and_paid()
        visit.work()
    control = visits[0].control
    control("PUT", "/clock", now=EVENING)
    control.fault("his", "list_attendance", "override", set={"next_cursor": "MA"}, times=1)
    control.fault("his", "list_attendance", "error", after=1, times=20)
    ask(visits[0])
    control("DELETE", "/faults")
    ask(visits[0])
    for visit in visits:
        assert sql("SELECT attendance FROM bookings WHERE id = %s", (visit.id,)) == [("ABSENT",)]
        assert sql("SELECT COUNT(*) FROM no_shows WHERE booking_id = %s", (visit.id,)) == [(1,)]
