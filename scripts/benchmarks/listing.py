"""``listing``: the sessions of one department on one day, with 1 x and 100 x the bookings and sessions stored.

Both databases stand side by side behind a booking function each, and take turns; the answer is the same.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import partial

from scripts import local_db, migrate
from scripts.benchmarks import clients, hospital, machine, servers
from scripts.benchmarks.town import Place

SHOWN, OTHERS = 12, 100  # sessions of the department and day asked for, and of other ones at 1 x
PLACES, BOOKED = 10, 5  # a session
TIMES = 100
ROUNDS, SECONDS, CLIENTS = 7, 1.2, 4
INDEX = (servers.ROOT / "functions" / "booking" / "index.py").read_text()
DEPARTMENT = hospital.identifier("R", 2)


def measure(place: Place) -> machine.Report:
    """p99 (ms) with the full tables; the floor is p99 with the small ones."""
    request = clients.request("GET", f"/sessions?department_id={DEPARTMENT}&day={hospital.visit_day()}")
    sizes = {"1x": 1, "100x": place.effort.of(TIMES, 2)}
    seconds = place.effort.of(SECONDS, 0.2)
    stored = {name: fill(place, f"{place.database}_{name}", times) for name, times in sizes.items()}
    rounds: dict[str, list[clients.Round]] = {name: [] for name in sizes}
    with _function(place, "1x") as small, _function(place, "100x") as large:
        for number in range(place.effort.of(ROUNDS, 1) + 1):
            for name, server in (("1x", small), ("100x", large)):
                done = clients.drive(partial(clients.http_client, server.port), [request] * 5000, seconds,
                                     processes=1, threads=CLIENTS)
                if set(done.outcomes) != {"ok"}:
                    raise RuntimeError(f"listing {name}: {list(done.outcomes)[:2]}")
                if number:  # the first warms up
                    rounds[name].append(done)
    p99 = {name: machine.median([machine.percentile(one.latencies, 0.99) for one in some])
           for name, some in rounds.items()}
    p50 = {name: machine.median([machine.percentile(one.latencies, 0.5) for one in some])
           for name, some in rounds.items()}
    return machine.report(p99["100x"], p99["1x"], "ms p99", aim="<= 1.5 x", met=p99["100x"] <= 1.5 * p99["1x"],
                          p50_ms=p50["100x"], p50_floor_ms=p50["1x"], stored=stored, clients=CLIENTS)


def _function(place: Place, size: str) -> AbstractContextManager[servers.Server]:
    folder = place.folder / f"listing-{size}"
    env = {**place.environment("booking"), **servers.environment(
        folder, servers.ROOT / "layers" / "common", servers.PACKAGES),
           "MYSQL_DATABASE": f"{place.database}_{size}"}
    return servers.serving(INDEX, folder, env)


def fill(place: Place, database: str, times: int) -> dict[str, int]:
    """A database with the sessions asked for, and ``times`` × OTHERS on other days and in other departments."""
    local_db.fresh_database(place.host, place.port, database)
    migrate.migrate(place.host, place.port, database)
    others, day = OTHERS * times, hospital.visit_day()
    with local_db.connect(place.host, place.port, database) as sql, sql.cursor() as cursor:
        cursor.execute("SET SESSION foreign_key_checks = 0")
        hospital.numbers(cursor)
        hospital.doctors(cursor, 200)
        cursor.execute("INSERT INTO his_departments (code, name, parent_code, parent_name, specialty_code, "
                       "introduction, location) SELECT CONCAT('H', n), CONCAT('科室', n), '', '', '', '', '' "
                       "FROM bench_numbers WHERE n < 50")
        cursor.execute("INSERT INTO departments (id, parent_id, name, introduction, location, position) "
                       f"SELECT {hospital.sql_id('R', 'n')}, IF(n = 0, NULL, {hospital.sql_id('R', '0')}), "
                       "CONCAT('科室', n), '', '', n FROM bench_numbers WHERE n < 50")
        cursor.execute("INSERT INTO department_sources (department_id, his_code) SELECT "
                       f"{hospital.sql_id('R', 'n')}, CONCAT('H', n) FROM bench_numbers WHERE n BETWEEN 1 AND 49")
        # Sessions 0 to SHOWN - 1 are those asked for; of the others every tenth is the same day elsewhere,
        # the rest lie on the days before and after, every department in turn.
        elsewhere = f"n.n >= {SHOWN} AND n.n % 10 = 0"
        cursor.execute(
            "INSERT INTO schedules (id, his_code, his_department, doctor_id, visit_date, period, kind, fee_fen, "
            f"starts_at, ends_at, clinic_room, state) SELECT {hospital.sql_id('S', 'n.n')}, CONCAT('bench-', n.n), "
            f"IF(n.n < {SHOWN}, 'H2', CONCAT('H', IF({elsewhere}, 3 + n.n DIV 10 % 40, 1 + n.n % 49))), "
            f"{hospital.sql_id('D', 'n.n % 200')}, @day := IF(n.n < {SHOWN} OR {elsewhere}, '{day}', "
            f"'{day}' - INTERVAL (n.n DIV 49 % 300 + 1) DAY), 'MORNING', 'EXPERT', 2500, CONCAT(@day, ' 00:00:00'), "
            f"CONCAT(@day, ' 04:00:00'), '', 'OPEN' FROM bench_numbers n WHERE n.n < {SHOWN + others}")
        hospital.slots(cursor, "slots", f"s.n < {SHOWN + others} AND p.n < {PLACES}", PLACES)
        taken = f"t.number <= {BOOKED}"
        cursor.execute(
            "INSERT INTO bookings (id, account_id, patient_id, schedule_id, slot_id, doctor_id, visit_date, period, "
            "starts_at, fee_fen, payment_policy, state, trade_no, expires_at, created_at, changed_at) "
            "SELECT CONCAT('B', SUBSTR(t.id, 2)), CONCAT('A', SUBSTR(t.id, 2)), CONCAT('P', SUBSTR(t.id, 2)), s.id, "
            "t.id, s.doctor_id, s.visit_date, s.period, t.starts_at, 2500, 'AT_BOOKING', 'CONFIRMED', t.his_code, "
            "t.starts_at, t.starts_at, t.starts_at FROM slots t JOIN schedules s ON s.id = t.schedule_id "
            f"WHERE {taken}")
        cursor.execute(f"UPDATE slots t SET t.booking_id = CONCAT('B', SUBSTR(t.id, 2)) WHERE {taken}")
        cursor.execute("ANALYZE TABLE schedules, slots, bookings, doctors, departments, department_sources")
        cursor.fetchall()
        counts = {}
        for table in ("schedules", "slots", "bookings"):
            cursor.execute(f"SELECT COUNT(*) FROM {table}")
            counts[table] = cursor.fetchone()[0]  # type: ignore[index]
        return counts
