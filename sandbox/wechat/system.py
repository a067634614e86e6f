"""The mini-program's server API, answered in WeChat's own manner: HTTP 200 with errcode and errmsg."""

from __future__ import annotations

import base64
import json
import re
import secrets
from typing import Any, Literal

from flask import Response, jsonify, request
from pydantic import Field

from sandbox.system import System, World
from sandbox.wechat.control_json import ControlBody, Impossible, answer_errors, body_as
from sandbox.wechat.keywords import keyword_type, misfit, value_of
from sandbox.wechat.phones import CodeKind, CountryAs, Phone, Phones
from sandbox.wechat.tokens import TokenRefused, Tokens

KEYWORDS = 5  # of one template
_PAGE = re.compile(r"[\w-]+(/[\w-]+)*(\?[^\s#]*)?", re.ASCII)


class NewPhone(ControlBody):
    """A person to invent; without ``phone`` the number is made up. ``country`` is its country's code.

    ``country_as``: how WeChat tells the code, as the number of its documentation's example or the text of its table.
    """

    phone: str | None = Field(default=None, pattern=r"^\d{5,14}$")
    country: str = Field(default="86", pattern=r"^[1-9]\d{0,3}$")
    country_as: CountryAs = "number"


class Answer(ControlBody):
    """The person's answer when asked for leave to send. ``times``: taps, so messages allowed."""

    accept: bool = True
    times: int = Field(default=1, ge=1, le=100)


class Consent(Answer):
    """The answer for one template."""

    template_id: str


class Consents(Answer):
    """The answer for several at once."""

    template_ids: list[str]


class Expiry(ControlBody):
    """How all tokens end: 40001 (no longer valid) or 42001 (expired)."""

    errcode: Literal[40001, 42001] = 40001


class Words(ControlBody):
    """Words by which a text is called risky, or left to people."""

    risky: list[str] = ["赌博网站", "代开发票"]
    review: list[str] = ["加我微信"]


class Refused(Exception):
    """A definite refusal: WeChat's errcode and errmsg."""

    def __init__(self, errcode: int, errmsg: str) -> None:
        super().__init__(errmsg)
        self.errcode = errcode
        self.errmsg = errmsg


