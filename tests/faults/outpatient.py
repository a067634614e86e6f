"""A patient's bills, paid and given back whatever the neighbours do, and the check that nothing was lost."""

from __future__ import annotations

import secrets
from typing import Any

from sandbox.phone import Control
from tests.faults.conftest import Sql, Visit
from tests.opened import code_of

NAMES = ("胸部CT平扫", "心脏彩色多普勒超声", "血细胞分析", "肝功能全套")
FINAL = {"DONE", "RELEASED"}


class Care(Visit):
    """One account with one patient for whom doctors order things. ``id`` is the last order to pay."""

    def __init__(self, control: Control, sql: Sql, where: tuple[str, str]) -> None:
        super().__init__(control, sql, {}, where)
        self.phone.allow_every_message()
        self.code: str = code_of(control, sql, self.patient_id)
        control.settle()

    # -- the doctor, the patient, the desk ----------------------------------------------------------
    def bill(self, *prices: int, kind: str = "EXAMINATION") -> str:
        """A doctor orders: one item for each price in fen; the bill's number."""
        items = [{"name": NAMES[number % len(NAMES)], "unit_price_fen": fen}
                 for number, fen in enumerate(prices or (2500,))]
        return str(self.control("POST", "/his/bills", patient_code=self.code, kind=kind, items=items)["bill_no"])

    def order_bills(self, *numbers: str) -> bool:
        """Choose bills and open the payment; False when that is refused."""
        shown = self.again(lambda: self.phone.bills(self.patient_id))
        chosen, key = [one for one in shown if one["bill_no"] in numbers], secrets.token_hex(16)
        ordered = self.again(lambda: self.phone.order(self.patient_id, chosen, key))
        if ordered is None:
            return False
        self.id = ordered["id"]
        self.payment = self.again(lambda: self.phone.open_order(self.id))
        return self.payment is not None

    def paid(self, *numbers: str) -> dict[str, dict[str, Any]]:
        """Pay bills together, and let the HIS settle them; the charges by bill."""
        assert self.order_bills(*numbers)
        self.pay()
        self.control.settle(60)
        return self.charges()

    def one_paid(self, *prices: int, **more: Any) -> dict[str, Any]:
        """One bill, paid, settled, its e-bill issued; its charge."""
        number = self.bill(*prices, **more)
        self.paid(number)
        self.work(until=lambda: self.state == "DONE")  # a busy machine may have let a call time out
        charge = self.charges()[number]
        assert charge["state"] == "SETTLED"
        return charge

    def refund(self, charge: dict[str, Any]) -> Any:
        """Ask for a paid bill's money back."""
        return self.again(lambda: self.phone.refund_charge(charge["id"]))

    def desk_refund(self, charge: dict[str, Any], **what: Any) -> dict[str, Any]:
        """The hospital's desk begins a refund: ``item_nos``, ``amount_fen`` or, with neither, all that is left."""
        answer: dict[str, Any] = self.control("POST", f"/his/charges/{self.number_of(charge)}/desk-refund", **what)
        return answer

    def fire_stuck(self) -> dict[str, int]:
        """The timer that looks after orders that stand still, and what it did."""
        answer = self.control("POST", "/scf/timers/reconcile/every-ten-minutes/fire")
        assert "error" not in answer, answer
        self.control.settle()
        result: dict[str, int] = answer["result"]
        return result

    # -- how it stands ------------------------------------------------------------------------------
    @property
    def state(self) -> str:
        """The order's state in our books."""
        return str(self.sql("SELECT state FROM charge_orders WHERE id = %s", (self.id,))[0][0])

    def history(self) -> list[str]:
        """The steps its charges took, as ``FROM>TO``, in any order."""
        return sorted(f"{one}>{other}" for one, other in self.sql(
            "SELECT h.from_state, h.to_state FROM charge_history h JOIN charges c ON c.id = h.charge_id "
            "WHERE c.order_id = %s", (self.id,)))

    def charges(self) -> dict[str, dict[str, Any]]:
        """The last order's charges as the patient sees them, by bill."""
        return {one["bill_no"]: one for one in self.phone.charge_order(self.id)["charges"]}

    def charge(self, charge: dict[str, Any]) -> dict[str, Any]:
        """One of them as it is now."""
        return self.charges()[charge["bill_no"]]

    def number_of(self, charge: dict[str, Any]) -> str:
        """A charge's number in the HIS."""
        return str(self.sql("SELECT trade_no FROM charges WHERE id = %s", (charge["id"],))[0][0])

    def his(self) -> dict[str, Any]:
        """The last order's only charge, as the HIS has it."""
        number = self.sql("SELECT trade_no FROM charges WHERE order_id = %s", (self.id,))[0][0]
        return next(one for one in self.control("GET", "/his/charges") if one["trade_no"] == number)

    def refunds(self) -> list[tuple[str, str, int]]:
        """The account's refunds, oldest first: state, code, amount in fen."""
        return self.sql("SELECT r.state, r.code, r.amount_fen FROM refunds r JOIN payments p ON p.id = r.payment_id "
                        "WHERE p.account_id = %s ORDER BY r.id", (self.account_id,))

    def invoices(self) -> list[tuple[str, int]]:
        """State and amount of the account's e-bills, void ones too, oldest first."""
        return self.sql("SELECT state, amount_fen FROM invoices WHERE account_id = %s ORDER BY id", (self.account_id,))

    def asked(self, system: str, operation: str, **named: str) -> int:
        """How often an operation was asked for with these values in the journal."""
        return sum(all(line.get(name) == value for name, value in named.items())
                   for line in self.control("GET", f"/journal?system={system}&operation={operation}"))

    def check(self, *states: str) -> None:
        """Nothing was lost: a final state, books that agree, nothing told twice, every e-bill's PDF kept."""
        assert self.state in (states or FINAL), f"{self.state}: {self.history()}"
        self.agree()
        told = self.messages("%")
        assert len(self.phone.inbox()) <= len(told), f"told more than once: {told}"
        without = self.sql("SELECT id FROM invoices WHERE account_id = %s AND state = 'ISSUED' AND file_key = ''",
                           (self.account_id,))
        assert not without or self.tasks(), f"no PDF and no task: {without}"
