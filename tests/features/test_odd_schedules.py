"""Lists of the HIS with odd rows, with holes, or empty: each row stands alone, what has shrunk is looked at twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sandbox.phone import Control, Phone
from tests.features.closing import Sql

Open = Callable[..., dict[str, Any]]
TODAY, SOON = "2026-11-23", "2026-11-24"
ODD = "list.odd-row."


@pytest.fixture(autouse=True)
def healed(control: Control, policy: Callable[..., None]) -> Iterator[None]:
    """Three days on show, so that a reading is quick, and nothing of it on staff's list; listed again afterwards."""
    for kind in ("list.*", "schedule.*"):
        for task in control.tasks(kind=kind):
            control.operate("task.close", task_id=task["id"], note="before the test")
    policy(days_ahead=1)
    yield
    control("DELETE", "/faults")
    sync(control)  # by the clock of the test: an answer to an earlier question would change nothing


def sync(control: Control) -> None:
    """The timer reads the lists, and what follows is done."""
    answer = control("POST", "/scf/timers/schedule_sync/every-five-minutes/fire")
    assert "error" not in answer, answer
    control.settle()


def override(control: Control, operation: str, **params: Any) -> None:
    """Until the end of the test, the HIS's answers are like this."""
    control.fault("his", operation, "override", times=-1, **params)


def tasks(control: Control, prefix: str) -> dict[str, str]:
    """Detail and kind of the open tasks of some kinds."""
    return {one["detail"]: one["kind"] for one in control.tasks(kind=f"{prefix}*")}


def states(sql: Sql, *sessions: dict[str, Any]) -> list[str]:
    """How sessions stand here."""
    return [sql("SELECT state FROM schedules WHERE id = %s", (one["id"],))[0][0] for one in sessions]


def fees(sql: Sql, *sessions: dict[str, Any]) -> list[int]:
    """What they cost here."""
    return [sql("SELECT fee_fen FROM schedules WHERE id = %s", (one["id"],))[0][0] for one in sessions]


# -- rows -------------------------------------------------------------------------------------------
def test_an_odd_session_is_a_task_with_its_reason_and_stays_as_it_was_while_the_others_are_taken_over(
        control: Control, new_session: Open, sql: Sql) -> None:
    sound, *odd = (new_session(date=SOON, slots=2) for _ in range(6))
    code = [one["his"]["code"] for one in odd]
    for one in (sound, *odd):
        control("POST", f"/his/schedules/{one['his']['code']}/fee", fee_fen=9900)
    rows = [f"schedules.code={one}" for one in code]
    override(control, "list_schedules", set={
        f"{rows[0]}.doctor_code": "D-NOBODY", f"{rows[1]}.fee_fen": "much", f"{rows[2]}.clinic_room": "室" * 81,
        f"{rows[3]}.starts_at": "2026-11-24T08:00:00", f"{rows[4]}.period": None})
    for _ in range(2):
        sync(control)
    assert fees(sql, sound, *odd) == [9900] + [2500] * 5
    assert states(sql, sound, *odd) == ["OPEN"] * 6
    assert tasks(control, "list.") == dict.fromkeys([
        f"schedule {code[0]}: unknown doctor D-NOBODY", f"schedule {code[1]}: unreadable: fee_fen",
        f"schedule {code[2]}: unreadable: clinic_room", f"schedule {code[3]}: unreadable: starts_at",
        f"schedule {code[4]}: unreadable: period"], f"{ODD}schedule")
    control("DELETE", "/faults")
    sync(control)
    assert fees(sql, *odd) == [9900] * 5
    assert tasks(control, "list.") == {}


def test_an_odd_slot_is_a_task_and_its_session_goes_on(control: Control, new_session: Open, sql: Sql) -> None:
    session, other = new_session(date=SOON, slots=3), new_session(date=SOON, slots=2)
    first, second, _ = (one["code"] for one in session["his"]["slots"])
    row = f"schedules.code={session['his']['code']}"
    control("POST", f"/his/schedules/{session['his']['code']}/fee", fee_fen=9900)
    control("POST", f"/his/schedules/{other['his']['code']}/fee", fee_fen=8800)
    override(control, "list_schedules", set={f"{row}.slots.code={second}.number": -1}, add={
        f"schedules.code={other['his']['code']}.slots": {**session["his"]["slots"][0]}})
    for _ in range(2):
        sync(control)
    assert fees(sql, session, other) == [9900, 8800]
    assert sql("SELECT schedule_id, state FROM slots WHERE his_code IN (%s, %s)", (first, second)) == [
        (session["id"], "OPEN")] * 2
    assert tasks(control, "list.") == dict.fromkeys([
        f"slot {second}: unreadable: number",
        f"slot {first}: listed in session {other['his']['code']}, stands in {session['his']['code']}"], f"{ODD}slot")


