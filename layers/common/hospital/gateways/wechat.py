"""WeChat's mini-program server API: sign-in, phone number, subscription messages, its look at texts.

wechatpy's client, with a stable token that all instances share and a bounded retry: its own token
handling asks for a new token per process and repeats a call without end while the token is refused.
"""

from __future__ import annotations

import time
from datetime import timedelta
from functools import lru_cache
from typing import Any, Literal

from hospital.database.connection import Database, database
from hospital.gateways.outcome import Rejected, Unanswered
from hospital.runtime import canonical
from hospital.runtime.clock import utc_now
from hospital.runtime.cloud import secret
from hospital.runtime.config import config
from hospital.security import shared_tokens

TIMEOUT = (2.0, 5.0)  # seconds to connect, to read
TOKEN_REFUSED = {40001, 40014, 42001}
FORUM = 3  # the scene of a text that others will read
SUGGESTIONS: dict[object, Literal["PASSED", "REVIEW", "RISKY"]] = {
    "pass": "PASSED", "review": "REVIEW", "risky": "RISKY"}
BUSY = -1  # "system busy": definitely not done
EARLY = timedelta(minutes=5)  # a token is renewed this long before it ends


def sign_in(code: str) -> str:
    """The openid behind a ``wx.login`` code; the session key is not kept.

    Raises Rejected ("40029" bad or expired code, …), Unanswered.
    """
    settings = config()
    answer = _ask("get", "sns/jscode2session", params={
        "appid": settings.wechat_app_id, "secret": secret(settings.wechat_app_secret),
        "js_code": code, "grant_type": "authorization_code", "access_token": ""})
    return _text(answer, "openid")


def phone_number(code: str, openid: str) -> str:
    """The phone number behind a ``getPhoneNumber`` code (single use), in its canonical form with its country.

    WeChat is told whose code it must be, and refuses another user's ("40029", as a used one). Raises Rejected,
    Unanswered.
    """
    answer = _with_token("post", "wxa/business/getuserphonenumber", data={"code": code, "openid": openid})
    told = answer.get("phone_info")
    info = told if isinstance(told, dict) else {}
    number = canonical.phone_of_country(_country(info), _text(info, "purePhoneNumber"))
    if number is None:
        raise Unanswered("wechat: an unreadable phone number")
    return number


def send_message(openid: str, template_id: str, data: dict[str, str], page: str) -> None:
    """Send a subscription message; ``data`` leads from keyword to text.

    Raises Rejected ("43101" no consent left, "47003" data refused, …), Unanswered.
    """
    _with_token("post", "cgi-bin/message/subscribe/send", data={
        "touser": openid, "template_id": template_id, "page": page,
        "data": {keyword: {"value": value} for keyword, value in data.items()}})


def check_text(openid: str, text: str) -> Literal["PASSED", "REVIEW", "RISKY"]:
    """What WeChat thinks of a text that a user wrote (msg_sec_check, version 2): at most 2,500 characters.

    Raises Rejected ("61010" the user was not here for two hours, "45009" no quota left, …), Unanswered.
    """
    answer = _with_token("post", "wxa/msg_sec_check", data={
        "version": 2, "openid": openid, "scene": FORUM, "content": text})
    result = answer.get("result")
    suggestion = result.get("suggest") if isinstance(result, dict) else None
    if suggestion not in SUGGESTIONS:
        raise Unanswered("wechat: no suggestion for a text")
    return SUGGESTIONS[suggestion]


# -- the shared token -------------------------------------------------------------------------------
def _with_token(method: str, path: str, **request: Any) -> dict[str, Any]:
    token = _token(refused="")
    try:
        return _ask(method, path, params={"access_token": token}, **request)
    except Rejected as refusal:
        if not refusal.code.lstrip("-").isdecimal() or int(refusal.code) not in TOKEN_REFUSED:
            raise
    return _ask(method, path, params={"access_token": _token(refused=token)}, **request)  # once, not for ever


def _token(refused: str) -> str:
    """The access token in force. Raises Unanswered: what needed it was certainly not sent."""
    try:
        return _find_token(refused)
    except (Rejected, Unanswered) as problem:
        raise Unanswered(f"wechat: no access token ({problem.reason})", sent=False) from None


def _find_token(refused: str) -> str:
    """The access token in force; one instance renews it at a time, the others use what there is."""
    db = database()
    for _ in range(40):
        known, now = shared_tokens.read(db, "wechat"), utc_now()
        alive = known is not None and known[0] != refused and known[1] > now
        if alive and known is not None and known[1] - now > EARLY:
            return known[0]
        if shared_tokens.take_lease(db, "wechat", now):
            return _renew(db)
        if alive and known is not None:
            return known[0]
        time.sleep(0.1)  # another instance is renewing it
    raise Unanswered("wechat: no access token", sent=False)


def _renew(db: Database) -> str:
    settings = config()
    try:
        answer = _ask("post", "cgi-bin/stable_token", params={"access_token": ""}, data={
            "grant_type": "client_credential", "appid": settings.wechat_app_id,
            "secret": secret(settings.wechat_app_secret), "force_refresh": False})
        token = _text(answer, "access_token")
        lives = timedelta(seconds=int(answer.get("expires_in", 0)))
    except (Rejected, Unanswered):
        shared_tokens.release(db, "wechat")
        raise
    shared_tokens.write(db, "wechat", token, utc_now() + lives)
    return token


# -- the wire ---------------------------------------------------------------------------------------
@lru_cache(maxsize=1)
def _client() -> Any:
    from wechatpy.client.base import BaseWeChatClient

    client = BaseWeChatClient(config().wechat_app_id, timeout=TIMEOUT, auto_retry=False)
    client.API_BASE_URL = f"{config().wechat_base}/"
    return client


def _ask(method: str, path: str, **request: Any) -> dict[str, Any]:
    import requests
    from wechatpy.exceptions import WeChatClientException

    try:
        answer = getattr(_client(), method)(path, **request)
    except requests.ConnectionError as error:
        raise Unanswered(f"wechat: {type(error).__name__}", sent=_was_sent(error)) from None
    except requests.RequestException as error:
        raise Unanswered(f"wechat: {type(error).__name__}") from None
    except WeChatClientException as error:
        if error.errcode is None:  # an HTTP status that is no answer of the API
            raise Unanswered("wechat: HTTP error") from None
        if error.errcode == BUSY:
            raise Unanswered("wechat: busy", sent=False) from None
        raise Rejected(str(error.errcode)) from None
    if not isinstance(answer, dict):
        raise Unanswered("wechat: unreadable answer")
    return answer


def _was_sent(error: Exception) -> bool:
    return "NewConnectionError" not in repr(error) and "ConnectTimeoutError" not in repr(error)


def _country(info: dict[str, Any]) -> str:
    """The country's code: a text by WeChat's table, a number in the example below it."""
    value = info.get("countryCode")
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else _text(info, "countryCode")


def _text(answer: dict[str, Any], name: str) -> str:
    value = answer.get(name)
    if not isinstance(value, str) or not value:
        raise Unanswered(f"wechat: answer without {name}")
    return value
