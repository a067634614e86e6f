"""The audit: every sign-in, read and change with who, what, when and from where; nothing personal open in it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import requests
from api_routes import PRIVATE, named

from sandbox.phone import Control, Phone, Refused
from sandbox.scf.instances import UIN
from tests.opened import account_of, opened

Ask = Callable[..., list[tuple[Any, ...]]]
# What each route leaves. A GET is "read <route>" by itself; what changes nothing of anybody's is not kept.
CHANGES = {
    "DELETE account/sessions/current": "session.end", "DELETE account/sessions/others": "session.end",
    "DELETE account/sessions/<session_id>": "session.end", "POST account/phone": "account.phone",
    "POST account/patients": "patient.bind", "POST account/patients/<patient_id>/reveal": "patient.reveal",
    "POST account/patients/<patient_id>/proof-codes": "patient.code",
    "POST account/patients/<patient_id>/proof": "patient.prove",
    "DELETE account/patients/<patient_id>/holders/<binding_id>": "patient.unbind",
    "PUT account/patients/<patient_id>/default": "patient.default",
    "DELETE account/patients/<patient_id>": "patient.unbind", "POST account/consents": "consent.grant.HEALTH_DATA",
    "POST account/consents/withdrawal": "consent.withdraw.HEALTH_DATA", "POST booking/bookings": "booking.hold",
    "POST booking/waitlist": "waitlist.join", "DELETE booking/waitlist/<entry_id>": "waitlist.leave",
    "POST booking/tickets": "",  # a ticket is computed: nothing is kept anywhere
    "POST booking/bookings/<booking_id>/payment": "payment.open",
    "POST booking/bookings/<booking_id>/cancellation": "booking.cancel",
    "POST booking/bookings/<booking_id>/move": "booking.move",
    "POST checkin/bookings/<booking_id>/checkin": "checkin.begin", "POST billing/scans": "read billing/scans",
    "POST billing/orders": "order.create", "POST billing/orders/<order_id>/payment": "payment.open",
    "POST billing/orders/<order_id>/cancellation": "order.cancel",
    "POST billing/charges/<charge_id>/refund": "charge.refund",
    "POST reports/reports/<report_id>/reveal": "report.reveal",
    "POST reports/reports/<report_id>/files/<number>/link": "report.link",
    "POST invoice/invoices/<invoice_id>/link": "invoice.link",
    "POST feedback/visits/<booking_id>/survey": "survey.answer", "POST feedback/complaints": "complaint.file",
    "POST feedback/complaints/<complaint_id>/withdrawal": "complaint.withdraw",
    "POST feedback/complaints/<complaint_id>/rating": "complaint.rate",
    "POST feedback/complaints/<complaint_id>/reopening": "complaint.reopen",
    "POST feedback/pictures": "picture.order", "POST feedback/pictures/<picture_id>/uploaded": "picture.uploaded",
    "PUT guide/steps/<kind>": "steps.choose",
    "DELETE feedback/pictures/<picture_id>": "picture.discard", "POST messages/subscriptions": "messages.subscribe",
    "POST messages/inbox/<message_id>/read": "", "POST messages/inbox/read-all": ""}  # one's own list: nobody else's
NOT_KEPT = {"GET guide/steps", "GET messages/templates", "GET messages/subscriptions", "GET messages/unread",
            "POST booking/tickets",
            "POST messages/inbox/<message_id>/read", "POST messages/inbox/read-all"}


def action_of(door: Any) -> str:
    """What a route's use is called."""
    return CHANGES.get(str(door), f"read {door.function}{door.route.path}")


def entries(sql: Ask, account: str) -> list[tuple[str, str, str, str]]:
    """What an account did: action, subject, address, the request's id."""
    return sql("SELECT action, subject, address, request_id FROM audit WHERE actor = %s ORDER BY id",
               (f"account:{account}",))


def test_every_route_that_a_caller_uses_leaves_an_entry_with_address_and_request(
        everything: Phone, control: Control, sql: Ask) -> None:
    kept = entries(sql, account_of(control, sql, everything.openid))
    actions = {action for action, *_ in kept}
    assert {str(door): action_of(door) for door in PRIVATE if str(door) not in NOT_KEPT
            and action_of(door) not in actions} == {}
    assert {door.route.path for door in PRIVATE if not door.route.personal} == {
        "/templates", "/subscriptions", "/unread", "/steps"}
    assert "session.open" in actions
    assert {address for _, _, address, _ in kept} == {everything.address}
    assert all(request_id for *_, request_id in kept)


