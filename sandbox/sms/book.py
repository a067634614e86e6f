"""Templates, limits, and what was sent to which phone."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

BEIJING = timezone(timedelta(hours=8))
MAINLAND = r"(\+86|0086|86)?(1[3-9][0-9]{9})"
ABROAD = r"\+[1-9][0-9]{5,14}"
# By number: how many texts within how long, and the code of the refusal. The hospital may change them in the console.
LIMITS = [(1, timedelta(seconds=30), "LimitExceeded.PhoneNumberThirtySecondLimit"),
          (5, timedelta(hours=1), "LimitExceeded.PhoneNumberOneHourLimit")]
A_DAY = (10, "LimitExceeded.PhoneNumberDailyLimit")
LONGEST_VALUE = 12


@dataclass(frozen=True)
class Template:
    """An approved text. ``is_code``: its values are up to six digits; ``abroad``: for numbers outside the mainland."""

    text: str
    is_code: bool
    abroad: bool = False

    @property
    def blanks(self) -> int:
        """How many values it takes."""
        return len(set(re.findall(r"\{(\d+)\}", self.text)))

    def fill(self, values: list[str]) -> str:
        """The text as it is sent."""
        return re.sub(r"\{(\d+)\}", lambda blank: values[int(blank[1]) - 1], self.text)


@dataclass(frozen=True)
class Text:
    """One that was sent."""

    at: datetime
    template_id: str
    values: list[str]
    text: str


class Book:
    """All phones. The owner holds its lock around every call."""

    def __init__(self) -> None:
        self.sent: dict[str, list[Text]] = defaultdict(list)
        self._counted: dict[str, list[datetime]] = defaultdict(list)

    def number(self, given: str) -> str | None:
        """A number as phones are kept here: 11 digits, or ``+`` and country; None when it can't be one."""
        if known := re.fullmatch(MAINLAND, given, re.ASCII):
            return known[2]
        return given if re.fullmatch(ABROAD, given, re.ASCII) and not given.startswith("+86") else None

    def refusal(self, number: str, template: Template | None, values: list[str], now: datetime) -> str | None:
        """The platform's code against sending this; None: it may be sent."""
        if template is None or template.abroad != number.startswith("+"):
            return "FailedOperation.TemplateIncorrectOrUnapproved"
        if len(values) != template.blanks:
            return "FailedOperation.TemplateParamSetNotMatchApprovedTemplate"
        if template.is_code and not all(re.fullmatch("[0-9]{0,6}", value, re.ASCII) for value in values):
            return "InvalidParameterValue.TemplateParameterFormatError"
        if any(len(value) > LONGEST_VALUE for value in values):
            return "InvalidParameterValue.TemplateParameterLengthLimit"
        counted = self._counted[number]
        for most, within, code in LIMITS:
            if sum(now - at < within for at in counted) >= most:
                return code
        day = now.astimezone(BEIJING).date()
        return A_DAY[1] if sum(at.astimezone(BEIJING).date() == day for at in counted) >= A_DAY[0] else None

    def send(self, number: str, template_id: str, template: Template, values: list[str], now: datetime) -> None:
        """It is on the phone."""
        self._counted[number].append(now)
        self.sent[number].append(Text(now, template_id, values, template.fill(values)))

    def forget_limits(self, number: str) -> None:
        """As if nothing had been sent to this number yet."""
        self._counted.pop(number, None)
