"""The control side of outpatient money: the doctor's orders, the desk's till, and events on demand."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

from flask import Response, jsonify, request

from sandbox.his.desk_refunds import wire_refund
from sandbox.his.hospital import Hospital
from sandbox.his.model import Department, Doctor, Refused
from sandbox.his.money import BILL_KINDS, ODD_KINDS, Bill, BillItem, Charge
from sandbox.his.qr import picture_of, token_of
from sandbox.his.wire import CODE, MAX_FEN, TRADE_NO, Fields, json_object, show, wrong
from sandbox.latest import latest

MOST_ITEMS = 100
MOST_MINUTES = 30 * 24 * 60
_TEXT = r"(?s).{1,100}"
_URL = r"https?://[^\s#]{1,500}|"
_ITEM_FIELDS = ("code", "name", "specification", "unit", "quantity", "unit_price_fen", "insurance_class",
                "amount_fen")
_MODES = ("drop", "duplicate", "hold", "reorder")


def add_bill_desk(his: Hospital) -> None:
    """Put the control routes onto ``his.control``; a wrong request is answered 4xx ``{"error": …}``."""
    _add_orders(his)
    _add_till(his)
    _add_events(his)


def _add_orders(his: Hospital) -> None:
    control = his.control

    @control.post("/visits", endpoint="begin_visit")
    def begin_visit() -> Response:
        trade_no = Fields(_body(), ("trade_no",)).text("trade_no", TRADE_NO)
        with his.lock:
            is_news = his.registrations.known(trade_no).seen_at is None
            one = his.check_ins.see(trade_no)
            session = one.slot.schedule if one.slot else None
            if is_news and session is not None and one.arrival is not None:
                his.queues.called(session.code, one.arrival.queue_number)
            return jsonify(trade_no=trade_no, registration_code=one.code, patient_code=one.patient_code,
                           doctor_code=session.doctor.code if session else None,
                           department_code=session.department.code if session else None,
                           seen_at=show(one.seen_at) if one.seen_at else None)

    @control.get("/bills", endpoint="all_bills")
    def all_bills() -> Response:
        with his.lock:
            return jsonify([_raw(his, bill) for bill in latest(his.bills.all(), "patient_code")])

    @control.post("/bills", endpoint="create_bill")
    def create_bill() -> tuple[Response, int]:
        with his.lock:
            bill = _create(his, _body())
            _tell(his, "BILL_CREATED", bill)
            return jsonify(bill.wire(his.clock.now())), 201

    @control.post("/bills/<bill_no>/change", endpoint="change_bill")
    def change_bill(bill_no: str) -> Response:
        body = _body()
        fields = Fields(body, ("amount_fen", "items", "force"))
        if fields.has("amount_fen") == fields.has("items"):
            raise wrong("amount_fen", "与 items 二者必居其一")
        amount_fen = fields.number("amount_fen", 1, MAX_FEN) if fields.has("amount_fen") else None
        with his.lock:
            items = _items(his, his.bills.known(bill_no).kind, body["items"]) if amount_fen is None else None
            return _changed(his, "BILL_CHANGED", his.bills.change(bill_no, items, amount_fen, force=_flag(body)))

    @control.post("/bills/<bill_no>/cancel", endpoint="cancel_bill")
    def cancel_bill(bill_no: str) -> Response:
        body = _body()
        Fields(body, ("force",))
        with his.lock:
            return _changed(his, "BILL_CANCELLED", his.bills.cancel(bill_no, force=_flag(body)))

    @control.post("/bills/<bill_no>/execute", endpoint="execute_items")
    def execute_items(bill_no: str) -> Response:
        fields = Fields(_body(), ("item_no",))
        item_no = fields.number("item_no", 1, MOST_ITEMS) if fields.has("item_no") else None
        with his.lock:
            bill, news = his.bills.execute(bill_no, item_no)
            return _changed(his, "ITEM_EXECUTED" if news else None, bill)

    @control.post("/bills/<bill_no>/qr", endpoint="bill_qr")
    def bill_qr(bill_no: str) -> Response:
        fields = Fields(_body(), ("expires_minutes",))
        minutes = fields.number("expires_minutes", 0, MOST_MINUTES) if fields.has("expires_minutes") else None
        if not his.qr_key:
            raise Refused("QR_DISABLED", "本院未启用处方二维码")
        with his.lock:
            bill = his.bills.known(bill_no)
            expiry = bill.pay_before if minutes is None else his.clock.now() + timedelta(minutes=minutes)
        token = token_of(his.qr_key, bill_no, bill.patient_code, expiry)
        return jsonify(token=token, png_base64=base64.b64encode(picture_of(token)).decode())


def _add_till(his: Hospital) -> None:
    control = his.control

    @control.post("/bills/<bill_no>/pay-at-desk", endpoint="pay_at_desk")
    def pay_at_desk(bill_no: str) -> Response:
        with his.lock:
            return _changed(his, "BILL_PAID_AT_DESK", his.bills.pay_at_desk(bill_no))

    @control.post("/bills/<bill_no>/paper-invoice", endpoint="paper_invoice")
    def paper_invoice(bill_no: str) -> Response:
        with his.lock:
            return jsonify(_raw(his, his.bills.turn_paper(bill_no)))

    @control.get("/charges", endpoint="all_charges")
    def all_charges() -> Response:
        with his.lock:
            now = his.clock.now()
            return jsonify([one.wire(now) for one in latest(his.trades.of_kind(Charge), "patient_code")])

    @control.get("/desk-refunds", endpoint="all_desk_refunds")
    def all_desk_refunds() -> Response:
        with his.lock:
            return jsonify(latest(his.desk_refunds.all()))

    @control.post("/charges/<trade_no>/desk-refund", endpoint="desk_refund")
    @control.post("/registrations/<trade_no>/desk-refund", endpoint="desk_refund_of_registration")
    def desk_refund(trade_no: str) -> tuple[Response, int]:
        body = _body()
        fields = Fields(body, ("amount_fen", "item_nos", "reason", "operator_code"))
        if fields.has("amount_fen") and fields.has("item_nos"):
            raise wrong("amount_fen", "与 item_nos 不能同时给出")
        amount_fen = fields.number("amount_fen", 1, MAX_FEN) if fields.has("amount_fen") else None
        reason = fields.text("reason", _TEXT) if fields.has("reason") else "窗口退费"
        operator = fields.text("operator_code", CODE) if fields.has("operator_code") else "C0001"
        with his.lock:
            made = his.desk_refunds.begin(trade_no, amount_fen, _item_nos(body), reason, operator)
            shown = wire_refund(made)
            his.events.tell("DESK_REFUND_REQUESTED", shown["patient_code"], bill_no=shown["bill_no"],
                            refund_no=made.refund_no, trade_no=trade_no)
            return jsonify(shown), 201


def _add_events(his: Hospital) -> None:
    control = his.control

    @control.put("/events-url", endpoint="events_url")
    def events_url() -> Response:
        his.events.url = Fields(_body(), ("url",)).text("url", _URL)
        return jsonify(url=his.events.url)

    @control.put("/events-mode", endpoint="events_mode")
    def events_mode() -> Response:
        body = _body()
        Fields(body, _MODES)
        for name, value in body.items():
            if not isinstance(value, bool):
                raise wrong(name, "应为布尔值")
        return jsonify(his.events.deliveries.set_mode(**body))

    @control.get("/events", endpoint="all_events")
    def all_events() -> Response:
        return jsonify(his.events.deliveries.listing())

    @control.post("/events/send", endpoint="send_event")
    def send_event() -> Response:
        body = _body()
        Fields(body, ("event", "text"))
        if not his.events.url:
            raise Refused("NO_ADDRESS", "没有事件接收地址")
        text = body["text"] if isinstance(body.get("text"), str) else json.dumps(body.get("event"), ensure_ascii=False)
        return jsonify(status=his.events.say(text))

    @control.delete("/events", endpoint="forget_events")
    def forget_events() -> tuple[str, int]:
        his.events.deliveries.forget()
        return "", 204

    @control.post("/events/settle", endpoint="settle_events")
    def settle_events() -> Response:
        timeout = _body().get("timeout", 5)
        if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not 0 <= timeout <= 120:
            raise wrong("timeout", "应为 0 到 120 的秒数")
        return jsonify(his.events.settle(float(timeout)))


# -- inside -------------------------------------------------------------------------------------
def _body() -> dict[str, Any]:
    raw = request.get_data()
    return json_object(raw) if raw else {}


def _flag(body: dict[str, Any]) -> bool:
    value = body.get("force", False)
    if not isinstance(value, bool):
        raise wrong("force", "应为布尔值")
    return value


def _tell(his: Hospital, type_: str, bill: Bill) -> None:
    his.events.tell(type_, bill.patient_code, bill_no=bill.bill_no)


def _changed(his: Hospital, event: str | None, bill: Bill) -> Response:
    if event:
        _tell(his, event, bill)
    return jsonify(_raw(his, bill))


def _raw(his: Hospital, bill: Bill) -> dict[str, Any]:
    return {**bill.wire(his.clock.now()), "on_paper": bill.on_paper, "settlement_no": bill.settlement_no}


def _create(his: Hospital, body: dict[str, Any]) -> Bill:
    fields = Fields(body, ("patient_code", "trade_no", "kind", "items", "count", "doctor_code",
                           "department_code", "bill_no"))
    kind = fields.choice("kind", (*BILL_KINDS, *ODD_KINDS))
    bill_no = fields.text("bill_no", CODE) if fields.has("bill_no") else None
    if fields.has("patient_code") == fields.has("trade_no"):
        raise wrong("patient_code", "与 trade_no 二者必居其一")
    if fields.has("items") and fields.has("count"):
        raise wrong("count", "与 items 不能同时给出")
    rng = his.bills.rng()
    if fields.has("items"):
        items = _items(his, kind, body["items"])
    else:
        items = his.bills.catalogue.order(
            kind, fields.number("count", 1, MOST_ITEMS) if fields.has("count") else None, rng)
    if fields.has("trade_no"):
        visit = his.check_ins.see(fields.text("trade_no", TRADE_NO))
        if visit.slot is None or visit.patient_code is None:
            raise Refused("NOT_CHECKED_IN", "患者尚未报到")
        session = visit.slot.schedule
        return his.bills.create(visit.patient_code, kind, session.department, session.doctor, items,
                                visit.trade_no, bill_no)
    department, doctor = _who(his, fields, rng.choice(list(his.sessions.doctors.values())))
    return his.bills.create(fields.text("patient_code", CODE), kind, department, doctor, items, None, bill_no)


def _who(his: Hospital, fields: Fields, someone: Doctor) -> tuple[Department, Doctor]:
    """The ordering doctor and department: as asked, else of the other, else anyone."""
    departments, doctors = his.sessions.departments, his.sessions.doctors
    department = None
    if fields.has("department_code"):
        department = departments.get(fields.text("department_code", CODE))
        if department is None:
            raise Refused("DEPARTMENT_UNKNOWN", "科室不存在", 404)
        someone = next((one for one in doctors.values() if department.code in one.department_codes), someone)
    if fields.has("doctor_code"):
        named = doctors.get(fields.text("doctor_code", CODE))
        if named is None:
            raise Refused("DOCTOR_UNKNOWN", "医生不存在", 404)
        someone = named
    return department or departments[someone.department_codes[0]], someone


def _items(his: Hospital, kind: str, given: object) -> list[BillItem]:
    if not isinstance(given, list) or not 1 <= len(given) <= MOST_ITEMS:
        raise wrong("items", f"应为 1 到 {MOST_ITEMS} 项的列表")
    items = [_item(his, kind, one, at) for at, one in enumerate(given, start=1)]
    if not 0 < sum(item.amount_fen for item in items) <= MAX_FEN:
        raise wrong("items", "合计金额应大于零且在限额之内")
    return items


def _item(his: Hospital, kind: str, given: object, number: int) -> BillItem:
    """One item: a code of the price list, changed as given; or, with a name and a price, one made up."""
    where = f"items.{number}."
    if not isinstance(given, dict):
        raise wrong(where.rstrip("."), "应为对象")
    fields = Fields(given, _ITEM_FIELDS, where)
    catalogue = his.bills.catalogue
    known = catalogue.find(fields.text("code", CODE)) if fields.has("code") else None
    if known is None:
        usual = catalogue.usual(kind)
        known = replace(usual, code=fields.text("code", CODE) if fields.has("code") else f"X{number:04d}",
                        name=fields.text("name", _TEXT), specification="", insurance_class="C",
                        unit_price_fen=fields.decimal("unit_price_fen", MAX_FEN))
    changes: dict[str, Any] = {name: fields.text(name, _TEXT) for name in ("name", "specification", "unit")
                               if fields.has(name)}
    if fields.has("unit_price_fen"):
        changes["unit_price_fen"] = fields.decimal("unit_price_fen", MAX_FEN)
    if fields.has("amount_fen"):
        changes["fixed_fen"] = fields.fen("amount_fen")
    if fields.has("insurance_class"):
        changes["insurance_class"] = fields.choice("insurance_class", "ABC")
    quantity = fields.decimal("quantity", 1000) if fields.has("quantity") else 1
    if not quantity:
        raise wrong(f"{where}quantity", "应大于零")
    return replace(known, item_no=number, quantity=quantity, **changes)


def _item_nos(body: dict[str, Any]) -> list[int] | None:
    given = body.get("item_nos")
    if given is None:
        return None
    if not isinstance(given, list) or not given or any(type(one) is not int for one in given):
        raise wrong("item_nos", "应为项目序号的列表")
    return given
