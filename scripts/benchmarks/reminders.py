"""``reminders_100k``: reminders of tomorrow's visits, planned and told, beside the bare loop of the same signed posts.

The floor, in as many threads, posts ready bodies under the token and does nothing else. Each is a process of its own,
so that the most memory it ever had can be told; they take turns, with few reminders. Then comes the whole evening once:
its memory has to be that of the few. ``REMINDERS=20000`` makes the evening shorter.
"""

from __future__ import annotations

import json
import os
import subprocess
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hospital.reminders.service import THREADS

from sandbox.templates import policy_templates
from scripts import local_db, migrate
from scripts.benchmarks import hospital, machine, outside, servers, turns
from scripts.benchmarks.town import Place

REMINDERS = int(os.environ.get("REMINDERS", "100000"))
FEW, ROUNDS = 5000, 3
PATIENTS = 2000  # each with one visit in every session
GROWTH_MB = 30  # that the whole evening may need more than a few
_TELL = """
def tell(began, cpu, **more):
    peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print(json.dumps({"seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu,
                      "mb": int(peak.split()[1]) / 1024, **more}))
"""
SEAL = """
import json, sys
from hospital.database.connection import database
from hospital.security import cipher
with database().transaction() as tx:
    for number in range(int(sys.argv[1])):
        patient = f"0BENCHP{number:019d}"
        tx.run("UPDATE patients SET name_enc = %s WHERE id = %s", (cipher.seal("王小明", f"patients.name:{patient}"),
                                                                  patient))
print(json.dumps({"done": True}))
"""
OURS = f"""
import json, sys, time
import requests, wechatpy.client.base
from hospital.database.connection import database
from hospital.reminders import service
{_TELL}
began, cpu = time.perf_counter(), time.process_time()
done = service.run(database(), seconds=3600)
tell(began, cpu, done=done)
"""
BARE = f"""
import json, os, sys, threading, time
import requests
{_TELL}""" + """
number, threads, token = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
url = os.environ["WECHAT_BASE"] + "/cgi-bin/message/subscribe/send"
data = {"name1": {"value": "王小明"}, "thing2": {"value": "李静"}, "thing3": {"value": "骨科"},
        "time4": {"value": "2026年11月25日 08:00"}, "thing5": {"value": "门诊楼3层A区"}}
def post(first):
    line = requests.Session()
    for one in range(first, number, threads):
        body = json.dumps({"touser": f"bench-{one}", "template_id": "T", "page": "pages/booking/list", "data": data},
                          ensure_ascii=False).encode()
        answer = line.post(url, params={"access_token": token}, data=body, timeout=(2, 5))
        assert answer.json()["errcode"] == 0
began, cpu = time.perf_counter(), time.process_time()
posting = [threading.Thread(target=post, args=(first,)) for first in range(threads)]
for one in posting:
    one.start()
for one in posting:
    one.join()
tell(began, cpu, done=number)
"""


def measure(place: Place) -> machine.Report:
    """Messages a second, planning included; the floor only posts."""
    many, few = place.effort.of(REMINDERS, 200), place.effort.of(FEW, 100)
    database = f"{place.database}_reminders"
    folder = place.folder / "reminders"
    folder.mkdir(parents=True, exist_ok=True)
    env = {**place.environment("daily_reminder"), "MYSQL_DATABASE": database,
           **servers.environment(servers.ROOT / "layers" / "common", servers.PACKAGES)}
    rounds: dict[str, list[dict[str, Any]]] = {"bare": [], "ours": []}
    with turns.bare(place, "wechat", "outside.wechat") as wechat, \
            local_db.connect(*_fresh(place, database), database) as sql:
        env["WECHAT_BASE"] = f"http://127.0.0.1:{wechat.port}"
        patients = min(PATIENTS, many)
        _fill(sql, patients)
        _run(SEAL, folder, env, patients)
        for number in range(place.effort.of(ROUNDS, 1) + 1):
            for name, program in (("bare", BARE), ("ours", OURS)):
                _reset(sql, few, patients)
                told = _run(program, folder, env, few)
                if number:  # the first warms up
                    rounds[name].append(told)
        _reset(sql, many, patients)
        whole = _run(OURS, folder, env, many)
        _check(sql, many)
    middle = {name: {what: machine.median([one[what] for one in some]) for what in ("seconds", "cpu", "mb")}
              for name, some in rounds.items()}
    value, floor = (round(few / middle[name]["seconds"], 1) for name in ("ours", "bare"))
    grown = round(whole["mb"] - middle["ours"]["mb"], 1)
    return machine.report(
        value, floor, "messages/s", aim=f">= 0.6 of the bare loop, <= {GROWTH_MB} MB more for {REMINDERS:,}",
        met=value >= 0.6 * floor and grown <= GROWTH_MB, service=middle["ours"], floor_detail=middle["bare"],
        whole={"messages": many, "seconds": round(whole["seconds"], 1), "mb": round(whole["mb"], 1), "grown_mb": grown})


