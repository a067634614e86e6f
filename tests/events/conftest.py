"""A town of its own, in which the functions that the mini-program calls are event functions."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from sandbox.phone import Control
from scripts import town
from tests.conftest import MORNING, ROOT
from tests.events.wire import Answer, Ask, send, serving

HTTP = ("account", "billing", "booking", "checkin", "content", "feedback", "guide", "his_events", "invoice",
        "messages", "pay_callback", "queue", "report_push", "reports")
# Headers that came twice, and what a door sees of them on either form.
TWICE = {"X-Nonce": ["a", "b"], "Authorization": ["Bearer 1", "Bearer 2"], "Cookie": ["c=1", "d=2"]}
JOINED = {"X-Nonce": "a,b", "Authorization": "Bearer 1,Bearer 2", "Cookie": "c=1,d=2"}


@pytest.fixture(scope="session")
def database_name() -> str:
    """Apart from the one that the other tests of this worker use."""
    return f"hospital_test_{os.environ.get('PYTEST_XDIST_WORKER', 'gw')}_events"


@pytest.fixture(scope="session")
def world(mysql: str, database_name: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Control]:
    """The sandbox, with the HTTP functions deployed as event functions."""
    manifest = tmp_path_factory.mktemp("manifest") / "serverless.yml"
    manifest.write_text(as_event_functions((ROOT / "serverless.yml").read_text(encoding="utf-8")), encoding="utf-8")
    with town.running(mysql, database_name, ROOT / "build" / "test" / database_name, "--manual-timers",
                      "--now", MORNING, "--manifest", str(manifest)) as control:
        yield control


def as_event_functions(manifest: str) -> str:
    """The same list, with every web function an event function."""
    document = yaml.safe_load(manifest)
    for name in HTTP:
        function = document["inputs"]["functions"][name]
        assert function.pop("type") == "web"
        function.pop("instanceConcurrencyConfig")
        function["handler"] = "index.main_handler"
    return yaml.safe_dump(document, allow_unicode=True)


@pytest.fixture(scope="session")
def recorded() -> Path:
    """Where the recorded events are."""
    return Path(__file__).parent / "recorded"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """Port and log of the echoing door, served as ``scf_bootstrap`` does."""
    with serving(tmp_path_factory.mktemp("door")) as server:
        yield server


@pytest.fixture
def ask(served: tuple[int, Path]) -> Ask:
    """``ask("GET /echo", "X: 1", body=b"…")``: the answer to exactly these bytes."""

    def one(line: str, *headers: str, body: bytes = b"") -> Answer:
        return send(served[0], line, *headers, body=body)

    return one
