"""Every task that the house can put on staff's list names a command that ends it."""

from __future__ import annotations

import ast
from pathlib import Path

from hospital.console import operations, task_list
from hospital.database import odd_rows, outbox
from hospital.reconciliation.model import SOURCES
from hospital.reconciliation.stuck_store import WATCHED

HOUSE = Path(operations.__file__).parent.parent


def kinds_in_the_source() -> set[str]:
    """What ``tasks.add`` is called with, where it is written out or is a name of its module."""
    found = set()
    for path in HOUSE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {target.id: node.value.value for node in tree.body if isinstance(node, ast.Assign)
                 and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
                 for target in node.targets if isinstance(target, ast.Name)}
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "tasks.add":
                kind = next(one.value for one in call.keywords if one.arg == "kind")
                if isinstance(kind, ast.Constant):
                    found.add(str(kind.value))
                elif isinstance(kind, ast.Name) and kind.id in names:
                    found.add(names[kind.id])
    return found


def odd_row_sources() -> set[str]:
    """The lists whose rows can be odd."""
    return {str(ast.literal_eval(argument)) for path in HOUSE.rglob("*.py")
            for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(call, ast.Call) and call.args for argument in call.args[:2]
            if isinstance(argument, ast.Constant)
            if (ast.unparse(call.func), call.args.index(argument)) in (("OddRows", 0), ("odd_rows.reading", 1))}


def test_every_kind_of_task_has_its_commands_and_they_exist() -> None:
    kinds = kinds_in_the_source()
    assert len(kinds) > 20
    assert {kind for kind in kinds if kind not in task_list.ENDS} == set()
    for kind in (*kinds, "message.send.hangs", "statement.wechat"):
        assert task_list.ends_with(kind)
        assert set(task_list.ends_with(kind)) <= set(operations.COMMANDS)


def test_a_hanging_step_and_a_statement_s_line_are_ended_by_what_does_them_again() -> None:
    assert task_list.ends_with("invoice.issue.hangs")[0] == "task.retry"
    assert task_list.ends_with("charge.settle.hangs") == ["task.retry", "task.refund", "task.close"]
    assert task_list.ends_with("statement.fund_flow")[0] == "statement.make"
    assert task_list.ends_with("list.shrunken")[0] == "schedules.sync"
    assert task_list.ends_with("list.shrunken-believed") == ["task.close"]


def test_every_kind_of_task_can_be_asked_for_alone_and_by_its_beginning() -> None:
    steps = {outbox.hanging(one.topic) for one in WATCHED}
    lines = {f"statement.{source.lower()}" for source in SOURCES}
    rows = {f"{odd_rows.TASK}.{source}" for source in odd_row_sources()}
    assert len(rows) == 8
    for kind in {*kinds_in_the_source(), *task_list.ENDS, *steps, *lines, *rows}:
        for asked in (kind, f"{kind[:-1]}*"):
            assert task_list.ListTasks.model_validate({"action": "x", "by": "staff", "kind": asked}).kind == asked