class WeChat(System):
    """api.weixin.qq.com for one mini-program, and the phones of the people who use it.

    ``templates``: {template_id: {"name": str, "keywords": {"thing1": "就诊人", …}, "long_term": bool}}.
    Raises ValueError for a template keyword of a type WeChat has not, or more keywords than a template has.
    """

    name = "wechat"

    def __init__(
        self, world: World, *, app_id: str, app_secret: str, templates: dict[str, dict[str, Any]]
    ) -> None:
        super().__init__(world)
        self.app_id = app_id
        self._app_secret = app_secret
        self.templates = templates
        for template_id, template in templates.items():
            if len(template["keywords"]) > KEYWORDS:
                raise ValueError(f"{template_id}: a template has {KEYWORDS} keywords at most")
            for keyword in template["keywords"]:
                keyword_type(keyword)
        self.tokens = Tokens()
        self.phones = Phones()
        self.words = Words()

        def refused(error: Refused | TokenRefused) -> Response:
            self.note(errcode=error.errcode)
            return self.refusal(str(error.errcode), error.errmsg, 200)

        self.app.register_error_handler(Refused, refused)
        self.app.register_error_handler(TokenRefused, refused)
        self._add_routes()
        self._add_control()

    def _add_routes(self) -> None:
        app = self.app
        app.get("/sns/jscode2session", endpoint="code2session")(self._code2session)
        app.post("/cgi-bin/stable_token", endpoint="stable_token")(self._stable_token)
        app.post("/wxa/business/getuserphonenumber", endpoint="phone_number")(self._phone_number)
        app.post("/cgi-bin/message/subscribe/send", endpoint="send_message")(self._send_message)
        app.post("/wxa/msg_sec_check", endpoint="check_text")(self._check_text)

    def _add_control(self) -> None:
        control = self.control
        answer_errors(control)
        control.post("/phones")(self._new_phone)
        control.post("/phones/<openid>/login-code")(self._login_code)
        control.post("/phones/<openid>/phone-code")(self._phone_code)
        control.post("/phones/<openid>/consent")(self._consent)
        control.post("/phones/<openid>/consents")(self._consent_to_several)
        control.get("/phones/<openid>/consents")(self._consents)
        control.get("/phones/<openid>/inbox")(self._inbox)
        control.put("/words")(self._set_words)
        control.post("/tokens/expire")(self._expire_tokens)

    def refusal(self, code: str, message: str, status: int) -> Response:
        """HTTP 200 with errcode and errmsg, whatever ``status`` says; a code that is no number becomes -1."""
        errcode = int(code) if code.lstrip("-").isdecimal() else -1
        rid = "-".join(secrets.token_hex(4) for _ in range(3))
        return _json({"errcode": errcode, "errmsg": f"{message} rid: {rid}"})

    # -- the API --------------------------------------------------------------------------------
    def _code2session(self) -> Response:
        given = request.args
        self._check_app(given.get("appid"), given.get("secret"))
        if given.get("grant_type") != "authorization_code":
            raise Refused(40002, "invalid grant_type")
        if not given.get("js_code"):
            raise Refused(41008, "missing code")
        with self.lock:
            code = self.phones.code("login", given["js_code"])
            if code is None:
                raise Refused(40029, "invalid code")
            if code.used:
                raise Refused(40163, "code been used")
            if code.expired(self.clock.now()):
                raise Refused(40029, "invalid code")
            code.used = True
            phone = code.phone
        self.note(openid=phone.openid)
        answer = _json({"session_key": base64.b64encode(secrets.token_bytes(16)).decode(),
                        "openid": phone.openid, "unionid": phone.unionid})
        answer.headers["Content-Type"] = "text/plain"  # as the real one has it
        return answer

    def _stable_token(self) -> Response:
        body = self._body()
        self._check_app(body.get("appid"), body.get("secret"))
        if body.get("grant_type") != "client_credential":
            raise Refused(40002, "invalid grant_type")
        force = body.get("force_refresh", False)
        if not isinstance(force, bool):
            raise Refused(47001, "data format error")
        with self.lock:
            token, left = self.tokens.stable(self.clock.now(), force)
        return _json({"access_token": token, "expires_in": left})

    def _phone_number(self) -> Response:
        body = self._body_with_token()
        now = self.clock.now()
        with self.lock:
            code = self.phones.code("phone", body.get("code"))
            if code is None or code.used or code.expired(now):
                raise Refused(40029, "invalid code")
            if body.get("openid") not in (None, code.phone.openid):
                raise Refused(40029, "code and openid do not belong together")
            code.used = True
            phone = code.phone
        self.note(openid=phone.openid)
        return _json({"errcode": 0, "errmsg": "ok", "phone_info": {
            "phoneNumber": phone.number if phone.country == "86" else f"+{phone.country}{phone.number}",
            "purePhoneNumber": phone.number,
            "countryCode": int(phone.country) if phone.country_as == "number" else phone.country,
            "watermark": {"timestamp": int(now.timestamp()), "appid": self.app_id},
        }})

    def _send_message(self) -> Response:
        body = self._body_with_token()
        with self.lock:
            phone = self.phones.get(body.get("touser"))
            if phone is None:
                raise Refused(40003, "invalid openid")
            template_id = body.get("template_id")
            template = self.templates.get(template_id) if isinstance(template_id, str) else None
            if not isinstance(template_id, str) or template is None:
                raise Refused(40037, "invalid template_id")
            self.note(openid=phone.openid, template=template["name"])
            page = body.get("page") or ""
            if not isinstance(page, str) or (page and not _PAGE.fullmatch(page)):
                raise Refused(41030, "invalid page")
            if body.get("miniprogram_state", "formal") not in ("developer", "trial", "formal"):
                raise Refused(47003, "argument invalid! miniprogram_state")
            data = body.get("data")
            problem = misfit(data, template["keywords"])
            if problem is not None or not isinstance(data, dict):
                raise Refused(47003, problem or "argument invalid! data is empty")
            left = phone.consents.get(template_id, 0)
            if left == 0:
                raise Refused(43101, "user refuse to accept the msg")
            if left > 0:
                phone.consents[template_id] = left - 1
            values = {keyword: value_of(data[keyword]) for keyword in template["keywords"]}
            phone.inbox.append({
                "at": self.clock.now().isoformat(), "template_id": template_id,
                "template_name": template["name"], "page": page, "data": values,
                "lines": [f"{label}: {values[keyword]}" for keyword, label in template["keywords"].items()],
            })
        return _json({"errcode": 0, "errmsg": "ok", "msgid": secrets.randbelow(10**18)})

    def _check_text(self) -> Response:
        """msg_sec_check, version 2: what a user wrote, of whom it must be known."""
        body = self._body_with_token()
        content = body.get("content")
        if body.get("version") != 2 or body.get("scene") not in (1, 2, 3, 4):
            raise Refused(47001, "data format error")
        if not isinstance(content, str) or not content:
            raise Refused(44991, "empty content")
        if len(content) > 2500:
            raise Refused(45002, "content size out of limit")
        with self.lock:
            if self.phones.get(body.get("openid")) is None:
                raise Refused(40003, "invalid openid")
            suggest, label = next((found for found, words in (
                (("risky", 20002), self.words.risky), (("review", 20001), self.words.review))
                if any(word in content for word in words)), ("pass", 100))
        self.note(suggest=suggest)
        return _json({"errcode": 0, "errmsg": "ok", "trace_id": secrets.token_hex(12),
                      "result": {"suggest": suggest, "label": label},
                      "detail": [{"strategy": "content_model", "errcode": 0, "suggest": suggest, "label": label,
                                  "prob": 90}]})

    def _check_app(self, app_id: object, secret: object) -> None:
        if not app_id:
            raise Refused(41002, "appid missing")
        if app_id != self.app_id:
            raise Refused(40013, "invalid appid")
        if not secret:
            raise Refused(41004, "appsecret missing")
        if secret != self._app_secret:
            raise Refused(40125, "invalid appsecret")

    def _body(self) -> dict[str, Any]:
        try:
            body = json.loads(request.get_data())
        except ValueError:
            raise Refused(47001, "data format error") from None
        if not isinstance(body, dict):
            raise Refused(47001, "data format error")
        return body

    def _body_with_token(self) -> dict[str, Any]:
        with self.lock:
            self.tokens.check(request.args.get("access_token"), self.clock.now())
        return self._body()

    def _phone(self, openid: str) -> Phone:
        phone = self.phones.get(openid)
        if phone is None:
            raise Impossible("no phone with this openid", 404)
        return phone

    # -- the control interface ------------------------------------------------------------------
    def _new_phone(self) -> Response:
        wish = body_as(NewPhone)
        with self.lock:
            phone = self.phones.new(wish.phone, wish.country, wish.country_as)
        return jsonify({"openid": phone.openid, "unionid": phone.unionid, "phone": phone.number})

    def _login_code(self, openid: str) -> Response:
        return self._new_code("login", openid)

    def _phone_code(self, openid: str) -> Response:
        return self._new_code("phone", openid)

    def _new_code(self, kind: CodeKind, openid: str) -> Response:
        with self.lock:
            return jsonify({"code": self.phones.new_code(kind, self._phone(openid), self.clock.now())})

    def _consent(self, openid: str) -> Response:
        wish = body_as(Consent)
        return jsonify(self._tapped(openid, [wish.template_id], wish)[0])

    def _consent_to_several(self, openid: str) -> Response:
        wish = body_as(Consents)
        return jsonify(self._tapped(openid, wish.template_ids, wish))

    def _tapped(self, openid: str, template_ids: list[str], answer: Answer) -> list[dict[str, Any]]:
        with self.lock:
            phone = self._phone(openid)
            if not self.templates.keys() >= set(template_ids):
                raise Impossible("no such template", 404)
            for one in template_ids:
                if not answer.accept:
                    phone.consents[one] = 0
                elif self.templates[one].get("long_term"):
                    phone.consents[one] = -1
                else:
                    phone.consents[one] = phone.consents.get(one, 0) + answer.times
            return [self._consent_view(phone, one) for one in template_ids]

    def _consents(self, openid: str) -> Response:
        with self.lock:
            phone = self._phone(openid)
            return jsonify([self._consent_view(phone, template_id) for template_id in phone.consents])

    def _consent_view(self, phone: Phone, template_id: str) -> dict[str, Any]:
        left = phone.consents.get(template_id, 0)
        return {"template_id": template_id, "template_name": self.templates[template_id]["name"],
                "long_term": bool(self.templates[template_id].get("long_term")),
                "accepted": left != 0, "left": None if left < 0 else left}

    def _inbox(self, openid: str) -> Response:
        with self.lock:
            return jsonify(self._phone(openid).inbox)

    def _set_words(self) -> Response:
        wish = body_as(Words)
        with self.lock:
            self.words = wish
        return jsonify(wish.model_dump())

    def _expire_tokens(self) -> Response:
        wish = body_as(Expiry)
        with self.lock:
            self.tokens.revoke(wish.errcode)
        return jsonify({})


def _json(body: dict[str, Any]) -> Response:
    return Response(json.dumps(body, ensure_ascii=False), content_type="application/json; charset=UTF-8")
