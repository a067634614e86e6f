"""Every task that the house can put on staff's list names a command that ends it."""

from __future__ import annotations

import ast
from pathlib import Path

from hospital.console import operations, task_list

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