def test_every_change_of_a_route_has_its_action_named_here() -> None:
    changing = {str(door) for door in PRIVATE if door.route.method != "GET"}
    assert changing == set(CHANGES)
    assert named(PRIVATE[0])


def test_nothing_personal_stands_open_in_the_audit(everything: Phone, control: Control, sql: Ask) -> None:
    account = account_of(control, sql, everything.openid)
    [(entry, sealed)] = sql("SELECT id, personal_enc FROM audit WHERE actor = %s AND action = 'account.phone'",
                            (f"account:{account}",))
    assert json.loads(opened(control, sealed, f"audit.personal:{entry}")) == {"old": None, "new": everything.number}
    plain = [everything.number, everything.openid, everything.token, everything.secret]
    stored = repr(sql("SELECT * FROM audit"))
    assert [one for one in plain if one in stored] == []


def test_a_read_is_kept_once_an_hour_and_subject(control: Control, guest: Phone, ill: dict[str, Any], sql: Ask
                                                 ) -> None:
    account = account_of(control, sql, guest.openid)

    def reads() -> int:
        return sum(action == "read account/patients/<patient_id>" and subject == ill["id"]
                   for action, subject, *_ in entries(sql, account))

    for _ in range(3):
        guest.call("GET", f"account/patients/{ill['id']}")
    assert reads() == 1
    control.advance(3600)
    guest.call("GET", f"account/patients/{ill['id']}")
    assert reads() == 2


def test_a_refused_change_leaves_no_entry_of_a_change(guest: Phone, ill: dict[str, Any], ward: dict[str, Any],
                                                       control: Control, sql: Ask) -> None:
    account = account_of(control, sql, guest.openid)
    key = secrets.token_hex(16)
    held = guest.book(ill["id"], ward, key=key)
    assert guest.book(ill["id"], ward, key=key) == held  # a repeat is no second change
    with pytest.raises(Refused):
        guest.book(ill["id"], ward)
    assert [(action, subject) for action, subject, *_ in entries(sql, account) if action == "booking.hold"] == [
        ("booking.hold", held["id"])]


def test_a_failed_sign_in_is_kept_with_its_address(control: Control, sql: Ask) -> None:
    somebody = Phone(control)  # an address of its own: one entry an hour and address, and another test lets years pass
    with pytest.raises(Refused) as refusal:
        somebody.call("POST", "account/sessions", {"code": secrets.token_hex(16), "secret_hash": "0" * 64})
    assert refusal.value.code == "wechat_code_invalid"
    assert sql("SELECT result FROM audit WHERE actor = 'unknown' AND action = 'session.open' AND address = %s",
               (somebody.address,)) == [("wechat_code_invalid",)]


def test_an_address_is_the_platform_s_word_and_not_a_client_s(control: Control, guest: Phone, sql: Ask) -> None:
    account = account_of(control, sql, guest.openid)
    guest.call("GET", "account/patients", headers={"X-Scf-Remote-Addr": "203.0.113.7", "X-Forwarded-For": "203.0.113.8",
                                                   "X-Real-IP": "203.0.113.9"})
    assert [address for action, _, address, _ in entries(sql, account) if action == "read account/patients"] == [
        guest.address]


def test_a_token_shown_without_its_secret_is_kept(guest: Phone, sql: Ask) -> None:
    [mine] = guest.call("GET", "account/sessions")["sessions"]
    guest.raw("GET", "account/me", headers={"X-Client-Secret": "x" * 43})
    assert sql("SELECT actor, result FROM audit WHERE action = 'session.use' AND subject = %s", (mine["id"],)) == [
        ("unknown", "wrong_secret")]


# -- operators --------------------------------------------------------------------------------------
def test_an_operator_is_who_the_platform_says_and_their_word_stands_beside(control: Control, sql: Ask) -> None:
    control.operate("settings.change", changes={"hold_minutes": 20}, by="zhang.san")
    control.operate("settings.change", changes={"hold_minutes": None}, by="li.si")
    rows = sql("SELECT actor, claimed, detail, request_id FROM audit WHERE action = 'settings.change' "
               "AND subject = 'hold_minutes' AND claimed IN ('zhang.san', 'li.si') ORDER BY id DESC")
    assert [row[:2] for row in rows] == [(f"operator:{UIN}", "li.si"), (f"operator:{UIN}", "zhang.san")]
    assert [json.loads(row[2]) for row in rows] == [{"old": "20", "new": "null"}, {"old": "null", "new": "20"}]
    assert all(row[3] for row in rows)


