"""Pure decisions of check-in: when it is time."""

from __future__ import annotations

from datetime import datetime, timedelta

from hospital.database.policy import Policy
from hospital.runtime.clock import BEIJING


def checkin_window(starts_at: datetime, ends_at: datetime, policy: Policy) -> tuple[datetime, datetime]:
    """From when to when a session's patients may check in."""
    return starts_at - timedelta(minutes=policy.checkin_opens_minutes), ends_at


def checkin_refusal(now: datetime, opens: datetime, closes: datetime) -> tuple[str, str] | None:
    """Why now is not the time to check in: a code and a sentence; None when it is."""
    if now < opens:
        local = opens.astimezone(BEIJING)
        return "checkin_too_early", f"尚未到取号时间，请于{local.month}月{local.day}日{local:%H:%M}后取号。"
    if now >= closes:
        return "session_over", "本次出诊已结束，请到人工窗口办理。"
    return None
