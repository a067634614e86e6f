"""``queue_poll``: 2,000 patients who wait for 10 doctors ask for their turn, in two instances, beside ``door``.

The HIS is the sandbox's, and its journal says how often it was asked: once for each doctor in three seconds at most,
both instances together.
"""

from __future__ import annotations

import time
from functools import partial
from random import Random

from scripts import local_db, migrate
from scripts.benchmarks import clients, door, hospital, machine, turns
from scripts.benchmarks.town import Place

PATIENTS, DOCTORS, WALK_INS = 2000, 10, 40
EVERY = 3.0  # seconds
ROUNDS, SECONDS, THREADS = 5, 3.5, 16
LEAST = 0.15  # of the door's requests a second: who asks is known, bound, and read of under the audit's eyes


def measure(place: Place) -> machine.Report:
    """Requests a second; the floor is ``door`` (a request that does nothing) with the same clients."""
    database = f"{place.database}_queue"
    local_db.fresh_database(place.host, place.port, database)
    migrate.migrate(place.host, place.port, database)
    codes = _sessions(place)
    with local_db.connect(place.host, place.port, database) as sql:
        hospital.fill(sql, patients=PATIENTS, hot_slots=1, spread=DOCTORS - 1, spread_slots=1)
        _waiting(sql, codes)
    own = {"MYSQL_HOST": place.host, "MYSQL_PORT": str(place.port), "MYSQL_DATABASE": database}
    jobs = [_request(number) for number in range(PATIENTS)]
    Random(3).shuffle(jobs)
    rates: dict[str, list[float]] = {"queue": [], "door": []}
    p99: list[float] = []
    most = 0.0
    with turns.function(place, "queue", folder="queue-1", **own) as one, \
            turns.function(place, "queue", folder="queue-2", **own) as other, door.serving(place) as nothing:
        for number in range(place.effort.of(ROUNDS, 1) + 1):
            seconds = place.effort.of(SECONDS, 0.3)
            floor = clients.drive(partial(clients.http_client, nothing.port), [door.REQUEST] * 40_000, seconds,
                                  processes=2, threads=THREADS)
            asked, began = _questions(place, codes), time.monotonic()
            # Both instances are asked in turns by the same clients: a poll reaches whichever the platform chooses.
            done = clients.drive(partial(_either, one.port, other.port), jobs * 20, seconds, processes=2,
                                 threads=THREADS)
            if set(done.outcomes) != {"ok"}:
                raise RuntimeError(f"queue_poll: {list(done.outcomes)[:2]}")
            took = time.monotonic() - began
            most = max(most, (_questions(place, codes) - asked) / DOCTORS / (1 + took // EVERY))
            if number:  # the first warms up
                rates["door"].append(floor.rate)
                rates["queue"].append(done.rate)
                p99.append(machine.percentile(done.latencies, 0.99))
    value, bare = machine.median(rates["queue"], 0), machine.median(rates["door"], 0)
    if most > 1:
        raise RuntimeError(f"queue_poll: the HIS was asked {most:g} times for a doctor in {EVERY:g} s")
    return machine.report(value, bare, "polls a second", aim=f">= {LEAST:g} x door; <= 1 HIS question a doctor and 3 s",
                          met=value >= LEAST * bare, p99_ms=machine.median(p99), pollers=PATIENTS, doctors=DOCTORS,
                          his_questions=round(most, 2), instances=2)


def _either(one: int, other: int) -> clients.Client:
    ports = [clients.http_client(one), clients.http_client(other)]
    turn = [0]

    def send(request: bytes) -> str:
        turn[0] += 1
        return ports[turn[0] % 2](request)

    return send


def _sessions(place: Place) -> list[str]:
    """Sessions in the sandbox's HIS with walk-ins, some of them called."""
    made = [place.control("POST", "/his/schedules", department_code="1101", doctor="new", date=hospital.visit_day(),
                          period="MORNING", kind="EXPERT", fee_fen=hospital.FEE_FEN, slots=1)["code"]
            for _ in range(DOCTORS)]
    for code in made:
        place.control("PUT", f"/his/queues/{code}", waiting=WALK_INS)
        for _ in range(5):
            place.control("POST", f"/his/queues/{code}/next")
    return made


def _waiting(sql: hospital.Connection, codes: list[str]) -> None:
    """Everybody has checked in; their numbers are those of the walk-ins, so that each finds a place."""
    with sql.cursor() as cursor:
        for number, code in enumerate(codes):
            cursor.execute("UPDATE schedules SET his_code = %s WHERE id = %s", (code, hospital.identifier("S", number)))
        cursor.execute("SET SESSION foreign_key_checks = 0")
        cursor.execute(
            "INSERT INTO bookings (id, account_id, patient_id, schedule_id, slot_id, doctor_id, visit_date, period, "
            "starts_at, fee_fen, payment_policy, state, trade_no, expires_at, created_at, changed_at, queue_number) "
            f"SELECT {hospital.sql_id('K', 'n')}, {hospital.sql_id('A', 'n')}, {hospital.sql_id('P', 'n')}, s.id, "
            f"{hospital.sql_id('T', 'n')}, s.doctor_id, s.visit_date, s.period, s.starts_at, s.fee_fen, 'AT_BOOKING', "
            "'CHECKED_IN', CONCAT('bench-', n), s.starts_at, s.starts_at, s.starts_at, "
            f"CONCAT('W', LPAD(6 + n % {WALK_INS - 5}, 3, '0')) FROM bench_numbers "
            f"JOIN schedules s ON s.id = {hospital.sql_id('S', f'n % {DOCTORS}')} WHERE n < {PATIENTS}")
        cursor.execute("ANALYZE TABLE bookings, schedules")
        cursor.fetchall()


def _questions(place: Place, codes: list[str]) -> int:
    """How often the HIS was asked for these queues."""
    lines = place.control("GET", "/journal?system=his&operation=show_queue")
    return sum(line["path"].rpartition("/")[2] in codes for line in lines)


def _request(number: int) -> bytes:
    job = hospital.Job(number, "")
    return clients.request("GET", f"/bookings/{hospital.identifier('K', number)}", {
        "Authorization": f"Bearer {job.token}", "X-Client-Secret": hospital.SECRET})
