"""Commands about what patients think: complaints and their answers, surveys and what is made of many of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from hospital.console import custody
from hospital.console.command import Command
from hospital.console.entries import note
from hospital.database import policy
from hospital.database.connection import Database
from hospital.feedback import complaint_store, handling, picture_store, rules, survey_store
from hospital.feedback.model import OPEN, Complaint, ComplaintKind, Group, Option, Question, QuestionKind
from hospital.patients import store as patients
from hospital.runtime.canonical import Id, OptionalId, Text
from hospital.runtime.errors import Invalid, NotFound
from hospital.security import cipher
from hospital.site import store as site

Words = Annotated[Text, Field(min_length=2, max_length=2000)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
Title = Annotated[Text, Field(min_length=2, max_length=80)]


class ListComplaints(Command):
    """Which: ``OPEN`` (an answer is owed), in one state, or all; of a kind; ``overdue`` ones; oldest first, by pages.

    ``number``: the one that a patient has read out.
    """

    state: Literal["OPEN", "ALL", "RECEIVED", "IN_HAND", "ANSWERED", "REOPENED", "CLOSED", "WITHDRAWN"] = "OPEN"
    kind: ComplaintKind | Literal[""] = ""
    overdue: bool = False
    number: Annotated[str, Field(max_length=20)] = ""
    after: OptionalId = ""
    limit: Annotated[int, Field(ge=1, le=200)] = 100


class OnComplaint(Command):
    """A complaint."""

    complaint_id: Id


class OpenComplaint(OnComplaint):
    """A complaint, and why it is read."""

    note: Annotated[Text, Field(min_length=2, max_length=400)]


class WriteOnComplaint(OnComplaint):
    """A complaint, and what is written on it: an answer for its author, or a note for staff."""

    text: Words


class HandOver(OnComplaint):
    """Who looks into it too (``to``), and how many working days later the answer is owed for that."""

    to: Annotated[Text, Field(min_length=2, max_length=80)]
    more_days: Annotated[int, Field(ge=0, le=10)] = 0


class OptionIn(BaseModel):
    """One answer of a choice."""

    model_config = ConfigDict(extra="forbid", defer_build=True)
    id: Name
    label: Annotated[Text, Field(min_length=1, max_length=30)]


class QuestionIn(BaseModel):
    """One question; a choice has 2 to 8 options, others have none."""

    model_config = ConfigDict(extra="forbid", defer_build=True)
    id: Name
    kind: QuestionKind
    title: Title
    required: bool = False
    options: Annotated[list[OptionIn], Field(max_length=8)] = []

    @model_validator(mode="after")
    def _has_its_options(self) -> QuestionIn:
        ids = {one.id for one in self.options}
        if len(ids) != len(self.options) or (len(ids) < 2 if self.kind == "CHOICE" else ids):
            raise ValueError("a choice has 2 to 8 different options, other questions have none")
        return self


class PublishSurvey(Command):
    """The next version of the questions, from ``effective_at`` (at once): visits are asked these from then on."""

    questions: Annotated[list[QuestionIn], Field(min_length=1, max_length=20)]
    effective_at: AwareDatetime | None = None

    @model_validator(mode="after")
    def _can_be_told_apart(self) -> PublishSurvey:
        if len({one.id for one in self.questions}) != len(self.questions):
            raise ValueError("two questions have one id")
        if sum(one.kind == "TEXT" for one in self.questions) > 4:
            raise ValueError("at most 4 questions are answered in words: WeChat looks at 2,500 characters")
        return self


class Period(Command):
    """Whole weeks: from the one of ``since`` to the one of ``until``."""

    since: date
    until: date

    def weeks(self) -> tuple[date, date]:
        """The first Monday, and the one after the last."""
        def monday(day: date) -> date:
            return day - timedelta(days=day.weekday())

        if self.until < self.since:
            raise Invalid("结束日期不能早于开始日期。", fields=["until"])
        return monday(self.since), monday(self.until) + timedelta(days=7)


class Results(Period):
    """How answers are put together."""

    group: Literal["all", "week", "department", "doctor"] = "all"


class ReadWords(Period):
    """And why what patients wrote is read."""

    note: Annotated[Text, Field(min_length=2, max_length=400)]


# -- complaints -------------------------------------------------------------------------------------
def list_complaints(db: Database, command: ListComplaints, now: datetime) -> dict[str, Any]:
    """Complaints without a word of what was written: what a command returns ends in a log."""
    if command.number:
        number = rules.read_number(command.number)
        if number is None:
            raise Invalid("编号有误，请与对方核对后重新输入。", code="number_wrong", fields=["number"])
        found = complaint_store.of_number(db, number)
        return {"complaints": [_listed(found, now)] if found else [], "next": None}
    states = {"OPEN": sorted(OPEN), "ALL": ["RECEIVED", "IN_HAND", "ANSWERED", "REOPENED", "CLOSED", "WITHDRAWN"]}
    page = complaint_store.page(
        db, states.get(command.state, [command.state]), kind=command.kind, after=command.after,
        due_before=now if command.overdue else None, limit=command.limit + 1)
    shown = page[:command.limit]
    return {"complaints": [_listed(one, now) for one in shown],
            "next": shown[-1].id if len(page) > len(shown) else None}


def _listed(one: Complaint, now: datetime) -> dict[str, Any]:
    owed = one.state in OPEN and one.due_at is not None
    return {"id": one.id, "number": rules.spoken(one.number), "kind": one.kind, "state": one.state,
            "about": one.about, "about_id": one.about_id, "text_state": one.text_state, "round": one.round,
            "stars": one.stars, "created_at": one.created_at.isoformat(),
            "due_at": one.due_at.isoformat() if owed and one.due_at else None,
            "overdue": bool(owed and one.due_at and one.due_at <= now)}


def open_complaint(db: Database, command: OpenComplaint, now: datetime) -> dict[str, Any]:
    """A whole complaint, with pictures' places in COS, in a file that goes after an hour.

    Raises NotFound, Rejected, Unanswered.
    """
    cipher.ready()
    one = complaint_store.by_id(db, command.complaint_id)
    if one is None:
        raise NotFound("没有该投诉或建议。", code="complaint_not_found")
    content = {**_listed(one, now), "phone": patients.phone_of(db, one.account_id) or "", "entries": [
        {"at": entry.at.isoformat(), "what": entry.what, "by": entry.actor, "text": entry.text}
        for entry in complaint_store.entries(db, one.id)], "pictures": [
        {"state": each.state, "reason": each.reason, "file": each.clean_key if each.state == "READY" else ""}
        for each in picture_store.of_complaint(db, one.id)]}
    return custody.hand_out(db, command, one.id, content, now)


def take_complaint(db: Database, command: OnComplaint, now: datetime) -> dict[str, Any]:
    """Somebody looks into it."""
    with db.transaction() as tx:
        one = handling.take(tx, command.complaint_id, actor=command.by, now=now)
        note(tx, command, one.id, now)
    return {"state": one.state}


def hand_over_complaint(db: Database, command: HandOver, now: datetime) -> dict[str, Any]:
    """Another department looks into it too."""
    with db.transaction() as tx:
        one = handling.hand_over(tx, command.complaint_id, to=command.to, more_days=command.more_days,
                                 actor=command.by, now=now)
        note(tx, command, one.id, now, detail={"to": command.to, "more_days": command.more_days})
    return {"state": one.state, "due_at": one.due_at.isoformat() if one.due_at else None}


def note_on_complaint(db: Database, command: WriteOnComplaint, now: datetime) -> dict[str, Any]:
    """Keep what was found out, for staff alone."""
    cipher.ready()
    with db.transaction() as tx:
        one = handling.note(tx, command.complaint_id, command.text, actor=command.by, now=now)
        note(tx, command, one.id, now)
    return {"state": one.state}


def answer_complaint(db: Database, command: WriteOnComplaint, now: datetime) -> dict[str, Any]:
    """Answer it; its author is told."""
    cipher.ready()
    with db.transaction() as tx:
        one = handling.answer(tx, command.complaint_id, command.text, actor=command.by, now=now)
        note(tx, command, one.id, now)
    return {"state": one.state}


# -- surveys ----------------------------------------------------------------------------------------
def publish_survey(db: Database, command: PublishSurvey, now: datetime) -> dict[str, Any]:
    """A new version of the questions; answers keep the one that they were given to."""
    if command.effective_at is not None and command.effective_at < now:
        raise Invalid("生效时间不能早于现在。", fields=["effective_at"])
    questions = tuple(Question(one.id, one.kind, one.title, one.required,
                               tuple(Option(option.id, option.label) for option in one.options))
                      for one in command.questions)
    with db.transaction() as tx:
        version = survey_store.insert_form(tx, questions, command.effective_at or now)
        note(tx, command, str(version), now, detail={"questions": [one.id for one in questions]})
    return {"version": version}


def survey_results(db: Database, command: Results, now: datetime) -> dict[str, Any]:
    """How many answered, and how; a group of too few is shown to nobody (``hidden``)."""
    groups = survey_store.groups(db, command.group, *command.weeks())
    shown, hidden = rules.shown_groups(groups, policy.load(db).survey_smallest_group)
    names = _names(db, command.group, shown)
    return {"groups": [{"key": one.key, "name": names.get(one.key, ""), "answers": one.answers, "questions": {
        question: {"marks": marks, "average": _average(marks)} for question, marks in one.marks.items()}}
        for one in shown], "hidden": hidden}


def _names(db: Database, by: str, groups: list[Group]) -> dict[str, str]:
    if by == "doctor":
        return {one.id: one.name for one in site.doctors(db, [one.key for one in groups], employed_only=False)}
    return {code: name for code, (_, name) in site.names_of_his(db).items()} if by == "department" else {}


def _average(marks: dict[str, int]) -> float | None:
    """Of stars; None of a choice."""
    if not all(mark.isdecimal() for mark in marks):
        return None
    return round(sum(int(mark) * number for mark, number in marks.items()) / sum(marks.values()), 2)


def read_words(db: Database, command: ReadWords, now: datetime) -> dict[str, Any]:
    """What patients wrote, by department and in no order of time, in a file that goes after an hour.

    Of departments with too few answers nothing is read. Raises Rejected, Unanswered.
    """
    cipher.ready()
    since, until = command.weeks()
    shown, hidden = rules.shown_groups(survey_store.groups(db, "department", since, until),
                                       policy.load(db).survey_smallest_group)
    names = _names(db, "department", shown)
    words = survey_store.words(db, since, until, [one.key for one in shown])
    content = {"hidden_departments": hidden, "words": [
        {"department": names.get(row["his_department"], row["his_department"]), "checked": row["words_state"],
         "words": row["words"]} for row in words]}
    return custody.hand_out(db, command, f"{since}..{until}", content, now)


COMMANDS: dict[str, tuple[type[Command], Callable[[Database, Any, datetime], dict[str, Any]]]] = {
    "complaint.list": (ListComplaints, list_complaints),
    "complaint.open": (OpenComplaint, open_complaint),
    "complaint.take": (OnComplaint, take_complaint),
    "complaint.hand_over": (HandOver, hand_over_complaint),
    "complaint.note": (WriteOnComplaint, note_on_complaint),
    "complaint.answer": (WriteOnComplaint, answer_complaint),
    "survey.publish": (PublishSurvey, publish_survey),
    "survey.results": (Results, survey_results),
    "survey.words": (ReadWords, read_words),
}
READS = {"complaint.list", "survey.results"}
