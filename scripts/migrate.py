"""Applies infra/migrations in order, once each. ``python scripts/migrate.py HOST:PORT DATABASE``.

MySQL commits each statement of a table's making by itself, so a file that fails half-way is not
recorded: mend it and run again after undoing what it had done. Files are never changed after release.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts import local_db

MIGRATIONS = Path(__file__).resolve().parent.parent / "infra" / "migrations"


def migrate(host: str, port: int, database: str) -> list[str]:
    """Apply what is missing; the names of the files applied."""
    applied = []
    with local_db.connect(host, port, database) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS migrations (name VARCHAR(100) NOT NULL PRIMARY KEY)")
        cursor.execute("SELECT name FROM migrations")
        done = {row[0] for row in cursor.fetchall()}
        for file in sorted(MIGRATIONS.glob("*.sql")):
            if file.name in done:
                continue
            for statement in statements(file.read_text()):
                cursor.execute(statement)
            cursor.execute("INSERT INTO migrations VALUES (%s)", (file.name,))
            applied.append(file.name)
    return applied


def statements(text: str) -> list[str]:
    """The statements of a file: comments go, each ends with a semicolon at a line's end."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("--")]
    return [part.strip() for part in re.split(r";\s*$", "\n".join(lines), flags=re.M) if part.strip()]


if __name__ == "__main__":
    address, name = sys.argv[1:3]
    for one in migrate(address.partition(":")[0], int(address.partition(":")[2]), name):
        print("applied", one)
