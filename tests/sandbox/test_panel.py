"""The desk beside the phone: its page, and what the control interface tells and does for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from sandbox.faults import Fault, Faults
from sandbox.panel import PAGE
from sandbox.people import person, serial
from sandbox.phone import Control, Phone, Refused

Session = dict[str, Any]


@pytest.fixture
def site(world: Control) -> str:
    """The gateway's address."""
    return world.addresses["scf"]


@pytest.fixture
def show(phone: Phone, patient: dict[str, Any], session: Session, control: Control) -> Callable[[], dict[str, Any]]:
    """``show()``: the sheet of a registration on the phone, again for the same one each time."""
    booking = phone.book(patient["id"], session)

    def shown() -> dict[str, Any]:
        sheet: dict[str, Any] = control("POST", "/wechatpay/sheets", openid=phone.openid,
                                        **phone.open_payment(booking["id"]))
        return {**sheet, "booking": booking["id"]}

    return shown


def refusal(control: Control, method: str, path: str, **body: Any) -> tuple[int, str]:
    with pytest.raises(Refused) as refused:
        control(method, path, **body)
    return refused.value.status, refused.value.error["message"]


def state(control: Control, sheet: dict[str, Any]) -> str:
    return str(control("GET", f"/wechatpay/sheets/{sheet['id']}")["state"])


# -- the page ---------------------------------------------------------------------------------------
def test_the_desk_is_served_with_every_section_that_lies_in_its_folder(site: str) -> None:
    page = requests.get(f"{site}/town/desk", timeout=20)
    assert (page.url, page.status_code) == (f"{site}/town/desk/", 200)
    assert 'src="/"' in page.text
    sections = requests.get(f"{site}/town/desk/sections.json", timeout=20).json()
    assert sections == sorted(one.name for one in (PAGE / "sections").iterdir())
    for name in sections:
        module = requests.get(f"{site}/town/desk/sections/{name}", timeout=20)
        assert (module.status_code, module.headers["Content-Type"].partition(";")[0]) == (200, "text/javascript")
    assert requests.get(f"{site}/town/desk/../__init__.py", timeout=20).status_code == 404


def test_pages_and_the_desk_are_nobodys_news_and_no_fault_of_the_functions_meets_them(
        site: str, control: Control) -> None:
    control.fault("scf", "*", "error", times=-1)
    before = len(control("GET", "/journal"))
    assert requests.get(f"{site}/town/clock", timeout=20).status_code == 200
    assert requests.get(f"{site}/town/desk/", timeout=20).status_code == 200
    assert len(control("GET", "/journal")) == before
    assert requests.get(f"{site}/api/booking/departments", timeout=20).status_code == 500
    [line] = control("GET", "/journal?last=1")
    assert (line["system"], line["fault"]) == ("scf", "error")


# -- the payment sheet ------------------------------------------------------------------------------
def test_a_sheet_is_paid_by_either_hand_once(
        control: Control, phone: Phone, show: Callable[[], dict[str, Any]]) -> None:
    sheet = show()
    assert (sheet["at"], sheet["state"], sheet["total_fen"], sheet["description"]) == (
        "phone", "OPEN", 2500, "门诊挂号 2026-11-25")
    assert control("GET", f"/wechatpay/sheets?openid={phone.openid}")["sheet"]["id"] == sheet["id"]
    assert control("POST", f"/wechatpay/sheets/{sheet['id']}/pay")["state"] == "PAID"
    assert refusal(control, "POST", f"/wechatpay/sheets/{sheet['id']}/pay") == (409, "the sheet is closed")
    assert control("POST", f"/wechatpay/sheets/{sheet['id']}/close")["state"] == "PAID"
    assert control("GET", f"/wechatpay/sheets?openid={phone.openid}")["sheet"] is None
    control.settle()
    assert phone.booking(sheet["booking"])["state"] == "CONFIRMED"
    [order] = control("GET", f"/wechatpay/orders?openid={phone.openid}")
    assert (order["description"], order["state"]) == ("门诊挂号 2026-11-25", "SUCCESS")
    assert control("GET", "/wechatpay/orders?openid=nobody") == []


def test_a_refused_sheet_moves_no_money_and_the_next_one_may(
        control: Control, show: Callable[[], dict[str, Any]]) -> None:
    first = show()
    assert control("POST", f"/wechatpay/sheets/{first['id']}/refuse")["state"] == "REFUSED"
    second, third = show(), show()
    assert [state(control, one) for one in (first, second, third)] == ["REFUSED", "CLOSED", "OPEN"]
    assert control("POST", f"/wechatpay/sheets/{third['id']}/pay")["state"] == "PAID"


def test_a_sheet_lies_where_its_phone_was_told_and_is_over_with_its_order(
        control: Control, phone: Phone, show: Callable[[], dict[str, Any]]) -> None:
    control("PUT", f"/wechatpay/phones/{phone.openid}/sheet", at="desk")
    sheet = show()
    assert sheet["at"] == "desk"
    assert control("GET", "/wechatpay/sheets?openid=nobody") == {"at": "phone", "sheet": None}
    control("POST", f"/wechatpay/orders/{sheet['out_trade_no']}/force-pay")
    assert control("GET", f"/wechatpay/sheets?openid={phone.openid}") == {"at": "desk", "sheet": None}
    assert refusal(control, "POST", f"/wechatpay/sheets/{sheet['id']}/pay") == (409, "the order is paid")


