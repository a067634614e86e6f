"""The hospital's face, privacy, consent anew, signed-in devices and who holds a record, in the patient's own pages."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from sandbox.people import person
from sandbox.phone import Control, Phone
from tests.screens.hand import Hand
from tests.screens.test_for_everyone import LARGE, NORMAL, problems

Ask = Callable[..., list[tuple[Any, ...]]]
NAME = "示范市第一人民医院"


@pytest.fixture
def someone() -> dict[str, Any]:
    """Who the patient is, by their document."""
    return person()


@pytest.fixture
def mine(phone: Phone, someone: dict[str, Any]) -> dict[str, Any]:
    """A proven patient of the phone's."""
    return phone.add_patient(someone, relation="SELF")


@pytest.fixture
def owner(new_hand: Callable[..., Hand], phone: Phone, mine: dict[str, Any]) -> Hand:
    """The phone of somebody who has a proven patient."""
    return new_hand(phone)


# -- the hospital's face ----------------------------------------------------------------------------
def test_whose_program_it_is_stands_on_the_home_page_also_when_nothing_answers(hand: Hand) -> None:
    hand.sees(NAME).tap(f"{NAME}，查看医院信息").sees("0571-00000120").sees("示范00000000000").sees("急诊电话")
    hand.context.route("**/api/content/**", lambda route: route.abort())
    hand.open("/").sees(NAME).sees("还没有预约")
    assert hand.page.title() == "示范市一院"


# -- the privacy policy -----------------------------------------------------------------------------
def test_the_privacy_policy_comes_before_the_first_personal_field_and_not_before(
        new_hand: Callable[..., Hand]) -> None:
    hand = new_hand(asks_privacy=True).open("/").sees("还没有预约").sees_no("隐私保护提示")
    hand.open("/family/add").sees("隐私保护提示").tap("查看《隐私政策》", "link").sees("我们这样对待您的个人信息")
    hand.back().sees("隐私保护提示").shot("privacy-sheet").tap("不同意").sees("你没有同意隐私政策").sees_no("与我的关系")
    hand.shot("privacy-refused").tap("再看一次，重新选择").tap("同意并继续").sees("与我的关系").add_patient()
    hand.sees("还需核验").open("/family/add").sees("与我的关系").sees_no("隐私保护提示")


# -- adding a child ---------------------------------------------------------------------------------
def test_a_child_is_added_with_the_usual_documents_first_and_a_day_that_is_picked(hand: Hand) -> None:
    hand.open("/family/add").sees("与我的关系").sees_no("出生医学证明").sees_no("护照")
    hand.tap("其他证件").sees("护照").tap("子女", "radio").tap("出生医学证明", "radio")
    hand.fill("姓名", "周小禾").fill("证件号码", "Q110123456").fill("出生日期", "2025-05-01").sees("2025年5月1日")
    guardian = person()
    hand.tap("男", "radio").fill("手机号码", "13800138000")
    hand.fill("监护人姓名", guardian["name"]).fill("监护人身份证号码", guardian["id_number"])
    for box in hand.page.get_by_role("checkbox").all():
        box.click()
    hand.shot("add-child").tap("添加").sees(re.compile("还需核验|个月|岁"))


# -- consent ----------------------------------------------------------------------------------------
def test_consent_is_taken_back_knowing_what_it_means_and_given_anew_where_it_is_missing(
        owner: Hand, mine: dict[str, Any], session: dict[str, Any]) -> None:
    owner.open("/account/privacy").sees("医院保存什么").tap(re.compile("的授权与同意$")).sees("已同意")
    owner.tap(re.compile("^撤回同意")).sees("没付款的订单会关闭").shot("consent-withdraw").tap("不撤回").sees("已同意")
    owner.tap(re.compile("^撤回同意")).tap("确定撤回").sees("已撤回").sees("你撤回了同意").shot("consent-withdrawn")
    owner.open(f"/family/patient?id={mine['id']}").sees("需要重新同意").shot("patient-without-consent")
    owner.open(f"/booking/confirm?doctor={session['doctor_id']}&session={session['id']}")
    owner.tap("确认挂号 ¥25.00").tap("去阅读并同意").sees("你撤回了同意").tap("同意并继续")
    owner.sees("请先阅读，再点方框同意").tap(re.compile("^查看全文")).sees("处理的信息和目的")
    owner.tap(re.compile("^同意 "), "checkbox").tap("同意并继续")
    owner.sees("就诊人　").sees_no("请先阅读并同意").tap("确认挂号 ¥25.00").tap("确认支付").sees("预约成功")
    owner.open("/account/copies").sees("已撤回").sees("已同意")


