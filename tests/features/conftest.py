"""What the feature tests share: a session with many places a module, and a whole visit in one call."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from sandbox.people import person
from sandbox.phone import Control, Phone, Refused
from scripts import books
from tests.faults.outpatient import Care
from tests.features.closing import Day
from tests.features.names import unheard_name
from tests.features.of_reports import use_reports
from tests.features.whose import Record
from tests.opened import account_of, code_of, hashed
from tests.photos import photo

Visit = Callable[..., str]


def open_ward(control: Control, *, date: str = "2026-11-25", period: str = "MORNING", slots: int = 48,
              fee_fen: int = 2500, **more: Any) -> dict[str, Any]:
    """A new doctor's session with many places, as search shows it; ``his`` is the HIS's view."""
    name = unheard_name()
    made = control("POST", "/his/schedules", date=date, period=period, kind="EXPERT", fee_fen=fee_fen, slots=slots,
                   **{"doctor": "new", "doctor_name": name, "department_code": "1101", **more})
    control.operate("schedules.sync", schedule=made["code"])
    found: list[dict[str, Any]] = Phone(control).call("GET", "booking/doctors", params={"q": name})["doctors"]
    return {**found[0]["sessions"][0], "his": made}


def refused(act: Callable[[], Any]) -> tuple[int, str | None]:
    """Status and code of what must be refused."""
    with pytest.raises(Refused) as refusal:
        act()
    assert len(refusal.value.error["message"]) > 6
    return refusal.value.status, refusal.value.code


def charge_states(phone: Phone, order_id: str) -> dict[str, str]:
    """Bill number → state of its charge."""
    return {one["bill_no"]: one["state"] for one in phone.charge_order(order_id)["charges"]}


def finish(control: Control) -> None:
    """Whatever goes back has arrived."""
    control.settle()
    control.advance(20)
    control.work()


@contextmanager
def listening(heard: list[tuple[dict[str, str], bytes]]) -> Iterator[str]:
    """An address that takes whatever the HIS tells; headers of its own and body of each go to ``heard``."""
    class Ear(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(({name: value for name, value in self.headers.items() if name.startswith("X-His-")},
                          self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Ear)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def ward(world: Control) -> dict[str, Any]:
    """A session of 48 places on Wednesday morning, 25 yuan, which the tests of one module share."""
    return open_ward(world)


@pytest.fixture
def guest(control: Control) -> Phone:
    """A WeChat user, signed in, who has allowed no message."""
    return Phone(control).sign_in()


@pytest.fixture
def stranger(control: Control, sql: Callable[..., list[tuple[Any, ...]]]) -> dict[str, Any]:
    """Somebody whom the HIS knows and nobody has bound yet."""
    ours = {bytes(found) for (found,) in sql("SELECT his_code_hash FROM patients WHERE his_code_hash IS NOT NULL")}
    known: list[dict[str, Any]] = control("GET", "/his/patients")["patients"]
    return next(one for one in known if one["seeded"]
                and hashed(control, "patient_code", one["patient_code"]) not in ours)


@pytest.fixture
def ill(guest: Phone) -> dict[str, Any]:
    """A person bound to ``guest``."""
    return guest.add_patient(person(), relation="SELF")


@pytest.fixture
def visit(control: Control) -> Visit:
    """``visit(phone, patient, session)``: booked, paid and confirmed in the HIS; the booking's id."""

    def make(phone: Phone, patient: dict[str, Any], session: dict[str, Any], **how: Any) -> str:
        held = phone.book(patient["id"], session, **how)
        phone.thumb(phone.open_payment(held["id"]))
        control.settle()
        assert phone.booking(held["id"])["state"] == "CONFIRMED"
        return str(held["id"])

    return make


@pytest.fixture
def trade(control: Control, sql: Callable[..., list[tuple[Any, ...]]]) -> Callable[[str], dict[str, Any]]:
    """``trade(booking_id)``: the registration as the HIS's own books have it."""

    def find(booking_id: str) -> dict[str, Any]:
        number = sql("SELECT trade_no FROM bookings WHERE id = %s", (booking_id,))[0][0]
        return next((one for one in control("GET", "/his/books") if one["trade_no"] == number), {})

    return find


