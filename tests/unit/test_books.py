"""The comparison of the books: silent when all agree, and each single thing that is changed is noticed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from scripts import books
from scripts.books_read import OURS, Books, Report

Row = dict[str, Any]


class World:
    """A small hospital at rest.

    A registration paid at booking, one paid at check-in, and two bills paid at once: of the first the desk has given
    back 200 of 1000 fen, the second (500 fen) was refused and refunded; a third bill was paid and taken back.
    """

    def __init__(self) -> None:
        self.ours: dict[str, list[Row]] = {name: [] for name in OURS}
        self.theirs: dict[str, Any] = {"registrations": [], "charges": [], "bills": [], "desk_refunds": [],
                                       "orders": [], "ebills": {"bills": []}}
        self.booking("b1", "CONFIRMED", "AT_BOOKING", checked_in=False)
        self.payment("p1", "registration", "b1", 2500)
        self.settled("s1", "registration", "b1", "Tb1", "p1", 2500)
        self.booking("b2", "CHECKED_IN", "AT_CHECKIN", checked_in=True)
        self.add("checkins", id="k2", booking_id="b2", state="DONE")
        self.payment("p2", "checkin", "k2", 2500)
        self.settled("s2", "registration", "b2", "Tb2", "p2", 2500)
        self.add("charge_orders", id="o3", state="DONE", total_fen=1500)
        self.payment("p3", "outpatient", "o3", 1500)
        self.charge("c3", "o3", "SETTLED", 1000, his="SETTLED", bill="PARTLY_REFUNDED")
        self.settled("s3", "charge", "c3", "Tc3", "p3", 1000, out=200)
        self.desk("d3", "Tc3", "s3", 200)
        self.refund("r3", "p3", "d-d3", 200)
        self.charge("c4", "o3", "REJECTED", 500, his="UNLOCKED", bill="CANCELLED")
        self.refund("r4", "p3", "unsettled", 500)
        self.add("charge_orders", id="o5", state="DONE", total_fen=700)
        self.payment("p5", "outpatient", "o5", 700)
        self.charge("c5", "o5", "CANCELLED", 700, his="CANCELLED", bill="REFUNDED")
        self.settled("s5", "charge", "c5", "Tc5", "p5", 700, out=700)
        self.refund("r5", "p5", "c-c5", 700)

    def judge(self) -> Report:
        """The comparison's report; the ledger follows from the rows, but for lines that a test has added."""
        return books.judge(Books(self.ours, self.theirs))

    # -- making -------------------------------------------------------------------------------------
    def add(self, table: str, **row: Any) -> None:
        """A row of ours."""
        self.ours[table].append(row)

    def booking(self, name: str, state: str, policy: str, *, checked_in: bool) -> None:
        """A registration here and there, 2500 fen."""
        self.add("bookings", id=name, state=state, trade_no="T" + name, fee_fen=2500, payment_policy=policy)
        self.theirs["registrations"].append({
            "trade_no": "T" + name, "slot_code": "slot-" + name, "state": "CONFIRMED", "checked_in": checked_in,
            "paid_fen": 0, "transaction_id": None, "refund_fen": 0, "desk_refund_fen": 0})

    def payment(self, name: str, kind: str, subject: str, fen: int) -> None:
        """Money that came, here and at WeChat."""
        self.add("payments", id=name, kind=kind, subject_id=subject, out_trade_no="O" + name,
                 transaction_id="X" + name, paid_fen=fen, refunding_fen=0)
        self.theirs["orders"].append({"out_trade_no": "O" + name, "transaction_id": "X" + name, "total_fen": fen,
                                      "refunded_fen": 0})
        self.book(name, "CAPTURE", fen)

    def charge(self, name: str, order: str, state: str, fen: int, *, his: str, bill: str) -> None:
        """A bill's part of an order."""
        self.add("charges", id=name, order_id=order, bill_no="B" + name, trade_no="T" + name, amount_fen=fen,
                 state=state)
        self.theirs["charges"].append({"trade_no": "T" + name, "bill_no": "B" + name, "state": his, "paid_fen": 0,
                                       "transaction_id": None, "refund_fen": 0, "desk_refund_fen": 0})
        self.theirs["bills"].append({"bill_no": "B" + name, "state": bill, "paid_by": "WECHAT"})

    def settled(self, name: str, kind: str, subject: str, number: str, payment: str, fen: int, out: int = 0) -> None:
        """The HIS has taken it, and taken ``out`` again; an e-bill over the rest, one written off if ``out``."""
        self.add("settlements", id=name, kind=kind, subject_id=subject, trade_no=number, payment_id=payment,
                 amount_fen=fen, reversing_fen=out, reversed_fen=out)
        trade = next(one for one in (*self.theirs["registrations"], *self.theirs["charges"])
                     if one["trade_no"] == number)
        trade.update(paid_fen=fen, transaction_id="X" + payment)
        trade.update({"refund_fen" if out == fen else "desk_refund_fen": out})
        self.book(payment, "SETTLEMENT", fen)
        self.book(payment, "REVERSAL", -out)
        business = "01" if kind == "registration" else "02"
        if out:
            self.invoice(f"i{name}-red", name, fen, business, state="WRITTEN_OFF")
        if out < fen:
            self.invoice(f"i{name}", name, fen - out, business, state="ISSUED")

    def invoice(self, name: str, settlement: str, fen: int, business: str, *, state: str) -> None:
        """An e-bill here and at the platform."""
        red = {"billBatchCode": "33", "billNo": "R" + name, "total_fen": -fen} if state == "WRITTEN_OFF" else None
        self.add("invoices", id=name, settlement_id=settlement, amount_fen=fen, state=state, batch_code="33",
                 number="N" + name, red_batch_code=red["billBatchCode"] if red else "",
                 red_number=red["billNo"] if red else "")
        black = {"billBatchCode": "33", "billNo": "N" + name, "busNo": "MP" + name, "busType": business,
                 "total_fen": fen, "red": red, "reverses": None}
        self.theirs["ebills"]["bills"].append(black)
        if red:
            self.theirs["ebills"]["bills"].append({**black, **red, "red": None, "reverses": {"billNo": "N" + name}})

    def desk(self, name: str, number: str, settlement: str, fen: int) -> None:
        """A refund of the desk's that has come to its end."""
        self.add("desk_refunds", id=name, refund_no="DR" + name, trade_no=number, settlement_id=settlement,
                 amount_fen=fen, state="SUCCEEDED", reported_at="then")
        self.theirs["desk_refunds"].append({"refund_no": "DR" + name, "trade_no": number, "amount_fen": fen,
                                            "state": "SUCCEEDED"})

    def refund(self, name: str, payment: str, purpose: str, fen: int) -> None:
        """Money that went back."""
        self.add("refunds", id=name, payment_id=payment, purpose=purpose, out_refund_no=f"O{payment}-{purpose}",
                 amount_fen=fen, state="SUCCEEDED")
        next(one for one in self.ours["payments"] if one["id"] == payment)["refunding_fen"] += fen
        next(one for one in self.theirs["orders"] if one["out_trade_no"] == "O" + payment)["refunded_fen"] += fen
        self.book(payment, "REFUND", -fen)

    def book(self, payment: str, movement: str, fen: int) -> None:
        """Add to the ledger's sum."""
        for one in self.ours["ledger"]:
            if (one["payment_id"], one["movement"]) == (payment, movement):
                one["fen"] += fen
                return
        self.add("ledger", payment_id=payment, movement=movement, fen=fen)

    # -- changing -----------------------------------------------------------------------------------
    def change(self, where: str, name: str, **changes: Any) -> None:
        """Change the row of ours, or of theirs, that one of its values names."""
        rows = self.ours[where.removeprefix("our ")] if where.startswith("our ") else self.theirs[where]
        rows = rows["bills"] if where == "ebills" else rows
        row = next(one for one in rows if name in one.values())
        assert changes.keys() <= row.keys()
        row.update(changes)


