"""How complaints and surveys are shown to whoever wrote them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, cast

from hospital.booking import store as bookings
from hospital.database.connection import Database, Transaction
from hospital.feedback import complaint_store, picture_store, rules
from hospital.feedback.model import OPEN, About, Complaint, ComplaintKind, Picture, QuestionKind
from hospital.feedback.surveys import State, Survey
from hospital.gateways import cos
from hospital.patients import access
from hospital.runtime.clock import hospital_day
from hospital.runtime.http import Model
from hospital.schedules import store as schedules
from hospital.site import store as site

Source = Database | Transaction
LINK_LIFE = 600  # seconds

KINDS = {"COMPLAINT": "投诉", "SUGGESTION": "建议", "PRAISE": "表扬", "QUESTION": "咨询"}
STATES = {"RECEIVED": "已收到", "IN_HAND": "处理中", "ANSWERED": "已答复", "REOPENED": "重新处理", "CLOSED": "已办结",
          "WITHDRAWN": "已撤回"}
STEPS = {"RECEIVED": "已提交", "TAKEN": "医院已受理", "HANDED_OVER": "已转相关科室一同核实", "ANSWERED": "医院答复",
         "RATED": "您的评价", "REOPENED": "您要求重新处理", "WITHDRAWN": "您已撤回", "CLOSED": "已办结"}
PICTURE_STATES = {"AWAITED": "等待上传", "UPLOADED": "检查中", "READY": "可查看", "REFUSED": "未能使用"}
REASONS = {"": "", "NOT_A_PICTURE": "文件不是可识别的图片（支持 JPG、PNG、WebP），请换一张。",
           "TOO_MANY_PIXELS": "图片尺寸过大，请压缩或截取后重试。", "TOO_LARGE": "图片超过10MB，请压缩后重试。",
           "NOT_UPLOADED": "图片没有传完，请删除后重新添加。"}

PictureState = Literal["AWAITED", "UPLOADED", "READY", "REFUSED"]
ComplaintState = Literal["RECEIVED", "IN_HAND", "ANSWERED", "REOPENED", "CLOSED", "WITHDRAWN"]
Step = Literal["RECEIVED", "TAKEN", "HANDED_OVER", "ANSWERED", "RATED", "REOPENED", "WITHDRAWN", "CLOSED"]


class OptionView(Model):
    """One answer of a choice."""

    id: str
    label: str


class QuestionView(Model):
    """One question: STARS is answered by 1 to 5, CHOICE by an option's id, TEXT by at most 500 characters."""

    id: str
    kind: QuestionKind
    title: str
    required: bool
    options: list[OptionView]


class SurveyView(Model):
    """A visit's survey. ``until``: how long it may be answered. Doctor and department are what it asks about."""

    booking_id: str
    state: State
    doctor_name: str
    department_name: str
    starts_at: datetime
    until: datetime | None
    version: int
    questions: list[QuestionView]


class PictureView(Model):
    """A picture. ``url`` opens our own copy for ten minutes, once there is one; ``reason_text``: why there is none."""

    id: str
    state: PictureState
    state_text: str
    reason_text: str
    url: str | None


class EntryView(Model):
    """A step of a complaint's way. ``text``: what was written, or the stars that were given."""

    at: datetime
    what: Step
    what_text: str
    text: str


class Brief(Model):
    """A complaint in a list. ``number`` is what one reads out on the phone."""

    id: str
    number: str
    kind: ComplaintKind
    kind_text: str
    state: ComplaintState
    state_text: str
    about: About
    about_text: str
    created_at: datetime
    due_at: datetime | None


class ComplaintView(Brief):
    """A whole complaint. ``about_id`` leads to what it is about, while the account may see that.

    ``reopen_until``: until when it may be looked at once more; None: it may not.
    """

    about_id: str
    entries: list[EntryView]
    pictures: list[PictureView]
    stars: int | None
    can_withdraw: bool
    can_rate: bool
    reopen_until: datetime | None


def survey(db: Database, one: Survey) -> SurveyView:
    """A survey as the client shows it."""
    doctor = next(iter(site.doctors(db, [one.booking.doctor_id], employed_only=False)), None)
    return SurveyView(
        booking_id=one.booking.id, state=one.state, doctor_name=doctor.name if doctor else "",
        department_name=site.names_of_his(db).get(one.his_department, ("", ""))[1], starts_at=one.booking.starts_at,
        until=one.until, version=one.form.version,
        questions=[QuestionView(id=question.id, kind=question.kind, title=question.title, required=question.required,
                                options=[OptionView(id=option.id, label=option.label) for option in question.options])
                   for question in one.form.questions])


def briefs(source: Source, account_id: str, page: list[Complaint], now: datetime) -> list[Brief]:
    """Complaints as a list shows them."""
    return [Brief(**_brief(source, account_id, one, now)[0]) for one in page]


def complaint(source: Source, account_id: str, one: Complaint, now: datetime) -> ComplaintView:
    """A whole complaint, without what staff keep for themselves."""
    shown, may_see = _brief(source, account_id, one, now)
    return ComplaintView(
        **shown, about_id=one.about_id if may_see else "", stars=one.stars,
        entries=[EntryView(at=entry.at, what=cast(Step, entry.what), what_text=STEPS[entry.what],
                           text="" if entry.what == "HANDED_OVER" else entry.text)
                 for entry in complaint_store.entries(source, one.id) if entry.what in STEPS],
        pictures=[picture(each) for each in picture_store.of_complaint(source, one.id)],
        can_withdraw=rules.may_withdraw(one), can_rate=rules.may_rate(one),
        reopen_until=one.closes_at if rules.may_reopen(one, now) else None)


def _brief(source: Source, account_id: str, one: Complaint, now: datetime) -> tuple[dict[str, Any], bool]:
    about_text, may_see = _about(source, account_id, one, now)
    return {"id": one.id, "number": rules.spoken(one.number), "kind": one.kind, "kind_text": KINDS[one.kind],
            "state": one.state, "state_text": STATES[one.state], "about": one.about, "about_text": about_text,
            "created_at": one.created_at, "due_at": one.due_at if one.state in OPEN else None}, may_see


def _about(source: Source, account_id: str, one: Complaint, now: datetime) -> tuple[str, bool]:
    """What it is about, in words, and whether the account may (still) see that."""
    if one.about == "DOCTOR":
        doctors = site.doctors(source, [one.about_id], employed_only=False)
        return next((f"{each.name}医生" for each in doctors), ""), True
    if one.about == "DEPARTMENT":
        names = {each.id: each.name for root in site.tree(source) for each in (root, *root.children)}
        return names.get(one.about_id, "科室"), True
    if one.about == "NOTHING":
        return "", True
    booking = bookings.of_account(source, account_id, one.about_id)
    if booking is None or not access.may(source, account_id, booking.patient_id, "OWN", now):
        return "一次就诊", False
    session = schedules.session(source, booking.schedule_id)
    department = site.names_of_his(source).get(session.his_department, ("", ""))[1] if session else ""
    day = hospital_day(booking.starts_at)
    return f"{day.month}月{day.day}日 {department}就诊", True


def picture(one: Picture) -> PictureView:
    """One picture; whoever has its address can open it."""
    url = (cos.link(one.clean_key, seconds=LINK_LIFE, filename="图片.jpg") if one.state == "READY" else None)
    return PictureView(id=one.id, state=cast(PictureState, one.state), state_text=PICTURE_STATES[one.state],
                       reason_text=REASONS[one.reason], url=url)
