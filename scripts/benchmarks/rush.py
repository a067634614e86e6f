"""``rush``: ten thousand patients want the forty places of one session at the same moment, beside the empty door.

The value is the time until all are answered; the floor is the time of as many requests that do nothing. Nearly all are
refused, so a refusal is what is measured: its CPU, and how long one waits for it.
"""

from __future__ import annotations

from collections import Counter
from functools import partial

from scripts import local_db, migrate
from scripts.benchmarks import clients, door, hospital, machine, turns
from scripts.benchmarks.town import Place

PLACES, PATIENTS = 40, 10_000
PROCESSES, THREADS = 2, 32  # 64 clients
ROUNDS = 3
SOLD, REFUSED = "ok", "refused"
MOST = 1.5  # times the door's


def measure(place: Place) -> machine.Report:
    """Seconds until everybody has an answer; the floor is as many requests to the door."""
    database = f"{place.database}_rush"
    local_db.fresh_database(place.host, place.port, database)
    migrate.migrate(place.host, place.port, database)
    patients = place.effort.of(PATIENTS, 400)
    rounds: dict[str, list[clients.Round]] = {"door": [], "service": []}
    cpu: dict[str, list[float]] = {"door": [], "service": []}
    with local_db.connect(place.host, place.port, database) as sql, door.serving(place) as idle, \
            turns.function(place, "booking", folder="rush", MYSQL_DATABASE=database) as service:
        hospital.fill(sql, patients=patients, hot_slots=PLACES, spread=0, spread_slots=0)
        orders = [job.request() for job in hospital.jobs(patients, [hospital.identifier("S", 0)])]
        contenders = [("door", idle, [door.REQUEST] * patients, partial(clients.http_client, idle.port)),
                      ("service", service, orders, partial(_client, service.port))]
        for number in range(place.effort.of(ROUNDS, 1) + 1):
            for name, server, jobs, client in contenders:
                hospital.reset(sql)
                before = machine.cpu_ms(server.pid)
                done = clients.drive(client, jobs, 600, processes=PROCESSES, threads=THREADS,
                                     well=frozenset({SOLD, REFUSED}))
                if name == "service":
                    _check(sql, done.outcomes, patients)
                if number:  # the first warms up
                    rounds[name].append(done)
                    cpu[name].append((machine.cpu_ms(server.pid) - before) / patients)
    took = {name: machine.median([one.seconds for one in some]) for name, some in rounds.items()}
    p99 = {name: machine.median([machine.percentile(one.latencies, 0.99) for one in some])
           for name, some in rounds.items()}
    each = {name: machine.median(some, 3) for name, some in cpu.items()}
    ratio = {"time": took["service"] / took["door"], "cpu": each["service"] / each["door"],
             "p99": p99["service"] / p99["door"]}
    return machine.report(
        took["service"], took["door"], "s for all", aim=f"<= {MOST} x the door in time, CPU and p99",
        met=all(one <= MOST for one in ratio.values()),
        to_the_door={name: round(one, 2) for name, one in ratio.items()},
        service={"cpu_ms": each["service"], "p99_ms": p99["service"]},
        floor_detail={"cpu_ms": each["door"], "p99_ms": p99["door"]}, places=PLACES, requests=patients,
        clients=PROCESSES * THREADS)


def _client(port: int) -> clients.Client:
    """A client that tells a sold place and a right refusal from everything else."""
    send = clients.http_client(port, 201)

    def order(request: bytes) -> str:
        outcome = send(request)
        return REFUSED if outcome.startswith("409") and '"slot_gone"' in outcome else outcome

    return order


def _check(sql: hospital.Connection, outcomes: dict[str, int], patients: int) -> None:
    """Each place was sold, none twice, and nobody was refused who had one."""
    if Counter(outcomes) != Counter({SOLD: PLACES, REFUSED: patients - PLACES}):
        raise RuntimeError(f"rush: {dict(list(outcomes.items())[:4])}")
    with sql.cursor() as cursor:
        cursor.execute("SELECT COUNT(*), COUNT(DISTINCT slot_id), COUNT(DISTINCT patient_id), (SELECT COUNT(*) FROM "
                       "slots s JOIN bookings b ON b.id = s.booking_id AND b.slot_id = s.id) FROM bookings")
        stored = cursor.fetchone()
    if stored != (PLACES,) * 4:
        raise RuntimeError(f"the books disagree: registrations, places, patients, places held: {stored}")
