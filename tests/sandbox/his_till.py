"""The hospital of ``test_his`` with its doctors' orders and its till, for the tests of outpatient money."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sandbox.his.model import BEIJING
from tests.sandbox.test_his import PATIENT, Desk, code, hold_against

__all__ = ["PATIENT", "Answer", "Till", "code", "hold_against"]

Answer = tuple[int, Any]
VISIT_DAY_8 = datetime(2026, 11, 25, 8, 0, tzinfo=BEIJING)


class Till(Desk):
    """Checks every answer against the contract, as ``Desk`` does."""

    def order_of(self, action: str, body: dict[str, Any] | None = None, method: str = "POST") -> Answer:
        """A control call: what doctors and the desk do."""
        answer = self.control.open(f"/his/{action}", method=method, json=body)
        return answer.status_code, answer.get_json() if answer.data else None

    def patient_named(self, number: int) -> str:
        answer = self.caller.post("/patients/match-or-create", **{**PATIENT, "id_number": f"E7{number:07d}"})
        return str(answer[1]["patient_code"])

    def registered(self, trade_no: str, session: dict[str, Any], slot: int, *, prepaid: bool = True) -> None:
        """A confirmed registration of a patient of its own."""
        order = self.order(session, trade_no, slot, patient_code=self.patient_named(slot))
        assert self.lock(order)[0] == 200
        mode = {"mode": "PREPAID", **self.payment(f"R{trade_no}", 5000)} if prepaid else {"mode": "AT_CHECKIN"}
        assert self.caller.post("/registrations/confirm", trade_no=trade_no, payment=mode)[0] == 200

    def payment(self, transaction: str, fen: int) -> dict[str, Any]:
        return {"channel": "WECHAT", "transaction_id": transaction, "paid_fen": fen,
                "paid_at": self.clock.now().astimezone(BEIJING).isoformat(timespec="seconds")}

    def check_in(self, trade_no: str, **more: Any) -> Answer:
        return self.caller.post("/registrations/check-in", trade_no=trade_no, **more)

    # -- bills and charges ----------------------------------------------------------------------
    def bill(self, kind: str = "PRESCRIPTION", **more: Any) -> dict[str, Any]:
        if "trade_no" not in more:
            more.setdefault("patient_code", self.patient)
        status, made = self.order_of("bills", {"kind": kind, **more})
        assert status == 201, made
        hold_against({"$ref": "#/components/schemas/Bill"}, made)
        found: dict[str, Any] = made
        return found

    def take(self, trade_no: str, bill: dict[str, Any], minutes: float = 10, **more: Any) -> Answer:
        hold = (self.clock.now().astimezone(BEIJING) + timedelta(minutes=minutes)).isoformat(timespec="seconds")
        return self.caller.post("/charges/lock", **{
            "trade_no": trade_no, "bill_no": bill["bill_no"], "version": bill["version"],
            "amount_fen": bill["total_fen"], "hold_until": hold, **more})

    def let_go(self, trade_no: str) -> Answer:
        return self.caller.post("/charges/unlock", trade_no=trade_no)

    def settle(self, trade_no: str, fen: int, transaction: str = "42000001") -> Answer:
        return self.caller.post("/charges/settle", trade_no=trade_no, payment=self.payment(transaction, fen))

    def give_back(self, trade_no: str, fen: int) -> Answer:
        return self.caller.post("/charges/cancel", trade_no=trade_no, reason="患者退费", refund_fen=fen)

    def paid(self, trade_no: str = "C00001", transaction: str = "42000001", **more: Any) -> dict[str, Any]:
        """A bill that a charge has settled."""
        bill = self.bill(**more)
        assert self.take(trade_no, bill)[0] == 200
        assert self.settle(trade_no, bill["total_fen"], transaction)[0] == 200
        return bill

    def bill_now(self, bill: dict[str, Any]) -> dict[str, Any]:
        status, found = self.caller.get(f"/bills/{bill['bill_no']}")
        assert status == 200
        now: dict[str, Any] = found
        return now

    def desk_refund(self, trade_no: str, **body: Any) -> Answer:
        return self.order_of(f"charges/{trade_no}/desk-refund", body)

    def report(self, refund_no: str, state: str = "SUCCEEDED", number: str = "RF000001", **more: Any) -> Answer:
        return self.caller.post(f"/desk-refunds/{refund_no}/result", state=state, out_refund_no=number, **more)
