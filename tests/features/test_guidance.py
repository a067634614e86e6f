"""Guidance: where, when, with what; what was paid in the order that suits it, and why; places as data."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from sandbox.his.places import plan
from sandbox.phone import Control, Phone
from tests.features.conftest import refused
from tests.features.whose import Record, steal

TODAY, NEXT = "2026-11-23", "检查引导通知"
_moments = count(0)
Ordered = Callable[..., list[dict[str, Any]]]


def item(code: str) -> dict[str, str]:
    """One thing of the price list."""
    return {"code": code}


def at_eight(control: Control) -> None:
    """A moment after eight that no other test of this file has: what was told of a queue then is another's."""
    moment = 20 * next(_moments)
    control("PUT", "/clock", now=f"{TODAY}T08:{moment // 60:02d}:{moment % 60:02d}+08:00")


def paid(control: Control, phone: Phone, patient: dict[str, Any], bills: list[dict[str, Any]]) -> str:
    """An order for all of these, paid and settled."""
    wanted = {one["bill_no"] for one in bills}
    order = phone.pay_bills(patient["id"], [one for one in phone.bills(patient["id"]) if one["bill_no"] in wanted])
    control.settle()
    return str(order)


def way(phone: Phone, patient: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = phone.call("GET", "guide/way", params={"patient_id": patient["id"]})
    return shown


def empty_queues(control: Control, *codes: str, **how: Any) -> None:
    for code in codes:
        control("PUT", f"/his/queues/{code}", **{"waiting": 0, **how})
    control.advance(4)


# -- a visit ----------------------------------------------------------------------------------------
@pytest.mark.feature("guide.booked")
def test_who_has_booked_is_led_to_the_place_with_what_to_bring_and_when_to_take_a_number(
        control: Control, guest: Phone, ill: dict[str, Any], new_session: Any, visit: Any) -> None:
    session = new_session(date="2026-11-25", period="AFTERNOON")
    shown = guest.call("GET", f"guide/bookings/{visit(guest, ill, session)}")
    assert (shown["state"], shown["place"]["where"], shown["where"]) == (
        "CONFIRMED", "门诊楼3层A区", guest.booking(shown["booking_id"])["location"])
    assert shown["bring"] == ["身份证或医保卡", "以前的病历和检查结果"]
    assert shown["walk_minutes"] == 3  # two floors up, and along the corridor
    assert [one["title"] for one in shown["steps"]] == ["先取号", "再候诊", "别迟到"]
    assert shown["steps"][0]["text"] == "11月25日11:30起可以取号：在本小程序、自助机或分诊台都可以。"


@pytest.mark.feature("guide.checked-in")
def test_who_has_checked_in_is_led_to_the_waiting_area_and_told_the_number(
        control: Control, guest: Phone, ill: dict[str, Any], new_session: Any, visit: Any) -> None:
    booking = visit(guest, ill, new_session(date=TODAY))
    number = guest.check_in(booking)["booking"]["queue_number"]
    shown = guest.call("GET", f"guide/bookings/{booking}")
    assert (shown["state"], shown["where"].endswith("候诊区")) == ("CHECKED_IN", True)
    assert [one["title"] for one in shown["steps"]] == ["去候诊", "听叫号", "过号怎么办"]
    assert number in shown["steps"][1]["text"]


def test_what_is_not_firm_has_no_way_yet(control: Control, guest: Phone, ill: dict[str, Any], ward: Any) -> None:
    held = guest.book(ill["id"], ward)["id"]
    assert guest.call("GET", f"guide/bookings/{held}")["steps"] == []


# -- what was paid ----------------------------------------------------------------------------------
@pytest.mark.feature("guide.pharmacy")
def test_drugs_wait_at_their_window_with_those_who_wait_there(
        control: Control, guest: Phone, ill: dict[str, Any], ordered: Ordered) -> None:
    bills = ordered(ill, "PRESCRIPTION", items=[item("Y0001")])
    order = paid(control, guest, ill, bills)
    code = guest.bill(ill["id"], bills[0]["bill_no"])["items"][0]["executing_department_name"]
    assert code == "门诊西药房"
    empty_queues(control, "8101", waiting=4)
    [pick_up] = way(guest, ill)["drugs"]
    assert pick_up["window"] == guest.charge_order(order)["charges"][0]["pharmacy_window"] != ""
    assert (pick_up["where"], pick_up["place"]["name"], pick_up["waiting"]) == ("门诊楼1层西药房", "门诊西药房", 4)
    assert pick_up["place"]["way"] == "进大厅左手边"


@pytest.mark.feature("guide.execution")
def test_examinations_go_fasting_first_full_bladder_last_and_each_says_why(
        control: Control, guest: Phone, ill: dict[str, Any], ordered: Ordered) -> None:
    at_eight(control)
    bills = [*ordered(ill, "LABORATORY", items=[item("H0005"), item("H0001")]),
             *ordered(ill, "EXAMINATION", items=[item("B0002")]),
             *ordered(ill, "EXAMINATION", items=[item("C0001")])]
    paid(control, guest, ill, bills)
    empty_queues(control, "8201", "8302", "8303", seconds_each=300)
    shown = way(guest, ill)
    assert [one["items"] for one in shown["stops"]] == [
        ["肝功能十一项", "血常规（五分类）"], ["常规十二导联心电图"], ["泌尿系彩色多普勒超声"]]
    blood, heart, bladder = shown["stops"]
    assert blood["why"] == "要空腹，所以先做；做完就可以吃东西了。"
    assert (blood["where"], blood["advice"]) == ("门诊楼2层采血处", ["抽血前8小时不吃东西，可以喝少量白开水。"])
    assert bladder["why"].startswith("要憋尿：现在开始喝水，约09:0")
    assert bladder["why"].endswith("可以做，所以放在最后。")
    assert (heart["waiting"], heart["wait_minutes"], shown["live"], shown["missed"]) == (0, 0, True, [])
    assert blood["begins_at"] < heart["begins_at"] < bladder["begins_at"]


def test_what_is_done_goes_from_the_way_and_the_next_stop_is_told_once(
        control: Control, phone: Phone, patient: dict[str, Any], ordered: Ordered) -> None:
    at_eight(control)
    [blood] = ordered(patient, "LABORATORY", items=[item("H0008")])
    [heart] = ordered(patient, "EXAMINATION", items=[item("C0001")])
    paid(control, phone, patient, [blood, heart])
    assert [one["name"] for one in way(phone, patient)["stops"]] == ["空腹血糖", "常规十二导联心电图"]
    control("POST", f"/his/bills/{blood['bill_no']}/execute")
    control.settle()
    control.work()
    control.settle()
    shown = way(phone, patient)
    assert ([one["name"] for one in shown["stops"]], shown["done"]) == (["常规十二导联心电图"], ["空腹血糖"])
    [told] = phone.inbox(NEXT)
    assert told["lines"][1:] == ["前往地点: 门诊楼3层心电图室", "项目: 常规十二导联心电图"]
    assert told["page"] == f"way/stops?patient={patient['id']}"


def test_what_can_not_be_done_today_any_more_is_said(
        control: Control, guest: Phone, ill: dict[str, Any], ordered: Ordered) -> None:
    paid(control, guest, ill, ordered(ill, "LABORATORY", items=[item("H0005")]))
    control("PUT", "/clock", now=f"{TODAY}T19:00:00+08:00")
    shown = way(guest.sign_in(), ill)
    assert (shown["stops"], [one["why"] for one in shown["missed"]]) == ([], ["今天来不及了，请改天早上空腹来做。"])


def test_when_the_his_is_silent_the_way_is_as_it_was_paid(
        control: Control, guest: Phone, ill: dict[str, Any], ordered: Ordered) -> None:
    at_eight(control)
    paid(control, guest, ill, ordered(ill, "EXAMINATION", items=[item("C0004")]))
    for operation in ("get_bill", "show_queue"):
        control("POST", "/faults", system="his", operation=operation, kind="error", times=-1)
    try:
        control.advance(4)
        shown = way(guest, ill)
        assert ([one["name"] for one in shown["stops"]], shown["live"]) == (["胸部CT平扫"], False)
    finally:
        control("DELETE", "/faults")


def test_a_stranger_and_who_has_not_proven_the_record_get_no_way(
        control: Control, ill: dict[str, Any], thief: Phone, record: Record) -> None:
    assert refused(lambda: way(thief, steal(thief, record))) == (403, "proof_required")
    assert refused(lambda: way(Phone(control).sign_in(), ill)) == (404, "patient_not_found")


# -- the places -------------------------------------------------------------------------------------
def test_places_are_loaded_as_a_whole_and_shown_as_they_were_loaded(control: Control) -> None:
    shown = control.operate("places.show")["plan"]
    assert len(shown["places"]) == len(plan()["places"])
    loaded = control.operate("places.load", plan=shown)
    assert loaded["places"] == len(shown["places"])
    assert control.operate("places.show")["plan"] == shown


@pytest.mark.parametrize(("change", "said"), [
    ({"places": [{"code": "p1", "name": "影像", "building": "nowhere", "level": 1}]}, "stands nowhere"),
    ({"preparations": [{"name": "甲", "named": ["甲"], "after": ["乙"]}]}, "after names no rule"),
    ({"preparations": [{"name": "甲", "named": ["甲"], "after": ["乙"]}, {"name": "乙", "named": ["乙"],
                                                                          "after": ["甲"]}]}, "each waits for another"),
    ({"entrance": "p9"}, "stands nowhere")])
def test_a_plan_in_which_something_stands_nowhere_changes_nothing(
        control: Control, change: dict[str, Any], said: str) -> None:
    before = control.operate("places.show")
    answer = control("POST", "/scf/invoke/operations", event={
        "action": "places.load", "by": "tester", "plan": {**plan(), **change}})
    assert said in str(answer)
    assert control.operate("places.show") == before
