"""Races of money going back, e-bills and statements. Each is named for what holds, and tells what was broken."""

from __future__ import annotations

from typing import Any

from sandbox.phone import Refused
from tests.races.ground import PATIENCE, Ground, Member, broken_answers, clients, later, together

STATED = "2026-11-24"


def _paid(ground: Ground, members: list[Member], *prices_fen: int) -> list[str]:
    """One order a member, of a bill for each price, paid and settled."""
    bills = [[ground.bill(member, price) for price in prices_fen] for member in members]
    orders = together([lambda m=member, b=some: m.phone.pay_bills(m.patient_id, b)  # type: ignore[misc]
                       for member, some in zip(members, bills, strict=True)])
    ground.work()
    return [str(order) for order in orders]


def _desk(ground: Ground, trade_no: str, **part: Any) -> Any:
    return ground.control("POST", f"/his/charges/{trade_no}/desk-refund", **part)


def _arrive(ground: Ground) -> None:
    """Long enough for refunds of one payment, which go a minute apart, to arrive and to be reported."""
    for seconds in (0, 15, 62, 15, 62, 15):
        ground.work(seconds)


def _sent(ground: Ground, order: str) -> dict[str, int]:
    """What goes back of an order's payment, in fen by purpose."""
    return dict(ground.sql("SELECT r.purpose, r.amount_fen FROM refunds r JOIN payments p ON p.id = r.payment_id "
                           "WHERE p.subject_id = %s", (order,)))


def a_paid_bill_is_refunded_once(ground: Ground) -> list[str]:
    """Many phones ask for a bill's money back, and the desk gives it back, at the same moment; so for some bills."""
    members = ground.crowd[:4]
    orders = _paid(ground, members, 1700, 800)
    charges = [(member, ground.charges(order)) for member, order in zip(members, orders, strict=True)]
    asked = together(
        [lambda p=phone, c=both[0]["id"]: p.refund_charge(c)  # type: ignore[misc]
         for member, both in charges for phone in clients(member.phone, 5)]
        + [lambda m=member, at=at, t=both[0]["trade_no"]: later(m.phone, at, lambda: _desk(ground, t))  # type: ignore[misc]
           for at, (member, both) in enumerate(charges[:3])])
    broken = broken_answers(asked[:len(members) * 5], "not_refundable")
    _arrive(ground)
    for (_, (first, second)), order in zip(charges, orders, strict=True):
        # The HIS refuses what the desk has begun; then another phone may still ask.
        if ground.steps(first["id"], "SETTLED>CANCELLING") - ground.steps(first["id"], "CANCELLING>SETTLED") > 1:
            broken.append(f"charge {first['id']} was cancelled more than once")
        states = [one["state"] for one in ground.charges(order)]
        if states != ["CANCELLED", "SETTLED"] or list(_sent(ground, order).values()) != [1700]:
            broken.append(f"order {order}: {states}, going back {_sent(ground, order)}; {second['id']} was let alone")
    return broken + ground.differences(orders)


def a_refund_of_the_desk_is_taken_once(ground: Ground) -> list[str]:
    """Events, each twice, tell of the desk's refunds while two timers look through its list."""
    members = ground.crowd[4:8]
    orders = _paid(ground, members, 1600)
    trades = [ground.charges(order)[0]["trade_no"] for order in orders]
    looks = [lambda: ground.fire("reconcile", "every-ten-minutes")] * 2
    ground.control("PUT", "/his/events-mode", hold=True, duplicate=True)
    numbers = [_desk(ground, trade, amount_fen=500)["refund_no"] for trade in trades]
    looked = together(looks)  # before any event comes
    numbers += [_desk(ground, trade, amount_fen=500)["refund_no"] for trade in trades]
    looked += together([*looks, lambda: ground.control("PUT", "/his/events-mode", hold=False, duplicate=False)])[:2]
    broken = [f"a look at the list failed: {one}" for one in looked if isinstance(one, Refused) or "error" in one]
    _arrive(ground)
    for number in numbers:
        found = ground.count("SELECT COUNT(*) FROM desk_refunds WHERE refund_no = %s", (number,))
        if found != 1:
            broken.append(f"desk refund {number} was found {found} times")
    broken += [f"order {order}: going back {sent}" for order in orders
               if list((sent := _sent(ground, order)).values()) != [500, 500]]
    return broken + ground.differences(orders)


