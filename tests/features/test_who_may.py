"""One rule for every route, job and message: who may do what for a patient; all routes are walked for it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import pytest
from api_routes import PRIVATE, Door

from sandbox.people import person
from sandbox.phone import Control, Phone, Refused
from scripts import local_db
from tests.features.conftest import refused
from tests.features.names import unheard_name
from tests.features.of_reports import use_reports
from tests.opened import account_of, code_of, key_of

Ask = Callable[..., list[tuple[Any, ...]]]

# What each route is to whoever has the patient bound. A new route must be put here, or the first test fails.
ACCOUNT = "account"  # nothing of a patient
BINDING = "binding"  # the binding itself: bound is enough
REGISTER = "register"  # bound and consented
RECORD = "record"  # and proven
MONEY = "money"  # open to who made it, with nothing of the patient for who may not read
ROUTES = {
    "GET account/sessions": ACCOUNT, "DELETE account/sessions/<session_id>": ACCOUNT,
    "DELETE account/sessions/others": ACCOUNT, "DELETE account/sessions/current": ACCOUNT,
    "GET account/me": ACCOUNT, "POST account/phone": ACCOUNT,
    "GET messages/templates": ACCOUNT, "GET messages/subscriptions": ACCOUNT, "POST messages/subscriptions": ACCOUNT,
    "GET messages/unread": ACCOUNT, "GET messages/inbox": MONEY, "POST messages/inbox/<message_id>/read": ACCOUNT,
    "POST messages/inbox/read-all": ACCOUNT,
    "GET account/patients": ACCOUNT, "POST account/patients": ACCOUNT,
    "GET account/consents": ACCOUNT, "GET account/consents/copy": ACCOUNT,
    "GET account/patients/<patient_id>": BINDING, "PUT account/patients/<patient_id>/default": BINDING,
    "DELETE account/patients/<patient_id>": BINDING, "POST account/consents": BINDING,
    "POST account/consents/withdrawal": BINDING,
    "POST account/patients/<patient_id>/proof-codes": REGISTER, "POST account/patients/<patient_id>/proof": REGISTER,
    "POST account/patients/<patient_id>/reveal": RECORD, "GET account/patients/<patient_id>/holders": RECORD,
    "DELETE account/patients/<patient_id>/holders/<binding_id>": RECORD,
    "GET guide/journey": MONEY, "GET guide/steps": ACCOUNT, "PUT guide/steps/<kind>": ACCOUNT,
    "GET guide/journey/<booking_id>": REGISTER, "GET guide/bookings/<booking_id>": REGISTER, "GET guide/way": RECORD,
    "GET queue/bookings/<booking_id>": REGISTER,
    "GET booking/doctors/seen": MONEY, "GET booking/home": MONEY, "GET booking/bookings": MONEY,
    "GET booking/bookings/<booking_id>": MONEY,
    "POST booking/bookings/<booking_id>/cancellation": MONEY, "POST booking/bookings": REGISTER,
    "POST booking/tickets": ACCOUNT, "GET booking/bookings/<booking_id>/alternatives": REGISTER,
    "POST booking/bookings/<booking_id>/move": REGISTER,
    "POST booking/waitlist": REGISTER, "GET booking/waitlist": MONEY,
    "DELETE booking/waitlist/<entry_id>": MONEY, "GET booking/standing": REGISTER,
    "POST booking/bookings/<booking_id>/payment": REGISTER, "GET checkin/bookings": MONEY,
    "POST checkin/bookings/<booking_id>/checkin": REGISTER,
    "GET billing/bills": RECORD, "GET billing/bills/<bill_no>": RECORD, "POST billing/scans": RECORD,
    "POST billing/orders": RECORD, "POST billing/orders/<order_id>/payment": REGISTER,
    "POST billing/orders/<order_id>/cancellation": MONEY, "GET billing/orders/<order_id>": MONEY,
    "GET billing/charges/<charge_id>/refundability": MONEY, "POST billing/charges/<charge_id>/refund": MONEY,
    "GET billing/payments": MONEY, "GET billing/payments/<payment_id>": RECORD,
    "GET feedback/visits/<booking_id>/survey": REGISTER, "POST feedback/visits/<booking_id>/survey": REGISTER,
    "GET feedback/complaints": MONEY, "POST feedback/complaints": ACCOUNT,
    "GET feedback/complaints/<complaint_id>": MONEY, "POST feedback/complaints/<complaint_id>/withdrawal": MONEY,
    "POST feedback/complaints/<complaint_id>/rating": MONEY,
    "POST feedback/complaints/<complaint_id>/reopening": MONEY,
    "POST feedback/pictures": ACCOUNT, "GET feedback/pictures/<picture_id>": ACCOUNT,
    "POST feedback/pictures/<picture_id>/uploaded": ACCOUNT, "DELETE feedback/pictures/<picture_id>": ACCOUNT,
    "GET invoice/invoices": MONEY, "GET invoice/invoices/<invoice_id>": RECORD,
    "POST invoice/invoices/<invoice_id>/link": RECORD,
    "GET reports/reports": RECORD, "GET reports/reports/<report_id>": RECORD,
    "POST reports/reports/<report_id>/reveal": RECORD, "GET reports/reports/<report_id>/trend": RECORD,
    "POST reports/reports/<report_id>/files/<number>/link": RECORD}
SITUATIONS = ("limited", "withdrawn", "unbound", "ended")
GONE = {"patient_not_found", "code_of_another", "report_not_found"}
# How a route of each kind is refused; nothing stands for: it answers.
REFUSALS: dict[str, dict[str, tuple[int, set[str]] | None]] = {
    "limited": {RECORD: (403, {"proof_required"}), REGISTER: None, BINDING: None},
    "withdrawn": {RECORD: (403, {"consent_required"}), REGISTER: (403, {"consent_required"}), BINDING: None},
    "unbound": dict.fromkeys((RECORD, REGISTER, BINDING), (404, GONE)),
    "ended": dict.fromkeys((RECORD, REGISTER, BINDING), (404, GONE))}


class Case:
    """An account that had a patient proven, registered, paid and ordered; and then what came over it."""

    def __init__(self, control: Control, ask: Ask, situation: str) -> None:
        self.control, self.ask, self.situation = control, ask, situation
        self.phone, self.someone = Phone(control).sign_in(), person()
        self.phone.allow_every_message()
        self.patient = self.phone.add_patient(self.someone)
        self.session = self._session("2026-11-26")
        booked = self._booked(self._session("2026-11-25"))
        self.code = code_of(control, ask, self.patient["id"])
        bills = [control("POST", "/his/bills", patient_code=self.code, kind=kind)
                 for kind in ("PRESCRIPTION", "TREATMENT", "LABORATORY")]
        control.settle()
        shown = {one["bill_no"]: one for one in self.phone.bills(self.patient["id"])}
        order = self.phone.pay_bills(self.patient["id"], [shown[bills[0]["bill_no"]]])
        control.settle()
        control.advance(60)
        control.work()
        self.paper = control("POST", f"/his/bills/{bills[2]['bill_no']}/qr")["token"]
        receipt = self.phone.receipt(next(one["id"] for one in self.phone.payments() if one["subject_id"] == order))
        self.ids = {
            "patient_id": self.patient["id"], "booking_id": booked, "order_id": order, "bill_no": bills[2]["bill_no"],
            "charge_id": self.phone.charge_order(order)["charges"][0]["id"], "payment_id": receipt["id"],
            "invoice_id": receipt["invoices"][0]["id"], "binding_id": "0" * 26, "kind": "queue_near",
            "entry_id": self._waiting(),
            "message_id": self.phone.call("GET", "messages/inbox")["messages"][0]["id"],
            "complaint_id": self.phone.complain("等候时间太长了。", about="VISIT", about_id=booked)["id"],
            "picture_id": self.phone.call("POST", "feedback/pictures", {"content_type": "image/png"})["id"]}
        self.ids |= use_reports(control, self.phone, self.patient, self.code)
        self.held = self.phone.book(self.patient["id"], self._session("2026-11-27"))["id"]
        self.open = self.phone.order(self.patient["id"], [shown[bills[1]["bill_no"]]])["id"]
        [file] = control("GET", f"/his/patients?id_number={self.someone['id_number']}")["patients"]
        items = [item["name"] for bill in bills for item in bill["items"]]
        self.facts = {self.someone["name"], self.someone["id_number"], file["card_number"], self.patient["name"],
                      receipt["invoices"][0]["number"], self.session["doctor_name"], *items}
        self.come_over()

    def _session(self, day: str) -> dict[str, Any]:
        """A new doctor's session, as the mini-program shows it."""
        made = self.control("POST", "/his/schedules", date=day, period="MORNING", kind="EXPERT", fee_fen=2500, slots=4,
                            doctor="new", doctor_name=unheard_name(), department_code="1101")
        self.control.operate("schedules.sync", schedule=made["code"])
        doctor_id, schedule_id = self.ask("SELECT doctor_id, id FROM schedules WHERE his_code = %s", (made["code"],))[0]
        shown = Phone(self.control).call("GET", "booking/sessions", params={"doctor_id": doctor_id, "day": day})
        return dict(next(one for one in shown["sessions"] if one["id"] == schedule_id))

    def _waiting(self) -> str:
        """An entry in the waiting list of a session that is full."""
        full = self._session("2026-11-26")
        code = self.ask("SELECT his_code FROM schedules WHERE id = %s", (full["id"],))[0][0]
        for (slot,) in self.ask("SELECT his_code FROM slots WHERE schedule_id = %s", (full["id"],)):
            self.control("POST", f"/his/slots/{slot}/take")
        self.control.operate("schedules.sync", schedule=code)
        wish = {"patient_id": self.patient["id"], "schedule_id": full["id"]}
        return str(self.phone.call("POST", "booking/waitlist", wish)["id"])

    def _booked(self, session: dict[str, Any]) -> str:
        booking = self.phone.book(self.patient["id"], session)["id"]
        self.phone.thumb(self.phone.open_payment(booking))
        self.control.settle()
        self.doctor = session["doctor_name"]
        return str(booking)

    def come_over(self) -> None:
        """What happens to the binding."""
        patient_id = self.patient["id"]
        if self.situation == "limited":
            self.ask("UPDATE bindings SET level = 'LIMITED', proof = NULL WHERE patient_id = %s", (patient_id,))
        elif self.situation == "withdrawn":
            self.phone.call("POST", "account/consents/withdrawal",
                            {"patient_id": patient_id, "purpose": "HEALTH_DATA"})
        elif self.situation == "unbound":
            self.phone.call("DELETE", f"account/patients/{patient_id}")
        else:
            [(binding,)] = self.ask("SELECT id FROM bindings WHERE patient_id = %s", (patient_id,))
            self.control.operate("binding.vouch", binding_id=binding, note="seen: what it took is its own")
            self.control.operate("binding.end", binding_id=binding, note="by staff")
        self.control.settle()

    def call(self, door: Door) -> tuple[int, Any]:
        """The route, asked for what is (or was) the account's."""
        query: dict[str, Any] | None = {"scene": "booking"} if "templates" in str(door) else None
        of_patient = ("GET billing/bills", "GET booking/standing", "GET guide/way")
        if str(door).startswith(of_patient) or str(door) == "GET reports/reports":
            query = {"patient_id": self.patient["id"]}
        if str(door).endswith("/trend"):
            query = {"sequence": 1}
        ids = {**self.ids, **({"booking_id": self.held} if str(door).endswith("<booking_id>/payment") else {}),
               **({"order_id": self.open} if str(door).endswith("<order_id>/payment") else {})}
        answer = self.phone.raw(door.route.method, door.path(**ids), self._body(door), key=secrets.token_hex(16),
                                params=query)
        return answer.status_code, answer.json() if answer.content else None

    def _body(self, door: Door) -> Any:
        patient_id = self.patient["id"]
        consent = {"patient_id": patient_id, "purpose": "HEALTH_DATA"}
        return {
            "POST account/phone": lambda: {"code": self.phone.phone_code()},
            "POST account/patients": lambda: {**person(), "phone": self.phone.number, "relation": "OTHER",
                                              "consents": [{"purpose": "HEALTH_DATA", "version": 2}]},
            "POST account/consents": lambda: {**consent, "version": 2},
            "POST account/consents/withdrawal": lambda: consent,
            "POST account/patients/<patient_id>/proof": lambda: {"sms_code": "000000"},
            "POST account/patients/<patient_id>/reveal": lambda: {"code": self.phone.phone_code()},
            "POST reports/reports/<report_id>/reveal": lambda: {"code": self.phone.phone_code()},
            "POST booking/bookings": lambda: {"patient_id": patient_id, "schedule_id": self.session["id"],
                                              "fee_fen": self.session["fee_fen"]},
            "POST booking/bookings/<booking_id>/move": lambda: {"schedule_id": self.session["id"],
                                                                "fee_fen": self.session["fee_fen"]},
            "POST booking/tickets": lambda: {"schedule_id": self.session["id"]},
            "POST messages/subscriptions": lambda: {"answers": [{"template_id": "none", "answer": "accept"}]},
            "POST messages/inbox/read-all": lambda: {"newest": self.ids["message_id"]},
            "POST feedback/visits/<booking_id>/survey": lambda: {"version": 1, "answers": {"overall": 5, "doctor": 5}},
            "POST feedback/complaints": lambda: {"kind": "SUGGESTION", "text": "多开一个窗口吧。"},
            "POST feedback/complaints/<complaint_id>/rating": lambda: {"stars": 5},
            "POST feedback/complaints/<complaint_id>/reopening": lambda: {"text": "还是没有解决。"},
            "POST feedback/pictures": lambda: {"content_type": "image/png"},
            "POST booking/waitlist": lambda: {"patient_id": patient_id, "schedule_id": self.session["id"]},
            "PUT guide/steps/<kind>": lambda: {"wanted": True},
            "POST billing/scans": lambda: {"code": self.paper},
            "POST billing/orders": lambda: {"patient_id": patient_id, "bills": [
                {"bill_no": self.ids["bill_no"], "version": 1, "total_fen": 100}]},
        }.get(str(door), lambda: None)()


