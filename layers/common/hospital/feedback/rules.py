"""Pure decisions about surveys and complaints: deadlines, numbers, what an answer may be, what may be shown of many."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta

from hospital.database.policy import Policy
from hospital.feedback.model import OPEN, ROUNDS, Complaint, Form, Group, Question
from hospital.runtime import canonical
from hospital.runtime.clock import at_hospital, hospital_day
from hospital.runtime.errors import Invalid

WORDS = 500  # characters of a free answer
LONGEST_WAY = 400  # days: no deadline is looked for further away


# -- surveys ----------------------------------------------------------------------------------------
def week_of(moment: datetime) -> date:
    """The Monday of the hospital's week: the only time that an answer has."""
    day = hospital_day(moment)
    return day - timedelta(days=day.weekday())


def over_at(ended_at: datetime, settings: Policy) -> datetime:
    """Until when a visit may be rated that ended then."""
    return ended_at + timedelta(days=settings.survey_days)


def read_answers(form: Form, given: Mapping[str, int | str]) -> tuple[dict[str, str], dict[str, str]]:
    """Marks (stars and choices) and words by question, as they are kept.

    Raises Invalid: ``fields`` names the questions.
    """
    known = {one.id: one for one in form.questions}
    wrong = [f"answers.{name}" for name in given if name not in known]
    marks: dict[str, str] = {}
    words: dict[str, str] = {}
    for one in form.questions:
        value = given.get(one.id)
        kept = None if value is None else _kept(one, value)
        if kept is None:
            wrong += [f"answers.{one.id}"] if value is not None or one.required else []
        elif one.kind != "TEXT":
            marks[one.id] = kept
        elif kept:
            words[one.id] = kept
    if wrong:
        raise Invalid("有题目还没有作答或答案有误，请检查后再提交。", fields=sorted(wrong))
    return marks, words


def _kept(question: Question, value: int | str) -> str | None:
    """An answer as it is kept; None: it is none."""
    if question.kind == "STARS":
        return str(value) if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 5 else None
    if not isinstance(value, str):
        return None
    if question.kind == "CHOICE":
        return value if value in {one.id for one in question.options} else None
    text = canonical.text(value)
    return text if len(text) <= WORDS else None


def shown_groups(groups: list[Group], smallest: int) -> tuple[list[Group], int]:
    """The groups that may be shown, and how many are not.

    One below ``smallest`` could be a person. What is hidden must itself be so many together, or it is the difference
    between a total and the rest: then the smallest of the others is hidden as well.
    """
    ordered = sorted(groups, key=lambda one: (one.answers, one.key))
    hidden = 0
    while ordered and (ordered[0].answers < smallest or 0 < hidden < smallest):
        hidden += ordered.pop(0).answers
    shown = {one.key for one in ordered}
    return [one for one in groups if one.key in shown], len(groups) - len(shown)


# -- complaints -------------------------------------------------------------------------------------
def new_number(below: Callable[[int], int]) -> str:
    """Nine drawn digits and a check digit (Luhn): a digit that was misheard makes no number."""
    digits = f"{1 + below(9)}{below(10**8):08d}"
    return digits + _check_digit(digits)


def read_number(text: str) -> str | None:
    """A number as it is stored, from however it was written; None when it can't be one."""
    digits = "".join(char for char in canonical.document_number(text) if char not in "-·")
    is_one = len(digits) == 10 and digits.isascii() and digits.isdecimal() and _check_digit(digits[:9]) == digits[9]
    return digits if is_one else None


def spoken(number: str) -> str:
    """A number in groups, as it is read out."""
    return f"{number[:3]} {number[3:6]} {number[6:]}"


def _check_digit(digits: str) -> str:
    doubled = [int(digit) * (2 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(digits))]
    return str(-sum(one - 9 if one > 9 else one for one in doubled) % 10)


def works(day: date, settings: Policy) -> bool:
    """Whether the hospital's office works on a day."""
    return day in settings.office_days or (day.weekday() < 5 and day not in settings.office_days_off)


def deadline(since: datetime, days: int, settings: Policy) -> datetime:
    """The end of the office's day, so many of its working days after the day of ``since``."""
    day, left = hospital_day(since), days
    for _ in range(LONGEST_WAY):
        day += timedelta(days=1)
        left -= works(day, settings)
        if left <= 0:
            break
    return at_hospital(day, settings.office_ends)


def warn_at(since: datetime, due: datetime, settings: Policy) -> datetime:
    """When staff are reminded: after a share of the time."""
    return since + (due - since) * settings.complaint_warn_percent / 100


def owes_answer(kind: str) -> bool:
    """Whether the hospital owes an answer by a time: praise is welcome without one."""
    return kind != "PRAISE"


def may_withdraw(one: Complaint) -> bool:
    """Whether its author may take it back: as long as the hospital owes the answer."""
    return one.state in OPEN


def may_reopen(one: Complaint, now: datetime) -> bool:
    """Whether its author may have it looked at once more."""
    return one.state == "ANSWERED" and one.round < ROUNDS and one.closes_at is not None and now < one.closes_at


def may_rate(one: Complaint) -> bool:
    """Whether the answer in force has no stars yet."""
    return one.state in ("ANSWERED", "CLOSED") and one.stars is None
