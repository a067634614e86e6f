"""``reconcile``: the statement of a day of 100,000 payments, lists fetched, compared, written and stored as a sheet.

The floor reads the same two bill files from disk with ``csv``, the same ledger rows with plain pymysql, and compares
them as dictionaries. Each is a process of its own, so that the most memory it ever had can be told; they take turns.
``RECONCILE_PAYMENTS=1000000`` makes the day longer.
"""

from __future__ import annotations

import json
import os
import subprocess
from datetime import date, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from sandbox.wechatpay.statements import Form, Synthetic
from scripts import local_db, migrate
from scripts.benchmarks import hospital, machine, servers
from scripts.benchmarks.town import Place

PAYMENTS = int(os.environ.get("RECONCILE_PAYMENTS", "100000"))
ROUNDS = 5
MOST_MB = 200
AT_ONCE = 5000
# The most memory a process ever had; getrusage would tell that of the process that started it, were it larger.
_TELL = """
def tell(began, cpu, **more):
    peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print(json.dumps({"seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu,
                      "mb": int(peak.split()[1]) / 1024, **more}))
"""
OURS = f"""
import json, sys, time
from datetime import date
import openpyxl, qcloud_cos, requests, wechatpayv3.core
from hospital.database.connection import database
from hospital.reconciliation import service
from hospital.runtime.clock import utc_now
{_TELL}
began, cpu = time.perf_counter(), time.process_time()
done = service.statement(database(), date.fromisoformat(sys.argv[1]), utc_now(), again=True)
tell(began, cpu, done=done)
"""
BARE = f"""
import csv, json, os, sys, time
import pymysql
{_TELL}
began, cpu = time.perf_counter(), time.process_time()
connection = pymysql.connect(host=os.environ["MYSQL_HOST"], port=int(os.environ["MYSQL_PORT"]), user="root",
                             database=os.environ["MYSQL_DATABASE"])
with connection.cursor() as cursor:
    cursor.execute("SELECT movement, movement_key, amount_fen FROM ledger WHERE day = %s", (sys.argv[1],))
    ours = {{(movement, key): fen for movement, key, fen in cursor.fetchall()}}
done = True
for name, refund, income, expense in (("trade.csv", 15, (5, 24), (15, 25)), ("flow.csv", 4, (1, 6), (10, 6))):
    theirs = {{}}
    with open(name, encoding="utf-8-sig", newline="") as file:
        for row in csv.reader(file):
            if len(row) < 11 or row[0][0] != "`":
                continue
            back = row[refund] != "`0" if name == "trade.csv" else row[refund] == "`退款"
            key, fen = expense if back else income
            amount = int(row[fen][1:].replace(".", ""))
            theirs["REFUND" if back else "CAPTURE", row[key][1:]] = -amount if back else amount
    done = done and theirs == ours
tell(began, cpu, done=done)
"""


def measure(place: Place) -> machine.Report:
    """Seconds of the whole statement; the floor is the bare comparison. Both also in MB at the most."""
    day = datetime.now(hospital.BEIJING).date() - timedelta(days=2)  # whose bill is ready at any hour
    payments = place.effort.of(PAYMENTS, 500)
    refunds = payments // 20
    synthetic = Synthetic(day, payments, refunds, seed=1)
    place.control("POST", "/wechatpay/bills/synthetic", date=str(day), payments=payments, refunds=refunds, seed=1)
    database = f"{place.database}_reconcile"
    _fill(place, database, synthetic)
    folder = place.folder / "reconcile"
    _files(folder, synthetic)
    env = {**place.environment("reconcile"), **servers.environment(servers.ROOT / "layers" / "common",
                                                                   servers.PACKAGES), "MYSQL_DATABASE": database}
    rounds: dict[str, list[dict[str, Any]]] = {"bare": [], "ours": []}
    for number in range(place.effort.of(ROUNDS, 1) + 1):
        for name, program in (("bare", BARE), ("ours", OURS)):
            told = _run(program, folder, env, day)
            if number:  # the first warms up
                rounds[name].append(told)
    _check(place, database, payments + refunds)
    middle = {name: {what: machine.median([one[what] for one in some]) for what in ("seconds", "cpu", "mb")}
              for name, some in rounds.items()}
    ours, bare = middle["ours"], middle["bare"]
    return machine.report(
        ours["seconds"], bare["seconds"], "s", aim=f"<= 3 x bare, <= {MOST_MB} MB",
        met=ours["seconds"] <= 3 * bare["seconds"] and ours["mb"] <= MOST_MB, service=ours, floor_detail=bare,
        payments=payments, refunds=refunds)


