"""The subscription templates that the sandbox's hospital chose in WeChat's library."""

from __future__ import annotations

from typing import Any

_BOOKING = {"name1": ("patient", "就诊人"), "thing2": ("doctor", "医生"), "thing3": ("department", "科室"),
            "time4": ("time", "就诊时间")}
_CHOSEN: dict[str, tuple[str, str, dict[str, tuple[str, str]]]] = {
    "booking_confirmed": ("T7e57-booking-confirmed", "挂号成功通知", {
        **_BOOKING, "thing5": ("note", "温馨提示")}),
    "booking_failed": ("T7e57-booking-failed", "挂号失败通知", {
        **_BOOKING, "thing5": ("note", "原因")}),
    "booking_cancelled": ("T7e57-booking-cancelled", "取消预约通知", {
        "name1": ("patient", "就诊人"), "thing2": ("doctor", "医生"), "time3": ("time", "就诊时间"),
        "amount4": ("amount", "金额"), "thing5": ("note", "备注")}),
    "booking_changed": ("T7e57-booking-changed", "就诊变更通知", {
        **_BOOKING, "thing5": ("note", "变更内容")}),
    "clinic_stopped": ("T7e57-clinic-stopped", "停诊通知", {
        **_BOOKING, "thing5": ("note", "温馨提示")}),
    "visit_reminder": ("T7e57-visit-reminder", "就诊提醒", {
        **_BOOKING, "thing5": ("place", "就诊地点")}),
    "unpaid_reminder": ("T7e57-unpaid-reminder", "费用未缴提醒", {
        "name1": ("patient", "就诊人"), "thing2": ("department", "开单科室"), "amount3": ("amount", "待缴金额"),
        "thing4": ("note", "备注")}),
    "waitlist_offer": ("T7e57-waitlist-offer", "候补到号通知", {
        **_BOOKING, "thing5": ("note", "温馨提示")}),
    "waitlist_ended": ("T7e57-waitlist-ended", "候补结束通知", {
        **_BOOKING, "thing5": ("note", "原因")}),
    "no_show": ("T7e57-no-show", "爽约通知", {
        **_BOOKING, "thing5": ("note", "爽约提示")}),
    "blacklisted": ("T7e57-blacklisted", "暂停预约通知", {
        "name1": ("patient", "就诊人"), "time2": ("time", "解除时间"), "thing3": ("note", "原因")}),
    "patient_bound": ("T7e57-patient-bound", "绑定通知", {
        "name1": ("patient", "就诊人"), "character_string2": ("card", "就诊卡号"), "time3": ("time", "绑定时间"),
        "thing4": ("note", "备注")}),
    "patient_unbound": ("T7e57-patient-unbound", "解除绑定通知", {
        "name1": ("patient", "就诊人"), "character_string2": ("card", "就诊卡号"), "time3": ("time", "解绑时间"),
        "thing4": ("note", "备注")}),
    "checked_in": ("T7e57-checked-in", "取号成功通知", {
        "name1": ("patient", "就诊人"), "thing2": ("doctor", "医生"), "character_string3": ("number", "排队号"),
        "thing4": ("place", "候诊地点"), "thing5": ("note", "温馨提示")}),
    "queue_near": ("T7e57-queue-near", "候诊提醒", {
        "name1": ("patient", "就诊人"), "thing2": ("doctor", "医生"), "character_string3": ("number", "排队号"),
        "thing4": ("place", "候诊地点"), "thing5": ("note", "温馨提示")}),
    "next_stop": ("T7e57-next-stop", "检查引导通知", {
        "name1": ("patient", "就诊人"), "thing2": ("place", "前往地点"), "thing3": ("note", "项目")}),
    "bill_created": ("T7e57-bill-created", "待缴费提醒", {
        "name1": ("patient", "就诊人"), "thing2": ("department", "开单科室"), "amount3": ("amount", "待缴金额"),
        "thing4": ("note", "备注")}),
    "charges_paid": ("T7e57-charges-paid", "缴费成功通知", {
        "name1": ("patient", "就诊人"), "amount2": ("amount", "缴费金额"), "time3": ("time", "缴费时间"),
        "thing4": ("note", "备注")}),
    "charges_failed": ("T7e57-charges-failed", "缴费失败通知", {
        "name1": ("patient", "就诊人"), "amount2": ("amount", "缴费金额"), "thing3": ("note", "原因")}),
    "survey_asked": ("T7e57-survey-asked", "就诊评价提醒", {
        **_BOOKING, "thing5": ("note", "温馨提示")}),
    "complaint_received": ("T7e57-complaint-received", "投诉建议受理通知", {
        "character_string1": ("number", "受理编号"), "time2": ("time", "提交时间"), "thing3": ("note", "温馨提示")}),
    "complaint_answered": ("T7e57-complaint-answered", "投诉建议答复通知", {
        "character_string1": ("number", "受理编号"), "time2": ("time", "答复时间"), "thing3": ("note", "温馨提示")}),
    "report_ready": ("T7e57-report-ready", "报告已出通知", {
        "name1": ("patient", "就诊人"), "thing2": ("department", "科室"), "time3": ("time", "报告时间"),
        "thing4": ("note", "备注")}),
    "refunded": ("T7e57-refunded", "退费通知", {
        "name1": ("patient", "就诊人"), "amount2": ("amount", "退费金额"), "time3": ("time", "退费时间"),
        "thing4": ("note", "备注")}),
}

# As WeChat knows them.
TEMPLATES: dict[str, dict[str, Any]] = {
    template_id: {"name": title, "keywords": {keyword: label for keyword, (_, label) in keywords.items()},
                  "long_term": False}
    for template_id, title, keywords in _CHOSEN.values()}

# Long-term ones, as WeChat has them for medical services, which the hospital may choose instead.
LONG_TERM = {kind: f"{_CHOSEN[kind][0]}-long-term" for kind in ("bill_created", "booking_changed")}
TEMPLATES.update({lasting: {**TEMPLATES[_CHOSEN[kind][0]], "long_term": True} for kind, lasting in LONG_TERM.items()})


def policy_templates() -> dict[str, Any]:
    """As the hospital's setting ``message_templates`` says it."""
    return {kind: {"template_id": template_id, "keywords": {ours: keyword for keyword, (ours, _) in keywords.items()}}
            for kind, (template_id, _, keywords) in _CHOSEN.items()}
