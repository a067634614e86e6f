"""The e-bill platform as a server: its signed operations, and what the hospital's counter does without us."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Response, request

from sandbox.ebill.book import INPATIENT, OUTPATIENT
from sandbox.ebill.desk import add_desk
from sandbox.ebill.envelope import SUCCESS
from sandbox.ebill.model import Bill, stamp, yuan
from sandbox.ebill.platform import Platform
from sandbox.ebill.wire import Issue, Listing, Period, States, TurnPaper, WriteOff, fingerprint, read

BASE = "/api/medical"


class EBill(Platform):
    """The platform with its operations and the control side."""

    def add_operations(self) -> None:
        """The platform's calls, and the desk's."""
        operations: dict[str, tuple[str, Callable[[dict[str, Any]], dict[str, Any]]]] = {
            "invoice_registration": ("invEBillRegistration", self._issuing(OUTPATIENT, details=False)),
            "invoice_outpatient": ("invoiceEBillOutpatient", self._issuing(OUTPATIENT, details=True)),
            "invoice_hospitalized": ("invEBillHospitalized", self._issuing(INPATIENT, details=True)),
            "write_off": ("writeOffEBill", self._write_off),
            "turn_paper": ("turnPaper", self._turn_paper),
            "states": ("getEBillStatesByBillInfo", self._states),
            "by_bus_date": ("getBillByBusDate", self._by_bus_date),
            "check_total": ("checkTotalData", self._check_total),
        }
        for endpoint, (path, work) in operations.items():
            self.app.add_url_rule(f"{BASE}/{path}", endpoint, self._opened(work), methods=["POST"])
        add_desk(self)

    def _opened(self, work: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[], Response]:
        def view() -> Response:
            raw = request.get_data()
            with self.lock:
                data = self.gate.open(raw)
            message = work(data)
            self.note(code=SUCCESS, **{name: message[name] for name in ("billNo", "eScarletBillNo") if name in message})
            return self.answer(SUCCESS, message)
        return view

    def _issuing(self, kind: str, *, details: bool) -> Callable[[dict[str, Any]], dict[str, Any]]:
        def work(data: dict[str, Any]) -> dict[str, Any]:
            wish = read(Issue, data)
            self.note(busNo=wish.busNo)
            wish.check_sums(details=details)
            with self.lock:
                bill = self.book.issue(wish, kind, fingerprint(self.operation(), data), self.clock.now())
            return {"billBatchCode": bill.batch_code, "billNo": bill.number, "random": bill.random,
                    "createTime": stamp(bill.created_at), **self.links(bill)}
        return work

    def _write_off(self, data: dict[str, Any]) -> dict[str, Any]:
        wish = read(WriteOff, data)
        self.note(billNo=wish.billNo)
        with self.lock:
            red = self.book.write_off(wish, fingerprint("write_off", data), self.clock.now())
        return {"eScarletBillBatchCode": red.batch_code, "eScarletBillNo": red.number, "eScarletRandom": red.random,
                "createTime": stamp(red.created_at), **self.links(red)}

    def _turn_paper(self, data: dict[str, Any]) -> dict[str, Any]:
        wish = read(TurnPaper, data)
        self.note(billNo=wish.billNo)
        with self.lock:
            self.book.turn_paper(wish, fingerprint("turn_paper", data))
        return {"billBatchCode": wish.billBatchCode, "billNo": wish.billNo,
                "pBillBatchCode": wish.pBillBatchCode, "pBillNo": wish.pBillNo}

    def _states(self, data: dict[str, Any]) -> dict[str, Any]:
        wish = read(States, data)
        with self.lock:
            bill = self.book.asked(wish)
            answer = self._row(bill) | {
                "isScarlet": "1" if bill.red else "0",
                "eScarletBillBatchCode": bill.red.batch_code if bill.red else "",
                "eScarletBillNo": bill.red.number if bill.red else "",
                "eScarletRandom": bill.red.random if bill.red else "",
                "pBillBatchCode": bill.paper[0] if bill.paper else "",
                "pBillNo": bill.paper[1] if bill.paper else "",
            }
        self.note(busNo=bill.bus_no, state=answer["state"])
        return {**answer, **self.links(bill)}

    def _by_bus_date(self, data: dict[str, Any]) -> dict[str, Any]:
        wish = read(Listing, data)
        with self.lock:
            found = self.book.listed(wish)
            first = (wish.pageNo - 1) * wish.pageSize
            rows = [self._row(bill) | ({"dataType": wish.dataType} if wish.dataType else {})
                    for bill in found[first:first + wish.pageSize]]
        return {"total": len(found), "pageNo": wish.pageNo, "pageSize": wish.pageSize, "billList": rows}

    def _check_total(self, data: dict[str, Any]) -> dict[str, Any]:
        wish = read(Period, data)
        with self.lock:
            bills = list(self.book.within(wish))
        black, red = ([bill for bill in bills if (bill.reverses is not None) is wanted] for wanted in (False, True))
        return {"copyNum": len(black), "allTotalAmt": yuan(sum(bill.total_fen for bill in black)),
                "scarletNum": len(red), "scarletTotalAmt": yuan(sum(bill.total_fen for bill in red))}

    def _row(self, bill: Bill) -> dict[str, Any]:
        """What lists and states say of a bill."""
        reversed_ = bill.reverses
        return {
            "busNo": bill.bus_no, "busType": bill.bus_type, "busDateTime": stamp(bill.bus_at),
            "placeCode": bill.place_code, "billName": self.province + bill.name, "billBatchCode": bill.batch_code,
            "billNo": bill.number, "random": bill.random, "createTime": stamp(bill.created_at),
            "totalAmt": yuan(bill.total_fen), "dataType": "2" if reversed_ else "1", "state": bill.state,
            "isPrint": "1" if bill.paper else "0",
            "relateBillBatchCode": reversed_.batch_code if reversed_ else "",
            "relateBillNo": reversed_.number if reversed_ else "",
        }
