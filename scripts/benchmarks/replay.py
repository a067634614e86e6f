"""The SQL of taking a place, by bare pymysql: what the floors of the booking benchmarks run, exchange by exchange.

It is the service's own list of statements, and every run proves that it is: one booking of each is
recorded in the server's general log and compared. Where the service's SQL changes, this must follow.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pymysql
from pymysql.constants import CLIENT, ER

from scripts.benchmarks.hospital import SECRET

if TYPE_CHECKING:
    from scripts.benchmarks.hospital import Connection

NEAREST, LOOKS, TRIES = 64, 4, 3


def connection(host: str, port: int, database: str) -> Connection:
    """As the service's own: READ COMMITTED, no TLS, several statements in an exchange."""
    one = pymysql.connect(host=host, port=port, user="root", password="", database=database, charset="utf8mb4",
                          autocommit=True, ssl_disabled=True, client_flag=CLIENT.MULTI_STATEMENTS)
    with one.cursor() as cursor:
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
    return one


def client(host: str, port: int, database: str) -> Callable[[Any], str]:
    """A client of the floor: a connection of its own, no service between."""
    one = connection(host, port, database)
    return lambda job: take(one, job.token, SECRET, job.patient_id, job.schedule_id, job.key)[0]


CODE = ("COALESCE(r.id, p.id) AS record_id, IF(r.id IS NULL, p.his_code, r.his_code) AS his_code, "
        "IF(r.id IS NULL, p.his_code_enc, r.his_code_enc) AS his_code_enc")
VERSION = ("(SELECT CONCAT(COUNT(*), ' ', COALESCE(SUM(CRC32(CONCAT(name, '=', value))), 0), ' ', "
           "COALESCE(MAX(changed_at), '')) FROM settings)")
WHO = (f"SELECT account_id, secret_hash, expires_at, last_used_at, idle_minutes, {VERSION} AS policy FROM sessions "
       "WHERE token_hash = %s")
BOUND = (f"SELECT {CODE}, p.id, p.birth_date, p.birth_date_enc, b.level FROM bindings b "
         "JOIN patients p ON p.id = b.patient_id "
         "LEFT JOIN patients r ON r.id = p.record_of "
         "WHERE b.account_id = %s AND b.patient_id = %s AND b.bound_flag = 1 FOR UPDATE")
IN_FORCE = ("consents c WHERE c.account_id = %s AND c.patient_id = %s AND c.live_flag = 1 "
            "AND c.version = (SELECT MAX(t.version) FROM consent_texts t WHERE t.purpose = c.purpose "
            "AND t.effective_at <= %s)")
SOME_FREE = ("SELECT id, starts_at FROM (SELECT id, starts_at FROM slots WHERE schedule_id = %s AND booking_id IS NULL "
             "AND state = 'OPEN' AND (on_sale_at IS NULL OR on_sale_at <= %s) AND starts_at > %s LIMIT %s) nearest "
             "ORDER BY RAND() LIMIT %s")
_SAME = "SELECT q.id FROM patients o JOIN patients q ON q.record_id = o.record_id"
COUNTED = (f"k.patient_id IN ({_SAME} WHERE o.id = %s) AND k.live_flag = 1 AND k.visit_date >= %s "
           "AND (k.account_id = %s OR EXISTS (SELECT 1 FROM bindings b JOIN patients x ON x.id = b.patient_id "
           "JOIN patients y ON y.id = k.patient_id WHERE b.account_id = k.account_id AND x.record_id = y.record_id "
           "AND COALESCE(b.level, %s) = 'FULL' AND (b.bound_flag = 1 OR COALESCE(b.proof, '') <> 'NEW')))")
TWICE = (f"EXISTS (SELECT 1 FROM bookings k WHERE k.patient_id IN ({_SAME} AND q.id <> o.id WHERE o.id = %s) "
         "AND k.live_flag = 1 AND (k.schedule_id = s.id OR k.doctor_id = s.doctor_id AND k.visit_date = s.visit_date "
         "AND k.period = s.period))")
UNPAID = (
    "SELECT COALESCE(SUM(x.held), 0) AS unpaid, MIN(CASE WHEN x.held THEN x.expires_at END) AS unpaid_until, "
    "COALESCE(SUM(x.gone), 0) AS given_up, MIN(CASE WHEN x.gone THEN x.changed_at END) AS given_up_since, "
    "COALESCE(SUM(x.trusted), 0) AS on_trust, MIN(CASE WHEN x.trusted THEN x.visit_date END) AS on_trust_until "
    "FROM (SELECT expires_at, changed_at, visit_date, "
    "id >= %s AND state IN ('HELD', 'AWAITING_PAYMENT') AND waitlist_id IS NULL AS held, "
    "changed_at >= %s AND (state = 'RELEASED' AND reason IN ('GIVEN_UP', 'EXPIRED') "
    "OR state = 'CANCELLED' AND reason = '' AND (payment_policy = 'AT_CHECKIN' OR fee_fen = 0)) AS gone, "
    "visit_date >= %s AND state IN ('HELD', 'CONFIRMING', 'CONFIRMED', 'CANCELLING') "
    "AND (payment_policy = 'AT_CHECKIN' OR fee_fen = 0) AS trusted "
    "FROM bookings WHERE account_id = %s AND id >= %s) x")
