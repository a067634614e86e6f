"""No-shows: the HIS says who came, the patient is told rule and count; past it nothing can be booked for a while."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from sandbox.people import person
from sandbox.phone import Control, Phone, Refused
from tests.features.closing import Day
from tests.features.conftest import refused
from tests.opened import code_of

Ask = Callable[..., list[tuple[Any, ...]]]
STANDING = "booking/standing"


class Missing:
    """Somebody on a day that only this test has: registers, comes or not, and the evening's timer asks who came."""

    def __init__(self, today: Day, patient: dict[str, Any] | None = None) -> None:
        self.today, self.control, self.sql = today, today.control, today.sql
        self.phone = Phone(today.control).sign_in()
        self.phone.allow_every_message()
        self.person = patient or person()
        self.patient: str = self.phone.add_patient(self.person, relation="SELF")["id"]

    def register(self, session: dict[str, Any]) -> str:
        """Registered and paid; the registration's id."""
        held = self.phone.book(self.patient, session)
        self.phone.thumb(self.phone.open_payment(held["id"]))
        self.control.settle()
        assert self.phone.booking(held["id"])["state"] == "CONFIRMED"
        return str(held["id"])

    def standing(self) -> dict[str, Any]:
        """How they stand, as the confirm page shows it."""
        self.phone.sign_in()
        shown: dict[str, Any] = self.phone.call("GET", STANDING, params={"patient_id": self.patient})
        return shown

    def trade(self, booking: str) -> str:
        """The registration's number in the HIS."""
        return str(self.sql("SELECT trade_no FROM bookings WHERE id = %s", (booking,))[0][0])

    def put_right(self, booking: str, state: str) -> None:
        """Staff of the hospital say who came."""
        self.control("POST", f"/his/registrations/{self.trade(booking)}/attendance", state=state)

    def notes(self) -> list[str]:
        """What the no-show messages say, oldest first."""
        return [one["lines"][-1].partition(": ")[2] for one in self.phone.inbox("爽约通知")]

    def blocks(self) -> list[str]:
        """What the messages of being barred say, oldest first."""
        return [one["lines"][-1].partition(": ")[2] for one in self.phone.inbox("暂停预约通知")]


def ask(control: Control) -> Any:
    """The timer goes off."""
    answer = control("POST", "/scf/timers/no_show/after-sessions/fire")
    control.settle()
    return answer


@pytest.fixture
def ended(today: Day) -> Callable[[], None]:
    """It is evening: the afternoon's sessions ended more than an hour ago, and the HIS is asked."""
    def run() -> None:
        today.at("18:40:00")
        assert "error" not in ask(today.control)
    return run


