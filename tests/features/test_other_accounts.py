"""One account never sees or touches another's patients, registrations, consents: every route has a case."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import pytest
from api_routes import APIS, DOORS, PRIVATE, Door, named

from sandbox.people import person
from sandbox.phone import Control, Phone
from scripts import local_db
from tests.features.conftest import open_ward
from tests.features.of_reports import use_reports
from tests.opened import account_of, opened
from tests.photos import photo

# What anybody may read or do: nothing of it belongs to an account.
PUBLIC = {
    "POST account/sessions", "GET booking/departments", "GET booking/days", "GET booking/days/<day>/departments",
    "GET booking/next-release",
    "GET booking/sessions", "GET booking/sessions/<schedule_id>/slots", "GET booking/doctors",
    "GET booking/doctors/<doctor_id>", "GET content/hospital", "GET content/texts/<purpose>", "GET content/badge",
    "POST pay_callback/notices/payment", "POST pay_callback/notices/refund",
    "POST his_events/events", "POST report_push/reports"}
NOT_FOUND = {"patient_not_found", "booking_not_found", "order_not_found", "charge_not_found", "payment_not_found",
             "invoice_not_found", "message_not_found", "code_of_another", "session_not_found", "complaint_not_found",
             "picture_not_found", "waitlist_entry_not_found", "report_not_found", "step_not_found"}

Owner = dict[str, Any]
Case = Callable[[Phone, Owner], tuple[int, Any]]


def ask(method: str, path: str, **more: Any) -> Case:
    """The stranger asks for what is the owner's; ``{patient}``, ``{booking}``, … stand for the owner's ids."""
    def run(stranger: Phone, owner: Owner) -> tuple[int, Any]:
        body = more.get("body")
        answer = stranger.raw(method, path.format(**owner["ids"]), body(stranger, owner) if body else None,
                              key=secrets.token_hex(16))
        return answer.status_code, answer.json() if answer.content else None
    return run


def code(_: Phone, owner: Owner) -> dict[str, Any]:
    return {"code": owner["phone"].phone_code()}  # even with a code of the owner's own phone


CASES: dict[str, tuple[Case, int]] = {
    "DELETE account/sessions/current": (ask("DELETE", "account/sessions/current"), 204),
    "GET account/sessions": (ask("GET", "account/sessions"), 200),
    "DELETE account/sessions/others": (ask("DELETE", "account/sessions/others"), 200),
    "DELETE account/sessions/<session_id>": (ask("DELETE", "account/sessions/{session}"), 404),
    "GET account/me": (ask("GET", "account/me"), 200),
    "POST account/phone": (ask("POST", "account/phone", body=lambda me, _: {"code": me.phone_code()}), 200),
    "GET messages/templates": (ask("GET", "messages/templates?scene=booking"), 200),
    "GET messages/subscriptions": (ask("GET", "messages/subscriptions"), 200),
    "POST messages/subscriptions": (ask("POST", "messages/subscriptions", body=lambda _, __: {
        "answers": [{"template_id": "none", "answer": "accept"}]}), 204),
    "GET messages/unread": (ask("GET", "messages/unread"), 200),
    "GET messages/inbox": (ask("GET", "messages/inbox"), 200),
    "POST messages/inbox/<message_id>/read": (ask("POST", "messages/inbox/{message}/read"), 404),
    "POST messages/inbox/read-all": (ask("POST", "messages/inbox/read-all", body=lambda _, owner: {
        "newest": owner["ids"]["message"]}), 204),
    "GET account/patients": (ask("GET", "account/patients"), 200),
    "POST account/patients": (ask("POST", "account/patients", body=lambda me, _: {
        **person(), "phone": me.number, "relation": "SELF",
        "consents": [{"purpose": "HEALTH_DATA", "version": 2}]}), 201),
    "GET account/patients/<patient_id>": (ask("GET", "account/patients/{patient}"), 404),
    "POST account/patients/<patient_id>/reveal": (ask("POST", "account/patients/{patient}/reveal", body=code), 404),
    "POST account/patients/<patient_id>/proof-codes": (ask("POST", "account/patients/{patient}/proof-codes"), 404),
    "POST account/patients/<patient_id>/proof": (ask("POST", "account/patients/{patient}/proof", body=lambda _, owner: {
        "sms_code": "123456"}), 404),
    "GET account/patients/<patient_id>/holders": (ask("GET", "account/patients/{patient}/holders"), 404),
    "DELETE account/patients/<patient_id>/holders/<binding_id>": (
        ask("DELETE", "account/patients/{patient}/holders/{binding}"), 404),
    "GET account/consents/copy": (ask("GET", "account/consents/copy"), 200),
    "PUT account/patients/<patient_id>/default": (ask("PUT", "account/patients/{patient}/default"), 404),
    "DELETE account/patients/<patient_id>": (ask("DELETE", "account/patients/{patient}"), 404),
    "GET account/consents": (ask("GET", "account/consents"), 200),
    "POST account/consents": (ask("POST", "account/consents", body=lambda _, owner: {
        "patient_id": owner["ids"]["patient"], "purpose": "HEALTH_DATA", "version": 2}), 404),
    "POST account/consents/withdrawal": (ask("POST", "account/consents/withdrawal", body=lambda _, owner: {
        "patient_id": owner["ids"]["patient"], "purpose": "HEALTH_DATA"}), 404),
    "GET guide/journey": (ask("GET", "guide/journey"), 200), "GET guide/steps": (ask("GET", "guide/steps"), 200),
    "GET guide/journey/<booking_id>": (ask("GET", "guide/journey/{booking}"), 404),
    "GET guide/bookings/<booking_id>": (ask("GET", "guide/bookings/{booking}"), 404),
    "GET guide/way": (ask("GET", "guide/way?patient_id={patient}"), 404),
    "PUT guide/steps/<kind>": (ask("PUT", "guide/steps/queue_near", body=lambda _, __: {"wanted": True}), 204),
    "GET queue/bookings/<booking_id>": (ask("GET", "queue/bookings/{booking}"), 404),
    "GET booking/home": (ask("GET", "booking/home"), 200),
    "GET booking/doctors/seen": (ask("GET", "booking/doctors/seen"), 200),
    "POST booking/bookings": (ask("POST", "booking/bookings", body=lambda _, owner: {
        "patient_id": owner["ids"]["patient"], "schedule_id": owner["session"]["id"],
        "fee_fen": owner["session"]["fee_fen"]}), 404),
    "POST booking/tickets": (ask("POST", "booking/tickets", body=lambda _, owner: {
        "schedule_id": owner["session"]["id"]}), 200),
    "POST booking/waitlist": (ask("POST", "booking/waitlist", body=lambda _, owner: {
        "patient_id": owner["ids"]["patient"], "schedule_id": owner["session"]["id"]}), 404),
    "GET booking/waitlist": (ask("GET", "booking/waitlist"), 200),
    "DELETE booking/waitlist/<entry_id>": (ask("DELETE", "booking/waitlist/{waiting}"), 404),
    "GET booking/standing": (ask("GET", "booking/standing?patient_id={patient}"), 404),
    "POST booking/bookings/<booking_id>/payment": (ask("POST", "booking/bookings/{held}/payment"), 404),
    "POST booking/bookings/<booking_id>/cancellation": (ask("POST", "booking/bookings/{booking}/cancellation"), 404),
    "GET booking/bookings/<booking_id>/alternatives": (ask("GET", "booking/bookings/{booking}/alternatives"), 404),
    "POST booking/bookings/<booking_id>/move": (ask("POST", "booking/bookings/{booking}/move", body=lambda _, owner: {
        "schedule_id": owner["session"]["id"], "fee_fen": 2500}), 404),
    "GET booking/bookings": (ask("GET", "booking/bookings"), 200),
    "GET booking/bookings/<booking_id>": (ask("GET", "booking/bookings/{booking}"), 404),
    "GET checkin/bookings": (ask("GET", "checkin/bookings"), 200),
    "POST checkin/bookings/<booking_id>/checkin": (ask("POST", "checkin/bookings/{booking}/checkin"), 404),
    "GET billing/bills": (ask("GET", "billing/bills?patient_id={patient}"), 404),
    "GET billing/bills/<bill_no>": (ask("GET", "billing/bills/{bill}?patient_id={patient}"), 404),
    "POST billing/scans": (ask("POST", "billing/scans", body=lambda _, owner: {"code": owner["code"]}), 404),
    "POST billing/orders": (ask("POST", "billing/orders", body=lambda _, owner: {
        "patient_id": owner["ids"]["patient"], "bills": [{"bill_no": owner["ids"]["bill"], "version": 1,
                                                          "total_fen": 100}]}), 404),
    "POST billing/orders/<order_id>/payment": (ask("POST", "billing/orders/{open}/payment"), 404),
    "POST billing/orders/<order_id>/cancellation": (ask("POST", "billing/orders/{open}/cancellation"), 404),
    "GET billing/orders/<order_id>": (ask("GET", "billing/orders/{order}"), 404),
    "GET billing/charges/<charge_id>/refundability": (ask("GET", "billing/charges/{charge}/refundability"), 404),
    "POST billing/charges/<charge_id>/refund": (ask("POST", "billing/charges/{charge}/refund"), 404),
    "GET billing/payments": (ask("GET", "billing/payments"), 200),
    "GET billing/payments/<payment_id>": (ask("GET", "billing/payments/{payment}"), 404),
    "GET feedback/visits/<booking_id>/survey": (ask("GET", "feedback/visits/{booking}/survey"), 404),
    "POST feedback/visits/<booking_id>/survey": (ask("POST", "feedback/visits/{booking}/survey", body=lambda *_: {
        "version": 1, "answers": {"overall": 1, "doctor": 1}}), 404),
    "GET feedback/complaints": (ask("GET", "feedback/complaints"), 200),
    "POST feedback/complaints": (ask("POST", "feedback/complaints", body=lambda *_: {
        "kind": "SUGGESTION", "text": "候诊区多放几把椅子吧。"}), 201),
    "GET feedback/complaints/<complaint_id>": (ask("GET", "feedback/complaints/{complaint}"), 404),
    "POST feedback/complaints/<complaint_id>/withdrawal": (ask("POST", "feedback/complaints/{complaint}/withdrawal"),
                                                           404),
    "POST feedback/complaints/<complaint_id>/rating": (
        ask("POST", "feedback/complaints/{complaint}/rating", body=lambda *_: {"stars": 1}), 404),
    "POST feedback/complaints/<complaint_id>/reopening": (
        ask("POST", "feedback/complaints/{complaint}/reopening", body=lambda *_: {"text": "我也想说两句。"}), 404),
    "POST feedback/pictures": (ask("POST", "feedback/pictures", body=lambda *_: {"content_type": "image/png"}), 201),
    "GET feedback/pictures/<picture_id>": (ask("GET", "feedback/pictures/{picture}"), 404),
    "POST feedback/pictures/<picture_id>/uploaded": (ask("POST", "feedback/pictures/{picture}/uploaded"), 404),
    "DELETE feedback/pictures/<picture_id>": (ask("DELETE", "feedback/pictures/{picture}"), 404),
    "GET invoice/invoices": (ask("GET", "invoice/invoices"), 200),
    "GET invoice/invoices/<invoice_id>": (ask("GET", "invoice/invoices/{invoice}"), 404),
    "POST invoice/invoices/<invoice_id>/link": (ask("POST", "invoice/invoices/{invoice}/link"), 404),
    "GET reports/reports": (ask("GET", "reports/reports?patient_id={patient}"), 404),
    "GET reports/reports/<report_id>": (ask("GET", "reports/reports/{report}"), 404),
    "GET reports/reports/<report_id>/trend": (ask("GET", "reports/reports/{report}/trend?sequence=1"), 404),
    "POST reports/reports/<report_id>/reveal": (ask("POST", "reports/reports/{report}/reveal", body=code), 404),
    "POST reports/reports/<report_id>/files/<number>/link": (ask("POST", "reports/reports/{report}/files/0/link"), 404),
}


@pytest.fixture(scope="module")
def owner(world: Control, ward: dict[str, Any], mysql: str, database_name: str) -> Owner:
    """An account with a patient, a confirmed registration, a held place, a paid bill and one that is being paid."""
    phone = Phone(world).sign_in()
    patient, child = phone.add_patient(person(), relation="SELF"), phone.add_patient(person())
    booking = phone.book(patient["id"], ward)["id"]
    phone.thumb(phone.open_payment(booking))
    world.settle()
    host, _, port = mysql.partition(":")
    with local_db.connect(host, int(port), database_name) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT his_code_enc FROM patients WHERE id = %s", (patient["id"],))
        [(sealed,)] = cursor.fetchall()
        cursor.execute("SELECT id FROM bindings WHERE patient_id = %s", (patient["id"],))
        [(binding,)] = cursor.fetchall()
    code = opened(world, sealed, f"patients.his_code:{patient['id']}")
    bills = [world("POST", "/his/bills", patient_code=code, kind=kind) for kind in ("PRESCRIPTION", "TREATMENT")]
    full = open_ward(world, slots=1)
    world("POST", f"/his/slots/{full['his']['slots'][0]['code']}/take")
    world.operate("schedules.sync", schedule=full["his"]["code"])
    waiting = phone.call("POST", "booking/waitlist", {"patient_id": child["id"], "schedule_id": full["id"]})["id"]
    paid, open_ = ([one for one in phone.bills(patient["id"]) if one["bill_no"] == bill["bill_no"]] for bill in bills)
    order = phone.pay_bills(patient["id"], paid)
    world.settle()
    world.advance(60)
    world.work()
    receipt = phone.receipt(next(one["id"] for one in phone.payments() if one["subject_id"] == order))
    return {
        "phone": phone, "session": ward, "code": world("POST", f"/his/bills/{bills[1]['bill_no']}/qr")["token"],
        "ids": {"session": phone.call("GET", "account/sessions")["sessions"][0]["id"],
                "patient": patient["id"], "binding": binding, "booking": booking,
                "waiting": waiting, "held": phone.book(child["id"], ward)["id"],
                "bill": bills[1]["bill_no"], "open": phone.order(patient["id"], open_)["id"], "order": order,
                "charge": phone.charge_order(order)["charges"][0]["id"], "payment": receipt["id"],
                "invoice": receipt["invoices"][0]["id"],
                "report": use_reports(world, phone, patient, code)["report_id"],
                "message": phone.call("GET", "messages/inbox")["messages"][0]["id"],
                "picture": phone.add_picture(photo()),
                "complaint": phone.complain("候诊区的灯坏了一盏。", about="VISIT", about_id=booking)["id"]}}


def state(owner: Owner) -> list[Any]:
    """Everything of the owner's."""
    phone, ids = owner["phone"], owner["ids"]
    return [*(phone.call("GET", path) for path in (
        "account/me", "account/patients", "account/consents", "booking/bookings", "booking/doctors/seen",
        "booking/waitlist", "checkin/bookings", "guide/journey", "guide/steps", "billing/payments",
        "invoice/invoices", "messages/inbox",
        "messages/unread", "messages/subscriptions", f"billing/orders/{ids['order']}",
        f"billing/orders/{ids['open']}", "feedback/complaints", f"reports/reports?patient_id={ids['patient']}")),
        phone.bills(ids["patient"])]