@pytest.fixture(scope="module")
def ask(world: Control, mysql: str, database_name: str) -> Any:
    """``sql`` for a whole module."""
    host, _, port = mysql.partition(":")
    with local_db.connect(host, int(port), database_name) as connection:
        def run(statement: str, args: Any = ()) -> list[tuple[Any, ...]]:
            with connection.cursor() as cursor:
                cursor.execute(statement, args)
                return list(cursor.fetchall())

        yield run


def test_every_route_says_what_it_is() -> None:
    assert {str(door) for door in PRIVATE} == set(ROUTES)


# The routes that end something come last, so that one account is enough for a situation.
_LAST = ("POST account/consents", "POST account/consents/withdrawal", "DELETE account/patients/<patient_id>",
         "DELETE account/sessions/current")
IN_ORDER = sorted(PRIVATE, key=lambda door: (_LAST.index(str(door)) + 1 if str(door) in _LAST else 0, str(door)))


@pytest.mark.parametrize("situation", SITUATIONS)
def test_all_routes_keep_the_rule_and_tell_nothing_of_the_patient(world: Control, ask: Ask, situation: str) -> None:
    case = Case(world, ask, situation)
    wrong: list[str] = []
    for door in IN_ORDER:
        if str(door) in _LAST and situation == "withdrawn" and "consents" in str(door):
            continue  # giving it again is what test_consents has
        status, content = case.call(door)
        kind = ROUTES[str(door)]
        expected = REFUSALS[situation].get(kind)
        code = content["error"]["code"] if status >= 400 else None
        if expected is not None and (status != expected[0] or code not in expected[1]):
            wrong.append(f"{door}: {status} {code}, not {expected}")
        if expected is None and code in ("proof_required", "consent_required", *GONE):
            wrong.append(f"{door}: {status} {code}")
        own = {case.patient["name"], case.session["doctor_name"]} if kind in (ACCOUNT, BINDING, REGISTER) or (
            situation == "limited") else set()  # the account's own list, and a limited one's own registrations
        wrong += [f"{door} tells {fact}" for fact in sorted(case.facts - own) if fact in str(content)]
        if kind == MONEY and situation != "limited" and case.doctor in str(content):
            wrong.append(f"{door} tells the doctor")
    assert wrong == []