@pytest.fixture
def world() -> World:
    """All agree."""
    return World()


def test_books_that_agree_are_silent_and_add_up(world: World) -> None:
    report = world.judge()
    assert (report.differences, report.pending) == ([], [])
    assert (report.captured_fen, report.settled_fen, report.refunded_fen, report.pending_fen) == (7200, 5800, 1400, 0)
    assert report.confirmed_fen == 5000


@pytest.mark.parametrize(("where", "name", "changes", "told"), [
    ("our payments", "p1", {"paid_fen": 2499}, "p1"),
    ("our payments", "p3", {"refunding_fen": 200}, "p3"),
    ("our bookings", "b1", {"state": "CANCELLED"}, "b1"),
    ("our bookings", "b1", {"state": "CHECKED_IN"}, "b1"),
    ("our bookings", "b2", {"state": "CONFIRMED"}, "k2"),
    ("our bookings", "b2", {"fee_fen": 2600}, "b2"),
    ("our charge_orders", "o3", {"total_fen": 1400}, "o3"),
    ("our charge_orders", "o3", {"state": "RELEASED"}, "o3"),
    ("our charges", "c3", {"state": "CANCELLED"}, "c3"),
    ("our charges", "c3", {"state": "REJECTED"}, "c3"),
    ("our charges", "c3", {"amount_fen": 900}, "c3"),
    ("our charges", "c4", {"state": "SETTLED"}, "c4"),
    ("our charges", "c4", {"state": "RELEASED"}, "o3"),
    ("our charges", "c5", {"state": "SETTLED"}, "c5"),
    ("our settlements", "s3", {"amount_fen": 1001}, "s3"),
    ("our settlements", "s3", {"reversed_fen": 0}, "s3"),
    ("our settlements", "s3", {"reversing_fen": 0}, "p3"),
    ("our settlements", "s1", {"trade_no": "Tb2"}, "s1"),
    ("our desk_refunds", "d3", {"state": "FAILED"}, "d3"),
    ("our desk_refunds", "d3", {"amount_fen": 100}, "d3"),
    ("our invoices", "is3", {"amount_fen": 1000}, "s3"),
    ("our invoices", "is3", {"state": "WRITTEN_OFF"}, "is3"),
    ("our invoices", "is3", {"number": "other"}, "is3"),
    ("our invoices", "is3-red", {"state": "ISSUED"}, "s3"),
    ("our invoices", "is3-red", {"state": "VOID"}, "is3-red"),
    ("our invoices", "is5-red", {"red_number": "other"}, "is5-red"),
    ("registrations", "Tb1", {"state": "CANCELLED"}, "b1"),
    ("registrations", "Tb1", {"transaction_id": "elsewhere"}, "p1"),
    ("registrations", "Tb1", {"paid_fen": 2400}, "s1"),
    ("registrations", "Tb2", {"checked_in": False}, "b2"),
    ("registrations", "Tb2", {"desk_refund_fen": 500}, "s2"),
    ("registrations", "Tb2", {"slot_code": "slot-b1"}, "slot-b1"),
    ("charges", "Tc3", {"state": "CANCELLED", "refund_fen": 800}, "c3"),
    ("charges", "Tc3", {"desk_refund_fen": 0}, "p3"),
    ("charges", "Tc4", {"state": "SETTLED", "paid_fen": 500, "transaction_id": "Xp3"}, "c4"),
    ("charges", "Tc4", {"state": "EXPIRED"}, "c4"),
    ("charges", "Tc5", {"refund_fen": 0, "state": "SETTLED"}, "c5"),
    ("charges", "Tc5", {"bill_no": "Bc3"}, "c5"),
    ("bills", "Bc3", {"state": "PAID"}, "c3"),
    ("bills", "Bc3", {"paid_by": "DESK"}, "c3"),
    ("bills", "Bc5", {"state": "PAID"}, "c5"),
    ("desk_refunds", "DRd3", {"state": "FAILED"}, "d3"),
    ("desk_refunds", "DRd3", {"refund_no": "other"}, "other"),
    ("orders", "Op1", {"total_fen": 2600}, "p1"),
    ("orders", "Op1", {"refunded_fen": 2500}, "b1"),
    ("orders", "Op5", {"refunded_fen": 0}, "p5"),
    ("orders", "Op2", {"out_trade_no": "nobody's"}, "nobody's"),
    ("ebills", "MPis1", {"busNo": "MPnobody"}, "MPnobody"),
    ("ebills", "MPis1", {"total_fen": 2400}, "is1"),
    ("ebills", "MPis1", {"busType": "02"}, "is1"),
    ("ebills", "MPis1", {"red": {"billNo": "1"}}, "is1"),
    ("ebills", "MPis5-red", {"red": None}, "is5-red"),
])
def test_every_single_change_is_noticed_and_named(
        where: str, name: str, changes: Row, told: str, world: World) -> None:
    world.change(where, name, **changes)
    differences = world.judge().differences
    assert [one for one in differences if told in one], differences


