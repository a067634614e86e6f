"""Observations into items."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hospital.reports.model import (
    SUSCEPTIBILITY,
    Code,
    Contradictory,
    Flag,
    Item,
    ItemStatus,
    Moment,
    Reference,
    Unreadable,
    Value,
)
from msgspec.structs import replace

from report_readers import codes, values
from report_readers.fhir_resources import Json, Resource, View
from report_readers.limits import Limits
from report_readers.microbiology import antibiotic
from report_readers.moments import moment

INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"


def concept(node: Json, name: str) -> tuple[tuple[Code, ...], str]:
    """A CodeableConcept's codes and the text that people read, taken."""
    told = node.get(name) or {}
    found = []
    for coding in told.get("coding", []):
        code = Code(str(coding.pop("code", "")), str(coding.pop("system", "")), str(coding.pop("display", "")))
        found.append(code)
    text = told.pop("text", "") or next((one.text for one in found if one.text), "")
    return tuple(found), text or next((one.code for one in found if one.code), "")


def named(told: Json) -> str:
    """The words of a CodeableConcept, taken; its codes, which have no place, are noted."""
    if text := told.pop("text", ""):
        return str(text)
    for part in ("display", "code"):
        for coding in told.get("coding", []):
            if text := coding.pop(part, ""):
                return str(text)
    return ""


def taken_moment(node: Json, name: str) -> Moment | None:
    """A time, taken when it can be read."""
    told = node.get(name)
    found = moment(told) if isinstance(told, str) else None
    if found is not None:
        del node[name]
    return found


