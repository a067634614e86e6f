"""Organisms and what was tested against them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hospital.reports.model import SUSCEPTIBILITY, Item
from msgspec.structs import replace

from report_readers import values


def with_organisms(items: list[Item]) -> list[Item]:
    """Items in which what was tested against an organism stands below it.

    The sender tells by OBX-4 what belongs together: antibiotics (those marked S, I, R …) bear the organism's own mark,
    or one that begins with it (``1.3``).
    """
    if not any(item.group for item in items):
        return [antibiotic(item) for item in items]
    marked = {_root(item.group) for item in items if item.group and not SUSCEPTIBILITY.isdisjoint(item.flags)}
    organisms: dict[str, Item] = {}
    for item in items:
        root = _root(item.group)
        is_named = item.value is not None and item.value.number is None and SUSCEPTIBILITY.isdisjoint(item.flags)
        if is_named and root in marked:
            organisms.setdefault(root, item)
    below: dict[int, list[Item]] = {item.sequence: [] for item in organisms.values()}
    found = []
    for item in items:
        organism = organisms.get(_root(item.group)) if item.group else None
        if organism is None or organism is item:
            found.append(antibiotic(item))
        else:
            below[organism.sequence].append(antibiotic(item))
    return [replace(item, role="organism", members=(*item.members, *below[item.sequence]))
            if item.sequence in below else item for item in found]


def antibiotic(item: Item) -> Item:
    """An item below an organism: one that was tested against it, or one that says more of it."""
    if SUSCEPTIBILITY.isdisjoint(item.flags):
        return item
    return replace(item, role="antibiotic", measure=values.measure(item.unit, item.method, item.name))


def is_tested(items: Sequence[Item]) -> bool:
    """Whether something was tested against antibiotics."""
    return any(item.role in ("organism", "antibiotic") or is_tested(item.members) for item in items)


def _root(group: str) -> str:
    return re.split(r"[.^]", group)[0].strip()
