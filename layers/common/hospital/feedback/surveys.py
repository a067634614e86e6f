"""Rating a finished visit, once, so that nothing leads from the answer to who gave it.

A visit is finished when its patient was checked in and its session is over. What is kept of who answered is a keyed
hash of the visit, in a table of its own: it keeps a second answer out, and that is all it can do.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal

from msgspec import Struct

from hospital.booking import store as bookings
from hospital.booking.model import Booking
from hospital.booking.tell import tell
from hospital.database import policy
from hospital.database.connection import Database
from hospital.feedback import rules, survey_store, texts
from hospital.feedback.model import Form
from hospital.messages import service as messages
from hospital.patients import access
from hospital.runtime.clock import hospital_day
from hospital.runtime.errors import Conflict, NotFound
from hospital.schedules import store as schedules
from hospital.security import audit, limits

State = Literal["TOO_EARLY", "OPEN", "ANSWERED", "OVER"]
ASKED_WITHIN = timedelta(days=1)  # after the session: who could not be asked until then is not


class Survey(Struct, frozen=True):
    """How a visit's survey stands. ``until``: how long it may be answered; None until the visit is finished."""

    state: State
    booking: Booking
    his_department: str
    form: Form
    until: datetime | None


class NotNow(Conflict):
    """The visit is not finished, or was finished too long ago."""


def show(db: Database, account_id: str, booking_id: str, now: datetime) -> Survey:
    """The survey of one of the account's visits. Raises NotFound, NotBound, ConsentRequired."""
    booking = bookings.of_account(db, account_id, booking_id)
    if booking is None:
        raise NotFound("未找到该挂号记录。", code="booking_not_found")
    access.check(db, account_id, booking.patient_id, "OWN", now)
    session, (_, ends_at) = schedules.session(db, booking.schedule_id), schedules.hours(db, booking.schedule_id)
    form = survey_store.form(db, now)
    assert session is not None
    if form is None:
        raise NotFound("暂未开放评价，请稍后再试。", code="survey_not_found")
    finished = booking.state == "CHECKED_IN" and ends_at <= now
    until = rules.over_at(ends_at, policy.load(db)) if finished else None
    if survey_store.is_answered(db, booking.id):
        state: State = "ANSWERED"
    elif until is None:
        state = "TOO_EARLY"
    else:
        state = "OPEN" if now < until else "OVER"
    return Survey(state, booking, session.his_department, form, until)


def answer(db: Database, account_id: str, booking_id: str, version: int, given: Mapping[str, int | str], now: datetime
           ) -> State:
    """Keep the answers of a visit; of one that was rated before, the first ones stay.

    Raises NotFound, NotBound, ConsentRequired, NotNow, Invalid (an answer is missing or none), TextRefused, TooMany.
    """
    survey = show(db, account_id, booking_id, now)
    if survey.state == "ANSWERED":
        return "ANSWERED"
    if survey.state != "OPEN":
        raise (NotNow("本次就诊尚未结束，结束后即可评价。", code="visit_not_finished") if survey.state == "TOO_EARLY"
               else NotNow("本次就诊的评价时间已过，感谢您的关注。", code="survey_over"))
    form = survey.form if survey.form.version == version else survey_store.form(db, now, version)
    if form is None or form.version != version:
        raise NotNow("评价题目已更新，请返回重新打开。", code="survey_changed")
    marks, words = rules.read_answers(form, given)
    words_state = "NONE"
    if words:
        limits.take("words", account_id, policy.load(db), now)
        words_state = texts.look(db, account_id, "\n".join(words.values()))
    with db.transaction() as tx:
        is_first = survey_store.insert(
            tx, booking_id, version=version, week=rules.week_of(now), his_department=survey.his_department,
            doctor_id=survey.booking.doctor_id, marks=marks, words=words, words_state=words_state)
        if is_first:  # of which visit is not told: the audit must not lead to the answer either
            audit.by_account(tx, account_id, "survey.answer", account_id, now)
    return "ANSWERED"


def ask(db: Database, now: datetime) -> int:
    """Ask everybody whose visit is finished to rate it, once a visit; how many were asked now."""
    if not policy.load(db).survey_invites:
        return 0
    since, asked = now - ASKED_WITHIN, 0
    for booking_id in survey_store.unasked(db, ended_since=since, now=now, kind=messages.SURVEY_ASKED,
                                           days=(hospital_day(since), hospital_day(now))):
        if survey_store.is_answered(db, booking_id):
            continue
        with db.transaction() as tx:
            tell(tx, booking_id, messages.SURVEY_ASKED, now=now, subject="survey",
                 note="花一分钟评价本次就诊，医生看不到是谁评的")
        asked += 1
    return asked
