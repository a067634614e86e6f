"""Races of paying bills and arriving. Each is named for what holds, and tells what was broken."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import Any

from sandbox.people import person
from sandbox.phone import Control, Phone, Refused
from tests.races.ground import ANSWERS, Ground, Member, broken_answers, clients, later, together, won

SHOWN = "bill_being_paid", "bill_paid", "bill_changed"  # what one who comes second is told


def _pay(phone: Phone, patient_id: str, bills: list[dict[str, Any]]) -> dict[str, Any]:
    """All of it, as far as it goes: the order, and in ``refused`` what stopped it after."""
    order: dict[str, Any] = phone.order(patient_id, bills)
    try:
        phone.thumb(phone.open_order(order["id"]))
    except Refused as refusal:
        return {**order, "refused": refusal}
    return order


def _orders(ground: Ground, members: list[Member], *prices_fen: int) -> list[str]:
    """One order a member, of a bill for each price."""
    return [member.phone.order(member.patient_id, [ground.bill(member, price) for price in prices_fen])["id"]
            for member in members]


def _opened(pairs: Sequence[tuple[Member, str]]) -> list[dict[str, str]]:
    return won(together([lambda m=member, o=order: m.phone.open_order(o)  # type: ignore[misc]
                         for member, order in pairs]))


def _give_up(phone: Phone, order_id: str) -> Any:
    return phone.call("POST", f"billing/orders/{order_id}/cancellation")


def _timers(ground: Ground, number: int = 3) -> list[Callable[[], Any]]:
    return [ground.fire] * number


# -- paying -----------------------------------------------------------------------------------------
def a_bill_is_paid_once(ground: Ground) -> list[str]:
    """Two accounts of one patient, each on several phones, and the desk; some bills one by one and together."""
    one, members = person(), [ground.newcomer() for _ in range(2)]
    for member in members:
        member.patient_id = member.phone.add_patient(one)["id"]
    bills = [ground.bill(members[0], 1000 + at, 500) for at in range(4)]
    asked = [[bills[0]], [bills[1]], [bills[2], bills[3]], [bills[3]]]
    desk = [lambda b=bill, at=at: later(members[0].phone, at + 1, lambda: ground.control(  # type: ignore[misc]
        "POST", f"/his/bills/{b['bill_no']}/pay-at-desk")) for at, bill in enumerate(bills[:2])]
    results = together([
        lambda p=phone, m=member, a=wanted: _pay(p, m.patient_id, a)  # type: ignore[misc]
        for wanted in asked for member in members for phone in clients(member.phone, 3)] + desk)
    orders = won(results[:-len(desk)])
    broken = broken_answers([*results[:-len(desk)], *(order.get("refused") for order in orders)], *SHOWN)
    for bill in bills:
        # One that the desk was faster than is released: then another may still come as far.
        ordered = ground.count("SELECT COUNT(*) FROM charges WHERE bill_no = %s AND reason <> 'BILL_PAID'",
                               (bill["bill_no"],))
        if ordered > 1:
            broken.append(f"bill {bill['bill_no']} was ordered {ordered} times")
    ground.work()
    ground.work(70)
    paid = {row["bill_no"]: row["paid_by"] for row in ground.control("GET", "/his/bills") if row["state"] == "PAID"}
    # The third is only ever wanted together with the fourth: who pays that one alone leaves it unpaid.
    broken += [f"bill {bill['bill_no']} is not paid" for bill in (*bills[:2], bills[3]) if bill["bill_no"] not in paid]
    return broken + ground.differences([order["id"] for order in orders])


def an_order_is_made_and_opened_once(ground: Ground) -> list[str]:
    """One account on many phones: the same order with one key and with others; then everybody opens its payment."""
    member, key = ground.newcomer(), secrets.token_hex(16)
    bills = [ground.bill(member, 2100), ground.bill(member, 900, 300)]
    same = together([lambda p=phone: p.order(member.patient_id, bills, key=key)  # type: ignore[misc]
                     for phone in clients(member.phone, 8)]
                    + [lambda p=phone: p.order(member.patient_id, bills)  # type: ignore[misc]
                       for phone in clients(member.phone, 8)])
    orders = {one["id"] for one in won(same)}
    broken = broken_answers(same, *SHOWN)
    if len(orders) != 1:
        return [*broken, f"{len(orders)} different orders"]
    (order,) = orders
    results = together([lambda p=phone: p.open_order(order)  # type: ignore[misc]
                        for phone in clients(member.phone, 8)])
    broken += broken_answers(results)
    if won(results):
        member.phone.thumb(won(results)[0])
    ground.work()
    state = member.phone.charge_order(order)["state"]
    return broken + ([] if state == "DONE" else [f"paid, and then {state}"]) + ground.differences([order])


def paying_bills_and_giving_up_do_not_mix(ground: Ground) -> list[str]:
    """The payment is opened, or paid, and the order given up at the same moment."""
    members = ground.crowd[:8]
    pairs = list(zip(members, _orders(ground, members, 1800, 700), strict=True))
    early, late = pairs[:5], pairs[5:]
    sheets = _opened(late)
    results = together(
        [lambda m=member, o=order: m.phone.open_order(o) for member, order in early]  # type: ignore[misc]
        + [lambda m=member, s=sheet: m.phone.thumb(s)  # type: ignore[misc]
           for (member, _), sheet in zip(late, sheets, strict=True)]
        + [lambda m=member, o=order: _give_up(clients(m.phone, 1)[0], o)  # type: ignore[misc]
           for member, order in pairs])
    # The sandbox's thumb is refused without a code once WeChat has closed the order.
    broken = broken_answers(results, "order_expired", "payment_refused", "not_payable", None)
    for _, order in pairs:
        torn = ground.count("SELECT COUNT(*) FROM charge_orders o JOIN charges c ON c.order_id = o.id "
                            "WHERE o.id = %s AND (o.state = 'RELEASED') <> (c.state = 'RELEASED')", (order,))
        if torn:
            broken.append(f"order {order} and its bills are torn apart")
    ground.finish()
    return broken + ground.differences([order for _, order in pairs])


def money_at_the_end_of_an_order_is_settled_or_goes_back(ground: Ground) -> list[str]:
    """Paying, its notices, and the end of the time to pay in several workers, at the same moment."""
    members = ground.crowd[8:14]
    orders = _orders(ground, members, 1500, 600)
    sheets = _opened(list(zip(members, orders, strict=True)))
    ground.control.advance(16 * 60)
    together([lambda m=member, s=sheet: m.phone.thumb(s, force=True, copies=2)  # type: ignore[misc]
              for member, sheet in zip(members, sheets, strict=True)] + _timers(ground))
    ground.finish()
    return ground.differences(orders)


def a_storm_of_notices_settles_each_bill_once(ground: Ground) -> list[str]:
    """Every notice of orders of several bills, many times, all at once, beside the workers."""
    control, members = ground.control, [ground.newcomer() for _ in range(3)]
    for member in members:
        member.phone.allow_messages("billing")
    orders = _orders(ground, members, 1100, 1200, 1300, 1400)
    sheets = _opened(list(zip(members, orders, strict=True)))
    control("POST", "/wechatpay/notices/mode", hold=True)
    numbers = [member.phone.thumb(sheet)["out_trade_no"] for member, sheet in zip(members, sheets, strict=True)]
    storms = together([lambda n=number: control(  # type: ignore[misc]
        "POST", "/wechatpay/notices/replay", out_trade_no=n, copies=8) for number in numbers] + _timers(ground))
    control("POST", "/wechatpay/notices/mode", hold=False)
    ground.work()
    ground.until_told(orders)
    broken = [f"a notice was answered {one['status']}" for storm in storms[:len(numbers)]
              for one in storm["deliveries"] if one["status"] not in ANSWERS]
    for order in orders:
        for movement, wanted in (("CAPTURE", 1), ("SETTLEMENT", 4)):
            booked = ground.count("SELECT COUNT(*) FROM ledger l JOIN payments p ON p.id = l.payment_id "
                                  "WHERE p.subject_id = %s AND l.movement = %s", (order, movement))
            if booked != wanted:
                broken.append(f"{movement} was booked {booked} times")
        broken += [f"a bill was settled {settled} times" for charge in ground.charges(order)
                   if (settled := ground.steps(charge["id"], "SETTLING>SETTLED")) != 1]
    broken += [f"told {told} times" for member in members
               if (told := len(member.phone.inbox("缴费成功通知"))) != 1]
    return broken + ground.differences(orders)


def a_changed_bill_is_not_paid_as_it_was(ground: Ground) -> list[str]:
    """The doctor changes bills, or takes them back, while they are being paid; some although they are locked."""
    members = ground.crowd[14:22]
    bills = [[ground.bill(member, 2000, 1000), ground.bill(member, 450)] for member in members]
    changes = [("change", {"amount_fen": 2500}), ("cancel", {})]
    opened = [member.phone.order(member.patient_id, both)["id"]
              for member, both in zip(members[4:], bills[4:], strict=True)]
    sheets = _opened(list(zip(members[4:], opened, strict=True)))
    results = together(
        [lambda m=member, b=both: _pay(m.phone, m.patient_id, b)  # type: ignore[misc]
         for member, both in zip(members[:4], bills[:4], strict=True)]
        + [lambda m=member, s=sheet: m.phone.thumb(s)  # type: ignore[misc]
           for member, sheet in zip(members[4:], sheets, strict=True)]
        + [lambda m=member, b=both[0], at=at: later(m.phone, at % 4, lambda: _change(  # type: ignore[misc]
            ground.control, b["bill_no"], changes[at % 2], force=at >= 2))
           for at, (member, both) in enumerate(zip(members, bills, strict=True))])
    orders = [order["id"] for order in won(results[:4])] + opened
    broken = broken_answers([*results[:8], *(order.get("refused") for order in won(results[:4]))], *SHOWN,
                            "bill_cancelled")
    ground.work()
    ground.work(70)
    amounts = {row["bill_no"]: row["total_fen"] for row in ground.control("GET", "/his/bills")}
    for order in orders:
        for number, kept_fen in ground.sql("SELECT c.bill_no, s.amount_fen FROM charges c JOIN settlements s "
                                           "ON s.subject_id = c.id WHERE c.order_id = %s", (order,)):
            if amounts[number] != kept_fen:
                broken.append(f"bill {number} is {amounts[number]} fen, and {kept_fen} were taken")
    return broken + ground.differences(orders)


def _change(control: Control, bill_no: str, how: tuple[str, dict[str, int]], *, force: bool) -> Any:
    return control("POST", f"/his/bills/{bill_no}/{how[0]}", force=force, **how[1])


# -- arriving ---------------------------------------------------------------------------------------
def _registered(ground: Ground, members: list[Member], **policy: str) -> list[str]:
    """Registrations of this morning, confirmed and (unless ``policy`` says otherwise) paid."""
    ground.control.operate("settings.change", changes=policy)
    bookings = [member.phone.book(member.patient_id, ground.today)["id"] for member in members]
    ground.control.operate("settings.change", changes=dict.fromkeys(policy))
    for member, booking in zip(members, bookings, strict=True):
        sheet = member.phone.open_payment(booking)
        if sheet:
            member.phone.thumb(sheet)
    ground.work()
    return bookings


def a_patient_checks_in_once(ground: Ground) -> list[str]:
    """Many phones check the same registration in; one is paid, one is to be paid now, by whichever phone is first."""
    members = [ground.newcomer() for _ in range(2)]
    for member in members:
        member.phone.allow_messages("checkin")
    bookings = _registered(ground, members[:1]) + _registered(ground, members[1:], payment="AT_CHECKIN")
    results = together([lambda p=phone, b=booking: p.check_in(b)  # type: ignore[misc]
                        for member, booking in zip(members, bookings, strict=True)
                        for phone in clients(member.phone, 6)])
    broken = broken_answers(results)
    sheets = [one["payment"] for one in won(results) if one["payment"]]
    if len(sheets) != 6:
        broken.append(f"{len(sheets)} of 6 phones may pay")
    for phone in clients(members[1].phone, 2 if sheets else 0):  # the second finds it paid
        together([lambda p=phone: p.thumb(sheets[0], copies=3)])  # type: ignore[misc]
    ground.work()
    ground.work(20)
    for member, booking in zip(members, bookings, strict=True):
        tries = ground.count("SELECT COUNT(*) FROM checkins WHERE booking_id = %s", (booking,))
        steps = ground.count("SELECT COUNT(*) FROM booking_history WHERE booking_id = %s AND to_state = 'CHECKED_IN'",
                             (booking,))
        told = len(member.phone.inbox("取号成功通知"))
        if (tries, steps, told) != (1, 1, 1):
            broken.append(f"{tries} check-ins, {steps} arrivals, told {told} times")
    return broken + ground.differences(bookings)


def arriving_and_cancelling_do_not_mix(ground: Ground) -> list[str]:
    """A registration is checked in and cancelled at the same moment, on two phones of one account."""
    members = [ground.newcomer() for _ in range(6)]
    bookings = _registered(ground, members)
    pairs = list(zip(members, bookings, strict=True))
    results = together(
        [lambda m=member, b=booking: m.phone.check_in(b) for member, booking in pairs]  # type: ignore[misc]
        + [lambda m=member, b=booking, at=at: later(m.phone, at, lambda: clients(m.phone, 1)[0].call(  # type: ignore[misc]
            "POST", f"booking/bookings/{b}/cancellation")) for at, (member, booking) in enumerate(pairs)])
    broken = broken_answers(results, "not_confirmed", "checked_in")
    for seconds in (0, 15, 35, 20):
        ground.work(seconds)
    for member, booking in pairs:
        state = member.phone.booking(booking)["state"]
        if state not in ("CHECKED_IN", "CANCELLED"):
            broken.append(f"booking {booking} is neither here nor there: {state}")
    return broken + ground.differences(bookings)


RACES = [a_bill_is_paid_once, an_order_is_made_and_opened_once, paying_bills_and_giving_up_do_not_mix,
         money_at_the_end_of_an_order_is_settled_or_goes_back, a_storm_of_notices_settles_each_bill_once,
         a_changed_bill_is_not_paid_as_it_was, a_patient_checks_in_once, arriving_and_cancelling_do_not_mix]
