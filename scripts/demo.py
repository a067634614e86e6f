"""``make demo``: a patient's whole journey against the sandbox, a line per step; then it keeps serving."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

from sandbox.phone import Control, Refused
from scripts import local_db, town
from scripts.journey import StepFailed, walk

ROOT = Path(__file__).resolve().parent.parent
PORT = 8700


def main() -> int:
    """Start everything, walk the journey, then serve until told to stop (or end at once: --once)."""
    parser = argparse.ArgumentParser(prog="make demo", description=main.__doc__)
    parser.add_argument("--once", action="store_true")
    once = parser.parse_args().once
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    print("starting MariaDB, the sandbox and the functions …", flush=True)
    try:
        server, port = local_db.start(ROOT / "build" / "demo" / "db")
    except local_db.NoServer as problem:
        print(problem, file=sys.stderr)
        return 1
    mysql = f"127.0.0.1:{port}"
    try:
        with town.running(mysql, "hospital_demo", ROOT / "build" / "demo",
                          *([] if once else ["--port", str(PORT)])) as control:
            walk(control, mysql, "hospital_demo", ROOT / "build" / "demo")
            print("the journey is complete")
            if not once:
                serve(control, mysql)
    except (town.DidNotStart, StepFailed, Refused, RuntimeError, TimeoutError) as problem:
        print(f"the journey stopped: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopping")
    finally:
        local_db.stop(server)
    return 0


def serve(control: Control, mysql: str) -> None:
    """Say where everything is, and wait for Ctrl-C."""
    print("\nServing until Ctrl-C. Try for example")
    print(f"  curl {control.addresses['scf']}/api/booking/departments")
    print(f"  curl {control.addresses['control']}/clock")
    for name, address in {**control.addresses, "mysql (root, database hospital_demo)": mysql}.items():
        if name != "pid":
            print(f"  {name:40} {address}")
    threading.Event().wait()


if __name__ == "__main__":
    sys.exit(main())