# -- jobs and messages ------------------------------------------------------------------------------
@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_new_bill_is_neither_read_nor_kept_nor_told(world: Control, ask: Ask, situation: str) -> None:
    case = Case(world, ask, situation)
    kept = "SELECT bill_no FROM known_bills WHERE patient_code IN (%s, %s)"
    codes = (case.code, key_of(world, case.code))
    before, told = ask(kept, codes), len(case.phone.inbox("待缴费提醒"))
    assert told == 3
    asked = world("GET", "/journal?system=his&operation=get_bill")[-1:]  # the journal's own length has an end
    made = world("POST", "/his/bills", patient_code=case.code, kind="EXAMINATION")
    world.settle()
    world.work()
    assert len(case.phone.inbox("待缴费提醒")) == told
    assert (made["bill_no"],) not in ask(kept, codes)
    assert world("GET", "/journal?system=his&operation=get_bill")[-1:] == asked
    if situation != "limited":  # there what is kept is nobody's to see, and goes by itself after some days
        assert ask(kept, codes) == []
    else:
        assert ask(kept, codes) == before


def test_a_bill_that_is_being_read_while_consent_is_withdrawn_is_neither_kept_nor_told(
        control: Control, guest: Phone, ill: dict[str, Any], sql: Ask) -> None:
    guest.allow_every_message()
    control.fault("his", "get_bill", "delay", seconds=3)
    made = control("POST", "/his/bills", patient_code=code_of(control, sql, ill["id"]), kind="EXAMINATION")
    assert any(control("GET", "/faults")["faults"][0]["hits"] for _ in range(2000))  # the HIS is being asked
    guest.call("POST", "account/consents/withdrawal", {"patient_id": ill["id"], "purpose": "HEALTH_DATA"})
    control.settle()
    control.work()
    assert sql("SELECT bill_no FROM known_bills WHERE bill_no = %s", (made["bill_no"],)) == []
    assert guest.inbox("待缴费提醒") == []


