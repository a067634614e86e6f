"""``make test``: every test on a MariaDB of our own, or on the server that MYSQL=host:port names."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from sandbox.limits import allow_many_files
from scripts import local_db

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Start the database, run pytest on both cores, stop the database; pytest's status."""
    allow_many_files()
    server = None
    address = os.environ.get("MYSQL", "")
    if not address:
        try:
            server, port = local_db.start(ROOT / "build" / "test-db")
        except local_db.NoServer as problem:
            print(problem, file=sys.stderr)
            return 1
        address = f"127.0.0.1:{port}"
    try:
        done = subprocess.run([sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadfile", *sys.argv[1:]],
                              cwd=ROOT, check=False, env={**os.environ, "MYSQL": address})
    finally:
        if server is not None:
            local_db.stop(server)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
