"""The e-bill platform as a server: signed operations, and each bill as a picture and a PDF."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from flask import Response, request
from werkzeug.exceptions import HTTPException

from sandbox.ebill import paper
from sandbox.ebill.book import INPATIENT, OUTPATIENT, Book
from sandbox.ebill.desk import add_desk
from sandbox.ebill.envelope import SUCCESS, Gate
from sandbox.ebill.model import Bill, Refused, stamp, yuan
from sandbox.ebill.wire import Issue, Listing, Period, States, TurnPaper, WriteOff, fingerprint, read
from sandbox.system import System, World

BASE = "/api/medical"
_DOWN = b"\x00<html>503 Service Unavailable \xff{"


class EBill(System):
    """The fiscal e-bill platform of one province, for one hospital.

    ``app_id`` and ``key`` are the hospital's; ``place_code`` its one place of issue (开票点). ``hospital`` and
    ``province`` are what the printed bills name; ``region`` the province's two digits. Every operation answers
    HTTP 200 with a signed envelope whose ``result`` is S0000 or an E-code.
    """

    name = "ebill"
    max_body_bytes = 4 * 1024 * 1024  # an itemised list is long

    def __init__(self, world: World, *, app_id: str, key: str, place_code: str = "001",
                 hospital: str = "示范市第一人民医院", province: str = "浙江省", region: str = "33") -> None:
        super().__init__(world)
        self.hospital = hospital
        self.province = province
        self.place_code = place_code
        self.paused = False
        self.book = Book(region, place_code)
        self.gate = Gate(app_id, key)
        self.app.before_request(self._down)
        self.app.register_error_handler(Refused, self._refused)
        self.app.register_error_handler(HTTPException, self._not_served)
        self._add_operations()
        self.app.get("/pictures/<batch_code>-<number>.png", endpoint="picture")(self._picture)
        self.app.get("/bills/<batch_code>-<number>.pdf", endpoint="pdf")(self._pdf)
        add_desk(self)

    # -- answers --------------------------------------------------------------------------------
    def refusal(self, code: str, message: str, status: int) -> Response:
        """An E-code in a signed envelope; the platform's HTTP status is 200 whatever ``status`` says."""
        return self._answer(code, message)

    def _answer(self, result: str, message: Any) -> Response:
        return Response(self.app.json.dumps(self.gate.answer(result, message)), content_type="application/json")

    def _refused(self, error: Refused) -> Response:
        self.note(code=error.code)
        return self._answer(error.code, error.message)

    def _not_served(self, error: HTTPException) -> Response:
        return Response(f"{error.code} {error.name}", status=error.code or 500, content_type="text/plain")

    def too_large(self, error: HTTPException) -> Response:
        """As every other error of HTTP."""
        return self._not_served(error)

    def _down(self) -> Response | None:
        return Response(_DOWN, status=503, content_type="text/html") if self.paused else None

    # -- operations -----------------------------------------------------------------------------
    def _add_operations(self) -> None:
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

    def _opened(self, work: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[], Response]:
        def view() -> Response:
            raw = request.get_data()
            with self.lock:
                data = self.gate.open(raw)
            message = work(data)
            self.note(code=SUCCESS, **{name: message[name] for name in ("billNo", "eScarletBillNo") if name in message})
            return self._answer(SUCCESS, message)
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

    def links(self, bill: Bill) -> dict[str, str]:
        """QR code (base64 PNG) and addresses of a bill's picture and PDF."""
        return {"billQRCode": paper.qr_base64(bill), **self.addresses(bill)}

    def addresses(self, bill: Bill) -> dict[str, str]:
        """Where a bill's picture and PDF are, with the token that opens them."""
        name, token = f"{bill.batch_code}-{bill.number}", f"?token={bill.token}"
        picture = f"{self.address}/pictures/{name}.png{token}"
        return {"pictureUrl": picture, "pictureNetUrl": picture,
                "pdfUrl": f"{self.address}/bills/{name}.pdf{token}"}

    # -- files ----------------------------------------------------------------------------------
    def _picture(self, batch_code: str, number: str) -> Response:
        sheet = self._shown(batch_code, number)
        return Response(paper.picture(sheet, self.hospital, self.province), content_type="image/png") if sheet \
            else Response("票据不存在", status=404, content_type="text/plain; charset=utf-8")

    def _pdf(self, batch_code: str, number: str) -> Response:
        sheet = self._shown(batch_code, number)
        return Response(paper.pdf(sheet, self.hospital, self.province), content_type="application/pdf") if sheet \
            else Response("票据不存在", status=404, content_type="text/plain; charset=utf-8")

    def _shown(self, batch_code: str, number: str) -> Bill | None:
        """A copy of the bill as it is now; None when it does not exist or the token is not its own."""
        self.note(billNo=number)
        with self.lock:
            try:
                bill = self.book.find(batch_code, number)
            except Refused:
                return None
            known = hmac.compare_digest(bill.token.encode(), request.args.get("token", "").encode())
            return replace(bill) if known else None
