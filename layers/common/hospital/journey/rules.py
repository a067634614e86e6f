"""Pure decisions of a visit's timeline: what happened in words, and what comes next."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Literal

from msgspec import Struct

from hospital.runtime.clock import BEIJING, hospital_day

Name = Literal["PAY_FEE", "CHOOSE", "WAIT_CONFIRM", "COME", "CHECK_IN", "WAIT_TURN", "PAY_BILLS", "EXECUTE", "PICK_UP"]


class Fact(Struct, frozen=True):
    """Something that happened, and the page that says more (empty: none)."""

    at: datetime
    title: str
    text: str = ""
    opens: str = ""


class Step(Struct, frozen=True):
    """What comes next: what to do, and the page where it is done, with the button's words. ``by``: until when."""

    name: Name
    title: str
    text: str
    action: str
    opens: str
    by: datetime | None = None


class Visit(Struct, frozen=True):
    """As much of a visit as its next step hangs on. ``checkin``: from when to when one may check in; ``stopped``: the
    session does not take place.

    ``ordered``: how many bills a doctor made in it; ``unpaid`` of them, with their sum in fen; ``to_do``
    examinations and the like that were paid and not done; ``drugs`` likewise.
    """

    booking_id: str
    patient_id: str
    state: str
    day: date
    starts_at: datetime
    expires_at: datetime
    checkin: tuple[datetime, datetime]
    needs_payment: bool
    queue_number: str
    stopped: bool = False
    is_offer: bool = False  # the house took the place for who waited for it (候补)
    ordered: int = 0
    unpaid: int = 0
    unpaid_fen: int = 0
    to_do: int = 0
    drugs: int = 0


# What a change of state is called. What has a fact of its own (paying) stays out.
STATES: dict[str, str] = {"CONFIRMED": "预约成功", "CHECKED_IN": "已取号", "CANCELLING": "申请取消",
                          "CANCELLED": "挂号已取消", "RELEASED": "号源已释放", "REJECTED": "挂号未成功"}


def next_step(visit: Visit, now: datetime) -> Step | None:
    """What the patient does next, or waits for; None when nothing is left."""
    registration = f"/visit/registration?id={visit.booking_id}"
    if visit.state in ("HELD", "AWAITING_PAYMENT"):
        if visit.expires_at <= now:
            return None
        verb = "支付" if visit.needs_payment else "确认"
        until = f"请在{_clock(visit.expires_at)}前{verb}"
        text = (f"你候补的号到了，{until}，过时让给下一位。" if visit.is_offer
                else f"号源已保留，{until}，超时自动释放。")
        return Step("PAY_FEE", f"请{verb}", text, f"去{verb}", registration, visit.expires_at)
    if visit.state == "CONFIRMING":
        return Step("WAIT_CONFIRM", "医院确认中", "确认后会通知你；不成功会自动退款。", "查看详情", registration)
    if visit.state == "CONFIRMED":
        return _before_arrival(visit, registration, now)
    return _at_the_hospital(visit, now) if visit.state == "CHECKED_IN" else None


def _before_arrival(visit: Visit, registration: str, now: datetime) -> Step | None:
    opens, closes = visit.checkin
    if visit.stopped:
        return Step("CHOOSE", "医生停诊了", "可以改约其他医生或时间，也可以退号，费用原路退回。", "去选择",
                    registration)
    if now >= closes:
        return None
    if now < opens:
        return Step("COME", f"{_day(opens, now)}到院", f"{_day(opens, now)}{_clock(opens)}起取号，"
                    f"{_clock(visit.starts_at)}就诊。", "查看详情", registration, opens)
    return Step("CHECK_IN", "到院后取号", f"请在{_clock(visit.starts_at)}前取号，取号后候诊。", "去取号", registration,
                closes)


def _at_the_hospital(visit: Visit, now: datetime) -> Step | None:
    way = f"/way/stops?patient={visit.patient_id}"
    if visit.unpaid:
        return Step("PAY_BILLS", f"有{visit.unpaid}笔费用待缴", "缴费后告诉你先去哪里、再去哪里。", "去缴费",
                    f"/bills/bills?patient={visit.patient_id}")
    if visit.to_do:
        return Step("EXECUTE", f"还有{visit.to_do}项要做", "已按空腹、开放时间和排队情况排好顺序。", "看顺序和路线",
                    way)
    if visit.drugs:
        return Step("PICK_UP", "去取药", "药房和窗口在这里。", "看窗口", way)
    if not visit.ordered and visit.day == hospital_day(now):
        number = f"您的号是 {visit.queue_number}，" if visit.queue_number else ""
        return Step("WAIT_TURN", "候诊中", f"{number}请留意叫号。", "看叫号", f"/way/queue?id={visit.booking_id}")
    return None


_URGENT: dict[str, int] = {"PAY_FEE": 0, "CHOOSE": 0, "WAIT_TURN": 1, "CHECK_IN": 2, "PAY_BILLS": 3, "EXECUTE": 4,
                           "PICK_UP": 5, "WAIT_CONFIRM": 6, "COME": 7}


def first(steps: Iterable[tuple[Visit, Step]]) -> list[tuple[Visit, Step]]:
    """The steps of several visits, the most urgent first; of those alike the earlier visit."""
    return sorted(steps, key=lambda one: (_URGENT[one[1].name], one[0].starts_at, one[0].booking_id))


def belongs(visit_trade: str, day: date, doctor: str, department: str, bill: tuple[str | None, date, str, str]) -> bool:
    """Whether a bill (visit's number, day, doctor, department) was made in a visit.

    The HIS says so; of a bill whose visit it does not name, day with doctor or department do.
    """
    trade, made_on, by, of = bill
    if trade:
        return trade == visit_trade
    return made_on == day and ((bool(by) and by == doctor) or (not by and bool(of) and of == department))


def newest_first(facts: Iterable[Fact], now: datetime) -> list[Fact]:
    """What has happened until now, the newest first; of one second (WeChat tells no parts) as it was told."""
    past = [one for one in facts if one.at <= now]
    return [one for _, one in sorted(enumerate(past), reverse=True, key=lambda pair: (
        pair[1].at.replace(microsecond=0), pair[0]))]


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone(BEIJING):%H:%M}"


def _day(moment: datetime, now: datetime) -> str:
    day = hospital_day(moment)
    away = (day - hospital_day(now)).days
    return {0: "今天", 1: "明天", 2: "后天"}.get(away, f"{day.month}月{day.day}日")
