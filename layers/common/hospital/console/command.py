"""What every operator's command carries."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from hospital.runtime.canonical import Text, TextDates


class Command(TextDates):
    """A command, and who gives it."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, defer_build=True)
    action: str
    by: Annotated[Text, Field(min_length=2, max_length=50)]