def test_what_operators_read_is_kept_and_what_was_refused_to_them(control: Control, sql: Ask) -> None:
    control.operate("tasks.list", kind="refund.*", by="wang.wu")
    with pytest.raises(Refused):
        control.operate("task.close", task_id="0" * 26, note="张三说可以关闭", by="wang.wu")
    rows = sql("SELECT action, result, detail FROM audit WHERE claimed = 'wang.wu' ORDER BY id DESC LIMIT 2")
    assert [row[:2] for row in rows] == [("task.close", "task_not_found"), ("tasks.list", "read")]
    assert json.loads(rows[1][2]) == {"kind": "refund.*"}


def test_a_note_of_an_operator_is_sealed(control: Control, sql: Ask) -> None:
    control.operate("sessions.end", account_id="0" * 26, note="张三来电，手机丢失", by="zhao.liu")
    [(entry, detail, sealed)] = sql("SELECT id, detail, personal_enc FROM audit WHERE claimed = 'zhao.liu' "
                                    "AND result = 'begun'")
    assert json.loads(detail) == {"account_id": "0" * 26}
    assert json.loads(opened(control, sealed, f"audit.personal:{entry}")) == {"note": "张三来电，手机丢失"}


def test_the_tree_is_kept_as_it_was_and_as_it_is(control: Control, sql: Ask) -> None:
    groups = control.operate("departments.show")["groups"]
    changed = [{**groups[0], "name": "内科系统"}, *groups[1:]]
    try:
        control.operate("departments.arrange", groups=changed, by="sun.qi")
        [(detail,)] = sql("SELECT detail FROM audit WHERE action = 'departments.arrange' AND claimed = 'sun.qi'")
        told = json.loads(detail)
        assert (told["old"][0]["name"], told["new"][0]["name"]) == (groups[0]["name"], "内科系统")
    finally:
        control.operate("departments.arrange", groups=groups)


def test_the_audit_is_read_page_by_page_and_that_is_kept_too(control: Control, guest: Phone, ill: dict[str, Any],
                                                             sql: Ask) -> None:
    account = account_of(control, sql, guest.openid)
    wanted = {"actor": f"account:{account}", "limit": 1, "by": "zhou.ba"}
    found, page = [], control.operate("audit.list", **wanted)
    while True:
        found += page["entries"]
        if page["next"] is None:
            break
        page = control.operate("audit.list", **wanted, before=page["next"])
    ours = [row[0] for row in sql("SELECT action FROM audit WHERE actor = %s ORDER BY id DESC",
                                  (f"account:{account}",))]
    assert [one["action"] for one in found] == ours
    assert {"patient.bind", "session.open"} <= set(ours)
    [bound] = control.operate("audit.list", subject=ill["id"], actions="patient.*")["entries"]
    assert (bound["actor"], bound["result"], bound["address"]) == (f"account:{account}", "done", guest.address)
    read = sql("SELECT detail FROM audit WHERE action = 'audit.list' AND claimed = 'zhou.ba' ORDER BY id")
    assert len(read) == len(found)
    assert json.loads(read[0][0]) == {"actor": f"account:{account}", "limit": 1}


def test_an_entry_is_opened_into_a_file_that_goes_after_an_hour_and_that_is_kept(
        control: Control, everything: Phone, sql: Ask) -> None:
    account = account_of(control, sql, everything.openid)
    [listed] = control.operate("audit.list", actor=f"account:{account}", actions="account.phone")["entries"]
    assert listed["has_sealed_values"]
    told = control.operate("audit.open", entry_id=listed["id"], note="张三投诉号码被改", by="chen.er")
    assert everything.number not in str(told)
    shown = file_of(control, told["file"]).json()
    assert (shown["sealed_values"], shown["action"]) == ({"old": None, "new": everything.number}, "account.phone")
    rows = sql("SELECT subject, result, detail FROM audit WHERE action = 'audit.open' AND claimed = 'chen.er' "
               "ORDER BY id")
    assert [row[:2] for row in rows] == [(listed["id"], "begun"), (listed["id"], "opened")]
    assert json.loads(rows[1][2]) == {"file": told["file"]}
    again = control.operate("audit.open", entry_id=listed["id"], note="再看一次", by="chen.er")["file"]
    assert again != told["file"]
    control.advance(3700)
    control.work()
    assert [file_of(control, one).status_code for one in (told["file"], again)] == [404, 404]