def test_so_many_odd_rows_that_they_have_one_cause_are_one_task(control: Control, sql: Sql) -> None:
    sync(control)
    before = sql("SELECT COUNT(*) FROM schedules WHERE state = 'OPEN'")
    override(control, "list_schedules", set={"schedules.*.kind": "NEW"})
    sync(control)
    [(detail, kind)] = tasks(control, "list.").items()
    assert (kind, detail[:27]) == (f"{ODD}schedule", "schedule: unreadable: kind;")
    assert sql("SELECT COUNT(*) FROM schedules WHERE state = 'OPEN'") == before


def test_a_session_put_off_out_of_the_window_and_into_it_again_is_the_same_session(
        control: Control, new_session: Open, sql: Sql) -> None:
    session = new_session(date=SOON)
    code = session["his"]["code"]
    for day, state in (("2026-12-20", "GONE"), (SOON, "OPEN")):  # nobody is registered: off sale is enough
        control("POST", f"/his/schedules/{code}/change", date=day)
        sync(control)
        assert sql("SELECT id, state FROM schedules WHERE his_code = %s", (code,)) == [(session["id"], state)]
    assert tasks(control, "list.") == {}


def test_a_doctor_with_a_name_of_fifty_characters_is_found_and_on_sale(control: Control, new_session: Open) -> None:
    name = "古丽米热艾比布力" * 6 + "江江"
    session = new_session(date=SOON, doctor_name=name)
    assert (session["doctor_name"], session["free"]) == (name, 6)
    found = Phone(control).call("GET", "booking/doctors", params={"q": "gulimireaibibuli"})["doctors"]
    assert session["doctor_id"] in [one["id"] for one in found]


def test_an_odd_doctor_or_department_is_a_task_and_the_others_are_taken_over(control: Control, new_session: Open,
                                                                             sql: Sql) -> None:
    odd, sound = new_session(date=SOON)["his"]["doctor_code"], new_session(date=SOON)["his"]["doctor_code"]
    override(control, "list_doctors", set={f"doctors.code={odd}.name": "长" * 61,
                                              f"doctors.code={sound}.title": "院士"})
    override(control, "list_departments", set={"departments.0.name": None})
    for _ in range(2):
        sync(control)
    assert sql("SELECT employed FROM doctors WHERE his_code = %s", (odd,)) == [(1,)]
    assert sql("SELECT title FROM doctors WHERE his_code = %s", (sound,)) == [("院士",)]
    assert sorted(tasks(control, "list.").values()) == [f"{ODD}department", f"{ODD}doctor"]
    control("DELETE", "/faults")
    sync(control)
    assert tasks(control, "list.") == {}


def subjects(control: Control, kind: str) -> set[str]:
    """What the open tasks of a kind are about."""
    return {one["subject_id"] for one in control.tasks(kind=kind)}


def test_a_session_without_its_places_or_room_is_odd_and_stays_as_it_was(control: Control, new_session: Open, sql: Sql
                                                                         ) -> None:
    first, second = new_session(date=SOON), new_session(date=SOON)
    code = [one["his"]["code"] for one in (first, second)]
    override(control, "list_schedules", remove=[f"schedules.code={code[0]}.slots",
                                                f"schedules.code={code[1]}.clinic_room"])
    sync(control)
    assert sql("SELECT COUNT(*) FROM slots WHERE schedule_id = %s AND state = 'OPEN'", (first["id"],)) == [(6,)]
    assert sql("SELECT clinic_room FROM schedules WHERE id = %s", (second["id"],)) == [(second["clinic_room"],)]
    assert set(tasks(control, "list.")) == {f"schedule {code[0]}: unreadable: slots",
                                            f"schedule {code[1]}: unreadable: clinic_room"}


def test_an_odd_row_in_the_list_and_by_name_is_one_task_that_counts(
        control: Control, guest: Phone, ill: dict[str, Any], new_session: Open, visit: Any, sql: Sql) -> None:
    session = new_session(date=SOON)
    code = session["his"]["code"]
    visit(guest, ill, session)
    control("POST", f"/his/schedules/{code}/change", date="2026-12-20")  # off the list: asked for by name
    override(control, "list_schedules", set={f"schedules.code={code}.doctor_code": "D-NOBODY"})
    for _ in range(3):
        sync(control)
    assert sql("SELECT state, times FROM staff_tasks WHERE detail = %s",
               (f"schedule {code}: unknown doctor D-NOBODY",)) == [("OPEN", 3)]


