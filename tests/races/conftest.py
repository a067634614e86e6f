"""Two grounds to race on: the town as it is, and one whose protections are taken out."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.phone import Control
from scripts import town
from tests.conftest import MORNING, ROOT
from tests.races.ground import Ground

WITHOUT_KEYS = [
    "ALTER TABLE bookings DROP KEY bookings_live, DROP KEY bookings_session",
    "ALTER TABLE bindings ADD KEY bindings_account (account_id), DROP KEY bindings_once",
    "ALTER TABLE ledger DROP KEY ledger_once",
    "ALTER TABLE charges DROP KEY charges_live",
    "ALTER TABLE checkins ADD KEY checkins_booking (booking_id), DROP KEY checkins_live",
    "ALTER TABLE booking_choices ADD KEY booking_choices_of (booking_id), DROP KEY booking_choices_open",
    "ALTER TABLE booking_moves ADD KEY booking_moves_of (booking_id), DROP KEY booking_moves_live",
    "ALTER TABLE reminders DROP KEY reminders_once",
    "ALTER TABLE desk_refunds DROP KEY desk_refunds_number",
    "ALTER TABLE survey_visits ADD KEY survey_visits_hash (visit_hash), DROP PRIMARY KEY",
    "ALTER TABLE invoices ADD KEY invoices_settlement (settlement_id), DROP KEY invoices_live",
]


@pytest.fixture(scope="session")
def _ground(world: Control, mysql: str, database_name: str) -> Ground:
    return Ground(world, mysql, database_name)


@pytest.fixture
def ground(_ground: Ground, control: Control) -> Ground:
    """The town as it is."""
    return _ground


@pytest.fixture(scope="session")
def unprotected(mysql: str, database_name: str) -> Iterator[Ground]:
    """A town that runs on the same house without its protections."""
    name = f"{database_name}_open"
    state = ROOT / "build" / "test" / name
    with town.running(mysql, name, state, "--manual-timers", "--now", MORNING, "--layer",
                      str(_without_protections(state / "layer"))) as control:
        ground = Ground(control, mysql, name)
        for statement in WITHOUT_KEYS:
            ground.sql(statement)
        yield ground


def _without_protections(folder: Path) -> Path:
    """A copy of the layer whose package takes its protections out when it is imported."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "layers" / "common", folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(Path(__file__).with_name("unprotected.py"), folder / "hospital" / "unprotected.py")
    with (folder / "hospital" / "__init__.py").open("a") as package:
        package.write("\nfrom hospital import unprotected\n\nunprotected.install()\n")
    return folder
