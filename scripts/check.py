"""``make check``: ruff, mypy, import-linter, and the layout that docs promise."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from sandbox.scf import manifest
from scripts import client

ROOT = Path(__file__).resolve().parent.parent
LONGEST = 420  # lines; a longer file is two rooms
PINNED = re.compile(r"|#.*|-r [\w/.]+|[\w.-]+==[\w.]+(; python_version < \"[\d.]+\")?")
SQL = re.compile(r"\"(SELECT|INSERT|UPDATE|DELETE|REPLACE) ")
SQL_FLOORS = ("database", "security")
HOUSE = ROOT / "layers" / "common" / "hospital"


def layout() -> list[str]:
    """What breaks the plan of the house."""
    problems = []
    declared = set(manifest.load(ROOT / "serverless.yml").functions)
    present = {path.parent.name for path in ROOT.glob("functions/*/index.py")}
    problems += [f"functions/{name} is not in serverless.yml" for name in sorted(present - declared)]
    problems += [f"serverless.yml names {name}, which has no functions/{name}/index.py"
                 for name in sorted(declared - present)]
    for path in files("functions", "layers", "sandbox", "scripts", "tests"):
        lines = path.read_text().count("\n")
        if lines > (40 if path.name == "index.py" and path.parent.parent.name == "functions" else LONGEST):
            problems.append(f"{path.relative_to(ROOT)} has {lines} lines")
    problems += [f"{path.relative_to(ROOT)} holds SQL: that belongs into a store"
                 for path in HOUSE.glob("*/*.py") if path.parent.name not in SQL_FLOORS
                 and not path.stem.endswith(("store", "listing")) and SQL.search(path.read_text())]
    for path in [ROOT / "requirements-dev.txt", *sorted(ROOT.glob("layers/*/requirements.txt"))]:
        problems += [f"{path.relative_to(ROOT)}: not pinned, or with an address: {line}"
                     for line in path.read_text().splitlines() if not PINNED.fullmatch(line)]
    return problems


def files(*folders: str) -> list[Path]:
    """Python files under some folders."""
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def check_client() -> int:
    """The mini-program's own checks; 1 when one fails."""
    failed = 0
    for step in ("types", "lint", "floors"):
        problem = ""
        try:
            client.run(step)
        except client.ClientFailed as told:
            problem, failed = str(told), 1
        print(f"check: miniprogram {step}: {'FAILED' if problem else 'ok'}")
        if problem:
            print(problem)
    current = client.api_is_current()
    print(f"check: miniprogram api: {'ok' if current else 'FAILED: run npm run api in miniprogram/'}")
    return failed or int(not current)


def main() -> int:
    """Run every check; 0 when all pass."""
    doors = [str(path.relative_to(ROOT)) for path in sorted(ROOT.glob("functions/*/index.py"))]
    steps = [
        ["ruff", "check", "--quiet", "."],
        ["mypy", "--no-error-summary", "layers/common/hospital", "layers/reports/report_readers", "sandbox", "scripts",
         *doors],
        ["lint-imports", "--no-cache", "--no-logo"],
        ["lint-imports", "--no-cache", "--no-logo", "--config", "scripts/circles.toml"],
    ]
    failed = 0
    known = os.pathsep.join(str(path) for path in (*sorted(ROOT.glob("layers/*")), ROOT))
    for step in steps:
        done = subprocess.run([str(ROOT / ".venv" / "bin" / step[0]), *step[1:]], cwd=ROOT, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                              env={**os.environ, "PYTHONPATH": known})
        print(f"check: {step[0]}: {'ok' if done.returncode == 0 else 'FAILED'}")
        if done.returncode:
            print(done.stdout)
            failed = 1
    failed |= check_client()
    problems = layout()
    print(f"check: layout: {'ok' if not problems else 'FAILED'}")
    for problem in problems:
        print("  " + problem)
    return 1 if failed or problems else 0


if __name__ == "__main__":
    sys.exit(main())
