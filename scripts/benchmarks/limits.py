"""``limits``: a request that is counted by a limit, beside the same one that is not; CPU in the function's process.

Both are routes of one process, in turns. ``refused`` is the same request once its bucket is empty: the instance
remembers it, so that the database is not asked.
"""

from __future__ import annotations

from functools import partial

from scripts.benchmarks import clients, machine, servers
from scripts.benchmarks.town import Place

LAYER = (servers.ROOT / "layers" / "common", servers.PACKAGES)
ROUNDS, SECONDS, CLIENTS = 7, 1.0, 8
AIM = 0.3  # ms
ROUTES = {"unlimited": 200, "limited": 200, "refused": 429}
DOOR = '''
import itertools

from hospital.database.policy import Policy, Rate
from hospital.runtime.clock import utc_now
from hospital.runtime.http import Api, Model, http_function
from hospital.security import limits

api = Api("limits")
WIDE = Policy(limit_orders=Rate(burst=100_000, seconds=0.001))
NARROW = Policy(limit_orders=Rate(burst=1, seconds=80_000))
one = itertools.count()


class Nothing(Model):
    done: bool


@api.get("/", public=True)
def ready() -> Nothing:
    return Nothing(done=True)


@api.get("/unlimited", public=True)
def unlimited() -> Nothing:
    return Nothing(done=True)


@api.get("/limited", public=True)
def limited() -> Nothing:
    limits.take("orders", f"account-{next(one) % 5000}", WIDE, utc_now())
    return Nothing(done=True)


@api.get("/refused", public=True)
def refused() -> Nothing:
    limits.take("orders", "somebody", NARROW, utc_now())
    return Nothing(done=True)


app, main_handler = http_function(api)
'''


def measure(place: Place) -> machine.Report:
    """CPU (ms) of a counted request; the floor is the same one uncounted."""
    folder = place.folder / "limits"
    env = {**place.environment("booking"), **servers.environment(folder, *LAYER)}
    used: dict[str, list[float]] = {name: [] for name in ROUTES}
    database: dict[str, list[float]] = {name: [] for name in ROUTES}
    with servers.serving(DOOR, folder, env) as server:
        for number in range(place.effort.of(ROUNDS, 1) + 1):
            for name, status in ROUTES.items():
                before, before_there = machine.cpu_ms(server.pid), machine.cpu_ms(place.database_pid)
                done = clients.drive(partial(clients.http_client, server.port, status),
                                     [clients.request("GET", f"/{name}")] * 20_000, place.effort.of(SECONDS, 0.2),
                                     processes=1, threads=CLIENTS)
                if not number:  # warms up; the first to be refused is still let through
                    continue
                if set(done.outcomes) != {"ok"}:
                    raise RuntimeError(f"{name}: {list(done.outcomes)[:2]}")
                used[name].append((machine.cpu_ms(server.pid) - before) / done.done)
                database[name].append((machine.cpu_ms(place.database_pid) - before_there) / done.done)
    value, floor = machine.median(used["limited"], 3), machine.median(used["unlimited"], 3)
    added = machine.median([more - less for more, less in zip(used["limited"], used["unlimited"], strict=True)], 3)
    return machine.report(
        value, floor, "ms CPU a request", aim=f"<= {AIM} ms added", met=added <= AIM, added_by_the_limit_ms=added,
        refused_ms=machine.median(used["refused"], 3),
        database_ms=round(machine.median(database["limited"], 3) - machine.median(database["unlimited"], 3), 3))
