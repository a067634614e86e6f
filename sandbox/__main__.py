"""``python -m sandbox``: start the whole outside world and the functions, serve until told to stop."""

from __future__ import annotations

import argparse
import os
from datetime import datetime
from pathlib import Path

from sandbox.ending import end_on_signals, wait
from sandbox.limits import allow_many_files
from sandbox.town import PROJECT, Database, Town, start_of_day, write_addresses


def main() -> None:
    """Read the command line, start, write ``addresses.json`` into the state folder, wait for a signal."""
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=main.__doc__)
    parser.add_argument("--mysql", required=True, help="host:port of the server (root, no password)")
    parser.add_argument("--database", required=True, help="the migrated database to use")
    parser.add_argument("--state", required=True, type=Path, help="folder for logs and addresses.json")
    parser.add_argument("--now", type=datetime.fromisoformat, help="the clock at the start (default: 07:30 today)")
    parser.add_argument("--manual-timers", action="store_true", help="timers fire only by control")
    parser.add_argument("--real-time", action="store_true", help="functions run on real time")
    parser.add_argument("--manifest", type=Path, default=PROJECT / "serverless.yml")
    parser.add_argument("--layer", type=Path, default=PROJECT / "layers" / "common", help="the functions' own layer")
    parser.add_argument("--port", type=int, default=0, help="the gateway's; the others follow it (0: any)")
    options = parser.parse_args()
    allow_many_files()
    options.state.mkdir(parents=True, exist_ok=True)
    record = options.state / "pid"  # from the first moment on, for make clean
    record.write_text(f"{os.getpid()}\n")
    host, _, port = options.mysql.partition(":")
    moment = None if options.real_time else options.now or start_of_day()
    woken = end_on_signals()
    try:
        town = Town(Database(host, int(port), options.database), options.state, moment=moment,
                    timers=not options.manual_timers, manifest=options.manifest, sandbox_time=not options.real_time,
                    port=options.port, layer=options.layer)
        try:
            town.prepare()
            write_addresses(town, options.state / "addresses.json")
            wait(woken)
        finally:
            town.stop()
    finally:
        record.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