def _fill(place: Place, database: str, synthetic: Synthetic) -> None:
    """A database whose ledger has what the bills have."""
    local_db.fresh_database(place.host, place.port, database)
    migrate.migrate(place.host, place.port, database)
    entries = synthetic.entries()
    with local_db.connect(place.host, place.port, database) as sql, sql.cursor() as cursor:
        number = back = 0
        sql.begin()  # in one piece: a commit for every statement would take longer than the benchmark
        while some := list(islice(entries, AT_ONCE)):
            rows, payments = [], []
            for one in some:
                number += 1
                back += bool(one.out_refund_no)
                payment = hospital.identifier("P", back or number)  # refunds are of the first, after all payments
                if not one.out_refund_no:
                    payments.append((payment, hospital.identifier("B", number), hospital.identifier("A", number),
                                     one.openid, one.out_trade_no, one.amount_fen, one.transaction_id, one.amount_fen))
                movement, key, fen = (("REFUND", one.out_refund_no, -one.amount_fen) if one.out_refund_no
                                      else ("CAPTURE", one.transaction_id, one.amount_fen))
                rows.append((hospital.identifier("L", number), payment, movement, key, fen, synthetic.day))
            cursor.executemany(
                "INSERT INTO payments (id, kind, subject_id, account_id, openid, out_trade_no, description, "
                "amount_fen, state, expires_at, transaction_id, paid_fen, created_at) VALUES (%s, 'registration', %s, "
                "%s, %s, %s, '', %s, 'PAID', UTC_TIMESTAMP(6), %s, %s, UTC_TIMESTAMP(6))", payments)
            cursor.executemany(
                "INSERT INTO ledger (id, payment_id, movement, movement_key, amount_fen, day, at, recorded_at) "
                "VALUES (%s, %s, %s, %s, %s, %s, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))", rows)
        sql.commit()
        cursor.execute("ANALYZE TABLE ledger")
        cursor.fetchall()


def _files(folder: Path, synthetic: Synthetic) -> None:
    """The two bills as files, for the floor."""
    folder.mkdir(parents=True, exist_ok=True)
    form = Form("wx0000000000000000", "1900000000")
    for name, lines in (("trade", form.trade_lines(synthetic.entries())),
                        ("flow", form.flow_lines(synthetic.entries(), 0))):
        with (folder / f"{name}.csv").open("w", newline="") as file:
            file.writelines(f"{line}\r\n" for line in lines)


def _run(program: str, folder: Path, env: dict[str, str], day: date) -> dict[str, Any]:
    done = subprocess.run([*servers.PYTHON, "-c", program, str(day)], cwd=folder, env=env, text=True, check=False,
                          capture_output=True)
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else {}
    if not told.get("done"):
        raise RuntimeError(f"reconcile: {done.stdout[-500:]}{done.stderr[-500:]}")
    return told


def _check(place: Place, database: str, lines: int) -> None:
    """Raise unless every line was found to agree: a comparison of nothing would be fast."""
    with local_db.connect(place.host, place.port, database) as sql, sql.cursor() as cursor:
        cursor.execute("SELECT state, SUM(line_count) FROM statement_sums GROUP BY state")
        if cursor.fetchall() != (("AGREED", 2 * lines),):
            raise RuntimeError("reconcile: the statement does not say what the bills say")
