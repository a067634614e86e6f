"""The whole visit with the mini-program's functions deployed as event functions, in both forms of event."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sandbox.people import person
from sandbox.phone import Control, Phone, Refused
from scripts import books
from tests.events.conftest import HTTP
from tests.opened import account_of, code_of

FORMS = ["url", "gateway"]
JOBS = {"worker": "every-minute", "refund": "every-minute", "pictures": "every-minute",
        "schedule_sync": "every-five-minutes", "reconcile": "daily", "housekeeping": "every-night",
        "no_show": "after-sessions"}


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest, control: Control) -> Iterator[str]:
    """Requests reach the functions in this form."""
    for function in HTTP:
        control("PUT", f"/scf/event-form/{function}", form=request.param)
    yield request.param
    for function in HTTP:
        control("PUT", f"/scf/event-form/{function}", form="url")


def log(control: Control, function: str) -> str:
    """All that a function, and the platform about it, has written."""
    return "\n".join(control("GET", f"/scf/logs/{function}?tail=100000")["lines"])


def refused(phone: Phone, method: str, path: str, **options: Any) -> Refused:
    """The refusal of a request that must be refused."""
    with pytest.raises(Refused) as caught:
        phone.call(method, path, **options)
    return caught.value


def test_a_visit_is_booked_paid_confirmed_cancelled_and_refunded(
        form: str, control: Control, new_session: Callable[..., dict[str, Any]], mysql: str,
        database_name: str, sql: Callable[..., list[tuple[Any, ...]]]) -> None:
    session = new_session(slots=2, fee_fen=2500)
    phone = Phone(control).sign_in()
    phone.allow_messages("patients")
    phone.allow_messages("booking")
    patient = phone.add_patient(person(), relation="SELF")
    held = phone.book(patient["id"], session, key="one-intention-of-a-patient" + form)
    assert phone.book(patient["id"], session, key="one-intention-of-a-patient" + form) == held
    phone.thumb(phone.open_payment(held["id"]))
    control.work()
    notices = [line for line in control("GET", "/journal?system=scf") if "notices/payment" in line["path"]]
    assert notices
    assert notices[-1]["status"] == 204
    assert phone.booking(held["id"])["state"] == "CONFIRMED"
    assert [len(phone.inbox(title)) for title in ("绑定通知", "挂号成功通知")] == [1, 1]
    phone.call("POST", f"booking/bookings/{held['id']}/cancellation")
    control.work()
    control.advance(60)
    control.work()
    shown = phone.booking(held["id"])
    assert (shown["state"], [one["state"] for one in shown["refunds"]]) == ("CANCELLED", ["SUCCEEDED"])
    assert len(phone.inbox("取消预约通知")) == 1
    account = account_of(control, sql, phone.openid)
    report = books.compare(control, mysql, database_name, account)
    assert (report.differences, report.pending, report.captured_fen) == ([], [], 2500)


def test_a_bill_is_pushed_paid_settled_and_its_e_bill_opened(
        form: str, control: Control, new_session: Callable[..., dict[str, Any]], phone: Phone, patient: dict[str, Any],
        sql: Callable[..., list[tuple[Any, ...]]]) -> None:
    held = phone.book(patient["id"], new_session(date="2026-11-23"))
    phone.thumb(phone.open_payment(held["id"]))
    control.work()
    assert phone.check_in(held["id"])["booking"]["state"] == "CHECKED_IN"
    [(trade,)] = sql("SELECT trade_no FROM bookings WHERE id = %s", (held["id"],))
    bill = control("POST", "/his/bills", trade_no=trade, kind="PRESCRIPTION")
    control.work()
    assert len(phone.inbox("待缴费提醒")) == 1, "a push is verified over the very bytes that were sent"
    scanned = phone.scan(control("POST", f"/his/bills/{bill['bill_no']}/qr")["token"])
    order = phone.pay_bills(scanned["patient_id"], [scanned["bill"]])
    control.work()
    assert [one["state"] for one in phone.charge_order(order)["charges"]] == ["SETTLED"]
    receipt = phone.receipt(phone.payments()[0]["id"])
    assert phone.invoice_file(receipt["invoices"][0]["id"]).startswith(b"%PDF")


def test_an_event_that_cannot_be_read_is_refused_and_kept(
        form: str, control: Control, sql: Callable[..., list[tuple[Any, ...]]]) -> None:
    text = json.dumps({"event_id": f"{form}-1", "type": "费用", "occurred_at": "2026-11-23", "patient_code": ""})
    fields = "occurred_at, type"
    for before in control.tasks(subject_id=fields):  # of the other form
        control.operate("task.close", task_id=before["id"], note="before the test")
    assert [control("POST", "/his/events/send", text=text)["status"] for _ in range(2)] == [422, 422]
    [task] = control.tasks(kind="event.unreadable", subject_id=fields)
    assert (task["detail"], task["times"]) == (f"unreadable: {fields}", 2)
    assert sql("SELECT fields FROM refused_events WHERE body_hash = %s", (hashlib.sha256(text.encode()).digest(),)
               ) == [(fields,)]


def test_a_bill_with_decimals_is_shown_and_one_that_cannot_be_read_left_out(
        form: str, control: Control, phone: Phone, patient: dict[str, Any], sql: Callable[..., list[tuple[Any, ...]]]
        ) -> None:
    code = code_of(control, sql, patient["id"])
    for _ in range(2):
        control("POST", "/his/bills", patient_code=code, kind="TREATMENT", items=[
            {"name": "膏方", "unit_price_fen": 6}])
    control.fault("his", "list_bills", "override", set={
        "bills.0.items.0.quantity": 0.5, "bills.0.kind": "MATERIAL", "bills.1.total_fen": None})
    shown = phone.call("GET", "billing/bills", params={"patient_id": patient["id"]})
    assert ([one["kind_text"] for one in shown["bills"]], shown["left_out"]) == (["其他"], 1)


def test_a_wrong_method_is_told_which_ones_the_address_takes(form: str, control: Control) -> None:
    answer = Phone(control).raw("PATCH", "account/me")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD")


def test_requests_are_signed_by_token_and_secret_whatever_the_case_of_their_headers(
        form: str, control: Control) -> None:
    phone = Phone(control).sign_in()
    assert phone.call("GET", "account/me") == {"phone": None, "patients": 0}
    token, phone.token = phone.token, ""
    for bearer, secret in (("AUTHORIZATION", "X-CLIENT-SECRET"), ("authorization", "x-client-secret")):
        headers = {bearer: f"{'bearer' if bearer.islower() else 'Bearer'} {token}", secret: phone.secret}
        assert phone.call("GET", "account/me", headers=headers)["patients"] == 0
    assert refused(phone, "GET", "account/me", headers={"Authorization": f"Bearer {token}"}).status == 401


def test_a_token_read_in_the_log_opens_nothing_without_the_client_s_secret(form: str, control: Control) -> None:
    phone = Phone(control).sign_in()
    written = log(control, "account")
    assert phone.token in written, "the platform logs what an event function returns"
    assert phone.secret not in written
    for secret in ("", "guess", phone.token):
        headers = {"Authorization": f"Bearer {phone.token}", "X-Client-Secret": secret}
        assert Phone(control).raw("GET", "account/me", headers=headers).status_code == 401
    assert phone.call("GET", "account/me")["patients"] == 0


def test_search_in_chinese_and_special_characters_pass_through_the_query(
        form: str, control: Control, session: dict[str, Any]) -> None:
    anybody = Phone(control)
    name = session["doctor_name"]
    found = anybody.call("GET", "booking/doctors", params={"q": name})["doctors"]
    assert session["doctor_id"] in [one["id"] for one in found]
    assert anybody.call("GET", "booking/doctors", params={"q": "a&q=b+c 100%"}) == {"doctors": []}


def test_wrong_requests_are_answered_with_a_code_and_never_by_the_platform(
        form: str, control: Control, phone: Phone) -> None:
    def code(method: str, path: str, **options: Any) -> tuple[int, Any]:
        error = refused(phone, method, path, **options)
        return error.status, error.code

    assert code("GET", "booking/no-such-thing") == (404, "no_such_address")
    assert code("PATCH", "account/me") == (405, "method_not_allowed")
    assert code("POST", "account/phone", data="{") == (400, "malformed_json")
    assert code("POST", "account/phone", data=b"\x00\xff") == (400, "malformed_json")
    assert code("POST", "account/phone", body={"code": "x" * 70_000}) == (413, "too_large")
    assert code("GET", "booking/sessions", params={"day": "soon"}) == (422, "invalid")
    forged = phone.raw("POST", "pay_callback/notices/payment", {"id": "forged"})
    assert (forged.status_code, forged.json()["error"]["code"]) == (403, "signature_invalid")
    forged = phone.raw("POST", "his_events/events", {"event_id": "forged"})
    assert (forged.status_code, forged.json()["error"]["code"]) == (401, "signature_invalid")


@pytest.mark.parametrize("text", ["张三", "é", "😀", "a'b\\", "%00", "x" * 3000])
def test_an_id_that_is_none_is_not_found(text: str, form: str, control: Control, phone: Phone) -> None:
    for path in ("booking/bookings/{}", "booking/doctors/{}", "booking/sessions/{}/slots", "account/patients/{}",
                 "billing/orders/{}", "billing/payments/{}", "invoice/invoices/{}"):
        assert refused(phone, "GET", path.format(text)).status == 404, path


@pytest.mark.parametrize("text", ["é", "ｚｈａｎｇ", "😀", "𠮷", "%", "_", "\\"])
def test_any_text_can_be_searched_for(text: str, form: str, control: Control) -> None:
    assert isinstance(Phone(control).call("GET", "booking/doctors", params={"q": text})["doctors"], list)


def test_an_event_function_for_jobs_returns_a_count_and_nothing_else(control: Control) -> None:
    for function, timer in JOBS.items():
        result = control("POST", f"/scf/timers/{function}/{timer}/fire")["result"]
        assert list(result) == ["count"]
        assert type(result["count"]) is int
    control.settle()


def test_logs_and_returned_values_of_jobs_hold_nothing_of_a_person(
        control: Control, session: dict[str, Any], sql: Callable[..., list[tuple[Any, ...]]]) -> None:
    somebody = person()
    phone = Phone(control).sign_in()
    phone.allow_messages("patients")
    phone.allow_messages("booking")
    patient = phone.add_patient(somebody, relation="SELF")
    held = phone.book(patient["id"], session)
    phone.thumb(phone.open_payment(held["id"]))
    control.work()
    phone.call("POST", f"booking/bookings/{held['id']}/cancellation")
    control.work()
    control.operate("tasks.list")
    for function, timer in JOBS.items():
        control("POST", f"/scf/timers/{function}/{timer}/fire")
    returned = [line for function in (*JOBS, "operations") for line in log(control, function).splitlines()
                if "RetMsg" in line]
    assert any(re.search(r'RetMsg: \{"count": [1-9]', line) for line in returned), "the jobs had something to do"
    secret_things = [somebody["name"], somebody["id_number"], phone.number, phone.openid, phone.token, phone.secret,
                     somebody["id_number"][6:14]]
    for function in (*JOBS, "operations", "pay_callback"):
        written = log(control, function)
        assert written, function
        assert [thing for thing in secret_things if thing in written] == [], function
    # What the account and booking functions print themselves; their returned values are the patient's own.
    for function in ("account", "booking"):
        printed = "\n".join(line for line in log(control, function).splitlines() if "RetMsg" not in line)
        assert [thing for thing in secret_things if thing in printed] == [], function


@pytest.mark.parametrize("command", [
    {"action": "task.close", "task_id": "张三", "note": "done by hand"},
    {"action": "schedules.sync", "schedule": "张三"},
    {"action": "settings.change", "changes": {"张三": None}},
    {"action": "settings.change", "changes": {"hold_minutes": "soon"}},
    {"action": "departments.arrange",
     "groups": [{"name": "内科", "departments": [{"name": "心内", "his_codes": ["张三"]}]}]},
], ids=lambda command: command["action"])
def test_an_operator_s_mistake_is_answered_and_not_raised(command: dict[str, Any], control: Control) -> None:
    with pytest.raises(Refused):
        control.operate(**command)
