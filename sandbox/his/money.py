"""What the HIS keeps about outpatient money: bills with their items, and charges under trade numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, ClassVar

from sandbox.his.model import Department, Doctor, Trade
from sandbox.his.trades import common
from sandbox.his.wire import show

BILL_KINDS = ("PRESCRIPTION", "EXAMINATION", "LABORATORY", "TREATMENT")
ODD_KINDS = ("MATERIAL",)  # which the contract does not name, and a HIS sends all the same
BILL_STATES = ("UNPAID", "PAID", "CANCELLED", "REFUNDED", "PARTLY_REFUNDED")


@dataclass(frozen=True)
class BillItem:
    """One line of a bill; amounts in fen, quantity and price perhaps with a fraction."""

    item_no: int  # 1, 2, … within its bill
    code: str
    name: str
    specification: str
    unit: str
    quantity: float
    unit_price_fen: float
    executing_department_code: str
    executing_department_name: str
    executing_place: str
    insurance_class: str  # A 甲类, B 乙类, C 丙类（自费）
    executed: bool = False
    fixed_fen: int | None = None  # when it isn't quantity times unit price

    @property
    def amount_fen(self) -> int:
        """Quantity times unit price, a half fen rounded up, unless it was fixed."""
        if self.fixed_fen is not None:
            return self.fixed_fen
        exact = Decimal(str(self.quantity)) * Decimal(str(self.unit_price_fen))
        return int(exact.quantize(Decimal(1), ROUND_HALF_UP))

    def wire(self) -> dict[str, Any]:
        """The item as the interface shows it."""
        return {
            "item_no": self.item_no, "code": self.code, "name": self.name,
            "specification": self.specification, "unit": self.unit, "quantity": self.quantity,
            "unit_price_fen": self.unit_price_fen, "amount_fen": self.amount_fen,
            "executing_department_code": self.executing_department_code,
            "executing_department_name": self.executing_department_name,
            "executing_place": self.executing_place, "insurance_class": self.insurance_class,
            "executed": self.executed,
        }


@dataclass(eq=False, kw_only=True)
class Charge(Trade):
    """Paying one bill: LOCKED, EXPIRED, UNLOCKED, SETTLED or CANCELLED. ``fee_fen`` is the amount locked."""

    kind: ClassVar[str] = "CHARGE"

    bill: Bill | None = None
    version: int | None = None  # of the bill, as locked
    settlement_no: str | None = None
    pharmacy_window: str | None = None

    def refunded_fen(self, item_no: int, *states: str) -> int:
        """What the desk's refunds in these states give back of one item."""
        return sum(fen for one in self.desk_refunds if one.state in states
                   for number, fen in one.parts if number == item_no)

    def refusals(self) -> list[str]:
        """Why the patient can't have it refunded on line; empty when they can."""
        bill, taken = self.bill, self.desk_fen("REQUESTED", "SUCCEEDED")
        if self.stored == "CANCELLED" or (self.stored == "SETTLED" and taken == self.paid_fen):
            return ["ALREADY_REFUNDED"]
        if self.stored != "SETTLED" or bill is None:
            return ["NOT_SETTLED"]
        return [code for code, holds in (
            ("PARTLY_REFUNDED", taken > 0), ("EXECUTED", any(item.executed for item in bill.items)),
            ("INVOICE_ON_PAPER", bill.on_paper)) if holds]

    def wire(self, now: datetime) -> dict[str, Any]:
        """The charge as the trade check shows it."""
        return {
            **common(self, now), "bill_no": self.bill.bill_no if self.bill else None,
            "bill_version": self.version, "settlement_no": self.settlement_no,
            "pharmacy_window": self.pharmacy_window,
        }


@dataclass(eq=False, kw_only=True)
class Bill:
    """What a doctor ordered and the patient owes. ``stored`` is the last state written."""

    bill_no: str
    patient_code: str
    visit_trade_no: str | None
    kind: str
    department: Department
    doctor: Doctor
    created_at: datetime
    pay_before: datetime
    items: list[BillItem]
    version: int = 1
    stored: str = "UNPAID"
    paid_by: str | None = None  # WECHAT or DESK
    on_paper: bool = False  # its e-bill was turned to paper
    lock: Charge | None = field(default=None, repr=False)  # the last charge that took it
    settlement_no: str | None = None

    @property
    def total_fen(self) -> int:
        """The sum of the items."""
        return sum(item.amount_fen for item in self.items)

    def locked_by(self, now: datetime) -> Charge | None:
        """The live lock on this bill; an expired one is none."""
        if self.stored == "UNPAID" and self.lock and self.lock.state_at(now) == "LOCKED":
            return self.lock
        return None

    def state_at(self, now: datetime) -> str:
        """The state seen at ``now``: an unpaid, unlocked bill past ``pay_before`` is CANCELLED."""
        if self.stored == "UNPAID" and self.pay_before <= now and self.locked_by(now) is None:
            return "CANCELLED"
        return self.stored

    def wire(self, now: datetime) -> dict[str, Any]:
        """The bill as the interface shows it."""
        lock = self.locked_by(now)
        shown: dict[str, Any] = {
            "bill_no": self.bill_no, "patient_code": self.patient_code, "kind": self.kind,
            "department_code": self.department.code, "department_name": self.department.name,
            "doctor_code": self.doctor.code, "doctor_name": self.doctor.name,
            "created_at": show(self.created_at), "pay_before": show(self.pay_before),
            "version": self.version, "total_fen": self.total_fen, "state": self.state_at(now),
            "paid_by": self.paid_by, "locked_by_trade": lock.trade_no if lock else None,
            "items": [item.wire() for item in self.items],
        }
        return shown if self.visit_trade_no is None else {**shown, "visit_trade_no": self.visit_trade_no}
