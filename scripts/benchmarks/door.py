"""``door``: a request that does nothing, CPU in the function's process; the floor is a bare WSGI callable."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import partial

from scripts.benchmarks import clients, machine, servers
from scripts.benchmarks.town import Place

LAYER = (servers.ROOT / "layers" / "common", servers.PACKAGES)
ROUNDS, SECONDS, CLIENTS = 5, 1.0, 8
REQUEST = clients.request("GET", "/")
DOOR = '''
from hospital.runtime.http import Api, Model, http_function

api = Api("door")


class Nothing(Model):
    done: bool


@api.get("/", public=True)
def nothing() -> Nothing:
    return Nothing(done=True)


app, main_handler = http_function(api)
'''
BARE = '''
def app(environ, start_response):
    body = b'{"done":true}'
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
'''


def serving(place: Place) -> AbstractContextManager[servers.Server]:
    """A function that does nothing, behind the project's server."""
    folder = place.folder / "door" / "door"
    return servers.serving(DOOR, folder, {**place.environment("booking"), **servers.environment(folder, *LAYER)})


def measure(place: Place) -> machine.Report:
    """The door beside a bare callable on the same server, in turns."""
    bare_folder = place.folder / "door" / "bare"
    used: dict[str, list[float]] = {"door": [], "bare": []}
    rates: dict[str, list[float]] = {"door": [], "bare": []}
    with serving(place) as door, \
            servers.serving(BARE, bare_folder, servers.environment(bare_folder, servers.PACKAGES)) as bare:
        for number in range(place.effort.of(ROUNDS, 1) + 1):
            for name, server in (("bare", bare), ("door", door)):
                before = machine.cpu_ms(server.pid)
                done = clients.drive(partial(clients.http_client, server.port), [REQUEST] * 20_000,
                                     place.effort.of(SECONDS, 0.2), processes=1, threads=CLIENTS)
                if number:  # the first warms up
                    used[name].append((machine.cpu_ms(server.pid) - before) * 1000 / done.done)
                    rates[name].append(done.rate)
    value, floor = machine.median(used["door"], 0), machine.median(used["bare"], 0)
    return machine.report(value, floor, "us CPU a request", aim="(none)", met=True,
                          added_by_the_door=round(value - floor), per_second=machine.median(rates["door"], 0))
