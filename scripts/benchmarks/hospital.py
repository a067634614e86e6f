"""A hospital full of patients, written straight into the tables: what the booking benchmarks drive.

Every id is made from a number, so that the clients know them without asking. Personal data are random
bytes: taking a place never opens them.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from scripts.benchmarks import clients

BEIJING = timezone(timedelta(hours=8))
SECRET = "benchmark-client-secret"
FEE_FEN = 2500
NUMBERS = 1000

if TYPE_CHECKING:
    import pymysql

    Connection = pymysql.Connection[Any]


def identifier(kind: str, number: int) -> str:
    """The 26 characters of the ``number``-th row of a kind (a letter)."""
    return f"0BENCH{kind}{number:019d}"


def sql_id(kind: str, number: str) -> str:
    """The same in SQL; ``number`` is an expression."""
    return f"CONCAT('0BENCH{kind}', LPAD({number}, 19, '0'))"


def visit_day() -> str:
    """A day that is on sale at any hour: the day after tomorrow."""
    return f"{datetime.now(BEIJING) + timedelta(days=2):%Y-%m-%d}"


@dataclass(frozen=True)
class Job:
    """One booking that a client is to make."""

    number: int
    schedule_id: str

    @property
    def account_id(self) -> str:
        """Who asks."""
        return identifier("A", self.number)

    @property
    def patient_id(self) -> str:
        """Whom for."""
        return identifier("P", self.number)

    @property
    def token(self) -> str:
        """The account's session."""
        return f"benchmark-token-{self.number:08d}"

    @property
    def key(self) -> str:
        """The request's Idempotency-Key."""
        return f"benchmark-key-{self.number:08d}"

    def request(self) -> bytes:
        """The whole request, ready to send."""
        body = json.dumps({"patient_id": self.patient_id, "schedule_id": self.schedule_id, "fee_fen": FEE_FEN})
        return clients.request("POST", "/bookings", {
            "Authorization": f"Bearer {self.token}", "X-Client-Secret": SECRET, "Idempotency-Key": self.key,
        }, body.encode())


def jobs(count: int, schedules: list[str]) -> list[Job]:
    """``count`` bookings by as many patients, over the schedules in turn."""
    return [Job(number, schedules[number % len(schedules)]) for number in range(count)]


def fill(connection: Connection, *, patients: int, hot_slots: int, spread: int, spread_slots: int) -> None:
    """Accounts signed in, with a patient and consent each; schedule 0 is the hot one, 1 to ``spread`` the others."""
    with connection.cursor() as cursor:
        numbers(cursor)
        some = f"FROM bench_numbers n WHERE n.n < {patients}"
        secret = hashlib.sha256(SECRET.encode()).hexdigest()
        account, patient = sql_id("A", "n"), sql_id("P", "n")
        cursor.execute("INSERT INTO accounts (id, openid, created_at) "
                       f"SELECT {account}, CONCAT('bench-', n), UTC_TIMESTAMP(6) {some}")
        cursor.execute("INSERT INTO sessions (token_hash, account_id, secret_hash, expires_at, created_at) "
                       f"SELECT UNHEX(SHA2(CONCAT('benchmark-token-', LPAD(n, 8, '0')), 256)), {account}, "
                       f"UNHEX('{secret}'), UTC_TIMESTAMP(6) + INTERVAL 10 HOUR, UTC_TIMESTAMP(6) {some}")
        cursor.execute("INSERT INTO patients (id, his_code, card_number, id_type, id_number_enc, id_number_hash, "
                       f"name_enc, sex, birth_date, created_at) SELECT {patient}, CONCAT('bench-', n), "
                       "CONCAT('card-', n), 'ID_CARD', UNHEX(SHA2(n, 256)), UNHEX(SHA2(n, 256)), "
                       f"UNHEX(SHA2(n, 256)), 'FEMALE', '1990-01-01', UTC_TIMESTAMP(6) {some}")
        cursor.execute("INSERT INTO bindings (id, account_id, patient_id, relation, phone_enc, is_default, level, "
                       f"proof, bound_at) SELECT {sql_id('B', 'n')}, {account}, {patient}, 'SELF', "
                       f"UNHEX(SHA2(n, 256)), 1, 'FULL', 'NEW', UTC_TIMESTAMP(6) {some}")
        cursor.execute("INSERT INTO consents (id, account_id, patient_id, purpose, version, granted_at) "
                       f"SELECT {sql_id('C', 'n')}, {account}, {patient}, 'HEALTH_DATA', "
                       "(SELECT MAX(version) FROM consent_texts WHERE purpose = 'HEALTH_DATA'), "
                       f"UTC_TIMESTAMP(6) {some}")
        doctors(cursor, spread + 1)
        cursor.execute("INSERT INTO schedules (id, his_code, his_department, doctor_id, visit_date, period, kind, "
                       f"fee_fen, starts_at, ends_at, clinic_room, state) SELECT {sql_id('S', 'n')}, "
                       f"CONCAT('bench-', n), 'BENCH', {sql_id('D', 'n')}, '{visit_day()}', 'MORNING', 'EXPERT', "
                       f"{FEE_FEN}, '{visit_day()} 00:00:00', '{visit_day()} 04:00:00', '', 'OPEN' "
                       f"FROM bench_numbers n WHERE n.n <= {spread}")
        cursor.execute("CREATE TABLE bench_counters (schedule_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin "
                       "NOT NULL PRIMARY KEY, free INT NOT NULL)")
        cursor.execute("CREATE TABLE bench_slots LIKE slots")
        slots(cursor, "bench_slots", f"s.n = 0 AND p.n < {hot_slots}", 100_000)
        slots(cursor, "bench_slots", f"s.n BETWEEN 1 AND {spread} AND p.n < {spread_slots}", 100_000)
        cursor.execute("ANALYZE TABLE accounts, sessions, patients, bindings, consents, schedules")
        cursor.fetchall()


