"""OBX segments into items, texts and files."""

from __future__ import annotations

import re

from hospital.reports.model import (
    Attachment,
    Code,
    Contradictory,
    Flag,
    Item,
    ItemStatus,
    Kind,
    Moment,
    Unreadable,
    Value,
)
from msgspec import Struct
from msgspec.structs import replace

from report_readers import attachments, codes, values
from report_readers.hl7_message import Segment
from report_readers.limits import Limits
from report_readers.moments import moment

_CODED = frozenset({"CE", "CWE", "CNE", "CF"})
_TEXTS = frozenset({"TX", "FT", "ST", ""})
_WITHDRAWN = frozenset({"deleted", "cancelled", "entered-in-error"})


class Observed(Struct):
    """An OBX and the notes that follow it."""

    segment: Segment
    notes: list[Segment]
    kind: str  # its value's type, OBX-2

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What makes two lines parts of one text."""
        one = self.segment
        return one.told(3), one.told(4), one.told(11), self.kind


class Found(Struct):
    """What the segments of one order, or of one specimen, hold."""

    items: list[Item]
    findings: list[str]
    conclusion: list[str]
    files: list[Attachment]
    parents: dict[int, tuple[str, str]]  # of an item by its sequence: code and sub-id, which a child order names


def read(observed: list[Observed], panel: str, kind: Kind | None, is_final: ItemStatus, first: int,
         limits: Limits) -> Found:
    """Items in order, with ``first`` as the first one's sequence. Raises Unreadable, Contradictory."""
    found = Found([], [], [], [], {})
    at = 0
    while at < len(observed):
        one = observed[at]
        at += 1
        if one.kind in ("ED", "RP"):
            status = _status(one.segment, is_final)
            if status not in _WITHDRAWN:
                found.files.append(_file(one, limits))
                continue
            one.segment.whole(5)  # a file that is taken back: that it was one stays to be seen
        more: list[Observed] = []
        if one.kind in ("TX", "FT"):
            while at < len(observed) and observed[at].key == one.key:
                more.append(observed[at])
                at += 1
        status = _status(one.segment, is_final)
        part = codes.part_of_text(*_name(one.segment), kind) if one.kind in _TEXTS and status not in _WITHDRAWN else ""
        if part and one.segment.is_empty(6) and one.segment.is_empty(7):
            text = "\n".join(filter(None, [_text(one, more), *(_notes(each) for each in (one, *more))]))
            (found.findings if part == "findings" else found.conclusion).append(text)
            one.segment.whole(1)
            one.segment.take(2)
            one.segment.take(11)
            continue
        item = _item(one, more, panel, status, first + len(found.items))
        found.items.append(item)
        found.parents[item.sequence] = (item.codes[0].code if item.codes else "", item.group)
    return found


def _name(segment: Segment) -> tuple[str, str]:
    code, *rest = segment.parts(3)
    return segment.look(3, 1) or segment.look(3, 4) or segment.look(3, 8) or code, "".join(rest).upper()


def coded(segment: Segment, number: int, repetition: int = 0) -> tuple[tuple[Code, ...], str]:
    """The codes of a CE or CWE, taken, and the text that people read."""
    *parts, original = segment.takes(number, repetition, 0, 1, 2, 3, 4, 5, 8)
    found = tuple(Code(code, system, text) for code, text, system in (parts[:3], parts[3:]) if code or text or system)
    name = parts[1] or original or parts[4] or parts[0] or parts[3]
    return (*found, *([Code("", "", original)] if original not in ("", name) else [])), name


def _status(segment: Segment, otherwise: ItemStatus) -> ItemStatus:
    told = segment.look(11).upper()
    if not told:
        return otherwise
    if told not in codes.ITEM_STATUS:
        raise Contradictory("status-unknown", segment.where(11), "the result's status is not among the codes")
    return codes.ITEM_STATUS[told]


def _text(one: Observed, more: list[Observed]) -> str:
    told = [one.segment.lines(5)]
    for each in more:
        told.append(each.segment.lines(5))
        for number in (1, 2, 3, 4, 11):  # as the first one's
            each.segment.whole(number)
    return "\n".join(told)


def _notes(one: Observed) -> str:
    if not one.notes:
        return ""
    return "\n".join(text for note in one.notes if (text := note.lines(3)))


