"""The SMS platform as the SDK calls it. Source: SMS 2021-01-11 SendSms."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from typing import Any

from flask import Response, jsonify, request

from sandbox.cloud_api.tc3 import AuthFailure, verify
from sandbox.sms.book import Book, Template
from sandbox.system import System, World

APP_ID = "1400000001"
SIGN = "示范医院"
CODE, CODE_ABROAD, BOUND = "2100001", "2100002", "2100003"
TEMPLATES = {
    CODE: Template("{1}为您的就诊人核验码，{2}分钟内有效，请勿告知他人。如非本人操作请忽略。", True),
    CODE_ABROAD: Template("{1} is your code; it is good for {2} minutes. Tell nobody.", True, abroad=True),
    BOUND: Template("您在本院的就诊档案于{1}被一个新的微信账号添加为就诊人。"
                    "如非本人或家人操作，请在小程序中核对，或致电本院。", False)}
_MOST_NUMBERS = 200
_FIELDS = {"PhoneNumberSet", "SmsSdkAppId", "TemplateId", "SignName", "TemplateParamSet", "ExtendCode",
           "SessionContext", "SenderId"}


class Refused(Exception):
    """The call as a whole is refused; ``code`` is the platform's."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def policy_settings() -> dict[str, str]:
    """As the hospital's settings say it."""
    return {"sms_app_id": APP_ID, "sms_sign": SIGN, "sms_code_template": CODE, "sms_code_template_abroad": CODE_ABROAD,
            "sms_bound_template": BOUND}


class Sms(System):
    """One operation, ``send_sms``. Errors come as HTTP 200 with ``Error`` inside, those of a number in its status."""

    name = "sms"

    def __init__(self, world: World, *, credentials: Mapping[str, str]) -> None:
        super().__init__(world)
        self._credentials = dict(credentials)
        self._book = Book()
        self.app.add_url_rule("/", endpoint="send_sms", view_func=self._call, methods=["POST"])
        self.control.add_url_rule("/texts", endpoint="newest", view_func=self._newest, methods=["GET"])
        self.control.add_url_rule("/phones/<number>", endpoint="texts", view_func=self._texts, methods=["GET"])
        self.control.add_url_rule("/phones/<number>/limits", endpoint="forget_limits", view_func=self._forget,
                                  methods=["DELETE"])

    def refusal(self, code: str, message: str, status: int = 200) -> Response:
        """An error in the cloud's form."""
        return self._response({"Error": {"Code": code, "Message": message}})

    # -- the endpoint -------------------------------------------------------------------------------
    def _call(self) -> Response:
        try:
            service = verify(request.headers, request.get_data(), secret_id=self._credentials["secret_id"],
                             secret_key=self._credentials["secret_key"], token=self._credentials["token"],
                             now=self.clock.timestamp())
            if service != "sms" or request.headers.get("X-TC-Action") != "SendSms":
                raise Refused("InvalidAction", "the action does not exist")
            if request.headers.get("X-TC-Version") != "2021-01-11":
                raise Refused("NoSuchVersion", "the version does not exist")
            if not request.headers.get("X-TC-Region"):
                raise Refused("MissingParameter", "X-TC-Region is missing")
            return self._response({"SendStatusSet": self._send(json.loads(request.get_data() or b"{}"))})
        except (AuthFailure, Refused) as error:
            return self.refusal(error.code, error.message)
        except ValueError:
            return self.refusal("InvalidParameter", "the body is not JSON")

    def _send(self, asked: Any) -> list[dict[str, Any]]:
        if not isinstance(asked, dict):
            raise Refused("InvalidParameter", "the body must be a JSON object")
        if set(asked) - _FIELDS:
            raise Refused("UnknownParameter", f"{', '.join(sorted(set(asked) - _FIELDS))} is not known")
        numbers, values = _texts(asked, "PhoneNumberSet"), _texts(asked, "TemplateParamSet")
        if not numbers:
            raise Refused("MissingParameter.EmptyPhoneNumberSet", "PhoneNumberSet is empty")
        if len(numbers) > _MOST_NUMBERS:
            raise Refused("LimitExceeded.PhoneNumberCountLimit", "too many numbers")
        with self.lock:
            known = [self._book.number(number) for number in numbers]
            if len({number.startswith("+") for number in known if number}) > 1:
                raise Refused("UnsupportedOperation.ContainDomesticAndInternationalPhoneNumber",
                              "numbers of both kinds")
            statuses = [self._one(given, number, asked, values) for given, number in zip(numbers, known, strict=True)]
        self.note(codes=[one["Code"] for one in statuses])
        return statuses

    def _one(self, given: str, number: str | None, asked: dict[str, Any], values: list[str]) -> dict[str, Any]:
        now, template = self.clock.now(), TEMPLATES.get(_text(asked, "TemplateId"))
        if _text(asked, "SmsSdkAppId") != APP_ID:
            code: str | None = "UnauthorizedOperation.SmsSdkAppIdVerifyFail"
        elif number is None:
            code = "InvalidParameterValue.IncorrectPhoneNumber"
        elif not number.startswith("+") and asked.get("SignName") != SIGN:
            code = "FailedOperation.SignatureIncorrectOrUnapproved"
        else:
            code = self._book.refusal(number, template, values, now)
        sent = code is None and number is not None and template is not None
        if code is None and number is not None and template is not None:
            self._book.send(number, str(asked["TemplateId"]), template, values, now)
        return {"SerialNo": f"5000:{uuid.uuid4().hex[:24]}" if sent else "", "PhoneNumber": given,
                "Fee": 1 if sent else 0, "SessionContext": asked.get("SessionContext", ""),
                "Code": code or "Ok", "Message": "send success" if sent else f"refused: {code}",
                "IsoCode": "" if number is None or number.startswith("+") else "CN"}

    def _response(self, content: dict[str, Any]) -> Response:
        answer: Response = jsonify(Response={**content, "RequestId": str(uuid.uuid4())})
        return answer

    # -- control ------------------------------------------------------------------------------------
    def _texts(self, number: str) -> Response:
        """What lies on a phone, oldest first."""
        with self.lock:
            return jsonify([{"at": one.at.isoformat(), "template_id": one.template_id, "values": one.values,
                             "text": one.text} for one in self._book.sent.get(number, [])])

    def _newest(self) -> Response:
        """The last ``?last=20`` texts on any phone, newest first."""
        with self.lock:
            sent = [(one, number) for number, texts in self._book.sent.items() for one in texts]
        sent.sort(key=lambda pair: pair[0].at, reverse=True)
        return jsonify([{"at": one.at.isoformat(), "phone": number, "text": one.text}
                        for one, number in sent[:request.args.get("last", 20, int)]])

    def _forget(self, number: str) -> tuple[str, int]:
        with self.lock:
            self._book.forget_limits(number)
        return "", 204


def _text(asked: dict[str, Any], name: str) -> str:
    value = asked.get(name)
    if not isinstance(value, str) or not re.search(r"\S", value):
        raise Refused("MissingParameter", f"{name} is missing")
    return value


def _texts(asked: dict[str, Any], name: str) -> list[str]:
    value = asked.get(name, [])
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise Refused("InvalidParameter", f"{name} must be a list of strings")
    return value
