"""The sandbox's WeChat answers as the real server API does."""

from __future__ import annotations

from collections import deque
from datetime import timedelta
from typing import Any

import pytest
import requests
from flask import Flask

from sandbox.clock import Clock
from sandbox.faults import Fault, Faults
from sandbox.system import World
from sandbox.wechat import WeChat
from sandbox.wechat.keywords import RULES, misfit

TEMPLATES: dict[str, dict[str, Any]] = {
    "T-once": {"name": "预约成功通知", "keywords": {"thing1": "就诊人", "time2": "就诊时间"}},
    "T-long": {"name": "退款通知", "keywords": {"amount1": "退款金额"}, "long_term": True},
}
APP = {"appid": "wx-app", "secret": "s3cret"}
MESSAGE = {"thing1": {"value": "张*"}, "time2": {"value": "2026年11月23日 08:30"}}


@pytest.fixture
def wechat() -> WeChat:
    world = World(Clock(), Faults(), deque())
    system = WeChat(world, app_id="wx-app", app_secret="s3cret", templates=TEMPLATES)
    system.serve()
    return system


@pytest.fixture
def control(wechat: WeChat) -> Any:
    app = Flask("control")
    app.register_blueprint(wechat.control, url_prefix="/wechat")
    return app.test_client()


@pytest.fixture
def openid(control: Any) -> str:
    return str(control.post("/wechat/phones", json={"phone": "13812345678"}).json["openid"])


def sign_in(wechat: WeChat, code: str, **changes: str) -> dict[str, Any]:
    query = {**APP, "js_code": code, "grant_type": "authorization_code", **changes}
    return dict(requests.get(f"{wechat.address}/sns/jscode2session", params=query, timeout=5).json())


def token(wechat: WeChat, **changes: Any) -> dict[str, Any]:
    body = {**APP, "grant_type": "client_credential", **changes}
    return dict(requests.post(f"{wechat.address}/cgi-bin/stable_token", json=body, timeout=5).json())


def post(wechat: WeChat, path: str, body: Any, access_token: str | None = None) -> dict[str, Any]:
    query = {"access_token": access_token or token(wechat)["access_token"]}
    return dict(requests.post(wechat.address + path, params=query, json=body, timeout=5).json())


def send(wechat: WeChat, openid: str, **changes: Any) -> int:
    body = {"touser": openid, "template_id": "T-once", "page": "pages/visit?id=1", "data": MESSAGE, **changes}
    return int(post(wechat, "/cgi-bin/message/subscribe/send", body)["errcode"])


def test_a_login_code_names_its_person_once_and_for_five_minutes(
    wechat: WeChat, control: Any, openid: str
) -> None:
    code = control.post(f"/wechat/phones/{openid}/login-code").json["code"]
    assert sign_in(wechat, code, appid="other")["errcode"] == 40013
    assert sign_in(wechat, code, secret="other")["errcode"] == 40125
    assert sign_in(wechat, code)["openid"] == openid
    assert sign_in(wechat, code)["errcode"] == 40163
    assert sign_in(wechat, "nonsense")["errcode"] == 40029
    late = control.post(f"/wechat/phones/{openid}/login-code").json["code"]
    wechat.clock.advance(timedelta(minutes=6))
    assert sign_in(wechat, late)["errcode"] == 40029


def test_a_token_stays_the_same_until_its_last_five_minutes(wechat: WeChat) -> None:
    first = token(wechat)
    wechat.clock.advance(timedelta(seconds=6800))
    again = token(wechat)
    assert again["access_token"] == first["access_token"] and again["expires_in"] <= 400
    wechat.clock.advance(timedelta(seconds=200))
    second = token(wechat)["access_token"]
    assert second != first["access_token"]
    path = "/wxa/business/getuserphonenumber"
    assert post(wechat, path, {"code": "x"}, first["access_token"])["errcode"] == 40029  # still good
    wechat.clock.advance(timedelta(seconds=301))
    assert post(wechat, path, {"code": "x"}, first["access_token"])["errcode"] == 42001
    assert post(wechat, path, {"code": "x"}, second)["errcode"] == 40029


def test_a_forced_refresh_ends_the_old_token_at_once_and_is_rationed(wechat: WeChat) -> None:
    old = token(wechat)["access_token"]
    new = token(wechat, force_refresh=True)["access_token"]
    path = "/wxa/business/getuserphonenumber"
    assert post(wechat, path, {}, old)["errcode"] == 40001
    assert post(wechat, path, {}, new)["errcode"] == 40029
    assert token(wechat, force_refresh=True)["errcode"] == 45011
    codes = []
    for _ in range(40):  # wherever midnight falls, one of two days sees more than 20
        wechat.clock.advance(timedelta(seconds=31))
        codes.append(token(wechat, force_refresh=True).get("errcode"))
    assert 45009 in codes


