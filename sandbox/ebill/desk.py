"""The control side: the platform's books, its outages, and what the hospital's counter does without us."""

from __future__ import annotations

from flask import Response, jsonify
from pydantic import Field

from sandbox.ebill.book import OUTPATIENT
from sandbox.ebill.model import Bill, Refused, stamp, yuan
from sandbox.ebill.platform import Platform
from sandbox.ebill.wire import Issue, TurnPaper, WriteOff, fingerprint, read
from sandbox.latest import latest
from sandbox.wechat.control_json import ControlBody, answer_errors, body_as


class Pause(ControlBody):
    """Whether the platform is down."""

    paused: bool


class DeskBill(ControlBody):
    """A bill that the hospital's counter issues for cash."""

    busNo: str = Field(min_length=1, max_length=50)
    busType: str = "02"
    payer: str = "窗口患者"
    amount_fen: int = Field(ge=1, le=100_000_000)


class Paper(ControlBody):
    """The paper form's numbers; none: the next ones."""

    pBillBatchCode: str = "33060101"
    pBillNo: str | None = None


class Reason(ControlBody):
    """Why a bill is reversed."""

    reason: str = "窗口退费"


def add_desk(ebill: Platform) -> None:
    """Put the control routes onto ``ebill.control``; a wrong request is answered 4xx ``{"error": …}``."""
    control = ebill.control
    answer_errors(control)

    @control.errorhandler(Refused)
    def refused(error: Refused) -> tuple[Response, int]:
        status = 404 if error.code == "E1004" else 409
        return jsonify(error=f"{error.code}: {error.message}"), status

    @control.get("/bills", endpoint="bills")
    def bills() -> Response:
        with ebill.lock:
            return jsonify(paused=ebill.paused, bills=[_view(ebill, bill) for bill in latest(ebill.book.all())])

    @control.get("/bills/<batch_code>/<number>", endpoint="bill")
    def bill(batch_code: str, number: str) -> Response:
        with ebill.lock:
            return jsonify(_view(ebill, ebill.book.find(batch_code, number)))

    @control.post("/pause", endpoint="pause")
    def pause() -> Response:
        wish = body_as(Pause)
        with ebill.lock:
            ebill.paused = wish.paused
        return jsonify(paused=wish.paused)

    @control.post("/bills", endpoint="desk_bill")
    def desk_bill() -> tuple[Response, int]:
        wish = body_as(DeskBill)
        with ebill.lock:
            data = _cash_bill(wish, stamp(ebill.clock.now()), ebill.place_code)
            request = read(Issue, data)
            request.check_sums(details=True)
            issued = ebill.book.issue(request, OUTPATIENT, fingerprint("desk", data), ebill.clock.now())
            return jsonify(_view(ebill, issued)), 201

    @control.post("/bills/<batch_code>/<number>/turn-paper", endpoint="desk_turn_paper")
    def turn_paper(batch_code: str, number: str) -> Response:
        wish = body_as(Paper)
        with ebill.lock:
            data = {"billBatchCode": batch_code, "billNo": number, "pBillBatchCode": wish.pBillBatchCode,
                    "pBillNo": wish.pBillNo or number, "busDateTime": stamp(ebill.clock.now()),
                    "placeCode": ebill.place_code, "operator": "窗口"}
            return jsonify(_view(ebill, ebill.book.turn_paper(read(TurnPaper, data), fingerprint("desk", data))))

    @control.post("/bills/<batch_code>/<number>/write-off", endpoint="desk_write_off")
    def write_off(batch_code: str, number: str) -> Response:
        wish = body_as(Reason)
        with ebill.lock:
            now = ebill.clock.now()
            data = {"billBatchCode": batch_code, "billNo": number, "reason": wish.reason, "operator": "窗口",
                    "busDateTime": stamp(now), "placeCode": ebill.place_code}
            red = ebill.book.write_off(read(WriteOff, data), fingerprint("desk", data), now)
            return jsonify(_view(ebill, red))

    @control.delete("/bills/<batch_code>/<number>", endpoint="forget")
    def forget(batch_code: str, number: str) -> tuple[str, int]:
        with ebill.lock:
            ebill.book.forget(ebill.book.find(batch_code, number))
        return "", 204


def _view(ebill: Platform, bill: Bill) -> dict[str, object]:
    links = ebill.addresses(bill)
    return {**bill.view(), "pictureUrl": links["pictureUrl"], "pdfUrl": links["pdfUrl"]}


def _cash_bill(wish: DeskBill, at: str, place_code: str) -> dict[str, object]:
    amount = yuan(wish.amount_fen)
    line = {"chargeCode": "14", "chargeName": "其他门诊收费", "unit": "项", "std": amount, "number": "1", "amt": amount}
    return {
        "busNo": wish.busNo, "busType": wish.busType, "payer": wish.payer, "busDateTime": at, "placeCode": place_code,
        "totalAmt": amount, "payerType": "1", "cardType": "1101", "cardNo": "000000000000000000",
        "accountPay": "0.00", "fundPay": "0.00", "otherfundPay": "0.00", "ownPay": "0.00", "selfPayAmt": "0.00",
        "payChannelDetail": [{"payChannelCode": "02", "payChannelValue": amount}],
        "chargeDetail": [line], "listDetail": [{**line, "name": "窗口收费"}], "payee": "窗口",
    }
