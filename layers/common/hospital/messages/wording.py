"""A message as the mini-program's own inbox shows it: its title, its lines in full, the page that it opens. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from hospital.messages.rules import WITHHELD
from hospital.patients.rules import mask_name

Subject = Literal["registration", "waitlist", "order", "bills", "patient", "patients", "survey", "complaint", "report",
                  "queue", "way"]
INBOX = "/messages/inbox"
# The mini-program's pages, by what a message is about.
PAGES: dict[Subject, str] = {
    "registration": "/visit/registration?id=", "waitlist": "/visit/waitlist", "order": "/bills/order?id=",
    "bills": "/bills/bills?patient=", "patient": "/family/patient?id=", "patients": "/family/patients",
    "survey": "/feedback/survey?id=", "complaint": "/feedback/complaint?id=", "report": "/reports/report?id=",
    "queue": "/way/queue?id=", "way": "/way/stops?patient="}

_VISIT = {"patient": "就诊人", "time": "就诊时间", "department": "科室", "doctor": "医生"}
_BINDING = {"patient": "就诊人", "card": "就诊卡号", "note": "说明"}
_OWN_WORD = {"number": "受理编号", "note": "提示"}
# Each kind: its title, and its lines in order by our names of values. When it was told stands beside it anyway.
_KINDS: dict[str, tuple[str, dict[str, str]]] = {
    "booking_confirmed": ("挂号成功", {**_VISIT, "number": "就诊序号", "place": "就诊地点", "note": "提示"}),
    "booking_failed": ("挂号未成功", {**_VISIT, "amount": "挂号费", "note": "说明"}),
    "booking_cancelled": ("挂号已取消", {**_VISIT, "amount": "挂号费", "note": "说明"}),
    "booking_changed": ("就诊安排有变化", {**_VISIT, "place": "就诊地点", "note": "变化"}),
    "clinic_stopped": ("医生停诊", {**_VISIT, "note": "提示"}),
    "visit_reminder": ("就诊提醒", {**_VISIT, "number": "就诊序号", "place": "就诊地点", "note": "提示"}),
    "unpaid_reminder": ("费用未缴提醒", {"patient": "就诊人", "department": "开单科室", "amount": "待缴金额",
                                     "note": "提示"}),
    "checked_in": ("取号成功", {"patient": "就诊人", "number": "排队号", "place": "候诊地点", "department": "科室",
                             "doctor": "医生", "note": "提示"}),
    "waitlist_offer": ("候补到号", {**_VISIT, "amount": "挂号费", "note": "提示"}),
    "waitlist_ended": ("候补已结束", {**_VISIT, "note": "说明"}),
    "no_show": ("爽约提醒", {**_VISIT, "note": "说明"}),
    "blacklisted": ("暂停预约", {"patient": "就诊人", "time": "解除时间", "note": "说明"}),
    "queue_near": ("快到您了", {"patient": "就诊人", "number": "排队号", "place": "候诊地点", "department": "科室",
                            "doctor": "医生", "note": "提示"}),
    "next_stop": ("下一站", {"patient": "就诊人", "place": "去哪里", "note": "做什么"}),
    "bill_created": ("有新的待缴费用", {"patient": "就诊人", "department": "开单科室", "amount": "待缴金额",
                                 "note": "提示"}),
    "charges_paid": ("缴费成功", {"patient": "就诊人", "amount": "缴费金额", "note": "提示"}),
    "charges_failed": ("缴费或退费未成功", {"patient": "就诊人", "amount": "金额", "note": "说明"}),
    "refunded": ("退费通知", {"patient": "就诊人", "amount": "退费金额", "note": "说明"}),
    "survey_asked": ("请评价本次就诊", {**_VISIT, "note": "提示"}),
    "complaint_received": ("投诉建议已受理", _OWN_WORD), "complaint_answered": ("医院已答复", _OWN_WORD),
    "report_ready": ("检验检查报告", {"patient": "就诊人", "department": "科室", "time": "报告时间", "note": "提示"}),
    "patient_bound": ("就诊人绑定", _BINDING), "patient_unbound": ("就诊人解除绑定", _BINDING)}


def title(kind: str) -> str:
    """What a kind of message is called; of one that this code does not know, that it is one."""
    return _KINDS[kind][0] if kind in _KINDS else "消息"


def lines(kind: str, data: Mapping[str, str]) -> list[tuple[str, str]]:
    """Label and text of each line; a value that says nothing stays out, and a name is masked as on every page."""
    labels = _KINDS[kind][1] if kind in _KINDS else {}
    told = [(name, label, data[name]) for name, label in labels.items()
            if data.get(name, "-") not in ("", "-", WITHHELD.get(name, ""))]
    return [(label, mask_name(text) if name == "patient" else text) for name, label, text in told]


def about(subject: Subject, one: str = "") -> str:
    """What a message opens, as it is stored."""
    return f"{subject}:{one}" if one else subject


def opens(stored: str | None) -> str:
    """The mini-program's page for what was stored; empty when there is none."""
    subject, _, one = (stored or "").partition(":")
    return next((page + one for name, page in PAGES.items() if name == subject), "")
