"""``listing_rush``: two thousand readers of one department's list while its places are sold, beside the empty door.

A seller takes a place every few milliseconds and knows when; a watcher reads the list like everybody and so sees how
old what it is told can be.
"""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from collections.abc import Callable
from functools import partial

from scripts import local_db
from scripts.benchmarks import clients, door, hospital, listing, machine, turns
from scripts.benchmarks.town import Place

READERS = 2000
PROCESSES, THREADS = 2, 32
ROUNDS, TIMES = 5, 4  # so often each reader looks in a round
SALE, LOOK = 0.25, 0.02  # seconds between two sales, and two looks of the watcher
LEAST, OLDEST = 0.8, 1.0
DEPARTMENT_S = "s.his_department = 'H2'"  # the sessions of listing.DEPARTMENT


def measure(place: Place) -> machine.Report:
    """Lists a second; the floor is requests to the door a second."""
    database = f"{place.database}_listing_rush"
    listing.fill(place, database, 1)
    path = f"/sessions?department_id={listing.DEPARTMENT}&day={hospital.visit_day()}"
    jobs = place.effort.of(READERS * TIMES, 400)
    rates: dict[str, list[float]] = {"door": [], "service": []}
    oldest = [0.0]
    with door.serving(place) as idle, \
            turns.function(place, "booking", folder="listing-rush", MYSQL_DATABASE=database) as service:
        watch = _Watch(place, database, f"http://127.0.0.1:{service.port}{path}")
        contenders = [("door", idle.port, door.REQUEST), ("service", service.port, clients.request("GET", path))]
        for number in range(place.effort.of(ROUNDS, 1) + 1):
            for name, port, request in contenders:
                with watch if name == "service" else threading.Lock():
                    done = clients.drive(partial(clients.http_client, port), [request] * jobs, 60,
                                         processes=PROCESSES, threads=THREADS)
                if set(done.outcomes) != {"ok"}:
                    raise RuntimeError(f"listing_rush, {name}: {list(done.outcomes)[:2]}")
                if number:  # the first warms up
                    rates[name].append(done.rate)
        oldest += watch.ages
        sold = watch.sold
    value, floor = machine.median(rates["service"], 0), machine.median(rates["door"], 0)
    return machine.report(
        value, floor, "lists/s", aim=f">= {LEAST} of the door, at most {OLDEST:g} s old",
        met=value >= LEAST * floor and max(oldest) <= OLDEST, oldest_s=round(max(oldest), 3), looks=len(watch.ages),
        sold=sold, clients=PROCESSES * THREADS)


class _Watch:
    """Sells places and reads the list while it is entered; ``ages``: how old each list was, in seconds."""

    def __init__(self, place: Place, database: str, address: str) -> None:
        self._at, self._address = (place.host, place.port, database), address
        self.ages: list[float] = []
        self.sold, self._first = 0, 0
        self._sales: list[float] = []  # when the first was sold, the second, …
        self._problem: BaseException | None = None

    def __enter__(self) -> None:
        self._over = threading.Event()
        with local_db.connect(*self._at) as sql, sql.cursor() as cursor:
            cursor.execute("UPDATE slots SET booking_id = NULL WHERE booking_id = id")
            cursor.execute("SELECT COUNT(*) FROM slots t JOIN schedules s ON s.id = t.schedule_id "
                           f"WHERE {DEPARTMENT_S} AND t.booking_id IS NULL")
            [self._first] = cursor.fetchone() or [0]
        self._sales = []
        self._threads = [threading.Thread(target=self._kept, args=[act, pause])
                         for act, pause in ((self._sell, SALE), (self._look, LOOK))]
        for one in self._threads:
            one.start()

    def __exit__(self, *problem: object) -> None:
        self._over.set()
        for one in self._threads:
            one.join(30)
        if self._problem is not None:
            raise self._problem

    def _kept(self, act: Callable[[], None], pause: float) -> None:
        try:
            while not self._over.wait(pause):
                act()
        except BaseException as problem:  # noqa: BLE001 - raised where it is waited for
            self._problem = problem

    def _sell(self) -> None:
        with local_db.connect(*self._at) as sql, sql.cursor() as cursor:
            cursor.execute("SELECT t.id FROM slots t JOIN schedules s ON s.id = t.schedule_id "
                           f"WHERE {DEPARTMENT_S} AND t.booking_id IS NULL LIMIT 1")
            for [slot] in cursor.fetchall():
                cursor.execute("UPDATE slots SET booking_id = id WHERE id = %s", (slot,))
                self._sales.append(time.monotonic())
                self.sold += 1

    def _look(self) -> None:
        seen = self._first - self._free()
        heard, sales = time.monotonic(), list(self._sales)
        self.ages.append(heard - sales[seen] if seen < len(sales) else 0.0)

    def _free(self) -> int:
        with urllib.request.urlopen(self._address, timeout=30) as answer:
            return sum(one["free"] for one in json.load(answer)["sessions"])
