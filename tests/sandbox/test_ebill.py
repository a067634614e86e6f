"""The fiscal e-bill platform: its envelope, issuing once, reversing once, and the lists."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
import requests
from flask import Flask

from sandbox.clock import Clock
from sandbox.ebill import EBill
from sandbox.ebill.client import Caller, Forged
from sandbox.ebill.envelope import sign
from sandbox.ebill.model import BEIJING
from sandbox.faults import Fault, Faults
from sandbox.system import World

APP_ID, KEY = "HOSPITAL01", "4f0c5e0a9bcd4d21"
OUTPATIENT, STATES, WRITE_OFF = "invoiceEBillOutpatient", "getEBillStatesByBillInfo", "writeOffEBill"
DAY = {"busBgnDate": "20261123000000000", "busEndDate": "20261123235959999"}


@pytest.fixture
def world() -> World:
    clock = Clock()
    clock.set(datetime(2026, 11, 23, 9, 30, tzinfo=BEIJING))
    return World(clock, Faults(), deque())


@pytest.fixture
def ebill(world: World) -> EBill:
    system = EBill(world, app_id=APP_ID, key=KEY)
    system.serve()
    return system


@pytest.fixture
def call(ebill: EBill) -> Caller:
    return Caller(ebill.address, APP_ID, KEY)


@pytest.fixture
def control(ebill: EBill) -> Iterator[Any]:
    app = Flask("control")
    app.register_blueprint(ebill.control, url_prefix="/ebill")
    yield app.test_client()


def bill(bus_no: str = "OP-1", **changes: Any) -> dict[str, Any]:
    """123.45 yuan: medicine 100.00 in two lines, an examination 23.45."""
    zero = dict.fromkeys(("accountPay", "fundPay", "otherfundPay", "ownPay", "selfPayAmt"), "0.00")
    return {
        "busNo": bus_no, "busType": "02", "payer": "赵试", "busDateTime": "20261123091500000", "placeCode": "001",
        "totalAmt": "123.45", "payerType": "1", "cardType": "1101", "cardNo": "330102198001011234", **zero,
        "payChannelDetail": [{"payChannelCode": "05", "payChannelValue": "123.45"}],
        "chargeDetail": [
            {"chargeCode": "09", "chargeName": "西药费", "std": "100.00", "number": "1", "amt": "100.00"},
            {"chargeCode": "03", "chargeName": "检查费", "std": "23.45", "number": "1", "amt": "23.45"}],
        "listDetail": [
            {"chargeCode": "09", "chargeName": "西药费", "name": "阿莫西林胶囊", "unit": "盒", "std": "20.00",
             "number": "3", "amt": "60.00"},
            {"chargeCode": "09", "chargeName": "西药费", "name": "布洛芬片", "unit": "盒", "std": "40.0000",
             "number": "1", "amt": "40.00"},
            {"chargeCode": "03", "chargeName": "检查费", "name": "心电图", "unit": "次", "std": "23.45",
             "number": "1", "amt": "23.45"}], **changes}


def issued(call: Caller, bus_no: str = "OP-1", **changes: Any) -> dict[str, Any]:
    result, message = call(OUTPATIENT, **bill(bus_no, **changes))
    assert result == "S0000", message
    return dict(message)


def reversal(of: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"billBatchCode": of["billBatchCode"], "billNo": of["billNo"], "reason": "退费", "operator": "小程序",
            "busDateTime": "20261123100000000", "placeCode": "001", **changes}


# -- the envelope -----------------------------------------------------------------------------------
def test_the_signature_is_upper_md5_over_the_five_fields_in_order() -> None:
    assert sign("APP", "KEY", "ZGF0YQ==", "n1") == "9D7E0F0179F369879F683C6D8F260F95"


def test_every_wrong_part_of_the_envelope_is_refused_in_a_signed_answer(call: Caller) -> None:
    for code, changes in (
        ("E0002", {"appid": "SOMEONE"}), ("E0003", {"version": "2.0"}), ("E0004", {"sign": "0" * 32}),
        ("E0004", {"noise": "another"}), ("E0004", {"data": "e30="}), ("E0001", {"noise": 7}),
        ("E0001", {"sign": None}), ("E0004", {"sign": "\ud800"}),
    ):
        response = call.send(OUTPATIENT, call.envelope(bill()) | changes)
        assert response.status_code == 200
        assert call.read(response)[0] == code, changes
    lower = call.envelope(bill())
    assert call.read(call.send(OUTPATIENT, lower | {"sign": lower["sign"].lower()}))[0] == "E0004"
    assert call.read(call.send(OUTPATIENT, []))[0] == "E0001"
    for data in ("no json", [1]):
        assert call.read(call.send(OUTPATIENT, call.envelope(data)))[0] == "E0006"


def test_a_request_that_comes_twice_is_a_replay(call: Caller) -> None:
    body = call.envelope(bill())
    assert call.read(call.send(OUTPATIENT, body))[0] == "S0000"
    assert call.read(call.send(OUTPATIENT, body))[0] == "E0005"


def test_an_answer_signed_with_another_key_is_found_out(ebill: EBill) -> None:
    with pytest.raises(Forged):
        Caller(ebill.address, APP_ID, "another key")(OUTPATIENT, **bill())


def test_an_unknown_operation_is_404(call: Caller) -> None:
    assert call.send("noSuchThing", {}).status_code == 404


# -- issuing ----------------------------------------------------------------------------------------
def test_an_issued_bill_has_all_its_numbers_and_the_platforms_time(call: Caller) -> None:
    answer = issued(call)
    assert (len(answer["billBatchCode"]), len(answer["billNo"]), len(answer["random"])) == (8, 10, 6)
    assert answer["billBatchCode"] == "33060126"
    assert answer["createTime"].startswith("202611230930")
    assert len(answer["createTime"]) == 17
    assert issued(call, "OP-2")["billNo"] == "0000000002"


def test_the_same_content_again_is_the_same_bill_and_other_content_is_refused(call: Caller, control: Any) -> None:
    first = issued(call)
    assert issued(call) == first
    assert call(OUTPATIENT, **bill(payer="钱试"))[0] == "E1003"
    assert call(OUTPATIENT, **bill(busDateTime="20261123091500001"))[0] == "E1003"
    assert call("invEBillRegistration", **bill())[0] == "E1003"
    assert issued(call, busType="06")["billNo"] != first["billNo"]
    assert len(control.get("/ebill/bills").json["bills"]) == 2


def test_sixteen_requests_at_once_issue_one_bill(call: Caller, ebill: EBill, control: Any) -> None:
    numbers: list[str] = []
    threads = [threading.Thread(target=lambda: numbers.append(
        issued(Caller(ebill.address, APP_ID, KEY))["billNo"])) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert numbers == ["0000000001"] * 16
    assert len(control.get("/ebill/bills").json["bills"]) == 1


def test_amounts_that_do_not_agree_to_the_fen_are_refused(call: Caller) -> None:
    good = bill()
    channel, charges, details = good["payChannelDetail"], good["chargeDetail"], good["listDetail"]
    for changes in (
        {"totalAmt": "123.46"}, {"totalAmt": "0.00"},
        {"payChannelDetail": [{**channel[0], "payChannelValue": "123.44"}]},
        {"chargeDetail": charges[:1]}, {"listDetail": details[1:]},
        {"listDetail": [*details[:2], {**details[2], "chargeCode": "99"}]},
        {"listDetail": [{**details[0], "std": "19.00"}, *details[1:]]},
        {"fundPay": "23.45"}, {"ownPay": "100.00", "selfPayAmt": "23.46"},
    ):
        assert call(OUTPATIENT, **bill(**changes))[0] == "E1002", changes


def test_insurance_stands_in_channel_11_with_the_sum_of_its_parts(call: Caller, control: Any) -> None:
    issued(call, accountPay="20.00", fundPay="30.00", otherfundPay="1.45", payChannelDetail=[
        {"payChannelCode": "11", "payChannelValue": "51.45"}, {"payChannelCode": "05", "payChannelValue": "72.00"}])
    assert control.get("/ebill/bills").json["bills"][0]["channels_fen"] == {"11": 5145, "05": 7200}


def test_a_wrong_field_is_refused_by_its_name(call: Caller) -> None:
    for field, value in (
        ("busNo", "x" * 51), ("busNo", ""), ("busDateTime", "20261323091500000"), ("busDateTime", "20261123091500"),
        ("totalAmt", "123.4"), ("totalAmt", 123.45), ("totalAmt", "0123.45"), ("totalAmt", "-1.00"),
        ("payerType", "3"), ("payChannelDetail", []), ("listDetail", []), ("ownPay", None),
    ):
        result, message = call(OUTPATIENT, **{**bill(), field: value})
        assert (result, field in message) == ("E1001", True), (field, value, message)
    assert call(OUTPATIENT, **bill(placeCode="002"))[0] == "E1010"
    half_a_letter = call.envelope(json.dumps(bill(payer="\ud800")))
    assert call.read(call.send(OUTPATIENT, half_a_letter))[0] == "E1001"


def test_a_registration_needs_no_itemised_list_and_inpatients_have_their_own_numbers(call: Caller) -> None:
    assert call("invEBillRegistration", **bill("REG-1", busType="06", listDetail=[]))[0] == "S0000"
    result, message = call("invEBillHospitalized", **bill("IN-1", busType="01"))
    assert (result, message["billBatchCode"], message["billNo"]) == ("S0000", "33060226", "0000000001")


# -- asking -----------------------------------------------------------------------------------------
def test_a_bill_whose_answer_was_lost_is_found_by_its_business_number(call: Caller, world: World) -> None:
    world.faults.add(Fault("ebill", "invoice_outpatient", "cut_after"))
    with pytest.raises(requests.ConnectionError):
        call(OUTPATIENT, **bill())
    result, state = call(STATES, busNo="OP-1", busType="02")
    assert (result, state["state"], state["isPrint"], state["totalAmt"]) == ("S0000", "1", "0", "123.45")
    again = issued(call)
    assert {name: state[name] for name in again} == again
    assert call(STATES, busNo="OP-1")[1] == state


def test_a_bill_that_never_came_about_is_unknown(call: Caller, world: World) -> None:
    world.faults.add(Fault("ebill", "invoice_outpatient", "cut_before"))
    with pytest.raises(requests.ConnectionError):
        call(OUTPATIENT, **bill())
    assert call(STATES, busNo="OP-1")[0] == "E1004"
    assert call(STATES, billBatchCode="33060126", billNo="0000000001")[0] == "E1004"


def test_a_business_number_of_two_types_needs_its_type(call: Caller) -> None:
    issued(call)
    issued(call, busType="06")
    assert call(STATES, busNo="OP-1")[0] == "E1001"
    assert call(STATES, busNo="OP-1", busType="06")[1]["busType"] == "06"
    assert call(STATES, busType="06")[0] == "E1001"


# -- reversing --------------------------------------------------------------------------------------
def test_a_bill_is_reversed_once_and_the_same_request_gets_the_same_answer(call: Caller, control: Any) -> None:
    first = issued(call)
    result, red = call(WRITE_OFF, **reversal(first))
    assert (result, red["eScarletBillBatchCode"], red["eScarletBillNo"]) == ("S0000", "33060126", "0000000002")
    assert call(WRITE_OFF, **reversal(first)) == ("S0000", red)
    assert call(WRITE_OFF, **reversal(first, reason="另一原因"))[0] == "E1006"
    state = call(STATES, billBatchCode=first["billBatchCode"], billNo=first["billNo"])[1]
    assert (state["state"], state["isScarlet"], state["eScarletBillNo"]) == ("2", "1", red["eScarletBillNo"])
    assert state["eScarletRandom"] == red["eScarletRandom"]
    of_red = call(STATES, billBatchCode=red["eScarletBillBatchCode"], billNo=red["eScarletBillNo"])[1]
    assert (of_red["state"], of_red["totalAmt"], of_red["relateBillNo"]) == ("3", "-123.45", first["billNo"])
    assert call(STATES, busNo="OP-1")[1]["billNo"] == first["billNo"]
    assert [one["total_fen"] for one in control.get("/ebill/bills").json["bills"]] == [12345, -12345]


def test_a_red_bill_and_an_unknown_bill_cannot_be_reversed(call: Caller) -> None:
    red = call(WRITE_OFF, **reversal(issued(call)))[1]
    of_red = {"billBatchCode": red["eScarletBillBatchCode"], "billNo": red["eScarletBillNo"]}
    assert call(WRITE_OFF, **reversal(of_red))[0] == "E1007"
    assert call(WRITE_OFF, **reversal({"billBatchCode": "33060126", "billNo": "0000000099"}))[0] == "E1004"


def test_a_bill_on_paper_is_no_longer_reversed_nor_a_reversed_one_put_on_paper(call: Caller) -> None:
    first, second = issued(call), issued(call, "OP-2")
    paper = {"pBillBatchCode": "33060101", "pBillNo": "0000000007", "operator": "窗口",
             "busDateTime": "20261123100000000", "placeCode": "001"}
    numbers = {name: first[name] for name in ("billBatchCode", "billNo")}
    assert call("turnPaper", **numbers, **paper)[0] == "S0000"
    assert call("turnPaper", **numbers, **paper)[0] == "S0000"
    assert call("turnPaper", **numbers, **{**paper, "pBillNo": "0000000008"})[0] == "E1008"
    assert call(WRITE_OFF, **reversal(first))[0] == "E1005"
    assert call(STATES, busNo="OP-1")[1]["isPrint"] == "1"
    numbers = {name: second[name] for name in ("billBatchCode", "billNo")}
    assert call("turnPaper", **numbers, **paper)[0] == "E1008"
    assert call(WRITE_OFF, **reversal(second))[0] == "S0000"
    assert call("turnPaper", **numbers, **{**paper, "pBillNo": "0000000009"})[0] == "E1006"


# -- lists ------------------------------------------------------------------------------------------
def test_a_days_bills_are_listed_page_by_page_and_summed(call: Caller) -> None:
    for number in range(5):
        issued(call, f"OP-{number}")
    issued(call, "OP-other-day", busDateTime="20261122235959999")
    call(WRITE_OFF, **reversal(issued(call, "OP-0")))
    pages = [call("getBillByBusDate", **DAY, pageNo=page, pageSize=4)[1] for page in (1, 2, 3)]
    assert [(page["total"], len(page["billList"])) for page in pages] == [(6, 4), (6, 2), (6, 0)]
    rows = [row for page in pages for row in page["billList"]]
    assert [row["busNo"] for row in rows] == ["OP-0", "OP-1", "OP-2", "OP-3", "OP-4", "OP-0"]
    assert (rows[0]["state"], rows[5]["state"], rows[5]["totalAmt"], rows[5]["dataType"]) == ("2", "3", "-123.45", "2")
    assert call("getBillByBusDate", **DAY, pageNo=1, pageSize=200, dataType="2")[1]["total"] == 1
    assert call("checkTotalData", **DAY) == ("S0000", {
        "copyNum": 5, "allTotalAmt": "617.25", "scarletNum": 1, "scarletTotalAmt": "-123.45"})
    assert call("getBillByBusDate", **DAY, pageNo=1, pageSize=201)[0] == "E1001"
    assert call("checkTotalData", busBgnDate=DAY["busEndDate"], busEndDate=DAY["busBgnDate"])[0] == "E1001"


# -- out of order, and the counter ------------------------------------------------------------------
def test_a_platform_that_is_down_answers_nobody_and_loses_nothing(call: Caller, control: Any) -> None:
    first = issued(call)
    assert control.post("/ebill/pause", json={"paused": True}).json == {"paused": True}
    response = call.send(STATES, call.envelope({"busNo": "OP-1"}))
    assert (response.status_code, response.headers["Content-Type"]) == (503, "text/html")
    assert requests.get(first["pdfUrl"], timeout=5).status_code == 503
    assert control.post("/ebill/pause", json={"paused": False}).json == {"paused": False}
    assert issued(call) == first
    assert control.post("/ebill/pause", json={}).status_code == 400


def test_a_refusal_on_demand_is_in_the_platforms_own_form(call: Caller, world: World) -> None:
    world.faults.add(Fault("ebill", "states", "refuse", params={"code": "E9999", "message": "系统繁忙"}))
    assert call(STATES, busNo="OP-1") == ("E9999", "系统繁忙")


def test_the_journal_names_operations_and_numbers_but_no_person(call: Caller, world: World) -> None:
    issued(call)
    line = world.journal[-1]
    assert (line["operation"], line["busNo"], line["code"]) == ("invoice_outpatient", "OP-1", "S0000")
    assert "赵试" not in str(line)
    assert "1234" not in str(line)


def test_the_counter_issues_reverses_turns_to_paper_and_the_platform_can_lose_a_bill(control: Any) -> None:
    made = control.post("/ebill/bills", json={"busNo": "DESK-1", "amount_fen": 501})
    assert (made.status_code, made.json["total_fen"], made.json["state"]) == (201, 501, "1")
    path = f"/ebill/bills/{made.json['billBatchCode']}/{made.json['billNo']}"
    assert control.post(f"{path}/turn-paper", json={}).json["paper"]["pBillBatchCode"] == "33060101"
    assert control.post(f"{path}/write-off", json={}).status_code == 409
    other = control.post("/ebill/bills", json={"busNo": "DESK-2", "amount_fen": 1}).json
    red = control.post(f"/ebill/bills/{other['billBatchCode']}/{other['billNo']}/write-off", json={}).json
    assert (red["total_fen"], red["reverses"]["billNo"]) == (-1, other["billNo"])
    assert control.delete(path).status_code == 204
    assert control.get(path).status_code == 404
    assert control.post("/ebill/bills", json={"busNo": "DESK-3", "amount_fen": 0}).status_code == 400
