"""``make test``: every test on a MariaDB of our own, or on the server that MYSQL=host:port names."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from sandbox.limits import allow_many_files
from scripts import local_db
from tests import shuffle

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Start the database, run pytest, stop the database; pytest's status.

    Three workers on two cores: each waits for a third of its time, for processes and answers.
    """
    allow_many_files()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the database ends with us
    seed, server = shuffle.seed(), None
    print(f"tests shuffled: SEED={seed} repeats this order")
    address = os.environ.get("MYSQL", "")
    try:
        if address:
            print(f"on the server at {address}: root without a password, {local_db.MAX_CONNECTIONS} connections")
            local_db.check(address)
        else:
            server, port = local_db.start(ROOT / "build" / "test-db", durable=False)
            address = f"127.0.0.1:{port}"
    except local_db.NoServer as problem:
        print(problem, file=sys.stderr)
        return 1
    environment = {**os.environ, "MYSQL": address, "SEED": str(seed)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # four processes would compile every test, and rewrite its asserts
    try:
        done = subprocess.run([sys.executable, "-m", "pytest", "-n", "3", "--dist", "worksteal", *sys.argv[1:]],
                              cwd=ROOT, check=False, env=environment)
    finally:
        if server is not None:
            local_db.stop(server)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