BLOCKED = ("SELECT MAX(CASE WHEN x.reach = 'ALL' THEN x.ends_at END) AS blocked_for_all, "
           "MAX(x.ends_at) AS blocked_unproven FROM booking_blocks x "
           f"WHERE x.patient_id IN ({_SAME} WHERE o.id = %s) AND x.ends_at > %s AND x.lifted_at IS NULL")
LOOK = ("SELECT s.doctor_id, s.visit_date, s.period, s.fee_fen, s.state, s.clinic_room, "
        f"(SELECT GROUP_CONCAT(c.purpose) FROM {IN_FORCE}) AS consents, "
        f"(SELECT COUNT(*) FROM bookings k WHERE {COUNTED}) AS live, "
        f"(SELECT COUNT(*) FROM bookings k WHERE {COUNTED} AND k.visit_date = s.visit_date) AS that_day, "
        f"{TWICE} AS twice, u.unpaid, u.unpaid_until, u.given_up, u.given_up_since, u.on_trust, u.on_trust_until, "
        "x.blocked_for_all, x.blocked_unproven, f.id AS place, f.starts_at "
        f"FROM schedules s JOIN ({UNPAID}) u ON 1 = 1 JOIN ({BLOCKED}) x ON 1 = 1 "
        f"LEFT JOIN ({SOME_FREE}) f ON 1 = 1 WHERE s.id = %s")
LOCK_ACCOUNT = "SELECT id FROM accounts WHERE id = %s FOR UPDATE"
INSERT_BOOKING = (
    "INSERT INTO bookings (id, account_id, patient_id, schedule_id, slot_id, doctor_id, visit_date, period, "
    "starts_at, fee_fen, payment_policy, state, trade_no, expires_at, created_at, changed_at, hold_until, "
    "cancel_until, clinic_room) "
    "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)")
Statement = tuple[str, tuple[Any, ...]]


def exchange(cursor: Any, *statements: Statement) -> list[Any]:
    """Send statements together; the rows of each."""
    cursor.execute("; ".join(cursor.mogrify(sql, args or None) for sql, args in statements))
    rows = [cursor.fetchall()]
    while cursor.nextset():
        rows.append(cursor.fetchall())
    return rows


def take(connection: Connection, token: str, secret: str, patient_id: str, schedule_id: str, key: str
         ) -> tuple[str, str]:
    """Take any place of a schedule: "ok" and the answer, or what is in the way."""
    with connection.cursor() as cursor:
        for again in (True, True, False):
            now = datetime.now(timezone.utc).replace(tzinfo=None)
            try:
                return _take(cursor, token, secret, patient_id, schedule_id, key, now)
            except pymysql.err.MySQLError as error:
                cursor.execute("ROLLBACK")
                if not again or error.args[0] != ER.LOCK_DEADLOCK:  # else as the service: from the beginning
                    return str(error.args), ""
    raise AssertionError("unreachable")


def _take(cursor: Any, token: str, secret: str, patient_id: str, schedule_id: str, key: str, now: datetime
          ) -> tuple[str, str]:
    cursor.execute(WHO, (hashlib.sha256(token.encode()).digest(),))
    session = cursor.fetchone()
    if session is None or session[1] != hashlib.sha256(secret.encode()).digest() or session[2] <= now:
        return "unauthorized", ""
    account_id = session[0]
    booking_id, after, expires = _id(now), now + timedelta(minutes=10), now + timedelta(minutes=15)
    counted, since = (patient_id, now.date(), account_id, "LIMITED"), now - timedelta(days=1)
    _, _, [bound], found = exchange(
        cursor, ("BEGIN", ()), (LOCK_ACCOUNT, (account_id,)), (BOUND, (account_id, patient_id)),
        (LOOK, (account_id, patient_id, now, *counted, *counted, patient_id, _id(since), since, now.date(), account_id,
                _id(now - timedelta(days=92)), patient_id, now, schedule_id, now, after, NEAREST, TRIES, schedule_id)))
    doctor_id, day, period, fee_fen, state, room, consents, _live, that_day, twice, unpaid, _until, given_up = (
        found[0][:13])
    refused = twice or unpaid >= 6 or given_up >= 15 or found[0][14] >= 12 or found[0][16] or found[0][17]
    if not bound or not consents or state != "OPEN" or that_day >= 3 or refused:
        cursor.execute("ROLLBACK")
        return "refused", ""
    slot = _pick(cursor, schedule_id, booking_id, now, after, [row[18:] for row in found if row[18] is not None])
    if slot is None:
        cursor.execute("ROLLBACK")
        return "slot_gone", ""
    answer = json.dumps({"id": booking_id, "state": "HELD", "starts_at": slot[1].isoformat(), "fee_fen": fee_fen,
                         "needs_payment": True, "expires_at": expires.isoformat()})
    exchange(
        cursor,
        (INSERT_BOOKING,
         (booking_id, account_id, patient_id, schedule_id, slot[0], doctor_id, day, period, slot[1], fee_fen,
          "AT_BOOKING", "HELD", f"B{booking_id}", expires, now, now, expires, slot[1], room)),
        ("INSERT INTO audit (id, at, actor, action, subject, result, address, request_id) "
         "VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
         (_id(now), now, f"account:{account_id}", "booking.hold", booking_id, "done", "127.0.0.1", _id(now))),
        ("INSERT INTO repeats (owner_id, request_key, request, answer, created_at) VALUES (%s, %s, %s, %s, %s)",
         (account_id, key, hashlib.sha256(f"{patient_id}{schedule_id}".encode()).digest(), answer, now)),
        ("INSERT INTO outbox (id, worker, topic, subject_id, state, due_at, attempts, created_at) "
         "VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
         (_id(now), "worker", "booking.expire", booking_id, "PENDING", expires, 0, now)),
        ("COMMIT", ()))
    return "ok", answer


