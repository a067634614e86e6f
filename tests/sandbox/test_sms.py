"""SMS: the gateway to the platform, and the platform's rules as the sandbox keeps them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from flask import Flask
from hospital.gateways import sms
from hospital.gateways.outcome import Rejected, Unanswered
from hospital.runtime import cloud

from sandbox.clock import Clock
from sandbox.faults import Fault, Faults
from sandbox.sms import Sms
from sandbox.sms.book import Book
from sandbox.sms.system import APP_ID, BOUND, CODE, CODE_ABROAD, SIGN, TEMPLATES
from sandbox.system import World

KEYS = {"TENCENTCLOUD_SECRETID": "AKIDsms", "TENCENTCLOUD_SECRETKEY": "smskey", "TENCENTCLOUD_SESSIONTOKEN": "t+/= 1"}
PHONE = "13812345678"


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sms]:
    system = Sms(World(Clock(), Faults(), deque()), credentials={"secret_id": "AKIDsms", "secret_key": "smskey",
                                                                 "token": "t+/= 1"})
    address = system.serve()
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    configure(monkeypatch, address)
    yield system
    cloud._client.cache_clear()


def configure(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    settings = SimpleNamespace(sms_base=address, region="ap-guangzhou")
    monkeypatch.setattr(sms, "config", lambda: settings)
    monkeypatch.setattr(cloud, "config", lambda: settings)
    cloud._client.cache_clear()


def send(phone: str = PHONE, template: str = CODE, values: list[str] | None = None, **more: str) -> None:
    sms.send(phone, template, ["123456", "5"] if values is None else values, **{"app_id": APP_ID, "sign": SIGN, **more})


def on_phone(platform: Sms, number: str = PHONE) -> list[dict[str, Any]]:
    app = Flask("control")
    app.register_blueprint(platform.control, url_prefix="/sms")
    shown: list[dict[str, Any]] = app.test_client().get(f"/sms/phones/{number}").get_json()
    return shown


def refusal(**how: Any) -> str:
    with pytest.raises(Rejected) as refused:
        send(**how)
    return refused.value.code


def test_a_text_is_on_the_phone_as_its_template_says(platform: Sms) -> None:
    send()
    send("+85261234567", CODE_ABROAD)
    send("13899998888", BOUND, ["2026-11-23"])
    [text] = on_phone(platform)
    assert (text["template_id"], text["values"]) == (CODE, ["123456", "5"])
    assert text["text"].startswith("123456为您的就诊人核验码，5分钟内有效")
    assert len(on_phone(platform, "+85261234567")) == len(on_phone(platform, "13899998888")) == 1
    assert platform.world.journal[0]["codes"] == ["Ok"]
    assert PHONE not in str(platform.world.journal)


@pytest.mark.parametrize(("how", "code"), [
    ({"app_id": "1400999999"}, "UnauthorizedOperation.SmsSdkAppIdVerifyFail"),
    ({"sign": "别家医院"}, "FailedOperation.SignatureIncorrectOrUnapproved"),
    ({"template": "1"}, "FailedOperation.TemplateIncorrectOrUnapproved"),
    ({"template": CODE_ABROAD}, "FailedOperation.TemplateIncorrectOrUnapproved"),
    ({"phone": "+85261234567"}, "FailedOperation.TemplateIncorrectOrUnapproved"),
    ({"values": ["123456"]}, "FailedOperation.TemplateParamSetNotMatchApprovedTemplate"),
    ({"values": ["12345a", "5"]}, "InvalidParameterValue.TemplateParameterFormatError"),
    ({"values": ["1234567", "5"]}, "InvalidParameterValue.TemplateParameterFormatError"),
    ({"template": BOUND, "values": ["x" * 13]}, "InvalidParameterValue.TemplateParameterLengthLimit"),
    ({"phone": "12345"}, "InvalidParameterValue.IncorrectPhoneNumber")])
def test_what_the_platform_refuses_is_refused_with_its_code_and_sends_nothing(platform: Sms, how: dict[str, Any],
                                                                              code: str) -> None:
    assert refusal(**how) == code
    assert on_phone(platform) == []


def test_two_texts_within_30_seconds_are_too_often_for_one_number_alone(platform: Sms) -> None:
    send()
    assert refusal() == "LimitExceeded.PhoneNumberThirtySecondLimit"
    send("13812345679")  # another number is not concerned
    assert len(on_phone(platform)) == 1


def test_a_number_has_one_text_in_30_seconds_five_an_hour_and_ten_a_day() -> None:
    book, template = Book(), TEMPLATES[CODE]
    now = datetime(2026, 11, 23, 0, 0, tzinfo=timezone(timedelta(hours=8)))

    def send_at(after: timedelta) -> str | None:
        nonlocal now
        now += after
        code = book.refusal(PHONE, template, ["123456", "5"], now)
        if code is None:
            book.send(PHONE, CODE, template, ["123456", "5"], now)
        return code

    assert send_at(timedelta(0)) is None
    assert send_at(timedelta(seconds=29)) == "LimitExceeded.PhoneNumberThirtySecondLimit"
    assert [send_at(timedelta(seconds=31)) for _ in range(4)] == [None] * 4
    assert send_at(timedelta(seconds=31)) == "LimitExceeded.PhoneNumberOneHourLimit"
    assert [send_at(timedelta(minutes=61)) for _ in range(5)] == [None] * 5
    assert send_at(timedelta(minutes=61)) == "LimitExceeded.PhoneNumberDailyLimit"
    assert send_at(timedelta(days=1)) is None
    book.forget_limits(PHONE)
    assert send_at(timedelta(0)) is None
    assert {"LimitExceeded.PhoneNumberThirtySecondLimit", "LimitExceeded.PhoneNumberOneHourLimit",
            "LimitExceeded.PhoneNumberDailyLimit"} <= sms.TOO_OFTEN


def test_another_secret_is_refused_and_nothing_is_sent(platform: Sms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENCENTCLOUD_SECRETKEY", "another")
    assert refusal() == "AuthFailure.SignatureFailure"
    assert on_phone(platform) == []


@pytest.mark.parametrize(("headers", "code"), [
    ({}, "AuthFailure.InvalidAuthorization"),
    ({"Authorization": "TC3-HMAC-SHA256 x"}, "AuthFailure.InvalidAuthorization")])
def test_who_has_not_signed_is_refused(platform: Sms, headers: dict[str, str], code: str) -> None:
    answer = requests.post(f"{platform.address}/", json={}, headers=headers, timeout=10)
    assert (answer.status_code, answer.json()["Response"]["Error"]["Code"]) == (200, code)


@pytest.mark.parametrize(("kind", "params"), [
    ("cut_before", {}), ("cut_after", {}), ("garbage", {}), ("error", {"status": 502}),
    ("refuse", {"code": "InternalError.Timeout", "status": 200})])
def test_what_is_no_clear_answer_is_unknown(platform: Sms, kind: str, params: dict[str, Any]) -> None:
    platform.world.faults.add(Fault(system="sms", operation="send_sms", kind=kind, params=params))
    with pytest.raises(Unanswered):
        send()
    send("13812340000")


@pytest.mark.parametrize("code", ["RequestLimitExceeded", "RequestLimitExceeded.UinLimitExceeded"])
def test_what_is_refused_for_too_many_calls_was_not_sent(platform: Sms, code: str) -> None:
    platform.world.faults.add(Fault(system="sms", operation="send_sms", kind="refuse",
                                    params={"code": code, "status": 200}))
    assert refusal() == code
    assert sms.is_busy(code)
    assert on_phone(platform) == []


@pytest.mark.parametrize(("code", "until"), [
    ("LimitExceeded.PhoneNumberThirtySecondLimit", "2026-11-23T23:00:30"),
    ("LimitExceeded.PhoneNumberOneHourLimit", "2026-11-24T00:00:00"),
    ("LimitExceeded.DeliveryFrequencyLimit", "2026-11-24T00:00:00"),
    ("LimitExceeded.PhoneNumberDailyLimit", "2026-11-24T00:00:00"),
    ("LimitExceeded.PhoneNumberSameContentDailyLimit", "2026-11-24T00:00:00")])
def test_a_phone_that_has_had_enough_may_be_sent_more_after_the_limit_s_time(code: str, until: str) -> None:
    now = datetime(2026, 11, 23, 23, 0, tzinfo=timezone(timedelta(hours=8)))
    assert sms.may_again_at(code, now).isoformat() == f"{until}+08:00"


def test_a_platform_that_is_not_there_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    configure(monkeypatch, "http://127.0.0.1:9")
    with pytest.raises(Unanswered):
        send()
    cloud._client.cache_clear()


def test_an_action_a_version_or_a_field_that_is_not_known_is_refused(platform: Sms) -> None:
    for service, version, action, params, code in (
            ("sms", "2021-01-11", "SendAll", {}, "InvalidAction"),
            ("sms", "2019-07-11", "SendSms", {}, "NoSuchVersion"),
            ("scf", "2021-01-11", "SendSms", {}, "InvalidAction"),
            ("sms", "2021-01-11", "SendSms", {"Phone": "1"}, "UnknownParameter"),
            ("sms", "2021-01-11", "SendSms", {}, "MissingParameter.EmptyPhoneNumberSet"),
            ("sms", "2021-01-11", "SendSms", {"PhoneNumberSet": PHONE}, "InvalidParameter"),
            ("sms", "2021-01-11", "SendSms", {"PhoneNumberSet": [PHONE]}, "MissingParameter"),
            ("sms", "2021-01-11", "SendSms", {"PhoneNumberSet": [PHONE] * 201}, "LimitExceeded.PhoneNumberCountLimit"),
            ("sms", "2021-01-11", "SendSms", {"PhoneNumberSet": [PHONE, "+85261234567"]},
             "UnsupportedOperation.ContainDomesticAndInternationalPhoneNumber")):
        with pytest.raises(cloud.NoCloud) as refused:
            cloud.call(service, version, action, params, base=platform.address)
        assert refused.value.code == code