class Items:
    """Items of one report: each Observation becomes one, its components and members below it."""

    def __init__(self, view: View, most: int, limits: Limits) -> None:
        self._view = view
        self._most = most  # that the message may still have
        self._limits = limits
        self.count = 0
        self._known: dict[int, Item] = {}
        self._open: set[int] = set()

    def next(self, where: str) -> int:
        """The next item's sequence."""
        self.count += 1
        if self.count > self._most:
            raise Unreadable("too-many", where, f"there are more than {self._limits.items} results")
        return self.count

    def of_references(self, node: Json, name: str, at: Resource, subject: tuple[str, Resource] | None,
                      panel: str) -> list[Item]:
        """The items that a list of references means. Raises Unreadable when one is not in the message."""
        found = []
        for number, reference in enumerate(node.get(name, [])):
            where = f"{at.label}.{name}[{number}]"
            told = reference.get("reference", "")
            target = self._view.find(told, at) if told else None
            if target is None:
                raise Unreadable("reference-unresolved", where, "a result that the report names is not in the message")
            if target.type != "Observation":
                raise Unreadable("not-an-observation", where, "what the report names as a result is none")
            self._view.claim(told, at)
            del reference["reference"]
            found.append(self._item(target, subject, panel))
        return found

    def _item(self, resource: Resource, subject: tuple[str, Resource] | None, panel: str) -> Item:
        at = id(resource)
        if at in self._known:  # named twice: shown at each place
            return self._known[at]
        if at in self._open or len(self._open) >= max(1, self._limits.depth // 4):
            raise Unreadable("too-deep", resource.label, "panels stand in panels without end")
        self._open.add(at)
        node = resource.content
        told = (node.get("subject") or {}).get("reference", "")
        if told and subject is not None:
            if not self._view.same(told, resource, *subject):
                raise Contradictory("two-patients", f"{resource.label}.subject", "a result is another patient's")
            del node["subject"]["reference"]
        sequence = self.next(resource.label)
        status = self._status(node, resource.label)
        item = self._result(node, sequence, status, resource.label, panel)
        members = [self._result(part, self.next(resource.label), status, f"{resource.label}.component[{number}]", panel)
                   for number, part in enumerate(node.get("component", []))]
        members += self.of_references(node, "hasMember", resource, subject, panel)
        if members:
            tested = item.value is not None and any(not SUSCEPTIBILITY.isdisjoint(one.flags) for one in members)
            item = replace(item, role="organism" if tested else "panel",
                           members=tuple(antibiotic(one) for one in members))
        self._open.discard(at)
        self._known[at] = item
        return item

    def _status(self, node: Json, where: str) -> ItemStatus:
        told = node.pop("status", "")
        if told not in codes.FHIR_ITEM_STATUS:
            raise Contradictory("status-unknown", f"{where}.status", "the result's status is not among the codes")
        return codes.FHIR_ITEM_STATUS[told]

    def _result(self, node: Json, sequence: int, status: ItemStatus, where: str, panel: str) -> Item:
        found, name = concept(node, "code")
        value, unit = _value(node, where)
        if value is None and "dataAbsentReason" in node:
            value = Value("", absent=named(node["dataAbsentReason"]))
        method = named(node.get("method") or {})
        references = tuple(_reference(one, unit, f"{where}.referenceRange[{number}]")
                           for number, one in enumerate(node.get("referenceRange", [])))
        notes = [text for note in node.get("note", []) if (text := note.pop("text", ""))]
        return Item(sequence, name, found, value, status, unit[0], references, _flags(node, where), method,
                    "\n".join(notes), panel=panel, observed=taken_moment(node, "effectiveDateTime"))


def _flags(node: Json, where: str) -> tuple[Flag, ...]:
    found: list[Flag] = []
    for number, told in enumerate(node.get("interpretation", [])):
        meant: list[Flag] = []
        for coding in told.get("coding", []):
            code, system = str(coding.get("code", "")), coding.get("system", "")
            known = values.flag(code)
            if known is not None:
                meant.append(known)
                del coding["code"]
                for name in ("system", "display"):
                    coding.pop(name, None)
            elif system == INTERPRETATION and code.upper() not in values.OTHER_FLAGS:
                raise Contradictory("flag-unknown", f"{where}.interpretation[{number}]",
                                    "the mark is not among the codes of its system")
        text = values.flag(told.get("text", ""))
        if text is not None and (not meant or text in meant):
            del told["text"]
            meant.append(text)
        found += meant
    return tuple(dict.fromkeys(found))


# -- values -----------------------------------------------------------------------------------------
Unit = tuple[str, str]  # as people read it, and its code


def _value(node: Json, where: str) -> tuple[Value | None, Unit]:
    none: Unit = ("", "")
    if "valueQuantity" in node:
        return _quantity(node["valueQuantity"], f"{where}.valueQuantity")
    if "valueCodeableConcept" in node:
        found, text = concept(node, "valueCodeableConcept")
        return (replace(values.value(text), codes=found) if text else None), none
    if "valueString" in node:
        text = node.pop("valueString")
        return (values.value(text) if text.strip() else None), none
    if "valueRange" in node:
        return _range(node["valueRange"], where)
    if "valueRatio" in node:
        return _ratio(node["valueRatio"], where)
    if "valuePeriod" in node:
        period = node["valuePeriod"]
        return Value(f"{period.pop('start', '')}/{period.pop('end', '')}"), none
    if "valueSampledData" in node:
        return Value(str(node["valueSampledData"].pop("data", ""))), none  # how it was sampled stands in the notes
    for name in ("valueInteger", "valueBoolean", "valueDateTime", "valueTime"):
        if name in node:
            told = node.pop(name)
            if isinstance(told, bool):
                return Value("true" if told else "false"), none
            return (Value(str(told), number=Decimal(told)) if isinstance(told, int) else Value(str(told))), none
    return None, none


def _quantity(told: Json, where: str) -> tuple[Value | None, Unit]:
    if "value" not in told:
        return None, ("", "")
    unit = _unit(told)
    number = _number(told, "value", where)
    comparator = told.pop("comparator", "")
    text = f"{comparator}{number}"
    return Value(text, number=number, comparator=comparator), unit


def _unit(told: Json) -> Unit:
    """Taken; a code that is written otherwise than the unit stays, to be noted."""
    written, code = told.pop("unit", ""), told.get("code", "")
    if not written or written == code:
        told.pop("code", None)
        told.pop("system", None)
    return written or code, code


def _number(told: Json, name: str, where: str) -> Decimal:
    number = told.pop(name)
    if isinstance(number, bool) or not isinstance(number, Decimal | int):
        raise Unreadable("number", f"{where}.{name}", "a number is told as a text")
    return number if isinstance(number, Decimal) else Decimal(number)


def _bound(told: Json, name: str, where: str) -> tuple[Decimal | None, Unit]:
    bound = told.get(name) or {}
    if "value" not in bound:
        return None, ("", "")
    unit = _unit(bound)
    return _number(bound, "value", f"{where}.{name}"), unit


def _range(told: Json, where: str) -> tuple[Value | None, Unit]:
    low, unit = _bound(told, "low", f"{where}.valueRange")
    high, other = _bound(told, "high", f"{where}.valueRange")
    _same_unit(unit, other, f"{where}.valueRange")
    text = f"{'' if low is None else low}-{'' if high is None else high}"
    return Value(text, low=low, high=high), unit if unit[0] else other


def _ratio(told: Json, where: str) -> tuple[Value | None, Unit]:
    parts: list[Value] = []
    units: list[str] = []
    for name in ("numerator", "denominator"):
        value, unit = _quantity(told.get(name) or {}, f"{where}.valueRatio.{name}")
        parts.append(value or Value(""))
        units.append(unit[0])
    text = ":".join(part.text for part in parts)
    one, other = parts
    is_titer = one.number == 1 and not any(units)
    return Value(text, titer=other.number if is_titer else None, comparator=one.comparator if is_titer else ""), \
        ("/".join(units) if any(units) else "", "")


def _same_unit(one: Unit, other: Unit, where: str) -> None:
    """By their codes where both have one, else as they are written."""
    both_coded = one[1] and other[1]
    values.same_unit(one[1] if both_coded else one[0], other[1] if both_coded else other[0], where)


def _reference(told: Json, unit: Unit, where: str) -> Reference:
    low, low_unit = _bound(told, "low", where)
    high, high_unit = _bound(told, "high", where)
    _same_unit(low_unit, unit, where)
    _same_unit(high_unit, unit, where)
    text = told.pop("text", "")
    if not text:
        text = f"{low}-{high}" if low is not None and high is not None else \
            f">={low}" if low is not None else f"<={high}" if high is not None else ""
    whom = [named(told.get("type") or {}), *(named(one) for one in told.get("appliesTo", [])),
            _age(told.get("age") or {}, where)]
    return Reference(text, low, high, " ".join(part for part in whom if part))


def _age(told: Json, where: str) -> str:
    parts: list[Any] = []
    for name in ("low", "high"):
        bound, unit = _bound(told, name, f"{where}.age")
        parts.append("" if bound is None else f"{bound}{unit[0]}")
    return "-".join(parts) if any(parts) else ""