def reset(connection: Connection) -> None:
    """As before the first booking: every round starts from the same state."""
    with connection.cursor() as cursor:
        empty(cursor, "bookings", "repeats", "outbox", "slots", "audit")
        cursor.execute("INSERT INTO slots SELECT * FROM bench_slots")
        cursor.execute("REPLACE INTO bench_counters SELECT schedule_id, COUNT(*) FROM bench_slots GROUP BY schedule_id")
        cursor.execute("ANALYZE TABLE slots, bookings, repeats, outbox")
        cursor.fetchall()


def empty(cursor: Any, *tables: str) -> None:
    """No rows in these tables, whatever refers to them: a benchmark writes no such rows."""
    cursor.execute("SET SESSION foreign_key_checks = 0")  # else not even an empty table that is referred to
    for table in tables:
        cursor.execute(f"TRUNCATE TABLE {table}")
    cursor.execute("SET SESSION foreign_key_checks = 1")


# -- rows by the thousand ---------------------------------------------------------------------------
def numbers(cursor: Any) -> None:
    """The table ``bench_numbers``: 0 to 99,999."""
    cursor.execute("CREATE TABLE IF NOT EXISTS bench_digits (d INT NOT NULL PRIMARY KEY)")
    cursor.execute("CREATE TABLE IF NOT EXISTS bench_numbers (n INT NOT NULL PRIMARY KEY)")
    cursor.execute("INSERT IGNORE INTO bench_digits VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)")
    cursor.execute("INSERT IGNORE INTO bench_numbers SELECT a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d "
                   "FROM bench_digits a, bench_digits b, bench_digits c, bench_digits e, bench_digits f")


def doctors(cursor: Any, count: int) -> None:
    """Doctors 0 to ``count`` - 1."""
    cursor.execute("INSERT INTO doctors (id, his_code, name, sex, title, introduction, expertise, employed) "
                   f"SELECT {sql_id('D', 'n')}, CONCAT('bench-', n), '李静', 'FEMALE', '主任医师', '', '', 1 "
                   f"FROM bench_numbers WHERE n < {count}")


def slots(cursor: Any, table: str, which: str, most: int) -> None:
    """Places into ``table``: number ``p.n`` of schedule ``s.n``, at most ``most`` a schedule, where ``which`` holds."""
    place = f"s.n * {most} + p.n"
    cursor.execute(
        f"INSERT INTO {table} (id, schedule_id, his_code, number, starts_at, ends_at, state, changed_at) "
        f"SELECT {sql_id('T', place)}, {sql_id('S', 's.n')}, CONCAT('bench-', {place}), p.n + 1, "
        "t.starts_at + INTERVAL p.n SECOND, t.ends_at, 'OPEN', UTC_TIMESTAMP(6) "
        f"FROM bench_numbers s JOIN schedules t ON t.id = {sql_id('S', 's.n')} JOIN bench_numbers p "
        f"WHERE {which}")