def test_an_entry_that_is_not_there_or_has_nothing_sealed_is_not_opened_and_that_is_kept(
        control: Control, ill: dict[str, Any], sql: Ask) -> None:
    [bound] = control.operate("audit.list", subject=ill["id"], actions="patient.bind")["entries"]
    for entry, code in ((bound["id"], "nothing_sealed"), ("0" * 26, "entry_not_found")):
        with pytest.raises(Refused) as refusal:
            control.operate("audit.open", entry_id=entry, note="张三问起", by="zheng.shi")
        assert refusal.value.code == code
    rows = sql("SELECT result FROM audit WHERE action = 'audit.open' AND claimed = 'zheng.shi' ORDER BY id")
    assert [row[0] for row in rows] == ["begun", "nothing_sealed", "begun", "entry_not_found"]


def test_what_cos_does_not_take_is_not_opened_and_may_be_asked_for_again(
        control: Control, guest: Phone, ill: dict[str, Any], sql: Ask) -> None:
    account = account_of(control, sql, guest.openid)
    [(entry,)] = sql("SELECT id FROM audit WHERE actor = %s AND action = 'account.phone'", (f"account:{account}",))
    control.fault("cos", "put_object", "error", times=2, status=503)
    with pytest.raises(Refused) as refusal:
        control.operate("audit.open", entry_id=entry, note="张三问起")
    assert refusal.value.code == "unanswered"
    assert file_of(control, control.operate("audit.open", entry_id=entry, note="再试")["file"]).status_code == 200


def file_of(control: Control, key: str) -> requests.Response:
    """A file in the hospital's bucket."""
    bucket = control("GET", "/scf/env/operations")["COS_BUCKET"]
    return requests.get(f"{control.addresses['control']}/cos/objects/{key}", params={"bucket": bucket}, timeout=10)


@pytest.mark.parametrize(("filters", "found"), [
    ({}, True), ({"since": -60}, True), ({"since": 60}, False), ({"until": 60}, True), ({"until": -60}, False),
    ({"address": "127.*"}, True), ({"address": "10.*"}, False), ({"actions": "patient.b*"}, True),
    ({"actions": "patient_bind"}, False)])
def test_the_audit_is_filtered_by_time_address_and_action(
        control: Control, ill: dict[str, Any], filters: dict[str, Any], found: bool) -> None:
    now = datetime.fromisoformat(control("GET", "/clock")["now"])
    wanted = {name: (now + timedelta(seconds=value)).isoformat() if isinstance(value, int) else value
              for name, value in filters.items()}
    listed = control.operate("audit.list", subject=ill["id"], **wanted)["entries"]
    assert bool([one for one in listed if one["action"] == "patient.bind"]) is found


def test_a_wrong_filter_is_answered_and_not_raised(control: Control) -> None:
    for wrong in ({"since": "yesterday"}, {"limit": 0}, {"limit": 201}, {"address": "'; --"}, {"before": "x"}):
        with pytest.raises(Refused) as refusal:
            control.operate("audit.list", **wrong)
        assert refusal.value.code == "invalid"


def test_an_entry_goes_when_the_hospital_s_term_is_over_and_not_before(
        control: Control, policy: Callable[..., None], sql: Ask) -> None:
    policy(audit_days=184)
    control.operate("tasks.list", by="wu.jiu")

    def kept() -> int:
        control("POST", "/scf/timers/housekeeping/every-night/fire")
        return len(sql("SELECT id FROM audit WHERE claimed = 'wu.jiu'"))

    control.advance(183 * 86400)
    assert kept() == 1
    control.advance(2 * 86400)
    assert kept() == 0


def test_less_than_six_months_is_refused(policy: Callable[..., None]) -> None:
    with pytest.raises(Refused):
        policy(audit_days=183)