@pytest.fixture
def order(control: Control, sql: Callable[..., list[tuple[Any, ...]]]) -> Callable[[str], dict[str, Any]]:
    """``order(booking_id)``: the order that pays for a booking, as WeChat Pay has it."""

    def find(booking_id: str) -> dict[str, Any]:
        number = sql("SELECT out_trade_no FROM payments WHERE subject_id = %s", (booking_id,))[0][0]
        answer: dict[str, Any] = control("GET", f"/wechatpay/orders/{number}")
        return answer

    return find


@pytest.fixture
def seen(control: Control, new_session: Callable[..., dict[str, Any]], visit: Visit,
         trade: Callable[[str], dict[str, Any]]) -> Visit:
    """``seen(phone, patient)``: registered for this morning, paid, checked in, called in; the HIS's trade number."""

    def make(phone: Phone, patient: dict[str, Any]) -> str:
        booking = visit(phone, patient, new_session(date="2026-11-23"))
        phone.check_in(booking)
        number = str(trade(booking)["trade_no"])
        control("POST", "/his/visits", trade_no=number)
        control.settle()
        return number

    return make


@pytest.fixture
def ordered(control: Control, sql: Callable[..., list[tuple[Any, ...]]]) -> Callable[..., list[dict[str, Any]]]:
    """``ordered(patient, "PRESCRIPTION", …)``: a doctor's orders of these kinds; the bills as the HIS has them."""

    def make(patient: dict[str, Any], *kinds: str, **how: Any) -> list[dict[str, Any]]:
        code = code_of(control, sql, patient["id"])
        made = [control("POST", "/his/bills", patient_code=code, kind=kind, **how) for kind in kinds]
        control.settle()
        return made

    return make


@pytest.fixture
def made(control: Control, sql: Callable[..., list[tuple[Any, ...]]]) -> Callable[..., dict[str, Any]]:
    """``made(patient, "lis", panel="blood", …)``: a system has made a report of a patient, and pushed it."""

    def make(patient: dict[str, Any], system: str = "lis", **told: Any) -> dict[str, Any]:
        asked = {"panel": "blood" if system == "lis" else "chest", "patient_code": code_of(control, sql, patient["id"])}
        report: dict[str, Any] = control("POST", f"/{system}/reports", **{**asked, **told})
        control.settle()
        return report

    return make


@pytest.fixture
def charge(control: Control) -> Callable[[str], dict[str, Any]]:
    """``charge(bill_no)``: the latest charge of a bill in the HIS's own books; empty when there is none."""

    def find(bill_no: str) -> dict[str, Any]:
        return next((one for one in reversed(control("GET", "/his/charges")) if one["bill_no"] == bill_no), {})

    return find


@pytest.fixture
def bill_in_his(control: Control) -> Callable[[str], dict[str, Any]]:
    """``bill_in_his(bill_no)``: a bill as the HIS's own books have it."""
    return lambda bill_no: next(one for one in control("GET", "/his/bills") if one["bill_no"] == bill_no)


@pytest.fixture
def wechat_order(control: Control, sql: Callable[..., list[tuple[Any, ...]]]) -> Callable[[str], dict[str, Any]]:
    """``wechat_order(order_id)``: what pays for an order, as WeChat Pay has it."""

    def find(order_id: str) -> dict[str, Any]:
        number = sql("SELECT out_trade_no FROM payments WHERE subject_id = %s", (order_id,))[0][0]
        answer: dict[str, Any] = control("GET", f"/wechatpay/orders/{number}")
        return answer

    return find


@pytest.fixture
def money_agrees(control: Control, mysql: str, database_name: str, sql: Callable[..., list[tuple[Any, ...]]]
                 ) -> Callable[[Phone], None]:
    """``money_agrees(phone)``: every book agrees on all that this phone's account has paid, and all is settled."""

    def check(phone: Phone) -> None:
        control.settle()
        account = account_of(control, sql, phone.openid)
        report = books.compare(control, mysql, database_name, account)
        assert (report.differences, report.pending) == ([], [])

    return check