def _pick(cursor: Any, schedule_id: str, booking_id: str, now: datetime, after: datetime, free: list[Any]) -> Any:
    for look in range(LOOKS):
        if look:
            cursor.execute(SOME_FREE, (schedule_id, now, after, NEAREST, TRIES))
            free = cursor.fetchall()
        for slot in free:
            if cursor.execute(
                    "UPDATE slots SET booking_id = %s, changed_at = %s WHERE id = %s AND booking_id IS NULL "
                    "AND state = 'OPEN' AND (on_sale_at IS NULL OR on_sale_at <= %s) AND starts_at > %s",
                    (booking_id, now, slot[0], now, after)):
                return slot
        if not free:
            break
    return None


# -- the least that is durable ----------------------------------------------------------------------
def ideal_client(host: str, port: int, database: str) -> Callable[[Any], str]:
    """A client that writes the registration and counts the place, and asks and keeps nothing else."""
    one = connection(host, port, database)
    return lambda job: _ideal(one, job)


def _ideal(connection: Connection, job: Any) -> str:
    now = datetime.now(timezone.utc).replace(tzinfo=None)
    booking_id, later = _id(now), now + timedelta(minutes=15)
    with connection.cursor() as cursor:
        exchange(cursor, ("BEGIN", ()), (
            INSERT_BOOKING,
            (booking_id, job.account_id, job.patient_id, job.schedule_id, booking_id, job.schedule_id, now.date(),
             "MORNING", now, 2500, "AT_BOOKING", "HELD", f"B{booking_id}", later, now, now, later, now, "")))
        taken = cursor.execute("UPDATE bench_counters SET free = free - 1 WHERE schedule_id = %s AND free > 0",
                               (job.schedule_id,))
        cursor.execute("COMMIT" if taken else "ROLLBACK")
    return "ok" if taken else "slot_gone"


def _id(now: datetime) -> str:
    """Time-ordered and random, of the house's length."""
    return f"{int(now.timestamp() * 1000):013X}{os.urandom(7).hex().upper()[:13]}"


# -- the proof --------------------------------------------------------------------------------------
_WAIT = re.compile(r"SET SESSION innodb_lock_wait_timeout = \?; ")  # where a connection's is not as wanted
_LITERAL = re.compile(r"_binary\s*'(?:[^'\\]|\\.|'')*'|X'[0-9a-f]*'|'(?:[^'\\]|\\.|'')*'|\b\d+\b", re.S)


def recorded(connection: Connection, act: Callable[[], object]) -> list[str]:
    """The statements the server was sent while ``act`` ran, literals as "?", connection set-up left out."""
    with connection.cursor() as cursor:
        cursor.execute("SET GLOBAL log_output = 'TABLE'")
        cursor.execute("TRUNCATE TABLE mysql.general_log")
        cursor.execute("SET GLOBAL general_log = ON")
        try:
            act()
        finally:
            cursor.execute("SET GLOBAL general_log = OFF")
        cursor.execute("SELECT argument FROM mysql.general_log WHERE command_type = 'Query' "
                       "AND thread_id <> CONNECTION_ID() ORDER BY event_time")
        texts = [row[0].decode("utf-8", "replace") if isinstance(row[0], bytes) else row[0]
                 for row in cursor.fetchall()]
    return [one for one in (_WAIT.sub("", " ".join(_LITERAL.sub("?", text).split())) for text in texts)
            if not one.startswith(("SET ", "SELECT @@"))]