# -- devices ----------------------------------------------------------------------------------------
def test_other_devices_are_signed_out_and_this_one_stays_out_until_a_tap(
        control: Control, owner: Hand, phone: Phone) -> None:
    here = phone.token, phone.secret
    for device in ("华为 Mate 60", "iPhone 15", "iPad"):
        phone.sign_in(device=device)
    phone.token, phone.secret = here
    owner.open("/account/devices").sees("华为 Mate 60").sees("本机").shot("devices")
    owner.tap(re.compile("^退出 华为")).sees("不认识这台设备").tap("确定退出").sees_no("华为 Mate 60")
    owner.tap("退出其他所有设备").sees("除本机以外的 2 台").tap("确定退出").sees_no("iPad").sees("本机")
    owner.tap("退出本机登录").sees("再点“登录”就能回来").tap("确定退出").sees("你已退出登录").shot("signed-out")
    owner.open("/home/me").sees("你已退出登录").tap("登录").sees("本人")


# -- who holds a record -----------------------------------------------------------------------------
def test_another_account_that_holds_the_record_is_seen_and_ended(
        control: Control, owner: Hand, mine: dict[str, Any], someone: dict[str, Any], sql: Ask) -> None:
    stranger, relative = Phone(control).sign_in(), Phone(control).sign_in()
    stranger.add_patient(someone, proven=False)
    relative.add_patient(someone)
    sql("UPDATE bindings SET proof = 'DESK' WHERE patient_id = %s AND relation = 'OTHER' AND level = 'FULL'",
        (mine["id"],))  # the window has seen them
    owner.open(f"/family/patient?id={mine['id']}").tap("谁绑定了这张档案").sees("没有验证过手机号").sees("对方的核验方式更可靠")
    owner.shot("holders").tap(re.compile("^解除绑定")).sees("对方会收到通知").tap("确定解除").sees_no("没有验证过手机号")
    owner.sees("对方的核验方式更可靠")


def test_who_is_not_proven_sees_no_holders_and_is_led_to_proof(
        control: Control, new_hand: Callable[..., Hand], someone: dict[str, Any]) -> None:
    phone = Phone(control).sign_in()
    Phone(control).sign_in().add_patient(someone)
    bound = phone.add_patient(someone, proven=False)
    new_hand(phone).open(f"/family/holders?id={bound['id']}").sees("请先核验").tap("去核验身份").sees("还需核验")


# -- for everyone -----------------------------------------------------------------------------------
@pytest.mark.parametrize("size", ["normal", "large"])
def test_none_of_these_pages_keeps_anybody_out(
        control: Control, new_hand: Callable[..., Hand], phone: Phone, mine: dict[str, Any], someone: dict[str, Any],
        size: str) -> None:
    Phone(control).sign_in().add_patient(someone, proven=False)
    hand = new_hand(phone, asks_privacy=True)
    if size == "large":
        hand.open("/").sees("还没有预约").tap("长辈版，大字号").sees("标准版")
    pages = {
        "home-head": ("/", "还没有预约"), "about": ("/account/about", "急诊电话"),
        "privacy": ("/account/privacy", "医院保存什么"),
        "text": ("/account/text?purpose=PRIVACY_POLICY", "我们这样对待您的个人信息"),
        "copies": ("/account/copies", "已同意"), "devices": ("/account/devices", "退出本机登录"),
        "consent": (f"/family/consent?id={mine['id']}", "已同意"),
        "holders": (f"/family/holders?id={mine['id']}", "未核验"), "privacy-sheet": ("/family/add", "隐私保护提示"),
    }
    found: dict[str, list[str]] = {}
    for name, (address, text) in pages.items():
        hand.open(address).sees(text).shot(f"{name}-{size}")
        found[name] = problems(hand, LARGE if size == "large" else NORMAL)
    hand.tap("同意并继续").tap("子女", "radio").tap("暂无证件（新生儿）", "radio").sees("出生日期")
    hand.shot(f"add-child-{size}")
    found["add"] = problems(hand, LARGE if size == "large" else NORMAL)
    assert "\n".join(f"{name}: {one}" for name, some in found.items() for one in some) == ""
