"""The list of a large hospital is taken over in little memory: 12,300 slots a day, read page by page."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from hospital.runtime.config import Config

from scripts import local_db, migrate

ROOT = Path(__file__).resolve().parent.parent.parent
DAYS = int(os.environ.get("LARGE_LIST_DAYS", "2"))  # of the nine that are on show: memory must not depend on it
SESSIONS, SLOTS = 615, 20  # a day; a session
LIMIT = 256 * 1024  # KiB: the function's memory
MORE = 40 * 1024  # KiB that a reading may take; to hold two days of it takes more
KEY = "key"
PROGRAM = """
import json, re
from hospital.database.connection import database
from hospital.runtime.clock import utc_now
from hospital.gateways.his.schedules import schedules
from hospital.runtime.clock import hospital_day
from hospital.schedules.sync import sync_schedules

def peak():  # of this process alone: ru_maxrss begins with the one that forked it
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])

day = hospital_day(utc_now())
next(schedules(day, day))  # one page, for everything that is loaded with the first
database().all("SELECT 1")
before = peak()
changed = [sync_schedules(database(), utc_now()) for _ in range(2)]
print(json.dumps([changed, before, peak()]))
"""


class Neighbours(BaseHTTPRequestHandler):
    """The platform's secrets, and a HIS that only lists sessions."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """SSM tells a secret."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        told = {"database": "", "his": KEY}[asked["SecretName"]]
        self._answer(json.dumps({"Response": {"SecretString": told, "RequestId": "1"}}).encode(), {})

    def do_GET(self) -> None:
        """A page of sessions."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        start, limit = int(query.get("cursor", 0)), int(query["limit"])
        numbers = range(start, min(start + limit, DAYS * SESSIONS))
        first = date.fromisoformat(query["from"])
        more = str(numbers.stop) if numbers.stop < DAYS * SESSIONS else None
        body = json.dumps({"schedules": [session(first, number) for number in numbers], "next_cursor": more}).encode()
        stamp, nonce = str(int(time.time())), self.headers["X-His-Nonce"]
        text = "\n".join(("200", stamp, nonce, hashlib.sha256(body).hexdigest()))
        self._answer(body, {"X-His-Timestamp": stamp, "X-His-Signature": hmac.new(
            KEY.encode(), text.encode(), hashlib.sha256).hexdigest()})

    def _answer(self, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(200)
        for name, value in {**headers, "Content-Type": "application/json", "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


def session(first: date, number: int) -> dict[str, Any]:
    """One of a day's sessions, with its slots."""
    day = first + timedelta(days=number // SESSIONS)
    slots = [{"code": f"S{number:05d}-{at:02d}", "number": at + 1, "state": "FREE",
              "starts_at": f"{day}T{8 + at // 6:02d}:{at % 6}0:00+08:00",
              "ends_at": f"{day}T{8 + at // 6:02d}:{at % 6}9:00+08:00"} for at in range(SLOTS)]
    return {"code": f"S{number:05d}", "department_code": "1101", "doctor_code": "D1", "date": str(day),
            "period": "MORNING", "kind": "EXPERT", "fee_fen": 2500, "starts_at": f"{day}T08:00:00+08:00",
            "ends_at": f"{day}T12:00:00+08:00", "state": "OPEN", "clinic_room": "内99诊室", "slots": slots}


@contextmanager
def neighbours() -> Iterator[str]:
    """Their address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Neighbours)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def test_a_large_hospitals_list_is_taken_over_far_below_the_functions_memory(mysql: str, database_name: str) -> None:
    host, _, port = mysql.partition(":")
    name = f"{database_name}_large"
    local_db.fresh_database(host, int(port), name)
    try:
        migrate.migrate(host, int(port), name)
        with local_db.connect(host, int(port), name) as connection, connection.cursor() as cursor:
            cursor.execute("INSERT INTO doctors (id, his_code, name, sex, title, introduction, expertise, employed) "
                           "VALUES (%s, 'D1', '甲', '', '', '', '', 1)", ("0" * 26,))
            with neighbours() as address:
                given = {field.upper(): "0" for field in Config.__struct_fields__} | {
                    "MYSQL_HOST": host, "MYSQL_PORT": port, "MYSQL_DATABASE": name, "MYSQL_USER": "root",
                    "MYSQL_PASSWORD_SECRET": "database", "HIS_KEY_SECRET": "his", "HIS_BASE": address,
                    "CLOUD_API_BASE": address, "TENCENTCLOUD_SECRETID": "id", "TENCENTCLOUD_SECRETKEY": "key",
                    "PYTHONPATH": str(ROOT / "layers" / "common"), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
                ran = subprocess.run([sys.executable, "-c", PROGRAM], env=given, capture_output=True, text=True,
                                     timeout=900, check=False)
            assert ran.returncode == 0, ran.stderr[-2000:]
            changed, before, peak = json.loads(ran.stdout.splitlines()[-1])
            cursor.execute("SELECT COUNT(*) FROM slots WHERE state = 'OPEN'")
            assert cursor.fetchall() == ((DAYS * SESSIONS * SLOTS,),)
    finally:
        with local_db.connect(host, int(port)) as connection, connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE `{name}`")
    print(f"{DAYS * SESSIONS * SLOTS} slots: peak {peak // 1024} MB, {before // 1024} MB of it with one page")
    assert changed == [DAYS * SESSIONS * (SLOTS + 1), 0]
    assert peak < LIMIT / 2
    assert peak - before < MORE