@pytest.mark.parametrize("movement", ["CAPTURE", "REFUND", "SETTLEMENT", "REVERSAL"])
def test_a_ledger_that_is_off_by_one_fen_is_noticed(movement: str, world: World) -> None:
    world.book("p3", movement, 1)
    assert [one for one in world.judge().differences if "p3" in one and movement in one]


def in_flight(world: World) -> None:
    """A refund that WeChat has not finished."""
    world.change("our refunds", "r5", state="PROCESSING")
    world.change("orders", "Op5", refunded_fen=0)
    world.book("p5", "REFUND", 700)


def settling(world: World) -> None:
    """The HIS has settled a bill, and its answer has not come."""
    world.change("our charge_orders", "o3", state="SETTLING")
    world.change("our charges", "c4", state="SETTLING")
    world.change("charges", "Tc4", state="SETTLED", paid_fen=500, transaction_id="Xp3")
    world.ours["refunds"] = [one for one in world.ours["refunds"] if one["id"] != "r4"]
    world.change("our payments", "p3", refunding_fen=200)
    world.change("orders", "Op3", refunded_fen=200)
    world.book("p3", "REFUND", 500)


def desk_begun(world: World) -> None:
    """The desk has given a whole registration back; nothing has been heard of it."""
    world.change("registrations", "Tb1", state="CANCELLED")
    world.theirs["desk_refunds"].append({"refund_no": "DR9", "trade_no": "Tb1", "amount_fen": 2500,
                                         "state": "REQUESTED"})