def test_every_route_is_public_on_purpose_or_has_a_case() -> None:
    assert {str(door) for door in DOORS if door.route.public} == PUBLIC
    assert {str(door) for door in PRIVATE} == set(CASES)
    assert len(APIS) == 14


@pytest.mark.parametrize("door", PRIVATE, ids=named)
def test_another_account_neither_sees_nor_touches_what_is_mine(guest: Phone, owner: Owner, door: Door) -> None:
    case, expected = CASES[str(door)]
    before = state(owner)
    assert before[3]["bookings"][-1]["state"] == "CONFIRMED"
    status, content = case(guest, owner)
    assert status == expected
    if status == 404:
        assert set(content) == {"error"}
        assert content["error"]["code"] in NOT_FOUND
    shown = str(content)
    assert [one for one in owner["ids"].values() if one in shown] == []
    assert owner["phone"].number not in shown
    assert state(owner) == before


@pytest.mark.parametrize("door", PRIVATE, ids=named)
def test_unknown_and_another_accounts_are_answered_alike(guest: Phone, owner: Owner, door: Door) -> None:
    case, expected = CASES[str(door)]
    nobody = {**owner, "ids": dict.fromkeys(owner["ids"], "0" * 26)}
    _, theirs = case(guest, owner)
    if expected != 404:
        assert "error" not in str(theirs)
        return
    status, unknown = case(guest, nobody)
    assert status == 404
    assert [unknown["error"][name] for name in ("code", "message")] == [
        theirs["error"][name] for name in ("code", "message")]


