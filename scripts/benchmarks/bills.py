"""``bills_query``: the list of a patient who has 100 unpaid bills of 3 items, beside a bare callable.

The floor, on the same server, asks the same HIS with the same signatures, reads with ``json.loads``, runs the same
statements (recorded and compared) and gives the same answer (compared). The HIS is a bare callable too, which
answers with what the sandbox's HIS says of such bills: the sandbox itself takes longer than both to say it.
"""

from __future__ import annotations

import difflib
import http.client
import json
import secrets
from functools import partial
from typing import TYPE_CHECKING, Any

from scripts import local_db, migrate
from scripts.benchmarks import clients, hospital, machine, outside, replay, servers, turns
from scripts.benchmarks.booking import Contender
from scripts.benchmarks.town import Place

if TYPE_CHECKING:
    from scripts.benchmarks.hospital import Connection

PATIENTS, BILLS, ITEMS = 64, 100, 3
CLIENTS = 8
KINDS = ("PRESCRIPTION", "EXAMINATION", "LABORATORY", "TREATMENT")
MOST = 2.0  # times the bare callable's CPU


def measure(place: Place) -> machine.Report:
    """CPU (ms) of the function's process a list; the floor is the bare callable's. Both also in lists a second."""
    database = f"{place.database}_bills"
    local_db.fresh_database(place.host, place.port, database)
    migrate.migrate(place.host, place.port, database)
    folder = place.folder / "bills"
    folder.mkdir(parents=True, exist_ok=True)
    answer = folder / "bills.json"
    answer.write_text(json.dumps(_bills(place), ensure_ascii=False, separators=(",", ":")))
    env = place.environment("billing")
    key = secrets.token_hex(24)
    told = {env["MYSQL_PASSWORD_SECRET"]: "", env["HIS_KEY_SECRET"]: key, **outside.data_keys(env)}
    mysql = {"MYSQL_HOST": place.host, "MYSQL_PORT": str(place.port), "MYSQL_DATABASE": database}
    with local_db.connect(place.host, place.port, database) as sql, \
            turns.bare(place, "bills-cloud", "outside.cloud", SECRETS=json.dumps(told)) as cloud, \
            turns.bare(place, "bills-his", "outside.his", HIS_KEY=key, HIS_ANSWER=str(answer)) as his:
        hospital.fill(sql, patients=PATIENTS, hot_slots=1, spread=0, spread_slots=0)
        base = {**mysql, "HIS_BASE": f"http://127.0.0.1:{his.port}"}
        with turns.bare(place, "bills-floor", "thin_bills.app", **base, HIS_KEY=key) as bare, \
                turns.function(place, "billing", CLOUD_API_BASE=f"http://127.0.0.1:{cloud.port}", **base) as whole:
            _prove_same_answer(bare, whole)
            contenders = [Contender(name, partial(clients.http_client, server.port), list, server.pid)
                          for name, server in (("floor", bare), ("service", whole))]
            statements = _prove_same_sql(sql, contenders)
            turns.take(place, contenders, [_request(number % PATIENTS) for number in range(2000)], processes=1,
                       threads=CLIENTS, reset=lambda: None)
    floor, service = (one.facts() for one in contenders)
    return machine.report(
        service["cpu_ms"], floor["cpu_ms"], "ms CPU a list", aim=f"<= {MOST:g} x the bare callable",
        met=service["cpu_ms"] <= MOST * floor["cpu_ms"], service=service, floor_detail=floor, clients=CLIENTS,
        bills=BILLS, items=BILLS * ITEMS, answer_kb=round(answer.stat().st_size / 1024), statements=len(statements),
        same_sql=True)


def _bills(place: Place) -> dict[str, Any]:
    """What the sandbox's HIS says of bills that its doctors made out to one of its patients."""
    patient = place.control("GET", "/his/patients")["patients"][0]["patient_code"]
    return {"bills": [place.control("POST", "/his/bills", patient_code=patient, kind=KINDS[number % len(KINDS)],
                                    count=ITEMS) for number in range(BILLS)]}


def _request(number: int) -> bytes:
    job = hospital.Job(number, "")
    return clients.request("GET", f"/bills?patient_id={job.patient_id}", _headers(job))


def _headers(job: hospital.Job) -> dict[str, str]:
    return {"Authorization": f"Bearer {job.token}", "X-Client-Secret": hospital.SECRET}


def _prove_same_answer(bare: servers.Server, whole: servers.Server) -> None:
    answers = []
    for server in (bare, whole):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        job = hospital.Job(0, "")
        connection.request("GET", f"/bills?patient_id={job.patient_id}", headers=_headers(job))
        answers.append({**json.loads(connection.getresponse().read()), "as_of": ""})
        connection.close()
    if answers[0] != answers[1] or len(answers[1].get("bills", [])) != BILLS or not answers[1]["live"]:
        raise RuntimeError(f"the answer of scripts/benchmarks/thin_bills.py is not the service's: {answers[1]}"[:2000])


def _prove_same_sql(sql: Connection, contenders: list[Contender]) -> list[str]:
    seen: dict[str, list[str]] = {}
    for one in contenders:
        client = one.client()
        outcomes: list[str] = []
        client(_request(1))  # an account's first look in an hour is written into the audit
        seen[one.name] = replay.recorded(sql, lambda: outcomes.append(client(_request(1))))  # noqa: B023
        if outcomes != ["ok"]:
            raise RuntimeError(f"{one.name} gave no list: {outcomes}")
    if seen["floor"] != seen["service"]:
        difference = "\n".join(difflib.unified_diff(seen["service"], seen["floor"], "service", "floor", lineterm=""))
        raise RuntimeError(f"the SQL of scripts/benchmarks/thin_bills.py is not the service's:\n{difference}")
    return seen["service"]