@pytest.mark.parametrize("situation", ["withdrawn", "unbound", "ended"])
def test_what_is_not_paid_is_let_go_and_what_is_paid_ends_well(world: Control, ask: Ask, situation: str) -> None:
    case = Case(world, ask, situation)
    assert case.phone.booking(case.held)["state"] == "RELEASED"
    assert case.phone.charge_order(case.open)["state"] == "RELEASED"
    assert case.phone.booking(case.ids["booking_id"])["state"] == "CONFIRMED"
    case.phone.call("POST", f"booking/bookings/{case.ids['booking_id']}/cancellation")
    case.phone.refund_charge(case.ids["charge_id"])
    for _ in range(3):
        world.settle()
        world.advance(70)
        world.work()
    shown = case.phone.payments()
    assert [one["refunded_fen"] == one["paid_fen"] > 0 for one in shown if one["paid_fen"]] == [True, True]
    money = case.phone.inbox("退费通知") + case.phone.inbox("取消预约通知")
    assert len(money) >= 2
    for fact in case.facts - {case.session["doctor_name"]} | {case.doctor}:
        assert fact not in str(money)


def test_money_that_arrives_after_the_withdrawal_is_settled_or_refunded(
        control: Control, guest: Phone, ill: dict[str, Any], session: dict[str, Any], books_agree: Any) -> None:
    booking = guest.book(ill["id"], session)["id"]
    payment = guest.open_payment(booking)
    control("POST", "/wechatpay/notices/mode", hold=True)
    guest.thumb(payment)
    guest.call("POST", "account/consents/withdrawal", {"patient_id": ill["id"], "purpose": "HEALTH_DATA"})
    control("POST", "/wechatpay/notices/mode", hold=False)
    for _ in range(3):
        control.settle()
        control.advance(70)
        control.work()
    shown = guest.booking(booking)
    assert shown["withheld"]
    assert shown["state"] in ("CONFIRMED", "RELEASED")
    assert (shown["state"] == "CONFIRMED") != (bool(shown["refunds"]))
    books_agree(booking)


