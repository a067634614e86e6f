"""Every page for everyone: what axe finds, and what it is blind to: each thing to tap has role, name and size."""

from __future__ import annotations

import re
from typing import Any

import pytest

from scripts.client import CLIENT
from tests.screens.hand import Hand
from tests.screens.test_pages_of_registering import pay, with_patient

AXE = (CLIENT / "node_modules" / "axe-core" / "axe.min.js").read_text()
SERIOUS = """async () => {
  const {violations} = await axe.run(document.querySelector('uni-page-body'), {resultTypes: ['violations']})
  return violations.filter(one => ['serious', 'critical'].includes(one.impact))
    .map(one => `${one.id}: ${one.nodes.map(node => node.html.slice(0, 160)).join(' | ')}`)
}"""
# What can be tapped: has a role of that kind, or is reached by the keyboard. Measured as it is drawn.
TAPPABLE = """least => [...document.querySelectorAll('uni-page-body [role], uni-page-body [tabindex]')]
  .filter(one => /^(button|tab|radio|checkbox|link)$/.test(one.getAttribute('role') ?? '')
    || one.hasAttribute('tabindex'))
  .filter(one => one.offsetParent !== null)
  .flatMap(one => {
    const {width, height} = one.getBoundingClientRect()
    const name = one.getAttribute('aria-label') || one.innerText.trim()
    return [
      ...(one.getAttribute('role') ? [] : [`no role: ${name}`]),
      ...(name ? [] : [`no name: ${one.outerHTML.slice(0, 160)}`]),
      ...(width >= least && height >= least ? [] : [`${Math.round(width)}x${Math.round(height)}: ${name}`]),
    ]
  })"""
NORMAL, LARGE = 44, 60  # px


def problems(hand: Hand, least: int) -> list[str]:
    hand.page.evaluate(AXE)
    found: list[str] = hand.page.evaluate(SERIOUS) + hand.page.evaluate(TAPPABLE, least)
    return found


@pytest.mark.parametrize("size", ["normal", "large"])
def test_no_page_keeps_anybody_out(hand: Hand, session: dict[str, Any], size: str) -> None:
    pay(with_patient(hand, session)).sees("预约成功")
    hand.open("/visit/registrations").sees(session["doctor_name"]).tap(re.compile("预约成功")).sees("取消挂号")
    registration = hand.page.url.partition("#")[2]
    hand.open("/family/patients").sees("添加就诊人").tap(re.compile("本人")).sees("移除就诊人")
    patient = hand.page.url.partition("#")[2]
    if size == "large":
        hand.open("/").sees("查看详情").tap("长辈版，大字号").sees("标准版")
    pages: dict[str, tuple[str, str]] = {
        "home": ("/", "查看详情"), "me": ("/home/me", "我的就诊人"), "departments": ("/booking/departments", "外科"),
        "by-date": ("/booking/by-date", "余"), "doctor": (f"/booking/doctor?id={session['doctor_id']}", "出诊科室"),
        "doctors": (f"/booking/doctors?department={session['department_id']}", "有号"),
        "search": ("/booking/search", "搜索"),
        "confirm": (f"/booking/confirm?doctor={session['doctor_id']}&session={session['id']}", "确认挂号 ¥25.00"),
        "registrations": ("/visit/registrations", session["doctor_name"]), "registration": (registration, "取消挂号"),
        "patients": ("/family/patients", "添加就诊人"), "patient": (patient, "移除就诊人"),
        "add": ("/family/add", "与我的关系"), "bills": ("/bills/bills", "核验"),
        "payments": ("/money/payments", "¥25.00"), "ebills": ("/ebills/ebills", "自动开具"),
    }
    found: dict[str, list[str]] = {}
    for name, (address, text) in pages.items():
        hand.open(address).sees(text).shot(f"{name}-{size}")
        found[name] = problems(hand, LARGE if size == "large" else NORMAL)
    assert "\n".join(f"{name}: {one}" for name, some in found.items() for one in some) == ""
