"""Signing in, binding, master data, secrets: each outside call that is not a step of the visit itself."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.people import person
from sandbox.phone import Control, Phone, Refused
from tests.faults.conftest import Sql, Visit
from tests.faults.test_each_call import FAULTS, LASTING

TIMES = pytest.mark.parametrize("times", [1, 3])


def refused(act: Any) -> Refused | None:
    """How it was refused, if it was."""
    try:
        act()
    except Refused as refusal:
        return refusal
    return None


# -- signing in -------------------------------------------------------------------------------------
@pytest.mark.parametrize("fault", FAULTS)
def test_signing_in_says_try_later_and_then_works(control: Control, fault: str) -> None:
    kind, params = FAULTS[fault]
    phone = Phone(control)
    control.fault("wechat", "code2session", kind, **params)
    answer = refused(phone.sign_in)
    assert (answer is None) if fault == "delay" else (answer is not None and answer.status == 503)
    phone.sign_in()
    assert phone.call("GET", "account/me")["patients"] == 0


def test_signing_in_works_again_after_wechat_was_down_for_a_while(control: Control) -> None:
    phone = Phone(control)
    for fault in LASTING:
        control.fault("wechat", "*", FAULTS[fault][0])
    for _ in LASTING:
        answer = refused(phone.sign_in)
        assert answer is not None
        assert answer.status == 503
    phone.sign_in()


@pytest.mark.parametrize("code", ["40029", "40163"])
def test_a_code_that_wechat_does_not_take_is_answered_401(control: Control, code: str) -> None:
    control.fault("wechat", "code2session", "refuse", code=code)
    answer = refused(Phone(control).sign_in)
    assert answer is not None
    assert (answer.status, answer.code) == (401, "wechat_code_invalid")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_phone_number_is_recorded_once_wechat_answers(phone: Phone, fault: str) -> None:
    kind, params = FAULTS[fault]
    phone.control.fault("wechat", "phone_number", kind, **params)
    answer = refused(lambda: phone.call("POST", "account/phone", {"code": phone.phone_code()}))
    assert (answer is None) if fault == "delay" else (answer is not None and answer.status == 503)
    assert (phone.call("GET", "account/me")["phone"] is not None) == (fault == "delay")
    shown = phone.call("POST", "account/phone", {"code": phone.phone_code()})
    assert shown["phone"][-4:] == phone.number[-4:]


# -- binding ----------------------------------------------------------------------------------------
@TIMES
@pytest.mark.parametrize("fault", FAULTS)
def test_a_patient_is_bound_once_however_the_his_answers(phone: Phone, sql: Sql, fault: str, times: int) -> None:
    kind, params = FAULTS[fault]
    one = person()
    phone.control.fault("his", "match_patient", kind, times=times, **params)
    for _ in range(times):
        answer = refused(lambda: phone.add_patient(one))
        if fault == "delay":
            assert answer is None or answer.code == "already_bound"
        else:
            assert answer is not None
            assert (answer.status, answer.code) == ((409, "patient_refused") if fault == "refuse"
                                                    else (503, "his_unavailable"))
            assert phone.call("GET", "account/patients")["patients"] == []
    if fault != "delay":
        phone.add_patient(one)
    phone.control.settle()
    bound = phone.call("GET", "account/patients")["patients"]
    assert len(bound) == 1
    assert len(sql("SELECT id FROM bindings WHERE patient_id = %s", (bound[0]["id"],))) == 1
    assert len(phone.inbox("绑定通知")) == 1


# -- master data ------------------------------------------------------------------------------------
@pytest.mark.parametrize("operation", ["list_departments", "list_doctors", "list_schedules"])
@pytest.mark.parametrize("fault", ["refuse", "error", "cut-before", "garbage"])
def test_master_data_stays_as_it_is_until_the_his_answers(control: Control, sql: Sql, operation: str, fault: str,
                                                          hall: dict[str, Any]) -> None:
    def counted() -> list[tuple[Any, ...]]:
        return sql("SELECT (SELECT COUNT(*) FROM doctors), (SELECT COUNT(*) FROM his_departments), "
                   "(SELECT COUNT(*) FROM slots), (SELECT COUNT(*) FROM schedules WHERE state = 'OPEN')")

    kind, params = FAULTS[fault]
    before = counted()
    control.fault("his", operation, kind, **params)
    assert refused(lambda: control.operate("schedules.sync", schedule=hall["his"]["code"])) is not None
    assert counted() == before
    control.operate("schedules.sync", schedule=hall["his"]["code"])
    assert counted() == before


def test_a_sync_that_fails_half_way_is_completed_by_the_next(control: Control, sql: Sql) -> None:
    department = control("GET", "/his/departments")["departments"][0]["code"]
    made = control("POST", "/his/schedules", date="2026-11-26", period="MORNING", kind="EXPERT", fee_fen=2500, slots=2,
                   doctor="new", department_code=department)
    control.fault("his", "list_schedules", "cut_after")
    assert refused(lambda: control.operate("schedules.sync", schedule=made["code"])) is not None
    assert sql("SELECT id FROM schedules WHERE his_code = %s", (made["code"],)) == []
    control.operate("schedules.sync", schedule=made["code"])
    assert len(sql("SELECT s.id FROM slots s JOIN schedules c ON c.id = s.schedule_id WHERE c.his_code = %s",
                   (made["code"],))) == 2


# -- secrets at a cold start ------------------------------------------------------------------------
@pytest.mark.parametrize("fault", ["refuse", "error", "cut-before", "garbage"])
def test_a_function_without_its_secrets_says_try_later_and_then_works(phone: Phone, fault: str) -> None:
    kind, params = FAULTS[fault]
    phone.control.settle()
    phone.control("POST", "/scf/instances/stop", function="booking")
    phone.control.fault("cloud", "get_secret_value", kind, times=1, **params)
    answer = phone.raw("GET", "booking/bookings")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
    assert phone.raw("GET", "booking/bookings").status_code == 200


def test_a_worker_without_its_secrets_loses_nothing(visit: Visit) -> None:
    visit.book()
    assert visit.open()
    visit.control.settle()
    address = f"{visit.control.addresses['scf']}/api/pay_callback/notices/payment"
    visit.control("POST", "/wechatpay/probes", notify_url=address)  # the notice's function has its secrets
    visit.control("POST", "/scf/instances/stop", function="worker")
    visit.control.fault("cloud", "get_secret_value", "error", times=2)
    visit.pay()
    visit.control.settle()
    visit.recover()
    visit.check("CONFIRMED")
    assert len(visit.phone.inbox()) == 1


def test_a_notice_is_not_taken_for_forged_while_there_is_no_secret(visit: Visit) -> None:
    visit.book()
    assert visit.open()
    visit.control.settle()
    visit.control("POST", "/scf/instances/stop", function="pay_callback")
    visit.control.fault("cloud", "get_secret_value", "error")
    visit.pay()
    visit.control.settle()
    statuses = [delivery["status"] for notice in visit.control("GET", "/wechatpay/notices")
                if notice["out_trade_no"] == visit.out_trade_no for delivery in notice["deliveries"]]
    assert statuses == [503]
    visit.recover()
    visit.check("CONFIRMED")
