"""``make features``: every id of docs/features.yaml with its tests and PASS, FAIL or NONE.

From the last ``make test`` (build/test-results.json); a table, and build/features.json.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "build" / "test-results.json"


def rows(features: list[dict[str, Any]], results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each feature its status, whether a screen shows it, and its tests."""
    found = []
    for feature in features:
        claims = [(one, claim) for one in results for claim in one["features"] if claim["id"] == feature["id"]]
        outcomes = {one["outcome"] for one, _ in claims}
        status = "NONE" if not claims else "PASS" if outcomes == {"passed"} else "FAIL"
        screens = [one for one, claim in claims if claim["screen"]]
        found.append({"id": feature["id"], "status": status, "tests": sorted({one["test"] for one, _ in claims}),
                      "screen": bool(screens) and all(one["outcome"] == "passed" for one in screens)})
    return found


def main() -> int:
    """Print the table, write the file; 1 when a claimed feature fails or no test was run."""
    if not RESULTS.exists():
        print("features: no results yet: run make test first", file=sys.stderr)
        return 1
    table = rows(yaml.safe_load((ROOT / "docs" / "features.yaml").read_text()), json.loads(RESULTS.read_text()))
    (ROOT / "build" / "features.json").write_text(json.dumps(table, indent=1))
    for row in table:
        print(f"{row['id']:32} {row['status']:5} {'screen' if row['screen'] else '':7}{len(row['tests']):3} tests")
    counts = {status: sum(row["status"] == status for row in table) for status in ("PASS", "FAIL", "NONE")}
    print(", ".join(f"{count} {status}" for status, count in counts.items()))
    return 1 if counts["FAIL"] else 0


if __name__ == "__main__":
    sys.exit(main())
