"""``ORU``: from the segments of a message to reports, one for each number of the sender's."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

from hospital.reports.model import (
    SUSCEPTIBILITY,
    Contradictory,
    Identifier,
    Item,
    Moment,
    Person,
    Processing,
    Report,
    Sex,
    Status,
    Unreadable,
    Version,
)
from msgspec.structs import replace

from report_readers import checks, codes
from report_readers.hl7_groups import Order, Patient, grouped, patients
from report_readers.hl7_items import Found, read
from report_readers.hl7_message import Message, Segment
from report_readers.hl7_text import normalise
from report_readers.limits import DEFAULT, Limits, Noting, at_most
from report_readers.microbiology import antibiotic, is_tested, with_organisms
from report_readers.moments import moment

_PROCESSING: dict[str, Processing] = {"P": "production", "": "production", "T": "training", "D": "debugging"}


def read_hl7(content: bytes, limits: Limits = DEFAULT) -> tuple[Report, ...]:
    """The reports of one message, in its order. Raises Unreadable, Contradictory."""
    message = Message(normalise(content, limits), limits)
    header = message.header
    if header.look(9).upper() != "ORU":
        raise Unreadable("not-a-report", "MSH-9", "the message is no result message (ORU)")
    if header.look(12) and not header.look(12).startswith("2"):
        raise Unreadable("version", "MSH-12", "the message is not of HL7 version 2")
    at_most(sum(one.name == "OBX" for one in message.segments), limits.items, "results", "OBX")
    version = Version(header.look(10), _moment(header, 7), sha256(content).hexdigest())
    reports: list[Report] = []
    taken: list[list[Segment]] = []
    for patient in patients(message):
        patient.person = _person(patient.segment("PID"))
        pv1 = patient.segment("PV1")
        patient.visit_number = pv1.take(19) if pv1 else ""
        for orders in grouped(patient):
            reports.append(_report(message, patient, orders, version, limits))
            taken.append([header, *patient.segments, *(one for order in orders for one in order.segments)])
            at_most(len(reports), limits.reports, "reports", "message")
    if not reports:
        raise Unreadable("no-report", "OBR", "there is no report in the message")
    for number in (3, 4, 7, 9, 10, 11, 12, 18):
        header.whole(number)
    for segment in message.segments:
        if segment.name in ("PID", "PV1", "NTE", "SPM"):
            segment.whole(1)  # counts
    noting = Noting(limits)
    found = tuple(replace(report, notes=noting.all(note for segment in segments for note in segment.rest()))
                  for report, segments in zip(reports, taken, strict=True))
    checks.together(found)
    for report in found:
        checks.check(report)
    return found


# -- one report -------------------------------------------------------------------------------------
def _report(message: Message, patient: Patient, orders: list[Order], version: Version, limits: Limits) -> Report:
    header, first = message.header, orders[0]
    number, placer = first.filler, first.placer
    panels = [_panel(order) for order in orders]
    titles = tuple(dict.fromkeys(title for title in panels if title))
    section = next((order.obr.look(24) for order in orders if order.obr and order.obr.look(24)), "")
    kind = codes.kind_of(section, titles)
    states = [_state(order) for order in orders]
    everything: list[Found] = []
    items: list[Item] = []
    for order, panel, state in zip(orders, panels, states, strict=True):
        here = read(order.observed, panel, kind, state, 1 + sum(len(one.items) for one in everything), limits)
        everything.append(here)
        items = _with_children(items, order, with_organisms(here.items), everything)
    if kind in (None, "laboratory") and is_tested(items):
        kind = "microbiology"
    pv1 = patient.segment("PV1")
    report = Report(
        source=_source(header), number=number, kind=kind or ("laboratory" if items else "other"),
        status=codes.states_together(states), patient=patient.person or Person(), titles=titles, version=version,
        items=tuple(items), findings="\n".join(text for one in everything for text in one.findings),
        conclusion="\n".join(text for one in everything for text in one.conclusion),
        attachments=tuple(file for one in everything for file in one.files), order_number=placer,
        accession_number=_first(orders, lambda one: one.obr and (one.obr.take(20) or one.obr.take(18))),
        visit_number=patient.visit_number, collected=_first_moment(orders, 7),
        received=_first_moment(orders, 14), reported=_first_moment(orders, 22), specimen=_specimen(orders),
        department=_department(orders), ordering_department=_ordering(orders, pv1),
        ordered_by=_first(orders, lambda one: one.obr and _name(one.obr, 16)),
        sensitivity=_first(orders, lambda one: one.orc and one.orc.take(28)),
        processing=_processing(header))
    author, auditor = _people(orders)
    for order in orders:
        _say_known(order, number, placer, section)
    return replace(report, author=author, auditor=auditor)


def _panel(order: Order) -> str:
    return next((text for part in (1, 4, 0) if (text := order.obr.look(4, part))), "") if order.obr else ""


def _state(order: Order) -> Status:
    told = order.obr.take(25).upper() if order.obr else ""
    if told:
        if told not in codes.REPORT_STATUS:
            assert order.obr is not None
            raise Contradictory("status-unknown", order.obr.where(25), "the report's status is not among the codes")
        return codes.REPORT_STATUS[told]
    states: list[Status] = []
    for one in order.observed:
        code = one.segment.look(11).upper()
        state = codes.ITEM_STATUS.get(code)
        if state not in (None, "deleted"):
            states.append(state)  # type: ignore[arg-type]  # every other one is a report's too
    if not states:
        where = order.obr.where(25) if order.obr else "OBX-11"
        raise Contradictory("status-unknown", where, "neither the report nor its results tell their status")
    return codes.states_together(states)


def _with_children(items: list[Item], order: Order, new: list[Item], everything: list[Found]) -> list[Item]:
    """Results of a child order stand below the result that it names (OBR-26), as antibiotics below their organism."""
    obr = order.obr
    if obr is None or obr.is_empty(26):
        return [*items, *new]
    code, group = obr.parts(26)[0], obr.look(26, 1)
    parents = {sequence: known for found in everything[:-1] for sequence, known in found.parents.items()}
    parent = next((item for item in items if parents.get(item.sequence) == (code, group)), None)
    if parent is None:
        return [*items, *new]
    for component in range(3):
        obr.take(26, component)
    tested = any(not SUSCEPTIBILITY.isdisjoint(item.flags) for item in new)
    below = replace(parent, members=(*parent.members, *(antibiotic(item) for item in new)),
                    role="organism" if tested else parent.role or "panel")
    return [below if item is parent else item for item in items]


def _say_known(order: Order, number: str, placer: str, section: str) -> None:
    """Fields that a report's own places hold by now; numbers that differ from the report's stay to be noted."""
    for one in (order.orc, order.obr):
        if one is None:
            continue
        for field, known in ((2, placer), (3, number)):
            if one.look(field) == known:
                one.take(field)
    if order.obr is None:
        return
    order.obr.whole(1)
    if order.obr.look(24) == section:
        order.obr.take(24)
    order.obr.take(4, next((part for part in (1, 4, 0) if order.obr.look(4, part)), 0))


def _source(header: Segment) -> str:
    return "/".join(text for text in (header.look(4), header.look(3)) if text)


def _processing(header: Segment) -> Processing:
    told = header.look(11).upper()
    if told not in _PROCESSING:
        raise Contradictory("processing-unknown", "MSH-11", "whether it is a real report is not among the codes")
    return _PROCESSING[told]


def _person(pid: Segment | None) -> Person:
    if pid is None:
        return Person()
    numbers: list[Identifier] = []
    for field, usual in ((3, ""), (2, "PID-2"), (4, "PID-4"), (19, "SS")):
        for repetition in range(len(pid.pieces(field))):
            value = pid.take(field, 0, repetition)
            if value:
                one = Identifier(value, pid.take(field, 3, repetition), pid.take(field, 4, repetition) or usual)
                if one not in numbers:
                    numbers.append(one)
    names = [name for repetition in range(len(pid.pieces(5))) if (name := _person_name(pid, 5, repetition))]
    names.sort(key=lambda name: name.isascii())  # the one in characters first, else as sent
    return Person(tuple(numbers), names[0] if names else "", tuple(names[1:]), _sex(pid), _moment(pid, 7))


def _sex(pid: Segment) -> Sex:
    found = codes.SEX.get(pid.look(8).upper(), "")
    if found:
        pid.take(8)
    return found


def _person_name(segment: Segment, field: int, repetition: int, first: int = 0) -> str:
    family = " ".join(part for part in segment.parts(field, first, repetition) if part)
    _, given, further = segment.takes(field, repetition, first, first + 1, first + 2)
    return _joined([family, given, further])


def _name(segment: Segment, field: int) -> str:
    """A person of the staff (XCN): the name, else the number; a number beside a name is noted."""
    return _person_name(segment, field, 0, 1) or segment.take(field)


def _people(orders: list[Order]) -> tuple[str, str]:
    """Who wrote the report and who answers for it.

    Where a technician is named (OBR-34), that is who wrote it, and the interpreter (OBR-32) answers for it; else the
    interpreter wrote it and the assistant interpreter (OBR-33) answers for it.
    """
    technician, interpreter, assistant = (
        next((name for one in orders if one.obr and (name := _staff(one.obr, field))), "") for field in (34, 32, 33))
    return (technician, interpreter or assistant) if technician else (interpreter, assistant)


def _staff(obr: Segment, field: int) -> str:
    """NDL: number, family and given name are subcomponents of the first component; many write an XCN."""
    told = obr.look(field)
    if not told and not obr.look(field, 1):
        return ""
    parts = obr.parts(field)
    if len(parts) > 1:  # its number and all else stay to be noted
        return _joined(parts[1:3]) or parts[0]
    if told and not told.isascii():  # a name where the number should be
        return _joined([obr.take(field), obr.take(field, 1)])
    return _name(obr, field)


def _joined(parts: list[str]) -> str:
    """Family and given name: Chinese ones stand together."""
    told = [part for part in parts if part]
    return ("" if all(not part.isascii() for part in told) else " ").join(told)


def _first(orders: list[Order], ask: Callable[[Order], object]) -> str:
    for order in orders:
        found = ask(order)
        if found:
            return str(found)
    return ""


def _moment(segment: Segment, field: int) -> Moment | None:
    text = segment.look(field)
    found = moment(text) if text else None
    if found is not None:
        segment.take(field)
    return found


def _first_moment(orders: list[Order], field: int) -> Moment | None:
    """Of several orders' times the first one's; others are noted."""
    found: Moment | None = None
    for order in orders:
        if order.obr is not None and (found is None or order.obr.look(field) == found.text):
            found = _moment(order.obr, field) or found
    return found


def _specimen(orders: list[Order]) -> str:
    for order in orders:
        spm = next((one for one in order.others if one.name == "SPM"), None)
        if spm is not None and not spm.is_empty(4):
            return spm.named(4)
        if order.obr is not None and not order.obr.is_empty(15):
            told = [part for part in order.obr.parts(15) if part]
            if len(told) > 1:  # its code, words and system: all of it is noted too
                return told[1]
            return order.obr.take(15)
    return ""


def _department(orders: list[Order]) -> str:
    for order in orders:
        for one in order.observed:
            name = one.segment.take(23) or one.segment.named(15)
            if name:
                return name
    return ""


def _ordering(orders: list[Order], pv1: Segment | None) -> str:
    return _first(orders, lambda one: one.orc and one.orc.named(17)) or (pv1.look(3) if pv1 else "")

