"""A report that is pushed and listed at once is kept and told once; beside a correction one reads the old or the new.

The control: without the key that both ways meet at, it is kept twice.
"""

from __future__ import annotations

import base64
from typing import Any

from tests.opened import code_of
from tests.races.ground import Ground, clients, together

ANNOUNCED = "报告已出通知"


def once(ground: Ground) -> tuple[int, int]:
    """How many reports there are of a patient, and how many messages, after six pushes beside four readings."""
    member = ground.newcomer()
    member.phone.allow_messages("reports")
    control, code = ground.control, code_of(ground.control, ground.sql, member.patient_id)
    control.settle()
    made = control("POST", "/lis/reports", patient_code=code, panel="blood", push=False)
    fire = lambda: control("POST", "/scf/timers/report_sync/every-five-minutes/fire")  # noqa: E731
    together([*[lambda: control("POST", "/lis/say", content=made["content"])] * 6, *[fire] * 4])
    control.settle()
    listed = member.phone.call("GET", "reports/reports", params={"patient_id": member.patient_id})["reports"]
    return len(listed), len(member.phone.inbox(ANNOUNCED))


def test_push_beside_list_keeps_and_tells_once(ground: Ground) -> None:
    assert [once(ground) for _ in range(3)] == [(1, 1)] * 3


def test_without_its_key_a_report_is_kept_more_than_once(unprotected: Ground) -> None:
    unprotected.sql("ALTER TABLE reports ADD KEY reports_key_open (key_hash), DROP KEY reports_key")
    try:
        assert any(once(unprotected)[0] > 1 for _ in range(24))
    finally:
        unprotected.sql("DELETE FROM reports")
        unprotected.sql("ALTER TABLE reports ADD UNIQUE KEY reports_key (key_hash), DROP KEY reports_key_open")


def test_who_reads_beside_a_correction_sees_the_old_or_the_new_one_whole(ground: Ground) -> None:
    member = ground.newcomer()
    control, code = ground.control, code_of(ground.control, ground.sql, member.patient_id)
    old = {"6690-2": "5.10", "718-7": "141"}
    made = control("POST", "/lis/reports", patient_code=code, panel="blood", values=old)
    control.settle()
    [line] = member.phone.call("GET", "reports/reports", params={"patient_id": member.patient_id})["reports"]
    control.advance(60)
    corrected = control("POST", f"/lis/reports/{made['number']}/correct", push=False, list=False,
                        values={"6690-2": "5.20", "718-7": "142"})
    assert base64.b64decode(corrected["content"])

    def read(phone: Any) -> tuple[str, ...]:
        report = phone.call("GET", f"reports/reports/{line['id']}")
        values = {one["name"]: one["value"] for one in report["items"]}
        return report["state"], values["白细胞计数"], values["血红蛋白"]

    seen = together([lambda: control("POST", "/lis/say", content=corrected["content"]),
                     *(lambda p=phone: read(p) for phone in clients(member.phone, 10))])  # type: ignore[misc]
    assert set(seen[1:]) <= {("READY", "5.10", "141"), ("CORRECTED", "5.20", "142")}
    assert read(member.phone) == ("CORRECTED", "5.20", "142")
