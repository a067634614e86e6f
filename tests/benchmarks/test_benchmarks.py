"""Every benchmark works: each is run with next to no effort, all in one place. Its figures mean nothing here."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from scripts import bench
from scripts.benchmarks import machine, town
from tests.conftest import ROOT

TOGETHER = [bench.BOOKING, *([name] for name in bench.NAMES if name not in bench.BOOKING)]


@pytest.fixture(scope="module")
def place() -> Iterator[town.Place]:
    """Where they run: a database of their own, as its log of statements is the server's."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw")  # a file's tests may be shared by several
    with town.running(ROOT / "build" / "test" / f"bench-{worker}", machine.Effort(whole=False)) as place:
        yield place


@pytest.mark.parametrize("names", TOGETHER, ids="+".join)
def test_a_benchmark_works_and_tells_its_value_beside_its_floor(place: town.Place, names: list[str]) -> None:
    figures = bench.RESULTS.read_text() if bench.RESULTS.exists() else None
    reports = dict(bench.reports(place, names))
    assert list(reports) == names
    for name, report in reports.items():
        assert report["value"] > 0
        assert report["floor"] > 0
        assert bench.line(name, report).startswith(name)
        assert report.get("exchanges", 0) <= 7  # of one booking with the database
    assert (bench.RESULTS.read_text() if bench.RESULTS.exists() else None) == figures