@pytest.fixture
def sessions(today: Day, new_session: Callable[..., dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    """An afternoon session of today, of another doctor each time."""
    return lambda: new_session(date=str(today.day), period="AFTERNOON", slots=30)


@pytest.mark.feature("no-show.notice")
def test_a_missed_visit_is_recorded_and_the_patient_told_the_rule_and_the_count(
        today: Day, sessions: Callable[[], dict[str, Any]], ended: Callable[[], None]) -> None:
    one = Missing(today)
    assert one.standing()["missed"] == 0
    assert one.standing()["rule_text"] == "一年内爽约满3次，暂停预约1个月。来不了请提前取消，不算爽约。"
    booking = one.register(sessions())
    ended()
    shown = one.phone.sign_in().booking(booking)
    assert (shown["state"], shown["state_text"], shown["attendance"]) == ("CONFIRMED", "未就诊", "ABSENT")
    assert one.notes() == ["一年内第1次，满3次暂停预约"]
    assert (one.standing()["missed"], one.standing()["to_block"], one.standing()["blocked_until"]) == (1, 3, None)
    ask(today.control)  # once is enough
    assert len(one.notes()) == 1


def test_who_checked_in_or_cancelled_in_time_or_was_moved_or_called_off_has_missed_nothing(
        today: Day, sessions: Callable[[], dict[str, Any]], ended: Callable[[], None]) -> None:
    one = Missing(today)
    came, gave_up, moved, stopped = (sessions() for _ in range(4))
    here = one.register(came)
    one.phone.call("POST", f"booking/bookings/{one.register(gave_up)}/cancellation")
    today.control.settle()
    other = Missing(today)
    there = other.register(moved)
    called_off = other.register(stopped)
    today.control("POST", f"/his/schedules/{moved['his']['code']}/change", clinic_room="0707诊室")
    today.control("POST", f"/his/schedules/{stopped['his']['code']}/stop")
    for session in (moved, stopped):
        today.control.operate("schedules.sync", schedule=session["his"]["code"])
    today.control.settle()
    today.at("12:00:00")
    one.phone.check_in(here)
    ended()
    one.phone.sign_in()
    assert one.phone.booking(here)["attendance"] == "ATTENDED"
    assert (one.standing()["missed"], one.notes(), other.standing()["missed"], other.notes()) == (0, [], 0, [])
    other.phone.sign_in()
    assert {other.phone.booking(booking)["attendance"] for booking in (there, called_off)} == {""}


@pytest.mark.feature("no-show.blacklist")
def test_past_the_limit_nothing_is_booked_for_a_while_and_all_else_goes_on(
        today: Day, sessions: Callable[[], dict[str, Any]], ended: Callable[[], None],
        policy: Callable[..., None]) -> None:
    policy(no_shows_to_block=2, no_show_block_months=1)
    one = Missing(today)
    kept = one.phone.add_patient(person())["id"]
    for session in (sessions(), sessions()):
        one.register(session)
    afternoon = sessions()
    ended()
    standing = one.standing()
    assert (standing["missed"], standing["blocked_text"][:5]) == (0, "已爽约2次")  # they have led to a block
    assert standing["blocked_until"] is not None
    assert one.blocks() == ["已爽约2次，暂停预约"]
    with pytest.raises(Refused) as refusal:
        one.phone.book(one.patient, afternoon)
    assert (refusal.value.status, refusal.value.code) == (403, "blacklisted")
    assert "前不能预约和候补" in str(refusal.value)
    assert "服务台申诉" in str(refusal.value)
    other = {"patient_id": one.patient, "schedule_id": afternoon["id"]}
    assert refused(lambda: one.phone.call("POST", "booking/waitlist", other)) == (403, "blacklisted")
    assert one.phone.bills(one.patient) == []  # all else goes on
    assert refused(lambda: one.phone.book(kept, {**afternoon, "fee_fen": 1}))[1] != "blacklisted"
    listed = today.control.operate("blacklist.list", limit=200)["blocks"]
    [mine] = [block for block in listed if block["patient"] == one.patient]
    assert (mine["source"], mine["reach"], mine["missed"]) == ("RULE", "ALL", 2)
    today.control.operate("blacklist.lift", block_id=mine["id"], note="住院期间未能取消")
    assert one.standing()["blocked_until"] is None
    assert one.blocks()[-1] == "暂停已解除，可以预约了"
    assert refused(lambda: one.phone.book(one.patient, {**afternoon, "fee_fen": 1}))[1] != "blacklisted"


def test_a_block_ends_by_time(today: Day, sessions: Callable[[], dict[str, Any]], ended: Callable[[], None],
                              policy: Callable[..., None], sql: Ask) -> None:
    policy(no_shows_to_block=1)
    one = Missing(today)
    one.register(sessions())
    ended()
    assert one.standing()["blocked_until"] is not None
    sql("UPDATE booking_blocks SET ends_at = begins_at WHERE patient_id = %s", (one.patient,))
    assert one.standing()["blocked_until"] is None


def test_it_is_counted_for_the_person_by_whichever_account(
        today: Day, sessions: Callable[[], dict[str, Any]], ended: Callable[[], None],
        policy: Callable[..., None]) -> None:
    policy(no_shows_to_block=2)
    one = Missing(today)
    other = Missing(today, one.person)
    assert one.phone.openid != other.phone.openid
    one.register(sessions())
    other.register(sessions())
    ended()
    assert one.standing()["blocked_until"] == other.standing()["blocked_until"] is not None
    assert len(one.blocks()) == len(other.blocks()) == 1


def test_what_a_stranger_misses_in_somebodys_name_bars_strangers_alone(
        today: Day, sessions: Callable[[], dict[str, Any]], ended: Callable[[], None],
        policy: Callable[..., None]) -> None:
    policy(no_shows_to_block=1)
    one = Missing(today)
    stranger = Phone(today.control).sign_in()
    patient = stranger.add_patient(one.person, proven=False)["id"]
    session = sessions()
    held = stranger.book(patient, session)
    stranger.thumb(stranger.open_payment(held["id"]))
    today.control.settle()
    ended()
    assert (one.standing()["missed"], one.standing()["blocked_until"]) == (0, None)
    stranger.sign_in()
    shown = stranger.call("GET", STANDING, params={"patient_id": patient})
    assert (shown["missed"], shown["blocked_until"] is not None, shown["blocked_text"][:4]) == (0, True, "多次爽约")
    assert refused(lambda: stranger.book(patient, sessions())) == (403, "blacklisted")


def test_a_late_correction_takes_it_back_and_the_block_with_it(
        today: Day, sessions: Callable[[], dict[str, Any]], ended: Callable[[], None],
        policy: Callable[..., None]) -> None:
    policy(no_shows_to_block=2)
    one = Missing(today)
    first, second = one.register(sessions()), one.register(sessions())
    ended()
    assert one.standing()["blocked_until"] is not None
    one.put_right(first, "ATTENDED")
    ask(today.control)
    shown = one.standing()
    assert (shown["missed"], shown["blocked_until"]) == (1, None)
    assert one.phone.booking(first)["attendance"] == "ATTENDED"
    assert one.phone.booking(second)["attendance"] == "ABSENT"
    assert one.notes()[-1] == "医院已更正，本次不算爽约"
    assert one.blocks()[-1] == "暂停已解除，可以预约了"


def test_staff_take_one_back_and_bar_by_hand(today: Day, sessions: Callable[[], dict[str, Any]],
                                             ended: Callable[[], None], sql: Ask) -> None:
    one, control = Missing(today), today.control
    one.register(sessions())
    ended()
    code = code_of(control, sql, one.patient)
    shown = control.operate("no_shows.show", patient_code=code)
    [missed] = shown["no_shows"]
    assert (missed["patient"], missed["is_proven"], missed["taken_back_at"], shown["blocks"]) == (
        one.patient, True, None, [])
    control.operate("no_show.take_back", no_show_id=missed["id"], note="急诊抢救，未能到诊")
    assert one.standing()["missed"] == 0
    with pytest.raises(Refused) as refusal:
        control.operate("no_show.take_back", no_show_id=missed["id"], note="again")
    assert refusal.value.code == "taken_back_already"
    with pytest.raises(Refused) as refusal:
        control.operate("blacklist.add", patient_code=code, until="2020-01-01", note="too late")
    assert refusal.value.code == "over_already"
    until = today.day + timedelta(days=60)
    block = control.operate("blacklist.add", patient_code=code, until=str(until), note="倒卖号源")["block"]
    assert one.standing()["blocked_text"].startswith(f"倒卖号源，{until.year}年{until.month}月{until.day}日前")
    control.operate("blacklist.lift", block_id=block, note="查无实据")
    assert one.standing()["blocked_until"] is None
    with pytest.raises(Refused) as refusal:
        control.operate("blacklist.lift", block_id=block, note="again")
    assert refusal.value.code == "block_not_found"
    stored = repr(sql("SELECT note_enc FROM booking_blocks WHERE id = %s", (block,)))
    assert "倒卖" not in stored
    assert {"blacklist.add", "blacklist.lift", "no_show.take_back"} <= {action for (action,) in sql(
        "SELECT action FROM audit WHERE subject IN (%s, %s)", (block, missed["id"]))}


def test_what_the_his_does_not_know_is_asked_again_and_in_the_end_is_staffs(
        today: Day, sessions: Callable[[], dict[str, Any]], ended: Callable[[], None],
        policy: Callable[..., None]) -> None:
    policy(no_show_ask_days=1)
    one = Missing(today)
    booking = one.register(sessions())
    one.put_right(booking, "UNKNOWN")
    ended()
    assert (one.standing()["missed"], one.notes()) == (0, [])
    today.control.advance(86400)
    ask(today.control)
    [task] = [task for task in today.control.tasks(kind="attendance.unknown") if task["subject_id"] == str(today.day)]
    assert booking in task["detail"]
    one.put_right(booking, "ABSENT")  # heard after all
    ask(today.control)
    assert one.standing()["missed"] == 1
    assert not [task for task in today.control.tasks(kind="attendance.unknown")
                if task["subject_id"] == str(today.day)]


def test_an_odd_row_of_the_list_stands_alone(
        today: Day, sessions: Callable[[], dict[str, Any]], ended: Callable[[], None]) -> None:
    one, other = Missing(today), Missing(today)
    first, second = one.register(sessions()), other.register(sessions())
    today.control.fault("his", "list_attendance", "override",
                        set={f"attendances.trade_no={one.trade(first)}.state": "MAYBE"})
    ended()
    assert (one.standing()["missed"], other.standing()["missed"]) == (0, 1)
    assert other.phone.booking(second)["attendance"] == "ABSENT"
    assert [task for task in today.control.tasks(kind="list.odd-row.attendance")
            if "unreadable: state" in task["detail"]]
    ask(today.control)
    assert one.standing()["missed"] == 1
    assert not today.control.tasks(kind="list.odd-row.attendance")