@pytest.fixture
def books_agree(control: Control, mysql: str, database_name: str, sql: Callable[..., list[tuple[Any, ...]]]
                ) -> Callable[..., None]:
    """``books_agree(booking_id, …)``: ours, the HIS's and WeChat Pay's books agree on these, and all is settled.

    Only on these: an earlier test's refund may lie in the future since the clock was put back.
    """

    def check(*booking_ids: str) -> None:
        control.settle()
        for booking_id in booking_ids:
            account = sql("SELECT account_id FROM bookings WHERE id = %s", (booking_id,))[0][0]
            report = books.compare(control, mysql, database_name, account)
            known = {str(value) for row in sql(
                "SELECT b.id, b.slot_id, s.his_code, p.id FROM bookings b JOIN slots s ON s.id = b.slot_id "
                "LEFT JOIN payments p ON p.subject_id = b.id WHERE b.id = %s", (booking_id,)) for value in row if value}
            assert booking_id in known
            assert [one for one in report.differences + report.pending if any(name in one for name in known)] == []

    return check


@pytest.fixture
def wechat_token_ends(control: Control) -> Callable[[int], None]:
    """``wechat_token_ends(40001)``: WeChat takes the hospital's access token no more."""

    def end(errcode: int) -> None:
        control("POST", "/wechat/tokens/expire", errcode=errcode)

    return end


@pytest.fixture
def today(control: Control, sql: Callable[..., list[tuple[Any, ...]]]) -> Iterator[Day]:
    """A day in some weeks that only this test has, at nine in the morning."""
    one = Day(control, sql)
    yield one
    one.end()


@pytest.fixture
def patient_of(today: Day, mysql: str, database_name: str) -> Care:
    """An account with a patient who comes on that day."""
    return Care(today.control, today.sql, (mysql, database_name))


@pytest.fixture
def everything(control: Control, visit: Visit, seen: Visit, new_session: Callable[..., dict[str, Any]],
               ordered: Callable[..., list[dict[str, Any]]], sql: Callable[..., list[tuple[Any, ...]]]) -> Phone:
    """Somebody who has used every route at least once."""
    phone = Phone(control).sign_in()
    phone.sign_in(device="iPhone 15")
    phone.call("DELETE", "account/sessions/others")
    phone.sign_in()
    mine = phone.call("GET", "account/sessions")["sessions"]
    phone.call("DELETE", f"account/sessions/{next(one['id'] for one in mine if not one['is_current'])}")
    phone.verify_phone()
    phone.call("GET", "account/me")
    patient, child = phone.add_patient(someone := person(), relation="SELF"), phone.add_patient(person())
    phone.prove(patient["id"], someone["id_number"])
    Phone(control).sign_in().add_patient(someone, proven=False)
    holders = f"account/patients/{patient['id']}/holders"
    phone.call("DELETE", f"{holders}/{phone.call('GET', holders)['holders'][0]['id']}")
    phone.call("GET", "account/consents/copy")
    phone.call("GET", f"account/patients/{patient['id']}")
    phone.call("GET", "account/patients")
    phone.call("GET", "account/consents")
    phone.call("POST", f"account/patients/{patient['id']}/reveal", {"code": phone.phone_code()})
    phone.call("PUT", f"account/patients/{child['id']}/default")
    one = {"patient_id": child["id"], "purpose": "HEALTH_DATA"}
    phone.call("POST", "account/consents/withdrawal", one)
    phone.call("POST", "account/consents", {**one, "version": 2})
    phone.call("DELETE", f"account/patients/{child['id']}")
    _see_a_doctor(control, phone, patient, visit, seen, new_session, ordered)
    use_reports(control, phone, patient, code_of(control, sql, patient["id"]))
    phone.call("DELETE", "account/sessions/current")
    return _say_what_one_thinks(control, phone.sign_in())


def _say_what_one_thinks(control: Control, phone: Phone) -> Phone:
    booking = next(one["id"] for one in phone.call("GET", "booking/bookings")["bookings"]
                   if one["state"] == "CHECKED_IN")
    answered, withdrawn = (phone.complain(f"第{one}件事：饮水机没有热水。") for one in (1, 2))
    phone.call("POST", f"feedback/complaints/{withdrawn['id']}/withdrawal")
    control.operate("complaint.answer", complaint_id=answered["id"], text="已修好，谢谢您的提醒。")
    phone.call("POST", f"feedback/complaints/{answered['id']}/rating", {"stars": 2})
    phone.call("POST", f"feedback/complaints/{answered['id']}/reopening", {"text": "今天又没有热水了。"})
    phone.call("GET", "feedback/complaints")
    phone.complaint(answered["id"])
    picture = phone.add_picture(photo())
    phone.call("GET", f"feedback/pictures/{picture}")
    phone.call("DELETE", f"feedback/pictures/{picture}")
    now = control("GET", "/clock")["now"]
    control.advance(6 * 3600)  # the session is over
    phone.rate_visit(booking, overall=5, doctor=5)
    control.settle()
    control("PUT", "/clock", now=now)
    return phone