def test_a_message_that_waits_is_not_sent_after_the_withdrawal(
        control: Control, phone: Phone, patient: dict[str, Any], session: dict[str, Any], sql: Ask) -> None:
    control.settle()
    control.fault("wechat", "send_message", "refuse", times=50, code="-1")
    booking = phone.book(patient["id"], session)["id"]
    phone.thumb(phone.open_payment(booking))
    control.settle()
    assert phone.booking(booking)["state"] == "CONFIRMED"
    phone.call("POST", "account/consents/withdrawal", {"patient_id": patient["id"], "purpose": "HEALTH_DATA"})
    control("DELETE", "/faults")
    control.advance(61)
    control.work("worker")
    assert sql("SELECT state FROM messages WHERE account_id = %s AND kind = 'booking_confirmed'",
               (account_of(control, sql, phone.openid),)) == [("WITHHELD",)]
    assert phone.inbox("挂号成功通知") == []


def test_who_has_withdrawn_is_told_of_bindings_without_a_word_of_whose(control: Control, guest: Phone) -> None:
    someone, another = person(), Phone(control).sign_in()
    guest.allow_every_message()
    mine = guest.add_patient(someone)
    control.settle()
    assert [one["lines"][0] for one in guest.inbox("绑定通知")] == [f"就诊人: {someone['name']}"]
    guest.call("POST", "account/consents/withdrawal", {"patient_id": mine["id"], "purpose": "HEALTH_DATA"})
    another.add_patient(someone, proven=False)
    guest.call("DELETE", f"account/patients/{mine['id']}")
    control.settle()
    [_, bound], [ended] = guest.inbox("绑定通知"), guest.inbox("解除绑定通知")
    assert (bound["lines"][0], bound["lines"][-1]) == ("就诊人: 就诊人", "备注: 另一微信账号绑定了该就诊人")
    assert (ended["lines"][0], ended["lines"][-1]) == ("就诊人: 就诊人", "备注: 就诊人已解除绑定")
    assert bound["lines"][1].endswith(": -")
    assert ended["lines"][1].endswith(": -")


def test_an_invoice_link_is_closed_when_consent_is_withdrawn_and_open_again_with_it(world: Control, ask: Ask) -> None:
    case = Case(world, ask, "withdrawn")
    assert refused(lambda: case.phone.invoice_file(case.ids["invoice_id"])) == (403, "consent_required")
    case.phone.call("POST", "account/consents", {"patient_id": case.patient["id"], "purpose": "HEALTH_DATA",
                                                 "version": 2})
    assert case.phone.invoice_file(case.ids["invoice_id"])[:5] == b"%PDF-"


def test_a_person_has_their_own_copy_of_what_they_consented_to(guest: Phone, ill: dict[str, Any]) -> None:
    guest.call("POST", "account/consents/withdrawal", {"patient_id": ill["id"], "purpose": "HEALTH_DATA"})
    [copy] = guest.call("GET", "account/consents/copy")["consents"]
    assert (copy["patient_id"], copy["purpose"], copy["version"]) == (ill["id"], "HEALTH_DATA", 2)
    assert copy["granted_at"] <= copy["withdrawn_at"]
    for recipient in ("HIS", "微信", "财付通", "短信", "电子票据平台"):
        assert recipient in copy["body"]
    with pytest.raises(Refused):
        guest.bills(ill["id"])
