"""``booking_spread`` and ``booking_hot``: the request that takes a place, beside what can be had for less.

``floor``: its own statements by bare pymysql. ``ideal``: the least that is durable. ``thin``: its own statements behind
a bare WSGI callable. ``door``: a request to the same kind of function that does nothing.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from scripts.benchmarks import clients, door, hospital, machine, replay, servers
from scripts.benchmarks.town import Place

PATIENTS, SCHEDULES = 9000, 60
HOT_SLOTS, SPREAD_SLOTS = 9000, 180
ROUNDS, SECONDS, WARM_UP = 5, 1.5, 0.7
THIN = "from scripts.benchmarks.thin import app\n"


@dataclass
class Contender:
    """One of them; what its rounds gave."""

    name: str
    client: Callable[[], clients.Client]
    jobs: Callable[[list[hospital.Job]], list[Any]]
    group: int | None  # the process group whose CPU counts; None: the clients are all there is
    rounds: list[clients.Round] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    database_cpu: list[float] = field(default_factory=list)

    def middle(self, of: Callable[[clients.Round], float]) -> float:
        """The median over the rounds."""
        return machine.median([of(one) for one in self.rounds])

    def facts(self) -> machine.Report:
        """What is reported of it."""
        rate = self.middle(lambda one: one.rate)
        return {
            "per_second": rate, "p50_ms": self.middle(lambda one: machine.percentile(one.latencies, 0.5)),
            "p99_ms": self.middle(lambda one: machine.percentile(one.latencies, 0.99)),
            **({"cpu_ms": machine.median(self.cpu, 3)} if self.group else {}),
            "database_cpu_ms": machine.median(self.database_cpu, 3),
        }


def measure(place: Place, names: list[str]) -> dict[str, machine.Report]:
    """The reports of ``booking_spread``, ``booking_hot`` or both."""
    patients = place.effort.of(PATIENTS, 600)
    hospital.fill(place.sql, patients=patients, hot_slots=place.effort.of(HOT_SLOTS, patients), spread=SCHEDULES,
                  spread_slots=place.effort.of(SPREAD_SLOTS, 20))
    schedules = {"booking_hot": [hospital.identifier("S", 0)],
                 "booking_spread": [hospital.identifier("S", number) for number in range(1, SCHEDULES + 1)]}
    with _thin(place) as thin, door.serving(place) as idle:
        service = place.function("booking")
        at = (place.host, place.port, place.database)

        def contenders() -> list[Contender]:
            return [
                Contender("floor", partial(replay.client, *at), list, None),
                Contender("ideal", partial(replay.ideal_client, *at), list, None),
                Contender("door", partial(clients.http_client, idle.port), lambda jobs: [door.REQUEST] * len(jobs),
                          idle.pid),
                Contender("thin", partial(clients.http_client, thin.port, 201), _serialised, thin.pid),
                Contender("service", partial(clients.http_client, service.port, 201), _serialised, service.pid),
            ]

        compared = [one for one in contenders() if one.name in ("floor", "thin", "service")]
        statements = _prove_same_sql(place, compared, hospital.jobs(6, schedules["booking_spread"]))
        return {name: _compare(place, contenders(), hospital.jobs(patients, schedules[name]), statements, name)
                for name in names}


def _serialised(jobs: list[hospital.Job]) -> list[bytes]:
    return [one.request() for one in jobs]


def _thin(place: Place) -> AbstractContextManager[servers.Server]:
    folder = place.folder / "thin"
    env = servers.environment(folder, servers.ROOT, servers.PACKAGES, MYSQL_HOST=place.host,
                              MYSQL_PORT=str(place.port), MYSQL_DATABASE=place.database)
    return servers.serving(THIN, folder, env)


def _prove_same_sql(place: Place, contenders: list[Contender], jobs: list[hospital.Job]) -> list[str]:
    hospital.reset(place.sql)
    seen: dict[str, list[str]] = {}
    for contender, first, job in zip(contenders, jobs[::2], jobs[1::2], strict=True):
        client = contender.client()
        warm, sent = contender.jobs([first, job])
        outcomes: list[str] = [client(warm)]  # what is asked once a process has been asked
        seen[contender.name] = replay.recorded(place.sql, lambda: outcomes.append(client(sent)))  # noqa: B023
        if set(outcomes) != {"ok"}:
            raise RuntimeError(f"{contender.name} could not take a place: {outcomes}")
    for name in ("floor", "thin"):
        if seen[name] != seen["service"]:
            difference = "\n".join(difflib.unified_diff(seen["service"], seen[name], "service", name, lineterm=""))
            raise RuntimeError(f"the SQL of scripts/benchmarks/replay.py is not the service's:\n{difference}")
    return seen["service"]


def _compare(place: Place, contenders: list[Contender], jobs: list[hospital.Job], statements: list[str], name: str
             ) -> machine.Report:
    seconds, warm_up = place.effort.of(SECONDS, 0.1), place.effort.of(WARM_UP, 0.1)
    for number in range(place.effort.of(ROUNDS, 1) + 1):
        for contender in contenders:
            hospital.reset(place.sql)
            place.keep_alive()
            work = contender.jobs(jobs)
            before = machine.cpu_ms(contender.group) if contender.group else 0.0
            database = machine.cpu_ms(place.database_pid)
            done = clients.drive(contender.client, work, seconds if number else warm_up)
            if set(done.outcomes) != {"ok"}:
                raise RuntimeError(f"{name}, {contender.name}: {done.outcomes}")
            if number:  # the first warms up
                contender.rounds.append(done)
                contender.database_cpu.append((machine.cpu_ms(place.database_pid) - database) / done.done)
                if contender.group:
                    contender.cpu.append((machine.cpu_ms(contender.group) - before) / done.done)
    _check_books(place, contenders[-1].rounds[-1].done)
    floor, ideal, idle, thin, service = (one.facts() for one in contenders)
    ratio, cpu = service["per_second"] / thin["per_second"], service["cpu_ms"] / idle["cpu_ms"]
    return machine.report(
        service["per_second"], floor["per_second"], "bookings/s", aim=">= 0.75 of thin, CPU <= 3.5 x the door's",
        met=ratio >= 0.75 and cpu <= 3.5, ratio_to_thin=round(ratio, 3), cpu_to_door=round(cpu, 2), thin=thin,
        service=service, ideal=ideal, door=idle, floor_detail=floor, clients=clients.PROCESSES * clients.THREADS,
        exchanges=len(statements), same_sql=True)


def _check_books(place: Place, done: int) -> None:
    """No place twice, none lost: as many registrations as were answered, each with its own place."""
    with place.sql.cursor() as cursor:
        cursor.execute("SELECT COUNT(*), COUNT(DISTINCT slot_id), (SELECT COUNT(*) FROM slots s JOIN bookings b "
                       "ON b.id = s.booking_id AND b.slot_id = s.id) FROM bookings")
        stored = cursor.fetchone()
    if stored != (done, done, done):
        raise RuntimeError(f"the books disagree: {done} answers; registrations, their places, places held: {stored}")
