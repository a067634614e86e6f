"""One message in segments, of which every text is taken once: what nobody took is told at the end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import hl7
from hospital.reports.model import Note, Unreadable

from report_readers.hl7_text import Separators, Text, Unescape
from report_readers.limits import DEFAULT, Limits

Pieces = list[list[str]]  # repetitions of components, still escaped; taken ones are empty


class Segment:
    """A segment. Fields count from 1 as in the standard, repetitions and components from 0."""

    def __init__(self, parsed: Any, label: str, message: Message) -> None:
        self.name: str = str(parsed[0])
        self.label = label  # OBX[3]: the third OBX of the message
        self._message = message
        self._fields: list[Any] = list(parsed)
        self._fields[0] = ""

    def whole(self, number: int) -> str:
        """A field as one text, taken. Separators in it, which somebody forgot to escape, are part of the text."""
        text = self._raw(number)
        if text:
            self._fields[number] = ""
        return self._message.unescape(text)

    def lines(self, number: int) -> str:
        """As :meth:`whole`; repetitions are lines, but ``3.9~6.1`` is a range."""
        text = self._raw(number)
        if text:
            self._fields[number] = ""
            text = self._message.line_ends.sub("\n", text)
        return self._message.unescape(text)

    def take(self, number: int, component: int = 0, repetition: int = 0) -> str:
        """One component, taken; empty when there is none."""
        pieces = self.pieces(number)
        if repetition >= len(pieces) or component >= len(pieces[repetition]):
            return ""
        text = pieces[repetition][component]
        pieces[repetition][component] = ""
        text = self._message.unescape(text).strip()
        return "" if text == '""' else text  # HL7's word for: nothing

    def look(self, number: int, component: int = 0) -> str:
        """The first repetition's component, not taken."""
        pieces = self.pieces(number)
        text = pieces[0][component] if pieces and component < len(pieces[0]) else ""
        return self._message.unescape(text).strip() if text != '""' else ""

    def told(self, number: int) -> str:
        """A field as it was written, not taken."""
        return self._raw(number)

    def named(self, number: int) -> str:
        """The words of a CE or CWE, taken; its codes, which have no place, are noted."""
        component = next((one for one in (1, 8, 4, 0, 3) if self.look(number, one)), 0)
        return self.take(number, component)

    def where(self, number: int) -> str:
        """A field's name for people."""
        return f"{self.label}-{number}"

    def count(self, number: int) -> int:
        """How many repetitions a field has."""
        return len(self.pieces(number))

    def sub(self, text: str) -> tuple[str, str]:
        """A component's first subcomponent, and the rest."""
        first, _, rest = text.partition(self._message.separators.subcomponent)
        return first, rest

    def split(self, text: str) -> list[str]:
        """A component's subcomponents."""
        return text.split(self._message.separators.subcomponent)

    def is_empty(self, number: int) -> bool:
        """Whether nothing is told (any more)."""
        return self._raw(number) in ("", '""')

    def clear(self) -> None:
        """All of it is known from elsewhere."""
        self._fields = []

    def same_after(self, number: int, other: Segment) -> bool:
        """Whether two segments say the same after a field."""
        most = max(len(self._fields), len(other._fields))
        return all(self._raw(at) == other._raw(at) for at in range(number + 1, most))

    def pieces(self, number: int) -> Pieces:
        """A field in its parts."""
        if number >= len(self._fields):
            return []
        field = self._fields[number]
        if isinstance(field, hl7.Container | str):
            field = self._fields[number] = _pieces(field)
        found: Pieces = field
        return found

    def _raw(self, number: int) -> str:
        if number >= len(self._fields):
            return ""
        field = self._fields[number]
        if isinstance(field, str):
            return field
        if isinstance(field, hl7.Container):
            return str(field[0]) if len(field) == 1 and isinstance(field[0], str) else str(field)
        separators = self._message.separators
        told = [separators.component.join(components) for components in field if any(components)]
        return separators.repetition.join(told)

    def rest(self) -> Iterator[Note]:
        """What nobody took, in order."""
        for number, field in enumerate(self._fields):
            if field == "" or (isinstance(field, hl7.Container) and len(field) == 1 and field[0] == ""):
                continue
            for repetition, components in enumerate(self.pieces(number)):
                again = f"({repetition + 1})" if repetition else ""
                for place, text in enumerate(components):
                    if text and text != '""':
                        part = f".{place + 1}" if len(components) > 1 else ""
                        yield Note(f"{self.label}-{number}{again}{part}", self._message.unescape(text))


def _pieces(field: Any) -> Pieces:
    if isinstance(field, str):
        return [[field]] if field else []
    if len(field) == 1 and isinstance(field[0], str):
        return [[field[0]]] if field[0] else []
    return [[repetition] if isinstance(repetition, str) else [str(component) for component in repetition]
            for repetition in field]


class Message:
    """A message: its segments in order."""

    def __init__(self, text: Text, limits: Limits = DEFAULT) -> None:
        self.separators: Separators = text.separators
        self.charset = text.charset
        self.unescape = Unescape(text.separators, text.charset)
        self.line_ends = re.compile(
            rf"(?<![\d.]){re.escape(text.separators.repetition)}|{re.escape(text.separators.repetition)}(?![\d.])")
        counts: dict[str, int] = {}
        self.segments: list[Segment] = []
        for parsed in hl7.parse(text.text):
            name = str(parsed[0])
            counts[name] = counts.get(name, 0) + 1
            label = name if name in ("MSH", "PID") and counts[name] == 1 else f"{name}[{counts[name]}]"
            for number, field in enumerate(parsed):
                if len(field) == 1 and isinstance(field[0], str) and len(field[0]) > limits.text and name != "OBX":
                    raise Unreadable("too-long", f"{label}-{number}",
                                     f"the field has more than {limits.text} characters")
            self.segments.append(Segment(parsed, label, self))
        self.header = self.segments[0]
        self.header.whole(1)
        self.header.whole(2)