def test_what_is_odd_is_said_also_when_the_list_breaks_off(control: Control, new_session: Open) -> None:
    new_session(date=SOON)
    override(control, "list_schedules", set={"schedules.0.kind": "NEW", "next_cursor": "nonsense"})
    answer = control("POST", "/scf/timers/schedule_sync/every-five-minutes/fire")
    assert "error" in answer  # the HIS refuses to go on
    assert set(tasks(control, "list.").values()) == {f"{ODD}schedule"}


def test_a_doctor_or_department_that_is_listed_twice_is_a_task_and_the_first_row_counts(
        control: Control, new_session: Open, sql: Sql) -> None:
    code = new_session(date=SOON)["his"]["doctor_code"]
    [name] = sql("SELECT name FROM his_departments WHERE code = '1101'")
    title = sql("SELECT title FROM doctors WHERE his_code = %s", (code,))
    override(control, "list_doctors", add={"doctors": {
        "code": code, "name": "别名", "title": "院士", "department_codes": ["1101"]}})
    override(control, "list_departments", add={"departments": {
        "code": "1101", "name": "别科", "parent_code": "11", "parent_name": "别部", "specialty_code": "03"}})
    sync(control)
    assert sql("SELECT title FROM doctors WHERE his_code = %s", (code,)) == title
    assert sql("SELECT name FROM his_departments WHERE code = '1101'") == [name]
    assert set(tasks(control, "list.")) == {f"doctor {code}: listed twice", "department 1101: listed twice"}


def test_a_first_start_with_a_department_too_long_for_its_column_goes_on_without_it(control: Control, sql: Sql
                                                                                   ) -> None:
    groups = control.operate("departments.show")["groups"]
    [(code,)] = sql("SELECT code FROM his_departments ORDER BY code LIMIT 1")
    override(control, "list_departments", set={f"departments.code={code}.introduction": "𠮷" * 20_000})
    sql("DELETE FROM departments WHERE parent_id IS NOT NULL")
    sql("DELETE FROM departments")
    try:
        sync(control)
        shown = control.operate("departments.show")
        assert (len(shown["groups"]) > 1, shown["unused_his_codes"]) == (True, [code])
        assert list(tasks(control, "list.").values()) == [f"{ODD}department"]
    finally:
        control.operate("departments.arrange", groups=groups)


# -- holes ------------------------------------------------------------------------------------------
def test_an_empty_list_changes_nothing_at_first_and_is_one_task(control: Control, new_session: Open, sql: Sql) -> None:
    session = new_session(date=SOON)
    sync(control)
    before = sql("SELECT state, COUNT(*) FROM schedules GROUP BY state ORDER BY state")
    override(control, "list_schedules", set={"schedules": [], "next_cursor": None})
    override(control, "list_doctors", set={"doctors": []})
    override(control, "list_departments", set={"departments": []})
    for _ in range(2):
        sync(control)
    assert sql("SELECT state, COUNT(*) FROM schedules GROUP BY state ORDER BY state") == before
    assert sql("SELECT COUNT(*) FROM doctors WHERE employed = 0") == [(0,)]
    assert len(tasks(control, "list.")) == 3
    assert set(tasks(control, "list.").values()) == {"list.shrunken"}
    control("DELETE", "/faults")
    sync(control)
    assert (tasks(control, "list."), states(sql, session)) == ({}, ["OPEN"])


def test_a_drop_past_the_hospitals_share_is_believed_on_a_second_look(
        control: Control, new_session: Open, sql: Sql, policy: Callable[..., None]) -> None:
    policy(days_ahead=1, believed_drop_percent=0)
    session = new_session(date=SOON)
    doctor = session["his"]["doctor_code"]
    override(control, "list_schedules", remove=[f"schedules.code={session['his']['code']}"])
    override(control, "list_doctors", remove=[f"doctors.code={doctor}"])
    override(control, "list_departments", remove=["departments.0"])
    for _ in range(2):
        sync(control)
    assert states(sql, session) == ["OPEN"]
    assert sql("SELECT employed FROM doctors WHERE his_code = %s", (doctor,)) == [(1,)]
    control.advance(300)
    sync(control)
    assert states(sql, session) == ["GONE"]
    assert sql("SELECT employed FROM doctors WHERE his_code = %s", (doctor,)) == [(0,)]
    lists = {"schedules", "doctors", "departments"}
    assert (subjects(control, "list.shrunken-believed"), subjects(control, "list.shrunken")) == (lists, set())
    sync(control)
    [times] = {one["times"] for one in control.tasks(kind="list.shrunken-believed")}
    assert (times, subjects(control, "list.shrunken")) == (1, set())


