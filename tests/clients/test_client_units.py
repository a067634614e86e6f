"""The mini-program's own unit tests, by its own tool."""

from __future__ import annotations

from scripts import client


def test_the_clients_units_pass() -> None:
    assert "passed" in client.run("unit")
