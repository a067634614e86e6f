"""What follows by itself over time: housekeeping, and the outbox's patience with a silent neighbour."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from sandbox.phone import Control, Phone
from tests.opened import account_of

Ask = Callable[..., list[tuple[Any, ...]]]
HOUR = 3600


def clean(control: Control) -> int:
    answer = control("POST", "/scf/timers/housekeeping/every-night/fire")
    return int(answer["result"]["count"])


def test_sessions_and_repeats_go_when_they_have_served_their_time(
        control: Control, guest: Phone, ill: dict[str, Any], ward: dict[str, Any], sql: Ask) -> None:
    account = account_of(control, sql, guest.openid)

    def kept() -> tuple[int, int]:
        return (sql("SELECT COUNT(*) FROM sessions WHERE account_id = %s", (account,))[0][0],
                sql("SELECT COUNT(*) FROM repeats WHERE owner_id = %s", (account,))[0][0])

    key = secrets.token_hex(16)
    first = guest.book(ill["id"], ward, key=key)
    clean(control)
    assert kept() == (1, 1)
    control.advance(35 * HOUR)  # the session ended 23 hours ago
    clean(control)
    assert kept() == (1, 1)
    assert guest.sign_in().book(ill["id"], ward, key=key) == first
    control.advance(2 * HOUR)  # … 25 hours ago
    assert clean(control) >= 1
    assert kept() == (1, 1)
    control.advance(12 * HOUR)  # the repeat is 49 hours old
    assert clean(control) >= 1
    assert kept() == (1, 0)


def test_finished_steps_go_after_thirty_days_and_what_is_pending_stays(
        control: Control, guest: Phone, ill: dict[str, Any], ward: dict[str, Any], sql: Ask, phone: Phone,
        patient: dict[str, Any], visit: Callable[..., str]) -> None:
    others = visit(phone, patient, ward)  # their refund arrives while time passes, and would wake the worker for all
    phone.call("POST", f"booking/bookings/{others}/cancellation")
    held = guest.book(ill["id"], ward)
    control.settle()
    control.fault("cloud", "invoke", "error", times=-1)  # only the timer of the night comes

    def steps() -> list[str]:
        bound = sql("SELECT id FROM messages WHERE account_id = %s", (account_of(control, sql, guest.openid),))[0][0]
        return [row[0] for row in sql("SELECT state FROM outbox WHERE subject_id IN (%s, %s) ORDER BY id",
                                      (bound, held["id"]))]

    assert steps() == ["DONE", "PENDING"]
    control.advance(29 * 24 * HOUR)
    clean(control)
    assert steps() == ["DONE", "PENDING"]
    control.advance(25 * HOUR)
    assert clean(control) >= 1
    assert steps() == ["PENDING"]
    clean(control)
    assert steps() == ["PENDING"]


def test_a_step_is_tried_ever_more_rarely_then_put_on_staffs_list_and_ends_when_the_his_is_back(
        control: Control, guest: Phone, ill: dict[str, Any], ward: dict[str, Any], sql: Ask) -> None:
    held = guest.book(ill["id"], ward)
    control.fault("his", "unlock_registration", "error", times=-1)
    guest.call("POST", f"booking/bookings/{held['id']}/cancellation")
    control.settle()

    def step() -> tuple[Any, ...]:
        """State, attempts, and the seconds until it is tried again."""
        now = control("GET", "/clock")["now"][:19].replace("T", " ")
        return sql("SELECT state, attempts, TIMESTAMPDIFF(SECOND, %s, due_at) FROM outbox WHERE subject_id = %s "
                   "AND topic = 'booking.unlock'", (now, held["id"]))[0]

    def on_the_list() -> list[dict[str, Any]]:
        return control.tasks(subject_id=held["id"])

    waits = []
    for attempt in range(1, 10):
        state, attempts, wait = step()
        assert (state, attempts, on_the_list()) == ("PENDING", attempt, [])
        waits.append(wait)
        control.advance(wait + 2)
        control.work("worker")
    assert waits == sorted(waits)
    assert (waits[0] <= 5, waits[-1] > 3500) == (True, True)
    assert step()[1] == 10
    [task] = on_the_list()
    assert task["kind"] == "booking.unlock.hangs"
    assert task["detail"].startswith("10 attempts; last: unanswered: his: status 500")
    control("DELETE", "/faults")
    control.operate("task.retry", task_id=task["id"], note="HIS back")
    control.work("worker")
    assert (step()[0], on_the_list()) == ("DONE", [])
