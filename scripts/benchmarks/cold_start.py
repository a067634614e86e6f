"""``cold_start``: from the start of a function's process to its first answer, with shipped byte code.

A Web function answers over HTTP, its WSGI server included; an event function answers the runtime that it
is ready. The floor is a bare process that imports pydantic and pymysql and says so. ``import pydantic`` by
itself loads next to nothing of it, so a second one, ``bare_model``, also declares one model. All take turns.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from sandbox.scf import manifest
from scripts.benchmarks import machine, package, servers
from scripts.benchmarks.town import Place

RUNS = 7
WEB, OTHERS = 1.5, 1.3  # times the process with one model
BARE = {
    "bare": "import pydantic, pymysql\nprint('ready', flush=True)",
    "bare_model": "import pymysql\nfrom pydantic import BaseModel\nclass One(BaseModel):\n    text: str\n"
                  "print('ready', flush=True)",
}
RUNTIME = servers.ROOT / "sandbox" / "scf" / "runtime.py"


def measure(place: Place) -> machine.Report:
    """Every function beside the floor; the value is the slowest function's median."""
    folder = place.folder / "cold"
    layer = package.unpack(place, folder)
    functions = manifest.load(servers.ROOT / "serverless.yml").functions
    one_of_each = {one.type: name for name, one in functions.items()}
    timed = functions if place.effort.whole else one_of_each.values()
    took: dict[str, list[float]] = {name: [] for name in (*BARE, *timed)}
    for number in range(place.effort.of(RUNS, 1) + 1):
        for name, milliseconds_taken in took.items():
            if name in BARE:
                milliseconds = _bare(BARE[name], layer)
            else:
                env = {**place.environment(name), **servers.environment(folder / name, layer)}
                start = _web if functions[name].type == "web" else _event
                milliseconds = start(folder / name, env)
            if number:  # the first fills the disk cache
                milliseconds_taken.append(milliseconds)
    medians = {name: machine.median(values, 1) for name, values in took.items()}
    floor, with_model = medians.pop("bare"), medians.pop("bare_model")
    slowest = max(medians, key=lambda name: medians[name])
    most = {name: WEB if functions[name].type == "web" else OTHERS for name in medians}
    return machine.report(
        medians[slowest], floor, "ms", aim=f"Web <= {WEB} x a process with one model, others <= {OTHERS} x",
        met=all(value <= most[name] * with_model for name, value in medians.items()),
        slowest=slowest, bare_model=with_model, ratio_to_bare_model=round(medians[slowest] / with_model, 3),
        functions={name: {"ms": value, "ratio": round(value / floor, 2),
                          "ratio_to_bare_model": round(value / with_model, 2)} for name, value in medians.items()},
        best_ms={name: round(min(values), 1) for name, values in took.items()})


def _bare(program: str, layer: Path) -> float:
    started = time.perf_counter()
    process = subprocess.Popen([*servers.PYTHON, "-c", program], env=servers.environment(layer), stdout=subprocess.PIPE)
    return _until_line(process, started)


def _event(folder: Path, env: dict[str, str]) -> float:
    events, _events_in = os.pipe()
    answers_out, answers = os.pipe()
    started = time.perf_counter()
    process = subprocess.Popen([*servers.PYTHON, str(RUNTIME), "index.main_handler", str(events), str(answers)],
                               cwd=folder, env=env, pass_fds=(events, answers), start_new_session=True)
    os.close(events)
    os.close(answers)
    with open(answers_out, "rb") as stream:
        line = stream.readline()
    milliseconds = (time.perf_counter() - started) * 1000
    servers.stop(process)
    os.close(_events_in)
    if b"ready" not in line:
        raise RuntimeError(f"{folder.name} did not start: {line.decode()[-500:]}")
    return milliseconds


def _web(folder: Path, env: dict[str, str]) -> float:
    port = servers.free_port()
    started = time.perf_counter()
    process = servers.spawn(folder, env, port)
    try:
        servers.first_answer(process, port)
        return (time.perf_counter() - started) * 1000
    finally:
        servers.stop(process)


def _until_line(process: subprocess.Popen[bytes], started: float) -> float:
    assert process.stdout is not None
    line = process.stdout.readline()
    milliseconds = (time.perf_counter() - started) * 1000
    process.stdout.close()
    process.wait()
    if not line:
        raise RuntimeError("the bare process said nothing: is build/opt complete?")
    return milliseconds
