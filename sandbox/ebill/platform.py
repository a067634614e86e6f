"""What the e-bill platform's operations stand on: the book, the envelope of its answers, each bill's papers."""

from __future__ import annotations

import hmac
from dataclasses import replace
from typing import Any

from flask import Response, request
from werkzeug.exceptions import HTTPException

from sandbox.ebill import paper
from sandbox.ebill.book import Book
from sandbox.ebill.envelope import Gate
from sandbox.ebill.model import Bill, Refused
from sandbox.system import System, World

_DOWN = b"\x00<html>503 Service Unavailable \xff{"


class Platform(System):
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
        self.app.get("/pictures/<batch_code>-<number>.png", endpoint="picture")(self._picture)
        self.app.get("/bills/<batch_code>-<number>.pdf", endpoint="pdf")(self._pdf)
        self.add_operations()

    def add_operations(self) -> None:
        """Subclasses add theirs."""

    # -- answers --------------------------------------------------------------------------------
    def refusal(self, code: str, message: str, status: int) -> Response:
        """An E-code in a signed envelope; the platform's HTTP status is 200 whatever ``status`` says."""
        return self.answer(code, message)

    def answer(self, result: str, message: Any) -> Response:
        """A signed envelope."""
        return Response(self.app.json.dumps(self.gate.answer(result, message)), content_type="application/json")

    def _refused(self, error: Refused) -> Response:
        self.note(code=error.code)
        return self.answer(error.code, error.message)

    def _not_served(self, error: HTTPException) -> Response:
        return Response(f"{error.code} {error.name}", status=error.code or 500, content_type="text/plain")

    def too_large(self, error: HTTPException) -> Response:
        """As every other error of HTTP."""
        return self._not_served(error)

    def _down(self) -> Response | None:
        return Response(_DOWN, status=503, content_type="text/html") if self.paused else None

    # -- papers ---------------------------------------------------------------------------------
    def links(self, bill: Bill) -> dict[str, str]:
        """QR code (base64 PNG) and addresses of a bill's picture and PDF."""
        return {"billQRCode": paper.qr_base64(bill), **self.addresses(bill)}

    def addresses(self, bill: Bill) -> dict[str, str]:
        """Where a bill's picture and PDF are, with the token that opens them."""
        name, token = f"{bill.batch_code}-{bill.number}", f"?token={bill.token}"
        picture = f"{self.address}/pictures/{name}.png{token}"
        return {"pictureUrl": picture, "pictureNetUrl": picture,
                "pdfUrl": f"{self.address}/bills/{name}.pdf{token}"}

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
