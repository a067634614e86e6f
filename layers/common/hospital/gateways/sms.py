"""Tencent Cloud SMS: one text to one phone, by a template that the hospital had approved.

Source: SMS 2021-01-11 SendSms. The answer says for each number how it went; a text that was taken may still come
late or never, so nothing here waits for its arrival.
"""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from typing import Any

from hospital.gateways.outcome import Rejected, Unanswered
from hospital.runtime import cloud
from hospital.runtime.clock import at_hospital, hospital_day
from hospital.runtime.config import config

# The phone has had enough for now: by the platform's own limits (30 s, an hour, a day), or the carrier's.
TOO_OFTEN = {"LimitExceeded.PhoneNumberThirtySecondLimit", "LimitExceeded.PhoneNumberOneHourLimit",
             "LimitExceeded.PhoneNumberDailyLimit", "LimitExceeded.PhoneNumberSameContentDailyLimit",
             "LimitExceeded.DeliveryFrequencyLimit"}
# Nobody can be reached there.
UNREACHABLE = {"InvalidParameterValue.IncorrectPhoneNumber", "FailedOperation.PhoneNumberInBlacklist",
               "UnsupportedOperation.ContainDomesticAndInternationalPhoneNumber",
               "UnsupportedOperation.UnsupportedRegion"}
_UNKNOWN = re.compile(r"(Client|Server)NetworkError|InternalError.*|[A-Za-z]+Error")


def is_busy(code: str) -> bool:
    """Whether a refusal is about the number of all calls at this moment: surely not sent, and may be said again."""
    return code.partition(".")[0] == "RequestLimitExceeded"


def may_again_at(code: str, now: datetime) -> datetime:
    """When a phone that has had enough (``TOO_OFTEN``) may be sent more, at the latest."""
    if code == "LimitExceeded.PhoneNumberThirtySecondLimit":
        return now + timedelta(seconds=30)
    if "Daily" in code:  # a day of the calendar
        return at_hospital(hospital_day(now) + timedelta(days=1), time(0))
    return now + timedelta(hours=1)


def send(phone: str, template: str, values: list[str], *, app_id: str, sign: str) -> None:
    """Send a template's text to a phone in its canonical form.

    Raises Rejected (``TOO_OFTEN``, busy, ``UNREACHABLE``, or a setting that SMS does not take), Unanswered.
    """
    number = phone if phone.startswith("+") else f"+86{phone}"
    try:
        answer = cloud.call("sms", "2021-01-11", "SendSms", {
            "PhoneNumberSet": [number], "SmsSdkAppId": app_id, "SignName": sign, "TemplateId": template,
            "TemplateParamSet": values}, base=config().sms_base)
    except cloud.NoCloud as error:
        if _UNKNOWN.fullmatch(error.code):
            raise Unanswered(f"sms: {error.code}") from None
        raise Rejected(error.code) from None
    code = _status(answer)
    if code != "Ok":
        raise Rejected(code)


def _status(answer: dict[str, Any]) -> str:
    try:
        [status] = answer["SendStatusSet"]
        return str(status["Code"])
    except (KeyError, TypeError, ValueError):
        raise Unanswered("sms: unreadable answer") from None
