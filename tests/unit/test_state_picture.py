"""The pictures and the text of the states say what the tables in the code say, no more and no less."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hospital.billing.model import CHARGE_MOVES, ORDER_MOVES
from hospital.billing.views import CHARGE_STATES, ORDER_STATES
from hospital.booking import by_staff, ending, jobs, service
from hospital.booking.model import LIVE, MOVE_MOVES, MOVES
from hospital.booking.views import STATES
from hospital.checkin import model as checkins
from hospital.checkin import service as checkin
from hospital.feedback import model as feedback
from hospital.feedback import views as feedback_views
from hospital.invoices import store as invoices
from hospital.payment.model import DESK_MOVES, PAYMENT_MOVES, REFUND_MOVES
from hospital.reconciliation.model import LINE_MOVES

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
SCHEMA = (ROOT / "infra" / "migrations" / "0005_outpatient.sql").read_text(encoding="utf-8")
TEXT = (DOCS / "states.md").read_text(encoding="utf-8")
CODE = re.compile(r"^\| `([A-Z_]+) → ([A-Z_]+)` \|(.*)\|$", re.MULTILINE)  # from, to, the rest of the row


Moves = Mapping[str, set[str]]
# Where a table is drawn: the picture, what its ids begin with, the table.
PICTURES: list[tuple[str, str, Moves]] = [
    ("booking-states.svg", "", MOVES), ("charge-states.svg", "order-", ORDER_MOVES),
    ("charge-states.svg", "charge-", CHARGE_MOVES), ("outpatient-states.svg", "checkin-", checkins.MOVES),
    ("outpatient-states.svg", "invoice-", invoices.MOVES), ("outpatient-states.svg", "desk-", DESK_MOVES)]


def groups(picture: str, prefix: str) -> dict[str, set[str]]:
    """A picture's groups whose ids begin so, without that beginning, and their classes."""
    tree = ElementTree.parse(DOCS / picture)
    return {str(one.get("id")).removeprefix(prefix): set((one.get("class") or "").split()) for one in tree.iter()
            if one.tag.endswith("}g") and re.match(rf"{prefix}(move|state)-", str(one.get("id")))}


def states(picture: str, prefix: str) -> dict[str, set[str]]:
    """The states that are drawn, and how."""
    return {name.removeprefix("state-"): kinds for name, kinds in groups(picture, prefix).items()
            if name.startswith("state-")}


def live_in_schema(table: str, every: set[str]) -> set[str]:
    """The states in which a row's generated column ``live_flag`` is 1."""
    found = re.search(rf"CREATE TABLE {table} \(.*?live_flag TINYINT AS \(CASE WHEN state IN \((.*?)\) THEN (\w+)",
                      SCHEMA, re.DOTALL)
    assert found
    named = set(re.findall(r"'(\w+)'", found[1]))
    return named if found[2] == "1" else every - named


def arrows(table: Moves) -> set[tuple[str, str]]:
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


@pytest.mark.parametrize(("picture", "prefix", "table"), PICTURES)
def test_the_picture_has_every_move_of_the_table_and_no_other(picture: str, prefix: str, table: Moves) -> None:
    drawn = {name for name in groups(picture, prefix) if name.startswith("move-")}
    assert drawn == {f"move-{start}-{end}" for start, end in arrows(table)}


@pytest.mark.parametrize(("picture", "prefix", "table"), PICTURES)
def test_the_picture_has_every_state_and_shows_which_are_never_left(picture: str, prefix: str, table: Moves) -> None:
    drawn = states(picture, prefix)
    assert set(drawn) == set(table)
    assert {state for state, kinds in drawn.items() if "end" in kinds} == {
        state for state, ends in table.items() if not ends}


def test_the_pictures_show_what_the_database_counts_as_live() -> None:
    def drawn(picture: str, prefix: str) -> set[str]:
        return {state for state, kinds in states(picture, prefix).items() if "live" in kinds}

    assert drawn("booking-states.svg", "") == LIVE
    assert drawn("charge-states.svg", "charge-") == live_in_schema("charges", set(CHARGE_MOVES))
    assert drawn("outpatient-states.svg", "checkin-") == live_in_schema("checkins", set(checkins.MOVES))
    assert drawn("outpatient-states.svg", "invoice-") == live_in_schema("invoices", set(invoices.MOVES))


def test_every_state_that_a_patient_sees_has_a_name() -> None:
    assert set(STATES) == set(MOVES)
    assert set(ORDER_STATES) == set(ORDER_MOVES)
    assert set(CHARGE_STATES) == set(CHARGE_MOVES)
    assert set(feedback_views.STATES) == set(feedback.MOVES)
    assert set(feedback_views.PICTURE_STATES) == set(feedback.PICTURE_MOVES) - {"REMOVED"}


@pytest.mark.parametrize(("title", "table"), [
    ("Registrations", MOVES), ("Moves", MOVE_MOVES), ("Check-ins", checkins.MOVES),
    ("Orders", ORDER_MOVES), ("Charges", CHARGE_MOVES),
    ("Desk refunds", DESK_MOVES), ("E-bills", invoices.MOVES), ("Payments", PAYMENT_MOVES), ("Refunds", REFUND_MOVES),
    ("Lines of statements", LINE_MOVES), ("Complaints", feedback.MOVES), ("Pictures", feedback.PICTURE_MOVES)])
def test_the_text_explains_every_move_once_and_no_other(title: str, table: Moves) -> None:
    told = list(explained(section(title)))
    assert sorted(told) == sorted(arrows(table))


def test_every_move_of_a_registration_names_code_that_is_there() -> None:
    rooms = {"jobs": jobs, "ending": ending, "service": service, "checkin": checkin, "by_staff": by_staff}
    for found in CODE.finditer(section("Registrations")):
        names = re.findall(r"`(jobs|ending|service|checkin|by_staff)\.(\w+)`", found[3].rpartition("|")[2])
        assert names, f"{found[1]} → {found[2]} is taken by nobody"
        for room, name in names:
            assert callable(getattr(rooms[room], name, None)), f"{room}.{name} is not there"
