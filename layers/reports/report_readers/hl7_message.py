"""One message in segments, of which every text is taken once: what nobody took is told at the end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import hl7
from hospital.reports.model import Note, Unreadable

from report_readers.hl7_text import Separators, Text, Unescape
from report_readers.limits import DEFAULT, Limits

_first = list.__getitem__
Pieces = list[list[str]]  # repetitions of components, still escaped; taken ones are empty


class Segment:
    """A segment. Fields count from 1 as in the standard, repetitions and components from 0."""

    def __init__(self, parsed: Any, label: str, message: Message) -> None:
        self.label = label  # OBX[3]: the third OBX of the message
        self._message = message
        # The library's own way to an element takes longer than all the rest of reading.
        self._fields: list[str | Pieces] = [
            _first(field, 0) if len(field) == 1 and isinstance(_first(field, 0), str)
            else _plain(field, message.separators) for field in parsed]
        self.name = str(self._fields[0])
        self._fields[0] = ""

    def whole(self, number: int) -> str:
        """A field as one text, taken. Separators in it, which somebody forgot to escape, are part of the text."""
        text = self.told(number)
        if text:
            self._fields[number] = ""
        return "" if text == '""' else self._message.unescape(text)

    def lines(self, number: int) -> str:
        """As :meth:`whole`; repetitions are lines, but ``3.9~6.1`` is a range."""
        text = self.told(number)
        if text:
            self._fields[number] = ""
            text = self._message.line_ends.sub("\n", text)
        return self._message.unescape(text)

    def take(self, number: int, component: int = 0, repetition: int = 0) -> str:
        """One component, taken; empty when there is none."""
        field = self._fields[number] if number < len(self._fields) else ""
        if isinstance(field, str):
            if not field or component or repetition:
                return ""
            self._fields[number] = ""
            return self._read(field)
        if repetition >= len(field) or component >= len(field[repetition]):
            return ""
        text = field[repetition][component]
        field[repetition][component] = ""
        return self._read(text)

    def takes(self, number: int, repetition: int, *components: int) -> list[str]:
        """Several components of one repetition, taken."""
        field = self._fields[number] if number < len(self._fields) else ""
        if isinstance(field, str) or repetition >= len(field):
            return [self.take(number, component, repetition) for component in components] if field else \
                [""] * len(components)
        found, length = field[repetition], len(field[repetition])
        told = [self._read(found[at]) if at < length else "" for at in components]
        for at in components:
            if at < length:
                found[at] = ""
        return told

    def look(self, number: int, component: int = 0) -> str:
        """The first repetition's component, not taken."""
        field = self._fields[number] if number < len(self._fields) else ""
        if isinstance(field, str):
            return "" if component or not field else self._read(field)
        return self._read(field[0][component]) if component < len(field[0]) else ""

    def _read(self, text: str) -> str:
        if not text:
            return ""
        text = self._message.unescape(text).strip()
        return "" if text == '""' else text  # HL7's word for: nothing

    def told(self, number: int) -> str:
        """A field as it was written, not taken."""
        field = self._fields[number] if number < len(self._fields) else ""
        if isinstance(field, str):
            return field
        separators = self._message.separators
        return separators.repetition.join(
            separators.component.join(components) for components in field if any(components))

    def named(self, number: int) -> str:
        """The words of a CE or CWE, taken; its codes, which have no place, are noted."""
        if self.is_empty(number):
            return ""
        return self.take(number, next((one for one in (1, 8, 4, 0, 3) if self.look(number, one)), 0))

    def where(self, number: int) -> str:
        """A field's name for people."""
        return f"{self.label}-{number}"

    def parts(self, number: int, component: int = 0, repetition: int = 0) -> list[str]:
        """The subcomponents of a component, not taken; at least one, which may be empty."""
        field = self._fields[number] if number < len(self._fields) else ""
        if isinstance(field, str):
            text = "" if component or repetition else field
        else:
            components = field[repetition] if repetition < len(field) else []
            text = components[component] if component < len(components) else ""
        return [self._read(part) for part in text.split(self._message.separators.subcomponent)]

    def is_empty(self, number: int) -> bool:
        """Whether nothing is told (any more)."""
        return self.told(number) in ("", '""')

    def check(self, most: int) -> None:
        """Raises Unreadable when a field has more characters."""
        for number, field in enumerate(self._fields):
            if len(field) > most:
                raise Unreadable("too-long", self.where(number), f"the field has more than {most} characters")

    def clear(self) -> None:
        """All of it is known from elsewhere."""
        self._fields = []

    def after(self, number: int) -> tuple[str, ...]:
        """All that is told after a field."""
        told = [self.told(at) for at in range(number + 1, len(self._fields))]
        while told and not told[-1]:
            told.pop()
        return tuple(told)

    def pieces(self, number: int) -> Pieces:
        """A field in its parts."""
        field = self._fields[number] if number < len(self._fields) else ""
        if isinstance(field, str):
            if not field:
                return []
            field = self._fields[number] = [[field]]
        return field

    def rest(self) -> Iterator[Note]:
        """What nobody took, in order."""
        for number, field in enumerate(self._fields):
            if not field:
                continue
            for repetition, components in enumerate([[field]] if isinstance(field, str) else field):
                again = f"({repetition + 1})" if repetition else ""
                for place, text in enumerate(components):
                    if text and text != '""':
                        part = f".{place + 1}" if len(components) > 1 else ""
                        yield Note(f"{self.label}-{number}{again}{part}", self._message.unescape(text))


def _plain(field: Any, separators: Separators) -> str | Pieces:
    """A parsed field as a text where it is one, else in its parts."""
    found: Pieces = []
    sub = separators.subcomponent
    for repetition in field:
        if isinstance(repetition, str):
            found.append([repetition])
        else:
            found.append([component if isinstance(component, str) else _first(component, 0) if len(component) == 1
                          else sub.join(component) for component in repetition])
    if len(found) == 1 and len(found[0]) == 1:
        return found[0][0]
    return found


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
            name = str(next(iter(parsed)))
            counts[name] = counts.get(name, 0) + 1
            label = name if name in ("MSH", "PID") and counts[name] == 1 else f"{name}[{counts[name]}]"
            segment = Segment(parsed, label, self)
            if name != "OBX":  # whose files have a limit of their own
                segment.check(limits.text)
            self.segments.append(segment)
        self.header = self.segments[0]
        self.header.whole(1)
        self.header.whole(2)
