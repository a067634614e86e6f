"""The house's own code in the tests' process, on a database that only one test has."""

from __future__ import annotations

import pytest
from hospital.database import connection
from hospital.database.connection import Database

from scripts import local_db, migrate


def own_database(address: str, name: str, monkeypatch: pytest.MonkeyPatch, *, tables: bool = True) -> Database:
    """A way to a fresh database, as a function has it; with all ``tables`` or none. What is made next leads there."""
    host, _, port = address.partition(":")
    local_db.fresh_database(host, int(port), name)
    if tables:
        migrate.migrate(host, int(port), name)

    class Where:
        mysql_host, mysql_port, mysql_user, mysql_password_secret, mysql_database = host, int(port), "root", "", name

    monkeypatch.setattr(connection, "config", Where)
    monkeypatch.setattr(connection, "secret", lambda _: "")
    return Database()
