"""The picture and the text of the states say what the tables in the code say, no more and no less."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hospital.booking import jobs, service
from hospital.booking.model import LIVE, MOVES
from hospital.booking.views import STATES
from hospital.payment.model import PAYMENT_MOVES, REFUND_MOVES

DOCS = Path(__file__).resolve().parents[2] / "docs"
TEXT = (DOCS / "states.md").read_text(encoding="utf-8")
CODE = re.compile(r"^\| `([A-Z_]+) → ([A-Z_]+)` \|(.*)\|$", re.MULTILINE)  # from, to, the rest of the row


@pytest.fixture(scope="module")
def groups() -> dict[str, set[str]]:
    """The picture's named groups with their classes."""
    picture = ElementTree.parse(DOCS / "booking-states.svg")
    return {str(one.get("id")): set((one.get("class") or "").split()) for one in picture.iter()
            if one.tag.endswith("}g") and one.get("id")}


def arrows(table: Mapping[str, set[str]]) -> set[tuple[str, str]]:
    """Every pair (from, to) of a table of moves."""
    return {(start, end) for start, ends in table.items() for end in ends}


def section(title: str) -> str:
    """What stands in ``docs/states.md`` under a heading, up to the next of its level."""
    found = re.search(rf"^## {re.escape(title)}$(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert found, f"docs/states.md has no section {title!r}"
    return found[1]


def explained(text: str) -> Iterator[tuple[str, str]]:
    """The arrows that a table of ``docs/states.md`` explains."""
    return ((found[1], found[2]) for found in CODE.finditer(text))


def test_the_picture_has_every_move_of_the_table_and_no_other(groups: dict[str, set[str]]) -> None:
    drawn = {name for name in groups if name.startswith("move-")}
    assert drawn == {f"move-{start}-{end}" for start, end in arrows(MOVES)}


def test_the_picture_has_every_state_and_shows_which_hold_a_place_and_which_are_never_left(
        groups: dict[str, set[str]]) -> None:
    states = {name.removeprefix("state-"): kinds for name, kinds in groups.items() if name.startswith("state-")}
    assert set(states) == set(MOVES) == set(STATES)
    assert {state for state, kinds in states.items() if "live" in kinds} == LIVE
    assert {state for state, kinds in states.items() if "end" in kinds} == {
        state for state, ends in MOVES.items() if not ends}


@pytest.mark.parametrize(("title", "table"), [
    ("Registrations", MOVES), ("Payments", PAYMENT_MOVES), ("Refunds", REFUND_MOVES)])
def test_the_text_explains_every_move_once_and_no_other(title: str, table: dict[str, set[str]]) -> None:
    told = list(explained(section(title)))
    assert sorted(told) == sorted(arrows(table))


def test_every_move_of_a_registration_names_code_that_is_there() -> None:
    rooms = {"jobs": jobs, "service": service}
    for found in CODE.finditer(section("Registrations")):
        names = re.findall(r"`(jobs|service)\.(\w+)`", found[3].rpartition("|")[2])
        assert names, f"{found[1]} → {found[2]} is taken by nobody"
        for room, name in names:
            assert callable(getattr(rooms[room], name, None)), f"{room}.{name} is not there"