def a_bill_is_settled_beside_the_refund_of_another(ground: Ground) -> list[str]:
    """Of one payment: bills are refunded on line and at the desk while others of it are still being settled."""
    member, prices = ground.crowd[8], (900, 1300, 1700, 2300, 2900, 3100)
    bills = [ground.bill(member, price) for price in prices]
    ground.control.fault("his", "settle_charge", "error", times=-1, after=3)
    order = member.phone.pay_bills(member.patient_id, bills)
    ground.control.settle(PATIENCE)
    for _ in range(5):
        done = [one for one in ground.charges(order) if one["state"] == "SETTLED"]
        if len(done) >= 3:
            break
        ground.control("DELETE", "/faults")  # of the first three, one was answered too late on a busy machine
        ground.control.fault("his", "settle_charge", "error", times=-1, after=3 - len(done))
        ground.work(61)
    if len(done) < 3:
        return [f"order {order}: of the first 3 bills {len(done)} were settled"]
    ground.control.advance(60)
    ground.control("DELETE", "/faults")
    asked = together(
        [lambda p=phone, c=one["id"]: p.refund_charge(c)  # type: ignore[misc]
         for one in done[:2] for phone in clients(member.phone, 2)]
        + [lambda: _desk(ground, done[2]["trade_no"], amount_fen=400)] + [ground.fire] * 4)
    broken = broken_answers(asked, "not_refundable")  # the second phone, when the HIS has done it by then
    for _ in range(4):
        ground.work(62)
    broken += [f"a bill was settled {settled} times" for charge in ground.charges(order)
               if (settled := ground.steps(charge["id"], "SETTLING>SETTLED")) != 1]
    sent, states = _sent(ground, order), [one["state"] for one in ground.charges(order)]
    if len(sent) != 3 or sorted(states) != ["CANCELLED"] * 2 + ["SETTLED"] * 4:
        broken.append(f"order {order}: {states}, going back {sent}")
    return broken + ground.differences([order])


def an_e_bill_says_what_the_hospital_keeps(ground: Ground) -> list[str]:
    """Whatever happens to a settlement is told of eight times more, to several workers, while parts of it go back."""
    members = ground.crowd[12:16]
    for event in ("INSERT", "UPDATE"):
        ground.sql(f"DROP TRIGGER IF EXISTS told_again_{event}")
        ground.sql(f"CREATE TRIGGER told_again_{event} AFTER {event} ON settlements FOR EACH ROW "
                   f"INSERT IGNORE INTO outbox (id, worker, topic, subject_id, state, due_at, attempts, created_at) "
                   "SELECT CONCAT(n, LPAD(NEW.reversed_fen, 5, '0'), RIGHT(NEW.id, 20)), 'worker', 'invoice.adjust', "
                   "NEW.id, 'PENDING', '2026-01-01', 0, '2026-01-01' FROM (SELECT 1 n UNION SELECT 2 UNION SELECT 3 "
                   "UNION SELECT 4 UNION SELECT 5 UNION SELECT 6 UNION SELECT 7 UNION SELECT 8) eight")
    try:
        orders = _paid(ground, members, 1500)
        trades = [ground.charges(order)[0]["trade_no"] for order in orders]
        for _ in range(2):
            together([lambda t=trade: _desk(ground, t, amount_fen=300) for trade in trades]  # type: ignore[misc]
                     + [ground.fire] * 4)
            _arrive(ground)
    finally:
        for event in ("INSERT", "UPDATE"):
            ground.sql(f"DROP TRIGGER told_again_{event}")
    broken = []
    for order in orders:
        live = ground.sql("SELECT i.state, i.amount_fen FROM invoices i JOIN settlements s ON s.id = i.settlement_id "
                          "JOIN payments p ON p.id = s.payment_id WHERE p.subject_id = %s "
                          "AND i.state NOT IN ('WRITTEN_OFF', 'VOID')", (order,))
        if live != [("ISSUED", 900)]:
            broken.append(f"order {order}: 900 fen are left, its e-bills are {live}")
    return broken + ground.differences(orders)


def a_statement_is_drawn_up_once(ground: Ground) -> list[str]:
    """The daily timer goes off twice at the same moment."""
    twice = [lambda: ground.fire("reconcile", "daily")] * 2
    ground.control("PUT", "/clock", now=f"{STATED}T10:30:00+08:00")
    for table in ("statement_lines", "statement_sums", "statements"):
        ground.sql(f"DELETE FROM {table}")
    for day in range(17, 24):  # what other races did on the days before is not this one's
        ground.sql("INSERT INTO statements (day, state, begun_at) VALUES (%s, 'DONE', %s)", [f"2026-11-{day}"] * 2)
    together(twice)  # both are awake when it counts
    member = ground.newcomer()
    (order,) = _paid(ground, [member], 1200, 300)
    member.phone.refund_charge(ground.charges(order)[0]["id"])
    _arrive(ground)
    ground.control("PUT", "/clock", now="2026-11-25T10:30:00+08:00")
    runs = together(twice)
    counts = [one["result"]["count"] if not isinstance(one, Refused) and "result" in one else f"failed: {one}"
              for one in runs]
    broken = [] if sorted(counts, key=str) == [0, 1] else [f"the statement was drawn up {counts} times"]
    for movement in ("CAPTURE", "REFUND", "SETTLEMENT", "REVERSAL"):
        booked = ground.count("SELECT SUM(amount_fen) FROM ledger WHERE day = %s AND movement = %s "
                              "AND movement_key NOT LIKE 'desk:%%'", (STATED, movement))
        said = ground.sql("SELECT source, SUM(ours_fen) FROM statement_sums WHERE day = %s AND movement = %s "
                          "AND source <> 'DESK' GROUP BY source", (STATED, movement))
        broken += [] if said else [f"the statement says nothing of {movement}"]
        broken += [f"{movement}: the statement of {source} says {fen} fen, the ledger {booked}"
                   for source, fen in said if fen != booked]
    return broken


RACES = [a_paid_bill_is_refunded_once, a_refund_of_the_desk_is_taken_once,
         a_bill_is_settled_beside_the_refund_of_another, an_e_bill_says_what_the_hospital_keeps,
         a_statement_is_drawn_up_once]
