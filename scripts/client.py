"""The mini-program's tools, for the commands that need them: its checks, its unit tests, and its two builds."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).resolve().parent.parent
CLIENT = ROOT / "miniprogram"
Kind = Literal["h5", "mp-weixin"]
_SOURCES = ("src", "index.html", "vite.config.ts", "package-lock.json", ".env")


class ClientFailed(Exception):
    """A tool of the client ended badly; the text is what it said."""


def run(*words: str, **environment: str) -> str:
    """One of the client's npm scripts; what it printed. Raises ClientFailed."""
    done = subprocess.run(["npm", "run", "--silent", *words], cwd=CLIENT, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env={**os.environ, "NO_COLOR": "1", **environment})
    if done.returncode:
        raise ClientFailed(f"npm run {' '.join(words)}:\n{done.stdout}")
    return done.stdout


def build(kind: Kind, base: str | None = None, name: str = "") -> Path:
    """The folder ``build/<name or kind>``, made anew when its sources have changed. Raises ClientFailed.

    ``base``: the address of the functions in it; else the environment's ``VITE_API_BASE``.
    """
    base = os.environ.get("VITE_API_BASE", "") if base is None else base
    folder, stamp = ROOT / "build" / (name or kind), ROOT / "build" / f"{name or kind}.stamp"
    folder.parent.mkdir(exist_ok=True)
    with (ROOT / "build" / f"{kind}.lock").open("w") as lock:  # test workers ask at the same time
        fcntl.flock(lock, fcntl.LOCK_EX)
        now = f"{_sources()} {base}"
        if not folder.exists() or not stamp.exists() or stamp.read_text() != now:
            run(f"build:{kind}", VITE_API_BASE=base)
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(CLIENT / "dist" / "build" / kind, folder)
            stamp.write_text(now)
    return folder


def build_empty() -> Path:
    """The folder of a page with nothing on it, built for the browser by the same versions, when those have changed.

    What any page costs that is made like ours. Raises ClientFailed.
    """
    folder, stamp, place = ROOT / "build" / "h5-empty", ROOT / "build" / "h5-empty.stamp", CLIENT / "dist" / "empty"
    folder.parent.mkdir(exist_ok=True)
    with (ROOT / "build" / "h5-empty.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        now = _digest(CLIENT / "tests" / "empty", CLIENT / "package-lock.json")
        if not folder.exists() or not stamp.exists() or stamp.read_text() != now:
            shutil.rmtree(place, ignore_errors=True)
            shutil.copytree(CLIENT / "tests" / "empty", place)
            shutil.copy(CLIENT / "package.json", place)  # the framework's parts are found by its names
            done = subprocess.run([str(CLIENT / "node_modules" / ".bin" / "uni"), "build"], cwd=place, text=True,
                                  check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            if done.returncode:
                raise ClientFailed(f"the empty page:\n{done.stdout}")
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(place / "dist" / "build" / "h5", folder)
            stamp.write_text(now)
    return folder


def packages(build: Path) -> dict[str, int]:
    """Bytes of each package of a build for WeChat, by its root; the main one is ``""``."""
    roots = [one["root"] for one in json.loads((build / "app.json").read_text())["subPackages"]]
    sizes = dict.fromkeys(["", *roots], 0)
    for path in build.rglob("*"):
        if path.is_file():
            top = path.relative_to(build).parts[0]
            sizes[top if top in roots else ""] += path.stat().st_size
    return sizes


def api_is_current() -> bool:
    """Whether the client's types are those of ``docs/openapi.json``. Raises ClientFailed."""
    return run("api:print") == (CLIENT / "src" / "api" / "schema.d.ts").read_text()


def _sources() -> str:
    return _digest(*(CLIENT / name for name in _SOURCES))


def _digest(*places: Path) -> str:
    total = sha256()
    for place in places:
        for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if path.is_file():
                total.update(str(path.relative_to(CLIENT)).encode() + b"\0" + path.read_bytes())
    return total.hexdigest()
