"""Bills (费用单): what doctors ordered, how it changes, and what the desk does with it."""

from __future__ import annotations

import zlib
from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

from sandbox.clock import Clock
from sandbox.his.catalogue import PHARMACIES, Catalogue
from sandbox.his.model import BEIJING, Department, Doctor, Refused
from sandbox.his.money import Bill, BillItem
from sandbox.his.patients import Patients

_VALID_DAYS = {"PRESCRIPTION": 3}  # how long it can be paid; everything else:
_VALID_DAYS_ELSE = 30


class Bills:
    """The book of bills. The owner holds its lock around every call."""

    def __init__(self, clock: Clock, patients: Patients, seed: int) -> None:
        self._clock = clock
        self._patients = patients
        self._seed = seed
        self.catalogue = Catalogue(seed)
        self._bills: dict[str, Bill] = {}
        self._of_patient: dict[str, list[Bill]] = {}
        self._settlements = 0

    # -- for the interface ----------------------------------------------------------------------
    def known(self, bill_no: str) -> Bill:
        """The bill of this number. Raises Refused BILL_UNKNOWN."""
        bill = self._bills.get(bill_no)
        if bill is None:
            raise Refused("BILL_UNKNOWN", "费用单不存在", 404)
        return bill

    def of_patient(self, patient_code: str, states: Collection[str]) -> list[dict[str, Any]]:
        """A patient's bills in these states, oldest first. Raises Refused PATIENT_UNKNOWN."""
        if not self._patients.knows(patient_code):
            raise Refused("PATIENT_UNKNOWN", "患者不存在", 404)
        now = self._clock.now()
        return [bill.wire(now) for bill in self._of_patient.get(patient_code, []) if bill.state_at(now) in states]

    def settle(self, bill: Bill, paid_by: str) -> str:
        """Write the bill as paid; the settlement's number (结算号)."""
        self._settlements += 1
        bill.stored, bill.paid_by = "PAID", paid_by
        bill.settlement_no = f"S{self._clock.now().astimezone(BEIJING):%Y%m%d}{self._settlements:06d}"
        return bill.settlement_no

    def window_for(self, bill: Bill) -> str | None:
        """The pharmacy window where the drugs of a paid bill wait; None when there are none."""
        for item in bill.items:
            windows = PHARMACIES.get(item.executing_department_code)
            if windows:
                return f"{item.executing_department_name}{zlib.crc32(bill.bill_no.encode()) % windows + 1}号窗口"
        return None

    # -- for the doctor and the desk ------------------------------------------------------------
    def all(self) -> Collection[Bill]:
        """Every bill, oldest first."""
        return self._bills.values()

    def hand_over(self, patient_code: str, to: str) -> None:
        """A merged record's bills are another one's."""
        moved = self._of_patient.pop(patient_code, [])
        for bill in moved:
            bill.patient_code = to
        self._of_patient.setdefault(to, []).extend(moved)

    def rng(self) -> Random:
        """The chance that decides the next bill: the same in each sandbox of one seed."""
        return Random(f"bill {self._seed} {len(self._bills)}")

    def create(self, patient_code: str, kind: str, department: Department, doctor: Doctor,
               items: list[BillItem], visit_trade_no: str | None, bill_no: str | None = None) -> Bill:
        """The doctor has ordered. Raises Refused PATIENT_UNKNOWN, BILL_EXISTS."""
        if not self._patients.knows(patient_code):
            raise Refused("PATIENT_UNKNOWN", "患者不存在", 404)
        now = self._clock.now()
        number = bill_no or f"B{now.astimezone(BEIJING):%Y%m%d}{len(self._bills) + 1:06d}"
        if number in self._bills:
            raise Refused("BILL_EXISTS", "费用单号已存在")
        valid = timedelta(days=_VALID_DAYS.get(kind, _VALID_DAYS_ELSE))
        bill = Bill(bill_no=number, patient_code=patient_code, visit_trade_no=visit_trade_no, kind=kind,
                    department=department, doctor=doctor, created_at=now, pay_before=now + valid, items=items)
        self._bills[number] = bill
        self._of_patient.setdefault(patient_code, []).append(bill)
        return bill

    def change(self, bill_no: str, items: list[BillItem] | None, amount_fen: int | None, *, force: bool) -> Bill:
        """Other items, or another total; the version goes up. ``force`` also under a caller's lock."""
        bill = self._unpaid(bill_no, force=force)
        bill.items = items if items is not None else _make_sum(bill.items, amount_fen or 0)
        bill.version += 1
        return bill

    def cancel(self, bill_no: str, *, force: bool) -> Bill:
        """The doctor takes the order back. ``force`` also under a caller's lock."""
        bill = self._unpaid(bill_no, force=force)
        bill.stored = "CANCELLED"
        return bill

    def pay_at_desk(self, bill_no: str) -> Bill:
        """The patient pays at the window. Raises Refused BILL_LOCKED while a trade holds the bill."""
        bill = self._unpaid(bill_no, force=False)
        self.settle(bill, "DESK")
        return bill

    def execute(self, bill_no: str, item_no: int | None) -> tuple[Bill, bool]:
        """An item (or all that are left) is done or handed out; whether that was news."""
        bill = self._paid(bill_no)
        if item_no is not None and all(item.item_no != item_no for item in bill.items):
            raise Refused("ITEM_UNKNOWN", "费用单没有这个项目", 404)
        due = [item for item in bill.items if item_no in (None, item.item_no) and not _given_back(bill, item)]
        if not due:
            raise Refused("ITEM_REFUNDED", "项目已退费，不能执行")
        news = any(not item.executed for item in due)
        bill.items = [replace(item, executed=True) if item in due else item for item in bill.items]
        return bill, news

    def turn_paper(self, bill_no: str) -> Bill:
        """The patient has the invoice printed: no refund on line from now on."""
        bill = self._paid(bill_no)
        bill.on_paper = True
        return bill

    def _unpaid(self, bill_no: str, *, force: bool) -> Bill:
        bill, now = self.known(bill_no), self._clock.now()
        state = bill.state_at(now)
        if state == "CANCELLED":
            raise Refused("BILL_CANCELLED", "费用已作废")
        if state != "UNPAID":
            raise Refused("BILL_PAID", "费用已支付")
        if bill.locked_by(now) and not force:
            raise Refused("BILL_LOCKED", "患者正在手机上支付")
        return bill

    def _paid(self, bill_no: str) -> Bill:
        bill = self.known(bill_no)
        if bill.stored not in ("PAID", "PARTLY_REFUNDED"):
            raise Refused("BILL_NOT_PAID", "费用未支付或已退")
        return bill


def _given_back(bill: Bill, item: BillItem) -> bool:
    charge = bill.lock if bill.paid_by == "WECHAT" else None
    return charge is not None and charge.refunded_fen(item.item_no, "REQUESTED", "SUCCEEDED") >= item.amount_fen


def _make_sum(items: list[BillItem], total_fen: int) -> list[BillItem]:
    """The items, from the first on, that fit into ``total_fen``; the last one takes what is left of it."""
    kept: list[BillItem] = []
    left = total_fen
    for item in items[:-1]:
        if item.amount_fen >= left:
            break
        kept.append(item)
        left -= item.amount_fen
    return [*kept, replace(items[len(kept)], quantity=1, unit_price_fen=left, fixed_fen=None)]
