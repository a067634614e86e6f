"""Reminders when our own side or a neighbour dies in the middle: each patient hears once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from sandbox.people import person
from sandbox.phone import Control, Phone
from tests.faults.conftest import Sql, Visit

Open = Callable[..., dict[str, Any]]
TITLE = "就诊提醒"
EVENING = "2026-11-24T18:00:30+08:00"
WRITES = {"planned": ("reminders", "INSERT", "TRUE"), "claimed": ("reminders", "UPDATE", "NEW.state = 'SENDING'"),
          "written": ("messages", "INSERT", "NEW.kind = 'visit_reminder'"),
          "begun": ("messages", "UPDATE", "NEW.state = 'SENDING'"),
          "sent": ("messages", "UPDATE", "NEW.state = 'SENT'"),
          "told": ("reminders", "UPDATE", "NEW.state = 'TOLD'")}


@pytest.fixture
def registered(control: Control, new_session: Open) -> list[Phone]:
    """Three accounts whose patients are registered for Wednesday, told nothing yet."""
    session, phones = new_session(slots=3), []
    for _ in range(3):
        phone = Phone(control).sign_in()
        phone.allow_every_message()
        patient = phone.add_patient(person(), relation="SELF")
        held = phone.book(patient["id"], session)
        phone.thumb(phone.open_payment(held["id"]))
        control.settle()
        phones.append(phone)
    control("PUT", "/clock", now=EVENING)
    return phones


def remind(control: Control) -> Any:
    """The timer runs; what the function said."""
    answer = control("POST", "/scf/timers/daily_reminder/every-ten-minutes/fire")
    control.settle()
    return answer


def heard(phones: list[Phone]) -> list[int]:
    """How many reminders are on each phone."""
    return [len(phone.inbox(TITLE)) for phone in phones]


@pytest.mark.feature("remind.visit")
@pytest.mark.parametrize("write", WRITES)
def test_each_hears_once_at_whichever_write_a_run_dies(control: Control, sql: Sql, registered: list[Phone], write: str
                                                       ) -> None:
    table, event, when = WRITES[write]
    sql(f"CREATE TRIGGER dies BEFORE {event} ON {table} FOR EACH ROW BEGIN IF {when} THEN "
        "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'dies here'; END IF; END")
    try:
        assert "error" in remind(control)
    finally:
        sql("DROP TRIGGER dies")
    assert max(heard(registered)) <= 1
    for _ in range(2):
        control.advance(600)
        remind(control)
    assert heard(registered) == [1, 1, 1]
    left = sql("SELECT COUNT(*) FROM reminders WHERE state IN ('PLANNED', 'SENDING') AND due_at <= "
               "'2026-11-24 10:30:00'")
    assert left == [(0,)]


@pytest.mark.feature("remind.visit")
def test_each_hears_once_though_the_function_is_killed_while_wechat_is_slow(
        control: Control, sql: Sql, registered: list[Phone]) -> None:
    control.fault("wechat", "send_message", "hold")
    run = threading.Thread(target=control, args=("POST", "/scf/timers/daily_reminder/every-ten-minutes/fire"))
    run.start()
    Visit.until(lambda: any(one["hits"] for one in control("GET", "/faults")["faults"]), "nobody called")
    assert control("POST", "/scf/instances/stop", function="daily_reminder")["stopped"] >= 1
    control("DELETE", "/faults")
    run.join()
    control.settle()
    control.advance(600)
    remind(control)
    assert heard(registered) == [1, 1, 1]
    assert sql("SELECT COUNT(*) FROM messages WHERE kind = 'visit_reminder' AND state = 'UNCERTAIN' "
               "AND code = 'interrupted'")[0][0] >= 1


@pytest.mark.feature("remind.visit")
@pytest.mark.parametrize("fault", ["refuse", "error", "cut_before", "cut_after", "garbage"])
def test_nobody_hears_twice_whatever_wechat_answers(control: Control, registered: list[Phone], sql: Sql, fault: str
                                                    ) -> None:
    control.fault("wechat", "send_message", fault)
    remind(control)
    control.advance(600)
    remind(control)
    assert sorted(heard(registered)) in ([0, 1, 1], [1, 1, 1])
    states = sql("SELECT state, COUNT(*) FROM reminders WHERE kind = 'visit_reminder' AND state <> 'TOLD' "
                 "AND due_at <= '2026-11-24 10:30:00' GROUP BY state")
    assert [one for one in states if one[0] in ("PLANNED", "SENDING")] == []


@pytest.mark.feature("remind.visit")
def test_when_wechat_cannot_be_reached_everything_waits_for_it(control: Control, registered: list[Phone]) -> None:
    control("POST", "/wechat/tokens/expire", errcode=40001)
    control.fault("wechat", "stable_token", "error", times=-1)
    remind(control)
    assert heard(registered) == [0, 0, 0]
    control("DELETE", "/faults")
    control.advance(600)
    remind(control)
    assert heard(registered) == [1, 1, 1]