def test_a_sheet_is_not_shown_on_another_phone_nor_with_another_signature(
        control: Control, phone: Phone, patient: dict[str, Any], session: Session) -> None:
    payment = phone.open_payment(phone.book(patient["id"], session)["id"])
    other = Phone(control).openid
    assert refusal(control, "POST", "/wechatpay/sheets", openid=other, **payment)[0] == 403
    forged = {**payment, "nonceStr": "0" * 32}
    assert refusal(control, "POST", "/wechatpay/sheets", openid=phone.openid, **forged) == (400, "paySign is wrong")
    assert refusal(control, "GET", "/wechatpay/sheets/nothing")[0] == 404


@pytest.mark.parametrize(("fate", "come"), [({"late": 600}, [0, 1]), ({"lost": True}, [0, 0]), ({}, [1, 1])])
def test_the_next_notice_is_late_or_lost_and_no_other(
        control: Control, show: Callable[[], dict[str, Any]], fate: dict[str, Any], come: list[int]) -> None:
    control("PUT", "/wechatpay/notices/next", **fate)
    sheet = show()
    control("POST", f"/wechatpay/sheets/{sheet['id']}/pay")
    assert control("GET", "/wechatpay/notices/next") == {"late": 0, "lost": False}

    def brought() -> int:
        control("POST", "/wechatpay/notices/settle")
        return sum(1 for one in control("GET", "/wechatpay/notices") if one["deliveries"]
                   and one["event_type"] == "TRANSACTION.SUCCESS" and one["out_trade_no"] == sheet["out_trade_no"])

    first = brought()
    control.advance(601)
    assert [first, brought()] == come


# -- what the other cards ask -----------------------------------------------------------------------
def test_one_system_is_mended_and_the_others_stay_broken() -> None:
    faults = Faults()
    for system in ("his", "sms"):
        faults.add(Fault(system, "*", "error", times=-1))
    faults.clear("his")
    assert [one["system"] for one in faults.listing()] == ["sms"]
    faults.clear()
    assert faults.listing() == []


def test_a_system_is_mended_by_its_name(control: Control) -> None:
    for system in ("his", "sms"):
        control.fault(system, "*", "error", times=-1)
    control("DELETE", "/faults?system=his")
    assert [one["system"] for one in control("GET", "/faults")["faults"]] == ["sms"]


def test_timers_are_told_with_when_they_are_due(control: Control) -> None:
    timers = {(one["function"], one["name"]): one for one in control("GET", "/scf/timers")}
    assert timers["worker", "every-minute"]["cron"] == "0 * * * * * *"
    assert timers["reconcile", "daily"]["next"] == "2026-11-23T02:20:00+00:00"
    assert timers["reconcile", "daily"]["fired"] is None  # none does by itself here


def test_texts_are_told_for_all_phones_newest_first(control: Control, phone: Phone) -> None:
    number = f"138{serial():08d}"
    for _ in range(2):
        bound = phone.add_patient(person(), proven=False, phone=number)
        phone.call("POST", f"account/patients/{bound['id']}/proof-codes")
        control.advance(31)
    texts = control("GET", "/sms/texts?last=1000")
    assert [one["at"] for one in texts] == sorted((one["at"] for one in texts), reverse=True)
    mine = [one["text"] for one in texts if one["phone"] == number]
    assert ["核验码" in text for text in mine] == [True, True]
    assert control("GET", "/sms/texts?last=1") == texts[:1]


def test_sessions_and_books_can_be_asked_for_by_department_and_by_patient(
        control: Control, phone: Phone, patient: dict[str, Any], session: Session) -> None:
    phone.open_payment(phone.book(patient["id"], session)["id"])
    [mine] = [one for one in control("GET", "/his/books") if one["schedule_code"] == session["his"]["code"]]
    assert control("GET", f"/his/books?patient_code={mine['patient_code']}") == [mine]
    assert (mine["schedule_state"], mine["doctor_name"]) == ("OPEN", session["doctor_name"])
    made = control("POST", "/his/bills", patient_code=mine["patient_code"], kind="LABORATORY")
    assert [one["bill_no"] for one in control("GET", f"/his/bills?patient_code={mine['patient_code']}")] == [
        made["bill_no"]]
    assert control("GET", "/his/bills?patient_code=P0") == control("GET", "/his/charges?patient_code=P0") == []
    department = session["his"]["department_code"]
    shown = control("GET", f"/his/schedules?date=2026-11-25&department_code={department}")
    assert {one["department_code"] for one in shown} == {department}
    [one] = [one for one in shown if one["code"] == session["his"]["code"]]
    assert (one["free"], one["state"], one["doctor_name"]) == (5, "OPEN", session["doctor_name"])
    assert refusal(control, "GET", "/his/schedules?date=soon")[0] == 422
