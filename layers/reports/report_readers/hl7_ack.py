"""The answer to an HL7 message: taken, not taken, or not for us, in the sender's own separators and characters."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Literal

from hospital.reports.model import Contradictory, NotTaken, Unreadable
from hospital.runtime.clock import BEIJING

from report_readers.hl7_text import Separators, Text, normalise
from report_readers.limits import DEFAULT, Limits

Answer = Literal["AA", "AE", "AR"]
# Table 0357. What is not told to be another is an application's own error.
_CODES = {"not-a-report": ("200", "Unsupported message type"), "version": ("203", "Unsupported version id"),
          "no-header": ("100", "Segment sequence error"), "no-report": ("100", "Segment sequence error"),
          "status-unknown": ("103", "Table value not found"),
          "processing-unknown": ("202", "Unsupported processing id")}
_OTHERWISE = ("207", "Application internal error")
_REJECTED = frozenset({"not-a-report", "version", "processing-unknown"})
_PLACE = re.compile(r"([A-Z][A-Z0-9]{2})(?:\[(\d+)\])?(?:-(\d+))?")
_FALLBACK = Text("", Separators(), "utf-8")


def answer_to(problem: NotTaken | None) -> Answer:
    """Accepted; an error, which the sender mends and sends again; or rejected: such a message is never for us."""
    if problem is None:
        return "AA"
    return "AR" if problem.reason in _REJECTED else "AE"


def acknowledge(content: bytes, problem: NotTaken | None, now: datetime, number: str, *, framed: bool = False,
                limits: Limits = DEFAULT) -> bytes:
    """The answer to ``content``. ``number`` becomes the answer's own control id; ``framed``: between MLLP's marks."""
    try:
        text = normalise(content, limits)
    except (Unreadable, Contradictory):
        text = _FALLBACK
    header = text.text.split("\r", 1)[0].split(text.separators.field)
    component, repetition, escape, subcomponent = list(text.separators.encoding[:4])  # none that is only ours
    one = Separators(text.separators.field, component, repetition, escape, subcomponent)
    field = dict(enumerate(header, start=1))  # MSH-1 is the separator, so the name stands for it

    def told(place: int) -> str:
        return field.get(place, "")  # escaped already, as it was sent

    version = told(12) or "2.5"
    event = field.get(9, "").split(text.separators.component)[1:2] or [""]
    kind = one.component.join(["ACK", event[0]]) if event[0] else "ACK"
    segments = [
        ["MSH", text.separators.encoding, told(5), told(6), told(3), told(4),
         now.astimezone(BEIJING).strftime("%Y%m%d%H%M%S%z"), "", kind, _escaped(number, one), told(11) or "P",
         version, *([""] * 5), told(18)],
        ["MSA", answer_to(problem), told(10), *([_escaped(str(problem), one)] if problem else [])]]
    if problem is not None:
        segments.append(_error(problem, version, one))
    lines = "".join(one.field.join(segment).rstrip(one.field) + "\r" for segment in segments)
    answer = lines.encode(text.charset, "replace")
    return b"\x0b" + answer + b"\x1c\r" if framed else answer


def _error(problem: NotTaken, version: str, one: Separators) -> list[str]:
    code, meaning = _CODES.get(problem.reason, _OTHERWISE)
    found = _PLACE.match(problem.where)
    place = [part or "" for part in found.groups()] if found else ["", "", ""]
    place[1] = place[1] or ("1" if place[0] else "")
    coded = [code, meaning, "HL70357"]
    if _is_old(version):  # until 2.4 place and code are one field
        return ["ERR", one.component.join([*place, one.subcomponent.join(coded)])]
    return ["ERR", "", one.component.join(place).rstrip(one.component), one.component.join(coded), "E",
            _escaped(problem.reason, one), "", "", _escaped(problem.sentence, one)]


def _is_old(version: str) -> bool:
    found = re.match(r"2\.(\d)", version)
    return found is not None and int(found[1]) < 5


def _escaped(text: str, one: Separators) -> str:
    signs = {one.escape: "E", one.field: "F", one.component: "S", one.repetition: "R", one.subcomponent: "T"}
    return "".join(f"{one.escape}{signs[char]}{one.escape}" if char in signs else char for char in text)