def test_a_bad_token_gets_the_documented_code(wechat: WeChat, control: Any) -> None:
    path = "/wxa/business/getuserphonenumber"
    assert requests.post(wechat.address + path, json={}, timeout=5).json()["errcode"] == 41001
    assert post(wechat, path, {}, "short")["errcode"] == 40014
    assert post(wechat, path, {}, "x" * 100)["errcode"] == 40001
    good = token(wechat)["access_token"]
    control.post("/wechat/tokens/expire", json={"errcode": 42001})
    assert post(wechat, path, {}, good)["errcode"] == 42001
    assert token(wechat)["access_token"] != good


@pytest.mark.parametrize(("wish", "told"), [({}, 86), ({"country_as": "text"}, "86")])
def test_a_numbers_country_is_told_as_in_wechats_example_or_as_in_its_table(
    wechat: WeChat, control: Any, wish: dict[str, str], told: Any
) -> None:
    openid = control.post("/wechat/phones", json=wish).json["openid"]
    code = control.post(f"/wechat/phones/{openid}/phone-code").json["code"]
    assert post(wechat, "/wxa/business/getuserphonenumber", {"code": code})["phone_info"]["countryCode"] == told


def test_a_phone_code_gives_the_number_once(wechat: WeChat, control: Any, openid: str) -> None:
    path = "/wxa/business/getuserphonenumber"
    code = control.post(f"/wechat/phones/{openid}/phone-code").json["code"]
    assert post(wechat, path, {"code": code})["phone_info"]["purePhoneNumber"] == "13812345678"
    assert post(wechat, path, {"code": code})["errcode"] == 40029
    login = control.post(f"/wechat/phones/{openid}/login-code").json["code"]
    assert post(wechat, path, {"code": login})["errcode"] == 40029
    assert "13812345678" not in repr(wechat.world.journal)


def test_a_phone_code_with_the_openid_of_another_is_refused_and_stays_good(
        wechat: WeChat, control: Any, openid: str) -> None:
    path = "/wxa/business/getuserphonenumber"
    other = control.post("/wechat/phones", json={}).json["openid"]
    code = control.post(f"/wechat/phones/{openid}/phone-code").json["code"]
    assert post(wechat, path, {"code": code, "openid": other})["errcode"] == 40029
    told = post(wechat, path, {"code": code, "openid": openid})
    assert told["phone_info"]["purePhoneNumber"] == "13812345678"


def test_a_message_reaches_the_inbox_and_uses_up_one_consent(
    wechat: WeChat, control: Any, openid: str
) -> None:
    assert send(wechat, openid) == 43101
    control.post(f"/wechat/phones/{openid}/consent", json={"template_id": "T-once", "times": 1})
    assert send(wechat, openid) == 0
    assert send(wechat, openid) == 43101
    inbox = control.get(f"/wechat/phones/{openid}/inbox").json
    assert [message["lines"] for message in inbox] == [["就诊人: 张*", "就诊时间: 2026年11月23日 08:30"]]
    assert inbox[0]["template_name"] == "预约成功通知"


def test_several_templates_are_allowed_or_refused_by_one_tap_and_none_of_them_if_one_is_unknown(
    wechat: WeChat, control: Any, openid: str
) -> None:
    consents = f"/wechat/phones/{openid}/consents"
    assert control.post(consents, json={"template_ids": ["T-once", "T-none"]}).status_code == 404
    assert control.get(consents).json == []
    allowed = control.post(consents, json={"template_ids": ["T-once", "T-long"], "times": 2}).json
    assert [(one["template_id"], one["left"]) for one in allowed] == [("T-once", 2), ("T-long", None)]
    control.post(consents, json={"template_ids": ["T-once", "T-long"], "accept": False})
    assert [one["accepted"] for one in control.get(consents).json] == [False, False]


def test_a_lasting_consent_is_not_used_up_and_can_be_taken_back(
    wechat: WeChat, control: Any, openid: str
) -> None:
    refund: dict[str, Any] = {"template_id": "T-long", "data": {"amount1": {"value": "¥12.34"}}}
    consent = f"/wechat/phones/{openid}/consent"
    control.post(consent, json={"template_id": "T-long"})
    assert [send(wechat, openid, **refund) for _ in range(3)] == [0, 0, 0]
    control.post(consent, json={"template_id": "T-long", "accept": False})
    assert send(wechat, openid, **refund) == 43101
    assert control.get(f"/wechat/phones/{openid}/consents").json[0]["accepted"] is False


