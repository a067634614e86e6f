"""The functions' clock: a process of its own lives in the sandbox's time, and sees at once how that is moved."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from sandbox.clock import Clock
from sandbox.town import functions_python

THE_TIME = """
import datetime, email.utils, json, sys, threading, time
from time import time as imported_before
def told():
    parts = time.gmtime()
    return {
        "now": datetime.datetime.now(datetime.timezone.utc).timestamp(), "local": datetime.datetime.now().timestamp(),
        "today": datetime.date.today().isoformat(), "time": time.time(), "imported": imported_before(),
        "ns": time.time_ns() / 1e9, "gmtime": time.strftime("%Y-%m-%d", parts), "strftime": time.strftime("%Y-%m-%d"),
        "realtime": time.clock_gettime(time.CLOCK_REALTIME), "header": email.utils.formatdate()[5:16],
        "monotonic": time.monotonic(), "path": sys.path, "argv": sys.argv}
for line in sys.stdin:
    if line == "wait\\n":
        threading.Event().wait(0.01)
        time.sleep(0.01)
    print(json.dumps(told()), flush=True)
"""
LEAP_YEARS_DAY = datetime(2028, 2, 29, 23, 59, tzinfo=timezone.utc)


class Teller:
    """A process that says what time it is whenever it is asked."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock(folder / "clock")
        script = folder / "the_time.py"
        script.write_text(THE_TIME)
        self.process = subprocess.Popen([*functions_python(folder / "clock"), str(script), "word"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={"TZ": "UTC"})

    def ask(self, how: str = "now") -> Any:
        """What it says."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{how}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


@pytest.fixture
def teller(tmp_path: Path) -> Iterator[Teller]:
    one = Teller(tmp_path)
    yield one
    one.process.kill()
    one.process.wait()


def test_a_function_sees_how_the_clock_is_moved_by_every_way_to_ask(teller: Teller) -> None:
    for moment in (LEAP_YEARS_DAY, LEAP_YEARS_DAY - timedelta(days=800)):
        teller.clock.set(moment)
        told = teller.ask()
        asked = teller.clock.timestamp()
        for way in ("now", "local", "time", "imported", "ns", "realtime"):
            assert moment.timestamp() <= told[way] <= asked, way
        assert {told[way] for way in ("today", "gmtime", "strftime")} == {f"{moment:%Y-%m-%d}"}
        assert told["header"] == f"{moment:%d %b %Y}"


def test_what_is_waited_for_and_measured_takes_real_time(teller: Teller) -> None:
    first = teller.ask()["monotonic"]
    teller.clock.advance(timedelta(days=400))
    assert first + 0.02 <= teller.ask("wait")["monotonic"] < first + 3600


def test_a_function_finds_its_own_path_and_words(teller: Teller) -> None:
    told = teller.ask()
    assert told["argv"][1:] == ["word"]
    assert not [one for one in told["path"] if one.endswith("sandbox") or "site-packages" in one]
    assert told["path"][0] == subprocess.run([sys.executable, "-S", "-c", "import sys; print(sys.path[1])"], check=True,
                                             capture_output=True, text=True, env={}).stdout.strip()