def _fresh(place: Place, database: str) -> tuple[str, int]:
    local_db.fresh_database(place.host, place.port, database)
    migrate.migrate(place.host, place.port, database)
    return place.host, place.port


def _fill(sql: hospital.Connection, patients: int) -> None:
    """Accounts with a patient and consent each, and tomorrow's sessions."""
    day = datetime.now(hospital.BEIJING).date() + timedelta(days=1)
    settings = {"message_templates": policy_templates(), "bulk_messages_per_second": 10_000, "remind_visit_at": "00:00",
                "quiet_from": "03:00", "quiet_until": "03:00"}
    hospital.fill(sql, patients=patients, hot_slots=0, spread=REMINDERS // PATIENTS, spread_slots=0)
    with sql.cursor() as cursor:
        cursor.execute("UPDATE schedules SET visit_date = %s, starts_at = %s, ends_at = %s",
                       (day, f"{day} 00:00:00", f"{day} 04:00:00"))
        cursor.executemany("REPLACE INTO settings (name, value, changed_at) VALUES (%s, %s, UTC_TIMESTAMP(6))",
                           [(name, json.dumps(value)) for name, value in settings.items()])


def _reset(sql: hospital.Connection, number: int, patients: int) -> None:
    """So many registrations for tomorrow, of which nobody was reminded."""
    with sql.cursor() as cursor:
        hospital.empty(cursor, "bookings", "reminders", "messages", "buckets", "staff_tasks")
        patient, session = f"n.n MOD {patients}", f"n.n DIV {patients}"
        cursor.execute(
            "INSERT INTO bookings (id, account_id, patient_id, schedule_id, slot_id, doctor_id, visit_date, period, "
            "starts_at, fee_fen, payment_policy, state, trade_no, expires_at, location, visit_number, created_at, "
            f"changed_at) SELECT {hospital.sql_id('B', 'n.n')}, {hospital.sql_id('A', patient)}, "
            f"{hospital.sql_id('P', patient)}, s.id, {hospital.sql_id('T', 'n.n')}, s.doctor_id, s.visit_date, "
            f"'MORNING', s.starts_at, {hospital.FEE_FEN}, 'AT_BOOKING', 'CONFIRMED', CONCAT('B', n.n), s.starts_at, "
            "'门诊楼3层A区', 'M001', UTC_TIMESTAMP(6) - INTERVAL 3 DAY, UTC_TIMESTAMP(6) FROM bench_numbers n "
            f"JOIN schedules s ON s.id = {hospital.sql_id('S', session)} WHERE n.n < {number}")
        cursor.execute("ANALYZE TABLE bookings, reminders, messages")
        cursor.fetchall()


def _run(program: str, folder: Path, env: dict[str, str], number: int) -> dict[str, Any]:
    done = subprocess.run([*servers.PYTHON, "-c", program, str(number), str(THREADS), outside.WECHAT_TOKEN],
                          cwd=folder, env=env, text=True, check=False, capture_output=True)
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else {}
    if told.get("done") not in (number, True):
        raise RuntimeError(f"reminders: {done.stdout[-500:]}{done.stderr[-1500:]}")
    return told


def _check(sql: hospital.Connection, number: int) -> None:
    """Raise unless each was told, once."""
    with sql.cursor() as cursor:
        cursor.execute("SELECT (SELECT COUNT(*) FROM reminders WHERE state = 'TOLD'), "
                       "(SELECT COUNT(*) FROM messages WHERE state = 'SENT'), (SELECT COUNT(*) FROM messages)")
        if cursor.fetchone() != (number, number, number):
            raise RuntimeError("reminders: not each was told once")
