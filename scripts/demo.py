"""``make demo``: a patient's whole journey against the sandbox, a line per step; then it keeps serving."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import requests

from sandbox.phone import Control, Refused
from scripts import client, local_db, town
from scripts.journey import StepFailed
from scripts.journey_clinic import walk

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "demo"
PORT, PORTS = 8700, 11
_LOOK_SECONDS = 0.5


class NotNow(Exception):
    """The demo can't be, or no longer be; the text says why and what to do."""


def main() -> int:
    """Start everything, walk the journey, then serve until told to stop (or end at once: --once)."""
    parser = argparse.ArgumentParser(prog="make demo", description=main.__doc__)
    parser.add_argument("--once", action="store_true")
    once = parser.parse_args().once
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with alone(FOLDER / "lock"):
            if not once:
                check_ports(PORT, PORTS)
            return run(once=once)
    except (NotNow, local_db.NoServer, client.ClientFailed) as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopping")
        return 0


def run(*, once: bool) -> int:
    """The demo itself; 0, or 1 when a step failed. Raises NotNow, NoServer."""
    print("building the mini-program for the browser …", flush=True)
    client.build("h5")
    print("starting MariaDB, the sandbox and the functions …", flush=True)
    server, port = local_db.start(FOLDER / "db")
    mysql = f"127.0.0.1:{port}"
    try:
        with town.process(mysql, "hospital_demo", FOLDER, *([] if once else ["--port", str(PORT)])
                          ) as (control, sandbox):
            walk(control, mysql, "hospital_demo", FOLDER)
            print("the journey is complete")
            if not once:
                serve(control, mysql)
                watch({"the database": server, "the sandbox": sandbox})
    except (town.DidNotStart, StepFailed, Refused, RuntimeError, TimeoutError, requests.RequestException) as problem:
        print(f"the journey stopped: {problem}", file=sys.stderr)
        return 1
    finally:
        local_db.stop(server)
    return 0


@contextlib.contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Let one demo run in a folder; the lock ends with the process, however that ends. Raises NotNow."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise NotNow(f"A demo runs in this folder already (process {file.read().strip()}): end it with Ctrl-C in "
                         "its terminal, or with `make clean`.") from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def check_ports(first: int, number: int) -> None:
    """Raise NotNow when one of the demo's ports is somebody else's."""
    for port in range(first, first + number):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                raise NotNow(f"Port {port} is in use: end what has it (perhaps a demo in another folder), or take "
                             "`make demo ONCE=1`, which needs none of its own.") from None


def serve(control: Control, mysql: str) -> None:
    """Say where everything is."""
    site = control.addresses["scf"]
    print("\nServing until Ctrl-C. Open in a browser:")
    print(f"\n  {site}/town/desk/   手机旁的面板 the phone, and the world beside it: pay, order, break, let time pass")
    print(f"  {site}/             小程序 the mini-program alone\n")
    print("Or try for example")
    print(f"  curl {control.addresses['scf']}/api/booking/departments")
    print(f"  curl {control.addresses['control']}/clock")
    for name, address in {**control.addresses, "mysql (root, database hospital_demo)": mysql}.items():
        if name != "pid":
            print(f"  {name:40} {address}")
    sys.stdout.flush()


def watch(parts: dict[str, subprocess.Popen[bytes]]) -> None:
    """Wait for Ctrl-C. Raises NotNow when a part ends by itself."""
    while True:
        for name, process in parts.items():
            if process.poll() is not None:
                raise NotNow(f"{name.capitalize()} has ended (status {process.returncode}), so the demo ends; "
                             f"its log is below {FOLDER}.")
        time.sleep(_LOOK_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
