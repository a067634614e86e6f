"""Where an account is signed in: how many sessions, which, and how each ends."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import pytest

from sandbox.phone import Control, Phone, Refused
from tests.opened import account_of

Ask = Callable[..., list[tuple[Any, ...]]]
MINUTE = 60


class Device:
    """One of a person's phones: the same WeChat user, a session of its own."""

    def __init__(self, owner: Phone, name: str = "") -> None:
        self.phone = Phone.__new__(Phone)
        self.phone.__dict__.update(owner.__dict__, secret=secrets.token_urlsafe(32))
        self.phone.sign_in(**({"device": name} if name else {}))

    @property
    def status(self) -> int:
        """What an ordinary request of it is answered."""
        return self.phone.raw("GET", "account/me").status_code

    def sessions(self) -> list[dict[str, Any]]:
        """The account's sessions as this phone sees them."""
        listed: list[dict[str, Any]] = self.phone.call("GET", "account/sessions")["sessions"]
        return listed


def test_with_one_session_too_many_the_one_that_was_idle_for_longest_ends(
        control: Control, policy: Callable[..., None]) -> None:
    policy(sessions_per_account=2)
    owner = Phone(control)
    first = Device(owner)
    control.advance(6 * MINUTE)
    second = Device(owner)
    control.advance(6 * MINUTE)
    assert (first.status, second.status) == (200, 200)  # as many as allowed; the first was used last
    control.advance(6 * MINUTE)
    assert first.status == 200
    third = Device(owner)
    assert (first.status, second.status, third.status) == (200, 401, 200)


def test_a_cap_is_an_account_s_own(control: Control, policy: Callable[..., None]) -> None:
    policy(sessions_per_account=1)
    mine, theirs = Device(Phone(control)), Device(Phone(control))
    assert (mine.status, theirs.status) == (200, 200)


def test_the_list_says_device_begin_and_use_and_which_one_asks(control: Control, guest: Phone, sql: Ask) -> None:
    phone = Device(guest, "HUAWEI Mate 60 Pro")
    control.advance(7 * MINUTE)
    pad = Device(guest, "iPad 张三的平板")
    shown = pad.sessions()
    assert [(one["device"], one["is_current"]) for one in shown] == [
        ("iPad 张三的平板", True), ("HUAWEI Mate 60 Pro", False), ("", False)]
    assert shown[1]["started_at"] == shown[1]["last_used_at"] < shown[0]["started_at"]
    assert phone.status == 200
    assert pad.sessions()[0]["last_used_at"] > shown[1]["last_used_at"]
    assert len({one["id"] for one in shown}) == 3
    for one in shown:  # an id opens nothing
        assert phone.phone.raw("GET", "account/me", headers={"Authorization": f"Bearer {one['id']}"}).status_code == 401
    stored = repr(sql("SELECT * FROM sessions"))
    assert [one for one in ("HUAWEI", "平板") if one in stored] == []


@pytest.mark.parametrize("device", ["x" * 65, 7, {}])
def test_a_device_that_is_no_short_text_is_refused(guest: Phone, device: Any) -> None:
    with pytest.raises(Refused) as refusal:
        guest.sign_in(device=device)
    assert (refusal.value.status, refusal.value.error["fields"]) == (422, ["device"])


def test_the_time_of_use_is_written_once_in_five_minutes_however_often_it_is_used(
        control: Control, guest: Phone, sql: Ask) -> None:
    account = account_of(control, sql, guest.openid)

    def used() -> Any:
        return sql("SELECT last_used_at FROM sessions WHERE account_id = %s", (account,))[0][0]

    before = used()
    for _ in range(3):
        control.advance(MINUTE)
        guest.call("GET", "account/me")
    assert used() == before
    control.advance(3 * MINUTE)
    guest.call("GET", "account/me")
    assert used() > before


def test_one_may_be_ended_and_the_others_go_on(guest: Phone) -> None:
    mine, lost = Device(guest), Device(guest, "lost")
    [gone] = [one["id"] for one in mine.sessions() if one["device"] == "lost"]
    assert mine.phone.call("DELETE", f"account/sessions/{gone}") is None
    assert (mine.status, lost.status, guest.raw("GET", "account/me").status_code) == (200, 401, 200)
    with pytest.raises(Refused) as refusal:
        mine.phone.call("DELETE", f"account/sessions/{gone}")
    assert (refusal.value.status, refusal.value.code) == (404, "session_not_found")


