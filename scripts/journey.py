"""The steps of ``make demo``: a patient's visits from signing in to the closed day, a line per step."""

from __future__ import annotations

import base64
import contextlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import requests
from hospital.runtime.clock import BEIJING
from hospital.site.rules import spellings

from sandbox.people import person
from sandbox.phone import Control, Phone, Refused
from scripts import books
from scripts.journey_way import Way

EARLY = timedelta(minutes=20)  # so long before their time the patient arrives
KINDS = ("PRESCRIPTION", "LABORATORY", "EXAMINATION", "TREATMENT")
SENDING = 20  # seconds: WeChat Pay's refunds take a few
APART = 70  # seconds: parts of one payment's refund are taken a minute apart
# Seconds to wait for what should have happened: a busy machine is slow to hear what is pushed, which then comes again.
PATIENCE = (0, 15, 60, 300)


class StepFailed(Exception):
    """A step did not end as it should; the text says how it did."""


class Journey:
    """Prints the steps, numbered and timed."""

    def __init__(self) -> None:
        self.number = 0

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[list[str]]:
        """One step; what is put into the list is printed behind its title."""
        self.number += 1
        started, facts = time.perf_counter(), list[str]()
        try:
            yield facts
        except Exception:
            print(f"{self.number:2}. {title:32} ✗  FAILED", flush=True)
            raise
        print(f"{self.number:2}. {title:32} ✓  {'  '.join(facts)}  ({(time.perf_counter() - started) * 1000:.0f} ms)",
              flush=True)


def yuan(fen: int) -> str:
    """For people."""
    return f"{'-' if fen < 0 else ''}¥{abs(fen) // 100}.{abs(fen) % 100:02d}"


def clock(text: str) -> str:
    """A moment of the API as the clock at the hospital shows it."""
    return f"{moment(text):%H:%M}"