@pytest.mark.parametrize(("change", "errcode"), [
    ({"touser": "nobody"}, 40003),
    ({"template_id": "T-none"}, 40037),
    ({"page": "/pages/visit"}, 41030),
    ({"page": "https://example.com/x"}, 41030),
    ({"data": {"thing1": {"value": "张*"}}}, 47003),
    ({"data": {**MESSAGE, "thing9": {"value": "x"}}}, 47003),
    ({"data": {**MESSAGE, "thing1": {"value": "字" * 21}}}, 47003),
    ({"data": "text"}, 47003),
    ({"data": {**MESSAGE, "time2": {"value": "2026-02-30 08:30"}}}, 47003),
])
def test_a_wrong_message_is_refused_with_its_code_and_costs_no_consent(
    wechat: WeChat, control: Any, openid: str, change: dict[str, Any], errcode: int
) -> None:
    control.post(f"/wechat/phones/{openid}/consent", json={"template_id": "T-once", "times": 1})
    assert send(wechat, openid, **change) == errcode
    assert send(wechat, openid) == 0


@pytest.mark.parametrize(("keyword", "good", "bad"), [
    ("thing1", ["内科 3 诊室", "字" * 20], ["字" * 21, " "]),
    ("character_string1", ["A-0123|*", "x" * 32], ["x" * 33, "号A1"]),
    ("number1", ["12", "3.5"], ["12a", "1" * 33]),
    ("time1", ["15:01", "2026-11-23 08:30:00", "2026年11月23日 08:30~2026年11月23日 09:00"],
     ["25:00", "2026-11-23", "2026年13月1日 08:00"]),
    ("date1", ["2026年11月23日", "2026-11-23", "2026-11-23 08:30"], ["11月23日", "2026-02-30"]),
    ("amount1", ["¥12.34", "12.34元", "0.01"], ["12,34", "1234567890.1", "免费"]),
    ("phrase1", ["已退款", "五个汉字了"], ["六个汉字多了", "OK", "退款1"]),
    ("name1", ["张*", "欧阳娜娜", "John Smith"], ["张三1", "名" * 11]),
    ("phone_number1", ["+86-0766-66888866"], ["1" * 18, "电话"]),
    ("letter1", ["abc"], ["a1"]),
    ("symbol1", ["*"], ["a", "******"]),
    ("car_number1", ["粤A8Z888挂"], ["粤A8Z888挂挂挂"]),
])
def test_each_keyword_type_keeps_its_limits(keyword: str, good: list[str], bad: list[str]) -> None:
    assert keyword.rstrip("1") in RULES
    for value in good:
        assert misfit({keyword: {"value": value}}, {keyword: "x"}) is None, value
    for value in bad:
        assert misfit({keyword: {"value": value}}, {keyword: "x"}) is not None, value


def test_a_refusal_on_demand_comes_as_http_200_with_its_errcode(wechat: WeChat) -> None:
    wechat.world.faults.add(Fault("wechat", "stable_token", "refuse", params={"code": 45009}))
    answer = requests.post(f"{wechat.address}/cgi-bin/stable_token", json={}, timeout=5)
    assert (answer.status_code, answer.json()["errcode"]) == (200, 45009)


def test_the_control_interface_refuses_what_it_does_not_know(control: Any) -> None:
    assert control.post("/wechat/phones", json={"phnoe": "13812345678"}).status_code == 400
    assert control.post("/wechat/phones", data="{").status_code == 400
    missing = control.get("/wechat/phones/nobody/inbox")
    assert (missing.status_code, "error" in missing.json) == (404, True)


@pytest.mark.parametrize(("content", "suggest"), [("医生很好", "pass"), ("加我微信", "review"), ("赌博网站", "risky")])
def test_a_text_is_looked_at_and_the_words_that_decide_can_be_set(
        wechat: WeChat, control: Any, openid: str, content: str, suggest: str) -> None:
    body = {"version": 2, "scene": 3, "openid": openid, "content": content}
    answer = post(wechat, "/wxa/msg_sec_check", body)
    assert (answer["errcode"], answer["result"]["suggest"], bool(answer["trace_id"])) == (0, suggest, True)
    assert control.put("/wechat/words", json={"risky": ["医生"], "review": []}).status_code == 200
    assert post(wechat, "/wxa/msg_sec_check", body)["result"]["suggest"] == ("risky" if suggest == "pass" else "pass")


@pytest.mark.parametrize(("changes", "errcode"), [
    ({"version": 1}, 47001), ({"scene": 9}, 47001), ({"content": ""}, 44991), ({"content": "长" * 2501}, 45002),
    ({"openid": "o-nobody"}, 40003)])
def test_a_text_that_can_not_be_looked_at_is_refused(wechat: WeChat, openid: str, changes: dict[str, Any],
                                                      errcode: int) -> None:
    body = {"version": 2, "scene": 3, "openid": openid, "content": "好", **changes}
    assert post(wechat, "/wxa/msg_sec_check", body)["errcode"] == errcode
