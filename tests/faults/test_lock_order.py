"""Who changes a thing and the task about it locks the thing first: two who meet wait, and neither is rolled back."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from sandbox.phone import Refused
from scripts import local_db
from tests.faults.conftest import Visit


@pytest.fixture
def refused(visit: Visit) -> Visit:
    """Paid and cancelled, and WeChat refuses the refund for good."""
    visit.held_and_paid()
    visit.work()
    visit.control.fault("wechatpay", "create_refund", "refuse", code="USER_ACCOUNT_ABNORMAL", status=403)
    visit.cancel()
    visit.work()
    return visit


def waits_for_a_refund(visit: Visit) -> bool:
    """Whether a transaction comes to lock a refund, which another one holds."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if visit.sql("SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID() "
                     "AND info LIKE %s", ("SELECT%FROM refunds WHERE%FOR UPDATE",)):
            return True
    return False


@pytest.mark.parametrize("action", ["task.retry", "task.close"])
def test_staff_s_commands_lock_the_refund_before_its_task_as_all_others_do(
        refused: Visit, mysql: str, database_name: str, action: str) -> None:
    [(_, task)] = refused.tasks()
    host, _, port = mysql.partition(":")
    other = local_db.connect(host, int(port), database_name)
    try:
        other.begin()
        with other.cursor() as cursor, ThreadPoolExecutor(1) as staff:
            [subject] = refused.sql("SELECT subject_id FROM staff_tasks WHERE id = %s", (task,))
            cursor.execute("SELECT id FROM refunds WHERE id = %s FOR UPDATE", subject)
            told = staff.submit(refused.operate, action, task)
            assert waits_for_a_refund(refused)
            cursor.execute("SELECT id FROM staff_tasks WHERE id = %s FOR UPDATE NOWAIT", (task,))  # nobody holds it
            assert len(cursor.fetchall()) == 1
            other.rollback()
            if action == "task.close":
                with pytest.raises(Refused) as refusal:
                    told.result()
                assert refusal.value.code == "refund_still_stuck"
            else:
                assert told.result()["retried"] == task
    finally:
        other.close()
