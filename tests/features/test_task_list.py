"""Staff's list of tasks: nothing new is hidden, one cause is one task with a count, each names what ends it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sandbox.phone import Control, Refused

Ask = Callable[..., list[tuple[Any, ...]]]
KIND = "trade.unreadable"
COMMANDS = {"binding.end", "binding.vouch", "task.retry", "task.refund", "task.close", "refund.give_up",
            "refund.paid_elsewhere", "settings.change", "statement.make", "schedules.sync", "patient.match",
            "complaint.take", "complaint.answer", "complaint.hand_over"}


@pytest.fixture
def many(sql: Ask) -> Iterator[list[str]]:
    """250 open tasks of one kind, put on the list an hour after each other, the last at seven; their ids."""
    ids = [f"00TASK{number:020d}" for number in range(250)]
    for number, task_id in enumerate(ids):
        sql("INSERT INTO staff_tasks (id, kind, subject_id, detail, state, created_at) "
            "VALUES (%s, %s, %s, 'x', 'OPEN', TIMESTAMPADD(HOUR, %s, '2026-11-22 23:00:00'))",
            (task_id, KIND, f"S{number}", number - 249))
    yield ids
    sql("DELETE FROM staff_tasks WHERE kind = %s", (KIND,))


def listed(control: Control, **wanted: Any) -> dict[str, Any]:
    answer: dict[str, Any] = control.operate("tasks.list", **wanted)
    return answer


def test_every_kind_is_told_with_its_number_ages_and_commands_however_many_others_there_are(
        control: Control, many: list[str], sql: Ask) -> None:
    sql("INSERT INTO staff_tasks (id, kind, subject_id, detail, state, created_at) "
        "VALUES ('01NEW000000000000000000001', 'refund.stuck', 'R1', 'x', 'OPEN', '2026-11-22 23:00:00')")
    try:
        kinds = {one["kind"]: one for one in listed(control, limit=1)["kinds"]}
        assert (kinds[KIND]["number"], kinds[KIND]["ends_with"]) == (250, ["task.close"])
        assert 249 < kinds[KIND]["age_hours"] < 250
        assert (kinds[KIND]["first_seen_at"], kinds[KIND]["last_seen_at"]) == (
            "2026-11-12T14:00:00+00:00", "2026-11-22T23:00:00+00:00")
        assert kinds["refund.stuck"]["ends_with"] == ["task.retry", "refund.paid_elsewhere", "refund.give_up"]
        assert kinds["refund.stuck"]["number"] >= 1
        [mine] = listed(control, kind="refund.*", subject_id="R1")["tasks"]
        assert (mine["kind"], mine["times"], mine["first_seen_at"], mine["last_seen_at"]) == (
            "refund.stuck", 1, "2026-11-22T23:00:00+00:00", "2026-11-22T23:00:00+00:00")
    finally:
        sql("DELETE FROM staff_tasks WHERE subject_id = 'R1'")


@pytest.mark.parametrize("newest_first", [False, True])
def test_the_list_is_read_page_by_page_in_either_order(control: Control, many: list[str], newest_first: bool) -> None:
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = listed(control, kind=KIND, newest_first=newest_first, limit=100, after=cursor)
        assert len(page["tasks"]) <= 100
        found += [one["id"] for one in page["tasks"]]
        cursor = page["next"]
    assert found == (many[::-1] if newest_first else many)


def test_the_list_is_filtered_by_kind_subject_and_age(control: Control, many: list[str]) -> None:
    assert [one["id"] for one in listed(control, subject_id="S7")["tasks"]] == [many[7]]
    assert listed(control, kind="trade.*", limit=200)["next"] is not None
    assert listed(control, kind="trade")["tasks"] == []
    old = listed(control, kind=KIND, older_than_hours=100, limit=200)["tasks"]
    assert [one["id"] for one in old] == many[:150]
    assert listed(control, kind=KIND, older_than_hours=250)["tasks"] == []


def test_an_underscore_in_a_kind_is_itself(control: Control, sql: Ask) -> None:
    kinds = ("statement.fund_flow", "statement.fundxflow", "statement.fund!flow")
    for kind in kinds:
        sql("INSERT INTO staff_tasks (id, kind, subject_id, detail, state, created_at) VALUES (%s, %s, 'U1', 'x', "
            "'OPEN', '2026-11-22 23:00:00')", (f"00UNDER{kinds.index(kind):019d}", kind))
    try:
        for asked in ("statement.fund_flow", "statement.fund_*"):
            assert [one["kind"] for one in listed(control, kind=asked, subject_id="U1")["tasks"]] == [kinds[0]]
        assert len(listed(control, kind="statement.fund*", subject_id="U1")["tasks"]) == 3
    finally:
        sql("DELETE FROM staff_tasks WHERE subject_id = 'U1'")


@pytest.mark.parametrize("wrong", [{"kind": "%"}, {"kind": "A"}, {"kind": "*.hangs"}, {"limit": 0}, {"limit": 201},
                                   {"after": "x"}, {"older_than_hours": -1}, {"before": "x"}])
def test_a_filter_that_is_none_is_refused(control: Control, wrong: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        listed(control, **wrong)


def test_one_cause_is_one_open_task_that_counts_and_says_when_it_was_seen(control: Control, sql: Ask) -> None:
    subject = "bill_no, event_id, occurred_at, type"
    for before in listed(control, subject_id=subject)["tasks"]:
        control.operate("task.close", task_id=before["id"], note="before the test")
    for number in range(3):
        control("POST", "/his/events/send", text=f'{{"event_id": "", "bill_no": 1, "note": {number}}}')
        control.advance(600)
    [task] = listed(control, subject_id=subject)["tasks"]
    assert task["times"] == 3
    assert task["first_seen_at"] < task["last_seen_at"]
    control.operate("task.close", task_id=task["id"], note="told the HIS")
    control("POST", "/his/events/send", text='{"event_id": "", "bill_no": 1, "note": 0}')
    [again] = listed(control, subject_id=task["subject_id"])["tasks"]
    assert (again["times"], again["id"] != task["id"]) == (1, True)


def test_every_open_task_names_a_command_that_exists(control: Control) -> None:
    for one in (*listed(control, limit=200)["kinds"], *listed(control, limit=200)["tasks"]):
        assert one["ends_with"]
        assert set(one["ends_with"]) <= COMMANDS