def _see_a_doctor(control: Control, phone: Phone, patient: dict[str, Any], visit: Visit, seen: Visit,
                  new_session: Callable[..., dict[str, Any]], ordered: Callable[..., list[dict[str, Any]]]) -> None:
    stopped = new_session(date="2026-11-26")
    moved = visit(phone, patient, stopped)
    control("POST", f"/his/schedules/{stopped['his']['code']}/stop", tell=True)
    control.settle()
    offer = phone.call("GET", f"booking/bookings/{moved}/alternatives")["offers"][0]
    phone.call("POST", f"booking/bookings/{moved}/move", {"schedule_id": offer["id"], "fee_fen": offer["fee_fen"]})
    booking = visit(phone, patient, new_session())
    phone.call("GET", "booking/bookings")
    phone.call("GET", "booking/doctors/seen")
    phone.call("GET", "booking/home")
    phone.call("GET", "booking/standing", params={"patient_id": patient["id"]})
    full = new_session(slots=1)
    control("POST", f"/his/slots/{full['his']['slots'][0]['code']}/take")
    control.operate("schedules.sync", schedule=full["his"]["code"])
    waiting = phone.call("POST", "booking/waitlist", {"patient_id": patient["id"], "schedule_id": full["id"]})["id"]
    phone.call("GET", "booking/waitlist")
    phone.call("DELETE", f"booking/waitlist/{waiting}")
    phone.call("POST", f"booking/bookings/{booking}/cancellation")
    phone.call("GET", "checkin/bookings")
    phone.call("GET", "guide/journey")
    for path in ("guide/journey", "guide/bookings", "queue/bookings"):
        phone.call("GET", f"{path}/{booking}")
    phone.call("GET", "guide/way", params={"patient_id": patient["id"]})
    phone.call("PUT", "guide/steps/queue_near", {"wanted": True})
    seen(phone, patient)
    bills = ordered(patient, "PRESCRIPTION", "TREATMENT", "LABORATORY")
    shown = phone.bills(patient["id"])
    phone.bill(patient["id"], shown[0]["bill_no"])
    phone.scan(control("POST", f"/his/bills/{bills[0]['bill_no']}/qr")["token"])
    given_up = phone.order(patient["id"], shown[2:])["id"]
    phone.call("POST", f"billing/orders/{given_up}/cancellation")
    order = phone.pay_bills(patient["id"], shown[:2])
    finish(control)
    charge = phone.charge_order(order)["charges"][0]["id"]
    phone.call("GET", f"billing/charges/{charge}/refundability")
    phone.refund_charge(charge)
    finish(control)
    payment = next(one for one in phone.payments() if one["subject_id"] == order)
    phone.receipt(payment["id"])
    invoice = next(one for one in phone.invoices() if one["has_file"])
    phone.call("GET", f"invoice/invoices/{invoice['id']}")
    phone.call("POST", f"invoice/invoices/{invoice['id']}/link")
    newest = phone.call("GET", "messages/inbox")["messages"][0]["id"]
    phone.call("POST", f"messages/inbox/{newest}/read")
    phone.call("POST", "messages/subscriptions", {"answers": [{"template_id": "none", "answer": "accept"}]},
               key=secrets.token_hex(16))


@pytest.fixture
def owner(control: Control) -> Phone:
    """Whose record it is: their number is verified by WeChat."""
    return _verified(control)


@pytest.fixture
def record(control: Control, owner: Phone) -> Record:
    """The owner's record in the HIS, with their number on file."""
    return Record(control, phone=owner.number)


@pytest.fixture
def thief(control: Control) -> Phone:
    """Somebody who knows name and number."""
    return _verified(control)


def _verified(control: Control) -> Phone:
    one = Phone(control).sign_in()
    one.allow_every_message()
    one.verify_phone()
    return one