@pytest.mark.parametrize("door", [door for door in PRIVATE if CASES[str(door)][1] == 404], ids=named)
def test_asking_for_what_is_another_s_is_kept_and_for_what_is_not_there_is_not(
        guest: Phone, owner: Owner, door: Door, control: Control, sql: Callable[..., list[tuple[Any, ...]]]) -> None:
    case, _ = CASES[str(door)]
    account = account_of(control, sql, guest.openid)

    def kept() -> list[tuple[str, str, str]]:
        return sql("SELECT subject, result, address FROM audit WHERE actor = %s AND action LIKE 'foreign %%'",
                   (f"account:{account}",))

    if str(door) != "POST billing/scans":  # a printed code can't be made up
        case(guest, {**owner, "ids": dict.fromkeys(owner["ids"], "0" * 26)})
        assert kept() == []
    case(guest, owner)
    case(guest, owner)  # once an hour is enough
    if "session_id" in door.ids:  # an id from which the session can't be found
        assert kept() == []
        return
    [(subject, code, address)] = kept()
    assert subject.partition(":")[2] in owner["ids"].values()
    assert code in NOT_FOUND
    assert address == guest.address


def test_the_same_patient_in_two_accounts_keeps_each_ones_phone_consents_and_registrations_apart(
        control: Control, guest: Phone, ward: dict[str, Any]) -> None:
    someone, other = person(), Phone(control).sign_in()
    mine, theirs = guest.add_patient(someone), other.add_patient(someone)
    assert mine["id"] == theirs["id"]
    assert mine["phone"][-4:] == guest.number[-4:] != theirs["phone"][-4:] == other.number[-4:]
    booked = guest.book(mine["id"], ward)["id"]
    assert other.call("GET", "booking/bookings")["bookings"] == []
    assert other.raw("POST", f"booking/bookings/{booked}/cancellation").status_code == 404
    other.call("POST", "account/consents/withdrawal", {"patient_id": theirs["id"], "purpose": "HEALTH_DATA"})
    assert guest.call("GET", f"account/patients/{mine['id']}")["consents_missing"] == []
    other.call("DELETE", f"account/patients/{theirs['id']}")
    assert guest.call("GET", f"account/patients/{mine['id']}")["id"] == mine["id"]