def test_an_empty_list_of_doctors_of_departments_or_of_today_is_never_believed(control: Control, new_session: Open,
                                                                               sql: Sql) -> None:
    later = new_session(date=TODAY, period="EVENING")
    control("PUT", "/clock", now=f"{TODAY}T08:10:00+08:00")
    override(control, "list_doctors", set={"doctors": []})
    override(control, "list_departments", set={"departments": []})
    override(control, "list_schedules", remove=[f"schedules.date={TODAY}"])
    for _ in range(4):
        sync(control)
        control.advance(300)
    assert states(sql, later) == ["OPEN"]
    assert sql("SELECT COUNT(*) FROM doctors WHERE employed = 0 OR missing_since IS NOT NULL") == [(0,)]
    assert sql("SELECT COUNT(*) FROM his_departments WHERE gone_since IS NOT NULL") == [(0,)]
    assert {"doctors", "departments"} <= subjects(control, "list.shrunken")
    assert subjects(control, "list.shrunken-believed") == set()
    assert subjects(control, "schedule.missing-today") == {TODAY}
    control("DELETE", "/faults")
    sync(control)
    assert (tasks(control, "list."), tasks(control, "schedule.missing-today")) == ({}, {})


def test_a_session_that_has_lost_its_places_keeps_them_before_a_second_look(control: Control, new_session: Open,
                                                                           sql: Sql) -> None:
    session, other = new_session(date=SOON), new_session(date=SOON)
    rows = [f"schedules.code={one['his']['code']}" for one in (session, other)]
    override(control, "list_schedules", set={f"{row}.slots": [] for row in rows})
    for left, kinds in ((12, {"list.shrunken"}), (12, {"list.shrunken"}), (0, {"list.shrunken-believed"})):
        sync(control)
        assert sql("SELECT COUNT(*) FROM slots WHERE schedule_id IN (%s, %s) AND state = 'OPEN'",
                   (session["id"], other["id"])) == [(left,)]
        assert set(tasks(control, "list.").values()) == kinds
        assert subjects(control, *kinds) == {"places"}
        control.advance(150)
    control("DELETE", "/faults")
    sync(control)
    assert sql("SELECT COUNT(*) FROM slots WHERE schedule_id IN (%s, %s) AND state = 'OPEN'",
               (session["id"], other["id"])) == [(12,)]


def test_one_session_that_is_listed_no_more_is_gone_at_once(control: Control, new_session: Open, sql: Sql) -> None:
    session = new_session(date=SOON)
    override(control, "list_schedules", remove=[f"schedules.code={session['his']['code']}"])
    sync(control)
    assert states(sql, session) == ["GONE"]
    assert "list.shrunken" not in tasks(control, "list.").values()


def test_what_is_visited_today_is_never_gone_because_today_is_not_listed(
        control: Control, guest: Phone, ill: dict[str, Any], new_session: Open, visit: Any, sql: Sql) -> None:
    begun, later = new_session(date=TODAY), new_session(date=TODAY, period="AFTERNOON")
    booking = visit(guest, ill, begun)
    other = visit(guest, ill, later)
    control("PUT", "/clock", now=f"{TODAY}T08:10:00+08:00")
    override(control, "list_schedules", remove=[f"schedules.date={TODAY}"])  # its clock is past midnight first
    for _ in range(3):
        sync(control)
        control.advance(300)
    assert states(sql, begun, later) == ["OPEN", "OPEN"]
    assert [kind for kind in tasks(control, "schedule.").values() if kind != "schedule.missing-today"] == []
    assert guest.check_in(booking)["booking"]["state"] == "CHECKED_IN"
    assert guest.booking(other)["state"] == "CONFIRMED"


def test_a_session_that_is_gone_here_does_not_bar_check_in_the_his_decides(
        control: Control, guest: Phone, ill: dict[str, Any], new_session: Open, visit: Any, sql: Sql) -> None:
    session = new_session(date=TODAY)
    booking = visit(guest, ill, session)
    sql("UPDATE schedules SET state = 'GONE' WHERE id = %s", (session["id"],))
    assert guest.check_in(booking)["booking"]["state"] == "CHECKED_IN"
    assert states(sql, session) == ["OPEN"]