def test_all_others_may_be_ended_at_once(guest: Phone) -> None:
    mine, one, two = Device(guest), Device(guest), Device(guest)
    assert mine.phone.call("DELETE", "account/sessions/others") == {"ended": 3}
    assert [device.status for device in (mine, one, two)] == [200, 401, 401]
    assert guest.raw("GET", "account/me").status_code == 401
    assert mine.phone.call("DELETE", "account/sessions/others") == {"ended": 0}


def test_nobody_ends_another_account_s_session(control: Control, guest: Phone) -> None:
    other = Device(Phone(control))
    [theirs] = other.sessions()
    with pytest.raises(Refused) as refusal:
        guest.call("DELETE", f"account/sessions/{theirs['id']}")
    assert refusal.value.status == 404
    guest.call("DELETE", "account/sessions/others")
    assert other.status == 200


def test_an_unused_session_ends_and_one_in_use_does_not(control: Control, policy: Callable[..., None]) -> None:
    policy(session_idle_minutes=30)
    owner = Phone(control)
    used, unused = Device(owner), Device(owner)
    for _ in range(3):
        control.advance(14 * MINUTE)
        assert used.status == 200
    assert unused.status == 401
    assert [one["is_current"] for one in used.sessions()] == [True]  # what has ended is not listed
    control.advance(29 * MINUTE)
    assert used.status == 200
    control.advance(30 * MINUTE)
    assert used.status == 401


def test_a_session_keeps_the_idle_time_it_began_with(control: Control, policy: Callable[..., None]) -> None:
    long = Device(Phone(control))
    policy(session_idle_minutes=15)
    short = Device(Phone(control))
    control.advance(20 * MINUTE)
    assert (long.status, short.status) == (200, 401)


def test_a_session_of_code_from_before_ends_by_its_time_alone(control: Control, guest: Phone, sql: Ask) -> None:
    sql("UPDATE sessions SET last_used_at = NULL, idle_minutes = NULL, device_enc = NULL WHERE account_id = %s",
        (account_of(control, sql, guest.openid),))
    control.advance(11 * 60 * MINUTE)
    assert [one["device"] for one in guest.call("GET", "account/sessions")["sessions"]] == [""]
    control.advance(61 * MINUTE)
    assert guest.raw("GET", "account/me").status_code == 401


def test_operators_end_an_account_s_sessions_and_nobody_else_s(control: Control, guest: Phone, sql: Ask) -> None:
    more, other = Device(guest), Device(Phone(control))
    account = account_of(control, sql, guest.openid)
    assert control.operate("sessions.end", account_id=account, note="手机丢失") == {"ended": 2}
    assert (more.status, other.status, guest.raw("GET", "account/me").status_code) == (401, 200, 401)
    assert guest.sign_in().call("GET", "account/me")["patients"] == 0
    assert control.operate("sessions.end", account_id="0" * 26, note="手机丢失") == {"ended": 0}
    for wrong in ({}, {"account_id": account, "everyone": True}):
        with pytest.raises(Refused) as refusal:
            control.operate("sessions.end", note="手机丢失", **wrong)
        assert refusal.value.code == "invalid"
    assert other.status == 200


def test_operators_end_everybody_s_sessions(control: Control, guest: Phone) -> None:
    other = Device(Phone(control))
    assert control.operate("sessions.end", everyone=True, note="密钥泄露")["ended"] >= 2
    assert (other.status, guest.raw("GET", "account/me").status_code) == (401, 401)


def test_a_phone_code_of_another_wechat_user_is_refused_and_stays_theirs(control: Control, guest: Phone) -> None:
    guest.call("POST", "account/phone", {"code": guest.phone_code()})
    other = Phone(control).sign_in()
    code = other.phone_code()
    with pytest.raises(Refused) as refusal:
        guest.call("POST", "account/phone", {"code": code})
    assert (refusal.value.status, refusal.value.code) == (400, "wechat_code_invalid")
    assert guest.call("GET", "account/me")["phone"][-4:] == guest.number[-4:]
    assert other.call("POST", "account/phone", {"code": code})["phone"][-4:] == other.number[-4:]
