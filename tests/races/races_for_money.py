"""Races of paying, cancelling, notices and workers. Each is named for what holds, and tells what was broken."""

from __future__ import annotations

from typing import Any

from sandbox.phone import Phone, Refused
from tests.races.ground import ANSWERS, Ground, Member, broken_answers, clients, later, together, won


def _held(ground: Ground, members: list[Member]) -> list[str]:
    return [one["id"] for one in together([
        lambda m=member: m.phone.book(m.patient_id, ground.wide) for member in members])]  # type: ignore[misc]


def _opened(members: list[Member], bookings: list[str]) -> tuple[list[tuple[Member, str, dict[str, str]]], list[str]]:
    """The payments that could be opened, each with its member and registration; and what was refused."""
    payments = together([lambda m=member, b=booking: m.phone.open_payment(b)  # type: ignore[misc]
                         for member, booking in zip(members, bookings, strict=True)])
    opened = [(member, booking, payment) for member, booking, payment
              in zip(members, bookings, payments, strict=True) if not isinstance(payment, Refused)]
    return opened, [f"no payment: {one}" for one in payments if isinstance(one, Refused)]


def _confirmed(ground: Ground) -> tuple[Member, str]:
    member = ground.newcomer()
    booking = member.phone.book(member.patient_id, ground.wide)["id"]
    member.phone.thumb(member.phone.open_payment(booking))
    ground.control.settle()
    return member, booking


def _cancel(phone: Phone, booking: str) -> Any:
    return phone.call("POST", f"booking/bookings/{booking}/cancellation")


def _steps(ground: Ground, booking: str, step: str) -> int:
    source, _, target = step.partition(">")
    return ground.count("SELECT COUNT(*) FROM booking_history WHERE booking_id = %s AND from_state = %s "
                        "AND to_state = %s", (booking, source, target))


def two_ways_to_pay_open_one_order(ground: Ground) -> list[str]:
    """Several devices open the payment of one registration."""
    member = ground.newcomer()
    booking = member.phone.book(member.patient_id, ground.wide)["id"]
    results = together([lambda p=phone: p.open_payment(booking)  # type: ignore[misc]
                        for phone in clients(member.phone, 8)])
    broken = broken_answers(results)
    if _steps(ground, booking, "HELD>AWAITING_PAYMENT") != 1:
        broken.append("the payment was opened more than once")
    if won(results):
        member.phone.thumb(won(results)[0])
    ground.work()
    state = member.phone.booking(booking)["state"]
    return broken + ([] if state == "CONFIRMED" else [f"paid, and then {state}"])


def paying_and_giving_up_do_not_mix(ground: Ground) -> list[str]:
    """The payment is opened and the place given up at the same moment."""
    members = [ground.newcomer() for _ in range(6)]
    bookings = _held(ground, members)
    pairs = list(zip(members, bookings, strict=True))
    results = together(
        [lambda m=member, b=booking: m.phone.open_payment(b) for member, booking in pairs]  # type: ignore[misc]
        + [lambda m=member, b=booking: _cancel(clients(m.phone, 1)[0], b)  # type: ignore[misc]
           for member, booking in pairs])
    # A number that was given up is dead in the HIS: locking it then is refused, and that is right.
    broken = broken_answers(results, "hold_expired", "payment_refused")
    for member, booking in pairs:
        taken = ground.count("SELECT COUNT(*) FROM bookings b LEFT JOIN slots s ON s.booking_id = b.id "
                             "WHERE b.id = %s AND (b.live_flag = 1) <> (s.id IS NOT NULL)", (booking,))
        if taken:
            broken.append(f"{member.phone.booking(booking)['state']}, and the place says otherwise")
        if sum(_steps(ground, booking, f"HELD>{state}") for state in ("AWAITING_PAYMENT", "RELEASED")) != 1:
            broken.append("it left HELD twice")
    ground.finish()
    return broken + ground.differences(bookings)


def money_at_the_end_of_the_hold_is_kept_or_goes_back(ground: Ground) -> list[str]:
    """Paying, the notice, and the end of the hold in several workers, at the same moment or a little later."""
    members = [ground.newcomer() for _ in range(6)]
    bookings = _held(ground, members)
    opened, broken = _opened(members, bookings)
    ground.control.advance(16 * 60)
    together([lambda m=member, p=payment, n=number: later(  # type: ignore[misc]
                  m.phone, 3 * n, lambda: m.phone.thumb(p, force=True, copies=2))
              for number, (member, _, payment) in enumerate(opened)]
             + [lambda: ground.control("POST", "/scf/timers/worker/every-minute/fire") for _ in range(3)])
    ground.finish()
    return broken + ground.differences(bookings)