def desk_unreported(world: World) -> None:
    """The desk's refund has reached the patient; the HIS does not know yet."""
    world.change("our desk_refunds", "d3", state="REFUNDING", reported_at=None)
    world.change("desk_refunds", "DRd3", state="REQUESTED")
    world.change("charges", "Tc3", desk_refund_fen=0)
    world.change("bills", "Bc3", state="PAID")
    world.change("our settlements", "s3", reversed_fen=0)
    world.book("p3", "REVERSAL", 200)
    world.ours["invoices"] = [one for one in world.ours["invoices"] if one["id"] != "is3"]
    world.change("our invoices", "is3-red", state="ISSUED")
    world.theirs["ebills"]["bills"] = [one for one in world.theirs["ebills"]["bills"] if one["busNo"] != "MPis3"
                                       and not one["reverses"]]
    world.change("ebills", "MPis3-red", red=None)


def platform_down(world: World) -> None:
    """An e-bill is still to be issued."""
    world.change("our invoices", "is1", state="ORDERED")
    world.theirs["ebills"]["bills"] = [one for one in world.theirs["ebills"]["bills"] if one["busNo"] != "MPis1"]


def invoice_due(world: World) -> None:
    """The worker has not come to it."""
    world.ours["invoices"] = [one for one in world.ours["invoices"] if one["id"] != "is1"]
    world.theirs["ebills"]["bills"] = [one for one in world.theirs["ebills"]["bills"] if one["busNo"] != "MPis1"]
    world.add("jobs", topic="invoice.adjust", subject_id="s1")


def staff_asked(world: World) -> None:
    """WeChat has money that we don't know the order of, and staff are told."""
    world.theirs["orders"].append({"out_trade_no": "O9", "transaction_id": "X9", "total_fen": 5, "refunded_fen": 0})
    world.add("tasks", kind="payment.unknown-order", subject_id="O9")


@pytest.mark.parametrize(("happen", "told", "fen"), [
    (in_flight, "r5", 700), (settling, "c4", 0), (desk_begun, "p1", 0), (desk_unreported, "d3", -200),
    (platform_down, "is1", 0), (invoice_due, "s1", 0), (staff_asked, "O9", 5)])
def test_what_is_under_way_is_pending_and_no_difference(
        happen: Callable[[World], None], told: str, fen: int, world: World) -> None:
    happen(world)
    report = world.judge()
    assert report.differences == []
    assert [one for one in report.pending if told in one], report.pending
    assert report.pending_fen == fen


def test_a_task_that_only_informs_explains_no_missing_money(world: World) -> None:
    world.change("orders", "Op5", refunded_fen=0)
    world.add("tasks", kind="payment.amount-differs", subject_id="p5")
    assert [one for one in world.judge().differences if "p5" in one]