def _item(one: Observed, more: list[Observed], panel: str, status: ItemStatus, sequence: int) -> Item:
    segment = one.segment
    kind = one.kind
    segment.whole(1)
    segment.take(2)
    segment.take(11)
    unit = _unit(segment)
    for each in more:
        other = _unit(each.segment)
        if values.folded_unit(other or unit) != values.folded_unit(unit or other):
            raise Contradictory("unit-changes", each.segment.where(6), "parts of one result have different units")
        unit = unit or other
    found, name = coded(segment, 3)
    told = _plain_value(_text(one, more)) if kind in _TEXTS else _value(segment, kind)
    group = segment.whole(4)
    flags = tuple(dict.fromkeys(flag for each in (one, *more) for flag in _flags(each.segment)))
    references = values.references(segment.whole(7), unit, segment.where(7))
    method = segment.named(17)
    notes = [_notes(each) for each in (one, *more)]
    return Item(sequence, name, found, told, status, unit, references, flags, method,
                "\n".join(text for text in notes if text), group, panel, observed=_moment(segment, 14))


def _moment(segment: Segment, number: int) -> Moment | None:
    text = segment.look(number)
    found = moment(text) if text else None
    if found is not None:
        segment.take(number)
    return found


def _unit(segment: Segment) -> str:
    if len(segment.pieces(6)) == 1 and len(segment.pieces(6)[0]) == 1:
        return segment.take(6)
    if segment.look(6) == "10" and segment.look(6, 1)[:1].isdigit():  # 10^9/L, which nobody escaped
        return segment.whole(6).strip()
    return segment.take(6) or segment.named(6)


def _flags(segment: Segment) -> tuple[Flag, ...]:
    found: list[Flag] = []
    for components in segment.pieces(8):
        known = values.flag(components[0])
        if known is not None:
            components[0] = ""
            found.append(known)
            continue
        several = [values.flag(part) for part in re.split(r"[,;、\s]+", components[0].strip())]
        if all(several):  # "H, A" in one
            components[0] = ""
            found += [one for one in several if one is not None]
    return tuple(found)


def _plain_value(text: str) -> Value | None:
    if text.strip() in ("", '""'):
        return None
    return values.value(text)


def _value(segment: Segment, kind: str) -> Value | None:
    if segment.is_empty(5):
        return None
    if kind in _CODED:
        found: list[Code] = []
        texts = []
        for repetition in range(len(segment.pieces(5))):
            more, text = coded(segment, 5, repetition)
            found += more
            texts.append(text)
        joined = "; ".join(text for text in texts if text)
        return replace(values.value(joined), codes=tuple(found)) if joined else None
    if kind == "SN":
        return _structured(segment)
    if kind == "NR" and len(segment.pieces(5)) == 1 and len(segment.pieces(5)[0]) == 2:
        return values.value(f"{segment.take(5)}-{segment.take(5, 1)}")
    return _plain_value(segment.whole(5))


def _structured(segment: Segment) -> Value | None:
    """SN: comparator, number, separator or suffix, number."""
    if len(segment.pieces(5)) > 1 or len(segment.pieces(5)[0]) > 4:
        return _plain_value(segment.whole(5))
    comparator, one, between, other = (segment.take(5, component) for component in range(4))
    if between in ("-", "~") and comparator:  # <3-5 is no range
        return Value(f"{comparator}{one}{between}{other}")
    return _plain_value(f"{comparator}{one}{between}{other}")


def _file(one: Observed, limits: Limits) -> Attachment:
    segment, where = one.segment, one.segment.where(5)
    segment.whole(1)
    kind = segment.take(2).upper()
    segment.take(11)
    name = segment.named(3)
    at = 2 if kind == "RP" else 1
    told = attachments.media_type(segment.look(5, at), segment.look(5, at + 1))
    if told:
        segment.take(5, at)
        segment.take(5, at + 1)
    if kind == "RP":
        return Attachment(told, name, b"", segment.take(5))
    encoding = segment.take(5, 3).upper()
    data = segment.take(5, 4)
    if encoding in ("HEX", "H"):
        try:
            content = bytes.fromhex(data)
        except ValueError:
            raise Unreadable("hex", where, "the file is not whole hexadecimal") from None
        if len(content) > limits.attachment:
            raise Unreadable("too-large", where, f"the file has more than {limits.attachment} bytes")
    elif encoding == "A":
        content = data.encode()
    else:
        content = attachments.decoded(data, limits, where)
    return attachments.attachment(content, told, name, where)
