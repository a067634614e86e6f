"""``make bench``: all benchmarks, or one by name. A table, and ``build/bench.json``.

Every floor is measured in the same run, in turns with what it is compared to: the machine's own speed
cancels out in the ratios. ``machine_ms`` (a fixed piece of work) tells how fast it was.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.benchmarks import (
    bills,
    booking,
    callback,
    cold_start,
    door,
    limits,
    listing,
    listing_rush,
    machine,
    miniprogram,
    package,
    queue_poll,
    reconcile,
    reminders,
    report_intake,
    rush,
    town,
)

RESULTS = Path(__file__).resolve().parent.parent / "build" / "bench.json"
BOOKING = ["booking_spread", "booking_hot"]
NAMES = [*BOOKING, "rush", "listing_rush", "payment_callback", "bills_query", "cold_start", "listing", "door",
         "limits", "package", "queue_poll", "reconcile", "report_intake", "miniprogram", "reminders_100k"]


def main() -> int:
    """Run, print, write; 2 when there is no such benchmark."""
    wanted = sys.argv[1:] or NAMES
    unknown = [name for name in wanted if name not in NAMES]
    if unknown:
        print(f"bench: no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}", file=sys.stderr)
        return 2
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() and len(wanted) < len(NAMES) else {}
    print(f"{'':<16}{'value':>12}{'floor':>12}{'ratio':>8}  unit, aim")
    with town.running() as place:
        for name, report in reports(place, wanted):
            results[name] = {**report, "machine_ms": machine.speed_ms()}
            RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
            print(line(name, results[name]), flush=True)
    print("\nall of it: build/bench.json")
    return 0


def reports(place: town.Place, wanted: list[str]) -> Iterable[tuple[str, machine.Report]]:
    """Measure these of ``NAMES``, one after the other."""
    chosen = [name for name in BOOKING if name in wanted]
    if chosen:
        yield from booking.measure(place, chosen).items()
    others: dict[str, Callable[[], machine.Report]] = {
        "rush": partial(rush.measure, place), "listing_rush": partial(listing_rush.measure, place),
        "payment_callback": partial(callback.measure, place), "bills_query": partial(bills.measure, place),
        "cold_start": partial(cold_start.measure, place), "listing": partial(listing.measure, place),
        "door": partial(door.measure, place), "limits": partial(limits.measure, place),
        "package": partial(package.measure, place), "queue_poll": partial(queue_poll.measure, place),
        "reconcile": partial(reconcile.measure, place),
        "report_intake": partial(report_intake.measure, place), "miniprogram": partial(miniprogram.measure, place),
        "reminders_100k": partial(reminders.measure, place)}
    for name in wanted:
        if name in others:
            yield name, others[name]()


def line(name: str, report: machine.Report) -> str:
    """One benchmark's lines of the table."""
    text = (f"{name:<16}{report['value']:>12,}{report['floor']:>12,}{report['ratio']:>8}  {report['unit']}; aim "
            f"{report['aim']}{'' if report['met'] else ': MISSED'}")
    for who in ("service", "quiet", "thin", "ideal", "door", "fhir", "floor_detail"):
        if who in report:
            text += f"\n{'':<8}{who.removesuffix('_detail'):<8}" + "  ".join(
                f"{key} {value:g}" for key, value in report[who].items())
    for key in ("ratio_to_thin", "his_questions", "cpu_to_door", "to_the_door", "oldest_s", "bare_model", "functions",
                "best_ms", "p50_ms", "added_by_the_door", "added_by_the_limit_ms", "refused_ms", "database_ms", "zips",
                "miniprogram", "list_of_registrations", "plain_list", "wechat_packages", "aims_met",
                "whole", "machine_ms"):
        if key in report:
            text += f"\n{'':<8}{key}: {json.dumps(report[key])}"
    return text


if __name__ == "__main__":
    sys.exit(main())
