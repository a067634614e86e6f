"""Which segments belong together: patients, their orders, and the orders that make one report."""

from __future__ import annotations

from collections.abc import Iterator

from hospital.reports.model import Person, Unreadable
from msgspec import Struct

from report_readers.hl7_items import Observed
from report_readers.hl7_message import Message, Segment


class Patient(Struct):
    """A patient's segments, and the orders below them."""

    segments: list[Segment]
    orders: list[Order]
    person: Person | None = None  # once it is read
    visit_number: str = ""

    def segment(self, name: str) -> Segment | None:
        """The first of that name."""
        return next((one for one in self.segments if one.name == name), None)

    def is_same(self, pid: Segment) -> bool:
        """Whether this patient's segment says the same, whatever count it begins with."""
        own = self.segment("PID")
        return own is not None and own.same_after(1, pid)


class Order(Struct):
    """An order's segments; ``observed`` are its results."""

    orc: Segment | None
    obr: Segment | None
    observed: list[Observed]
    others: list[Segment]

    @property
    def filler(self) -> str:
        """The number that whoever made the report gave it."""
        return (self.obr.look(3) if self.obr else "") or (self.orc.look(3) if self.orc else "")

    @property
    def placer(self) -> str:
        """The number of who ordered it."""
        return (self.obr.look(2) if self.obr else "") or (self.orc.look(2) if self.orc else "")

    @property
    def segments(self) -> Iterator[Segment]:
        """All of them, in order."""
        yield from (one for one in (self.orc, self.obr) if one is not None)
        yield from self.others
        for one in self.observed:
            yield one.segment
            yield from one.notes


def patients(message: Message) -> list[Patient]:
    """A message's patients in order, each once. Raises Unreadable when there is no report below one."""
    groups = _Groups()
    for segment in message.segments[1:]:
        groups.add(segment)
    groups.end_order()
    for patient in groups.found:
        if patient.segments and not patient.orders:
            raise Unreadable("no-report", patient.segments[0].label, "there is no report below the patient")
    return [patient for patient in groups.found if patient.orders]


class _Groups:
    """Segments take their places one by one, whatever is missing between them."""

    def __init__(self) -> None:
        self.found = [Patient([], [])]
        self._pending: Segment | None = None  # an ORC whose OBR has not come yet

    def add(self, segment: Segment) -> None:
        """The message's next segment."""
        patient = self.found[-1]
        if segment.name == "PID" and (patient.segment("PID") or patient.orders or self._pending):
            self.end_order()
            self._other_patient(segment)
        elif segment.name == "ORC":
            self.end_order()
            self._pending = segment
        elif segment.name == "OBR":
            patient.orders.append(Order(self._pending, segment, [], []))
            self._pending = None
        elif not patient.orders and self._pending is None and segment.name != "OBX":
            patient.segments.append(segment)
        else:
            self.end_order()
            if not patient.orders:
                patient.orders.append(Order(None, None, [], []))
            _below(patient.orders[-1], segment)

    def end_order(self) -> None:
        """An order of which only ORC was sent is one."""
        if self._pending is not None:
            self.found[-1].orders.append(Order(self._pending, None, [], []))
            self._pending = None

    def _other_patient(self, pid: Segment) -> None:
        known = next((one for one in self.found if one.is_same(pid)), None)
        if known is None:
            self.found.append(Patient([pid], []))
            return
        pid.clear()  # told again before each order
        self.found.remove(known)
        self.found.append(known)


def _below(order: Order, segment: Segment) -> None:
    if segment.name == "OBX":
        order.observed.append(Observed(segment, [], segment.look(2).upper()))
    elif segment.name == "NTE" and order.observed:
        order.observed[-1].notes.append(segment)
    else:
        order.others.append(segment)


def grouped(patient: Patient) -> list[list[Order]]:
    """Orders that make one report: of one number, or one the parent of the other."""
    groups: list[list[Order]] = []
    for order in patient.orders:
        group = next((one for one in groups if any(_belong(order, other) for other in one)), None)
        if group is None:
            groups.append([order])
        else:
            group.append(order)
    return groups


def _belong(order: Order, other: Order) -> bool:
    if order.filler or other.filler:
        return order.filler == other.filler or _is_parent(other, order)
    return order.placer == other.placer or _is_parent(other, order)


def _is_parent(parent: Order, child: Order) -> bool:
    if child.obr is None:
        return False
    placer, filler = (child.obr.parts(29, component)[0] for component in (0, 1))
    return bool((filler and filler == parent.filler) or (placer and placer == parent.placer and not filler))
