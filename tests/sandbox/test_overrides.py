"""Answers, notices and events that say something else than the truth, rightly signed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox import overrides
from sandbox.faults import Fault, Faults
from sandbox.his.client import Caller, Forged
from sandbox.his.signing import SIGNATURE
from sandbox.wechatpay import WeChatPay
from tests.sandbox.test_his import Desk
from tests.sandbox.test_his_events import Ear, ear, settle, till
from tests.sandbox.test_wechatpay import (
    Receiver,
    client,
    control,
    order,
    paid,
    pay,
    receiver,
    refund,
)
from tests.sandbox.test_wechatpay import settle as settle_notices

__all__ = ["client", "control", "ear", "pay", "receiver", "till"]  # fixtures

DOCUMENT = {"amount": {"total": 5}, "rows": [{"code": "a", "n": 1}, {"code": "b", "n": 2}]}


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.caller.session.close()


def override(faults: Faults, system: str, operation: str, *, times: int = 1, after: int = 0, about: str = "",
             **params: Any) -> Fault:
    return faults.add(Fault(system, operation, "override", times, after, params, about))


# -- the document -------------------------------------------------------------------------------
@pytest.mark.parametrize(("params", "right"), [
    ({"set": {"amount.total": "5"}}, {**DOCUMENT, "amount": {"total": "5"}}),
    ({"set": {"amount.currency": "HKD"}}, {**DOCUMENT, "amount": {"total": 5, "currency": "HKD"}}),
    ({"remove": ["amount"]}, {"rows": DOCUMENT["rows"]}),
    ({"remove": ["rows.code=a"]}, {**DOCUMENT, "rows": [{"code": "b", "n": 2}]}),
    ({"remove": ["rows.*"]}, {**DOCUMENT, "rows": []}),
    ({"set": {"rows.n=2.code": None}}, {**DOCUMENT, "rows": [{"code": "a", "n": 1}, {"code": None, "n": 2}]}),
    ({"set": {"rows.-1.n": 3, "rows.0": "odd"}}, {**DOCUMENT, "rows": ["odd", {"code": "b", "n": 3}]}),
    ({"add": {"rows": {"code": "c"}}}, {**DOCUMENT, "rows": [*DOCUMENT["rows"], {"code": "c"}]}),  # type: ignore[misc]
    ({"set": {"": []}}, []),
])
def test_a_path_leads_to_fields_places_and_elements(params: dict[str, Any], right: Any) -> None:
    before = json.dumps(DOCUMENT)
    assert overrides.applied(DOCUMENT, params) == (right, True)
    assert json.dumps(DOCUMENT) == before


@pytest.mark.parametrize("params", [
    {"set": {"rows.code=z.n": 1}}, {"set": {"amount.total.more": 1}}, {"remove": ["gone", "rows.7", "rows.x"]},
    {"add": {"amount": 1}},
])
def test_what_is_not_there_is_passed_over(params: dict[str, Any]) -> None:
    assert overrides.applied(DOCUMENT, params) == (DOCUMENT, False)


@pytest.mark.parametrize("params", [{}, {"sets": {}}, {"set": []}, {"remove": "x"}, {"remove": [""]}, {"set": {}}])
def test_an_override_that_cannot_be_applied_is_refused_when_it_is_ordered(params: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="override"):
        Faults().add(Fault("his", "*", "override", params=params))


# -- the HIS ------------------------------------------------------------------------------------
def test_an_overridden_answer_is_signed_anew_as_often_as_ordered(desk: Desk) -> None:
    made = desk.session()
    override(desk.faults, "his", "list_schedules", times=2, about=made["code"],
             set={f"schedules.code={made['code']}.doctor_code": "D-UNKNOWN"})
    asked = [desk.caller.get("/schedules", schedule=code)[1]["schedules"][0]["doctor_code"]
             for code in (desk.session()["code"], made["code"], made["code"], made["code"])]
    assert asked == [asked[0], "D-UNKNOWN", "D-UNKNOWN", made["doctor_code"]]


def test_an_override_waits_for_the_page_that_has_its_row(desk: Desk) -> None:
    made = desk.session()
    fault = override(desk.faults, "his", "list_schedules", remove=[f"schedules.code={made['code']}"])
    seen, cursor = [], {}
    while True:
        page = desk.caller.get("/schedules", limit=200, **cursor)[1]
        seen += [one["code"] for one in page["schedules"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert made["code"] not in seen
    assert (fault.hits, len(seen) > 200) == (1, True)


def test_lists_can_come_without_today_or_empty(desk: Desk) -> None:
    today = "2026-11-23"
    override(desk.faults, "his", "list_schedules", remove=[f"schedules.date={today}"])
    override(desk.faults, "his", "list_departments", set={"departments": []})
    days = [{one["date"] for one in desk.caller.get("/schedules", from_=today, to="2026-11-24", department="1101")[1]
             ["schedules"]} for _ in range(2)]
    assert days == [{"2026-11-24"}, {today, "2026-11-24"}]
    assert desk.caller.get("/departments") == (200, {"departments": []})


def test_overrides_add_up_and_leave_refusals_and_other_faults_alone(desk: Desk) -> None:
    override(desk.faults, "his", "match_patient", set={"card_number": "8"})
    override(desk.faults, "his", "match_patient", times=-1, set={"created": "yes"})
    desk.faults.add(Fault("his", "match_patient", "refuse", params={"code": "BUSY", "status": 429}))
    plain = Caller(desk.caller.address, "mini", "k" * 32, desk.clock)
    person = {"id_type": "PASSPORT", "id_number": "E12345678", "name": "单小雨", "sex": "FEMALE",
              "birth_date": "1990-05-01", "phone": "13800000000"}
    assert plain.post("/patients/match-or-create", **person)[0] == 429
    answers = [plain.post("/patients/match-or-create", **person)[1] for _ in range(2)]
    assert [(one["card_number"] == "8", one["created"]) for one in answers] == [(True, "yes"), (False, "yes")]


@pytest.mark.parametrize("header", ["签名", "é" * 64])
def test_a_header_can_be_anything_even_beyond_ascii(desk: Desk, header: str) -> None:
    override(desk.faults, "his", "list_departments", headers={SIGNATURE: header})
    with pytest.raises(Forged):
        desk.caller.get("/departments")
    assert desk.caller.get("/departments")[0] == 200


def test_events_can_say_anything_by_override_or_by_themselves(till: Any, ear: Ear) -> None:
    override(till.faults, "his", "event", set={"occurred_at": "2026-11-23", "event_id": ""})
    bill = till.bill()
    till.bill()
    settle(till)
    by_bill = {one["bill_no"]: one for one in ear.events()}
    odd = by_bill.pop(bill["bill_no"])
    assert (odd["occurred_at"], odd["event_id"]) == ("2026-11-23", "")
    assert all(one["event_id"] for one in by_bill.values())
    assert till.order_of("events/send", {"event": {"event_id": "E" * 300}})[1] == {"status": 204}
    assert till.order_of("events/send", {"text": "[not json"})[1] == {"status": 204}
    assert [body for _, body in ear.heard[-2:]] == [json.dumps({"event_id": "E" * 300}).encode(), b"[not json"]


# -- WeChat Pay ---------------------------------------------------------------------------------
def test_queries_answer_overridden_and_signed(pay: WeChatPay, client: Any, control: Any) -> None:
    paid(client, control)
    refund(client)
    override(pay.world.faults, "wechatpay", "query_order", set={"amount.currency": "HKD", "amount.total": -1},
             remove=["transaction_id"])
    override(pay.world.faults, "wechatpay", "query_refund", about="R-1", remove=["amount.refund"],
             set={"out_trade_no": "ANOTHER-1"})
    status, text = client.query(out_trade_no="ORDER-0001")
    odd = json.loads(text)
    assert (status, odd["amount"]["currency"], odd["amount"]["total"]) == (200, "HKD", -1)
    assert "transaction_id" not in odd
    assert json.loads(client.query(out_trade_no="ORDER-0001")[1])["amount"]["total"] == 1500
    odd = json.loads(client.query_refund("R-1")[1])
    assert (odd["out_trade_no"], "refund" in odd["amount"]) == ("ANOTHER-1", False)


def test_notices_say_what_was_ordered_in_every_delivery(
        pay: WeChatPay, client: Any, control: Any, receiver: Receiver) -> None:
    override(pay.world.faults, "wechatpay", "payment_notice", about="ORDER-0002", set={"mchid": "1900000002"},
             remove=["amount.total"])
    override(pay.world.faults, "wechatpay", "notice_envelope", after=1, set={"resource": []})
    paid(client, control, "ORDER-0001")
    paid(client, control, "ORDER-0002", copies=2)
    settle_notices(control)
    envelopes = {json.loads(body)["id"]: (head, body) for head, body in receiver.came}
    assert len(receiver.came) == 3
    resources = [json.loads(body)["resource"] for _, body in envelopes.values()]
    assert [] in resources
    [true] = [client.callback(*one)["resource"] for one in envelopes.values() if json.loads(one[1])["resource"]]
    assert (true["out_trade_no"], true["mchid"]) == ("ORDER-0001", "1900000001")
    control.post("/wechatpay/refunds/policy", json={"delay_seconds": 0})
    override(pay.world.faults, "wechatpay", "refund_notice", set={"amount.refund": 1})
    override(pay.world.faults, "wechatpay", "payment_notice", set={"payer.openid": "o-other"})
    refund(client, notify_url=receiver.url)
    settle_notices(control)
    assert client.callback(*receiver.came[-1])["resource"]["amount"]["refund"] == 1
    paid(client, control, "ORDER-0003")
    settle_notices(control)
    assert client.callback(*receiver.came[-1])["resource"]["payer"] == {"openid": "o-other"}


def test_any_notice_can_be_sent_to_any_path(client: Any, control: Any, receiver: Receiver) -> None:
    paid(client, control, notify=False)
    refund(client)
    send = "/wechatpay/notices/send"
    sent = control.post(send, json={"like": "ORDER-0001", "url": "refund", "set": {"amount.total": 2500.7},
                                    "remove": ["payer"]})
    assert (sent.status_code, sent.json["status"]) == (200, 204)
    odd = client.callback(*receiver.came[-1])
    assert (odd["event_type"], odd["resource"]["amount"]["total"], "payer" in odd["resource"]) == (
        "TRANSACTION.SUCCESS", 2500.7, False)
    control.post(send, json={"like": "R-1", "url": receiver.url, "envelope": {"remove": ["id"]}})
    kept = json.loads(receiver.came[-1][1])
    assert (kept["event_type"], "id" in kept) == ("REFUND.SUCCESS", False)
    control.post(send, json={"url": receiver.url, "event_type": "TRANSACTION.SUCCESS", "content": [1]})
    assert client.callback(*receiver.came[-1])["resource"] == [1]
    for wrong in ({}, {"like": "NONE-0001"}, {"url": receiver.url}, {"like": "ORDER-0001", "remove": [""]},
                  {"like": "ORDER-0001", "envelope": {"sets": {}}}):
        assert control.post(send, json=wrong).status_code in (400, 404), wrong


def test_a_notice_sent_by_itself_is_not_repeated_and_can_be_sent_again(
        pay: WeChatPay, client: Any, control: Any, receiver: Receiver) -> None:
    order(client)
    receiver.answers = [500]
    made = control.post("/wechatpay/notices/send", json={"like": "ORDER-0001"}).json
    assert made["status"] == 500
    settle_notices(control)
    assert len(receiver.came) == 1
    control.post(f"/wechatpay/notices/{made['id']}/redeliver", json={})
    [notice] = control.get("/wechatpay/notices").json
    assert [one["status"] for one in notice["deliveries"]] == [500, 204]