def moment(text: str) -> datetime:
    """A moment of the API, at the hospital."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(BEIJING)


def expect(what: str, actual: Any, wanted: Any) -> None:
    """Raises StepFailed when they differ."""
    if actual != wanted:
        raise StepFailed(f"{what} is {actual!r}, expected {wanted!r}")


@dataclass
class Walk:
    """A patient on the way; the public methods are its parts, in order. ``folder`` keeps the files they get to see.

    All raise StepFailed, Refused.
    """

    control: Control
    mysql: str
    database: str
    folder: Path
    journey: Journey = field(default_factory=Journey)
    patient: dict[str, Any] = field(default_factory=dict)
    order_id: str = ""  # of the bills that are paid together

    def __post_init__(self) -> None:
        self.phone = Phone(self.control)
        self.step = self.journey.step

    # -- a registration that is given up --------------------------------------------------------------
    def sign_in(self) -> None:
        """An account, a patient, the hospital's departments."""
        phone = self.phone
        with self.step("登录 sign in") as facts:
            phone.sign_in()
            for scene in ("patients", "booking", "checkin", "billing", "refunds", "feedback"):
                phone.allow_messages(scene)
            facts += [f"openid {phone.openid}", f"session …{phone.token[-6:]}"]
        mother = person(age=62)
        self._known_at_the_hospital(mother)
        with self.step("添加就诊人 add a family member") as facts:
            bound = phone.add_patient(mother, proven=False, relation="PARENT")
            expect("the binding", (bound["level"], bound["card_number"]), ("LIMITED", ""))
            facts += [f"{bound['name']} {bound['id_number']}", bound["level"], "her bills:",
                      _refusal(lambda: phone.bills(bound["id"]))]
        with self.step("身份核验 a code to her phone on file") as facts:
            self.patient = phone.prove(bound["id"], mother["id_number"])
            expect("the binding", self.patient["level"], "FULL")
            facts += [self.patient["level"], f"card {self.patient['card_number']}", f"bills {phone.bills(bound['id'])}"]
        with self.step("绑定通知 bound, announced") as facts:
            facts += self.told("绑定通知", 1)[0]["lines"][:2]
        with self.step("陌生人 a stranger with name and number") as facts:
            stranger = Phone(self.control).sign_in()
            stranger.verify_phone()
            stolen = stranger.add_patient(mother, proven=False)
            facts += [stolen["level"], "bills:", _refusal(lambda: stranger.bills(stolen["id"])), "the record:",
                      _refusal(lambda: stranger.call("POST", f"account/patients/{stolen['id']}/reveal",
                                                     {"code": stranger.phone_code()}))]
        with self.step("解除他人绑定 the family is told, ends it") as facts:
            facts += self.told("绑定通知", 2)[1]["lines"][-1:]
            at = f"account/patients/{bound['id']}/holders"
            [other] = phone.call("GET", at)["holders"]
            phone.call("DELETE", f"{at}/{other['id']}")
            facts += [f"{other['phone']} {other['level']}", "→", _refusal(lambda: stranger.call(
                "GET", f"account/patients/{stolen['id']}"))]
        with self.step("科室 departments, two levels") as facts:
            groups = phone.call("GET", "booking/departments")["groups"]
            facts.append(f"{len(groups)} groups, {sum(len(one['departments']) for one in groups)} departments")

    def book_and_cancel(self) -> None:
        """A place on a coming day, paid and given back."""
        phone = self.phone
        with self.step("搜索医生 search by initials") as facts:
            initials, session = self._found_by_initials()
            facts += [f"“{initials}” finds {session['doctor_name']} {session['doctor_title']}",
                      f"{session['department_name']} {session['visit_date']} {session['period']}",
                      f"{yuan(session['fee_fen'])}, {session['free']} places left"]
        with self.step("占号 take a place") as facts:
            held = phone.book(self.patient["id"], session)
            facts += [f"booking {held['id']}", f"at {held['starts_at']}", f"held until {held['expires_at'][11:19]} UTC"]
        with self.step("锁号、下单 lock in HIS, open payment") as facts:
            payment = phone.open_payment(held["id"])
            facts += [payment["package"]]
        with self.step("微信支付 pay") as facts:
            paid = phone.thumb(payment)
            facts += [f"transaction {paid['transaction_id']}", f"order {paid['out_trade_no']}",
                      yuan(session["fee_fen"])]
        with self.step("HIS 确认 confirmed in the HIS") as facts:
            shown = self._confirmed(held["id"])
            facts += [f"visit number {shown['visit_number']}", shown["location"]]
        with self.step("挂号成功通知 message in the inbox") as facts:
            facts += self.told("挂号成功通知", 1)[0]["lines"]
        with self.step("取消预约 cancel") as facts:
            facts.append(phone.call("POST", f"booking/bookings/{held['id']}/cancellation")["state"])
            self.until("the registration", lambda: phone.booking(held["id"])["state"], "CANCELLED")
            facts.append("→ CANCELLED in our books and in the HIS")
        with self.step("退款 refunded") as facts:
            self._pass(SENDING)
            self.until("the refund", lambda: phone.booking(held["id"])["refunds"][0]["state"], "SUCCEEDED")
            refund = phone.booking(held["id"])["refunds"][0]
            facts += [yuan(refund["amount_fen"]), f"at {refund['succeeded_at']}"]
        with self.step("取消通知 told so") as facts:
            facts += self.told("取消预约通知", 1)[0]["lines"]

    # -- at the hospital ------------------------------------------------------------------------------
    def arrive(self) -> str:
        """A registration for today, and check-in; its number in the HIS."""
        phone, control = self.phone, self.control
        with self.step("当天挂号 register for today") as facts:
            session = next(self._open_sessions(phone.call("GET", "booking/days")["days"][0]["day"]), None)
            if session is None:
                raise StepFailed("no session of today has a free place")
            held = phone.book(self.patient["id"], session)
            phone.thumb(phone.open_payment(held["id"]))
            shown = self._confirmed(held["id"])
            facts += [f"{session['doctor_name']} {session['department_name']} at {clock(shown['starts_at'])}",
                      yuan(session["fee_fen"]), f"visit number {shown['visit_number']}"]
        self.way = Way(control, self.step, phone, self.patient["id"], held["id"]).there()
        with self.step("取号 check in") as facts:
            due = moment(held["starts_at"]) - EARLY
            if due > moment(control("GET", "/clock")["now"]):
                control("PUT", "/clock", now=due.isoformat())
            arrived = phone.check_in(held["id"])["booking"]
            expect("the registration", arrived["state"], "CHECKED_IN")
            facts += [f"at {clock(arrived['checked_in_at'])}", f"queue number {arrived['queue_number']}",
                      arrived["queue_place"], f"{arrived['queue_ahead']} before"]
        with self.step("取号成功通知 told where to wait") as facts:
            facts += self.told("取号成功通知", 1)[0]["lines"]
        payment = next(one for one in phone.payments() if one["subject_id"] == held["id"])
        return self.way.queue(phone.receipt(payment["id"])["settlements"][0]["trade_no"])

    def pay_bills(self, trade_no: str) -> None:
        """The doctor's orders: three bills paid together, the fourth from its paper."""
        phone, control = self.phone, self.control
        with self.step("开单 the doctor's orders") as facts:
            control("POST", "/his/visits", trade_no=trade_no)
            for kind in KINDS:
                control("POST", "/his/bills", trade_no=trade_no, kind=kind, count=3)
            bills = phone.bills(self.patient["id"])
            expect("bills", len(bills), len(KINDS))
            facts += [f"{one['kind_text']} {one['item_count']} items {yuan(one['total_fen'])}" for one in bills]
        with self.step("待缴费提醒 told of each") as facts:
            told = self.told("待缴费提醒", len(KINDS))
            facts += [f"{len(told)} messages, the last:", *told[-1]["lines"]]
        with self.step("合并缴费 pay three at once") as facts:
            self.order_id = phone.order(self.patient["id"], bills[:3])["id"]
            paid = phone.thumb(phone.open_order(self.order_id))
            facts += [f"transaction {paid['transaction_id']}", f"order {paid['out_trade_no']}",
                      yuan(sum(one["total_fen"] for one in bills[:3]))]
        with self.step("HIS 结算 settled bill by bill") as facts:
            facts += self._settled(self.order_id)
        self.way.paid()
        with self.step("扫码支付 scan the paper, pay") as facts:
            printed = control("POST", f"/his/bills/{bills[3]['bill_no']}/qr")
            picture = self._keep("prescription.png", base64.b64decode(printed["png_base64"]))
            scanned = phone.scan(printed["token"])
            order_id = phone.pay_bills(scanned["patient_id"], [scanned["bill"]])
            facts += [f"{picture}: {printed['token'][:16]}…", scanned["bill"]["kind_text"],
                      yuan(scanned["bill"]["total_fen"]), *self._settled(order_id)]
        with self.step("缴费成功通知 told of both") as facts:
            told = self.told("缴费成功通知", 2)
            facts += told[0]["lines"]

    def open_receipt(self) -> None:
        """The receipt with every item, and the e-bills."""
        phone = self.phone
        with self.step("缴费凭证 receipt with its items") as facts:
            receipt = self._receipt()
            items = [item for one in receipt["settlements"] for item in one["items"]]
            expect("the items' sum", sum(item["amount_fen"] for item in items), receipt["paid_fen"])
            facts += [f"{len(items)} items, {yuan(receipt['paid_fen'])}",
                      *(f"{item['name']} {item['quantity']}{item['unit']} {yuan(item['amount_fen'])}"
                        for item in items[:3]), "…"]
        with self.step("电子票据 an e-bill of each") as facts:
            # The sixth is that of the registration that was given up.
            self.until("e-bills", lambda: sorted((one["state"], one["has_file"]) for one in phone.invoices()),
                        [("ISSUED", True)] * 5 + [("WRITTEN_OFF", True)])
            invoices = phone.invoices()
            facts += [f"{one['number']} {yuan(one['amount_fen'])}" for one in invoices if one["state"] == "ISSUED"]
        with self.step("打开票据 the PDF, by a link") as facts:
            facts += self._open_invoice(receipt["invoices"][0], "e-bill.pdf")

    def refund(self) -> None:
        """One bill given back on line, one item of another at the desk."""
        phone, control = self.phone, self.control
        part, whole, *_ = phone.charge_order(self.order_id)["charges"]
        with self.step("微信退费 a bill back, on line") as facts:
            may = phone.call("GET", f"billing/charges/{whole['id']}/refundability")
            expect("refundable", may, {"refundable": True, "reasons": []})
            facts += [whole["kind_text"], yuan(whole["amount_fen"]), phone.refund_charge(whole["id"])["state_text"]]
            control.settle()
        with self.step("窗口退费 an item back, at the desk") as facts:
            trade_no = next(one["trade_no"] for one in control("GET", "/his/charges")
                            if one["bill_no"] == part["bill_no"])
            begun = control("POST", f"/his/charges/{trade_no}/desk-refund", item_nos=[1])
            control.settle()
            facts += [begun["refund_no"], f"{part['items'][0]['name']} {yuan(begun['amount_fen'])}",
                      f"of {yuan(part['amount_fen'])}"]
        with self.step("退款到账 both arrived") as facts:
            for seconds in (SENDING, APART, SENDING):
                self._pass(seconds)
            self.until("refunds", lambda: [one["state"] for one in self._receipt()["refunds"]], ["SUCCEEDED"] * 2)
            refunds = self._receipt()["refunds"]
            facts += [f"{one['reason']} {yuan(one['amount_fen'])} {clock(one['succeeded_at'])}" for one in refunds]
            told = self.told("退费通知", 2)
            facts += told[-1]["lines"][-1:]
        with self.step("冲红重开 e-bills follow") as facts:
            left_fen = part["amount_fen"] - begun["amount_fen"]
            self.until("the e-bills", self._red_and_last, (2, "ISSUED", left_fen, True))
            *issued, last = self._receipt()["invoices"]
            red = [one for one in issued if one["state"] == "WRITTEN_OFF"]
            facts += [*(f"{one['number']} {yuan(one['amount_fen'])} written off by {one['red_number']}" for one in red),
                      f"the rest {yuan(left_fen)}:", *self._open_invoice(last, "e-bill-rest.pdf")]

    # -- behind the scenes ----------------------------------------------------------------------------
    def compare_books(self) -> None:
        """Our books, the HIS's, WeChat Pay's and the e-bill platform's."""
        with self.step("对账 the books agree") as facts:
            report = books.compare(self.control, self.mysql, self.database)
            expect("differences", report.differences, [])
            expect("pending", report.pending, [])
            facts += [f"captured {yuan(report.captured_fen)}", f"settled {yuan(report.settled_fen)}",
                      f"refunded {yuan(report.refunded_fen)}"]

    def close_day(self) -> None:
        """The next morning: the day's statement draws itself up."""
        control = self.control
        today = moment(control("GET", "/clock")["now"]).date()
        with self.step("日终对账单 the day's statement") as facts:
            # At 10:20 the timer finds WeChat Pay's bills, which are there from 10 o'clock on.
            control("PUT", "/clock", now=f"{today + timedelta(days=1)}T10:20:01+08:00")
            control.settle(60)
            statement = control.operate("statement.show", day=str(today))
            expect("the statement", statement["state"], "DONE")
            expect("open lines", statement["open_lines"], 0)
            expect("states", {one["state"] for one in statement["sums"]}, {"AGREED"})
            facts += [str(today), "all agreed:", *_by_source(statement["sums"])]
        with self.step("对账单文件 its sheet, in COS") as facts:
            facts += [statement["file"], self._sheet(today, statement["file"])]

    # -- inside ---------------------------------------------------------------------------------------
    def _known_at_the_hospital(self, someone: dict[str, Any]) -> None:
        """Somebody was there before, and left a phone number of their own."""
        number = someone["id_number"]
        self.control("POST", "/his/patients", **someone, phone="13900006666", sex="MALE" if int(number[16]) % 2 else
                     "FEMALE", birth_date=f"{number[6:10]}-{number[10:12]}-{number[12:14]}")

    def _open_sessions(self, day: str) -> Iterator[dict[str, Any]]:
        for session in self.phone.call("GET", "booking/sessions", params={"day": day})["sessions"]:
            if session["free"] and session["fee_fen"] and session["state"] == "OPEN":
                yield session

    def _found_by_initials(self) -> tuple[str, dict[str, Any]]:
        """A session with free places on a coming day, and the initials that found its doctor."""
        for day in self.phone.call("GET", "booking/days")["days"][1:]:
            for session in self._open_sessions(day["day"]):
                initials = min(spellings(session["doctor_name"]), key=lambda text: (len(text), text))
                found = self.phone.call("GET", "booking/doctors", params={"q": initials})["doctors"]
                expect("found by initials", session["doctor_id"] in [one["id"] for one in found], True)
                return initials, session
        raise StepFailed("no session has a free place")

    def _confirmed(self, booking_id: str) -> dict[str, Any]:
        self.until("the registration", lambda: self.phone.booking(booking_id)["state"], "CONFIRMED")
        return self.phone.booking(booking_id)

    def _settled(self, order_id: str) -> list[str]:
        self.until("the order", lambda: self.phone.charge_order(order_id)["state"], "DONE")
        order = self.phone.charge_order(order_id)
        expect("the bills", {one["state"] for one in order["charges"]}, {"SETTLED"})
        return [f"{one['settlement_no']} {one['pharmacy_window']}".strip() for one in order["charges"]]

    def _receipt(self) -> dict[str, Any]:
        """Of the bills that were paid together."""
        payment = next(one for one in self.phone.payments() if one["subject_id"] == self.order_id)
        return self.phone.receipt(payment["id"])

    def _red_and_last(self) -> tuple[int, str, int, bool]:
        invoices = self._receipt()["invoices"]
        last = invoices[-1]
        return (sum(one["state"] == "WRITTEN_OFF" for one in invoices), last["state"], last["amount_fen"],
                last["has_file"])

    def _open_invoice(self, invoice: dict[str, Any], name: str) -> list[str]:
        content = self.phone.invoice_file(invoice["id"])
        expect("the e-bill's file", content[:5], b"%PDF-")
        return [f"票据代码 {invoice['batch_code']} 号码 {invoice['number']} 校验码 {invoice['check_code']}",
                self._keep(name, content)]

    def _sheet(self, day: date, key: str) -> str:
        bucket = self.control("GET", "/scf/env/reconcile")["COS_BUCKET"]
        answer = requests.get(f"{self.control.addresses['control']}/cos/objects/{key}", params={"bucket": bucket},
                              timeout=60)
        expect("the sheet", (answer.status_code, answer.content[:2]), (200, b"PK"))
        return self._keep(f"statement-{day}.xlsx", answer.content)

    def _keep(self, name: str, content: bytes) -> str:
        file = self.folder / name
        file.write_bytes(content)
        return f"{file.parent.parent.name}/{file.parent.name}/{name}, {len(content):,} bytes"

    def told(self, name: str, count: int) -> list[dict[str, Any]]:
        """The messages of a title, of which there must be so many."""
        self.until(f"messages {name}", lambda: len(self.phone.inbox(name)), count)
        return self.phone.inbox(name)

    def until(self, what: str, look: Callable[[], Any], wanted: Any) -> None:
        """What should have happened has, after as much time as a busy machine needs."""
        for seconds in PATIENCE:
            if seconds:
                self.control.advance(seconds)
            self.control.settle(60)
            if look() == wanted:
                return
        expect(what, look(), wanted)

    def _pass(self, seconds: float) -> None:
        self.control.advance(seconds)
        self.control.work()


def _refusal(act: Callable[[], Any]) -> str:
    """The code of what must be refused."""
    try:
        answer = act()
    except Refused as refusal:
        return f"{refusal.status} {refusal.code}"
    raise StepFailed(f"answered, and must not be: {answer!r}")


def _by_source(sums: list[dict[str, Any]]) -> list[str]:
    """Lines and net amount of each source; what it lists and is not ours to compare is left out."""
    lines, fen = defaultdict[str, int](int), defaultdict[str, int](int)
    for one in sums:
        if one["movement"] != "OTHER":
            lines[one["source"]] += one["lines"]
            fen[one["source"]] += one["theirs_fen"]
    return [f"{source} {count} {yuan(fen[source])}" for source, count in lines.items()]
