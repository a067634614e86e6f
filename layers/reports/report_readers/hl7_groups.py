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
    def parents(self) -> list[tuple[str, str]]:
        """Whose child it is (OBR-29): by the number of who made that one, else by the order's."""
        placer, filler = (self.obr.parts(29, component)[0] for component in (0, 1)) if self.obr else ("", "")
        return [("filler", filler)] if filler else [("ordered", placer)] if placer else []

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
        self._patient = self.found[0]
        self._known: dict[tuple[str, ...], Patient] = {}
        self._pending: Segment | None = None  # an ORC whose OBR has not come yet

    def add(self, segment: Segment) -> None:
        """The message's next segment."""
        patient = self._patient
        if segment.name == "PID":
            self.end_order()
            self._begin(segment)
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
            self._patient.orders.append(Order(self._pending, None, [], []))
            self._pending = None

    def _begin(self, pid: Segment) -> None:
        own = pid.after(1)
        if own in self._known:  # told again before each order
            pid.clear()
            self._patient = self._known[own]
            return
        if self._patient.segment("PID") or self._patient.orders:
            self._patient = Patient([], [])
            self.found.append(self._patient)
        self._patient.segments.append(pid)
        self._known[own] = self._patient


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
    known: dict[tuple[str, str], list[Order]] = {}
    for order in patient.orders:
        own = ("filler", order.filler) if order.filler else ("placer", order.placer)
        found = next((known[one] for one in (own, *order.parents) if one in known), None)
        if found is None:
            groups.append(found := [])
        found.append(order)
        known.setdefault(own, found)
        if order.placer:
            known.setdefault(("ordered", order.placer), found)
    return groups
