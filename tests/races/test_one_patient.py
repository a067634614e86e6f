"""Very many requests at once for one patient: each is told soon what became of it, and the limits hold."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from tests.races.ground import Ground, clients, together

REQUESTS = 160
SOON = 12  # seconds on a busy machine; alone it is one


def test_of_very_many_requests_for_one_patient_each_is_told_soon_and_no_more_are_granted_than_may_be(
        ground: Ground) -> None:
    member = ground.newcomer()
    waited: list[float] = []

    def ask(phone: Any, session: dict[str, Any]) -> tuple[int, str]:
        began = time.monotonic()
        answer = phone.raw("POST", "booking/bookings", {
            "patient_id": member.patient_id, "schedule_id": session["id"], "fee_fen": session["fee_fen"]},
            key=f"one-patient-{id(phone):020d}")
        waited.append(time.monotonic() - began)
        if answer.status_code == 429:
            assert int(answer.headers["Retry-After"]) >= 1
        return answer.status_code, answer.json().get("error", {}).get("code", "")

    asked = zip(clients(member.phone, REQUESTS), ground.doctors * REQUESTS, strict=False)
    told = Counter(together([lambda p=phone, s=session: ask(p, s) for phone, session in asked]))  # type: ignore[misc]
    live = ground.count("SELECT COUNT(*) FROM bookings WHERE patient_id = %s AND live_flag = 1", (member.patient_id,))
    granted = told.pop((201, ""), 0)
    assert set(told) <= {(409, "too_many_that_day"), (409, "already_booked"), (429, "busy"),
                         (429, "too_many_requests")}, told
    assert granted == live <= 3
    assert max(waited) < SOON