def a_registration_is_cancelled_once(ground: Ground) -> list[str]:
    """Many devices cancel one registration."""
    member, booking = _confirmed(ground)
    results = together([lambda p=phone: _cancel(p, booking) for phone in clients(member.phone, 12)])  # type: ignore[misc]
    broken = broken_answers(results)
    if _steps(ground, booking, "CONFIRMED>CANCELLING") != 1:
        broken.append("it was cancelled more than once")
    ground.work()
    ground.work(15)
    if len(member.phone.booking(booking)["refunds"]) != 1:
        broken.append("not refunded once")
    return broken + ground.differences([booking])


def a_storm_of_notices_has_one_effect(ground: Ground) -> list[str]:
    """Every notice of a payment and of its refund, many times, shuffled, all at once."""
    control, member = ground.control, ground.newcomer()
    control("POST", "/wechatpay/notices/mode", hold=True)
    booking = member.phone.book(member.patient_id, ground.wide)["id"]
    number = member.phone.thumb(member.phone.open_payment(booking))["out_trade_no"]
    statuses = [one["status"] for one in control(
        "POST", "/wechatpay/notices/replay", out_trade_no=number, copies=24)["deliveries"]]
    control.settle()
    together([lambda: _cancel(member.phone, booking)])
    control.settle()
    control.advance(4)
    statuses += [one["status"] for one in control(
        "POST", "/wechatpay/notices/replay", out_trade_no=number, copies=24, shuffle=True)["deliveries"]]
    control("POST", "/wechatpay/notices/mode", hold=False)
    ground.work(15)
    broken = [f"a notice was answered {status}" for status in set(statuses) - ANSWERS]
    for movement in ("CAPTURE", "REFUND"):
        booked = ground.count("SELECT COUNT(*) FROM ledger l JOIN payments p ON p.id = l.payment_id "
                              "WHERE p.subject_id = %s AND l.movement = %s", (booking, movement))
        if booked != 1:
            broken.append(f"{movement} was booked {booked} times")
    begun = ground.count("SELECT COUNT(*) FROM outbox WHERE topic = 'registration.paid' AND subject_id = %s",
                         (booking,))
    told = sorted(one["template_name"] for one in member.phone.inbox())
    if begun != 1 or told != ["取消预约通知", "挂号成功通知"]:
        broken.append(f"begun {begun} times, told {told}")
    return broken + ground.differences([booking])


def a_step_is_done_by_one_worker(ground: Ground) -> list[str]:
    """Several workers find the same steps due."""
    members = [ground.newcomer() for _ in range(8)]
    ground.control.settle()
    bookings = _held(ground, members)
    opened, broken = _opened(members, bookings)
    ground.control.fault("cloud", "invoke", "error", times=-1)  # nobody is woken: all of it waits
    for member, _, payment in opened:
        member.phone.thumb(payment)
    ground.control.settle()
    ground.control("DELETE", "/faults")
    fired = together([lambda: ground.control("POST", "/scf/timers/worker/every-minute/fire") for _ in range(4)])
    ground.work()
    broken += [f"a worker failed: {one}" for one in fired if isinstance(one, Refused) or "error" in one]
    calls = [line.get("trade_no") for line in ground.control(
        "GET", "/journal?system=his&operation=confirm_registration")]
    for member, booking, _ in opened:
        trade_no = ground.sql("SELECT trade_no FROM bookings WHERE id = %s", (booking,))[0][0]
        told = len(member.phone.inbox("挂号成功通知"))
        if (calls.count(trade_no), told) != (1, 1):
            broken.append(f"confirmed {calls.count(trade_no)} times, told {told} times")
    return broken + ground.differences(bookings)


RACES = [two_ways_to_pay_open_one_order, paying_and_giving_up_do_not_mix,
         money_at_the_end_of_the_hold_is_kept_or_goes_back, a_registration_is_cancelled_once,
         a_storm_of_notices_has_one_effect, a_step_is_done_by_one_worker]
